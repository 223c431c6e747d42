/*
 * models/messages.c - the transcript made fit to be sent.
 *
 * Providers refuse a history in which calls and results do not pair, so the
 * pairing is restored here, once for all dialects. Within a turn (up to the
 * next reply) the n-th result of an id belongs to the n-th call of that id;
 * user messages that came in between move behind the results.
 */
#include "core/str.h"
#include "models/dialect.h"

#define LOST_RESULT "No result: the call was interrupted before it ended."
#define FAILED_REPLY "(This reply failed before it was complete.)"
#define IMAGE_NOT_SENT "(An image stood here; this model reads text only.)"

static void push_block(struct msg *m, struct block *b)
{
	if (m->last)
		m->last->next = b;
	else
		m->first = b;
	m->last = b;
}

static struct block *new_block(struct arena *a, enum block_kind kind)
{
	struct block *b = arena_alloc(a, sizeof(*b));

	b->kind = kind;
	return b;
}

/* White space alone is refused by providers. */
static bool is_blank(const char *text)
{
	return !text || text[strspn(text, " \t\r\n")] == '\0';
}

static void push_text(struct arena *a, struct msg *m, const char *text)
{
	struct block *b;

	if (is_blank(text))
		return;
	b = new_block(a, BLOCK_TEXT);
	b->text = text;
	push_block(m, b);
}

static void push_image(struct arena *a, struct msg *m, const struct json *v, bool with_images)
{
	const char *data = json_get_str(v, "data"), *mime = json_get_str(v, "mimeType");
	struct block *b;

	if (!data)
		data = json_get_str(v, "content");
	if (str_empty(data) || str_empty(mime))
		return;
	if (!with_images) {
		push_text(a, m, IMAGE_NOT_SENT);
		return;
	}
	b = new_block(a, BLOCK_IMAGE);
	b->text = data;
	b->mime = mime;
	push_block(m, b);
}

static void push_thinking(struct arena *a, struct msg *m, const struct json *v)
{
	const char *text = json_get_str(v, "thinking"), *signature = json_get_str(v, "thinkingSignature");
	struct block *b;

	if (is_blank(text) && str_empty(signature))
		return;
	b = new_block(a, BLOCK_THINKING);
	b->text = text ? text : "";
	b->signature = str_empty(signature) ? NULL : signature;
	push_block(m, b);
}

/* A call without its input cannot be repeated to a provider; arguments that were malformed become an empty object. */
static void push_call(struct arena *a, struct msg *m, const struct json *v)
{
	const char *id = json_get_str(v, "id"), *name = json_get_str(v, "name");
	const struct json *args = json_get(v, "arguments");
	struct block *b;

	if (str_empty(id) || str_empty(name) || !args)
		return;
	b = new_block(a, BLOCK_CALL);
	b->id = id;
	b->name = name;
	b->signature = json_get_str(v, "thoughtSignature");
	b->args = json_is(args, JSON_OBJ) ? args : json_new_obj(a);
	push_block(m, b);
}

static void push_content(struct arena *a, struct msg *m, const struct json *content, bool with_images)
{
	if (json_is(content, JSON_STR)) {
		push_text(a, m, json_str(content));
		return;
	}
	json_each(v, content) {
		const char *type = json_get_str(v, "type");

		if (str_eq(type, "text"))
			push_text(a, m, json_get_str(v, "text"));
		else if (str_eq(type, "image") && m->role != MSG_ASSISTANT)
			push_image(a, m, v, with_images);
		else if (str_eq(type, "thinking") && m->role == MSG_ASSISTANT)
			push_thinking(a, m, v);
		else if (str_eq(type, "toolCall") && m->role == MSG_ASSISTANT)
			push_call(a, m, v);
	}
}

bool msg_has(const struct msg *m, enum block_kind kind)
{
	for (const struct block *b = m->first; b; b = b->next) {
		if (b->kind == kind)
			return true;
	}
	return false;
}

bool msg_is_from(const struct msg *m, const struct model_entry *e)
{
	return m->api && str_eq(m->api, e->api) && str_eq(m->model, e->id);
}

const char *msg_text(struct arena *a, const struct msg *m)
{
	const char *text = NULL;

	for (const struct block *b = m->first; b; b = b->next) {
		if (b->kind == BLOCK_TEXT)
			text = text ? arena_printf(a, "%s\n%s", text, b->text) : b->text;
	}
	return text ? text : "";
}

/* A reply that failed: its text was never accepted, so it is not put into the model's mouth again. */
static void mark_failed(struct arena *a, struct msg *m)
{
	if (!m->first || msg_has(m, BLOCK_CALL))
		return;
	m->first = m->last = NULL;
	push_text(a, m, FAILED_REPLY);
}

