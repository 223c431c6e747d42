/*
 * gateway/wizard.c - the setup wizard's questions: a table of steps, and going from one to the next.
 */
#include "gateway/wizard.h"

#include <string.h>

#include "core/clock.h"
#include "core/mem.h"
#include "core/rand.h"
#include "core/str.h"
#include "models/auth_store.h"

#define OFFLINE "offline"
#define OFFLINE_MODEL "offline/demo"
#define STEP_ID_MAX 32

/* The steps, in the order in which they are usually met; steps[] goes by it. */
enum at {
	AT_SECURITY, AT_ACCEPT, AT_PROVIDER, AT_KEY, AT_MODEL, AT_FAILED, AT_NAME, AT_CONFIRM, AT_NEXT, AT_END
};

struct wizard {
	unsigned refs;
	struct arena *arena;             /* what the ports told */
	struct wizard_ports ports;
	char id[UUID_LEN];
	enum wizard_status status;
	const char *error;               /* static */
	int64_t ends_at;
	enum at at;
	unsigned asked;                  /* questions so far: no two have one id */
	bool is_busy;                    /* an answer waits for the provider or the disk */
	/* Answers. */
	struct wizard_providers providers;
	const struct wizard_provider *provider;  /* NULL: none yet, or offline */
	struct secret *key;
	char model[WIZARD_MODEL_MAX + 1];
	const char *old_name;
	char name[WIZARD_NAME_MAX + 1];
	char failure[CH_ERR_TEXT_MAX];   /* the provider's words */
	bool is_tested;
};

struct step {
	const char *name, *type, *title;
	/* Members beside id, type and title. */
	void (*ask)(const struct wizard *w, struct jw *out);
	CH_FIBER ch_status (*take)(struct wizard *w, const struct json *value, enum at *ret, struct ch_err *err);
};

/* ---- pieces ---- */

static void option(struct jw *out, const char *value, const char *label, const char *hint)
{
	jw_obj(out);
	jw_kstr(out, "value", value);
	jw_kstr(out, "label", label);
	jw_kstr_opt(out, "hint", hint);
	jw_end(out);
}

static void message(struct jw *out, const char *fmt, ...) CH_PRINTF(2, 3);
static void message(struct jw *out, const char *fmt, ...)
{
	char text[2 * CH_ERR_TEXT_MAX + WIZARD_MODEL_MAX + WIZARD_NAME_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	jw_key(out, "message");
	jw_strn(out, text, utf8_valid_prefix(text, strlen(text)));
}

/* The answer of a text step without the blanks around it; "" for none. */
static const char *trimmed(const struct json *value, size_t *ret_len)
{
	const char *s = json_str_or(value, "");
	size_t n = json_is(value, JSON_STR) ? value->len : 0;

	while (n && strchr(" \t\r\n", *s)) {
		s++;
		n--;
	}
	while (n && strchr(" \t\r\n", s[n - 1]))
		n--;
	*ret_len = n;
	return s;
}

/* Printable ASCII without blanks, and not nothing. */
static bool is_plain(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if ((unsigned char)s[i] <= ' ' || (unsigned char)s[i] > '~')
			return false;
	}
	return n > 0;
}

static const char *provider_id(const struct wizard *w)
{
	return w->provider ? w->provider->id : OFFLINE;
}

static void forget_key(struct wizard *w)
{
	secret_unref(w->key);
	w->key = NULL;
}

static void end(struct wizard *w, enum wizard_status status, const char *error)
{
	w->status = status;
	w->error = error;
	w->at = AT_END;
	forget_key(w);
}

/* Some providers repeat the key that they refuse. */
static void hide_key(char *text, const struct secret *of)
{
	const char *key = secret_reveal(of);
	size_t n = key ? strlen(key) : 0;
	char *at = text;

	while (n && (at = strstr(at, key))) {
		memset(at, '*', n);
		at += n;
	}
}

/* ---- the steps ---- */

static void ask_security(const struct wizard *w, struct jw *out)
{
	message(out, "An agent reads what you and others send it, and acts with your rights. Text from others "
		     "can mislead it. Whoever may talk to this gateway may use its tools and spend on its models: "
		     "keep its token to yourself, and let only people you trust reach it.");
}

static ch_status take_security(struct wizard *w, const struct json *value, enum at *ret, struct ch_err *err)
{
	*ret = AT_ACCEPT;
	return CH_OK;
}

static void ask_accept(const struct wizard *w, struct jw *out)
{
	message(out, "I have read this. Continue?");
	jw_kbool(out, "initialValue", false);
}

