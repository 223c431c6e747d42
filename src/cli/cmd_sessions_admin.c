/*
 * cli/cmd_sessions_admin.c - what is done with a session: rename, archive, compact, export, delete; and with old ones.
 */
#include <unistd.h>

#include "cli/rpc.h"
#include "core/clock.h"
#include "core/file.h"
#include "core/mem.h"
#include "core/str.h"

#define EXPORT_MAX (256u << 20)
#define PAGE_MESSAGES 200

static struct json *key_params(struct cli *c, const char *member)
{
	struct json *params = json_new_obj(c->arena);

	json_set(c->arena, params, member, json_new_str(c->arena, c->args[0]));
	return params;
}

/* One call; with --json its answer is the output. *ret_done: nothing is left to say. */
static CH_FIBER ch_status ask(struct cli *c, const char *scope, const char *method, const struct json *params, struct json **ret,
			      bool *ret_done, struct ch_err *err)
{
	ch_status st = rpc_once(c, scope, method, json_to_str(c->arena, params), ret, err);

	*ret_done = st || c->json;
	if (!st && c->json)
		cli_print_json(*ret);
	return st;
}

/* -- names and places -- */

static CH_FIBER ch_status run_rename(struct cli *c, struct ch_err *err)
{
	struct json *params = key_params(c, "key"), *reply;
	const char *label = c->arg_count > 1 ? c->args[1] : "";
	bool done;
	ch_status st;

	json_set(c->arena, params, "label", *label ? json_new_str(c->arena, label) : json_new_null(c->arena));
	st = ask(c, "write", "sessions.patch", params, &reply, &done, err);
	if (!done)
		cli_print("%s is now called %s\n", cli_text(c, reply, "key"), *label ? cli_safe(c->arena, label) : "by its title again");
	return st;
}

const struct cli_command cli_sessions_rename = {
	.name = "sessions rename",
	.summary = "give a session a name, or take it back",
	.args = "<key> [name]",
	.args_min = 1,
	.args_max = 2,
	.examples = "  chela sessions rename main 'Daily notes'\n",
	.run = run_rename,
};

static CH_FIBER ch_status run_archive(struct cli *c, struct ch_err *err)
{
	struct json *params = key_params(c, "key"), *reply;
	bool restore = cli_flag(c, "restore"), done;
	ch_status st;

	json_set(c->arena, params, "archived", json_new_bool(c->arena, !restore));
	st = ask(c, "write", "sessions.patch", params, &reply, &done, err);
	if (!done)
		cli_print("%s %s\n", restore ? "restored" : "archived", cli_text(c, reply, "key"));
	return st;
}

const struct cli_command cli_sessions_archive = {
	.name = "sessions archive",
	.summary = "put a session out of the list; nothing is lost",
	.args = "<key>",
	.args_min = 1,
	.args_max = 1,
	.opts = (const struct cli_opt[]){ { "restore", 0, NULL, "bring it back" }, { 0 } },
	.run = run_archive,
};

static CH_FIBER ch_status run_compact(struct cli *c, struct ch_err *err)
{
	struct json *params = key_params(c, "key"), *reply;
	bool done;
	ch_status st = ask(c, "admin", "sessions.compact", params, &reply, &done, err);

	if (done)
		return st;
	if (json_get_bool(reply, "compacted", false))
		cli_print("compacted %s\n", cli_text(c, reply, "key"));
	else
		cli_print("%s was not compacted: %s\n", cli_text(c, reply, "key"), cli_text(c, reply, "reason"));
	return CH_OK;
}

const struct cli_command cli_sessions_compact = {
	.name = "sessions compact",
	.summary = "summarise the older part of a session for the model; the transcript stays",
	.args = "<key>",
	.args_min = 1,
	.args_max = 1,
	.run = run_compact,
};

/* -- deleting -- */

/* A person is asked; a script says --yes. */
static CH_FIBER ch_status confirm(struct cli *c, bool *ret_yes, struct ch_err *err)
{
	CH_AUTO_STR char *line = NULL;
	ch_status st;

	*ret_yes = cli_flag(c, "yes");
	if (*ret_yes)
		return CH_OK;
	if (c->json || !isatty(STDIN_FILENO))
		return ch_fail(err, CH_E_INVALID, "sessions delete removes the transcript for good; say --yes");
	cli_print("Delete %s with everything said in it? [y/N] ", cli_safe(c->arena, c->args[0]));
	st = cli_read_line(c, &line, err);
	if (st && st != CH_E_EOF)
		return st;
	*ret_yes = !st && (str_ieq(line, "y") || str_ieq(line, "yes"));
	return CH_OK;
}

