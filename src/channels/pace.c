/*
 * channels/pace.c - see pace.h.
 *
 * A bucket is one number, the moment at which it would be full again (the generic cell rate algorithm): a turn moves it on by
 * one interval, and may be had when it is at most a burst of intervals ahead.
 */
#include "channels/pace.h"

#include "channels/egress.h"
#include "channels/egress_priv.h"
#include "core/clock.h"
#include "core/fiber.h"
#include "core/map.h"
#include "core/mem.h"

struct bucket {
	double full_at;                  /* on now_mono_ms()'s clock */
	int64_t paused_until;
};

struct pace {
	struct map *buckets;             /* of accounts and peers, by bucket_key() */
};

struct pace *pace_new(void)
{
	struct pace *p = ch_alloc(sizeof(*p));

	p->buckets = map_new();
	return p;
}

void pace_free(struct pace *p)
{
	size_t cursor = 0;
	void *bucket;

	if (!p)
		return;
	while (map_each(p->buckets, &cursor, NULL, &bucket))
		ch_free(bucket);
	map_free(p->buckets);
	ch_free(p);
}

/* Unit separators cannot stand in ids. */
static char *bucket_key(const char *channel, const char *account, const char *peer)
{
	return peer ? ch_asprintf("%s\x1f%s\x1f%s", channel, account, peer) : ch_asprintf("%s\x1f%s", channel, account);
}

static bool is_at_rest(const struct bucket *b, int64_t now)
{
	return b->full_at <= (double)now && b->paused_until <= now;
}

static void forget_resting(struct pace *p)
{
	int64_t now = now_mono_ms();
	size_t cursor = 0;
	const char *key;
	void *bucket;

	while (map_each(p->buckets, &cursor, &key, &bucket))
		if (is_at_rest(bucket, now))
			ch_free(map_take(p->buckets, key));
}

static struct bucket *bucket_make(struct pace *p, const char *channel, const char *account, const char *peer)
{
	CH_AUTO_STR char *key = bucket_key(channel, account, peer);
	struct bucket *b = map_find(p->buckets, key);

	if (b)
		return b;
	b = ch_alloc(sizeof(*b));
	map_put(p->buckets, key, b);
	return b;
}

static const struct bucket *bucket_find(const struct pace *p, const char *channel, const char *account, const char *peer)
{
	CH_AUTO_STR char *key = bucket_key(channel, account, peer);

	return map_find(p->buckets, key);
}

/* When the bucket has a turn. */
static double turn_at(const struct bucket *b, double rate, int burst, int64_t now)
{
	double at = (double)CH_MAX(now, b->paused_until);

	if (rate > 0)
		at = CH_MAX(at, b->full_at - (CH_MAX(burst, 1) - 1) * 1000.0 / rate);
	return at;
}

static void turn_take(struct bucket *b, double rate, double at)
{
	if (rate > 0)
		b->full_at = CH_MAX(b->full_at, at) + 1000.0 / rate;
}

int64_t pace_take(struct pace *p, const char *channel, const char *account, const char *peer, const struct chan_limits *limits,
		  int64_t max_wait_ms)
{
	int64_t now = now_mono_ms();
	struct bucket *of_account, *of_peer;
	double account_at, at, wait;

	if (map_len(p->buckets) > PACE_KEPT)
		forget_resting(p);
	of_account = bucket_make(p, channel, account, NULL);
	of_peer = peer ? bucket_make(p, channel, account, peer) : NULL;
	at = account_at = turn_at(of_account, limits->rate, limits->burst, now);
	if (of_peer)
		at = CH_MAX(at, turn_at(of_peer, limits->peer_rate, limits->peer_burst, now));
	wait = at - (double)now;
	if (wait > (double)max_wait_ms)
		return -1;
	/* From where the account's turns are: one who waits for a slow peer does not hold up those behind. */
	turn_take(of_account, limits->rate, account_at);
	if (of_peer)
		turn_take(of_peer, limits->peer_rate, at);
	return (int64_t)(wait + 0.999);
}

void pace_pause(struct pace *p, const char *channel, const char *account, const char *peer, int64_t ms)
{
	struct bucket *b = bucket_make(p, channel, account, peer);

	b->paused_until = CH_MAX(b->paused_until, now_mono_ms() + ms);
}

int64_t pace_paused_ms(const struct pace *p, const char *channel, const char *account, const char *peer)
{
	const struct bucket *of_account = bucket_find(p, channel, account, NULL);
	const struct bucket *of_peer = peer ? bucket_find(p, channel, account, peer) : NULL;
	int64_t until = of_account ? of_account->paused_until : 0;

	if (of_peer)
		until = CH_MAX(until, of_peer->paused_until);
	return CH_MAX(until - now_mono_ms(), 0);
}

CH_FIBER ch_status pace_wait(struct chan_acct *acct, const struct chan_peer *peer, int64_t deadline_ms, struct ch_err *err)
{
	struct pace *p = egress_pace(chan_host_egress(chan_acct_host(acct)));
	const struct chan_ops *ops = chan_acct_ops(acct);
	const char *peer_id = peer && !ops->limits.peer_counts_posts ? peer->id : NULL;
	int64_t ms = pace_take(p, ops->id, chan_acct_id(acct), peer_id, &ops->limits, deadline_ms - now_mono_ms());
	ch_status st;

	if (ms < 0)
		return ch_fail(err, CH_E_TIMEOUT, "%s has too much to send just now", ops->label);
	st = ms ? fiber_sleep(ms) : CH_OK;
	return st ? ch_fail(err, st, "%s: waiting for a turn to send ended", ops->label) : CH_OK;
}