static ch_status take_accept(struct wizard *w, const struct json *value, enum at *ret, struct ch_err *err)
{
	if (!json_is(value, JSON_BOOL))
		return ch_fail(err, CH_E_INVALID, "answer true or false");
	*ret = value->b ? AT_PROVIDER : AT_END;
	return CH_OK;
}

static void ask_provider(const struct wizard *w, struct jw *out)
{
	message(out, "How shall the agent reach a model?");
	jw_karr(out, "options");
	for (size_t i = 0; i < w->providers.len; i++)
		option(out, w->providers.at[i].id, w->providers.at[i].label, w->providers.at[i].hint);
	option(out, OFFLINE, "Skip for now", "a built-in demonstration answers; no model is asked");
	jw_end(out);
	if (w->providers.len && w->providers.at[0].is_ready)
		jw_kstr(out, "initialValue", w->providers.at[0].id);
}

static ch_status take_provider(struct wizard *w, const struct json *value, enum at *ret, struct ch_err *err)
{
	const char *id = json_str_or(value, "");
	const struct wizard_provider *found = NULL;

	for (size_t i = 0; i < w->providers.len; i++) {
		if (str_eq(w->providers.at[i].id, id))
			found = &w->providers.at[i];
	}
	if (!found && !str_eq(id, OFFLINE))
		return ch_fail(err, CH_E_INVALID, "answer with one of the offered providers, or \"" OFFLINE "\"");
	forget_key(w);
	w->provider = found;
	w->is_tested = false;
	snprintf(w->model, sizeof(w->model), "%s", !found ? OFFLINE_MODEL : found->model ? found->model : "");
	*ret = !found ? AT_NAME : found->is_ready ? AT_MODEL : AT_KEY;
	return CH_OK;
}

static void ask_key(const struct wizard *w, struct jw *out)
{
	message(out, "The API key for %s. It is kept in the gateway's own database.", w->provider->label);
	jw_kbool(out, "sensitive", true);
}

static ch_status take_key(struct wizard *w, const struct json *value, enum at *ret, struct ch_err *err)
{
	size_t n;
	const char *text = trimmed(value, &n);
	char *key;
	ch_status st = CH_OK;

	if (n > AUTH_SECRET_MAX)
		return ch_fail(err, CH_E_INVALID, "that is too long for a key");
	key = ch_strndup(text, n);
	if (!is_plain(text, n) || !auth_secret_is_valid(key)) {
		st = ch_fail(err, CH_E_INVALID, "that is no key: it is empty, or holds characters that keys do not have");
	} else {
		forget_key(w);
		w->key = secret_new(key);
		*ret = AT_MODEL;
	}
	ch_free_wipe(key, n);
	return st;
}

static void ask_model(const struct wizard *w, struct jw *out)
{
	message(out, "Which model of %s? It is asked one short question, to see that it answers.",
		w->provider->label);
	if (w->model[0])
		jw_kstr(out, "initialValue", w->model);
	else
		jw_kstr(out, "placeholder", "the provider's name of the model");
}

/* Whatever was typed belongs to the chosen provider: the reference says so. */
static ch_status set_model(struct wizard *w, const struct json *value, struct ch_err *err)
{
	size_t n, id_len = strlen(w->provider->id);
	const char *text = trimmed(value, &n);
	bool is_ref = n > id_len + 1 && text[id_len] == '/' && strncmp(text, w->provider->id, id_len) == 0;

	if (!value && w->model[0])
		return CH_OK;
	if (!is_plain(text, n) || n + id_len + 1 > WIZARD_MODEL_MAX)
		return ch_fail(err, CH_E_INVALID, "a model's name is at most %d printable characters without blanks",
			       WIZARD_MODEL_MAX);
	if (is_ref)
		snprintf(w->model, sizeof(w->model), "%.*s", (int)n, text);
	else
		snprintf(w->model, sizeof(w->model), "%s/%.*s", w->provider->id, (int)n, text);
	return CH_OK;
}

static CH_FIBER ch_status take_model(struct wizard *w, const struct json *value, enum at *ret,
				     struct ch_err *err)
{
	CH_AUTO(secret_unref) struct secret *key = secret_ref(w->key);
	const struct probe p = { .ref = w->model, .timeout_ms = PROBE_MS, .trial_key = key };
	struct probe_result r = { .error = "" };
	ch_status st = set_model(w, value, err);

	if (st)
		return st;
	w->ports.probe(w->ports.arg, &p, &r);
	w->is_tested = r.status == PROBE_OK;
	if (!w->is_tested) {
		memcpy(w->failure, r.error, sizeof(w->failure));
		hide_key(w->failure, key);
	}
	*ret = w->is_tested ? AT_NAME : AT_FAILED;
	return CH_OK;
}

