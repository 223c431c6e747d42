/*
 * gateway/render_session.c - a session as clients see it: one serializer for lists, replies and events.
 *
 * sessions.changed and session.message carry the row twice: as `session`, without what is
 * unset, and flat, where what is unset is null, so that a client can merge the frame over
 * what it has.
 */
#include <string.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/str.h"
#include "gateway/render.h"
#include "sessions/branch.h"

#define FACTS_ARENA_MAX (1u << 20)
#define WANTED_MAX 256                   /* "provider/model" of a session; a longer one is cut and not found */

struct gw_render {
	struct gw *gw;
	struct map *facts;               /* "agent\nwanted" -> struct gw_model_facts */
	struct map *settings;            /* agent -> struct agent_settings */
	struct arena *arena;
};

struct gw_render *gw_render_new(struct gw *gw)
{
	struct gw_render *r = ch_calloc(1, sizeof(*r));

	r->gw = gw;
	r->facts = map_new();
	r->settings = map_new();
	r->arena = arena_new(FACTS_ARENA_MAX);
	return r;
}

void gw_render_free(struct gw_render *r)
{
	if (!r)
		return;
	map_free(r->facts);
	map_free(r->settings);
	arena_unref(r->arena);
	ch_free(r);
}

void gw_render_forget(struct gw_render *r)
{
	map_free(r->facts);
	map_free(r->settings);
	r->facts = map_new();
	r->settings = map_new();
	arena_clear(r->arena);
}

static const struct gw_model_facts *ask_model(struct gw_render *r, const char *agent_id, const char *wanted, const char *key)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct gw_model_facts *f;
	struct model_entry m = { 0 };
	const char *source = "offline";

	if (arena_used(r->arena) > FACTS_ARENA_MAX / 2)
		gw_render_forget(r);
	f = arena_alloc(r->arena, sizeof(*f));
	if (model_resolve(r->gw->models, wanted, agent_id, a, &m, &source, NULL) == CH_OK) {
		f->provider = arena_strdup(r->arena, m.provider);
		f->model = arena_strdup(r->arena, m.id);
		f->context_tokens = m.context_window;
		f->is_reasoning = m.reasoning;
	} else if (wanted) {
		/* Chosen once and gone since: show the choice, the turn will say what is wrong. */
		const char *slash = strchr(wanted, '/');

		f->provider = arena_strndup(r->arena, wanted, slash ? (size_t)(slash - wanted) : strlen(wanted));
		f->model = arena_strdup(r->arena, slash ? slash + 1 : wanted);
	} else {
		f->provider = f->model = "unknown";
	}
	f->source = source;
	map_put(r->facts, key, f);
	return f;
}

const struct gw_model_facts *gw_render_model(struct gw_render *r, const char *agent_id, const char *wanted)
{
	char key[AGENT_ID_MAX + WANTED_MAX + 2];
	struct gw_model_facts *f;

	snprintf(key, sizeof(key), "%s\n%s", agent_id, wanted ? wanted : "");
	f = map_find(r->facts, key);
	return f ? f : ask_model(r, agent_id, wanted, key);
}

const struct gw_model_facts *gw_render_session_model(struct gw_render *r, const struct sess *s)
{
	char wanted[WANTED_MAX];

	/* Without a choice the row holds what the last turn used; the next one may use another default. */
	if (str_empty(s->model_override_source) || str_empty(s->model) || str_empty(s->model_provider))
		return gw_render_model(r, s->agent_id, NULL);
	snprintf(wanted, sizeof(wanted), "%s/%s", s->model_provider, s->model);
	return gw_render_model(r, s->agent_id, wanted);
}

const char *const *gw_thinking_levels(const struct gw_model_facts *m)
{
	return thinking_options(m->is_reasoning);
}

/* Written as text: every row of a list has them. */
void gw_render_thinking(struct jw *w, const struct gw_model_facts *m)
{
	static const char plain[] = "[{\"id\":\"off\",\"label\":\"off\"}]";
	static const char levels[] = "[{\"id\":\"off\",\"label\":\"off\"},{\"id\":\"minimal\",\"label\":\"minimal\"},"
				     "{\"id\":\"low\",\"label\":\"low\"},{\"id\":\"medium\",\"label\":\"medium\"},"
				     "{\"id\":\"high\",\"label\":\"high\"}]";
	static const char plain_names[] = "[\"off\"]";
	static const char level_names[] = "[\"off\",\"minimal\",\"low\",\"medium\",\"high\"]";

	if (m->is_reasoning) {
		jw_kraw(w, "thinkingLevels", levels, sizeof(levels) - 1);
		jw_kraw(w, "thinkingOptions", level_names, sizeof(level_names) - 1);
	} else {
		jw_kraw(w, "thinkingLevels", plain, sizeof(plain) - 1);
		jw_kraw(w, "thinkingOptions", plain_names, sizeof(plain_names) - 1);
	}
	jw_kstr(w, "thinkingDefault", m->is_reasoning ? "medium" : "off");
}

