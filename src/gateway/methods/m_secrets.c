/*
 * gateway/methods/m_secrets.c - secrets.reload and secrets.resolve.
 *
 * reload reads every credential afresh: files, commands and the environment may have changed without the
 * configuration. resolve is for commands of a client that need a credential of the gateway; no command of
 * ours does, so it knows no target and gives no value.
 */
#include "core/clock.h"
#include "core/str.h"
#include "gateway/gw_parts.h"
#include "gateway/methods/methods.h"

#define RELOAD_MS 30000

static ch_status run_reload(struct gw_call *call, struct ch_err *err)
{
	struct jw *w;
	ch_status st;

	gw_reload_secrets(call->gw);
	st = gw_reload_wait(call->gw, now_mono_ms() + RELOAD_MS, err);
	if (st)
		return st;
	if (call->gw->reload_error[0])
		return ch_fail(err, CH_E_IO, "%s; the old credentials stay in force", call->gw->reload_error);
	w = gw_reply_begin(call);
	jw_obj(w);
	jw_kbool(w, "ok", true);
	jw_kint(w, "warningCount", 0);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

static ch_status run_resolve(struct gw_call *call, struct ch_err *err)
{
	const struct json *first = json_first(json_get(call->params, "targetIds"));
	struct jw *w;

	if (first)
		return ch_fail(err, CH_E_INVALID, "invalid secrets.resolve params: unknown target id \"%.*s\"",
			       (int)utf8_cut(first->str, first->len, 80), first->str);
	w = gw_reply_begin(call);
	jw_obj(w);
	jw_kbool(w, "ok", true);
	jw_karr(w, "assignments");
	jw_end(w);
	jw_karr(w, "diagnostics");
	jw_end(w);
	jw_karr(w, "inactiveRefPaths");
	jw_end(w);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

static const struct gw_param override_params[] = {
	{ "webSearch", GP_STR, GP_NON_EMPTY },
	{ "webFetch", GP_STR, GP_NON_EMPTY },
	{0},
};
static const struct gw_param resolve_params[] = {
	{ "commandName", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "targetIds", GP_ARR, GP_REQUIRED, .item = GP_STR },
	{ "allowedPaths", GP_ARR, .item = GP_STR },
	{ "forcedActivePaths", GP_ARR, .item = GP_STR },
	{ "optionalActivePaths", GP_ARR, .item = GP_STR },
	{ "providerOverrides", GP_OBJ, .members = override_params },
	{0},
};

const struct gw_method gwm_secrets[] = {
	/* name              run          scope           flags  params */
	{ "secrets.reload",  run_reload,  GW_SCOPE_ADMIN, 0 },
	{ "secrets.resolve", run_resolve, GW_SCOPE_ADMIN, 0,     resolve_params },
};
const size_t gwm_secrets_count = CH_ARRAY_LEN(gwm_secrets);
