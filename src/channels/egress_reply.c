/*
 * channels/egress_reply.c - a model's reply becomes a message: its tags and files, the answer mark, the prefix.
 */
#include "channels/egress_priv.h"

#include <string.h>

#include "channels/render.h"
#include "channels/route.h"
#include "core/log.h"
#include "core/str.h"

/* -- files that the reply names -- */

static bool is_address(const char *where)
{
	return str_starts(where, "https://") || str_starts(where, "http://");
}

/* A file that cannot be sent is said in the text. */
static void stage_one(struct chan_egress *e, const char *agent_id, struct chan_file file, struct arena *a, struct chan_message *m,
		      struct chan_file *files, size_t *count)
{
	struct chan_message one = *m;
	struct ch_err err = { 0 };

	one.files = &file;
	one.file_count = 1;
	if (!egress_stage(e, agent_id, &one, a, &err)) {
		files[(*count)++] = one.files[0];
		return;
	}
	log_warn("channels", "run=%s a file of a reply: %s; the reply goes without it", m->run_id ? m->run_id : "-", err.text);
	m->text = arena_printf(a, "%s%s(File not sent: %s: %s)", m->text ? m->text : "", str_empty(m->text) ? "" : "\n\n",
			       file.path ? file.path : file.url, err.text);
}

static void add_line(struct arena *a, struct chan_message *m, const char *line)
{
	m->text = arena_printf(a, "%s%s%s", m->text ? m->text : "", str_empty(m->text) ? "" : "\n\n", line);
}

/*
 * A MEDIA: line of a reply. No policy has looked at it, as it does at the message tool: so no address is fetched for one (an
 * injected text could carry what it knows into it), and only the owner is sent files this way.
 */
static void take_line(struct chan_egress *e, const char *agent_id, const char *where, bool as_voice, struct arena *a,
		      struct chan_message *m, struct chan_file *files, size_t *count)
{
	if (is_address(where))
		add_line(a, m, where);
	else if (!m->may_attach)
		add_line(a, m, "(A file was not sent: that takes the owner, or the message tool.)");
	else
		stage_one(e, agent_id, (struct chan_file){ .path = where, .as_voice = as_voice }, a, m, files, count);
}

static void take_files(struct chan_egress *e, const char *agent_id, const struct render_tags *tags, struct arena *a,
		       struct chan_message *m)
{
	size_t most = CH_MIN(m->file_count + tags->media_count, (size_t)CHAN_MEDIA_COUNT_MAX), count = 0;
	struct chan_file *files = arena_alloc(a, (most + 1) * sizeof(*files));
	const struct chan_file *given = m->files;
	size_t given_count = m->file_count;

	m->files = NULL;
	m->file_count = 0;
	for (size_t i = 0; i < given_count && i < most; i++)
		stage_one(e, agent_id, given[i], a, m, files, &count);
	for (size_t i = 0; i < tags->media_count && given_count + i < most; i++)
		take_line(e, agent_id, tags->media[i], tags->as_voice, a, m, files, &count);
	m->files = files;
	m->file_count = count;
}

/* -- which message is answered -- */

const char *egress_reply_mode(const struct chan_ops *ops, const struct chan_cfg *cfg, const struct chan_peer *peer)
{
	const char *mode = chan_cfg_reply_mode(cfg, ops->rooms ? ops->rooms->map : NULL, peer->id, chan_peer_kind_name(peer->kind));

	return mode ? mode : ops->reply_mode;
}

static void take_reply_to(const struct chan_ops *ops, const struct chan_cfg *cfg, const struct render_tags *tags,
			  struct chan_message *m)
{
	const char *mode = egress_reply_mode(ops, cfg, &m->peer);
	bool is_off = !mode || str_eq(mode, "off");

	if (is_off && ops->replies_hide)
		m->reply_to = NULL;
	else if (tags->reply_to)
		m->reply_to = tags->reply_to;
	else if (!tags->reply_to_current && (is_off || (str_eq(mode, "batched") && !m->is_batch)))
		m->reply_to = NULL;
}

/* -- the prefix -- */

struct word { const char *name, *value; };

/* "[{model}]" with the words put in; NULL when one is not known. */
static const char *put_words(const char *text, const struct word *words, size_t count, struct arena *a)
{
	CH_AUTO_BUF struct buf out = { 0 };

	buf_init(&out, 4096);
	while (*text) {
		size_t i = 0, n = 0;

		for (; *text == '{' && i < count; i++) {
			n = strlen(words[i].name);
			if (strncasecmp(text, words[i].name, n) == 0)
				break;
		}
		if (*text != '{' || i == count) {
			buf_putc(&out, *text++);
			continue;
		}
		if (str_empty(words[i].value))
			return NULL;
		buf_puts(&out, words[i].value);
		text += n;
	}
	return out.failed ? NULL : arena_strndup(a, buf_str(&out), out.len);
}

