/*
 * channels/live_draft.c - the one message that shows how a reply comes about, and is edited.
 *
 * partial   the text so far; the reply replaces it. Where the network lets a message grow, it grows (live_stream.c)
 * block     the same in larger steps
 * progress  a label and what tools do, once the work takes a while; gone when the reply comes
 */
#include "channels/live_priv.h"

#include <string.h>

#include "channels/egress_priv.h"
#include "channels/pace.h"
#include "channels/render.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/rand.h"
#include "core/str.h"

#define PACE_WAIT_MS 500                 /* for a turn to edit; then this step is left out */
#define TAG_MAX 320

/* What is to be shown, in the network's flavour; markdown: all of the text it is of, NULL: it is not all of a text. */
struct view { const char *text, *plain, *markdown; };

/* -- when -- */

static size_t shown_bytes(const struct live_state *t)
{
	return t->draft_text ? strlen(t->draft_text) : 0;
}

static int64_t first_due(const struct live_state *t)
{
	int64_t due = LIVE_NEVER;

	if (t->work_at && (t->cfg.draft == LIVE_DRAFT_PROGRESS || t->line_count))
		due = t->work_at + LIVE_START_MS;
	if (t->cfg.draft == LIVE_DRAFT_PROGRESS || !t->first_text_at)
		return due;
	if (t->text.len >= (t->cfg.draft == LIVE_DRAFT_BLOCK ? t->cfg.draft_min : LIVE_FIRST_CHARS))
		return t->first_text_at;
	return CH_MIN(due, t->first_text_at + LIVE_FIRST_MS);
}

int64_t live_draft_due(const struct live_state *t)
{
	int64_t due;

	if (t->wants_end)
		return 0;
	if (t->cfg.draft == LIVE_DRAFT_OFF || t->is_over || t->is_closing || !t->is_dirty)
		return LIVE_NEVER;
	if (t->draft_id && t->cfg.draft == LIVE_DRAFT_BLOCK && t->first_text_at && t->text.len < shown_bytes(t) + t->cfg.draft_min)
		return LIVE_NEVER;
	due = t->draft_id ? t->draft_at : first_due(t);
	return due == LIVE_NEVER ? due : CH_MAX(due, t->draft_at);
}

/* -- what -- */

