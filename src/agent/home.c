/*
 * agent/home.c - an agent's workspace: found, made, opened, and its prompt kept.
 */
#include "agent/home.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"
#include "core/mem.h"
#include "core/str.h"

#define PROMPT_MAX (4u << 20)            /* bytes; the files' limits are far below */

void prompt_unref(struct prompt *p)
{
	if (!p || --p->refs)
		return;
	ch_free(p->text);
	ch_free(p);
}

void home_unref(struct home *home)
{
	if (!home || --home->refs)
		return;
	if (home->fd >= 0)
		close(home->fd);
	prompt_unref(home->prompt);
	config_unref(home->config);
	home_files_free(home->files);
	ch_free(home->agent_id);
	ch_free(home->workspace);
	ch_free(home);
}

static ch_status open_dir(const char *path, int *ret_fd, struct ch_err *err)
{
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);   /* raw: a directory to resolve names under */

	if (fd < 0)
		return ch_fail_errno(err, errno == ENOENT ? CH_E_NOT_FOUND : CH_E_IO, errno,
				     "cannot open the workspace '%s'", path);
	*ret_fd = fd;
	return CH_OK;
}

static ch_status make(const char *path, int *ret_fd, struct ch_err *err)
{
	ch_status st;

	st = file_mkdirs(path, 0700, err);
	if (st)
		return ch_wrap(err, "cannot make the workspace");
	return open_dir(path, ret_fd, err);
}

static ch_status home_new(const struct agent_info *info, bool may_seed, struct home **ret, struct ch_err *err)
{
	struct home *home;
	int fd = -1;
	ch_status st;

	st = open_dir(info->workspace, &fd, err);
	if (st == CH_E_NOT_FOUND)
		st = make(info->workspace, &fd, err);
	if (!st && may_seed)
		st = home_seed(info->workspace, fd, err);
	if (st) {
		if (fd >= 0)
			close(fd);
		return st;
	}
	home = ch_alloc(sizeof(*home));
	*home = (struct home){ .refs = 1, .agent_id = ch_strdup(info->id), .workspace = ch_strdup(info->workspace),
			       .fd = fd, .files = home_files_new() };
	*ret = home;
	return CH_OK;
}

/* A directory that was removed and made again is another one, though its name is the same. */
static bool is_still_there(const struct home *home)
{
	struct stat opened, named;

	return !fstat(home->fd, &opened) && !stat(home->workspace, &named) && opened.st_dev == named.st_dev &&
	       opened.st_ino == named.st_ino;
}

ch_status home_open(struct agent_host *h, const char *agent_id, struct home **ret, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct config *c = host_config(h);
	const struct agent_info *info = agent_find(c, h->opts.state_dir, a, agent_id);
	struct home *home = map_find(h->homes, agent_id);
	ch_status st;

	if (!info)
		return ch_fail(err, CH_E_NOT_FOUND, "there is no agent '%s' in the configuration (agents.entries)", agent_id);
	if (!home || !str_eq(home->workspace, info->workspace) || !is_still_there(home)) {
		st = home_new(info, !config_bool(c, "agents.defaults.skipBootstrap", false), &home, err);
		if (st)
			return st;
		home_unref(map_put(h->homes, agent_id, home));
	}
	home->refs++;
	*ret = home;
	return CH_OK;
}

ch_status home_prompt(struct agent_host *h, struct home *home, struct prompt **ret, struct ch_err *err)
{
	struct config *c = host_config(h);
	CH_AUTO_BUF struct buf out;
	struct prompt *p;
	ch_status st;

	buf_init(&out, PROMPT_MAX);
	if (home_files_refresh(home->files, home->fd) || !home->prompt || home->config != c) {
		prompt_stable(&out, h, home, c);
		home_files_render(home->files, c, &out);
		st = buf_status(&out, err, "the system prompt");
		if (st)
			return st;
		p = ch_alloc(sizeof(*p));
		p->refs = 1;
		p->tokens = model_estimate_tokens(buf_str(&out), out.len);
		p->text = buf_take(&out, NULL);
		prompt_unref(home->prompt);
		home->prompt = p;
		config_unref(home->config);
		home->config = config_ref(c);
	}
	home->prompt->refs++;
	*ret = home->prompt;
	return CH_OK;
}
