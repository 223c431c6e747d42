/*
 * models/claude.h - how Claude is asked to think, whoever serves it: shared by
 * the Anthropic and the Bedrock dialect. Internal to models/.
 *
 * Models from 4.6 on take an effort ("adaptive"), older ones a budget of
 * tokens; the newest always think. Others that speak Anthropic's API have
 * ways of their own.
 */
#ifndef CH_MODELS_CLAUDE_H
#define CH_MODELS_CLAUDE_H

#include "models/dialect.h"

enum claude_mode { CLAUDE_THINKS_NOT, CLAUDE_THINKS_BY_EFFORT, CLAUDE_THINKS_BY_BUDGET };

struct claude_plan {
	enum claude_mode mode;
	bool is_said_off;                /* thinking must be switched off in so many words */
	const char *effort;              /* or NULL: the model's own choice */
	int64_t budget;                  /* BY_BUDGET */
	int64_t max_tokens;              /* of the reply; always said */
	int version;                     /* 406; 0: not Claude, or unknown */
};

/* "claude-opus-4-6" is 406, "claude-3-7-sonnet-20250219" 307; 0 when it is not Claude or the name tells nothing. */
int claude_version(const char *id);
/* can_think: false for what Bedrock serves of other makers. */
struct claude_plan claude_plan(const struct model_call *call, const struct model_entry *m, const struct history *h,
			       bool can_think);
/* The members "thinking" and "output_config", or none. */
void claude_write_thinking(struct jw *w, const struct claude_plan *p);
/* temperature and top_p are refused while it thinks, and from 4.7 on always. */
bool claude_takes_sampling(const struct claude_plan *p);

#endif
