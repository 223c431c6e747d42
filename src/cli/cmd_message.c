/*
 * cli/cmd_message.c - `chela message`: one message or action on a channel, by the running gateway (message.action).
 *
 * Options and the JSON that is printed are those of OpenClaw's command. Files of this machine go along as bytes: the gateway
 * reads none for us.
 */
#include <string.h>

#include "cli/cli.h"
#include "cli/rpc.h"
#include "core/clock.h"
#include "core/fiber.h"
#include "core/file.h"
#include "core/mem.h"
#include "core/rand.h"
#include "core/str.h"

#define WAIT_MS 40000                    /* the gateway waits less for a message to be out */
#define FILES_MAX 16
#define FILES_BYTES_MAX ((size_t)15 << 20)       /* together; as base64 they fit a frame */
#define OPTIONS_MAX 12
#define TEXT_COLUMN 60

/* -- parameters -- */

static void set_str(struct cli *c, struct json *params, const char *key, const char *value)
{
	if (value)
		json_set(c->arena, params, key, json_new_str(c->arena, value));
}

static void set_flag(struct cli *c, struct json *params, const char *key, const char *option)
{
	if (cli_flag(c, option))
		json_set(c->arena, params, key, json_new_bool(c->arena, true));
}

static ch_status set_int(struct cli *c, struct json *params, const char *key, const char *option, int64_t max, struct ch_err *err)
{
	int64_t n = 0;
	ch_status st = cli_opt_int(c, option, 0, 1, max, &n, err);

	if (!st && cli_opt(c, option))
		json_set(c->arena, params, key, json_new_int(c->arena, n));
	return st;
}

static ch_status check_not_empty(struct cli *c, const char *option, struct ch_err *err)
{
	const char *value = cli_opt(c, option);

	if (value && !*str_trim(c->arena, value))
		return ch_fail(err, CH_E_INVALID, "--%s is empty: leave it out for the default", option);
	return CH_OK;
}

static bool is_address(const char *where)
{
	return str_starts(where, "http://") || str_starts(where, "https://");
}

static ch_status add_file(struct cli *c, const char *where, struct json *attachments, size_t *total, struct ch_err *err)
{
	CH_AUTO_BUF struct buf bytes = { 0 };
	struct json *f = json_new_obj(c->arena);
	const char *slash = strrchr(where, '/');
	char *text;
	ch_status st;

	if (is_address(where)) {
		set_str(c, f, "media", where);
	} else {
		st = file_read(where, FILES_BYTES_MAX - *total, &bytes, err);
		if (st)
			return st;
		*total += bytes.len;
		text = arena_alloc(c->arena, 4 * ((bytes.len + 2) / 3) + 1);
		b64_encode(buf_str(&bytes), bytes.len, text);
		set_str(c, f, "buffer", text);
		set_str(c, f, "filename", slash ? slash + 1 : where);
	}
	json_push(attachments, f);
	return CH_OK;
}

static ch_status add_files(struct cli *c, struct json *params, struct ch_err *err)
{
	const char *media[FILES_MAX];
	size_t n = cli_opt_all(c, "media", media, FILES_MAX), total = 0;
	struct json *attachments = json_new_arr(c->arena);
	ch_status st = CH_OK;

	for (size_t i = 0; !st && i < n; i++)
		st = add_file(c, media[i], attachments, &total, err);
	if (!st && n)
		json_set(c->arena, params, "attachments", attachments);
	return st;
}

static ch_status add_presentation(struct cli *c, struct json *params, struct ch_err *err)
{
	const char *text = cli_opt(c, "presentation");
	struct json *v;
	ch_status st;

	if (!text)
		return CH_OK;
	st = json_parse(c->arena, text, strlen(text), JSON_STRICT, &v, err);
	if (st)
		return ch_wrap(err, "--presentation");
	json_set(c->arena, params, "presentation", v);
	return CH_OK;
}

static ch_status send_params(struct cli *c, struct json *params, struct ch_err *err)
{
	ch_status st = add_files(c, params, err);

	set_str(c, params, "message", cli_opt(c, "message"));
	set_str(c, params, "replyTo", cli_opt(c, "reply-to"));
	set_flag(c, params, "silent", "silent");
	set_flag(c, params, "forceDocument", "force-document");
	set_flag(c, params, "asVoice", "voice");
	set_flag(c, params, "pin", "pin");
	return st ? st : add_presentation(c, params, err);
}

