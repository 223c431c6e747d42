/*
 * channels/telegram_api.c - one call of the Bot API (https://core.telegram.org/bots/api#making-requests).
 *
 * POST <root>/bot<token>/<method>, the answer {"ok":true,"result":…} or {"ok":false,"error_code":…,"description":…,"parameters":…}.
 * Each call has a connection of its own: on a pooled one that was found dead libcurl would write the request again, and a message
 * would show twice. Only getUpdates, which changes nothing, keeps its connection.
 */
#include "channels/telegram.h"

#include <string.h>

#include "core/file.h"
#include "core/mem.h"
#include "core/str.h"
#include "net/http_client.h"
#include "net/multipart.h"

#define TOKEN_FILE_MAX 4096
#define DESCRIPTION_MAX 160

/* -- the token -- */

/* "<bot id>:<secret>"; anything else would not be a part of a path. */
static bool token_is_sound(const char *token)
{
	const char *p = token;

	while (*p >= '0' && *p <= '9')
		p++;
	if (p == token || *p != ':' || !p[1])
		return false;
	for (p++; *p; p++)
		if (!((*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || *p == '_' || *p == '-'))
			return false;
	return true;
}

/* A regular file, not a link to one: who may write the folder must not choose what is sent as a token. */
static ch_status token_from_file(const char *path, struct secret **ret, struct ch_err *err)
{
	CH_AUTO_BUF struct buf text = { 0 };
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	ch_status st;

	if (path[0] != '/')
		return ch_fail(err, CH_E_INVALID, "tokenFile must be an absolute path");
	st = file_read_no_link(path, TOKEN_FILE_MAX, &text, err);
	if (st)
		return ch_wrap(err, "tokenFile");
	*ret = secret_new(str_trim(a, buf_str(&text)));
	return CH_OK;
}

CH_FIBER ch_status tg_token(const struct chan_cfg *cfg, struct secret **ret, struct ch_err *err)
{
	CH_AUTO(secret_unref) struct secret *token = NULL;
	const char *file = chan_cfg_str(cfg, "tokenFile");
	ch_status st;

	if (!str_empty(file))
		st = token_from_file(file, &token, err);
	else
		st = chan_cfg_secret(cfg, "botToken", TG_TOKEN_ENV, &token, err);
	if (st)
		return st;
	if (!token_is_sound(secret_reveal(token)))
		return ch_fail(err, CH_E_DENIED, "the bot token is malformed: @BotFather gives it as <digits>:<letters>");
	*ret = CH_TAKE(token);
	return CH_OK;
}

/* -- a link -- */

CH_FIBER ch_status tg_link_open(struct chan_acct *acct, struct tg_link *ret, struct ch_err *err)
{
	struct telegram *tg = chan_priv(acct);
	struct tg_link l = { .http = chan_http(acct), .cfg = chan_cfg_ref((struct chan_cfg *)chan_acct_cfg(acct)) };
	const char *root = chan_cfg_str(l.cfg, "apiRoot");
	ch_status st = CH_OK;

	l.proxy = chan_cfg_str(l.cfg, "proxy");
	if (str_empty(l.proxy))
		l.proxy = NULL;
	l.root = str_empty(root) ? TG_ROOT : root;
	l.guard = !str_empty(root) || l.proxy || chan_cfg_bool(l.cfg, "network.dangerouslyAllowPrivateNetwork", false)
			  ? GUARD_TRUST_ORIGIN : GUARD_PUBLIC_ONLY;
	l.is_ipv4_only = !chan_cfg_bool(l.cfg, "network.autoSelectFamily", true);
	if (tg && tg->token)
		l.token = secret_ref(tg->token);
	else
		st = tg_token(l.cfg, &l.token, err);
	if (st) {
		tg_link_done(&l);
		return st;
	}
	*ret = l;
	return CH_OK;
}

void tg_link_done(struct tg_link *l)
{
	secret_unref(CH_TAKE(l->token));
	chan_cfg_unref(CH_TAKE(l->cfg));
}

/* -- answers -- */

static const char *cut_line(const char *text, struct arena *a)
{
	char *line = arena_strndup(a, text, utf8_cut(text, strlen(text), DESCRIPTION_MAX));

	for (char *p = line; *p; p++)
		if ((unsigned char)*p < ' ')
			*p = ' ';
	return line;
}

/* The way out of what Telegram refuses, where it is not in its words. */
static const char *advice(int code, const char *description)
{
	static const struct { const char *words, *advice; } table[] = {
		{ "bot was blocked", "the person has blocked the bot" },
		{ "bot was kicked", "add the bot to the group again" },
		{ "can't initiate conversation", "the person must write to the bot first" },
		{ "chat not found", "the person must write to the bot first, or the id is wrong" },
		{ "thread not found", "the topic was deleted" },
		{ "not enough rights", "make the bot an administrator or allow it to write" },
		{ "REACTION_INVALID", "this chat does not allow that reaction" },
		{ "Entity Too Large", "the file is too large for this server: 50 MB at Telegram, pictures 10" },
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(table); i++)
		if (strstr(description, table[i].words))
			return table[i].advice;
	return code == 401 ? "the token is not valid any more: get one from @BotFather" : NULL;
}

static ch_status status_of(int code)
{
	switch (code) {
	case 401: return CH_E_DENIED;
	case 403: return CH_E_DENIED;
	case 404: return CH_E_NOT_FOUND;
	case 409: return CH_E_CONFLICT;
	case 413: return CH_E_LIMIT;
	case 429: return CH_E_BUSY;
	default: return code >= 500 ? CH_E_PEER : CH_E_INVALID;
	}
}

static ch_status read_refusal(const char *method, const struct json *v, int status, struct arena *a, struct tg_answer *ret,
			      struct ch_err *err)
{
	const struct json *parameters = json_get(v, "parameters");
	int64_t retry_s = json_get_int(parameters, "retry_after", 0);
	const char *way_out;
	ch_status st;

	ret->code = (int)json_get_int(v, "error_code", status);
	ret->description = cut_line(json_str_or(json_get(v, "description"), ""), a);
	ret->migrated_to = tg_id(json_get(parameters, "migrate_to_chat_id"), a);
	/* 401: the message is sound, and goes when the login does again. */
	ret->outcome = ret->code >= 500 || ret->code == 429 || ret->code == 401 ? CHAN_NOT_SENT : CHAN_REFUSED;
	way_out = advice(ret->code, ret->description);
	st = ch_fail(err, status_of(ret->code), "Telegram %s: %d %s%s%s", method, ret->code, ret->description,
		     way_out ? ": " : "", way_out ? way_out : "");
	if (ret->code == 429) {
		ret->retry_after_ms = 1000 * CH_MIN(CH_MAX(retry_s, 1), 86400);
		if (err)
			err->retry_after_ms = (int)ret->retry_after_ms;
	}
	return st;
}

ch_status tg_read_answer(const char *method, int status, const char *body, size_t len, struct arena *a, struct tg_answer *ret,
			 struct ch_err *err)
{
	struct json *v = NULL;

	*ret = (struct tg_answer){ .outcome = CHAN_UNSURE, .description = "" };
	if (json_parse(a, body, len, JSON_STRICT, &v, NULL) || !json_is(json_get(v, "ok"), JSON_BOOL)) {
		if (status == 413)               /* a server in front of it, which has not passed it on */
			ret->outcome = CHAN_REFUSED;
		return ch_fail(err, status == 413 ? CH_E_LIMIT : CH_E_PEER, "Telegram %s: HTTP %d without an answer of the Bot API%s",
			       method, status, status == 413 ? ": the file is too large" : status == 404 ? ": check apiRoot" : "");
	}
	if (!json_get_bool(v, "ok", false))
		return read_refusal(method, v, status, a, ret, err);
	ret->outcome = CHAN_SENT;
	ret->result = json_get(v, "result");
	return CH_OK;
}

/* -- a request -- */

/* "https://host/" and "https://host" are the same root. Heap, to be wiped. */
static char *make_url(const struct tg_link *l, const char *prefix, const char *path)
{
	int n = (int)strlen(l->root);

	while (n && l->root[n - 1] == '/')
		n--;
	return ch_asprintf("%.*s%s/bot%s/%s", n, l->root, prefix, secret_reveal(l->token), path);
}

struct request {
	const char *method;              /* of the Bot API */
	const char *type, *body;
	size_t body_len;
	int64_t timeout_ms;
	bool is_repeatable;
};

/* An error without Telegram's own words. err is of the network below us, which knows the host only. */
static ch_status no_answer(const struct request *rq, bool was_sent, struct tg_answer *ret, struct ch_err *err)
{
	ret->outcome = was_sent ? CHAN_UNSURE : CHAN_NOT_SENT;
	return ch_wrap(err, "Telegram %s", rq->method);
}

static ch_status exchange(const struct tg_link *l, const struct request *rq, struct arena *a, struct tg_answer *ret,
			  struct ch_err *err)
{
	const struct http_header headers[] = { { "content-type", rq->type } };
	CH_AUTO(http_resp_free) struct http_resp *resp = NULL;
	CH_AUTO_BUF struct buf body = { 0 };
	char *url = make_url(l, "", rq->method);
	int64_t deadline_ms = fiber_deadline(rq->timeout_ms);
	bool was_sent = false;
	struct http_out out = {
		.method = "POST", .url = url, .headers = headers, .header_count = 1, .body = rq->body, .body_len = rq->body_len,
		.guard = l->guard, .headers_deadline_ms = deadline_ms, .proxy = l->proxy, .is_ipv4_only = l->is_ipv4_only,
		.is_single_use = !rq->is_repeatable, .ret_sent = &was_sent,
	};
	ch_status st;

	buf_init(&body, TG_ANSWER_MAX);
	*ret = (struct tg_answer){ .outcome = CHAN_NOT_SENT, .description = "" };
	st = http_open(l->http, &out, &resp, err);
	ch_free_wipe(url, strlen(url));
	if (st)
		return no_answer(rq, was_sent, ret, err);
	st = http_read_all(resp, &body, deadline_ms, err);
	if (st)
		return no_answer(rq, true, ret, err);
	return tg_read_answer(rq->method, http_resp_status(resp), buf_str(&body), body.len, a, ret, err);
}

CH_FIBER ch_status tg_call(const struct tg_link *l, const char *method, const struct json *params, int64_t timeout_ms,
			   struct arena *a, struct tg_answer *ret, struct ch_err *err)
{
	CH_AUTO_BUF struct buf body = { 0 };
	struct request rq = { .method = method, .type = "application/json", .timeout_ms = timeout_ms,
			      .is_repeatable = str_eq(method, "getUpdates") || str_eq(method, "getMe") };

	buf_init(&body, TG_ANSWER_MAX);
	*ret = (struct tg_answer){ .outcome = CHAN_REFUSED, .description = "" };
	if (params)
		json_write(&body, params, 0);
	else
		buf_puts(&body, "{}");
	if (buf_status(&body, err, "a request"))
		return ch_wrap(err, "Telegram %s", method);
	rq.body = body.data;
	rq.body_len = body.len;
	return exchange(l, &rq, a, ret, err);
}

CH_FIBER ch_status tg_call_form(const struct tg_link *l, const char *method, struct multipart *form, struct arena *a,
				struct tg_answer *ret, struct ch_err *err)
{
	struct request rq = { .method = method, .type = form->type, .timeout_ms = TG_UPLOAD_MS };

	*ret = (struct tg_answer){ .outcome = CHAN_REFUSED, .description = "" };
	if (multipart_end(form, err))
		return ch_wrap(err, "Telegram %s", method);
	rq.body = form->body.data;
	rq.body_len = form->body.len;
	return exchange(l, &rq, a, ret, err);
}

/* -- files -- */

/* A path that Telegram gave becomes a part of a URL: nothing in it may be more than that. */
static bool file_path_is_sound(const char *path)
{
	if (!*path || *path == '/' || strstr(path, "..") || strstr(path, "//"))
		return false;
	for (; *path; path++)
		if ((unsigned char)*path <= ' ' || strchr("?#%\\\"<>", *path) || (unsigned char)*path >= 0x7f)
			return false;
	return true;
}

CH_FIBER ch_status tg_download(const struct tg_link *l, const char *file_path, struct buf *out, struct ch_err *err)
{
	CH_AUTO(http_resp_free) struct http_resp *resp = NULL;
	struct http_out rq = { .method = "GET", .guard = l->guard, .headers_deadline_ms = fiber_deadline(TG_CALL_MS),
			       .proxy = l->proxy, .is_ipv4_only = l->is_ipv4_only };
	char *url;
	ch_status st;

	if (!file_path_is_sound(file_path))
		return ch_fail(err, CH_E_PEER, "Telegram getFile: a path that is none");
	url = make_url(l, "/file", file_path);
	rq.url = url;
	st = http_open(l->http, &rq, &resp, err);
	ch_free_wipe(url, strlen(url));
	if (st)
		return ch_wrap(err, "a file from Telegram");
	if (http_resp_status(resp) != 200)
		return ch_fail(err, http_resp_status(resp) == 404 ? CH_E_NOT_FOUND : CH_E_PEER, "a file from Telegram: HTTP %d",
			       http_resp_status(resp));
	st = http_read_all(resp, out, fiber_deadline(TG_UPLOAD_MS), err);
	return st ? ch_wrap(err, "a file from Telegram") : CH_OK;
}
