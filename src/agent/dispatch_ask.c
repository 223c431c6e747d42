/*
 * agent/dispatch_ask.c - a person's yes to one call of a tainted turn.
 *
 * Shown is all of the call: its arguments as JSON, with what shows nothing written as escapes. What is too long to be
 * shown whole is not asked for, since nobody could know what the yes is to.
 */
#include "agent/dispatch_one.h"

#include "agent/fence.h"
#include "approvals/approval.h"
#include "core/crypto.h"
#include "core/log.h"
#include "core/str.h"

#define DETAIL_MAX 16384                 /* characters, of the protocol's PluginApproval */
#define TITLE_MAX 80

bool one_needs_yes(const struct one_call *c)
{
	if (!c->policy->grant.is_tainted || c->tool->asks_itself)
		return false;
	return c->tool->has_effects ? c->tool->has_effects(&c->ctx, c->args) : c->tool->risk == TOOL_SENDS;
}

/* JSON text; what shows nothing, or moves what is beside it, as \u escapes. */
static const char *shown(struct arena *a, const struct json *args)
{
	CH_AUTO_BUF struct buf out = { 0 };
	const char *text = json_to_str(a, args);
	size_t len = strlen(text);
	uint32_t cp;

	buf_init(&out, 12 * len + 16);
	for (size_t at = 0, n; at < len; at += n) {
		n = utf8_decode(text + at, len - at, &cp);
		if (!n) {
			n = 1;
			cp = 0xfffd;
		}
		if (cp >= 0x10000 && fence_is_unseen(cp))
			buf_printf(&out, "\\u%04x\\u%04x", 0xd800 + ((cp - 0x10000) >> 10), 0xdc00 + ((cp - 0x10000) & 0x3ff));
		else if (fence_is_unseen(cp) || (cp >= 0x7f && cp < 0xa0) || cp == 0x2028 || cp == 0x2029 || cp == 0xfffd)
			buf_printf(&out, "\\u%04x", cp);
		else
			buf_append(&out, text + at, n);
	}
	return arena_strdup(a, buf_str(&out));
}

static void put(struct arena *a, struct json *o, const char *key, const char *value)
{
	json_set(a, o, key, value ? json_new_str(a, value) : json_new_null(a));
}

static struct json *decisions(struct arena *a)
{
	struct json *list = json_new_arr(a);

	json_push(list, json_new_str(a, approval_decision_name(APPROVAL_ALLOW_ONCE)));
	json_push(list, json_new_str(a, approval_decision_name(APPROVAL_DENY)));
	return list;
}

/* What both the request of the events and its presentation say. */
static struct json *common(struct arena *a, const struct one_call *c, const char *detail)
{
	struct json *o = json_new_obj(a);
	const char *label = c->tool->label ? c->tool->label : c->tool->name;

	put(a, o, "title", arena_printf(a, "%.*s: allow this call?", TITLE_MAX - 20, label));
	put(a, o, "description",
	    arena_printf(a, "The agent wants to call %.100s after it read text from outside, which may have told it to. Allow it only "
			 "if you wanted this.", c->tool->name));
	put(a, o, "detail", detail);
	put(a, o, "severity", "warning");
	put(a, o, "pluginId", NULL);
	put(a, o, "toolName", c->tool->name);
	put(a, o, "agentId", c->ctx.agent_id);
	json_set(a, o, "allowedDecisions", decisions(a));
	return o;
}

static ch_status create(struct one_call *c, struct arena *a, const char **ret_id, struct ch_err *err)
{
	const char *detail = shown(a, c->args);
	char hash[2 * SHA256_LEN + 1];
	struct json *request, *presentation;
	struct approval_ask ask = {
		.kind = APPROVAL_PLUGIN, .agent_id = c->ctx.agent_id, .session_key = c->ctx.session_key,
		.session_id = c->ctx.session_id, .run_id = c->ctx.run_id, .tool_call_id = c->ctx.tool_call_id,
		.binding_hash = hash, .decisions = APPROVAL_ALLOW_ONCE | APPROVAL_DENY,
	};

	if (strlen(detail) > DETAIL_MAX)
		return ch_fail(err, CH_E_DENIED, "%.60s was not called: a person has to allow it, and %zu bytes are too many to show. "
			       "Make it shorter than %d.", c->tool->name, strlen(detail), DETAIL_MAX);
	sha256_hex(detail, strlen(detail), hash);
	request = common(a, c, detail);
	put(a, request, "toolCallId", c->ctx.tool_call_id);
	put(a, request, "sessionKey", c->ctx.session_key);
	presentation = common(a, c, detail);
	put(a, presentation, "kind", "plugin");
	ask.request = request;
	ask.presentation = presentation;
	return approval_create(c->ctx.host->approvals, &ask, a, ret_id, err);
}

/* The answer, for the model. */
static ch_status judge(struct one_call *c, const struct approval *row, struct ch_err *err)
{
	ch_status st;

	if (row->status == APPROVAL_EXPIRED)
		return ch_fail(err, CH_E_DENIED, "%.60s was not called: nobody answered whether it may. Tell the user what you wanted "
			       "to do.", c->tool->name);
	if (row->status != APPROVAL_ALLOWED)
		return ch_fail(err, CH_E_DENIED, "%.60s was not called: the user said no. Do not try it another way.",
			       c->tool->name);
	st = approval_claim(c->ctx.host->approvals, row->id, err);
	if (st == CH_E_CONFLICT)
		return ch_fail(err, CH_E_DENIED, "%.60s was not called: that yes was used already.", c->tool->name);
	c->is_claimed = !st;
	return st;
}

ch_status one_ask(struct one_call *c, struct ch_err *err)
{
	struct approvals *ap = c->ctx.host->approvals;
	struct arena *a = c->ctx.arena;
	struct approval row = { 0 };
	const char *id;
	ch_status st;

	if (!ap)
		return ch_fail(err, CH_E_DENIED, "%.60s was not called: text from outside is in this conversation, and nobody can be "
			       "asked whether it may.", c->tool->name);
	st = create(c, a, &id, err);
	if (st)
		return st == CH_E_CANCELED ? st : ch_fail(err, CH_E_DENIED, "%.180s", arena_strdup(a, err->text));
	c->ctx.on_approval(c->ctx.update_arg, id, "pending");
	st = approval_wait(ap, id, a, &row, err);
	if (st) {
		struct ch_err why;

		if (approval_cancel(ap, id, "run-aborted", &why))
			log_warn("agent", "session=%s: approval %s stays open: %s; its answer will do nothing", c->ctx.session_key, id,
				 why.text);
		c->ctx.on_approval(c->ctx.update_arg, NULL, approval_status_name(APPROVAL_CANCELLED));
		return st;
	}
	c->ctx.on_approval(c->ctx.update_arg, NULL, approval_status_name(row.status));
	return judge(c, &row, err);
}
