/* models/aws_*: signatures as AWS's own signer makes them, profile files, the order of credentials, regions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/file.h"
#include "core/mem.h"
#include "core/str.h"
#include "models/aws_creds.h"
#include "models/aws_sign.h"
#include "../temp_dir.h"

#define WALL_MS 1795338773123            /* 2026-11-22T09:12:53.123Z */

/* Made by npm's @smithy/signature-v4 5.7.5 from the same requests. */
static void test_signatures(void **state)
{
	static const struct {
		const char *path, *token, *body, *host, *signature;
	} table[] = {
		{ "/model/amazon.nova-pro-v1%3A0/converse-stream", NULL, "{\"a\":1}", "bedrock-runtime.us-east-1.amazonaws.com",
		  "SignedHeaders=content-type;host;x-amz-date, "
		  "Signature=61f45535f17b8cfb01db96a39ee199a6ee1951789581b6e8764a9d26d0e7eb83" },
		{ "/model/arn%3Aaws%3Abedrock%3Aeu-west-1%3A1%3Ainference-profile%2Fx/converse-stream", "TOKEN/with+chars==", "",
		  "127.0.0.1:8080",
		  "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, "
		  "Signature=91a0be02ba3c470b3c6b7195aa6528bd11b3320babe22c00bae85371694d096e" },
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(table); i++) {
		struct aws_request rq = {
			.method = "POST", .host = table[i].host, .path = table[i].path, .content_type = "application/json",
			.service = "bedrock", .region = "eu-west-1", .body = table[i].body, .body_len = strlen(table[i].body),
			.wall_ms = WALL_MS,
		};
		struct aws_keys keys = { "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", table[i].token };
		CH_AUTO_BUF struct buf out = { .max_bytes = 4096 };
		char date[AWS_DATE_LEN + 1];

		aws_sign(&rq, &keys, date, &out);
		assert_string_equal(date, "20261122T091253Z");
		assert_true(str_starts(buf_str(&out),
				       "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261122/eu-west-1/bedrock/aws4_request, "));
		assert_true(str_ends(buf_str(&out), table[i].signature));
	}
}

static const char profiles[] = "# a comment\n"
			       "[default]\r\n"
			       "aws_access_key_id = ID1 ; the old one\n"
			       "AWS_SECRET_ACCESS_KEY=se#cret\n"
			       "s3 =\n"
			       "  region = nested\n"
			       "; region = none\n"
			       "\n"
			       "[profile work]\n"
			       "region=eu-west-1\n"
			       "region = eu-west-2 # the last wins\n"
			       "empty =\n"
			       "[profile \"two words\"]\n"
			       "region = ap-south-1\n"
			       "[broken\n"
			       "region = x\n";

static void test_profile_files(void **state)
{
	static const struct { const char *section, *key, *value; } table[] = {
		{ "default", "aws_access_key_id", "ID1" },    { "default", "aws_secret_access_key", "se#cret" },
		{ "default", "region", NULL },                { "work", "region", "eu-west-2" },
		{ "work", "empty", NULL },                    { "two words", "region", "ap-south-1" },
		{ "broken", "region", NULL },                 { "none", "region", NULL },
	};
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);

	for (size_t i = 0; i < CH_ARRAY_LEN(table); i++) {
		const char *value = aws_ini_get(a, profiles, table[i].section, table[i].key);

		if (!str_eq(value, table[i].value))
			fail_msg("%s.%s: %s", table[i].section, table[i].key, value ? value : "(none)");
	}
}

static void test_regions_of_urls(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);

	assert_string_equal(aws_region_of_url(a, "https://bedrock-runtime.eu-west-1.amazonaws.com/model/x"), "eu-west-1");
	assert_string_equal(aws_region_of_url(a, "https://bedrock-runtime.cn-north-1.amazonaws.com.cn"), "cn-north-1");
	assert_string_equal(aws_region_of_url(a, "https://bedrock-runtime-fips.us-east-2.amazonaws.com"), "us-east-2");
	assert_null(aws_region_of_url(a, "https://bedrock-runtime.evil.example.com"));
	assert_null(aws_region_of_url(a, "http://127.0.0.1:8080"));
}

/* -- where credentials come from -- */

