/*
 * channels/discord_api.c - one request to Discord's REST API, within its limits, and what an answer means.
 */
#include "channels/discord.h"

#include <stdio.h>
#include <string.h>

#include "core/clock.h"
#include "core/fiber.h"
#include "core/log.h"
#include "core/str.h"
#include "net/http_client.h"

#define ANSWER_MAX (8u << 20)
#define WORDS_MAX 400
#define USER_AGENT "DiscordBot (chela, " CHELA_VERSION ")"    /* the form that Discord asks for */

/* -- what Discord says of an error -- */

struct walk { struct buf *out; size_t found; };

#define ERRORS_MAX 4
#define ERRORS_DEPTH 8

static void one_error(struct walk *w, const char *path, const struct json *list)
{
	json_each(e, list) {
		if (w->found++ >= ERRORS_MAX)
			return;
		buf_printf(w->out, "%s%s: %s", w->found > 1 ? "; " : "", *path ? path : "body", json_str_or(json_get(e, "message"), "?"));
	}
}

/* {"content":{"_errors":[{code,message}]},"embeds":{"0":{…}}}; a tree of a foreign depth, so not by recursion. */
static void walk_errors(struct walk *w, const struct json *errors)
{
	const struct json *at[ERRORS_DEPTH] = { json_first(errors) };
	char path[ERRORS_DEPTH][64];
	int depth = 0;

	while (depth >= 0 && w->found < ERRORS_MAX) {
		const struct json *v = at[depth];

		if (!v) {
			depth--;
			continue;
		}
		at[depth] = v->next;
		if (str_eq(v->key, "_errors")) {
			one_error(w, depth ? path[depth - 1] : "", v);
		} else if (json_is(v, JSON_OBJ) && depth + 1 < ERRORS_DEPTH) {
			snprintf(path[depth], sizeof(path[depth]), "%s%s%s", depth ? path[depth - 1] : "", depth ? "." : "", v->key);
			at[++depth] = json_first(v);
		}
	}
}

/* What a person can do about it. */
static const struct { int code; const char *help; } way_out[] = {
	{ 10003, "the channel is gone, or was never there: check its id" },
	{ 30046, "this message was edited too often; write a new one" },
	{ 40005, "the file is larger than Discord takes here" },
	{ 40067, "this forum wants a tag, which chela cannot give: switch that off in the forum's settings" },
	{ 50001, "give the bot's role View Channel there" },
	{ 50007, "they must allow direct messages from a server that they share with the bot" },
	{ 50013, "give the bot's role the permission there: Send Messages (in Threads), Attach Files, Add Reactions, Read Message History" },
	{ 50083, "the thread is archived and locked: open it again" },
	{ 50240, "the app has an Activity, whose Entry Point command stands in the way: delete it, or set commands.native to false" },
	{ 90001, "this person has blocked the bot" },
	{ 160005, "the thread is locked: a moderator must open it" },
};

const char *discord_way_out(int code)
{
	for (size_t i = 0; i < CH_ARRAY_LEN(way_out); i++)
		if (way_out[i].code == code)
			return way_out[i].help;
	return NULL;
}

void discord_error_text(const struct json *body, struct buf *out)
{
	struct walk w = { .out = out };
	const char *message = json_get_str(body, "message");
	int64_t code = json_get_int(body, "code", 0);

	if (message)
		buf_puts(out, message);
	if (code)
		buf_printf(out, " (%lld)", (long long)code);
	if (json_get(body, "errors")) {
		buf_puts(out, ": ");
		walk_errors(&w, json_get(body, "errors"));
	}
	if (discord_way_out((int)CH_MIN(code, INT32_MAX)))
		buf_printf(out, "; %s", discord_way_out((int)CH_MIN(code, INT32_MAX)));
}

/* -- the request -- */

struct exchange {
	struct discord *d;
	const struct discord_rq *rq;
	struct discord_route route;
	int64_t deadline_ms;
	bool was_sent;
};

/* Parks until the limits let the request go. */
static CH_FIBER ch_status wait_turn(struct exchange *x, struct ch_err *err)
{
	int64_t give_up_ms = now_mono_ms() + x->rq->wait_max_ms;

	for (;;) {
		int64_t wait_ms = discord_rate_take(x->d->rate, &x->route, x->rq->is_free, now_mono_ms());
		ch_status st;

		if (!wait_ms)
			return CH_OK;
		if (now_mono_ms() + wait_ms > CH_MIN(give_up_ms, x->deadline_ms)) {
			st = ch_fail(err, CH_E_BUSY, "discord: rate limited for %lld ms", (long long)wait_ms);
			if (err)
				err->retry_after_ms = (int)CH_MIN(wait_ms, INT32_MAX);
			return st;
		}
		st = fiber_sleep(wait_ms);
		if (st)
			return ch_fail(err, st, "discord: cancelled while rate limited");
	}
}

