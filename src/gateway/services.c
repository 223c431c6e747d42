/*
 * gateway/services.c - see services.h: each service is a line in each of these functions.
 */
#include "gateway/services.h"

#include "core/mem.h"

CH_FIBER ch_status gw_services_open(struct gw *gw, struct ch_err *err)
{
	gw->services = ch_alloc(sizeof(*gw->services));
	gw->services->host.http = gw->http;
	gw->services->host.secrets = gw->secrets;
	return CH_OK;
}

CH_FIBER ch_status gw_services_join(struct gw *gw, struct ch_err *err)
{
	return CH_OK;
}

CH_FIBER void gw_services_drain(struct gw *gw, int64_t deadline_ms)
{
}

void gw_services_free(struct gw *gw)
{
	if (!gw->services)
		return;
	ch_free(gw->services);
	gw->services = NULL;
}

void gw_services_config_changed(struct gw *gw)
{
}
