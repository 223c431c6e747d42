/*
 * core/zone.c - calendar days in a time zone.
 *
 * A local moment is UTC plus the offset; the way back guesses with the offset
 * of the guess itself, twice, which is enough as offsets change at most once
 * in a day.
 */
#include "core/zone.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/clock.h"
#include "core/str.h"

#define MINUTE_MS INT64_C(60000)
#define DAY_MS (1440 * MINUTE_MS)

int zone_offset_min(const struct zone *z, int64_t wall_ms)
{
	return z->kind == ZONE_LOCAL ? clock_utc_offset_min(wall_ms) : z->offset_min;
}

static int64_t floor_day(int64_t ms)
{
	int64_t rest = ms % DAY_MS;

	return ms - (rest < 0 ? rest + DAY_MS : rest);
}

/* `local` is a midnight as if it were UTC. */
static int64_t from_local(const struct zone *z, int64_t local)
{
	int64_t at = local - zone_offset_min(z, local) * MINUTE_MS;

	return local - zone_offset_min(z, at) * MINUTE_MS;
}

static int64_t local_day(const struct zone *z, int64_t wall_ms)
{
	return floor_day(wall_ms + zone_offset_min(z, wall_ms) * MINUTE_MS);
}

int64_t zone_day_start(const struct zone *z, int64_t wall_ms)
{
	return from_local(z, local_day(z, wall_ms));
}

int64_t zone_day_shift(const struct zone *z, int64_t start_ms, int days)
{
	return from_local(z, local_day(z, start_ms) + days * DAY_MS);
}

int64_t zone_day_next(const struct zone *z, int64_t wall_ms)
{
	return zone_day_shift(z, wall_ms, 1);
}

void zone_date(const struct zone *z, int64_t wall_ms, char ret_text[ZONE_DATE_LEN])
{
	char iso[CLOCK_ISO_LEN];

	clock_iso(local_day(z, wall_ms), iso);
	snprintf(ret_text, ZONE_DATE_LEN, "%.10s", iso);
}

static bool two_digits(const char *p, int *ret)
{
	if (p[0] < '0' || p[0] > '9' || p[1] < '0' || p[1] > '9')
		return false;
	*ret = (p[0] - '0') * 10 + p[1] - '0';
	return true;
}

bool zone_date_parse(const struct zone *z, const char *text, int64_t *ret_start_ms)
{
	struct tm tm = { 0 };
	int century, year;
	char again[ZONE_DATE_LEN], iso[CLOCK_ISO_LEN];
	int64_t local;

	if (!text || strlen(text) != ZONE_DATE_LEN - 1 || text[4] != '-' || text[7] != '-')
		return false;
	if (!two_digits(text, &century) || !two_digits(text + 2, &year) || !two_digits(text + 5, &tm.tm_mon) ||
	    !two_digits(text + 8, &tm.tm_mday))
		return false;
	tm.tm_year = century * 100 + year - 1900;
	tm.tm_mon--;
	local = (int64_t)timegm(&tm) * 1000;
	/* A day that does not exist comes back as another. */
	clock_iso(local, iso);
	snprintf(again, sizeof(again), "%.10s", iso);
	if (strcmp(again, text) != 0)
		return false;
	*ret_start_ms = from_local(z, local);
	return true;
}

bool zone_parse_offset(const char *text, struct zone *ret)
{
	int sign, hours = 0, minutes = 0, n = 0;

	if (!text || !str_starts(text, "UTC"))
		return false;
	text += 3;
	if (*text && *text != '+' && *text != '-')
		return false;
	sign = *text == '-' ? -1 : 1;
	if (*text && (sscanf(text + 1, "%2d%n", &hours, &n) != 1 || text[1] == '+' || text[1] == '-' || text[1] == ' '))
		return false;
	text += *text ? 1 + n : 0;
	if (*text && (*text != ':' || !two_digits(text + 1, &minutes) || text[3] || minutes > 59))
		return false;
	minutes = sign * (hours * 60 + minutes);
	if (minutes < -720 || minutes > 840)
		return false;
	*ret = (struct zone){ .kind = ZONE_FIXED, .offset_min = minutes };
	return true;
}

bool zone_parse_name(const char *name, struct zone *ret)
{
	if (str_in(name, (const char *const[]){ "UTC", "Etc/UTC", "GMT" }, 3))
		*ret = (struct zone){ .kind = ZONE_FIXED };
	else if (str_eq(name, clock_zone()))
		*ret = (struct zone){ .kind = ZONE_LOCAL };
	else
		return false;
	return true;
}
