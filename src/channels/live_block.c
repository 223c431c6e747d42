/*
 * channels/live_block.c - finished pieces of a reply, sent as messages of their own while the rest is made.
 *
 * A piece ends at a paragraph, else a line, else a sentence, never within a fence, and not before a file that the reply names:
 * that goes with the rest. A piece is sent when it is as long as it may be, or long enough and nothing more comes for a while.
 *
 * Its key in the outbox, "run:<run>:block:<n>:<bytes>:<digest>", tells how much of the text was sent with it, so that the reply does
 * not say it again after a crash either. A piece whose text is not the last one of the run has no bytes and digest.
 */
#include "channels/live_priv.h"

#include <string.h>

#include "channels/access.h"
#include "channels/egress.h"
#include "core/clock.h"
#include "core/crypto.h"
#include "core/log.h"
#include "core/rand.h"
#include "core/str.h"

struct ends { size_t paragraph, line, sentence; };

static bool is_fence(const char *s, size_t n)
{
	size_t i = 0;

	while (i < n && i < 3 && s[i] == ' ')
		i++;
	return n - i >= 3 && (!memcmp(s + i, "```", 3) || !memcmp(s + i, "~~~", 3));
}

/* The last place of each kind in (from, to], outside fences. */
static struct ends find_ends(const char *text, size_t len, size_t from, size_t to)
{
	struct ends e = { 0 };
	bool in_fence = false, is_empty_line;

	for (size_t at = 0, next; at < len; at = next) {
		const char *eol = memchr(text + at, '\n', len - at);
		size_t end = eol ? (size_t)(eol - text) : len;

		next = end + 1;
		if (!in_fence && strncmp(text + at, "MEDIA:", CH_MIN(end - at, 6)) == 0 && end - at >= 6)
			break;
		if (is_fence(text + at, end - at))
			in_fence = !in_fence;
		if (in_fence)
			continue;
		is_empty_line = end == at;
		if (eol && end > from && end <= to)
			e.line = end;
		if (is_empty_line && at > from && at <= to)
			e.paragraph = at;
		for (size_t i = CH_MAX(at, from) + 1; i < end && i <= to; i++)
			if (text[i] == ' ' && strchr(".!?", text[i - 1]))
				e.sentence = i;
	}
	return e;
}

/* Bytes of the text up to which a piece can be sent now; 0: none. */
static size_t piece_end(const struct live_state *t)
{
	size_t from = t->sent_of_text + t->cfg.block_min, to = t->sent_of_text + t->cfg.block_max;
	struct ends e;

	if (t->text.len <= from)
		return 0;
	e = find_ends(t->text.data, t->text.len, from - 1, CH_MIN(to, t->text.len));
	return e.paragraph ? e.paragraph : e.line ? e.line : e.sentence;
}

int64_t live_block_due(const struct live_state *t)
{
	int64_t due;

	if (!t->cfg.has_blocks || t->is_over || t->is_closing)
		return LIVE_NEVER;
	if (t->pending.len)
		return t->block_at;
	if (t->is_silent || t->cfg.blocks_at_end || !piece_end(t))
		return LIVE_NEVER;
	due = t->text.len - t->sent_of_text >= t->cfg.block_max ? t->text_at : t->text_at + t->cfg.idle_ms;
	return CH_MAX(due, t->block_at);
}

#define DIGEST_LEN 16                    /* hex digits: it only has to tell one text from another */

static const char *digest_of(const char *text, size_t n, struct arena *a)
{
	char hex[2 * SHA256_LEN + 1];

	sha256_hex(text, n, hex);
	return arena_strndup(a, hex, DIGEST_LEN);
}

bool live_block_is_digest(const char *text, size_t n, const char *digest)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);

	return str_eq(digest_of(text, n, a), digest);
}

static const char *key_of(const struct live_state *t, size_t end, struct arena *a)
{
	if (!end)
		return arena_printf(a, "run:%s:block:%u", t->run_id, t->blocks);
	return arena_printf(a, "run:%s:block:%u:%zu:%s", t->run_id, t->blocks, end, digest_of(t->text.data, end, a));
}

