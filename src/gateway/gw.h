/*
 * gateway/gw.h - the gateway: what all of its parts hang off, and how an RPC is written.
 *
 * Owns    everything of the running process, made and ended in gw_start.c's order.
 * Runs    on the loop thread. Handlers run in a fiber of their own unless their row says
 *         GW_INLINE (then they must not park; cheap reads).
 *
 * Adding a method: a handler in gateway/methods/m_<family>.c, a row in that
 * family's table, a parameter schema. The dispatcher has checked role, scope, rate and
 * parameters before the handler is called. See CONTRIBUTING.md.
 */
#ifndef CH_GATEWAY_GW_H
#define CH_GATEWAY_GW_H

#include "agent/agent.h"
#include "config/config.h"
#include "core/fiber.h"
#include "core/json.h"
#include "core/map.h"
#include "gateway/params.h"
#include "models/model.h"
#include "net/http_server.h"
#include "sessions/session.h"
#include "store/db.h"

/* Limits of protocol v4 (reference values); each stops the abuse named. */
#define GW_PREAUTH_FRAME_MAX 65536           /* memory before we know who it is */
#define GW_FRAME_MAX 26214400
#define GW_OUT_SOFT (4u << 20)               /* skip droppable events: a reader that fell behind */
#define GW_OUT_HARD 52428800                 /* close: a reader that never reads */
#define GW_OUT_SOFT_MS 10000                 /* … or is over the soft limit and takes nothing for this long */
#define GW_HANDSHAKE_MS 15000
#define GW_PREAUTH_PER_IP 32
#define GW_PREAUTH_QUEUE 15
#define GW_START_QUEUE 256                   /* requests of one connection not yet answered */
#define GW_PING_MS 25000
#define GW_TICK_MS 30000
#define GW_HEALTH_MS 60000
#define GW_SKEW_MS 120000
#define GW_PROTOCOL 4

/* Scopes as bits; names in gateway/scope.c. */
enum gw_scope {
	GW_SCOPE_NONE = 0,
	GW_SCOPE_READ = 1 << 0,
	GW_SCOPE_WRITE = 1 << 1,
	GW_SCOPE_ADMIN = 1 << 2,
	GW_SCOPE_APPROVALS = 1 << 3,
	GW_SCOPE_QUESTIONS = 1 << 4,
	GW_SCOPE_PAIRING = 1 << 5,
	GW_SCOPE_TALK = 1 << 6,
	GW_SCOPE_TALK_SECRETS = 1 << 7,
	GW_SCOPE_SESSIONS_READ = 1 << 8,
	GW_SCOPE_SESSIONS_WRITE = 1 << 9,
};
/* The one person this gateway is for; clients that stay act as this profile. */
#define GW_OWNER_PROFILE "gateway-owner"

enum gw_role { GW_ROLE_OPERATOR = 1, GW_ROLE_NODE = 2 };

enum gw_method_flags {
	GW_INLINE = 1,        /* runs in the read path, never parks */
	GW_HIDDEN = 2,        /* not in features.methods */
	GW_CONTROL_WRITE = 4, /* control-plane write: rate limited, audited */
	GW_NODE_ROLE = 8,     /* for role node, not operator */
	GW_OPEN_PARAMS = 16,  /* members that the schema does not name are ignored, not refused */
	GW_WAITS = 32,        /* only waits for something: cancelled when its client leaves */
};

struct gw;
struct gw_conn;
struct gw_watch;
struct gw_call;

struct gw_method {
	const char *name;
	CH_FIBER ch_status (*run)(struct gw_call *call, struct ch_err *err);
	unsigned scope;                      /* one bit; 0: any operator */
	unsigned flags;
	const struct gw_param *params;       /* {0}-ended; NULL: takes no parameters */
	unsigned (*dynamic_scope)(const struct gw_call *call);   /* or NULL */
	/* For run functions that many rows share (m_absent.c): what this row answers, or why it refuses. */
	const char *answer;
};
/* A family: its table and its length; gateway/method_table.c lists them all. */
struct gw_method_family { const struct gw_method *rows; const size_t *count; };
const struct gw_method *gw_method_find(const char *name);
const struct gw_method_family *gw_method_families(size_t *ret_count);

