/*
 * gateway/methods/m_projects.c - where agents work: workspaces as projects, their branches, this machine as
 * the one environment. There are no managed worktrees.
 *
 * Branches are asked of git, which is run on the directory with no configuration but the repository's own
 * and for reading names only. An agent may have written that configuration: nothing is fetched, as that would run
 * the programs it names.
 */
#include <sys/stat.h>

#include "core/clock.h"
#include "core/file.h"
#include "core/proc.h"
#include "core/str.h"
#include "gateway/methods/absent.h"

#define GIT "/usr/bin/git"
#define GIT_MS 10000
#define GIT_OUT_MAX (1u << 20)
#define NO_WORKTREES "this version makes no worktrees"

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

static ch_status run_projects(struct gw_call *call, struct ch_err *err)
{
	const struct agent_info *agents;
	size_t count = agents_list(gw_config(call->gw), call->gw->state_dir, call->arena, &agents);
	struct jw *w = gw_reply_begin(call);

	jw_obj(w);
	jw_karr(w, "projects");
	for (size_t i = 0; i < count; i++) {
		if (str_empty(agents[i].workspace))
			continue;
		jw_obj(w);
		jw_kstr(w, "id", arena_printf(call->arena, "workspace:%s", agents[i].id));
		jw_kstr(w, "displayName", base_name(agents[i].workspace));
		jw_kstr(w, "repoRoot", agents[i].workspace);
		jw_kstr(w, "source", "workspace");
		jw_kstr(w, "agentId", agents[i].id);
		jw_end(w);
	}
	jw_end(w);
	jw_karr(w, "recents");
	jw_end(w);
	if (json_get_bool(call->params, "includeObserved", false)) {
		jw_karr(w, "observedProjects");
		jw_end(w);
	}
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

/* -- branches -- */

enum repo_state { REPO_GIT, REPO_NOT_GIT, REPO_UNKNOWN };

/* One line a branch: '*' or ' ', the full name, what it points to when it is symbolic. */
static ch_status list_refs(const char *root, struct proc_result *ret, struct ch_err *err)
{
	const char *const argv[] = { GIT, "-C", root, "for-each-ref", "--sort=refname",
				     "--format=%(HEAD)%(refname) %(symref)", "refs/heads", "refs/remotes", NULL };
	const char *const env[] = { "PATH=/usr/bin:/bin", "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null",
				    "GIT_TERMINAL_PROMPT=0", "GIT_OPTIONAL_LOCKS=0", "GIT_NO_LAZY_FETCH=1",
				    "GIT_ALLOW_PROTOCOL=none", "LC_ALL=C", NULL };
	struct proc_spec spec = { .argv = argv, .env = env, .out_max_bytes = GIT_OUT_MAX,
				  .deadline_ms = now_mono_ms() + GIT_MS };

	return proc_run(&spec, ret, err);
}

static void write_branch(struct jw *w, const char *name, const char *kind)
{
	jw_obj(w);
	jw_kstr(w, "name", name);
	jw_kstr(w, "kind", kind);
	jw_end(w);
}

struct ref { const char *name, *target; bool is_head, is_remote; };

/* Reads one line; false when it is no branch. */
static bool parse_ref(struct arena *a, const char *line, size_t len, struct ref *ret)
{
	char *text = arena_strndup(a, line, len), *space = strchr(text + 1, ' ');

	if (len < 2 || !space)
		return false;
	*space = '\0';
	*ret = (struct ref){ .is_head = *text == '*', .is_remote = str_starts(text + 1, "refs/remotes/"),
			     .target = space + 1 };
	ret->name = text + 1 + (ret->is_remote ? strlen("refs/remotes/") : strlen("refs/heads/"));
	return ret->is_remote || str_starts(text + 1, "refs/heads/");
}

/* The branch checked out comes first; remotes' HEADs only say which branch is the default one. */
static void write_refs(struct gw_call *call, struct jw *w, const char *out)
{
	const char *head = NULL, *default_branch = NULL;

	jw_karr(w, "branches");
	for (int pass = 0; pass < 2; pass++) {
		for (const char *p = out; *p;) {
			size_t len = strcspn(p, "\n");
			struct ref r;

			if (parse_ref(call->arena, p, len, &r)) {
				const char *slash = strchr(r.name, '/');

				if (r.is_head)
					head = r.name;
				if (r.is_remote && slash && str_eq(slash, "/HEAD"))
					default_branch = base_name(r.target);
				else if (r.is_head == (pass == 0))
					write_branch(w, r.name, r.is_remote ? "remote" : "local");
			}
			p += len + (p[len] == '\n');
		}
	}
	jw_end(w);
	jw_kstr_opt(w, "defaultBranch", default_branch);
	jw_kstr_opt(w, "headBranch", head);
}

static ch_status no_repository(struct gw_call *call, const char *root, enum repo_state state, struct ch_err *err)
{
	struct jw *w;

	if (!json_get_bool(call->params, "includeRepositoryStatus", false))
		return ch_fail(err, CH_E_ABSENT, "%s: %s",
			       state == REPO_NOT_GIT ? "not a git checkout" : "git cannot read the repository", root);
	w = gw_reply_begin(call);
	jw_obj(w);
	jw_karr(w, "branches");
	jw_end(w);
	jw_kstr(w, "repositoryStatus", state == REPO_NOT_GIT ? "not_git" : "unavailable");
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

static ch_status run_branches(struct gw_call *call, struct ch_err *err)
{
	const char *root = json_get_str(call->params, "repoRoot");
	__attribute__((cleanup(proc_result_done))) struct proc_result git = {0};
	struct stat info;
	struct jw *w;
	ch_status st;

	if (*root != '/' || stat(root, &info) || !S_ISDIR(info.st_mode))
		return ch_fail(err, CH_E_ABSENT, "repository does not exist: %.*s",
			       (int)utf8_cut(root, strlen(root), 160), root);
	st = list_refs(root, &git, err);
	if (st == CH_E_NOT_FOUND)
		return no_repository(call, root, REPO_UNKNOWN, err);
	if (st)
		return st;
	if (git.exit_code)
		return no_repository(call, root,
				     strstr(buf_str(&git.errout), "not a git repository") ? REPO_NOT_GIT : REPO_UNKNOWN,
				     err);
	w = gw_reply_begin(call);
	jw_obj(w);
	write_refs(call, w, buf_str(&git.out));
	if (json_get_bool(call->params, "includeRepositoryStatus", false))
		jw_kstr(w, "repositoryStatus", "git");
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

/* -- environments: here -- */

#define HERE                                                                                               \
	"{\"id\":\"gateway\",\"type\":\"local\",\"label\":\"Gateway local\",\"status\":\"available\","     \
	"\"platform\":\"linux\",\"sessionHost\":true,\"trust\":\"persistent\","                            \
	"\"capabilities\":[\"agent.run\",\"sessions\",\"tools\",\"workspace\"]}"

static ch_status run_environments(struct gw_call *call, struct ch_err *err)
{
	bool profiles_only = json_get(call->params, "projection");
	const char *text = profiles_only ? "{\"environments\":[]}" : "{\"environments\":[" HERE "]}";

	jw_raw(gw_reply_begin(call), text, strlen(text));
	gw_reply_end(call);
	return CH_OK;
}

static ch_status run_environment(struct gw_call *call, struct ch_err *err)
{
	if (!str_eq(json_get_str(call->params, "environmentId"), "gateway"))
		return ch_fail(err, CH_E_NOT_FOUND, "unknown environmentId");
	return gwm_run_fixed(call, err);
}

/* Asking for a runtime's environments may prepare them, which is a write in the reference. */
static unsigned environments_scope(const struct gw_call *call)
{
	return json_get(call->params, "runtimeId") ? GW_SCOPE_WRITE : GW_SCOPE_READ;
}

static const char *const projections[] = { "profiles", NULL };
static const struct gw_param environments_params[] = {
	{ "runtimeId", GP_STR, GP_NON_EMPTY },
	{ "projection", GP_ENUM, .choices = projections },
	{ "includeDesktopSetup", GP_BOOL },
	{0},
};
static const struct gw_param environment_params[] = {
	{ "environmentId", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{0},
};
static const struct gw_param projects_params[] = {
	{ "includeObserved", GP_BOOL },
	{0},
};
static const struct gw_param branches_params[] = {
	{ "repoRoot", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "includeRepositoryStatus", GP_BOOL },
	{0},
};

const struct gw_method gwm_projects[] = {
	{ "environments.list", run_environments, GW_SCOPE_READ, GW_INLINE, environments_params, environments_scope, NULL },
	GWM_ROW("environments.status", run_environment, READ, environment_params, HERE),
	{ "projects.list", run_projects, GW_SCOPE_READ, 0, projects_params, NULL, NULL },
	{ "worktrees.branches", run_branches, GW_SCOPE_WRITE, 0, branches_params, NULL, NULL },
	GWM_REFUSE("worktrees.create", WRITE, NO_WORKTREES),
	GWM_ALWAYS("worktrees.list", READ, NULL, "{\"worktrees\":[]}"),
};
const size_t gwm_projects_count = CH_ARRAY_LEN(gwm_projects);
