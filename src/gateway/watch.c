/*
 * gateway/watch.c - see watch.h. There are few at a time: a list is enough.
 */
#include "gateway/watch.h"

#include "core/str.h"

void gw_watch_add(struct gw *gw, struct gw_watch *w)
{
	w->next = gw->watches;
	gw->watches = w;
}

void gw_watch_remove(struct gw *gw, struct gw_watch *w)
{
	struct gw_watch **at = &gw->watches;

	while (*at && *at != w)
		at = &(*at)->next;
	if (*at)
		*at = w->next;
}

void gw_watch_tell(struct gw *gw, const char *session_key)
{
	for (struct gw_watch *w = gw->watches; w; w = w->next)
		if (str_eq(w->session_key, session_key))
			w->on_news(w->arg);
}
