/*
 * gateway/usage_range.h - which days a question about usage is about: startDate, endDate, range, days; mode, timeZone, utcOffset.
 */
#ifndef CH_GATEWAY_USAGE_RANGE_H
#define CH_GATEWAY_USAGE_RANGE_H

#include "core/err.h"
#include "core/json.h"
#include "core/zone.h"

struct usage_range {
	struct zone zone;
	int64_t from_ms, to_ms;          /* from <= at < to; whole days, except that "all" begins at 0 */
};

/* The last 30 days in UTC unless the parameters say otherwise. CH_E_INVALID in the reference's words. */
CH_MUST_USE ch_status usage_range_parse(const struct json *params, struct usage_range *ret, struct ch_err *err);

#endif
