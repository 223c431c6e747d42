/*
 * channels/slack_send.c - messages to Slack: posted, answered by an interaction's address, edited, deleted, found again.
 *
 * Slack has no key that makes a repeated post show once. So each message carries ours in its metadata, and a post whose answer
 * was lost is looked for in the newest messages of its place before anything is sent again.
 */
#include "channels/slack.h"

#include "core/clock.h"
#include "core/fiber.h"
#include "core/str.h"

#define FIND_PAGE 100
#define FIND_PAGES_MAX 3
#define FIND_SLACK_MS 60000              /* Slack's clock and ours */

static int64_t deadline(void)
{
	return fiber_deadline(SLACK_CALL_MS);
}

const char *slack_thread_of(const struct chan_out *out)
{
	return str_empty(out->peer.thread) ? out->reply_to : out->peer.thread;
}

/* -- posting -- */

/* What the text is: with buttons it stands in blocks, and is said to screen readers and notifications beside them. */
static void put_content(struct slack_form *form, const struct chan_out *out, bool is_edit)
{
	CH_AUTO_BUF struct buf blocks = { .max_bytes = 256u << 10 };

	slack_form_add(form, "text", out->text ? out->text : out->plain ? out->plain : "");
	if (out->button_count)
		slack_blocks_write(&blocks, out->text, out->buttons, out->button_count);
	else if (is_edit)
		buf_puts(&blocks, "[]"); /* takes the buttons away that were there */
	if (blocks.len)
		slack_form_add(form, "blocks", buf_str(&blocks));
}

static void put_key(struct slack_form *form, const char *key)
{
	CH_AUTO_BUF struct buf b = { .max_bytes = 1024 };
	struct jw w = JW(&b);

	if (!key)
		return;
	jw_obj(&w);
	jw_kstr(&w, "event_type", SLACK_METADATA_TYPE);
	jw_kobj(&w, "event_payload");
	jw_kstr(&w, "key", key);
	jw_end(&w);
	jw_end(&w);
	slack_form_add(form, "metadata", buf_str(&b));
}

static void put_unfurling(struct slack_form *form, const struct chan_cfg *cfg)
{
	const struct json *media = chan_cfg_get(cfg, "unfurlMedia");

	slack_form_bool(form, "unfurl_links", chan_cfg_bool(cfg, "unfurlLinks", false));
	if (media)
		slack_form_bool(form, "unfurl_media", json_bool_or(media, true));
}

/* A login that ended is the core's to notice: it starts the account anew, and that says what is wrong. */
static CH_FIBER ch_status post(struct chan_acct *acct, const struct chan_out *out, const char *channel, struct arena *a,
			       struct chan_sent *ret, struct ch_err *err)
{
	SLACK_AUTO_FORM struct slack_form form = SLACK_FORM;
	struct slack_answer answer;
	ch_status st;

	slack_form_add(&form, "channel", channel);
	slack_form_add(&form, "thread_ts", slack_thread_of(out));
	put_content(&form, out, false);
	if (out->ephemeral_to) {
		slack_form_add(&form, "user", out->ephemeral_to);
		st = slack_call(acct, SLACK_BOT, "chat.postEphemeral", &form, deadline(), a, &answer, err);
	} else {
		put_key(&form, out->key);
		put_unfurling(&form, chan_acct_cfg(acct));
		st = slack_call(acct, SLACK_BOT, "chat.postMessage", &form, deadline(), a, &answer, err);
	}
	ret->outcome = answer.outcome;
	ret->is_place_only = true; /* Slack counts posts by channel */
	if (st)
		return st;
	ret->message_id = json_get_str(answer.body, out->ephemeral_to ? "message_ts" : "ts");
	if (out->peer.kind == CHAN_DIRECT && slack_is_id(out->peer.id, "UW") && slack_is_id(json_get_str(answer.body, "channel"), "D"))
		slack_direct_learn(chan_priv(acct), out->peer.id, json_get_str(answer.body, "channel"));
	return CH_OK;
}

/* -- answering an interaction -- */

static void put_answer(struct buf *b, const struct chan_out *out, bool is_ephemeral)
{
	CH_AUTO_BUF struct buf blocks = { .max_bytes = 256u << 10 };
	struct jw w = JW(b);

	if (out->button_count)
		slack_blocks_write(&blocks, out->text, out->buttons, out->button_count);
	jw_obj(&w);
	jw_kstr(&w, "text", out->text ? out->text : out->plain ? out->plain : "");
	if (blocks.len)
		jw_kraw(&w, "blocks", blocks.data, blocks.len);
	jw_kstr(&w, "response_type", is_ephemeral ? "ephemeral" : "in_channel");
	jw_kbool(&w, "replace_original", false);
	jw_kstr_opt(&w, "thread_ts", slack_thread_of(out));
	jw_end(&w);
}

/*
 * CH_OK with outcome SENT; NOT_SENT or REFUSED: the address takes no more answers, and the message may be posted instead.
 * UNSURE: it may have been shown.
 */
