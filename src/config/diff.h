/*
 * config/diff.h - what differs between two trees, as paths and as edits.
 */
#ifndef CH_CONFIG_DIFF_H
#define CH_CONFIG_DIFF_H

#include "config/config.h"
#include "core/vec.h"

#define CONFIG_EDITS_MAX 400     /* each rewrites the text once; a larger change is a new text */

/* Set (value) or unset (value NULL). */
struct config_edit {
	const char *path;
	const struct json *value;
};
struct config_edits {
	VEC(struct config_edit) list;
	struct arena *arena;
	bool too_many;
};
void config_edits_done(struct config_edits *e);
void config_edit_add(struct config_edits *e, const char *path, const struct json *value);

/*
 * Edits that turn what stands in `merged` (or reads the same in `resolved`)
 * into `wanted`. A value that reads as it did is left as it is written.
 */
void config_diff(struct config_edits *e, const struct json *merged, const struct json *resolved,
		 const struct json *wanted);
/* The edits of a merge patch (RFC 7386) against `merged`. */
void config_diff_patch(struct config_edits *e, const struct json *merged, const struct json *patch);

/* Does CONFIG_REDACTED stand anywhere in v? */
bool config_has_redacted(const struct json *v);
/*
 * A copy of v with each CONFIG_REDACTED replaced by what stands at its place
 * in `original`. Items of a list are matched by id or name, else by position
 * when the lists are equally long. CH_E_INVALID when there is nothing to restore.
 */
CH_MUST_USE ch_status config_restore(struct arena *a, const struct json *v, const struct json *original,
				     const char *path, struct json **ret, struct ch_err *err);

#endif
