/*
 * gateway/approval_events.c - see approval_events.h.
 */
#include "gateway/approval_events.h"

#include "core/clock.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/str.h"
#include "gateway/audit.h"
#include "gateway/cards.h"
#include "gateway/conn.h"
#include "gateway/hub.h"
#include "gateway/services.h"

#define EVENT_MAX (4u << 20)             /* request and presentation, escaped, and a little around them */
#define ABOVE_MAX 8                      /* sub-agents of sub-agents; also stops a circle */
#define REPLAYED_MAX 100
#define REPLAYED_BYTES (8u << 20)
#define WAY_OUT "open the page (chela dashboard) or run `chela approvals watch` in a terminal and try again, or allow " \
		"the command beforehand (docs/approvals.md)"

/* -- rendering -- */

static const enum approval_decision all_decisions[] = { APPROVAL_ALLOW_ONCE, APPROVAL_ALLOW_ALWAYS, APPROVAL_DENY };

void gw_render_decisions(struct jw *w, unsigned decisions)
{
	jw_arr(w);
	for (size_t i = 0; i < CH_ARRAY_LEN(all_decisions); i++)
		if (decisions & all_decisions[i])
			jw_str(w, approval_decision_name(all_decisions[i]));
	jw_end(w);
}

/* "/ui" of "ui/", "/ui/" and the like. */
static void put_base_path(struct gw *gw, struct buf *out)
{
	const char *set = config_str(gw_config(gw), "gateway.controlUi.basePath");

	if (str_empty(set) || str_eq(set, "/"))
		return;
	buf_printf(out, "%s%s", *set == '/' ? "" : "/", set);
	while (out->len > 1 && out->data[out->len - 1] == '/')
		buf_truncate(out, out->len - 1);
}

/* Of an id's characters only the colon needs care in a path. */
static void put_url_path(struct gw *gw, struct jw *w, const char *id)
{
	CH_AUTO_BUF struct buf path = { 0 };

	buf_init(&path, 4096);
	put_base_path(gw, &path);
	buf_puts(&path, "/approve/");
	for (const char *p = id; *p; p++) {
		if (*p == ':')
			buf_puts(&path, "%3A");
		else
			buf_putc(&path, *p);
	}
	jw_kstr(w, "urlPath", buf_str(&path));
}

/* The protocol knows four kinds of resolvers. */
static void put_resolver(struct jw *w, const struct json *resolver)
{
	const char *kind = json_get_str(resolver, "kind");

	jw_kobj(w, "resolver");
	jw_kstr(w, "kind", str_eq(kind, "device") || str_eq(kind, "channel") ? kind : "runtime");
	jw_kstr_opt(w, "id", json_get_str(resolver, "id"));
	jw_end(w);
}

static void put_ending(struct jw *w, const struct approval *row)
{
	const char *reason = row->reason;

	/* The protocol has two reasons for one that was cancelled. */
	if (row->status == APPROVAL_CANCELLED && !str_eq(reason, "gateway-restart"))
		reason = "run-aborted";
	jw_kint(w, "resolvedAtMs", row->resolved_at);
	jw_kstr(w, "reason", reason);
	jw_kstr_opt(w, "decision", approval_decision_name(row->decision));
}

static void put_approval(struct gw *gw, struct jw *w, const struct approval *row, bool with_source)
{
	jw_kstr(w, "id", row->id);
	jw_kstr(w, "status", approval_status_name(row->status));
	jw_kvalue(w, "presentation", row->presentation);
	put_url_path(gw, w, row->id);
	jw_kint(w, "createdAtMs", row->created_at);
	jw_kint(w, "expiresAtMs", row->expires_at);
	if (row->status == APPROVAL_PENDING)
		return;
	put_ending(w, row);
	if (!with_source)
		return;
	jw_kobj(w, "source");
	jw_kstr_opt(w, "agentId", row->agent_id);
	jw_kstr_opt(w, "sessionKey", row->session_key);
	jw_end(w);
	if (row->resolver)
		put_resolver(w, row->resolver);
}

void gw_render_approval(struct gw *gw, struct jw *w, const struct approval *row, bool with_source)
{
	jw_obj(w);
	put_approval(gw, w, row, with_source);
	jw_end(w);
}

static void put_request(struct jw *w, const struct approval *row)
{
	jw_kstr(w, "id", row->id);
	jw_kvalue(w, "request", row->request);
	jw_kint(w, "createdAtMs", row->created_at);
	jw_kint(w, "expiresAtMs", row->expires_at);
}

