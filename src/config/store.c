/*
 * config/store.c - the file and the snapshot that is in force.
 *
 *	file good          -> it is the snapshot, and is copied to .last-good
 *	file broken, later -> the snapshot stays, the issues say so
 *	file broken, start -> the .last-good copy, else the defaults
 */
#include "config/store.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "config/diff.h"
#include "core/clock.h"
#include "core/file.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/rand.h"
#include "core/str.h"

#define LAST_GOOD_NAME "chela.json.last-good"
#define KEY_NAME "config.key"

/* ---- what is on disk ---- */

ch_status store_read(struct config_store *s, struct buf *ret, struct ch_err *err)
{
	ch_status st = file_read(s->path, CONFIG_FILE_MAX, ret, err);

	if (st != CH_E_NOT_FOUND)
		return st;
	buf_done(ret);
	buf_init(ret, CONFIG_FILE_MAX);
	return CH_OK;
}

ch_status store_parse(struct config_store *s, const struct buf *text, uint8_t *ret_digest,
		      struct config **ret, struct ch_err *err)
{
	struct config_input in = {
		.text = buf_str(text),
		.len = text->len,
		.base_dir = s->dir,
		.hash_key = s->key,
		.ret_digest = ret_digest,
	};

	ch_status st = config_load(&in, ret, err);

	if (!st)
		config_set_secrets(*ret, s->secrets);
	return st;
}

static void add_issue(struct config_store *s, enum config_severity severity, const char *path,
		      const char *message)
{
	struct config_issue issue = {
		.severity = severity,
		.path = arena_strdup(s->issue_arena, path),
		.message = arena_strdup(s->issue_arena, message),
	};

	vec_push(&s->issues, issue);
}

void store_note_disk(struct config_store *s, const struct buf *text, const uint8_t *digest,
		     const struct config *cfg, const struct ch_err *err)
{
	size_t n = 0;
	const struct config_issue *issues = cfg ? config_issues(cfg, &n) : NULL;

	memcpy(s->disk_digest, digest, SHA256_LEN);
	config_hash_text(s->key, buf_str(text), text->len, s->disk_hash);
	arena_clear(s->issue_arena);
	s->issues.len = 0;
	if (!cfg)
		add_issue(s, CONFIG_ERROR, "", err->text);
	for (size_t i = 0; i < n; i++)
		add_issue(s, issues[i].severity, issues[i].path, issues[i].message);
}

/* ---- the last good copy ---- */

/* What is kept stands alone: with included files in it, else the text as it is. */
static void save_last_good(struct config_store *s)
{
	struct config *c = s->current;
	CH_AUTO_BUF struct buf text = { 0 }, old = { 0 };
	struct ch_err err;

	buf_init(&text, 4 * CONFIG_FILE_MAX);
	buf_init(&old, 0);
	if (s->is_passive || !s->last_good || !c->raw_len || config_has_redacted(c->merged))
		return;
	if (*config_includes(c)) {
		json_write(&text, c->merged, 2);
		buf_putc(&text, '\n');
	} else {
		buf_append(&text, c->raw, c->raw_len);
	}
	if (file_read(s->last_good, 4 * CONFIG_FILE_MAX, &old, NULL) == CH_OK && old.len == text.len &&
	    memcmp(buf_str(&old), buf_str(&text), text.len) == 0)
		return;
	if (text.failed || file_write_atomic(s->last_good, buf_str(&text), text.len, 0600, &err))
		log_warn("config",
			 "cannot keep a copy of the configuration: %s; the next good one is tried again",
			 text.failed ? "too large" : err.text);
}

static struct config *load_last_good(struct config_store *s)
{
	CH_AUTO(config_unref) struct config *c = NULL;
	CH_AUTO_BUF struct buf text = { 0 };

	buf_init(&text, 0);
	if (!s->last_good || file_read(s->last_good, CONFIG_FILE_MAX, &text, NULL) ||
	    store_parse(s, &text, NULL, &c, NULL) || c->errors)
		return NULL;
	return CH_TAKE(c);
}

static struct config *defaults(struct config_store *s)
{
	struct config *c = NULL;

	CH_BUG_ON(config_parse("{}", 2, NULL, &c, NULL) != CH_OK);
	config_set_secrets(c, s->secrets);
	return c;
}

/* ---- changing the snapshot ---- */

static bool needs_restart(const char *const *paths)
{
	for (; *paths; paths++) {
		const struct config_row *row = config_row_find(*paths);

		if (row && row->flags & CFG_RESTART)
			return true;
	}
	return false;
}

static void tell(struct config_store *s, struct config *before, bool by_us)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct config_change ch = { .before = before, .after = s->current, .by_us = by_us };

	if (!s->on_change)
		return;
	ch.paths = config_changed_paths(a, before->resolved, s->current->resolved);
	ch.needs_restart = needs_restart(ch.paths);
	s->on_change(s->arg, &ch);
}

void store_adopt(struct config_store *s, struct config *cfg, bool by_us)
{
	CH_AUTO(config_unref) struct config *before = s->current;

	s->current = cfg;
	s->is_degraded = false;
	save_last_good(s);
	if (s->watch)
		watch_update(s->watch);
	tell(s, before, by_us);
}

