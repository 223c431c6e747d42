/*
 * gateway/device_auth.c - building and verifying the signed device payload.
 */
#include "gateway/device_auth.h"

#include <inttypes.h>

#include "core/str.h"
#include "gateway/gw.h"

static const struct device_proof_error proof_errors[] = {
	[DEVICE_PROOF_ID_MISMATCH] = { "device identity mismatch", "DEVICE_AUTH_DEVICE_ID_MISMATCH",
				       "device-id-mismatch" },
	[DEVICE_PROOF_STALE] = { "device signature expired", "DEVICE_AUTH_SIGNATURE_EXPIRED",
				 "device-signature-stale" },
	[DEVICE_PROOF_NONCE_MISSING] = { "device nonce required", "DEVICE_AUTH_NONCE_REQUIRED",
					 "device-nonce-missing" },
	[DEVICE_PROOF_NONCE_MISMATCH] = { "device nonce mismatch", "DEVICE_AUTH_NONCE_MISMATCH",
					  "device-nonce-mismatch" },
	[DEVICE_PROOF_BAD_SIGNATURE] = { "device signature invalid", "DEVICE_AUTH_SIGNATURE_INVALID",
					 "device-signature" },
	[DEVICE_PROOF_BAD_KEY] = { "device public key invalid", "DEVICE_AUTH_PUBLIC_KEY_INVALID",
				   "device-public-key" },
};

const struct device_proof_error *device_proof_error(enum device_proof proof)
{
	return proof == DEVICE_PROOF_OK ? NULL : &proof_errors[proof];
}

char *device_metadata(struct arena *a, const char *text)
{
	char *copy = text ? str_trim(a, text) : arena_strdup(a, "");

	str_lower(copy);
	return copy;
}

static const char *signed_token(const struct connect_params *p)
{
	if (!str_empty(p->token))
		return p->token;
	if (!str_empty(p->device_token))
		return p->device_token;
	return p->bootstrap_token ? p->bootstrap_token : "";
}

static void put_scopes(struct buf *out, const struct json *scopes)
{
	const char *sep = "";

	json_each(it, scopes)
	{
		buf_puts(out, sep);
		buf_append(out, it->str, it->len);
		sep = ",";
	}
}

void device_payload(struct arena *a, struct buf *out, int version, const struct connect_params *p,
		    const char *nonce)
{
	buf_printf(out, "v%d|%s|%s|%s|%s|", version, p->device.id, p->client.id, p->client.mode, p->role);
	put_scopes(out, p->scopes);
	buf_printf(out, "|%" PRId64 "|%s|%s", p->device.signed_at, signed_token(p), nonce);
	if (version >= 3)
		buf_printf(out, "|%s|%s", device_metadata(a, p->client.platform),
			   device_metadata(a, p->client.device_family));
}

static bool signature_holds(struct arena *a, const struct connect_params *p, const char *nonce,
			    const uint8_t key[ED25519_KEY_LEN])
{
	uint8_t sig[ED25519_SIG_LEN + 2];
	const char *text = p->device.signature;
	size_t len = 0;

	if (!b64_decode(text, strlen(text), sig, sizeof(sig), &len) || len != ED25519_SIG_LEN)
		return false;
	for (int version = 3; version >= 2; version--) {
		CH_AUTO_BUF struct buf payload = { 0 };

		buf_init(&payload, GW_PREAUTH_FRAME_MAX * 2);
		device_payload(a, &payload, version, p, nonce);
		if (!payload.failed && ed25519_verify(key, payload.data, payload.len, sig))
			return true;
	}
	return false;
}

enum device_proof device_prove(struct arena *a, const struct connect_params *p, const char *nonce,
			       int64_t now_ms, const char **ret_public_key)
{
	uint8_t key[ED25519_KEY_LEN];
	char id[2 * SHA256_LEN + 1], *text;
	const char *given = str_trim(a, p->device.nonce);
	bool has_key = ed25519_parse_public(p->device.public_key, key);

	if (!has_key)
		return DEVICE_PROOF_ID_MISMATCH;
	sha256_hex(key, sizeof(key), id);
	if (!str_eq(id, p->device.id))
		return DEVICE_PROOF_ID_MISMATCH;
	if (p->device.signed_at < now_ms - GW_SKEW_MS || p->device.signed_at > now_ms + GW_SKEW_MS)
		return DEVICE_PROOF_STALE;
	if (!*given)
		return DEVICE_PROOF_NONCE_MISSING;
	if (!str_eq(given, nonce))
		return DEVICE_PROOF_NONCE_MISMATCH;
	if (!signature_holds(a, p, given, key))
		return DEVICE_PROOF_BAD_SIGNATURE;
	text = arena_alloc(a, b64url_encoded_len(sizeof(key)) + 1);
	b64url_encode(key, sizeof(key), text);
	*ret_public_key = text;
	return DEVICE_PROOF_OK;
}
