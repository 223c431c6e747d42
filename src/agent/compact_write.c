/*
 * agent/compact_write.c - has a summary of some messages written.
 *
 * What does not fit into the writer's window goes out in parts: each request gets the record so far and the next
 * part. A summary that fails its check is asked for again, with what was wrong.
 */
#include "agent/compact_write.h"

#include <string.h>

#include "core/fiber.h"
#include "core/str.h"

#define PROMPT_TOKENS 1500               /* instructions, focus, pins: about */
#define TEXT_BYTES_MAX 24000             /* of one part of a message, in a large window */
#define TEXT_BYTES_MIN 2000
#define THINKING_TOKENS 8192             /* room beside the summary for a model that thinks first */
#define BODY_MAX (64u << 20)

/* -- one request -- */

/* Lives on the stack of the fiber that waits for it. */
struct request {
	struct agent_host *host;
	struct model_call call;
	struct model_result result;
	struct buf *text;
	ch_status status;
	struct ch_err err;
};

static bool on_event(void *arg, const struct model_event *ev)
{
	struct request *q = arg;

	if (ev->kind == MODEL_EV_TEXT)
		buf_append(q->text, ev->text, ev->len);
	else if (ev->kind == MODEL_EV_RETRY)
		buf_clear(q->text);
	return !q->text->failed;
}

static void request_fiber(void *arg)
{
	struct request *q = arg;
	const struct agent_model_ops *ops = &q->host->model_ops;

	q->status = ops->stream(ops->arg, &q->call, on_event, q, &q->result, &q->err);
}

/* Waits for it; at the deadline, or when the caller is cancelled, it is ended first. */
static ch_status perform(struct request *q, int64_t timeout_ms, struct ch_err *err)
{
	struct fiber *f = fiber_spawn(q->host->opts.loop, "compact", FIBER_JOINABLE, request_fiber, q);
	ch_status st = fiber_join(f, fiber_deadline(timeout_ms));

	if (st) {
		fiber_cancel(f);
		fiber_mask(+1);
		(void)!fiber_join(f, FIBER_FOREVER);     /* cancelled: it ends at its next await */
		fiber_mask(-1);
		return st == CH_E_TIMEOUT ? ch_fail(err, st, "no summary within %lld s", (long long)(timeout_ms / 1000))
					  : ch_fail(err, st, "stopped");
	}
	if (q->text->failed)
		return ch_fail(err, CH_E_LIMIT, "the model does not stop writing");
	if (q->status)
		return ch_fail(err, q->status, "%s", q->err.text);
	if (q->result.stop == MODEL_STOP_LENGTH)
		return ch_fail(err, CH_E_INVALID, "it was cut at the model's limit; be briefer");
	return CH_OK;
}

static struct json *one_message(struct arena *a, const struct buf *text)
{
	struct json *list = json_new_arr(a), *m = json_new_obj(a);

	json_set(a, m, "role", json_new_str(a, "user"));
	json_set(a, m, "content", json_new_strn(a, text->data, text->len));
	json_push(list, m);
	return list;
}

static enum thinking_level thinking_of(const struct compact_job *job)
{
	enum thinking_level level = THINK_LOW;

	if (!job->model.reasoning)
		return THINK_OFF;
	if (str_eq(job->settings.thinking, "inherit"))
		thinking_parse(job->ask->sess->thinking_level, &level);
	else
		thinking_parse(job->settings.thinking, &level);
	return level;
}

static int64_t output_tokens(const struct compact_job *job)
{
	int64_t n = job->max_tokens * 2 + (job->model.reasoning ? THINKING_TOKENS : 0);

	return job->model.max_tokens ? CH_MIN(n, job->model.max_tokens) : n;
}

static ch_status ask_model(struct compact_job *job, const struct compact_brief *brief, struct buf *ret, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	CH_AUTO_BUF struct buf body = { 0 };
	struct request q = { .host = job->host, .text = ret };
	ch_status st;

	buf_init(&body, BODY_MAX);
	compact_instruct(&body, brief);
	st = buf_status(&body, err, "the conversation");
	if (st)
		return st;
	q.call = (struct model_call){
		.ref = job->model.ref, .system_stable = compact_system, .messages = one_message(a, &body),
		.max_tokens = output_tokens(job), .thinking = thinking_of(job), .reason = MODEL_FOR_COMPACTION,
		.agent_id = job->ask->sess->agent_id, .session_key = job->ask->sess->key, .run_id = job->ask->run_id,
		.auth_profile = job->model.auth_profile,
	};
	buf_clear(ret);
	st = perform(&q, job->settings.timeout_ms, err);
	job->failure = st == CH_E_TIMEOUT ? MODEL_ERR_TIMEOUT : st ? q.result.error_class : MODEL_ERR_NONE;
	if (q.result.has_cost)
		job->cost_usd += q.result.cost.total;
	return st;
}

