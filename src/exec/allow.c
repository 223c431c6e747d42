/*
 * exec/allow.c - does a command need a yes? The allowlist, and what allow-always adds to it.
 */
#include "exec/allow.h"

#include <stdlib.h>

#include "core/clock.h"
#include "core/mem.h"
#include "core/rand.h"
#include "core/str.h"
#include "exec/allow_priv.h"

#define DAY_MS 86400000LL
#define COMMAND_TEXT_MAX 512     /* of a grant, for people */

ch_status exec_allow_open(struct db *db, struct exec_allow **ret, struct ch_err *err)
{
	struct exec_allow *al = ch_alloc(sizeof(*al));

	(void)err;
	al->db = db;
	*ret = al;
	return CH_OK;
}

void exec_allow_free(struct exec_allow *al)
{
	ch_free(al);
}

/* ---- one program ---- */

/* Programs of many names: what counts is the name they were called by. */
static bool is_multi_call(const char *real)
{
	static const char *const names[] = { "busybox", "toybox", "coreutils" };
	const char *slash = strrchr(real, '/');

	return str_in(slash ? slash + 1 : real, names, CH_ARRAY_LEN(names));
}

/*
 * A name stands for a program of the system, or of a folder that the configuration trusts; a path for the file itself,
 * links resolved. A link that only root could have made may be named too.
 */
static bool pattern_fits(const struct exec_scene *s, const char *pattern, const struct cmd_exec *e, const struct exec_file *f)
{
	struct exec_file as_named = *f;

	if (!strchr(pattern, '/'))
		return !strchr(e->argv[0], '/') && exec_pattern_matches(pattern, e->argv[0], NULL) &&
		       (exec_file_is_protected(f) || exec_is_trusted_dir(s, f->path));
	if (exec_pattern_matches(pattern, f->real, s->home))
		return true;
	as_named.real = f->path;
	return exec_pattern_matches(pattern, f->path, s->home) && exec_file_is_protected(f) && exec_file_is_protected(&as_named);
}

struct use {
	const struct exec_grant *grant;
	const char *path;
};

struct uses {
	struct use at[CMD_SEGMENTS_MAX * 2];
	size_t count;
};

static void note(struct uses *u, const struct exec_grant *g, const char *path)
{
	if (u->count < CH_ARRAY_LEN(u->at))
		u->at[u->count++] = (struct use){ g, path };
}

static bool program_matches(const struct exec_scene *s, const struct cmd_exec *e, const struct exec_grant *grants, size_t count,
			    struct uses *u, const char **ret_why)
{
	struct exec_file f;
	const char *sha256;

	if (!exec_bound_program(s->bound, e->argv[0], &f, &sha256)) {
		*ret_why = arena_printf(s->arena, "there is no program '%s'", e->argv[0]);
		return false;
	}
	if (cmd_is_interpreter(f.real) && !is_multi_call(f.real)) {
		*ret_why = arena_printf(s->arena, "'%s' is the interpreter %s", e->argv[0], f.real);
		return false;
	}
	for (size_t i = 0; i < count; i++) {
		const struct exec_grant *g = &grants[i];

		if (str_eq(g->source, "allow-always") || !pattern_fits(s, g->pattern, e, &f))
			continue;
		if (g->arg_pattern && !exec_args_match(g->arg_pattern, e))
			continue;
		note(u, g, f.real);
		return true;
	}
	if (exec_is_safe_bin(s, e, &f))
		return true;
	*ret_why = arena_printf(s->arena, "'%s' (%s) is not in the allowlist", e->argv[0], f.real);
	return false;
}

/* ---- a segment: remembered as it is, or each of its programs allowed ---- */

static bool segment_matches(const struct exec_scene *s, const struct cmd_segment *seg, const struct exec_grant *grants, size_t count,
			    struct uses *u, const char **ret_why)
{
	const char *path = NULL;
	char exact[96];

	if (count && exec_args_exact(s, seg, exact, &path))
		for (size_t i = 0; i < count; i++)
			if (str_eq(grants[i].arg_pattern, exact) && str_eq(grants[i].pattern, path)) {
				note(u, &grants[i], path);
				return true;
			}
	for (size_t i = 0; i < seg->chain_len; i++)
		if (!program_matches(s, &seg->chain[i], grants, count, u, ret_why))
			return false;
	return true;
}

/* That it was used is worth knowing, and no reason to refuse when it cannot be written. */
static void write_uses(struct exec_allow *al, const struct uses *u, const char *command, int64_t now_ms)
{
	for (size_t i = 0; i < u->count; i++) {
		struct ch_err err;

		if (exec_grant_used(al, u->at[i].grant->id, now_ms, u->at[i].grant->arg_pattern ? NULL : command, u->at[i].path, &err))
			return;
	}
}

