/*
 * agent/home.c - an agent's workspace: found, made, opened, and its prompt kept.
 */
#include "agent/home.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/agents_edit.h"
#include "core/file.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/str.h"

#define PROMPT_MAX (4u << 20)            /* bytes; the files' limits are far below */
#define FILE_CHARS_MAX 20000             /* bootstrapMaxChars */
#define TOTAL_CHARS_MAX 60000            /* bootstrapTotalMaxChars */
#define LEAN_FILE_CHARS 1000             /* the same of a lean prompt */
#define LEAN_TOTAL_CHARS 2000
#define LEAN_VOLATILE_TOKENS 100         /* what follows the stable part: date, model, session */

static void forget_prompts(struct home *home);

void prompt_unref(struct prompt *p)
{
	if (!p || --p->refs)
		return;
	arena_unref(p->arena);
	ch_free(p->tools);
	tool_set_unref(p->tool_set);
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
	tool_set_unref(home->tools);
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

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Is the open directory `fd` the one called path, or above it? By what they are: names may be links. */
static bool holds_dir(int fd, const char *path)
{
	struct stat wanted = { 0 }, at = { 0 }, above = { 0 };
	int dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);  /* raw: to walk up from, nothing is read */
	bool is_found = false, is_top = false;

	while (dir >= 0 && !is_found && !is_top && !fstat(fd, &wanted) && !fstat(dir, &above)) {
		int next = openat(dir, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);

		is_found = same_file(&above, &wanted);
		is_top = same_file(&above, &at);
		at = above;
		close(dir);
		dir = next;
	}
	if (dir >= 0)
		close(dir);
	return is_found;
}

/* File tools would show and change the configuration, the credentials and the database. */
static ch_status check_place(struct agent_host *h, const struct agent_info *info, int fd, struct ch_err *err)
{
	if (!h->opts.state_dir || !holds_dir(fd, h->opts.state_dir))
		return CH_OK;
	return ch_fail(err, CH_E_DENIED, "the workspace '%.100s' of agent '%s' holds the gateway's own state; give it a directory "
		       "beside '%.100s'", info->workspace, info->id, h->opts.state_dir);
}

static ch_status make(const char *path, int *ret_fd, struct ch_err *err)
{
	ch_status st;

	st = file_mkdirs(path, 0700, err);
	if (st)
		return ch_wrap(err, "cannot make the workspace");
	return open_dir(path, ret_fd, err);
}

/* One that is gone is not made anew without a word: somebody's files were in it. */
static ch_status find_dir(struct agent_host *h, const struct agent_info *info, int *ret_fd, struct ch_err *err)
{
	bool is_known;
	ch_status st = open_dir(info->workspace, ret_fd, err);

	if (st != CH_E_NOT_FOUND)
		return st;
	st = attest_find(sess_store_db(h->opts.sessions), info->workspace, &is_known, err);
	if (st)
		return st;
	if (is_known)
		return ch_fail(err, CH_E_NOT_FOUND, "agent '%s' had its workspace in '%.120s', which is gone. Put it back, or make "
			       "an empty directory there to begin anew.", info->id, info->workspace);
	return make(info->workspace, ret_fd, err);
}

static ch_status set_up(struct agent_host *h, const struct agent_info *info, int fd, struct ch_err *err)
{
	bool may_seed = !config_bool(host_config(h), "agents.defaults.skipBootstrap", false);
	ch_status st = CH_OK;

	if (may_seed && home_seed_is_due(fd)) {
		/* Whom the configuration names has been introduced. */
		bool is_named = info->name && !info->is_named_by_file;

		log_info("agent", "workspace %s of agent %s begins with its first files", info->workspace, info->id);
		st = home_seed(info->workspace, fd, !is_named, err);
		if (!st && is_named)
			st = agent_identity_write(info, err);
		if (!st && faccessat(fd, ".git", F_OK, AT_SYMLINK_NOFOLLOW))
			home_git_init(h, info->workspace);
	}
	return st ? st : attest_note(sess_store_db(h->opts.sessions), info->workspace, info->id, err);
}

