/*
 * cli/approval.c - see approval.h.
 *
 * While a person thinks somebody else may answer. So two fibers wait, one for a line and one for the answer (a
 * connection of its own), and what comes first ends the other.
 */
#include "cli/approval.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/models_auth.h"
#include "core/clock.h"
#include "core/fiber.h"
#include "core/mailbox.h"
#include "core/mem.h"
#include "core/str.h"

static const char *presented(const struct json *approval, const char *name)
{
	return json_get_str(json_get(approval, "presentation"), name);
}

static bool is_exec(const struct json *approval)
{
	return str_eq(presented(approval, "kind"), "exec");
}

/* -- showing -- */

static void put_lines(struct cli *c, FILE *out, const char *text)
{
	while (text && *text) {
		size_t n = strcspn(text, "\n");

		fprintf(out, "  %s|%s %s\n", cli_on(c, CLI_YELLOW), cli_off(c), cli_safe(c->arena, arena_strndup(c->arena, text, n)));
		text += n;
		if (*text)
			text++;
	}
}

static void put_whole(struct cli *c, FILE *out, const struct json *approval)
{
	put_lines(c, out, presented(approval, is_exec(approval) ? "commandText" : "description"));
	put_lines(c, out, presented(approval, "detail"));
	if (presented(approval, "warningText")) {
		fprintf(out, "  %swarning%s\n", cli_on(c, CLI_RED), cli_off(c));
		put_lines(c, out, presented(approval, "warningText"));
	}
}

void cli_approval_print(struct cli *c, const struct json *approval)
{
	if (!is_exec(approval))
		cli_print("  %s\n", cli_safe(c->arena, json_str_or(json_path(approval, "presentation.title"), "")));
	put_whole(c, stdout, approval);
}

/* To stderr: stdout may be a document. */
static void show(struct cli *c, const struct json *approval)
{
	int64_t left_s = (json_get_int(approval, "expiresAtMs", 0) - now_wall_ms()) / 1000;
	const char *agent = presented(approval, "agentId"), *host = presented(approval, "host");

	cli_note("%sApproval needed%s: %s%s%s%s%s, %lld min left\n", cli_on(c, CLI_BOLD), cli_off(c),
		 is_exec(approval) ? "a command" : cli_safe(c->arena, json_str_or(json_path(approval, "presentation.title"), "")),
		 agent ? " of agent " : "", agent ? cli_safe(c->arena, agent) : "", host ? ", host " : "",
		 host ? cli_safe(c->arena, host) : "", (long long)CH_MAX(left_s / 60, 0));
	put_whole(c, stderr, approval);
	cli_note("  id %s\n", cli_safe(c->arena, json_str_or(json_get(approval, "id"), "")));
}

bool cli_approval_can_ask(void)
{
	return isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
}

/* -- the gateway -- */

ch_status cli_approval_get(struct cli *c, const char *id, const struct json **ret, struct ch_err *err)
{
	CH_AUTO(rpc_close) struct rpc *r = NULL;
	struct json *params = json_new_obj(c->arena), *reply;
	ch_status st = rpc_open(c, "approvals", NULL, &r, err);

	if (st)
		return st;
	json_set(c->arena, params, "id", json_new_str(c->arena, id));
	st = rpc_call(r, "approval.get", json_to_str(c->arena, params), &reply, err);
	if (st && str_eq(json_str(json_path(rpc_error(r), "details.reason")), "APPROVAL_NOT_FOUND"))
		return ch_fail(err, CH_E_NOT_FOUND, "there is no approval '%.80s' (see: chela approvals list, chela approvals history)", id);
	if (!st)
		*ret = json_get(reply, "approval");
	return st;
}

/* "denied by Ada", "expired". */
static const char *ending(struct cli *c, const struct json *approval)
{
	const char *decision = json_get_str(approval, "decision");

	return cli_safe(c->arena, decision ? decision : json_str_or(json_get(approval, "status"), "over"));
}

ch_status cli_approval_resolve(struct cli *c, const struct json *approval, const char *decision, int64_t expires_in_days,
			       struct json **ret_reply, struct ch_err *err)
{
	struct arena *a = c->arena;
	struct json *params = json_new_obj(a), *reply;
	const char *id = json_get_str(approval, "id");
	ch_status st;

	json_set(a, params, "id", json_new_str(a, id));
	json_set(a, params, "kind", json_new_str(a, presented(approval, "kind")));
	json_set(a, params, "decision", json_new_str(a, decision));
	if (expires_in_days)
		json_set(a, params, "grantExpiresInDays", json_new_int(a, expires_in_days));
	st = rpc_once(c, "approvals", "approval.resolve", json_to_str(a, params), &reply, err);
	if (st)
		return st;
	approval = json_get(reply, "approval");
	if (!str_eq(json_get_str(approval, "decision"), decision))
		return ch_fail(err, CH_E_CONFLICT, "too late: %s is %s already", id, ending(c, approval));
	*ret_reply = reply;
	return CH_OK;
}

/* -- asking -- */

struct heard {
	char *line;                      /* what was typed; NULL: no more input */
	bool is_over;                    /* it ended elsewhere, or the gateway went away */
};

struct prompt {
	struct cli *c;
	const struct json *approval;
	struct mailbox *box;
	struct fiber *reader, *watcher;
};

static void drop_heard(void *item)
{
	struct heard *h = item;

	ch_free(h->line);
	ch_free(h);
}
CH_AUTO_DEFINE(drop_heard, struct heard)

static void post(struct prompt *p, char *line, bool is_over)
{
	struct heard *h = ch_alloc(sizeof(*h));

	*h = (struct heard){ .line = line, .is_over = is_over };
	if (!mailbox_post(p->box, h))
		drop_heard(h);
}

