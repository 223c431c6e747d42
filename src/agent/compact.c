/*
 * agent/compact.c - the older part of a conversation, told in a summary: what is replaced, and the entry.
 */
#include "agent/compact.h"

#include <string.h>

#include "agent/compact_write.h"
#include "agent/home.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/str.h"
#include "sessions/text.h"

#define WORTH_TOKENS 100                 /* what is shorter than its summary would be stays as it is */
#define KEEP_TOKENS 20000                /* keepRecentTokens */
#define KEEP_TURNS 3                     /* recentTurnsPreserve */
#define TIMEOUT_SECONDS 180
#define SUMMARY_TOKENS_MAX 6000
#define SUMMARY_TOKENS_MIN 400
#define PINS_OF_SUMMARY 60               /* at most, of those that the last summary had */
#define OPEN_ASK_BYTES 4000
#define ENTRY_MAX (2u << 20)
#define TRIMMED "(What was said before this point was left out at the user's request. It is still in the transcript.)"

static const char *const reasons[] = {
	[COMPACT_MANUAL] = "manual", [COMPACT_THRESHOLD] = "threshold", [COMPACT_OVERFLOW] = "overflow",
};

/* -- settings -- */

void compact_settings(const struct config *c, const char *agent_id, struct arena *a, struct compact_settings *ret)
{
	const char *mode = home_setting_str(c, agent_id, "compaction.mode");

	*ret = (struct compact_settings){
		.is_automatic = home_setting_bool(c, agent_id, "compaction.enabled", true),
		.is_guarded = !str_eq(mode, "default") && home_setting_bool(c, agent_id, "compaction.qualityGuard.enabled", true),
		.keeps_identifiers = !str_eq(home_setting_str(c, agent_id, "compaction.identifierPolicy"), "off"),
		.tells_user = home_setting_bool(c, agent_id, "compaction.notifyUser", false),
		.retries = (int)home_setting(c, agent_id, "compaction.qualityGuard.maxRetries", 1),
		.keep_tokens = home_setting(c, agent_id, "compaction.keepRecentTokens", KEEP_TOKENS),
		.keep_turns = home_setting(c, agent_id, "compaction.recentTurnsPreserve", KEEP_TURNS),
		.max_bytes = home_setting(c, agent_id, "compaction.maxActiveTranscriptBytes", 0),
		.timeout_ms = home_setting(c, agent_id, "compaction.timeoutSeconds", TIMEOUT_SECONDS) * 1000,
		.model = arena_strdup(a, home_setting_str(c, agent_id, "compaction.model")),
		.thinking = arena_strdup(a, home_setting_str(c, agent_id, "compaction.thinkingLevel")),
	};
	if (!ret->is_guarded)
		ret->retries = 0;
}

/* -- what is replaced -- */

static int64_t summary_tokens(const struct compact_job *job)
{
	const struct compact_ask *ask = job->ask;
	int64_t window = ask->model->context_window ? ask->model->context_window : WINDOW_UNKNOWN;

	if (ask->room_tokens)
		window = CH_MIN(window, ask->room_tokens);
	return CH_MIN(CH_MAX(window / 8, SUMMARY_TOKENS_MIN), SUMMARY_TOKENS_MAX);
}

/* NULL: there is something to replace, job->cut says what. */
static const char *plan(struct compact_job *job)
{
	const struct compact_ask *ask = job->ask;
	const struct history *h = ask->history;
	int64_t keep = job->settings.keep_tokens, turns = job->settings.keep_turns, most = INT64_MAX;

	if (history_is_summarised_to_end(h))
		return "Already compacted";
	if (ask->room_tokens) {
		most = CH_MAX(ask->room_tokens - job->max_tokens, 0) * 3 / 4;   /* leaves some room to go on */
		keep = CH_MIN(keep, most);
	}
	job->cut = compact_plan(h, keep, turns, most);
	if (!job->cut && ask->reason == COMPACT_MANUAL)
		job->cut = compact_plan(h, 0, 1, most);  /* who asks for it means what there is */
	if (history_tokens(h, 0, job->cut) < WORTH_TOKENS)
		job->cut = 0;
	return job->cut ? NULL : "Nothing to compact (session too small)";
}

