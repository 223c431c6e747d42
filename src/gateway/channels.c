/*
 * gateway/channels.c - see channels.h: a message of a network becomes an input of a session, and what became of it is read from the
 * inputs' own record.
 */
#include "gateway/channels.h"

#include <string.h>

#include "agent/fence.h"
#include "agent/note.h"
#include "agent/wake.h"
#include "channels/access.h"
#include "channels/host.h"
#include "channels/ingress.h"
#include "channels/rooms.h"
#include "channels/route.h"
#include "core/file.h"
#include "core/log.h"
#include "core/str.h"
#include "gateway/cards.h"
#include "gateway/hub.h"
#include "gateway/services.h"
#include "sessions/text.h"

/* -- in -- */

static ch_status submit(void *arg, const struct chan_turn *t, struct arena *a, enum chan_taken *ret, struct ch_err *err)
{
	struct gw *gw = arg;
	const struct chan_ops *ops = chan_find(t->channel);
	bool is_room = !str_eq(t->route->chat_type, "direct");
	const struct run_channel from = {
		.channel = t->channel, .label = ops ? ops->label : t->channel, .account = t->account, .sender_id = t->sender_id,
		.sender_name = t->sender_name, .chat_type = t->route->chat_type, .place_name = is_room ? t->peer_name : NULL,
		.message_id = t->message_id, .context = t->context, .group_prompt = t->group_prompt, .tools = t->tools,
		.has_outside = t->has_outside,
	};
	const struct run_input in = {
		.session_key = t->route->session_key, .run_id = t->run_id, .text = t->text, .attachments = t->attachments,
		.thread = t->thread, .sender_is_owner = chan_access_is_owner(t->access),
		.sender_is_admin = chan_access_is_owner(t->access), .may_command = chan_access_may_command(t->access),
		.from = &from, .also = t->also, .also_arg = t->also_arg,
	};
	struct submit_result res = { 0 };
	ch_status st = agent_submit(gw->agents, &in, a, &res, err);

	if (st)
		return st;
	*ret = res.status == SUBMIT_COMMAND ? CHAN_TAKEN_COMMAND
	       : res.status == SUBMIT_IN_FLIGHT || res.status == SUBMIT_ENDED ? CHAN_TAKEN_BEFORE : CHAN_TAKEN;
	return CH_OK;
}

struct waiting { const char *session_key; int64_t since_ms; bool is_found; };

static bool is_its_approval(void *arg, const struct approval *row)
{
	struct waiting *w = arg;

	w->is_found |= row->created_at >= w->since_ms;
	return !w->is_found;
}

static bool is_its_question(void *arg, const struct question *q)
{
	struct waiting *w = arg;

	w->is_found |= str_eq(q->session_key, w->session_key) && q->created_at >= w->since_ms;
	return !w->is_found;
}

/* The run had asked a person, and the answer is still to come: it wakes the session by itself. Asking again would ask twice. */
static ch_status check_waiting(struct gw *gw, const char *session_key, const char *run_id, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct waiting w = { .session_key = session_key };
	struct input_row in;
	ch_status st = input_find(gw->sessions, session_key, run_id, a, &in, err);

	if (st || !in.started_at)
		return st == CH_E_NOT_FOUND ? CH_OK : st;
	w.since_ms = in.started_at;
	st = approval_pending(gw->services->host.approvals, session_key, is_its_approval, &w, err);
	/* … or has come: what it allows is carried out beside the runs. */
	if (!st && !w.is_found)
		st = approval_is_late(gw->services->host.approvals, run_id, &w.is_found, err);
	if (!st && !w.is_found)
		st = question_pending(gw->services->host.questions, is_its_question, &w, err);
	if (!st && w.is_found)
		return ch_fail(err, CH_E_CONFLICT, "it waits for a person's answer");
	return st;
}

static ch_status resume(void *arg, const char *session_key, const char *run_id, const char *new_run_id,
			CH_MUST_USE ch_status (*also)(void *arg, struct ch_err *err), void *also_arg, struct ch_err *err)
{
	struct gw *gw = arg;
	ch_status st = check_waiting(gw, session_key, run_id, err);

	return st ? st : agent_resume(gw->agents, &(struct agent_resume){ session_key, run_id, new_run_id, also, also_arg }, err);
}

/* -- out: what became of a run -- */

struct said {
	struct arena *a;
	const char *run_id;
	const char *last;                /* the newest text of the run's own */
	const char *answers;             /* all whole answers, when there are several */
	size_t count;
};