static CH_FIBER ch_status run_delete(struct cli *c, struct ch_err *err)
{
	struct json *params = key_params(c, "key"), *reply;
	bool yes, done;
	ch_status st = confirm(c, &yes, err);

	if (st || !yes)
		return st;
	json_set(c->arena, params, "deleteTranscript", json_new_bool(c->arena, true));
	st = ask(c, "admin", "sessions.delete", params, &reply, &done, err);
	if (!done)
		cli_print(json_get_bool(reply, "deleted", false) ? "deleted %s\n" : "there is no session %s\n", cli_text(c, reply, "key"));
	return st;
}

const struct cli_command cli_sessions_delete = {
	.name = "sessions delete",
	.summary = "remove a session and what was said in it",
	.args = "<key>",
	.args_min = 1,
	.args_max = 1,
	.opts = (const struct cli_opt[]){ { "yes", 'y', NULL, "do not ask" }, { 0 } },
	.run = run_delete,
};

/* -- old ones -- */

static void print_summary(struct cli *c, const struct json *s)
{
	cli_print("%s: %lld sessions, %lld archived by age, %lld by number, %lld rows of jobs deleted%s\n", cli_text(c, s, "agentId"),
		  (long long)json_get_int(s, "beforeCount", 0), (long long)json_get_int(s, "archived", 0),
		  (long long)json_get_int(s, "capArchived", 0), (long long)json_get_int(s, "pruned", 0),
		  json_get_bool(s, "applied", false) ? "" : " (not done: session.maintenance.mode is warn; --enforce)");
}

static CH_FIBER ch_status run_cleanup(struct cli *c, struct ch_err *err)
{
	struct json *params = json_new_obj(c->arena), *reply;
	bool done;
	ch_status st;

	if (cli_opt(c, "agent"))
		json_set(c->arena, params, "agent", json_new_str(c->arena, cli_opt(c, "agent")));
	else
		json_set(c->arena, params, "allAgents", json_new_bool(c->arena, true));
	json_set(c->arena, params, "enforce", json_new_bool(c->arena, cli_flag(c, "enforce")));
	st = ask(c, "admin", "sessions.cleanup", params, &reply, &done, err);
	if (done)
		return st;
	if (!json_get(reply, "stores"))
		print_summary(c, reply);
	json_each(store, json_get(reply, "stores"))
		print_summary(c, store);
	return CH_OK;
}

const struct cli_command cli_sessions_cleanup = {
	.name = "sessions cleanup",
	.summary = "archive old sessions as session.maintenance says",
	.opts = (const struct cli_opt[]){
		{ "agent", 0, "<id>", "of this agent only" },
		{ "enforce", 0, NULL, "also when session.maintenance.mode is warn" },
		{ 0 },
	},
	.run = run_cleanup,
};

/* -- exporting -- */

/* Pages come newest first, so they are gathered from the back. */
static CH_FIBER ch_status read_all(struct cli *c, struct rpc *r, struct json **ret, struct ch_err *err)
{
	struct json *pages = json_new_arr(c->arena);
	int64_t offset = 0;

	for (;;) {
		struct json *params = key_params(c, "sessionKey"), *page;
		ch_status st;

		json_set(c->arena, params, "limit", json_new_int(c->arena, PAGE_MESSAGES));
		json_set(c->arena, params, "offset", json_new_int(c->arena, offset));
		json_set(c->arena, params, "maxChars", json_new_int(c->arena, 500000));
		st = rpc_call(r, "chat.history", json_to_str(c->arena, params), &page, err);
		if (st)
			return st;
		if (!offset && !json_get_str(page, "sessionId"))
			return ch_fail(err, CH_E_NOT_FOUND, "there is no session %s", c->args[0]);
		json_push(pages, page);
		if (!json_get_bool(page, "hasMore", false))
			break;
		offset = json_get_int(page, "nextOffset", 0);
	}
	*ret = pages;
	return CH_OK;
}

