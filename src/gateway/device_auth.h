/*
 * gateway/device_auth.h - proof that a client holds its device's Ed25519 key.
 *
 * The signed text, joined by '|', without a newline:
 *
 *	v3|deviceId|client.id|client.mode|role|scope,scope|signedAt|token|nonce|platform|deviceFamily
 *	v2| … the same without the last two
 *
 * token is the first present of auth.token, auth.deviceToken, auth.bootstrapToken; platform
 * and deviceFamily are trimmed and ASCII-lowered. v3 is tried first.
 */
#ifndef CH_GATEWAY_DEVICE_AUTH_H
#define CH_GATEWAY_DEVICE_AUTH_H

#include "core/arena.h"
#include "core/buf.h"
#include "core/crypto.h"
#include "gateway/connect_params.h"

enum device_proof {
	DEVICE_PROOF_OK,
	DEVICE_PROOF_ID_MISMATCH,
	DEVICE_PROOF_STALE,
	DEVICE_PROOF_NONCE_MISSING,
	DEVICE_PROOF_NONCE_MISMATCH,
	DEVICE_PROOF_BAD_SIGNATURE,
	DEVICE_PROOF_BAD_KEY,
};

struct device_proof_error { const char *message, *code, *reason; };
/* NULL for DEVICE_PROOF_OK. */
const struct device_proof_error *device_proof_error(enum device_proof proof);

/* version 2 or 3 */
void device_payload(struct arena *a, struct buf *out, int version, const struct connect_params *p,
		    const char *nonce);
/*
 * Judges p->device, in the protocol's order. On OK *ret_public_key is the key as unpadded base64url, on
 * the arena. now_ms is the wall clock, nonce the one of this connection's challenge.
 */
enum device_proof device_prove(struct arena *a, const struct connect_params *p, const char *nonce,
			       int64_t now_ms, const char **ret_public_key);
/* Trimmed and ASCII-lowered, "" for NULL: how platform and family are signed and compared. */
char *device_metadata(struct arena *a, const char *text);

#endif
