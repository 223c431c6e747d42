/*
 * channels/ingress_place.c - where a session's last message from a network came from: table channel_places.
 */
#include "channels/ingress_priv.h"

#include <string.h>

#include "core/clock.h"
#include "core/str.h"

ch_status place_put(struct db *db, const char *session_key, const char *channel, const char *account, const struct chan_in *in,
		    const char *run_id, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct db_stmt *row;
	ch_status st = db_prep(db, "INSERT INTO channel_places (session_key, channel, account, peer, message_id, sender_id, run_id, at) "
			       "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (session_key) DO UPDATE SET channel = ?2, "
			       "account = ?3, peer = ?4, message_id = ?5, sender_id = ?6, run_id = ?7, at = ?8", &row, err);

	if (st)
		return st;
	db_bind_text(row, 1, session_key);
	db_bind_text(row, 2, channel);
	db_bind_text(row, 3, account);
	db_bind_text(row, 4, json_to_str(a, chan_peer_json(a, &in->peer)));
	db_bind_text(row, 5, in->message_id);
	db_bind_text(row, 6, in->sender.id);
	db_bind_text(row, 7, run_id);
	db_bind_int(row, 8, now_wall_ms());
	return db_run(row, NULL, err);
}

ch_status ingress_place(struct chan_ingress *g, const char *session_key, struct arena *a, struct chan_place *ret, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *row = NULL;
	struct json *peer;
	bool found;
	ch_status st = db_prep(g->db, "SELECT channel, account, peer, message_id, sender_id, at FROM channel_places "
			       "WHERE session_key = ?1", &row, err);

	if (st)
		return st;
	db_bind_text(row, 1, session_key);
	st = db_step(row, &found, err);
	if (st)
		return st;
	if (!found)
		return ch_fail(err, CH_E_NOT_FOUND, "nothing in session '%s' came from a network", session_key);
	*ret = (struct chan_place){
		.channel = arena_strdup(a, db_text(row, 0)), .account = arena_strdup(a, db_text(row, 1)),
		.message_id = arena_strdup(a, db_text(row, 3)), .sender_id = arena_strdup(a, db_text(row, 4)), .at = db_int(row, 5),
	};
	st = json_parse(a, db_text(row, 2), db_text_len(row, 2), JSON_STRICT, &peer, err);
	return st ? st : chan_peer_read(peer, a, &ret->peer, err);
}

ch_status place_of_row(const struct inbox_row *row, struct arena *a, struct chan_place *ret, const char **ret_handle, struct ch_err *err)
{
	struct chan_in in;
	ch_status st;

	if (!row->payload)
		return ch_fail(err, CH_E_NOT_FOUND, "message %lld was answered already", (long long)row->id);
	st = chan_in_read(row->payload, strlen(row->payload), a, &in, err);
	if (st)
		return st;
	*ret = (struct chan_place){ .channel = row->channel, .account = row->account, .peer = in.peer, .message_id = in.message_id,
				    .sender_id = in.sender.id, .at = row->received_at };
	if (ret_handle)
		*ret_handle = in.handle;
	return CH_OK;
}

/* While it goes on its messages have their payload; afterwards the session's place may still be its own. */
ch_status ingress_place_of_run(struct chan_ingress *g, const char *run_id, struct arena *a, struct chan_place *ret, struct ch_err *err)
{
	struct inbox_row row;
	ch_status st = inbox_of_run(g->db, run_id, a, &row, err);

	if (st)
		return st == CH_E_NOT_FOUND ? ch_fail(err, st, "the run '%s' did not come from a network", run_id) : st;
	if (row.payload)
		return place_of_row(&row, a, ret, NULL, err);
	return ingress_place(g, row.session_key, a, ret, err);
}