static const char *text_of_entry(struct arena *a, const struct tr_entry *e, bool *ret_is_answer)
{
	struct json *message;

	*ret_is_answer = false;
	if (json_parse(a, e->message, e->message_len, JSON_STRICT, &message, NULL))
		return "";
	*ret_is_answer = str_eq(json_get_str(message, "stopReason"), "stop");
	return tr_text(a, message, "\n");
}

/*
 * A message that only calls tools says nothing. A turn that took up another message after it had answered has several answers:
 * each is for somebody who waits.
 */
static bool note_said(void *arg, const struct tr_entry *e)
{
	struct said *s = arg;
	const char *text;
	bool is_answer;

	if (!str_eq(e->role, "assistant") || !str_eq(e->run_id, s->run_id))
		return true;
	text = text_of_entry(s->a, e, &is_answer);
	if (!text[strspn(text, " \t\r\n")])
		return true;
	s->last = text;
	if (is_answer)
		s->answers = s->count++ ? arena_printf(s->a, "%s\n\n%s", s->answers, text) : text;
	return true;
}

#define SAID_ROWS_MAX 200                /* of a session that are looked through for what a turn said */

/* A command's answer has its id; /new puts it into the window that it opened. */
static ch_status find_answer(struct gw *gw, const struct input_row *in, struct arena *a, const char **ret, struct ch_err *err)
{
	CH_AUTO(sess_unref) struct sess *s = NULL;
	struct tr_entry answer;
	bool is_answer;
	ch_status st = tr_find_once(gw->sessions, in->session_id, in->run_id, a, &answer, err);

	if (st == CH_E_NOT_FOUND && !sess_find(gw->sessions, in->session_key, &s, NULL))
		st = tr_find_once(gw->sessions, s->session_id, in->run_id, a, &answer, err);
	if (!st)
		*ret = text_of_entry(a, &answer, &is_answer);
	return st;
}

static ch_status reply_of(struct gw *gw, const struct input_row *in, const struct json *outcome, struct arena *a, const char **ret,
			  struct ch_err *err)
{
	const char *text = json_str(json_path(outcome, "terminalReply.text"));
	const char *event_id = json_str(json_path(outcome, "terminalReceipt.runId"));
	struct said s = { .a = a, .run_id = event_id ? event_id : in->run_id, .last = "" };
	ch_status st = find_answer(gw, in, a, ret, err);

	if (st != CH_E_NOT_FOUND)
		return st;
	st = tr_read(gw->sessions, in->session_id, &(struct tr_range){ .limit = SAID_ROWS_MAX }, note_said, &s, err);
	if (st)
		return st;
	if (s.count > 1)
		*ret = s.answers;
	else if (text && text[strspn(text, " \t\r\n")])
		*ret = arena_strdup(a, text);
	else
		*ret = s.last;                   /* it may end without words, and have said something before its last call */
	return CH_OK;
}

#define TEXT_FAILED "⚠️ I could not answer this: something went wrong on my side. The gateway's log and this conversation there say what."
#define TEXT_TIMEOUT "⚠️ I ran out of time before I could answer this. Please ask again, maybe for a smaller step."
#define TEXT_STOPPED "⚠️ This was stopped before I could answer it."
#define TEXT_DROPPED "⚠️ I did not answer this: too many messages were waiting. Please send it again if it still matters."

/* Who stopped it by a command has been told by its answer; an interrupting message gets an answer of its own. */
static void of_aborted(const struct json *outcome, struct chan_run_end *ret)
{
	const char *by = json_get_str(outcome, "abortOrigin");

	ret->state = str_eq(by, "shutdown") ? CHAN_RUN_INTERRUPTED : CHAN_RUN_ABORTED;
	if (str_eq(by, "timeout"))
		ret->error = TEXT_TIMEOUT;
	else if (str_eq(by, "rpc"))
		ret->error = TEXT_STOPPED;
}

static ch_status run_end(void *arg, const char *session_key, const char *run_id, struct arena *a, struct chan_run_end *ret,
			 struct ch_err *err)
{
	struct gw *gw = arg;
	struct json *outcome = NULL;
	struct input_row in;
	ch_status st = input_find(gw->sessions, session_key, run_id, a, &in, err);

