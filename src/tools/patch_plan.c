/*
 * tools/patch_plan.c - several files changed together: what each is to become.
 *
 * Files are known by their real places, so that a file that a patch names twice, also by a link, is changed twice and
 * written once.
 */
#include <string.h>

#include "core/str.h"
#include "tools/patch_tx.h"

void patch_tx_init(struct patch_tx *tx)
{
	*tx = (struct patch_tx){ .arena = arena_new(4 * (size_t)PATCH_TX_BYTES_MAX), .files = VEC_INIT };
}

/* What stands there now. A directory that is missing means only that the file is, too. */
static ch_status look(struct patch_file *f, struct ch_err *err)
{
	WS_AUTO_TARGET struct ws_target t = { .dir = -1 };
	ch_status rc = ws_target_find(&f->place->root, f->place->rel, f->follow, &t, err);

	f->stamp = (struct ws_stamp){ .is_set = true };
	f->mode = ws_target_mode(&(struct ws_target){ .exists = false });
	if (rc == CH_E_NOT_FOUND)
		return CH_OK;
	if (rc || !t.exists)
		return rc;
	f->was = f->is = true;
	f->is_link = S_ISLNK(t.st.st_mode);
	f->mode = ws_target_mode(&t);
	ws_stamp_of(&t.st, &f->stamp);
	return CH_OK;
}

static ch_status file_of(struct patch_tx *tx, const struct ws_place *place, enum ws_follow follow, struct patch_file **ret,
			 struct ch_err *err)
{
	struct patch_file *f;
	const char *key;
	ch_status rc;

	rc = ws_real(tx->arena, place, follow, &key, err);
	if (rc)
		return rc;
	for (size_t i = 0; i < tx->files.len; i++) {
		if (str_eq(tx->files.at[i]->key, key)) {
			*ret = tx->files.at[i];
			return CH_OK;
		}
	}
	if (tx->files.len == PATCH_TX_FILES_MAX)
		return ch_fail(err, CH_E_LIMIT, "the patch is of more than %d files", PATCH_TX_FILES_MAX);
	f = arena_alloc(tx->arena, sizeof(*f));
	*f = (struct patch_file){ .key = key, .place = place, .follow = follow, .target = { .dir = -1 } };
	rc = look(f, err);
	if (rc)
		return rc;
	vec_push(&tx->files, f);
	*ret = f;
	return CH_OK;
}

static ch_status hold(struct patch_tx *tx, struct patch_file *f, const char *p, size_t n, struct ch_err *err)
{
	char *copy;

	if (tx->bytes + n > PATCH_TX_BYTES_MAX)
		return ch_fail(err, CH_E_LIMIT, "the files of the patch have more than %u bytes", PATCH_TX_BYTES_MAX);
	copy = arena_try_alloc(tx->arena, n + 1);
	if (!copy)
		return ch_fail(err, CH_E_LIMIT, "the patch is too large");
	if (n)
		memcpy(copy, p, n);
	copy[n] = '\0';
	tx->bytes += n;
	f->text = (struct patch_text){ copy, n };
	f->is_loaded = true;
	return CH_OK;
}

static ch_status load(struct patch_tx *tx, struct patch_file *f, struct ch_err *err)
{
	CH_AUTO_BUF struct buf b = { 0 };
	struct ws_stamp stamp;
	ch_status rc;

	if (f->is_loaded)
		return CH_OK;
	buf_init(&b, PATCH_TX_FILE_MAX);
	rc = ws_load_in(&f->place->root, f->place->rel, &b, &stamp, err);
	if (rc)
		return rc;
	if (memchr(buf_str(&b), '\0', b.len))
		return ch_fail(err, CH_E_INVALID, "'%s' is a binary file", f->place->rel);
	f->stamp = stamp;
	return hold(tx, f, buf_str(&b), b.len, err);
}

