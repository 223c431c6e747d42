/*
 * channels/slack.c - Slack: the row, what its ids look like, which keys it needs, how it logs in.
 */
#include "channels/slack.h"

#include <string.h>

#include "channels/host.h"
#include "core/clock.h"
#include "core/fiber.h"
#include "core/mem.h"
#include "core/str.h"

#define WATCH_MS 15000                   /* HTTP mode: did a call say that the login is not good any more? */

/* -- ids and targets -- */

/* "slack:U1", "user:U1", "<@U1>", "channel:C1": what is behind. */
static const char *bare(struct arena *a, const char *text)
{
	static const char *const prefixes[] = { "slack:", "user:", "channel:", "group:", "im:" };
	char *t = str_trim(a, text);

	for (size_t i = 0; i < CH_ARRAY_LEN(prefixes); i++)
		if (str_starts(t, prefixes[i])) {
			t += strlen(prefixes[i]);
			i = (size_t)-1; /* "slack:user:U1" */
		}
	if ((str_starts(t, "<@") || str_starts(t, "<#")) && str_ends(t, ">")) {
		t = arena_strndup(a, t + 2, strlen(t) - 3);
		t[strcspn(t, "|")] = '\0';
	}
	return t;
}

static const char *id_parse(struct arena *a, enum chan_id_use use, const char *text, const char **ret_why)
{
	const char *id = bare(a, text);

	if (use == CHAN_ID_SENDER) {
		*ret_why = "Slack's people are U… or W… (profile, … , Copy member ID), its bots may be B…; names can be changed";
		return slack_is_id(id, "UWB") ? id : NULL;
	}
	*ret_why = "Slack's channels are C… or G… (right click, Copy link: the id is its end); names can be changed";
	return slack_is_id(id, "CG") ? id : NULL;
}

static ch_status target_parse(struct arena *a, const char *text, struct chan_peer *ret, struct ch_err *err)
{
	char *t = arena_strdup(a, bare(a, text)), *thread = strstr(t, ":thread:");
	const char *id;

	*ret = (struct chan_peer){ .kind = CHAN_CHANNEL };
	if (thread) {
		*thread = '\0';
		ret->thread = thread + strlen(":thread:");
		if (!slack_ts_ms(ret->thread))
			return ch_fail(err, CH_E_INVALID, "'%s' is not a thread of Slack: it is the ts of its first message, as 1700000000.000100",
				       ret->thread);
	}
	id = t + (*t == '#' || *t == '@');
	ret->id = id;
	if (slack_is_id(id, "UWD"))
		ret->kind = CHAN_DIRECT;
	else if (!slack_is_id(id, "CG"))
		return ch_fail(err, CH_E_INVALID, "'%s' is not a place of Slack: use user:U… for a person, channel:C… for a channel", text);
	return CH_OK;
}

/* -- keys -- */

static bool is_http(const struct chan_cfg *cfg)
{
	return str_eq(chan_cfg_str(cfg, "mode"), "http");
}

static ch_status need(const struct chan_cfg *cfg, const char *key, const char *env, const char *what, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);

	if (chan_cfg_has_secret(cfg, key, env))
		return CH_OK;
	return ch_fail(err, CH_E_INVALID, "%s is not set: %s", chan_cfg_path(cfg, key, a), what);
}

static ch_status check(const struct chan_cfg *cfg, struct ch_err *err)
{
	ch_status st = need(cfg, "botToken", "SLACK_BOT_TOKEN", "the Bot User OAuth Token (xoxb-…) of the app", err);

	if (st)
		return st;
	if (is_http(cfg))
		return need(cfg, "signingSecret", "SLACK_SIGNING_SECRET", "the Signing Secret of the app, for mode http", err);
	return need(cfg, "appToken", "SLACK_APP_TOKEN", "an app-level token (xapp-…) with connections:write, for Socket Mode", err);
}

static const char *webhook_path(const struct chan_cfg *cfg, struct arena *a)
{
	const char *path = chan_cfg_str(cfg, "webhookPath");

	if (!is_http(cfg))
		return NULL;
	return arena_strdup(a, str_empty(path) ? "/slack/events" : path);
}

/* -- logging in -- */

/* What works only with them; chat:write is tried, not guessed. */
static const char *missing_scopes(const char *scopes, struct arena *a)
{
	static const char *const wanted[] = { "app_mentions:read", "channels:history", "channels:read", "chat:write", "files:read",
					      "files:write", "groups:history", "groups:read", "im:history", "im:write",
					      "mpim:history", "reactions:read", "reactions:write", "users:read" };
	CH_AUTO_BUF struct buf out = { .max_bytes = 512 };
	const char *held;

	if (str_empty(scopes))
		return NULL;
	held = arena_printf(a, ",%s,", scopes);
	for (size_t i = 0; i < CH_ARRAY_LEN(wanted); i++)
		if (!strstr(held, arena_printf(a, ",%s,", wanted[i])) && !strstr(held, arena_printf(a, " %s,", wanted[i])))
			buf_printf(&out, "%s%s", out.len ? ", " : "", wanted[i]);
	return out.len ? arena_printf(a, "the app lacks scopes: %s", buf_str(&out)) : NULL;
}

