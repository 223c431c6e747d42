/*
 * gateway/methods/m_system.c - how the gateway is: health, status, the machine, who is here.
 */
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "agent/subagent.h"
#include "core/clock.h"
#include "core/file.h"
#include "core/str.h"
#include "gateway/hub.h"
#include "gateway/methods/methods.h"
#include "gateway/pair.h"
#include "gateway/render.h"

#define STATUS_RECENT 10
#define CPUINFO_MAX (1u << 20)

/* After the handshake there is nothing to connect to. */
static ch_status run_connect(struct gw_call *call, struct ch_err *err)
{
	return ch_fail(err, CH_E_INVALID, "connect is only valid as the first request");
}

static ch_status run_health(struct gw_call *call, struct ch_err *err)
{
	const struct buf *health = hub_health(call->gw->hub);

	jw_raw(gw_reply_begin(call), health->data, health->len);
	gw_reply_end(call);
	return CH_OK;
}

/* -- status -- */

struct recent {
	struct gw *gw;
	struct jw *w;
	int64_t now_ms;
};

static void write_flags(struct jw *w, const struct sess *s)
{
	char id[64];

	jw_karr(w, "flags");
	if (s->system_sent)
		jw_str(w, "system");
	snprintf(id, sizeof(id), "id:%.48s", s->session_id);
	jw_str(w, id);
	jw_end(w);
}

static bool write_recent(void *arg, const struct sess *s)
{
	struct recent *r = arg;
	struct jw *w = r->w;
	const struct gw_model_facts *m = gw_render_session_model(r->gw->render, s);
	int64_t left = CH_MAX(m->context_tokens - s->total_tokens, 0);

	jw_obj(w);
	jw_kstr(w, "agentId", s->agent_id);
	jw_kstr(w, "key", s->key);
	jw_kstr(w, "kind", sess_key_kind(s->key));
	jw_kstr(w, "sessionId", s->session_id);
	jw_kint(w, "updatedAt", s->updated_at);
	jw_kint(w, "age", CH_MAX(r->now_ms - s->updated_at, 0));
	jw_kbool(w, "systemSent", s->system_sent != 0);
	jw_kbool(w, "abortedLastRun", s->aborted_last_run != 0);
	jw_kint(w, "inputTokens", s->input_tokens);
	jw_kint(w, "outputTokens", s->output_tokens);
	jw_kint(w, "totalTokens", s->total_tokens);
	jw_kbool(w, "totalTokensFresh", true);
	jw_kint(w, "remainingTokens", left);
	jw_kint(w, "percentUsed", m->context_tokens > 0 ? s->total_tokens * 100 / m->context_tokens : 0);
	jw_kstr(w, "model", m->model);
	jw_kint(w, "contextTokens", m->context_tokens);
	write_flags(w, s);
	jw_end(w);
	return true;
}

/* `recent` and `count` of all agents or of one, into an open object. */
static ch_status write_sessions(struct gw_call *call, struct jw *w, const char *agent_id, struct ch_err *err)
{
	struct recent r = { call->gw, w, now_wall_ms() };
	struct sess_query q = { .agent_id = agent_id, .limit = STATUS_RECENT };
	size_t total = 0;
	ch_status st;

	jw_karr(w, "recent");
	st = sess_list(call->gw->sessions, &q, &total, write_recent, &r, err);
	jw_end(w);
	jw_kint(w, "count", (int64_t)total);
	return st;
}

static ch_status write_all_sessions(struct gw_call *call, struct jw *w, struct ch_err *err)
{
	struct gw *gw = call->gw;
	const struct agent_info *agents;
	size_t count = agents_list(gw_config(gw), gw->state_dir, call->arena, &agents);
	const struct gw_model_facts *m =
		gw_render_model(gw->render, agent_default_id(gw_config(gw), call->arena), NULL);
	ch_status st;

	jw_kobj(w, "sessions");
	jw_karr(w, "paths");
	if (gw_conn_has(call->conn, GW_SCOPE_ADMIN))
		jw_str(w, db_path(gw->db));
	jw_end(w);
	jw_kobj(w, "defaults");
	jw_kstr(w, "model", m->model);
	jw_kint(w, "contextTokens", m->context_tokens);
	jw_end(w);
	st = write_sessions(call, w, NULL, err);
	jw_karr(w, "byAgent");
	for (size_t i = 0; !st && i < count; i++) {
		jw_obj(w);
		jw_kstr(w, "agentId", agents[i].id);
		jw_kstr(w, "path", gw_conn_has(call->conn, GW_SCOPE_ADMIN) ? db_path(gw->db) : "[redacted]");
		st = write_sessions(call, w, agents[i].id, err);
		jw_end(w);
	}
	jw_end(w);
	jw_end(w);
	return st;
}

