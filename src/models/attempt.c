/*
 * models/attempt.c - one HTTP exchange with a provider.
 *
 * There is no limit on how long a reply takes, only on how long it may be
 * silent. A reply that is complete is read to the end of its body for a
 * moment, so that the connection can be used again.
 */
#include "models/attempt.h"

#include "core/clock.h"
#include "core/fiber.h"
#include "core/log.h"
#include "core/str.h"
#include "models/dialect.h"
#include "models/eventstream.h"
#include "net/sse.h"

#define READ_BYTES (16u * 1024u)
#define EVENT_MAX ((size_t)16 << 20)
#define ERROR_BODY_MAX (64u * 1024u)
#define ERROR_BODY_MS 10000
#define TAIL_MS 1000

bool relay_event(void *arg, const struct model_event *ev)
{
	struct relay *r = arg;

	if (!r->first_ms)
		r->first_ms = now_mono_ms();
	r->had_output |= ev->kind != MODEL_EV_START && ev->kind != MODEL_EV_USAGE;
	return r->fn(r->arg, ev);
}

/* -- when to come back -- */

static int month_number(const char *name)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

	for (int i = 0; i < 12; i++) {
		if (strncmp(months + 3 * i, name, 3) == 0)
			return i;
	}
	return -1;
}

/* "Sun, 06 Nov 1994 08:49:37 GMT" */
static bool parse_http_date(const char *text, int64_t *ret_wall_ms)
{
	struct tm tm = { 0 };
	char month[4] = "";

	if (sscanf(text, "%*3s, %2d %3s %4d %2d:%2d:%2d GMT", &tm.tm_mday, month, &tm.tm_year, &tm.tm_hour, &tm.tm_min,
		   &tm.tm_sec) != 6)
		return false;
	tm.tm_mon = month_number(month);
	tm.tm_year -= 1900;
	if (tm.tm_mon < 0)
		return false;
	*ret_wall_ms = (int64_t)timegm(&tm) * 1000;
	return true;
}

int64_t retry_after_parse(const char *text, int64_t now_wall)
{
	double seconds;
	int64_t at_ms;

	if (str_empty(text))
		return 0;
	if (str_to_double(text, &seconds))
		return seconds > 0 && seconds < 1e9 ? (int64_t)(seconds * 1000) : 0;
	if (parse_http_date(text, &at_ms))
		return CH_MAX(at_ms - now_wall, 0);
	return 0;
}

static int64_t retry_after_of(const struct http_resp *r)
{
	const char *ms = http_resp_header(r, "retry-after-ms");
	double value;

	if (ms && str_to_double(ms, &value) && value > 0 && value < 1e12)
		return (int64_t)value;
	return retry_after_parse(http_resp_header(r, "retry-after"), now_wall_ms());
}

/* -- reading the reply -- */

struct reading {
	const struct dialect *dialect;
	struct dialect_parser *parser;
	struct relay *relay;
	struct model_result *ret;
	struct ch_err *err;
	ch_status st;                    /* of the last feed */
};

static bool feed(struct reading *x, const char *event, const char *data, size_t len)
{
	/* Dialects may write into the bytes; they are ours (a decoder's buffer or the read block). */
	x->st = x->dialect->feed(x->parser, event, (char *)data, len, relay_event, x->relay, x->ret, x->err);
	return !x->st && !x->parser->is_complete;
}

static bool on_sse(void *arg, const struct sse_event *ev)
{
	return feed(arg, ev->event, ev->data, ev->data_len);
}

static bool on_line(void *arg, const char *line, size_t len)
{
	return feed(arg, NULL, line, len);
}

/* An exception's name is marked; a bare error has its words in a header instead of the payload. */
static bool on_message(void *arg, const struct eventstream_message *m)
{
	char name[EVENTSTREAM_NAME_MAX + 2];
	bool has_words = m->len || !m->text[0];

	if (m->kind == EVENTSTREAM_EVENT)
		return feed(arg, m->name, m->payload, m->len);
	snprintf(name, sizeof(name), "%c%s", DIALECT_EXCEPTION, m->name);
	return has_words ? feed(arg, name, m->payload, m->len) : feed(arg, name, m->text, strlen(m->text));
}

/* -- decoding the body -- */

struct decoder {
	enum dialect_stream kind;
	struct sse sse;
	struct ndjson lines;
	struct eventstream events;
};

static void decoder_init(struct decoder *d, enum dialect_stream kind)
{
	*d = (struct decoder){ .kind = kind };
	sse_init(&d->sse, EVENT_MAX);
	ndjson_init(&d->lines, EVENT_MAX);
	eventstream_init(&d->events, EVENT_MAX);
}

static void decoder_done(struct decoder *d)
{
	sse_done(&d->sse);
	ndjson_done(&d->lines);
	eventstream_done(&d->events);
}

static ch_status decoder_feed(struct decoder *d, const char *p, size_t n, struct reading *x)
{
	switch (d->kind) {
	case STREAM_SSE: return sse_feed(&d->sse, p, n, on_sse, x, x->err);
	case STREAM_NDJSON: return ndjson_feed(&d->lines, p, n, on_line, x, x->err);
	case STREAM_EVENTSTREAM: return eventstream_feed(&d->events, p, n, on_message, x, x->err);
	case STREAM_NONE: break;
	}
	return CH_OK;
}

