/*
 * gateway/dispatch.c - looks a request up, checks what its row demands and runs it.
 */
#include "gateway/dispatch.h"

#include "core/clock.h"
#include "core/fiber.h"
#include "core/log.h"
#include "core/str.h"
#include "gateway/hub.h"

#define REPLY_MAX GW_FRAME_MAX

/* Methods that only a node may call; named here so that an operator learns what is wrong with the call. */
static const char *const node_methods[] = {
	"node.event",        "node.invoke.progress", "node.invoke.result", "node.pending.ack",
	"node.pending.drain", "node.pending.pull",   "node.pluginSurface.refresh", "node.pluginTools.update",
	"node.skills.update",
};

void dispatch_error(struct gw_conn *c, const char *id, const struct frame_error *e)
{
	struct buf out;
	struct jw w = JW(&out);

	hub_take_buf(c->gw->hub, &out, REPLY_MAX);
	frame_res_error(&w, id, e);
	if (!out.failed)
		conn_send(c, out.data, out.len);
	hub_give_buf(c->gw->hub, &out);
}

static void fail_text(struct gw_conn *c, const char *id, ch_status st, const char *message)
{
	dispatch_error(c, id, &(struct frame_error){ .code = ch_status_wire(st), .message = message,
						      .is_retryable = ch_status_retryable(st) });
}

/* -- replying -- */

struct jw *gw_reply_begin(struct gw_call *call)
{
	buf_clear(call->out);
	call->jw = JW(call->out);
	frame_res_begin(&call->jw, call->id);
	return &call->jw;
}

static void send_reply(struct gw_call *call)
{
	frame_res_end(&call->jw);
	if (call->out->failed) {
		log_error("gateway", "%s: the reply passes %d bytes, conn=%s: told so", call->method,
			  REPLY_MAX, call->conn->id);
		fail_text(call->conn, call->id, CH_E_BUSY, "the reply is too large; ask for less at a time");
		return;
	}
	conn_send(call->conn, call->out->data, call->out->len);
}

void gw_reply_end(struct gw_call *call)
{
	send_reply(call);
	call->replied = true;
}

void gw_reply_more_end(struct gw_call *call)
{
	send_reply(call);
}

void gw_reply_json(struct gw_call *call, const struct json *payload)
{
	jw_value(gw_reply_begin(call), payload);
	gw_reply_end(call);
}

