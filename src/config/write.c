/*
 * config/write.c - writing the file: edits on its text, checked before and
 * after, atomic, with backups.
 *
 * The text is read afresh for each write, so that an edit made by hand a
 * moment ago is not lost; base_hash says which text the caller had seen.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "config/diff.h"
#include "config/patch.h"
#include "config/path.h"
#include "config/redact.h"
#include "config/store.h"
#include "config/text.h"
#include "core/file.h"
#include "core/mem.h"
#include "core/str.h"

#define BACKUPS 3            /* .bak, .bak.1 … .bak.3 */

/* One write under way. */
struct writing {
	struct config_store *s;
	struct buf text;                 /* as on disk, then as wanted */
	struct config *old;              /* of the text on disk; NULL when that is broken */
	struct arena *a;
	struct config_edits edits;
	const struct config_write_how *how;      /* NULL: the plain kind */
	struct ch_err *err;
};

static void done(struct writing *w)
{
	buf_done(&w->text);
	config_unref(w->old);
	config_edits_done(&w->edits);
	arena_unref(w->a);
}

/* Reads the file and compares its hash; a broken file is CH_E_INVALID unless `may_be_broken`. */
static ch_status begin(struct writing *w, struct config_store *s, const char *base_hash, bool may_be_broken,
		       struct ch_err *err)
{
	char hash[CONFIG_HASH_LEN];
	ch_status st;

	*w = (struct writing){ .s = s, .a = arena_new(0), .err = err };
	w->edits.arena = w->a;
	st = store_read(s, &w->text, err);
	if (st)
		return st;
	config_hash_text(s->key, buf_str(&w->text), w->text.len, hash);
	if (base_hash && !str_eq(base_hash, hash))
		return ch_fail(err, CH_E_CONFLICT,
			       "the configuration changed since it was read; read it again");
	st = store_parse(s, &w->text, NULL, &w->old, err);
	if (st && !may_be_broken)
		return ch_wrap(err, "%s is broken and must be mended first", s->path);
	return CH_OK;
}

/* ---- the file ---- */

static void rotate_backups(const char *path)
{
	for (int i = BACKUPS - 1; i >= 0; i--) {
		CH_AUTO_STR char *from = i ? ch_asprintf("%s.bak.%d", path, i) : ch_asprintf("%s.bak", path);
		CH_AUTO_STR char *to = ch_asprintf("%s.bak.%d", path, i + 1);

		/* A backup that is not there yet is nothing to complain about. */
		if (rename(from, to) && errno != ENOENT)
			return;
	}
}

static ch_status replace_file(struct writing *w, const struct buf *before)
{
	struct config_store *s = w->s;
	CH_AUTO_STR char *backup = ch_asprintf("%s.bak", s->path);
	ch_status st = file_mkdirs(s->dir, 0700, w->err);

	if (!st && before->len) {
		rotate_backups(s->path);
		st = file_write_atomic(backup, before->data, before->len, 0600, w->err);
	}
	return st ? st : file_write_atomic(s->path, buf_str(&w->text), w->text.len, 0600, w->err);
}

static ch_status first_error(const struct config *c, struct ch_err *err)
{
	size_t n;
	const struct config_issue *issues = config_issues(c, &n);

	for (size_t i = 0; i < n; i++)
		if (issues[i].severity == CONFIG_ERROR)
			return ch_fail(err, CH_E_INVALID, "%s%s%s", issues[i].path,
				       *issues[i].path ? ": " : "", issues[i].message);
	return ch_fail(err, CH_E_INVALID, "the configuration would be invalid");
}

/* The path is that of an item of a list: removing it moves the next one there. */
static bool is_item(struct writing *w, const struct json *tree, const char *path)
{
	struct config_path p;
	const char *parent = "";

	if (config_path_parse(w->a, path, &p, NULL) || p.n == 0)
		return false;
	for (size_t i = 0; i + 1 < p.n; i++)
		parent = config_path_join(w->a, parent, p.name[i]);
	return json_is(config_find(tree, parent), JSON_ARR);
}

static ch_status from_include(struct writing *w, const char *path)
{
	return ch_fail(w->err, CH_E_INVALID, "%s comes from an included file; change it there", path);
}

/* Did the edits come out as meant? An included file may have the last word. */
static ch_status check_edits(struct writing *w, const struct config *c)
{
	for (size_t i = 0; i < w->edits.list.len; i++) {
		const struct config_edit *e = &w->edits.list.at[i];
		const struct json *v = config_find(c->merged, e->path);

		if (e->value ? !v || !json_equal(v, e->value) : v && !is_item(w, c->merged, e->path))
			return from_include(w, e->path);
	}
	return CH_OK;
}

/*
 * What names programs and files of this machine must stand there already: who may change settings from
 * afar may not choose what is run. Depth is that of parsed trees.
 */
