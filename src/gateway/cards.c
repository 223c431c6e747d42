/*
 * gateway/cards.c - see cards.h: cards are put out, pressed, and told how it ended.
 */
#include "gateway/cards.h"

#include <string.h>

#include "channels/access.h"
#include "channels/egress.h"
#include "channels/host.h"
#include "channels/ingress.h"
#include "channels/route.h"
#include "channels/target.h"
#include "core/clock.h"
#include "core/fiber.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/rand.h"
#include "core/str.h"
#include "gateway/services.h"

#define EDIT_WAIT_MS 120000              /* for a card that is still on its way when its subject ends */
#define EDIT_AGAIN_MS 500                /* … whose network is not there yet */

/* -- putting one out -- */

struct choice { const char *text, *value; enum chan_button_style style; };
struct choices { struct choice at[CHAN_BUTTONS_MAX]; size_t len; };
struct card { const char *kind, *subject, *session_key; int64_t expires_at; struct choices choices; };

struct saved { int64_t outbox_id; const struct card_place *place; const char *peer; };

/* In the open transaction: what a button's token stands for. */
static ch_status save_button(struct db *db, const struct card *card, const struct saved *at, const char *choice, const char *token,
			     struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *s = NULL;
	ch_status st = db_prep(db, "INSERT INTO channel_cards (token, kind, subject, choice, outbox_id, channel, account, peer, "
				   "expires_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)", &s, err);

	if (st)
		return st;
	db_bind_text(s, 1, token);
	db_bind_text(s, 2, card->kind);
	db_bind_text(s, 3, card->subject);
	db_bind_text(s, 4, choice);
	db_bind_int(s, 5, at->outbox_id);
	db_bind_text(s, 6, at->place->channel);
	db_bind_text(s, 7, at->place->account);
	db_bind_text(s, 8, at->peer);
	db_bind_int(s, 9, card->expires_at + CARD_KEEP_MS);
	return db_run(CH_TAKE(s), NULL, err);
}

static ch_status forget_old(struct db *db, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *s = NULL;
	ch_status st = db_prep(db, "DELETE FROM channel_cards WHERE expires_at < ?1", &s, err);

	if (st)
		return st;
	db_bind_int(s, 1, now_wall_ms());
	return db_run(CH_TAKE(s), NULL, err);
}

static ch_status save_buttons(struct db *db, const struct card *card, const struct chan_button *buttons, size_t count,
			      const struct saved *at, struct ch_err *err)
{
	char token[4 * CARD_TOKEN_BYTES];
	ch_status st = forget_old(db, err);

	for (size_t i = 0; i < count && !st; i++)
		st = save_button(db, card, at, card->choices.at[i].value, buttons[i].data, err);
	if (count || st)
		return st;
	rand_token(CARD_TOKEN_BYTES, token);     /* no buttons: the row still says which message to edit */
	return save_button(db, card, at, "", token, err);
}

static size_t make_buttons(struct gw *gw, const struct card *card, const struct card_place *place, struct arena *a, struct chan_button *ret)
{
	const struct chan_ops *ops = chan_find(place->channel);
	size_t max = CH_MIN((size_t)CH_MAX(ops->limits.buttons_max, 0), (size_t)CHAN_BUTTONS_MAX), n = card->choices.len;

	if (!n || n > max || !chan_has_buttons(gw->channels, place->channel, place->account, &place->peer))
		return 0;
	for (size_t i = 0; i < n; i++) {
		char token[4 * CARD_TOKEN_BYTES];

		rand_token(CARD_TOKEN_BYTES, token);
		ret[i] = (struct chan_button){ .text = card->choices.at[i].text, .data = arena_strdup(a, token),
					       .style = card->choices.at[i].style, .ends_row = i % 3 == 2 || n == 2 * (i + 1) };
	}
	return n;
}

typedef const char *(*card_text_fn)(struct arena *a, const void *subject, bool has_buttons);

