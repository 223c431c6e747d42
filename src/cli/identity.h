/*
 * cli/identity.h - this state directory's device identity (Ed25519), for gateways on other hosts.
 *
 * <state>/identity/device.json, 0600: {version, deviceId, publicKey, privateKey, tokens{url: token}}.
 */
#ifndef CH_CLI_IDENTITY_H
#define CH_CLI_IDENTITY_H

#include "core/arena.h"
#include "core/crypto.h"
#include "core/err.h"

struct identity {
	uint8_t private_key[ED25519_KEY_LEN], public_key[ED25519_KEY_LEN];
	char device_id[2 * SHA256_LEN + 1];
	char public_text[48];            /* unpadded base64url */
};

/* Makes one when there is none. */
CH_MUST_USE ch_status identity_load(const char *state_dir, struct identity *ret, struct ch_err *err);
/* The device token a gateway gave us, or NULL. */
char *identity_token(const char *state_dir, const char *url, struct arena *a);
CH_MUST_USE ch_status identity_keep_token(const char *state_dir, const char *url, const char *token, struct ch_err *err);
/* Unpadded base64url of the signature over text. */
void identity_sign(const struct identity *id, const char *text, size_t n, char ret_text[96]);

#endif