bool exec_allow_covers(struct exec_allow *al, const struct config *c, const char *agent_id, const struct cmd_plan *plan,
		       const struct exec_bound *bound, struct arena *a, const char **ret_why)
{
	const struct exec_scene s = { .al = al, .config = c, .agent_id = agent_id, .bound = bound, .home = getenv("HOME"), .arena = a };
	struct uses *used = arena_alloc(a, sizeof(*used));
	struct exec_grant *grants = NULL;
	struct ch_err err = { 0 };
	size_t count = 0;

	*ret_why = plan->why_opaque;
	if (!plan->is_plain)
		return false;
	if (exec_grants_load(al, agent_id, now_wall_ms(), a, &grants, &count, &err)) {
		*ret_why = arena_strdup(a, err.text);
		return false;
	}
	for (size_t i = 0; i < plan->count; i++)
		if (!segment_matches(&s, &plan->segments[i], grants, count, used, ret_why))
			return false;
	write_uses(al, used, arena_strndup(a, plan->text, utf8_cut(plan->text, plan->len, COMMAND_TEXT_MAX)), now_wall_ms());
	*ret_why = NULL;
	return true;
}

bool exec_env_is_harmless(const char *const *call_env)
{
	static const char *const starts[] = { "COLORTERM=", "COLUMNS=", "FORCE_COLOR=", "LANG=", "LC_", "LINES=", "NO_COLOR=", "TERM=" };

	for (size_t i = 0; call_env && call_env[i]; i++) {
		bool is_known = false;

		for (size_t k = 0; k < CH_ARRAY_LEN(starts); k++)
			is_known |= str_starts(call_env[i], starts[k]);
		if (!is_known)
			return false;
	}
	return true;
}

/* ---- allow-always ---- */

/* Higher privileges are given one by one; who wants them standing writes an entry. */
bool exec_allow_can_remember(const struct cmd_plan *plan)
{
	return plan->is_plain && !(plan->traits & CMD_T_PRIVILEGE);
}

static ch_status remember_segment(const struct exec_scene *s, const struct cmd_plan *plan, const struct cmd_segment *seg,
				  struct exec_grant *g, struct ch_err *err)
{
	const char *text = plan->text + seg->start;
	size_t n = utf8_cut(text, seg->end - seg->start, COMMAND_TEXT_MAX);
	char exact[96], id[UUID_LEN];

	if (!exec_args_exact(s, seg, exact, &g->pattern))
		return ch_fail(err, CH_E_INVALID, "'%s' cannot be remembered: a program of it was not found or cannot be read",
			       seg->chain[0].argv[0]);
	rand_uuid(id);
	g->id = arena_strdup(s->arena, id);
	g->arg_pattern = arena_strdup(s->arena, exact);
	g->source = "allow-always";
	g->command_text = arena_strndup(s->arena, text, n);
	g->last_resolved_path = g->pattern;
	return exec_grant_insert(s->al, g, err);
}

static int64_t expiry(const struct exec_scene *s, int expires_in_days, int64_t now_ms)
{
	int64_t days = expires_in_days;

	if (days <= 0)
		days = json_int_or(exec_setting(s->config, s->agent_id, "grantExpiryDays", s->arena), 0);
	return days > 0 ? now_ms + days * DAY_MS : 0;
}

ch_status exec_allow_grant(struct exec_allow *al, const struct config *c, const char *agent_id, const struct cmd_plan *plan,
			   const struct exec_bound *bound, const char *approval_id, const char *resolver_json, int expires_in_days,
			   struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	CH_AUTO(db_rollback) struct db *tx = NULL;
	const struct exec_scene s = { .al = al, .config = c, .agent_id = agent_id, .bound = bound, .home = getenv("HOME"), .arena = a };
	struct exec_grant *grants = NULL;
	struct uses *used = arena_alloc(a, sizeof(*used));
	int64_t now = now_wall_ms();
	size_t count = 0;
	ch_status st;

	if (!exec_allow_can_remember(plan))
		return ch_fail(err, CH_E_INVALID, "this command cannot be remembered: %s",
			       plan->why_opaque ? plan->why_opaque : "it has higher privileges");
	st = exec_grants_load(al, agent_id, now, a, &grants, &count, err);
	if (!st)
		st = db_begin_durable(al->db, err);
	if (st)
		return st;
	tx = al->db;
	for (size_t i = 0; i < plan->count && !st; i++) {
		const char *why;
		struct exec_grant g = { .agent_id = agent_id ? agent_id : "", .created_at = now, .approval_id = approval_id,
					.resolver = resolver_json, .expires_at = expiry(&s, expires_in_days, now) };

		if (!segment_matches(&s, &plan->segments[i], grants, count, used, &why))
			st = remember_segment(&s, plan, &plan->segments[i], &g, err);
	}
	return st ? st : db_commit(CH_TAKE(tx), err);
}
