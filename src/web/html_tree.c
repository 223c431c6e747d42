/*
 * web/html_tree.c - from libgumbo's tree to the flat one, and what a reader would not see.
 */
#include "web/html_tree.h"

#include <string.h>

#include "core/buf.h"
#include "core/str.h"

#define STYLE_MAX 1024                   /* of an inline style that is looked at */

/* -- libgumbo's memory -- */

static void *take(void *arg, size_t size)
{
	struct html_tree *t = arg;
	void *p = arena_try_alloc(t->arena, size);

	if (!p && t->on_limit)
		t->on_limit();
	CH_BUG_ON(!p);
	return p;
}

/* The arena goes as a whole: gumbo_destroy_output() recurses as deep as the page nests. */
static void give_back(void *arg, void *p)
{
}

/* -- attributes -- */

const char *html_attr(const struct html_node *n, const char *name)
{
	if (!n->element)
		return NULL;
	for (unsigned i = 0; i < n->element->attributes.length; i++) {
		const GumboAttribute *a = n->element->attributes.data[i];

		if (str_ieq(a->name, name))
			return a->value;
	}
	return NULL;
}

bool html_has_class(const struct html_node *n, const char *word)
{
	const char *list = html_attr(n, "class");
	size_t len = strlen(word);

	for (const char *p = list; p && *p; p += strspn(p, " \t\r\n\f")) {
		size_t k = strcspn(p, " \t\r\n\f");

		if (k == len && memcmp(p, word, k) == 0)
			return true;
		p += k;
	}
	return false;
}

/* -- what is not seen -- */

static bool is_never_shown(unsigned tag)
{
	switch (tag) {
	case GUMBO_TAG_SCRIPT: case GUMBO_TAG_STYLE: case GUMBO_TAG_NOSCRIPT: case GUMBO_TAG_TEMPLATE:
	case GUMBO_TAG_HEAD: case GUMBO_TAG_IFRAME: case GUMBO_TAG_OBJECT: case GUMBO_TAG_EMBED: case GUMBO_TAG_APPLET:
	case GUMBO_TAG_CANVAS: case GUMBO_TAG_AUDIO: case GUMBO_TAG_VIDEO: case GUMBO_TAG_SVG: case GUMBO_TAG_INPUT:
	case GUMBO_TAG_SELECT: case GUMBO_TAG_TEXTAREA: case GUMBO_TAG_NOEMBED: case GUMBO_TAG_NOFRAMES:
	case GUMBO_TAG_DATALIST: case GUMBO_TAG_PARAM:
		return true;
	default:
		return false;
	}
}

/* An inline style, lower case and without white space: what CSS would see as its declarations. */
static void normal_style(const char *style, char ret[STYLE_MAX])
{
	size_t n = 0;

	for (const char *p = style; *p && n + 1 < STYLE_MAX; p++) {
		if (p[0] == '/' && p[1] == '*') {
			const char *end = strstr(p + 2, "*/");

			if (!end)
				break;
			p = end + 1;
			continue;
		}
		if (!strchr(" \t\r\n\f", *p))
			ret[n++] = (char)(*p >= 'A' && *p <= 'Z' ? *p | 0x20 : *p);
	}
	ret[n] = '\0';
}

/* The number a value begins with; what follows it, or NULL when there is none. */
static const char *leading_number(const char *value, double *ret)
{
	size_t n = strspn(value, "0123456789.");
	char number[24] = "0";           /* ".5" is a number, too */

	if (n == 0 || n + 2 > sizeof(number))
		return NULL;
	memcpy(number + 1, value, n);
	number[n + 1] = '\0';
	return str_to_double(number + (number[1] >= '0' && number[1] <= '9'), ret) ? value + n : NULL;
}

/* Nothing to be seen of that size; "1px" counts, too: nobody reads that. */
static bool is_tiny(const char *value)
{
	double d = 0;
	const char *unit = leading_number(value, &d);

	return unit && (d == 0 || (d <= 1 && str_starts(unit, "px")));
}

static bool is_far_away(const char *value)
{
	size_t n = value[0] == '-' ? strspn(value + 1, "0123456789") : 0;

	return n >= 3 && (str_starts(value + 1 + n, "px") || str_starts(value + 1 + n, "em") || str_starts(value + 1 + n, "rem"));
}

