/*
 * channels/md_api.c - see md_api.h; opens the libraries as net/curl_api does for libcurl.
 */
#include "channels/md_api.h"

#include <dlfcn.h>
#include <string.h>
#include <utf8proc.h>

#include "core/log.h"

/* A process has one of each: the mutable values of this file. */
static struct {
	__typeof__(&md_parse) parse;
	__typeof__(&utf8proc_grapheme_break_stateful) is_break;
	__typeof__(&utf8proc_charwidth) width;
	bool was_tried_md4c, was_tried_utf8proc;
} loaded;

static void *symbol_of(void *lib, const char *name)
{
	return lib ? dlsym(lib, name) : NULL;
}

__typeof__(&md_parse) md_api_parse(void)
{
	void *symbol;

	if (loaded.was_tried_md4c)
		return loaded.parse;
	loaded.was_tried_md4c = true;
	symbol = symbol_of(dlopen("libmd4c.so.0", RTLD_NOW | RTLD_LOCAL), "md_parse");
	memcpy(&loaded.parse, &symbol, sizeof(symbol));
	if (!symbol)
		log_warn("channels", "md4c is not installed (apt-get install libmd4c0): replies are shown as they are written");
	return loaded.parse;
}

static void load_utf8proc(void)
{
	void *lib, *is_break, *width;

	if (loaded.was_tried_utf8proc)
		return;
	loaded.was_tried_utf8proc = true;
	lib = dlopen("libutf8proc.so.2", RTLD_NOW | RTLD_LOCAL);
	if (!lib)
		lib = dlopen("libutf8proc.so.3", RTLD_NOW | RTLD_LOCAL);
	is_break = symbol_of(lib, "utf8proc_grapheme_break_stateful");
	width = symbol_of(lib, "utf8proc_charwidth");
	memcpy(&loaded.is_break, &is_break, sizeof(is_break));
	memcpy(&loaded.width, &width, sizeof(width));
	if (!is_break || !width)
		log_debug("channels", "utf8proc is not installed (libutf8proc2): long words may be cut inside a grapheme");
}

bool md_api_is_break(uint32_t before, uint32_t after, int32_t *state)
{
	if (before < 0x300 && after < 0x300)
		return !(before == '\r' && after == '\n');
	load_utf8proc();
	return !loaded.is_break || loaded.is_break((utf8proc_int32_t)before, (utf8proc_int32_t)after, state);
}

int md_api_width(uint32_t cp)
{
	if (cp < 0x300)
		return 1;
	load_utf8proc();
	return loaded.width ? loaded.width((utf8proc_int32_t)cp) : 1;
}