void gw_render_runtime(struct jw *w)
{
	static const char runtime[] = "{\"id\":\"openclaw\",\"cloudPlacementSupported\":false,"
				      "\"devicePlacementSupported\":false,\"source\":\"implicit\"}";

	jw_kraw(w, "agentRuntime", runtime, sizeof(runtime) - 1);
}

void gw_render_session_defaults(struct gw *gw, struct jw *w, const char *agent_id)
{
	const struct gw_model_facts *m = gw_render_model(gw->render, agent_id, NULL);

	jw_obj(w);
	jw_kstr(w, "modelProvider", m->provider);
	jw_kstr(w, "model", m->model);
	jw_kint(w, "contextTokens", m->context_tokens);
	gw_render_runtime(w);
	gw_render_thinking(w, m);
	jw_kstr(w, "modelSelectionTarget", "session");
	jw_end(w);
}

/* -- members, present when set (row) or null when not (flat) -- */

enum shape { SHAPE_ROW, SHAPE_FLAT };

static void put_str(struct jw *w, enum shape shape, const char *key, const char *value)
{
	if (!str_empty(value))
		jw_kstr(w, key, value);
	else if (shape == SHAPE_FLAT)
		jw_knull(w, key);
}

static void put_int(struct jw *w, enum shape shape, const char *key, int64_t value)
{
	if (value)
		jw_kint(w, key, value);
	else if (shape == SHAPE_FLAT)
		jw_knull(w, key);
}

static void put_json(struct jw *w, const char *key, const char *json_text, const char *otherwise)
{
	const char *text = str_empty(json_text) ? otherwise : json_text;

	jw_kraw(w, key, text, strlen(text));
}

/* participants is kept as a JSON array of {identity}. */
static int64_t participant_count(const char *participants)
{
	int64_t n = 0;

	for (const char *p = participants; p && (p = strstr(p, "\"identity\":")); p++)
		n++;
	return n;
}

/* Who made it owns it. */
static void put_owner(struct jw *w, enum shape shape, const struct sess *s)
{
	if (!str_empty(s->created_actor)) {
		jw_kobj(w, "owner");
		put_json(w, "actor", s->created_actor, "null");
		jw_end(w);
	} else if (shape == SHAPE_FLAT) {
		jw_knull(w, "owner");
	}
}

static void put_people(struct jw *w, enum shape shape, const struct sess *s)
{
	jw_kstr(w, "visibility", "shared");
	put_str(w, shape, "permissionMode", s->permission_mode);
	jw_kbool(w, "permissionModePending", false);
	put_str(w, shape, "createdVia", s->created_via);
	if (shape == SHAPE_FLAT || !str_empty(s->created_actor))
		put_json(w, "createdActor", s->created_actor, "null");
	put_owner(w, shape, s);
	put_json(w, "participants", s->participants, "[]");
	if (shape == SHAPE_ROW)
		put_json(w, "expandedParticipants", s->participants, "[]");
	jw_kint(w, "participantCount", participant_count(s->participants));
	jw_kint(w, "createdAt", s->created_at);
}

bool gw_session_is_unread(const struct sess *s)
{
	int64_t since = s->last_read_at ? s->last_read_at : s->created_at;

	return s->marked_unread_at || CH_MAX(s->last_interaction_at, s->ended_at) > since;
}

static void put_names(struct jw *w, enum shape shape, const struct sess *s)
{
	put_str(w, shape, "label", s->label);
	put_str(w, shape, "displayName", s->display_name);
	put_str(w, shape, "autoLabel", s->auto_label);
	put_str(w, shape, "icon", s->icon);
	put_str(w, shape, "color", s->color);
	put_str(w, shape, "category", s->category);
	jw_kstr(w, "kind", sess_key_kind(s->key));
	jw_kstr(w, "chatType", str_empty(s->chat_type) ? "direct" : s->chat_type);
	jw_kbool(w, "archived", s->archived_at != 0);
	put_int(w, shape, "archivedAt", s->archived_at);
	jw_kbool(w, "pinned", s->pinned_at != 0);
	put_int(w, shape, "pinnedAt", s->pinned_at);
	jw_kbool(w, "unread", gw_session_is_unread(s));
	put_int(w, shape, "lastReadAt", s->last_read_at);
	put_int(w, shape, "markedUnreadAt", s->marked_unread_at);
	jw_kint(w, "updatedAt", s->updated_at);
	jw_kstr(w, "sessionId", s->session_id);
	put_int(w, shape, "lastInteractionAt", s->last_interaction_at);
}

