/*
 * agent/cmd_admin.c - commands on the gateway: /config, /restart. Only the owner's messages become commands;
 * what its methods ask administrators for, the command asks them for too.
 */
#include "agent/command.h"

#include <string.h>

#include "core/str.h"

#define SHOWN_MAX (32u << 10)            /* bytes of the configuration in one answer */

static void put_json(struct run *r, const struct json *v, struct buf *out)
{
	CH_AUTO_BUF struct buf text = { 0 };
	size_t n;

	buf_init(&text, 8u << 20);
	json_write(&text, v, 2);
	n = utf8_cut(buf_str(&text), text.len, SHOWN_MAX);
	buf_printf(out, "```json\n%.*s\n```", (int)n, buf_str(&text));
	if (n < text.len)
		buf_printf(out, "\nThat is not all of it; `/config get <path>` shows a part.");
}

static ch_status show_config(struct run *r, const char *path, struct buf *out, struct ch_err *err)
{
	const struct json *part = config_redact_resolved(r->arena, host_config(r->host), path ? path : "");

	if (!part)
		return ch_fail(err, CH_E_NOT_FOUND, "%.120s is not set", path);
	put_json(r, part, out);
	return CH_OK;
}

static ch_status do_config(struct run *r, const char *args, struct buf *out, struct ch_err *err)
{
	const char *action = command_word(r->arena, &args), *path = command_word(r->arena, &args);

	if (!action || str_ieq(action, "show") || str_ieq(action, "get"))
		return show_config(r, path, out, err);
	if (str_ieq(action, "set") || str_ieq(action, "unset"))
		return ch_fail(err, CH_E_UNSUPPORTED, "/config only shows; `chela config %s` on the gateway's machine or a page's "
			       "settings change it", action);
	return ch_fail(err, CH_E_INVALID, "/config takes show or get <path>, not '%.60s'", action);
}

const struct slash_command cmd_config = {
	.name = "config",
	.description = "Show the configuration, secrets left out.",
	.args_hint = "[show | get <path>]",
	.category = "management",
	.args = (const struct slash_arg[]){
		{ "action", "show or get", (const char *const[]){ "show", "get", NULL } },
		{ "path", "Which part: gateway.port" }, { 0 } },
	.needs = "commands.config",
	.run = do_config,
};

static ch_status do_restart(struct run *r, const char *args, struct buf *out, struct ch_err *err)
{
	const struct agent_host_opts *o = &r->host->opts;
	ch_status st;

	if (!o->restart)
		return ch_fail(err, CH_E_UNSUPPORTED, "this gateway cannot start itself again: restart its process");
	st = o->restart(o->restart_arg, r->session_key, err);
	if (!st)
		buf_puts(out, "🔄 The gateway restarts as soon as no turn runs.");
	return st;
}

const struct slash_command cmd_restart = {
	.name = "restart",
	.description = "Restart the gateway when no turn runs.",
	.category = "management",
	.flags = SLASH_ADMIN,
	.needs = "commands.restart",
	.run = do_restart,
};
