/*
 * sessions/progress.c - see progress.h.
 */
#include "sessions/progress.h"

#include <string.h>

#include "core/clock.h"
#include "core/mem.h"
#include "core/str.h"

struct progress {
	struct db *db;
	void (*on_change)(void *arg, const char *session_key, int64_t revision);
	void *arg;
};

struct progress *progress_new(struct db *db)
{
	struct progress *p = ch_alloc(sizeof(*p));

	p->db = db;
	return p;
}

void progress_free(struct progress *p)
{
	ch_free(p);
}

void progress_set_ops(struct progress *p, void (*on_change)(void *arg, const char *session_key, int64_t revision), void *arg)
{
	p->on_change = on_change;
	p->arg = arg;
}

/* -- reading -- */

static void count_steps(struct progress_card *c)
{
	c->total = json_len(c->steps);
	c->done = 0;
	json_each(s, c->steps)
		c->done += str_eq(json_get_str(s, "status"), "completed");
}

ch_status progress_get(struct progress *p, const char *session_key, struct arena *a, struct progress_card *ret,
		       struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *row = NULL;
	struct json *card;
	bool found;
	ch_status st = db_prep(p->db, "SELECT revision, updated_at, card FROM progress_cards WHERE session_key = ?1", &row, err);

	if (st)
		return st;
	db_bind_text(row, 1, session_key);
	st = db_step(row, &found, err);
	if (!st && found)
		st = json_parse(a, db_text(row, 2), db_text_len(row, 2), JSON_STRICT, &card, err);
	if (st)
		return st;
	*ret = (struct progress_card){ 0 };
	if (!found)
		return CH_OK;
	*ret = (struct progress_card){ .revision = db_int(row, 0), .updated_at = db_int(row, 1),
				       .note = json_get_str(card, "markdown"), .steps = json_get(card, "steps") };
	count_steps(ret);
	return CH_OK;
}

/* -- input -- */

/* Zero width, bidirectional marks and overrides, invisible operators, tags. */
static bool is_unseen(uint32_t c)
{
	return c == 0xad || c == 0x61c || c == 0x180e || c == 0xfeff || (c >= 0x200b && c <= 0x200f) ||
	       (c >= 0x202a && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || (c >= 0xe0000 && c <= 0xe007f);
}

static char *cleaned(struct arena *a, const char *text)
{
	size_t left = strlen(text), n = 0;
	char *out = arena_alloc(a, left + 1);
	uint32_t c;

	while (left) {
		size_t step = CH_MAX(utf8_decode(text, left, &c), 1);

		if (!is_unseen(c)) {
			memcpy(out + n, text, step);
			n += step;
		}
		text += step;
		left -= step;
	}
	return str_trim(a, out);
}

static ch_status take_step(const struct json *given, struct arena *a, struct json *out, size_t *active, struct ch_err *err)
{
	static const char *const states[] = { "pending", "in_progress", "completed" };
	const char *text = json_get_str(given, "step"), *status = json_get_str(given, "status");
	struct json *step = json_new_obj(a);

	if (!status || !str_in(status, states, CH_ARRAY_LEN(states)))
		return ch_fail(err, CH_E_INVALID, "the status of a step is one of pending, in_progress, completed");
	text = text ? cleaned(a, text) : "";
	if (!*text)
		return ch_fail(err, CH_E_INVALID, "a step of the plan has no text");
	if (strlen(text) > PROGRESS_STEP_MAX)
		return ch_fail(err, CH_E_INVALID, "a step of the plan is longer than %d bytes", PROGRESS_STEP_MAX);
	*active += str_eq(status, "in_progress");
	json_set(a, step, "step", json_new_str(a, text));
	json_set(a, step, "status", json_new_str(a, status));
	json_push(out, step);
	return CH_OK;
}

static ch_status take_steps(const struct json *given, struct arena *a, const struct json **ret, struct ch_err *err)
{
	struct json *out = json_new_arr(a);
	size_t active = 0;

	if (json_len(given) > PROGRESS_STEPS_MAX)
		return ch_fail(err, CH_E_INVALID, "the plan has more than %d steps", PROGRESS_STEPS_MAX);
	json_each(s, given) {
		ch_status st = take_step(s, a, out, &active, err);

		if (st)
			return st;
	}
	if (active > 1)
		return ch_fail(err, CH_E_INVALID, "at most one step can be in_progress");
	*ret = json_len(out) ? out : NULL;
	return CH_OK;
}

static ch_status take(const struct progress_put *put, struct arena *a, struct progress_card *ret, struct ch_err *err)
{
	const char *note = put->note ? cleaned(a, put->note) : "";

	*ret = (struct progress_card){ .note = *note ? note : NULL };
	if (strlen(note) > PROGRESS_NOTE_MAX)
		return ch_fail(err, CH_E_INVALID, "the note is longer than %d bytes", PROGRESS_NOTE_MAX);
	return take_steps(put->steps, a, &ret->steps, err);
}

/* -- writing -- */

static ch_status clear(struct progress *p, const struct progress_put *put, bool *ret_changed, struct ch_err *err)
{
	struct db_stmt *row;
	int64_t changes;
	ch_status st = db_prep(p->db, "DELETE FROM progress_cards WHERE session_key = ?1 AND (?2 = 0 OR revision = ?2)", &row, err);

	if (st)
		return st;
	db_bind_text(row, 1, put->session_key);
	db_bind_int(row, 2, put->expected_revision);
	st = db_run(row, &changes, err);
	*ret_changed = !st && (changes || !put->expected_revision);
	return st;
}

static ch_status write_card(struct progress *p, const char *key, const struct progress_card *c, struct arena *a,
			    struct ch_err *err)
{
	struct json *card = json_new_obj(a);
	struct db_stmt *row;
	int64_t changes;
	ch_status st = db_prep(p->db, "INSERT INTO progress_cards (session_key, revision, updated_at, card) SELECT key, 1, ?2, ?3 "
			       "FROM sessions WHERE key = ?1 ON CONFLICT (session_key) DO UPDATE SET revision = revision + 1, "
			       "updated_at = excluded.updated_at, card = excluded.card", &row, err);

	if (st)
		return st;
	if (c->note)
		json_set(a, card, "markdown", json_new_str(a, c->note));
	if (c->steps)
		json_set(a, card, "steps", json_clone(a, c->steps));
	db_bind_text(row, 1, key);
	db_bind_int(row, 2, now_wall_ms());
	db_bind_text(row, 3, json_to_str(a, card));
	st = db_run(row, &changes, err);
	return st || changes ? st : ch_fail(err, CH_E_NOT_FOUND, "there is no session '%.200s'", key);
}

ch_status progress_put(struct progress *p, const struct progress_put *put, struct arena *a, struct progress_card *ret,
		       struct ch_err *err)
{
	struct progress_card card;
	bool is_changed = true;
	ch_status st = take(put, a, &card, err);

	if (st)
		return st;
	if (put->expected_revision && (card.note || card.steps))
		return ch_fail(err, CH_E_INVALID, "expectedRevision is only valid when clearing a card");
	if (card.note || card.steps)
		st = write_card(p, put->session_key, &card, a, err);
	else
		st = clear(p, put, &is_changed, err);
	if (!st)
		st = progress_get(p, put->session_key, a, ret, err);
	if (!st && is_changed && p->on_change)
		p->on_change(p->arg, put->session_key, ret->revision);
	return st;
}
