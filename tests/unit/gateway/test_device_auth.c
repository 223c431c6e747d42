/*
 * gateway/device_auth: payloads and signatures. The vectors were made by Node.js's crypto (Ed25519, OpenSSL's
 * own text of the payload), so a mistake shared by our signing and verifying cannot hide.
 */
#include "gwtest.h"

#include "core/str.h"
#include "gateway/device_auth.h"
#include "gateway/gw.h"

#define NONCE "b9478c0f-4ed3-44a3-a8d5-6d16e520c973"
#define SIGNED_AT 1795333101809
#define DEVICE_ID "355d89239a2b549bfc9c0137788584155f11a0af947c4912968b9a3195c67856"
#define PUBLIC_KEY "IngGtEeocuLZ_MFhw8XW0ZuCptFvgKlR9j8hwRsDkLw"
#define SIG_V3 "4yJhnlnbzUd1AeRF2ioM8K1NBulNcGG3BssuSJsq95AoFgAcQWf_NeEMGMA4-ZW4spr3y9lWJTcQPjttO4JkBQ"
#define SIG_V2 "D2rgK_YvzRSOp0HMGqqHV73XhjSvhgd3mFtTVrnLWZpo31QIGWW5TwFkNg5bBPj1GLOPFZS6sLE6ZdlJU9mJBA"
#define SIG_V3_EMPTY "CEgKisj7PMXqRJ-h2i0qclZR9S7Ya-jpO92s7MeyAitNO61yCpoUUtJ-6uhZm8_q-toznSbjdV75QyVs0zjYCg"
#define PAYLOAD_TAIL                                                                                         \
	DEVICE_ID "|openclaw-tui|ui|operator|operator.admin,operator.read|1795333101809|tok-1|" NONCE

static struct connect_params params(struct arena *a)
{
	return (struct connect_params){
		.client = {.id = "openclaw-tui",
			   .mode = "ui",
			   .platform = " Linux X86_64 ",
			   .device_family = "Linux"},
		.role = "operator",
		.scopes = quoted(a, "['operator.admin','operator.read']"),
		.has_device = true,
		.device = {.id = DEVICE_ID,
			   .public_key = PUBLIC_KEY,
			   .signature = SIG_V3,
			   .nonce = NONCE,
			   .signed_at = SIGNED_AT},
		.token = "tok-1",
	};
}

static void test_payload(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct connect_params p = params(a);
	CH_AUTO_BUF struct buf out = { 0 };

	buf_init(&out, 4096);
	device_payload(a, &out, 3, &p, NONCE);
	assert_string_equal(buf_str(&out), "v3|" PAYLOAD_TAIL "|linux x86_64|linux");
	buf_clear(&out);
	device_payload(a, &out, 2, &p, NONCE);
	assert_string_equal(buf_str(&out), "v2|" PAYLOAD_TAIL);
}

/* The signed token is the first present of three; a password never is. */
static void test_payload_token(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct connect_params p = params(a);
	CH_AUTO_BUF struct buf out = { 0 };

	buf_init(&out, 4096);
	p.password = "secret";
	p.bootstrap_token = "boot";
	p.device_token = "dev";
	device_payload(a, &out, 2, &p, NONCE);
	assert_non_null(strstr(buf_str(&out), "|tok-1|"));
	p.token = NULL;
	buf_clear(&out);
	device_payload(a, &out, 2, &p, NONCE);
	assert_non_null(strstr(buf_str(&out), "|dev|"));
	p.device_token = NULL;
	buf_clear(&out);
	device_payload(a, &out, 2, &p, NONCE);
	assert_non_null(strstr(buf_str(&out), "|boot|"));
	p.bootstrap_token = NULL;
	buf_clear(&out);
	device_payload(a, &out, 2, &p, NONCE);
	assert_non_null(strstr(buf_str(&out), "||" NONCE));
	assert_null(strstr(buf_str(&out), "secret"));
}

static void test_vectors(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct connect_params p = params(a);
	const char *key = NULL;

	assert_int_equal(device_prove(a, &p, NONCE, SIGNED_AT, &key), DEVICE_PROOF_OK);
	assert_string_equal(key, PUBLIC_KEY);
	p.device.signature = SIG_V2;
	assert_int_equal(device_prove(a, &p, NONCE, SIGNED_AT, &key), DEVICE_PROOF_OK);
	p.device.signature = SIG_V3_EMPTY;
	p.scopes = NULL;
	p.token = NULL;
	p.client.device_family = NULL;
	assert_int_equal(device_prove(a, &p, NONCE, SIGNED_AT, &key), DEVICE_PROOF_OK);
}

