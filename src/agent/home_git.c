/*
 * agent/home_git.c - a new workspace is put under git's care, when there is git: what an agent changes can be
 * looked at and taken back.
 */
#include <string.h>

#include "agent/home.h"
#include "core/clock.h"
#include "core/file.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/proc.h"

#define GIT_MS 10000
#define GIT_OUT_MAX (16u << 10)

struct job { struct agent_host *host; char *workspace; };

static void git_fiber(void *arg)
{
	struct job *job = arg;
	const char *const argv[] = { job->host->opts.git, "init", "--quiet", "--", job->workspace, NULL };
	struct proc_spec spec = { .argv = argv, .cwd = job->workspace, .out_max_bytes = GIT_OUT_MAX,
				  .deadline_ms = fiber_deadline(GIT_MS) };
	struct proc_result res = { 0 };
	struct ch_err err = { 0 };

	if (proc_run(&spec, &res, &err))
		log_info("agent", "workspace %s is not under git: %s", job->workspace, err.text);
	else if (res.exit_code)
		log_info("agent", "workspace %s is not under git: git init ended with %d", job->workspace, res.exit_code);
	proc_result_done(&res);
	host_left(job->host);
	ch_free(job->workspace);
	ch_free(job);
}

void home_git_init(struct agent_host *h, const char *workspace)
{
	struct job *job;

	if (!h->opts.git || !file_exists(h->opts.git))
		return;
	job = ch_alloc(sizeof(*job));
	job->host = h;
	job->workspace = ch_strdup(workspace);
	h->active++;             /* the end of the gateway waits for it */
	fiber_spawn(h->opts.loop, "git", FIBER_DETACHED, git_fiber, job);
}
