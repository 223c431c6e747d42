/*
 * models/key_origin.h - would a change of the configuration send a key that is here to another address?
 *
 * Keys are shown to nobody, but an address of somebody's choice that they are sent to would learn them all the same. So who changes
 * settings from afar may move a provider to another origin only with a key that is sent along in plain text; and a key that is
 * named by a reference (a variable, a file, a program, the store) goes where it went before.
 */
#ifndef CH_MODELS_KEY_ORIGIN_H
#define CH_MODELS_KEY_ORIGIN_H

#include "core/json.h"
#include "store/db.h"

/* The configuration's trees, references not followed; `before` NULL: there was none. CH_E_DENIED names the provider. */
CH_MUST_USE ch_status key_origin_check(struct db *db, const struct json *before, const struct json *after, struct ch_err *err);

#endif
