/*
 * agent/history.c - the conversation as the model is given it, parsed once and kept.
 */
#include "agent/history.h"

#include <string.h>

#include "core/mem.h"
#include "core/str.h"
#include "core/vec.h"

#define HISTORY_BYTES_MAX ((size_t)512 << 20)    /* of the arena: a transcript is bounded by rows of TR_MESSAGE_MAX */
#define IMAGE_TOKENS 1600                /* what a provider charges for one, about */
#define BYTES_PER_TOKEN 4
#define SESSION_ID_MAX 64

struct item { int64_t tokens; bool starts_turn, is_reply; };

struct history {
	struct arena *arena;
	struct json *messages;
	VEC(struct item) items;          /* as many as messages, same order */
	int64_t raw_seq;
	char session_id[SESSION_ID_MAX];
	bool is_stale;
	bool is_full;                    /* a row did not fit the arena */
};

struct history *history_new(void)
{
	struct history *h = ch_alloc(sizeof(*h));

	h->arena = arena_new(HISTORY_BYTES_MAX);
	h->messages = json_new_arr(h->arena);
	h->is_stale = true;
	return h;
}

void history_free(struct history *h)
{
	if (!h)
		return;
	vec_done(&h->items);
	arena_unref(h->arena);
	ch_free(h);
}

bool history_is_at(const struct history *h, const char *session_id, int64_t raw_seq)
{
	return !h->is_stale && h->raw_seq == raw_seq && str_eq(h->session_id, session_id);
}

size_t history_bytes(const struct history *h)
{
	return arena_used(h->arena);
}

bool history_has_reply(const struct history *h)
{
	for (size_t i = 0; i < h->items.len; i++)
		if (h->items.at[i].is_reply)
			return true;
	return false;
}

/* Estimated from the text's size; images by number, not by their base64. */
static int64_t estimate(const struct json *message, size_t len)
{
	int64_t bytes = (int64_t)len, tokens = 0;

	json_each(block, json_get(message, "content")) {
		if (!str_eq(json_get_str(block, "type"), "image"))
			continue;
		bytes -= (int64_t)(json_get(block, "data") ? json_get(block, "data")->len : 0);
		tokens += IMAGE_TOKENS;
	}
	return tokens + CH_MAX(bytes, 0) / BYTES_PER_TOKEN;
}

static void set_marker(struct arena *a, struct json *message, const char *fmt, const char *text)
{
	struct json *content = json_new_arr(a), *block = json_new_obj(a);

	json_set(a, block, "type", json_new_str(a, "text"));
	json_set(a, block, "text", json_new_str(a, arena_printf(a, fmt, text)));
	json_push(content, block);
	json_set(a, message, "content", content);
}

/* The text of the first text block, or of a plain string. */
static const char *first_text(const struct json *message)
{
	const struct json *content = json_get(message, "content");

	if (json_str(content))
		return json_str(content);
	json_each(block, content)
		if (json_get_str(block, "text"))
			return json_get_str(block, "text");
	return "";
}

/* False: not for the model. */
static bool prepare(struct arena *a, struct json *message)
{
	const char *role = json_get_str(message, "role");
	const struct json *aborted = json_get(message, "openclawAbort");

	if (!str_eq(role, "user") && !str_eq(role, "assistant") && !str_eq(role, "toolResult"))
		return false;
	if (json_get_bool(message, "excludeFromContext", false))
		return false;
	if (str_eq(role, "assistant") && str_eq(json_get_str(message, "stopReason"), "error"))
		set_marker(a, message, "[this reply failed: %.400s]", first_text(message));
	else if (json_get_bool(aborted, "aborted", false))
		set_marker(a, message, "%s\n[stopped here before it was complete]", first_text(message));
	return true;
}

static void add_message(struct history *h, const char *text, size_t len)
{
	struct json *message;
	struct item item;

	if (json_parse(h->arena, text, len, JSON_STRICT, &message, NULL)) {
		h->is_full = true;       /* we wrote it, so it parses: only memory can be the reason */
		return;
	}
	if (!prepare(h->arena, message))
		return;
	item.tokens = estimate(message, len);
	item.starts_turn = str_eq(json_get_str(message, "role"), "user");
	item.is_reply = str_eq(json_get_str(message, "role"), "assistant");
	json_push(h->messages, message);
	vec_push(&h->items, item);
}

static bool on_entry(void *arg, const struct tr_entry *e)
{
	struct history *h = arg;

	if (e->message)
		add_message(h, e->message, e->message_len);
	h->raw_seq = e->raw_seq;
	return !h->is_full;
}

ch_status history_load(struct history *h, struct sess *s, struct ch_err *err)
{
	struct tr_range range = { .since_reset = true };
	ch_status st;

	h->is_stale = true;
	h->is_full = false;
	h->raw_seq = 0;
	arena_clear(h->arena);
	h->items.len = 0;
	h->messages = json_new_arr(h->arena);
	snprintf(h->session_id, sizeof(h->session_id), "%s", s->session_id);
	st = tr_read(s->store, s->session_id, &range, on_entry, h, err);
	if (st)
		return st;
	if (h->is_full)
		return ch_fail(err, CH_E_LIMIT, "the conversation is too large to be held in memory; /new starts another");
	h->is_stale = false;
	return CH_OK;
}

void history_add(struct history *h, const struct tr_entry *e)
{
	if (h->is_stale || e->raw_seq != h->raw_seq + 1 || !str_eq(e->session_id, h->session_id)) {
		h->is_stale = true;
		return;
	}
	add_message(h, e->message, e->message_len);
	h->raw_seq = e->raw_seq;
	h->is_stale = h->is_full;
}

void history_view(const struct history *h, int64_t budget_tokens, struct json *ret_view, size_t *ret_dropped)
{
	size_t start = h->items.len, i = h->items.len;
	struct json *first = json_first(h->messages);
	int64_t sum = 0;

	while (i > 0) {
		sum += h->items.at[i - 1].tokens;
		if (sum > budget_tokens && start < h->items.len)
			break;
		i--;
		if (h->items.at[i].starts_turn)
			start = i;
	}
	if (start == h->items.len || !i)
		start = 0;               /* all of it fits, or no turn begins anywhere */
	for (i = 0; i < start; i++)
		first = first->next;
	/* A view of the same list: its members stay where they are. */
	*ret_view = *h->messages;
	ret_view->first = first;
	ret_view->len = h->items.len - start;
	ret_view->index = NULL;
	*ret_dropped = start;
}
