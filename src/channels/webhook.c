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

int64_t chan_webhook_wait_ms(struct chan_host *h, const char *path, const char *peer_ip)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	const char *name = arena_printf(a, "%s %s", peer_ip, path);
	int64_t now = now_mono_ms();
	struct source *s;

	if (!h->webhook_pace)
		h->webhook_pace = ch_alloc(sizeof(*h->webhook_pace));
	s = source_of(h->webhook_pace, hash_bytes(name, strlen(name)));
	if (now - s->since_ms >= CHAN_WEBHOOK_WINDOW_MS)
		*s = (struct source){ .key = s->key, .since_ms = now };
	if (s->count >= CHAN_WEBHOOK_MAX)
		return s->since_ms + CHAN_WEBHOOK_WINDOW_MS - now;
	s->count++;
	return 0;
}

/* Borrowed; NULL: nobody listens there. */
static struct chan_acct *listener(struct chan_host *h, const char *path)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);

	for (size_t i = 0; i < h->accts.len; i++) {
		struct chan_acct *acct = h->accts.at[i];

		if (acct->is_enabled && !acct->is_removed && acct->ops->webhook && acct->ops->webhook_path &&
		    str_eq(acct->ops->webhook_path(acct->cfg, a), path))
			return acct;
	}
	return NULL;
}

bool chan_webhook_takes(struct chan_host *h, const char *path)
{
	return listener(h, path);
}

CH_FIBER void chan_webhook(struct chan_host *h, const struct http_request *rq, struct chan_webhook_reply *reply)
{
	CH_AUTO(chan_acct_unref) struct chan_acct *acct = listener(h, rq->path);

	reply->status = 404;
	if (!acct)
		return;
	chan_acct_ref(acct);
	reply->status = 503;             /* the platform tries again: nothing is lost while the account is down */
	if (acct->fiber && !acct->is_ending && !h->is_draining)
		acct->ops->webhook(acct, rq, reply);
}
