/*
 * channels/ingress_one.c - one row of a lane: who may, and what becomes of it.
 *
 *	verdict        message, command        press             edit, deletion, reaction, vote, join, leave
 *	ignore         dropped                 dropped           dropped           (who used a command or a button is told so)
 *	ask pairing    a code, once            dropped           dropped
 *	overhear       kept as context         dropped           dropped
 *	admit          a turn                  the card's owner  kept as context: the next turn is told
 */
#include "channels/ingress_priv.h"

#include <string.h>

#include "channels/egress.h"
#include "channels/pairing.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/str.h"

#define HISTORY_DEFAULT 50               /* messages.groupChat.historyLimit */
#define EVENTS_MAX 20                    /* kept for the next turn where no history is */
#define WORD_MAX 80
#define QUOTE_MAX 80                     /* bytes of the message that a notice is about */

const char *ingress_word(struct arena *a, const char *text)
{
	size_t n = text ? strlen(text) : 0, keep = utf8_cut(text ? text : "", n, WORD_MAX);
	char *word = arena_strndup(a, text ? text : "", keep);

	for (char *c = word; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f || strchr("[]{}<>`", *c))
			*c = ' ';
	return str_trim(a, word);
}

const char *ingress_quoting(struct arena *a, const char *notice, const struct chan_in *in)
{
	size_t len, cut;

	if (str_empty(in->text))
		return notice;
	len = strcspn(in->text, "\r\n");
	cut = utf8_cut(in->text, len, QUOTE_MAX);
	return arena_printf(a, "%s\n\n> %.*s%s", notice, (int)cut, in->text, in->text[cut] ? "…" : "");
}

size_t ingress_history_limit(struct chan_acct *acct)
{
	const struct chan_cfg *cfg = chan_acct_cfg(acct);
	const struct json *global = config_get(chan_cfg_config(cfg), "messages.groupChat.historyLimit");
	int64_t own = chan_acct_ops(acct)->history_default;
	int64_t limit = chan_cfg_int(cfg, "historyLimit", -1);

	if (limit < 0 && global)
		limit = json_int_or(global, -1);
	if (limit < 0)
		limit = own > 0 ? own : HISTORY_DEFAULT;
	return (size_t)limit;
}

/* -- ends -- */

static ch_status end_row(struct chan_ingress *g, const struct heard *m, enum inbox_state state, const char *reason, struct ch_err *err)
{
	return inbox_end(g->db, m->row.id, state, reason, err);
}

static ch_status put_answer(struct chan_ingress *g, const struct heard *m, const char *text, enum inbox_state state, const char *reason,
			    struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct chan_message msg = {
		.key = arena_printf(a, "inbox:%lld", (long long)m->row.id), .channel = m->row.channel, .account = m->row.account,
		.peer = m->in.peer, .reply_to = m->in.message_id, .text = text, .handle = m->in.handle, .origin = "notice",
		/* Who used a command or a button is told, not the room. */
		.ephemeral_to = m->in.handle ? m->in.sender.id : NULL,
	};
	int64_t id;
	ch_status st = egress_put(chan_host_egress(g->host), &msg, &id, err);

	if (st == CH_E_EXISTS)
		st = CH_OK;
	return st ? st : inbox_end(g->db, m->row.id, state, reason, err);
}

ch_status ingress_answer(struct chan_ingress *g, const struct heard *m, const char *text, enum inbox_state state, const char *reason,
			 struct ch_err *err)
{
	CH_AUTO(db_rollback) struct db *tx = NULL;
	ch_status st = db_begin(g->db, err);

	if (st)
		return st;
	tx = g->db;
	st = put_answer(g, m, text, state, reason, err);
	if (!st)
		st = db_commit(CH_TAKE(tx), err);
	if (!st)
		egress_wake(chan_host_egress(g->host), m->row.channel, m->row.account);
	return st;
}

/* -- what cannot be handled -- */

static void tell_dead(struct chan_ingress *g, const struct inbox_row *row, const char *reason)
{
	const struct chan_up *up = chan_host_up(g->host);
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);

	log_error("channels", "%s/%s: message %lld cannot be handled: %s; `chela channels dead-letters list` has it", row->channel,
		  row->account, (long long)row->id, log_quote(reason));
	if (up->notice)
		up->notice(up->arg, NULL, arena_printf(a, "A message on %s/%s could not be handled: %s. `chela channels dead-letters list` has it.",
						       row->channel, row->account, reason));
}

#define TEXT_NOT_TAKEN "⚠️ I could not take this message. My operator can see why."

