/*
 * gateway/methods/m_artifacts.c - what a session made that can be taken away: the pictures in its messages.
 *
 * An artifact's id is "<message id>:<n>", the n-th picture of that message. The newest SCAN_ENTRIES messages
 * are looked at.
 */
#include "core/str.h"
#include "gateway/methods/methods.h"
#include "gateway/render.h"
#include "sessions/input.h"
#include "sessions/transcript.h"

#define SCAN_ENTRIES 2000
#define SCAN_BYTES (64u << 20)
#define LIST_DEFAULT 50

struct place {
	struct sess *sess;               /* referenced, or NULL: no such session */
	const char *run_id;              /* or NULL: all runs */
};

static void place_done(struct place *p)
{
	sess_unref(p->sess);
}

static ch_status fail_type(struct gw_call *call, struct ch_err *err, const char *type, const char *text)
{
	const char *id = json_get_str(call->params, "artifactId");
	struct json *details = json_new_obj(call->arena);

	json_set(call->arena, details, "type", json_new_str(call->arena, type));
	if (id && str_eq(type, "artifact_not_found"))
		json_set(call->arena, details, "artifactId", json_new_str(call->arena, id));
	(void)gw_fail_details(call, err, CH_E_NOT_FOUND, details, "%s", text);
	return CH_E_NOT_FOUND;
}

/* The key of the session that is asked about; NULL: a task's, and there are no tasks. */
static ch_status session_key(struct gw_call *call, struct place *p, const char **ret, struct ch_err *err)
{
	struct input_row in;
	struct sess_key key;
	ch_status st;

	p->run_id = json_get_str(call->params, "runId");
	*ret = NULL;
	if (json_get(call->params, "sessionKey")) {
		st = gw_session_key_param(call, &key, err);
		if (!st)
			*ret = key.key;
		return st;
	}
	if (p->run_id) {
		st = input_find_run(call->gw->sessions, p->run_id, call->arena, &in, err);
		if (!st)
			*ret = in.session_key;
		return st == CH_E_NOT_FOUND ? CH_OK : st;
	}
	return json_get(call->params, "taskId") ? CH_OK :
						  fail_type(call, err, "artifact_query_unsupported",
							    "artifacts require one of sessionKey, runId, or taskId");
}

static ch_status find_place(struct gw_call *call, struct place *ret, struct ch_err *err)
{
	const char *key;
	ch_status st = session_key(call, ret, &key, err);

	if (st || !key)
		return st;
	st = sess_find(call->gw->sessions, key, &ret->sess, err);
	return st == CH_E_NOT_FOUND ? CH_OK : st;
}

/* Of the run and the role that are asked for. */
static bool is_meant(struct gw_call *call, const struct place *p, const struct tr_entry *e)
{
	const char *role = json_get_str(call->params, "messageRole");

	return (!p->run_id || str_eq(e->run_id, p->run_id)) && (!role || str_eq(e->role, role));
}

/* -- one picture -- */

struct artifact {
	const struct tr_entry *entry;
	const struct json *block;        /* {type: "image", mimeType, data} */
	size_t index;
};

static void write_summary(struct arena *a, struct jw *w, const struct sess *s, const struct artifact *x)
{
	const struct json *data = json_get(x->block, "data");
	size_t pad = data->len > 0 && data->str[data->len - 1] == '=' ? 1 : 0;

	pad += data->len > 1 && data->str[data->len - 2] == '=' ? 1 : 0;
	jw_obj(w);
	jw_kstr(w, "id", arena_printf(a, "%s:%zu", x->entry->id, x->index));
	jw_kstr(w, "type", "image");
	jw_kstr(w, "title", arena_printf(a, "Picture %zu of message %lld", x->index + 1, (long long)x->entry->seq));
	jw_kstr_opt(w, "mimeType", json_get_str(x->block, "mimeType"));
	jw_kint(w, "sizeBytes", (int64_t)(data->len / 4 * 3 - CH_MIN(pad, data->len / 4 * 3)));
	jw_kstr(w, "sessionKey", s->key);
	jw_kstr_opt(w, "runId", x->entry->run_id);
	jw_kint(w, "messageSeq", x->entry->seq);
	jw_kstr(w, "source", "transcript");
	jw_kobj(w, "download");
	jw_kstr(w, "mode", "bytes");
	jw_end(w);
	jw_end(w);
}

/* Calls fn for each picture of an entry; false ends it. */
static bool each_picture(const struct tr_entry *e, const struct json *message,
			 bool (*fn)(void *arg, const struct artifact *x), void *arg)
{
	struct artifact x = {.entry = e};

	json_each(block, json_get(message, "content")) {
		if (!str_eq(json_get_str(block, "type"), "image") || !json_get_str(block, "data"))
			continue;
		x.block = block;
		if (!fn(arg, &x))
			return false;
		x.index++;
	}
	return true;
}

/* -- artifacts.list -- */

struct listing {
	struct gw_call *call;
	const struct place *place;
	struct jw *w;
	int64_t left;
};

static bool list_picture(void *arg, const struct artifact *x)
{
	struct listing *l = arg;

	if (l->left <= 0)
		return false;
	write_summary(l->call->arena, l->w, l->place->sess, x);
	l->left--;
	return true;
}