static const char *identity(const struct chan_up *up, const char *agent_id, struct arena *a)
{
	const char *name = NULL, *emoji;

	if (up && up->identity && agent_id)
		up->identity(up->arg, agent_id, a, &name, &emoji);
	return name;
}

static struct chan_answerer answerer(const struct chan_up *up, const struct chan_message *m, struct arena *a)
{
	struct chan_answerer by = { 0 };

	if (up && up->answerer && m->session_key && m->run_id)
		up->answerer(up->arg, m->session_key, m->run_id, a, &by);
	return by;
}

static const char *fill_template(const struct chan_up *up, const char *template, const char *agent_id, const struct chan_message *m,
				 struct arena *a)
{
	const struct chan_answerer by = answerer(up, m, a);
	const char *name = identity(up, agent_id, a);
	const struct word words[] = {
		{ "{modelFull}", by.model && by.provider ? arena_printf(a, "%s/%s", by.provider, by.model) : NULL },
		{ "{model}", by.model },
		{ "{provider}", by.provider },
		{ "{thinkingLevel}", by.thinking },
		{ "{think}", by.thinking },
		{ "{identity.name}", name },
		{ "{identityName}", name },
	};

	return put_words(template, words, CH_ARRAY_LEN(words), a);
}

/* What the account puts in front of a reply, NULL: nothing. A word that is not known leaves the prefix out. */
static const char *prefix_of(struct chan_egress *e, const struct chan_cfg *cfg, const char *agent_id, const struct chan_message *m,
			     struct arena *a)
{
	const struct chan_up *up = chan_host_up(e->host);
	const char *prefix = chan_cfg_str(cfg, "responsePrefix");

	if (!prefix)
		prefix = config_str(chan_cfg_config(cfg), "messages.responsePrefix");
	if (str_empty(prefix))
		return NULL;
	if (str_eq(prefix, "auto"))
		prefix = "[{identity.name}]";
	return strchr(prefix, '{') ? fill_template(up, prefix, agent_id, m, a) : prefix;
}

/* -- what the message tool said already -- */

/* Is the tool's word the answer here (message_tool), so that a reply beside it stays private? */
static bool tool_answers(const struct config *c, const struct chan_peer *peer)
{
	const char *mode = peer->kind == CHAN_DIRECT ? NULL : config_str(c, "messages.groupChat.visibleReplies");

	return str_eq(mode ? mode : config_str(c, "messages.visibleReplies"), "message_tool");
}

/* A text that was said by the tool is not said again. Who got nothing by the tool gets the reply, whatever the mode. */
static ch_status was_said(struct chan_egress *e, const struct chan_message *m, struct arena *a, bool *ret, struct ch_err *err)
{
	const char *lane = chan_lane(a, m->channel, m->account, &m->peer);
	bool any = false, same = false;
	ch_status st = CH_OK;

	if (m->run_id && !m->file_count)
		st = outbox_said(e->db, m->run_id, lane, m->text, &any, &same, err);
	*ret = same || (any && tool_answers(chan_host_config(e->host), &m->peer));
	return st;
}

/* -- all of it -- */

CH_FIBER ch_status egress_reply(struct chan_egress *e, const char *agent_id, struct arena *a, struct chan_message *m,
				bool *ret_is_silent, struct ch_err *err)
{
	CH_AUTO(chan_cfg_unref) struct chan_cfg *cfg = NULL;
	struct render_tags tags = { 0 };
	const char *text = m->text ? m->text : "", *prefix;
	const struct chan_ops *ops = chan_host_network(e->host, m->channel);

	if (!ops)
		return ch_fail(err, CH_E_INVALID, "there is no network '%s'", m->channel);
	cfg = chan_cfg_new(chan_host_config(e->host), m->channel, m->account);
	render_tags(a, text, strlen(text), &tags);
	m->text = tags.is_silent_reply ? NULL : tags.text;
	take_reply_to(ops, cfg, &tags, m);
	if (ops->caps & CHAN_MEDIA || (!m->file_count && !tags.media_count))
		take_files(e, agent_id, &tags, a, m);
	else
		m->text = arena_printf(a, "%s\n\n(Files cannot be sent on %s.)", m->text ? m->text : "", ops->label);
	if (fiber_canceled()) {          /* its files failed by that, and are no failures to tell of */
		egress_unstage(e, m);
		return ch_fail(err, CH_E_CANCELED, "the gateway stops");
	}
	prefix = prefix_of(e, cfg, agent_id, m, a);
	if (prefix && !str_empty(m->text) && !str_starts(m->text, prefix))
		m->prefix = prefix;
	*ret_is_silent = str_empty(m->text) && !m->file_count && !m->poll && !m->location;
	return *ret_is_silent ? CH_OK : was_said(e, m, a, ret_is_silent, err);
}
