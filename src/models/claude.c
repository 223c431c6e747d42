/*
 * models/claude.c - how Claude is asked to think.
 */
#include "models/claude.h"

#include <string.h>

#include "core/str.h"

#define DEFAULT_MAX_TOKENS 8192          /* when the model's own limit is unknown */
#define USUAL_MAX_TOKENS 32000           /* input and this must fit the window together, so not the most there is */
#define BUDGET_MIN 1024
#define EFFORT_FROM 406
#define XHIGH_FROM 407

/* The numbers of a name, up to a date: "claude-opus-4-6" gives 4 and 6. */
static int version_in(const char *id)
{
	int major = -1;

	for (const char *p = id; *p; p++) {
		int n = 0;
		size_t digits = strspn(p, "0123456789");

		if (digits == 0 || (p > id && p[-1] != '-' && p[-1] != '.'))
			continue;
		for (size_t i = 0; i < digits && digits <= 2; i++)
			n = 10 * n + (p[i] - '0');
		if (digits > 2)         /* a date ends the version */
			break;
		if (major >= 0)
			return 100 * major + n;
		major = n;
		p += digits - 1;
	}
	return major > 0 ? 100 * major : 0;
}

int claude_version(const char *id)
{
	const char *name = strstr(id, "claude");

	return name ? version_in(name) : 0;
}

/* These think whatever they are told. */
static bool thinks_always(const char *id)
{
	return strstr(id, "opus-5-5") || strstr(id, "fable-5-1") || strstr(id, "opus-5.5") || strstr(id, "fable-5.1");
}

static int64_t budget_of(enum thinking_level level)
{
	switch (level) {
	case THINK_OFF: return 0;
	case THINK_MINIMAL: return BUDGET_MIN;
	case THINK_LOW: return 4096;
	case THINK_MEDIUM:
	case THINK_ADAPTIVE: return 10240;
	case THINK_HIGH: return 20480;
	case THINK_XHIGH:
	case THINK_MAX:
	case THINK_ULTRA: return 32768;
	}
	return 0;
}

static const char *effort_of(enum thinking_level level, int version)
{
	switch (level) {
	case THINK_ADAPTIVE: return NULL;
	case THINK_OFF:
	case THINK_MINIMAL:
	case THINK_LOW: return "low";
	case THINK_MEDIUM: return "medium";
	case THINK_HIGH: return "high";
	case THINK_XHIGH: return version >= XHIGH_FROM ? "xhigh" : "high";
	case THINK_MAX:
	case THINK_ULTRA: return "max";
	}
	return NULL;
}

/* Kimi's K3 knows three efforts. */
static const char *kimi_effort(enum thinking_level level)
{
	if (level == THINK_MINIMAL || level == THINK_LOW)
		return "low";
	return level == THINK_XHIGH || level == THINK_MAX || level == THINK_ULTRA ? "max" : "high";
}

/* With a budget, a turn that goes on after tool calls must begin with the thinking that led to them. */
static bool open_turn_lacks_thinking(const struct history *h, const struct model_entry *m)
{
	const struct msg *reply = NULL;

	for (const struct msg *x = h->first; x; x = x->next) {
		if (x->role == MSG_ASSISTANT)
			reply = x;
		else if (x->role == MSG_USER)
			reply = NULL;
	}
	if (!reply || !msg_has(reply, BLOCK_CALL))
		return false;
	return !msg_is_from(reply, m) || reply->first->kind != BLOCK_THINKING || !reply->first->signature;
}

static void plan_budget(struct claude_plan *p, const struct model_call *call, const struct model_entry *m,
			const struct history *h)
{
	if (open_turn_lacks_thinking(h, m))
		return;
	p->budget = CH_MIN(budget_of(call->thinking), p->max_tokens / 2);
	if (p->budget >= BUDGET_MIN)    /* the least that is accepted */
		p->mode = CLAUDE_THINKS_BY_BUDGET;
}

static void plan_kimi(struct claude_plan *p, enum thinking_level level)
{
	p->is_said_off = level == THINK_OFF;
	if (p->is_said_off)
		return;
	p->mode = CLAUDE_THINKS_BY_EFFORT;
	p->effort = kimi_effort(level);
}

struct claude_plan claude_plan(const struct model_call *call, const struct model_entry *m, const struct history *h,
			       bool can_think)
{
	enum tool_mode choice = tool_mode(call);
	int64_t max = param_max_tokens(call);
	struct claude_plan p = {
		.version = claude_version(m->id),
		.max_tokens = max ? max : m->max_tokens ? CH_MIN(m->max_tokens, USUAL_MAX_TOKENS) : DEFAULT_MAX_TOKENS,
	};
	bool is_forced = choice == TOOLS_ANY || choice == TOOLS_ONE;

	if (!can_think || !m->reasoning)
		return p;
	if (str_eq(m->provider, "kimi")) {
		plan_kimi(&p, call->thinking);
	} else if (thinks_always(m->id)) {
		p.mode = CLAUDE_THINKS_BY_EFFORT;
		p.effort = effort_of(call->thinking, p.version);
	} else if (strstr(m->id, "MiniMax-M")) {
		/* M2 leaks its thoughts unless it is told not to have any; M3 says nothing without them. */
		p.is_said_off = strstr(m->id, "MiniMax-M2") && call->thinking == THINK_OFF;
	} else if (call->thinking == THINK_OFF || is_forced) {
		return p;       /* a model that thinks cannot be made to call */
	} else if (p.version >= EFFORT_FROM) {
		p.mode = CLAUDE_THINKS_BY_EFFORT;
		p.effort = effort_of(call->thinking, p.version);
	} else {
		plan_budget(&p, call, m, h);
	}
	return p;
}

void claude_write_thinking(struct jw *w, const struct claude_plan *p)
{
	if (p->mode == CLAUDE_THINKS_NOT && !p->is_said_off)
		return;
	jw_kobj(w, "thinking");
	if (p->is_said_off) {
		jw_kstr(w, "type", "disabled");
	} else if (p->mode == CLAUDE_THINKS_BY_EFFORT) {
		jw_kstr(w, "type", "adaptive");
	} else {
		jw_kstr(w, "type", "enabled");
		jw_kint(w, "budget_tokens", p->budget);
	}
	jw_end(w);
	if (p->mode == CLAUDE_THINKS_BY_EFFORT && p->effort) {
		jw_kobj(w, "output_config");
		jw_kstr(w, "effort", p->effort);
		jw_end(w);
	}
}

bool claude_takes_sampling(const struct claude_plan *p)
{
	return p->mode == CLAUDE_THINKS_NOT && p->version < XHIGH_FROM;
}
