/*
 * web/gumbo_api.c - opens libgumbo and finds what is used of it.
 */
#include "web/gumbo_api.h"

#include <dlfcn.h>
#include <string.h>

static struct gumbo_api api;

static void *open_library(void)
{
	static const char *const names[] = { "libgumbo.so.1", "libgumbo.so.2", "libgumbo.so.3" };
	void *lib = NULL;

	for (size_t i = 0; i < CH_ARRAY_LEN(names) && !lib; i++)
		lib = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
	return lib;
}

ch_status gumbo_api_load(const struct gumbo_api **ret, struct ch_err *err)
{
	void *lib, *parse, *defaults;

	if (!api.parse) {
		lib = open_library();
		if (!lib)
			return ch_fail(err, CH_E_NOT_FOUND, "libgumbo is not installed, and HTML pages need it: apt-get install libgumbo1");
		parse = dlsym(lib, "gumbo_parse_with_options");
		defaults = dlsym(lib, "kGumboDefaultOptions");
		if (!parse || !defaults) {
			dlclose(lib);
			return ch_fail(err, CH_E_NOT_FOUND, "this libgumbo lacks gumbo_parse_with_options: version 0.10 or newer is needed");
		}
		memcpy(&api.defaults, &defaults, sizeof(defaults));
		memcpy(&api.parse, &parse, sizeof(parse));
	}
	*ret = &api;
	return CH_OK;
}