/* A line for people: one line, cut at a word. */
static char *tool_line(const struct live_state *t, const char *name, const char *meta, bool is_error)
{
	bool is_command = str_eq(name, "exec") || str_eq(name, "bash") || str_eq(name, "process");
	CH_AUTO_STR char *line = NULL;
	size_t n, cut;

	if (is_command && !t->cfg.shows_commands)
		meta = NULL;
	line = ch_asprintf("%s %s%s%s", is_error ? "⚠️" : "🛠️", name, str_empty(meta) ? "" : ": ", meta ? meta : "");
	for (char *s = line; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			*s = ' ';
	n = strlen(line);
	if (render_len(line, n, CHAN_CODEPOINTS) <= (size_t)t->cfg.line_chars)
		return CH_TAKE(line);
	while (n && render_len(line, n, CHAN_CODEPOINTS) >= (size_t)t->cfg.line_chars)
		n = utf8_cut(line, n, n - 1);
	for (cut = n; cut > n / 2 && line[cut - 1] != ' '; cut--)
		;
	return ch_asprintf("%.*s…", (int)(cut > n / 2 ? cut - 1 : n), line);
}

void live_draft_line(struct live_state *t, const char *name, const char *meta, bool is_end, bool is_error)
{
	if (t->cfg.draft == LIVE_DRAFT_OFF)
		return;
	if (!t->work_at) {
		t->work_at = now_mono_ms();
		t->is_dirty = true;
	}
	if (!t->cfg.shows_tools || (is_end && !is_error))
		return;
	if (t->line_count == LIVE_LINES_MAX) {
		ch_free(t->lines[0]);
		memmove(t->lines, t->lines + 1, sizeof(*t->lines) * --t->line_count);
	}
	t->lines[t->line_count++] = tool_line(t, name, meta, is_error);
	t->is_dirty = true;
}

/* The last lines; the label is the first of them, and goes when there are enough others. */
static struct view view_of_work(const struct live_state *t, const struct chan_ops *ops, struct arena *a)
{
	size_t first = t->line_count > (size_t)t->cfg.lines_max ? t->line_count - (size_t)t->cfg.lines_max : 0;
	const char *all = t->line_count >= (size_t)t->cfg.lines_max ? "" : t->cfg.label;

	for (size_t i = first; i < t->line_count; i++)
		all = arena_printf(a, "%s%s%s", all, *all ? "\n" : "", t->lines[i]);
	if (!*all)
		all = "Working";
	return (struct view){ .text = render_escape(a, ops->flavour, all), .plain = all };
}

/* Bytes of the text that can be shown: what may yet become a tag or a file is left out. */
static size_t whole_bytes(const char *s, size_t n)
{
	const char *tag = memrchr(s, '[', n), *line = memrchr(s, '\n', n);
	size_t at;

	if (tag && tag > s && tag[-1] == '[')
		tag--;
	if (tag && (size_t)(s + n - tag) < TAG_MAX && (tag + 1 == s + n || tag[1] == '[') && !memmem(tag, (size_t)(s + n - tag), "]]", 2))
		n = (size_t)(tag - s);
	at = line && line < s + n ? (size_t)(line + 1 - s) : 0;
	if (n - at && strncmp(s + at, "MEDIA:", CH_MIN(n - at, 6)) == 0)
		n = at;
	return n;
}

static ch_status view_of_text(const struct live_state *t, const struct chan_ops *ops, const struct chan_cfg *cfg, struct arena *a,
			      struct view *ret, struct ch_err *err)
{
	const struct render_part *parts = NULL;
	struct render_tags tags;
	struct render_opts opts;
	size_t count = 0;
	ch_status st;

	render_tags(a, t->text.data, t->wants_end ? t->text.len : whole_bytes(t->text.data, t->text.len), &tags);
	egress_render_opts(ops, cfg, &opts);
	opts.text_max = CH_MIN(opts.text_max, egress_edit_max(ops));
	st = render_message(a, tags.text, strlen(tags.text), &opts, &parts, &count, err);
	if (!st && count)
		*ret = (struct view){ parts[0].text, parts[0].plain, count == 1 ? tags.text : NULL };
	return st;
}

static ch_status view(const struct live_state *t, struct chan_acct *acct, struct arena *a, struct view *ret, struct ch_err *err)
{
	const struct chan_ops *ops = chan_acct_ops(acct);

	*ret = (struct view){ 0 };
	if (t->cfg.draft != LIVE_DRAFT_PROGRESS && t->first_text_at)
		return view_of_text(t, ops, chan_acct_cfg(acct), a, ret, err);
	*ret = view_of_work(t, ops, a);
	if (render_len(ret->text, strlen(ret->text), ops->limits.unit) > (size_t)ops->limits.text_default)
		*ret = (struct view){ 0 };
	return CH_OK;
}

/* -- showing it -- */

static CH_FIBER ch_status post(struct live_state *t, struct chan_acct *acct, struct chan_out *out, struct arena *a, struct ch_err *err)
{
	struct chan_sent sent = { 0 };
	unsigned char bytes[16];
	char key[33];
	ch_status st;

	rand_bytes(bytes, sizeof(bytes));
	hex_encode(bytes, sizeof(bytes), key);
	out->key = key;
	out->is_silent = t->cfg.draft == LIVE_DRAFT_PROGRESS;
	st = chan_acct_ops(acct)->send(acct, out, a, &sent, err);
	if (!st && sent.message_id) {
		t->draft_id = ch_strdup(sent.message_id);
		live_left_note(t, acct);
	} else if (!st) {
		st = ch_fail(err, CH_E_UNSUPPORTED, "the network gave no id to edit it by");
	}
	return st;
}

/* true: it is to be tried again later. */
static bool is_pause(struct live_state *t, struct chan_acct *acct, const struct ch_err *err)
{
	if (err->retry_after_ms <= 0)
		return false;
	if (!chan_acct_ops(acct)->limits.peer_counts_posts)
		pace_pause(egress_pace(chan_host_egress(t->live->host)), t->place.channel, chan_acct_id(acct), NULL,
			   err->retry_after_ms);
	t->draft_at = now_mono_ms() + err->retry_after_ms;
	t->is_dirty = true;
	return true;
}

static CH_FIBER ch_status show(struct live_state *t, struct chan_acct *acct, const struct view *v, struct arena *a, struct ch_err *err)
{
	struct chan_out out = { .peer = t->place.peer, .text = v->text, .plain = v->plain };
	ch_status st;

	if (!t->draft_id)
		out.reply_to = t->cfg.is_reply ? t->place.message_id : NULL;
	if (t->cfg.streams && (t->is_streaming || !t->draft_id)) {
		st = live_stream_show(t, acct, &out, v->markdown, false, a, err);
		if (st != CH_E_UNSUPPORTED)
			return st;
		t->cfg.streams = t->is_streaming = false;
	}
	return t->draft_id ? chan_acct_ops(acct)->edit(acct, t->draft_id, &out, err) : post(t, acct, &out, a, err);
}

/* The reply comes: what grows gets the rest of its text. Without that the reply takes its place by an edit. */
static CH_FIBER void end_growth(struct live_state *t)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	CH_AUTO(chan_acct_unref) struct chan_acct *acct = live_acct(t) ? chan_acct_ref(live_acct(t)) : NULL;
	struct chan_out out = { .peer = t->place.peer };
	struct ch_err err = { 0 };
	struct view v = { 0 };
	ch_status st = acct ? view(t, acct, a, &v, &err) : CH_OK;

	t->is_drafting = true;
	out.text = v.text;
	out.plain = v.plain;
	if (!st && acct)
		st = live_stream_show(t, acct, &out, v.markdown, true, a, &err);
	if (st)
		log_debug("channels", "run=%s a growing preview was not ended: %s", t->run_id, err.text);
	t->is_drafting = t->wants_end = t->is_streaming = false;
	fiber_cond_broadcast(&t->settled);
}