/* Of an agent's sessions without a channel, which are most of a list: kept until the configuration changes. */
static const struct agent_settings *defaults_of(struct gw_render *r, const char *agent_id)
{
	struct agent_settings *kept = map_find(r->settings, agent_id), now;

	if (kept)
		return kept;
	agent_settings_default(gw_config(r->gw), agent_id, NULL, &now);
	kept = arena_alloc(r->arena, sizeof(*kept));
	*kept = (struct agent_settings){
		.fast = arena_strdup(r->arena, now.fast), .fast_source = now.fast_source,
		.verbose = arena_strdup(r->arena, now.verbose), .reasoning = arena_strdup(r->arena, now.reasoning),
		.usage = arena_strdup(r->arena, now.usage), .queue_mode = now.queue_mode,
	};
	map_put(r->settings, agent_id, kept);
	return kept;
}

static void settings_of(struct gw_render *r, const struct sess *s, struct agent_settings *ret)
{
	if (str_empty(s->channel)) {
		*ret = *defaults_of(r, s->agent_id);
		agent_settings_choose(ret, s);
	} else {
		agent_settings_of(gw_config(r->gw), s, ret);
	}
}

static void put_settings(struct gw *gw, struct jw *w, enum shape shape, const struct sess *s,
			 const struct gw_model_facts *m)
{
	struct agent_settings now;

	settings_of(gw->render, s, &now);
	put_str(w, shape, "thinkingLevel", s->thinking_level);
	put_str(w, shape, "verboseLevel", s->verbose_level);
	put_str(w, shape, "reasoningLevel", s->reasoning_level);
	if (str_eq(now.fast, "auto"))
		jw_kstr(w, "effectiveFastMode", "auto");
	else
		jw_kbool(w, "effectiveFastMode", str_eq(now.fast, "on"));
	jw_kstr(w, "effectiveFastModeSource", now.fast_source);
	jw_kint(w, "fastAutoOnSeconds", 60);
	put_str(w, shape, "responseUsage", s->response_usage);
	jw_kstr(w, "effectiveResponseUsage", now.usage);
	if (shape == SHAPE_ROW)
		jw_kstr(w, "effectiveQueueMode", now.queue_mode);
	jw_kstr(w, "modelProvider", m->provider);
	jw_kstr(w, "model", m->model);
	put_str(w, shape, "activeModelProvider", s->active_provider);
	put_str(w, shape, "activeModel", s->active_model);
	if (str_empty(s->model_override_source))
		jw_knull(w, "modelOverrideSource");
	else
		jw_kstr(w, "modelOverrideSource", s->model_override_source);
	gw_render_runtime(w);
	jw_kbool(w, "runtimeSelectionLocked", false);
	jw_kint(w, "contextTokens", m->context_tokens);
}

static void put_run(struct gw *gw, struct jw *w, enum shape shape, const struct sess *s)
{
	static const char *const none[] = { NULL };
	bool has_desk = agent_is_active(gw->agents, s->key);    /* most rows of a list have none */
	CH_AUTO(arena_unref) struct arena *a = has_desk ? arena_new(0) : NULL;
	const char *const *runs = has_desk ? agent_active_runs(gw->agents, s->key, a) : none;
	bool is_active = runs[0] != NULL;

	jw_kbool(w, "systemSent", s->system_sent != 0);
	jw_kbool(w, "abortedLastRun", s->aborted_last_run != 0);
	put_int(w, shape, "inputTokens", s->input_tokens);
	put_int(w, shape, "outputTokens", s->output_tokens);
	jw_kint(w, "totalTokens", s->total_tokens);
	jw_kbool(w, "totalTokensFresh", true);
	if (s->input_tokens || s->cost_usd != 0)
		jw_knum(w, "estimatedCostUsd", s->cost_usd);
	put_str(w, shape, "status", is_active ? "running" : s->status);
	put_str(w, shape, "lastRunId", s->last_run_id);
	put_str(w, shape, "lastRunError", s->last_run_error);
	put_int(w, shape, "startedAt", s->started_at);
	if (is_active && shape == SHAPE_FLAT) {
		jw_knull(w, "endedAt");
		jw_knull(w, "runtimeMs");
	} else if (!is_active) {
		put_int(w, shape, "endedAt", s->ended_at);
		put_int(w, shape, "runtimeMs", s->runtime_ms);
	}
	jw_kbool(w, "hasActiveRun", is_active);
	jw_karr(w, "activeRunIds");
	for (size_t i = 0; runs[i]; i++)
		jw_str(w, runs[i]);
	jw_end(w);
	jw_kstr(w, "sharingRole", "admin");
}

