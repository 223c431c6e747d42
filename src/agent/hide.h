/*
 * agent/hide.h - what a tool gives, without the credentials that the gateway holds (private).
 *
 * A tool may come across one: a server that echoes its header, a file that keeps a copy. It must not get into the
 * conversation, to the model or to clients, so this is done once, where every result passes (agent/dispatch_one).
 */
#ifndef CH_AGENT_HIDE_H
#define CH_AGENT_HIDE_H

#include "core/json.h"

/* Every string below v that holds a registered secret is replaced by one without it. v may be NULL. */
void hide_secrets(struct arena *a, struct json *v);
/* The text itself when it holds none. */
const char *hide_in_text(struct arena *a, const char *text, size_t len, size_t *ret_len);

#endif
