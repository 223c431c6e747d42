/*
 * gateway/usage_range.c - which days a question about usage is about.
 *
 * mode "gateway" is this machine's zone, "specific" the one that the client
 * names, else UTC. Of the zones by name only UTC and this machine's own are
 * known here; with another one the client's utcOffset counts, which is what it
 * is at the moment of asking.
 */
#include "gateway/usage_range.h"

#include <math.h>

#include "core/clock.h"
#include "core/str.h"

#define DAYS_MAX 36600

static ch_status parse_zone(const struct json *params, struct zone *ret, struct ch_err *err)
{
	const char *mode = json_get_str(params, "mode"), *name = json_get_str(params, "timeZone");
	const char *offset = json_get_str(params, "utcOffset");

	if (!str_empty(offset) && !zone_parse_offset(offset, ret))
		return ch_fail(err, CH_E_INVALID, "invalid utcOffset: expected UTC-12:00 through UTC+14:00");
	*ret = (struct zone){ .kind = str_eq(mode, "gateway") ? ZONE_LOCAL : ZONE_FIXED };
	if (!str_eq(mode, "specific"))
		return CH_OK;
	if (name && zone_parse_name(name, ret))
		return CH_OK;
	if (zone_parse_offset(offset, ret))
		return CH_OK;
	if (name)
		return ch_fail(err, CH_E_INVALID, "invalid timeZone: '%.60s' is not known here; send utcOffset with it", name);
	*ret = (struct zone){ .kind = ZONE_FIXED };
	return CH_OK;
}

static ch_status parse_date(const struct json *params, const char *name, const struct zone *z, int64_t *ret,
			    bool *ret_is_set, struct ch_err *err)
{
	const char *text = json_get_str(params, name);

	*ret_is_set = !str_empty(text);
	if (!*ret_is_set || zone_date_parse(z, text, ret))
		return CH_OK;
	return ch_fail(err, CH_E_INVALID, "invalid %s: expected a valid YYYY-MM-DD calendar date", name);
}

/* 0: everything. */
static int days_of(const struct json *params)
{
	static const struct { const char *name; int days; } ranges[] = { { "all", 0 }, { "7d", 7 }, { "30d", 30 },
									  { "90d", 90 }, { "1y", 365 } };
	const char *range = json_get_str(params, "range");
	double days = json_num_or(json_get(params, "days"), 30);

	for (size_t i = 0; range && i < CH_ARRAY_LEN(ranges); i++) {
		if (str_eq(range, ranges[i].name))
			return ranges[i].days;
	}
	return (int)fmin(fmax(floor(days), 1), DAYS_MAX);
}

ch_status usage_range_parse(const struct json *params, struct usage_range *ret, struct ch_err *err)
{
	bool has_start = false, has_end = false;
	int64_t start = 0, end = 0, today;
	int days = days_of(params);
	ch_status st = parse_zone(params, &ret->zone, err);

	if (!st)
		st = parse_date(params, "startDate", &ret->zone, &start, &has_start, err);
	if (!st)
		st = parse_date(params, "endDate", &ret->zone, &end, &has_end, err);
	if (st)
		return st;
	if (has_start != has_end)
		return ch_fail(err, CH_E_INVALID, "startDate and endDate must be provided together");
	if (has_start && start > end)
		return ch_fail(err, CH_E_INVALID, "startDate must not be after endDate");
	today = zone_day_start(&ret->zone, now_wall_ms());
	if (!has_start) {
		end = today;
		start = days ? zone_day_shift(&ret->zone, today, 1 - days) : 0;
	}
	if (days > 0 && end - start > (int64_t)DAYS_MAX * 86400000)
		return ch_fail(err, CH_E_INVALID, "startDate and endDate are more than %d days apart", DAYS_MAX);
	ret->from_ms = start;
	ret->to_ms = zone_day_next(&ret->zone, end);
	return CH_OK;
}
