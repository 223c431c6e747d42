/*
 * cli/out.c - what the command line shows: colours, tables, safe text.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "core/clock.h"
#include "core/str.h"

void cli_print(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
}

void cli_print_json(const struct json *v)
{
	CH_AUTO_BUF struct buf out = { 0 };

	buf_init(&out, SIZE_MAX / 2);
	json_write(&out, v, 2);
	buf_putc(&out, '\n');
	fwrite(out.data, 1, out.len, stdout);
}

const char *cli_on(const struct cli *c, enum cli_style s)
{
	static const char *const codes[] = {
		[CLI_PLAIN] = "", [CLI_BOLD] = "\033[1m", [CLI_DIM] = "\033[2m", [CLI_GREEN] = "\033[32m",
		[CLI_YELLOW] = "\033[33m", [CLI_RED] = "\033[31m", [CLI_CYAN] = "\033[36m",
	};

	return c->color ? codes[s] : "";
}

const char *cli_off(const struct cli *c)
{
	return c->color ? "\033[0m" : "";
}

/* C0, C1 and DEL become \xNN, so that a name cannot drive the terminal. */
const char *cli_safe(struct arena *a, const char *s)
{
	CH_AUTO_BUF struct buf out = { 0 };
	size_t n = s ? strlen(s) : 0;

	buf_init(&out, SIZE_MAX / 2);
	for (size_t i = 0; i < n;) {
		uint32_t cp;
		size_t len = utf8_decode(s + i, n - i, &cp);

		if (!len || cp < 0x20 || (cp >= 0x7f && cp < 0xa0)) {
			buf_printf(&out, "\\x%02x", (unsigned char)s[i]);
			i += len ? len : 1;
			continue;
		}
		buf_append(&out, s + i, len);
		i += len;
	}
	return arena_strdup(a, buf_str(&out));
}

const char *cli_text(struct cli *c, const struct json *v, const char *name)
{
	return cli_safe(c->arena, json_str_or(json_get(v, name), ""));
}

const char *cli_span(struct arena *a, int64_t ms)
{
	int64_t s = CH_MAX(ms, 0) / 1000;

	if (s < 60)
		return arena_printf(a, "%llds", (long long)s);
	if (s < 3600)
		return arena_printf(a, "%lldm", (long long)(s / 60));
	if (s < 86400)
		return arena_printf(a, "%lldh", (long long)(s / 3600));
	return arena_printf(a, "%lldd", (long long)(s / 86400));
}

const char *cli_ago(struct arena *a, int64_t wall_ms)
{
	return wall_ms ? arena_printf(a, "%s ago", cli_span(a, now_wall_ms() - wall_ms)) : "-";
}

#define TABLE_COLUMNS_MAX 12
#define TABLE_CELL_MAX 64               /* the id of a device is whole, so that it can be copied */
#define TABLE_LAST_MAX 240              /* of the last column: nothing stands behind it, and it tells why */

struct row {
	struct row *next;
	const char *cells[TABLE_COLUMNS_MAX];
	enum cli_style styles[TABLE_COLUMNS_MAX];
};

struct cli_table {
	struct arena *arena;
	size_t columns;
	size_t width[TABLE_COLUMNS_MAX];
	struct row *first, **end;
};

/* Code points: near enough to columns for names and times. */
static size_t text_width(const char *s)
{
	size_t w = 0;

	for (; *s; s++)
		w += ((unsigned char)*s & 0xc0) != 0x80;
	return w;
}

static void add_row(struct cli_table *t, const char *const *cells)
{
	struct row *r = arena_alloc(t->arena, sizeof(*r));

	for (size_t i = 0; i < t->columns; i++) {
		const char *text = cli_safe(t->arena, cells[i] ? cells[i] : "-");
		size_t w = text_width(text), most = i + 1 < t->columns ? TABLE_CELL_MAX : TABLE_LAST_MAX;

		if (w > most) {
			size_t cut = utf8_cut(text, strlen(text), most - 1);

			text = arena_printf(t->arena, "%.*s\xe2\x80\xa6", (int)cut, text);
			w = text_width(text);
		}
		r->cells[i] = text;
		t->width[i] = CH_MAX(t->width[i], w);
	}
	*t->end = r;
	t->end = &r->next;
}

struct cli_table *cli_table_new(struct arena *a, const char *const *headings, size_t columns)
{
	struct cli_table *t = arena_alloc(a, sizeof(*t));

	CH_BUG_ON(columns > TABLE_COLUMNS_MAX);
	t->arena = a;
	t->columns = columns;
	t->end = &t->first;
	add_row(t, headings);
	return t;
}

void cli_table_row(struct cli_table *t, const char *const *cells)
{
	add_row(t, cells);
}

void cli_table_paint(struct cli_table *t, size_t column, enum cli_style s)
{
	CH_CONTAINER_OF(t->end, struct row, next)->styles[column] = s;
}

void cli_table_print(const struct cli *c, const struct cli_table *t)
{
	for (const struct row *r = t->first; r; r = r->next) {
		fputs(r == t->first ? cli_on(c, CLI_BOLD) : "", stdout);
		for (size_t i = 0; i < t->columns; i++) {
			fputs(cli_on(c, r->styles[i]), stdout);
			fputs(r->cells[i], stdout);
			fputs(r->styles[i] ? cli_off(c) : "", stdout);
			if (i + 1 < t->columns)
				printf("%*s", (int)(t->width[i] - text_width(r->cells[i]) + 2), "");
		}
		printf("%s\n", r == t->first ? cli_off(c) : "");
	}
}
