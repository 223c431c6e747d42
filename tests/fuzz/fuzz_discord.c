/*
 * Discord: any bytes as a frame of the Gateway, as a kept session, as the errors of an answer and as a handle. What comes out of a
 * dispatch is what the core may rely on: ids, valid UTF-8, names of one line; nobody but a person has a person's id.
 *
 * The input is one frame; its dispatch is decoded twice, with rooms known and unknown.
 */
#include <stdio.h>
#include <string.h>

#include "fuzz.h"

#include "channels/discord_send.h"
#include "core/mem.h"
#include "core/str.h"

static void check_text(const char *s, bool is_line)
{
	if (!s)
		return;
	FUZZ_ASSERT(utf8_valid(s, strlen(s)));
	for (; is_line && *s; s++)
		FUZZ_ASSERT((unsigned char)*s >= ' ');
}

static void check_event(const struct chan_in *in, const struct discord *d)
{
	FUZZ_ASSERT(in->event_id && discord_is_id(in->peer.id) && in->sender.id && !str_eq(in->sender.id, d->self_id));
	FUZZ_ASSERT(discord_is_id(in->sender.id) || str_eq(in->sender.id, "0") || str_starts(in->sender.id, "webhook:"));
	FUZZ_ASSERT(!str_starts(in->sender.id, "webhook:") || (in->sender.is_bot && !in->sender.roles));
	check_text(in->text, false);
	check_text(in->sender.name, true);
	check_text(in->sender.username, true);
	check_text(in->peer.name, true);
	FUZZ_ASSERT(in->media_count <= CHAN_MEDIA_COUNT_MAX && in->at_ms >= 0);
	for (size_t i = 0; i < in->media_count; i++)
		FUZZ_ASSERT(in->media[i].ref && in->media[i].size >= 0);
	if (in->quote)
		check_text(in->quote->text, false);
	if (in->kind == CHAN_IN_PRESS)
		FUZZ_ASSERT(in->data && in->handle);
	if (in->kind == CHAN_IN_COMMAND)
		FUZZ_ASSERT(in->text[0] == '/' && in->handle);
	if (in->kind == CHAN_IN_REACTION)
		FUZZ_ASSERT(in->emoji && in->message_id);
	if (in->kind == CHAN_IN_MESSAGE)
		FUZZ_ASSERT(in->message_id && (in->text || in->media_count));
}

static void decode(struct arena *a, const struct discord *d, const struct discord_frame *f)
{
	const struct discord_ctx x = { .d = d, .session = "s1", .seq = f->seq, .roles = "1000000000000004002 " };
	struct chan_in *in;
	size_t n;

	if (discord_event(a, &x, f->type, f->data, &in, &n, NULL))
		return;
	for (size_t i = 0; i < n; i++)
		check_event(&in[i], d);
}

static struct discord *login(void)
{
	struct discord *d = ch_alloc(sizeof(*d));

	d->refs = 1;
	d->api = ch_strdup("https://discord.com/api/v10");
	d->rate = discord_rate_new();
	d->rooms = map_new();
	d->dms = map_new();
	d->roles = map_new();
	d->audiences = map_new();
	snprintf(d->self_id, sizeof(d->self_id), "1000000000000009001");
	snprintf(d->username, sizeof(d->username), "chelabot");
	return d;
}

static void other_readers(struct arena *a, const char *text, const struct json *v)
{
	CH_AUTO_BUF struct buf words = { .max_bytes = 400 };
	struct discord_session s;
	struct discord_handle h;
	struct discord_route rt;

	discord_error_text(v, &words);
	if (discord_session_read(text, "0123456789abcdef", &s))
		FUZZ_ASSERT(*s.id && *s.url && s.seq >= 0);
	if (discord_handle_read(a, text, &h))
		FUZZ_ASSERT(discord_is_id(h.id) && !strchr(h.token, '/') && !strchr(h.token, '?'));
	discord_route("POST", text, &rt);
	FUZZ_ASSERT(strlen(rt.route) < DISCORD_ROUTE_MAX && strlen(rt.major) < DISCORD_MAJOR_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	CH_AUTO(discord_unref) struct discord *d = login();
	const char *text = arena_strndup(a, (const char *)data, size);
	struct discord_session s = { .seq = 0 };
	struct discord_frame f;

	if (discord_frame_read(a, text, strlen(text), &f, NULL)) {
		other_readers(a, text, NULL);
		return 0;
	}
	other_readers(a, text, f.data);
	if (!discord_session_ready(f.data, &s, NULL))
		FUZZ_ASSERT(*s.id && *s.self_id && *s.app_id);
	if (f.op != DISCORD_DISPATCH)
		return 0;
	decode(a, d, &f);
	json_each(channel, json_get(f.data, "channels"))
		discord_room_learn(d, channel, "1000000000000003001");
	discord_room_learn(d, json_get(f.data, "channel"), NULL);
	discord_roles_learn(d, "1000000000000003001", json_get(f.data, "roles"));
	decode(a, d, &f);
	return 0;
}