struct children { struct jw *w; bool any; };

static void put_child(void *arg, const char *key)
{
	struct children *c = arg;

	if (!c->any)
		jw_karr(c->w, "childSessions");
	c->any = true;
	jw_str(c->w, key);
}

/* Parents and children; a list that cannot be read is left out, the row is still a row. */
static void put_family(struct gw *gw, struct jw *w, const struct sess *s)
{
	struct children c = { .w = w };

	put_str(w, SHAPE_ROW, "spawnedBy", s->spawned_by);
	put_str(w, SHAPE_ROW, "parentSessionKey", s->parent_key);
	if (!str_empty(s->fork_source)) {
		put_json(w, "forkSource", s->fork_source, "null");
		jw_kbool(w, "forkedFromParent", true);
	}
	if (sess_children(gw->sessions, s->key, put_child, &c, NULL))
		log_warn("gateway", "the children of session %s cannot be listed; its row goes out without them", s->key);
	if (c.any)
		jw_end(w);
}

static void put_leaf(struct gw *gw, struct jw *w, const struct sess *s)
{
	char id[BRANCH_ID_MAX];

	if (branch_leaf(gw->sessions, s->session_id, id, NULL))
		return;
	if (id[0])
		jw_kstr(w, "activeLeafEntryId", id);
	else
		jw_knull(w, "activeLeafEntryId");
}

void gw_render_session_row_as(struct gw *gw, struct jw *w, const struct sess *s, unsigned flags)
{
	const struct gw_model_facts *m = gw_render_session_model(gw->render, s);
	const char *classification = sess_key_classification(s->key);

	jw_obj(w);
	jw_kstr(w, "key", s->key);
	jw_kstr(w, "agentId", s->agent_id);
	put_people(w, SHAPE_ROW, s);
	jw_kstr(w, "classification", classification);
	jw_kbool(w, "isMain", sess_key_is_main(s->key));
	jw_kbool(w, "isBackground", str_in(classification, (const char *const[]){ "cron", "subagent", "hook", "boot" }, 4));
	if (flags & GW_ROW_TITLE)
		put_str(w, SHAPE_ROW, "derivedTitle", s->derived_title);
	if (flags & GW_ROW_PREVIEW)
		put_str(w, SHAPE_ROW, "lastMessagePreview", s->last_preview);
	put_family(gw, w, s);
	put_str(w, SHAPE_ROW, "channel", s->channel);
	put_names(w, SHAPE_ROW, s);
	gw_render_thinking(w, m);
	put_settings(gw, w, SHAPE_ROW, s, m);
	put_run(gw, w, SHAPE_ROW, s);
	if (flags & GW_ROW_LEAF)
		put_leaf(gw, w, s);
	jw_kint(w, "snapshotAt", now_wall_ms());
	jw_end(w);
}

void gw_render_session_row(struct gw *gw, struct jw *w, const struct sess *s)
{
	gw_render_session_row_as(gw, w, s, GW_ROW_TITLE | GW_ROW_PREVIEW);
}

/* What this gateway never sets but clients merge by name. */
static void put_absent(struct jw *w)
{
	static const char *const absent[] = {
		"archivedBy", "archiveReason", "agentStatus", "observerDigest",
		"controlOwnerSessionKey", "swarm", "channelAvatarUrl", "boardPresentation", "toolOverrides",
		"restartRecoveryStatus", "goal", "contextBudgetStatus", "providerReview",
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(absent); i++)
		jw_knull(w, absent[i]);
	jw_kbool(w, "hasAutomation", false);
	jw_karr(w, "ancestorSessions");
	jw_end(w);
}

void gw_render_session_tombstones(struct gw *gw, struct jw *w, const struct sess *s)
{
	const struct gw_model_facts *m = gw_render_session_model(gw->render, s);

	put_people(w, SHAPE_FLAT, s);
	put_names(w, SHAPE_FLAT, s);
	put_settings(gw, w, SHAPE_FLAT, s, m);
	put_run(gw, w, SHAPE_FLAT, s);
	put_absent(w);
}

