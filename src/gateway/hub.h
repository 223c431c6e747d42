/*
 * gateway/hub.h - all connections, and what happens to them by the clock.
 *
 * Owns    the list of connections, the per-address counts of those not yet
 *         authenticated, the calls in flight, pools of arenas and buffers.
 * Runs    one timer for everything: handshake deadlines, tick (GW_TICK_MS),
 *         health (GW_HEALTH_MS), slow readers, pairing requests that expired. It sleeps while nobody is
 *         connected.
 */
#ifndef CH_GATEWAY_HUB_H
#define CH_GATEWAY_HUB_H

#include "core/fiber.h"
#include "gateway/conn.h"
#include "gateway/limiter.h"
#include "gateway/replay.h"

#define HUB_CONTROL_WRITES 30            /* control-plane writes a method, a client and … */
#define HUB_CONTROL_WINDOW_MS 60000
#define HUB_POOL 16
#define HUB_POOLED_BUF_BYTES 65536       /* larger ones are not kept */

struct call_box;

struct gw_hub {
	struct gw *gw;
	struct gw_conn *head, *tail;
	size_t count, preauth_count;
	size_t judging, reloading;       /* fibers alive: handshakes, configuration changes */
	size_t restarting;               /* fibers alive: those that wait for a quiet moment to restart */
	struct fiber *reload;            /* the one for the newest change; those before it were cancelled. NULL: none */
	bool is_config_untold;           /* the configuration changed, and clients have not heard of it */
	struct fiber_cond reloaded;      /* reloading went down */
	struct replay *replay;           /* answers by idempotency key */
	struct limiter *control_writes;  /* per method and device with address */
	struct map *preauth_by_ip;       /* address -> count as a pointer-sized integer */
	struct loop_timer *timer;
	int64_t next_tick_ms, next_health_ms, next_sweep_ms;
	struct call_box *calls;          /* in flight, newest first */
	size_t call_count;
	struct arena *arenas[HUB_POOL];
	size_t arena_count;
	char *bufs[HUB_POOL];
	size_t buf_caps[HUB_POOL];
	size_t buf_count;
	struct buf health;               /* rendered health, good until health_until_ms */
	int64_t health_until_ms;
	int64_t self_since_ms;
	int64_t presence_due_ms, presence_sent_ms;   /* due 0: nothing to tell */
	bool is_presence_deferred;       /* a loop_defer() is on its way */
	bool is_idle;                    /* the timer is not armed */
	char address[64];                /* of this machine, for presence; good until address_until_ms */
	int64_t address_until_ms;
	int64_t log_window_ms;
	unsigned log_lines;
};

struct gw_hub *hub_new(struct gw *gw);
void hub_free(struct gw_hub *h);

/* Is there room for one more unauthenticated socket of this address? */
bool hub_admits(const struct gw_hub *h, const char *ip);
void hub_add(struct gw_hub *h, struct gw_conn *c);
void hub_remove(struct gw_hub *h, struct gw_conn *c);
void hub_preauth_left(struct gw_hub *h, const char *ip);

/* An arena or buffer for one request; give it back. */
struct arena *hub_take_arena(struct gw_hub *h);
void hub_give_arena(struct gw_hub *h, struct arena *a);
void hub_take_buf(struct gw_hub *h, struct buf *b, size_t max_bytes);
void hub_give_buf(struct gw_hub *h, struct buf *b);

/* The clock has something to look at soon: arms the timer. */
void hub_poke(struct gw_hub *h);
/* An address of this machine that others could use; "" when there is none. */
const char *presence_lan_address(struct gw_hub *h);
/* Somebody came or went: bumps the version and tells everybody, soon. */
void hub_presence_changed(struct gw_hub *h);
/* What health shows may have changed. */
void hub_health_changed(struct gw_hub *h);
/* … and clients are told within a second, not with the next minute. */
void hub_health_soon(struct gw_hub *h);
/* May one more line about a refused client be written? A stranger must not fill the disk. */
bool hub_may_log(struct gw_hub *h);
/* Is somebody connected with this device? */
bool hub_has_device(const struct gw_hub *h, const char *device_id);
/* Closes them; role 0: any role. */
void hub_close_device(struct gw_hub *h, const char *device_id, enum gw_role role, const char *reason);
/* Closes all that came in by the shared secret. */
void hub_close_shared_auth(struct gw_hub *h, const char *reason);
void hub_close_all(struct gw_hub *h, uint16_t code, const char *reason);

/* The health payload, rendered at most once a second; borrowed until the next call. */
const struct buf *hub_health(struct gw_hub *h);

#endif