static ch_status put_card(struct gw *gw, const struct card *card, const struct card_place *place, card_text_fn text,
			  const void *subject, struct arena *a, struct ch_err *err)
{
	CH_AUTO(db_rollback) struct db *tx = NULL;
	struct chan_button buttons[CHAN_BUTTONS_MAX];
	size_t n = make_buttons(gw, card, place, a, buttons);
	struct chan_message m = {
		.key = arena_printf(a, "card:%s:%s:%s", card->kind, card->subject,
				    chan_lane(a, place->channel, place->account, &place->peer)),
		.channel = place->channel, .account = place->account, .peer = place->peer, .reply_to = place->message_id,
		.text = text(a, subject, n > 0), .buttons = buttons, .button_count = n, .session_key = card->session_key,
		.origin = "card",
	};
	int64_t id;
	ch_status st = db_begin_durable(gw->db, err);

	if (st)
		return st;
	tx = gw->db;
	st = egress_put(chan_host_egress(gw->channels), &m, &id, err);
	if (st == CH_E_EXISTS)
		return CH_OK;                    /* told before a restart */
	if (!st)
		st = save_buttons(gw->db, card, buttons, n,
				  &(struct saved){ id, place, json_to_str(a, chan_peer_json(a, &place->peer)) }, err);
	if (!st)
		st = db_commit(CH_TAKE(tx), err);
	if (!st)
		egress_wake(chan_host_egress(gw->channels), place->channel, place->account);
	return st;
}

static void put_cards(struct gw *gw, const struct card *card, const struct card_places *places, card_text_fn text,
		      const void *subject, struct arena *a)
{
	for (size_t i = 0; i < places->len; i++) {
		struct ch_err err = { 0 };

		if (put_card(gw, card, &places->at[i], text, subject, a, &err))
			log_warn("cards", "%s %s cannot be shown on %s: %s; other surfaces still can answer it", card->kind, card->subject,
				 places->at[i].channel, err.text);
	}
}

/* -- how it ended: all cards say so -- */

struct card_ending { struct gw *gw; char *kind, *subject, *text; struct fiber *fiber; struct card_ending *next; };

static void ending_unlink(struct card_ending *e)
{
	struct card_ending **at = &e->gw->card_endings;

	while (*at != e)
		at = &(*at)->next;
	*at = e->next;
	fiber_cond_broadcast(&e->gw->card_ended);
}

static void ending_free(struct card_ending *e)
{
	ch_free(e->kind);
	ch_free(e->subject);
	ch_free(e->text);
	ch_free(e);
}

struct sent_card { int64_t outbox_id; const char *channel, *account, *peer; };

static ch_status read_cards(const struct card_ending *e, struct arena *a, struct sent_card *ret, size_t cap, size_t *ret_n,
			    struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *s = NULL;
	bool has_row = true;
	ch_status st = db_prep(e->gw->db, "SELECT DISTINCT outbox_id, channel, account, peer FROM channel_cards "
					  "WHERE kind = ?1 AND subject = ?2 AND peer <> ''", &s, err);

	if (st)
		return st;
	db_bind_text(s, 1, e->kind);
	db_bind_text(s, 2, e->subject);
	for (*ret_n = 0; *ret_n < cap;) {
		st = db_step(s, &has_row, err);
		if (st || !has_row)
			return st;
		ret[(*ret_n)++] = (struct sent_card){ db_int(s, 0), arena_strdup(a, db_text(s, 1)), arena_strdup(a, db_text(s, 2)),
						      arena_strdup(a, db_text(s, 3)) };
	}
	return CH_OK;
}

static ch_status note_edited(struct db *db, int64_t outbox_id, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *s = NULL;
	ch_status st = db_prep(db, "UPDATE channel_cards SET peer = '' WHERE outbox_id = ?1", &s, err);

	if (st)
		return st;
	db_bind_int(s, 1, outbox_id);
	return db_run(CH_TAKE(s), NULL, err);
}

