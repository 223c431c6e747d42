/*
 * fuzz_command.c - shell commands taken apart: positions stand in the text, what is literal says the same when it is quoted
 * and read again, nothing hidden is literal, and what is shown holds no hidden byte.
 */
#include "fuzz.h"

#include "core/buf.h"
#include "core/str.h"
#include "exec/allow_priv.h"
#include "exec/command.h"

static void quote(struct buf *out, const char *word)
{
	buf_putc(out, '\'');
	for (; *word; word++) {
		if (*word == '\'')
			buf_puts(out, "'\\''");
		else
			buf_putc(out, *word);
	}
	buf_puts(out, "' ");
}

static const char *const joins[] = { "", "|", "&&", "||", ";" };

static void same_words(const struct cmd_exec *a, const struct cmd_exec *b)
{
	FUZZ_ASSERT(a->argc == b->argc);
	for (size_t i = 0; i < a->argc; i++)
		FUZZ_ASSERT(str_eq(a->argv[i], b->argv[i]));
}

/* Each word in single quotes: other text, the same meaning. */
static void read_again(const struct cmd_plan *p, struct arena *a)
{
	CH_AUTO_BUF struct buf text = { 0 };
	struct cmd_plan again;

	buf_init(&text, 8 * CMD_TEXT_MAX);
	for (size_t i = 0; i < p->count; i++) {
		for (size_t k = 0; k < p->segments[i].chain[0].argc; k++)
			quote(&text, p->segments[i].chain[0].argv[k]);
		buf_puts(&text, joins[p->segments[i].join]);
	}
	if (cmd_parse(buf_str(&text), text.len, a, &again, NULL))
		return; /* too long now */
	FUZZ_ASSERT(again.is_literal && again.count == p->count && again.is_plain == p->is_plain);
	for (size_t i = 0; i < p->count; i++) {
		FUZZ_ASSERT(again.segments[i].join == p->segments[i].join);
		FUZZ_ASSERT(again.segments[i].traits == p->segments[i].traits);
		same_words(&p->segments[i].chain[0], &again.segments[i].chain[0]);
	}
}

static void check_segment(const struct cmd_plan *p, const struct cmd_segment *s)
{
	FUZZ_ASSERT(s->start <= s->end && s->end <= p->len);
	FUZZ_ASSERT((p->traits & s->traits) == s->traits);
	FUZZ_ASSERT(s->is_literal == !(s->traits & ~(unsigned)CMD_T_LITERAL));
	FUZZ_ASSERT(s->is_literal == (s->chain_len > 0) && s->chain_len <= CMD_NESTING_MAX);
	for (size_t i = 0; i < s->chain_len; i++)
		FUZZ_ASSERT(s->chain[i].argc && *s->chain[i].argv[0] && !s->chain[i].argv[s->chain[i].argc]);
	for (size_t i = 1; i < s->chain_len; i++)
		FUZZ_ASSERT(s->chain[i].argv > s->chain[i - 1].argv &&
			    s->chain[i].argv + s->chain[i].argc == s->chain[i - 1].argv + s->chain[i - 1].argc);
}

static void check_shown(struct arena *a, const char *text, size_t len)
{
	const char *shown = cmd_show(a, text, len, false);

	FUZZ_ASSERT(strlen(shown) >= len / 4 && !strchr(shown, '\n'));
	for (const char *p = shown; *p; p++)
		FUZZ_ASSERT((unsigned char)*p >= ' ' && *p != 0x7f);
	FUZZ_ASSERT(!cmd_has_hidden(shown, strlen(shown)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	char *text = arena_alloc(a, size + 1);
	const char *bar;
	struct cmd_plan p;

	memcpy(text, data, size); /* with its NULs */
	bar = strchr(text, '|');
	check_shown(a, text, size);
	if (bar)
		(void)exec_pattern_matches(arena_strndup(a, text, (size_t)(bar - text)), bar + 1, "/home/u");
	if (cmd_parse(text, size, a, &p, NULL))
		return 0;
	FUZZ_ASSERT(p.count <= CMD_SEGMENTS_MAX && (p.why_opaque == NULL) == p.is_plain && (p.is_literal || !p.is_plain));
	FUZZ_ASSERT(!p.is_literal || !cmd_has_hidden(text, size));
	for (size_t i = 0; i < p.count; i++) {
		check_segment(&p, &p.segments[i]);
		FUZZ_ASSERT((p.segments[i].join == CMD_END) == (i + 1 == p.count) || !p.is_literal);
	}
	if (p.is_literal)
		read_again(&p, a);
	return 0;
}