static void write_heartbeat(struct gw_call *call, struct jw *w)
{
	const struct agent_info *agents;
	size_t count = agents_list(gw_config(call->gw), call->gw->state_dir, call->arena, &agents);

	jw_kobj(w, "heartbeat");
	jw_kstr(w, "defaultAgentId", agent_default_id(gw_config(call->gw), call->arena));
	jw_karr(w, "agents");
	for (size_t i = 0; i < count; i++) {
		jw_obj(w);
		jw_kstr(w, "agentId", agents[i].id);
		jw_kbool(w, "enabled", false);
		jw_kstr(w, "every", "disabled");
		jw_knull(w, "everyMs");
		jw_end(w);
	}
	jw_end(w);
	jw_end(w);
}

static int64_t resident_bytes(void)
{
	CH_AUTO_BUF struct buf text = { 0 };
	const char *pages;
	int64_t n = 0;

	if (file_read("/proc/self/statm", 4096, &text, NULL) || !(pages = strchr(buf_str(&text), ' ')))
		return 0;
	for (pages++; *pages >= '0' && *pages <= '9'; pages++)
		n = n * 10 + (*pages - '0');
	return n * sysconf(_SC_PAGESIZE);
}

/* Where files are is for administrators. */
static void write_config_state(struct gw_call *call, struct jw *w)
{
	struct gw *gw = call->gw;
	size_t count;
	const struct config_issue *issues = config_store_issues(gw->config, &count);

	jw_kobj(w, "config");
	if (gw_conn_has(call->conn, GW_SCOPE_ADMIN))
		jw_kstr(w, "path", config_store_path(gw->config));
	jw_kbool(w, "degraded", config_store_degraded(gw->config));
	jw_karr(w, "issues");
	for (size_t i = 0; i < count; i++) {
		jw_obj(w);
		jw_kstr(w, "severity", issues[i].severity == CONFIG_ERROR ? "error" : "warning");
		jw_kstr(w, "path", issues[i].path);
		jw_kstr(w, "message", issues[i].message);
		jw_end(w);
	}
	jw_end(w);
	jw_end(w);
}

static void write_empty(struct jw *w, const char *key)
{
	jw_karr(w, key);
	jw_end(w);
}

/* Tasks are sub-agents; nobody audits them. */
static ch_status write_tasks(struct gw_call *call, struct jw *w, struct ch_err *err)
{
	struct subagent_counts n;
	ch_status st = subagents_count(call->gw->agents, &n, err);
	int64_t over = n.done + n.failed + n.timeout + n.stopped + n.lost;

	if (st)
		return st;
	jw_kobj(w, "tasks");
	jw_kint(w, "total", n.running + over);
	jw_kint(w, "active", n.running);
	jw_kint(w, "terminal", over);
	jw_kint(w, "failures", n.failed + n.timeout + n.lost);
	jw_kobj(w, "byStatus");
	jw_kint(w, "queued", 0);
	jw_kint(w, "running", n.running);
	jw_kint(w, "succeeded", n.done);
	jw_kint(w, "failed", n.failed);
	jw_kint(w, "timed_out", n.timeout);
	jw_kint(w, "cancelled", n.stopped);
	jw_kint(w, "lost", n.lost);
	jw_end(w);
	jw_kobj(w, "byRuntime");
	jw_kint(w, "subagent", n.running + over);
	jw_kint(w, "acp", 0);
	jw_kint(w, "cli", 0);
	jw_kint(w, "cron", 0);
	jw_end(w);
	jw_end(w);
	return CH_OK;
}

static const char no_task_audit[] = "{\"total\":0,\"warnings\":0,\"errors\":0,\"byCode\":{}}";

