/*
 * agent/wake.c - see wake.h. Events are inputs like those of people, told apart by their origin; what is special about
 * their place in the queue is decided here and asked by desk.c and submit.c.
 */
#include "agent/wake.h"

#include <string.h>

#include "agent/from.h"
#include "agent/hide.h"
#include "agent/host.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/str.h"
#include "core/vec.h"
#include "sessions/text.h"

/* What an event is for clients (provenance) and for the model. */
static const struct { const char *kind, *provenance, *tool, *title; } kinds[] = {
	{ "approval", "inter_session", "exec_approval_followup", "An approval was answered" },
	{ "exec", "internal_system", "exec", "A background command ended" },
	{ "question", "internal_system", "ask_user", "A question was answered" },
	{ "subagent", "inter_session", "subagent_announce", "A sub-agent ended" },
};

/* -- origins -- */

const struct run_origin *wake_origin_copy(struct arena *a, const struct run_origin *o)
{
	struct run_origin *copy;

	if (!o)
		return NULL;
	copy = arena_alloc(a, sizeof(*copy));
	*copy = (struct run_origin){
		.kind = arena_strdup(a, o->kind), .tool = arena_strdup(a, o->tool), .session_key = arena_strdup(a, o->session_key),
		.is_hidden = o->is_hidden, .is_tainted = o->is_tainted, .taint_source = arena_strdup(a, o->taint_source),
	};
	return copy;
}

void wake_put_origin(struct jw *w, const struct run_origin *o)
{
	jw_kobj(w, INPUT_ORIGIN);
	jw_kstr(w, "kind", o->kind);
	jw_kstr_opt(w, "tool", o->tool);
	jw_kstr_opt(w, "sessionKey", o->session_key);
	if (o->is_hidden)
		jw_kbool(w, "hidden", true);
	if (o->is_tainted)
		jw_kbool(w, "tainted", true);
	jw_kstr_opt(w, "taintSource", o->taint_source);
	jw_end(w);
}

static const struct run_origin *origin_read(struct arena *a, const struct json *meta)
{
	const struct json *o = json_get(meta, INPUT_ORIGIN);
	const struct run_origin read = {
		.kind = json_get_str(o, "kind"), .tool = json_get_str(o, "tool"), .session_key = json_get_str(o, "sessionKey"),
		.is_hidden = json_get_bool(o, "hidden", false), .is_tainted = json_get_bool(o, "tainted", false),
		.taint_source = json_get_str(o, "taintSource"),
	};

	return read.kind ? wake_origin_copy(a, &read) : NULL;
}

void wake_merge(struct run *r, const struct run *other)
{
	struct run_origin *both;

	if (!r->origin || !other->origin || !other->origin->is_tainted || r->origin->is_tainted)
		return;
	both = arena_alloc(r->arena, sizeof(*both));
	*both = *r->origin;
	both->is_tainted = true;
	both->taint_source = arena_strdup(r->arena, other->origin->taint_source);
	r->origin = both;
}

/* -- their place -- */

int64_t wake_held_ms(const struct desk *d)
{
	int64_t oldest = d->wakes[d->wake_at];

	return oldest ? oldest + WAKE_BURST_MS - now_mono_ms() : 0;
}

void wake_begins(struct desk *d)
{
	d->wakes[d->wake_at] = now_mono_ms();
	d->wake_at = (d->wake_at + 1) % WAKE_BURST;
}

bool wake_all_held(const struct desk *d)
{
	for (const struct run *r = d->head; r; r = r->next)
		if (!r->origin)
			return false;
	return wake_held_ms(d) > 0;
}

/* -- telling -- */

ch_status wake_person(struct agent_host *h, const char *session_key, struct arena *a, bool *ret_is_owner,
		      const struct run_channel **ret_from, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *row = NULL;
	struct json *meta = NULL;
	bool found;
	ch_status st = db_prep(sess_store_db(h->opts.sessions),
			       "SELECT meta FROM inputs WHERE session_key = ?1 "
			       "ORDER BY json_extract(meta, '$." INPUT_ORIGIN "') IS NOT NULL, id DESC LIMIT 1", &row, err);

	if (st)
		return st;
	db_bind_text(row, 1, session_key);
	st = db_step(row, &found, err);
	if (!st && found && db_text(row, 0))
		st = json_parse(a, db_text(row, 0), db_text_len(row, 0), JSON_STRICT, &meta, err);
	if (st)
		return st;
	*ret_is_owner = json_get_bool(meta, "senderIsOwner", false);
	*ret_from = from_read(a, meta);
	return CH_OK;
}

