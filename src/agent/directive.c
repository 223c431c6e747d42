/*
 * agent/directive.c - settings within messages: "/think high what is this?".
 *
 * A directive is a word of its own with a value that it understands; anything else is left as
 * it is, so that paths and prose survive. With other text it holds for that turn, alone for the
 * session. Fenced code is not looked into.
 */
#include "agent/command.h"

#include <string.h>

#include "agent/queue.h"
#include "core/str.h"

#define BLANKS " \t\r\n"

/* -- finding -- */

/* The value behind the name, with its length in *ret_end; NULL: not a directive after all. */
static const char *value_at(struct arena *a, const struct slash_command *c, const char *s, size_t *ret_len)
{
	size_t skip = strspn(s, " \t:"), n = strcspn(s + skip, BLANKS);
	const char *word = arena_strndup(a, s + skip, n);

	if (!n || !skip)
		return NULL;
	*ret_len = skip + n;
	if (c == &cmd_model)
		return strchr(word, '/') && word[0] != '/' ? word : NULL;
	return option_value(c, word) ? word : NULL;
}

/* A directive that begins at s (which stands at a word's start); its length, or 0. */
static size_t directive_at(struct arena *a, const char *s, struct directive *ret)
{
	size_t name = 0, value = 0;
	const struct slash_command *c;
	const char *args;

	if (*s != '/')
		return 0;
	while ((s[name + 1] >= 'a' && s[name + 1] <= 'z') || (s[name + 1] >= 'A' && s[name + 1] <= 'Z'))
		name++;
	c = command_find(arena_strndup(a, s + 1, name));
	if (!c || !(c->flags & SLASH_DIRECTIVE))
		return 0;
	args = value_at(a, c, s + 1 + name, &value);
	if (!args)
		return 0;
	*ret = (struct directive){ c, args };
	return 1 + name + value;
}

/* Alone on its line a directive takes the line's end with it; between words one of its blanks. */
static size_t with_separator(const char *text, size_t at, size_t len)
{
	bool at_start = at == 0 || text[at - 1] == '\n';
	const char *after = text + at + len;

	if (at_start)
		return len + strspn(after, " \t") + (after[strspn(after, " \t")] == '\n');
	return len + (*after == ' ' || *after == '\t');
}

void directives_find(struct arena *a, const char *text, struct directives *ret)
{
	size_t n = strlen(text), out = 0;
	char *rest = arena_alloc(a, n + 1);
	bool in_code = false;

	ret->len = 0;
	for (size_t at = 0; at < n;) {
		bool at_word = at == 0 || strchr(BLANKS, text[at - 1]);
		size_t len = 0;

		if (!strncmp(text + at, "```", 3))
			in_code = !in_code;
		if (at_word && !in_code && ret->len < CH_ARRAY_LEN(ret->at))
			len = directive_at(a, text + at, &ret->at[ret->len]);
		if (len) {
			ret->len++;
			at += with_separator(text, at, len);
		} else {
			size_t step = !strncmp(text + at, "```", 3) ? 3 : 1;

			memcpy(rest + out, text + at, step);
			out += step;
			at += step;
		}
	}
	rest[out] = '\0';
	ret->rest = rest;
}

/* -- for one turn -- */

static ch_status apply_thinking(struct run *r, const char *level, struct ch_err *err)
{
	struct model_entry m;
	const char *source;
	ch_status st = command_model(r, &m, &source, err);

	if (!st)
		st = option_check_thinking(&m, level, err);
	if (!st)
		r->thinking = level;
	return st;
}

void directives_apply(struct run *r, const struct directives *d)
{
	const struct { const struct slash_command *command; const char **field; } fields[] = {
		{ &cmd_fast, &r->over.fast }, { &cmd_verbose, &r->over.verbose }, { &cmd_reasoning, &r->over.reasoning },
		{ &cmd_queue, &r->queue_mode },
	};

	for (size_t i = 0; i < d->len; i++) {
		const char *value = option_value(d->at[i].command, d->at[i].args);

		for (size_t k = 0; k < CH_ARRAY_LEN(fields); k++)
			if (fields[k].command == d->at[i].command && !str_empty(value))
				*fields[k].field = value;        /* "default" has nothing to override */
	}
}

ch_status directives_choose(struct run *r, const struct directives *d, struct ch_err *err)
{
	CH_AUTO_BUF struct buf said = { 0 };
	ch_status st = CH_OK;

	buf_init(&said, 4096);
	for (size_t i = 0; i < d->len && !st; i++) {
		const char *value = option_value(d->at[i].command, d->at[i].args);

		if (d->at[i].command == &cmd_model)
			st = command_pin_model(r, d->at[i].args, &said, err);
		else if (d->at[i].command == &cmd_think && !str_empty(value))
			st = apply_thinking(r, value, err);
	}
	return st;
}

/* -- for the session -- */

static ch_status run_all(struct run *r, const char *args, struct buf *out, struct ch_err *err)
{
	for (size_t i = 0; i < r->directives->len; i++) {
		const struct directive *d = &r->directives->at[i];
		ch_status st;

		if (out->len)
			buf_putc(out, '\n');
		st = d->command->run(r, d->args, out, err);
		if (st)
			return st;
	}
	return CH_OK;
}

const struct slash_command command_of_directives = {
	.name = "directives",
	.description = "Several settings in one message.",
	.category = "options",
	.run = run_all,
};
