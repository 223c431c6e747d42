/*
 * channels/webhook.c - which account a request of a platform is for, and how often one may come.
 */
#include "channels/host_priv.h"

#include <string.h>

#include "core/clock.h"
#include "core/hash.h"
#include "core/str.h"
#include "net/http_server.h"

#define SOURCES_MAX 512                  /* many senders cannot fill memory: the one whose window began first goes */

/* What one peer asked of one path in the present window. */
struct source { uint64_t key; int64_t since_ms; int count; };
struct webhook_pace { struct source at[SOURCES_MAX]; size_t len; };

void webhook_free(struct chan_host *h)
{
	ch_free(CH_TAKE(h->webhook_pace));
}

static struct source *source_of(struct webhook_pace *p, uint64_t key)
{
	struct source *oldest = &p->at[0];

	for (size_t i = 0; i < p->len; i++) {
		if (p->at[i].key == key)
			return &p->at[i];
		if (p->at[i].since_ms < oldest->since_ms)
			oldest = &p->at[i];
	}
	if (p->len < SOURCES_MAX)
		oldest = &p->at[p->len++];
	*oldest = (struct source){ .key = key, .since_ms = now_mono_ms() };
	return oldest;
}

static struct source *source_for(struct chan_host *h, const char *path, const char *peer_ip)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	const char *name = arena_printf(a, "%s %s", peer_ip, path);

	if (!h->webhook_pace)
		h->webhook_pace = ch_alloc(sizeof(*h->webhook_pace));
	return source_of(h->webhook_pace, hash_bytes(name, strlen(name)));
}

int64_t chan_webhook_wait_ms(struct chan_host *h, const char *path, const char *peer_ip)
{
	struct source *s = source_for(h, path, peer_ip);
	int64_t now = now_mono_ms();

	if (now - s->since_ms >= CHAN_WEBHOOK_WINDOW_MS)
		*s = (struct source){ .key = s->key, .since_ms = now };
	if (s->count >= CHAN_WEBHOOK_MAX)
		return s->since_ms + CHAN_WEBHOOK_WINDOW_MS - now;
	s->count++;
	return 0;
}

/* The platform itself: behind a proxy all that it says comes from one peer, however much that is. */
static void uncount(struct chan_host *h, const struct http_request *rq)
{
	struct source *s = source_for(h, rq->path, rq->peer_ip);

	s->count = CH_MAX(s->count - 1, 0);
}

static bool listens(const struct chan_acct *acct, const char *path, struct arena *a)
{
	return acct->is_enabled && !acct->is_removed && acct->ops->webhook && acct->ops->webhook_path &&
	       str_eq(acct->ops->webhook_path(acct->cfg, a), path);
}

bool chan_webhook_takes(struct chan_host *h, const char *path)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);

	for (size_t i = 0; i < h->accts.len; i++)
		if (listens(h->accts.at[i], path, a))
			return true;
	return false;
}

/*
 * Several accounts may have one path: two apps with the default one, or an app that is in several workspaces. The signature says
 * whose a request is; who is not logged in is passed over, and the platform asked to come again when nobody else took it.
 */
CH_FIBER void chan_webhook(struct chan_host *h, const struct http_request *rq, struct chan_webhook_reply *reply)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	CH_AUTO(chan_acct_unref) struct chan_acct *refuser = NULL;
	bool is_down = false;

	reply->status = 404;
	for (size_t i = 0; i < h->accts.len; i++) {
		CH_AUTO(chan_acct_unref) struct chan_acct *acct = NULL;

		if (!listens(h->accts.at[i], rq->path, a))
			continue;
		acct = chan_acct_ref(h->accts.at[i]);
		if (!acct->fiber || acct->is_ending || h->is_draining) {
			is_down = true;
			continue;
		}
		buf_clear(reply->body);
		acct->ops->webhook(acct, rq, reply);
		if (reply->status >= 200 && reply->status < 300)
			uncount(h, rq);
		if (reply->status != 401)
			return;
		if (!refuser)
			refuser = CH_TAKE(acct);
	}
	if (is_down) {
		reply->status = 503;     /* nothing is lost while the account is down */
		buf_clear(reply->body);
	} else if (refuser) {
		chan_acct_log(refuser, "a request that %s did not sign was refused", refuser->ops->label);
	}
}
