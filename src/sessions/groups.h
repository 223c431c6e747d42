/*
 * sessions/groups.h - the groups of the session list: names in an order, with what new sessions begin with.
 *
 * A session is in the group that its category names. Groups are made when a category is first
 * used (group_register) or by hand; a group with members does not go by being left out of a list.
 */
#ifndef CH_SESSIONS_GROUPS_H
#define CH_SESSIONS_GROUPS_H

#include "core/json.h"
#include "sessions/session.h"

#define GROUP_NAME_MAX 512
#define GROUPS_MAX 500                   /* names of one put: a page must not fill the file */

struct group {
	const char *name;
	int64_t position;
	const char *cwd;                 /* where its new sessions work, or NULL */
	bool worktree;                   /* … in a worktree of their own */
};

/* In their order; borrowed for the call. */
CH_MUST_USE ch_status groups_each(struct sess_store *st, void (*each)(void *arg, const struct group *g), void *arg,
				  struct ch_err *err);
/* The order of the page's sections, as it was put: a JSON array, "[]" when none was. On the arena. */
CH_MUST_USE ch_status groups_section_order(struct sess_store *st, struct arena *a, const char **ret_json,
					   struct ch_err *err);
/* Makes the group unless it is there. */
CH_MUST_USE ch_status group_register(struct sess_store *st, const char *name, bool *ret_added, struct ch_err *err);
/*
 * These become the groups, in this order. section_order: a JSON array, or NULL to keep it; what names no group or
 * known section is left out. CH_E_INVALID when a group that is not named has members.
 */
CH_MUST_USE ch_status groups_put(struct sess_store *st, const struct json *names, const struct json *section_order,
				 struct ch_err *err);
/* CH_E_NOT_FOUND; *ret_members: how many sessions moved along. A name that exists takes them in. */
CH_MUST_USE ch_status group_rename(struct sess_store *st, const char *name, const char *to, int64_t *ret_members,
				   struct ch_err *err);
/* Its sessions are in no group afterwards. A group that is not there is fine. */
CH_MUST_USE ch_status group_delete(struct sess_store *st, const char *name, int64_t *ret_members, struct ch_err *err);
/* CH_E_NOT_FOUND. cwd NULL: none. */
CH_MUST_USE ch_status group_set_defaults(struct sess_store *st, const char *name, const char *cwd, bool worktree,
					 struct ch_err *err);

#endif
