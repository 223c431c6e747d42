/*
 * gateway/render_message.c - a transcript entry as clients see it: the message with `__openclaw` added.
 */
#include <string.h>

#include "core/str.h"
#include "gateway/gw.h"

/* meta holds further members as an object; they become the first ones of the open object. */
static void put_meta(struct jw *w, const char *meta)
{
	size_t n = meta ? strlen(meta) : 0;

	if (n <= 2)
		return;
	buf_append(w->out, meta + 1, n - 2);
	w->need_comma = true;
}

static void put_openclaw(struct jw *w, const struct tr_entry *e)
{
	jw_obj(w);
	put_meta(w, e->meta);
	jw_kstr_opt(w, "runId", str_eq(e->role, "user") ? NULL : e->run_id);
	jw_kstr(w, "id", e->id);
	jw_kstr_opt(w, "idempotencyKey", e->idempotency_key);
	jw_kint(w, "recordTimestampMs", e->created_at);
	jw_kobj(w, "transcriptPosition");
	jw_kstr(w, "source", e->session_id);   /* opaque to clients: it names the transcript window */
	jw_kint(w, "rawSeq", e->raw_seq);
	jw_end(w);
	if (!str_eq(e->type, "message"))
		jw_kstr(w, "kind", e->type);
	jw_kint(w, "seq", e->seq);
	jw_end(w);
}

/* What came with a message of a network is for the model alone. */
static void hide_context(struct arena *a, struct tr_entry *e)
{
	struct json *message;

	if (json_parse(a, e->message, e->message_len, JSON_STRICT, &message, NULL) || !json_unset(message, TR_CONTEXT))
		return;
	e->message = json_to_str(a, message);
	e->message_len = strlen(e->message);
}

static void render(struct jw *w, const struct tr_entry *e)
{
	static const char key[] = "\"__openclaw\":";
	struct jw inner = JW(w->out);
	size_t n = e->message_len;

	CH_BUG_ON(n < 2 || e->message[0] != '{');
	jw_raw(w, e->message, n - 1);            /* without its closing brace */
	if (n > 2)
		buf_putc(w->out, ',');
	buf_append(w->out, key, sizeof(key) - 1);
	put_openclaw(&inner, e);
	buf_putc(w->out, '}');
}

void gw_render_message(struct jw *w, const struct tr_entry *e)
{
	CH_AUTO(arena_unref) struct arena *a = NULL;
	struct tr_entry shown = *e;

	if (str_eq(e->role, "user") && memmem(e->message, e->message_len, "\"" TR_CONTEXT "\":", sizeof("\"" TR_CONTEXT "\":") - 1)) {
		a = arena_new(0);
		hide_context(a, &shown);
	}
	render(w, &shown);
}
