/*
 * channels/live.c - see live.h: the turns, their fibers, typing.
 */
#include "channels/live_priv.h"

#include <string.h>

#include "channels/egress.h"
#include "channels/render.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/str.h"

/* -- turns -- */

static struct live_state *find(struct chan_live *l, const char *run_id)
{
	for (size_t i = 0; l && i < l->turns.len; i++)
		if (!l->turns.at[i]->is_over && str_eq(l->turns.at[i]->run_id, run_id))
			return l->turns.at[i];
	return NULL;
}

static void free_ended(struct live_ended *e)
{
	ch_free(e->run_id);
	ch_free(e->draft_id);
	ch_free(e->text);
	*e = (struct live_ended){ 0 };
}

static void unref(struct live_state *t)
{
	if (--t->refs)
		return;
	for (size_t i = 0; i < t->line_count; i++)
		ch_free(t->lines[i]);
	ch_free(t->draft_id);
	ch_free(t->draft_text);
	buf_done(&t->text);
	buf_done(&t->pending);
	buf_done(&t->streamed);
	arena_unref(t->arena);
	ch_free(t);
}

static void forget(struct live_state *t)
{
	struct chan_live *l = t->live;

	for (size_t i = 0; i < l->turns.len; i++) {
		if (l->turns.at[i] != t)
			continue;
		vec_remove(&l->turns, i);
		break;
	}
	fiber_cond_broadcast(&l->ended);
	unref(t);
}

struct chan_acct *live_acct(const struct live_state *t)
{
	struct chan_acct *acct = chan_acct_find(t->live->host, t->place.channel, t->place.account);

	return acct && chan_acct_is_up(acct) ? acct : NULL;
}

void live_wake(struct live_state *t)
{
	fiber_wake(t->fiber);
}

void live_failed(struct live_state *t, const char *what, const struct ch_err *err)
{
	log_info("channels", "chan=%s account=%s run=%s %s: %s; off for this turn", t->place.channel,
		 t->place.account ? t->place.account : CHAN_DEFAULT_ACCOUNT, t->run_id, what, err->text);
}

/* -- typing -- */

static int64_t typing_due(const struct live_state *t)
{
	if (t->is_over)
		return t->has_busy || (t->is_typing && t->cfg.typing != LIVE_TYPING_NEVER) ? 0 : LIVE_NEVER;
	if (t->cfg.typing == LIVE_TYPING_NEVER || !t->wants_typing || t->typing_at >= t->begun_at + LIVE_TYPING_MAX_MS)
		return LIVE_NEVER;
	return t->typing_at;
}

/* A reaction that stands for typing, where the account wants one (typingReaction). */
static CH_FIBER void show_busy(struct live_state *t, bool is_on)
{
	struct ch_err err = { 0 };

	if (!*t->cfg.busy || is_on == t->has_busy)
		return;
	t->has_busy = is_on;
	if (!egress_react(chan_host_egress(t->live->host), t->place.channel, t->place.account, &t->place.peer, t->place.message_id,
			  t->cfg.busy, !is_on, &err))
		return;
	*t->cfg.busy = '\0';
	t->has_busy = false;
	live_failed(t, "reacting while we type", &err);
}

static CH_FIBER void typing_do(struct live_state *t)
{
	CH_AUTO(chan_acct_unref) struct chan_acct *acct = NULL;
	const bool is_on = !t->is_over;
	struct chan_acct *found;
	struct ch_err err = { 0 };

	t->typing_at = now_mono_ms() + t->cfg.typing_ms;
	t->is_typing = is_on;
	show_busy(t, is_on);
	found = live_acct(t);
	if (!found || t->cfg.typing == LIVE_TYPING_NEVER || !chan_acct_ops(found)->typing)
		return;
	acct = chan_acct_ref(found);
	if (!chan_acct_ops(acct)->typing(acct, &t->place.peer, is_on, &err))
		return;
	t->cfg.typing = LIVE_TYPING_NEVER;
	live_failed(t, "showing that we type", &err);
}

static void want_typing(struct live_state *t)
{
	if (t->wants_typing || t->cfg.typing == LIVE_TYPING_NEVER)
		return;
	t->wants_typing = true;
	live_wake(t);
}

/* -- the fiber of a turn -- */

/* What comes first, in the order of what people wait for. 0: something was done. */
static CH_FIBER int64_t step(struct live_state *t)
{
	static const struct {
		int64_t (*due)(const struct live_state *t);
		CH_FIBER void (*act)(struct live_state *t);
	} kinds[] = {
		{ live_react_due, live_react_do }, { typing_due, typing_do }, { live_block_due, live_block_do },
		{ live_draft_due, live_draft_do },
	};
	int64_t next = LIVE_NEVER;

	for (size_t i = 0; i < CH_ARRAY_LEN(kinds); i++) {
		int64_t due = kinds[i].due(t);

		if (due <= now_mono_ms()) {
			kinds[i].act(t);
			return 0;
		}
		next = CH_MIN(next, due);
	}
	return next;
}

