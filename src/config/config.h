/*
 * config/config.h - the configuration: JSON5 with OpenClaw's key names.
 *
 * Two objects: struct config is one immutable, counted snapshot (includes
 * read, ${ENV} substituted, validated); struct config_store owns the file, its watcher
 * and the current snapshot, and replaces it when the file changes.
 *
 * Lives   hold a reference (config_ref) over any wait; a borrowed snapshot is
 *         only good until the next wait.
 * Fails   a broken file never replaces a good snapshot: the issues are kept
 *         in the store (config_store_issues) and told to on_change.
 * Limits  CONFIG_FILE_MAX bytes a file, CONFIG_INCLUDE_DEPTH.
 */
#ifndef CH_CONFIG_CONFIG_H
#define CH_CONFIG_CONFIG_H

#include "core/err.h"
#include "core/json.h"
#include "core/loop.h"

#define CONFIG_FILE_MAX (4u << 20)
#define CONFIG_INCLUDE_DEPTH 10

/* -- the schema: one row per key (config/schema*.c) -- */

enum config_type { CFG_STR, CFG_INT, CFG_NUM, CFG_BOOL, CFG_ENUM, CFG_STR_LIST, CFG_DURATION, CFG_BYTES,
		   CFG_OBJECT, CFG_MAP, CFG_LIST, CFG_SECRET, CFG_ANY,
		   CFG_STR_OR_OBJ };             /* a string, or an object with the rows below it */
enum config_flags {
	CFG_RESTART = 1, CFG_HOT = 2,    /* what a change of this key takes; neither: read when next needed */
	CFG_UNUSED = 4,                  /* OpenClaw knows it; accepted and kept, without effect in this version */
	CFG_ADVANCED = 8,
	CFG_SENSITIVE = 16,              /* not a credential field, but shown redacted */
	CFG_LOCAL = 32,                  /* names programs or files of this machine: not changed from afar */
};

/* `path` is dotted; '*' stands for one member name of a map or one item of a list ("models.providers.*.baseUrl"). */
struct config_row {
	const char *path;
	enum config_type type;
	const char *def;                 /* JSON text, or NULL */
	const char *const *choices;      /* CFG_ENUM: NULL-ended */
	int64_t min, max;                /* CFG_INT when max > min */
	int flags;
	const char *help;
};
/* All rows, sorted by path. */
const struct config_row *config_rows(size_t *ret_count);
/* By the row's own path or that of a value ("models.providers.acme.baseUrl"); NULL when there is none. */
const struct config_row *config_row_find(const char *path);

/*
 * Paths of values, here and below: "a.b", list items by number ("bindings.0.agentId"), and names that hold
 * dots in brackets: agents.defaults.models["openai/gpt-4.1"].alias. "" is the whole tree.
 */

/* -- a snapshot -- */

struct config;
struct config *config_ref(struct config *c);
void config_unref(struct config *c);
CH_AUTO_DEFINE(config_unref, struct config)
/* A snapshot from text, without files (tests). base_dir NULL: $include is refused. */
CH_MUST_USE ch_status config_parse(const char *text, size_t len, const char *base_dir, struct config **ret, struct ch_err *err);

/* The effective value: what is set, else the schema's default. Wrong types give the default (validation reported them). */
const char *config_str(const struct config *c, const char *path);           /* NULL when unset without default */
int64_t config_int(const struct config *c, const char *path, int64_t def);  /* CFG_INT, CFG_DURATION (ms), CFG_BYTES */
bool config_bool(const struct config *c, const char *path, bool def);
struct json *config_get(const struct config *c, const char *path);          /* what is set (resolved), or NULL; no defaults */
/* The value of a variable: the environment's, else env.vars'; NULL when missing or empty. */
const char *config_env(const struct config *c, const char *name);
/* Arrays of strings; NULL-ended, lives with the snapshot; empty list when unset. */
const char *const *config_list(const struct config *c, const char *path);
/* Whole trees: as written (before includes and ${ENV}), and resolved. */
const struct json *config_source(const struct config *c);
const struct json *config_resolved(const struct config *c);
const char *config_raw(const struct config *c, size_t *ret_len);            /* the file's text */
/* Absolute paths of the files that $include brought in; NULL-ended. */
const char *const *config_includes(const struct config *c);
const char *config_hash(const struct config *c);                            /* "hmac-sha256:v1:…" of the raw text */

enum config_severity { CONFIG_WARNING, CONFIG_ERROR };
struct config_issue {
	enum config_severity severity;
	const char *path;                /* dotted; "" for the whole file */
	const char *message;             /* names the nearest known key, the allowed values, the line */
};
const struct config_issue *config_issues(const struct config *c, size_t *ret_count);

/* -- secrets -- */

/*
 * A handle; there is no way to print one by accident. reveal() is called at the socket or
 * when a child's environment is built, nowhere else. Counted, wiped on the last unref,
 * registered with the log's redaction while alive.
 */
struct secret;
struct secret *secret_new(const char *value);
struct secret *secret_ref(struct secret *s);
void secret_unref(struct secret *s);
CH_AUTO_DEFINE(secret_unref, struct secret)
const char *secret_reveal(const struct secret *s);               /* NULL for NULL */
bool secret_equal(const struct secret *s, const char *text);     /* constant time; NULL secret equals nothing */
/*
 * The secret at a path: a plain string, "${ENV}" or a SecretRef {source: env|file|exec|store, provider?, id}.
 * CH_E_NOT_FOUND when unset. exec runs a child (absolute path, no shell, 10 s), hence a fiber.
 */