/* Who may speak to us hears of it; a message that cannot even be answered is listed all the same. */
static ch_status end_dead(struct chan_ingress *g, const struct inbox_row *row, const struct heard *m, const char *reason,
			  struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	bool waits = m && m->access && chan_access_verdict(m->access) == CHAN_ADMIT &&
		     (m->in.kind == CHAN_IN_MESSAGE || m->in.kind == CHAN_IN_COMMAND || m->in.kind == CHAN_IN_PRESS);
	ch_status st = waits ? put_answer(g, m, ingress_quoting(a, TEXT_NOT_TAKEN, &m->in), INBOX_DEAD, reason, err) : CH_E_INVALID;

	return st == CH_E_INVALID ? inbox_end(g->db, row->id, INBOX_DEAD, reason, err) : st;
}

ch_status ingress_give_up(struct chan_ingress *g, const struct inbox_row *const *rows, size_t count, const struct heard *m,
			  const char *reason, struct ch_err *err)
{
	CH_AUTO(db_rollback) struct db *tx = NULL;
	ch_status st = db_begin(g->db, err);

	if (st)
		return st;
	tx = g->db;
	st = end_dead(g, rows[0], m, reason, err);
	for (size_t i = 1; i < count && !st; i++)
		st = inbox_end(g->db, rows[i]->id, INBOX_DEAD, reason, err);
	if (!st)
		st = db_commit(CH_TAKE(tx), err);
	if (st)
		return st;
	tell_dead(g, rows[0], reason);
	egress_wake(chan_host_egress(g->host), rows[0]->channel, rows[0]->account);
	return CH_OK;
}

static ch_status give_up(struct chan_ingress *g, const struct inbox_row *row, const struct heard *m, const char *reason,
			 struct ch_err *err)
{
	return ingress_give_up(g, &row, 1, m, reason, err);
}

void ingress_tried_out(void *arg, const struct inbox_row *row)
{
	struct chan_ingress *g = arg;
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct chan_acct *acct = chan_acct_find(g->host, row->channel, row->account);
	struct heard m = { .row = *row };
	bool may_read = row->attempts == INBOX_TRIES_MAX;        /* telling the person stopped it, too */
	struct ch_err err;

	if (may_read && acct && !chan_in_read(row->payload, strlen(row->payload), a, &m.in, NULL))
		m.access = chan_authorise(acct, &m.in, a);
	if (give_up(g, row, &m, "the gateway stopped each time that it was handled", &err))
		log_error("channels", "%s/%s: message %lld: %s; put aside by the next start", row->channel, row->account,
			  (long long)row->id, err.text);
}

/* -- strangers -- */

static const char *pairing_text(const struct heard *m, const struct pairing_request *rq, struct arena *a)
{
	return arena_printf(a, "Hello. I only talk to people my owner has let in, and I do not know you yet.\n\n"
			    "Your id here: `%s`\nPairing code: `%s`\n\n"
			    "If you know my owner, pass the code on. It is valid for an hour; this lets you in:\n"
			    "`chela pairing approve %s %s`", rq->sender_id, rq->code, m->row.channel, rq->code);
}

/* The request and the message with its code, or neither: a code that was made and never sent would be asked for in vain. */
static ch_status put_pairing(struct chan_ingress *g, const struct heard *m, struct arena *a, struct pairing_request *ret, bool *ret_is_new,
			     struct ch_err *err)
{
	CH_AUTO(db_rollback) struct db *tx = NULL;
	struct chan_sender who = m->in.sender;
	ch_status st = db_begin_durable(g->db, err);

	if (st)
		return st;
	tx = g->db;
	who.id = chan_access_sender(m->access);
	st = pairing_ask(chan_host_pairing(g->host), m->row.channel, m->row.account, &who, a, ret, ret_is_new, err);
	if (st)
		return st;
	if (*ret_is_new)
		st = put_answer(g, m, pairing_text(m, ret, a), INBOX_ANSWERED, "pairing: a code was sent", err);
	else
		st = inbox_end(g->db, m->row.id, INBOX_DROPPED, "pairing: the request waits for an answer", err);
	return st ? st : db_commit(CH_TAKE(tx), err);
}

static ch_status ask_pairing(struct chan_ingress *g, struct chan_acct *acct, const struct heard *m, struct arena *a, struct ch_err *err)
{
	const struct chan_up *up = chan_host_up(g->host);
	struct pairing_request rq;
	bool is_new = false;
	ch_status st = put_pairing(g, m, a, &rq, &is_new, err);

	if (st == CH_E_LIMIT)
		return end_row(g, m, INBOX_DROPPED, "pairing: too many requests wait for an answer", err);
	if (st || !is_new)
		return st;
	chan_acct_log(acct, "pairing request of %s", ingress_word(a, rq.sender_id));
	egress_wake(chan_host_egress(g->host), m->row.channel, m->row.account);
	if (up->on_pairing)
		up->on_pairing(up->arg, m->row.channel, m->row.account);
	return CH_OK;
}

/* -- context for later -- */

