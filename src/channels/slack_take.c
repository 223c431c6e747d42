/*
 * channels/slack_take.c - one payload of Slack, from the socket or over HTTP, decoded and handed to the core.
 *
 * An app that is installed in several workspaces has one stream of events for all: Slack gives each to any open socket. So the
 * account is that of the event's workspace, wherever it came in.
 */
#include "channels/slack.h"

#include <string.h>

#include "channels/host.h"
#include "channels/rooms.h"
#include "core/clock.h"
#include "core/fiber.h"
#include "core/str.h"

struct taking { struct chan_acct *acct; struct arena *a; int64_t deadline_ms; };

/* -- whose it is -- */

static const char *team_of(enum slack_source source, const struct json *p)
{
	const struct json *authorization = json_at(json_get(p, "authorizations"), 0);

	if (source == SLACK_INTERACTION)
		return json_get_str(json_get(p, "team"), "id");
	if (source == SLACK_COMMAND)
		return json_get_str(p, "team_id");
	if (json_get_str(authorization, "team_id"))
		return json_get_str(authorization, "team_id");
	return json_get_str(p, "context_team_id") ? json_get_str(p, "context_team_id") : json_get_str(p, "team_id");
}

struct search { const char *team_id; struct chan_acct *found; bool may_come; };

static bool is_of_team(struct chan_acct *acct, const char *team_id)
{
	const struct slack *s = chan_priv(acct);

	return !team_id || !s->team_id || s->is_org || str_eq(s->team_id, team_id);
}

static bool find_team(void *arg, struct chan_acct *acct)
{
	struct search *search = arg;
	const struct slack *s;
	struct chan_status status;

	if (chan_acct_ops(acct) != &chan_slack)
		return true;
	if (!chan_acct_is_up(acct)) {
		chan_acct_status(acct, &status);
		search->may_come = search->may_come || status.state == CHAN_STARTING || status.state == CHAN_BACKOFF;
		return true;
	}
	s = chan_priv(acct);
	if (str_eq(s->team_id, search->team_id))
		search->found = acct;
	return !search->found;
}

/* NULL: none; *ret_may_come: one that is about to log in may be it. */
static struct chan_acct *acct_of(struct chan_acct *acct, const char *team_id, bool *ret_may_come)
{
	struct search search = { .team_id = team_id };

	*ret_may_come = false;
	if (is_of_team(acct, team_id))
		return acct;
	chan_acct_each(chan_acct_host(acct), find_team, &search);
	*ret_may_come = search.may_come;
	return search.found;
}

/* "xapp-1-<app>-…": of one app there may be several. */
static size_t app_part(const char *token)
{
	size_t n = 0;

	for (int dashes = 0; token[n] && dashes < 3; n++)
		dashes += token[n] == '-';
	return n;
}

static CH_FIBER ch_status credential(struct chan_acct *acct, struct secret **ret, bool *ret_is_http, struct ch_err *err)
{
	CH_AUTO(chan_cfg_unref) struct chan_cfg *cfg = chan_cfg_ref((struct chan_cfg *)chan_acct_cfg(acct));

	*ret_is_http = str_eq(chan_cfg_str(cfg, "mode"), "http");
	return *ret_is_http ? chan_cfg_secret(cfg, "signingSecret", "SLACK_SIGNING_SECRET", ret, err)
			    : chan_cfg_secret(cfg, "appToken", "SLACK_APP_TOKEN", ret, err);
}

/* Who may speak for one app must not speak in the workspace of another: what proves where a payload came from is the app's own. */
static CH_FIBER ch_status is_same_app(struct chan_acct *a, struct chan_acct *b, bool *ret, struct ch_err *err)
{
	CH_AUTO(secret_unref) struct secret *x = NULL;
	CH_AUTO(secret_unref) struct secret *y = NULL;
	bool x_is_http, y_is_http;
	ch_status st = credential(a, &x, &x_is_http, err);

	if (!st)
		st = credential(b, &y, &y_is_http, err);
	if (st)
		return st;
	if (x_is_http || y_is_http)
		*ret = x_is_http && y_is_http && secret_equal(x, secret_reveal(y));
	else
		*ret = app_part(secret_reveal(x)) == app_part(secret_reveal(y)) &&
		       !strncmp(secret_reveal(x), secret_reveal(y), app_part(secret_reveal(x)));
	return CH_OK;
}

/* -- what the decoder asks -- */

static const char *user_name(void *arg, const char *user_id)
{
	struct taking *t = arg;

	return arena_strdup(t->a, slack_user_name(t->acct, user_id, t->deadline_ms));
}

static enum chan_peer_kind room_kind(void *arg, const char *room_id, enum chan_peer_kind otherwise, const char **ret_name)
{
	struct taking *t = arg;
	const char *name = NULL;
	const enum chan_peer_kind kind = slack_room_kind(t->acct, room_id, otherwise, t->deadline_ms, &name);

	*ret_name = arena_strdup(t->a, name);
	return kind;
}

static const char *thread_root(void *arg, const char *room_id, const char *ts)
{
	struct taking *t = arg;
	SLACK_AUTO_FORM struct slack_form form = SLACK_FORM;
	struct slack_answer answer;

	if (!room_id || now_mono_ms() >= t->deadline_ms)
		return NULL;
	slack_form_add(&form, "channel", room_id);
	slack_form_add(&form, "ts", ts);
	slack_form_int(&form, "limit", 1);
	if (slack_call(t->acct, SLACK_READ, "conversations.replies", &form, t->deadline_ms, t->a, &answer, NULL))
		return NULL; /* a quote without words */
	return json_get_str(json_at(json_get(answer.body, "messages"), 0), "text");
}

