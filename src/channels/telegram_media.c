/*
 * channels/telegram_media.c - what a message holds besides text: files, a place, and kinds that become a line of text.
 */
#include "channels/telegram.h"

#include <math.h>

#include "core/str.h"

#define LABEL_MAX 200                    /* of a name, title or option that is put into text */

const char *tg_id(const struct json *v, struct arena *a)
{
	return json_is(v, JSON_INT) ? arena_printf(a, "%lld", (long long)v->i) : NULL;
}

/* A label of others: one line, cut. */
static const char *label(const struct json *v, struct arena *a)
{
	const char *text = json_str_or(v, "");
	char *line = arena_strndup(a, text, utf8_cut(text, strlen(text), LABEL_MAX));

	for (char *p = line; *p; p++)
		if ((unsigned char)*p < ' ')
			*p = ' ';
	return line;
}

const char *tg_user_name(const struct json *user, struct arena *a)
{
	const char *first = label(json_get(user, "first_name"), a), *last = label(json_get(user, "last_name"), a);

	if (!user || (!*first && !*last))
		return NULL;
	return *last ? arena_printf(a, "%s%s%s", first, *first ? " " : "", last) : first;
}

/* -- files -- */

/* The largest of a photo's sizes; Telegram lists them in rising order but does not promise it. */
static const struct json *largest(const struct json *sizes)
{
	const struct json *best = NULL;
	int64_t best_area = -1;

	json_each(size, sizes) {
		int64_t width = json_get_int(size, "width", 0), height = json_get_int(size, "height", 0);
		int64_t area = CH_MIN(CH_MAX(width, 0), 100000) * CH_MIN(CH_MAX(height, 0), 100000);

		if (json_get_str(size, "file_id") && area > best_area) {
			best = size;
			best_area = area;
		}
	}
	return best;
}

struct file_kind { const char *key; enum chan_media_kind kind; const char *mime; };

/* The first that is there: an animation is given as a document too, a live photo as a photo. */
static const struct file_kind file_kinds[] = {
	{ "animation", CHAN_VIDEO, "video/mp4" },
	{ "video", CHAN_VIDEO, "video/mp4" },
	{ "video_note", CHAN_VIDEO, "video/mp4" },
	{ "voice", CHAN_VOICE, "audio/ogg" },
	{ "audio", CHAN_AUDIO, "audio/mpeg" },
	{ "photo", CHAN_IMAGE, "image/jpeg" },
	{ "sticker", CHAN_STICKER, "image/webp" },
	{ "document", CHAN_DOCUMENT, NULL },
};

static bool is_moving_sticker(const struct json *sticker)
{
	return json_get_bool(sticker, "is_animated", false) || json_get_bool(sticker, "is_video", false);
}

size_t tg_media_read(const struct json *message, struct arena *a, const struct chan_media_in **ret)
{
	for (size_t i = 0; i < CH_ARRAY_LEN(file_kinds); i++) {
		const struct file_kind *k = &file_kinds[i];
		const struct json *file = json_get(message, k->key);
		struct chan_media_in *m;

		if (file && str_eq(k->key, "photo"))
			file = largest(file);
		if (!json_get_str(file, "file_id"))
			continue;
		if (k->kind == CHAN_STICKER && is_moving_sticker(file))
			return 0;
		m = arena_alloc(a, sizeof(*m));
		m->kind = k->kind;
		m->ref = arena_strdup(a, json_get_str(file, "file_id"));
		m->name = arena_strdup(a, json_get_str(file, "file_name"));
		m->mime = arena_strdup(a, json_str_or(json_get(file, "mime_type"), k->mime));
		m->size = CH_MAX(json_get_int(file, "file_size", 0), 0);
		m->emoji = arena_strdup(a, json_get_str(file, "emoji"));
		*ret = m;
		return 1;
	}
	return 0;
}

/* -- places -- */

bool tg_location_read(const struct json *message, struct chan_location *ret)
{
	const struct json *venue = json_get(message, "venue");
	const struct json *place = venue ? json_get(venue, "location") : json_get(message, "location");
	double lat = json_num_or(json_get(place, "latitude"), NAN), lon = json_num_or(json_get(place, "longitude"), NAN);

	if (!(fabs(lat) <= 90) || !(fabs(lon) <= 180))
		return false;
	*ret = (struct chan_location){
		.lat = lat, .lon = lon, .accuracy_m = json_num_or(json_get(place, "horizontal_accuracy"), 0),
		.is_live = json_get_int(place, "live_period", 0) > 0,
		.name = json_get_str(venue, "title"), .address = json_get_str(venue, "address"),
	};
	return true;
}

/* -- kinds that become text -- */

static const char *contact_text(const struct json *c, struct arena *a)
{
	const char *name = tg_user_name(c, a);

	return arena_printf(a, "Contact: %s%s%s", name ? name : "", name ? " " : "", label(json_get(c, "phone_number"), a));
}

static const char *poll_text(const struct json *poll, struct arena *a)
{
	CH_AUTO_BUF struct buf out = { 0 };

	buf_init(&out, 16384);
	buf_printf(&out, "Poll: %s", label(json_get(poll, "question"), a));
	json_each(option, json_get(poll, "options"))
		buf_printf(&out, "\n- %s", label(json_get(option, "text"), a));
	return arena_strdup(a, buf_str(&out));
}

static const char *checklist_text(const struct json *list, struct arena *a)
{
	CH_AUTO_BUF struct buf out = { 0 };

	buf_init(&out, 16384);
	buf_printf(&out, "Checklist: %s", label(json_get(list, "title"), a));
	json_each(task, json_get(list, "tasks"))
		buf_printf(&out, "\n- [%s] %s", json_get_int(task, "completion_date", 0) ? "x" : " ", label(json_get(task, "text"), a));
	return arena_strdup(a, buf_str(&out));
}

const char *tg_special_text(const struct json *message, struct arena *a)
{
	const struct json *v;

	if ((v = json_get(message, "sticker")) && is_moving_sticker(v)) {
		const char *emoji = json_get_str(v, "emoji");

		return str_empty(emoji) ? "<media:sticker>" : label(json_get(v, "emoji"), a);
	}
	if ((v = json_get(message, "contact")))
		return contact_text(v, a);
	if ((v = json_get(message, "poll")))
		return poll_text(v, a);
	if ((v = json_get(message, "checklist")))
		return checklist_text(v, a);
	if ((v = json_get(message, "dice")))
		return arena_printf(a, "%s %lld", label(json_get(v, "emoji"), a), (long long)json_get_int(v, "value", 0));
	if ((v = json_get(message, "game")))
		return arena_printf(a, "Game: %s", label(json_get(v, "title"), a));
	if ((v = json_get(message, "invoice")))
		return arena_printf(a, "Invoice: %s", label(json_get(v, "title"), a));
	if (json_get(message, "story"))
		return "<media:story>";
	if (json_get(message, "paid_media"))
		return "<media:paid>";
	return NULL;
}
