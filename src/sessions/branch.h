/*
 * sessions/branch.h - other ways a conversation went.
 *
 * A transcript only grows. Going back to an earlier message (a rewind) closes the window and opens another one, which
 * begins with copies of the entries before that message: same ids, same numbers. So a page still finds what
 * it knew, nothing is lost, and every reader of a window is as cheap as before. Windows that grew out of each
 * other are the branches of the session; switching makes an older one current again.
 *
 * Fails   CH_E_INVALID with the reason in words that a client may show; nothing was changed then.
 */
#ifndef CH_SESSIONS_BRANCH_H
#define CH_SESSIONS_BRANCH_H

#include "sessions/transcript.h"

#define BRANCH_ID_MAX 64
#define BRANCHES_MAX 64                  /* told of one session */
#define BRANCH_HEADLINE_CHARS 120

/* The newest entry of a window; "" when there is none. */
CH_MUST_USE ch_status branch_leaf(struct sess_store *st, const char *session_id, char ret_id[BRANCH_ID_MAX],
				  struct ch_err *err);

/* Is this window one of the session's? */
CH_MUST_USE ch_status window_is_of(struct sess_store *st, const char *session_id, const char *key, bool *ret, struct ch_err *err);

struct branch {
	const char *leaf_id;
	const char *headline;            /* of the newest message that has text */
	int64_t messages, updated_at;
	bool is_active;
};
/* The session's branches, the current one first, then the newest. */
CH_MUST_USE ch_status branches_each(struct sess *s, void (*each)(void *arg, const struct branch *b), void *arg,
				    struct ch_err *err);

/*
 * Back to before this message of the user, which must be in the current window. *ret_cut is the message, on the
 * arena: what the page puts into its editor. No run may be active.
 */
CH_MUST_USE ch_status branch_rewind(struct sess *s, const char *entry_id, struct arena *a, struct tr_entry *ret_cut,
				    struct ch_err *err);
/* The branch that ends with this entry becomes the current one. */
CH_MUST_USE ch_status branch_switch(struct sess *s, const char *leaf_id, struct ch_err *err);
/*
 * As a rewind, but into another session, which must be empty: `to` gets what came before the message.
 * entry_id NULL: everything up to the end of the last answer.
 */
CH_MUST_USE ch_status branch_fork(struct sess *from, const char *entry_id, struct sess *to, struct arena *a,
				  struct tr_entry *ret_cut, struct ch_err *err);

#endif