static ch_status poll_params(struct cli *c, struct json *params, struct ch_err *err)
{
	const char *options[OPTIONS_MAX];
	size_t n = cli_opt_all(c, "poll-option", options, OPTIONS_MAX);
	struct json *list = json_new_arr(c->arena);
	ch_status st;

	if (cli_flag(c, "poll-anonymous") && cli_flag(c, "poll-public"))
		return ch_fail(err, CH_E_INVALID, "--poll-anonymous and --poll-public exclude each other");
	for (size_t i = 0; i < n; i++)
		json_push(list, json_new_str(c->arena, options[i]));
	json_set(c->arena, params, "pollOption", list);
	set_str(c, params, "pollQuestion", cli_opt(c, "poll-question"));
	set_str(c, params, "message", cli_opt(c, "message"));
	set_flag(c, params, "pollMulti", "poll-multi");
	set_flag(c, params, "pollPublic", "poll-public");
	set_flag(c, params, "silent", "silent");
	st = set_int(c, params, "pollDurationHours", "poll-duration-hours", 24 * 365, err);
	return st ? st : set_int(c, params, "pollDurationSeconds", "poll-duration-seconds", 604800, err);
}

static ch_status react_params(struct cli *c, struct json *params, struct ch_err *err)
{
	set_str(c, params, "messageId", cli_opt(c, "message-id"));
	set_str(c, params, "emoji", cli_opt(c, "emoji"));
	set_flag(c, params, "remove", "remove");
	return CH_OK;
}

static ch_status edit_params(struct cli *c, struct json *params, struct ch_err *err)
{
	set_str(c, params, "messageId", cli_opt(c, "message-id"));
	set_str(c, params, "message", cli_opt(c, "message"));
	return CH_OK;
}

static ch_status delete_params(struct cli *c, struct json *params, struct ch_err *err)
{
	set_str(c, params, "messageId", cli_opt(c, "message-id"));
	return CH_OK;
}

static ch_status read_params(struct cli *c, struct json *params, struct ch_err *err)
{
	return set_int(c, params, "limit", "limit", 100, err);
}

/* -- which network -- */

/* Named by the option, by the target's first word, or the only one that is configured. */
static CH_FIBER ch_status find_channel(struct cli *c, struct rpc *r, const char **ret, struct ch_err *err)
{
	const char *target = cli_opt(c, "target"), *colon = target ? strchr(target, ':') : NULL, *names = NULL, *only = NULL;
	struct json *status;
	size_t count = 0;
	ch_status st;

	*ret = cli_opt(c, "channel");
	if (*ret)
		return CH_OK;
	st = rpc_call(r, "channels.status", NULL, &status, err);
	if (st)
		return st;
	json_each(accounts, json_get(status, "channelAccounts")) {
		size_t len = strlen(accounts->key);

		if (colon && len == (size_t)(colon - target) && strncmp(target, accounts->key, len) == 0) {
			*ret = accounts->key;
			return CH_OK;
		}
		if (!json_len(accounts))
			continue;
		only = accounts->key;
		names = names ? arena_printf(c->arena, "%s, %s", names, only) : only;
		count++;
	}
	if (!count)
		return ch_fail(err, CH_E_INVALID, "no channel is configured: `chela channels add` does that");
	if (count > 1)
		return ch_fail(err, CH_E_INVALID, "--channel is needed, there are several: %s", names);
	*ret = only;
	return CH_OK;
}

/* -- what is told -- */

static void print_messages(struct cli *c, const struct json *messages)
{
	struct cli_table *t = cli_table_new(c->arena, (const char *const[]){ "ID", "WHEN", "FROM", "TEXT" }, 4);

	json_each(m, messages) {
		const char *text = json_str_or(json_get(m, "text"), "");
		size_t n = strcspn(text, "\n"), keep = utf8_cut(text, n, TEXT_COLUMN);

		cli_table_row(t, (const char *const[]){
			json_str_or(json_get(m, "id"), "-"), cli_ago(c->arena, json_get_int(m, "at", 0)),
			json_str_or(json_get(m, "senderName"), json_str_or(json_get(m, "senderId"), "-")),
			arena_printf(c->arena, "%.*s%s", (int)keep, text, keep < strlen(text) ? "…" : "") });
	}
	cli_table_print(c, t);
}