void gw_render_session_entry(struct jw *w, const struct sess *s)
{
	static const char stored_actor[] = "{\"type\":\"human\",\"source\":\"profile\",\"id\":\"" GW_OWNER_PROFILE "\"}";
	char revision[24];

	snprintf(revision, sizeof(revision), "%lld", (long long)s->lifecycle_revision);
	jw_obj(w);
	jw_kstr(w, "sessionId", s->session_id);
	jw_kstr(w, "lifecycleRevision", revision);
	jw_kint(w, "updatedAt", s->updated_at);
	jw_kint(w, "sessionStartedAt", s->session_started_at);
	jw_kbool(w, "systemSent", s->system_sent != 0);
	jw_kbool(w, "abortedLastRun", s->aborted_last_run != 0);
	jw_kstr(w, "chatType", str_empty(s->chat_type) ? "direct" : s->chat_type);
	jw_kint(w, "compactionCount", s->compaction_count);
	put_str(w, SHAPE_ROW, "createdVia", s->created_via);
	if (!str_empty(s->created_actor))
		put_json(w, "createdActor", stored_actor, "null");
	jw_kint(w, "createdAt", s->created_at);
	jw_kint(w, "inputTokens", s->input_tokens);
	jw_kint(w, "outputTokens", s->output_tokens);
	jw_kint(w, "totalTokens", s->total_tokens);
	jw_kbool(w, "totalTokensFresh", true);
	put_str(w, SHAPE_ROW, "label", s->label);
	put_str(w, SHAPE_ROW, "displayName", s->display_name);
	put_str(w, SHAPE_ROW, "thinkingLevel", s->thinking_level);
	put_str(w, SHAPE_ROW, "verboseLevel", s->verbose_level);
	put_str(w, SHAPE_ROW, "responseUsage", s->response_usage);
	put_str(w, SHAPE_ROW, "modelProvider", s->model_provider);
	put_str(w, SHAPE_ROW, "model", s->model);
	put_str(w, SHAPE_ROW, "modelOverrideSource", s->model_override_source);
	put_str(w, SHAPE_ROW, "parentSessionKey", s->parent_key);
	put_int(w, SHAPE_ROW, "archivedAt", s->archived_at);
	put_int(w, SHAPE_ROW, "pinnedAt", s->pinned_at);
	put_int(w, SHAPE_ROW, "lastReadAt", s->last_read_at);
	put_int(w, SHAPE_ROW, "markedUnreadAt", s->marked_unread_at);
	put_str(w, SHAPE_ROW, "icon", s->icon);
	put_str(w, SHAPE_ROW, "color", s->color);
	put_str(w, SHAPE_ROW, "category", s->category);
	put_str(w, SHAPE_ROW, "autoLabel", s->auto_label);
	if (str_eq(s->fast_mode, "auto"))
		jw_kstr(w, "fastMode", "auto");
	else if (!str_empty(s->fast_mode))
		jw_kbool(w, "fastMode", str_eq(s->fast_mode, "on"));
	put_str(w, SHAPE_ROW, "reasoningLevel", s->reasoning_level);
	put_str(w, SHAPE_ROW, "permissionMode", s->permission_mode);
	if (!str_empty(s->fork_source))
		put_json(w, "forkSource", s->fork_source, "null");
	jw_end(w);
}

void gw_render_resolved(struct gw *gw, struct jw *w, const struct sess *s)
{
	const struct gw_model_facts *m = gw_render_session_model(gw->render, s);

	jw_obj(w);
	jw_kstr(w, "modelProvider", m->provider);
	jw_kstr(w, "model", m->model);
	gw_render_runtime(w);
	jw_kbool(w, "runtimeSelectionLocked", false);
	jw_end(w);
}

ch_status gw_session_key(struct gw_call *call, const char *text, struct sess_key *ret, struct ch_err *err)
{
	const char *agent = json_get_str(call->params, "agentId");

	if (str_empty(agent))
		agent = agent_default_id(gw_config(call->gw), call->arena);
	return sess_key_parse(call->arena, text, agent, ret, err);
}

ch_status gw_session_key_param(struct gw_call *call, struct sess_key *ret, struct ch_err *err)
{
	const char *key = json_get_str(call->params, "key");

	return gw_session_key(call, key ? key : json_str_or(json_get(call->params, "sessionKey"), ""), ret, err);
}
