/*
 * gateway/questions.h - questions and progress cards on the wire: their events, and what ends with a run.
 *
 * Owns    gw->services' questions and progress, which gw_services_open() and free() call for.
 * Runs    on the loop thread; an event goes out after its commit.
 */
#ifndef CH_GATEWAY_QUESTIONS_H
#define CH_GATEWAY_QUESTIONS_H

#include "approvals/question.h"
#include "gateway/gw.h"
#include "sessions/progress.h"

CH_MUST_USE ch_status gw_questions_open(struct gw *gw, struct ch_err *err);
/* The agents are there: events go out, late answers wake their sessions. */
void gw_questions_join(struct gw *gw);
void gw_questions_free(struct gw *gw);
/* A run that was stopped asks nothing any more; one that the gateway's own end cut still does. */
void gw_questions_on_run_event(struct gw *gw, const struct run_event *ev);

/* QuestionRecord of the protocol. */
void gw_render_question(struct jw *w, const struct question *q);
/* {status, answers?}, into an open object. */
void gw_render_answer(struct jw *w, const struct question *q);
/* ProgressCard, or null. */
void gw_render_progress(struct jw *w, const char *session_key, const struct progress_card *c);

#endif
