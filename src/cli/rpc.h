/*
 * cli/rpc.h - the command line as a gateway client (protocol v4).
 *
 * Asks for exactly the scopes a command needs. On this machine the shared secret from
 * the configuration is enough; to another host (CHELA_GATEWAY_URL) it signs with this state
 * directory's device identity and keeps the device token it is given.
 */
#ifndef CH_CLI_RPC_H
#define CH_CLI_RPC_H

#include "cli/cli.h"

#define RPC_MESSAGE_MAX (32u << 20)

struct rpc;

/* scopes: comma list without the "operator." prefix ("read,write"); caps: comma list or NULL. err names the way out when nothing answers. */
CH_FIBER CH_MUST_USE ch_status rpc_open(struct cli *c, const char *scopes, const char *caps, struct rpc **ret, struct ch_err *err);
/* params_json NULL: {}. The payload is on the cli's arena. Events that arrive meanwhile are kept for rpc_event(). */
CH_FIBER CH_MUST_USE ch_status rpc_call(struct rpc *r, const char *method, const char *params_json, struct json **ret, struct ch_err *err);
/* As rpc_call(), for a method that waits: as long as its caller says. */
CH_FIBER CH_MUST_USE ch_status rpc_call_until(struct rpc *r, const char *method, const char *params_json, int64_t deadline_ms,
					      struct json **ret, struct ch_err *err);
/* The next event ({event, payload, seq}); on an arena of its own that ends with the next call. */
CH_FIBER CH_MUST_USE ch_status rpc_event(struct rpc *r, int64_t deadline_ms, struct json **ret, struct ch_err *err);
const struct json *rpc_hello(const struct rpc *r);
/* The error of the last call as the gateway sent it; NULL: it was none of the gateway's. */
const struct json *rpc_error(const struct rpc *r);
bool rpc_is_open(const struct rpc *r);
int64_t rpc_connect_ms(const struct rpc *r);
const char *rpc_url(const struct rpc *r);
CH_FIBER void rpc_close(struct rpc *r);
CH_AUTO_DEFINE(rpc_close, struct rpc)

/* Open, one call, close. */
CH_FIBER CH_MUST_USE ch_status rpc_once(struct cli *c, const char *scopes, const char *method, const char *params_json,
					struct json **ret, struct ch_err *err);
/* The gateway's address for people and browsers: "http://127.0.0.1:18789". On the arena. */
CH_MUST_USE ch_status cli_gateway_url(struct cli *c, const char *scheme, const char **ret, struct ch_err *err);
/* The shared secret: CHELA_GATEWAY_TOKEN / _PASSWORD, else the configuration's. *ret NULL when there is none. */
CH_FIBER CH_MUST_USE ch_status cli_gateway_secret(struct cli *c, struct secret **ret, bool *ret_is_password, struct ch_err *err);

#endif
