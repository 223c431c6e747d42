/*
 * gateway/wizard.h - the setup wizard: asks, tries, and writes nothing before the last answer.
 *
 * It asks and keeps the answers; what it asks about, how a model is tried and
 * how the plan is carried out come from its ports, so that tests have their own.
 *
 * Owns    the answers, a key among them: it is shown to nobody, not even in
 *         the words of a provider, and wiped when the wizard ends.
 * Lives   counted; an answer that waits for a provider holds a reference.
 * Runs    on the loop thread. wizard_answer() may park; meanwhile other
 *         answers are CH_E_BUSY, and wizard_cancel() ends it at once.
 * Limits  WIZARD_IDLE_MS from one answer to the next.
 * Fails   CH_E_INVALID for an answer that does not fit: the question stays.
 */
#ifndef CH_GATEWAY_WIZARD_H
#define CH_GATEWAY_WIZARD_H

#include "config/config.h"
#include "core/json.h"
#include "models/probe.h"

#define WIZARD_IDLE_MS (15 * 60 * 1000)  /* a key is not kept for somebody who went away */
#define WIZARD_MODEL_MAX 200             /* bytes of a model's reference */
#define WIZARD_NAME_MAX 200              /* bytes of the agent's name */

enum wizard_status { WIZARD_RUNNING, WIZARD_DONE, WIZARD_CANCELLED, WIZARD_ERROR };

/* A way to reach models. */
struct wizard_provider {
	const char *id, *label, *hint;
	const char *model;               /* "provider/model" to propose, or NULL */
	bool is_ready;                   /* it has what it takes, a key or none */
	bool takes_key;
};
struct wizard_providers { const struct wizard_provider *at; size_t len; };

/* What the answers come to. */
struct wizard_plan {
	const char *provider;            /* "offline": without a model */
	struct secret *key;              /* NULL: as it is */
	const char *model;               /* "provider/model" */
	const char *agent_name;          /* NULL: as it is */
};

struct wizard_ports {
	/* In the order in which they are offered; on the arena. */
	ch_status (*providers)(void *arg, struct arena *a, struct wizard_providers *ret, struct ch_err *err);
	/* The agent's name as it is; on the arena. */
	const char *(*agent_name)(void *arg, struct arena *a);
	CH_FIBER void (*probe)(void *arg, const struct probe *p, struct probe_result *ret);
	CH_FIBER ch_status (*save)(void *arg, const struct wizard_plan *plan, struct ch_err *err);
	void *arg;
};

struct wizard;
CH_MUST_USE ch_status wizard_new(const struct wizard_ports *ports, struct wizard **ret, struct ch_err *err);
struct wizard *wizard_ref(struct wizard *w);
void wizard_unref(struct wizard *w);
CH_AUTO_DEFINE(wizard_unref, struct wizard)

const char *wizard_id(const struct wizard *w);
/* Ends it when its time is up. */
enum wizard_status wizard_look(struct wizard *w);
const char *wizard_status_name(enum wizard_status s);
const char *wizard_error(const struct wizard *w);        /* why it ended without success, or NULL */
/* When it ends without an answer, on now_mono_ms()'s clock. */
int64_t wizard_ends_at(const struct wizard *w);

/* value may be NULL. The caller holds a reference. */
CH_FIBER CH_MUST_USE ch_status wizard_answer(struct wizard *w, const char *step_id, const struct json *value,
					     struct ch_err *err);
/* false: too late, the answers are being written. */
bool wizard_cancel(struct wizard *w);
/* done, step, status, error: into an open object. */
void wizard_render(const struct wizard *w, struct jw *out);

#endif
