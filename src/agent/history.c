/*
 * agent/history.c - the conversation as the model is given it, parsed once and kept.
 */
#include "agent/history_priv.h"

#include <string.h>

#include "core/log.h"
#include "core/mem.h"
#include "core/str.h"
#include "models/model.h"
#include "sessions/text.h"

#define HISTORY_BYTES_MAX ((size_t)512 << 20)    /* of the arena: a transcript is bounded by rows of TR_MESSAGE_MAX */
#define MESSAGES_BYTES_MAX (HISTORY_BYTES_MAX / 2)       /* of it; the rest is for what pruning puts in their place */
#define BYTES_PER_TOKEN 4
#define SUMMARY_INTRO                                                                                          \
	"[What was said before this point is given as a summary. The gateway wrote it; it is a record of the "  \
	"conversation, not a new request.]"

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

bool history_is_stale(const struct history *h)
{
	return h->is_stale;
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

/* Images count by number, not by their base64. */
static int64_t estimate(const struct json *message, const char *text, size_t len)
{
	int64_t tokens = model_estimate_tokens(text, len);

	json_each(block, json_get(message, "content")) {
		const struct json *data = json_get(block, "data");

		if (!str_eq(json_get_str(block, "type"), "image"))
			continue;
		tokens += IMAGE_TOKENS - (data ? (int64_t)data->len / BYTES_PER_TOKEN : 0);
	}
	return CH_MAX(tokens, 1);
}

static void set_marker(struct arena *a, struct json *message, const char *fmt, const char *text)
{
	json_set(a, message, "content", tr_text_content(a, arena_printf(a, fmt, text)));
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

/* What a message of a network came with stands before its text, in a block of its own. */
static void put_context(struct arena *a, struct json *message)
{
	const struct json *context = json_get(message, TR_CONTEXT), *content = json_get(message, "content");
	struct json *blocks;

	if (!json_is(context, JSON_STR) || !context->len)
		return;
	blocks = json_new_arr(a);
	json_push(blocks, tr_text_block(a, context->str, context->len));
	if (json_is(content, JSON_STR))
		json_push(blocks, tr_text_block(a, content->str, content->len));
	json_each(block, json_is(content, JSON_ARR) ? content : NULL)
		json_push(blocks, json_clone(a, block));
	json_set(a, message, "content", blocks);
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
	else if (str_eq(role, "user"))
		put_context(a, message);
	else if (json_get_bool(aborted, "aborted", false))
		set_marker(a, message, "%s\n[stopped here before it was complete]", first_text(message));
	return true;
}

static int count_calls(const struct json *message)
{
	int n = 0;

	json_each(block, json_get(message, "content"))
		n += str_eq(json_get_str(block, "type"), "toolCall");
	return n;
}

/* A call and its result stay on the same side of any cut. */
static bool follow_calls(struct history *h, const struct json *message)
{
	const char *role = json_get_str(message, "role");

	if (str_eq(role, "toolResult")) {
		h->open_calls -= h->open_calls > 0;
		return false;
	}
	if (str_eq(role, "user"))
		h->open_calls = 0;       /* what is still open here never ends */
	if (h->open_calls)
		return false;
	h->open_calls = count_calls(message);
	return true;
}

/*
 * What is asked of a message later on. A row says much more (usage, prices, ids, who wrote it by which client), and a conversation
 * is held by each turn that goes on.
 */
static struct json *keep(struct arena *a, const struct json *message)
{
	static const char *const members[] = { "role", "content", "toolCallId", "toolName", "isError", "stopReason", "api", "model" };
	struct json *kept = json_new_obj(a);

	for (size_t i = 0; i < CH_ARRAY_LEN(members); i++) {
		const struct json *v = json_get(message, members[i]);

		if (v)
			json_set(a, kept, members[i], json_clone(a, v));
	}
	if (json_get(message, TR_CONTEXT))
		json_set(a, kept, TR_CONTEXT, json_new_bool(a, true));   /* its text stands before the others in content by now */
	return kept;
}

static void add_message(struct history *h, const struct tr_entry *e)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct json *message;
	struct item item = { .raw_seq = e->raw_seq };

	/* We wrote it, so it parses: only memory can be the reason. A copy takes at most twice what was parsed. */
	if (json_parse(a, e->message, e->message_len, JSON_STRICT, &message, NULL) ||
	    arena_used(h->arena) + 2 * arena_used(a) > MESSAGES_BYTES_MAX) {
		h->is_full = true;
		return;
	}
	if (!prepare(a, message))
		return;
	item.tokens = estimate(message, e->message, e->message_len);
	item.starts_turn = str_eq(json_get_str(message, "role"), "user");
	item.is_reply = str_eq(json_get_str(message, "role"), "assistant");
	item.can_begin = follow_calls(h, message);
	if (item.is_reply)
		h->replied_at = json_get_int(message, "timestamp", e->created_at);
	h->message_bytes += (int64_t)e->message_len;
	json_push(h->messages, keep(h->arena, message));
	vec_push(&h->items, item);
}

static bool on_entry(void *arg, const struct tr_entry *e)
{
	struct history *h = arg;

	if (e->message)
		add_message(h, e);
	h->raw_seq = e->raw_seq;
	return !h->is_full;
}

/* -- the summary -- */

static struct json *summary_message(struct arena *a, const char *text)
{
	struct json *m = json_new_obj(a);

	json_set(a, m, "role", json_new_str(a, "user"));
	json_set(a, m, "content", json_new_str(a, arena_printf(a, SUMMARY_INTRO "\n\n%s", text)));
	return m;
}

static void put_summary(struct history *h, const char *text, int64_t raw_seq)
{
	h->summary = summary_message(h->arena, text);
	h->summary_text = text;
	h->summary_raw_seq = raw_seq;
	h->summary_tokens = history_summary_tokens(text);
}

int64_t history_summary_tokens(const char *text)
{
	return model_estimate_tokens(text, strlen(text)) + model_estimate_tokens(SUMMARY_INTRO, strlen(SUMMARY_INTRO));
}

/* The newest summary, if there is one: the messages begin where it says. */
static ch_status find_summary(struct history *h, struct sess *s, struct tr_range *range, struct ch_err *err)
{
	struct tr_entry e, kept;
	struct json *message, *body;
	const char *first;
	ch_status st;

	st = tr_compaction(s->store, s->session_id, h->arena, &e, err);
	if (st)
		return st == CH_E_NOT_FOUND ? CH_OK : st;
	st = json_parse(h->arena, e.message, e.message_len, JSON_STRICT, &message, err);
	if (st)
		return st;
	body = json_get(message, TR_COMPACTION);
	first = json_get_str(body, "firstKeptEntryId");
	st = first ? tr_find(s->store, s->session_id, first, h->arena, &kept, err) : CH_E_NOT_FOUND;
	if (st && st != CH_E_NOT_FOUND)
		return st;
	if (st || !json_get_str(body, "summary")) {
		log_warn("agent", "session=%s: the summary %s names a message that is not there; the whole conversation is used",
			 s->key, e.id);
		return CH_OK;
	}
	put_summary(h, json_get_str(body, "summary"), e.raw_seq);
	range->after_seq = kept.seq - 1;
	return CH_OK;
}

/* -- reading -- */

static void forget(struct history *h, const char *session_id)
{
	h->is_stale = true;
	h->is_full = false;
	h->raw_seq = h->message_bytes = 0;
	h->open_calls = 0;
	h->replied_at = 0;
	h->mark = (struct prune_mark){ 0 };
	h->summary = NULL;
	h->summary_text = NULL;
	h->summary_tokens = h->summary_raw_seq = 0;
	arena_clear(h->arena);
	h->items.len = 0;
	h->messages = json_new_arr(h->arena);
	snprintf(h->session_id, sizeof(h->session_id), "%s", session_id);
}

ch_status history_load(struct history *h, struct sess *s, struct ch_err *err)
{
	struct tr_range range = { .since_reset = true };
	ch_status st;

	forget(h, s->session_id);
	st = find_summary(h, s, &range, err);
	if (!st)
		st = tr_read(s->store, s->session_id, &range, on_entry, h, err);
	if (st)
		return st;
	if (h->is_full)
		return ch_fail(err, CH_E_LIMIT, "the conversation is too large to be held in memory; /new starts another");
	st = history_read_mark(h, s, err);
	if (st)
		return st;
	history_apply(h);
	h->is_stale = false;
	return CH_OK;
}

void history_add(struct history *h, const struct tr_entry *e)
{
	if (h->is_stale || e->raw_seq != h->raw_seq + 1 || !str_eq(e->session_id, h->session_id) ||
	    !str_eq(e->type, "message")) {
		h->is_stale = true;
		return;
	}
	add_message(h, e);
	h->raw_seq = e->raw_seq;
	h->is_stale = h->is_full;
	if (str_eq(e->role, "user"))
		history_apply(h);
}

/* -- looking -- */

const char *history_summary(const struct history *h)
{
	return h->summary_text;
}

bool history_is_summarised_to_end(const struct history *h)
{
	return h->summary && (!h->items.len || h->items.at[h->items.len - 1].raw_seq < h->summary_raw_seq);
}

size_t history_len(const struct history *h)
{
	return h->items.len;
}

int64_t history_raw_seq(const struct history *h, size_t i)
{
	return h->items.at[i].raw_seq;
}

int64_t history_tokens(const struct history *h, size_t from, size_t to)
{
	int64_t sum = 0;

	for (size_t i = from; i < to; i++)
		sum += h->items.at[i].tokens;
	return sum;
}

int64_t history_total(const struct history *h)
{
	return h->summary_tokens + history_tokens(h, 0, h->items.len);
}

int64_t history_message_bytes(const struct history *h)
{
	return h->message_bytes;
}

const struct json *history_messages(const struct history *h)
{
	return h->messages;
}

bool history_starts_turn(const struct history *h, size_t i)
{
	return h->items.at[i].starts_turn;
}

/* The first message from i on behind which no result lacks its call; len: none. */
size_t history_next_begin(const struct history *h, size_t i)
{
	while (i < h->items.len && !h->items.at[i].can_begin)
		i++;
	return i;
}

static void put_view(struct history *h, size_t start, struct json *ret_view)
{
	struct json *first = json_first(h->messages);

	for (size_t i = 0; i < start; i++)
		first = first->next;
	/* A view of the same list: its members stay where they are. */
	*ret_view = *h->messages;
	ret_view->first = first;
	ret_view->len = h->items.len - start;
	ret_view->index = NULL;
	if (!h->summary)
		return;
	h->head = *h->summary;
	h->head.next = first;
	ret_view->first = &h->head;
	ret_view->len++;
	if (!first)
		ret_view->last = &h->head;
}

void history_view(struct history *h, int64_t budget_tokens, struct json *ret_view, size_t *ret_dropped)
{
	size_t start = h->items.len, i = h->items.len;
	int64_t sum = h->summary_tokens;

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
	put_view(h, start, ret_view);
	*ret_dropped = start;
}
