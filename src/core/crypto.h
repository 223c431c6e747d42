/*
 * core/crypto.h - hashes, MACs and Ed25519 (RFC 8032), on OpenSSL's EVP.
 */
#ifndef CH_CORE_CRYPTO_H
#define CH_CORE_CRYPTO_H

#include "core/auto.h"
#include "core/err.h"

#define SHA256_LEN 32
#define ED25519_KEY_LEN 32
#define ED25519_SIG_LEN 64

void sha256(const void *p, size_t n, uint8_t ret_digest[SHA256_LEN]);
void sha256_hex(const void *p, size_t n, char ret_text[2 * SHA256_LEN + 1]);
void sha1(const void *p, size_t n, uint8_t ret_digest[20]);      /* for the WebSocket handshake only */
void hmac_sha256(const void *key, size_t key_len, const void *p, size_t n,
		 uint8_t ret_mac[SHA256_LEN]);
/* Constant time in the content; unequal lengths are unequal. NULL equals nothing. */
bool ct_equal(const void *a, size_t a_len, const void *b, size_t b_len);
bool ct_str_equal(const char *a, const char *b);

#define GCM_KEY_LEN 32
#define GCM_NONCE_LEN 12
#define GCM_TAG_LEN 16
/* AES-256-GCM (NIST SP 800-38D). A nonce is used once with a key. ret: n + GCM_TAG_LEN bytes. */
void gcm_seal(const uint8_t key[GCM_KEY_LEN], const uint8_t nonce[GCM_NONCE_LEN], const char *aad, const void *p, size_t n,
	      uint8_t *ret);
/* n counts the tag; ret: n - GCM_TAG_LEN bytes. False: it was not sealed with this key, nonce and aad, or was changed. */
bool gcm_open(const uint8_t key[GCM_KEY_LEN], const uint8_t nonce[GCM_NONCE_LEN], const char *aad, const void *p, size_t n,
	      uint8_t *ret);

void ed25519_generate(uint8_t ret_private[ED25519_KEY_LEN], uint8_t ret_public[ED25519_KEY_LEN]);
/* The public half of a private key (its 32-byte seed). */
void ed25519_public(const uint8_t private_key[ED25519_KEY_LEN], uint8_t ret_public[ED25519_KEY_LEN]);
void ed25519_sign(const uint8_t private_key[ED25519_KEY_LEN], const void *p, size_t n,
		  uint8_t ret_sig[ED25519_SIG_LEN]);
bool ed25519_verify(const uint8_t public_key[ED25519_KEY_LEN], const void *p, size_t n,
		    const uint8_t sig[ED25519_SIG_LEN]);
/* Accepts raw base64/base64url (32 bytes) or PEM / base64 SubjectPublicKeyInfo. */
bool ed25519_parse_public(const char *text, uint8_t ret_public[ED25519_KEY_LEN]);

#endif
