/*
 * gateway/connect.h - the handshake: from the first frame to hello-ok or a refusal.
 *
 * Order (each step's refusal is the protocol's): frame, parameters, protocol, role, origin, shared secret,
 * need of a device, device proof, device token, pairing, tokens, hello-ok.
 * Runs    connect_first_frame() in the read path; the judging in a fiber, because a refusal may be held back.
 */
#ifndef CH_GATEWAY_CONNECT_H
#define CH_GATEWAY_CONNECT_H

#include "gateway/conn.h"
#include "gateway/connect_policy.h"
#include "gateway/pair.h"

void connect_first_frame(struct gw_conn *c, char *text, size_t len);

/* What the handshake found out, for hello-ok. */
struct connect_outcome {
	const struct connect_params *params;
	enum gw_role role;
	struct scope_list scopes;
	enum auth_method method;
	const char *device_token;        /* or NULL */
	int64_t token_issued_at;
	/* What a setup code handed over besides device_token; token NULL: nothing. */
	struct pair_code_token handed_over;
};
/* Writes the hello-ok payload (gateway/hello.c). */
void hello_write(struct gw *gw, struct jw *w, const struct gw_conn *c, const struct connect_outcome *o);

#endif
