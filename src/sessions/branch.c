/*
 * sessions/branch.c - windows that grew out of each other: rewinding, switching, forking.
 */
#include "sessions/branch.h"

#include <string.h>

#include "core/buf.h"
#include "core/clock.h"
#include "core/json.h"
#include "core/rand.h"
#include "core/str.h"
#include "sessions/session_priv.h"
#include "sessions/text.h"

/* ---- what there is ---- */

ch_status branch_leaf(struct sess_store *st, const char *session_id, char ret_id[BRANCH_ID_MAX], struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *row = NULL;
	bool found;
	ch_status status = db_prep(sess_store_db(st),
				   "SELECT id FROM transcript WHERE session_id = ?1 AND seq IS NOT NULL ORDER BY seq DESC LIMIT 1",
				   &row, err);

	if (status)
		return status;
	db_bind_text(row, 1, session_id);
	status = db_step(row, &found, err);
	if (!status)
		snprintf(ret_id, BRANCH_ID_MAX, "%s", found ? db_text(row, 0) : "");
	return status;
}

ch_status window_is_of(struct sess_store *st, const char *session_id, const char *key, bool *ret, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *row = NULL;
	ch_status status = db_prep(sess_store_db(st), "SELECT 1 FROM session_windows WHERE session_id = ?1 AND session_key = ?2", &row,
				   err);

	if (status)
		return status;
	db_bind_text(row, 1, session_id);
	db_bind_text(row, 2, key);
	return db_step(row, ret, err);
}

/*
 * All windows that are connected with ?1 by parent links, each with its leaf. A window whose leaf stands inside of
 * another one has nothing of its own: it is no branch.
 */
#define TREE                                                                                                 \
	"WITH RECURSIVE tree (id) AS (SELECT ?1 UNION SELECT w.session_id FROM tree t JOIN session_windows w "   \
	"ON w.session_key = ?2 AND (w.parent_id = t.id OR w.session_id = "                                      \
	"(SELECT parent_id FROM session_windows WHERE session_id = t.id))), "                                   \
	"leaf (window, id, seq, raw_seq, at) AS (SELECT t.session_id, t.id, t.seq, t.raw_seq, t.created_at "      \
	"FROM tree JOIN transcript t ON t.session_id = tree.id AND t.seq = "                                    \
	"(SELECT max(seq) FROM transcript WHERE session_id = tree.id AND seq IS NOT NULL)) "
#define OWN                                                                                                  \
	"NOT EXISTS (SELECT 1 FROM leaf o JOIN transcript e ON e.session_id = o.window AND e.id = l.id "         \
	"WHERE o.window <> l.window AND e.seq < o.seq)"

static const char branches_sql[] = TREE
	"SELECT l.window, l.id, l.at, l.window = ?1, l.seq - (SELECT count(*) FROM transcript WHERE session_id = l.window "
	"AND type = 'reset') FROM leaf l WHERE " OWN " GROUP BY l.id ORDER BY l.window = ?1 DESC, l.at DESC LIMIT ?3";

/* The text of a message on one line; NULL when it has none. */
static const char *one_line(struct arena *a, const struct tr_entry *e)
{
	struct json *message;
	size_t len = 0;
	char *text;

	if (json_parse(a, e->message, e->message_len, JSON_STRICT, &message, NULL))
		return NULL;
	text = str_trim(a, tr_text(a, message, ""));
	for (const char *p = text; *p; p++) {
		bool is_space = strchr(" \t\r\n", *p) != NULL;

		if (!is_space || (len && text[len - 1] != ' '))
			text[len++] = is_space ? ' ' : *p;
	}
	text[len] = '\0';
	return len ? text : NULL;
}

/* At most n characters; what is cut ends in "…". */
static const char *cut_chars(struct arena *a, const char *text, size_t n)
{
	size_t chars = 0, keep = 0;

	for (size_t i = 0; text[i]; i++) {
		if (((unsigned char)text[i] & 0xC0) == 0x80)
			continue;
		if (++chars == n)
			keep = i;
		if (chars > n)
			return arena_printf(a, "%.*s\xe2\x80\xa6", (int)keep, text);
	}
	return text;
}

struct headline { struct arena *a; const char *text; };

