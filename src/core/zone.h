/*
 * core/zone.h - calendar days in a time zone: where they begin, what they are called.
 *
 * A day may have 23 or 25 hours where the zone's offset changes.
 */
#ifndef CH_CORE_ZONE_H
#define CH_CORE_ZONE_H

#include "core/auto.h"

enum zone_kind { ZONE_FIXED, ZONE_LOCAL };

struct zone {
	enum zone_kind kind;             /* {0} is UTC */
	int offset_min;                  /* ZONE_FIXED: east of UTC */
};

#define ZONE_DATE_LEN 11

int zone_offset_min(const struct zone *z, int64_t wall_ms);
/* The first moment of the day that holds wall_ms, and of the day after it. */
int64_t zone_day_start(const struct zone *z, int64_t wall_ms);
int64_t zone_day_next(const struct zone *z, int64_t wall_ms);
/* "2026-11-22" of a moment; of the date, its first moment. false: that is no date. */
void zone_date(const struct zone *z, int64_t wall_ms, char ret_text[ZONE_DATE_LEN]);
bool zone_date_parse(const struct zone *z, const char *text, int64_t *ret_start_ms);
/* The day that is `days` later (or earlier), by its first moment. */
int64_t zone_day_shift(const struct zone *z, int64_t start_ms, int days);
/* "UTC", "UTC+2", "UTC-03:30": -12:00 to +14:00. */
bool zone_parse_offset(const char *text, struct zone *ret);
/* A name: "UTC", or that of this machine's own zone. false: not known here. */
bool zone_parse_name(const char *name, struct zone *ret);

#endif
