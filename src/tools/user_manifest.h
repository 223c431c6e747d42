/*
 * tools/user_manifest.h - what a tool of the workspace says of itself: the small JSON file beside its program.
 *
 *	{ "name": "weather", "description": "…", "command": ["weather.py", "--short"],
 *	  "parameters": { "type": "object", "properties": { "city": { "type": "string" } }, "required": ["city"] } }
 *
 * Pure. Strict: unknown keys, and words of JSON Schema that arguments are not checked against here, are refused by name.
 */
#ifndef CH_TOOLS_USER_MANIFEST_H
#define CH_TOOLS_USER_MANIFEST_H

#include "core/arena.h"
#include "core/err.h"
#include "tools/tool.h"

#define USER_MANIFEST_MAX (32u << 10)
#define USER_NAME_MAX 48
#define USER_DESCRIPTION_MAX 2000        /* it stands in every prompt */
#define USER_TIMEOUT_MAX_S 3600
#define USER_HOSTS_MAX 32
#define USER_ARGS_MAX 32

struct user_manifest {
	const char *name, *label, *description;
	const char *schema_json;         /* closed, of the subset that tool_check_args() knows */
	const char *program;             /* a file name beside the manifest */
	const char *const *args;         /* NULL-ended, in front of those of a call */
	int64_t timeout_ms;
	const char *const *hosts;        /* wanted; NULL-ended */
	enum tool_risk risk;
	bool takes_args;                 /* --name=value words instead of JSON on standard input */
	bool gives_json;
};
/* stem: what the file's name says, which is the tool's name. CH_E_INVALID names the key. */
CH_MUST_USE ch_status user_manifest_parse(struct arena *a, const char *text, size_t len, const char *stem,
					  struct user_manifest *ret, struct ch_err *err);

#endif