static void turn_fiber(void *arg)
{
	struct live_state *t = arg;
	int64_t next;

	while (!fiber_canceled()) {
		next = step(t);
		if (!next)
			continue;
		if ((t->is_over && next == LIVE_NEVER) || now_mono_ms() >= t->begun_at + LIVE_TURN_MAX_MS)
			break;
		if (fiber_park(CH_MIN(next, t->begun_at + LIVE_TURN_MAX_MS)) == CH_E_CANCELED)
			break;
	}
	t->is_over = t->is_closing = true;
	live_draft_clean(t);
	t->fiber = NULL;
	forget(t);
}

/* -- what is told -- */

struct chan_live *live_new(struct chan_host *h)
{
	struct chan_live *l = ch_alloc(sizeof(*l));

	l->host = h;
	fiber_cond_init(&l->ended);
	return l;
}

void live_free(struct chan_live *l)
{
	if (!l)
		return;
	CH_BUG_ON(l->turns.len || l->sweeps.len);        /* live_drain() waits for them */
	for (size_t i = 0; i < LIVE_ENDED_MAX; i++)
		free_ended(&l->ended_runs[i]);
	vec_done(&l->turns);
	vec_done(&l->sweeps);
	ch_free(l);
}

CH_FIBER void live_drain(struct chan_live *l, int64_t deadline_ms)
{
	l->is_draining = true;
	live_left_stop(l);
	for (size_t i = 0; i < l->turns.len; i++) {
		struct live_state *t = l->turns.at[i];

		if (!t->is_over)
			t->over_at = now_mono_ms();
		t->is_over = true;
		live_wake(t);
	}
	while (l->turns.len && fiber_cond_wait(&l->ended, deadline_ms) == CH_OK)
		;
	for (size_t i = 0; i < l->turns.len; i++)
		fiber_cancel(l->turns.at[i]->fiber);
	/* A request that was cancelled ends at once. */
	while ((l->turns.len || l->sweeps.len) && fiber_cond_wait(&l->ended, fiber_deadline(1000)) != CH_E_CANCELED)
		;
}

static struct chan_place copy_place(struct arena *a, const struct chan_place *p)
{
	return (struct chan_place){
		.channel = arena_strdup(a, p->channel),
		.account = arena_strdup(a, p->account),
		.peer = { .kind = p->peer.kind, .id = arena_strdup(a, p->peer.id), .thread = arena_strdup(a, p->peer.thread),
			  .parent = arena_strdup(a, p->peer.parent), .guild = arena_strdup(a, p->peer.guild),
			  .team = arena_strdup(a, p->peer.team), .name = arena_strdup(a, p->peer.name) },
		.message_id = arena_strdup(a, p->message_id),
		.sender_id = arena_strdup(a, p->sender_id),
		.at = p->at,
	};
}

/* Would anything ever be seen? */
static bool is_worth(const struct live_cfg *cfg)
{
	return cfg->typing != LIVE_TYPING_NEVER || *cfg->ack || cfg->draft != LIVE_DRAFT_OFF || cfg->has_blocks;
}

void live_begin(struct chan_live *l, const struct live_turn *turn)
{
	struct live_cfg cfg;
	struct live_state *t;

	if (!l || l->is_draining || find(l, turn->run_id))
		return;
	live_cfg_read(l->host, turn, &cfg);
	if (!is_worth(&cfg))
		return;
	t = ch_alloc(sizeof(*t));
	t->live = l;
	t->refs = 1;
	t->cfg = cfg;
	t->arena = arena_new(0);
	t->run_id = arena_strdup(t->arena, turn->run_id);
	t->session_key = arena_strdup(t->arena, turn->session_key);
	t->agent_id = arena_strdup(t->arena, turn->agent_id);
	t->place = copy_place(t->arena, &turn->place);
	t->begun_at = t->activity_at = now_mono_ms();
	t->status = LIVE_QUEUED;
	t->is_silent = true;
	buf_init(&t->text, LIVE_TEXT_MAX);
	buf_init(&t->pending, LIVE_TEXT_MAX);
	buf_init(&t->streamed, LIVE_TEXT_MAX);
	fiber_cond_init(&t->settled);
	t->wants_typing = cfg.typing == LIVE_TYPING_INSTANT;
	vec_push(&l->turns, t);
	t->fiber = fiber_spawn(chan_host_loop(l->host), "live", FIBER_DETACHED, turn_fiber, t);
}

/* May this still become NO_REPLY? Then nothing of it is shown. */
static bool may_be_silent(const char *text, size_t len)
{
	static const char word[] = "NO_REPLY";

	while (len && (*text == ' ' || *text == '\n' || *text == '\t')) {
		text++;
		len--;
	}
	while (len && (text[len - 1] == ' ' || text[len - 1] == '\n' || text[len - 1] == '\t'))
		len--;
	return len < sizeof(word) && strncasecmp(text, word, len) == 0;
}