/* One request. The arena lives until the reply was sent. */
struct gw_call {
	struct gw *gw;
	struct gw_conn *conn;                /* referenced by the call; gw_conn_is_open() after a wait */
	struct arena *arena;
	const char *id, *method;
	const struct gw_method *row;
	const struct json *params;           /* an object, checked */
	int64_t received_mono_ms;
	const struct json *error_details;    /* set by a failing handler: error.details */
	bool replied;
	/* private: the reply being built */
	struct buf *out;
	struct jw jw;
};

/*
 * Replying: begin gives a writer standing inside `"payload":`; write exactly one value;
 * end sends. A handler that returns CH_OK must have replied; one that returns an error must not have.
 * gw_reply_more() is for methods with two replies of one id (`agent`): the call stays open.
 */
struct jw *gw_reply_begin(struct gw_call *call);
void gw_reply_end(struct gw_call *call);
void gw_reply_more_end(struct gw_call *call);
void gw_reply_json(struct gw_call *call, const struct json *payload);
/* error.details from a flat object built with json_*; gives code back for `return`. */
ch_status gw_fail_details(struct gw_call *call, struct ch_err *err, ch_status code,
			  const struct json *details, const char *fmt, ...) CH_PRINTF(5, 6);

/* -- who is connected (gateway/conn.h has the rest) -- */
const char *gw_conn_id(const struct gw_conn *c);
bool gw_conn_has(const struct gw_conn *c,
		 unsigned scope); /* with the implications admin => all, write => read */
bool gw_conn_has_cap(const struct gw_conn *c, const char *cap);
bool gw_conn_is_open(const struct gw_conn *c);
const char *gw_conn_client_id(const struct gw_conn *c);
const char *gw_conn_client_mode(const struct gw_conn *c);
const char *gw_conn_client_name(const struct gw_conn *c);        /* displayName, or NULL */
const char *gw_conn_device_id(const struct gw_conn *c);          /* or NULL */
/* Subscriptions of this connection. */
void gw_conn_subscribe_sessions(struct gw_conn *c, bool on);
void gw_conn_subscribe_messages(struct gw_conn *c, const char *session_key, bool on);
/* As messages, and the session's approvals too; subscribing to messages alone keeps it. */
void gw_conn_subscribe_approvals(struct gw_conn *c, const char *session_key);
bool gw_conn_wants_approvals(const struct gw_conn *c, const char *session_key);
bool gw_conn_wants_sessions(const struct gw_conn *c);
bool gw_conn_wants_messages(const struct gw_conn *c, const char *session_key);

/* -- events (gateway/event.c) -- */
enum gw_event_flags { GW_EV_DROP_IF_SLOW = 1, GW_EV_NO_SEQ = 2 };
/* Decides per connection; NULL: all that have the event's scope. */
typedef bool (*gw_event_filter)(const struct gw_conn *c, void *arg);
struct gw_event {
	const char *name;                    /* its scope is looked up in the event table */
	const char *payload; size_t len;     /* JSON text, rendered once for all receivers */
	unsigned flags;
	/*
	 * Streaming deltas of one run: while the client lags, a later one with the same name and key
	 * replaces the one not yet sent. delta_at, delta_len: where in the payload the characters of the
	 * delta's JSON string stand (without the quotes), so that the replaced one's text can be put in
	 * front; 0, 0: a snapshot, nothing to join. NULL: never merged.
	 */
	const char *coalesce_key;
	size_t delta_at, delta_len;
	int64_t presence_version, health_version;   /* stateVersion; 0: absent */
	gw_event_filter filter; void *filter_arg;
};
void gw_broadcast(struct gw *gw, const struct gw_event *ev);
/* Would a broadcast reach anybody? Asked before a payload is rendered that grows with a reply or a session. */
bool gw_is_heard(struct gw *gw, const char *name, gw_event_filter filter, void *filter_arg);
void gw_send_event(struct gw_conn *c, const struct gw_event *ev);
/* Names for features.events, NULL-ended. */
const char *const *gw_event_names(void);