/* -- a part, until its record passes -- */

static void trim(struct buf *b)
{
	const char *text = buf_str(b);

	buf_consume(b, strspn(text, " \t\r\n"));
	while (b->len && strchr(" \t\r\n", b->data[b->len - 1]))
		buf_truncate(b, b->len - 1);
}

/* What is wrong with it, as a complaint to the writer; CH_OK: nothing. */
static ch_status judge(struct compact_job *job, const struct buf *text, bool is_last_try, struct ch_err *err)
{
	CH_AUTO_BUF struct buf missing = { 0 };
	ch_status st;

	buf_init(&missing, COMPACT_TEXT_MAX);
	if (!text->len)
		return ch_fail(err, CH_E_INVALID, "it is empty");
	if (!job->settings.is_guarded)
		return CH_OK;
	st = compact_check(text->data, text->len, job->max_tokens, err);
	if (st || is_last_try)
		return st;               /* what is missing then is added by us */
	if (pins_missing(&job->pins, text->data, &missing))
		return ch_fail(err, CH_E_INVALID, "these are missing: %.200s", buf_str(&missing));
	return CH_OK;
}

static bool is_worth_a_retry(ch_status st)
{
	return st == CH_E_INVALID || st == CH_E_LIMIT;
}

static ch_status write_part(struct compact_job *job, const struct compact_brief *part, struct buf *ret, struct ch_err *err)
{
	struct compact_brief brief = *part;
	struct ch_err complaint;
	ch_status st;

	for (int i = 0; ; i++) {
		bool is_last = i >= job->settings.retries;

		st = ask_model(job, &brief, ret, err);
		if (st && st != CH_E_INVALID)
			return st;
		trim(ret);
		if (!st)
			st = judge(job, ret, is_last, err);
		if (!st)
			return CH_OK;
		complaint = *err;
		if (is_last || !is_worth_a_retry(st))
			return ch_fail(err, CH_E_PEER, "the summary is not usable: %s", complaint.text);
		brief.complaint = complaint.text;
	}
}

/* -- all parts -- */

static int64_t part_tokens(const struct compact_job *job, const char *previous)
{
	int64_t window = job->model.context_window ? job->model.context_window : WINDOW_UNKNOWN;
	int64_t left = window * 3 / 4 - PROMPT_TOKENS - (previous ? history_summary_tokens(previous) : 0);

	return left * 4 / 5;             /* the count is an estimate */
}

/* Messages from *at on, as many as fit, at least one. */
static void fill_part(const struct compact_job *job, const struct json **at, size_t *left, int64_t tokens, struct buf *out)
{
	size_t max_bytes = (size_t)CH_MIN(CH_MAX(tokens, TEXT_BYTES_MIN), TEXT_BYTES_MAX);

	buf_clear(out);
	while (*left) {
		size_t before = out->len;

		compact_render(out, *at, max_bytes);
		if (before && model_estimate_tokens(out->data, out->len) > tokens) {
			buf_truncate(out, before);
			return;
		}
		*at = (*at)->next;
		(*left)--;
	}
}

ch_status compact_write(struct compact_job *job, struct buf *ret_summary, struct ch_err *err)
{
	CH_AUTO_BUF struct buf part = { 0 };
	const struct json *at = json_first(job->messages);
	size_t left = job->cut;
	struct compact_brief brief = { .previous = job->previous, .focus = job->ask->focus, .open_ask = job->open_ask,
				       .pins = job->settings.keeps_identifiers ? &job->pins : NULL,
				       .max_tokens = job->max_tokens };
	ch_status st = CH_OK;

	buf_init(&part, BODY_MAX);
	for (int i = 0; left && !st; i++) {
		int64_t tokens = part_tokens(job, brief.previous);

		if (i == COMPACT_PARTS_MAX || tokens <= 0)
			return ch_fail(err, CH_E_LIMIT, "the window of %s is too small to summarise this conversation; "
				       "agents.defaults.compaction.model can name another model", job->model.ref);
		fill_part(job, &at, &left, tokens, &part);
		st = buf_status(&part, err, "the conversation");
		if (st)
			return st;
		brief.conversation = buf_str(&part);
		st = write_part(job, &brief, ret_summary, err);
		if (!st && left)
			brief.previous = arena_strndup(job->arena, ret_summary->data, ret_summary->len);
	}
	return st;
}