static void print_done(struct cli *c, const char *action, const char *channel, const struct json *payload)
{
	const char *id = json_get_str(payload, "messageId");

	if (str_eq(action, "read")) {
		if (json_len(json_get(payload, "messages")))
			print_messages(c, json_get(payload, "messages"));
		else
			cli_print("no messages\n");
		return;
	}
	cli_print("%s by %s%s%s\n", str_eq(action, "send") || str_eq(action, "poll") ? "sent" : "done", cli_safe(c->arena, channel),
		  id ? ", message " : "", id ? cli_safe(c->arena, id) : "");
}

static void print_json(struct cli *c, const char *action, const char *channel, bool is_dry, const struct json *payload)
{
	struct json *doc = json_new_obj(c->arena);

	set_str(c, doc, "action", action);
	set_str(c, doc, "channel", channel);
	json_set(c->arena, doc, "dryRun", json_new_bool(c->arena, is_dry));
	set_str(c, doc, "handledBy", is_dry ? "core" : "plugin");
	set_str(c, doc, "messageId", json_get_str(payload, "messageId"));
	json_set(c->arena, doc, "payload", json_clone(c->arena, payload));
	cli_print_json(doc);
}

/* Shown, not sent: the parameters with files as their names alone. */
static void dry_run(struct cli *c, const char *action, const char *channel, struct json *params)
{
	json_each(f, json_get(params, "attachments"))
		json_unset(f, "buffer");
	json_set(c->arena, params, "dryRun", json_new_bool(c->arena, true));
	if (c->json)
		print_json(c, action, channel, true, params);
	else
		cli_print("would %s by %s: %s\n", action, cli_safe(c->arena, channel), json_to_str(c->arena, params));
}

/* -- the call -- */

static const char *call_params(struct cli *c, const char *action, const char *channel, struct json *params)
{
	struct json *call = json_new_obj(c->arena);
	char key[UUID_LEN];

	rand_uuid(key);
	set_str(c, call, "channel", channel);
	set_str(c, call, "action", action);
	json_set(c->arena, call, "params", params);
	set_str(c, call, "accountId", cli_opt(c, "account"));
	json_set(c->arena, call, "senderIsOwner", json_new_bool(c->arena, true));
	set_str(c, call, "idempotencyKey", key);
	return json_to_str(c->arena, call);
}

static CH_FIBER ch_status run(struct cli *c, const char *action, ch_status (*fill)(struct cli *, struct json *, struct ch_err *),
			      struct ch_err *err)
{
	CH_AUTO(rpc_close) struct rpc *r = NULL;
	struct json *params = json_new_obj(c->arena), *payload;
	const char *channel;
	ch_status st = check_not_empty(c, "channel", err);

	if (!st)
		st = check_not_empty(c, "account", err);
	if (!st && !cli_opt(c, "target"))
		st = ch_fail(err, CH_E_INVALID, "--target is needed: where to %s", action);
	set_str(c, params, "to", cli_opt(c, "target"));
	set_str(c, params, "threadId", cli_opt(c, "thread-id"));
	if (!st)
		st = fill(c, params, err);
	if (!st)
		st = rpc_open(c, "read,write", NULL, &r, err);
	if (!st)
		st = find_channel(c, r, &channel, err);
	if (st)
		return st;
	if (cli_flag(c, "dry-run")) {
		dry_run(c, action, channel, params);
		return CH_OK;
	}
	st = rpc_call_until(r, "message.action", call_params(c, action, channel, params),
			    fiber_deadline(CH_MAX(c->timeout_ms, (int64_t)WAIT_MS)), &payload, err);
	if (st)
		return st;
	if (c->json)
		print_json(c, action, channel, false, payload);
	else
		print_done(c, action, channel, payload);
	return CH_OK;
}

