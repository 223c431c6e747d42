/*
 * gateway/methods/m_config_write.c - config.set, config.patch, config.apply: changing the configuration over
 * the wire.
 *
 * The caller says which text it has seen (baseHash); secrets that were shown redacted come back as they
 * were. What names programs of this machine cannot be changed from here (CFG_LOCAL). Each change is on
 * record with its paths, never with values. patch and apply answer when the change is in force; what takes
 * a restart is told.
 */
#include "config/config.h"
#include "core/clock.h"
#include "core/file.h"
#include "core/log.h"
#include "core/str.h"
#include "gateway/audit.h"
#include "gateway/conn.h"
#include "gateway/gw_parts.h"
#include "gateway/methods/methods.h"
#include "models/key_origin.h"

#define APPLY_MS 30000

struct change {
	struct config *before;           /* referenced */
	const char *const *paths;        /* NULL-ended */
	bool is_noop;
};

static void change_done(struct change *ch)
{
	config_unref(ch->before);
}

/* A first write has nothing to compare with. */
static ch_status base_hash(struct gw_call *call, const char **ret, struct ch_err *err)
{
	const char *hash = json_get_str(call->params, "baseHash");

	if (!hash && file_exists(config_store_path(call->gw->config)))
		return ch_fail(err, CH_E_INVALID, "config base hash required; re-run config.get and retry");
	*ret = hash;
	return CH_OK;
}

static ch_status explain(ch_status st, struct ch_err *err)
{
	char text[CH_ERR_TEXT_MAX];

	if (st == CH_E_CONFLICT)
		return ch_fail(err, st, "config changed since last load; re-run config.get and retry");
	if (st != CH_E_INVALID)
		return st;
	snprintf(text, sizeof(text), "%s", err->text);
	return ch_fail(err, st, "invalid config: %s", text);
}

static const char *actor_of(const struct gw_call *call)
{
	const char *device = gw_conn_device_id(call->conn);

	return device ? device : gw_conn_client_id(call->conn);
}

static void record(struct gw_call *call, const struct change *ch)
{
	struct json *detail = json_new_obj(call->arena), *paths = json_new_arr(call->arena);

	for (size_t i = 0; ch->paths[i]; i++)
		json_push(paths, json_new_str(call->arena, ch->paths[i]));
	json_set(call->arena, detail, "paths", paths);
	audit_record(call->gw, &(struct audit_entry){ .kind = "config",
						      .action = call->method,
						      .status = "succeeded",
						      .actor = actor_of(call),
						      .detail = detail });
	log_info("config", "%s by %s conn=%s: %zu keys", call->method, actor_of(call), gw_conn_id(call->conn),
		 json_len(paths));
}

/* What the write just done came to; noted when it changed anything. */
static void settle(struct gw_call *call, struct change *ch)
{
	struct config *after = gw_config(call->gw);

	ch->paths = config_changed_paths(call->arena, config_resolved(ch->before), config_resolved(after));
	ch->is_noop = after == ch->before;
	if (!ch->is_noop)
		record(call, ch);
}

static bool takes_restart(const char *path)
{
	const struct config_row *row = config_row_find(path);

	return row && (row->flags & CFG_RESTART);
}

static bool requires_restart(const struct change *ch)
{
	for (size_t i = 0; ch->paths[i]; i++)
		if (takes_restart(ch->paths[i]))
			return true;
	return false;
}

/* The members that all three answer with, into an open object. */
static void write_result(struct gw_call *call, struct jw *w, const struct change *ch)
{
	jw_kbool(w, "ok", true);
	if (ch->is_noop)
		jw_kbool(w, "noop", true);
	jw_kstr(w, "path", config_store_path(call->gw->config));
	jw_kstr(w, "hash", config_store_hash(call->gw->config));
	jw_kvalue(w, "config", config_redact(call->arena, config_source(gw_config(call->gw))));
}

/* What takes a restart, and what was said about the change: where clients look for it. */
static void write_sentinel(struct gw_call *call, struct jw *w, const struct change *ch)
{
	const char *note = json_get_str(call->params, "note");

	jw_kobj(w, "sentinel");
	jw_kbool(w, "persisted", false);
	jw_kobj(w, "payload");
	jw_kstr(w, "kind", str_eq(call->method, "config.patch") ? "config-patch" : "config-apply");
	jw_kstr(w, "status", "ok");
	jw_kint(w, "ts", now_wall_ms());
	jw_kstr(w, "message", note);
	jw_kobj(w, "stats");
	jw_kstr(w, "mode", call->method);
	jw_kstr(w, "root", config_store_path(call->gw->config));
	jw_kbool(w, "requiresRestart", requires_restart(ch));
	jw_karr(w, "restartPaths");
	for (size_t i = 0; ch->paths[i]; i++)
		if (takes_restart(ch->paths[i]))
			jw_str(w, ch->paths[i]);
	jw_end(w);
	jw_end(w);
	jw_end(w);
	jw_end(w);
}