/* HTTP mode receives without a connection: it stays connected as long as the token is good. */
static CH_FIBER ch_status watch(struct chan_acct *acct, struct ch_err *err)
{
	ch_status st;

	chan_state(acct, CHAN_CONNECTED, NULL);
	do {
		st = fiber_sleep(WATCH_MS);
		if (!st)
			st = slack_check_login(acct, err);
	} while (!st);
	return st == CH_E_CANCELED ? ch_fail(err, st, "stopped") : st;
}

/* Which app the bot is of; without users:read nobody says. */
static CH_FIBER ch_status learn_app(struct chan_acct *acct, struct arena *a, struct ch_err *err)
{
	SLACK_AUTO_FORM struct slack_form form = SLACK_FORM;
	struct slack *s = chan_priv(acct);
	struct slack_answer answer;

	if (!s->bot_id)
		return CH_OK;
	slack_form_add(&form, "bot", s->bot_id);
	if (slack_call(acct, SLACK_BOT, "bots.info", &form, fiber_deadline(SLACK_LOOKUP_MS), a, &answer, err) == CH_E_CANCELED)
		return CH_E_CANCELED;
	s = chan_priv(acct);
	ch_free(s->app_id);
	s->app_id = ch_strdup(json_get_str(json_get(answer.body, "bot"), "app_id"));
	return CH_OK;
}

static CH_FIBER ch_status log_in(struct chan_acct *acct, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	const char *scopes = NULL, *missing;
	ch_status st;

	chan_state(acct, CHAN_STARTING, NULL);
	st = slack_login(acct, a, &scopes, err);
	if (!st && !is_http(chan_acct_cfg(acct)))
		st = learn_app(acct, a, err);
	if (st)
		return st;
	missing = missing_scopes(scopes, a);
	if (missing)
		chan_acct_log(acct, "%s", missing);
	return CH_OK;
}

static void forget(struct slack *s)
{
	s->is_running = false;
	ch_free(CH_TAKE(s->team_id));
	ch_free(CH_TAKE(s->bot_id));
	ch_free(CH_TAKE(s->url));
	ch_free(CH_TAKE(s->app_id));
	slack_names_free(s);
	slack_streams_free(s);
}

static CH_FIBER ch_status run(struct chan_acct *acct, struct ch_err *err)
{
	ch_status st;

	((struct slack *)chan_priv(acct))->is_running = true;
	st = log_in(acct, err);
	if (!st)
		st = is_http(chan_acct_cfg(acct)) ? watch(acct, err) : slack_socket_run(acct, err);
	forget(chan_priv(acct));
	return st;
}

static CH_FIBER ch_status probe(struct chan_acct *acct, struct arena *a, struct chan_probe *ret, struct ch_err *err)
{
	const int64_t begun_ms = now_mono_ms();
	struct slack_answer answer;
	ch_status st = slack_call(acct, SLACK_BOT, "auth.test", NULL, fiber_deadline(SLACK_CALL_MS), a, &answer, err);

	*ret = (struct chan_probe){ .is_ok = !st, .elapsed_ms = now_mono_ms() - begun_ms };
	if (st == CH_E_CANCELED)
		return st;
	if (st) {
		ret->error = arena_strdup(a, err->text);
		return CH_OK;
	}
	ret->bot_id = json_get_str(answer.body, "user_id");
	ret->bot_name = json_get_str(answer.body, "user");
	ret->warning = missing_scopes(answer.scopes, a);
	return CH_OK;
}

static const char *const secrets[] = { "botToken", "appToken", "signingSecret", NULL };

static const struct chan_rooms rooms = {
	.map = "channels",
	.senders = "users",
	.thread_word = "thread",
	.are_listed_open = true,
	.has_group_dms = true,
	.follows_threads = true,
	.lists_bots = true,
};

const struct chan_ops chan_slack = {
	.id = "slack",
	.label = "Slack",
	.detail_label = "Slack Bot",
	.image = "number",
	.caps = CHAN_EDIT | CHAN_DELETE | CHAN_REACT | CHAN_TYPING | CHAN_MEDIA | CHAN_THREADS | CHAN_BUTTONS | CHAN_HISTORY | CHAN_REPLY |
		CHAN_GROUPS | CHAN_STREAM,
	.flavour = CHAN_SLACK_MRKDWN,
	.limits = {
		.text_max = 40000,
		.text_default = 8000,
		.edit_max = 4000,
		.caption_max = 4000,
		.album_max = 10,
		.media_max_bytes = 20LL << 20,
		.buttons_max = CHAN_BUTTONS_MAX,
		.unit = CHAN_CODEPOINTS,
		.rate = 5,
		.burst = 20,
		.peer_rate = 1,
		.peer_burst = 10,
		.peer_counts_posts = true,
	},
	.streaming = "progress",
	.reply_mode = "off",
	.replies_hide = true,
	.ack_shortcode = "eyes",
	.history_default = 50,
	.rooms = &rooms,
	.priv_size = sizeof(struct slack),
	.secrets = secrets,
	.id_parse = id_parse,
	.target_parse = target_parse,
	.check = check,
	.run = run,
	.probe = probe,
	.send = slack_send,
	.reconcile = slack_reconcile,
	.edit = slack_edit,
	.stream = slack_grow,
	.remove = slack_remove,
	.react = slack_react,
	.typing = slack_typing,
	.fetch = slack_fetch,
	.history = slack_history,
	.webhook = slack_webhook,
	.webhook_path = webhook_path,
};
