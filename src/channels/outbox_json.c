/*
 * channels/outbox_json.c - a message to be sent as the JSON of its row, and back.
 *
 * Members that are not set are left out; "parts" is there once the message was cut.
 */
#include "channels/outbox.h"

#include <string.h>

#include "channels/route.h"
#include "core/str.h"

static void write_files(struct jw *w, const struct chan_message *m)
{
	if (!m->file_count)
		return;
	jw_karr(w, "files");
	for (size_t i = 0; i < m->file_count; i++) {
		const struct chan_file *f = &m->files[i];

		jw_obj(w);
		jw_kstr_opt(w, "staged", f->staged);
		jw_kstr_opt(w, "path", f->path);
		jw_kstr_opt(w, "url", f->url);
		jw_kstr_opt(w, "name", f->name);
		jw_kstr_opt(w, "mime", f->mime);
		if (f->as_voice)
			jw_kbool(w, "voice", true);
		if (f->as_document)
			jw_kbool(w, "document", true);
		if (f->as_round)
			jw_kbool(w, "round", true);
		jw_end(w);
	}
	jw_end(w);
}

static void write_buttons(struct jw *w, const struct chan_message *m)
{
	if (!m->button_count)
		return;
	jw_karr(w, "buttons");
	for (size_t i = 0; i < m->button_count; i++) {
		const struct chan_button *b = &m->buttons[i];

		jw_obj(w);
		jw_kstr_opt(w, "text", b->text);
		jw_kstr_opt(w, "data", b->data);
		jw_kstr_opt(w, "url", b->url);
		if (b->opens_app)
			jw_kbool(w, "app", true);
		jw_kint(w, "style", (int64_t)b->style);
		if (b->ends_row)
			jw_kbool(w, "endsRow", true);
		jw_end(w);
	}
	jw_end(w);
}

static void write_poll(struct jw *w, const struct chan_poll *p)
{
	jw_kobj(w, "poll");
	jw_kstr(w, "question", p->question);
	jw_karr(w, "options");
	for (size_t i = 0; i < p->option_count; i++)
		jw_str(w, p->options[i]);
	jw_end(w);
	jw_kint(w, "maxSelections", p->max_selections);
	jw_kint(w, "durationS", p->duration_s);
	jw_kbool(w, "anonymous", p->is_anonymous);
	jw_end(w);
}

static void write_location(struct jw *w, const struct chan_location *l)
{
	jw_kobj(w, "location");
	jw_knum(w, "lat", l->lat);
	jw_knum(w, "lon", l->lon);
	jw_knum(w, "accuracyM", l->accuracy_m);
	jw_kbool(w, "live", l->is_live);
	jw_kstr_opt(w, "name", l->name);
	jw_kstr_opt(w, "address", l->address);
	jw_end(w);
}

static void write_parts(struct jw *w, const struct outbox_part *parts, size_t count)
{
	if (!count)
		return;
	jw_karr(w, "parts");
	for (size_t i = 0; i < count; i++) {
		const struct outbox_part *p = &parts[i];

		jw_obj(w);
		jw_kstr_opt(w, "text", p->text);
		jw_kstr_opt(w, "plain", p->plain);
		jw_kint(w, "file", (int64_t)p->file_first);
		jw_kint(w, "files", (int64_t)p->file_count);
		jw_kbool(w, "buttons", p->has_buttons);
		jw_kbool(w, "poll", p->has_poll);
		jw_kbool(w, "location", p->has_location);
		jw_kbool(w, "reply", p->is_reply);
		jw_kbool(w, "edit", p->is_edit);
		jw_end(w);
	}
	jw_end(w);
}

ch_status outbox_write(const struct chan_message *m, const struct outbox_part *parts, size_t count, struct buf *out,
		       struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct jw w = JW(out);

	jw_obj(&w);
	jw_kvalue(&w, "peer", chan_peer_json(a, &m->peer));
	jw_kstr_opt(&w, "replyTo", m->reply_to);
	jw_kstr_opt(&w, "text", m->text);
	jw_kstr_opt(&w, "prefix", m->prefix);
	write_files(&w, m);
	write_buttons(&w, m);
	if (m->poll)
		write_poll(&w, m->poll);
	if (m->location)
		write_location(&w, m->location);
	jw_kstr_opt(&w, "handle", m->handle);
	jw_kstr_opt(&w, "ephemeralTo", m->ephemeral_to);
	jw_kstr_opt(&w, "draftId", m->draft_id);
	if (m->is_silent)
		jw_kbool(&w, "silent", true);
	if (m->is_pinned)
		jw_kbool(&w, "pinned", true);
	if (m->is_batch)
		jw_kbool(&w, "batch", true);
	write_parts(&w, parts, count);
	jw_end(&w);
	return buf_status(out, err, "a message to send");
}

/* -- and back -- */