void gw_render_approval_request(struct jw *w, const struct approval *row)
{
	jw_obj(w);
	put_request(w, row);
	jw_kstr(w, "approvalKind", approval_kind_name(row->kind));
	jw_end(w);
}

/* -- whose session it is -- */

struct above { const char *key[ABOVE_MAX]; size_t len; };

/* The session that asked, who had spawned it, and so on; on the arena. */
static ch_status find_above(struct gw *gw, struct arena *a, const char *session_key, struct above *ret, struct ch_err *err)
{
	ret->len = 0;
	while (session_key && ret->len < ABOVE_MAX) {
		CH_AUTO(db_done) struct db_stmt *s = NULL;
		bool has_row;
		ch_status st;

		ret->key[ret->len++] = session_key;
		st = db_prep(gw->db, "SELECT spawned_by FROM sessions WHERE key = ?1", &s, err);
		if (st)
			return st;
		db_bind_text(s, 1, session_key);
		st = db_step(s, &has_row, err);
		if (st)
			return st;
		session_key = has_row && !db_is_null(s, 0) ? arena_strdup(a, db_text(s, 0)) : NULL;
	}
	return CH_OK;
}

static bool is_above(const struct above *above, const char *session_key)
{
	for (size_t i = 0; i < above->len; i++)
		if (str_eq(above->key[i], session_key))
			return true;
	return false;
}

/* -- events -- */

static bool wants_session(const struct gw_conn *c, void *arg)
{
	return gw_conn_wants_approvals(c, arg);
}

static void tell_session(struct gw *gw, const struct approval *row, const char *session_key)
{
	CH_AUTO_BUF struct buf out = { 0 };
	struct jw w = JW(&out);
	bool is_pending = row->status == APPROVAL_PENDING;

	buf_init(&out, EVENT_MAX);
	jw_obj(&w);
	jw_kstr(&w, "sessionKey", session_key);
	jw_kstr(&w, "sourceSessionKey", row->session_key);
	jw_kint(&w, "updatedAtMs", is_pending ? row->created_at : row->resolved_at);
	jw_kstr(&w, "phase", is_pending ? "pending" : "terminal");
	jw_key(&w, "approval");
	gw_render_approval(gw, &w, row, false);
	jw_end(&w);
	if (!out.failed)
		gw_broadcast(gw, &(struct gw_event){ .name = "session.approval", .payload = out.data, .len = out.len,
						     .filter = wants_session, .filter_arg = (void *)session_key });
}

static void tell_sessions(struct gw *gw, const struct approval *row)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct ch_err err = { 0 };
	struct above above;

	if (find_above(gw, a, row->session_key, &above, &err)) {
		log_error("approvals", "the sessions above %s: %s; their subscribers are not told", row->session_key, err.text);
		above = (struct above){ .key = { row->session_key }, .len = row->session_key ? 1 : 0 };
	}
	for (size_t i = 0; i < above.len; i++)
		tell_session(gw, row, above.key[i]);
}

static void tell_operators(struct gw *gw, const struct approval *row)
{
	static const char *const names[][2] = {
		[APPROVAL_EXEC] = { "exec.approval.requested", "exec.approval.resolved" },
		[APPROVAL_PLUGIN] = { "plugin.approval.requested", "plugin.approval.resolved" },
	};
	CH_AUTO_BUF struct buf out = { 0 };
	struct jw w = JW(&out);
	bool is_pending = row->status == APPROVAL_PENDING;

	buf_init(&out, EVENT_MAX);
	jw_obj(&w);
	if (is_pending) {
		jw_kstr(&w, "approvalKind", approval_kind_name(row->kind));
		put_request(&w, row);
	} else {
		jw_kstr(&w, "id", row->id);
		/* Clients know decisions only; one that ended without is no permission. */
		jw_kstr(&w, "decision", approval_decision_name(row->decision ? row->decision : APPROVAL_DENY));
		if (!row->decision)
			jw_kstr(&w, "terminalStatus", approval_status_name(row->status));
		jw_kstr(&w, "resolvedBy", json_get_str(row->resolver, "name"));
		jw_kint(&w, "ts", row->resolved_at);
		jw_kvalue(&w, "request", row->request);
	}
	jw_end(&w);
	if (!out.failed)
		gw_broadcast(gw, &(struct gw_event){ .name = names[row->kind][is_pending ? 0 : 1], .payload = out.data,
						     .len = out.len });
}

