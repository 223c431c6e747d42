/*
 * cli/cmd_status.c - status, health, dashboard, logs: what the gateway says of itself.
 */
#include <stdio.h>
#include <string.h>

#include "cli/rpc.h"
#include "core/clock.h"
#include "core/fiber.h"
#include "core/str.h"

#define LOGS_POLL_MS 1000

static CH_FIBER ch_status run_health(struct cli *c, struct ch_err *err)
{
	struct json *health;
	int64_t started = now_mono_ms();
	ch_status st = rpc_once(c, "read", "health", NULL, &health, err);

	if (st)
		return st;
	c->exit_code = json_get_bool(health, "ok", false) ? 0 : 1;
	if (c->json) {
		cli_print_json(health);
		return CH_OK;
	}
	cli_print("%s%s%s (%lld ms)\n", cli_on(c, c->exit_code ? CLI_RED : CLI_GREEN), c->exit_code ? "not healthy" : "healthy",
		  cli_off(c), (long long)(now_mono_ms() - started));
	json_each(agent, json_get(health, "agents"))
		cli_print("agent %s: %lld sessions\n", cli_safe(c->arena, json_get_str(agent, "agentId")),
			  (long long)json_get_int(json_get(agent, "sessions"), "count", 0));
	return CH_OK;
}

const struct cli_command cli_health = {
	.name = "health",
	.summary = "is the gateway well (exit 1 when not)",
	.run = run_health,
};

static void print_recent(struct cli *c, const struct json *sessions)
{
	struct cli_table *t = cli_table_new(c->arena, (const char *const[]){ "SESSION", "MODEL", "TOKENS", "UPDATED" }, 4);
	bool any = false;

	json_each(s, json_get(sessions, "sessions")) {
		cli_table_row(t, (const char *const[]){
			json_get_str(s, "key"), json_get_str(s, "model"),
			arena_printf(c->arena, "%lld", (long long)json_get_int(s, "totalTokens", 0)),
			cli_ago(c->arena, json_get_int(s, "updatedAt", 0)) });
		any = true;
	}
	if (any) {
		cli_print("\n");
		cli_table_print(c, t);
	}
}

static void print_networks(struct cli *c, const struct json *status)
{
	const char *heading = "networks";

	json_each(channel, json_get(status, "channelAccounts"))
		json_each(a, channel) {
			cli_print("%s%-8s%s  %s %s %s\n", cli_on(c, CLI_BOLD), heading, cli_off(c), cli_safe(c->arena, channel->key),
				  cli_safe(c->arena, json_str_or(json_get(a, "accountId"), "-")),
				  cli_safe(c->arena, json_str_or(json_get(a, "state"), "-")));
			heading = "";
		}
}

static CH_FIBER ch_status run_status(struct cli *c, struct ch_err *err)
{
	CH_AUTO(rpc_close) struct rpc *r = NULL;
	struct json *status, *sessions, *models, *networks;
	const char *url;
	ch_status st = rpc_open(c, "read", NULL, &r, err);

	if (!st)
		st = rpc_call(r, "status", NULL, &status, err);
	if (st)
		return st;
	if (c->json) {
		cli_print_json(status);
		return CH_OK;
	}
	st = cli_gateway_url(c, "http", &url, err);
	if (!st)
		st = rpc_call(r, "sessions.list", "{\"limit\":5}", &sessions, err);
	if (!st)
		st = rpc_call(r, "models.list", NULL, &models, err);
	if (!st)
		st = rpc_call(r, "channels.status", NULL, &networks, err);
	if (st)
		return st;
	const struct json *snapshot = json_get(rpc_hello(r), "snapshot");
	const struct json *defaults = json_get(sessions, "defaults");

	cli_print("%sgateway%s   chela %s, up %s\n", cli_on(c, CLI_BOLD), cli_off(c),
		  cli_safe(c->arena, json_get_str(json_get(rpc_hello(r), "server"), "version")),
		  cli_span(c->arena, json_get_int(snapshot, "uptimeMs", 0)));
	cli_print("%saddress%s   %s (connected in %lld ms)\n", cli_on(c, CLI_BOLD), cli_off(c), url, (long long)rpc_connect_ms(r));
	cli_print("%smodel%s     %s/%s (%zu known)\n", cli_on(c, CLI_BOLD), cli_off(c),
		  cli_safe(c->arena, json_str_or(json_get(defaults, "modelProvider"), "-")),
		  cli_safe(c->arena, json_str_or(json_get(defaults, "model"), "-")), json_len(json_get(models, "models")));
	cli_print("%ssessions%s  %lld\n", cli_on(c, CLI_BOLD), cli_off(c), (long long)json_get_int(sessions, "totalCount", 0));
	cli_print("%sstate%s     %s\n", cli_on(c, CLI_BOLD), cli_off(c), c->state_dir);
	print_networks(c, networks);
	print_recent(c, sessions);
	return CH_OK;
}

