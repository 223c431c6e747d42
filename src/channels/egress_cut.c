/*
 * channels/egress_cut.c - a message becomes the platform messages that it is sent as.
 *
 * Order: files first, the beginning of the text as caption of the first of them, then the rest of the text; a poll or location
 * is the last. A text that replaces a draft comes before the files, because only a text can replace a text.
 * Buttons stand at the last part that is a text or has files; the answer mark at the first, or at all of them.
 */
#include "channels/egress_priv.h"

#include <string.h>

#include "channels/render.h"
#include "channels/sniff.h"
#include "core/str.h"

struct cut {
	const struct chan_ops *ops;
	const struct chan_message *m;
	const char *const *mimes;
	struct arena *arena;
	struct outbox_part *parts;
	size_t count;
};

void egress_render_opts(const struct chan_ops *ops, const struct chan_cfg *cfg, struct render_opts *ret)
{
	int64_t wanted = chan_cfg_int(cfg, "textChunkLimit", ops->limits.text_default);
	int64_t lines = chan_cfg_int(cfg, "maxLinesPerMessage", ops->limits.lines_max);
	const struct json *mode = json_get(chan_cfg_get(cfg, "streaming"), "chunkMode");

	*ret = (struct render_opts){
		.flavour = ops->flavour,
		.unit = ops->limits.unit,
		.text_max = (int)CH_MIN(wanted > 0 ? wanted : ops->limits.text_default, (int64_t)ops->limits.text_max),
		.lines_max = (int)CH_MIN(CH_MAX(lines, 0), 100000),
		.by_paragraph = str_eq(json_str(mode), "newline"),
		.tables = render_tables_parse(chan_cfg_str(cfg, "markdown.tables")),
	};
}

int egress_edit_max(const struct chan_ops *ops)
{
	return ops->limits.edit_max ? ops->limits.edit_max : ops->limits.text_max;
}

/* Files that the platforms show together: pictures and films, documents, pieces of sound. */
static int album_of(const struct cut *c, size_t i)
{
	const struct chan_file *f = &c->m->files[i];
	enum chan_media_kind kind = sniff_kind(c->mimes[i]);

	if (f->as_voice || f->as_round)
		return -1;
	if (f->as_document || kind == CHAN_DOCUMENT)
		return 1;
	return kind == CHAN_AUDIO ? 2 : 0;
}

static struct outbox_part *add_part(struct cut *c)
{
	return &c->parts[c->count++];
}

static void add_texts(struct cut *c, const struct render_part *texts, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct outbox_part *p = add_part(c);

		p->text = texts[i].text;
		p->plain = texts[i].plain;
	}
}

static void add_files(struct cut *c)
{
	size_t most = (size_t)CH_MAX(c->ops->limits.album_max, 1);

	for (size_t i = 0; i < c->m->file_count;) {
		struct outbox_part *p = add_part(c);
		int album = album_of(c, i);

		p->file_first = i++;
		p->file_count = 1;
		while (album >= 0 && i < c->m->file_count && p->file_count < most && album_of(c, i) == album) {
			p->file_count++;
			i++;
		}
	}
}

/* Prefixes and text as they are rendered. */
static const char *whole_text(const struct cut *c)
{
	const struct chan_message *m = c->m;

	if (str_empty(m->prefix))
		return m->text;
	return str_empty(m->text) ? NULL : arena_printf(c->arena, "%s %s", m->prefix, m->text);
}

static bool takes_caption(const struct cut *c)
{
	return c->m->file_count && c->ops->limits.caption_max > 0 && !c->m->draft_id && !c->m->files[0].as_round;
}

static void mark_replies(struct cut *c, bool all)
{
	for (size_t i = 0; c->m->reply_to && i < c->count; i++)
		c->parts[i].is_reply = all || i == 0;
}

static void mark_buttons(struct cut *c)
{
	for (size_t i = c->count; c->m->button_count && i > 0; i--) {
		struct outbox_part *p = &c->parts[i - 1];

		/* An album has no place for buttons. */
		if (!p->has_poll && !p->has_location && p->file_count <= 1) {
			p->has_buttons = true;
			return;
		}
	}
}

static void add_rest(struct cut *c)
{
	if (c->m->location)
		add_part(c)->has_location = true;
	if (c->m->poll)
		add_part(c)->has_poll = true;
}

ch_status egress_cut(const struct chan_ops *ops, const struct chan_cfg *cfg, const struct chan_message *m,
		     const char *const *files_mime, struct arena *a, const struct outbox_part **ret, size_t *ret_count,
		     struct ch_err *err)
{
	struct cut c = { .ops = ops, .m = m, .mimes = files_mime, .arena = a };
	const struct render_part *texts = NULL;
	const char *text = whole_text(&c);
	struct render_opts opts;
	size_t text_count = 0;
	ch_status st;

	egress_render_opts(ops, cfg, &opts);
	if (takes_caption(&c))
		opts.first_max = CH_MIN(ops->limits.caption_max, opts.text_max);
	else if (m->draft_id)
		opts.first_max = CH_MIN(egress_edit_max(ops), opts.text_max);
	if (text) {
		st = render_message(a, text, strlen(text), &opts, &texts, &text_count, err);
		if (st)
			return ch_wrap(err, "rendering for %s", ops->label);
	}
	c.parts = arena_alloc(a, (text_count + m->file_count + 2) * sizeof(*c.parts));
	if (m->draft_id || !m->file_count) {
		add_texts(&c, texts, text_count);
		add_files(&c);
	} else {
		add_files(&c);
		if (text_count && takes_caption(&c)) {
			c.parts[0].text = texts[0].text;
			c.parts[0].plain = texts[0].plain;
			add_texts(&c, texts + 1, text_count - 1);
		} else {
			add_texts(&c, texts, text_count);
		}
	}
	add_rest(&c);
	if (m->draft_id && text_count)
		c.parts[0].is_edit = true;
	mark_replies(&c, str_eq(egress_reply_mode(ops, cfg, &m->peer), "all"));
	mark_buttons(&c);
	if (!c.count)
		return ch_fail(err, CH_E_INVALID, "nothing of the message can be shown on %s", ops->label);
	*ret = c.parts;
	*ret_count = c.count;
	return CH_OK;
}
