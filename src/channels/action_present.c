/*
 * channels/action_present.c - see action_present.h.
 */
#include "channels/action_present.h"

#include <string.h>

#include "core/log.h"
#include "core/str.h"

#define PRESENT_MAX (256u << 10)
#define BUTTON_DATA_MAX ((size_t)64)     /* of chan_button.data */

struct present { struct buf text; struct chan_button buttons[CHAN_BUTTONS_MAX]; size_t count; struct arena *arena; };

static void gap(struct present *p)
{
	if (p->text.len)
		buf_puts(&p->text, "\n\n");
}

/* A cell's value without what would end the cell. */
static void put_cell(struct present *p, const struct json *v)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	const char *s = json_str(v) ? json_str(v) : v ? json_to_str(a, v) : "";

	buf_puts(&p->text, "| ");
	for (; *s; s++)
		buf_putc(&p->text, *s == '|' || *s == '\n' ? ' ' : *s);
	buf_putc(&p->text, ' ');
}

static void put_row(struct present *p, const struct json *cells)
{
	json_each(v, cells)
		put_cell(p, v);
	buf_puts(&p->text, "|\n");
}

static void put_rule(struct present *p, size_t columns)
{
	for (size_t i = 0; i < columns; i++)
		buf_puts(&p->text, "| --- ");
	buf_puts(&p->text, "|\n");
}

static void put_table(struct present *p, const struct json *block)
{
	const struct json *headers = json_get(block, "headers");

	if (json_get_str(block, "caption"))
		buf_printf(&p->text, "**%s**\n\n", json_get_str(block, "caption"));
	put_row(p, headers);
	put_rule(p, json_len(headers));
	json_each(row, json_get(block, "rows"))
		put_row(p, row);
}

/* No network draws them: a pie is a table of its segments, the others one of categories and series. */
static void put_chart(struct present *p, const struct json *block)
{
	const struct json *segments = json_get(block, "segments"), *series = json_get(block, "series");
	const char *unit = json_get_str(block, "yLabel");
	size_t i = 0;

	if (json_get_str(block, "title"))
		buf_printf(&p->text, "**%s**%s%s%s\n\n", json_get_str(block, "title"), unit ? " (" : "", unit ? unit : "", unit ? ")" : "");
	put_cell(p, json_get(block, "xLabel"));
	if (segments)
		put_cell(p, NULL);
	json_each(s, series)
		put_cell(p, json_get(s, "name"));
	buf_puts(&p->text, "|\n");
	put_rule(p, segments ? 2 : 1 + json_len(series));
	json_each(segment, segments) {
		put_cell(p, json_get(segment, "label"));
		put_cell(p, json_get(segment, "value"));
		buf_puts(&p->text, "|\n");
	}
	json_each(category, json_get(block, "categories")) {
		put_cell(p, category);
		json_each(s, series)
			put_cell(p, json_at(json_get(s, "values"), i));
		buf_puts(&p->text, "|\n");
		i++;
	}
}

static enum chan_button_style style_of(const char *name)
{
	if (str_eq(name, "primary") || str_eq(name, "success"))
		return CHAN_BUTTON_PRIMARY;
	return str_eq(name, "danger") ? CHAN_BUTTON_DANGER : CHAN_BUTTON_PLAIN;
}

/* Older forms say beside the label what `action` says. */
static void read_old(struct present *p, const struct json *v, struct chan_button *b)
{
	const struct json *app = json_get(v, "webApp") ? json_get(v, "webApp") : json_get(v, "web_app");

	b->url = json_get_str(v, "url");
	if (app) {
		b->url = json_get_str(app, "url");
		b->opens_app = true;
	}
	if (!b->url && !str_empty(json_get_str(v, "value")))
		b->data = arena_printf(p->arena, EGRESS_BUTTON_VALUE "%s", json_get_str(v, "value"));
}

/* No commands: who presses a button should not do with their own rights what somebody else wrote. */
static ch_status read_action(struct present *p, const struct json *v, struct chan_button *b, struct ch_err *err)
{
	const char *type = json_str_or(json_get(v, "type"), "");

	if (str_eq(type, "callback"))
		b->data = arena_printf(p->arena, EGRESS_BUTTON_VALUE "%s", json_str_or(json_get(v, "value"), ""));
	else if (str_eq(type, "url") || str_eq(type, "web-app"))
		b->url = json_get_str(v, "url");
	else
		return ch_fail(err, CH_E_UNSUPPORTED, "the action of a button is callback, url or web-app; not '%s'",
			       log_quote(type));
	b->opens_app = str_eq(type, "web-app");
	return CH_OK;
}