/* Kept until a turn of the room takes it, or it is pushed out. */
static ch_status keep_as_context(struct chan_ingress *g, const struct heard *m, size_t keep, struct ch_err *err)
{
	CH_AUTO(db_rollback) struct db *tx = NULL;
	ch_status st = db_begin(g->db, err);

	if (st)
		return st;
	tx = g->db;
	st = inbox_end(g->db, m->row.id, INBOX_OVERHEARD, chan_access_reason(m->access), err);
	if (!st)
		st = inbox_forget_overheard(g->db, m->row.lane, 0, keep, err);
	return st ? st : db_commit(CH_TAKE(tx), err);
}

static ch_status overhear(struct chan_ingress *g, struct chan_acct *acct, const struct heard *m, struct ch_err *err)
{
	size_t keep = ingress_history_limit(acct);

	if (m->in.kind != CHAN_IN_MESSAGE)
		return end_row(g, m, INBOX_DROPPED, chan_access_reason(m->access), err);
	if (!keep)
		return end_row(g, m, INBOX_DROPPED, "overheard, and historyLimit is 0", err);
	return keep_as_context(g, m, keep, err);
}

/* -- events that no turn answers -- */

/* Did we send this message? Looked for among the newest of the account. */
static ch_status is_ours(struct chan_ingress *g, const struct heard *m, bool *ret, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	CH_AUTO(db_done) struct db_stmt *row = NULL;
	ch_status st;

	*ret = m->in.quote && m->in.quote->is_ours;
	if (*ret || !m->in.message_id)
		return CH_OK;
	st = db_prep(g->db, "SELECT 1 FROM (SELECT message_ids FROM channel_outbox WHERE channel = ?1 AND account = ?2 AND "
		     "message_ids IS NOT NULL ORDER BY id DESC LIMIT 2000) WHERE instr(message_ids, ?3)", &row, err);
	if (st)
		return st;
	db_bind_text(row, 1, m->row.channel);
	db_bind_text(row, 2, m->row.account);
	db_bind_text(row, 3, json_to_str(a, json_new_str(a, m->in.message_id)));
	return db_step(row, ret, err);
}

/* NULL: the model is told; else why not. */
static ch_status why_untold(struct chan_ingress *g, struct chan_acct *acct, const struct heard *m, const char **ret, struct ch_err *err)
{
	const char *own = chan_access_reactions(m->access);
	const char *policy = own ? own : chan_cfg_str(chan_acct_cfg(acct), "reactionNotifications");
	bool ours;
	ch_status st;

	*ret = NULL;
	if (m->in.kind != CHAN_IN_REACTION || str_eq(policy, "all") || str_eq(policy, "allowlist"))
		return CH_OK;    /* who is not on the list was not admitted */
	*ret = "reactionNotifications is off";
	if (str_eq(policy, "off"))
		return CH_OK;
	*ret = "a reaction to a message that is not ours";
	st = is_ours(g, m, &ours, err);
	if (!st && ours)
		*ret = NULL;
	return st;
}

static ch_status note_event(struct chan_ingress *g, struct chan_acct *acct, const struct heard *m, struct ch_err *err)
{
	size_t keep = ingress_history_limit(acct);
	const char *why;
	ch_status st = why_untold(g, acct, m, &why, err);

	if (st)
		return st;
	if (why)
		return end_row(g, m, INBOX_DROPPED, why, err);
	return keep_as_context(g, m, keep ? keep : EVENTS_MAX, err);
}

/* -- buttons -- */

CH_FIBER static ch_status press(struct chan_ingress *g, struct chan_acct *acct, struct heard *m, struct arena *a, struct ch_err *err)
{
	const struct chan_up *up = chan_host_up(g->host);
	struct chan_press p = { .channel = m->row.channel, .account = m->row.account, .data = m->in.data, .sender_id = m->in.sender.id,
				.sender_name = m->in.sender.name, .message_id = m->in.message_id, .access = m->access };
	const char *told = NULL, *data = m->in.data ? m->in.data : "";
	bool is_value = str_starts(data, EGRESS_BUTTON_VALUE);
	struct batch b = { 0 };
	ch_status st = up->press && !is_value ? up->press(up->arg, &p, a, &told, err) : CH_E_NOT_FOUND;

	if (st == CH_E_NOT_FOUND) {
		/* With what was chosen or written, of a menu or a form. */
		batch_of(m, arena_printf(a, "callback_data: %s%s%s", is_value ? data + strlen(EGRESS_BUTTON_VALUE) : data,
					 m->in.text ? "\n" : "", m->in.text ? m->in.text : ""), a, &b);
		return ingress_turn(g, acct, &b, a, err);
	}
	if (st == CH_E_CANCELED || st == CH_E_IO)
		return st;
	if (st)
		told = arena_printf(a, "⚠️ %s", err->text);
	if (told)
		return ingress_answer(g, m, told, INBOX_ANSWERED, "a button", err);
	return end_row(g, m, INBOX_ANSWERED, "a button", err);
}