static ch_status home_new(struct agent_host *h, const struct agent_info *info, struct home **ret, struct ch_err *err)
{
	struct home *home;
	int fd = -1;
	ch_status st;

	st = find_dir(h, info, &fd, err);
	if (!st)
		st = check_place(h, info, fd, err);
	if (!st)
		st = set_up(h, info, fd, err);
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

	return !fstat(home->fd, &opened) && !stat(home->workspace, &named) && same_file(&opened, &named);
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
		st = home_new(h, info, &home, err);
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

bool home_setting_bool(const struct config *c, const char *agent_id, const char *key, bool def)
{
	char path[AGENT_ID_MAX + 80];

	snprintf(path, sizeof(path), "agents.entries.%s.%s", agent_id, key);
	if (config_get(c, path))
		return config_bool(c, path, def);
	snprintf(path, sizeof(path), "agents.defaults.%s", key);
	return config_bool(c, path, def);
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

struct home_limits home_limits(const struct config *c, const char *agent_id, enum prompt_mode mode)
{
	struct home_limits l = {
		.file_chars = home_setting(c, agent_id, "bootstrapMaxChars", FILE_CHARS_MAX),
		.total_chars = home_setting(c, agent_id, "bootstrapTotalMaxChars", TOTAL_CHARS_MAX),
		.names_missing = mode == PROMPT_FULL,
	};

	if (mode == PROMPT_LEAN) {
		l.file_chars = CH_MIN(l.file_chars, LEAN_FILE_CHARS);
		l.total_chars = CH_MIN(l.total_chars, LEAN_TOTAL_CHARS);
	}
	return l;
}

/* A lean prompt has a budget in tokens: where characters weigh more there are fewer. */
static void add_files(const struct home *home, const struct config *c, const struct prompt *p, struct buf *out)
{
	struct home_limits l = home_limits(c, home->agent_id, p->mode);
	size_t start = out->len;

	for (;;) {
		int64_t tokens;

		home_files_render(home->files, &l, out);
		tokens = model_estimate_tokens(buf_str(out), out->len) + p->tool_tokens;
		if (p->mode != PROMPT_LEAN || tokens <= PROMPT_LEAN_TOKENS - LEAN_VOLATILE_TOKENS || l.total_chars < 2)
			return;
		buf_truncate(out, start);
		l.total_chars /= 2;
	}
}

static ch_status build(struct agent_host *h, struct home *home, const struct policy *policy, enum prompt_mode mode,
		       bool with_files, struct prompt **ret, struct ch_err *err)
{
	CH_AUTO(prompt_unref) struct prompt *p = ch_alloc(sizeof(*p));
	struct config *c = host_config(h);
	CH_AUTO_BUF struct buf out = { 0 };
	ch_status st;

	p->refs = 1;
	p->mode = mode;
	p->with_files = with_files;
	p->policy_hash = policy->hash;
	p->tool_set = tool_set_ref(policy->tools);
	buf_init(&out, PROMPT_MAX);
	prompt_add_tools(p, policy);
	prompt_stable(&out, h, home, p);
	p->files_at = out.len;
	if (with_files) {
		add_files(home, c, p, &out);
		p->outside = home_files_outside(home->files);
	}
	st = buf_status(&out, err, "the system prompt");
	if (st)
		return st;
	p->tokens = p->tool_tokens + model_estimate_tokens(buf_str(&out), out.len);
	p->text = buf_take(&out, NULL);
	*ret = CH_TAKE(p);
	return CH_OK;
}

static void forget_prompts(struct home *home)
{
	for (size_t i = 0; i < HOME_PROMPTS_MAX; i++)
		prompt_unref(CH_TAKE(home->prompts[i]));
}

/* The first talk is over when what it asks for was written down. */
static ch_status end_ritual(struct agent_host *h, struct home *home, struct ch_err *err)
{
	if (!home_end_ritual(home->fd))
		return CH_OK;
	log_info("agent", "workspace %s: the first talk is over, BOOTSTRAP.md is taken away", home->workspace);
	(void)!home_files_refresh(home->files, home->fd);        /* we know that it changed */
	return attest_configured(sess_store_db(h->opts.sessions), home->workspace, err);
}

struct tool_set *home_tools(struct agent_host *h, struct home *home)
{
	struct config *c = host_config(h);
	struct tool_set *kept = home->tools;

	if (!kept || kept->config != c || kept->stamp != tool_set_stamp(&h->tool_host, home->agent_id, home->workspace)) {
		home->tools = tool_set_new(&h->tool_host, c, home->agent_id, home->workspace);
		tool_set_unref(kept);
	}
	return tool_set_ref(home->tools);
}

/* The one that was built for the same, moved to the front; NULL: there is none. */
static struct prompt *find_kept(struct home *home, const struct policy *policy, enum prompt_mode mode, bool with_files)
{
	for (size_t i = 0; i < HOME_PROMPTS_MAX && home->prompts[i]; i++) {
		struct prompt *p = home->prompts[i];

		if (p->policy_hash != policy->hash || p->mode != mode || p->with_files != with_files)
			continue;
		memmove(&home->prompts[1], &home->prompts[0], i * sizeof(*home->prompts));
		home->prompts[0] = p;
		return p;
	}
	return NULL;
}

/* Takes the reference; the one that was not used for longest makes room. */
static void keep(struct home *home, struct prompt *p)
{
	prompt_unref(home->prompts[HOME_PROMPTS_MAX - 1]);
	memmove(&home->prompts[1], &home->prompts[0], (HOME_PROMPTS_MAX - 1) * sizeof(*home->prompts));
	home->prompts[0] = p;
}

ch_status home_prompt(struct agent_host *h, struct home *home, const struct policy *policy, enum prompt_mode mode,
		      bool with_files, struct prompt **ret, struct ch_err *err)
{
	struct config *c = host_config(h);
	struct prompt *p;
	ch_status st;

	if (home_files_refresh(home->files, home->fd) || home->config != c) {
		st = end_ritual(h, home, err);
		if (st)
			return st;
		home_files_mark(home->files, sess_store_db(h->opts.sessions), home->workspace);
		forget_prompts(home);
		config_unref(home->config);
		home->config = config_ref(c);
	}
	p = find_kept(home, policy, mode, with_files);
	if (!p) {
		st = build(h, home, policy, mode, with_files, &p, err);
		if (st)
			return st;
		keep(home, p);
	}
	p->refs++;
	*ret = p;
	return CH_OK;
}
