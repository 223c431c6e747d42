/*
 * gateway/questions.c - see questions.h.
 */
#include "gateway/questions.h"

#include <string.h>

#include "agent/wake.h"
#include "core/log.h"
#include "core/str.h"
#include "gateway/cards.h"
#include "gateway/services.h"
#include "secrets/store.h"

#define EVENT_MAX (4 * QUESTION_TEXT_MAX)        /* questions and answers, escaped */

/* -- rendering -- */

void gw_render_answer(struct jw *w, const struct question *q)
{
	jw_kstr(w, "status", question_status_name(q->status));
	if (q->status != QUESTION_ANSWERED)
		return;
	jw_kobj(w, "answers");
	jw_kvalue(w, "answers", q->answers);
	jw_end(w);
}

void gw_render_question(struct jw *w, const struct question *q)
{
	jw_obj(w);
	jw_kstr(w, "id", q->id);
	jw_kvalue(w, "questions", q->questions);
	jw_kstr_opt(w, "agentId", q->agent_id);
	jw_kstr_opt(w, "sessionKey", q->session_key);
	jw_kstr_opt(w, "runId", q->run_id);
	jw_kint(w, "createdAtMs", q->created_at);
	jw_kint(w, "expiresAtMs", q->expires_at);
	gw_render_answer(w, q);
	jw_kstr_opt(w, "resolvedBy", json_str(q->resolved_by));
	jw_end(w);
}

void gw_render_progress(struct jw *w, const char *session_key, const struct progress_card *c)
{
	if (!c->revision) {
		jw_null(w);
		return;
	}
	jw_obj(w);
	jw_kstr(w, "sessionKey", session_key);
	jw_kint(w, "revision", c->revision);
	jw_kint(w, "updatedAt", c->updated_at);
	jw_kstr_opt(w, "markdown", c->note);
	if (c->steps)
		jw_kvalue(w, "steps", c->steps);
	jw_end(w);
}

/* -- events -- */

static void broadcast(struct gw *gw, const char *name, struct buf *payload)
{
	struct ch_err err;

	if (buf_status(payload, &err, name))
		log_warn("gateway", "an event could not be rendered: %s; clients see it with the next list", err.text);
	else
		gw_broadcast(gw, &(struct gw_event){ .name = name, .payload = buf_str(payload), .len = payload->len });
}

static void on_event(void *arg, enum question_event ev, const struct question *q)
{
	CH_AUTO_BUF struct buf payload = { 0 };
	struct jw w = JW(&payload);

	buf_init(&payload, EVENT_MAX);
	if (ev == QUESTION_EV_REQUESTED) {
		gw_render_question(&w, q);
	} else {
		jw_obj(&w);
		jw_kstr(&w, "id", q->id);
		gw_render_answer(&w, q);
		jw_end(&w);
	}
	broadcast(arg, ev == QUESTION_EV_REQUESTED ? "question.requested" : "question.resolved", &payload);
	gw_cards_on_question(arg, q);
}

static void on_progress(void *arg, const char *session_key, int64_t revision)
{
	CH_AUTO_BUF struct buf payload = { 0 };
	struct jw w = JW(&payload);

	buf_init(&payload, 8192);
	jw_obj(&w);
	jw_kstr(&w, "sessionKey", session_key);
	jw_key(&w, "revision");
	if (revision)
		jw_int(&w, revision);
	else
		jw_null(&w);
	jw_end(&w);
	broadcast(arg, "progressCard.changed", &payload);
}

/* -- late answers -- */

static void put_answers(struct buf *out, const struct question *q)
{
	json_each(one, q->questions) {
		const char *sep = "";

		buf_printf(out, "Question: %s\nAnswer: ", json_get_str(one, "question"));
		json_each(v, json_get(q->answers, json_get_str(one, "questionId"))) {
			buf_printf(out, "%s%s", sep, json_str_or(v, ""));
			sep = ", ";
		}
		buf_putc(out, '\n');
	}
}

/* The turn that asked was cut by a restart: the answer comes as an event of the session. */
static ch_status on_orphan(void *arg, const struct question *q, struct ch_err *err)
{
	struct gw *gw = arg;
	CH_AUTO_BUF struct buf text = { 0 };
	struct tool_wake wake = { .session_key = q->session_key, .kind = "question", .id = q->id };
	ch_status st;

	if (!q->session_key)
		return CH_OK;
	buf_init(&text, EVENT_MAX);
	buf_puts(&text, "The gateway was restarted while you waited for this answer of the user. It has come now:\n\n");
	put_answers(&text, q);
	st = buf_status(&text, err, "the answer");
	if (st)
		return st;
	wake.text = buf_str(&text);
	st = agent_wake(gw->agents, &wake, err);
	return st == CH_E_NOT_FOUND ? CH_OK : st;        /* the session is gone, and with it who asked */
}

/* A masked answer goes into the store under the name that the question gives. */
static ch_status store_secret(void *arg, const struct question *q, const struct json *question, const char *value,
			      struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	const struct json *store = json_get(question, "secretStore"), *hosts = json_get(store, "allowedHosts");
	const char **list = arena_alloc(a, (json_len(hosts) + 1) * sizeof(*list));
	struct gw *gw = arg;
	size_t n = 0;

	json_each(host, hosts)
		list[n++] = json_str_or(host, "");
	return secret_store_set(gw->secrets, json_get_str(store, "name"), "secret", value, hosts ? list : NULL,
				json_str(q->resolved_by), err);
}

void gw_questions_on_run_event(struct gw *gw, const struct run_event *ev)
{
	struct questions *qs = gw->services ? gw->services->host.questions : NULL;
	struct ch_err err;

	if (!qs || ev->kind != RUN_EV_CHAT || ev->state != CHAT_ABORTED || str_eq(ev->stop_reason, "shutdown"))
		return;
	if (question_cancel_run(qs, ev->run_id, &err))
		log_warn("gateway", "run=%s: its questions could not be cancelled: %s; they expire", ev->run_id, err.text);
}

/* -- life -- */

ch_status gw_questions_open(struct gw *gw, struct ch_err *err)
{
	struct tool_host *host = &gw->services->host;
	ch_status st = questions_open(gw->loop, gw->db, &host->questions, err);

	if (st)
		return err ? ch_wrap(err, "opening the questions") : st;
	host->progress = progress_new(gw->db);
	return CH_OK;
}

void gw_questions_join(struct gw *gw)
{
	const struct question_ops ops = { .arg = gw, .on_event = on_event, .on_orphan = on_orphan,
					  .store_secret = gw->secrets ? store_secret : NULL };

	questions_set_ops(gw->services->host.questions, &ops);
	progress_set_ops(gw->services->host.progress, on_progress, gw);
}

void gw_questions_free(struct gw *gw)
{
	questions_free(gw->services->host.questions);
	progress_free(gw->services->host.progress);
}
