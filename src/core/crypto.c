/*
 * core/crypto.c - OpenSSL's EVP behind functions that cannot fail for want of
 * anything but memory.
 *
 * Algorithms are fetched once and when first needed: a fetch takes a lock and
 * a lookup, and a start that needs no HMAC should not pay for one. Work
 * threads may hash, hence the run-once guards. What fails on purpose (a wrong
 * signature) must leave nothing in OpenSSL's error queue: SSL_get_error()
 * reads it.
 */
#include "core/crypto.h"

#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "core/rand.h"
#include "core/str.h"

/* SubjectPublicKeyInfo of an Ed25519 key up to the 32 bytes of the key (RFC 8410, section 4). */
static const uint8_t spki_prefix[] = { 0x30, 0x2a, 0x30, 0x05, 0x06, 0x03,
				       0x2b, 0x65, 0x70, 0x03, 0x21, 0x00 };

#define SPKI_LEN (sizeof(spki_prefix) + ED25519_KEY_LEN)

static EVP_MD *md_sha256, *md_sha1;
static EVP_MAC *mac_hmac;

static void fetch_sha256(void)
{
	md_sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
}

static void fetch_sha1(void)
{
	md_sha1 = EVP_MD_fetch(NULL, "SHA1", NULL);
}

static void fetch_hmac(void)
{
	mac_hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
}

static void digest(const EVP_MD *md, const void *p, size_t n, uint8_t *ret_digest)
{
	CH_BUG_ON(!md || EVP_Digest(p, n, ret_digest, NULL, md, NULL) != 1);
}

void sha256(const void *p, size_t n, uint8_t ret_digest[SHA256_LEN])
{
	static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;

	CRYPTO_THREAD_run_once(&once, fetch_sha256);
	digest(md_sha256, p, n, ret_digest);
}

void sha256_hex(const void *p, size_t n, char ret_text[2 * SHA256_LEN + 1])
{
	uint8_t d[SHA256_LEN];

	sha256(p, n, d);
	hex_encode(d, sizeof(d), ret_text);
}

void sha1(const void *p, size_t n, uint8_t ret_digest[20])
{
	static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;

	CRYPTO_THREAD_run_once(&once, fetch_sha1);
	digest(md_sha1, p, n, ret_digest);
}

void hmac_sha256(const void *key, size_t key_len, const void *p, size_t n, uint8_t ret_mac[SHA256_LEN])
{
	static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;
	char name[] = "SHA256";
	OSSL_PARAM params[] = { OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
				OSSL_PARAM_construct_end() };
	EVP_MAC_CTX *ctx;
	bool ok;

	CRYPTO_THREAD_run_once(&once, fetch_hmac);
	CH_BUG_ON(!mac_hmac);
	ctx = EVP_MAC_CTX_new(mac_hmac);
	/* OpenSSL takes a NULL key as "the key of before", so an empty one needs an address. */
	ok = ctx && EVP_MAC_init(ctx, key ? key : (const void *)"", key_len, params) == 1 &&
	     EVP_MAC_update(ctx, p, n) == 1 && EVP_MAC_final(ctx, ret_mac, NULL, SHA256_LEN) == 1;
	EVP_MAC_CTX_free(ctx);
	CH_BUG_ON(!ok);
}

bool ct_equal(const void *a, size_t a_len, const void *b, size_t b_len)
{
	return a && b && a_len == b_len && CRYPTO_memcmp(a, b, a_len) == 0;
}

bool ct_str_equal(const char *a, const char *b)
{
	return a && b && ct_equal(a, strlen(a), b, strlen(b));
}

static EVP_PKEY *private_key_of(const uint8_t private_key[ED25519_KEY_LEN])
{
	EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, private_key, ED25519_KEY_LEN);

	CH_BUG_ON(!key);
	return key;
}

void ed25519_public(const uint8_t private_key[ED25519_KEY_LEN], uint8_t ret_public[ED25519_KEY_LEN])
{
	EVP_PKEY *key = private_key_of(private_key);
	size_t n = ED25519_KEY_LEN;
	int ok = EVP_PKEY_get_raw_public_key(key, ret_public, &n);

	EVP_PKEY_free(key);
	CH_BUG_ON(ok != 1 || n != ED25519_KEY_LEN);
}

void ed25519_generate(uint8_t ret_private[ED25519_KEY_LEN], uint8_t ret_public[ED25519_KEY_LEN])
{
	rand_bytes(ret_private, ED25519_KEY_LEN); /* any 32 bytes are a seed (RFC 8032, section 5.1.5) */
	ed25519_public(ret_private, ret_public);
}

void ed25519_sign(const uint8_t private_key[ED25519_KEY_LEN], const void *p, size_t n,
		  uint8_t ret_sig[ED25519_SIG_LEN])
{
	EVP_PKEY *key = private_key_of(private_key);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t sig_len = ED25519_SIG_LEN;
	bool ok;

	ok = ctx && EVP_DigestSignInit(ctx, NULL, NULL, NULL, key) == 1 &&
	     EVP_DigestSign(ctx, ret_sig, &sig_len, p, n) == 1 && sig_len == ED25519_SIG_LEN;
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	CH_BUG_ON(!ok);
}

bool ed25519_verify(const uint8_t public_key[ED25519_KEY_LEN], const void *p, size_t n,
		    const uint8_t sig[ED25519_SIG_LEN])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY *key;
	bool ok;

	CH_BUG_ON(!ctx);
	ERR_set_mark();
	key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public_key, ED25519_KEY_LEN);
	ok = key && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key) == 1 &&
	     EVP_DigestVerify(ctx, sig, ED25519_SIG_LEN, p, n) == 1;
	EVP_PKEY_free(key);
	EVP_MD_CTX_free(ctx);
	ERR_pop_to_mark();
	return ok;
}

/* Copies the base64 between the two lines of a PEM public key, white space left out. */
static bool pem_body(const char *text, char *ret_b64, size_t cap)
{
	static const char begin[] = "-----BEGIN PUBLIC KEY-----";
	static const char end[] = "-----END PUBLIC KEY-----";
	const char *p = text + strspn(text, " \t\r\n"), *stop;
	size_t n = 0;

	if (!str_starts(p, begin))
		return false;
	p += sizeof(begin) - 1;
	stop = strstr(p, end);
	if (!stop)
		return false;
	for (; p < stop; p++) {
		if (strchr(" \t\r\n", *p))
			continue;
		if (n + 1 == cap)
			return false;
		ret_b64[n++] = *p;
	}
	ret_b64[n] = '\0';
	stop += sizeof(end) - 1;
	return stop[strspn(stop, " \t\r\n")] == '\0';
}

bool ed25519_parse_public(const char *text, uint8_t ret_public[ED25519_KEY_LEN])
{
	uint8_t bytes[SPKI_LEN];
	char b64[96];
	size_t n;

	if (!text)
		return false;
	if (strstr(text, "-----BEGIN")) {
		if (!pem_body(text, b64, sizeof(b64)))
			return false;
		text = b64;
	}
	if (!b64_decode(text, strlen(text), bytes, sizeof(bytes), &n))
		return false;
	if (n == ED25519_KEY_LEN && text != b64) {
		memcpy(ret_public, bytes, ED25519_KEY_LEN);
		return true;
	}
	if (n != SPKI_LEN || memcmp(bytes, spki_prefix, sizeof(spki_prefix)) != 0)
		return false;
	memcpy(ret_public, bytes + sizeof(spki_prefix), ED25519_KEY_LEN);
	return true;
}
