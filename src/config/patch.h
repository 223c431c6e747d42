/*
 * config/patch.h - a merge patch as config.patch takes it: RFC 7386, but careful with lists.
 *
 * A list of objects that all have an id is merged by id. A list that would lose entries, or go as a
 * whole, is refused unless its path is named in replace_paths: a client that read a shortened list must
 * not delete the rest by writing it back.
 */
#ifndef CH_CONFIG_PATCH_H
#define CH_CONFIG_PATCH_H

#include "core/json.h"

/*
 * The patch with merged lists written out, so that a plain merge gives what is meant. replace_paths: an
 * array of paths, or NULL: every list may be replaced. On the arena; base and patch may be shared.
 */
CH_MUST_USE ch_status config_patch_lists(struct arena *a, const struct json *base, const struct json *patch,
					 const struct json *replace_paths, struct json **ret, struct ch_err *err);

#endif