/* Entries come oldest first: the last one with text stays. */
static bool take_headline(void *arg, const struct tr_entry *e)
{
	struct headline *h = arg;
	const char *text = str_in(e->role, (const char *const[]){ "user", "assistant" }, 2) ? one_line(h->a, e) : NULL;

	if (text)
		h->text = text;
	return true;
}

/* Among the newest entries; a branch that ends in many tool results without a word has none. */
static ch_status find_headline(struct sess_store *st, const char *window, struct arena *a, const char **ret, struct ch_err *err)
{
	struct headline h = { .a = a };
	ch_status status = CH_OK;

	for (size_t limit = 1; !status && !h.text && limit <= 16; limit *= 4)
		status = tr_read(st, window, &(struct tr_range){ .limit = limit }, take_headline, &h, err);
	*ret = h.text ? cut_chars(a, h.text, BRANCH_HEADLINE_CHARS) : "";
	return status;
}

struct found_branch { const char *window; struct branch b; };

static ch_status load_branches(struct sess *s, struct arena *a, struct found_branch all[BRANCHES_MAX], size_t *ret_count,
			       struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *row = NULL;
	size_t n = 0;
	bool found;
	ch_status st = db_prep(sess_store_db(s->store), branches_sql, &row, err);

	if (st)
		return st;
	db_bind_text(row, 1, s->session_id);
	db_bind_text(row, 2, s->key);
	db_bind_int(row, 3, BRANCHES_MAX);
	while (n < BRANCHES_MAX && !(st = db_step(row, &found, err)) && found)
		all[n++] = (struct found_branch){
			.window = arena_strdup(a, db_text(row, 0)),
			.b = { .leaf_id = arena_strdup(a, db_text(row, 1)), .updated_at = db_int(row, 2),
			       .is_active = db_int(row, 3) != 0, .messages = db_int(row, 4) },
		};
	*ret_count = n;
	return st;
}

ch_status branches_each(struct sess *s, void (*each)(void *arg, const struct branch *b), void *arg, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct found_branch *all = arena_alloc(a, sizeof(*all) * BRANCHES_MAX);
	size_t n = 0;
	ch_status st = load_branches(s, a, all, &n, err);

	for (size_t i = 0; !st && i < n; i++) {
		st = find_headline(s->store, all[i].window, a, &all[i].b.headline, err);
		if (!st)
			each(arg, &all[i].b);
	}
	return st;
}

/* ---- moving the session to a window ---- */

/*
 * What belonged to the last run goes; names, choices, and the day it began stay. The writer's lease is taken away: a
 * run that somehow still writes gets CH_E_CONFLICT.
 */
static const char move_sql[] =
	"UPDATE sessions SET session_id = ?2, updated_at = max(updated_at, ?3), started_at = 0, ended_at = 0, "
	"runtime_ms = 0, input_tokens = 0, output_tokens = 0, total_tokens = 0, cost_usd = 0, system_sent = 0, "
	"aborted_last_run = 0, status = NULL, last_run_id = NULL, last_run_error = NULL, last_preview = NULL, "
	"writer_run = NULL, writer_epoch = writer_epoch + 1 WHERE key = ?1";

static ch_status move_to(struct sess *s, const char *window, struct ch_err *err)
{
	struct db_stmt *row;
	ch_status st = db_prep(sess_store_db(s->store), move_sql, &row, err);

	if (st)
		return st;
	db_bind_text(row, 1, s->key);
	db_bind_text(row, 2, window);
	db_bind_int(row, 3, now_wall_ms());
	return db_run(row, NULL, err);
}

static ch_status set_closed(struct sess *s, const char *window, int64_t at, struct ch_err *err)
{
	struct db_stmt *row;
	ch_status st = db_prep(sess_store_db(s->store), "UPDATE session_windows SET closed_at = ?2 WHERE session_id = ?1", &row, err);

	if (st)
		return st;
	db_bind_text(row, 1, window);
	db_bind_int(row, 2, at);
	return db_run(row, NULL, err);
}

