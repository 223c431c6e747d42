/*
 * channels/deliver.c - what a network hands over: into the inbox with its cursor, then to the lanes.
 */
#include "channels/host_priv.h"
#include "channels/inbox.h"
#include "channels/ingress.h"
#include "channels/route.h"

static ch_status is_ours(const struct chan_acct *acct, struct ch_err *err)
{
	if (!acct->is_gone)
		return CH_OK;
	return ch_fail(err, CH_E_CANCELED, "the account %s/%s is gone", acct->ops->id, acct->id);
}

/* Counted when what was known to be free is used up: a message costs no counting. */
static ch_status check_room(struct chan_acct *acct, struct ch_err *err)
{
	ch_status st = acct->inbox_room ? CH_OK : inbox_room(acct->host->db, acct->ops->id, acct->id, &acct->inbox_room, err);

	if (st || acct->inbox_room)
		return st;
	return ch_fail(err, CH_E_LIMIT, "%d messages of %s/%s wait to be handled; no more are taken until some are", INBOX_OPEN_MAX,
		       acct->ops->id, acct->id);
}

ch_status chan_deliver(struct chan_acct *acct, const struct chan_in *in, size_t count, const char *cursor,
		       const char *cursor_value, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	size_t fresh = 0;
	ch_status st = is_ours(acct, err);

	if (!st && count)
		st = check_room(acct, err);
	if (!st)
		st = inbox_append(acct->host->db, acct->ops->id, acct->id, in, count, cursor, cursor_value, &fresh, err);
	if (st)
		return st;
	acct->inbox_room -= CH_MIN(fresh, acct->inbox_room);
	chan_note_in(acct);
	for (size_t i = 0; fresh && i < count; i++)
		ingress_wake(acct->host->ingress, chan_lane(a, acct->ops->id, acct->id, &in[i].peer));
	return CH_OK;
}

ch_status chan_cursor(struct chan_acct *acct, const char *cursor, struct arena *a, const char **ret, struct ch_err *err)
{
	ch_status st = is_ours(acct, err);

	return st ? st : inbox_cursor_get(acct->host->db, acct->ops->id, acct->id, cursor, a, ret, err);
}

ch_status chan_cursor_set(struct chan_acct *acct, const char *cursor, const char *value, struct ch_err *err)
{
	ch_status st = is_ours(acct, err);

	return st ? st : inbox_cursor_set(acct->host->db, acct->ops->id, acct->id, cursor, value, err);
}
