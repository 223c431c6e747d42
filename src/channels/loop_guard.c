/*
 * channels/loop_guard.c - see loop_guard.h.
 */
#include "channels/loop_guard.h"

#include <string.h>

#include "core/clock.h"
#include "core/hash.h"
#include "core/map.h"
#include "core/mem.h"
#include "core/str.h"
#include "core/vec.h"

struct event { int64_t at_ms; uint64_t hash; };

struct pair {
	VEC(struct event) events;        /* those admitted within the window, oldest first */
	int64_t last_ms, quiet_until_ms;
};

struct loop_guard { struct map *pairs; };

static void pair_free(struct pair *p)
{
	vec_done(&p->events);
	ch_free(p);
}

struct loop_guard *loop_guard_new(void)
{
	struct loop_guard *g = ch_alloc(sizeof(*g));

	g->pairs = map_new();
	return g;
}

void loop_guard_free(struct loop_guard *g)
{
	size_t cursor = 0;
	const char *key;
	void *p;

	if (!g)
		return;
	while (map_each(g->pairs, &cursor, &key, &p))
		pair_free(p);
	map_free(g->pairs);
	ch_free(g);
}

/* ---- limits ---- */

static void apply_ms(int64_t *ms, const struct json *set, const char *key)
{
	double seconds = json_num_or(json_get(set, key), -1);

	if (seconds >= 0 && seconds <= 86400)
		*ms = (int64_t)(seconds * 1000);
}

void loop_limits_apply(struct loop_limits *l, const struct json *set)
{
	int64_t max = json_get_int(set, "maxEventsPerWindow", 0);

	l->is_enabled = json_get_bool(set, "enabled", l->is_enabled);
	if (max > 0)
		l->max_events = CH_MIN(max, LOOP_EVENTS_MAX);
	apply_ms(&l->window_ms, set, "windowSeconds");
	apply_ms(&l->cooldown_ms, set, "cooldownSeconds");
}

/* ---- counting ---- */

static void forget_quietest(struct loop_guard *g)
{
	const char *key, *oldest = NULL;
	int64_t oldest_ms = INT64_MAX;
	size_t cursor = 0;
	void *value;

	while (map_each(g->pairs, &cursor, &key, &value)) {
		const struct pair *p = value;

		if (p->last_ms < oldest_ms) {
			oldest_ms = p->last_ms;
			oldest = key;
		}
	}
	if (oldest)
		pair_free(map_take(g->pairs, oldest));
}

/* The two in one order, so that "A to B" and "B to A" are one pair. */
static struct pair *pair_of(struct loop_guard *g, const char *place, const char *a, const char *b)
{
	bool is_sorted = strcmp(a, b) <= 0;
	CH_AUTO_STR char *key = ch_asprintf("%s\x1f%s\x1f%s", place, is_sorted ? a : b, is_sorted ? b : a);
	struct pair *p = map_find(g->pairs, key);

	if (p)
		return p;
	if (map_len(g->pairs) >= LOOP_PAIRS_MAX)
		forget_quietest(g);
	p = ch_alloc(sizeof(*p));
	map_put(g->pairs, key, p);
	return p;
}

static void drop_old(struct pair *p, int64_t before_ms)
{
	size_t n = 0;

	while (n < p->events.len && p->events.at[n].at_ms <= before_ms)
		n++;
	if (!n)
		return;
	memmove(p->events.at, p->events.at + n, (p->events.len - n) * sizeof(*p->events.at));
	p->events.len -= n;
}

static bool was_admitted(const struct pair *p, uint64_t hash)
{
	for (size_t i = 0; i < p->events.len; i++)
		if (p->events.at[i].hash == hash)
			return true;
	return false;
}

bool loop_guard_admits(struct loop_guard *g, const char *place, const char *a, const char *b, const char *event_id,
		       const struct loop_limits *l)
{
	uint64_t hash = hash_bytes(event_id, strlen(event_id));
	int64_t now = now_mono_ms();
	struct pair *p;

	if (!l->is_enabled)
		return true;
	p = pair_of(g, place, a, b);
	p->last_ms = now;
	if (was_admitted(p, hash))
		return true;
	if (now < p->quiet_until_ms)
		return false;
	if (p->quiet_until_ms)           /* silence is over: what led to it is forgiven */
		p->events.len = 0;
	p->quiet_until_ms = 0;
	drop_old(p, now - l->window_ms);
	if ((int64_t)p->events.len < l->max_events) {
		vec_push(&p->events, ((struct event){ now, hash }));
		return true;
	}
	p->quiet_until_ms = now + l->cooldown_ms;
	return false;
}