const struct cli_command cli_status = {
	.name = "status",
	.summary = "gateway, model, networks and recent sessions at a glance",
	.run = run_status,
};

static CH_FIBER ch_status run_dashboard(struct cli *c, struct ch_err *err)
{
	CH_AUTO(secret_unref) struct secret *secret = NULL;
	bool is_password;
	const char *url;
	ch_status st = cli_gateway_url(c, "http", &url, err);

	if (!st)
		st = cli_gateway_secret(c, &secret, &is_password, err);
	if (st)
		return st;
	/* The fragment never leaves the browser: it is in no request and no log. */
	const char *full = secret && !is_password ? arena_printf(c->arena, "%s/#token=%s", url, secret_reveal(secret))
						  : arena_printf(c->arena, "%s/", url);

	if (c->json) {
		struct json *doc = json_new_obj(c->arena);

		json_set(c->arena, doc, "url", json_new_str(c->arena, full));
		cli_print_json(doc);
	} else {
		cli_print("%s\n", full);
	}
	return CH_OK;
}

const struct cli_command cli_dashboard = {
	.name = "dashboard",
	.summary = "print the page's URL with its token",
	.run = run_dashboard,
};

/* -- logs -- */

static void print_log_line(struct cli *c, const char *line)
{
	static const struct { const char *level; enum cli_style style; } styles[] = {
		{ "error", CLI_RED }, { "warn", CLI_YELLOW }, { "info", CLI_CYAN }, { "debug", CLI_DIM }, { "trace", CLI_DIM },
	};
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	enum cli_style style = CLI_PLAIN;
	struct json *v;

	if (c->json || json_parse(a, line, strlen(line), JSON_STRICT, &v, NULL) || !json_is(v, JSON_OBJ)) {
		cli_print("%s\n", c->json ? line : cli_safe(a, line));
		return;
	}
	const char *level = json_str_or(json_get(v, "level"), "");

	for (size_t i = 0; i < CH_ARRAY_LEN(styles); i++)
		if (str_eq(level, styles[i].level))
			style = styles[i].style;
	cli_print("%s %s%-5s%s %s: %s\n", cli_safe(a, json_str_or(json_get(v, "time"), "")), cli_on(c, style), cli_safe(a, level),
		  cli_off(c), cli_safe(a, json_str_or(json_get(v, "subsystem"), "")), cli_safe(a, json_str_or(json_get(v, "message"), "")));
}

static CH_FIBER ch_status run_logs(struct cli *c, struct ch_err *err)
{
	CH_AUTO(rpc_close) struct rpc *r = NULL;
	int64_t limit, cursor = -1;
	ch_status st = cli_opt_int(c, "limit", 200, 1, 5000, &limit, err);

	if (!st)
		st = rpc_open(c, "read", NULL, &r, err);
	while (!st) {
		struct json *tail;
		const char *params = cursor < 0 ? arena_printf(c->arena, "{\"limit\":%lld}", (long long)limit)
						: arena_printf(c->arena, "{\"limit\":%lld,\"cursor\":%lld}", (long long)limit,
							       (long long)cursor);

		st = rpc_call(r, "logs.tail", params, &tail, err);
		if (st)
			break;
		if (c->json && !cli_flag(c, "follow")) {
			cli_print_json(tail);
			break;
		}
		json_each(line, json_get(tail, "lines"))
			print_log_line(c, json_str_or(line, ""));
		fflush(stdout);
		cursor = json_get_int(tail, "cursor", -1);
		if (!cli_flag(c, "follow"))
			break;
		st = fiber_sleep(LOGS_POLL_MS);
	}
	return st;
}

const struct cli_command cli_logs = {
	.name = "logs",
	.summary = "the gateway's log",
	.opts = (const struct cli_opt[]){
		{ "follow", 'f', NULL, "keep printing what comes" },
		{ "limit", 'n', "<lines>", "how many lines back (default 200)" },
		{ 0 },
	},
	.examples = "  chela logs --follow\n  chela logs --json --limit 20\n"
		    "  chela logs --follow --json    one document per line, without end\n",
	.run = run_logs,
};