	*ret = (struct chan_run_end){ .state = CHAN_RUN_UNKNOWN };
	if (st)
		return st == CH_E_NOT_FOUND ? CH_OK : st;
	if (in.outcome && json_parse(a, in.outcome, strlen(in.outcome), JSON_STRICT, &outcome, NULL))
		outcome = NULL;
	switch (in.state) {
	case INPUT_QUEUED:
	case INPUT_RUNNING:
		ret->state = CHAN_RUN_GOING;
		return CH_OK;
	case INPUT_DONE:
		ret->state = CHAN_RUN_DONE;
		return reply_of(gw, &in, outcome, a, &ret->text, err);
	case INPUT_FAILED:
		ret->state = CHAN_RUN_FAILED;
		ret->error = TEXT_FAILED;
		return CH_OK;
	case INPUT_ABORTED:
		of_aborted(outcome, ret);
		return CH_OK;
	case INPUT_CANCELED:
		ret->state = CHAN_RUN_ABORTED;
		ret->error = in.error ? TEXT_DROPPED : NULL;
		return CH_OK;
	case INPUT_ABSORBED:
		ret->state = CHAN_RUN_ABSORBED;
		ret->absorbed_by = json_get_str(outcome, "absorbedBy");
		return CH_OK;
	case INPUT_INTERRUPTED:
		ret->state = CHAN_RUN_INTERRUPTED;
		ret->was_begun = in.started_at > 0;
		return CH_OK;
	}
	return CH_OK;
}

/* Who answered stands in the run's record; who is answering now, at the run. */
static void answerer(void *arg, const char *session_key, const char *run_id, struct arena *a, struct chan_answerer *ret)
{
	struct gw *gw = arg;
	struct json *outcome = NULL;
	struct run_in_flight now;
	struct input_row in;

	if (input_find(gw->sessions, session_key, run_id, a, &in, NULL))
		return;
	if (in.outcome && !json_parse(a, in.outcome, strlen(in.outcome), JSON_STRICT, &outcome, NULL))
		*ret = (struct chan_answerer){ json_get_str(outcome, "provider"), json_get_str(outcome, "model"),
					       json_get_str(outcome, "thinkingLevel") };
	else if (in.state == INPUT_RUNNING && !agent_in_flight(gw->agents, session_key, a, &now, NULL))
		*ret = (struct chan_answerer){ now.provider, now.model, now.thinking };
}

/* An event's run, and the last person of the session wrote from a network. */
static bool follows_channel(void *arg, const char *session_key, const char *run_id)
{
	struct gw *gw = arg;
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	const struct run_channel *from = NULL;
	struct json *meta = NULL;
	struct input_row in;
	bool is_owner;

	if (input_find(gw->sessions, session_key, run_id, a, &in, NULL) || !in.meta ||
	    json_parse(a, in.meta, strlen(in.meta), JSON_STRICT, &meta, NULL) || !json_get(meta, INPUT_ORIGIN))
		return false;
	return !wake_person(gw->agents, session_key, a, &is_owner, &from, NULL) && from;
}

static ch_status ended_events(void *arg, int64_t since_ms, void (*each)(void *to, const char *session_key, const char *run_id), void *to,
			      struct ch_err *err)
{
	struct gw *gw = arg;
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct ended { const char *session_key, *run_id; struct ended *next; } *list = NULL, **last = &list;
	CH_AUTO(db_done) struct db_stmt *row = NULL;
	bool found;
	ch_status st = db_prep(gw->db, "SELECT i.session_key, i.run_id FROM inputs i JOIN channel_places p ON p.session_key = i.session_key "
			       "WHERE i.ended_at > ?1 AND i.state = 'done' AND json_extract(i.meta, '$." INPUT_ORIGIN "') IS NOT NULL "
			       "ORDER BY i.id", &row, err);

	if (st)
		return st;
	db_bind_int(row, 1, since_ms);
	while (!(st = db_step(row, &found, err)) && found) {
		*last = arena_alloc(a, sizeof(**last));
		**last = (struct ended){ arena_strdup(a, db_text(row, 0)), arena_strdup(a, db_text(row, 1)), NULL };
		last = &(*last)->next;
	}
	for (const struct ended *e = list; e && !st; e = e->next)
		each(to, e->session_key, e->run_id);
	return st;
}

/* -- what is told -- */

static void notice(void *arg, const char *session_key, const char *text)
{
	struct gw *gw = arg;
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	const char *mine = arena_printf(a, "agent:%s:main", agent_default_id(gw_config(gw), a)), *line = arena_printf(a, "⚠️ %s", text);
	struct ch_err err = { 0 };
	ch_status st = session_key ? agent_note(gw->agents, session_key, line, &err) : CH_E_NOT_FOUND;

	/* What belongs to no conversation, or to one that is gone, is the owner's to see. */
	if (st == CH_E_NOT_FOUND)
		st = agent_note(gw->agents, mine, line, &err);
	if (st && st != CH_E_NOT_FOUND)
		log_warn("channels", "session=%s: a notice could not be written: %s; the log has it", session_key ? session_key : mine,
			 err.text);
}

