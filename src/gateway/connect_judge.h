/*
 * gateway/connect_judge.h - one connect request on its way through the steps of the handshake.
 *
 * A step that refuses has answered, closed the connection and returns false; after it only the
 * judge's own memory may be touched.
 */
#ifndef CH_GATEWAY_CONNECT_JUDGE_H
#define CH_GATEWAY_CONNECT_JUDGE_H

#include "gateway/auth.h"
#include "gateway/connect.h"
#include "gateway/frame.h"

struct judge {
	struct gw *gw;
	struct gw_conn *c;
	struct arena *a;
	const char *frame_id;
	struct connect_params p;
	struct connect_facts facts;
	struct scope_list scopes;
	const char *source;              /* whom the limiter counts */
	bool is_exempt;
	enum auth_reason shared;         /* how the shared secret fared */
	const char *public_key;
	bool is_paired;
	struct device device;            /* when is_paired */
	struct bootstrap code;           /* when it came by setup code */
	struct connect_outcome out;
};

/* -- refusing (gateway/connect_refuse.c) -- */

void judge_refuse(struct judge *j, const struct frame_error *e, uint16_t close_code,
		  const char *close_reason);
/* The message is the close reason as well. Gives false. */
bool judge_refuse_plain(struct judge *j, ch_status st, const char *message, const struct json *details,
			uint16_t close_code);
/* The database failed us: the client may try again. Gives false. */
bool judge_refuse_internal(struct judge *j, const struct ch_err *err);
/* error.details with its code; value NULL is left out. */
struct json *judge_details(struct judge *j, const char *code);
void judge_put(struct judge *j, struct json *details, const char *key, const char *value);

/* -- credentials (gateway/connect_auth.c) -- */

void judge_shared_secret(struct judge *j);
CH_FIBER bool judge_device_need(struct judge *j);
CH_FIBER bool judge_device_proof(struct judge *j);
CH_FIBER bool judge_credentials(struct judge *j);
/* The setup code is not, or no longer, good. Gives false. */
CH_FIBER bool judge_refuse_code(struct judge *j);

/* -- devices (gateway/connect_device.c) -- */

CH_FIBER bool judge_pairing(struct judge *j);
/* A paired device leaves with a token: the one it came with, or a new one. */
bool judge_token(struct judge *j);

/* Opens the connection and says hello-ok (gateway/connect_open.c). */
void judge_let_in(struct judge *j);

#endif
