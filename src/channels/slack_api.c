/*
 * channels/slack_api.c - one call of Slack's Web API: a form in, JSON out, and what a failure means.
 *
 * Slack says failures by words in an answer with status 200, refusals of pace by 429, and what it does not say leaves open
 * whether it was done. Nothing is tried again here: the core does that, where repeating is harmless.
 * Source: docs.slack.dev (facts), types of @slack/web-api.
 */
#include "channels/slack.h"

#include "core/fiber.h"
#include "core/mem.h"
#include "core/num.h"
#include "core/str.h"
#include "net/url.h"

/* -- what Slack's words mean -- */

#define LOGIN(word, hint) { word, CHAN_NOT_SENT, CH_E_UNPAIRED, hint }
#define LATER(word, hint) { word, CHAN_NOT_SENT, CH_E_BUSY, hint }
#define MAYBE(word) { word, CHAN_UNSURE, CH_E_PEER, "Slack had trouble of its own" }
#define NEVER(word, hint) { word, CHAN_REFUSED, CH_E_INVALID, hint }
#define ABSENT(word, hint) { word, CHAN_REFUSED, CH_E_NOT_FOUND, hint }

static const struct slack_error errors[] = {
	LOGIN("account_inactive", "the app was removed from the workspace: install it again"),
	LOGIN("invalid_auth", "the token is not valid: check botToken and appToken"),
	LOGIN("not_allowed_token_type", "a token of another kind is needed: botToken begins with xoxb-, appToken with xapp-"),
	LOGIN("not_authed", "no token was sent: set botToken"),
	LOGIN("org_login_required", "the workspace moved to an organisation: install the app there"),
	LOGIN("team_access_not_granted", "the app has no access to this workspace: install it there"),
	LOGIN("team_disabled", "the workspace is switched off"),
	LOGIN("token_expired", "the token has expired: token rotation of the app is on; a token that lasts comes from an app without it"),
	LOGIN("token_revoked", "the token was revoked: install the app again"),
	LOGIN("two_factor_setup_required", "the account must set up two factors"),
	LOGIN("user_removed_from_team", "the account was removed from the workspace"),
	LATER("message_limit_exceeded", "too many messages: wait"),
	LATER("rate_limited", "too many requests: wait"),
	LATER("ratelimited", "too many requests: wait"),
	LATER("request_timeout", "the request was cut on its way"),
	LATER("service_unavailable", "Slack is not available"),
	LATER("team_added_to_org", "the workspace moves to an organisation: wait"),
	MAYBE("fatal_error"),
	MAYBE("internal_error"),
	MAYBE("accesslimited"),
	MAYBE("messaging_processing_failed"),
	ABSENT("channel_not_found", "no such conversation, or the app is not in it: invite it with /invite, and use the id (C…)"),
	ABSENT("file_not_found", "the file is gone"),
	ABSENT("message_not_found", "there is no such message"),
	ABSENT("thread_not_found", "there is no such thread"),
	ABSENT("user_not_found", "there is no such person in this workspace"),
	ABSENT("users_not_found", "there is no such person in this workspace"),
	NEVER("access_denied", "the workspace does not allow it"),
	NEVER("cannot_dm_bot", "bots cannot write to bots"),
	NEVER("cant_delete_message", "only own messages can be deleted"),
	NEVER("cant_update_message", "only own messages can be edited"),
	NEVER("edit_window_closed", "the workspace does not allow edits so late"),
	NEVER("ekm_access_denied", "an administrator has stopped messages"),
	NEVER("invalid_blocks", "the message's layout was not accepted"),
	NEVER("invalid_name", "there is no emoji of this name"),
	NEVER("is_archived", "the conversation is archived: unarchive it, or write elsewhere"),
	NEVER("messages_tab_disabled", "switch on the messages tab of the app's home"),
	NEVER("missing_scope", "add the scope at api.slack.com/apps and install the app again"),
	NEVER("message_not_in_streaming_state", "Slack, or the person, has ended the message"),
	NEVER("msg_too_long", "the message is too long"),
	NEVER("no_permission", "the app's token may not do this"),
	NEVER("no_text", "the message is empty"),
	NEVER("not_in_channel", "the app is not in this conversation: invite it with /invite"),
	NEVER("restricted_action", "the workspace does not let the app write there"),
	NEVER("restricted_action_read_only_channel", "nobody may write in this channel"),
	NEVER("restricted_action_thread_only_channel", "only threads may be written in there"),
	NEVER("restricted_action_thread_locked", "the thread is locked"),
	NEVER("stopped_by_user", "the person has stopped it"),
	NEVER("storage_limit_reached", "the workspace has no room for files"),
	NEVER("streaming_state_conflict", "the message still grows"),
	NEVER("too_many_emoji", "the message has as many reactions as it may"),
	NEVER("too_many_reactions", "the message has as many reactions as it may"),
	NEVER("user_not_in_channel", "the person is not in this conversation"),
};