/* -- one serializer per object (gateway/render_*.c); replies and events share them -- */
void gw_render_session_row(struct gw *gw, struct jw *w, const struct sess *s);          /* one object */
void gw_render_session_tombstones(
	struct gw *gw, struct jw *w,
	const struct sess
		*s); /* the flat members of sessions.changed / session.message, into an open object */
void gw_render_message(struct jw *w, const struct tr_entry *e); /* message + __openclaw */
void gw_render_health(struct gw *gw, struct jw *w);
void gw_render_presence(struct gw *gw, struct jw *w);                                    /* array */
/* sessions.changed for a row; reason or phase, the other NULL. */
void gw_session_changed(struct gw *gw, struct sess *s, const char *reason, const char *phase,
			const char *run_id);
/* sessions.changed without a row: something about many of them changed ("groups", "cleanup"). */
void gw_sessions_changed(struct gw *gw, const char *reason);
/* The agent host's on_event: fans out to connections (gateway/run_fanout.c). */
void gw_on_run_event(void *gw, const struct run_event *ev);

/* /restart in a conversation (methods/m_restart.c); arg is the gateway. */
CH_MUST_USE ch_status gw_restart_by_command(void *arg, const char *session_key, struct ch_err *err);

/* -- the whole -- */
struct gw {
	struct loop *loop;
	struct config_store *config;
	struct db *db;
	struct secret_store *secrets;        /* secrets/store.h */
	struct sess_store *sessions;
	struct lanes *lanes;
	struct http_client *http;
	struct models *models;
	struct agent_host *agents;
	struct http_server *server;
	struct gw_auth *auth;                /* gateway/auth.h */
	struct gw_devices *devices;          /* gateway/pair.h */
	struct gw_render *render;            /* gateway/render.h */
	struct gw_hub *hub;                  /* connections, presence, tick; gateway/conn.h */
	const char *state_dir, *version;
	char boot_id[37], instance_id[37];
	int64_t started_wall_ms, started_mono_ms;
	uint16_t port;
	bool is_tls, is_stopping;
	int64_t presence_version, health_version;
	bool bind_is_loopback, is_verbose;
	char *log_path;
	struct tls_ctx *tls;                 /* NULL: plain HTTP */
	struct gw_watch *watches;            /* gateway/watch.h */
	struct gw_services *services;        /* gateway/services.h: approvals, processes and what else tools use */
	struct chan_host *channels;          /* channels/host.h; the services own it */
	struct card_ending *card_endings;         /* cards.c: those that are being edited */
	struct fiber_cond card_ended;
	bool are_cards_over;
	struct gw_wizard *wizard;            /* methods/m_wizard.c; NULL: none yet */
	char reload_error[CH_ERR_TEXT_MAX];  /* of the last reading of credentials; "": none */
	/* Starting anew (methods/m_restart.c). */
	void (*on_restart)(void *arg);       /* NULL: nobody starts us again */
	void *on_restart_arg;
	bool is_restarting, restart_skips_deferral;
	int64_t restart_expected_ms;         /* told with the shutdown; 0: we do not come back */
};
/* config snapshot, borrowed. */
static inline struct config *gw_config(struct gw *gw) { return config_store_current(gw->config); }

struct gw_opts {
	const char *state_dir, *config_path; /* absolute */
	uint16_t port;                       /* 0: the configuration's */
	const char *bind;                    /* or NULL */
	const char *token;                   /* override; or NULL */
	bool verbose;                        /* debug lines on the console */
	/* Somebody wants the gateway stopped and started again: do so soon. NULL: cannot be asked for. */
	void (*on_restart)(void *arg);
	void *on_restart_arg;
	const struct http_server_opts
		*http; /* routes and admission: http_api_server(); arg becomes the gateway */
};
/*
 * Start order: state dir, db + lock, config, models, agents, http. err names the failing step and the way
 * out.
 */
CH_FIBER CH_MUST_USE ch_status gw_start(struct loop *l, const struct gw_opts *opts, struct gw **ret,
					struct ch_err *err);
/* shutdown event, drain runs, 1012, stop the server, close the db. */
CH_FIBER void gw_stop(struct gw *gw, const char *reason, int64_t deadline_ms);
void gw_free(struct gw *gw);

#endif
