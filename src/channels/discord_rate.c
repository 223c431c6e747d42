/*
 * channels/discord_rate.c - see discord_rate.h.
 */
#include "channels/discord_rate.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/hash.h"
#include "core/map.h"
#include "core/mem.h"
#include "core/str.h"

#define NAME_MAX_BYTES (DISCORD_ROUTE_MAX + DISCORD_MAJOR_MAX + 2)
#define RETRY_MAX_S 86400.0
#define WINDOW_SLACK_MS 250

struct bucket {
	int limit, remaining;
	int64_t reset_ms;                /* when `remaining` is `limit` again */
};

struct discord_rate {
	struct map *names;               /* route -> char *: the bucket that answers named */
	struct map *buckets;             /* "bucket major" -> struct bucket */
	int64_t global_until_ms;         /* a global 429 */
	int64_t second_ms;               /* start of the second that `in_second` counts */
	int in_second;
};

/* -- routes -- */

static bool is_id(const char *s, size_t n)
{
	return n >= 15 && n <= 20 && strspn(s, "0123456789") >= n;
}

static bool is_word(const char *s, size_t n, const char *word)
{
	return strlen(word) == n && !memcmp(s, word, n);
}

struct out { char *p; size_t len, cap; };

static void put(struct out *o, const char *s, size_t n)
{
	n = CH_MIN(n, o->cap - 1 - o->len);
	memcpy(o->p + o->len, s, n);
	o->len += n;
	o->p[o->len] = 0;
}

/* A webhook's token is part of its major parameter: each interaction has a count of its own. */
static void add_token(char major[DISCORD_MAJOR_MAX], const char *token, size_t n)
{
	size_t len = strlen(major);

	snprintf(major + len, DISCORD_MAJOR_MAX - len, ":%08x", (unsigned)hash_bytes(token, n));
}

/* Ids, emoji and tokens do not make routes different; the id behind channels, guilds and webhooks is the major parameter. */
void discord_route(const char *method, const char *path, struct discord_route *ret)
{
	struct out o = { ret->route, 0, sizeof(ret->route) };
	size_t end = strcspn(path, "?");
	const char *before = "", *two_before = "";
	size_t before_len = 0, two_len = 0;

	*ret = (struct discord_route){ .route = "" };
	put(&o, method, strlen(method));
	put(&o, " ", 1);
	for (size_t i = 0; i < end;) {
		const char *s = path + i;
		size_t n = strcspn(s, "/?");
		bool is_hook = is_word(two_before, two_len, "webhooks");
		bool has_token = is_hook || is_word(two_before, two_len, "interactions");
		bool is_open = is_id(s, n) || has_token || is_word(before, before_len, "reactions");

		if (n) {
			put(&o, "/", 1);
			put(&o, is_open ? ":id" : s, is_open ? 3 : n);
			if (!*ret->major && is_id(s, n) && (is_word(before, before_len, "channels") ||
							    is_word(before, before_len, "guilds") || is_word(before, before_len, "webhooks")))
				snprintf(ret->major, sizeof(ret->major), "%.*s", (int)n, s);
			if (is_hook && *ret->major)
				add_token(ret->major, s, n);
			two_before = before;
			two_len = before_len;
			before = s;
			before_len = n;
		}
		i += n + 1;
	}
}

/* -- buckets -- */

struct discord_rate *discord_rate_new(void)
{
	struct discord_rate *r = ch_alloc(sizeof(*r));

	r->names = map_new();
	r->buckets = map_new();
	return r;
}

void discord_rate_free(struct discord_rate *r)
{
	if (!r)
		return;
	map_clear(r->names, ch_free);
	map_clear(r->buckets, ch_free);
	map_free(r->names);
	map_free(r->buckets);
	ch_free(r);
}

size_t discord_rate_buckets(const struct discord_rate *r)
{
	return map_len(r->buckets);
}

static void bucket_name(char ret[NAME_MAX_BYTES], const char *bucket, const char *major)
{
	snprintf(ret, NAME_MAX_BYTES, "%s %s", bucket, major);
}

static struct bucket *find(const struct discord_rate *r, const struct discord_route *rt)
{
	const char *known = map_find(r->names, rt->route);
	char name[NAME_MAX_BYTES];

	bucket_name(name, known ? known : rt->route, rt->major);
	return map_find(r->buckets, name);
}