static CH_FIBER ch_status open_request(struct exchange *x, struct arena *a, struct http_resp **ret, struct ch_err *err)
{
	const struct discord_rq *rq = x->rq;
	struct http_header headers[3] = {
		{ "User-Agent", USER_AGENT },
		{ "Authorization", arena_printf(a, "Bot %s", secret_reveal(x->d->token)) },
	};
	size_t count = 2;
	ch_status st;

	if (rq->body)
		headers[count++] = (struct http_header){ "Content-Type", rq->content_type ? rq->content_type : "application/json" };
	st = http_open(x->d->http,
		       &(struct http_out){
			       .method = rq->method,
			       .url = arena_printf(a, "%s%s", x->d->api, rq->path),
			       .headers = headers,
			       .header_count = count,
			       .body = rq->body,
			       .body_len = rq->body_len,
			       .guard = x->d->guard,
			       .proxy = x->d->proxy,
			       .headers_deadline_ms = x->deadline_ms,
			       .is_single_use = rq->is_once,
			       .ret_sent = &x->was_sent,
		       },
		       ret, err);
	return st ? ch_wrap(err, "discord") : CH_OK;
}

static void learn_limits(struct exchange *x, const struct http_resp *r, const struct discord_rs *rs, struct ch_err *err)
{
	struct discord_rate_said said = {
		.status = rs->status,
		.bucket = http_resp_header(r, "x-ratelimit-bucket"),
		.limit = http_resp_header(r, "x-ratelimit-limit"),
		.remaining = http_resp_header(r, "x-ratelimit-remaining"),
		.reset_after = http_resp_header(r, "x-ratelimit-reset-after"),
		.scope = http_resp_header(r, "x-ratelimit-scope"),
		/* Who does not speak Discord's JSON stands before it, and refuses all that comes from us. */
		.is_global = http_resp_header(r, "x-ratelimit-global") || json_get_bool(rs->body, "global", !rs->body),
		.retry_after_s = json_num_or(json_get(rs->body, "retry_after"), 0),
	};
	const char *retry_after = http_resp_header(r, "retry-after");

	if (said.retry_after_s <= 0 && retry_after && !str_to_double(retry_after, &said.retry_after_s))
		said.retry_after_s = 0;
	discord_rate_answer(x->d->rate, &x->route, &said, now_mono_ms());
	if (rs->status == 429 && err)
		err->retry_after_ms = (int)CH_MIN(discord_rate_retry_ms(&said), INT32_MAX);
}

static ch_status status_of(int status)
{
	switch (status) {
	case 400: return CH_E_INVALID;
	case 401:
	case 403: return CH_E_DENIED;
	case 404: return CH_E_NOT_FOUND;
	case 413: return CH_E_LIMIT;
	case 429: return CH_E_BUSY;
	default: return status >= 400 && status < 500 ? CH_E_INVALID : CH_E_PEER;
	}
}

static ch_status refusal(const struct exchange *x, const struct discord_rs *rs, struct ch_err *err)
{
	CH_AUTO_BUF struct buf words = { .max_bytes = WORDS_MAX };

	discord_error_text(rs->body, &words);
	return ch_fail(err, status_of(rs->status), "discord: %s: HTTP %d%s%s", x->route.route, rs->status, words.len ? ": " : "",
		       log_quote(buf_str(&words)));
}

/* The answer's body as JSON; 204 has none, and a proxy's page is none. */
static CH_FIBER ch_status read_answer(struct exchange *x, struct http_resp *r, struct arena *a, struct discord_rs *ret,
				      struct ch_err *err)
{
	CH_AUTO_BUF struct buf body = { .max_bytes = ANSWER_MAX };
	struct json *v = NULL;
	ch_status st = http_read_all(r, &body, x->deadline_ms, err);

	if (st)
		return ch_wrap(err, "discord: %s", x->route.route);
	if (body.len && !json_parse(a, body.data, body.len, JSON_STRICT, &v, NULL))
		ret->body = v;
	return CH_OK;
}

CH_FIBER ch_status discord_call(struct discord *d, const struct discord_rq *rq, struct arena *a, struct discord_rs *ret,
				struct ch_err *err)
{
	CH_AUTO(http_resp_free) struct http_resp *r = NULL;
	struct exchange x = { .d = d, .rq = rq, .deadline_ms = rq->deadline_ms ? rq->deadline_ms : fiber_deadline(DISCORD_CALL_MS) };
	struct ch_err own;
	ch_status st;

	err = err ? err : &own;
	*ret = (struct discord_rs){ .status = 0 };
	discord_route(rq->method, rq->path, &x.route);
	st = wait_turn(&x, err);
	ret->is_global = discord_rate_is_global(d->rate, now_mono_ms());
	if (st)
		return st;
	st = open_request(&x, a, &r, err);
	ret->may_have_acted = x.was_sent;
	if (st)
		return st;
	ret->status = http_resp_status(r);
	st = read_answer(&x, r, a, ret, err);
	if (st)
		return st;
	ret->code = (int)CH_MIN(json_get_int(ret->body, "code", 0), INT32_MAX);
	ret->may_have_acted = ret->status >= 500;
	st = ret->status / 100 == 2 ? CH_OK : refusal(&x, ret, err);
	learn_limits(&x, r, ret, err);
	ret->is_global = discord_rate_is_global(d->rate, now_mono_ms());
	return st;
}

enum chan_outcome discord_outcome(ch_status st, const struct discord_rs *rs)
{
	if (!st)
		return CHAN_SENT;
	if (rs->may_have_acted)
		return CHAN_UNSURE;
	/* Nothing was sent, the limit, and a token that is no longer good: not this message's fault. */
	if (!rs->status || rs->status == 429 || rs->status == 401)
		return CHAN_NOT_SENT;
	return CHAN_REFUSED;
}