/* The cut goes through a turn: what it is about must not be left to the writer. */
static void pin_open_ask(struct compact_job *job)
{
	const struct json *m = json_first(job->messages);

	if (job->cut < history_len(job->ask->history) && history_starts_turn(job->ask->history, job->cut))
		return;
	for (size_t i = 0; i < job->cut; i++, m = m->next)
		if (history_starts_turn(job->ask->history, i))
			job->open_ask = tr_text(job->arena, m, "\n");
	if (job->open_ask)
		job->open_ask = arena_strndup(job->arena, job->open_ask,
					      utf8_cut(job->open_ask, strlen(job->open_ask), OPEN_ASK_BYTES));
}

/* What the last summary had, then what the person said, then the agent; of each the newest first. */
static void pin_identifiers(struct compact_job *job)
{
	size_t n = job->cut;
	const struct json **newest = arena_alloc(job->arena, (n + 1) * sizeof(*newest));
	const struct json *m = json_first(job->messages);

	job->pins.arena = job->arena;
	if (!job->settings.keeps_identifiers)
		return;
	if (job->previous)
		pins_collect(&job->pins, job->previous, strlen(job->previous), PINS_OF_SUMMARY);
	for (size_t i = 0; i < n; i++, m = m->next)
		newest[n - 1 - i] = m;
	for (int by_agent = 0; by_agent < 2; by_agent++) {
		for (size_t i = 0; i < n; i++) {
			const char *text;

			if (!str_eq(json_get_str(newest[i], "role"), by_agent ? "assistant" : "user"))
				continue;
			text = tr_text(job->arena, newest[i], "\n");
			pins_collect(&job->pins, text, strlen(text), PINS_MAX);
		}
	}
}

/* What the writer left out all the same is added as it is. */
static void add_pinned(const struct compact_job *job, struct buf *summary)
{
	CH_AUTO_BUF struct buf missing = { 0 };

	buf_init(&missing, COMPACT_TEXT_MAX);
	if (job->open_ask)
		buf_printf(summary, "\n\n## The request being worked on, word for word\n\n%s", job->open_ask);
	if (pins_missing(&job->pins, buf_str(summary), &missing))
		buf_printf(summary, "\n\n## Also mentioned, exactly\n\n%s", buf_str(&missing));
}

/* -- the entry -- */

static void render_entry(struct buf *message, struct buf *meta, const struct compact_job *job,
			 const struct compact_done *done, int64_t now_ms)
{
	struct jw w = JW(message), m = JW(meta);

	jw_obj(&w);
	jw_kstr(&w, "role", "system");
	jw_karr(&w, "content");
	jw_obj(&w);
	jw_kstr(&w, "type", "text");
	jw_kstr(&w, "text", "Compaction");
	jw_end(&w);
	jw_end(&w);
	jw_kint(&w, "timestamp", now_ms);
	jw_kobj(&w, TR_COMPACTION);
	jw_kstr(&w, "summary", done->summary);
	jw_kstr(&w, "firstKeptEntryId", done->first_kept_id);
	jw_kint(&w, "tokensBefore", done->tokens_before);
	jw_kint(&w, "tokensAfter", done->tokens_after);
	jw_kstr(&w, "reason", reasons[job->ask->reason]);
	jw_kstr_opt(&w, "model", done->model);
	jw_end(&w);
	jw_end(&w);
	jw_obj(&m);
	jw_kstr(&m, "itemId", job->ask->entry_id);
	jw_kint(&m, "tokensBefore", done->tokens_before);
	jw_kint(&m, "tokensAfter", done->tokens_after);
	jw_end(&m);
}

