/*
 * agent/submit.c - accepting input: checked, durable, and given its place beside, behind or before what runs.
 */
#include <string.h>

#include "agent/command.h"
#include "agent/from.h"
#include "agent/messages.h"
#include "agent/queue.h"
#include "agent/subagent.h"
#include "agent/wake.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/str.h"

static ch_status check_input(const struct run_input *in, struct ch_err *err)
{
	static const char *const types[] = { "image/png", "image/jpeg", "image/gif", "image/webp" };
	size_t n = in->run_id ? strlen(in->run_id) : 0;

	if (!n || n > RUN_ID_MAX)
		return ch_fail(err, CH_E_INVALID, "the run id must have 1 to %d bytes", RUN_ID_MAX);
	if (str_empty(in->text) && !json_len(in->attachments) && !(in->extras && in->extras->result))
		return ch_fail(err, CH_E_INVALID, "the message is empty");
	json_each(att, in->attachments) {
		const char *mime = json_get_str(att, "mimeType");

		if (!mime || !str_in(mime, types, CH_ARRAY_LEN(types)))
			return ch_fail(err, CH_E_UNSUPPORTED, "attachment of type '%s': only PNG, JPEG, GIF and WebP images can "
				       "be attached", mime ? mime : "unknown");
		if (str_empty(json_get_str(att, "content")))
			return ch_fail(err, CH_E_INVALID, "an attachment has no content");
	}
	return CH_OK;
}

static ch_status render_message(struct run *r, const struct run_input *in, struct ch_err *err)
{
	CH_AUTO_BUF struct buf out = { 0 };
	bool is_command = r->command != NULL;
	ch_status st;

	buf_init(&out, TR_MESSAGE_MAX);
	if (extras_message(r))
		buf_puts(&out, extras_message(r));
	else
		msg_user(&out, in, r->accepted_at, is_command);
	st = buf_status(&out, err, "the message");
	if (st)
		return st;
	r->message = arena_strndup(r->arena, out.data, out.len);
	buf_clear(&out);
	msg_user_meta(&out, in, is_command);
	st = buf_status(&out, err, "the message's sender");
	if (st)
		return st;
	r->meta = arena_strndup(r->arena, out.data, out.len);
	return CH_OK;
}

/* "/steer <message>": the message, into the running turn. */
static void take_steer(struct run *r, struct run_input *in)
{
	r->command = NULL;
	r->text = in->text = r->command_args;
	r->queue_mode = "steer";
}

/* A command, a message of settings only, or a message with settings in it, which are taken out. */
static void understand(struct run *r, struct run_input *in)
{
	struct directives *d;

	if (!r->has_attachments)
		r->command = command_parse(host_config(r->host), r->text, r->arena, &r->command_args);
	if (r->command == &cmd_steer && *r->command_args)
		take_steer(r, in);
	if (r->command || !strchr(r->text, '/'))
		return;
	d = arena_alloc(r->arena, sizeof(*d));
	directives_find(r->arena, r->text, d);
	if (!d->len)
		return;
	r->directives = d;
	if (!r->has_attachments && !d->rest[strspn(d->rest, " \t\r\n")]) {
		r->command = &command_of_directives;
		r->command_args = "";
		return;
	}
	r->text = in->text = d->rest;
	directives_apply(r, d);
}

static ch_status run_from_input(struct agent_host *h, const struct run_input *in, struct run **ret, struct ch_err *err)
{
	CH_AUTO(run_unref) struct run *r = run_new(h);
	struct arena *a = r->arena;
	struct run_input said = *in;
	ch_status st;

	r->accepted_at = now_wall_ms();
	r->accepted_mono_ms = now_mono_ms();
	r->run_id = r->event_id = arena_strdup(a, in->run_id);
	r->session_key = arena_strdup(a, in->session_key);
	r->text = arena_strdup(a, in->text ? in->text : "");
	r->model = arena_strdup(a, in->model);
	r->thinking = arena_strdup(a, in->thinking);
	r->over.fast = arena_strdup(a, in->fast);
	r->extra_system = arena_strdup(a, in->extra_system);
	r->thread = arena_strdup(a, in->thread);
	r->has_attachments = json_len(in->attachments) > 0;
	r->from = from_copy(a, in->from);
	r->channel = arena_strdup(a, in->from ? in->from->channel : in->client_mode);
	r->owner_conn = arena_strdup(a, in->owner_conn);
	r->timeout_ms = in->timeout_ms;
	r->sender_is_owner = in->sender_is_owner;
	r->sender_is_admin = in->sender_is_admin;
	r->origin = wake_origin_copy(a, in->origin);
	if ((in->sender_is_owner || in->may_command) && !in->is_plain && config_bool(host_config(h), "commands.text", true))
		understand(r, &said);
	/* What a turn asks its owner is not for everybody in a room to answer. */
	if ((in->sender_is_owner || (in->may_command && !in->from)) && !in->is_plain && !r->command && !in->extras && command_answers(r, desk_find(h, r->session_key))) {
		r->command = &cmd_answer;
		r->command_args = r->text;
	}
	st = extras_take(r, in->extras, err);
	if (!st)
		st = render_message(r, &said, err);
	if (st)
		return st;
	*ret = CH_TAKE(r);
	return CH_OK;
}

