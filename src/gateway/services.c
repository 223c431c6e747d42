/*
 * gateway/services.c - see services.h: each service is a line in each of these functions.
 */
#include "gateway/services.h"

#include "agent/agent.h"
#include "agent/running.h"
#include "channels/host.h"
#include "core/mem.h"
#include "exec/allow.h"
#include "exec/process.h"
#include "gateway/agent_delete.h"
#include "gateway/approval_events.h"
#include "gateway/cards.h"
#include "gateway/channels.h"
#include "gateway/questions.h"
#include "tools/exec.h"
#include "web/web.h"

static struct config *config_now(void *arg)
{
	return gw_config(arg);
}

static struct chan_host *new_channels(struct gw *gw)
{
	return chan_host_new(&(struct chan_host_opts){ .loop = gw->loop, .db = gw->db, .http = gw->http,
						       .state_dir = gw->state_dir, .config = config_now, .config_arg = gw });
}

CH_FIBER ch_status gw_services_open(struct gw *gw, struct ch_err *err)
{
	struct tool_host *host;
	ch_status st;

	gw->services = ch_alloc(sizeof(*gw->services));
	fiber_cond_init(&gw->card_ended);
	host = &gw->services->host;
	host->http = gw->http;
	host->secrets = gw->secrets;
	host->web = web_new(gw->http);
	host->processes = process_host_new(gw->loop);
	host->channels = gw->channels = new_channels(gw);
	st = approvals_open(gw->loop, gw->db, &host->approvals, err);
	if (!st)
		st = exec_allow_open(gw->db, &host->exec_allow, err);
	return st ? st : gw_questions_open(gw, err);
}

static void on_approved(struct gw *gw, const struct approval *row)
{
	exec_resume(agent_tool_host(gw->agents), row);
}

/* The agents' own view of the services wakes sessions. */
static void on_process_done(void *arg, const struct process_info *p, const char *tail, size_t len)
{
	struct gw *gw = arg;

	exec_on_done(agent_tool_host(gw->agents), p, tail, len);
}

static void on_process_end(void *arg, const struct process_info *p)
{
	struct gw *gw = arg;

	running_ended(gw->agents, p);
}

CH_FIBER ch_status gw_services_join(struct gw *gw, struct ch_err *err)
{
	ch_status st;

	process_host_set_ops(gw->services->host.processes, &(struct process_ops){ gw, on_process_done, on_process_end });
	running_recover(gw->agents);
	gw->services->on_approved = on_approved;
	gw_questions_join(gw);
	gw_approvals_join(gw);
	approvals_recover(gw->services->host.approvals);         /* what it begins uses the others */
	gw_channels_join(gw);
	st = gw_agent_delete_finish(gw, err);                    /* before anybody can speak to an agent of that name */
	if (st)
		return st;
	st = chan_host_start(gw->channels, err);                 /* last: messages that come in use all */
	if (!st)
		gw_cards_recover(gw);
	return st;
}

CH_FIBER void gw_services_drain(struct gw *gw, int64_t deadline_ms)
{
	if (gw->channels)
		chan_host_drain(gw->channels, deadline_ms);
	gw_cards_drain(gw);
	process_host_drain(gw->services->host.processes, deadline_ms);
	if (gw->agents)
		agent_host_join(gw->agents);
}

void gw_services_session_gone(struct gw *gw, const char *session_key, bool is_deleted)
{
	if (gw->services && gw->services->host.processes)
		process_forget_session(gw->services->host.processes, session_key, is_deleted);
}

void gw_services_free(struct gw *gw)
{
	if (!gw->services)
		return;
	gw_questions_free(gw);
	approvals_free(gw->services->host.approvals);
	exec_allow_free(gw->services->host.exec_allow);
	process_host_free(gw->services->host.processes);
	chan_host_free(CH_TAKE(gw->channels));
	web_free(gw->services->host.web);
	ch_free(gw->services);
	gw->services = NULL;
}

void gw_services_config_changed(struct gw *gw)
{
	if (gw->channels)
		chan_host_config_changed(gw->channels);
}
