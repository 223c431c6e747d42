/*
 * approvals/approval_priv.h - what the approval*.c share; nobody else includes it.
 */
#ifndef CH_APPROVALS_APPROVAL_PRIV_H
#define CH_APPROVALS_APPROVAL_PRIV_H

#include "approvals/approval.h"
#include "core/fiber.h"
#include "core/map.h"
#include "core/vec.h"

/* Who waits for one approval. Invariant: waiters == 0 iff it is not in `groups`. */
struct approval_group {
	struct fiber_cond ended;
	unsigned waiters;                /* of all kinds */
	unsigned holders;                /* those that will carry it out */
};

struct approvals {
	struct loop *loop;
	struct db *db;
	struct approval_ops ops;
	struct map *groups;              /* by id: struct approval_group */
	struct loop_timer *timer;        /* the first that expires */
	size_t pending;
	int64_t opened_at;               /* what was claimed before was by a gateway that is gone */
};

/* Ids, read before anything is done with the rows: no statement is open then. */
struct approval_ids { VEC(char *) list; };
void approval_ids_done(struct approval_ids *ids);
#define APPROVAL_AUTO_IDS __attribute__((cleanup(approval_ids_done)))
/* The first column of each row of a statement, which is released. */
CH_MUST_USE ch_status approval_ids_load(struct db_stmt *s, struct approval_ids *ret, struct ch_err *err);

/* One row; CH_E_NOT_FOUND. */
CH_MUST_USE ch_status approval_row_load(struct db *db, const char *id, struct arena *a, struct approval *ret, struct ch_err *err);

#endif
