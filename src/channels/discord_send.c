/*
 * channels/discord_send.c - what goes out: messages, edits, deletions, reactions, typing.
 *
 * Once    a message carries a nonce that Discord enforces for some minutes: a repeat within them gives the first one. Later, and
 *         for what takes no nonce (answers to interactions, forum posts), discord_reconcile.c looks at what is there.
 * Pings   nobody, but who is answered and whom mentionAliases names: a model's "@everyone" is text.
 */
#include "channels/discord_send.h"

#include <stdio.h>
#include <string.h>

#include "core/clock.h"
#include "core/fiber.h"
#include "core/log.h"
#include "core/str.h"
#include "net/multipart.h"
#include "net/url.h"

#define BODY_MAX (256u << 10)
#define UPLOAD_MAX (600u << 20)
#define UPLOAD_MS (5 * 60 * 1000)
#define WAIT_MS 2000                     /* a short limit is waited out here, a longer one by the core */
#define ACTION_WAIT_MS 10000
#define ROW_BUTTONS 5
#define ROWS_MAX 5
#define LABEL_MAX 80
#define TITLE_MAX 100                    /* of a forum post */

/* Discord's numbers: MessageFlags, ButtonStyle, ComponentType, and error codes. */
enum { SUPPRESS_EMBEDS = 1 << 2, SUPPRESS_NOTIFICATIONS = 1 << 12 };
enum { STYLE_PRIMARY = 1, STYLE_SECONDARY = 2, STYLE_DANGER = 4, STYLE_LINK = 5 };
enum { ACTION_ROW = 1, BUTTON = 2 };
enum { UNKNOWN_MESSAGE = 10008, UNKNOWN_WEBHOOK = 10015, UNKNOWN_INTERACTION = 10062, IN_FORUM = 40058, NOT_TEXT = 50008,
       BAD_WEBHOOK_TOKEN = 50027 };

/* -- the body -- */

static void write_button(struct jw *w, const struct chan_button *b)
{
	static const int styles[] = { STYLE_SECONDARY, STYLE_PRIMARY, STYLE_DANGER };

	jw_obj(w);
	jw_kint(w, "type", BUTTON);
	jw_kint(w, "style", b->url ? STYLE_LINK : styles[b->style]);
	jw_key(w, "label");
	jw_strn(w, b->text, utf8_cut(b->text, strlen(b->text), LABEL_MAX));
	jw_kstr(w, b->url ? "url" : "custom_id", b->url ? b->url : b->data);
	jw_end(w);
}

/* Rows of at most five, at most five of them. */
static void write_buttons(struct jw *w, const struct chan_out *out)
{
	int in_row = 0, rows = 0;

	jw_karr(w, "components");
	for (size_t i = 0; i < out->button_count && (in_row || rows < ROWS_MAX); i++) {
		if (!in_row) {
			jw_obj(w);
			jw_kint(w, "type", ACTION_ROW);
			jw_karr(w, "components");
			rows++;
		}
		write_button(w, &out->buttons[i]);
		if (++in_row == ROW_BUTTONS || out->buttons[i].ends_row || i + 1 == out->button_count) {
			jw_end(w);
			jw_end(w);
			in_row = 0;
		}
	}
	jw_end(w);
}

static void write_poll(struct jw *w, const struct chan_poll *p)
{
	int64_t hours = (p->duration_s + 3599) / 3600;

	jw_kobj(w, "poll");
	jw_kobj(w, "question");
	jw_kstr(w, "text", p->question);
	jw_end(w);
	jw_karr(w, "answers");
	for (size_t i = 0; i < p->option_count; i++) {
		jw_obj(w);
		jw_kobj(w, "poll_media");
		jw_kstr(w, "text", p->options[i]);
		jw_end(w);
		jw_end(w);
	}
	jw_end(w);
	jw_kint(w, "duration", CH_MIN(CH_MAX(hours ? hours : 24, 1), 768));
	jw_kbool(w, "allow_multiselect", p->max_selections > 1);
	jw_end(w);
}

static void write_mentions(struct jw *w, const struct discord_text *text)
{
	jw_kobj(w, "allowed_mentions");
	jw_karr(w, "parse");
	jw_end(w);
	if (text->user_count) {
		jw_karr(w, "users");
		for (size_t i = 0; i < text->user_count; i++)
			jw_str(w, text->users[i]);
		jw_end(w);
	}
	jw_kbool(w, "replied_user", true);
	jw_end(w);
}