static CH_FIBER ch_status answer(struct chan_acct *acct, const char *url, const struct chan_out *out, bool is_ephemeral,
				 struct chan_sent *ret, struct ch_err *err)
{
	CH_AUTO(http_resp_free) struct http_resp *r = NULL;
	CH_AUTO_BUF struct buf body = { .max_bytes = 1u << 20 };
	bool has_left = false;
	ch_status st;

	put_answer(&body, out, is_ephemeral);
	ret->outcome = CHAN_NOT_SENT;
	st = buf_status(&body, err, "an answer to Slack");
	if (st)
		return st;
	if (!slack_is_ours(chan_acct_cfg(acct), url))
		return ch_fail(err, CH_E_DENIED, "the answer's address is not Slack's");
	st = http_open(chan_http(acct),
		       &(struct http_out){
			       .method = "POST",
			       .url = url,
			       .headers = (const struct http_header[]){ { "content-type", "application/json" } },
			       .header_count = 1,
			       .body = body.data,
			       .body_len = body.len,
			       .guard = slack_guard(chan_acct_cfg(acct), url),
			       .headers_deadline_ms = deadline(),
			       .is_single_use = true,
			       .ret_sent = &has_left,
		       },
		       &r, err);
	if (st) {
		ret->outcome = has_left ? CHAN_UNSURE : CHAN_NOT_SENT;
		return ch_wrap(err, "answering an interaction");
	}
	if (http_resp_status(r) == 200) {
		ret->outcome = CHAN_SENT;
		return CH_OK;
	}
	ret->outcome = http_resp_status(r) >= 500 ? CHAN_UNSURE : CHAN_REFUSED;
	return ch_fail(err, CH_E_PEER, "answering an interaction: Slack said HTTP %d", http_resp_status(r));
}

/* -- the row's functions -- */

static bool is_private(struct chan_acct *acct, const struct chan_out *out, const struct slack_handle *handle)
{
	return !handle->is_command || out->ephemeral_to || chan_cfg_bool(chan_acct_cfg(acct), "slashCommand.ephemeral", true);
}

/*
 * What an interaction's answer becomes when its address takes it no more, or it is a file: what only one person is to see stays so.
 * A message is for them alone in the room; a file, which cannot be, goes to their DM.
 */
static const struct chan_out *beside_address(struct chan_acct *acct, const struct chan_out *out, const struct slack_handle *handle,
					     struct chan_out *own)
{
	if (!handle->user_id || out->peer.kind == CHAN_DIRECT || !is_private(acct, out, handle))
		return out;
	*own = *out;
	if (out->media_count) {
		own->peer = (struct chan_peer){ .kind = CHAN_DIRECT, .id = handle->user_id };
		own->reply_to = NULL;
	} else {
		own->ephemeral_to = handle->user_id;
	}
	return own;
}

CH_FIBER ch_status slack_send(struct chan_acct *acct, const struct chan_out *out, struct arena *a, struct chan_sent *ret,
			      struct ch_err *err)
{
	struct slack_handle handle;
	const char *channel = NULL;
	struct chan_out own;
	ch_status st;

	*ret = (struct chan_sent){ .outcome = CHAN_REFUSED };
	if (slack_handle_read(a, out->handle, now_wall_ms(), &handle)) {
		if (handle.url && !out->media_count) {
			st = answer(acct, handle.url, out, is_private(acct, out, &handle), ret, err);
			if (!st || ret->outcome == CHAN_UNSURE || st == CH_E_CANCELED)
				return st;
		}
		out = beside_address(acct, out, &handle, &own);
	}
	st = slack_channel_of(acct, &out->peer, a, &channel, &ret->outcome, err);
	if (st)
		return st;
	return out->media_count ? slack_send_files(acct, out, channel, slack_thread_of(out), a, ret, err)
				: post(acct, out, channel, a, ret, err);
}

CH_FIBER ch_status slack_edit(struct chan_acct *acct, const char *message_id, const struct chan_out *out, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	SLACK_AUTO_FORM struct slack_form form = SLACK_FORM;
	struct slack_answer answer;
	enum chan_outcome outcome;
	const char *channel;
	ch_status st;

	if (!slack_ts_ms(message_id))
		return ch_fail(err, CH_E_UNSUPPORTED, "this message of Slack cannot be edited");
	st = slack_channel_of(acct, &out->peer, a, &channel, &outcome, err);
	if (st)
		return st;
	if (!out->button_count && slack_stream_ended_as(acct, message_id, out->text))
		return CH_OK;
	slack_form_add(&form, "channel", channel);
	slack_form_add(&form, "ts", message_id);
	put_content(&form, out, true);
	return slack_change(acct, "chat.update", &form, channel, message_id, a, &answer, err);
}

