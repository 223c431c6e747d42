/*
 * net/curl_api.c - opens libcurl and fills the table.
 */
#define CURL_API_ITSELF
#include "net/curl_api.h"

#include <dlfcn.h>
#include <string.h>

struct curl_api curl_api;

ch_status curl_api_load(struct ch_err *err)
{
	static const struct { const char *name; size_t at; } symbols[] = {
#define X(name) { #name, offsetof(struct curl_api, name) },
		CURL_API_MAP(X)
#undef X
	};
	struct curl_api found;
	void *lib;

	if (curl_api.curl_easy_init)
		return CH_OK;
	lib = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
	if (!lib)
		return ch_fail(err, CH_E_NOT_FOUND, "libcurl is not installed, and requests to other hosts need it: apt-get install libcurl4");
	for (size_t i = 0; i < CH_ARRAY_LEN(symbols); i++) {
		void *symbol = dlsym(lib, symbols[i].name);

		if (!symbol) {
			dlclose(lib);
			return ch_fail(err, CH_E_NOT_FOUND, "libcurl lacks %s: version 7.88 or newer is needed", symbols[i].name);
		}
		memcpy((char *)&found + symbols[i].at, &symbol, sizeof(symbol));
	}
	curl_api = found;
	return CH_OK;
}
