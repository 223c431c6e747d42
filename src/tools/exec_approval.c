/*
 * tools/exec_approval.c - what a person is shown of a command before it runs, and what clients get beside it.
 *
 * The command stands there whole, with every byte visible. The protocol's presentation has no place for directory and
 * environment, so what differs from the usual is said in the warning.
 */
#include <string.h>

#include "core/str.h"
#include "tools/exec_priv.h"

#define PREVIEW_BYTES 120
#define WARNINGS_MAX (16u << 10)

static void put(struct arena *a, struct json *o, const char *key, const char *value)
{
	json_set(a, o, key, value ? json_new_str(a, value) : json_new_null(a));
}

static const char *const security_names[] = { "deny", "allowlist", "full" };
static const char *const ask_names[] = { "always", "on-miss", "off" };

/* Names of risks as the reference's clients know them; the others by our own words. */
static const struct { enum cmd_trait trait; const char *kind; } risks[] = {
	{ CMD_T_INLINE_CODE, "inline-eval" },
	{ CMD_T_WRAPPER_UNREADABLE, "command-carrier" },
	{ CMD_T_INTERPRETER, "interpreter" },
	{ CMD_T_PRIVILEGE, "privilege" },
	{ CMD_T_SUBSTITUTION, "command-substitution" },
	{ CMD_T_REDIRECT, "redirect" },
	{ CMD_T_HIDDEN_CHARS, "hidden-characters" },
};

static const char *shown(const struct exec_call *c)
{
	return cmd_show(c->ctx->arena, c->command, c->command_len, true);
}

static void warn(struct buf *out, const char *text)
{
	buf_printf(out, "%s%s", out->len ? "\n" : "", text);
}

static const char *warnings(const struct exec_call *c)
{
	struct arena *a = c->ctx->arena;
	CH_AUTO_BUF struct buf out = { 0 };

	buf_init(&out, WARNINGS_MAX);
	if (c->ctx->grant->is_tainted)
		warn(&out, "The agent read text from outside, which may have told it to do this.");
	if (c->no_sandbox)
		warn(&out, arena_printf(a, "There is no sandbox here, so this runs with your rights: %s.", c->no_sandbox));
	else if (c->is_elevated && c->sandbox.is_on)
		warn(&out, "The agent asks to leave its sandbox: this runs with your rights.");
	if (c->plan.traits & CMD_T_HIDDEN_CHARS)
		warn(&out, "There are characters in it that do not show; they stand here as \\u{…}.");
	if (c->plan.traits & CMD_T_PRIVILEGE)
		warn(&out, "It asks for another user's rights.");
	if (!c->plan.is_literal && c->plan.why_opaque)
		warn(&out, arena_printf(a, "A shell decides what it does in the end: %s.", c->plan.why_opaque));
	if (!str_eq(c->cwd, c->ctx->workspace))
		warn(&out, arena_printf(a, "It runs in %s", cmd_show(a, c->cwd, strlen(c->cwd), false)));
	for (size_t i = 0; c->env[i]; i++)
		warn(&out, arena_printf(a, "With %s", cmd_show(a, c->env[i], strlen(c->env[i]), false)));
	if (out.failed)
		return "Its environment is too long to be shown: do not allow it.";
	return out.len ? arena_strdup(a, buf_str(&out)) : NULL;
}

static struct json *decision_list(struct arena *a, unsigned decisions)
{
	struct json *list = json_new_arr(a);

	for (unsigned d = APPROVAL_ALLOW_ONCE; d <= APPROVAL_DENY; d <<= 1)
		if (decisions & d)
			json_push(list, json_new_str(a, approval_decision_name((enum approval_decision)d)));
	return list;
}

static struct json *analysis(const struct exec_call *c)
{
	struct arena *a = c->ctx->arena;
	struct json *o = json_new_obj(a), *kinds = json_new_arr(a), *lines = json_new_arr(a);
	size_t nested = 0;

	for (size_t i = 0; i < c->plan.count; i++)
		nested += c->plan.segments[i].chain_len > 1 ? c->plan.segments[i].chain_len - 1 : 0;
	for (size_t i = 0; i < CH_ARRAY_LEN(risks); i++) {
		if (!(c->plan.traits & risks[i].trait))
			continue;
		json_push(kinds, json_new_str(a, risks[i].kind));
		json_push(lines, json_new_str(a, arena_printf(a, "Contains %s.", cmd_trait_text(risks[i].trait))));
	}
	json_set(a, o, "commandCount", json_new_int(a, (int64_t)c->plan.count));
	json_set(a, o, "nestedCommandCount", json_new_int(a, (int64_t)nested));
	json_set(a, o, "riskKinds", kinds);
	json_set(a, o, "warningLines", lines);
	return o;
}

