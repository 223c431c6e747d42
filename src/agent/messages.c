/*
 * agent/messages.c - transcript messages in the protocol's shape.
 */
#include "agent/messages.h"

#include <string.h>

#include "agent/from.h"
#include "agent/wake.h"
#include "core/str.h"

#define TITLE_GRAPHEMES 60

/* Base64 without the "data:…;base64," that some clients put before it. */
static void image_data(struct jw *w, const struct json *content)
{
	const char *text = json_str(content), *comma;

	comma = text && str_starts(text, "data:") ? strchr(text, ',') : NULL;
	jw_kstr(w, "data", comma ? comma + 1 : text);
}

/* "display" false is what clients and chat.history go by. */
static void put_provenance(struct jw *w, const struct run_origin *o)
{
	jw_kobj(w, "provenance");
	jw_kstr(w, "kind", o->kind);
	jw_kstr_opt(w, "sourceSessionKey", o->session_key);
	jw_kstr(w, "sourceChannel", "internal");
	jw_kstr_opt(w, "sourceTool", o->tool);
	jw_end(w);
	if (o->is_hidden)
		jw_kbool(w, "display", false);
}

void msg_user(struct buf *out, const struct run_input *in, int64_t ts, bool is_command)
{
	char key[RUN_ID_MAX + sizeof(":user")];
	struct jw w = JW(out);

	jw_obj(&w);
	jw_kstr(&w, "role", "user");
	jw_key(&w, "content");
	if (!json_len(in->attachments)) {
		jw_str(&w, in->text);
	} else {
		jw_arr(&w);
		if (!str_empty(in->text)) {
			jw_obj(&w);
			jw_kstr(&w, "type", "text");
			jw_kstr(&w, "text", in->text);
			jw_end(&w);
		}
		json_each(att, in->attachments) {
			jw_obj(&w);
			jw_kstr(&w, "type", "image");
			image_data(&w, json_get(att, "content"));
			jw_kvalue(&w, "mimeType", json_get(att, "mimeType"));
			jw_end(&w);
		}
		jw_end(&w);
	}
	jw_kint(&w, "timestamp", ts);
	snprintf(key, sizeof(key), "%s:user", in->run_id);
	jw_kstr(&w, "idempotencyKey", key);
	if (is_command)
		jw_kbool(&w, "excludeFromContext", true);
	if (in->origin)
		put_provenance(&w, in->origin);
	if (in->from)
		jw_kstr_opt(&w, TR_CONTEXT, in->from->context);
	jw_end(&w);
}

const char *msg_with_text(struct arena *a, const char *message, const char *text)
{
	struct json *m, *content;

	if (json_parse(a, message, strlen(message), JSON_STRICT, &m, NULL))
		return message;          /* we wrote it: it parses */
	content = json_get(m, "content");
	if (!json_is(content, JSON_ARR))
		json_set(a, m, "content", json_new_str(a, text));
	else if (str_eq(json_get_str(json_first(content), "type"), "text"))
		json_set(a, json_first(content), "text", json_new_str(a, text));
	return json_to_str(a, m);
}

void msg_user_meta(struct buf *out, const struct run_input *in, bool is_command)
{
	struct jw w = JW(out);

	jw_obj(&w);
	jw_kbool(&w, "senderIsOwner", in->sender_is_owner);
	if (in->client_id) {
		jw_kobj(&w, "transport");
		jw_karr(&w, "clients");
		jw_obj(&w);
		jw_kstr(&w, "id", in->client_id);
		jw_kstr_opt(&w, "mode", in->client_mode);
		jw_kstr_opt(&w, "displayName", in->client_name);
		jw_end(&w);
		jw_end(&w);
		jw_end(&w);
	}
	if (is_command)
		jw_kbool(&w, "contextFreeCommand", true);
	if (in->origin)
		wake_put_origin(&w, in->origin);
	if (in->from)
		from_put(&w, in->from);
	jw_end(&w);
}

void msg_usage(struct jw *w, const struct model_usage *u, const struct model_cost *cost)
{
	static const struct model_cost free_of_charge;

	cost = cost ? cost : &free_of_charge;
	jw_kobj(w, "usage");
	jw_kint(w, "input", u->input);
	jw_kint(w, "output", u->output);
	jw_kint(w, "totalTokens", u->input + u->output + u->cache_read + u->cache_write);
	jw_kint(w, "cacheRead", u->cache_read);
	jw_kint(w, "cacheWrite", u->cache_write);
	jw_kobj(w, "cost");
	jw_knum(w, "input", cost->input);
	jw_knum(w, "output", cost->output);
	jw_knum(w, "cacheRead", cost->cache_read);
	jw_knum(w, "cacheWrite", cost->cache_write);
	jw_knum(w, "total", cost->total);
	jw_end(w);
	jw_end(w);
}

