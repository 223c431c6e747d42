/*
 * channels/slack_files.c - files of Slack, both ways.
 *
 *	out   files.getUploadURLExternal -> POST of the bytes -> files.completeUploadExternal, which makes the message
 *	in    url_private with our token, from Slack's hosts only; without an address files.info has one
 *
 * Until the last step nothing is shown, so that only its lost answer leaves a doubt.
 */
#include "channels/slack.h"

#include "core/fiber.h"
#include "core/str.h"

#define UPLOAD_MS 120000
#define FETCH_MS 60000
#define TS_TRIES 4                       /* Slack tells a file's message a moment later */
#define TS_WAIT_MS 250

static int64_t deadline(void)
{
	return fiber_deadline(SLACK_CALL_MS);
}

/* -- out -- */

static CH_FIBER ch_status put_bytes(struct chan_acct *acct, const char *url, const struct chan_media_out *m, struct ch_err *err)
{
	CH_AUTO(http_resp_free) struct http_resp *r = NULL;
	const struct chan_cfg *cfg = chan_acct_cfg(acct);
	ch_status st;

	if (!slack_is_ours(cfg, url))
		return ch_fail(err, CH_E_PEER, "files.getUploadURLExternal: Slack named an address that is not its own");
	st = http_open(chan_http(acct),
		       &(struct http_out){
			       .method = "POST",
			       .url = url,
			       .headers = (const struct http_header[]){ { "content-type", "application/octet-stream" } },
			       .header_count = 1,
			       .body = m->data,
			       .body_len = m->len,
			       .guard = slack_guard(cfg, url),
			       .headers_deadline_ms = fiber_deadline(UPLOAD_MS),
		       },
		       &r, err);
	if (st)
		return ch_wrap(err, "uploading a file to Slack");
	if (http_resp_status(r) != 200)
		return ch_fail(err, CH_E_PEER, "uploading a file to Slack: HTTP %d", http_resp_status(r));
	return CH_OK;
}

/* *ret_id on the arena. Nothing is shown yet. */
static CH_FIBER ch_status upload(struct chan_acct *acct, const struct chan_media_out *m, struct arena *a, const char **ret_id,
				 enum chan_outcome *ret_outcome, struct ch_err *err)
{
	SLACK_AUTO_FORM struct slack_form form = SLACK_FORM;
	struct slack_answer answer;
	const char *url;
	ch_status st;

	slack_form_add(&form, "filename", m->name);
	slack_form_int(&form, "length", (int64_t)m->len);
	st = slack_call(acct, SLACK_BOT, "files.getUploadURLExternal", &form, deadline(), a, &answer, err);
	*ret_outcome = answer.outcome == CHAN_REFUSED ? CHAN_REFUSED : CHAN_NOT_SENT;
	if (st)
		return st;
	url = json_get_str(answer.body, "upload_url");
	*ret_id = json_get_str(answer.body, "file_id");
	if (!url || !*ret_id)
		return ch_fail(err, CH_E_PEER, "files.getUploadURLExternal: Slack named no address");
	return put_bytes(acct, url, m, err);
}

/* Slack's own place of the message that shares a file; NULL: not told yet. */
static const char *shared_at(const struct json *file, const char *channel)
{
	static const char *const kinds[] = { "public", "private" };

	for (size_t i = 0; i < CH_ARRAY_LEN(kinds); i++) {
		const struct json *in = json_get(json_get(json_get(file, "shares"), kinds[i]), channel);

		if (json_get_str(json_at(in, 0), "ts"))
			return json_get_str(json_at(in, 0), "ts");
	}
	return NULL;
}

/* The ts of the message that a file came with, else the file's id: it is there, and cannot be edited by us. */
static CH_FIBER const char *message_of(struct chan_acct *acct, const char *file_id, const char *channel, struct arena *a)
{
	for (int i = 0; i < TS_TRIES; i++) {
		SLACK_AUTO_FORM struct slack_form form = SLACK_FORM;
		struct slack_answer answer;
		const char *ts;

		slack_form_add(&form, "file", file_id);
		if (slack_call(acct, SLACK_BOT, "files.info", &form, deadline(), a, &answer, NULL))
			break;
		ts = shared_at(json_get(answer.body, "file"), channel);
		if (ts)
			return ts;
		if (i + 1 < TS_TRIES && fiber_sleep(TS_WAIT_MS))
			break;
	}
	return file_id;
}

CH_FIBER ch_status slack_send_files(struct chan_acct *acct, const struct chan_out *out, const char *channel, const char *thread,
				    struct arena *a, struct chan_sent *ret, struct ch_err *err)
{
	struct json *files = json_new_arr(a);
	SLACK_AUTO_FORM struct slack_form form = SLACK_FORM;
	struct slack_answer answer;
	const char *id = NULL;
	ch_status st;