/* The last line of NDJSON may lack its newline. What else is left of an event was cut: the dialect misses its end. */
static ch_status decoder_end(struct decoder *d, struct reading *x)
{
	return d->kind == STREAM_NDJSON ? ndjson_end(&d->lines, on_line, x, x->err) : CH_OK;
}

static ch_status cut(ch_status st, struct model_result *ret, const struct ch_err *why, struct ch_err *err)
{
	if (st == CH_E_CANCELED)
		return st;
	ret->error_class = st == CH_E_TIMEOUT ? MODEL_ERR_TIMEOUT : MODEL_ERR_CUT;
	return ch_fail(err, st, "%s", why->text);
}

/* Reads the rest of a complete reply, if it comes soon. */
static CH_FIBER void read_tail(struct http_resp *r, char *block)
{
	int64_t deadline_ms = fiber_deadline(TAIL_MS);
	size_t n = 1;

	while (n && !http_read(r, block, READ_BYTES, deadline_ms, &n, NULL)) {
	}
}

/* Pieces of the body to events, until the reply is complete, fails or is not wanted any more. */
static CH_FIBER ch_status read_events(struct reading *x, struct http_resp *r, int64_t silence_ms,
				      struct decoder *d, char *block)
{
	while (!x->st && !x->parser->is_complete) {
		struct ch_err why = { .text = "" };
		size_t n = 0;
		ch_status st = http_read(r, block, READ_BYTES, fiber_deadline(silence_ms), &n, &why);

		if (st)
			return cut(st, x->ret, &why, x->err);
		st = n ? decoder_feed(d, block, n, x) : decoder_end(d, x);
		if (st) {
			x->ret->error_class = MODEL_ERR_SERVER;
			return st;
		}
		if (n == 0)
			break;
	}
	if (x->st)
		return x->st;
	if (x->parser->is_complete)
		read_tail(r, block);
	return x->dialect->end(x->parser, relay_event, x->relay, x->ret, x->err);
}

static CH_FIBER ch_status read_reply(struct model_target *t, struct http_resp *r, struct relay *relay,
				     struct model_result *ret, struct ch_err *err)
{
	struct reading x = { .dialect = t->dialect, .relay = relay, .ret = ret, .err = err };
	char *block = ch_alloc(READ_BYTES);
	struct decoder d;
	ch_status st;

	decoder_init(&d, t->dialect->stream);
	x.parser = dialect_parser_new();
	st = read_events(&x, r, t->silence_ms, &d, block);
	dialect_parser_free(x.parser);
	decoder_done(&d);
	ch_free(block);
	return st;
}

/* An answer that is no stream: its class and the provider's words. */
static CH_FIBER ch_status read_refusal(struct model_target *t, struct http_resp *r, struct model_result *ret,
				       struct ch_err *err)
{
	CH_AUTO_BUF struct buf body = { .max_bytes = ERROR_BODY_MAX };
	char words[128] = "";
	CH_AUTO_STR char *clean = NULL;
	ch_status st;

	/* A body that is too long or cut still tells something. */
	st = http_read_all(r, &body, fiber_deadline(ERROR_BODY_MS), NULL);
	if (st == CH_E_CANCELED)
		return st;
	ret->error_class = t->dialect->classify(ret->http_status, buf_str(&body), body.len, words, sizeof(words));
	ret->retry_after_ms = retry_after_of(r);
	if (!ret->retry_after_ms)
		ret->retry_after_ms = error_retry_ms(buf_str(&body), body.len);
	/* Some providers quote the key they refuse. */
	clean = log_redacted(words);
	return ch_fail(err, CH_E_PEER, "HTTP %d%s%s", ret->http_status, *clean ? ": " : "", clean);
}

static bool is_refusal(const struct model_target *t, const struct http_resp *r)
{
	const char *type = http_resp_header(r, "content-type");
	int status = http_resp_status(r);

	if (status < 200 || status > 299)
		return true;
	/* Some gateways put an error, or a login page, under 200. */
	return type && (str_starts(type, "text/html") ||
			(t->dialect->stream != STREAM_NDJSON && str_starts(type, "application/json")));
}

CH_FIBER ch_status model_attempt(struct model_target *t, struct relay *relay, struct model_result *ret,
				 struct ch_err *err)
{
	CH_AUTO(http_resp_free) struct http_resp *r = NULL;
	struct http_out rq = {
		.method = "POST",
		.url = t->url,
		.body = t->body,
		.body_len = t->body_len,
		.body_stays = true,
		.guard = t->guard,
		.headers_deadline_ms = fiber_deadline(t->silence_ms),
		.ret_sent = &t->was_sent,
	};
	ch_status st = aws_sign_attempt(t, err);

	if (st)
		return st;
	rq.headers = t->headers.at;
	rq.header_count = t->headers.len;
	st = http_open(t->m->opts.http, &rq, &r, err);
	if (st) {
		ret->error_class = st == CH_E_TIMEOUT ? MODEL_ERR_TIMEOUT : MODEL_ERR_NETWORK;
		return st;
	}
	ret->http_status = http_resp_status(r);
	if (is_refusal(t, r))
		return read_refusal(t, r, ret, err);
	return read_reply(t, r, relay, ret, err);
}
