/*
 * gateway/gw_parts.h - steps of gw_start() that live in files of their own.
 */
#ifndef CH_GATEWAY_GW_PARTS_H
#define CH_GATEWAY_GW_PARTS_H

#include "gateway/gw.h"

/* Where to listen, decided from options and configuration. */
struct gw_bind {
	const char *hosts[2];            /* addresses; the second may be missing */
	bool second_is_optional;         /* ::1 beside 127.0.0.1: machines without IPv6 */
	bool is_loopback;
	uint16_t port;
};
/* Refuses a bind beyond loopback without authentication; says the way out. */
CH_MUST_USE ch_status gw_bind_decide(const struct gw_opts *opts, const struct config *c, bool has_auth,
				     struct gw_bind *ret, struct ch_err *err);
/* Loads or makes the certificate as gateway.tls says, and listens. */
CH_MUST_USE ch_status gw_listen(struct gw *gw, const struct gw_bind *bind, struct ch_err *err);

/* Log levels and file as the configuration says. */
CH_MUST_USE ch_status gw_log_open(struct gw *gw, const struct config *c, bool verbose, struct ch_err *err);
/* config_store's on_change. */
void gw_config_changed(void *gw, const struct config_change *ch);
/* Reads every credential again. */
void gw_reload_secrets(struct gw *gw);
/* The gateway stops: what is being read is broken off, and wait_quiet() waits for it. */
void gw_reload_end(struct gw *gw);
/* Until the changes so far are in force. */
CH_FIBER CH_MUST_USE ch_status gw_reload_wait(struct gw *gw, int64_t deadline_ms, struct ch_err *err);

/* The setup wizard and what it holds (methods/m_wizard.c). */
void gw_wizard_free(struct gw *gw);

#endif