/* Pictures are left out of pages: they are asked for one by one. */
static CH_FIBER ch_status whole(struct rpc *r, struct cli *c, struct json **io_message, struct ch_err *err)
{
	const struct json *marks = json_get(*io_message, "__openclaw");
	struct json *params = key_params(c, "sessionKey"), *reply;
	bool omitted = false;
	ch_status st;

	json_each(block, json_get(*io_message, "content"))
		omitted |= json_get_bool(block, "omitted", false);
	if (!omitted)
		return CH_OK;
	json_set(c->arena, params, "messageId", json_new_str(c->arena, json_get_str(marks, "id")));
	st = rpc_call(r, "chat.message.get", json_to_str(c->arena, params), &reply, err);
	if (!st && json_get_bool(reply, "ok", false))
		*io_message = json_get(reply, "message");
	return st;
}

static void put_markdown(struct cli *c, struct buf *out, const struct json *message)
{
	const struct json *content = json_get(message, "content");
	char at[CLOCK_ISO_LEN];

	clock_iso(json_get_int(message, "timestamp", 0), at);
	buf_printf(out, "## %s, %s\n\n", json_str_or(json_get(message, "role"), "?"), at);
	if (json_str(content))
		buf_printf(out, "%s\n", json_str(content));
	json_each(block, content) {
		const char *type = json_str_or(json_get(block, "type"), "?");

		if (str_eq(type, "text"))
			buf_printf(out, "%s\n", json_str_or(json_get(block, "text"), ""));
		else if (str_eq(type, "toolCall"))
			buf_printf(out, "`%s` %s\n", json_str_or(json_get(block, "name"), "?"),
				   json_to_str(c->arena, json_get(block, "arguments")));
		else
			buf_printf(out, "(%s)\n", type);
	}
	buf_puts(out, "\n");
}

static CH_FIBER ch_status put_messages(struct cli *c, struct rpc *r, const struct json *pages, struct buf *out, struct ch_err *err)
{
	bool markdown = str_eq(cli_opt(c, "format"), "markdown");

	for (size_t i = json_len(pages); i-- > 0;) {
		json_each(message, json_get(json_at(pages, i), "messages")) {
			struct json *m = message;
			ch_status st = markdown ? CH_OK : whole(r, c, &m, err);

			if (st)
				return st;
			if (markdown) {
				put_markdown(c, out, m);
			} else {
				json_write(out, m, 0);
				buf_putc(out, '\n');
			}
		}
	}
	return buf_status(out, err, "the export");
}

/* What models and pages wrote must not steer a terminal; a pipe gets the bytes. */
static void print_out(struct buf *out)
{
	for (size_t i = 0; isatty(STDOUT_FILENO) && i < out->len; i++) {
		unsigned char c = (unsigned char)out->data[i];

		if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f)
			out->data[i] = '?';
	}
	cli_print("%s", buf_str(out));
}

static CH_FIBER ch_status run_export(struct cli *c, struct ch_err *err)
{
	CH_AUTO(rpc_close) struct rpc *r = NULL;
	CH_AUTO_BUF struct buf out = { 0 };
	const char *format = cli_opt(c, "format"), *path = cli_opt(c, "output");
	struct json *pages;
	ch_status st;

	buf_init(&out, EXPORT_MAX);
	if (format && !str_eq(format, "jsonl") && !str_eq(format, "markdown"))
		return ch_fail(err, CH_E_INVALID, "--format is jsonl or markdown, not %s", format);
	st = rpc_open(c, "read", NULL, &r, err);
	if (!st)
		st = read_all(c, r, &pages, err);
	if (!st)
		st = put_messages(c, r, pages, &out, err);
	if (st)
		return st;
	if (!path) {
		print_out(&out);
		return CH_OK;
	}
	st = file_write_atomic(path, out.data, out.len, 0600, err);
	if (!st)
		cli_print("wrote %zu bytes to %s\n", out.len, cli_safe(c->arena, path));
	return st;
}

const struct cli_command cli_sessions_export = {
	.name = "sessions export",
	.summary = "a session's transcript, a message per line or as Markdown",
	.args = "<key>",
	.args_min = 1,
	.args_max = 1,
	.opts = (const struct cli_opt[]){
		{ "format", 0, "<jsonl|markdown>", "what to write (default jsonl)" },
		{ "output", 'o', "<file>", "write here instead of to the terminal" },
		{ 0 },
	},
	.examples = "  chela sessions export main -o main.jsonl\n  chela sessions export main --format markdown\n",
	.run = run_export,
};
