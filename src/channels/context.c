/*
 * channels/context.c - see context.h.
 */
#include "channels/context.h"

#include <string.h>

#include "core/clock.h"
#include "core/str.h"

#define HISTORY_INTRO "[Chat messages since your last reply - for context]\n"
#define CURRENT_INTRO "[Current message - respond to this]\n"

struct making {
	struct chan_ingress *g;
	struct chan_acct *acct;
	const struct chan_access *access;
	const struct batch *batch;
	const struct json *earlier;
	struct arena *arena;
	struct buf out;
	bool has_outside;
};

static void fence(struct making *m, const char *source, const char *text, size_t len)
{
	const struct chan_up *up = chan_host_up(m->g->host);

	if (!up->fence)
		return;          /* without marks it is not shown at all */
	up->fence(up->arg, &m->out, source, text, len);
	buf_putc(&m->out, '\n');
	m->has_outside = true;
}

/* A name that people choose, in a line of ours: what is in parentheses or quotes there is said by us. */
static const char *chosen_name(struct making *m, const char *name)
{
	char *word = arena_strdup(m->arena, ingress_word(m->arena, name));

	for (char *c = word; *c; c++)
		if (strchr("()\"", *c))
			*c = ' ';
	return str_trim(m->arena, word);
}

static const char *who(struct making *m, const char *name, const char *id)
{
	const char *word = chosen_name(m, name), *key = ingress_word(m->arena, id);

	if (!*word || str_eq(word, key))
		return *key ? key : "somebody";
	return *key ? arena_printf(m->arena, "%s (%s)", word, key) : word;
}

/* "2026-11-22 19:30 UTC" */
static const char *when(struct making *m, int64_t at_ms)
{
	char iso[CLOCK_ISO_LEN];

	clock_iso(at_ms, iso);
	return arena_printf(m->arena, "%.10s %.5s UTC", iso, iso + 11);
}

/* -- places -- */

static void put_point(struct buf *out, const struct chan_location *l)
{
	buf_printf(out, "%s%.6f, %.6f", l->is_live ? "🛰 Live location: " : "📍 ", l->lat, l->lon);
	if (l->accuracy_m > 0)
		buf_printf(out, " ±%.0fm", l->accuracy_m);
}

static const char *point_of(struct arena *a, const struct chan_location *l)
{
	CH_AUTO_BUF struct buf out = { 0 };

	buf_init(&out, 512);
	put_point(&out, l);
	return arena_strdup(a, buf_str(&out));
}

static void put_place_name(struct making *m, const struct chan_location *l)
{
	if (!l || (str_empty(l->name) && str_empty(l->address)))
		return;
	const char *words = arena_printf(m->arena, "%s%s%s", l->name ? l->name : "", l->name && l->address ? ", " : "",
					 l->address ? l->address : "");

	buf_puts(&m->out, "[What the location is called]\n");
	fence(m, "location", words, strlen(words));
}

/* -- the room -- */

struct lines { struct making *m; struct buf out; size_t count; const char *lane; };

static void put_media_words(struct buf *out, const struct chan_in *in)
{
	for (size_t i = 0; i < in->media_count; i++)
		buf_printf(out, "<media:%s> ", chan_media_kind_name(in->media[i].kind));
}

static void put_said(struct lines *l, const struct chan_in *in)
{
	const char *text = in->text ? in->text : "";
	size_t n = strlen(text), keep = utf8_cut(text, n, CONTEXT_LINE_MAX);

	buf_printf(&l->out, "%s: ", who(l->m, in->sender.name ? in->sender.name : in->sender.username, in->sender.id));
	put_media_words(&l->out, in);
	if (in->location)
		put_point(&l->out, in->location);
	buf_append(&l->out, text, keep);
	buf_puts(&l->out, keep < n ? "…\n" : "\n");
}