static void read_files(const struct json *list, struct arena *a, struct chan_message *m)
{
	struct chan_file *files = arena_alloc(a, (json_len(list) + 1) * sizeof(*files));
	size_t n = 0;

	json_each(v, list)
		files[n++] = (struct chan_file){ .staged = json_get_str(v, "staged"), .path = json_get_str(v, "path"),
						 .url = json_get_str(v, "url"), .name = json_get_str(v, "name"),
						 .mime = json_get_str(v, "mime"),
						 .as_voice = json_get_bool(v, "voice", false),
						 .as_document = json_get_bool(v, "document", false),
						 .as_round = json_get_bool(v, "round", false) };
	m->files = files;
	m->file_count = n;
}

static void read_buttons(const struct json *list, struct arena *a, struct chan_message *m)
{
	struct chan_button *buttons = arena_alloc(a, (json_len(list) + 1) * sizeof(*buttons));
	size_t n = 0;

	json_each(v, list)
		buttons[n++] = (struct chan_button){ .text = json_get_str(v, "text"), .data = json_get_str(v, "data"),
						     .url = json_get_str(v, "url"), .opens_app = json_get_bool(v, "app", false),
						     .style = (enum chan_button_style)json_get_int(v, "style", 0),
						     .ends_row = json_get_bool(v, "endsRow", false) };
	m->buttons = buttons;
	m->button_count = n;
}

static const struct chan_poll *read_poll(const struct json *v, struct arena *a)
{
	const struct json *list = json_get(v, "options");
	const char **options = arena_alloc(a, (json_len(list) + 1) * sizeof(*options));
	struct chan_poll *p = arena_alloc(a, sizeof(*p));

	if (!v)
		return NULL;
	*p = (struct chan_poll){ .question = json_get_str(v, "question"), .options = options,
				 .max_selections = (int)json_get_int(v, "maxSelections", 1),
				 .duration_s = json_get_int(v, "durationS", 0),
				 .is_anonymous = json_get_bool(v, "anonymous", false) };
	json_each(option, list)
		options[p->option_count++] = json_str_or(option, "");
	return p;
}

static const struct chan_location *read_location(const struct json *v, struct arena *a)
{
	struct chan_location *l = arena_alloc(a, sizeof(*l));

	if (!v)
		return NULL;
	*l = (struct chan_location){ .lat = json_num_or(json_get(v, "lat"), 0), .lon = json_num_or(json_get(v, "lon"), 0),
				     .accuracy_m = json_num_or(json_get(v, "accuracyM"), 0),
				     .is_live = json_get_bool(v, "live", false), .name = json_get_str(v, "name"),
				     .address = json_get_str(v, "address") };
	return l;
}

static const struct outbox_part *read_parts(const struct json *list, struct arena *a, size_t *ret_count)
{
	struct outbox_part *parts = arena_alloc(a, (json_len(list) + 1) * sizeof(*parts));
	size_t n = 0;

	json_each(v, list)
		parts[n++] = (struct outbox_part){ .text = json_get_str(v, "text"), .plain = json_get_str(v, "plain"),
						   .file_first = (size_t)json_get_int(v, "file", 0),
						   .file_count = (size_t)json_get_int(v, "files", 0),
						   .has_buttons = json_get_bool(v, "buttons", false),
						   .has_poll = json_get_bool(v, "poll", false),
						   .has_location = json_get_bool(v, "location", false),
						   .is_reply = json_get_bool(v, "reply", false),
						   .is_edit = json_get_bool(v, "edit", false) };
	*ret_count = n;
	return n ? parts : NULL;
}

ch_status outbox_read(const char *json, struct arena *a, struct chan_message *ret, const struct outbox_part **ret_parts,
		      size_t *ret_count, struct ch_err *err)
{
	struct chan_message m = { 0 };
	struct json *v;
	ch_status st = json_parse(a, json, strlen(json), JSON_STRICT, &v, err);

	if (st)
		return ch_wrap(err, "a message of the outbox");
	st = chan_peer_read(json_get(v, "peer"), a, &m.peer, err);
	if (st)
		return ch_wrap(err, "a message of the outbox");
	m.reply_to = json_get_str(v, "replyTo");
	m.text = json_get_str(v, "text");
	m.prefix = json_get_str(v, "prefix");
	read_files(json_get(v, "files"), a, &m);
	read_buttons(json_get(v, "buttons"), a, &m);
	m.poll = read_poll(json_get(v, "poll"), a);
	m.location = read_location(json_get(v, "location"), a);
	m.handle = json_get_str(v, "handle");
	m.ephemeral_to = json_get_str(v, "ephemeralTo");
	m.draft_id = json_get_str(v, "draftId");
	m.is_silent = json_get_bool(v, "silent", false);
	m.is_pinned = json_get_bool(v, "pinned", false);
	m.is_batch = json_get_bool(v, "batch", false);
	*ret_parts = read_parts(json_get(v, "parts"), a, ret_count);
	*ret = m;
	return CH_OK;
}
