/*
 * channels/live_cfg.c - what the configuration wants to be seen of a turn.
 *
 * ack       account, network, messages.ackReaction, the agent's emoji, else eyes; ackReactionScope of the same places says for whom
 * draft     streaming.mode of account or network, else the network's default; needs a network that can edit
 * streams   streaming.nativeTransport (default true) with mode partial, where the answer has a thread or answers the message: no lines
 *           of tools then, which could not be taken back
 * blocks    streaming.block.enabled of account or network, else agents.defaults.blockStreamingDefault. Blocks that are said for
 *           the network take the place of its preview, inherited ones only when no preview is said.
 */
#include "channels/live_priv.h"

#include <stdio.h>
#include <string.h>

#include "channels/access.h"
#include "channels/egress_priv.h"
#include "core/rand.h"
#include "core/str.h"

struct reader { struct config *config; struct chan_cfg *cfg; const struct chan_ops *ops; const struct live_turn *turn;
		const struct json *streaming; struct arena *a; };

/* An agent's own value, else the one for all. */
static const struct json *agent_key(const struct reader *r, const char *key)
{
	const struct json *v = NULL;

	if (r->turn->agent_id)
		v = config_get(r->config, arena_printf(r->a, "agents.entries[\"%s\"].%s", r->turn->agent_id, key));
	return v ? v : config_get(r->config, arena_printf(r->a, "agents.defaults.%s", key));
}

static void copy_word(char *ret, size_t size, const char *s)
{
	size_t n = s ? utf8_cut(s, strlen(s), size - 1) : 0;

	memcpy(ret, s ? s : "", n);
	ret[n] = '\0';
}

/* -- typing -- */

static enum live_typing typing_of(const struct reader *r)
{
	const char *mode = json_str(agent_key(r, "typingMode"));

	if (!(r->ops->caps & CHAN_TYPING) || r->turn->is_ambient || str_eq(mode, "never"))
		return LIVE_TYPING_NEVER;
	if (str_eq(mode, "instant"))
		return LIVE_TYPING_INSTANT;
	if (str_eq(mode, "thinking"))
		return LIVE_TYPING_THINKING;
	if (str_eq(mode, "message"))
		return LIVE_TYPING_MESSAGE;
	return r->turn->is_group && !r->turn->was_mentioned ? LIVE_TYPING_MESSAGE : LIVE_TYPING_INSTANT;
}

/* -- reactions -- */

static bool is_acked(const struct reader *r)
{
	const char *own = chan_cfg_str(r->cfg, "ackReactionScope");
	const char *scope = own ? own : config_str(r->config, "messages.ackReactionScope");
	const struct live_turn *t = r->turn;

	if (str_eq(scope, "all"))
		return true;
	if (t->is_ambient || str_eq(scope, "off") || str_eq(scope, "none"))
		return false;
	if (str_eq(scope, "direct"))
		return !t->is_group;
	return t->is_group && (t->was_mentioned || str_eq(scope, "group-all"));
}

static const char *ack_of(const struct reader *r, struct chan_host *h)
{
	const struct chan_up *up = chan_host_up(h);
	const char *name = NULL, *emoji = chan_cfg_str(r->cfg, "ackReaction");

	if (!emoji)
		emoji = config_str(r->config, "messages.ackReaction");
	if (!emoji && up && up->identity && r->turn->agent_id)
		up->identity(up->arg, r->turn->agent_id, r->a, &name, &emoji);
	if (!emoji)
		emoji = r->ops->ack_shortcode ? r->ops->ack_shortcode : "👀";
	return emoji;
}