static CH_FIBER ch_status edit_card(const struct card_ending *e, const struct sent_card *c, struct arena *a, struct ch_err *err)
{
	struct chan_egress *eg = chan_host_egress(e->gw->channels);
	struct chan_receipt sent = { 0 };
	struct json *peer_json = NULL;
	struct chan_peer peer;
	ch_status st = egress_wait(eg, c->outbox_id, fiber_deadline(EDIT_WAIT_MS), a, &sent, err);

	if (st || !sent.message_id)
		return st;                       /* it did not arrive: nothing to edit */
	st = json_parse(a, c->peer, strlen(c->peer), JSON_STRICT, &peer_json, err);
	if (!st)
		st = chan_peer_read(peer_json, a, &peer, err);
	if (!st)
		st = egress_edit(eg, c->channel, c->account, &peer, sent.message_id, e->text, NULL, 0, err);
	return st ? st : note_edited(e->gw->db, c->outbox_id, err);
}

/* A press may come before the network says that it is there, as after a start; and an edit may have to wait for its limits. */
static CH_FIBER ch_status edit_card_in_time(const struct card_ending *e, const struct sent_card *c, struct arena *a, struct ch_err *err)
{
	int64_t until_ms = fiber_deadline(EDIT_WAIT_MS);
	ch_status st = edit_card(e, c, a, err);

	while (st == CH_E_BUSY && now_mono_ms() < until_ms && !fiber_sleep(EDIT_AGAIN_MS))
		st = edit_card(e, c, a, err);
	return st;
}

static CH_FIBER void tell_ending(void *arg)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct sent_card cards[CARD_PLACES_MAX];
	struct card_ending *e = arg;
	struct ch_err err = { 0 };
	size_t n = 0;

	if (read_cards(e, a, cards, CARD_PLACES_MAX, &n, &err))
		log_warn("cards", "the cards of %s %s: %s; they stay as they are", e->kind, e->subject, err.text);
	for (size_t i = 0; i < n; i++) {
		const struct chan_ops *ops = chan_find(cards[i].channel);

		if (!fiber_canceled() && ops && (ops->caps & CHAN_EDIT) && edit_card_in_time(e, &cards[i], a, &err))
			log_info("cards", "a card on %s keeps its old text: %s", cards[i].channel, err.text);
	}
	ending_unlink(e);
	ending_free(e);
}

static void end_cards(struct gw *gw, const char *kind, const char *subject, const char *text)
{
	struct card_ending *e;

	if (gw->are_cards_over)
		return;                          /* the row says how it ended; the card's buttons still tell it */
	e = ch_alloc(sizeof(*e));
	*e = (struct card_ending){ gw, ch_strdup(kind), ch_strdup(subject), ch_strdup(text), .next = gw->card_endings };
	gw->card_endings = e;
	e->fiber = fiber_spawn(gw->loop, "card", FIBER_DETACHED, tell_ending, e);
}

CH_FIBER void gw_cards_drain(struct gw *gw)
{
	gw->are_cards_over = true;
	for (const struct card_ending *e = gw->card_endings; e; e = e->next)
		fiber_cancel(e->fiber);
	/* Without an end of its own: what is cancelled comes back at its next wait. */
	fiber_mask(+1);
	while (gw->card_endings)
		if (fiber_cond_wait(&gw->card_ended, FIBER_FOREVER))
			break;
	fiber_mask(-1);
}

/* -- approvals -- */

static const char *approval_text(struct arena *a, const void *subject, bool has_buttons)
{
	return card_approval_text(a, subject, has_buttons);
}

