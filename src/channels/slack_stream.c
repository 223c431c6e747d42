/*
 * channels/slack_stream.c - a message that grows while the agent writes it.
 *
 *	chat.startStream -> ts -> chat.appendStream … -> chat.stopStream
 *
 * It is an answer in a thread, in channels to one person. It takes Markdown, which Slack renders. Slack ends it by itself after some
 * minutes ("message_not_in_streaming_state") or when the person stops it; while it grows it can be neither edited
 * ("streaming_state_conflict") nor deleted ("cant_delete_message"). So whatever became of it, an edit is how it gets the right text:
 * that is left out only when it ended here with just that.
 */
#include "channels/slack.h"

#include <string.h>

#include "core/fiber.h"
#include "core/mem.h"
#include "core/str.h"

/* text: what it ended with, as an edit would write it; NULL: it still grows, or says something else. */
struct slack_stream { bool is_open, is_altered; char *text; };

static void stream_free(void *v)
{
	struct slack_stream *g = v;

	if (g)
		ch_free(g->text);
	ch_free(g);
}

void slack_streams_free(struct slack *s)
{
	map_clear(s->streams, stream_free);
	map_free(CH_TAKE(s->streams));
}

static struct slack_stream *find(const struct slack *s, const char *ts)
{
	return s->streams ? map_find(s->streams, ts) : NULL;
}

/* NULL: nothing is kept now. */
static struct slack_stream *find_or_add(struct slack *s, const char *ts)
{
	struct slack_stream *g = find(s, ts);

	if (g || !s->is_running)
		return g;
	if (s->streams && map_len(s->streams) >= SLACK_STREAMS_MAX)
		slack_streams_free(s);
	if (!s->streams)
		s->streams = map_new();
	g = ch_alloc(sizeof(*g));
	map_put(s->streams, ts, g);
	return g;
}

/* -- the text -- */

/* As everywhere an agent may mention a person by id (<@U…>), and nobody by group: <!here>, <!channel>, <!subteam^…>. */
static bool is_call(const char *p)
{
	static const char *const words[] = { "<!here", "<!channel", "<!everyone", "<!subteam^" };

	for (size_t i = 0; i < CH_ARRAY_LEN(words); i++)
		if (str_starts(p, words[i]))
			return true;
	return false;
}

/* A word joiner, which is not seen, keeps the bracket and its word apart. */
static const char *without_calls(const char *markdown, struct arena *a, bool *ret_is_altered)
{
	CH_AUTO_BUF struct buf out = { .max_bytes = 4 * strlen(markdown) + 1 };

	*ret_is_altered = false;
	for (const char *p = markdown; *p; p++) {
		buf_putc(&out, *p);
		if (!is_call(p))
			continue;
		buf_puts(&out, "\u2060");
		*ret_is_altered = true;
	}
	return arena_strdup(a, buf_str(&out));
}

/* -- the calls -- */

static CH_FIBER ch_status call(struct chan_acct *acct, const char *method, const struct slack_form *form, struct arena *a,
			       struct slack_answer *ret, struct ch_err *err)
{
	return slack_call(acct, SLACK_BOT, method, form, fiber_deadline(SLACK_CALL_MS), a, ret, err);
}

static CH_FIBER ch_status begin(struct chan_acct *acct, const struct chan_growth *g, const char *channel, const char *markdown,
				struct arena *a, struct chan_sent *ret, struct ch_err *err)
{
	SLACK_AUTO_FORM struct slack_form form = SLACK_FORM;
	const struct slack *s = chan_priv(acct);
	const char *thread = slack_thread_of(g->whole), *team = g->whole->peer.team;
	struct slack_answer answer;
	ch_status st;

	if (s->no_streams || !thread || !slack_is_id(g->for_user, "UW"))
		return ch_fail(err, CH_E_UNSUPPORTED, "a message grows in a thread, for a person");
	slack_form_add(&form, "channel", channel);
	slack_form_add(&form, "thread_ts", thread);
	slack_form_add(&form, "markdown_text", markdown);
	slack_form_add(&form, "recipient_user_id", g->for_user);
	slack_form_add(&form, "recipient_team_id", team ? team : s->team_id);
	st = call(acct, "chat.startStream", &form, a, &answer, err);
	ret->outcome = answer.outcome;
	if (answer.outcome == CHAN_REFUSED)
		((struct slack *)chan_priv(acct))->no_streams = str_eq(answer.error, "unknown_method") || str_eq(answer.error, "missing_scope");
	if (st)
		return st;
	ret->message_id = json_get_str(answer.body, "ts");
	return ret->message_id ? CH_OK : ch_fail(err, CH_E_PEER, "chat.startStream: Slack named no message");
}