struct home { char dir[64]; };

static void put(const char *dir, const char *name, const char *text)
{
	CH_AUTO_STR char *path = ch_asprintf("%s/%s", dir, name);

	assert_int_equal(file_write_atomic(path, text, strlen(text), 0600, NULL), CH_OK);
}

static int set_up(void **state)
{
	static const char *const names[] = {
		"AWS_BEARER_TOKEN_BEDROCK", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE",
		"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE",
	};
	static struct home h;
	char aws[80];

	for (size_t i = 0; i < CH_ARRAY_LEN(names); i++)
		unsetenv(names[i]);
	temp_dir_make(h.dir, "aws");
	snprintf(aws, sizeof(aws), "%s/.aws", h.dir);
	assert_int_equal(file_mkdirs(aws, 0700, NULL), CH_OK);
	setenv("HOME", h.dir, 1);
	*state = &h;
	return 0;
}

static int tear_down(void **state)
{
	const struct home *h = *state;

	temp_dir_remove(h->dir);
	return 0;
}

static ch_status load(struct aws_creds *c, struct ch_err *err)
{
	struct aws_cache *cache = NULL;
	ch_status st = aws_creds_load(&(struct aws_want){ .cache = &cache }, c, err);

	assert_null(cache);
	return st;
}

static void test_the_order(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct home *h = *state;
	struct aws_creds c;
	struct ch_err err;

	assert_int_equal(load(&c, &err), CH_E_NOT_FOUND);
	assert_non_null(strstr(err.text, "AWS_ACCESS_KEY_ID"));
	assert_string_equal(aws_region(a), "us-east-1");

	put(h->dir, ".aws/config", "[default]\nregion = eu-north-1\naws_access_key_id = C\naws_secret_access_key = D\n"
				   "[profile sso]\nsso_session = x\n");
	assert_int_equal(load(&c, &err), CH_OK);
	assert_true(secret_equal(c.id, "C") && secret_equal(c.key, "D") && !c.token && !c.bearer);
	aws_creds_done(&c);
	assert_string_equal(aws_region(a), "eu-north-1");

	put(h->dir, ".aws/credentials", "[default]\naws_access_key_id = A\naws_secret_access_key = B\naws_session_token = T\n");
	assert_int_equal(load(&c, &err), CH_OK);
	assert_true(secret_equal(c.id, "A") && secret_equal(c.key, "B") && secret_equal(c.token, "T"));
	aws_creds_done(&c);

	setenv("AWS_PROFILE", "sso", 1);
	assert_int_equal(load(&c, &err), CH_E_DENIED);
	assert_non_null(strstr(err.text, "sso_session"));

	setenv("AWS_ACCESS_KEY_ID", "E", 1);
	assert_int_equal(load(&c, &err), CH_E_DENIED);          /* half a key is none */
	setenv("AWS_SECRET_ACCESS_KEY", "F", 1);
	setenv("AWS_REGION", "ap-south-1", 1);
	assert_int_equal(load(&c, &err), CH_OK);
	assert_true(secret_equal(c.id, "E") && secret_equal(c.key, "F") && !c.token);
	aws_creds_done(&c);
	assert_string_equal(aws_region(a), "ap-south-1");

	setenv("AWS_BEARER_TOKEN_BEDROCK", "G", 1);
	assert_int_equal(load(&c, &err), CH_OK);
	assert_true(secret_equal(c.bearer, "G") && !c.id);
	aws_creds_done(&c);
}

static void test_files_elsewhere(void **state)
{
	struct home *h = *state;
	CH_AUTO_STR char *path = ch_asprintf("%s/elsewhere", h->dir);
	struct aws_creds c;

	put(h->dir, "elsewhere", "[default]\naws_access_key_id = A\naws_secret_access_key = B\n");
	setenv("AWS_SHARED_CREDENTIALS_FILE", path, 1);
	assert_int_equal(load(&c, NULL), CH_OK);
	assert_true(secret_equal(c.id, "A"));
	aws_creds_done(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_signatures),
		cmocka_unit_test(test_profile_files),
		cmocka_unit_test(test_regions_of_urls),
		cmocka_unit_test_setup_teardown(test_the_order, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_files_elsewhere, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