CH_FIBER ch_status slack_remove(struct chan_acct *acct, const struct chan_peer *peer, const char *message_id, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	SLACK_AUTO_FORM struct slack_form form = SLACK_FORM;
	struct slack_answer answer;
	enum chan_outcome outcome;
	const char *channel;
	ch_status st;

	if (!slack_ts_ms(message_id))
		return ch_fail(err, CH_E_UNSUPPORTED, "this message of Slack cannot be deleted");
	st = slack_channel_of(acct, peer, a, &channel, &outcome, err);
	if (st)
		return st;
	slack_form_add(&form, "channel", channel);
	slack_form_add(&form, "ts", message_id);
	st = slack_change(acct, "chat.delete", &form, channel, message_id, a, &answer, err);
	return str_eq(answer.error, "message_not_found") ? CH_OK : st;
}

/* -- finding it again -- */

static bool is_by_us(const struct slack *s, const char *self_id, const struct json *m)
{
	const char *bot = json_get_str(m, "bot_id"), *user = json_get_str(m, "user");

	return (bot && str_eq(bot, s->bot_id)) || (user && str_eq(user, self_id));
}

/* Files carry no metadata: ours are known by their names and sizes. */
static bool has_files(const struct json *m, const struct chan_out *out)
{
	const struct json *files = json_get(m, "files");
	size_t i = 0;

	if (!out->media_count || json_len(files) != out->media_count)
		return false;
	json_each(f, files) {
		const struct chan_media_out *media = &out->media[i++];

		if (!str_eq(json_get_str(f, "name"), media->name) || json_get_int(f, "size", -1) != (int64_t)media->len)
			return false;
	}
	return true;
}

static const struct json *find_ours(struct chan_acct *acct, const struct json *messages, const struct chan_out *out)
{
	const struct slack *s = chan_priv(acct);

	json_each(m, messages) {
		const struct json *metadata = json_get(m, "metadata");

		if (!is_by_us(s, chan_acct_self_id(acct), m))
			continue;
		if (out->media_count ? has_files(m, out)
				     : out->key && str_eq(json_get_str(metadata, "event_type"), SLACK_METADATA_TYPE) &&
					       str_eq(json_get_str(json_get(metadata, "event_payload"), "key"), out->key))
			return m;
	}
	return NULL;
}

static CH_FIBER ch_status read_page(struct chan_acct *acct, const char *channel, const char *thread, int64_t since_ms, const char *cursor,
				    struct arena *a, struct slack_answer *answer, struct ch_err *err)
{
	SLACK_AUTO_FORM struct slack_form form = SLACK_FORM;

	slack_form_add(&form, "channel", channel);
	slack_form_add(&form, "ts", thread);
	slack_form_add(&form, "oldest", arena_printf(a, "%lld.%06d", (long long)(since_ms / 1000), (int)(since_ms % 1000) * 1000));
	slack_form_int(&form, "limit", FIND_PAGE);
	slack_form_bool(&form, "include_all_metadata", true);
	slack_form_bool(&form, "inclusive", true);
	slack_form_add(&form, "cursor", cursor);
	return slack_call(acct, SLACK_READ, thread ? "conversations.replies" : "conversations.history", &form, deadline(), a, answer, err);
}

CH_FIBER ch_status slack_reconcile(struct chan_acct *acct, const struct chan_out *out, int64_t since_ms, struct arena *a,
				   struct chan_sent *ret, struct ch_err *err)
{
	const char *channel, *thread, *cursor = NULL;
	struct slack_handle handle;
	enum chan_outcome outcome;
	struct chan_out own;
	ch_status st;

	if (slack_handle_read(a, out->handle, now_wall_ms(), &handle))
		out = beside_address(acct, out, &handle, &own);
	thread = slack_thread_of(out);
	st = slack_channel_of(acct, &out->peer, a, &channel, &outcome, err);
	*ret = (struct chan_sent){ .outcome = CHAN_UNSURE };
	for (int page = 0; !st && page < FIND_PAGES_MAX; page++) {
		struct slack_answer answer;
		const struct json *found;

		st = read_page(acct, channel, thread, since_ms - FIND_SLACK_MS, cursor, a, &answer, err);
		if (st)
			break;
		found = find_ours(acct, json_get(answer.body, "messages"), out);
		if (found) {
			*ret = (struct chan_sent){ .outcome = CHAN_SENT, .message_id = json_get_str(found, "ts") };
			return CH_OK;
		}
		cursor = json_get_str(json_get(answer.body, "response_metadata"), "next_cursor");
		if (!json_get_bool(answer.body, "has_more", false) || str_empty(cursor)) {
			/* What one person sees, and answers by address, stand in no history. */
			if (out->ephemeral_to || (out->handle && !out->media_count))
				return ch_fail(err, CH_E_UNSUPPORTED, "Slack does not tell what became of a message for one person");
			ret->outcome = CHAN_NOT_SENT;
			return CH_OK;
		}
	}
	return st ? st : ch_fail(err, CH_E_LIMIT, "too much was said there since to find the message again");
}
