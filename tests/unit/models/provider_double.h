/*
 * A provider for tests: serves a script of answers, and checks every request
 * against the contract that the real one publishes, answering 400 or 401 where
 * that would. Header only.
 */
#ifndef TEST_PROVIDER_DOUBLE_H
#define TEST_PROVIDER_DOUBLE_H

#include "../net/raw_peer.h"

#include "core/json.h"
#include "core/str.h"

#define DOUBLE_KEY "sk-test-1234567890"

struct answer {
	int status;                      /* 0: say nothing; -1: hang up */
	const char *headers;             /* lines with CRLF, or NULL */
	const char *body;
	bool cut;                        /* promise more than is sent */
};

struct provider {
	struct peer peer;
	const struct answer *script;
	size_t count, served;
	char last_head[1024];
	struct buf last_body;
	const char *complaint;           /* why the last request was refused, NULL: it was not */
	const char *key;                 /* NULL: none needed */
};

static CH_UNUSED const char *provider_check_blocks(const struct json *content, size_t *marks)
{
	json_each(b, content) {
		const char *type = json_get_str(b, "type");

		*marks += json_get(b, "cache_control") != NULL;
		if (str_eq(type, "text") && str_empty(json_get_str(b, "text")))
			return "text content blocks must be non-empty";
		if (str_eq(type, "tool_use") && (!json_get_str(b, "id") || !json_is(json_get(b, "input"), JSON_OBJ)))
			return "tool_use: id and input are required";
		if (str_eq(type, "thinking") && !json_get_str(b, "signature"))
			return "thinking: signature is required";
	}
	return json_len(content) ? NULL : "content must not be empty";
}

/* Every tool_use of a message has its tool_result at the head of the next one. */
static CH_UNUSED const char *provider_check_pairs(const struct json *use, const struct json *next)
{
	json_each(b, json_get(use, "content")) {
		bool found = false;

		if (!str_eq(json_get_str(b, "type"), "tool_use"))
			continue;
		json_each(r, json_get(next, "content"))
			found |= str_eq(json_get_str(r, "type"), "tool_result") &&
				 str_eq(json_get_str(r, "tool_use_id"), json_get_str(b, "id"));
		if (!found)
			return "tool_use ids were found without tool_result blocks immediately after";
	}
	return NULL;
}

static CH_UNUSED const char *provider_check_anthropic(const struct json *v)
{
	const struct json *messages = json_get(v, "messages");
	const char *wanted = "user", *bad;
	size_t marks = 0;

	if (!json_get_str(v, "model") || json_get_int(v, "max_tokens", 0) < 1 || !json_len(messages))
		return "model, max_tokens and messages are required";
	if (json_is(json_get(v, "system"), JSON_ARR) && (bad = provider_check_blocks(json_get(v, "system"), &marks)))
		return bad;
	json_each(t, json_get(v, "tools"))
		marks += json_get(t, "cache_control") != NULL;
	json_each(m, messages) {
		if (!str_eq(json_get_str(m, "role"), wanted))
			return "roles must alternate between user and assistant, beginning with user";
		wanted = str_eq(wanted, "user") ? "assistant" : "user";
		bad = provider_check_blocks(json_get(m, "content"), &marks);
		if (!bad)
			bad = provider_check_pairs(m, m->next);
		if (bad)
			return bad;
	}
	return marks > 4 ? "a maximum of 4 blocks with cache_control may be provided" : NULL;
}

static CH_UNUSED const char *provider_check_openai(const struct json *v)
{
	json_each(m, json_get(v, "messages")) {
		const struct json *next = m->next;

		if (!json_get(m, "content"))
			return "content is required";
		json_each(c, json_get(m, "tool_calls")) {
			if (!next || !str_eq(json_get_str(next, "role"), "tool") ||
			    !str_eq(json_get_str(next, "tool_call_id"), json_get_str(c, "id")))
				return "an assistant message with tool_calls must be followed by tool messages for each id";
			if (!json_is(json_path(c, "function.arguments"), JSON_STR))
				return "arguments must be a string";
			next = next->next;
		}
	}
	json_each(t, json_get(v, "tools")) {
		if (!str_eq(json_get_str(t, "type"), "function") || !json_path(t, "function.name"))
			return "tools: type and function.name are required";
	}
	return json_get_str(v, "model") && json_len(json_get(v, "messages")) ? NULL : "model and messages are required";
}