static const char *render_options(struct run *r, const struct run_input *in)
{
	struct json *o = json_new_obj(r->arena);

	if (in->model)
		json_set(r->arena, o, "model", json_new_str(r->arena, in->model));
	if (in->thinking)
		json_set(r->arena, o, "thinking", json_new_str(r->arena, in->thinking));
	if (in->queue_mode)
		json_set(r->arena, o, "queueMode", json_new_str(r->arena, in->queue_mode));
	if (in->timeout_ms)
		json_set(r->arena, o, "timeoutMs", json_new_int(r->arena, in->timeout_ms));
	return json_to_str(r->arena, o);
}

/* In the open transaction. CH_E_EXISTS: known already, *ret_known is the row. */
static ch_status accept_rows(struct agent_host *h, struct run *r, const struct run_input *in, struct arena *a,
			     struct input_row *ret_known, struct ch_err *err)
{
	struct input_row row = { .run_id = r->run_id, .session_key = r->session_key, .state = INPUT_QUEUED,
				 .message = r->message, .meta = r->meta, .options = render_options(r, in),
				 .accepted_at = r->accepted_at };
	struct sess_key key;
	ch_status st;

	st = sess_key_parse(r->arena, r->session_key, agent_default_id(host_config(h), r->arena), &key, err);
	if (!st && !agent_is_known(host_config(h), key.agent_id))
		return ch_fail(err, CH_E_INVALID, "there is no agent '%s' in the configuration (agents.entries)", key.agent_id);
	if (!st)
		st = sess_open(h->opts.sessions, &key, in->from ? "channel" : "operator", &r->sess, &r->is_new_session, err);
	if (st)
		return st;
	r->is_new_session |= in->session_is_new;
	r->agent_id = arena_strdup(r->arena, r->sess->agent_id);
	r->session_id = arena_strdup(r->arena, r->sess->session_id);
	row.session_id = r->session_id;
	if (in->from && !in->origin)
		from_note_session(r->sess, in->from);
	if (r->directives && !r->command) {
		st = directives_choose(r, r->directives, err);
		if (st)
			return st;
	}
	if (!r->command) {
		sess_set_str(r->sess, &r->sess->status, "running");      /* saved with the input */
		if (!r->origin)
			r->sess->last_interaction_at = r->accepted_at;
	}
	st = input_accept(r->sess, &row, a, ret_known, err);
	return st || !in->also ? st : in->also(in->also_arg, err);
}

static ch_status accept_tx(struct agent_host *h, struct run *r, const struct run_input *in, struct arena *a,
			   struct submit_result *ret, struct ch_err *err)
{
	struct db *db = sess_store_db(h->opts.sessions);
	CH_AUTO(db_rollback) struct db *tx = NULL;
	int64_t began = now_mono_ms();
	ch_status st;

	st = db_begin_durable(db, err);
	if (st)
		return st;
	tx = db;
	st = accept_rows(h, r, in, a, &ret->known, err);
	ret->load_session_ms = now_mono_ms() - began;
	return st ? st : db_commit(CH_TAKE(tx), err);
}

static ch_status accept_input(struct agent_host *h, struct run *r, const struct run_input *in, struct arena *a,
			      struct submit_result *ret, struct ch_err *err)
{
	ch_status st = accept_tx(h, r, in, a, ret, err);

	if (st && r->sess)
		(void)!sess_reload(r->sess, NULL);       /* the live object as the database has it; err says why */
	return st;
}

/* What holds for this message: what it asks, else the session, else the configuration. */
static void settings_of(struct agent_host *h, const struct run *r, const struct sess *s, const struct run_input *in,
			struct queue_settings *ret)
{
	queue_settings_of(host_config(h), s, r->channel, ret);
	queue_mode_parse(r->queue_mode ? r->queue_mode : in->queue_mode, &ret->mode);
}

/* A command that ends what runs and waits, and is answered when that has unwound. */
static void clear_for_command(struct desk *d, struct run *r)
{
	struct ch_err err;

	while (d->dropped.len && !host_cancel_queued(d->dropped.at[0], r->command->name, &err))
		r->stopped++;
	while (d->head && !host_cancel_queued(d->head, r->command->name, &err))
		r->stopped++;
	if (d->head)
		log_warn("agent", "session=%s: waiting input could not be cancelled: %s; it runs after the command", d->key,
			 err.text);
	r->stopped += subagents_stop_of(d->host, d->key, NULL, r->command->name);
	if (!d->active || d->active->abort_origin)
		return;
	run_abort(d->active, r->command->name, r->command->name, "This operation was aborted");
	r->stopped++;
}