static ch_status set_parent(struct sess *s, const char *window, const char *parent, int64_t raw_seq, struct ch_err *err)
{
	struct db_stmt *row;
	ch_status st = db_prep(sess_store_db(s->store),
			       "UPDATE session_windows SET parent_id = ?2, parent_entry = "
			       "(SELECT id FROM transcript WHERE session_id = ?2 AND raw_seq = ?3 - 1) WHERE session_id = ?1", &row, err);

	if (st)
		return st;
	db_bind_text(row, 1, window);
	db_bind_text(row, 2, parent);
	db_bind_int(row, 3, raw_seq);
	return db_run(row, NULL, err);
}

/* Entries before raw_seq, as they are. Text that is found already is not put into the index again. */
static ch_status copy_entries(struct sess *s, const char *from, const char *to, int64_t raw_seq, bool searchable,
			      struct ch_err *err)
{
	struct db_stmt *row;
	ch_status st = db_prep(sess_store_db(s->store),
		"INSERT INTO transcript (session_id, raw_seq, seq, created_at, bytes, id, type, role, run_id, "
		"idempotency_key, meta, message, search_text) SELECT ?2, raw_seq, seq, created_at, bytes, id, type, role, "
		"run_id, idempotency_key, meta, message, CASE WHEN ?4 THEN search_text END FROM transcript "
		"WHERE session_id = ?1 AND raw_seq < ?3 ORDER BY raw_seq", &row, err);

	if (st)
		return st;
	db_bind_text(row, 1, from);
	db_bind_text(row, 2, to);
	db_bind_int(row, 3, raw_seq);
	db_bind_int(row, 4, searchable);
	return db_run(row, NULL, err);
}

static ch_status find_cut(struct sess *s, const char *entry_id, struct arena *a, struct tr_entry *ret, struct ch_err *err)
{
	ch_status st = tr_find(s->store, s->session_id, entry_id, a, ret, err);

	if (st == CH_E_NOT_FOUND)
		return ch_fail(err, CH_E_INVALID, "message entry not found: %s", entry_id);
	if (!st && (!str_eq(ret->type, "message") || !str_eq(ret->role, "user")))
		return ch_fail(err, CH_E_INVALID, "entry is not a user message: %s", entry_id);
	return st;
}

static ch_status rewind_rows(struct sess *s, const struct tr_entry *cut, struct ch_err *err)
{
	struct db *db = sess_store_db(s->store);
	CH_AUTO(db_rollback) struct db *tx = NULL;
	char window[UUID_LEN];
	ch_status st = db_begin(db, err);

	if (st)
		return st;
	tx = db;
	rand_uuid(window);
	st = set_closed(s, s->session_id, now_wall_ms(), err);
	if (!st)
		st = sess_window_open(db, s->key, window, "rewind", err);
	if (!st)
		st = set_parent(s, window, s->session_id, cut->raw_seq, err);
	if (!st)
		st = copy_entries(s, s->session_id, window, cut->raw_seq, false, err);
	if (!st)
		st = move_to(s, window, err);
	return st ? st : db_commit(CH_TAKE(tx), err);
}

/* The object shows the row as it is now, changed or not. */
static ch_status after(struct sess *s, ch_status st, struct ch_err *err)
{
	ch_status reloaded = sess_reload(s, st ? NULL : err);

	return st ? st : reloaded;
}

ch_status branch_rewind(struct sess *s, const char *entry_id, struct arena *a, struct tr_entry *ret_cut, struct ch_err *err)
{
	ch_status st = find_cut(s, entry_id, a, ret_cut, err);

	return st ? st : after(s, rewind_rows(s, ret_cut, err), err);
}

/* ---- switching ---- */

/* Says why an entry is not the leaf of a branch. */
static ch_status refuse_leaf(struct sess *s, const char *leaf_id, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *row = NULL;
	bool found;
	ch_status st = db_prep(sess_store_db(s->store), TREE "SELECT 1 FROM leaf l JOIN transcript e ON e.session_id = l.window "
			       "AND e.id = ?3 LIMIT 1", &row, err);

	if (st)
		return st;
	db_bind_text(row, 1, s->session_id);
	db_bind_text(row, 2, s->key);
	db_bind_text(row, 3, leaf_id);
	st = db_step(row, &found, err);
	if (st)
		return st;
	return ch_fail(err, CH_E_INVALID, found ? "entry is not a branch tip: %s" : "branch entry not found: %s", leaf_id);
}