/* UTF-16 code units of the first n bytes of valid UTF-8. */
static int64_t utf16_len(const char *s, size_t n)
{
	int64_t units = 0;

	for (size_t i = 0; i < n; i++) {
		unsigned char b = (unsigned char)s[i];

		units += (b & 0xc0) != 0x80;
		units += b >= 0xf0;
	}
	return units;
}

/* Where each program's part stands in the command; only when it is shown as it is written. */
static struct json *spans(const struct exec_call *c)
{
	struct arena *a = c->ctx->arena;
	struct json *list = json_new_arr(a);

	for (size_t i = 0; i < c->plan.count; i++) {
		struct json *span = json_new_obj(a);

		if (c->plan.segments[i].end <= c->plan.segments[i].start)
			continue;
		json_set(a, span, "startIndex", json_new_int(a, utf16_len(c->command, c->plan.segments[i].start)));
		json_set(a, span, "endIndex", json_new_int(a, utf16_len(c->command, c->plan.segments[i].end)));
		json_push(list, span);
	}
	return list;
}

/* Where the first program stands; its name when it is bound to no file. */
static const char *first_program(const struct exec_call *c)
{
	struct exec_file file;
	const char *name, *sha256;

	if (!c->plan.is_literal || !c->plan.count || !c->plan.segments[0].chain_len)
		return NULL;
	name = c->plan.segments[0].chain[0].argv[0];
	return c->bound && exec_bound_program(c->bound, name, &file, &sha256) ? file.path : name;
}

/* What clients of the protocol look for, and commands of this host do not have. */
static void put_absent(struct arena *a, struct json *o)
{
	static const char *const names[] = { "systemRunBinding", "systemRunPlan", "scope", "turnSourceAccountId", "turnSourceThreadId" };

	for (size_t i = 0; i < CH_ARRAY_LEN(names); i++)
		put(a, o, names[i], NULL);
}

struct json *exec_approval_request(const struct exec_call *c, unsigned decisions)
{
	const struct tool_ctx *ctx = c->ctx;
	struct arena *a = ctx->arena;
	struct json *o = json_new_obj(a);
	const char *text = shown(c);

	put(a, o, "command", text);
	put(a, o, "cwd", c->cwd);
	put(a, o, "nodeId", NULL);
	put(a, o, "host", "gateway");
	put(a, o, "security", security_names[c->policy.security]);
	put(a, o, "ask", ask_names[c->policy.ask]);
	put(a, o, "warningText", warnings(c));
	json_set(a, o, "commandAnalysis", analysis(c));
	if (str_eq(text, c->command) && c->plan.count)
		json_set(a, o, "commandSpans", spans(c));
	if (!(decisions & APPROVAL_ALLOW_ALWAYS)) {
		struct json *missing = json_new_arr(a);

		json_push(missing, json_new_str(a, approval_decision_name(APPROVAL_ALLOW_ALWAYS)));
		json_set(a, o, "unavailableDecisions", missing);
	}
	json_set(a, o, "allowedDecisions", decision_list(a, decisions));
	put(a, o, "agentId", ctx->agent_id);
	put(a, o, "resolvedPath", first_program(c));
	put(a, o, "sessionKey", ctx->session_key);
	put(a, o, "sessionId", ctx->session_id);
	put(a, o, "runId", ctx->run_id);
	put(a, o, "toolCallId", ctx->tool_call_id);
	put(a, o, "turnSourceChannel", ctx->grant->channel ? ctx->grant->channel : "webchat");
	put(a, o, "turnSourceTo", ctx->session_key);
	put_absent(a, o);
	return o;
}

struct json *exec_approval_presentation(const struct exec_call *c, unsigned decisions)
{
	struct arena *a = c->ctx->arena;
	struct json *o = json_new_obj(a);
	const char *text = shown(c);
	size_t line = strcspn(text, "\n"), keep = utf8_cut(text, line, CH_MIN(line, PREVIEW_BYTES));

	put(a, o, "kind", "exec");
	put(a, o, "commandText", text);
	put(a, o, "commandPreview", text[keep] ? arena_printf(a, "%.*s…", (int)keep, text) : NULL);
	put(a, o, "warningText", warnings(c));
	put(a, o, "host", "gateway");
	put(a, o, "nodeId", NULL);
	put(a, o, "agentId", c->ctx->agent_id);
	json_set(a, o, "allowedDecisions", decision_list(a, decisions));
	return o;
}
