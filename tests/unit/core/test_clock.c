/*
 * core/clock: formats, time zones, the fake.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/clock.h"

static void set_zone(const char *tz)
{
	if (tz)
		setenv("TZ", tz, 1);
	else
		unsetenv("TZ");
	tzset();
}

static void test_iso(void **state)
{
	static const struct {
		int64_t ms;
		const char *text;
	} rows[] = {
		{ 0, "1970-01-01T00:00:00.000Z" },
		{ 1795338773123, "2026-11-22T09:12:53.123Z" },
		{ -1, "1969-12-31T23:59:59.999Z" },
		{ -1000, "1969-12-31T23:59:59.000Z" },
		{ 1709164800000, "2024-02-29T00:00:00.000Z" },
		{ 253402300799999, "9999-12-31T23:59:59.999Z" },
		{ INT64_MAX, "9999-12-31T23:59:59.999Z" },
		{ INT64_MIN, "0000-01-01T00:00:00.000Z" },
	};
	char text[CLOCK_ISO_LEN];

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		clock_iso(rows[i].ms, text);
		assert_string_equal(text, rows[i].text);
	}
}

static void test_local(void **state)
{
	static const struct {
		const char *tz;
		int64_t ms;
		const char *hms;
		int offset_min;
	} rows[] = {
		{ "UTC", 1795338773123, "09:12:53", 0 },
		{ "CET-1CEST,M3.5.0,M10.5.0/3", 1795338773123, "10:12:53", 60 },
		{ "CET-1CEST,M3.5.0,M10.5.0/3", 1782119573000, "11:12:53", 120 },
		{ "IST-5:30", 1795338773123, "14:42:53", 330 },
		{ "NST3:30", 1795338773123, "05:42:53", -210 },
	};
	char text[9];

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		set_zone(rows[i].tz);
		clock_hms(rows[i].ms, text);
		assert_string_equal(text, rows[i].hms);
		assert_int_equal(clock_utc_offset_min(rows[i].ms), rows[i].offset_min);
	}
	clock_hms(INT64_MAX, text); /* no such year; must only not fall over */
	set_zone(NULL);
}

static void test_zone(void **state)
{
	static const struct {
		const char *tz, *name;
	} rows[] = {
		{ "Europe/Berlin", "Europe/Berlin" },
		{ ":America/New_York", "America/New_York" },
		{ "UTC", "UTC" },
		{ "/usr/share/zoneinfo/Asia/Tokyo", "Asia/Tokyo" },
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		set_zone(rows[i].tz);
		assert_string_equal(clock_zone(), rows[i].name);
	}
	/* Without a name in TZ it is the host's, whatever that is. */
	set_zone("CET-1CEST");
	assert_true(strlen(clock_zone()) >= 3);
	set_zone(NULL);
	assert_true(strlen(clock_zone()) >= 3);
}

static void test_fake(void **state)
{
	int64_t mono_ms = now_mono_ms();

	assert_true(now_wall_ms() > 1700000000000);
	clock_fake(5, 7);
	assert_int_equal(now_mono_ms(), 5);
	assert_int_equal(now_wall_ms(), 7);
	clock_real();
	assert_true(now_mono_ms() >= mono_ms);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_iso),
		cmocka_unit_test(test_local),
		cmocka_unit_test(test_zone),
		cmocka_unit_test(test_fake),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
