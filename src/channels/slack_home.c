/*
 * channels/slack_home.c - the Home tab of the app: what it is and how to speak to it. The same for everybody, nothing private.
 */
#include "channels/slack.h"

#include "channels/host.h"
#include "core/str.h"

static void put_section(struct jw *w, const char *text)
{
	jw_obj(w);
	jw_kstr(w, "type", "section");
	jw_kobj(w, "text");
	jw_kstr(w, "type", "mrkdwn");
	jw_kstr(w, "text", text);
	jw_end(w);
	jw_end(w);
}

static void put_view(struct buf *out, const char *command, struct arena *a)
{
	struct jw w = JW(out);

	jw_obj(&w);
	jw_kstr(&w, "type", "home");
	jw_karr(&w, "blocks");
	put_section(&w, "*A personal assistant, on chela.*");
	put_section(&w, "Write to it in *Messages*, or mention it in a channel that it is in. It answers the people that its owner let in.");
	if (command)
		put_section(&w, arena_printf(a, "`/%s /help` lists its commands.", command));
	jw_end(&w);
	jw_end(&w);
}

CH_FIBER void slack_home_opened(struct chan_acct *acct, const struct json *event, const char *command, int64_t deadline_ms,
				struct arena *a)
{
	CH_AUTO_BUF struct buf view = { .max_bytes = 8192 };
	SLACK_AUTO_FORM struct slack_form form = SLACK_FORM;
	struct slack_answer answer;
	struct ch_err err;

	/* It has one already: views stay. */
	if (!str_eq(json_get_str(event, "tab"), "home") || json_get(event, "view") || !slack_is_id(json_get_str(event, "user"), "UW"))
		return;
	put_view(&view, command, a);
	slack_form_add(&form, "user_id", json_get_str(event, "user"));
	slack_form_add(&form, "view", buf_str(&view));
	if (slack_call(acct, SLACK_BOT, "views.publish", &form, deadline_ms, a, &answer, &err))
		chan_acct_log(acct, "the Home tab was not shown: %s", err.text);
}
