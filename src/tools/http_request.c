/*
 * tools/http_request.c - the endpoints of tools.http as tools named http_<name>.
 *
 * A tool_source: what is offered follows the configuration. An endpoint that is written wrong is not offered; its row
 * says what is wrong. A call reads its endpoint anew, so that one which was taken away is not called once more.
 */
#include <string.h>

#include "core/fiber.h"
#include "core/hash.h"
#include "core/str.h"
#include "tools/table.h"
#include "web/request.h"

#define PREFIX "http_"
#define NO_ARGS "{\"type\":\"object\",\"properties\":{},\"additionalProperties\":false}"
#define OUT_MAX (256u << 10)

static const struct json *endpoint_conf(const struct config *c, const char *name)
{
	return json_get(config_get(c, "tools.http"), name);
}

/* -- a call -- */

static ch_status write_answer(const struct request_out *o, struct buf *out, struct ch_err *err)
{
	struct jw w = JW(out);

	jw_obj(&w);
	jw_kint(&w, "status", o->status);
	jw_kstr(&w, "url", o->url);
	jw_kstr_opt(&w, "contentType", o->content_type);
	if (o->is_truncated)
		jw_kbool(&w, "truncated", true);
	if (o->is_json)
		jw_kraw(&w, "data", o->text, strlen(o->text));
	else
		jw_kstr(&w, "text", o->text);
	jw_end(&w);
	return buf_status(out, err, "the answer");
}

static CH_FIBER ch_status request_tool_run(struct tool_ctx *ctx, const struct json *args, struct tool_result *ret, struct ch_err *err)
{
	const struct tool_host *host = ctx->host;
	CH_AUTO(config_unref) struct config *c = config_ref(host->config(host->arg));
	const char *name = ctx->tool->data;
	CH_AUTO_BUF struct buf out = { 0 };
	struct request_out answer;
	struct endpoint e;
	ch_status st;

	if (!endpoint_conf(c, name))
		return ch_fail(err, CH_E_NOT_FOUND, "tools.http.%s is no longer configured", name);
	st = endpoint_read(ctx->arena, name, endpoint_conf(c, name), &e, err);
	if (st)
		return ch_wrap(err, "tools.http.%s", name);
	st = request_run(host->web,
			 &(struct request_in){ .config = c, .endpoint = &e, .args = args, .secrets = host->secrets,
					       .deadline_ms = fiber_deadline(e.timeout_ms) },
			 ctx->arena, &answer, err);
	ctx->source = arena_printf(ctx->arena, "%s://%s", e.scheme, e.host);
	if (st)
		return st;
	buf_init(&out, 64u << 20);
	st = write_answer(&answer, &out, err);
	if (!st)
		tool_result_text(ctx, ret, out.data, out.len);
	ret->is_error = answer.status < 200 || answer.status >= 300;
	return st;
}

/* -- the source -- */

static uint64_t http_stamp(const struct tool_host *host, const char *agent_id, const char *workspace)
{
	const char *hash = config_hash(host->config(host->arg));

	return hash_bytes(hash, strlen(hash));
}

/* The arguments that the schema names and no others. */
static const char *schema_text(struct arena *a, const struct endpoint *e)
{
	struct json *schema;

	if (!e->schema)
		return NO_ARGS;
	schema = json_clone(a, e->schema);
	if (!json_get(schema, "properties"))
		json_set(a, schema, "properties", json_new_obj(a));
	json_set(a, schema, "additionalProperties", json_new_bool(a, false));
	return json_to_str(a, schema);
}

static const struct tool *make_tool(struct arena *a, const struct endpoint *e)
{
	struct tool *t = arena_alloc(a, sizeof(*t));

	*t = (struct tool){
		.name = arena_printf(a, PREFIX "%s", e->name),
		.label = arena_strdup(a, e->name),
		.description = e->description ? arena_strdup(a, e->description) : arena_printf(a, "Calls %s %s.", e->method, e->host),
		.schema_json = schema_text(a, e),
		.risk = e->is_sending ? TOOL_SENDS : TOOL_READS,
		.timeout_ms = 0,         /* timeoutSeconds */
		.out_max_bytes = OUT_MAX,
		.is_parallel = !e->is_sending,
		.flags = TOOL_OUTSIDE,
		.group = "http",
		.data = arena_strdup(a, e->name),
		.run = request_tool_run,
	};
	return t;
}

static const struct tool *make_problem(struct arena *a, const char *name, const char *why)
{
	struct tool *t = arena_alloc(a, sizeof(*t));

	t->name = arena_printf(a, PREFIX "%s", name);
	t->description = arena_printf(a, "tools.http.%s: %s", name, why);
	return t;
}

static ch_status http_list(const struct tool_host *host, const char *agent_id, const char *workspace, struct arena *a,
			   const struct tool *const **ret, size_t *ret_count, struct ch_err *err)
{
	const struct json *all = config_get(host->config(host->arg), "tools.http");
	const struct tool **list = arena_alloc(a, (json_len(all) + 1) * sizeof(*list));
	size_t n = 0;

	json_each(conf, all) {
		struct ch_err why = { 0 };
		struct endpoint e;

		if (endpoint_read(a, conf->key, conf, &e, &why))
			list[n++] = make_problem(a, conf->key, why.text);
		else if (!host->web)
			list[n++] = make_problem(a, conf->key, "the gateway's web service is not running");
		else if (e.is_enabled)
			list[n++] = make_tool(a, &e);
	}
	*ret = list;
	*ret_count = n;
	return CH_OK;
}

const struct tool_source tool_source_http = { .id = "http", .stamp = http_stamp, .list = http_list };
