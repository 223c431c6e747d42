/*
 * web/html_child.h - pages are parsed in a child process that can do nothing else.
 *
 * The parser is somebody else's C and the page is anybody's bytes. The child is this program, re-executed: it reads
 * one page from its input and then has no way to open a file, a socket or a program (seccomp), little memory, and
 * a few seconds of processor time. Whatever happens in it, the gateway gets text or an error.
 *
 * Limits  HTML_CHILD_IN_MAX bytes of page, HTML_CHILD_CPU_S seconds, HTML_MEMORY_MAX for the tree.
 * Fails   CH_E_LIMIT when a limit ended it, CH_E_PEER when it died, CH_E_TIMEOUT, CH_E_CANCELED.
 */
#ifndef CH_WEB_HTML_CHILD_H
#define CH_WEB_HTML_CHILD_H

#include "core/arena.h"
#include "core/json.h"

#define HTML_CHILD_ARG "--web-html"      /* the only argument of the re-executed program */
#define HTML_CHILD_IN_MAX (48u << 20)
#define HTML_CHILD_CPU_S 4
#define HTML_CHILD_MS 15000

enum html_kind { HTML_PAGE, HTML_DUCKDUCKGO };
struct html_job {
	enum html_kind kind;
	const char *text;                /* UTF-8 */
	size_t len;
	const char *url;
	bool is_plain, is_whole;
	int64_t deadline_ms;
};
/*
 * HTML_PAGE: {title, text, isMain, isCut}. HTML_DUCKDUCKGO: {hits:[{title,url,snippet}], isChallenge}.
 * On the arena.
 */
CH_FIBER CH_MUST_USE ch_status html_child_run(const struct html_job *job, struct arena *a, struct json **ret, struct ch_err *err);
/* The child's whole program: main() calls it when HTML_CHILD_ARG is the only argument. Gives the exit code. */
int html_child_main(void);

#endif