static ch_status check_local(struct writing *w, const struct redact_at *at, const char *path,
			     const struct json *before, const struct json *after)
{
	bool is_local = at->is_known && at->node.row && (at->node.row->flags & CFG_LOCAL);
	size_t i = 0;

	if (before && json_equal(before, after))
		return CH_OK;
	if (is_local)
		return ch_fail(w->err, CH_E_DENIED, "%s is changed on the gateway's machine only, in %s", path,
			       w->s->path);
	json_each(it, after) {
		bool is_member = after->type == JSON_OBJ;
		struct redact_at child;
		ch_status st;

		if (is_member && str_eq(it->key, "$include"))
			return ch_fail(w->err, CH_E_DENIED,
				       "$include is changed on the gateway's machine only, in %s", w->s->path);
		redact_child(at, is_member ? it->key : NULL, &child);
		st = check_local(w, &child, config_path_join(w->a, path, is_member ? it->key : "*"),
				 is_member ? json_get(before, it->key) : json_at(before, i), it);
		if (st)
			return st;
		i++;
	}
	return CH_OK;
}

static ch_status check_how(struct writing *w, const struct config *wanted)
{
	const struct json *before = w->old ? w->old->source : NULL, *was = w->old ? w->old->merged : NULL;
	struct redact_at root;
	ch_status st = CH_OK;

	if (!w->how)
		return CH_OK;
	redact_root(&root);
	if (w->how->is_remote)
		st = check_local(w, &root, "", before, wanted->source);
	if (!st && w->how->check)
		st = w->how->check(w->how->check_arg, was, wanted->merged, w->err);
	return st;
}

/* w->text is what shall be; `before` what was. */
static ch_status commit(struct writing *w, const struct buf *before)
{
	CH_AUTO(config_unref) struct config *cfg = NULL;
	uint8_t digest[SHA256_LEN];
	ch_status st;

	if (before->len == w->text.len && memcmp(buf_str(before), buf_str(&w->text), before->len) == 0)
		return CH_OK;
	st = store_parse(w->s, &w->text, digest, &cfg, w->err);
	if (!st && cfg->errors)
		st = first_error(cfg, w->err);
	if (!st)
		st = check_edits(w, cfg);
	if (!st)
		st = check_how(w, cfg);
	if (!st && config_has_redacted(cfg->merged))
		st = ch_fail(w->err, CH_E_INVALID, "the placeholder %s cannot be stored", CONFIG_REDACTED);
	if (!st)
		st = replace_file(w, before);
	if (st)
		return st;
	store_note_disk(w->s, &w->text, digest, cfg, NULL);
	store_adopt(w->s, CH_TAKE(cfg), true);
	return CH_OK;
}

/* ---- edits ---- */

static ch_status apply(struct writing *w, const struct config_edit *e)
{
	struct buf next;
	ch_status st;

	buf_init(&next, CONFIG_FILE_MAX);
	if (e->value)
		st = config_text_set(buf_str(&w->text), w->text.len, e->path, e->value, &next, w->err);
	else
		st = config_text_unset(buf_str(&w->text), w->text.len, e->path, &next, w->err);
	if (st) {
		buf_done(&next);
		return st == CH_E_NOT_FOUND && config_find(w->old->merged, e->path) ? from_include(w, e->path)
										    : st;
	}
	buf_done(&w->text);
	w->text = next;
	return CH_OK;
}

static ch_status apply_all(struct writing *w)
{
	CH_AUTO_BUF struct buf before = { 0 };
	ch_status st = CH_OK;

	buf_init(&before, CONFIG_FILE_MAX);
	buf_append(&before, buf_str(&w->text), w->text.len);
	if (w->edits.too_many)
		return ch_fail(w->err, CH_E_LIMIT, "more than %d changes at once", CONFIG_EDITS_MAX);
	for (size_t i = 0; i < w->edits.list.len && !st; i++)
		st = apply(w, &w->edits.list.at[i]);
	return st ? st : commit(w, &before);
}

ch_status config_write_set(struct config_store *s, const char *path, const struct json *value,
			   const char *base_hash, struct ch_err *err)
{
	struct writing w;
	struct json *restored;
	ch_status st = begin(&w, s, base_hash, false, err);

	if (!st)
		st = config_restore(w.a, value, config_find(w.old->merged, path), path, &restored, err);
	if (!st) {
		config_edit_add(&w.edits, path, restored);
		st = apply_all(&w);
	}
	done(&w);
	return st;
}

ch_status config_write_unset(struct config_store *s, const char *path, const char *base_hash,
			     struct ch_err *err)
{
	struct writing w;
	ch_status st = begin(&w, s, base_hash, false, err);