static CH_FIBER ch_status go_on(struct chan_acct *acct, const struct chan_growth *g, const char *channel, const char *markdown,
				struct arena *a, struct chan_sent *ret, struct ch_err *err)
{
	SLACK_AUTO_FORM struct slack_form form = SLACK_FORM;
	struct slack_answer answer;
	ch_status st;

	slack_form_add(&form, "channel", channel);
	slack_form_add(&form, "ts", g->message_id);
	slack_form_add(&form, "markdown_text", *markdown ? markdown : NULL);
	st = call(acct, g->is_end ? "chat.stopStream" : "chat.appendStream", &form, a, &answer, err);
	ret->outcome = answer.outcome;
	ret->message_id = g->message_id;
	return st;
}

static void note(struct slack *s, const char *ts, const struct chan_growth *g, bool is_done, bool is_altered)
{
	const bool was_forgotten = g->message_id && !find(s, ts);
	struct slack_stream *known = find_or_add(s, ts);

	if (!known)
		return;
	known->is_altered = known->is_altered || is_altered || was_forgotten || !is_done;
	known->is_open = !(g->is_end && is_done);
	ch_free(known->text);
	known->text = known->is_open || known->is_altered ? NULL : ch_strdup(g->whole->text);
}

CH_FIBER ch_status slack_grow(struct chan_acct *acct, const struct chan_growth *g, struct arena *a, struct chan_sent *ret,
			      struct ch_err *err)
{
	const char *channel = NULL, *markdown;
	bool is_altered;
	ch_status st;

	*ret = (struct chan_sent){ .outcome = CHAN_REFUSED };
	st = slack_channel_of(acct, &g->whole->peer, a, &channel, &ret->outcome, err);
	if (st)
		return st;
	markdown = without_calls(g->markdown, a, &is_altered);
	st = g->message_id ? go_on(acct, g, channel, markdown, a, ret, err) : begin(acct, g, channel, markdown, a, ret, err);
	/* What has to wait was not done, and comes again. */
	if (ret->message_id && !(st && err->retry_after_ms > 0))
		note(chan_priv(acct), ret->message_id, g, !st, is_altered);
	return st;
}

/* -- before it is changed -- */

static CH_FIBER ch_status stop(struct chan_acct *acct, const char *channel, const char *ts, struct arena *a)
{
	SLACK_AUTO_FORM struct slack_form form = SLACK_FORM;
	struct slack_answer answer;

	slack_form_add(&form, "channel", channel);
	slack_form_add(&form, "ts", ts);
	return call(acct, "chat.stopStream", &form, a, &answer, NULL);
}

static void forget(struct slack *s, const char *ts)
{
	if (s->streams)
		stream_free(map_take(s->streams, ts));
}

bool slack_stream_ended_as(struct chan_acct *acct, const char *ts, const char *text)
{
	const struct slack_stream *g = find(chan_priv(acct), ts);
	const bool is_same = g && g->text && str_eq(g->text, text);

	if (is_same)
		forget(chan_priv(acct), ts);
	return is_same;
}

CH_FIBER ch_status slack_change(struct chan_acct *acct, const char *method, const struct slack_form *form, const char *channel,
				const char *ts, struct arena *a, struct slack_answer *ret, struct ch_err *err)
{
	const struct slack_stream *known = find(chan_priv(acct), ts);
	const bool has_stopped = known && known->is_open;
	ch_status st;

	if (has_stopped && stop(acct, channel, ts, a) == CH_E_CANCELED)  /* what became of it is seen by the change */
		return ch_fail(err, CH_E_CANCELED, "stopped");
	forget(chan_priv(acct), ts);
	st = call(acct, method, form, a, ret, err);
	if (has_stopped || !(str_eq(ret->error, "streaming_state_conflict") || str_eq(ret->error, "cant_delete_message")))
		return st;
	/* It was begun before a restart; or it is somebody else's. */
	return stop(acct, channel, ts, a) ? st : call(acct, method, form, a, ret, err);
}
