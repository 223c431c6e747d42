/*
 * tools/process_keys.c - see process_keys.h: a table of names, and three forms of sequences.
 */
#include "tools/process_keys.h"

#include <string.h>

#include "core/str.h"

#define ESC "\033"
#define NAME_MAX_BYTES 32

enum key_form {
	KEY_PLAIN,                       /* these bytes */
	KEY_CURSOR,                      /* ESC [ x, with modifiers ESC [ 1 ; m x, in application mode ESC O x */
	KEY_TILDE,                       /* ESC [ n ~, with modifiers ESC [ n ; m ~ */
};
/* No pointers: the table costs no relocations. */
static const struct key {
	char name[10];
	char bytes[5];                   /* KEY_PLAIN: all; else x or n */
	unsigned char form;
} keys[] = {
	{ "enter", "\r", KEY_PLAIN },      { "return", "\r", KEY_PLAIN },     { "tab", "\t", KEY_PLAIN },
	{ "escape", ESC, KEY_PLAIN },      { "esc", ESC, KEY_PLAIN },         { "space", " ", KEY_PLAIN },
	{ "bspace", "\177", KEY_PLAIN },   { "backspace", "\177", KEY_PLAIN }, { "btab", ESC "[Z", KEY_PLAIN },
	{ "up", "A", KEY_CURSOR },         { "down", "B", KEY_CURSOR },       { "right", "C", KEY_CURSOR },
	{ "left", "D", KEY_CURSOR },       { "home", "H", KEY_CURSOR },       { "end", "F", KEY_CURSOR },
	{ "insert", "2", KEY_TILDE },      { "ic", "2", KEY_TILDE },          { "delete", "3", KEY_TILDE },
	{ "del", "3", KEY_TILDE },         { "dc", "3", KEY_TILDE },          { "pageup", "5", KEY_TILDE },
	{ "pgup", "5", KEY_TILDE },        { "ppage", "5", KEY_TILDE },       { "pagedown", "6", KEY_TILDE },
	{ "pgdn", "6", KEY_TILDE },        { "npage", "6", KEY_TILDE },       { "f1", ESC "OP", KEY_PLAIN },
	{ "f2", ESC "OQ", KEY_PLAIN },     { "f3", ESC "OR", KEY_PLAIN },     { "f4", ESC "OS", KEY_PLAIN },
	{ "f5", "15", KEY_TILDE },         { "f6", "17", KEY_TILDE },         { "f7", "18", KEY_TILDE },
	{ "f8", "19", KEY_TILDE },         { "f9", "20", KEY_TILDE },         { "f10", "21", KEY_TILDE },
	{ "f11", "23", KEY_TILDE },        { "f12", "24", KEY_TILDE },        { "kpenter", ESC "OM", KEY_PLAIN },
	{ "kp0", ESC "Op", KEY_PLAIN },    { "kp1", ESC "Oq", KEY_PLAIN },    { "kp2", ESC "Or", KEY_PLAIN },
	{ "kp3", ESC "Os", KEY_PLAIN },    { "kp4", ESC "Ot", KEY_PLAIN },    { "kp5", ESC "Ou", KEY_PLAIN },
	{ "kp6", ESC "Ov", KEY_PLAIN },    { "kp7", ESC "Ow", KEY_PLAIN },    { "kp8", ESC "Ox", KEY_PLAIN },
	{ "kp9", ESC "Oy", KEY_PLAIN },    { "kp/", ESC "Oo", KEY_PLAIN },    { "kp*", ESC "Oj", KEY_PLAIN },
	{ "kp-", ESC "Om", KEY_PLAIN },    { "kp+", ESC "Ok", KEY_PLAIN },    { "kp.", ESC "On", KEY_PLAIN },
};

struct mods {
	bool has_control, has_alt, has_shift;
};

static const struct key *find_key(const char *name)
{
	for (size_t i = 0; i < CH_ARRAY_LEN(keys); i++)
		if (str_ieq(keys[i].name, name))
			return &keys[i];
	return NULL;
}