/* Where answers open threads, what is answered begins one: what is said to us, and all where we need not be mentioned. */
static bool threads_roots(void *arg, enum chan_peer_kind kind, const char *room_id, bool is_mentioned)
{
	const struct taking *t = arg;
	const struct chan_cfg *cfg = chan_acct_cfg(t->acct);
	const char *mode = chan_cfg_reply_mode(cfg, "channels", room_id, chan_peer_kind_name(kind));
	struct room room;

	if (str_eq(mode ? mode : chan_slack.reply_mode, "off"))
		return false;
	room_find(cfg, &chan_slack, &(struct chan_peer){ .kind = kind, .id = room_id }, t->a, &room);
	return is_mentioned || !json_bool_or(room_get(&room, "requireMention"), true);
}

/* -- taking -- */

static void learn(struct slack *s, const struct json *event, const struct slack_batch *batch)
{
	const char *channel = json_get_str(event, "channel"), *type = json_get_str(event, "channel_type");

	if (!channel || !batch->count)
		return;
	if (batch->at[0].peer.kind == CHAN_DIRECT && *channel == 'D' && batch->at[0].sender.id)
		slack_direct_learn(s, batch->at[0].sender.id, channel);
	else if (type)
		slack_room_learn(s, channel, batch->at[0].peer.kind);
}

static ch_status decode(enum slack_source source, const struct json *payload, const struct slack_known *known, struct arena *a,
			struct slack_batch *batch, struct ch_err *err)
{
	switch (source) {
	case SLACK_EVENT: return slack_decode_event(payload, known, a, batch, err);
	case SLACK_INTERACTION: return slack_decode_interaction(payload, known, a, batch, err);
	case SLACK_COMMAND: break;
	}
	return slack_decode_command(payload, known, a, batch, err);
}

static bool has_native(const struct chan_cfg *cfg)
{
	const struct json *v = chan_cfg_get(cfg, "commands.native");

	return json_bool_or(v ? v : config_get(chan_cfg_config(cfg), "commands.native"), false);
}

/* What is for us alone, and no message. */
static CH_FIBER void on_notice(struct taking *t, const struct json *event, const char *command)
{
	const char *type = json_get_str(event, "type");

	if (str_eq(type, "app_home_opened"))
		slack_home_opened(t->acct, event, command, t->deadline_ms, t->a);
	else if (str_eq(type, "app_uninstalled") || str_eq(type, "tokens_revoked"))
		((struct slack *)chan_priv(t->acct))->is_refused = true; /* run() looks whether it was ours */
}

CH_FIBER ch_status slack_take(struct chan_acct *from, enum slack_source source, const struct json *payload, struct arena *a,
			      const char **ret_text, struct ch_err *err)
{
	const char *team_id = team_of(source, payload);
	CH_AUTO(chan_acct_unref) struct chan_acct *acct = NULL;
	struct slack_batch *batch = arena_alloc(a, sizeof(*batch));
	struct taking t = { .a = a, .deadline_ms = fiber_deadline(SLACK_LOOKUP_MS) };
	struct slack_known known;
	const struct chan_cfg *cfg;
	const struct slack *s;
	bool is_ours = true, may_come;
	ch_status st;

	*ret_text = NULL;
	t.acct = acct_of(from, team_id, &may_come);
	if (!t.acct && may_come)
		return ch_fail(err, CH_E_BUSY, "the account of workspace %s is not logged in yet", team_id);
	acct = t.acct ? chan_acct_ref(t.acct) : NULL;
	st = acct && acct != from ? is_same_app(from, acct, &is_ours, err) : CH_OK;
	if (st)
		return st;
	if (!acct || !is_ours) {
		chan_acct_log(from, "an event of workspace %s, where no account of this app is: left aside", team_id);
		return CH_OK;
	}
	cfg = chan_acct_cfg(acct);
	s = chan_priv(acct);
	known = (struct slack_known){
		.self_id = arena_strdup(a, chan_acct_self_id(acct)),
		.self_name = arena_strdup(a, chan_acct_self_username(acct)),
		.bot_id = arena_strdup(a, s->bot_id),
		.team_id = arena_strdup(a, s->team_id),
		.user_name = user_name,
		.room_kind = room_kind,
		.threads_roots = threads_roots,
		.thread_root = thread_root,
		.command_name = chan_cfg_bool(cfg, "slashCommand.enabled", false)
					? arena_strdup(a, chan_cfg_str(cfg, "slashCommand.name")) : NULL,
		.has_native_commands = has_native(cfg),
		.arg = &t,
	};
	st = decode(source, payload, &known, a, batch, err);
	if (st == CH_E_INVALID) {
		chan_acct_log(acct, "%s", err->text); /* it would be as broken the next time */
		return CH_OK;
	}
	if (st)
		return st;
	*ret_text = batch->ack_text;
	if (source == SLACK_EVENT) {
		on_notice(&t, json_get(payload, "event"), known.command_name);
		learn(chan_priv(acct), json_get(payload, "event"), batch);
	}
	return batch->count ? chan_deliver(acct, batch->at, batch->count, NULL, NULL, err) : CH_OK;
}
