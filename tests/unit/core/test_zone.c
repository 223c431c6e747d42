/* core/zone: days of a calendar. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "core/clock.h"
#include "core/zone.h"

#define HOUR_MS INT64_C(3600000)

static void check_day(const struct zone *z, const char *date, int64_t start, int hours)
{
	char text[ZONE_DATE_LEN];
	int64_t at;

	assert_true(zone_date_parse(z, date, &at));
	assert_int_equal(at, start);
	assert_int_equal(zone_day_start(z, start), start);
	assert_int_equal(zone_day_start(z, start + hours * HOUR_MS - 1), start);
	assert_int_equal(zone_day_next(z, start + 5), start + hours * HOUR_MS);
	assert_int_equal(zone_day_shift(z, start + hours * HOUR_MS, -1), start);
	zone_date(z, start, text);
	assert_string_equal(text, date);
	zone_date(z, start + hours * HOUR_MS - 1, text);
	assert_string_equal(text, date);
}

static void test_days(void **state)
{
	const struct zone utc = { 0 }, east = { .offset_min = 330 }, west = { .offset_min = -720 };
	const struct zone local = { .kind = ZONE_LOCAL };

	check_day(&utc, "2026-11-22", 1795305600000, 24);
	check_day(&utc, "1969-12-31", -24 * HOUR_MS, 24);
	check_day(&east, "2026-11-22", 1795305600000 - 330 * 60000, 24);
	check_day(&west, "2026-11-22", 1795305600000 + 12 * HOUR_MS, 24);
	setenv("TZ", ":Europe/Berlin", 1);
	tzset();
	if (clock_utc_offset_min(1795305600000) != 60)
		skip();          /* no zone files on this machine */
	check_day(&local, "2026-11-22", 1795305600000 - HOUR_MS, 24);
	check_day(&local, "2026-03-29", 1774738800000, 23);      /* summer time begins */
	check_day(&local, "2026-10-25", 1792879200000, 25);
}

static void test_texts(void **state)
{
	static const char *const bad_dates[] = { "2026-02-29", "2026-13-01", "2026-00-10", "2026-1-01", "x026-01-01", "2026-01-011",
						 "2026/01/01", "", "2026-01-00" };
	static const struct { const char *text; int min; } good[] = { { "UTC", 0 }, { "UTC+2", 120 }, { "UTC-03:30", -210 },
								      { "UTC+14", 840 }, { "UTC-12:00", -720 }, { "UTC+0", 0 } };
	static const char *const bad[] = { "", "UT", "UTC+", "UTC+15", "UTC-13", "UTC+2:5", "UTC+2:60", "UTC++2", "UTC+ 2", "UTC2", "UTC+2x", "UTC+2:300" };
	struct zone z = { 0 };
	int64_t at;

	for (size_t i = 0; i < CH_ARRAY_LEN(bad_dates); i++)
		assert_false(zone_date_parse(&z, bad_dates[i], &at));
	assert_false(zone_date_parse(&z, NULL, &at));
	assert_true(zone_date_parse(&z, "2028-02-29", &at));
	for (size_t i = 0; i < CH_ARRAY_LEN(good); i++) {
		assert_true(zone_parse_offset(good[i].text, &z));
		assert_int_equal(z.offset_min, good[i].min);
	}
	for (size_t i = 0; i < CH_ARRAY_LEN(bad); i++)
		assert_false(zone_parse_offset(bad[i], &z));
	assert_false(zone_parse_offset(NULL, &z));
	assert_true(zone_parse_name("UTC", &z));
	assert_true(zone_parse_name(clock_zone(), &z));
	assert_false(zone_parse_name("Mars/Olympus", &z));
	assert_false(zone_parse_name(NULL, &z));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_texts), cmocka_unit_test(test_days) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
