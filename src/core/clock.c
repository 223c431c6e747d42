/*
 * core/clock.c - the two clocks, and how times are written.
 */
#include "core/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Tests only; see clock_fake(). */
static struct {
	bool is_on;
	int64_t mono_ms, wall_ms;
} fake;

static int64_t read_clock(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t); /* cannot fail for the two clocks we ask for */
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t now_mono_ms(void)
{
	return fake.is_on ? fake.mono_ms : read_clock(CLOCK_MONOTONIC);
}

int64_t now_wall_ms(void)
{
	return fake.is_on ? fake.wall_ms : read_clock(CLOCK_REALTIME);
}

void clock_fake(int64_t mono_ms, int64_t wall_ms)
{
	fake.is_on = true;
	fake.mono_ms = mono_ms;
	fake.wall_ms = wall_ms;
}

void clock_real(void)
{
	fake.is_on = false;
}

/* Rounds down, so that moments before 1970 come out right too. */
static time_t to_seconds(int64_t ms, int *ret_rest_ms)
{
	int64_t s = ms / 1000, rest = ms % 1000;

	if (rest < 0) {
		rest += 1000;
		s--;
	}
	*ret_rest_ms = (int)rest;
	return (time_t)s;
}

void clock_iso(int64_t wall_ms, char ret_text[CLOCK_ISO_LEN])
{
	/* The years 0 to 9999 are what the format can say. */
	int64_t first_ms = -62167219200000, last_ms = 253402300799999;
	struct tm tm;
	int ms;
	time_t s;

	s = to_seconds(CH_MIN(CH_MAX(wall_ms, first_ms), last_ms), &ms);
	gmtime_r(&s, &tm);
	snprintf(ret_text, CLOCK_ISO_LEN, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ",
		 (unsigned)(tm.tm_year + 1900) % 10000, (unsigned)(tm.tm_mon + 1) % 100,
		 (unsigned)tm.tm_mday % 100, (unsigned)tm.tm_hour % 100, (unsigned)tm.tm_min % 100,
		 (unsigned)tm.tm_sec % 100, (unsigned)ms % 1000);
}

/* A moment whose year struct tm cannot hold is shown as the epoch. */
static void to_local(int64_t wall_ms, struct tm *ret_tm)
{
	time_t s, epoch = 0;
	int ms;

	s = to_seconds(wall_ms, &ms);
	if (!localtime_r(&s, ret_tm))
		localtime_r(&epoch, ret_tm);
}

void clock_hms(int64_t wall_ms, char ret_text[9])
{
	struct tm tm;

	to_local(wall_ms, &tm);
	snprintf(ret_text, 9, "%02u:%02u:%02u", (unsigned)tm.tm_hour % 100, (unsigned)tm.tm_min % 100,
		 (unsigned)tm.tm_sec % 100);
}

int clock_utc_offset_min(int64_t wall_ms)
{
	struct tm tm;

	to_local(wall_ms, &tm);
	return (int)(tm.tm_gmtoff / 60);
}

/* "Europe/Berlin" from "…/zoneinfo/Europe/Berlin"; NULL when path is something else. */
static const char *zone_of_path(const char *path)
{
	static const char mark[] = "/zoneinfo/";
	const char *at = strstr(path, mark);

	return at ? at + sizeof(mark) - 1 : NULL;
}

/* TZ may be ":Area/City", a path, or a POSIX rule such as "CET-1CEST", which has no name. */
static bool zone_from_env(char *ret_name, size_t size)
{
	const char *tz = getenv("TZ");

	if (!tz || !*tz)
		return false;
	if (*tz == ':')
		tz++;
	if (*tz == '/')
		tz = zone_of_path(tz);
	if (!tz || (!strchr(tz, '/') && strcmp(tz, "UTC") != 0))
		return false;
	snprintf(ret_name, size, "%s", tz);
	return true;
}

static bool zone_from_link(char *ret_name, size_t size)
{
	char path[256];
	const char *name;
	ssize_t n;

	n = readlink("/etc/localtime", path, sizeof(path) - 1);
	if (n <= 0)
		return false;
	path[n] = '\0';
	name = zone_of_path(path);
	if (!name)
		return false;
	/* Debian writes UTC as Etc/UTC. */
	snprintf(ret_name, size, "%s", strcmp(name, "Etc/UTC") ? name : "UTC");
	return true;
}

const char *clock_zone(void)
{
	static char name[64];

	if (!zone_from_env(name, sizeof(name)) && !zone_from_link(name, sizeof(name)))
		snprintf(name, sizeof(name), "UTC");
	return name;
}