static void write_attachments(struct jw *w, const struct chan_out *out)
{
	jw_karr(w, "attachments");
	for (size_t i = 0; i < out->media_count; i++) {
		jw_obj(w);
		jw_kint(w, "id", (int64_t)i);
		jw_kstr(w, "filename", out->media[i].name);
		jw_end(w);
	}
	jw_end(w);
}

/* A file of a link preview is nobody's wish; a wish for silence is. */
static int64_t flags_of(const struct discord *d, const struct chan_out *out, enum discord_body what)
{
	int64_t flags = chan_cfg_bool(d->cfg, "suppressEmbeds", true) ? SUPPRESS_EMBEDS : 0;

	if (what != DISCORD_BODY_EDIT && out->is_silent)
		flags |= SUPPRESS_NOTIFICATIONS;
	if (what == DISCORD_BODY_WHISPER)
		flags |= DISCORD_EPHEMERAL;
	return flags;
}

void discord_write_body(struct buf *to, const struct discord *d, const struct chan_out *out, enum discord_body what)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct jw w = JW(to);
	struct discord_text text;

	discord_aliases(a, d->cfg, out->text ? out->text : "", &text);
	jw_obj(&w);
	jw_kstr(&w, "content", text.text);
	write_mentions(&w, &text);
	if (what == DISCORD_BODY_NEW && out->key) {
		jw_key(&w, "nonce");
		jw_strn(&w, out->key, CH_MIN(strlen(out->key), DISCORD_NONCE_LEN));
		jw_kbool(&w, "enforce_nonce", true);
	}
	if (what == DISCORD_BODY_NEW && discord_is_id(out->reply_to)) {
		jw_kobj(&w, "message_reference");
		jw_kstr(&w, "message_id", out->reply_to);
		jw_kbool(&w, "fail_if_not_exists", false);
		jw_end(&w);
	}
	jw_kint(&w, "flags", flags_of(d, out, what));
	if (out->button_count || what == DISCORD_BODY_EDIT)
		write_buttons(&w, out);
	if (out->poll && what != DISCORD_BODY_EDIT)
		write_poll(&w, out->poll);
	if (out->media_count)
		write_attachments(&w, out);
	jw_end(&w);
}

/* -- requests -- */

/* A request with a message, its files beside it when there are any. post: how the message is wrapped ("" or a prefix with %s). */
struct post {
	struct discord *d;
	struct arena *arena;
	const char *method, *path;
	bool is_once, is_free;
};

static CH_FIBER ch_status upload(const struct post *p, const struct chan_out *out, const struct buf *json, struct discord_rs *rs,
				 struct ch_err *err)
{
	CH_AUTO_MULTIPART struct multipart m = { 0 };
	ch_status st;

	multipart_init(&m, UPLOAD_MAX);
	multipart_field(&m, "payload_json", buf_str(json));
	for (size_t i = 0; i < out->media_count; i++)
		multipart_file(&m, arena_printf(p->arena, "files[%zu]", i), out->media[i].name, out->media[i].mime, out->media[i].data,
			       out->media[i].len);
	st = multipart_end(&m, err);
	if (st)
		return ch_wrap(err, "discord: the files");
	return discord_call(p->d,
			    &(struct discord_rq){ .method = p->method, .path = p->path, .body = m.body.data, .body_len = m.body.len,
						  .content_type = m.type, .is_once = p->is_once, .is_free = p->is_free,
						  .wait_max_ms = WAIT_MS, .deadline_ms = fiber_deadline(UPLOAD_MS) },
			    p->arena, rs, err);
}

static CH_FIBER ch_status post(const struct post *p, const struct chan_out *out, const struct buf *json, struct discord_rs *rs,
			       struct ch_err *err)
{
	ch_status st = buf_status(json, err, "discord: a message");

	*rs = (struct discord_rs){ .status = 0 };
	if (st) {
		rs->status = 413;
		return st;
	}
	if (out->media_count)
		return upload(p, out, json, rs, err);
	return discord_call(p->d,
			    &(struct discord_rq){ .method = p->method, .path = p->path, .body = buf_str(json), .body_len = json->len,
						  .is_once = p->is_once, .is_free = p->is_free, .wait_max_ms = WAIT_MS },
			    p->arena, rs, err);
}