/* Where the accepted run goes: at once, behind the active one, before it, or answered beside it. */
static enum submit_status place(struct desk *d, struct run *r, const struct queue_settings *q, bool *ret_interrupted)
{
	bool is_going = d->active && !d->active->abort_origin;

	if (r->command && r->command->when == SLASH_BESIDE)
		return SUBMIT_COMMAND;
	if (r->command) {
		if (r->command->when == SLASH_ENDS_RUNS)
			clear_for_command(d, r);
		desk_push(d, r, true);
		return SUBMIT_COMMAND;
	}
	if (!is_going && !d->head) {
		desk_push(d, r, false);
		return SUBMIT_STARTED;
	}
	if (!is_going && !r->origin && wake_all_held(d)) {
		desk_push(d, r, true);           /* events wait for their turn; a person does not wait behind them */
		return SUBMIT_STARTED;
	}
	if (r->mode == QUEUE_INTERRUPT) {
		*ret_interrupted = is_going;
		if (is_going)
			run_abort(d->active, "interrupt", "aborted", "Reply operation aborted by user");
		desk_push(d, r, true);
		return SUBMIT_STARTED;
	}
	r->was_queued = true;
	r->debounce_ms = q->debounce_ms;
	if (!r->origin)
		queue_make_room(d, q);
	desk_push(d, r, false);
	return SUBMIT_QUEUED;
}

static void enqueue(struct agent_host *h, struct desk *d, struct run *r, const struct queue_settings *q,
		    struct submit_result *ret)
{
	ret->status = place(d, r, q, &ret->interrupted_active);
	map_put(h->runs, r->run_id, r);
	vec_push(&h->to_announce, run_ref(r));
	loop_timer_start(h->announcer, 0);       /* not now: the caller's answer goes out first */
	desk_go(d);
}

/* Only the policy "new" turns a newcomer away; the others make room. Commands and interrupting ones do not wait. */
static ch_status check_room(const struct desk *d, const struct run *r, const struct queue_settings *q, struct ch_err *err)
{
	if (r->command || r->origin || q->mode == QUEUE_INTERRUPT || q->drop != QUEUE_DROP_NEW || (int64_t)d->queued < q->cap)
		return CH_OK;
	return ch_fail(err, CH_E_BUSY, "%zu messages are already waiting in this session; wait, or abort the run", d->queued);
}

/* The session as it is, for settings that are needed before it is opened for writing. */
static ch_status judge(struct agent_host *h, const struct desk *d, const struct run *r, const struct run_input *in,
		       struct queue_settings *ret, struct ch_err *err)
{
	static const struct sess fresh;
	CH_AUTO(sess_unref) struct sess *s = NULL;
	ch_status st = sess_find(h->opts.sessions, in->session_key, &s, err);

	if (st && st != CH_E_NOT_FOUND)
		return st;
	settings_of(h, r, st ? &fresh : s, in, ret);
	return check_room(d, r, ret, err);
}

ch_status agent_submit(struct agent_host *h, const struct run_input *in, struct arena *a, struct submit_result *ret,
		       struct ch_err *err)
{
	CH_AUTO(run_unref) struct run *r = NULL;
	struct submit_result res = { 0 };
	struct queue_settings q = { 0 };
	struct run *live;
	struct desk *d;
	bool is_live;
	ch_status st;

	st = check_input(in, err);
	if (st)
		return st;
	if (in->queue_mode && !queue_mode_parse(in->queue_mode, &(enum queue_mode){ 0 }))
		return ch_fail(err, CH_E_INVALID, "queueMode '%.40s' is not one of steer, followup, collect, interrupt",
			       in->queue_mode);
	d = desk_open(h, in->session_key);
	live = map_find(h->runs, in->run_id);
	is_live = live && str_eq(live->session_key, in->session_key);
	if (!is_live && h->is_draining && !in->origin)
		return ch_fail(err, CH_E_BUSY, "the gateway is shutting down; try again when it is back");
	st = run_from_input(h, in, &r, err);
	if (!st && !is_live)
		st = judge(h, d, r, in, &q, err);
	if (!st)
		st = accept_input(h, r, in, a, &res, err);
	if (st && st != CH_E_EXISTS)
		return st;
	res.accepted_at = st ? res.known.accepted_at : r->accepted_at;
	if (st) {
		res.status = is_live ? SUBMIT_IN_FLIGHT : SUBMIT_ENDED;
	} else {
		r->mode = q.mode;
		enqueue(h, d, r, &q, &res);
	}
	*ret = res;
	return CH_OK;
}
