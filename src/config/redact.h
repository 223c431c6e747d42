/*
 * config/redact.h - the parts of redaction that only this folder needs.
 */
#ifndef CH_CONFIG_REDACT_H
#define CH_CONFIG_REDACT_H

#include "config/schema.h"

/*
 * A walk's view of where it stands. Below a secret everything is secret, but
 * a reference {source, provider, id} names a secret and is none.
 */
struct redact_at {
	struct schema_node node;
	bool is_known;                   /* node is of the schema */
	bool is_secret;
};

void redact_root(struct redact_at *ret);
/* The place of a member (name) or an item (name NULL). */
void redact_child(const struct redact_at *parent, const char *name, struct redact_at *ret);
/* An object {source, provider, id}. */
bool redact_is_reference(const struct json *v);
/* This scalar, standing at a secret place, must not be shown. */
bool redact_hides(const struct json *v);

/* The credentials that stand in the file are not written anywhere while the snapshot lives, also those not used yet. */
void redact_hold(struct config *c);
void redact_release(struct config *c);

#endif
