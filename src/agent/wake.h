/*
 * agent/wake.h - a session hears of something that happened without its person: a command that ended, a sub-agent's
 * result, an approval that came after a restart.
 *
 * It becomes an input of the session, with a turn of its own, or is taken up by the turn that runs (steer). The input
 * says what it is (struct run_origin, in its message as provenance and in its meta) and is no person's word: is_tainted
 * marks the turn. It speaks for the owner only if the last person who wrote to the session was the owner; in a session of
 * no person, if what started it did.
 * Once     (kind, id) is the idempotency key: a second call finds the first and does nothing.
 * Durable  when it returns CH_OK. One that never ran is taken up by the next start.
 * Burst    at most WAKE_BURST turns in WAKE_BURST_MS per session; later ones wait and are told together. People are not
 *          held with them.
 * Fails    CH_E_NOT_FOUND: there is no such session.
 */
#ifndef CH_AGENT_WAKE_H
#define CH_AGENT_WAKE_H

#include "agent/agent.h"
#include "core/buf.h"
#include "tools/tool.h"

#define WAKE_BURST 5
#define WAKE_BURST_MS 60000
#define WAKE_TEXT_MAX (256u << 10)       /* bytes: an event is no transport for files */

CH_MUST_USE ch_status agent_wake(struct agent_host *h, const struct tool_wake *w, struct ch_err *err);

/*
 * A turn that a restart cut is taken up again, by an event of that id; also: as run_input's. The caller sees to it that this happens
 * once. CH_E_NOT_FOUND: there is no such run.
 */
struct agent_resume {
	const char *session_key, *run_id, *new_run_id;
	CH_MUST_USE ch_status (*also)(void *arg, struct ch_err *err);
	void *also_arg;
};
CH_MUST_USE ch_status agent_resume(struct agent_host *h, const struct agent_resume *w, struct ch_err *err);

/* -- private to agent/ -- */

struct desk;
struct run;

/* Start-up, after input_recover(): the events that were waiting wait again. */
CH_MUST_USE ch_status wake_recover(struct agent_host *h, struct ch_err *err);
/* Was the last person who wrote to the session the owner, and where did they write from (NULL: at the gateway)? On the arena. */
CH_MUST_USE ch_status wake_person(struct agent_host *h, const char *session_key, struct arena *a, bool *ret_is_owner,
				  const struct run_channel **ret_from, struct ch_err *err);
/* On the arena; NULL stays NULL. */
const struct run_origin *wake_origin_copy(struct arena *a, const struct run_origin *o);
/* The member INPUT_ORIGIN of an input's meta, into an open object. */
void wake_put_origin(struct jw *w, const struct run_origin *o);
/* How long the session's next event has to wait; <= 0: not at all. */
int64_t wake_held_ms(const struct desk *d);
/* A turn for an event begins. */
void wake_begins(struct desk *d);
/* Does nothing wait but events that are held? */
bool wake_all_held(const struct desk *d);
/* r's turn answers `other` too: what is tainted taints it. */
void wake_merge(struct run *r, const struct run *other);

#endif