void store_check(struct config_store *s, bool by_us)
{
	CH_AUTO(config_unref) struct config *cfg = NULL;
	CH_AUTO_BUF struct buf text = { 0 };
	uint8_t digest[SHA256_LEN] = { 0 };
	struct ch_err err = { 0 };
	ch_status st = store_read(s, &text, &err);

	if (!st)
		st = store_parse(s, &text, digest, &cfg, &err);
	if (memcmp(digest, s->disk_digest, SHA256_LEN) == 0)
		return;
	store_note_disk(s, &text, digest, cfg, &err);
	if (!st && cfg->errors == 0) {
		store_adopt(s, CH_TAKE(cfg), by_us);
		return;
	}
	s->is_degraded = true;
	add_issue(s, CONFIG_WARNING, "",
		  "the configuration from before stays in force until this file is mended");
	tell(s, s->current, by_us);
}

ch_status config_store_reload(struct config_store *s, struct ch_err *err)
{
	store_check(s, false);
	if (!s->is_degraded)
		return CH_OK;
	for (size_t i = 0; i < s->issues.len; i++)
		if (s->issues.at[i].severity == CONFIG_ERROR)
			return ch_fail(err, CH_E_INVALID, "%s: %s%s%s", s->path, s->issues.at[i].path,
				       *s->issues.at[i].path ? ": " : "", s->issues.at[i].message);
	return CH_OK;
}

/* ---- opening ---- */

/* The key of the hashes outlives the process, so that a client may write after our restart. */
static void load_key(struct config_store *s, const char *state_dir)
{
	CH_AUTO_STR char *path = state_dir ? ch_asprintf("%s/%s", state_dir, KEY_NAME) : NULL;
	CH_AUTO_BUF struct buf text = { 0 };
	struct ch_err err;

	buf_init(&text, CONFIG_KEY_LEN);
	rand_bytes(s->key, sizeof(s->key));
	if (!path)
		return;
	if (file_read(path, CONFIG_KEY_LEN, &text, NULL) == CH_OK && text.len == CONFIG_KEY_LEN)
		memcpy(s->key, text.data, CONFIG_KEY_LEN);
	else if (!s->is_passive && file_write_atomic(path, s->key, sizeof(s->key), 0600, &err))
		log_debug("config", "cannot keep the key of the hashes: %s", err.text);
}

static void say_fallback(struct config_store *s, bool has_copy)
{
	char when[CLOCK_ISO_LEN] = "", message[256];
	struct stat st;

	if (has_copy && stat(s->last_good, &st) == 0)
		clock_iso((int64_t)st.st_mtim.tv_sec * 1000, when);
	if (has_copy)
		snprintf(message, sizeof(message),
			 "this file is broken and NOT in use; the last good copy of %s is (%s)", when,
			 s->last_good);
	else
		snprintf(message, sizeof(message), "this file is broken and NOT in use; the defaults are");
	add_issue(s, CONFIG_ERROR, "", message);
}

/* The first load: whatever the file is like, there is a snapshot afterwards. */
static void first_load(struct config_store *s)
{
	CH_AUTO(config_unref) struct config *cfg = NULL;
	CH_AUTO_BUF struct buf text = { 0 };
	uint8_t digest[SHA256_LEN] = { 0 };
	struct ch_err err = { 0 };
	ch_status st = store_read(s, &text, &err);

	if (!st)
		st = store_parse(s, &text, digest, &cfg, &err);
	store_note_disk(s, &text, digest, cfg, &err);
	if (!st && cfg->errors == 0) {
		s->current = CH_TAKE(cfg);
		save_last_good(s);
		return;
	}
	s->is_degraded = true;
	s->current = load_last_good(s);
	say_fallback(s, s->current != NULL);
	if (!s->current)
		s->current = defaults(s);
}

ch_status config_store_open(struct loop *l, const struct config_store_opts *opts, struct config_store **ret,
			    struct ch_err *err)
{
	const char *slash = strrchr(opts->path, '/');
	struct config_store *s;

	if (!slash || opts->path[0] != '/')
		return ch_fail(err, CH_E_INVALID, "the path of the configuration, %s, is not absolute",
			       opts->path);
	s = ch_alloc(sizeof(*s));
	s->loop = l;
	s->path = ch_strdup(opts->path);
	s->dir = slash == opts->path ? ch_strdup("/") : ch_strndup(opts->path, (size_t)(slash - opts->path));
	s->base = ch_strdup(slash + 1);
	s->last_good = opts->state_dir ? ch_asprintf("%s/%s", opts->state_dir, LAST_GOOD_NAME) : NULL;
	s->is_passive = opts->passive;
	s->secrets = opts->secrets;
	s->on_change = opts->on_change;
	s->arg = opts->arg;
	s->issue_arena = arena_new(0);
	load_key(s, opts->state_dir);
	first_load(s);
	if (!s->is_passive) {
		s->watch = watch_new(s);
		watch_update(s->watch);
	}
	*ret = s;
	return CH_OK;
}

void config_store_close(struct config_store *s)
{
	if (!s)
		return;
	watch_free(s->watch);
	config_unref(s->current);
	vec_done(&s->issues);
	arena_unref(s->issue_arena);
	ch_free(s->path);
	ch_free(s->dir);
	ch_free(s->base);
	ch_free(s->last_good);
	ch_free_wipe(s, sizeof(*s));
}

/* ---- asking ---- */

struct config *config_store_current(struct config_store *s)
{
	return s->current;
}

const char *config_store_path(const struct config_store *s)
{
	return s->path;
}

const char *config_store_hash(const struct config_store *s)
{
	return s->disk_hash;
}

const struct config_issue *config_store_issues(const struct config_store *s, size_t *ret_count)
{
	*ret_count = s->issues.len;
	return s->issues.at;
}

bool config_store_degraded(const struct config_store *s)
{
	return s->is_degraded;
}