static void record(struct gw *gw, const struct approval *row)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct json *detail = json_new_obj(a);
	const char *who = json_get_str(row->resolver, "id");

	json_set(a, detail, "id", json_new_str(a, row->id));
	json_set(a, detail, "kind", json_new_str(a, approval_kind_name(row->kind)));
	if (row->decision)
		json_set(a, detail, "decision", json_new_str(a, approval_decision_name(row->decision)));
	if (row->binding_hash)
		json_set(a, detail, "bindingHash", json_new_str(a, row->binding_hash));
	if (row->tool_call_id)
		json_set(a, detail, "toolCallId", json_new_str(a, row->tool_call_id));
	if (row->resolver)
		json_set(a, detail, "resolver", json_clone(a, row->resolver));
	audit_record(gw, &(struct audit_entry){
		.kind = "approval", .action = row->status == APPROVAL_PENDING ? "approval.requested" : "approval.ended",
		.status = approval_status_name(row->status), .actor = row->status == APPROVAL_PENDING ? row->agent_id : who,
		.agent_id = row->agent_id, .session_key = row->session_key, .run_id = row->run_id, .detail = detail });
}

static void on_event(void *arg, enum approval_event ev, const struct approval *row)
{
	struct gw *gw = arg;

	record(gw, row);
	tell_sessions(gw, row);
	tell_operators(gw, row);
	gw_cards_on_approval(gw, row);
}

/* Whoever is connected with the scope is told and can answer, the client of the session among them; and approvers in a chat. */
static bool is_reachable(void *arg, const char *session_key, struct arena *a, const char **ret_way_out)
{
	struct gw *gw = arg;

	for (const struct gw_conn *c = gw->hub->head; c; c = c->next)
		if (c->phase == CONN_OPEN && c->client->role == GW_ROLE_OPERATOR && gw_conn_has(c, GW_SCOPE_APPROVALS))
			return true;
	if (gw_cards_reach(gw, session_key))
		return true;
	*ret_way_out = WAY_OUT;
	return false;
}

/* Whose row it is carries it out (gateway/services.h); without one it stays allowed and unused. */
static void on_orphan(void *arg, const struct approval *row)
{
	struct gw *gw = arg;

	if (gw->services->on_approved)
		gw->services->on_approved(gw, row);
	else
		log_warn("approvals", "%s was allowed, but nothing here carries it out any more", row->id);
}

void gw_approvals_join(struct gw *gw)
{
	approvals_set_ops(gw->services->host.approvals, &(struct approval_ops){
		.arg = gw, .on_event = on_event, .is_reachable = is_reachable, .on_orphan = on_orphan });
}

/* -- replay -- */

struct replay_list { struct gw *gw; struct jw *w; const char *session_key; size_t count; bool is_full; };

static bool put_replayed(void *arg, const struct approval *row)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct replay_list *r = arg;
	struct above above;

	if (find_above(r->gw, a, row->session_key, &above, NULL) || !is_above(&above, r->session_key))
		return true;
	if (++r->count > REPLAYED_MAX)
		return false;
	jw_obj(r->w);
	put_approval(r->gw, r->w, row, false);
	jw_kstr(r->w, "sourceSessionKey", row->session_key);
	jw_end(r->w);
	r->is_full = r->w->out->len >= REPLAYED_BYTES;
	return !r->is_full;
}

ch_status gw_render_approval_replay(struct gw *gw, struct jw *w, const char *session_key, struct ch_err *err)
{
	struct replay_list r = { .gw = gw, .w = w, .session_key = session_key };
	ch_status st;

	jw_obj(w);
	jw_kstr(w, "sessionKey", session_key);
	jw_kint(w, "updatedAtMs", now_wall_ms());
	jw_karr(w, "approvals");
	st = approval_pending(gw->services->host.approvals, NULL, put_replayed, &r, err);
	jw_end(w);
	jw_kbool(w, "truncated", r.is_full || r.count > REPLAYED_MAX);
	jw_end(w);
	return st;
}

struct approval_resolver gw_approval_resolver(const struct gw_conn *c)
{
	const char *device = gw_conn_device_id(c), *name = gw_conn_client_name(c);

	return (struct approval_resolver){ .kind = device ? "device" : "client", .id = device ? device : gw_conn_client_id(c),
					   .name = name ? name : gw_conn_client_id(c) };
}
