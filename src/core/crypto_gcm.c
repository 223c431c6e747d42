/*
 * core/crypto_gcm.c - AES-256-GCM on OpenSSL's EVP.
 */
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>

#include "core/crypto.h"

/* Sizes are those of small values: SECRET_VALUE_MAX and the like. */
static bool update(EVP_CIPHER_CTX *c, uint8_t *out, const void *p, size_t n)
{
	int done = 0;

	CH_BUG_ON(n > INT32_MAX);
	return EVP_CipherUpdate(c, out, &done, p, (int)n) == 1 && (size_t)done == n;
}

static EVP_CIPHER_CTX *begin(const uint8_t *key, const uint8_t *nonce, const char *aad, int is_sealing)
{
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	int done = 0;

	CH_BUG_ON(!c || EVP_CipherInit_ex(c, EVP_aes_256_gcm(), NULL, key, nonce, is_sealing) != 1);
	CH_BUG_ON(EVP_CipherUpdate(c, NULL, &done, (const uint8_t *)aad, (int)strlen(aad)) != 1);
	return c;
}

void gcm_seal(const uint8_t key[GCM_KEY_LEN], const uint8_t nonce[GCM_NONCE_LEN], const char *aad, const void *p, size_t n,
	      uint8_t *ret)
{
	EVP_CIPHER_CTX *c = begin(key, nonce, aad, 1);
	int rest = 0;

	CH_BUG_ON(n && !update(c, ret, p, n));
	CH_BUG_ON(EVP_CipherFinal_ex(c, ret + n, &rest) != 1 || rest);
	CH_BUG_ON(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, GCM_TAG_LEN, ret + n) != 1);
	EVP_CIPHER_CTX_free(c);
}

bool gcm_open(const uint8_t key[GCM_KEY_LEN], const uint8_t nonce[GCM_NONCE_LEN], const char *aad, const void *p, size_t n,
	      uint8_t *ret)
{
	uint8_t tag[GCM_TAG_LEN];
	EVP_CIPHER_CTX *c;
	bool is_good;
	int rest = 0;

	if (n < GCM_TAG_LEN)
		return false;
	n -= GCM_TAG_LEN;
	memcpy(tag, (const uint8_t *)p + n, GCM_TAG_LEN);
	c = begin(key, nonce, aad, 0);
	is_good = (!n || update(c, ret, p, n)) &&
		  EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, GCM_TAG_LEN, tag) == 1 &&
		  EVP_CipherFinal_ex(c, ret + n, &rest) == 1;
	if (!is_good && n)
		memset(ret, 0, n);       /* what was not proven must not be used */
	EVP_CIPHER_CTX_free(c);
	ERR_clear_error();
	return is_good;
}