static bool declaration_hides(const char *name, const char *value)
{
	double number = 0;

	if (str_eq(name, "display"))
		return str_starts(value, "none");
	if (str_eq(name, "visibility"))
		return str_starts(value, "hidden") || str_starts(value, "collapse");
	if (str_eq(name, "opacity"))
		return leading_number(value, &number) && number == 0;
	if (str_eq(name, "font-size") || str_eq(name, "width") || str_eq(name, "height") || str_eq(name, "max-height") ||
	    str_eq(name, "max-width"))
		return is_tiny(value);
	if (str_eq(name, "text-indent") || str_eq(name, "left") || str_eq(name, "top") || str_eq(name, "margin-left") ||
	    str_eq(name, "margin-top") || str_eq(name, "right"))
		return is_far_away(value);
	if (str_eq(name, "color"))
		return str_starts(value, "transparent") || str_ends(value, ",0)") || str_starts(value, "#0000000");
	if (str_eq(name, "clip"))
		return str_starts(value, "rect(0") || str_starts(value, "rect(1px,1px,1px,1px");
	if (str_eq(name, "clip-path"))
		return str_starts(value, "inset(50%") || str_starts(value, "inset(100%") || str_starts(value, "circle(0");
	if (str_eq(name, "transform"))
		return str_starts(value, "scale(0)") || str_starts(value, "scale(0,");
	return false;
}

static bool style_hides(const char *style)
{
	char text[STYLE_MAX], *at = text, *save = NULL;
	bool hides = false;

	normal_style(style, text);
	for (char *d = strtok_r(at, ";", &save); d && !hides; d = strtok_r(NULL, ";", &save)) {
		char *colon = strchr(d, ':');

		if (!colon)
			continue;
		*colon = '\0';
		hides = declaration_hides(d, colon + 1);
	}
	return hides;
}

static bool is_hidden(const struct html_node *n)
{
	static const char *const words[] = { "sr-only", "visually-hidden", "screen-reader-text", "screen-reader-only", "visuallyhidden" };
	const char *value;

	if (is_never_shown(n->tag))
		return true;
	if (!n->element || !n->element->attributes.length)
		return false;
	value = html_attr(n, "hidden");
	if (value && !str_ieq(value, "until-found"))
		return true;
	value = html_attr(n, "aria-hidden");
	if (value && str_ieq(value, "true"))
		return true;
	value = html_attr(n, "style");
	if (value && style_hides(value))
		return true;
	for (size_t i = 0; i < CH_ARRAY_LEN(words); i++)
		if (html_has_class(n, words[i]))
			return true;
	return false;
}

bool html_drops_cp(uint32_t cp)
{
	if (cp < 0x20)
		return cp != '\t' && cp != '\n' && cp != '\r' && cp != '\f';
	return (cp >= 0x7f && cp < 0xa0) || cp == 0xad || cp == 0x34f || cp == 0x61c || cp == 0x180e || cp == 0x200b ||
	       (cp >= 0x200e && cp <= 0x200f) || (cp >= 0x202a && cp <= 0x202e) || (cp >= 0x2060 && cp <= 0x206f) ||
	       cp == 0x3164 || cp == 0xfeff || cp == 0xffa0 || (cp >= 0xe0000 && cp <= 0xe0fff);
}

/* -- flattening -- */

static struct html_node *push(struct html_tree *t)
{
	if (t->len == t->cap) {
		size_t cap = t->cap ? 2 * t->cap : 256;
		struct html_node *more = take(t, cap * sizeof(*more));

		if (t->len)
			memcpy(more, t->at, t->len * sizeof(*more));
		t->at = more;
		t->cap = cap;
	}
	t->at[t->len] = (struct html_node){ .parent = HTML_NONE, .tag = HTML_TAG_TEXT };
	return &t->at[t->len++];
}

static bool is_element(const GumboNode *g)
{
	return g->type == GUMBO_NODE_ELEMENT || g->type == GUMBO_NODE_TEMPLATE;
}

/* Appends the node under `parent`; its index, or HTML_NONE when it has no place in the list. */
static uint32_t add(struct html_tree *t, const GumboNode *g, uint32_t parent)
{
	bool is_text = g->type == GUMBO_NODE_TEXT || g->type == GUMBO_NODE_WHITESPACE || g->type == GUMBO_NODE_CDATA;
	unsigned depth = parent == HTML_NONE ? 0 : t->at[parent].depth + 1u;
	struct html_node *n;

	if (!is_text && !is_element(g))
		return HTML_NONE;
	if (t->len >= HTML_NODES_MAX || depth > HTML_DEPTH_MAX) {
		t->is_cut = true;
		return HTML_NONE;
	}
	n = push(t);
	n->parent = parent;
	n->depth = (uint16_t)depth;
	n->end = (uint32_t)t->len;
	if (is_text) {
		n->text = g->v.text.text;
	} else {
		n->element = &g->v.element;
		n->tag = (uint16_t)g->v.element.tag;
	}
	n->is_hidden = (parent != HTML_NONE && t->at[parent].is_hidden) || (!is_text && is_hidden(n));
	return (uint32_t)(t->len - 1);
}

/* In document order without a stack: libgumbo's nodes know their parent and their place in it. */
static void flatten(struct html_tree *t, const GumboNode *root)
{
	const GumboNode *g = root;
	uint32_t parent = HTML_NONE;

	while (g) {
		uint32_t i = add(t, g, parent);

		if (i != HTML_NONE && is_element(g) && g->v.element.children.length) {
			parent = i;
			g = g->v.element.children.data[0];
			continue;
		}
		while (g != root) {
			const GumboVector *around = &g->parent->v.element.children;

			if (g->index_within_parent + 1 < around->length) {
				g = around->data[g->index_within_parent + 1];
				break;
			}
			g = g->parent;
			t->at[parent].end = (uint32_t)t->len;
			parent = t->at[parent].parent;
		}
		if (g == root)
			break;
	}
}