	if (!st) {
		config_edit_add(&w.edits, path, NULL);
		st = apply_all(&w);
	}
	done(&w);
	return st;
}

ch_status config_write_patch_as(struct config_store *s, const struct json *merge_patch,
				const struct config_write_how *how, struct ch_err *err)
{
	struct writing w;
	struct json *patch;
	ch_status st = begin(&w, s, how->base_hash, false, err);

	w.how = how;
	if (!st && !json_is(merge_patch, JSON_OBJ))
		st = ch_fail(err, CH_E_INVALID, "a patch of the configuration must be an object");
	if (!st)
		st = config_restore(w.a, merge_patch, w.old->merged, "", &patch, err);
	if (!st)
		st = config_patch_lists(w.a, w.old->merged, patch, how->replace_paths, &patch, err);
	if (!st) {
		config_diff_patch(&w.edits, w.old->merged, patch);
		st = apply_all(&w);
	}
	done(&w);
	return st;
}

ch_status config_write_patch(struct config_store *s, const struct json *merge_patch, const char *base_hash,
			     struct ch_err *err)
{
	return config_write_patch_as(s, merge_patch, &(struct config_write_how){ .base_hash = base_hash }, err);
}

/* ---- a whole text ---- */

static bool has_comments(const struct buf *b)
{
	struct text t = { .p = buf_str(b), .len = b->len };
	bool in_string = false;
	char quote = 0;

	for (size_t i = 0; i < t.len; i++) {
		if (in_string) {
			i += t.p[i] == '\\';
			in_string = i >= t.len || t.p[i] != quote;
		} else if (t.p[i] == '"' || t.p[i] == '\'') {
			in_string = true;
			quote = t.p[i];
		} else if (t.p[i] == '/') {
			return true;
		}
	}
	return false;
}

/* Puts restored secrets into the text as the caller wrote it. */
static void diff_redacted(struct writing *w, const char *path, const struct json *written,
			  const struct json *restored)
{
	const struct json *r = json_first(restored);
	size_t i = 0;

	if (str_eq(json_str(written), CONFIG_REDACTED))
		config_edit_add(&w->edits, path, restored);
	json_each(it, written) {
		diff_redacted(w, written->type == JSON_OBJ ? config_path_join(w->a, path, it->key)
							   : arena_printf(w->a, "%s.%zu", path, i++), it, r);
		r = r->next;
	}
}

/*
 * A text with comments is taken as it was written. One without is a form's:
 * when the file has comments (or includes), only what differs is changed.
 */
static ch_status write_text(struct writing *w, const struct buf *wanted)
{
	CH_AUTO_BUF struct buf before = { 0 };
	struct json *tree, *restored;
	ch_status st = json_parse(w->a, buf_str(wanted), wanted->len, JSON_JSON5, &tree, w->err);

	buf_init(&before, CONFIG_FILE_MAX);
	if (!st && !json_is(tree, JSON_OBJ))
		st = ch_fail(w->err, CH_E_INVALID, "the configuration is not an object");
	if (!st)
		st = config_restore(w->a, tree, w->old ? w->old->merged : NULL, "", &restored, w->err);
	if (st)
		return st;
	if (w->old && !has_comments(wanted) && (has_comments(&w->text) || *config_includes(w->old))) {
		config_diff(&w->edits, w->old->merged, w->old->resolved, restored);
		if (!w->edits.too_many)
			return apply_all(w);
		w->edits.list.len = 0;
		w->edits.too_many = false;
	}
	buf_append(&before, buf_str(&w->text), w->text.len);
	buf_clear(&w->text);
	buf_append(&w->text, buf_str(wanted), wanted->len);
	diff_redacted(w, "", tree, restored);
	if (w->edits.too_many)
		return ch_fail(w->err, CH_E_LIMIT, "more than %d secrets to keep", CONFIG_EDITS_MAX);
	for (size_t i = 0; i < w->edits.list.len && !st; i++)
		st = apply(w, &w->edits.list.at[i]);
	return st ? st : commit(w, &before);
}

ch_status config_write_raw_as(struct config_store *s, const char *text, size_t len,
			      const struct config_write_how *how, struct ch_err *err)
{
	CH_AUTO_BUF struct buf wanted = { 0 };
	struct writing w;
	ch_status st = begin(&w, s, how->base_hash, true, err);

	w.how = how;
	buf_init(&wanted, CONFIG_FILE_MAX);
	buf_append(&wanted, text, len);
	if (!st)
		st = buf_status(&wanted, err, "the configuration");
	if (!st)
		st = write_text(&w, &wanted);
	done(&w);
	return st;
}

ch_status config_write_raw(struct config_store *s, const char *text, size_t len, const char *base_hash,
			   struct ch_err *err)
{
	return config_write_raw_as(s, text, len, &(struct config_write_how){ .base_hash = base_hash }, err);
}