void live_text(struct chan_live *l, const char *run_id, const char *text, size_t len)
{
	struct live_state *t = find(l, run_id);

	if (!t)
		return;
	len = utf8_cut(text, len, LIVE_TEXT_MAX - 1);
	if (len < t->text.len || memcmp(text, buf_str(&t->text), t->text.len) != 0) {
		live_block_flush(t);
		buf_clear(&t->text);
		t->first_text_at = 0;
	}
	if (len == t->text.len)
		return;
	buf_append(&t->text, text + t->text.len, len - t->text.len);
	t->is_silent = may_be_silent(t->text.data, t->text.len);
	t->text_at = t->activity_at = now_mono_ms();
	if (!t->is_silent) {
		t->first_text_at = t->first_text_at ? t->first_text_at : t->text_at;
		t->is_dirty = true;
		want_typing(t);
	}
	live_wake(t);
}

void live_tool(struct chan_live *l, const char *run_id, const char *name, const char *meta, bool is_end, bool is_error)
{
	struct live_state *t = find(l, run_id);

	if (!t)
		return;
	t->activity_at = now_mono_ms();
	live_draft_line(t, name, meta, is_end, is_error);
	live_react_status(t, is_end ? LIVE_THINKING : LIVE_TOOL);
	want_typing(t);
	live_wake(t);
}

void live_phase(struct chan_live *l, const char *run_id, const char *phase)
{
	struct live_state *t = find(l, run_id);

	if (!t)
		return;
	t->activity_at = now_mono_ms();
	live_react_status(t, str_eq(phase, "compacting") ? LIVE_COMPACTING : LIVE_THINKING);
	want_typing(t);
	live_wake(t);
}

CH_FIBER void live_settle(struct chan_live *l, const char *run_id, int64_t deadline_ms)
{
	struct live_state *t = find(l, run_id);

	if (!t)
		return;
	t->refs++;
	t->is_closing = true;
	t->wants_end = t->is_streaming;
	live_wake(t);
	while ((t->is_drafting || t->wants_end) && fiber_cond_wait(&t->settled, deadline_ms) == CH_OK)
		;
	unref(t);
}

static void stop(struct live_state *t, bool is_error)
{
	t->is_over = t->is_closing = true;
	t->is_error = is_error;
	t->over_at = now_mono_ms();
	live_wake(t);
}

/* The reply may be settled more than once, until the disk has it. */
static void keep_end(struct live_state *t)
{
	struct live_ended *e = &t->live->ended_runs[t->live->next_ended++ % LIVE_ENDED_MAX];

	free_ended(e);
	e->run_id = ch_strdup(t->run_id);
	e->draft_id = t->has_given_draft ? ch_strdup(t->draft_id) : NULL;
	e->text = t->sent_of_text ? ch_strdup(buf_str(&t->text)) : NULL;
	e->sent_bytes = t->sent_of_text;
}

void live_end(struct chan_live *l, const char *run_id, bool is_error, struct arena *a, struct live_end *ret)
{
	struct live_state *t = find(l, run_id);

	*ret = (struct live_end){ 0 };
	if (t) {
		/* A request on its way could arrive after the reply and undo it: then the reply is a message of its own. */
		t->has_given_draft = t->draft_id && !t->is_drafting && !is_error &&
				     (t->cfg.draft == LIVE_DRAFT_PARTIAL || t->cfg.draft == LIVE_DRAFT_BLOCK);
		t->wants_end = false;
		live_react_status(t, is_error ? LIVE_ERROR : LIVE_DONE);
		keep_end(t);
		stop(t, is_error);
	}
	for (size_t i = 0; l && i < LIVE_ENDED_MAX; i++) {
		const struct live_ended *e = &l->ended_runs[i];

		if (!str_eq(e->run_id, run_id))
			continue;
		*ret = (struct live_end){ .draft_id = arena_strdup(a, e->draft_id), .text = arena_strdup(a, e->text),
					  .sent_bytes = e->sent_bytes };
		return;
	}
	if (l)
		live_block_kept(l, run_id, a, ret);
}

void live_cancel(struct chan_live *l, const char *run_id)
{
	struct live_state *t = find(l, run_id);

	if (!t)
		return;
	t->cfg.shows_errors_only = true;
	stop(t, false);
}

bool live_follows(struct chan_live *l, const char *run_id)
{
	return find(l, run_id) != NULL;
}

static size_t trimmed_len(const char *s)
{
	size_t n = strlen(s);

	while (n && (s[n - 1] == '\n' || s[n - 1] == ' '))
		n--;
	return n;
}

const char *live_rest(const struct live_end *end, const char *text)
{
	size_t seen = end->text ? trimmed_len(end->text) : 0, len = text ? trimmed_len(text) : 0, skip = 0;

	if (!end->sent_bytes || !text)
		return text;
	if (!end->text)
		skip = len >= end->sent_bytes && live_block_is_digest(text, end->sent_bytes, end->digest) ? end->sent_bytes : 0;
	else if (len >= end->sent_bytes && !memcmp(text, end->text, end->sent_bytes))
		skip = end->sent_bytes;
	else if (len <= seen && !memcmp(end->text + seen - len, text, len))      /* earlier texts of the turn stand before it */
		skip = end->sent_bytes > seen - len ? CH_MIN(end->sent_bytes - (seen - len), len) : 0;
	text += skip;
	while (skip && (*text == '\n' || *text == ' '))
		text++;
	return text;
}