void gw_cards_on_approval(struct gw *gw, const struct approval *row)
{
	static const struct { enum approval_decision decision; const char *text; enum chan_button_style style; } words[] = {
		{ APPROVAL_ALLOW_ONCE, "Allow once", CHAN_BUTTON_PRIMARY }, { APPROVAL_ALLOW_ALWAYS, "Always", CHAN_BUTTON_PLAIN },
		{ APPROVAL_DENY, "Deny", CHAN_BUTTON_DANGER },
	};
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct card card = { "approval", row->id, row->session_key, row->expires_at };
	struct card_places places;

	if (!gw->channels)
		return;
	if (row->status != APPROVAL_PENDING) {
		end_cards(gw, "approval", row->id, card_approval_text(a, row, false));
		return;
	}
	for (size_t i = 0; i < CH_ARRAY_LEN(words); i++)
		if (row->decisions & words[i].decision)
			card.choices.at[card.choices.len++] =
				(struct choice){ words[i].text, approval_decision_name(words[i].decision), words[i].style };
	card_approval_places(gw, row->kind, row->agent_id, row->session_key, a, &places);
	put_cards(gw, &card, &places, approval_text, row, a);
}

bool gw_cards_reach(struct gw *gw, const char *session_key)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct card_places places;

	if (!gw->channels)
		return false;
	for (enum approval_kind kind = APPROVAL_EXEC; kind <= APPROVAL_PLUGIN; kind++) {
		card_approval_places(gw, kind, NULL, session_key, a, &places);
		for (size_t i = 0; i < places.len; i++) {
			struct chan_acct *acct = chan_acct_find(gw->channels, places.at[i].channel, places.at[i].account);

			if (acct && chan_acct_is_up(acct) && *card_approvers(gw, places.at[i].channel, places.at[i].account, a))
				return true;
		}
	}
	return false;
}

/* -- questions -- */

static const char *question_text(struct arena *a, const void *subject, bool has_buttons)
{
	return card_question_text(a, subject, has_buttons);
}

/* One question with one answer of a few: buttons. */
static void question_choices(const struct question *q, struct choices *ret)
{
	const struct json *one = json_at(q->questions, 0);

	if (json_len(q->questions) != 1 || json_get_bool(one, "multiSelect", false) || json_get_bool(one, "isSecret", false) ||
	    json_len(json_get(one, "options")) > CHAN_BUTTONS_MAX)
		return;
	json_each(option, json_get(one, "options")) {
		const char *label = json_get_str(option, "label");

		if (label)
			ret->at[ret->len++] = (struct choice){ label, label, CHAN_BUTTON_PLAIN };
	}
}

void gw_cards_on_question(struct gw *gw, const struct question *q)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct card card = { "question", q->id, q->session_key, q->expires_at };
	struct card_places places = { .len = 1 };
	struct chan_place from;

	if (!gw->channels || !q->session_key)
		return;
	if (q->status != QUESTION_PENDING) {
		end_cards(gw, "question", q->id, card_answer_text(a, q));
		return;
	}
	if (!q->run_id || ingress_place_of_run(chan_host_ingress(gw->channels), q->run_id, a, &from, NULL))
		return;                          /* asked in a conversation of the page or the terminal */
	places.at[0] = (struct card_place){ from.channel, from.account, from.peer, from.message_id };
	question_choices(q, &card.choices);
	put_cards(gw, &card, &places, question_text, q, a);
}

/* -- presses -- */

#define TEXT_OVER "This was answered before, or its time is over."

struct button { const char *kind, *subject, *choice; int64_t outbox_id; };

static ch_status find_button(struct gw *gw, const char *token, struct arena *a, struct button *ret, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *s = NULL;
	bool has_row;
	ch_status st = db_prep(gw->db, "SELECT kind, subject, choice, outbox_id FROM channel_cards WHERE token = ?1 AND expires_at > ?2", &s,
			       err);

	if (st)
		return st;
	db_bind_text(s, 1, token);
	db_bind_int(s, 2, now_wall_ms());
	st = db_step(s, &has_row, err);
	if (st)
		return st;
	if (!has_row)
		return ch_fail(err, CH_E_NOT_FOUND, "no card of ours has this button");
	*ret = (struct button){ arena_strdup(a, db_text(s, 0)), arena_strdup(a, db_text(s, 1)), arena_strdup(a, db_text(s, 2)),
				db_int(s, 3) };
	return CH_OK;
}