CH_FIBER void live_draft_do(struct live_state *t)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	CH_AUTO(chan_acct_unref) struct chan_acct *acct = NULL;
	struct chan_acct *found = live_acct(t);
	struct ch_err err = { 0 };
	struct view v;
	ch_status st;

	if (t->wants_end) {
		end_growth(t);
		return;
	}
	t->draft_at = now_mono_ms() + LIVE_EDIT_MS;
	if (!found)
		return;
	acct = chan_acct_ref(found);
	t->is_drafting = true;
	st = pace_wait(acct, &t->place.peer, fiber_deadline(PACE_WAIT_MS), &err);
	if (!st && !t->is_closing) {
		t->is_dirty = false;
		st = view(t, acct, a, &v, &err);
		if (!st && v.text && !str_eq(v.text, t->draft_text)) {
			ch_free(t->draft_text);
			t->draft_text = ch_strdup(v.text);
			st = show(t, acct, &v, a, &err);
		}
	}
	t->is_drafting = false;
	t->draft_at = CH_MAX(t->draft_at, now_mono_ms() + LIVE_EDIT_MS);
	fiber_cond_broadcast(&t->settled);
	if (!st || st == CH_E_TIMEOUT || st == CH_E_CANCELED || is_pause(t, acct, &err))
		return;
	/* What cannot be edited is no draft: the reply comes as a message of its own. */
	t->cfg.draft = LIVE_DRAFT_OFF;
	live_failed(t, "showing a preview", &err);
}

CH_FIBER void live_draft_clean(struct live_state *t)
{
	CH_AUTO(chan_acct_unref) struct chan_acct *acct = NULL;
	struct chan_acct *found = live_acct(t);
	struct ch_err err = { 0 };
	ch_status st;

	if (!t->draft_id || t->has_given_draft || !found || !chan_acct_ops(found)->remove)
		return;
	acct = chan_acct_ref(found);
	/* Not at the pace of messages: the reply would wait for it. */
	st = chan_acct_ops(acct)->remove(acct, &t->place.peer, t->draft_id, &err);
	live_left_gone(t->live, chan_acct_ops(acct)->id, chan_acct_id(acct), t->run_id, st, &err);
}
