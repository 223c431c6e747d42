/*
 * What providers stream: arbitrary bytes to each dialect, whole and cut, and
 * as the body of an error. The first byte chooses the dialect and the cut;
 * both readings must give the same events and the same end.
 */
#include "fuzz.h"

#include "core/str.h"
#include "models/dialect.h"
#include "net/sse.h"

#define EVENT_MAX 4096

struct reading {
	const struct dialect *d;
	struct dialect_parser *p;
	struct model_result ret;
	struct buf log;
	size_t open_calls;
	ch_status st;
};

static bool on_event(void *arg, const struct model_event *ev)
{
	struct reading *r = arg;

	FUZZ_ASSERT(ev->kind != MODEL_EV_RETRY);
	FUZZ_ASSERT(!ev->text || strlen(ev->text) == ev->len);
	if (ev->kind == MODEL_EV_TOOL_START) {
		FUZZ_ASSERT(ev->id && ev->name);
		r->open_calls++;
	}
	if (ev->kind == MODEL_EV_TOOL_END) {
		FUZZ_ASSERT(ev->id && ev->name && ev->len && r->open_calls > 0);
		r->open_calls--;
	}
	buf_printf(&r->log, "%d %s %s %s\n", ev->kind, ev->id ? ev->id : "", ev->name ? ev->name : "", ev->text ? ev->text : "");
	return true;
}

static bool feed(struct reading *r, const char *event, const char *data, size_t len)
{
	struct ch_err err;

	r->st = r->d->feed(r->p, event, (char *)data, len, on_event, r, &r->ret, &err);
	return !r->st && !r->p->is_complete;
}

static bool on_sse(void *arg, const struct sse_event *ev)
{
	return feed(arg, ev->event, ev->data, ev->data_len);
}

static bool on_line(void *arg, const char *line, size_t len)
{
	return feed(arg, NULL, line, len);
}

static void read_stream(struct reading *r, const struct dialect *d, const char *p, size_t n, size_t step)
{
	ch_status decoded = CH_OK;
	struct ndjson lines;
	struct sse sse;

	*r = (struct reading){ .d = d, .p = dialect_parser_new() };
	buf_init(&r->log, (size_t)16 << 20);
	sse_init(&sse, EVENT_MAX);
	ndjson_init(&lines, EVENT_MAX);
	for (size_t at = 0; at < n && !r->st && !decoded && !r->p->is_complete; at += step)
		decoded = d->stream != STREAM_NDJSON ? sse_feed(&sse, p + at, CH_MIN(step, n - at), on_sse, r, NULL)
						  : ndjson_feed(&lines, p + at, CH_MIN(step, n - at), on_line, r, NULL);
	if (!r->st && !decoded)
		r->st = d->end(r->p, on_event, r, &r->ret, NULL);
	if (!r->st && !decoded)
		FUZZ_ASSERT(r->open_calls == 0);
	if (r->st)
		FUZZ_ASSERT(r->ret.error_class != MODEL_ERR_NONE || r->st == CH_E_LIMIT);
	dialect_parser_free(r->p);
	sse_done(&sse);
	ndjson_done(&lines);
}

/* AWS's events are written down as SSE, which has names too; their own framing has a target of its own. */
static const struct dialect *const all[] = {
	&dialect_anthropic, &dialect_openai_chat, &dialect_ollama, &dialect_openai_responses, &dialect_google, &dialect_bedrock,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct dialect *d;
	struct reading whole, cut;
	char text[128];

	if (size < 2)
		return 0;
	d = all[data[0] % CH_ARRAY_LEN(all)];
	read_stream(&whole, d, (const char *)data + 1, size - 1, size);
	read_stream(&cut, d, (const char *)data + 1, size - 1, 1 + data[0] / CH_ARRAY_LEN(all) % 32);
	FUZZ_ASSERT(whole.st == cut.st && whole.ret.error_class == cut.ret.error_class && whole.ret.stop == cut.ret.stop);
	FUZZ_ASSERT(strcmp(buf_str(&whole.log), buf_str(&cut.log)) == 0);
	buf_done(&whole.log);
	buf_done(&cut.log);
	(void)error_read_body(data[0], (const char *)data + 1, size - 1, text, sizeof(text));
	FUZZ_ASSERT(utf8_valid(text, strlen(text)));
	return 0;
}
