/*
 * sessions/prefs.h - what a person's pages remember: JSON values by name.
 *
 * Limits  PREFS_MAX names a person, PREFS_VALUE_MAX bytes a value: a page must not fill the file.
 */
#ifndef CH_SESSIONS_PREFS_H
#define CH_SESSIONS_PREFS_H

#include "core/json.h"
#include "store/db.h"

#define PREFS_MAX 128
#define PREFS_VALUE_MAX 4096
#define PREFS_NAME_MAX 256

/* Writes the object {name: value}; names NULL: all of them, else those of the array that there are. */
CH_MUST_USE ch_status prefs_write_json(struct db *db, const char *profile_id, const struct json *names,
				       struct jw *w, struct ch_err *err);

enum prefs_result { PREFS_SAVED, PREFS_CONFLICT, PREFS_FULL };

/*
 * All of entries or none; a null deletes. expected (or NULL) is what the caller believes to be there, null for
 * nothing: when that is not so, the result is PREFS_CONFLICT. *ret_count is how many there were before.
 * CH_E_INVALID names the entry that is too large.
 */
CH_MUST_USE ch_status prefs_set(struct db *db, const char *profile_id, const struct json *entries,
				const struct json *expected, enum prefs_result *ret, int64_t *ret_count,
				struct ch_err *err);

#endif