static void read_fiber(void *arg)
{
	struct prompt *p = arg;
	char *line = NULL;
	struct ch_err err;
	ch_status st = cli_read_line(p->c, &line, &err);

	if (st != CH_E_CANCELED)
		post(p, line, false);
}

static void watch_fiber(void *arg)
{
	CH_AUTO(rpc_close) struct rpc *r = NULL;
	struct prompt *p = arg;
	struct json *params = json_new_obj(p->c->arena), *reply;
	struct ch_err err;
	ch_status st;

	json_set(p->c->arena, params, "id", json_new_str(p->c->arena, json_get_str(p->approval, "id")));
	st = rpc_open(p->c, "approvals", NULL, &r, &err);
	if (!st)
		st = rpc_call_until(r, is_exec(p->approval) ? "exec.approval.waitDecision" : "plugin.approval.waitDecision",
				    json_to_str(p->c->arena, params), FIBER_FOREVER, &reply, &err);
	if (st != CH_E_CANCELED)
		post(p, NULL, true);
}

static CH_FIBER void end_fiber(struct fiber **f)
{
	if (!*f)
		return;
	fiber_cancel(*f);
	fiber_mask(1);
	while (fiber_join(*f, FIBER_FOREVER)) {
		/* It uses our frame: for ever. */
	}
	fiber_mask(-1);
	*f = NULL;
}

static bool may_choose(const struct json *approval, const char *decision)
{
	json_each(name, json_path(approval, "presentation.allowedDecisions"))
		if (str_eq(json_str(name), decision))
			return true;
	return false;
}

/* "y", "a", "n": the decision; NULL: none of them. */
static const char *decision_of(const struct json *approval, const char *line)
{
	static const struct { const char *words[3]; const char *decision; } answers[] = {
		{ { "y", "yes", "once" }, "allow-once" }, { { "a", "always", NULL }, "allow-always" }, { { "n", "no", "deny" }, "deny" },
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(answers); i++)
		for (size_t k = 0; k < CH_ARRAY_LEN(answers[i].words) && answers[i].words[k]; k++)
			if (str_ieq(answers[i].words[k], line) && may_choose(approval, answers[i].decision))
				return answers[i].decision;
	return NULL;
}

static void put_question(struct prompt *p)
{
	cli_note("Allow it? %sy%s once%s, %sn%s no, %sl%s later: ", cli_on(p->c, CLI_BOLD), cli_off(p->c),
		 may_choose(p->approval, "allow-always") ? ", a always" : "", cli_on(p->c, CLI_BOLD), cli_off(p->c),
		 cli_on(p->c, CLI_BOLD), cli_off(p->c));
}

/* One line was typed. *ret_done: nothing more to ask. */
static CH_FIBER ch_status take_line(struct prompt *p, const char *line, bool *ret_done, struct ch_err *err)
{
	const char *word = line ? str_trim(p->c->arena, line) : "l";
	const char *decision = decision_of(p->approval, word);
	struct json *reply;
	ch_status st;

	*ret_done = true;
	if (str_ieq(word, "l") || str_ieq(word, "later")) {
		cli_note("It still waits: chela approvals allow %s\n", json_get_str(p->approval, "id"));
		return CH_OK;
	}
	if (!decision) {
		*ret_done = false;
		return CH_OK;
	}
	st = cli_approval_resolve(p->c, p->approval, decision, 0, &reply, err);
	if (!st)
		cli_note("%s\n", decision);
	if (st != CH_E_CONFLICT)
		return st;
	cli_note("%s\n", err->text);
	return CH_OK;
}

static CH_FIBER void say_over(struct prompt *p)
{
	const struct json *now;
	struct ch_err err;

	if (cli_approval_get(p->c, json_get_str(p->approval, "id"), &now, &err))
		cli_note("\n%s\n", err.text);
	else
		cli_note("\nIt was answered elsewhere: %s\n", ending(p->c, now));
}

static CH_FIBER ch_status ask(struct prompt *p, struct ch_err *err)
{
	struct loop *l = p->c->loop;

	p->watcher = fiber_spawn(l, "watch", FIBER_JOINABLE, watch_fiber, p);
	for (;;) {
		CH_AUTO(drop_heard) struct heard *h = NULL;
		bool is_done = true;
		ch_status st;

		put_question(p);
		p->reader = fiber_spawn(l, "read", FIBER_JOINABLE, read_fiber, p);
		/* For ever: the approval's own time ends it, which the watcher hears. */
		st = mailbox_take(p->box, FIBER_FOREVER, (void **)&h);
		end_fiber(&p->reader);
		if (st)
			return ch_fail(err, st, "interrupted");
		if (h->is_over) {
			say_over(p);
			return CH_OK;
		}
		st = take_line(p, h->line, &is_done, err);
		if (st || is_done)
			return st;
	}
}

ch_status cli_approval_prompt(struct cli *c, const struct json *approval, struct ch_err *err)
{
	struct prompt p = { .c = c, .approval = json_clone(c->arena, approval) };
	const char *id = json_str_or(json_get(approval, "id"), "");
	ch_status st;

	cli_drop_typed();
	show(c, approval);
	if (!cli_approval_can_ask()) {
		cli_note("Answer on the page, or: chela approvals allow %s (or deny)\n", cli_safe(c->arena, id));
		return CH_OK;
	}
	p.box = mailbox_new(4, drop_heard);
	st = ask(&p, err);
	end_fiber(&p.reader);
	end_fiber(&p.watcher);
	mailbox_free(p.box);
	return st;
}