CH_FIBER CH_MUST_USE ch_status config_secret(const struct config *c, const char *path, struct secret **ret, struct ch_err *err);
/* Where references with source "store" read from (secrets/store.h); borrowed, outlives the snapshots that name it. */
struct config_secrets {
	void *arg;
	CH_MUST_USE ch_status (*get)(void *arg, const char *name, struct secret **ret, struct ch_err *err);
};
void config_set_secrets(struct config *c, const struct config_secrets *s);
/* Is this path secret (by schema or by name)? */
bool config_path_is_secret(const char *path);
#define CONFIG_REDACTED "__OPENCLAW_REDACTED__"
/* A copy with every secret replaced by CONFIG_REDACTED. */
struct json *config_redact(struct arena *a, const struct json *tree);
/*
 * What stands at path ("": all) in the resolved tree, without secrets: also not those that a "${NAME}" at a harmless
 * place would show. Such a string stays as it is written. NULL: nothing is set there.
 */
struct json *config_redact_resolved(struct arena *a, const struct config *c, const char *path);
/* The same for the part of a tree that stands at path. */
struct json *config_redact_at(struct arena *a, const struct json *part, const char *path);
/* The same for JSON5 text, comments and formatting kept (config.get's raw). */
CH_MUST_USE ch_status config_text_redact(const char *text, size_t len, struct buf *out, struct ch_err *err);

/* -- the store -- */

struct config_store;
struct config_change {
	struct config *before, *after;   /* the same snapshot when only issues changed */
	bool by_us;                      /* written through config_write() */
	bool needs_restart;              /* some changed key is CFG_RESTART */
	const char *const *paths;        /* changed dotted paths, NULL-ended */
};
struct config_store_opts {
	const char *path;                /* the file; it may not exist (all defaults) */
	const char *state_dir;           /* for .last-good */
	void (*on_change)(void *arg, const struct config_change *ch);  /* NULL: none */
	void *arg;
	const struct config_secrets *secrets;    /* for all snapshots; NULL: there is no store */
	bool passive;                    /* the CLI: no watching, no .last-good copy */
};
/* Loads; a broken file falls back to the last good copy or to defaults, and says so in the issues. Never fails for the file's content. */
CH_MUST_USE ch_status config_store_open(struct loop *l, const struct config_store_opts *opts, struct config_store **ret, struct ch_err *err);
void config_store_close(struct config_store *s);
CH_AUTO_DEFINE(config_store_close, struct config_store)
struct config *config_store_current(struct config_store *s);     /* borrowed */
const char *config_store_path(const struct config_store *s);
/* Issues of the file as it is on disk now (may be worse than the current snapshot's). */
const struct config_issue *config_store_issues(const struct config_store *s, size_t *ret_count);
bool config_store_degraded(const struct config_store *s);         /* the file is broken and a last good one runs */
/* Of the file as it is on disk: what base_hash is compared with. "" is the text of a file that does not exist. */
const char *config_store_hash(const struct config_store *s);
CH_MUST_USE ch_status config_store_reload(struct config_store *s, struct ch_err *err);

/*
 * Writing. All keep comments and unknown keys outside what they change, are atomic
 * (temporary file, fsync, rename; 0600; .bak), restore CONFIG_REDACTED values, and refuse
 * a result with errors. base_hash NULL: not checked; a stale one is CH_E_CONFLICT.
 */
CH_MUST_USE ch_status config_write_set(struct config_store *s, const char *path, const struct json *value, const char *base_hash, struct ch_err *err);
CH_MUST_USE ch_status config_write_unset(struct config_store *s, const char *path, const char *base_hash, struct ch_err *err);
CH_MUST_USE ch_status config_write_patch(struct config_store *s, const struct json *merge_patch, const char *base_hash, struct ch_err *err);
CH_MUST_USE ch_status config_write_raw(struct config_store *s, const char *text, size_t len, const char *base_hash, struct ch_err *err);

/* The same with more to say. */
struct config_write_how {
	const char *base_hash;                 /* NULL: not checked */
	/*
	 * A patch: the paths of lists that may lose entries or go (config/patch.h); NULL: any may.
	 */
	const struct json *replace_paths;
	bool is_remote;                        /* CFG_LOCAL keys and $include stay as they are, or CH_E_DENIED */
	/* May it become this? Trees with references not followed; before NULL: there was none. NULL: nobody asks. */
	CH_MUST_USE ch_status (*check)(void *arg, const struct json *before, const struct json *after, struct ch_err *err);
	void *check_arg;
};
CH_MUST_USE ch_status config_write_patch_as(struct config_store *s, const struct json *merge_patch,
					    const struct config_write_how *how, struct ch_err *err);
CH_MUST_USE ch_status config_write_raw_as(struct config_store *s, const char *text, size_t len,
					  const struct config_write_how *how, struct ch_err *err);

/* Text-level edits behind them, without files (the CLI and tests use these). Result appended to out. */
CH_MUST_USE ch_status config_text_set(const char *text, size_t len, const char *path, const struct json *value, struct buf *out, struct ch_err *err);
CH_MUST_USE ch_status config_text_unset(const char *text, size_t len, const char *path, struct buf *out, struct ch_err *err);

/* Dotted paths whose values differ; NULL-ended, on the arena, cut after 400. */
const char *const *config_changed_paths(struct arena *a, const struct json *before, const struct json *after);

/* JSON Schema of the whole configuration and UI hints, for config.schema. */
struct json *config_json_schema(struct arena *a);
struct json *config_ui_hints(struct arena *a);
/*
 * One place of the schema and what is directly below it, for config.schema.lookup: {path, schema, reloadKind,
 * hint, hintPath, children}. "." or "" is the root; "a/b", "a.b", "a[0]" and "a[]" are understood. NULL: unknown.
 */
struct json *config_schema_lookup(struct arena *a, const char *path);

#endif
