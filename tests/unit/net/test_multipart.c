/* net/multipart: the bytes of an upload, names that try to break out, and the ceiling. */
#include "net/multipart.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/str.h"

static void test_bytes(void **state)
{
	CH_AUTO_MULTIPART struct multipart m = { 0 };
	char want[1024];

	multipart_init(&m, 4096);
	multipart_field(&m, "chat_id", "-100");
	multipart_file(&m, "photo", "a.png", "image/png", "\0\r\n--", 5);
	assert_int_equal(multipart_end(&m, NULL), CH_OK);
	assert_true(str_starts(m.type, "multipart/form-data; boundary="));
	assert_true(strlen(m.boundary) > 32);
	snprintf(want, sizeof(want),
		 "--%s\r\nContent-Disposition: form-data; name=\"chat_id\"\r\n\r\n-100\r\n"
		 "--%s\r\nContent-Disposition: form-data; name=\"photo\"; filename=\"a.png\"\r\n"
		 "Content-Type: image/png\r\n\r\n",
		 m.boundary, m.boundary);
	assert_memory_equal(m.body.data, want, strlen(want));
	assert_memory_equal(m.body.data + strlen(want), "\0\r\n--\r\n--", 9);
	assert_memory_equal(m.body.data + m.body.len - 4, "--\r\n", 4);
}

static void test_boundaries_differ(void **state)
{
	CH_AUTO_MULTIPART struct multipart a = { 0 };
	CH_AUTO_MULTIPART struct multipart b = { 0 };

	multipart_init(&a, 64);
	multipart_init(&b, 64);
	assert_string_not_equal(a.boundary, b.boundary);
}

static void test_threat_injection_names_stay_in_their_head(void **state)
{
	CH_AUTO_MULTIPART struct multipart m = { 0 };

	multipart_init(&m, 4096);
	multipart_file(&m, "document", "a\"; x=\"\r\n\r\nowned", "text/plain\r\nX-Evil: 1", "b", 1);
	assert_int_equal(multipart_end(&m, NULL), CH_OK);
	assert_non_null(strstr(buf_str(&m.body), "filename=\"a%22; x=%22%0D%0A%0D%0Aowned\""));
	assert_null(strstr(buf_str(&m.body), "\r\nX-Evil"));
}

static void test_ceiling(void **state)
{
	CH_AUTO_MULTIPART struct multipart m = { 0 };
	char big[512] = { 0 };

	multipart_init(&m, 400);
	multipart_file(&m, "document", "a", NULL, big, sizeof(big));
	assert_int_equal(multipart_end(&m, NULL), CH_E_LIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_boundaries_differ),
		cmocka_unit_test(test_threat_injection_names_stay_in_their_head),
		cmocka_unit_test(test_ceiling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
