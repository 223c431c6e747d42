/*
 * channels/activation.c - see activation.h.
 */
#include "channels/activation.h"

#include "core/log.h"
#include "core/str.h"

static const char *name_of(struct arena *a, const char *session_key)
{
	return arena_printf(a, "channel.activation:%s", session_key);
}

enum activation activation_of(struct db *db, const char *session_key)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	char *value = NULL;
	struct ch_err err;
	ch_status st = kv_get(db, a, name_of(a, session_key), &value, &err);

	if (st && st != CH_E_NOT_FOUND)
		log_error("channels", "what /activation said cannot be read, the configuration holds: %s", err.text);
	if (st)
		return ACTIVATION_UNSET;
	return str_eq(value, "always") ? ACTIVATION_ALWAYS : ACTIVATION_MENTION;
}

ch_status activation_set(struct db *db, const char *session_key, enum activation mode, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);

	if (mode == ACTIVATION_UNSET)
		return kv_delete(db, name_of(a, session_key), err);
	return kv_put(db, name_of(a, session_key), mode == ACTIVATION_ALWAYS ? "always" : "mention", err);
}