static ch_status put_button(struct present *p, const struct json *v, struct ch_err *err)
{
	const struct json *action = json_get(v, "action");
	struct chan_button *b = &p->buttons[p->count];
	ch_status st = CH_OK;

	if (p->count == CHAN_BUTTONS_MAX)
		return ch_fail(err, CH_E_INVALID, "a message has at most %d buttons", CHAN_BUTTONS_MAX);
	*b = (struct chan_button){ .text = json_get_str(v, "label"), .style = style_of(json_get_str(v, "style")) };
	if (action)
		st = read_action(p, action, b, err);
	else
		read_old(p, v, b);
	if (st)
		return st;
	if (str_empty(b->text) || (str_empty(b->url) && strlen(b->data ? b->data : "") <= strlen(EGRESS_BUTTON_VALUE)))
		return ch_fail(err, CH_E_INVALID, "a button has a label, and an action with a value or a url");
	if (b->data && strlen(b->data) > BUTTON_DATA_MAX)
		return ch_fail(err, CH_E_INVALID, "the value of a button has at most %zu bytes",
			       BUTTON_DATA_MAX - strlen(EGRESS_BUTTON_VALUE));
	p->count++;
	return CH_OK;
}

static ch_status put_buttons(struct present *p, const struct json *list, struct ch_err *err)
{
	ch_status st = CH_OK;

	json_each(v, list)
		if (!st)
			st = put_button(p, v, err);
	if (p->count)
		p->buttons[p->count - 1].ends_row = true;
	return st;
}

/* A menu: its choices as buttons below each other. */
static ch_status put_select(struct present *p, const struct json *block, struct ch_err *err)
{
	size_t first = p->count;
	ch_status st = put_buttons(p, json_get(block, "options"), err);

	for (size_t i = first; i < p->count; i++)
		p->buttons[i].ends_row = true;
	if (!st && json_get_str(block, "placeholder")) {
		gap(p);
		buf_printf(&p->text, "_%s_", json_get_str(block, "placeholder"));
	}
	return st;
}

static ch_status put_block(struct present *p, const struct json *block, struct ch_err *err)
{
	const char *type = json_str_or(json_get(block, "type"), "");

	if (str_eq(type, "buttons"))
		return put_buttons(p, json_get(block, "buttons"), err);
	if (str_eq(type, "select"))
		return put_select(p, block, err);
	gap(p);
	if (str_eq(type, "text"))
		buf_puts(&p->text, json_str_or(json_get(block, "text"), ""));
	else if (str_eq(type, "context"))
		buf_printf(&p->text, "_%s_", json_str_or(json_get(block, "text"), ""));
	else if (str_eq(type, "divider"))
		buf_puts(&p->text, "---");
	else if (str_eq(type, "table"))
		put_table(p, block);
	else if (str_eq(type, "chart"))
		put_chart(p, block);
	else
		return ch_fail(err, CH_E_UNSUPPORTED, "a presentation has text, context, divider, table, chart, buttons and select; not '%s'",
			       log_quote(type));
	return CH_OK;
}

/* What a place without buttons is given instead: addresses as links, choices as a list. */
static void buttons_as_text(struct present *p)
{
	if (p->count)
		gap(p);
	for (size_t i = 0; i < p->count; i++) {
		const struct chan_button *b = &p->buttons[i];

		if (b->url)
			buf_printf(&p->text, "- [%s](%s)\n", b->text, b->url);
		else
			buf_printf(&p->text, "- %s\n", b->text);
	}
	p->count = 0;
}

static ch_status put_blocks(struct present *p, const struct json *v, struct ch_err *err)
{
	ch_status st = CH_OK;

	if (!v)
		return CH_OK;
	if (!json_is(json_get(v, "blocks"), JSON_ARR))
		return ch_fail(err, CH_E_INVALID, "presentation needs blocks");
	if (json_get_str(v, "title")) {
		gap(p);
		buf_printf(&p->text, "**%s**", json_get_str(v, "title"));
	}
	json_each(block, json_get(v, "blocks"))
		if (!st)
			st = put_block(p, block, err);
	return st;
}

ch_status action_present(const struct json *v, const struct json *buttons, bool has_buttons, struct arena *a,
			 struct chan_message *m, struct ch_err *err)
{
	struct present *p;
	ch_status st;

	if (!v && !buttons)
		return CH_OK;
	p = arena_alloc(a, sizeof(*p));
	p->arena = a;
	buf_init(&p->text, PRESENT_MAX);
	if (m->text)
		buf_puts(&p->text, m->text);
	st = put_blocks(p, v, err);
	if (!st)
		st = put_buttons(p, buttons, err);
	if (!has_buttons)
		buttons_as_text(p);
	if (!st)
		st = buf_status(&p->text, err, "the presentation");
	if (!st) {
		m->text = arena_strndup(a, buf_str(&p->text), p->text.len);
		m->buttons = p->buttons;
		m->button_count = p->count;
	}
	buf_done(&p->text);
	return st;
}