static void write_paths(struct jw *w, const struct change *ch)
{
	jw_karr(w, "changedPaths");
	for (size_t i = 0; ch->paths[i]; i++)
		jw_str(w, ch->paths[i]);
	jw_end(w);
}

static ch_status keys_stay(void *arg, const struct json *before, const struct json *after, struct ch_err *err)
{
	struct gw *gw = arg;

	return key_origin_check(gw->db, before, after, err);
}

static ch_status write_raw(struct gw_call *call, struct change *ret, struct ch_err *err)
{
	const struct json *raw = json_get(call->params, "raw");
	struct config_write_how how = { .is_remote = true, .check = keys_stay, .check_arg = call->gw };
	ch_status st = base_hash(call, &how.base_hash, err);

	if (st)
		return st;
	ret->before = config_ref(gw_config(call->gw));
	st = config_write_raw_as(call->gw->config, raw->str, raw->len, &how, err);
	if (st)
		return explain(st, err);
	settle(call, ret);
	return CH_OK;
}

static ch_status run_set(struct gw_call *call, struct ch_err *err)
{
	__attribute__((cleanup(change_done))) struct change ch = {0};
	ch_status st = write_raw(call, &ch, err);
	struct jw *w;

	if (st)
		return st;
	w = gw_reply_begin(call);
	jw_obj(w);
	write_result(call, w, &ch);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

static bool changes_auth(const struct change *ch)
{
	for (size_t i = 0; ch->paths[i]; i++)
		if (str_starts(ch->paths[i], "gateway.auth"))
			return true;
	return false;
}

/* Answers when the change is in force. */
static ch_status reply_applied(struct gw_call *call, const struct change *ch, struct ch_err *err)
{
	ch_status st = CH_OK;
	struct jw *w;

	/* New credentials close the caller's socket when they come into force: it is told before. */
	if (!changes_auth(ch))
		st = gw_reload_wait(call->gw, now_mono_ms() + APPLY_MS, err);
	if (st)
		return st;
	w = gw_reply_begin(call);
	jw_obj(w);
	write_result(call, w, ch);
	write_paths(w, ch);
	write_sentinel(call, w, ch);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

static ch_status run_apply(struct gw_call *call, struct ch_err *err)
{
	__attribute__((cleanup(change_done))) struct change ch = {0};
	ch_status st = write_raw(call, &ch, err);

	return st ? st : reply_applied(call, &ch, err);
}

static ch_status run_patch(struct gw_call *call, struct ch_err *err)
{
	__attribute__((cleanup(change_done))) struct change ch = {0};
	const struct json *raw = json_get(call->params, "raw"), *replace = json_get(call->params, "replacePaths");
	struct config_write_how how = { .replace_paths = replace ? replace : json_new_arr(call->arena),
					.is_remote = true, .check = keys_stay, .check_arg = call->gw };
	struct json *patch;
	ch_status st = base_hash(call, &how.base_hash, err);

	if (!st)
		st = json_parse(call->arena, raw->str, raw->len, JSON_JSON5, &patch, err);
	if (st)
		return st;
	if (!json_is(patch, JSON_OBJ))
		return ch_fail(err, CH_E_INVALID, "config.patch raw must be an object");
	ch.before = config_ref(gw_config(call->gw));
	st = config_write_patch_as(call->gw->config, patch, &how, err);
	if (st)
		return explain(st, err);
	settle(call, &ch);
	return reply_applied(call, &ch, err);
}

static const struct gw_param delivery_params[] = {
	{ "channel", GP_STR },
	{ "to", GP_STR },
	{ "accountId", GP_STR },
	{ "threadId", GP_ANY },
	{0},
};
static const struct gw_param set_params[] = {
	{ "raw", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "baseHash", GP_STR, GP_NON_EMPTY },
	{0},
};
static const struct gw_param apply_params[] = {
	{ "raw", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "baseHash", GP_STR, GP_NON_EMPTY },
	{ "sessionKey", GP_STR },
	{ "deliveryContext", GP_OBJ, .members = delivery_params },
	{ "note", GP_STR },
	{ "restartDelayMs", GP_INT, .max = INT64_MAX },
	{0},
};
static const struct gw_param patch_params[] = {
	{ "raw", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "baseHash", GP_STR, GP_NON_EMPTY },
	{ "sessionKey", GP_STR },
	{ "deliveryContext", GP_OBJ, .members = delivery_params },
	{ "note", GP_STR },
	{ "restartDelayMs", GP_INT, .max = INT64_MAX },
	{ "replacePaths", GP_ARR, GP_NON_EMPTY, .max = 256, .item = GP_STR },
	{0},
};

const struct gw_method gwm_config_write[] = {
	/* name            run        scope           flags             params */
	{ "config.apply",  run_apply, GW_SCOPE_ADMIN, GW_CONTROL_WRITE, apply_params },
	{ "config.patch",  run_patch, GW_SCOPE_ADMIN, GW_CONTROL_WRITE, patch_params },
	{ "config.set",    run_set,   GW_SCOPE_ADMIN, 0,                set_params },
};
const size_t gwm_config_write_count = CH_ARRAY_LEN(gwm_config_write);