static ch_status kept(struct chan_live *l, const char *run_id, struct arena *a, struct live_end *ret, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *s = NULL;
	const char *prefix = arena_printf(a, "run:%s:block:", run_id), *rest;
	char *bytes, *digest;
	int64_t n;
	bool has_row;
	ch_status st = db_prep(chan_host_db(l->host), "SELECT key FROM channel_outbox WHERE run_id = ?1 AND substr(key, 1, ?2) = ?3 "
			       "ORDER BY id DESC LIMIT 1", &s, err);

	if (st)
		return st;
	db_bind_text(s, 1, run_id);
	db_bind_int(s, 2, (int64_t)strlen(prefix));
	db_bind_text(s, 3, prefix);
	st = db_step(s, &has_row, err);
	if (st || !has_row)
		return st;
	rest = db_text(s, 0) + strlen(prefix);
	bytes = arena_strdup(a, strchr(rest, ':'));
	digest = bytes ? strchr(bytes + 1, ':') : NULL;
	if (!digest)
		return CH_OK;
	*digest++ = '\0';
	if (str_to_i64(bytes + 1, &n) && n > 0)
		*ret = (struct live_end){ .sent_bytes = (size_t)n, .digest = digest };
	return CH_OK;
}

void live_block_kept(struct chan_live *l, const char *run_id, struct arena *a, struct live_end *ret)
{
	struct ch_err err = { 0 };

	if (kept(l, run_id, a, ret, &err))
		log_warn("channels", "run=%s: what was sent of its reply is not known: %s; all of it is sent", run_id, err.text);
}

static CH_FIBER ch_status put(struct live_state *t, const char *text, size_t end, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct chan_egress *e = chan_host_egress(t->live->host);
	struct chan_message m = {
		.key = key_of(t, end, a),
		.channel = t->place.channel, .account = t->place.account, .peer = t->place.peer,
		.reply_to = t->blocks ? NULL : t->place.message_id,
		.text = text, .session_key = t->session_key, .run_id = t->run_id, .origin = "reply",
		.may_attach = chan_is_owner_id(chan_host_config(t->live->host), t->place.channel, t->place.sender_id),
	};
	bool is_silent = false;
	int64_t id;
	ch_status st = egress_reply(e, t->agent_id, a, &m, &is_silent, err);

	if (st || is_silent || t->is_over)
		return st;
	st = egress_put(e, &m, &id, err);
	egress_wake(e, t->place.channel, t->place.account);
	return st == CH_E_EXISTS ? CH_OK : st;
}

CH_FIBER void live_block_do(struct live_state *t)
{
	CH_AUTO_STR char *text = NULL;
	struct ch_err err = { 0 };
	unsigned of = t->texts;
	size_t end = 0;
	ch_status st;

	if (t->pending.len) {
		text = buf_take(&t->pending, NULL);
	} else {
		end = piece_end(t);
		text = ch_strndup(t->text.data + t->sent_of_text, end - t->sent_of_text);
	}
	t->is_drafting = true;
	t->sending = end;
	st = put(t, text, end, &err);
	t->is_drafting = false;
	t->sending = 0;
	fiber_cond_broadcast(&t->settled);
	t->block_at = now_mono_ms();
	if (t->cfg.pause_max_ms)
		t->block_at += t->cfg.pause_min_ms + (int64_t)rand_below((uint64_t)(t->cfg.pause_max_ms - t->cfg.pause_min_ms + 1));
	if (st) {
		t->cfg.has_blocks = false;
		live_failed(t, "sending a block", &err);
		return;
	}
	t->blocks++;
	if (end && of == t->texts)
		t->sent_of_text = end;
}

void live_block_flush(struct live_state *t)
{
	size_t from = CH_MAX(t->sent_of_text, t->sending);

	if (t->cfg.has_blocks && !t->is_silent && t->text.len > from)
		buf_append(&t->pending, t->text.data + from, t->text.len - from);
	t->sent_of_text = t->sending = 0;
	t->texts++;
	t->is_silent = true;
}