ch_status gw_fail_details(struct gw_call *call, struct ch_err *err, ch_status code,
			  const struct json *details, const char *fmt, ...)
{
	char text[CH_ERR_TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	call->error_details = details;
	return ch_fail(err, code, "%s", text);
}

static void reply_failure(struct gw_call *call, ch_status st, const struct ch_err *err)
{
	if (call->replied) {
		log_error("gateway", "%s failed after its reply: %s", call->method, err->text);
		return;
	}
	dispatch_error(call->conn, call->id,
		       &(struct frame_error){ .code = ch_status_wire(st),
					      .message = err->text[0] ? err->text : ch_status_name(st),
					      .details = call->error_details,
					      .is_retryable = ch_status_retryable(st),
					      .retry_after_ms = err->retry_after_ms });
}

/* -- calls in flight -- */

static struct call_box *box_new(struct gw_conn *c, struct arena *a, const struct frame *f,
				const struct gw_method *row)
{
	struct call_box *box = arena_alloc(a, sizeof(*box));
	struct gw_hub *h = c->gw->hub;

	hub_take_buf(h, &box->out, REPLY_MAX);
	box->call = (struct gw_call){.gw = c->gw,
				     .conn = conn_ref(c),
				     .arena = a,
				     .id = f->id,
				     .method = f->method,
				     .row = row,
				     .params = f->params,
				     .received_mono_ms = now_mono_ms(),
				     .out = &box->out};
	if (!json_is(f->params, JSON_OBJ))
		box->call.params = json_new_obj(a);
	c->in_flight++;
	box->next = h->calls;
	if (h->calls)
		h->calls->prev = box;
	h->calls = box;
	h->call_count++;
	return box;
}

static void box_free(struct call_box *box)
{
	struct gw_conn *c = box->call.conn;
	struct gw_hub *h = c->gw->hub;
	struct arena *a = box->call.arena;

	if (box->prev)
		box->prev->next = box->next;
	else
		h->calls = box->next;
	if (box->next)
		box->next->prev = box->prev;
	h->call_count--;
	c->in_flight--;
	hub_give_buf(h, &box->out);
	hub_give_arena(h, a);
	conn_unref(c);
}

static void run_call(struct call_box *box)
{
	struct gw_call *call = &box->call;
	struct ch_err err = {0};
	ch_status st = call->row->run(call, &err);

	if (!st && !call->replied) {
		log_error("gateway", "%s gave no reply: a bug in its handler", call->method);
		st = ch_fail(&err, CH_E_BUG, "%s gave no reply", call->method);
	}
	if (st)
		reply_failure(call, st, &err);
	box_free(box);
}

static void run_in_fiber(void *arg)
{
	run_call(arg);
}

void dispatch_client_left(struct gw_conn *c)
{
	for (struct call_box *box = c->gw->hub->calls; box; box = box->next)
		if (box->call.conn == c && box->fiber && (box->call.row->flags & GW_WAITS))
			fiber_cancel(box->fiber);
}

void dispatch_cancel_all(struct gw_hub *h)
{
	for (struct call_box *box = h->calls; box; box = box->next)
		if (box->fiber)
			fiber_cancel(box->fiber);
}

/* -- checks -- */

static bool is_node_method(const char *method, const struct gw_method *row)
{
	if (row)
		return row->flags & GW_NODE_ROLE;
	return str_in(method, node_methods, CH_ARRAY_LEN(node_methods));
}

/* health is for everybody; else operators and nodes have their own methods. */
static bool role_fits(struct gw_conn *c, const struct frame *f, const struct gw_method *row)
{
	bool is_node = c->client->role == GW_ROLE_NODE;
	char message[48];

	if (str_eq(f->method, "health") || is_node == is_node_method(f->method, row)) {
		c->bad_roles = 0;
		return true;
	}
	snprintf(message, sizeof(message), "unauthorized role: %s", is_node ? "node" : "operator");
	fail_text(c, f->id, CH_E_INVALID, message);
	if (++c->bad_roles > CONN_BAD_ROLES)
		conn_close(c, 1008, "repeated unauthorized calls");
	return false;
}

static void refuse_scope(struct gw_conn *c, struct arena *a, const struct frame *f, unsigned needed)
{
	unsigned missing = scope_missing(c->client->scopes.bits, needed);
	struct json *details = json_new_obj(a);
	struct scope_list required = {0};
	char message[64];

	scope_list_add(&required, needed);
	json_set(a, details, "code", json_new_str(a, "MISSING_SCOPE"));
	json_set(a, details, "missingScope", json_new_str(a, scope_name(missing)));
	json_set(a, details, "requiredScopes", scope_list_json(a, &required));
	snprintf(message, sizeof(message), "missing scope: %s", scope_name(missing));
	dispatch_error(c, f->id,
		       &(struct frame_error){.code = "FORBIDDEN", .message = message, .details = details});
}

/* An unknown method counts as one for administrators, so that others cannot probe for names. */
static bool scope_fits(struct gw_conn *c, struct arena *a, const struct frame *f, const struct gw_method *row)
{
	struct gw_call probe = {
		.gw = c->gw, .conn = c, .arena = a, .method = f->method, .row = row, .params = f->params};
	unsigned needed = row ? row->scope : GW_SCOPE_ADMIN;

	if (c->client->role == GW_ROLE_NODE || str_eq(f->method, "health"))
		return true;
	if (row && row->dynamic_scope)
		needed = row->dynamic_scope(&probe);
	if (scope_allows(c->client->scopes.bits, needed))
		return true;
	refuse_scope(c, a, f, needed);
	return false;
}

/* A backstop against clients that loop, not a boundary: who gets here may write anyway. */
static bool control_write_fits(struct gw_conn *c, struct arena *a, const struct frame *f)
{
	struct limiter *l = c->gw->hub->control_writes;
	const char *who = arena_printf(a, "%s|%s", c->client->device_id ? c->client->device_id : "",
				       c->client->ip ? c->client->ip : "");
	int64_t wait_ms = limiter_wait_ms(l, f->method, who);
	struct json *details;

	if (wait_ms == 0) {
		(void)limiter_fail(l, f->method, who, false);
		return true;
	}
	details = json_new_obj(a);
	json_set(a, details, "method", json_new_str(a, f->method));
	json_set(a, details, "limit",
		 json_new_str(a, arena_printf(a, "%d per %ds", HUB_CONTROL_WRITES, HUB_CONTROL_WINDOW_MS / 1000)));
	dispatch_error(c, f->id,
		       &(struct frame_error){
			       .code = "UNAVAILABLE",
			       .message = arena_printf(a, "rate limit exceeded for %s; retry after %llds", f->method,
						       (long long)(wait_ms + 999) / 1000),
			       .details = details,
			       .is_retryable = true,
			       .retry_after_ms = wait_ms });
	return false;
}

static bool rate_fits(struct gw_conn *c, struct arena *a, const struct frame *f, const struct gw_method *row)
{
	if (c->in_flight >= GW_START_QUEUE) {
		fail_text(c, f->id, CH_E_BUSY,
			  "too many requests of this connection are in flight; wait for answers first");
		return false;
	}
	return !(row->flags & GW_CONTROL_WRITE) || control_write_fits(c, a, f);
}

static bool params_fit(struct gw_conn *c, const struct frame *f, const struct gw_method *row)
{
	struct ch_err err = {0};
	char title[96];

	snprintf(title, sizeof(title), "invalid %s params", f->method);
	if (!gw_params_check_as(title, row->params, row->flags & GW_OPEN_PARAMS, f->params, &err))
		return true;
	fail_text(c, f->id, CH_E_INVALID, err.text);
	return false;
}

static bool may_run(struct gw_conn *c, struct arena *a, const struct frame *f, const struct gw_method *row)
{
	if (!role_fits(c, f, row) || !scope_fits(c, a, f, row))
		return false;
	if (!row) {
		char message[160];
		int shown = (int)utf8_cut(f->method, strlen(f->method), 120);

		snprintf(message, sizeof(message), "unknown method: %.*s", shown, f->method);
		fail_text(c, f->id, CH_E_INVALID, message);
		return false;
	}
	return params_fit(c, f, row) && rate_fits(c, a, f, row);
}

/* Takes the arena. */
static void dispatch_request(struct gw_conn *c, struct arena *a, const struct frame *f)
{
	const struct gw_method *row = gw_method_find(f->method);
	struct call_box *box;

	c->client->last_activity_ms = now_wall_ms();
	if (!may_run(c, a, f, row)) {
		hub_give_arena(c->gw->hub, a);
		return;
	}
	box = box_new(c, a, f, row);
	if (row->flags & GW_INLINE)
		run_call(box);
	else
		box->fiber = fiber_spawn(c->gw->loop, row->name, FIBER_DETACHED, run_in_fiber, box);
}

void dispatch_text(struct gw_conn *c, char *text, size_t len)
{
	struct arena *a = hub_take_arena(c->gw->hub);
	struct ch_err err = {0};
	struct frame f;

	frame_parse(a, text, len, &f, &err);
	if (f.kind == FRAME_REQ) {
		dispatch_request(c, a, &f);
		return;
	}
	if (f.kind == FRAME_BAD)
		fail_text(c, f.id, CH_E_INVALID, err.text);
	hub_give_arena(c->gw->hub, a);
}
