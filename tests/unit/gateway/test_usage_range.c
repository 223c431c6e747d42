/* gateway/usage_range: which days are meant. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/clock.h"
#include "gateway/usage_range.h"

#define NOW 1795351200000                /* 2026-11-22 12:40 UTC */
#define DAY 86400000

static ch_status parse(const char *text, struct usage_range *ret, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct json *v;

	assert_int_equal(json_parse(a, text, strlen(text), JSON_JSON5, &v, NULL), CH_OK);
	return usage_range_parse(v, ret, err);
}

static void expect(const char *text, const char *from, const char *to, int offset_min)
{
	struct usage_range r;
	struct ch_err err = { .text = "" };
	char date[ZONE_DATE_LEN];

	if (parse(text, &r, &err))
		fail_msg("%s: %s", text, err.text);
	zone_date(&r.zone, r.from_ms, date);
	assert_string_equal(date, from);
	zone_date(&r.zone, r.to_ms - 1, date);
	assert_string_equal(date, to);
	assert_int_equal(zone_offset_min(&r.zone, NOW), offset_min);
	assert_int_equal((r.to_ms + offset_min * 60000) % DAY, 0);
}

static void refuse(const char *text, const char *words)
{
	struct usage_range r;
	struct ch_err err = { .text = "" };

	assert_int_equal(parse(text, &r, &err), CH_E_INVALID);
	assert_string_equal(err.text, words);
}

static void test_ranges(void **state)
{
	struct usage_range r;
	struct ch_err err;

	clock_fake(0, NOW);
	expect("{}", "2026-10-24", "2026-11-22", 0);
	expect("{days: 1}", "2026-11-22", "2026-11-22", 0);
	expect("{days: -5}", "2026-11-22", "2026-11-22", 0);
	expect("{days: 2.9}", "2026-11-21", "2026-11-22", 0);
	expect("{range: '7d', days: 1}", "2026-11-16", "2026-11-22", 0);
	expect("{range: '1y'}", "2025-11-23", "2026-11-22", 0);
	expect("{startDate: '2026-01-31', endDate: '2026-02-28'}", "2026-01-31", "2026-02-28", 0);
	expect("{mode: 'specific', utcOffset: 'UTC+14'}", "2026-10-25", "2026-11-23", 840);
	expect("{mode: 'specific', timeZone: 'UTC', utcOffset: 'UTC+2'}", "2026-10-24", "2026-11-22", 0);
	expect("{mode: 'specific', timeZone: 'Mars/Olympus', utcOffset: 'UTC-12'}", "2026-10-24", "2026-11-22", -720);
	expect("{mode: 'utc', utcOffset: 'UTC+2'}", "2026-10-24", "2026-11-22", 0);
	assert_int_equal(parse("{range: 'all'}", &r, &err), CH_OK);
	assert_int_equal(r.from_ms, 0);
	clock_real();
}

static void test_refusals(void **state)
{
	refuse("{startDate: '2026-02-31', endDate: '2026-03-01'}", "invalid startDate: expected a valid YYYY-MM-DD calendar date");
	refuse("{startDate: '2026-02-01'}", "startDate and endDate must be provided together");
	refuse("{startDate: '2026-02-02', endDate: '2026-02-01'}", "startDate must not be after endDate");
	refuse("{mode: 'specific', utcOffset: 'UTC+15'}", "invalid utcOffset: expected UTC-12:00 through UTC+14:00");
	refuse("{mode: 'specific', timeZone: 'Mars/Olympus'}", "invalid timeZone: 'Mars/Olympus' is not known here; send utcOffset with it");
	refuse("{startDate: '1800-01-01', endDate: '2026-01-01'}", "startDate and endDate are more than 36600 days apart");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_ranges), cmocka_unit_test(test_refusals) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
