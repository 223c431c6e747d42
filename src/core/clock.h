/*
 * core/clock.h - the two clocks, and how times are written.
 *
 * now_mono_ms() is for deadlines, now_wall_ms() for what is stored or shown.
 * Tests may freeze and move both with clock_fake().
 */
#ifndef CH_CORE_CLOCK_H
#define CH_CORE_CLOCK_H

#include "core/auto.h"

int64_t now_mono_ms(void);
int64_t now_wall_ms(void);                       /* Unix epoch */
/* Tests only: the clocks stand at these values; clock_real() undoes it. */
void clock_fake(int64_t mono_ms, int64_t wall_ms);
void clock_real(void);

#define CLOCK_ISO_LEN 25
/* "2026-11-22T09:12:53.123Z" */
void clock_iso(int64_t wall_ms, char ret_text[CLOCK_ISO_LEN]);
/* Local time "09:12:53". */
void clock_hms(int64_t wall_ms, char ret_text[9]);
/* The offset of local time from UTC at that moment, in minutes. */
int clock_utc_offset_min(int64_t wall_ms);
/* IANA name of the host's zone, "UTC" when unknown; static memory. */
const char *clock_zone(void);

#endif