/* Telegram has a short list of reactions; Slack and Discord, where one does not replace the other, show only failures. */
static void read_status(const struct reader *r, struct live_cfg *ret)
{
	static const char usual[LIVE_STATUSES][20] = { "", "🧠", "🛠️", "🗜️", "✅", "❌", "⏳", "⚠️" };
	static const char telegram[LIVE_STATUSES][20] = { "", "🤔", "👨‍💻", "✍", "👍", "😱", "🥱", "😨" };
	static const char keys[LIVE_STATUSES][12] = { "queued", "thinking", "tool", "compacting", "done", "error", "stallSoft",
						      "stallHard" };
	const struct json *status = config_get(r->config, "messages.statusReactions"), *emojis = json_get(status, "emojis");
	bool is_on = r->ops->flavour == CHAN_DISCORD_MD;

	ret->has_status = json_get_bool(status, "enabled", is_on);
	ret->shows_errors_only = r->ops->flavour == CHAN_SLACK_MRKDWN || r->ops->flavour == CHAN_DISCORD_MD;
	for (int i = 0; i < LIVE_STATUSES; i++) {
		const char *set = json_get_str(emojis, keys[i]);

		copy_word(ret->status[i], LIVE_EMOJI_MAX, set ? set : r->ops->flavour == CHAN_TELEGRAM_HTML ? telegram[i] : usual[i]);
	}
	if (!*ret->status[LIVE_QUEUED])
		copy_word(ret->status[LIVE_QUEUED], LIVE_EMOJI_MAX, ret->ack);
}

static void read_reactions(const struct reader *r, struct chan_host *h, struct live_cfg *ret)
{
	if (!(r->ops->caps & CHAN_REACT) || !r->turn->place.message_id || str_eq(chan_cfg_str(r->cfg, "reactionLevel"), "off"))
		return;
	copy_word(ret->busy, sizeof(ret->busy), chan_cfg_str(r->cfg, "typingReaction"));
	if (!is_acked(r))
		return;
	copy_word(ret->ack, sizeof(ret->ack), ack_of(r, h));
	ret->removes_ack = config_bool(r->config, "messages.removeAckAfterReply", false);
	if (*ret->ack)
		read_status(r, ret);
}

/* -- previews -- */

static enum live_draft_mode draft_of(const char *mode)
{
	if (str_eq(mode, "partial"))
		return LIVE_DRAFT_PARTIAL;
	if (str_eq(mode, "block"))
		return LIVE_DRAFT_BLOCK;
	return str_eq(mode, "progress") ? LIVE_DRAFT_PROGRESS : LIVE_DRAFT_OFF;
}

static size_t size_at(const struct json *v, const char *key, size_t def)
{
	int64_t n = json_get_int(v, key, (int64_t)def);

	return n > 0 && n < (int64_t)LIVE_TEXT_MAX ? (size_t)n : def;
}

static void read_draft(const struct reader *r, struct live_cfg *ret)
{
	const struct json *progress = json_get(r->streaming, "progress"), *preview = json_get(r->streaming, "preview");
	const struct json *of_mode = ret->draft == LIVE_DRAFT_PROGRESS ? progress : preview, *label = json_get(progress, "label");
	const struct json *labels = json_get(progress, "labels");
	const char *word = json_str(label);

	if ((!word || str_eq(word, "auto")) && json_len(labels)) {
		size_t pick = (size_t)rand_below(json_len(labels));

		json_each(one, labels)
			if (!pick--)
				word = json_str(one);
	}
	if (!word || str_eq(word, "auto"))
		word = "Working";
	copy_word(ret->label, sizeof(ret->label), json_is(label, JSON_BOOL) && !json_bool_or(label, true) ? "" : word);
	ret->lines_max = (int)CH_MIN(size_at(progress, "maxLines", 8), LIVE_LINES_MAX);
	ret->line_chars = (int)size_at(progress, "maxLineChars", 120);
	ret->shows_tools = !ret->streams && json_get_bool(of_mode, "toolProgress", ret->draft != LIVE_DRAFT_PROGRESS);
	ret->shows_commands = str_eq(json_get_str(of_mode, "commandText"), "raw");
	ret->draft_min = size_at(json_get(preview, "chunk"), "minChars", 200);
}

/* -- blocks -- */

