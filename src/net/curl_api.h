/*
 * net/curl_api.h - libcurl, loaded when the first request goes out.
 *
 * libcurl brings some 25 further libraries: linking it costs every start of the gateway
 * and every command-line verb several milliseconds, and most of them never talk to anybody but us.
 * Include this instead of <curl/curl.h>: calls look as always and go through the table.
 *
 * Lives   from curl_api_load() to the end of the process; nothing may be called before it.
 * Fails   CH_E_NOT_FOUND when the library is not installed (text says how to get it).
 */
#ifndef CH_NET_CURL_API_H
#define CH_NET_CURL_API_H

#define CURL_DISABLE_TYPECHECK           /* its macros take the functions' names */
#include <curl/curl.h>

#include "core/err.h"

#define CURL_API_MAP(X)                                                                                      \
	X(curl_easy_cleanup) X(curl_easy_getinfo) X(curl_easy_init) X(curl_easy_pause) X(curl_easy_recv)     \
	X(curl_easy_send) X(curl_easy_setopt) X(curl_easy_strerror) X(curl_free) X(curl_global_cleanup)      \
	X(curl_global_init) X(curl_multi_add_handle) X(curl_multi_assign) X(curl_multi_cleanup)              \
	X(curl_multi_info_read) X(curl_multi_init) X(curl_multi_remove_handle) X(curl_multi_setopt)          \
	X(curl_multi_socket_action) X(curl_multi_strerror) X(curl_multi_timeout) X(curl_slist_append)        \
	X(curl_slist_free_all) X(curl_version_info) X(curl_url) X(curl_url_cleanup) X(curl_url_dup)          \
	X(curl_url_get) X(curl_url_set)

struct curl_api {
#define X(name) __typeof__(&name) name;
	CURL_API_MAP(X)
#undef X
};

/* The one mutable global of net/: a process has one libcurl. */
extern struct curl_api curl_api;
CH_MUST_USE ch_status curl_api_load(struct ch_err *err);

#ifndef CURL_API_ITSELF
#undef curl_easy_setopt
#undef curl_easy_getinfo
#undef curl_multi_setopt
#define curl_easy_cleanup curl_api.curl_easy_cleanup
#define curl_easy_getinfo curl_api.curl_easy_getinfo
#define curl_easy_init curl_api.curl_easy_init
#define curl_easy_pause curl_api.curl_easy_pause
#define curl_easy_recv curl_api.curl_easy_recv
#define curl_easy_send curl_api.curl_easy_send
#define curl_easy_setopt curl_api.curl_easy_setopt
#define curl_easy_strerror curl_api.curl_easy_strerror
#define curl_free curl_api.curl_free
#define curl_global_cleanup curl_api.curl_global_cleanup
#define curl_global_init curl_api.curl_global_init
#define curl_multi_add_handle curl_api.curl_multi_add_handle
#define curl_multi_assign curl_api.curl_multi_assign
#define curl_multi_cleanup curl_api.curl_multi_cleanup
#define curl_multi_info_read curl_api.curl_multi_info_read
#define curl_multi_init curl_api.curl_multi_init
#define curl_multi_remove_handle curl_api.curl_multi_remove_handle
#define curl_multi_setopt curl_api.curl_multi_setopt
#define curl_multi_socket_action curl_api.curl_multi_socket_action
#define curl_multi_strerror curl_api.curl_multi_strerror
#define curl_multi_timeout curl_api.curl_multi_timeout
#define curl_slist_append curl_api.curl_slist_append
#define curl_slist_free_all curl_api.curl_slist_free_all
#define curl_version_info curl_api.curl_version_info
#define curl_url curl_api.curl_url
#define curl_url_cleanup curl_api.curl_url_cleanup
#define curl_url_dup curl_api.curl_url_dup
#define curl_url_get curl_api.curl_url_get
#define curl_url_set curl_api.curl_url_set
#endif

#endif