/* The gateway may have been killed before it was told which message the card became. */
static void note_arrival(struct gw *gw, const struct chan_press *p, const struct button *b)
{
	struct ch_err err = { 0 };

	if (p->message_id && egress_arrived(chan_host_egress(gw->channels), b->outbox_id, p->message_id, &err))
		log_info("cards", "a card on %s was pressed and is not known to have arrived: %s; it keeps its text", p->channel, err.text);
}

static ch_status press_approval(struct gw *gw, const struct chan_press *p, const struct button *b, struct arena *a,
				const char **ret_text, struct ch_err *err)
{
	struct approval_resolver by = { .kind = "channel", .id = arena_printf(a, "%s:%s", p->channel, p->sender_id),
					.name = p->sender_name ? p->sender_name : p->sender_id };
	enum approval_decision decision;
	struct approval row = { 0 };
	ch_status st;

	if (!card_is_approver(gw, p->channel, p->account, p->sender_id)) {
		*ret_text = "You may not answer this: only the approvers of this gateway may.";
		return CH_OK;
	}
	if (!approval_decision_parse(b->choice, &decision))
		return ch_fail(err, CH_E_INVALID, "the card's button says '%.40s'", b->choice);
	st = approval_resolve(gw->services->host.approvals, b->subject, decision, &by, a, &row, err);
	if (st == CH_E_NOT_FOUND) {
		*ret_text = TEXT_OVER;
		return CH_OK;
	}
	if (st != CH_E_CONFLICT)
		return st;
	/* A press that is handled again after a crash is no second one. */
	if (!str_eq(json_get_str(row.resolver, "id"), by.id) || row.decision != decision)
		*ret_text = TEXT_OVER;
	if (row.id)
		gw_cards_on_approval(gw, &row);  /* this card does not say so yet */
	return CH_OK;
}

static bool may_answer(struct gw *gw, const struct chan_press *p, const struct question *q, struct arena *a)
{
	struct chan_place from;

	if (chan_access_is_owner(p->access))
		return true;
	if (!q->run_id || ingress_place_of_run(chan_host_ingress(gw->channels), q->run_id, a, &from, NULL))
		return false;
	return str_eq(from.channel, p->channel) && str_eq(from.account, p->account) && str_eq(from.sender_id, p->sender_id);
}

/* Was it this press that answered, before a crash? */
static bool has_answered(const struct chan_press *p, const struct button *b, const struct question *q, struct arena *a)
{
	const struct json *list = json_get(q->answers, json_str_or(json_get(json_at(q->questions, 0), "questionId"), ""));

	return str_eq(json_str(q->resolved_by), arena_printf(a, "%s:%s", p->channel, p->sender_id)) &&
	       str_eq(json_str(json_at(list, 0)), b->choice);
}

static ch_status press_question(struct gw *gw, const struct chan_press *p, const struct button *b, struct arena *a,
				const char **ret_text, struct ch_err *err)
{
	struct json *answers = json_new_obj(a), *list = json_new_arr(a);
	struct questions *qs = gw->services->host.questions;
	struct question q;
	ch_status st = question_find(qs, b->subject, a, &q, err);

	if (st && st != CH_E_NOT_FOUND)
		return st;
	if (st || q.status != QUESTION_PENDING) {
		if (st || !has_answered(p, b, &q, a))
			*ret_text = TEXT_OVER;
		if (!st)
			gw_cards_on_question(gw, &q);
		return CH_OK;
	}
	if (!may_answer(gw, p, &q, a)) {
		*ret_text = "This question is for somebody else.";
		return CH_OK;
	}
	json_push(list, json_new_str(a, b->choice));
	json_set(a, answers, json_str_or(json_get(json_at(q.questions, 0), "questionId"), ""), list);
	return question_resolve(qs, q.id, answers, json_new_str(a, arena_printf(a, "%s:%s", p->channel, p->sender_id)), NULL, a, &q, err);
}

