/*
 * gateway/replay.c - see replay.h.
 */
#include "gateway/replay.h"

#include "core/clock.h"
#include "core/err.h"
#include "core/map.h"
#include "core/mem.h"

struct kept {
	int64_t until_ms;                /* 0: under way */
	char *answer;                    /* NULL: under way, or too long */
};

struct replay {
	struct map *by_key;              /* in the order of arrival */
};

struct replay *replay_new(void)
{
	struct replay *r = ch_alloc(sizeof(*r));

	r->by_key = map_new();
	return r;
}

static void kept_free(struct kept *k)
{
	if (!k)
		return;
	ch_free(k->answer);
	ch_free(k);
}

void replay_free(struct replay *r)
{
	size_t cursor = 0;
	const char *key;
	void *value;

	if (!r)
		return;
	while (map_each(r->by_key, &cursor, &key, &value))
		kept_free(value);
	map_free(r->by_key);
	ch_free(r);
}

/* Drops what is too old, and the oldest when there are too many. Calls under way stay. */
static void trim(struct replay *r)
{
	int64_t now = now_mono_ms();
	size_t cursor = 0, count = map_len(r->by_key);
	const char *key;
	void *value;

	while (map_each(r->by_key, &cursor, &key, &value)) {
		struct kept *k = value;

		if (!k->until_ms || (k->until_ms > now && count < REPLAY_MAX))
			continue;
		map_take(r->by_key, key);
		kept_free(k);
		count--;
	}
}

enum replay_state replay_begin(struct replay *r, struct arena *a, const char *key, const char **ret_answer)
{
	struct kept *k;

	trim(r);
	k = map_find(r->by_key, key);
	if (k && !k->until_ms)
		return REPLAY_UNDER_WAY;
	if (k) {
		*ret_answer = k->answer ? arena_strdup(a, k->answer) : NULL;
		return REPLAY_KNOWN;
	}
	map_put(r->by_key, key, ch_alloc(sizeof(*k)));
	return REPLAY_FRESH;
}

void replay_put(struct replay *r, const char *key, const char *text, size_t len)
{
	struct kept *k = map_find(r->by_key, key);

	CH_BUG_ON(!k || k->until_ms);
	k->until_ms = now_mono_ms() + REPLAY_KEEP_MS;
	if (len <= REPLAY_BYTES)
		k->answer = ch_strndup(text, len);
}

void replay_drop(struct replay *r, const char *key)
{
	kept_free(map_take(r->by_key, key));
}