/* A word that is not listed is an answer all the same: it was not done. */
static const struct slack_error unknown = NEVER(NULL, "Slack refused it");

const struct slack_error *slack_error_find(const char *code)
{
	for (size_t i = 0; i < CH_ARRAY_LEN(errors); i++)
		if (str_eq(errors[i].code, code))
			return &errors[i];
	return &unknown;
}

/* -- where Slack is -- */

const char *slack_root(const struct chan_cfg *cfg)
{
	const char *root = chan_cfg_str(cfg, "apiRoot");

	return str_empty(root) ? SLACK_ROOT : root;
}

static bool is_slack_host(const char *host)
{
	return str_eq(host, "slack.com") || str_ends(host, ".slack.com") || str_eq(host, "slack-gov.com") ||
	       str_ends(host, ".slack-gov.com");
}

/* The host and port of the configured root, by whatever protocol. */
static bool is_at_root(const struct chan_cfg *cfg, const struct url *u, struct arena *a)
{
	struct url root;

	return !str_empty(chan_cfg_str(cfg, "apiRoot")) && url_parse(a, slack_root(cfg), &root, NULL) == CH_OK &&
	       str_eq(root.host, u->host) && root.port == u->port;
}

bool slack_is_ours(const struct chan_cfg *cfg, const char *url)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct url u;

	if (!url || url_parse(a, url, &u, NULL))
		return false;
	if (is_at_root(cfg, &u, a))
		return true;
	return (str_eq(u.scheme, "https") || str_eq(u.scheme, "wss")) && is_slack_host(u.host);
}

enum guard_policy slack_guard(const struct chan_cfg *cfg, const char *url)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct url u;

	return url_parse(a, url, &u, NULL) == CH_OK && is_at_root(cfg, &u, a) ? GUARD_TRUST_ORIGIN : GUARD_PUBLIC_ONLY;
}

/* -- credentials -- */

CH_FIBER ch_status slack_secret(const struct chan_cfg *cfg, enum slack_token token, struct secret **ret, struct ch_err *err)
{
	if (token == SLACK_APP)
		return chan_cfg_secret(cfg, "appToken", "SLACK_APP_TOKEN", ret, err);
	if (token == SLACK_READ && chan_cfg_has_secret(cfg, "userToken", "SLACK_USER_TOKEN"))
		return chan_cfg_secret(cfg, "userToken", "SLACK_USER_TOKEN", ret, err);
	return chan_cfg_secret(cfg, "botToken", "SLACK_BOT_TOKEN", ret, err);
}

/* -- forms -- */

void slack_form_done(struct slack_form *f)
{
	buf_done(&f->body);
}