ch_status html_tree_parse(struct html_tree *t, const char *text, size_t len, struct ch_err *err)
{
	const struct gumbo_api *api = NULL;
	GumboOptions options;
	GumboOutput *out;
	ch_status st = gumbo_api_load(&api, err);

	if (st)
		return st;
	options = *api->defaults;
	options.allocator = take;
	options.deallocator = give_back;
	options.userdata = t;
	options.max_errors = 0;
	out = api->parse(&options, text, len);
	flatten(t, out->root);
	return t->len ? CH_OK : ch_fail(err, CH_E_INVALID, "the page has no elements");
}

/* -- looking -- */

bool html_is_block(unsigned tag)
{
	switch (tag) {
	case GUMBO_TAG_ADDRESS: case GUMBO_TAG_ARTICLE: case GUMBO_TAG_ASIDE: case GUMBO_TAG_BLOCKQUOTE: case GUMBO_TAG_BODY:
	case GUMBO_TAG_CAPTION: case GUMBO_TAG_CENTER: case GUMBO_TAG_DD: case GUMBO_TAG_DETAILS:
	case GUMBO_TAG_DIR: case GUMBO_TAG_DIV: case GUMBO_TAG_DL: case GUMBO_TAG_DT: case GUMBO_TAG_FIELDSET:
	case GUMBO_TAG_FIGCAPTION: case GUMBO_TAG_FIGURE: case GUMBO_TAG_FOOTER: case GUMBO_TAG_FORM: case GUMBO_TAG_H1:
	case GUMBO_TAG_H2: case GUMBO_TAG_H3: case GUMBO_TAG_H4: case GUMBO_TAG_H5: case GUMBO_TAG_H6: case GUMBO_TAG_HEADER:
	case GUMBO_TAG_HGROUP: case GUMBO_TAG_HR: case GUMBO_TAG_HTML: case GUMBO_TAG_LEGEND: case GUMBO_TAG_LI:
	case GUMBO_TAG_MAIN: case GUMBO_TAG_MENU: case GUMBO_TAG_NAV: case GUMBO_TAG_OL: case GUMBO_TAG_OPTGROUP:
	case GUMBO_TAG_OPTION: case GUMBO_TAG_P: case GUMBO_TAG_PRE: case GUMBO_TAG_SECTION: case GUMBO_TAG_SUMMARY:
	case GUMBO_TAG_TABLE: case GUMBO_TAG_TBODY: case GUMBO_TAG_TD: case GUMBO_TAG_TFOOT: case GUMBO_TAG_TH:
	case GUMBO_TAG_THEAD: case GUMBO_TAG_TR: case GUMBO_TAG_UL:
		return true;
	default:
		return false;
	}
}

uint32_t html_find(const struct html_tree *t, uint32_t root, GumboTag tag)
{
	for (uint32_t i = root; i < t->at[root].end; i++)
		if (t->at[i].tag == tag)
			return i;
	return HTML_NONE;
}

/* Copies without what is invisible; a run of white space is one blank, none at the beginning. */
static void put_collapsed(struct buf *out, const char *text)
{
	size_t left = strlen(text);

	while (left) {
		uint32_t cp = 0;
		size_t n = utf8_decode(text, left, &cp);

		if (n == 0)
			n = 1;
		else if (cp == ' ' || cp == '\n' || cp == '\t' || cp == '\r' || cp == '\f' || cp == 0xa0)
			out->len && out->data[out->len - 1] != ' ' ? buf_putc(out, ' ') : (void)0;
		else if (!html_drops_cp(cp))
			buf_append(out, text, n);
		text += n;
		left -= n;
	}
}

char *html_text_of(const struct html_tree *t, uint32_t i, size_t max_bytes)
{
	CH_AUTO_BUF struct buf out = { 0 };
	uint32_t end = t->at[i].end, root = i;
	size_t n;

	buf_init(&out, max_bytes + (4u << 20));
	for (; i < end && out.len <= max_bytes && !out.failed; i++) {
		const struct html_node *node = &t->at[i];

		/* <title> stands in <head>, which is not shown, and is asked for by itself. */
		if (node->is_hidden && !t->at[root].is_hidden)
			continue;
		if (node->text)
			put_collapsed(&out, node->text);
		else if ((html_is_block(node->tag) || node->tag == GUMBO_TAG_BR) && out.len)
			put_collapsed(&out, " ");
	}
	n = CH_MIN(out.len, max_bytes);
	n = out.len ? utf8_cut(out.data, out.len, n) : 0;
	while (n && out.data[n - 1] == ' ')
		n--;
	return arena_strndup(t->arena, buf_str(&out), n);
}