/* The same key in standard base64 and as PEM gives the same device. */
static void test_key_forms(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct connect_params p = params(a);
	const char *key = NULL;

	p.device.public_key = "IngGtEeocuLZ/MFhw8XW0ZuCptFvgKlR9j8hwRsDkLw=";
	assert_int_equal(device_prove(a, &p, NONCE, SIGNED_AT, &key), DEVICE_PROOF_OK);
	assert_string_equal(key, PUBLIC_KEY);
	p.device.public_key =
		"-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAIngGtEeocuLZ/MFhw8XW0ZuCptFvgKlR9j8hwRsDkLw=\n"
		"-----END PUBLIC KEY-----\n";
	assert_int_equal(device_prove(a, &p, NONCE, SIGNED_AT, &key), DEVICE_PROOF_OK);
	assert_string_equal(key, PUBLIC_KEY);
}

enum tampering {
	SCOPE_LESS,
	SCOPE_ORDER,
	ROLE,
	TOKEN,
	CLIENT_ID,
	CLIENT_MODE,
	PLATFORM,
	FAMILY,
	TIME,
	NO_SIG,
	SHORT_SIG,
	BAD_SIG,
	LONG_SIG,
	TAMPERINGS
};

static void tamper(struct arena *a, struct connect_params *p, enum tampering what)
{
	switch (what) {
	case SCOPE_LESS: p->scopes = quoted(a, "['operator.admin']"); break;
	case SCOPE_ORDER: p->scopes = quoted(a, "['operator.read','operator.admin']"); break;
	case ROLE: p->role = "node"; break;
	case TOKEN: p->token = "tok-2"; break;
	case CLIENT_ID: p->client.id = "cli"; break;
	case CLIENT_MODE: p->client.mode = "cli"; break;
	case PLATFORM: p->client.platform = "macos"; break;
	case FAMILY: p->client.device_family = NULL; break;
	case TIME: p->device.signed_at++; break;
	case NO_SIG: p->device.signature = ""; break;
	case SHORT_SIG: p->device.signature = "AAAA"; break;
	case BAD_SIG: p->device.signature = "!!!!"; break;
	case LONG_SIG: p->device.signature = SIG_V3 "AAAA"; break;
	case TAMPERINGS: break;
	}
}

/* Whatever is signed cannot be changed. */
static void test_tampering(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	const char *key = NULL;

	for (enum tampering what = 0; what < TAMPERINGS; what++) {
		struct connect_params p = params(a);

		tamper(a, &p, what);
		if (device_prove(a, &p, NONCE, SIGNED_AT, &key) != DEVICE_PROOF_BAD_SIGNATURE)
			fail_msg("tampering %d passed", what);
	}
	assert_null(key);
}

static void test_order(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct connect_params p = params(a);
	const char *key = NULL;

	/* Everything is wrong; each fix uncovers the next in the protocol's order. */
	p.device.signature = "x";
	p.device.nonce = " ";
	p.device.signed_at = SIGNED_AT - GW_SKEW_MS - 1;
	p.device.id = "0000";
	assert_int_equal(device_prove(a, &p, NONCE, SIGNED_AT, &key), DEVICE_PROOF_ID_MISMATCH);
	p.device.id = DEVICE_ID;
	assert_int_equal(device_prove(a, &p, NONCE, SIGNED_AT, &key), DEVICE_PROOF_STALE);
	p.device.signed_at = SIGNED_AT + GW_SKEW_MS + 1;
	assert_int_equal(device_prove(a, &p, NONCE, SIGNED_AT, &key), DEVICE_PROOF_STALE);
	p.device.signed_at = SIGNED_AT - GW_SKEW_MS;
	assert_int_equal(device_prove(a, &p, NONCE, SIGNED_AT, &key), DEVICE_PROOF_NONCE_MISSING);
	p.device.nonce = "zzz";
	assert_int_equal(device_prove(a, &p, NONCE, SIGNED_AT, &key), DEVICE_PROOF_NONCE_MISMATCH);
	p.device.nonce = NONCE;
	assert_int_equal(device_prove(a, &p, NONCE, SIGNED_AT, &key), DEVICE_PROOF_BAD_SIGNATURE);
	p.device.public_key = "not a key";
	assert_int_equal(device_prove(a, &p, NONCE, SIGNED_AT, &key), DEVICE_PROOF_ID_MISMATCH);
	p = params(a);
	p.device.signed_at = INT64_MAX;
	assert_int_equal(device_prove(a, &p, NONCE, SIGNED_AT, &key), DEVICE_PROOF_STALE);
}

static void test_error_texts(void **state)
{
	assert_null(device_proof_error(DEVICE_PROOF_OK));
	for (enum device_proof d = DEVICE_PROOF_ID_MISMATCH; d <= DEVICE_PROOF_BAD_KEY; d++) {
		const struct device_proof_error *e = device_proof_error(d);

		assert_true(str_starts(e->message, "device "));
		assert_true(str_starts(e->code, "DEVICE_AUTH_"));
		assert_true(str_starts(e->reason, "device-"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_payload),     cmocka_unit_test(test_payload_token),
		cmocka_unit_test(test_vectors),     cmocka_unit_test(test_key_forms),
		cmocka_unit_test(test_tampering),   cmocka_unit_test(test_order),
		cmocka_unit_test(test_error_texts),
	};

	return cmocka_run_group_tests_name("gateway/device_auth", tests, NULL, NULL);
}