	for (size_t i = 0; i < out->media_count; i++) {
		struct json *file = json_new_obj(a);

		st = upload(acct, &out->media[i], a, &id, &ret->outcome, err);
		if (st)
			return st;
		json_set(a, file, "id", json_new_str(a, id));
		json_set(a, file, "title", json_new_str(a, out->media[i].name));
		json_push(files, file);
	}
	slack_form_add(&form, "files", json_to_str(a, files));
	slack_form_add(&form, "channel_id", channel);
	slack_form_add(&form, "thread_ts", thread);
	slack_form_add(&form, "initial_comment", str_empty(out->text) ? NULL : out->text);
	st = slack_call(acct, SLACK_BOT, "files.completeUploadExternal", &form, deadline(), a, &answer, err);
	ret->outcome = answer.outcome;
	if (st)
		return st;
	ret->message_id = message_of(acct, json_get_str(json_at(files, 0), "id"), channel, a);
	return CH_OK;
}

/* -- in -- */

static CH_FIBER ch_status address_of(struct chan_acct *acct, const char *file_id, struct arena *a, const char **ret, struct ch_err *err)
{
	SLACK_AUTO_FORM struct slack_form form = SLACK_FORM;
	struct slack_answer answer;
	const struct json *file;
	ch_status st;

	slack_form_add(&form, "file", file_id);
	st = slack_call(acct, SLACK_READ, "files.info", &form, deadline(), a, &answer, err);
	if (st)
		return st;
	file = json_get(answer.body, "file");
	*ret = json_get_str(file, "url_private_download") ? json_get_str(file, "url_private_download") : json_get_str(file, "url_private");
	return *ret ? CH_OK : ch_fail(err, CH_E_NOT_FOUND, "files.info: the file cannot be downloaded");
}

/* Slack shows a login page where the token lacks files:read. */
static ch_status check_answer(struct http_resp *r, const struct chan_media_in *m, struct ch_err *err)
{
	const char *type = http_resp_header(r, "content-type");

	if (http_resp_status(r) == 401 || http_resp_status(r) == 403 || (http_resp_status(r) >= 300 && http_resp_status(r) < 400))
		return ch_fail(err, CH_E_DENIED, "Slack does not let the app read the file: add the scope files:read");
	if (http_resp_status(r) != 200)
		return ch_fail(err, CH_E_PEER, "a file of Slack: HTTP %d", http_resp_status(r));
	if (type && str_starts(type, "text/html") && !str_starts(m->mime ? m->mime : "", "text/"))
		return ch_fail(err, CH_E_DENIED, "Slack showed a login page instead of the file: add the scope files:read");
	return CH_OK;
}

static CH_FIBER ch_status download(struct chan_acct *acct, const char *url, const struct chan_media_in *m, struct buf *out,
				   struct ch_err *err)
{
	CH_AUTO(http_resp_free) struct http_resp *r = NULL;
	CH_AUTO(secret_unref) struct secret *secret = NULL;
	CH_AUTO_BUF struct buf bearer = { .max_bytes = 8192 };
	const int64_t deadline_ms = fiber_deadline(FETCH_MS);
	ch_status st;

	if (!slack_is_ours(chan_acct_cfg(acct), url))
		return ch_fail(err, CH_E_DENIED, "a file that is not at Slack is not fetched with Slack's token");
	st = slack_secret(chan_acct_cfg(acct), SLACK_READ, &secret, err);
	if (st)
		return st;
	buf_printf(&bearer, "Bearer %s", secret_reveal(secret));
	st = http_open(chan_http(acct),
		       &(struct http_out){
			       .url = url,
			       .headers = (const struct http_header[]){ { "authorization", buf_str(&bearer) } },
			       .header_count = 1,
			       .guard = slack_guard(chan_acct_cfg(acct), url),
			       .headers_deadline_ms = deadline_ms,
		       },
		       &r, err);
	if (bearer.data)
		explicit_bzero(bearer.data, bearer.len);
	if (!st)
		st = check_answer(r, m, err);
	return st ? st : http_read_all(r, out, deadline_ms, err);
}

CH_FIBER ch_status slack_fetch(struct chan_acct *acct, const struct chan_media_in *m, struct buf *out, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct json *ref = NULL;
	const char *url;
	ch_status st = json_parse(a, m->ref, strlen(m->ref), JSON_STRICT, &ref, err);

	if (st)
		return ch_wrap(err, "a file of Slack");
	url = json_get_str(ref, "url");
	if (!url && json_get_str(ref, "id"))
		st = address_of(acct, json_get_str(ref, "id"), a, &url, err);
	if (st)
		return st;
	return url ? download(acct, url, m, out, err) : ch_fail(err, CH_E_NOT_FOUND, "a file of Slack without an address");
}