/* Without an id of the message it is not known to be there. */
static ch_status settle(ch_status st, const struct discord_rs *rs, const struct json *message, struct arena *a, struct chan_sent *ret,
			struct ch_err *err)
{
	const char *id = json_get_str(message, "id");

	*ret = (struct chan_sent){ .outcome = discord_outcome(st, rs), .is_place_only = !rs->is_global };
	if (st)
		return st;
	if (!discord_is_id(id)) {
		ret->outcome = CHAN_UNSURE;
		return ch_fail(err, CH_E_PEER, "discord: the answer names no message");
	}
	ret->message_id = arena_strdup(a, id);
	return CH_OK;
}

/* -- to a room -- */

/* A forum takes posts, not messages: the first line is its title. */
const char *discord_post_title(struct arena *a, const struct chan_out *out)
{
	const char *text = out->plain ? out->plain : out->text, *s = text ? text + strspn(text, " \t\r\n#*>") : "";
	size_t n = utf8_cut(s, strcspn(s, "\r\n"), TITLE_MAX);

	return n ? arena_strndup(a, s, n) : "New post";
}

static CH_FIBER ch_status send_post(struct discord *d, const char *channel, const struct chan_out *out, struct arena *a,
				    struct chan_sent *ret, struct ch_err *err)
{
	CH_AUTO_BUF struct buf message = { .max_bytes = BODY_MAX }, body = { .max_bytes = BODY_MAX + 1024 };
	struct jw w = JW(&body);
	struct discord_rs rs;
	ch_status st;

	discord_write_body(&message, d, out, DISCORD_BODY_POST);
	jw_obj(&w);
	jw_kstr(&w, "name", discord_post_title(a, out));
	jw_kraw(&w, "message", buf_str(&message), message.len);
	jw_end(&w);
	st = post(&(struct post){ .d = d, .arena = a, .method = "POST", .path = arena_printf(a, "/channels/%s/threads", channel),
				  .is_once = true }, out, &body, &rs, err);
	/* The first message of a post has the post's own id. */
	st = settle(st, &rs, rs.body, a, ret, err);
	if (st)
		return st;
	ret->thread = ret->message_id;
	discord_room_learn(d, rs.body, NULL);
	return CH_OK;
}

static CH_FIBER ch_status send_room(struct discord *d, const char *channel, const struct chan_out *out, struct arena *a,
				    struct chan_sent *ret, struct ch_err *err)
{
	CH_AUTO_BUF struct buf body = { .max_bytes = BODY_MAX };
	const struct discord_room *room = discord_room_find(d, channel);
	struct discord_rs rs;
	ch_status st;

	if (room && discord_is_forum(room->type))
		return send_post(d, channel, out, a, ret, err);
	discord_write_body(&body, d, out, DISCORD_BODY_NEW);
	st = post(&(struct post){ .d = d, .arena = a, .method = "POST", .path = arena_printf(a, "/channels/%s/messages", channel),
				  .is_once = !out->key }, out, &body, &rs, err);
	if (st && (rs.code == IN_FORUM || rs.code == NOT_TEXT) && out->peer.kind != CHAN_DIRECT)
		return send_post(d, channel, out, a, ret, err);
	return settle(st, &rs, rs.body, a, ret, err);
}

/* -- to an interaction -- */

static bool is_gone(const struct discord_rs *rs)
{
	return rs->code == UNKNOWN_WEBHOOK || rs->code == UNKNOWN_INTERACTION || rs->code == BAD_WEBHOOK_TOKEN ||
	       (rs->status == 404 && rs->code == UNKNOWN_MESSAGE);
}

bool discord_is_thinking(const struct json *original)
{
	return json_get_int(original, "flags", 0) & DISCORD_LOADING;
}

CH_FIBER ch_status discord_original(struct discord *d, const struct discord_handle *h, struct arena *a, struct discord_rs *ret,
				    struct ch_err *err)
{
	ch_status st = discord_call(d,
				    &(struct discord_rq){ .method = "GET",
							  .path = arena_printf(a, "/webhooks/%s/%s/messages/@original", h->app, h->token),
							  .is_free = true,
							  .wait_max_ms = WAIT_MS },
				    a, ret, err);

	/* Asking does nothing. */
	ret->may_have_acted = false;
	return st && is_gone(ret) ? CH_E_NOT_FOUND : st;
}