/* Most messages have no picture: they are not parsed. */
static bool list_entry(void *arg, const struct tr_entry *e)
{
	struct listing *l = arg;
	struct arena *a;
	struct json *message;

	if (!is_meant(l->call, l->place, e) || !e->message ||
	    !memmem(e->message, e->message_len, "\"image\"", 7))
		return true;
	a = arena_new(0);
	if (json_parse(a, e->message, e->message_len, JSON_STRICT, &message, NULL) == CH_OK)
		each_picture(e, message, list_picture, l);
	arena_unref(a);
	return l->left > 0;
}

static bool wants_pictures(struct gw_call *call)
{
	const char *type = json_get_str(call->params, "type");

	return !type || str_eq(type, "image");
}

static ch_status run_list(struct gw_call *call, struct ch_err *err)
{
	__attribute__((cleanup(place_done))) struct place place = {0};
	struct tr_range range = { .limit = SCAN_ENTRIES, .max_bytes = SCAN_BYTES };
	struct listing l = { call, &place, NULL, json_get_int(call->params, "limit", LIST_DEFAULT) };
	ch_status st = find_place(call, &place, err);

	if (st)
		return st;
	l.w = gw_reply_begin(call);
	jw_obj(l.w);
	jw_karr(l.w, "artifacts");
	if (place.sess && wants_pictures(call))
		st = tr_read(call->gw->sessions, place.sess->session_id, &range, list_entry, &l, err);
	if (st)
		return st;
	jw_end(l.w);
	jw_end(l.w);
	gw_reply_end(call);
	return CH_OK;
}

/* -- artifacts.get, artifacts.download -- */

struct wanted {
	size_t index;
	struct artifact found;           /* block NULL: not found */
};

static bool pick(void *arg, const struct artifact *x)
{
	struct wanted *w = arg;

	if (x->index != w->index)
		return true;
	w->found = *x;
	return false;
}

/* The entry and the message live on the call's arena. */
static ch_status find_artifact(struct gw_call *call, const struct place *place, struct artifact *ret,
			       struct ch_err *err)
{
	const char *id = json_get_str(call->params, "artifactId"), *colon = strrchr(id, ':');
	struct tr_entry *e = arena_alloc(call->arena, sizeof(*e));
	struct wanted w = {0};
	struct json *message;
	int64_t index = 0;
	ch_status st;

	if (!place->sess || !colon || !str_to_i64(colon + 1, &index) || index < 0)
		return fail_type(call, err, "artifact_not_found", "artifact not found");
	st = tr_find(call->gw->sessions, place->sess->session_id,
		     arena_strndup(call->arena, id, (size_t)(colon - id)), call->arena, e, err);
	if (st == CH_E_NOT_FOUND)
		return fail_type(call, err, "artifact_not_found", "artifact not found");
	if (!st)
		st = json_parse(call->arena, e->message, e->message_len, JSON_STRICT, &message, err);
	if (st)
		return st;
	w.index = (size_t)index;
	each_picture(e, message, pick, &w);
	if (!w.found.block || !is_meant(call, place, e))
		return fail_type(call, err, "artifact_not_found", "artifact not found");
	*ret = w.found;
	return CH_OK;
}

static ch_status reply_artifact(struct gw_call *call, bool with_bytes, struct ch_err *err)
{
	__attribute__((cleanup(place_done))) struct place place = {0};
	struct artifact x = {0};
	struct jw *w;
	ch_status st = find_place(call, &place, err);

	if (!st)
		st = find_artifact(call, &place, &x, err);
	if (st)
		return st;
	CH_BUG_ON(!x.entry || !x.block);
	w = gw_reply_begin(call);
	jw_obj(w);
	jw_key(w, "artifact");
	write_summary(call->arena, w, place.sess, &x);
	if (with_bytes) {
		jw_kstr(w, "encoding", "base64");
		jw_kvalue(w, "data", json_get(x.block, "data"));
	}
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

static ch_status run_get(struct gw_call *call, struct ch_err *err)
{
	return reply_artifact(call, false, err);
}

static ch_status run_download(struct gw_call *call, struct ch_err *err)
{
	return reply_artifact(call, true, err);
}

static const char *const roles[] = { "assistant", NULL };
static const char *const transports[] = { "http", NULL };

#define WHERE                                    \
	{ "sessionKey", GP_STR, GP_NON_EMPTY },  \
	{ "runId", GP_STR, GP_NON_EMPTY },       \
	{ "taskId", GP_STR, GP_NON_EMPTY },      \
	{ "agentId", GP_STR, GP_NON_EMPTY },     \
	{ "messageRole", GP_ENUM, .choices = roles }

static const struct gw_param list_params[] = {
	WHERE,
	{ "type", GP_STR, GP_NON_EMPTY },
	{ "limit", GP_INT, .min = 1, .max = 500 },
	{0},
};
static const struct gw_param get_params[] = {
	WHERE,
	{ "artifactId", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{0},
};
static const struct gw_param download_params[] = {
	WHERE,
	{ "artifactId", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "transport", GP_ENUM, .choices = transports },
	{0},
};

const struct gw_method gwm_artifacts[] = {
	/* name                  run           scope          flags  params */
	{ "artifacts.download",  run_download, GW_SCOPE_READ, 0,     download_params },
	{ "artifacts.get",       run_get,      GW_SCOPE_READ, 0,     get_params },
	{ "artifacts.list",      run_list,     GW_SCOPE_READ, 0,     list_params },
};
const size_t gwm_artifacts_count = CH_ARRAY_LEN(gwm_artifacts);