static void text_content(struct jw *w, const char *text, size_t len)
{
	jw_karr(w, "content");
	jw_obj(w);
	jw_kstr(w, "type", "text");
	jw_key(w, "text");
	jw_strn(w, text, len);
	jw_end(w);
	jw_end(w);
}

void msg_own(struct buf *out, const struct msg_own *m)
{
	static const struct model_usage none;
	struct jw w = JW(out);

	jw_obj(&w);
	jw_kstr(&w, "role", "assistant");
	text_content(&w, m->text, m->len);
	jw_kint(&w, "timestamp", m->ts);
	jw_kstr(&w, "stopReason", "stop");
	msg_usage(&w, &none, NULL);
	jw_kstr(&w, "api", WIRE_API);
	jw_kstr(&w, "provider", WIRE_PROVIDER);
	jw_kstr(&w, "model", WIRE_MODEL);
	jw_kstr_opt(&w, "idempotencyKey", m->idempotency_key);
	if (m->is_context_free)
		jw_kbool(&w, "excludeFromContext", true);
	if (m->abort_origin) {
		jw_kobj(&w, "openclawAbort");
		jw_kbool(&w, "aborted", true);
		jw_kstr(&w, "origin", m->abort_origin);
		jw_kstr(&w, "runId", m->abort_run);
		jw_end(&w);
	}
	if (m->with_openclaw) {
		jw_kobj(&w, "__openclaw");
		jw_kbool(&w, "contextFreeCommand", true);
		jw_end(&w);
	}
	jw_end(&w);
}

static void by_model(struct jw *w, const struct model_result *res, const struct model_usage *usage,
		     const struct model_cost *cost)
{
	jw_kstr(w, "api", res->api);
	jw_kstr(w, "provider", res->provider);
	jw_kstr(w, "model", res->model);
	msg_usage(w, usage, cost);
}

void msg_assistant(struct buf *out, const char *content, size_t len, const struct model_result *res, int64_t ts)
{
	struct jw w = JW(out);

	jw_obj(&w);
	jw_kstr(&w, "role", "assistant");
	jw_kraw(&w, "content", content, len);
	by_model(&w, res, &res->usage, res->has_cost ? &res->cost : NULL);
	jw_kstr(&w, "stopReason", model_stop_name(res->stop));
	jw_kint(&w, "timestamp", ts);
	if (res->response_id[0])
		jw_kstr(&w, "responseId", res->response_id);
	jw_end(&w);
}

void msg_failed(struct buf *out, const char *text, const struct model_result *res, const char *idempotency_key,
		int64_t ts)
{
	static const struct model_usage none;
	struct jw w = JW(out);

	jw_obj(&w);
	jw_kstr(&w, "role", "assistant");
	text_content(&w, text, strlen(text));
	by_model(&w, res, &none, NULL);
	jw_kstr(&w, "stopReason", "error");
	jw_kint(&w, "timestamp", ts);
	jw_kstr(&w, "idempotencyKey", idempotency_key);
	jw_end(&w);
}

void msg_tool_result(struct buf *out, const struct run_call *call, const struct json *content, bool is_error,
		     int64_t ts)
{
	struct jw w = JW(out);

	jw_obj(&w);
	jw_kstr(&w, "role", "toolResult");
	jw_kstr(&w, "toolCallId", call->id);
	jw_kstr(&w, "toolName", call->name);
	jw_kvalue(&w, "content", content);
	jw_kbool(&w, "isError", is_error);
	jw_kint(&w, "timestamp", ts);
	jw_end(&w);
}

/* Code points that are drawn onto or joined with the one before. */
static bool extends(uint32_t cp, uint32_t before)
{
	return (cp >= 0x0300 && cp <= 0x036f) || (cp >= 0x1ab0 && cp <= 0x1aff) || (cp >= 0x20d0 && cp <= 0x20ff) ||
	       (cp >= 0xfe00 && cp <= 0xfe0f) || (cp >= 0x1f3fb && cp <= 0x1f3ff) || cp == 0x200d || before == 0x200d;
}

char *msg_title(struct arena *a, const char *text)
{
	size_t n, at = 0, graphemes = 0;
	uint32_t cp, before = 0;

	text += strspn(text, " \t\r\n");
	n = strcspn(text, "\r\n");
	while (n && (text[n - 1] == ' ' || text[n - 1] == '\t'))
		n--;
	while (at < n) {
		size_t len = utf8_decode(text + at, n - at, &cp);

		if (!len)
			break;
		graphemes += !extends(cp, before);
		if (graphemes > TITLE_GRAPHEMES)
			return arena_printf(a, "%.*s…", (int)at, text);
		before = cp;
		at += len;
	}
	return arena_strndup(a, text, at);
}