/* -- a room's new id -- */

static ch_status room_moved(struct chan_ingress *g, const struct heard *m, struct ch_err *err)
{
	const struct chan_up *up = chan_host_up(g->host);
	struct ch_err why;

	if (up->room_moved && m->in.data &&
	    up->room_moved(up->arg, m->row.channel, m->row.account, m->in.peer.id, m->in.data, &why))
		log_warn("channels", "%s/%s: the settings of a room did not follow it to its new id: %s", m->row.channel, m->row.account,
			 why.text);
	return end_row(g, m, INBOX_ANSWERED, "the room has a new id", err);
}

/* -- one row -- */

CH_FIBER static ch_status admit(struct lane *l, struct chan_acct *acct, struct heard *m, struct arena *a, struct ch_err *err)
{
	struct batch b = { 0 };
	ch_status st;

	switch (m->in.kind) {
	case CHAN_IN_MESSAGE:
	case CHAN_IN_COMMAND:
		st = batch_gather(l, acct, m, a, &b, err);
		return st ? st : ingress_turn(l->g, acct, &b, a, err);
	case CHAN_IN_PRESS:
		return press(l->g, acct, m, a, err);
	case CHAN_IN_MIGRATE:
		return room_moved(l->g, m, err);
	case CHAN_IN_EDIT:
	case CHAN_IN_DELETE:
	case CHAN_IN_REACTION:
	case CHAN_IN_VOTE:
	case CHAN_IN_JOIN:
	case CHAN_IN_LEAVE:
		return note_event(l->g, acct, m, err);
	}
	return end_row(l->g, m, INBOX_DROPPED, "of no known kind", err);
}

static ch_status ignore(struct chan_ingress *g, struct chan_acct *acct, const struct heard *m, struct arena *a, struct ch_err *err)
{
	const char *why = chan_access_reason(m->access);

	log_debug("channels", "%s/%s: message %lld is not taken: %s", m->row.channel, m->row.account, (long long)m->row.id, why);
	/* Where the owner finds the ids to allow. */
	if (!m->in.sender.is_self)
		chan_acct_log(acct, "not taken from %s in %s %s: %s", ingress_word(a, m->in.sender.id),
			      chan_peer_kind_name(m->in.peer.kind), ingress_word(a, m->in.peer.id), why);
	/* A platform's own command waits for its answer: silence would look like a failure. A button does where it can be told alone. */
	if (m->in.handle && !m->in.sender.is_bot &&
	    (m->in.kind == CHAN_IN_COMMAND || (m->in.kind == CHAN_IN_PRESS && chan_acct_ops(acct)->caps & CHAN_EPHEMERAL)))
		return ingress_answer(g, m, m->in.kind == CHAN_IN_COMMAND ? "You are not allowed to use this command here."
									  : "You are not allowed to use this button.",
				      INBOX_DROPPED, why, err);
	return end_row(g, m, INBOX_DROPPED, why, err);
}

CH_FIBER static ch_status judge(struct lane *l, struct chan_acct *acct, struct heard *m, struct arena *a, struct ch_err *err)
{
	m->access = chan_authorise(acct, &m->in, a);
	switch (chan_access_verdict(m->access)) {
	case CHAN_IGNORE:
		return ignore(l->g, acct, m, a, err);
	case CHAN_ASK_PAIRING:
		return ask_pairing(l->g, acct, m, a, err);
	case CHAN_OVERHEAR:
		return overhear(l->g, acct, m, err);
	case CHAN_ADMIT:
		return admit(l, acct, m, a, err);
	}
	return end_row(l->g, m, INBOX_DROPPED, "nobody decided", err);
}

ch_status ingress_one(struct lane *l, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	CH_AUTO(chan_acct_unref) struct chan_acct *acct = NULL;
	struct heard *m = arena_alloc(a, sizeof(*m));
	struct ch_err why;
	ch_status st = inbox_next(l->g->db, l->key, a, &m->row, err);

	if (st)
		return st;
	acct = chan_acct_find(l->g->host, m->row.channel, m->row.account);
	if (!acct)
		return give_up(l->g, &m->row, NULL, "the account is not in the configuration any more", err);
	chan_acct_ref(acct);
	if (chan_in_read(m->row.payload, strlen(m->row.payload), a, &m->in, &why))
		return give_up(l->g, &m->row, NULL, arena_strdup(a, why.text), err);
	st = judge(l, acct, m, a, err);
	if (!st || st == CH_E_BUSY || st == CH_E_IO || st == CH_E_CANCELED)
		return st;
	st = give_up(l->g, &m->row, m, arena_strdup(a, err->text), err);
	return st == CH_E_CONFLICT ? CH_OK : st;         /* it has ended meanwhile */
}
