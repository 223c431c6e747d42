/*
 * tools/message.c - message: what an agent does on channels beside its plain reply: files, polls, reactions, other places.
 *
 * A turn that does not speak for the owner stays where it came from. Saying something there is what a reply does too; all else
 * acts on others, so after text from outside a person is asked first. Paths reach as far as those of the file tools.
 */
#include <string.h>

#include "channels/action.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/str.h"
#include "core/work.h"
#include "tools/fs_place.h"
#include "tools/table.h"

#define FILES_BYTES_MAX (64u << 20)      /* of one call, together: they are in memory for a moment */

static bool on_acct(void *arg, struct chan_acct *acct)
{
	*(bool *)arg = true;
	return false;
}

static bool message_is_available(const struct tool_host *host, const char *agent_id, struct arena *a, const char **ret_why)
{
	bool has_any = false;

	if (host->channels)
		chan_acct_each(host->channels, on_acct, &has_any);
	if (!has_any)
		*ret_why = "no channel is configured: `chela channels add` does that";
	return has_any;
}

/* Where the turn's input came from; NULL: not from a channel. */
static const struct chan_place *place_of(const struct tool_ctx *ctx)
{
	struct chan_ingress *g = chan_host_ingress(ctx->host->channels);
	struct chan_place *at = arena_alloc(ctx->arena, sizeof(*at));

	if (!g || !ctx->run_id || ingress_place_of_run(g, ctx->run_id, ctx->arena, at, NULL))
		return NULL;
	return at;
}

static ch_status read_action(const struct tool_ctx *ctx, const struct json *args, struct chan_action *ret, struct ch_err *err)
{
	struct chan_action_in in = {
		.action = json_get_str(args, "action"),
		.params = args,
		.here = place_of(ctx),
		.agent_id = ctx->agent_id,
		.session_key = ctx->session_key,
		.run_id = ctx->run_id,
		.origin = "tool",
	};

	/* A call that is carried out again after a restart finds its first message. */
	if (ctx->run_id && ctx->tool_call_id)
		in.key = arena_printf(ctx->arena, "tool:%s:%s", ctx->run_id, ctx->tool_call_id);
	return chan_action_read(ctx->host->channels, &in, ctx->arena, ret, err);
}

static ch_status check_grant(const struct tool_ctx *ctx, const struct chan_action *x, struct ch_err *err)
{
	if (ctx->grant->is_owner)
		return CH_OK;
	if (!x->is_here)
		return ch_fail(err, CH_E_DENIED, "only turns of the owner act elsewhere than in their own conversation");
	if (x->kind == ACTION_DELETE)
		return ch_fail(err, CH_E_DENIED, "only turns of the owner delete messages");
	return CH_OK;
}

static bool message_has_effects(const struct tool_ctx *ctx, const struct json *args)
{
	struct chan_action x;

	if (!ctx->host->channels || read_action(ctx, args, &x, NULL))
		return true;     /* it cannot be told */
	/* What is refused anyway is nothing to ask a person for. */
	if (x.kind == ACTION_READ || check_grant(ctx, &x, NULL))
		return false;
	return !x.is_here || x.message.file_count || x.kind == ACTION_EDIT || x.kind == ACTION_DELETE;
}

/* -- files of the workspace -- */

struct load { struct ws_place place; struct buf bytes; ch_status st; struct ch_err err; };

static void load_on_thread(void *arg)
{
	struct load *l = arg;
	struct ws_stamp stamp;

	l->st = ws_load_in(&l->place.root, l->place.rel, &l->bytes, &stamp, &l->err);
}

static CH_FIBER ch_status load_file(struct tool_ctx *ctx, struct chan_file *f, size_t *left, struct ch_err *err)
{
	struct load l = { .st = CH_OK };
	char *bytes;
	ch_status st = ws_place(ctx, json_new_str(ctx->arena, f->path), WS_READ, &l.place, err);

	if (st)
		return st;
	buf_init(&l.bytes, *left);
	st = work_run(load_on_thread, &l, err);
	if (!st && l.st)
		st = ch_fail(err, l.st, "%s", l.err.text);
	if (!st) {
		bytes = arena_try_alloc(ctx->arena, l.bytes.len + 1);
		if (bytes)
			memcpy(bytes, buf_str(&l.bytes), l.bytes.len + 1);
		else
			st = ch_fail(err, CH_E_LIMIT, "'%s' is too large", f->path);
		f->name = f->name ? f->name : f->path;
		f->data = bytes;
		f->len = l.bytes.len;
		f->path = NULL;
		*left -= l.bytes.len;
	}
	buf_done(&l.bytes);
	ws_place_done(&l.place);
	return st;
}