/* In the open transaction. */
static ch_status write_rows(const struct compact_job *job, struct tr_entry *e, const struct compact_done *done,
			    struct ch_err *err)
{
	struct sess *s = job->ask->sess;
	ch_status st = tr_append(s, job->ask->run_id, job->ask->epoch, e, job->arena, err);

	if (st)
		return st;
	s->compaction_count++;
	s->total_tokens = done->tokens_after;
	s->cost_usd += job->cost_usd;
	return sess_save(s, err);
}

static ch_status commit(const struct compact_job *job, const struct compact_done *done, struct ch_err *err)
{
	struct db *db = sess_store_db(job->host->opts.sessions);
	CH_AUTO_BUF struct buf message = { 0 }, meta = { 0 };
	struct tr_entry e = { .type = TR_COMPACTION, .role = "system", .run_id = job->ask->run_id,
			      .id = job->ask->entry_id, .created_at = now_wall_ms() };
	ch_status st;

	buf_init(&message, ENTRY_MAX);
	buf_init(&meta, ENTRY_MAX);
	render_entry(&message, &meta, job, done, e.created_at);
	st = buf_status(&message, err, "the summary");
	if (!st)
		st = db_begin(db, err);
	if (st)
		return st;
	e.message = buf_str(&message);
	e.message_len = message.len;
	e.meta = buf_str(&meta);
	st = write_rows(job, &e, done, err);
	if (st)
		db_rollback(db);
	else
		st = db_commit(db, err);
	if (st)
		(void)!sess_reload(job->ask->sess, NULL);        /* as the database has it; err says why */
	return st;
}

/* The history is as it was, the money is gone. */
static void book_failure(const struct compact_job *job)
{
	struct sess *s = job->ask->sess;
	struct ch_err err;

	if (job->cost_usd <= 0 || s->is_deleted)
		return;
	s->cost_usd += job->cost_usd;
	if (sess_save(s, &err))
		log_warn("agent", "session=%s: the cost of a failed summary could not be added: %s; the ledger has it", s->key,
			 err.text);
}

static ch_status enter(const struct compact_job *job, struct compact_done *done, struct ch_err *err)
{
	const struct compact_ask *ask = job->ask;
	size_t len = history_len(ask->history);
	struct tr_entry kept;
	ch_status st;

	st = tr_at(ask->sess->store, ask->sess->session_id, history_raw_seq(ask->history, CH_MIN(job->cut, len - 1)),
		   job->arena, &kept, err);
	if (st)
		return st;
	done->first_kept_id = kept.id;
	done->kept = len - job->cut;
	done->tokens_before = ask->overhead_tokens + history_total(ask->history);
	done->tokens_after = ask->overhead_tokens + history_summary_tokens(done->summary) +
			     history_tokens(ask->history, job->cut, len);
	if (done->tokens_after >= done->tokens_before)
		return ch_fail(err, CH_E_LIMIT, "the summary is as long as what it replaces");
	st = commit(job, done, err);
	if (!st)
		st = history_load(ask->history, ask->sess, err);
	return st;
}

/* -- from outside -- */

/* -- who writes -- */

/* The configured one and no other; else as for a turn, the utility model first when there is one. */
static ch_status find_writers(struct compact_job *job, struct model_route *ret, struct ch_err *err)
{
	const struct agent_model_ops *ops = &job->host->model_ops;
	struct sess *s = job->ask->sess;
	struct model_route_want want = { .wanted = agent_wanted_model(s, job->arena), .agent_id = s->agent_id,
					 .reason = MODEL_FOR_COMPACTION };
	struct model_entry *only;

	if (str_empty(job->settings.model) && ops->route)
		return ops->route(ops->arg, &want, job->arena, ret, err);
	only = arena_alloc(job->arena, sizeof(*only));
	*only = *job->ask->model;
	*ret = (struct model_route){ .at = only, .len = 1 };
	if (str_empty(job->settings.model))
		return CH_OK;
	return ops->resolve(ops->arg, job->settings.model, s->agent_id, job->arena, only, &ret->source, err);
}

