/*
 * agent/hide.c - see hide.h.
 */
#include "agent/hide.h"

#include "core/log.h"
#include "core/mem.h"

const char *hide_in_text(struct arena *a, const char *text, size_t len, size_t *ret_len)
{
	CH_AUTO_BUF struct buf out = { 0 };

	*ret_len = len;
	if (!log_holds_secret(text, len))
		return text;
	buf_init(&out, len + (len / 6 + 1) * sizeof("[redacted]"));      /* the shortest secret has six bytes */
	log_hide_secrets(&out, text, len);
	CH_BUG_ON(out.failed);
	*ret_len = out.len;
	return arena_strndup(a, buf_str(&out), out.len);
}

static void hide_below(struct arena *a, struct json *v, int depth)
{
	if (json_is(v, JSON_STR))
		v->str = hide_in_text(a, v->str, v->len, &v->len);
	if ((!json_is(v, JSON_ARR) && !json_is(v, JSON_OBJ)) || depth == JSON_DEPTH_MAX)
		return;
	json_each(member, v)
		hide_below(a, member, depth + 1);
}

void hide_secrets(struct arena *a, struct json *v)
{
	if (v)
		hide_below(a, v, 0);
}
