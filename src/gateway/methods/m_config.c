/*
 * gateway/methods/m_config.c - config.get, config.schema, config.schema.lookup: the configuration read over the wire.
 *
 * Secrets never leave: every tree is redacted, the raw text is given only when that is possible
 * without guessing where in it a secret stands.
 */
#include "core/clock.h"
#include "core/file.h"
#include "core/str.h"
#include "gateway/methods/methods.h"

static void write_issues(struct jw *w, const char *key, const struct config_issue *issues, size_t count,
			 enum config_severity severity)
{
	jw_karr(w, key);
	for (size_t i = 0; i < count; i++) {
		if (issues[i].severity != severity)
			continue;
		jw_obj(w);
		jw_kstr(w, "path", issues[i].path);
		jw_kstr(w, "message", issues[i].message);
		jw_end(w);
	}
	jw_end(w);
}

static void write_tree(struct jw *w, const char *key, const struct json *redacted)
{
	jw_key(w, key);
	if (redacted) {
		jw_value(w, redacted);
		return;
	}
	jw_obj(w);
	jw_end(w);
}

/* The file's text with secrets replaced. Text that cannot be redacted is not shown. */
static void write_raw(struct gw_call *call, struct jw *w, const struct config *c)
{
	CH_AUTO_BUF struct buf out = { 0 };
	size_t len = 0;
	const char *raw = config_raw(c, &len);

	buf_init(&out, CONFIG_FILE_MAX * 2);
	if (!raw || config_text_redact(raw, len, &out, NULL)) {
		jw_knull(w, "raw");
		return;
	}
	jw_key(w, "raw");
	jw_strn(w, buf_str(&out), out.len);
}

static ch_status run_get(struct gw_call *call, struct ch_err *err)
{
	struct config_store *store = call->gw->config;
	const struct config *c = gw_config(call->gw);
	const struct json *source = config_redact(call->arena, config_source(c));
	const struct json *resolved = config_redact_resolved(call->arena, c, "");
	size_t count;
	const struct config_issue *issues = config_store_issues(store, &count);
	struct jw *w = gw_reply_begin(call);

	jw_obj(w);
	jw_kstr(w, "path", config_store_path(store));
	jw_karr(w, "includedPaths");
	for (const char *const *path = config_includes(c); *path; path++)
		jw_str(w, *path);
	jw_end(w);
	jw_kbool(w, "exists", file_exists(config_store_path(store)));
	write_raw(call, w, c);
	write_tree(w, "parsed", source);
	write_tree(w, "sourceConfig", source);
	write_tree(w, "resolved", resolved);
	jw_kbool(w, "valid", !config_store_degraded(store));
	write_tree(w, "runtimeConfig", resolved);
	write_tree(w, "config", resolved);
	jw_kstr(w, "hash", config_store_hash(store));
	write_issues(w, "issues", issues, count, CONFIG_ERROR);
	write_issues(w, "warnings", issues, count, CONFIG_WARNING);
	jw_karr(w, "legacyIssues");
	jw_end(w);
	jw_kstr(w, "configRevisionHash", config_store_hash(store));
	jw_kstr(w, "appliedConfigHash", config_hash(c));
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

static ch_status run_schema(struct gw_call *call, struct ch_err *err)
{
	struct jw *w = gw_reply_begin(call);
	char now[CLOCK_ISO_LEN];

	clock_iso(call->gw->started_wall_ms, now);
	jw_obj(w);
	jw_kvalue(w, "schema", config_json_schema(call->arena));
	jw_kvalue(w, "uiHints", config_ui_hints(call->arena));
	jw_kstr(w, "version", call->gw->version);
	jw_kstr(w, "generatedAt", now);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

static ch_status run_lookup(struct gw_call *call, struct ch_err *err)
{
	struct json *found = config_schema_lookup(call->arena, json_get_str(call->params, "path"));

	if (!found)
		return ch_fail(err, CH_E_NOT_FOUND, "config schema path not found");
	gw_reply_json(call, found);
	return CH_OK;
}

static const struct gw_param lookup_params[] = {
	{ "path", GP_STR, GP_REQUIRED | GP_NON_EMPTY, .max = 1024 },
	{0},
};

const struct gw_method gwm_config[] = {
	/* name                   run         scope          flags  params */
	{ "config.get",           run_get,    GW_SCOPE_READ, 0 },
	{ "config.schema",        run_schema, GW_SCOPE_READ, 0 },
	{ "config.schema.lookup", run_lookup, GW_SCOPE_READ, 0,     lookup_params },
};
const size_t gwm_config_count = CH_ARRAY_LEN(gwm_config);