/* An answer that overtakes the acknowledgement would find no interaction. */
static CH_FIBER ch_status await_ack(struct discord *d, const struct discord_handle *h, struct ch_err *err)
{
	ch_status st = CH_OK;

	while (!st && str_eq(d->acking, h->id))
		st = fiber_cond_wait(&d->acked, fiber_deadline(ACTION_WAIT_MS));
	return st ? ch_fail(err, st, "discord: an interaction is not acknowledged yet") : CH_OK;
}

/* CH_E_NOT_FOUND: it cannot be answered this way any more. */
static CH_FIBER ch_status send_answer(struct discord *d, const struct discord_handle *h, const struct chan_out *out, struct arena *a,
				      struct chan_sent *ret, struct ch_err *err)
{
	CH_AUTO_BUF struct buf body = { .max_bytes = BODY_MAX };
	struct discord_rs rs = { .status = 0 };
	bool is_first = false;
	ch_status st = await_ack(d, h, err);

	if (!st && h->kind == 'c')
		st = discord_original(d, h, a, &rs, err);
	if (!st) {
		is_first = h->kind == 'c' && discord_is_thinking(rs.body);
		discord_write_body(&body, d, out, is_first ? DISCORD_BODY_EDIT :
						  out->ephemeral_to || h->only ? DISCORD_BODY_WHISPER : DISCORD_BODY_FOLLOW_UP);
		st = post(&(struct post){ .d = d, .arena = a, .method = is_first ? "PATCH" : "POST",
					  .path = arena_printf(a, "/webhooks/%s/%s%s", h->app, h->token,
							       is_first ? "/messages/@original" : "?wait=true"),
					  .is_once = !is_first, .is_free = true }, out, &body, &rs, err);
	}
	if (st && is_gone(&rs))
		return CH_E_NOT_FOUND;
	return settle(st, &rs, rs.body, a, ret, err);
}

struct chan_peer discord_destination(struct arena *a, const struct chan_out *out)
{
	const char *only = out->ephemeral_to;
	struct discord_handle h;

	if (!only && out->handle && discord_handle_read(a, out->handle, &h))
		only = h.only;
	return discord_is_id(only) ? (struct chan_peer){ .kind = CHAN_DIRECT, .id = only } : out->peer;
}

bool discord_can_answer(struct arena *a, const struct chan_out *out, struct discord_handle *ret)
{
	return out->handle && discord_handle_read(a, out->handle, ret) && now_wall_ms() < ret->expires_ms;
}

CH_FIBER ch_status discord_send(struct chan_acct *acct, const struct chan_out *out, struct arena *a, struct chan_sent *ret,
				struct ch_err *err)
{
	CH_AUTO(discord_unref) struct discord *d = NULL;
	struct chan_peer peer = discord_destination(a, out);
	struct discord_handle h;
	const char *channel;
	ch_status st;

	*ret = (struct chan_sent){ .outcome = CHAN_NOT_SENT };
	st = discord_of(acct, &d, err);
	if (st)
		return st;
	if (discord_can_answer(a, out, &h)) {
		st = send_answer(d, &h, out, a, ret, err);
		if (st != CH_E_NOT_FOUND)
			return st;
	}
	st = discord_channel_of(d, &peer, a, &channel, err);
	if (!st)
		return send_room(d, channel, out, a, ret, err);
	/* A DM that Discord does not let us open. */
	ret->outcome = ch_status_retryable(st) || st == CH_E_CANCELED ? CHAN_NOT_SENT : CHAN_REFUSED;
	return st;
}

/* -- what is done to messages -- */

/* Who is asked, and at which address. */
struct action { struct discord *d; const char *channel; };

static void action_done(struct action *x)
{
	discord_unref(x->d);
}
#define CH_AUTO_ACTION __attribute__((cleanup(action_done)))

static CH_FIBER ch_status begin(struct chan_acct *acct, const struct chan_peer *peer, const char *message_id, struct arena *a,
				struct action *ret, struct ch_err *err)
{
	ch_status st = discord_of(acct, &ret->d, err);

	if (!st)
		st = discord_channel_of(ret->d, peer, a, &ret->channel, err);
	if (!st && message_id && !discord_is_id(message_id))
		st = ch_fail(err, CH_E_INVALID, "discord: '%s' is not a message's id", log_quote(message_id));
	return st;
}