static void fence(void *arg, struct buf *out, const char *source, const char *text, size_t len)
{
	fence_put(out, source, text, len);
}

static bool is_command(void *arg, const char *text)
{
	return text && slash_is_command(text, gw_config(arg));
}

static void identity(void *arg, const char *agent_id, struct arena *a, const char **ret_name, const char **ret_emoji)
{
	struct gw *gw = arg;
	const struct agent_info *info = agent_find(gw_config(gw), gw->state_dir, a, agent_id);

	*ret_name = info ? info->name : NULL;
	*ret_emoji = info ? info->emoji : NULL;
}

static ch_status workspace(void *arg, const char *agent_id, struct arena *a, const char **ret, struct ch_err *err)
{
	struct gw *gw = arg;
	const struct agent_info *info = agent_find(gw_config(gw), gw->state_dir, a, agent_id);
	ch_status st;

	if (!info || str_empty(info->workspace))
		return ch_fail(err, CH_E_NOT_FOUND, "the agent '%s' has no workspace", agent_id);
	st = file_mkdirs(info->workspace, 0700, err);
	if (!st)
		*ret = info->workspace;
	return st;
}

static size_t menu(void *arg, struct arena *a, const struct chan_menu **ret)
{
	struct gw *gw = arg;
	size_t count, n = 0;
	const struct slash_command *const *all = slash_commands(&count);
	struct chan_menu *list = arena_alloc(a, (count + 1) * sizeof(*list));

	for (size_t i = 0; i < count; i++)
		if (slash_is_listed(all[i], gw_config(gw)))
			list[n++] = (struct chan_menu){ all[i]->name, all[i]->description };
	*ret = list;
	return n;
}

static ch_status room_moved(void *arg, const char *channel, const char *account, const char *old_id, const char *new_id,
			    struct ch_err *err)
{
	struct gw *gw = arg;

	return rooms_move(gw->config, chan_find(channel), account, old_id, new_id, err);
}

/* Pages that show accounts hear of it by the health event. */
static void on_state(void *arg, const char *channel, const char *account)
{
	struct gw *gw = arg;

	if (gw->hub && !gw->is_stopping)
		hub_health_soon(gw->hub);
}

/* Says where, and nothing of who: lists are read by those who may. */
static void on_pairing(void *arg, const char *channel, const char *account)
{
	struct gw *gw = arg;
	CH_AUTO_BUF struct buf out = { 0 };
	struct jw w = JW(&out);

	if (gw->is_stopping)
		return;
	buf_init(&out, 4096);
	jw_obj(&w);
	jw_kstr(&w, "channel", channel);
	jw_kstr(&w, "accountId", account);
	jw_end(&w);
	if (!out.failed)
		gw_broadcast(gw, &(struct gw_event){ .name = "channels.pairing.changed", .payload = out.data, .len = out.len });
}

void gw_channels_join(struct gw *gw)
{
	chan_host_set_up(gw->channels, &(struct chan_up){
		.arg = gw, .submit = submit, .run_end = run_end, .resume = resume, .follows_channel = follows_channel,
		.ended_events = ended_events, .answerer = answerer,
		.notice = notice, .fence = fence, .is_command = is_command, .menu = menu, .identity = identity, .workspace = workspace,
		.room_moved = room_moved,
		.on_state = on_state, .on_pairing = on_pairing,
		.press = gw_cards_press,
	});
}

/* -- runs -- */

static bool is_end(const struct run_event *ev)
{
	return ev->kind == RUN_EV_CHAT && (ev->state == CHAT_FINAL || ev->state == CHAT_ERROR || ev->state == CHAT_ABORTED);
}

/* An aborted run is told at once and settled later; then its session's row changes. */
static bool is_settled(const struct run_event *ev)
{
	return ev->kind == RUN_EV_SESSION && (str_eq(ev->phase, "end") || str_eq(ev->phase, "error") ||
					      str_eq(ev->reason, "agent.input.settled"));
}

void gw_channels_on_run_event(struct gw *gw, const struct run_event *ev)
{
	struct chan_ingress *ingress = gw->channels ? chan_host_ingress(gw->channels) : NULL;

	if (!ingress || !ev->input_id)
		return;
	gw_channels_live(gw, ev);
	if (is_end(ev) || is_settled(ev))
		ingress_run_ended(ingress, ev->session_key, ev->input_id, ev->is_event);
}