static ch_status plan_add(struct patch_tx *tx, const struct patch_op *op, struct patch_file *f, struct patch_done *done,
			  struct ch_err *err)
{
	if (f->is)
		return ch_fail(err, CH_E_EXISTS, "'%s' exists already; update it, or delete it earlier in the patch", op->path);
	for (size_t i = 0; i < op->content.n; i++)
		done->tally.added += op->content.p[i] == '\n';
	f->is = f->is_written = true;
	return hold(tx, f, op->content.p, op->content.n, err);
}

static ch_status plan_delete(const struct patch_op *op, struct patch_file *f, struct ch_err *err)
{
	if (!f->is)
		return ch_fail(err, CH_E_NOT_FOUND, "'%s' does not exist, so it cannot be deleted", op->path);
	f->is = false;
	f->is_loaded = false;
	return CH_OK;
}

/* The text after the hunks; done->is_unchanged when it is the same. */
static ch_status plan_text(struct patch_tx *tx, const struct patch_op *op, struct patch_file *f, struct patch_done *done,
			   struct ch_err *err)
{
	CH_AUTO_BUF struct buf after = { 0 };
	ch_status rc;

	buf_init(&after, PATCH_TX_FILE_MAX);
	rc = patch_update(op, f->text.p, f->text.n, &after, &done->tally, err);
	if (rc)
		return rc;
	done->is_unchanged = after.len == f->text.n && (!after.len || !memcmp(after.data, f->text.p, after.len));
	if (done->is_unchanged)
		return CH_OK;
	f->is_written = true;
	return hold(tx, f, buf_str(&after), after.len, err);
}

static ch_status plan_move(struct patch_tx *tx, const struct patch_op *op, struct patch_file *from, const struct ws_place *move_to,
			   struct ch_err *err)
{
	struct patch_file *to;
	const char *same;
	ch_status rc;

	if (!ws_real(tx->arena, move_to, WS_FOLLOW, &same, NULL) && str_eq(same, from->key))
		return CH_OK;            /* another name of the same file */
	rc = ws_real(tx->arena, from->place, WS_NO_FOLLOW, &same, err);
	if (rc)
		return rc;
	if (!str_eq(same, from->key))
		return ch_fail(err, CH_E_INVALID, "'%s' is a link; move the file that it leads to", op->path);
	rc = file_of(tx, move_to, WS_NO_FOLLOW, &to, err);
	if (rc)
		return rc;
	if (to->is)
		return ch_fail(err, CH_E_EXISTS, "'%s' exists already, so '%s' cannot be moved there", op->move_to, op->path);
	to->is = to->is_loaded = to->is_written = true;
	to->text = from->text;
	to->mode = from->mode;
	from->is = from->is_loaded = false;
	return CH_OK;
}

static ch_status plan_update(struct patch_tx *tx, const struct patch_op *op, struct patch_file *f, const struct ws_place *move_to,
			     struct patch_done *done, struct ch_err *err)
{
	ch_status rc;

	if (!f->is)
		return ch_fail(err, CH_E_NOT_FOUND, "'%s' does not exist, so it cannot be updated", op->path);
	rc = load(tx, f, err);
	if (!rc && op->hunk_count)
		rc = plan_text(tx, op, f, done, err);
	if (!rc && op->move_to)
		rc = plan_move(tx, op, f, move_to, err);
	return rc;
}

ch_status patch_tx_plan(struct patch_tx *tx, const struct patch_op *op, const struct ws_place *path, const struct ws_place *move_to,
			struct patch_done *ret, struct ch_err *err)
{
	struct patch_done done = { 0 };
	struct patch_file *f;
	ch_status rc;

	rc = file_of(tx, path, op->kind == PATCH_UPDATE ? WS_FOLLOW : WS_NO_FOLLOW, &f, err);
	if (rc)
		return rc;
	switch (op->kind) {
	case PATCH_ADD:
		rc = plan_add(tx, op, f, &done, err);
		break;
	case PATCH_DELETE:
		rc = plan_delete(op, f, err);
		break;
	case PATCH_UPDATE:
		rc = plan_update(tx, op, f, move_to, &done, err);
		break;
	}
	if (!rc)
		*ret = done;
	return rc;
}
