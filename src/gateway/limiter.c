/*
 * gateway/limiter.c - failure counts with a window, a lockout and a delay.
 */
#include "gateway/limiter.h"

#include "core/clock.h"
#include "core/map.h"
#include "core/mem.h"

struct entry {
	int64_t count;
	int64_t window_start_ms;
	int64_t locked_until_ms;
	int64_t delay_ms;
	int64_t touched_ms;
};

struct limiter {
	struct limiter_opts opts;
	struct map *entries;
};

struct limiter *limiter_new(const struct limiter_opts *opts)
{
	struct limiter *l = ch_alloc(sizeof(*l));

	l->opts = *opts;
	l->entries = map_new();
	return l;
}

void limiter_free(struct limiter *l)
{
	size_t cursor = 0;
	const char *key;
	void *entry;

	if (!l)
		return;
	while (map_each(l->entries, &cursor, &key, &entry))
		ch_free(entry);
	map_free(l->entries);
	ch_free(l);
}

void limiter_set(struct limiter *l, const struct limiter_opts *opts)
{
	l->opts = *opts;
}

static void make_key(char *key, size_t cap, const char *class_name, const char *source)
{
	snprintf(key, cap, "%s %s", class_name, source);
}

static bool is_stale(const struct limiter *l, const struct entry *e, int64_t now)
{
	return now >= e->locked_until_ms && now - e->touched_ms >= l->opts.window_ms;
}

/* Makes room: what has expired goes, else the entry that came first. */
static void evict(struct limiter *l, int64_t now)
{
	size_t cursor = 0, before = map_len(l->entries);
	const char *key, *first = NULL;
	void *entry;

	while (map_each(l->entries, &cursor, &key, &entry)) {
		if (is_stale(l, entry, now)) {
			ch_free(map_take(l->entries, key));
			continue;
		}
		if (!first)
			first = key;
	}
	if (map_len(l->entries) == before && first)
		ch_free(map_take(l->entries, first));
}

int64_t limiter_wait_ms(struct limiter *l, const char *class_name, const char *source)
{
	char key[160];
	const struct entry *e;

	make_key(key, sizeof(key), class_name, source);
	e = map_find(l->entries, key);
	return e ? CH_MAX(e->locked_until_ms - now_mono_ms(), 0) : 0;
}

int64_t limiter_fail(struct limiter *l, const char *class_name, const char *source, bool is_exempt)
{
	char key[160];
	int64_t now = now_mono_ms();
	struct entry *e;

	make_key(key, sizeof(key), class_name, source);
	e = map_find(l->entries, key);
	if (!e) {
		if (map_len(l->entries) >= LIMITER_SOURCES)
			evict(l, now);
		e = ch_alloc(sizeof(*e));
		e->window_start_ms = now;
		map_put(l->entries, key, e);
	}
	if (now - e->window_start_ms >= l->opts.window_ms) {
		e->window_start_ms = now;
		e->count = 0;
		e->delay_ms = 0;
	}
	e->count++;
	e->touched_ms = now;
	if (is_exempt) {
		e->delay_ms =
			e->delay_ms ? CH_MIN(e->delay_ms * 2, LIMITER_DELAY_MAX_MS) : LIMITER_DELAY_MIN_MS;
		return e->delay_ms;
	}
	if (e->count >= l->opts.max_attempts)
		e->locked_until_ms = now + l->opts.lockout_ms;
	return 0;
}

void limiter_reset(struct limiter *l, const char *class_name, const char *source)
{
	char key[160];

	make_key(key, sizeof(key), class_name, source);
	ch_free(map_take(l->entries, key));
}