static bool rests(const struct compact_job *job, const struct model_entry *e)
{
	const struct agent_model_ops *ops = &job->host->model_ops;
	struct model_state state = { .standing = MODEL_READY };

	if (ops->state)
		ops->state(ops->arg, job->ask->sess->agent_id, e, &state);
	return state.standing != MODEL_READY;
}

/* Might another model do better? A summary that fails its check is no reason. */
static bool may_move(ch_status st, enum model_error_class c)
{
	return st && st != CH_E_CANCELED && c != MODEL_ERR_NONE && c != MODEL_ERR_FORMAT && c != MODEL_ERR_CONTEXT && c != MODEL_ERR_REFUSAL;
}

static ch_status write_by_any(struct compact_job *job, struct buf *ret_summary, struct ch_err *err)
{
	struct model_route chain = { 0 };
	bool is_tried = false;
	ch_status st = find_writers(job, &chain, err);

	for (size_t i = 0; i < chain.len && (!is_tried || may_move(st, job->failure)); i++) {
		bool is_last = i + 1 == chain.len;

		if (rests(job, &chain.at[i]) && !(is_last && !is_tried))
			continue;
		if (is_tried)
			log_warn("agent", "session=%s: no summary by %s: %s; now %s", job->ask->sess->key, job->model.ref, err->text,
				 chain.at[i].ref);
		is_tried = true;
		job->model = chain.at[i];
		st = compact_write(job, ret_summary, err);
	}
	return st;
}

static void job_init(struct compact_job *job, struct agent_host *h, const struct compact_ask *ask, struct arena *a)
{
	*job = (struct compact_job){ .host = h, .ask = ask, .arena = a, .messages = history_messages(ask->history),
				     .previous = history_summary(ask->history) };
	compact_settings(host_config(h), ask->sess->agent_id, a, &job->settings);
	job->max_tokens = summary_tokens(job);
}

static ch_status replace(struct compact_job *job, struct compact_done *done, struct ch_err *err)
{
	CH_AUTO_BUF struct buf summary = { 0 };
	ch_status st;

	buf_init(&summary, COMPACT_TEXT_MAX);
	pin_open_ask(job);
	pin_identifiers(job);
	st = write_by_any(job, &summary, err);
	if (st)
		return st;
	done->model = job->model.ref;
	add_pinned(job, &summary);
	st = buf_status(&summary, err, "the summary");
	if (st)
		return st;
	done->summary = arena_strndup(job->arena, buf_str(&summary), summary.len);
	return enter(job, done, err);
}

ch_status compact(struct agent_host *h, const struct compact_ask *ask, struct arena *a, struct compact_done *ret,
		  struct ch_err *err)
{
	struct compact_done done = { 0 };
	struct compact_job job;
	ch_status st = CH_OK;

	job_init(&job, h, ask, a);
	done.why_not = plan(&job);
	if (!done.why_not && ask->on_start)
		ask->on_start(ask->arg);
	if (!done.why_not)
		st = replace(&job, &done, err);
	if (st) {
		book_failure(&job);
		return st;
	}
	if (!done.why_not)
		log_info("agent", "session=%s: %zu messages are summarised (%s), %lld -> %lld tokens", ask->sess->key, job.cut,
			 reasons[ask->reason], (long long)done.tokens_before, (long long)done.tokens_after);
	*ret = done;
	return CH_OK;
}

ch_status compact_trim(struct agent_host *h, const struct compact_ask *ask, size_t max_entries, struct arena *a,
		       struct compact_done *ret, struct ch_err *err)
{
	struct compact_done done = { .summary = TRIMMED };
	struct compact_job job;
	size_t len = history_len(ask->history);
	ch_status st = CH_OK;

	job_init(&job, h, ask, a);
	if (len > max_entries)
		job.cut = history_next_begin(ask->history, len - max_entries);
	done.kept = len;
	if (!job.cut || job.cut >= len)
		done.why_not = "Nothing to compact (session too small)";
	else
		st = enter(&job, &done, err);
	if (!st)
		*ret = done;
	return st;
}
