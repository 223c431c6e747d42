/*
 * channels/live_stream.c - a preview that grows where it stands, on networks that can do that: only what is new is sent, as Markdown.
 *
 * What was sent cannot be taken back. So a word that may go on waits for the next piece; and a text that became another one, or
 * a piece that may have been lost, makes it a preview that is edited. A text that is too long for one message rests until the reply
 * takes its place.
 */
#include "channels/live_priv.h"

#include <string.h>

#include "core/str.h"

#define PIECE_MAX 8000                   /* bytes; below what any network takes at once */
#define WORD_MAX 64                      /* longer ones are cut: not every script has spaces */

/* Up to the last word, which may go on; of a text without words up to a mark that may open something. */
static size_t settled_bytes(const char *s, size_t from, size_t n)
{
	const char *mark;
	size_t at = n;

	while (at > from && (unsigned char)s[at - 1] > ' ')
		at--;
	if (n - at < WORD_MAX)
		return at;
	mark = memrchr(s + n - WORD_MAX, '<', WORD_MAX);
	return mark ? (size_t)(mark - s) : n;
}

static bool is_still(const struct live_state *t, const char *markdown, size_t n)
{
	return n >= t->streamed.len && !memcmp(markdown, buf_str(&t->streamed), t->streamed.len);
}

CH_FIBER ch_status live_stream_show(struct live_state *t, struct chan_acct *acct, const struct chan_out *out, const char *markdown,
				    bool is_end, struct arena *a, struct ch_err *err)
{
	struct chan_growth g = { .whole = out, .message_id = t->draft_id, .for_user = t->place.sender_id, .is_end = is_end };
	struct chan_sent sent = { 0 };
	size_t from = t->streamed.len, n = markdown ? strlen(markdown) : from;
	ch_status st;

	if (!markdown)
		return CH_OK;
	if (!is_still(t, markdown, n))
		return ch_fail(err, CH_E_UNSUPPORTED, "the text became another one");
	n = from + utf8_cut(markdown + from, n - from, PIECE_MAX);
	if (is_end && markdown[n])
		return ch_fail(err, CH_E_UNSUPPORTED, "the end is too long for one piece");
	if (!is_end)
		n = settled_bytes(markdown, from, n);
	if (n == from && !is_end)
		return CH_OK;
	g.markdown = arena_strndup(a, markdown + from, n - from);
	st = chan_acct_ops(acct)->stream(acct, &g, a, &sent, err);
	/* One that may have begun, and whose id nobody knows, is not begun again as another. */
	if (st && (st == CH_E_CANCELED || err->retry_after_ms > 0 || (!t->draft_id && sent.outcome == CHAN_UNSURE)))
		return st;
	if (st)
		return ch_fail(err, CH_E_UNSUPPORTED, "%s", arena_strdup(a, err->text));
	if (!t->draft_id) {
		t->draft_id = ch_strdup(sent.message_id);
		live_left_note(t, acct);
	}
	t->is_streaming = !is_end;
	buf_append(&t->streamed, g.markdown, n - from);
	return CH_OK;
}