static void put_encoded(struct buf *out, const char *s)
{
	static const char digits[] = "0123456789ABCDEF";

	for (; *s; s++) {
		const unsigned char c = (unsigned char)*s;

		if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || strchr("-._~", c)) {
			buf_putc(out, *s);
			continue;
		}
		buf_append(out, (const char[]){ '%', digits[c >> 4], digits[c & 15] }, 3);
	}
}

void slack_form_add(struct slack_form *f, const char *name, const char *value)
{
	if (!value)
		return;
	if (f->body.len)
		buf_putc(&f->body, '&');
	put_encoded(&f->body, name);
	buf_putc(&f->body, '=');
	put_encoded(&f->body, value);
}

void slack_form_int(struct slack_form *f, const char *name, int64_t value)
{
	char text[NUM_TEXT_LEN];

	text[num_format_i64(value, text)] = '\0';
	slack_form_add(f, name, text);
}

void slack_form_bool(struct slack_form *f, const char *name, bool value)
{
	slack_form_add(f, name, value ? "true" : "false");
}

/* -- calling -- */

static ch_status refused(const char *method, const struct slack_answer *answer, struct ch_err *err)
{
	const struct slack_error *e = slack_error_find(answer->error);
	const char *needed = json_get_str(answer->body, "needed");

	if (str_eq(answer->error, "missing_scope") && needed)
		return ch_fail(err, e->status, "%s: missing_scope: needs %s: %s", method, needed, e->hint);
	return ch_fail(err, e->status, "%s: %s: %s", method, answer->error, e->hint);
}

/* "Retry-After: 30" in ms; a second when it says nothing. */
static int retry_after_ms(const struct http_resp *r)
{
	const char *text = http_resp_header(r, "retry-after");
	int64_t s = 1;

	if (text && (!str_to_i64(text, &s) || s < 0))
		s = 1;
	return (int)CH_MIN(s, 3600) * 1000;
}

static ch_status judge(const char *method, struct http_resp *r, const struct buf *text, struct arena *a, struct slack_answer *ret,
		       struct ch_err *err)
{
	const int status = http_resp_status(r);
	struct json *body = NULL;

	ret->scopes = arena_strdup(a, http_resp_header(r, "x-oauth-scopes"));
	if (status == 429) {
		ret->outcome = CHAN_NOT_SENT;
		ret->error = "ratelimited";
		(void)ch_fail(err, CH_E_BUSY, "%s: Slack asks to wait", method);
		if (err)
			err->retry_after_ms = retry_after_ms(r);
		return CH_E_BUSY;
	}
	if (json_parse(a, buf_str(text), text->len, JSON_STRICT, &body, NULL) || !json_is(body, JSON_OBJ)) {
		/* 4xx without Slack's words comes from something in between, or from a wrong root: it was not done. */
		ret->outcome = status >= 400 && status < 500 ? CHAN_REFUSED : CHAN_UNSURE;
		return ch_fail(err, CH_E_PEER, "%s: Slack answered with HTTP %d and no JSON", method, status);
	}
	ret->body = body;
	if (json_get_bool(body, "ok", false)) {
		ret->outcome = CHAN_SENT;
		return CH_OK;
	}
	ret->error = json_get_str(body, "error") ? json_get_str(body, "error") : "an error without a name";
	ret->outcome = slack_error_find(ret->error)->outcome;
	ret->is_login = slack_error_find(ret->error)->status == CH_E_UNPAIRED;
	return refused(method, ret, err);
}

/* Repeating it shows twice: it gets a connection of its own, where nothing is sent again behind our back. */
static bool shows_twice(const char *method)
{
	return str_starts(method, "chat.post") || str_starts(method, "files.complete") || str_eq(method, "chat.startStream") ||
	       str_eq(method, "chat.appendStream") || str_eq(method, "chat.stopStream");
}