static ch_status text_of(struct arena *a, const char *title, const struct tool_wake *w, const char **ret, struct ch_err *err)
{
	const char *text;
	size_t n, keep;

	if (str_empty(w->text))
		return ch_fail(err, CH_E_INVALID, "an event of kind '%s' has no text", w->kind);
	/* What a command wrote comes here past its call. */
	text = hide_in_text(a, w->text, strlen(w->text), &n);
	keep = utf8_cut(text, n, WAKE_TEXT_MAX);
	*ret = arena_printf(a, "[%s. This is an event, not a message of the user.]\n\n%.*s%s", title, (int)keep, text,
			    keep < n ? "\n[cut here]" : "");
	return CH_OK;
}

ch_status agent_wake(struct agent_host *h, const struct tool_wake *w, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	CH_AUTO(sess_unref) struct sess *s = NULL;
	struct run_origin origin = { .is_hidden = true, .is_tainted = w->is_tainted, .taint_source = w->source };
	struct run_input in = { .session_key = w->session_key, .queue_mode = "steer", .is_plain = true, .origin = &origin };
	struct submit_result res;
	size_t i = 0;
	ch_status st;

	while (i < CH_ARRAY_LEN(kinds) && !str_eq(kinds[i].kind, w->kind))
		i++;
	if (i == CH_ARRAY_LEN(kinds))
		return ch_fail(err, CH_E_INVALID, "there are no events of kind '%s'", w->kind);
	origin.kind = kinds[i].provenance;
	origin.tool = kinds[i].tool;
	in.run_id = arena_printf(a, "%s:%s", w->kind, w->id);
	st = sess_find(h->opts.sessions, w->session_key, &s, err);       /* an event makes no session */
	if (!st)
		st = text_of(a, kinds[i].title, w, &in.text, err);
	if (!st)
		st = wake_person(h, w->session_key, a, &in.sender_is_owner, &in.from, err);
	return st ? st : agent_submit(h, &in, a, &res, err);
}

/* -- a turn that a restart cut -- */

#define RESUME_TEXT "[The gateway was restarted. This is an event, not a message of the user.]\n\n"
#define RESUME_BEGUN \
	"It stopped while you were answering the message that begins with the words below; what you had done stands above, marked as " \
	"interrupted. Calls without a result may have had their effect all the same: look before you repeat anything that acts. Then " \
	"answer that message."
#define RESUME_FRESH "It stopped before you had begun to answer the message that begins with the words below. Answer it now."
#define RESUME_QUOTE 200                 /* bytes of the message: which of several is meant */

/* The event speaks for who wrote the message, whoever wrote last. */
static ch_status resume_as(struct arena *a, const struct input_row *cut, struct run_input *in, struct ch_err *err)
{
	struct json *message, *meta;
	const char *text;
	ch_status st = json_parse(a, cut->message, strlen(cut->message), JSON_STRICT, &message, err);

	if (!st)
		st = json_parse(a, cut->meta ? cut->meta : "{}", strlen(cut->meta ? cut->meta : "{}"), JSON_STRICT, &meta, err);
	if (st)
		return st;
	text = tr_text(a, message, "\n");
	in->text = arena_printf(a, "%s%s\n\n> %.*s", RESUME_TEXT, cut->started_at ? RESUME_BEGUN : RESUME_FRESH,
				(int)utf8_cut(text, strcspn(text, "\r\n"), RESUME_QUOTE), text);
	in->sender_is_owner = json_get_bool(meta, "senderIsOwner", false);
	in->from = from_read(a, meta);
	return CH_OK;
}