int64_t discord_rate_take(struct discord_rate *r, const struct discord_route *rt, bool is_free, int64_t now_ms)
{
	struct bucket *b = find(r, rt);

	if (!is_free && now_ms < r->global_until_ms)
		return r->global_until_ms - now_ms;
	if (now_ms - r->second_ms >= 1000) {
		r->second_ms = now_ms;
		r->in_second = 0;
	}
	if (!is_free && r->in_second >= DISCORD_RATE_GLOBAL)
		return r->second_ms + 1000 - now_ms;
	if (b && now_ms >= b->reset_ms)
		b->remaining = b->limit;
	if (b && b->remaining <= 0)
		return b->reset_ms - now_ms;
	if (b)
		b->remaining--;
	if (!is_free)
		r->in_second++;
	return 0;
}

bool discord_rate_is_global(const struct discord_rate *r, int64_t now_ms)
{
	return now_ms < r->global_until_ms;
}

/* Those that are full again tell nothing; when that frees nothing, all are forgotten and learned anew. */
static void make_room(struct discord_rate *r, int64_t now_ms)
{
	size_t cursor = 0;
	const char *key;
	void *value;

	if (map_len(r->names) >= DISCORD_RATE_BUCKETS_MAX)
		map_clear(r->names, ch_free);
	if (map_len(r->buckets) < DISCORD_RATE_BUCKETS_MAX)
		return;
	while (map_each(r->buckets, &cursor, &key, &value)) {
		if (((struct bucket *)value)->reset_ms <= now_ms) {
			map_take(r->buckets, key);
			ch_free(value);
		}
	}
	if (map_len(r->buckets) >= DISCORD_RATE_BUCKETS_MAX)
		map_clear(r->buckets, ch_free);
}

static struct bucket *bucket_of(struct discord_rate *r, const struct discord_route *rt, const char *bucket, int64_t now_ms)
{
	const char *known = map_find(r->names, rt->route);
	char name[NAME_MAX_BYTES];
	struct bucket *b;

	make_room(r, now_ms);
	if (!str_empty(bucket) && !str_eq(known, bucket))
		ch_free(map_put(r->names, rt->route, ch_strdup(bucket)));
	bucket_name(name, !str_empty(bucket) ? bucket : known ? known : rt->route, rt->major);
	b = map_find(r->buckets, name);
	if (!b) {
		b = ch_alloc(sizeof(*b));
		*b = (struct bucket){ .limit = 1, .remaining = 1 };
		map_put(r->buckets, name, b);
	}
	return b;
}

static int64_t ms_of(double seconds)
{
	return isfinite(seconds) && seconds > 0 ? (int64_t)ceil(CH_MIN(seconds, RETRY_MAX_S) * 1000) : 0;
}

int64_t discord_rate_retry_ms(const struct discord_rate_said *said)
{
	double reset = 0;
	int64_t ms = ms_of(said->retry_after_s);

	if (!ms && said->reset_after && str_to_double(said->reset_after, &reset))
		ms = ms_of(reset);
	return CH_MAX(ms, 1);
}

static void refused(struct discord_rate *r, const struct discord_route *rt, const struct discord_rate_said *said, int64_t now_ms)
{
	int64_t until = now_ms + discord_rate_retry_ms(said);
	struct bucket *b;

	if (said->is_global || str_eq(said->scope, "global")) {
		r->global_until_ms = CH_MAX(r->global_until_ms, until);
		return;
	}
	b = bucket_of(r, rt, said->bucket, now_ms);
	b->remaining = 0;
	b->reset_ms = CH_MAX(b->reset_ms, until);
}

void discord_rate_answer(struct discord_rate *r, const struct discord_route *rt, const struct discord_rate_said *said, int64_t now_ms)
{
	int64_t limit, remaining;
	bool is_same_window;
	double reset;
	struct bucket *b;

	if (said->status == 429) {
		refused(r, rt, said, now_ms);
		return;
	}
	if (!said->limit || !str_to_i64(said->limit, &limit) || limit < 1 || limit > 1000000 || !said->remaining ||
	    !str_to_i64(said->remaining, &remaining) || remaining < 0 || !said->reset_after ||
	    !str_to_double(said->reset_after, &reset))
		return;
	b = bucket_of(r, rt, said->bucket, now_ms);
	remaining = CH_MIN(remaining, limit);
	/* Answers overtake each other: within a window, told by when it ends, the count only falls. */
	is_same_window = now_ms < b->reset_ms && now_ms + ms_of(reset) <= b->reset_ms + WINDOW_SLACK_MS;
	b->remaining = is_same_window ? CH_MIN(b->remaining, (int)remaining) : (int)remaining;
	b->limit = (int)limit;
	b->reset_ms = now_ms + ms_of(reset);
}