CH_FIBER ch_status slack_call(struct chan_acct *acct, enum slack_token token, const char *method, const struct slack_form *form,
			      int64_t deadline_ms, struct arena *a, struct slack_answer *ret, struct ch_err *err)
{
	CH_AUTO(chan_cfg_unref) struct chan_cfg *cfg = chan_cfg_ref((struct chan_cfg *)chan_acct_cfg(acct));
	CH_AUTO(http_resp_free) struct http_resp *r = NULL;
	CH_AUTO(secret_unref) struct secret *secret = NULL;
	CH_AUTO_BUF struct buf bearer = { .max_bytes = 8192 }, text = { .max_bytes = SLACK_ANSWER_MAX };
	const char *url = arena_printf(a, "%s/%s", slack_root(cfg), method);
	bool has_left = false;
	ch_status st;

	*ret = (struct slack_answer){ .outcome = CHAN_NOT_SENT };
	st = form ? buf_status(&form->body, err, "a request to Slack") : CH_OK;
	if (!st)
		st = slack_secret(cfg, token, &secret, err);
	if (st) {
		ret->outcome = st == CH_E_LIMIT ? CHAN_REFUSED : CHAN_NOT_SENT;
		return st;
	}
	buf_printf(&bearer, "Bearer %s", secret_reveal(secret));
	st = http_open(chan_http(acct),
		       &(struct http_out){
			       .method = "POST",
			       .url = url,
			       .headers = (const struct http_header[]){
				       { "authorization", buf_str(&bearer) },
				       { "content-type", "application/x-www-form-urlencoded; charset=utf-8" },
			       },
			       .header_count = 2,
			       .body = form ? buf_str(&form->body) : "",
			       .body_len = form ? form->body.len : 0,
			       .guard = slack_guard(cfg, url),
			       .headers_deadline_ms = deadline_ms,
			       .is_single_use = shows_twice(method),
			       .ret_sent = &has_left,
		       },
		       &r, err);
	if (!st)
		st = http_read_all(r, &text, deadline_ms, err);
	if (bearer.data)
		explicit_bzero(bearer.data, bearer.len);
	if (st) {
		ret->outcome = has_left ? CHAN_UNSURE : CHAN_NOT_SENT;
		return ch_wrap(err, "%s", method);
	}
	st = judge(method, r, &text, a, ret, err);
	if (ret->is_login && token == SLACK_BOT)
		((struct slack *)chan_priv(acct))->is_refused = true;
	return st;
}

/* -- who we are -- */

static void replace(char **at, const char *value)
{
	ch_free(*at);
	*at = ch_strdup(value);
}

CH_FIBER ch_status slack_login(struct chan_acct *acct, struct arena *a, const char **ret_scopes, struct ch_err *err)
{
	struct slack_answer answer;
	struct slack *s;
	ch_status st = slack_call(acct, SLACK_BOT, "auth.test", NULL, fiber_deadline(SLACK_CALL_MS), a, &answer, err);

	if (st)
		return st;
	if (!json_get_str(answer.body, "user_id"))
		return ch_fail(err, CH_E_PEER, "auth.test: Slack did not say who we are");
	s = chan_priv(acct);
	s->is_refused = false;
	replace(&s->team_id, json_get_str(answer.body, "team_id"));
	replace(&s->bot_id, json_get_str(answer.body, "bot_id"));
	replace(&s->url, json_get_str(answer.body, "url"));
	s->is_org = json_get_bool(answer.body, "is_enterprise_install", false);
	chan_self(acct, json_get_str(answer.body, "user_id"), json_get_str(answer.body, "user"), json_get_str(answer.body, "user"));
	if (ret_scopes)
		*ret_scopes = answer.scopes;
	return CH_OK;
}

CH_FIBER ch_status slack_check_login(struct chan_acct *acct, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = NULL;
	const struct slack *s = chan_priv(acct);
	ch_status st;

	if (!s->is_refused)
		return CH_OK;
	a = arena_new(0);
	st = slack_login(acct, a, NULL, err);
	return st == CH_E_UNPAIRED || st == CH_E_CANCELED ? st : CH_OK;
}