static ch_status run_status(struct gw_call *call, struct ch_err *err)
{
	struct jw *w = gw_reply_begin(call);
	ch_status st;

	jw_obj(w);
	jw_kstr(w, "runtimeVersion", call->gw->version);
	write_heartbeat(call, w);
	write_empty(w, "channelSummary");
	write_empty(w, "queuedSystemEvents");
	write_empty(w, "degradedSecretOwners");
	write_empty(w, "degradedPlugins");
	st = write_tasks(call, w, err);
	if (st)
		return st;
	jw_kraw(w, "taskAudit", no_task_audit, sizeof(no_task_audit) - 1);
	st = write_all_sessions(call, w, err);
	if (st)
		return st;
	jw_kobj(w, "modelRuntime");
	jw_kbool(w, "degraded", false);
	write_empty(w, "pendingAgents");
	jw_end(w);
	write_config_state(call, w);
	jw_kobj(w, "processMemory");
	jw_kint(w, "rssBytes", resident_bytes());
	jw_end(w);
	jw_kint(w, "connections", (int64_t)call->gw->hub->count);
	jw_kint(w, "pid", getpid());
	jw_kint(w, "uptimeMs", now_mono_ms() - call->gw->started_mono_ms);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

/* -- system.info -- */

/* The first "model name" of /proc/cpuinfo, or NULL. */
static const char *cpu_model(struct arena *a)
{
	CH_AUTO_BUF struct buf text = { 0 };
	const char *line, *value;

	if (file_read("/proc/cpuinfo", CPUINFO_MAX, &text, NULL))
		return NULL;
	line = strstr(buf_str(&text), "model name");
	value = line ? strchr(line, ':') : NULL;
	return value ? str_trim(a, arena_strndup(a, value + 1, strcspn(value + 1, "\n"))) : NULL;
}

/* MemAvailable of /proc/meminfo; 0 when unknown. */
static int64_t memory_available(void)
{
	CH_AUTO_BUF struct buf text = { 0 };
	const char *p;
	int64_t kib = 0;

	if (file_read("/proc/meminfo", 65536, &text, NULL) || !(p = strstr(buf_str(&text), "MemAvailable:")))
		return 0;
	for (p += strcspn(p, "0123456789"); *p >= '0' && *p <= '9'; p++)
		kib = kib * 10 + (*p - '0');
	return kib * 1024;
}

static void write_disk(struct jw *w, const char *path)
{
	struct statvfs fs;

	if (statvfs(path, &fs))
		return;
	jw_kint(w, "diskTotalBytes", (int64_t)fs.f_blocks * (int64_t)fs.f_frsize);
	jw_kint(w, "diskAvailableBytes", (int64_t)fs.f_bavail * (int64_t)fs.f_frsize);
	jw_kstr(w, "diskPath", path);
}

static void write_load(struct jw *w)
{
	double load[3];

	if (getloadavg(load, 3) != 3)
		return;
	jw_karr(w, "loadAverage");
	for (int i = 0; i < 3; i++)
		jw_num(w, (double)(int64_t)(load[i] * 100 + 0.5) / 100);
	jw_end(w);
}

static void write_machine(struct gw_call *call, struct jw *w)
{
	const char *cpu = cpu_model(call->arena);
	struct utsname u;

	uname(&u);
	jw_kstr(w, "machineName", u.nodename);
	jw_kstr(w, "hostname", u.nodename);
	jw_kstr(w, "platform", "linux");
	jw_kstr(w, "release", u.release);
	jw_kstr(w, "arch",
		str_eq(u.machine, "x86_64")    ? "x64"
		: str_eq(u.machine, "aarch64") ? "arm64"
					       : u.machine);
	jw_kstr(w, "osLabel", arena_printf(call->arena, "Linux %s", u.release));
	jw_kint(w, "port", call->gw->port);
	jw_kstr(w, "nodeVersion", "none");
	jw_kint(w, "pid", getpid());
	jw_kstr(w, "processInstanceId", call->gw->boot_id);
	jw_kint(w, "uptimeMs", now_mono_ms() - call->gw->started_mono_ms);
	jw_kint(w, "cpuCount", sysconf(_SC_NPROCESSORS_ONLN));
	jw_kstr_opt(w, "cpuModel", cpu);
}

static ch_status run_info(struct gw_call *call, struct ch_err *err)
{
	struct jw *w = gw_reply_begin(call);
	struct sysinfo mem;

	if (sysinfo(&mem))
		return ch_fail(err, CH_E_IO,
			       "system.info: the kernel does not tell how much memory there is");
	jw_obj(w);
	write_machine(call, w);
	write_load(w);
	jw_kint(w, "memoryTotalBytes", (int64_t)mem.totalram * mem.mem_unit);
	jw_kint(w, "memoryFreeBytes", memory_available());
	write_disk(w, call->gw->state_dir);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

/* -- who -- */

static ch_status run_presence(struct gw_call *call, struct ch_err *err)
{
	gw_render_presence(call->gw, gw_reply_begin(call));
	gw_reply_end(call);
	return CH_OK;
}

static ch_status run_identity(struct gw_call *call, struct ch_err *err)
{
	struct jw *w = gw_reply_begin(call);

	jw_obj(w);
	jw_kstr(w, "deviceId", call->gw->devices->device_id);
	jw_kstr(w, "publicKey", call->gw->devices->public_key);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

const struct gw_method gwm_system[] = {
	/* name                    run           scope           flags */
	{ "connect",               run_connect,  GW_SCOPE_ADMIN, GW_INLINE | GW_HIDDEN | GW_OPEN_PARAMS },
	{ "gateway.identity.get",  run_identity, GW_SCOPE_READ,  GW_INLINE | GW_OPEN_PARAMS },
	{ "health",                run_health,   GW_SCOPE_READ,  GW_INLINE | GW_OPEN_PARAMS },
	{ "status",                run_status,   GW_SCOPE_READ,  GW_OPEN_PARAMS },
	{ "system-presence",       run_presence, GW_SCOPE_READ,  GW_INLINE | GW_OPEN_PARAMS },
	{ "system.info",           run_info,     GW_SCOPE_READ,  GW_INLINE },
};
const size_t gwm_system_count = CH_ARRAY_LEN(gwm_system);