/* What happened without words. The ids are the platform's. */
static void put_event(struct lines *l, const struct chan_in *in)
{
	struct arena *a = l->m->arena;
	const char *by = who(l->m, in->sender.name ? in->sender.name : in->sender.username, in->sender.id);
	const char *id = ingress_word(a, in->message_id), *text = in->text ? in->text : "";
	size_t keep = utf8_cut(text, strlen(text), CONTEXT_LINE_MAX);

	switch (in->kind) {
	case CHAN_IN_EDIT:
		buf_printf(&l->out, "* %s changed message %s; it now reads: %.*s\n", by, id, (int)keep, text);
		break;
	case CHAN_IN_DELETE:
		buf_printf(&l->out, "* message %s was deleted\n", id);
		break;
	case CHAN_IN_REACTION:
		buf_printf(&l->out, "* %s %s the reaction %s %s message %s\n", by, in->is_removed ? "took back" : "set",
			   ingress_word(a, in->emoji), in->is_removed ? "from" : "on", id);
		break;
	case CHAN_IN_VOTE:
		buf_printf(&l->out, "* %s answered the poll %s: %s\n", by, id, ingress_word(a, in->data));
		break;
	case CHAN_IN_JOIN:
		buf_printf(&l->out, "* you were added to this room by %s\n", by);
		break;
	case CHAN_IN_LEAVE:
		buf_puts(&l->out, "* you were taken out of this room\n");
		break;
	default:
		put_said(l, in);
	}
}

static void put_row(void *arg, const struct inbox_row *r)
{
	struct lines *l = arg;
	struct chan_in in;

	if (!r->payload || chan_in_read(r->payload, strlen(r->payload), l->m->arena, &in, NULL))
		return;
	if (l->m->earlier && in.kind == CHAN_IN_MESSAGE && str_eq(l->lane, l->m->batch->at[0]->row.lane))
		return;          /* the network has told it */
	if (!chan_context_allows(l->m->acct, l->m->access, in.sender.id, false))
		return;
	put_event(l, &in);
	l->count++;
}

static bool is_of_batch(const struct batch *b, const char *message_id)
{
	for (size_t i = 0; i < b->len; i++)
		if (message_id && str_eq(b->at[i]->in.message_id, message_id))
			return true;
	return false;
}

/* {id, senderId, senderName, text, at} */
static void put_earlier(struct lines *l)
{
	const char *self = chan_acct_self_id(l->m->acct);

	json_each(said, l->m->earlier) {
		const char *id = json_get_str(said, "senderId");
		struct chan_in in = { .kind = CHAN_IN_MESSAGE, .sender = { .id = id, .name = json_get_str(said, "senderName") },
				      .text = json_get_str(said, "text") };

		if (str_empty(in.text) || is_of_batch(l->m->batch, json_get_str(said, "id")))
			continue;
		if (self && str_eq(id, self))
			in.sender = (struct chan_sender){ .id = "you" };
		else if (!chan_context_allows(l->m->acct, l->m->access, id, false))
			continue;
		put_said(l, &in);
		l->count++;
	}
}

/* Whose overheard words are told: of the thread, or (thread.historyScope) of the channel that it hangs in. */
static const char *overheard_lane(const struct making *m)
{
	const struct inbox_row *first = &m->batch->at[0]->row;
	struct chan_peer room = m->batch->in.peer;

	if (!room.thread || !str_eq(chan_cfg_str(chan_acct_cfg(m->acct), "thread.historyScope"), "channel"))
		return first->lane;
	room.thread = NULL;
	return chan_lane(m->arena, first->channel, first->account, &room);
}

static ch_status put_room(struct making *m, struct ch_err *err)
{
	const struct inbox_row *first = &m->batch->at[0]->row;
	struct lines l = { .m = m, .lane = overheard_lane(m) };
	size_t limit = CH_MAX(ingress_history_limit(m->acct), 1);
	ch_status st;

	buf_init(&l.out, CONTEXT_MAX / 2);
	put_earlier(&l);
	st = inbox_overheard(m->g->db, l.lane, first->id, limit, m->arena, put_row, &l, err);
	if (!st && l.count) {
		buf_puts(&m->out, HISTORY_INTRO);
		fence(m, arena_printf(m->arena, "%s room", first->channel), buf_str(&l.out), l.out.len ? l.out.len - 1 : 0);
	}
	buf_done(&l.out);
	return st;
}