/* What a failed test can be followed by; which are offered depends on the provider. */
static const struct { const char *value, *label; enum at to; } ways_on[] = {
	{ "key", "Enter another key", AT_KEY },
	{ "model", "Name another model, or try again", AT_MODEL },
	{ "provider", "Choose another provider", AT_PROVIDER },
	{ "keep", "Keep it all the same", AT_NAME },
};

static bool is_way_on(const struct wizard *w, size_t i)
{
	return ways_on[i].to != AT_KEY || w->provider->takes_key;
}

static void ask_failed(const struct wizard *w, struct jw *out)
{
	message(out, "%s did not answer: %s", w->model, w->failure);
	jw_karr(out, "options");
	for (size_t i = 0; i < CH_ARRAY_LEN(ways_on); i++) {
		if (is_way_on(w, i))
			option(out, ways_on[i].value, ways_on[i].label, NULL);
	}
	jw_end(out);
}

static ch_status take_failed(struct wizard *w, const struct json *value, enum at *ret, struct ch_err *err)
{
	for (size_t i = 0; i < CH_ARRAY_LEN(ways_on); i++) {
		if (is_way_on(w, i) && str_eq(ways_on[i].value, json_str_or(value, ""))) {
			*ret = ways_on[i].to;
			return CH_OK;
		}
	}
	return ch_fail(err, CH_E_INVALID, "answer with one of the offered ways on");
}

static void ask_name(const struct wizard *w, struct jw *out)
{
	message(out, "What shall the agent be called? Leave it as it is if you do not mind.");
	jw_kstr(out, "initialValue", w->old_name);
}

static ch_status take_name(struct wizard *w, const struct json *value, enum at *ret, struct ch_err *err)
{
	size_t n;
	const char *text = trimmed(value, &n);

	if (value && !json_is(value, JSON_STR))
		return ch_fail(err, CH_E_INVALID, "answer with a name");
	if (n > WIZARD_NAME_MAX)
		return ch_fail(err, CH_E_INVALID, "a name has at most %d bytes", WIZARD_NAME_MAX);
	for (size_t i = 0; i < n; i++) {
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			return ch_fail(err, CH_E_INVALID, "a name is one line without control characters");
	}
	snprintf(w->name, sizeof(w->name), "%.*s", (int)n, text);
	if (str_eq(w->name, w->old_name))
		w->name[0] = '\0';
	*ret = AT_CONFIRM;
	return CH_OK;
}

static void ask_confirm(const struct wizard *w, struct jw *out)
{
	message(out, "Model: %s (%s)\nKey: %s\nAgent: %s\n\nWrite this?", w->model,
		!w->provider ? "no model is asked" : w->is_tested ? "it answered" : "not verified",
		w->key ? "the new one is stored" : "nothing is changed", w->name[0] ? w->name : w->old_name);
	jw_kbool(out, "initialValue", true);
}

static CH_FIBER ch_status take_confirm(struct wizard *w, const struct json *value, enum at *ret,
				       struct ch_err *err)
{
	CH_AUTO(secret_unref) struct secret *key = secret_ref(w->key);
	const struct wizard_plan plan = {
		.provider = provider_id(w), .key = key, .model = w->model, .agent_name = w->name[0] ? w->name : NULL,
	};
	ch_status st;

	if (!json_is(value, JSON_BOOL))
		return ch_fail(err, CH_E_INVALID, "answer true or false");
	*ret = AT_END;
	if (!value->b)
		return CH_OK;
	st = w->ports.save(w->ports.arg, &plan, err);
	if (st)
		return st;
	forget_key(w);
	*ret = AT_NEXT;
	return CH_OK;
}

static void ask_next(const struct wizard *w, struct jw *out)
{
	message(out, "Written. %s uses %s from now on. Talk to it in the dashboard (chela dashboard) or here "
		     "(chela chat); chela models status shows how models and keys stand.",
		w->name[0] ? w->name : w->old_name, w->model);
}

static ch_status take_next(struct wizard *w, const struct json *value, enum at *ret, struct ch_err *err)
{
	*ret = AT_END;
	return CH_OK;
}

static const struct step steps[] = {
	[AT_SECURITY] = { "security", "note", "Before you begin", ask_security, take_security },
	[AT_ACCEPT] = { "accept", "confirm", "Before you begin", ask_accept, take_accept },
	[AT_PROVIDER] = { "provider", "select", "Model provider", ask_provider, take_provider },
	[AT_KEY] = { "key", "text", "API key", ask_key, take_key },
	[AT_MODEL] = { "model", "text", "Model", ask_model, take_model },
	[AT_FAILED] = { "failed", "select", "The test failed", ask_failed, take_failed },
	[AT_NAME] = { "name", "text", "Agent", ask_name, take_name },
	[AT_CONFIRM] = { "confirm", "confirm", "Summary", ask_confirm, take_confirm },
	[AT_NEXT] = { "next", "note", "Done", ask_next, take_next },
};

