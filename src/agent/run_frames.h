/*
 * agent/run_frames.h - single frames of a run (private to run_events*.c, which decide their order).
 *
 * Data is built in r->scratch: rf_data() opens the object, rf_agent() closes and sends it.
 */
#ifndef CH_AGENT_RUN_FRAMES_H
#define CH_AGENT_RUN_FRAMES_H

#include "agent/run.h"

struct rf_frame { const char *stream, *lane; bool with_session_id; int64_t ts; };

/* Fills in the run's ids and the time. */
void rf_emit(struct run *r, struct run_event *ev);
struct jw rf_data(struct run *r);
/* The first takes the next number, the second repeats the last one. */
void rf_agent(struct run *r, struct jw *w, struct rf_frame f);
void rf_agent_same_seq(struct run *r, struct jw *w, struct rf_frame f);
void rf_lifecycle(struct run *r, struct jw *w);
void rf_session(struct run *r, const char *reason, const char *phase);
void rf_timing(struct run *r, const char *phase);
void rf_timing_with(struct run *r, const char *phase, const char *provider, const char *model);
/* One step of the start: the same number in a chat and an agent frame. Drained inputs have no chat status. */
void rf_status(struct run *r, const char *phase);
/* provider NULL: the model is done with. */
void rf_model_frame(struct run *r, const char *provider, const char *model);

/* -- text, run_events.c -- */
void rf_flush_agent(struct run *r);
void rf_flush_chat(struct run *r);
/* -- which model answered, run_events_route.c -- */
void rf_route_succeeded(struct run *r);
void rf_route_exhausted(struct run *r);
void rf_route_notice(struct run *r);
/* -- failures, run_events.c -- */
const char *rf_failover_reason(enum model_error_class c);
const char *rf_failure_kind(enum model_error_class c);
void rf_observation(struct run *r, struct jw *w, const char *reason, const char *kind);
void rf_finishing_failed(struct run *r, const char *error, const char *reason, const char *kind);

#endif