static CH_FIBER ch_status load_files(struct tool_ctx *ctx, struct chan_message *m, struct ch_err *err)
{
	struct chan_file *files = arena_alloc(ctx->arena, (m->file_count + 1) * sizeof(*files));
	size_t left = FILES_BYTES_MAX;
	ch_status st = CH_OK;

	memcpy(files, m->files, m->file_count * sizeof(*files));
	for (size_t i = 0; !st && i < m->file_count; i++)
		if (files[i].path)
			st = load_file(ctx, &files[i], &left, err);
	m->files = files;
	return st;
}

/* -- the call -- */

static CH_FIBER ch_status message_run(struct tool_ctx *ctx, const struct json *args, struct tool_result *ret, struct ch_err *err)
{
	struct chan_action x;
	struct json *done;
	const char *text;
	ch_status st;

	if (!ctx->host->channels)
		return ch_fail(err, CH_E_UNSUPPORTED, "there are no channels here");
	st = read_action(ctx, args, &x, err);
	if (!st)
		st = check_grant(ctx, &x, err);
	if (!st && x.message.file_count)
		st = load_files(ctx, &x.message, err);
	if (!st)
		st = chan_action_run(ctx->host->channels, &x, ctx->arena, &done, err);
	if (st)
		return st;
	if (x.kind == ACTION_READ) {
		ctx->is_outside = true;
		ctx->source = arena_printf(ctx->arena, "%s:%s", x.target.ops->id, x.target.peer.id);
	}
	text = json_to_str(ctx->arena, done);
	tool_result_text(ctx, ret, text, strlen(text));
	ret->details = done;
	return CH_OK;
}

static const char *message_meta(struct arena *a, const struct json *args)
{
	const char *action = json_get_str(args, "action"), *target = json_get_str(args, "target");

	if (!target)
		target = json_get_str(args, "to");
	return target && action ? arena_printf(a, "%s to %s", action, log_quote(target)) : action;
}

#define STR "{\"type\":\"string\"}"
#define BOOL "{\"type\":\"boolean\"}"
#define STRS "{\"type\":\"array\",\"items\":{\"type\":\"string\"}}"

const struct tool tool_message = {
	.name = "message",
	.label = "Message",
	.description = "Acts on messaging channels: send (with files), poll, react, edit, delete, read. Without a target it is the "
		       "conversation you are in. To answer the person there you need not call this: your reply is sent. When you have "
		       "said it all by this tool, reply NO_REPLY.",
	.schema_json =
		"{\"type\":\"object\",\"required\":[\"action\"],\"additionalProperties\":false,\"properties\":{"
		"\"action\":{\"type\":\"string\",\"enum\":[\"send\",\"poll\",\"react\",\"edit\",\"delete\",\"read\"]},"
		"\"channel\":{\"type\":\"string\",\"description\":\"The network, like telegram.\"},"
		"\"target\":{\"type\":\"string\",\"description\":\"A chat id, user:<id>, channel:<id>, @name, #room.\"},"
		"\"to\":" STR ",\"accountId\":" STR ",\"threadId\":" STR ","
		"\"message\":{\"type\":\"string\",\"description\":\"Markdown.\"},"
		"\"media\":{\"type\":\"array\",\"items\":{\"type\":\"string\"},\"description\":\"Files to send: paths or addresses.\"},"
		"\"asVoice\":" BOOL ",\"asVideoNote\":" BOOL ",\"forceDocument\":" BOOL ",\"pin\":" BOOL ",\"silent\":" BOOL ","
		"\"buttons\":{\"type\":\"array\",\"description\":\"Pressing one says callback_data: <value>, or opens its url.\","
		"\"items\":{\"type\":\"object\",\"properties\":{\"label\":" STR ",\"value\":" STR ",\"url\":" STR "},"
		"\"required\":[\"label\"],\"additionalProperties\":false}},"
		"\"replyTo\":{\"type\":\"string\",\"description\":\"Id of the message that is answered.\"},"
		"\"messageId\":{\"type\":\"string\",\"description\":\"Of the message to react to, edit or delete; the one you answer "
		"when absent.\"},"
		"\"emoji\":" STR ",\"remove\":" BOOL ","
		"\"pollQuestion\":" STR ",\"pollOption\":" STRS ",\"pollMulti\":" BOOL ",\"pollPublic\":" BOOL ","
		"\"pollDurationSeconds\":{\"type\":\"integer\",\"minimum\":5},"
		"\"limit\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":100,\"description\":\"Messages to read.\"}}}",
	.risk = TOOL_SENDS,
	.timeout_ms = 120000,
	.out_max_bytes = 64 * 1024,
	.group = "messaging",
	.has_effects = message_has_effects,
	.is_available = message_is_available,
	.meta = message_meta,
	.run = message_run,
};