static CH_FIBER ch_status act(struct discord *d, const char *method, const char *path, const struct buf *body, struct arena *a,
			      const struct json **ret, struct ch_err *err)
{
	struct discord_rs rs;
	ch_status st = discord_call(d,
				    &(struct discord_rq){ .method = method, .path = path, .body = body ? buf_str(body) : NULL,
							  .body_len = body ? body->len : 0, .wait_max_ms = ACTION_WAIT_MS },
				    a, &rs, err);

	if (!st && ret)
		*ret = rs.body;
	return st;
}

CH_FIBER ch_status discord_edit(struct chan_acct *acct, const char *message_id, const struct chan_out *out, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	CH_AUTO_BUF struct buf body = { .max_bytes = BODY_MAX };
	CH_AUTO_ACTION struct action x = { NULL };
	ch_status st = begin(acct, &out->peer, message_id, a, &x, err);

	if (st)
		return st;
	discord_write_body(&body, x.d, out, DISCORD_BODY_EDIT);
	st = buf_status(&body, err, "discord: an edit");
	if (st)
		return st;
	return act(x.d, "PATCH", arena_printf(a, "/channels/%s/messages/%s", x.channel, message_id), &body, a, NULL, err);
}

CH_FIBER ch_status discord_remove(struct chan_acct *acct, const struct chan_peer *peer, const char *message_id, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	CH_AUTO_ACTION struct action x = { NULL };
	ch_status st = begin(acct, peer, message_id, a, &x, err);

	return st ? st : act(x.d, "DELETE", arena_printf(a, "/channels/%s/messages/%s", x.channel, message_id), NULL, a, NULL, err);
}

/* "<:name:id>", "<a:name:id>", "name:id" or the emoji itself, as the path takes it. */
static const char *emoji_path(struct arena *a, const char *emoji)
{
	size_t n = strlen(emoji);
	const char *s = emoji;

	if (n > 2 && s[0] == '<' && s[n - 1] == '>') {
		s += s[1] == 'a' && s[2] == ':' ? 3 : 2;
		n = strlen(s) - 1;
	}
	return url_encode(a, arena_strndup(a, s, n));
}

static CH_FIBER ch_status unreact(struct discord *d, const char *message, const char *emoji, struct arena *a, struct ch_err *err)
{
	return act(d, "DELETE", arena_printf(a, "%s/reactions/%s/@me", message, emoji), NULL, a, NULL, err);
}

/* All of ours: those that the message says we set. */
static CH_FIBER ch_status unreact_all(struct discord *d, const char *message, struct arena *a, struct ch_err *err)
{
	const struct json *m = NULL;
	ch_status st = act(d, "GET", message, NULL, a, &m, err);

	for (const struct json *r = json_first(json_get(m, "reactions")); r && !st; r = r->next) {
		const struct json *emoji = json_get(r, "emoji");
		const char *id = json_get_str(emoji, "id"), *name = json_get_str(emoji, "name");

		if (json_get_bool(r, "me", false) && name)
			st = unreact(d, message, url_encode(a, id ? arena_printf(a, "%s:%s", name, id) : name), a, err);
	}
	return st;
}

CH_FIBER ch_status discord_react(struct chan_acct *acct, const struct chan_peer *peer, const char *message_id, const char *emoji,
				 bool is_removed, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	CH_AUTO_ACTION struct action x = { NULL };
	ch_status st = begin(acct, peer, message_id, a, &x, err);
	const char *message;

	if (st)
		return st;
	message = arena_printf(a, "/channels/%s/messages/%s", x.channel, message_id);
	if (!*emoji)
		return is_removed ? unreact_all(x.d, message, a, err) : ch_fail(err, CH_E_INVALID, "discord: no emoji is named");
	if (is_removed)
		return unreact(x.d, message, emoji_path(a, emoji), a, err);
	return act(x.d, "PUT", arena_printf(a, "%s/reactions/%s/@me", message, emoji_path(a, emoji)), NULL, a, NULL, err);
}

/* It lasts ten seconds or until we write; there is no way to end it sooner. */
CH_FIBER ch_status discord_typing(struct chan_acct *acct, const struct chan_peer *peer, bool is_on, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	CH_AUTO_ACTION struct action x = { NULL };
	ch_status st;

	if (!is_on)
		return CH_OK;
	st = begin(acct, peer, NULL, a, &x, err);
	return st ? st : act(x.d, "POST", arena_printf(a, "/channels/%s/typing", x.channel), NULL, a, NULL, err);
}
