/*
 * config/watch.c - notices that the file, or one that it includes, changed.
 *
 * Editors replace files, so the directories are watched and events filtered
 * by name; a burst of them is waited out; store_check() then compares what
 * the files hold, so that a touched file changes nothing.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "config/store.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/str.h"

#define DEBOUNCE_MS 150      /* an editor's write and rename come within */

struct watched_dir {
	uv_fs_event_t event;
	struct config_watch *watch;      /* NULL once closed */
	char *path;
};

struct config_watch {
	struct config_store *store;
	struct loop_timer *timer;
	bool is_pending;                 /* the timer runs; later events wait with it */
	VEC(struct watched_dir *) dirs;
	VEC(char *) names;               /* of the files, without directory */
};

static void on_closed(uv_handle_t *h)
{
	struct watched_dir *d = h->data;

	ch_free(d->path);
	ch_free(d);
}

static void on_settled(void *arg)
{
	struct config_watch *w = arg;
	struct config_store *s = w->store;

	w->is_pending = false;
	if (str_eq(config_str(s->current, "gateway.reload.mode"), "off"))
		return;
	store_check(s, false);
}

static void on_event(uv_fs_event_t *event, const char *name, int events, int status)
{
	struct watched_dir *d = event->data;
	struct config_watch *w = d->watch;
	bool is_ours;

	if (!w || status < 0 || w->is_pending)
		return;
	/* While the file is broken its includes are not known: anything may be the repair. */
	is_ours = !name || w->store->is_degraded;
	for (size_t i = 0; i < w->names.len && !is_ours; i++)
		is_ours = str_eq(w->names.at[i], name);
	if (is_ours) {
		w->is_pending = true;
		loop_timer_start(w->timer, DEBOUNCE_MS);
	}
}

static void add_dir(struct config_watch *w, const char *path)
{
	struct watched_dir *d;
	int r;

	for (size_t i = 0; i < w->dirs.len; i++)
		if (str_eq(w->dirs.at[i]->path, path))
			return;
	d = ch_alloc(sizeof(*d));
	d->watch = w;
	d->path = ch_strdup(path);
	r = uv_fs_event_init(loop_uv(w->store->loop), &d->event);
	CH_BUG_ON(r < 0);
	d->event.data = d;
	r = uv_fs_event_start(&d->event, on_event, path, 0);
	if (r < 0) {
		/* No such directory yet, or no watches left: the next update tries again. */
		log_debug("config", "cannot watch %s: %s", log_quote(path), uv_strerror(r));
		d->watch = NULL;
		uv_close((uv_handle_t *)&d->event, on_closed);
		return;
	}
	uv_unref((uv_handle_t *)&d->event);
	vec_push(&w->dirs, d);
}

static void add_file(struct config_watch *w, const char *path)
{
	const char *slash = strrchr(path, '/');
	CH_AUTO_STR char *dir = slash == path ? ch_strdup("/") : ch_strndup(path, (size_t)(slash - path));

	add_dir(w, dir);
	vec_push(&w->names, ch_strdup(slash + 1));
}

static void forget_names(struct config_watch *w)
{
	for (size_t i = 0; i < w->names.len; i++)
		ch_free(w->names.at[i]);
	vec_done(&w->names);
}

struct config_watch *watch_new(struct config_store *s)
{
	struct config_watch *w = ch_alloc(sizeof(*w));

	w->store = s;
	w->timer = loop_timer_new(s->loop, on_settled, w);
	return w;
}

void watch_update(struct config_watch *w)
{
	/* The file itself may be a link to another directory. realpath() gives libc's memory. */
	char *real = realpath(w->store->path, NULL);

	forget_names(w);
	add_file(w, w->store->path);
	if (real && !str_eq(real, w->store->path))
		add_file(w, real);
	free(real);
	for (const char *const *f = config_includes(w->store->current); *f; f++)
		add_file(w, *f);
}

void watch_free(struct config_watch *w)
{
	if (!w)
		return;
	for (size_t i = 0; i < w->dirs.len; i++) {
		w->dirs.at[i]->watch = NULL;
		uv_close((uv_handle_t *)&w->dirs.at[i]->event, on_closed);
	}
	vec_done(&w->dirs);
	forget_names(w);
	loop_timer_free(w->timer);
	ch_free(w);
}