/* Thinking that the limit cut off: it is no state to go on from, and providers refuse it. */
static bool is_cut_thinking(const struct msg *m, const char *stop)
{
	return m->role == MSG_ASSISTANT && str_eq(stop, "length") && !msg_has(m, BLOCK_TEXT) && !msg_has(m, BLOCK_CALL);
}

static struct msg *read_message(struct arena *a, const struct json *v, bool with_images)
{
	const char *role = json_get_str(v, "role"), *stop = json_get_str(v, "stopReason");
	struct msg *m = arena_alloc(a, sizeof(*m));

	if (str_eq(role, "user"))
		m->role = MSG_USER;
	else if (str_eq(role, "assistant"))
		m->role = MSG_ASSISTANT;
	else if (str_eq(role, "toolResult"))
		m->role = MSG_TOOL;
	else
		return NULL;
	push_content(a, m, json_get(v, "content"), with_images);
	m->call_id = json_get_str(v, "toolCallId");
	m->tool_name = json_get_str(v, "toolName");
	m->is_error = json_get_bool(v, "isError", false);
	m->api = json_get_str(v, "api");
	m->model = json_get_str(v, "model");
	if (m->role == MSG_ASSISTANT && str_eq(stop, "error"))
		mark_failed(a, m);
	if (is_cut_thinking(m, stop))
		return NULL;
	return m->first || (m->role == MSG_TOOL && m->call_id) ? m : NULL;
}

static void push_message(struct history *h, struct msg *m)
{
	m->next = NULL;
	if (h->last)
		h->last->next = m;
	else
		h->first = m;
	h->last = m;
}

/* Takes the first result of this id out of the list. */
static struct msg *take_result(struct history *results, const char *id)
{
	struct msg *before = NULL;

	for (struct msg *m = results->first; m; before = m, m = m->next) {
		if (!str_eq(m->call_id, id))
			continue;
		if (before)
			before->next = m->next;
		else
			results->first = m->next;
		if (results->last == m)
			results->last = before;
		return m;
	}
	return NULL;
}

static struct msg *lost_result(struct arena *a, const struct block *call)
{
	struct msg *m = arena_alloc(a, sizeof(*m));

	m->role = MSG_TOOL;
	m->call_id = call->id;
	m->tool_name = call->name;
	m->is_error = true;
	push_text(a, m, LOST_RESULT);
	return m;
}

/* One turn: a reply (or NULL at the start) and what followed it. Results nobody asked for are left out. */
static void push_turn(struct arena *a, struct history *h, struct msg *reply, struct history *results,
		      struct history *others)
{
	struct msg *next;

	if (reply)
		push_message(h, reply);
	for (struct block *b = reply ? reply->first : NULL; b; b = b->next) {
		struct msg *result;

		if (b->kind != BLOCK_CALL)
			continue;
		result = take_result(results, b->id);
		if (!result)
			result = lost_result(a, b);
		if (!result->tool_name)
			result->tool_name = b->name;
		push_message(h, result);
	}
	for (struct msg *m = others->first; m; m = next) {
		next = m->next;
		push_message(h, m);
	}
	*results = *others = (struct history){ NULL, NULL };
}

ch_status history_prepare(struct arena *a, const struct json *messages, bool with_images, struct history *ret,
			  struct ch_err *err)
{
	struct history h = { NULL, NULL }, results = h, others = h;
	struct msg *reply = NULL;

	json_each(v, messages) {
		struct msg *m = read_message(a, v, with_images);

		if (!m)
			continue;
		if (m->role == MSG_ASSISTANT) {
			push_turn(a, &h, reply, &results, &others);
			reply = m;
		} else {
			push_message(m->role == MSG_TOOL ? &results : &others, m);
		}
	}
	push_turn(a, &h, reply, &results, &others);
	if (!h.first)
		return ch_fail(err, CH_E_INVALID, "there is no message for the model to answer");
	*ret = h;
	return CH_OK;
}

void history_drop_trailing_replies(struct history *h)
{
	struct msg *keep = NULL;

	for (struct msg *m = h->first; m; m = m->next) {
		if (m->role != MSG_ASSISTANT)
			keep = m;
	}
	if (keep)
		keep->next = NULL;
	h->last = keep;
	if (!keep)
		h->first = NULL;
}

void dialect_write_tool(struct jw *w, const struct model_tool *t)
{
	const char *schema = tool_schema(t);

	jw_kstr(w, "type", "function");
	jw_kobj(w, "function");
	jw_kstr(w, "name", t->name);
	jw_kstr_opt(w, "description", t->description);
	jw_kraw(w, "parameters", schema, strlen(schema));
	jw_end(w);
}