static CH_UNUSED const char *provider_check_ollama(const struct json *v)
{
	json_each(m, json_get(v, "messages")) {
		if (!json_get_str(m, "content"))
			return "content is required";
		json_each(c, json_get(m, "tool_calls")) {
			if (!json_is(json_path(c, "function.arguments"), JSON_OBJ))
				return "arguments must be an object";
		}
	}
	return json_get_str(v, "model") && json_path(v, "options.num_ctx") ? NULL : "model is required";
}

static CH_UNUSED const char *provider_check(struct provider *p, int *ret_status)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	bool is_messages = strstr(p->last_head, "POST /v1/messages ") == p->last_head;
	CH_AUTO_STR char *wanted = p->key ? ch_asprintf("%s%s\r\n", is_messages ? "x-api-key: " : "authorization: Bearer ", p->key)
					  : NULL;
	struct json *v = NULL;

	*ret_status = 400;
	if (wanted && !strcasestr(p->last_head, wanted)) {
		*ret_status = 401;
		return "invalid key";
	}
	if (!strcasestr(p->last_head, "content-type: application/json\r\n"))
		return "content-type must be application/json";
	if (json_parse(a, buf_str(&p->last_body), p->last_body.len, JSON_STRICT, &v, NULL))
		return "the body is not JSON";
	if (is_messages)
		return strcasestr(p->last_head, "anthropic-version: 2023-06-01\r\n") ? provider_check_anthropic(v)
										     : "anthropic-version: header is required";
	if (str_starts(p->last_head, "POST /api/chat "))
		return provider_check_ollama(v);
	if (strstr(p->last_head, "/chat/completions "))
		return provider_check_openai(v);
	*ret_status = 404;
	return "no such path";
}

static CH_UNUSED void provider_serve(struct peer_conn *pc)
{
	struct provider *p = CH_CONTAINER_OF(pc->peer, struct provider, peer);
	const char *head, *length;

	while (*(head = peer_head(pc))) {
		size_t head_len = (size_t)(strstr(head, "\r\n\r\n") - head) + 4, n = 0;
		struct answer a = { .status = 500, .body = "the script is over" };
		CH_AUTO_BUF struct buf out = { .max_bytes = 1 << 20 };
		CH_AUTO_STR char *refusal = NULL;
		int status = 0;

		length = strcasestr(head, "\r\ncontent-length:");
		n = length ? (size_t)strtoll(length + 17, NULL, 10) : 0;
		assert_true(peer_want(pc, head_len + n));
		snprintf(p->last_head, sizeof(p->last_head), "%.*s", (int)head_len, pc->in.data);
		buf_clear(&p->last_body);
		buf_append(&p->last_body, pc->in.data + head_len, n);
		buf_consume(&pc->in, head_len + n);
		p->complaint = provider_check(p, &status);
		if (p->served < p->count)
			a = p->script[p->served];
		p->served++;
		if (p->complaint) {
			refusal = ch_asprintf("{\"error\":{\"type\":\"invalid_request_error\",\"message\":\"%s\"}}", p->complaint);
			a = (struct answer){ .status = status, .body = refusal };
		}
		if (a.status == -1)
			return;
		if (a.status == 0) {
			peer_wait_eof(pc);
			return;
		}
		buf_printf(&out, "HTTP/1.1 %d X\r\n%sContent-Length: %zu\r\n\r\n%s", a.status, a.headers ? a.headers : "",
			   strlen(a.body) + (a.cut ? 1 : 0), a.body);
		if (!peer_write(pc, out.data, out.len) || a.cut)
			return;
	}
}

static CH_UNUSED void provider_start(struct provider *p, struct loop *l, const struct answer *script, size_t count,
				     const char *key)
{
	*p = (struct provider){ .script = script, .count = count, .key = key };
	buf_init(&p->last_body, 4 << 20);
	peer_start(&p->peer, l, provider_serve, NULL);
}

CH_FIBER static CH_UNUSED void provider_stop(struct provider *p)
{
	peer_stop(&p->peer);
	buf_done(&p->last_body);
}

#endif