#define RUN(action)                                                                     \
	static CH_FIBER ch_status run_##action(struct cli *c, struct ch_err *err)      \
	{                                                                               \
		return run(c, #action, action##_params, err);                           \
	}
RUN(send)
RUN(poll)
RUN(react)
RUN(edit)
RUN(delete)
RUN(read)

/* -- rows -- */

#define WHERE                                                                                                       \
	{ "target", 't', "<where>", "a chat id, user:<id>, channel:<id>, @name, #room; <network>: in front names it" }, \
	{ "channel", 0, "<network>", "needed when several are configured" },                                          \
	{ "account", 0, "<id>", "one of several logins" },                                                            \
	{ "thread-id", 0, "<id>", "a topic or thread there" },                                                        \
	{ "dry-run", 0, NULL, "say what would be sent, send nothing" }

static const struct cli_opt send_opts[] = {
	WHERE,
	{ "message", 'm', "<text>", "Markdown" },
	{ "media", 0, "<path|url>", "a file; may be given several times" },
	{ "reply-to", 0, "<id>", "the message that is answered" },
	{ "presentation", 0, "<json>", "{title, blocks: [text, context, divider, table, chart, buttons, select]}" },
	{ "force-document", 0, NULL, "pictures and films as files" },
	{ "voice", 0, NULL, "sound as a voice message" },
	{ "silent", 0, NULL, "without a sound there" },
	{ "pin", 0, NULL, "and keep it at the top of the chat" },
	{ 0 },
};
const struct cli_command cli_message_send = {
	.name = "message send",
	.summary = "send a message to a chat",
	.opts = send_opts,
	.examples = "  chela message send --target telegram:123456 --message \"hello **there**\"\n"
		    "  chela message send --channel slack --target channel:C123 --message \"the chart\" --media chart.png\n",
	.run = run_send,
};

static const struct cli_opt poll_opts[] = {
	WHERE,
	{ "poll-question", 0, "<text>", "what is asked" },
	{ "poll-option", 0, "<text>", "2 to 12 of them" },
	{ "poll-multi", 0, NULL, "several may be chosen" },
	{ "poll-public", 0, NULL, "who voted what is seen" },
	{ "poll-anonymous", 0, NULL, "it is not (default)" },
	{ "poll-duration-seconds", 0, "<n>", "until it closes" },
	{ "poll-duration-hours", 0, "<n>", "the same in hours" },
	{ "message", 'm', "<text>", "in front of it" },
	{ "silent", 0, NULL, "without a sound there" },
	{ 0 },
};
const struct cli_command cli_message_poll = {
	.name = "message poll",
	.summary = "ask a poll",
	.opts = poll_opts,
	.examples = "  chela message poll --target telegram:-100123 --poll-question \"Lunch?\" --poll-option Soup --poll-option Bread\n",
	.run = run_poll,
};

static const struct cli_opt react_opts[] = {
	WHERE,
	{ "message-id", 0, "<id>", "of the message" },
	{ "emoji", 0, "<emoji>", "none: ours are taken away" },
	{ "remove", 0, NULL, "take it away again" },
	{ 0 },
};
const struct cli_command cli_message_react = {
	.name = "message react",
	.summary = "react to a message",
	.opts = react_opts,
	.run = run_react,
};

static const struct cli_opt edit_opts[] = {
	WHERE,
	{ "message-id", 0, "<id>", "of a message of ours" },
	{ "message", 'm', "<text>", "what it is to say" },
	{ 0 },
};
const struct cli_command cli_message_edit = {
	.name = "message edit",
	.summary = "change a message of ours",
	.opts = edit_opts,
	.run = run_edit,
};

static const struct cli_opt delete_opts[] = {
	WHERE,
	{ "message-id", 0, "<id>", "of the message" },
	{ 0 },
};
const struct cli_command cli_message_delete = {
	.name = "message delete",
	.summary = "delete a message",
	.opts = delete_opts,
	.run = run_delete,
};

static const struct cli_opt read_opts[] = {
	WHERE,
	{ "limit", 0, "<n>", "how many, 20 when absent" },
	{ 0 },
};
const struct cli_command cli_message_read = {
	.name = "message read",
	.summary = "the newest messages of a place",
	.opts = read_opts,
	.run = run_read,
};
