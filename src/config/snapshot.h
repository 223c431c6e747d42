/*
 * config/snapshot.h - the inside of struct config; for the files of this folder.
 *
 * Three trees: `source` as written in the file; `merged` with the included
 * files in it (the same tree when there are none); `resolved` with ${ENV}
 * put in. All of them, and every string, are on `arena`.
 */
#ifndef CH_CONFIG_SNAPSHOT_H
#define CH_CONFIG_SNAPSHOT_H

#include "config/config.h"
#include "core/crypto.h"
#include "core/map.h"
#include "core/vec.h"

#define CONFIG_ISSUES_MAX 200        /* a file that is wrong everywhere need not be listed in full */
#define CONFIG_INCLUDE_FILES_MAX 128 /* stops files that include each other's siblings without end */
#define CONFIG_VALUES_MAX 100000     /* of all files together: three trees of them must fit the arena */
#define CONFIG_HASH_LEN (15 + 43 + 1)

struct config {
	unsigned refs;
	struct arena *arena;
	char *raw;
	size_t raw_len;
	char hash[CONFIG_HASH_LEN];
	struct json *source, *merged, *resolved;
	VEC(struct config_issue) issues;
	bool issues_cut;
	size_t errors;
	size_t values, bytes;            /* of all files; CONFIG_VALUES_MAX, CONFIG_FILE_MAX */
	size_t expanded_bytes;           /* of the strings that hold variables; CONFIG_FILE_MAX */
	VEC(const char *) includes;      /* NULL-ended once loaded */
	struct json **defaults;          /* by row, parsed when first asked for */
	uint8_t digest[SHA256_LEN];      /* over the texts of all files */
	const struct config_secrets *secrets;    /* or NULL */
	VEC(const char *) held;          /* credentials of `resolved`, kept out of logs and results; see redact_hold() */
	struct map *lists;               /* path -> const char *const * */
};

/* What a snapshot is made from. */
struct config_input {
	const char *text;
	size_t len;
	const char *base_dir;            /* NULL: $include is refused */
	const uint8_t *hash_key;         /* CONFIG_KEY_LEN bytes; NULL: a fixed one */
	uint8_t *ret_digest; /* SHA256_LEN bytes over all that was read, also when it is broken; or NULL */
};
#define CONFIG_KEY_LEN 32

CH_MUST_USE ch_status config_load(const struct config_input *in, struct config **ret, struct ch_err *err);

/* The way to a value, kept on the stack while walking; NULL is the root. */
struct config_trail {
	const struct config_trail *up;
	const char *name;                /* NULL for an item of a list */
	size_t index;
};
char *config_trail_path(struct arena *a, const struct config_trail *t);

void config_issue(struct config *c, enum config_severity severity, const struct config_trail *at,
		  const char *fmt, ...) CH_PRINTF(4, 5);
/* Parses one file's text within the limits of the whole. */
CH_MUST_USE ch_status config_parse_file(struct config *c, const char *text, size_t len, struct json **ret,
					struct ch_err *err);
void config_hash_text(const uint8_t *key, const char *text, size_t len, char ret_hash[CONFIG_HASH_LEN]);

/* include.c: `merged` from `source`; notes the files in c->includes. */
CH_MUST_USE ch_status config_include(struct config *c, const char *base_dir, struct ch_err *err);
/* subst.c: `resolved` from `merged`. A variable that is missing leaves its key out, with a warning. */
void config_substitute(struct config *c);
/* validate.c: checks `resolved` against the schema and adds what is wrong to the issues. */
void config_validate(struct config *c);

/* A value by path, NULL when absent. */
struct json *config_find(const struct json *tree, const char *path);

#endif