CH_FIBER ch_status gw_cards_press(void *arg, const struct chan_press *p, struct arena *a, const char **ret_text, struct ch_err *err)
{
	struct gw *gw = arg;
	struct button b;
	ch_status st = find_button(gw, p->data, a, &b, err);

	*ret_text = NULL;
	if (st)
		return st;
	note_arrival(gw, p, &b);
	if (str_eq(b.kind, "approval"))
		return press_approval(gw, p, &b, a, ret_text, err);
	if (str_eq(b.kind, "question"))
		return press_question(gw, p, &b, a, ret_text, err);
	return ch_fail(err, CH_E_NOT_FOUND, "a button of kind '%.20s' means nothing here", b.kind);
}

/* -- after a restart -- */

struct subject { const char *kind, *id; struct subject *next; };

/* What has cards that do not say yet how it ended. */
static ch_status find_subjects(struct gw *gw, struct arena *a, struct subject **ret, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *s = NULL;
	bool has_row;
	ch_status st = db_prep(gw->db, "SELECT DISTINCT kind, subject FROM channel_cards WHERE peer <> '' AND expires_at > ?1", &s, err);

	if (st)
		return st;
	db_bind_int(s, 1, now_wall_ms());
	while (!(st = db_step(s, &has_row, err)) && has_row) {
		struct subject *x = arena_alloc(a, sizeof(*x));

		*x = (struct subject){ arena_strdup(a, db_text(s, 0)), arena_strdup(a, db_text(s, 1)), *ret };
		*ret = x;
	}
	return st;
}

static bool is_ending(const struct gw *gw, const struct subject *x)
{
	for (const struct card_ending *e = gw->card_endings; e; e = e->next)
		if (str_eq(e->kind, x->kind) && str_eq(e->subject, x->id))
			return true;
	return false;
}

static ch_status end_left(struct gw *gw, const struct subject *x, struct arena *a, struct ch_err *err)
{
	struct question q = { .status = QUESTION_PENDING };
	struct approval row = { .status = APPROVAL_PENDING };
	ch_status st = CH_OK;

	if (is_ending(gw, x))
		return CH_OK;
	if (str_eq(x->kind, "approval"))
		st = approval_find(gw->services->host.approvals, x->id, a, &row, err);
	else if (str_eq(x->kind, "question"))
		st = question_find(gw->services->host.questions, x->id, a, &q, err);
	if (st)
		return st == CH_E_NOT_FOUND ? CH_OK : st;
	if (row.status != APPROVAL_PENDING)
		gw_cards_on_approval(gw, &row);
	if (q.status != QUESTION_PENDING)
		gw_cards_on_question(gw, &q);
	return CH_OK;
}

static bool show_approval(void *arg, const struct approval *row)
{
	gw_cards_on_approval(arg, row);
	return true;
}

static bool show_question(void *arg, const struct question *q)
{
	gw_cards_on_question(arg, q);
	return true;
}

void gw_cards_recover(struct gw *gw)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct subject *list = NULL;
	struct ch_err err = { 0 };
	ch_status st = approval_pending(gw->services->host.approvals, NULL, show_approval, gw, &err);

	if (!st)
		st = question_pending(gw->services->host.questions, show_question, gw, &err);
	if (!st)
		st = find_subjects(gw, a, &list, &err);
	for (const struct subject *x = list; x && !st; x = x->next)
		st = end_left(gw, x, a, &err);
	if (st)
		log_error("cards", "what the last stop left is not shown or not edited: %s; the page and the command line have it", err.text);
}
