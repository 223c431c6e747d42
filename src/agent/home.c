/*
 * agent/home.c - an agent's workspace: found, made, opened, and its prompt kept.
 */
#include "agent/home.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/policy.h"
#include "core/file.h"
#include "core/mem.h"
#include "core/str.h"

#define PROMPT_MAX (4u << 20)            /* bytes; the files' limits are far below */
#define FILE_CHARS_MAX 20000             /* bootstrapMaxChars */
#define TOTAL_CHARS_MAX 60000            /* bootstrapTotalMaxChars */

static void forget_prompts(struct home *home);

void prompt_unref(struct prompt *p)
{
	if (!p || --p->refs)
		return;
	ch_free(p->tools);
	ch_free(p->text);
	ch_free(p);
}

void home_unref(struct home *home)
{
	if (!home || --home->refs)
		return;
	if (home->fd >= 0)
		close(home->fd);
	forget_prompts(home);
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

/* -- settings -- */

int64_t home_setting(const struct config *c, const char *agent_id, const char *key, int64_t def)
{
	char path[AGENT_ID_MAX + 80];

	snprintf(path, sizeof(path), "agents.defaults.%s", key);
	def = config_int(c, path, def);
	snprintf(path, sizeof(path), "agents.entries.%s.%s", agent_id, key);
	return config_get(c, path) ? config_int(c, path, def) : def;
}

const char *home_setting_str(const struct config *c, const char *agent_id, const char *key)
{
	char path[AGENT_ID_MAX + 80];
	const char *own;

	snprintf(path, sizeof(path), "agents.entries.%s.%s", agent_id, key);
	own = config_str(c, path);
	if (own)
		return own;
	snprintf(path, sizeof(path), "agents.defaults.%s", key);
	return config_str(c, path);
}

/* -- the prompt -- */

bool prompt_has_tool(const struct prompt *p, const char *name)
{
	for (size_t i = 0; i < p->tool_count; i++)
		if (str_eq(p->tools[i].name, name))
			return true;
	return false;
}

static void add_tools(struct prompt *p, const struct config *c, const char *agent_id)
{
	const struct tool *const *t;
	bool *allowed;
	size_t n;

	t = tool_table(&n);
	allowed = ch_calloc(n, sizeof(*allowed));
	p->tools = ch_calloc(n, sizeof(*p->tools));
	policy_tools(c, agent_id, allowed);
	for (size_t i = 0; i < n; i++) {
		if (!allowed[i])
			continue;
		p->tools[p->tool_count++] = (struct model_tool){ t[i]->name, t[i]->description, t[i]->schema_json };
		p->tokens += model_estimate_tokens(t[i]->description, strlen(t[i]->description)) +
			     model_estimate_tokens(t[i]->schema_json, strlen(t[i]->schema_json));
	}
	ch_free(allowed);
}

static ch_status build(struct agent_host *h, struct home *home, bool with_files, struct prompt **ret,
		       struct ch_err *err)
{
	CH_AUTO(prompt_unref) struct prompt *p = ch_alloc(sizeof(*p));
	struct config *c = host_config(h);
	CH_AUTO_BUF struct buf out;
	ch_status st;

	p->refs = 1;
	buf_init(&out, PROMPT_MAX);
	add_tools(p, c, home->agent_id);
	prompt_stable(&out, h, home, p);
	if (with_files)
		home_files_render(home->files, home_setting(c, home->agent_id, "bootstrapMaxChars", FILE_CHARS_MAX),
				  home_setting(c, home->agent_id, "bootstrapTotalMaxChars", TOTAL_CHARS_MAX), &out);
	st = buf_status(&out, err, "the system prompt");
	if (st)
		return st;
	p->tokens += model_estimate_tokens(buf_str(&out), out.len);
	p->text = buf_take(&out, NULL);
	*ret = CH_TAKE(p);
	return CH_OK;
}

static void forget_prompts(struct home *home)
{
	for (size_t i = 0; i < CH_ARRAY_LEN(home->prompt); i++)
		prompt_unref(CH_TAKE(home->prompt[i]));
}

ch_status home_prompt(struct agent_host *h, struct home *home, bool with_files, struct prompt **ret,
		      struct ch_err *err)
{
	struct config *c = host_config(h);
	struct prompt **kept = &home->prompt[with_files];
	ch_status st;

	if (home_files_refresh(home->files, home->fd) || home->config != c) {
		forget_prompts(home);
		config_unref(home->config);
		home->config = config_ref(c);
	}
	if (!*kept) {
		st = build(h, home, with_files, kept, err);
		if (st)
			return st;
	}
	(*kept)->refs++;
	*ret = *kept;
	return CH_OK;
}