/* ---- from one to the next ---- */

static void step_id(const struct wizard *w, char ret[STEP_ID_MAX])
{
	snprintf(ret, STEP_ID_MAX, "%s-%u", steps[w->at].name, w->asked);
}

/* It ended where the answer leads nowhere: after the last note it is done, else the person said no. */
static void go(struct wizard *w, enum at to)
{
	if (to == AT_END) {
		bool is_done = w->at == AT_NEXT;

		end(w, is_done ? WIZARD_DONE : WIZARD_CANCELLED, is_done ? NULL : "cancelled");
		return;
	}
	w->at = to;
	w->asked++;
	w->ends_at = now_mono_ms() + WIZARD_IDLE_MS;
}

CH_FIBER ch_status wizard_answer(struct wizard *w, const char *id, const struct json *value,
				 struct ch_err *err)
{
	char wanted[STEP_ID_MAX];
	enum at to = w->at;
	ch_status st;

	if (wizard_look(w) != WIZARD_RUNNING)
		return ch_fail(err, CH_E_INVALID, "wizard not running");
	if (w->is_busy)
		return ch_fail(err, CH_E_BUSY, "the wizard is busy with the answer before");
	step_id(w, wanted);
	if (!str_eq(id, wanted))
		return ch_fail(err, CH_E_INVALID, "the wizard asks another question now (step %s)", wanted);
	w->is_busy = true;
	st = steps[w->at].take(w, value, &to, err);
	w->is_busy = false;
	/* It may have been cancelled meanwhile. */
	if (!st && w->status == WIZARD_RUNNING)
		go(w, to);
	return st;
}

bool wizard_cancel(struct wizard *w)
{
	if (w->is_busy && w->at == AT_CONFIRM)
		return false;
	if (w->status == WIZARD_RUNNING)
		end(w, WIZARD_CANCELLED, "cancelled");
	return true;
}

enum wizard_status wizard_look(struct wizard *w)
{
	if (w->status == WIZARD_RUNNING && !w->is_busy && now_mono_ms() >= w->ends_at)
		end(w, WIZARD_ERROR, "no answer came in time; start again");
	return w->status;
}

/* ---- the rest ---- */

ch_status wizard_new(const struct wizard_ports *ports, struct wizard **ret, struct ch_err *err)
{
	CH_AUTO(wizard_unref) struct wizard *w = ch_alloc(sizeof(*w));
	ch_status st;

	w->refs = 1;
	w->arena = arena_new(0);
	w->ports = *ports;
	rand_uuid(w->id);
	st = ports->providers(ports->arg, w->arena, &w->providers, err);
	if (st)
		return st;
	w->old_name = ports->agent_name(ports->arg, w->arena);
	go(w, AT_SECURITY);
	*ret = CH_TAKE(w);
	return CH_OK;
}

struct wizard *wizard_ref(struct wizard *w)
{
	w->refs++;
	return w;
}

void wizard_unref(struct wizard *w)
{
	if (!w || --w->refs)
		return;
	forget_key(w);
	arena_unref(w->arena);
	ch_free(w);
}

const char *wizard_id(const struct wizard *w)
{
	return w->id;
}

const char *wizard_error(const struct wizard *w)
{
	return w->error;
}

int64_t wizard_ends_at(const struct wizard *w)
{
	return w->ends_at;
}

const char *wizard_status_name(enum wizard_status s)
{
	static const char *const names[] = { "running", "done", "cancelled", "error" };

	return names[s];
}

static void render_step(const struct wizard *w, struct jw *out)
{
	const struct step *s = &steps[w->at];
	char id[STEP_ID_MAX];

	step_id(w, id);
	jw_kobj(out, "step");
	jw_kstr(out, "id", id);
	jw_kstr(out, "type", s->type);
	jw_kstr(out, "title", s->title);
	s->ask(w, out);
	jw_kstr(out, "executor", "client");
	jw_end(out);
}

void wizard_render(const struct wizard *w, struct jw *out)
{
	jw_kbool(out, "done", w->status != WIZARD_RUNNING);
	if (w->status == WIZARD_RUNNING)
		render_step(w, out);
	jw_kstr(out, "status", wizard_status_name(w->status));
	jw_kstr_opt(out, "error", w->error);
	if (w->status == WIZARD_DONE) {
		jw_kobj(out, "modelActivation");
		jw_kstr(out, "modelRef", w->model);
		jw_end(out);
	}
}
