/*
 * core/crypto and core/rand, against the vectors of the standards.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include <openssl/err.h>

#include "core/crypto.h"
#include "core/map.h"
#include "core/rand.h"
#include "core/str.h"

static void assert_hex(const uint8_t *bytes, size_t n, const char *expected)
{
	char text[200];

	hex_encode(bytes, n, text);
	assert_string_equal(text, expected);
}

/* FIPS 180-4 examples. */
static void test_sha(void **state)
{
	static const struct {
		const char *text, *sha256, *sha1;
	} rows[] = {
		{ "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		  "da39a3ee5e6b4b0d3255bfef95601890afd80709" },
		{ "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
		  "a9993e364706816aba3e25717850c26c9cd0d89d" },
		{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		  "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
		  "84983e441c3bd26ebaae4aa1f95129e5e54670f1" },
	};
	char text[2 * SHA256_LEN + 1];
	uint8_t d[20];

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		sha256_hex(rows[i].text, strlen(rows[i].text), text);
		assert_string_equal(text, rows[i].sha256);
		sha1(rows[i].text, strlen(rows[i].text), d);
		assert_hex(d, sizeof(d), rows[i].sha1);
	}
}

/* RFC 4231, cases 1, 2 and 6; and an empty key. */
static void test_hmac(void **state)
{
	uint8_t key[131], mac[SHA256_LEN];

	memset(key, 0x0b, 20);
	hmac_sha256(key, 20, "Hi There", 8, mac);
	assert_hex(mac, sizeof(mac), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
	hmac_sha256("Jefe", 4, "what do ya want for nothing?", 28, mac);
	assert_hex(mac, sizeof(mac), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	memset(key, 0xaa, sizeof(key));
	hmac_sha256(key, sizeof(key), "Test Using Larger Than Block-Size Key - Hash Key First", 54, mac);
	assert_hex(mac, sizeof(mac), "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
	hmac_sha256(NULL, 0, "", 0, mac);
	assert_hex(mac, sizeof(mac), "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

static void test_constant_time_equal(void **state)
{
	static const struct {
		const char *a, *b;
		bool is_equal;
	} rows[] = {
		{ "", "", true },        { "abc", "abc", true }, { "abc", "abd", false },
		{ "abc", "ab", false },  { "", "a", false },     { NULL, NULL, false },
		{ NULL, "", false },     { "", NULL, false },
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++)
		assert_int_equal(ct_str_equal(rows[i].a, rows[i].b), rows[i].is_equal);
	assert_true(ct_equal("a\0b", 3, "a\0b", 3));
	assert_false(ct_equal("a\0b", 3, "a\0c", 3));
}

/* RFC 8032, section 7.1, tests 1 and 3. */
static void test_ed25519_vectors(void **state)
{
	static const struct {
		const char *seed, *public, *message, *sig;
	} rows[] = {
		{ "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
		  "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
		  "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
		  "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b" },
		{ "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
		  "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
		  "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
		  "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a" },
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		uint8_t seed[ED25519_KEY_LEN], public[ED25519_KEY_LEN], sig[ED25519_SIG_LEN], message[8];
		size_t n = strlen(rows[i].message) / 2;

		assert_true(hex_decode(rows[i].seed, 64, seed));
		assert_true(hex_decode(rows[i].message, 2 * n, message));
		ed25519_public(seed, public);
		assert_hex(public, sizeof(public), rows[i].public);
		ed25519_sign(seed, message, n, sig);
		assert_hex(sig, sizeof(sig), rows[i].sig);
		assert_true(ed25519_verify(public, message, n, sig));
	}
}

static void test_ed25519_refuses(void **state)
{
	uint8_t private[ED25519_KEY_LEN], public[ED25519_KEY_LEN], other[ED25519_KEY_LEN];
	uint8_t sig[ED25519_SIG_LEN], nowhere[ED25519_KEY_LEN];

	ed25519_generate(private, public);
	ed25519_sign(private, "hello", 5, sig);
	assert_true(ed25519_verify(public, "hello", 5, sig));
	assert_false(ed25519_verify(public, "hellO", 5, sig));
	assert_false(ed25519_verify(public, "hell", 4, sig));
	for (size_t bit = 0; bit < 8 * sizeof(sig); bit += 37) {
		sig[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_false(ed25519_verify(public, "hello", 5, sig));
		sig[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	ed25519_generate(private, other);
	assert_false(ed25519_verify(other, "hello", 5, sig));
	memset(nowhere, 0xff, sizeof(nowhere)); /* not on the curve */
	assert_false(ed25519_verify(nowhere, "hello", 5, sig));
	/* SSL_get_error() looks at this queue. */
	assert_int_equal(ERR_peek_error(), 0);
}

#define RAW_B64 "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo"
#define RAW_B64URL "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
#define SPKI "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
#define PEM_BEGIN "-----BEGIN PUBLIC KEY-----"
#define PEM_END "-----END PUBLIC KEY-----"

static void test_parse_public(void **state)
{
	static const struct {
		const char *text;
		bool is_ok;
	} rows[] = {
		{ RAW_B64, true },
		{ RAW_B64 "=", true },
		{ RAW_B64URL, true },
		{ SPKI, true },
		{ "MCowBQYDK2VwAyEA" RAW_B64URL, true },
		{ PEM_BEGIN "\n" SPKI "\n" PEM_END "\n", true },
		{ PEM_BEGIN "\r\nMCowBQYDK2VwAyEA\r\n" RAW_B64 "=\r\n" PEM_END, true },
		{ "\n " PEM_BEGIN SPKI PEM_END, true },
		{ NULL, false },
		{ "", false },
		{ "hello", false },
		{ RAW_B64 "AAAA", false },
		{ "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHUQ", false },
		/* X25519 has the same length and another identifier. */
		{ "MCowBQYDK2VuAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=", false },
		{ PEM_BEGIN "\n" RAW_B64 "=\n" PEM_END, false },
		{ PEM_BEGIN "\n" SPKI "\n", false },
		{ PEM_BEGIN "\n" SPKI "\n" PEM_END "\nmore", false },
		{ "-----BEGIN PRIVATE KEY-----\n" SPKI "\n-----END PRIVATE KEY-----", false },
		{ PEM_BEGIN "\n" SPKI SPKI SPKI SPKI "\n" PEM_END, false },
	};
	uint8_t key[ED25519_KEY_LEN];

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		memset(key, 0, sizeof(key));
		assert_int_equal(ed25519_parse_public(rows[i].text, key), rows[i].is_ok);
		if (rows[i].is_ok)
			assert_hex(key, sizeof(key),
				   "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
	}
}

/* The reference vector of McGrew and Viega's GCM specification: test case 14 (AES-256). */
static void test_gcm(void **state)
{
	uint8_t key[GCM_KEY_LEN] = { 0 }, nonce[GCM_NONCE_LEN] = { 0 }, zero[16] = { 0 }, out[64], back[64];
	char text[129];

	gcm_seal(key, nonce, "", zero, sizeof(zero), out);
	hex_encode(out, 32, text);
	assert_string_equal(text, "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919");
	gcm_seal(key, nonce, "name", "secret", 6, out);
	assert_true(gcm_open(key, nonce, "name", out, 6 + GCM_TAG_LEN, back));
	assert_memory_equal(back, "secret", 6);
	assert_false(gcm_open(key, nonce, "other", out, 6 + GCM_TAG_LEN, back));
	assert_false(gcm_open(key, nonce, "name", out, 5 + GCM_TAG_LEN, back));
	assert_false(gcm_open(key, nonce, "name", out, 3, back));
	out[2] ^= 1;
	assert_false(gcm_open(key, nonce, "name", out, 6 + GCM_TAG_LEN, back));
	assert_memory_equal(back, zero, 6);
	gcm_seal(key, nonce, "empty", "", 0, out);
	assert_true(gcm_open(key, nonce, "empty", out, GCM_TAG_LEN, back));
}

static void test_rand_below(void **state)
{
	bool seen[5] = { false };

	for (int i = 0; i < 1000; i++) {
		uint64_t x = rand_below(5);

		assert_in_range(x, 0, 4);
		seen[x] = true;
	}
	for (int i = 0; i < 5; i++)
		assert_true(seen[i]);
	assert_int_equal(rand_below(1), 0);
	assert_true(rand_below(UINT64_MAX) < UINT64_MAX);
	assert_true(rand_below(((uint64_t)1 << 63) + 1) <= (uint64_t)1 << 63);
}

static void test_rand_texts(void **state)
{
	CH_AUTO(map_free) struct map *seen = map_new();
	char uuid[UUID_LEN], token[100];

	for (int i = 0; i < 100; i++) {
		rand_uuid(uuid);
		assert_int_equal(strlen(uuid), UUID_LEN - 1);
		assert_int_equal(strspn(uuid, "0123456789abcdef-"), UUID_LEN - 1);
		assert_int_equal(uuid[14], '4');
		assert_non_null(strchr("89ab", uuid[19]));
		assert_null(map_put(seen, uuid, seen));
		rand_token(32, token);
		assert_int_equal(strlen(token), b64url_encoded_len(32));
		assert_null(map_put(seen, token, seen));
	}
	rand_token(0, token);
	assert_string_equal(token, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sha),
		cmocka_unit_test(test_hmac),
		cmocka_unit_test(test_constant_time_equal),
		cmocka_unit_test(test_ed25519_vectors),
		cmocka_unit_test(test_ed25519_refuses),
		cmocka_unit_test(test_parse_public),
		cmocka_unit_test(test_gcm),
		cmocka_unit_test(test_rand_below),
		cmocka_unit_test(test_rand_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