/* What stands behind the modifiers. */
static const char *take_mods(const char *token, struct mods *ret)
{
	while (strlen(token) > 2 && token[1] == '-') {
		char c = (char)(token[0] | 0x20);

		if (c == 'c')
			ret->has_control = true;
		else if (c == 'm')
			ret->has_alt = true;
		else if (c == 's')
			ret->has_shift = true;
		else
			break;
		token += 2;
	}
	return token;
}

static bool has_any(const struct mods *m)
{
	return m->has_control || m->has_alt || m->has_shift;
}

/* As xterm counts them. */
static int mods_number(const struct mods *m)
{
	return 1 + (m->has_shift ? 1 : 0) + (m->has_alt ? 2 : 0) + (m->has_control ? 4 : 0);
}

/* The control character of a key: ^@ to ^_, and ^? for delete. */
static bool control_of(char c, char *ret)
{
	if (c >= 'a' && c <= 'z')
		c = (char)(c - 'a' + 'A');
	if (c == '?')
		*ret = '\177';
	else if (c >= '@' && c <= '_')
		*ret = (char)(c & 0x1f);
	else
		return false;
	return true;
}

static void add_named(const struct key *k, const struct mods *m, bool app_keys, struct buf *out)
{
	if (k->form == KEY_PLAIN && str_eq(k->name, "tab") && m->has_shift)
		buf_puts(out, ESC "[Z");
	else if (k->form == KEY_PLAIN)
		buf_printf(out, "%s%s", m->has_alt ? ESC : "", k->bytes);
	else if (k->form == KEY_CURSOR && has_any(m))
		buf_printf(out, ESC "[1;%d%s", mods_number(m), k->bytes);
	else if (k->form == KEY_CURSOR)
		buf_printf(out, ESC "%c%s", app_keys ? 'O' : '[', k->bytes);
	else if (has_any(m))
		buf_printf(out, ESC "[%s;%d~", k->bytes, mods_number(m));
	else
		buf_printf(out, ESC "[%s~", k->bytes);
}

static bool add_char(char c, const struct mods *m, struct buf *out)
{
	if (m->has_shift && c >= 'a' && c <= 'z')
		c = (char)(c - 'a' + 'A');
	if (m->has_control && !control_of(c, &c))
		return false;
	if (m->has_alt)
		buf_puts(out, ESC);
	buf_putc(out, c);
	return true;
}

bool key_encode(const char *token, bool app_keys, struct buf *out)
{
	struct mods mods = { 0 };
	const char *base;
	const struct key *k;
	char c;

	if (token[0] == '^' && token[1] && !token[2] && control_of(token[1], &c)) {
		buf_putc(out, c);
		return true;
	}
	base = take_mods(token, &mods);
	k = strlen(base) < NAME_MAX_BYTES ? find_key(base) : NULL;
	if (k) {
		add_named(k, &mods, app_keys, out);
		return true;
	}
	if (base[0] && !base[1])
		return add_char(base[0], &mods, out);
	if (has_any(&mods))
		return false;
	buf_puts(out, token);
	return true;
}

bool key_hex(const char *text, struct buf *out)
{
	char byte;

	if (text[0] == '0' && (text[1] | 0x20) == 'x')
		text += 2;
	if (strlen(text) != 2 || !hex_decode(text, 2, &byte))
		return false;
	buf_append(out, &byte, 1);
	return true;
}

void key_paste(const char *text, size_t len, bool bracketed, struct buf *out)
{
	static const char begin[] = ESC "[200~", end[] = ESC "[201~";
	size_t from;

	if (bracketed)
		buf_puts(out, begin);
	from = out->len;
	/* An end inside the text would turn the rest into typing; what is left may form another. */
	for (size_t i = 0; i < len; i++) {
		buf_putc(out, text[i]);
		if (bracketed && out->len - from >= sizeof(end) - 1 &&
		    memcmp(out->data + out->len - (sizeof(end) - 1), end, sizeof(end) - 1) == 0)
			buf_truncate(out, out->len - (sizeof(end) - 1));
	}
	if (bracketed)
		buf_puts(out, end);
}