ch_status agent_resume(struct agent_host *h, const struct agent_resume *w, struct ch_err *err)
{
	static const struct run_origin origin = { .kind = "internal_system", .tool = "restart", .is_hidden = true };
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct run_input in = { .session_key = w->session_key, .run_id = w->new_run_id, .queue_mode = "steer", .is_plain = true,
				.origin = &origin, .also = w->also, .also_arg = w->also_arg };
	struct submit_result res;
	struct input_row cut;
	ch_status st = input_find(h->opts.sessions, w->session_key, w->run_id, a, &cut, err);

	if (st)
		return st;
	st = resume_as(a, &cut, &in, err);
	return st ? st : agent_submit(h, &in, a, &res, err);
}

/* -- after a restart -- */

struct waiting { const char *session_key, *run_id; };
struct left_over { struct arena *a; VEC(struct waiting) at; };

static void left_over_done(struct left_over *l)
{
	vec_done(&l->at);
	arena_unref(l->a);
}

static ch_status collect(struct agent_host *h, struct left_over *l, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *row = NULL;
	bool found;
	ch_status st = db_prep(sess_store_db(h->opts.sessions), "SELECT session_key, run_id FROM inputs WHERE ended_at = 0 AND "
			       "state = 'queued' ORDER BY id", &row, err);

	while (!st && !(st = db_step(row, &found, err)) && found) {
		struct waiting w = { arena_strdup(l->a, db_text(row, 0)), arena_strdup(l->a, db_text(row, 1)) };

		vec_push(&l->at, w);
	}
	return st;
}

static ch_status read_again(struct arena *a, const struct input_row *row, struct run_input *ret, struct ch_err *err)
{
	struct json *message, *meta, *options;
	ch_status st = json_parse(a, row->message, strlen(row->message), JSON_STRICT, &message, err);

	if (!st)
		st = json_parse(a, row->meta, strlen(row->meta), JSON_STRICT, &meta, err);
	if (!st)
		st = json_parse(a, row->options, strlen(row->options), JSON_STRICT, &options, err);
	if (st)
		return st;
	*ret = (struct run_input){
		.session_key = row->session_key, .run_id = row->run_id, .text = json_get_str(message, "content"),
		.queue_mode = json_get_str(options, "queueMode"), .model = json_get_str(options, "model"),
		.thinking = json_get_str(options, "thinking"), .timeout_ms = json_get_int(options, "timeoutMs", 0),
		.sender_is_owner = json_get_bool(meta, "senderIsOwner", false), .is_plain = true,
		.origin = origin_read(a, meta), .from = from_read(a, meta),
	};
	return ret->origin && ret->text ? CH_OK : ch_fail(err, CH_E_INVALID, "the input is no event");
}

/* The old row goes and the new one comes in one transaction, under the same id. */
static ch_status accept_again(struct agent_host *h, const struct waiting *w, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	CH_AUTO(db_rollback) struct db *tx = NULL;
	struct db *db = sess_store_db(h->opts.sessions);
	struct submit_result res;
	struct input_row row;
	struct run_input in;
	ch_status st = input_find(h->opts.sessions, w->session_key, w->run_id, a, &row, err);

	if (!st)
		st = read_again(a, &row, &in, err);
	if (!st)
		st = db_begin_durable(db, err);
	if (st)
		return st;
	tx = db;
	st = input_forget(h->opts.sessions, w->session_key, w->run_id, err);
	if (!st)
		st = agent_submit(h, &in, a, &res, err);
	return st ? st : db_commit(CH_TAKE(tx), err);
}

ch_status wake_recover(struct agent_host *h, struct ch_err *err)
{
	CH_AUTO_DONE(left_over_done) struct left_over l = { .a = arena_new(0), .at = VEC_INIT };
	ch_status st = collect(h, &l, err);

	for (size_t i = 0; i < l.at.len && !st; i++) {
		struct ch_err why;

		if (accept_again(h, &l.at.at[i], &why))
			log_error("agent", "session=%s: the event %s was waiting and could not be taken up: %s; the next start tries again",
				  l.at.at[i].session_key, l.at.at[i].run_id, why.text);
	}
	return st;
}
