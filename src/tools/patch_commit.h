/*
 * tools/patch_commit.h - several files changed together, or none of them.
 *
 *	plan    what each file is to become; later steps see what earlier ones made
 *	stage   new texts written to temporary files beside their places; nothing visible yet
 *	commit  renames; when one fails, those before it are taken back
 *
 * Owns    what it holds open, its temporary files and its texts, until patch_tx_done().
 * Runs    on one thread at a time, pool threads included; blocking.
 * Limits  PATCH_TX_FILES_MAX files, PATCH_TX_BYTES_MAX of text together.
 * Fails   CH_E_EXISTS, CH_E_NOT_FOUND, CH_E_CONFLICT when somebody else changed a file meanwhile, as path.h else.
 * Keeps   a crash in the middle of a commit leaves whole files, old ones or new ones; former texts are then in hidden
 *         files that end in ".chela-tmp".
 */
#ifndef CH_TOOLS_PATCH_COMMIT_H
#define CH_TOOLS_PATCH_COMMIT_H

#include "core/vec.h"
#include "tools/file.h"
#include "tools/fs_place.h"
#include "tools/patch.h"

#define PATCH_TX_FILES_MAX 200
#define PATCH_TX_BYTES_MAX (32u << 20)
#define PATCH_TX_FILE_MAX (4u << 20)

struct patch_file;                       /* one file of the plan */
struct patch_tx {
	struct arena *arena;
	VEC(struct patch_file *) files;
	size_t bytes;
};
void patch_tx_init(struct patch_tx *tx);
/* Takes away temporary files that are left, closes everything. */
void patch_tx_done(struct patch_tx *tx);

/* What a step did; for the answer. */
struct patch_done {
	struct patch_tally tally;
	bool is_unchanged;
};
/* One operation of a patch; the places (of op->path and op->move_to) must outlive the transaction. */
CH_MUST_USE ch_status patch_tx_plan(struct patch_tx *tx, const struct patch_op *op, const struct ws_place *path,
				    const struct ws_place *move_to, struct patch_done *ret, struct ch_err *err);
CH_MUST_USE ch_status patch_tx_stage(struct patch_tx *tx, struct ch_err *err);
CH_MUST_USE ch_status patch_tx_commit(struct patch_tx *tx, struct ch_err *err);

#endif