static void read_pause(const struct reader *r, struct live_cfg *ret)
{
	const struct json *delay = agent_key(r, "humanDelay");
	const char *mode = json_get_str(delay, "mode");
	bool is_custom = str_eq(mode, "custom");

	if (!is_custom && !str_eq(mode, "natural"))
		return;
	ret->pause_min_ms = is_custom ? json_get_int(delay, "minMs", 800) : 800;
	ret->pause_max_ms = is_custom ? json_get_int(delay, "maxMs", 2500) : 2500;
	ret->pause_min_ms = CH_MIN(CH_MAX(ret->pause_min_ms, 0), 60000);
	ret->pause_max_ms = CH_MIN(CH_MAX(ret->pause_max_ms, ret->pause_min_ms), 60000);
}

static void read_blocks(const struct reader *r, struct live_cfg *ret)
{
	const struct json *chunk = agent_key(r, "blockStreamingChunk"), *coalesce = json_get(json_get(r->streaming, "block"), "coalesce");
	size_t limit = (size_t)CH_MAX(chan_cfg_int(r->cfg, "textChunkLimit", r->ops->limits.text_default), 64);

	if (!coalesce)
		coalesce = agent_key(r, "blockStreamingCoalesce");
	ret->block_min = CH_MIN(CH_MAX(size_at(chunk, "minChars", 800), size_at(coalesce, "minChars", 0)), limit);
	ret->block_max = CH_MIN(CH_MAX(CH_MAX(size_at(chunk, "maxChars", 1200), size_at(coalesce, "maxChars", 0)), ret->block_min), limit);
	ret->idle_ms = json_get_int(coalesce, "idleMs", 1000);
	ret->idle_ms = CH_MIN(CH_MAX(ret->idle_ms, 0), 60000);
	ret->blocks_at_end = str_eq(json_str(agent_key(r, "blockStreamingBreak")), "message_end");
	read_pause(r, ret);
}

static void read_streaming(const struct reader *r, struct live_cfg *ret)
{
	const struct json *mode = json_is(r->streaming, JSON_STR) ? r->streaming : json_get(r->streaming, "mode");
	const struct json *own = json_get(json_get(r->streaming, "block"), "enabled");
	const char *reply_mode = egress_reply_mode(r->ops, r->cfg, &r->turn->place.peer);
	bool has_own, own_value;

	if (!own)
		own = chan_cfg_get(r->cfg, "blockStreaming");
	has_own = json_is(own, JSON_BOOL);
	own_value = json_bool_or(own, false);
	if (r->ops->caps & CHAN_EDIT && r->ops->edit && r->ops->send)
		ret->draft = draft_of(mode ? json_str(mode) : r->ops->streaming);
	ret->has_blocks = has_own ? own_value : str_eq(json_str(agent_key(r, "blockStreamingDefault")), "on");
	if (ret->has_blocks && (has_own || !mode || ret->draft == LIVE_DRAFT_OFF))
		ret->draft = LIVE_DRAFT_OFF;
	else
		ret->has_blocks = false;
	ret->is_reply = !str_eq(reply_mode, "off") && !str_eq(reply_mode, "batched");
	/* What grows is an answer: in a thread, or to the message. */
	ret->streams = ret->draft == LIVE_DRAFT_PARTIAL && r->ops->stream && json_get_bool(r->streaming, "nativeTransport", true) &&
		       (r->turn->place.peer.thread || (ret->is_reply && r->turn->place.message_id));
}

void live_cfg_read(struct chan_host *h, const struct live_turn *t, struct live_cfg *ret)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct reader r = { .config = chan_host_config(h), .turn = t, .a = a, .ops = chan_host_network(h, t->place.channel) };
	int64_t seconds;

	*ret = (struct live_cfg){ 0 };
	if (!r.ops)
		return;
	CH_AUTO(chan_cfg_unref) struct chan_cfg *cfg = chan_cfg_new(r.config, t->place.channel, t->place.account);

	r.cfg = cfg;
	r.streaming = chan_cfg_get(cfg, "streaming");
	ret->typing = typing_of(&r);
	seconds = json_int_or(agent_key(&r, "typingIntervalSeconds"), 6);
	ret->typing_ms = CH_MIN(CH_MAX(seconds, 1), 600) * 1000;
	read_reactions(&r, h, ret);
	read_streaming(&r, ret);
	read_draft(&r, ret);
	read_blocks(&r, ret);
}