/* -- this message -- */

static void put_quote(struct making *m, const struct chan_quote *q)
{
	const char *text = q && q->text ? q->text : "";
	bool had = m->has_outside;

	if (!q || (!q->is_ours && !chan_context_allows(m->acct, m->access, q->sender_id, true)))
		return;
	buf_printf(&m->out, "[Replying to %s%s%s]\n", q->is_ours ? "you" : who(m, q->sender_name, q->sender_id),
		   q->message_id ? " id:" : "", ingress_word(m->arena, q->message_id));
	if (*text)
		fence(m, "quoted message", text, utf8_cut(text, strlen(text), CONTEXT_QUOTE_MAX));
	if (q->is_ours)
		m->has_outside = had;    /* our own words are not from outside */
	buf_puts(&m->out, "[/Replying]\n");
}

static void put_forwarded(struct making *m)
{
	for (size_t i = 0; i < m->batch->len; i++) {
		const struct chan_in *in = &m->batch->at[i]->in;

		if (!in->is_forwarded || str_empty(in->text))
			continue;
		buf_puts(&m->out, "[Forwarded message, others' words]\n");
		fence(m, "forwarded message", in->text, strlen(in->text));
	}
}

static void put_envelope(struct making *m, const struct chan_turn *turn)
{
	const struct chan_in *in = &m->batch->in;
	bool is_group = in->peer.kind != CHAN_DIRECT;
	const char *room = chosen_name(m, in->peer.name);

	buf_printf(&m->out, "[%s", chan_acct_ops(m->acct)->label);
	if (is_group)
		buf_printf(&m->out, " %s%s%s%s", chan_peer_kind_name(in->peer.kind), *room ? " \"" : "", room, *room ? "\"" : "");
	buf_printf(&m->out, " from %s, %s", who(m, turn->sender_name, turn->sender_id),
		   when(m, in->at_ms ? in->at_ms : m->batch->at[0]->row.received_at));
	if (in->message_id)
		buf_printf(&m->out, ", message %s", ingress_word(m->arena, in->message_id));
	buf_puts(&m->out, "]\n");
}

static void fill_empty_text(struct making *m, const struct chan_media_taken *media, struct chan_turn *turn)
{
	if (turn->text[strspn(turn->text, " \t\r\n")])
		return;
	if (m->batch->in.location)
		turn->text = point_of(m->arena, m->batch->in.location);
	else if (media->placeholder)
		turn->text = media->placeholder;
	else
		turn->text = "[a message without text]";
}

ch_status context_make(struct chan_ingress *g, struct chan_acct *acct, const struct chan_access *x, const struct batch *b,
		       const struct chan_media_taken *media, const struct json *earlier, struct arena *a, struct chan_turn *turn,
		       struct ch_err *err)
{
	struct making m = { .g = g, .acct = acct, .access = x, .batch = b, .earlier = earlier, .arena = a };
	ch_status st;

	buf_init(&m.out, CONTEXT_MAX);
	st = put_room(&m, err);
	put_quote(&m, b->in.quote);
	put_forwarded(&m);
	put_place_name(&m, b->in.location);
	if (media->lines)
		buf_printf(&m.out, "[Files of this message]\n%s", media->lines);
	if (m.has_outside || media->lines)
		buf_puts(&m.out, CURRENT_INTRO);
	put_envelope(&m, turn);
	fill_empty_text(&m, media, turn);
	if (!st && m.out.failed)
		buf_clear(&m.out);       /* larger than anybody reads: the message itself is what counts */
	turn->context = arena_strndup(a, buf_str(&m.out), m.out.len);
	turn->has_outside = m.has_outside;
	buf_done(&m.out);
	return st;
}
