/*
 * sessions/transcript_read.c - reading a window of entries.
 *
 * Numbers are dense, so "the newest n" is a range of numbers and costs the
 * same in a long history as in a short one. Only a limit in bytes needs a
 * first walk, backwards over the `bytes` column.
 */
#include "sessions/transcript.h"

#include "core/str.h"
#include "sessions/session_priv.h"

/* What is counted: shown entries by seq, or all of them by raw_seq. */
struct scale {
	const char *sizes_sql, *entries_sql;
};

#define SPAN(number)                                                                                         \
	" FROM transcript WHERE session_id = ?1 AND " number " >= ?2 AND " number " <= ?3 ORDER BY " number
#define SIZES(number) "SELECT " number ", bytes" SPAN(number) " DESC"
#define ENTRIES(number) "SELECT " TR_COLUMNS SPAN(number)

static const struct scale by_seq = { SIZES("seq"), ENTRIES("seq") };
static const struct scale by_raw_seq = { SIZES("raw_seq"), ENTRIES("raw_seq") };

struct span { int64_t first, last; };            /* of numbers, both in; empty when first > last */

/* ---- what there is ---- */

ch_status tr_stat(struct sess_store *st, const char *session_id, struct tr_stat *ret, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *row = NULL;
	bool found;
	ch_status status = db_prep(sess_store_db(st),
		"SELECT (SELECT max(seq) FROM transcript WHERE session_id = ?1 AND seq IS NOT NULL), "
		"(SELECT max(raw_seq) FROM transcript WHERE session_id = ?1), r.seq, r.raw_seq "
		"FROM (SELECT 1) LEFT JOIN transcript r ON r.session_id = ?1 AND r.raw_seq = "
		"(SELECT max(raw_seq) FROM transcript WHERE session_id = ?1 AND type = 'reset')", &row, err);

	if (status)
		return status;
	db_bind_text(row, 1, session_id);
	status = db_step(row, &found, err);
	if (status)
		return status;
	*ret = (struct tr_stat){
		.last_seq = db_int(row, 0),
		.last_raw_seq = db_int(row, 1),
		.reset_seq = db_int(row, 2),
		.reset_raw_seq = db_int(row, 3),
	};
	return CH_OK;
}

ch_status tr_count(struct sess_store *st, const char *session_id, int64_t *ret_messages, struct ch_err *err)
{
	struct tr_stat stat;
	ch_status status = tr_stat(st, session_id, &stat, err);

	if (!status)
		*ret_messages = stat.last_seq;
	return status;
}

/* ---- which of it ---- */

/* The raw_seq of the shown entry with this seq, or `none` when there is no such entry. */
static ch_status raw_of(struct sess_store *st, const char *session_id, int64_t seq, int64_t none,
			int64_t *ret_raw, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *row = NULL;
	bool found;
	ch_status status =
		db_prep(sess_store_db(st),
			"SELECT raw_seq FROM transcript WHERE session_id = ?1 AND seq = ?2", &row, err);

	if (status)
		return status;
	db_bind_text(row, 1, session_id);
	db_bind_int(row, 2, seq);
	status = db_step(row, &found, err);
	if (!status)
		*ret_raw = found ? db_int(row, 0) : none;
	return status;
}

/* The bounds of a range are told as seq; for the raw scale they are translated. */
static ch_status bounds(struct sess_store *st, const char *session_id, const struct tr_range *range,
			const struct tr_stat *stat, struct span *ret, struct ch_err *err)
{
	int64_t last = range->all_types ? stat->last_raw_seq : stat->last_seq;
	int64_t before = range->before_seq, after = range->after_seq;
	ch_status status = CH_OK;

	if (range->all_types && before > 0)
		status = raw_of(st, session_id, before, last + 1, &before, err);
	if (!status && range->all_types && after > 0)
		status = raw_of(st, session_id, after, last, &after, err);
	if (status)
		return status;
	ret->first = after + 1;
	ret->last = before > 0 ? CH_MIN(last, before - 1) : last;
	return CH_OK;
}

/* Moves first up until the entries fit into max_bytes, the newest excepted. */
static ch_status fit_bytes(struct sess_store *st, const char *session_id, const struct scale *scale,
			   size_t max_bytes, struct span *span, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *row = NULL;
	int64_t left = (int64_t)CH_MIN(max_bytes, (size_t)INT64_MAX), first = span->last;
	bool found;
	ch_status status = db_prep(sess_store_db(st), scale->sizes_sql, &row, err);

	if (status)
		return status;
	db_bind_text(row, 1, session_id);
	db_bind_int(row, 2, span->first);
	db_bind_int(row, 3, span->last);
	while (!(status = db_step(row, &found, err)) && found) {
		left -= db_int(row, 1);
		if (left < 0)
			break;
		first = db_int(row, 0);
	}
	if (!status)
		span->first = CH_MAX(span->first, first);
	return status;
}

static ch_status find_span(struct sess_store *st, const char *session_id, const struct tr_range *range,
			   const struct scale *scale, struct span *ret, struct ch_err *err)
{
	struct tr_stat stat;
	int64_t reset, limit = (int64_t)CH_MIN(range->limit, (size_t)INT32_MAX);
	ch_status status = tr_stat(st, session_id, &stat, err);

	if (!status)
		status = bounds(st, session_id, range, &stat, ret, err);
	if (status)
		return status;
	reset = range->all_types ? stat.reset_raw_seq : stat.reset_seq;
	if (range->since_reset)
		ret->first = CH_MAX(ret->first, reset + 1);
	else if (range->from_reset)
		ret->first = CH_MAX(ret->first, reset);
	if (limit)
		ret->first = CH_MAX(ret->first, ret->last - limit + 1);
	if (!range->max_bytes || ret->first >= ret->last)
		return CH_OK;
	return fit_bytes(st, session_id, scale, range->max_bytes, ret, err);
}

/* ---- the entries ---- */

ch_status tr_read(struct sess_store *st, const char *session_id, const struct tr_range *range,
		  bool (*each)(void *arg, const struct tr_entry *e), void *arg, struct ch_err *err)
{
	const struct scale *scale = range->all_types ? &by_raw_seq : &by_seq;
	CH_AUTO(db_done) struct db_stmt *row = NULL;
	struct tr_entry entry;
	struct span span;
	bool found;
	ch_status status = find_span(st, session_id, range, scale, &span, err);

	if (status || span.first > span.last)
		return status;
	status = db_prep(sess_store_db(st), scale->entries_sql, &row, err);
	if (status)
		return status;
	db_bind_text(row, 1, session_id);
	db_bind_int(row, 2, span.first);
	db_bind_int(row, 3, span.last);
	while (!(status = db_step(row, &found, err)) && found) {
		tr_from_row(row, &entry);
		if (!each(arg, &entry))
			break;
	}
	return status;
}