static ch_status switch_rows(struct sess *s, const char *window, struct ch_err *err)
{
	struct db *db = sess_store_db(s->store);
	CH_AUTO(db_rollback) struct db *tx = NULL;
	ch_status st = db_begin(db, err);

	if (st)
		return st;
	tx = db;
	st = set_closed(s, s->session_id, now_wall_ms(), err);
	if (!st)
		st = set_closed(s, window, 0, err);
	if (!st)
		st = move_to(s, window, err);
	return st ? st : db_commit(CH_TAKE(tx), err);
}

ch_status branch_switch(struct sess *s, const char *leaf_id, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct found_branch *all = arena_alloc(a, sizeof(*all) * BRANCHES_MAX);
	size_t n = 0, i = 0;
	ch_status st = load_branches(s, a, all, &n, err);

	if (st)
		return st;
	while (i < n && !str_eq(all[i].b.leaf_id, leaf_id))
		i++;
	if (i == n)
		return refuse_leaf(s, leaf_id, err);
	if (all[i].b.is_active)
		return ch_fail(err, CH_E_INVALID, "branch is already active: %s", leaf_id);
	return after(s, switch_rows(s, all[i].window, err), err);
}

/* ---- forking ---- */

/* The end of the last whole answer: what follows it is a message that nobody answered yet. */
static ch_status end_of_answer(struct sess *s, int64_t *ret_raw_seq, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *row = NULL;
	bool found;
	ch_status st = db_prep(sess_store_db(s->store),
			       "SELECT raw_seq FROM transcript WHERE session_id = ?1 AND seq IS NOT NULL AND role = 'assistant' "
			       "ORDER BY seq DESC LIMIT 1", &row, err);

	if (st)
		return st;
	db_bind_text(row, 1, s->session_id);
	st = db_step(row, &found, err);
	if (!st)
		*ret_raw_seq = found ? db_int(row, 0) + 1 : 1;
	return st;
}

/* What was said there may be text from outside; and what that session could not do, this one cannot. */
static void narrow_as(struct sess *to, const struct sess *from)
{
	to->tainted_at = CH_MAX(to->tainted_at, from->tainted_at);
	sess_set_str(to, &to->taint, from->taint);
	sess_set_str(to, &to->tool_cap, from->tool_cap);
	if (!to->permission_mode && !str_eq(from->permission_mode, "full"))
		sess_set_str(to, &to->permission_mode, from->permission_mode);
}

static ch_status fork_rows(struct sess *from, int64_t raw_seq, struct sess *to, const char *source, struct ch_err *err)
{
	struct db *db = sess_store_db(from->store);
	CH_AUTO(db_rollback) struct db *tx = NULL;
	ch_status st = db_begin(db, err);

	if (st)
		return st;
	tx = db;
	sess_set_str(to, &to->fork_source, source);
	narrow_as(to, from);
	st = copy_entries(from, from->session_id, to->session_id, raw_seq, true, err);
	if (!st)
		st = sess_save(to, err);
	return st ? st : db_commit(CH_TAKE(tx), err);
}

static const char *fork_source(struct arena *a, const struct sess *from, const char *entry_id)
{
	struct json *source = json_new_obj(a);

	json_set(a, source, "sessionKey", json_new_str(a, from->key));
	json_set(a, source, "sessionId", json_new_str(a, from->session_id));
	if (entry_id)
		json_set(a, source, "entryId", json_new_str(a, entry_id));
	return json_to_str(a, source);
}

ch_status branch_fork(struct sess *from, const char *entry_id, struct sess *to, struct arena *a, struct tr_entry *ret_cut,
		      struct ch_err *err)
{
	int64_t raw_seq = 0;
	ch_status st;

	*ret_cut = (struct tr_entry){ 0 };
	st = entry_id ? find_cut(from, entry_id, a, ret_cut, err) : end_of_answer(from, &raw_seq, err);
	if (st)
		return st;
	if (entry_id)
		raw_seq = ret_cut->raw_seq;
	return after(to, fork_rows(from, raw_seq, to, fork_source(a, from, entry_id), err), err);
}
