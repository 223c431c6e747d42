/*
 * agent/context.h - what fills the window of a session's next request (private).
 *
 * Owns    nothing; strings are on the arena that was given.
 * Fails   as resolving the model, opening the workspace or reading the transcript do.
 */
#ifndef CH_AGENT_CONTEXT_H
#define CH_AGENT_CONTEXT_H

#include "agent/home.h"

#define CONTEXT_SECTIONS_MAX 16

struct context_section { const char *name; size_t bytes; int64_t tokens; };

struct context_report {
	struct model_entry model;
	int64_t window;                  /* tokens; 0: the model does not say */
	int64_t reserve;                 /* kept free for the reply */
	const char *workspace;
	struct prompt *prompt;           /* a reference */
	struct home_limits limits;
	struct context_section sections[CONTEXT_SECTIONS_MAX];   /* of the system prompt without files */
	size_t section_count;
	struct home_file_size files[HOME_FILES_MAX];
	size_t file_count;
	int64_t prompt_tokens;           /* system prompt without tools, with files */
	int64_t files_tokens;
	size_t messages;                 /* as they were said */
	int64_t message_tokens, summary_tokens;
	int64_t total_tokens;            /* all of it, estimated */
	int64_t used_tokens;             /* of the last request, as the provider counted; 0: there was none */
};
void context_report_done(struct context_report *r);

CH_MUST_USE ch_status context_report(struct agent_host *h, struct sess *s, struct arena *a, struct context_report *ret,
				     struct ch_err *err);
void context_text(const struct context_report *r, bool with_detail, struct buf *out);
void context_json(const struct context_report *r, const struct sess *s, struct buf *out);

#endif
