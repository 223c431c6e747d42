/*
 * agent/agents_edit.c - agents made, changed and removed: the configuration and the places on disk.
 */
#include "agent/agents_edit.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/home.h"
#include "core/clock.h"
#include "core/file.h"
#include "core/str.h"
#include "sessions/key.h"

#define TRASH_TRIES 100

const char *agent_id_of_name(struct arena *a, const char *name)
{
	char id[AGENT_ID_MAX + 1];
	size_t n = 0;

	for (const char *p = name; *p && n < AGENT_ID_MAX; p++) {
		char c = *p >= 'A' && *p <= 'Z' ? (char)(*p - 'A' + 'a') : *p;
		bool is_plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';

		if (is_plain && (n || c != '_'))
			id[n++] = c;
		else if (n && id[n - 1] != '-')
			id[n++] = '-';
	}
	while (n && id[n - 1] == '-')
		n--;
	return n ? arena_strndup(a, id, n) : NULL;
}

/* -- checks -- */

static ch_status check_line(const char *what, const char *value, struct ch_err *err)
{
	if (!value)
		return CH_OK;
	if (strlen(value) > AGENT_TEXT_MAX || strpbrk(value, "\r\n"))
		return ch_fail(err, CH_E_INVALID, "an agent's %s is one line of at most %d bytes", what, AGENT_TEXT_MAX);
	return CH_OK;
}

static ch_status check_change(const struct agent_change *c, struct ch_err *err)
{
	ch_status st = check_line("name", c->name, err);

	if (!st)
		st = check_line("emoji", c->emoji, err);
	if (!st)
		st = check_line("theme", c->theme, err);
	if (!st && c->workspace && c->workspace[0] != '/' && !str_starts(c->workspace, "~/"))
		return ch_fail(err, CH_E_INVALID, "the workspace must be an absolute path or begin with ~/, not '%.100s'", c->workspace);
	return st;
}

/* -- the configuration -- */

/* In a merge patch null takes a member away. */
static void put_text(struct arena *a, struct json *obj, const char *key, const char *value)
{
	if (value)
		json_set(a, obj, key, *value ? json_new_str(a, value) : json_new_null(a));
}

static struct json *entry_patch(struct arena *a, const struct agent_change *c)
{
	struct json *entry = json_new_obj(a), *identity = json_new_obj(a);

	put_text(a, entry, "name", c->name);
	put_text(a, entry, "workspace", c->workspace);
	put_text(a, entry, "model", c->model);
	put_text(a, identity, "name", c->name);
	put_text(a, identity, "emoji", c->emoji);
	put_text(a, identity, "avatar", c->avatar);
	put_text(a, identity, "theme", c->theme);
	if (json_len(identity))
		json_set(a, entry, "identity", identity);
	return entry;
}

static ch_status write_entries(struct config_store *cs, struct arena *a, struct json *entries, struct json *bindings,
			       struct ch_err *err)
{
	struct json *patch = json_new_obj(a), *agents = json_new_obj(a);

	json_set(a, agents, "entries", entries);
	json_set(a, patch, "agents", agents);
	if (bindings)
		json_set(a, patch, "bindings", bindings);
	return config_write_patch(cs, patch, NULL, err);
}

/* The first entry would hide the agent that exists without any: it is written down with it. */
static void keep_main(const struct config *c, struct arena *a, struct json *entries)
{
	struct json *entry;

	if (json_len(config_get(c, "agents.entries")) || json_get(entries, "main"))
		return;
	entry = json_new_obj(a);
	json_set(a, entry, "default", json_new_bool(a, true));
	json_set(a, entries, "main", entry);
}

ch_status agent_create(struct config_store *cs, const char *state_dir, const struct agent_change *as, struct arena *a,
		       const struct agent_info **ret, struct ch_err *err)
{
	const struct config *c = config_store_current(cs);
	const char *id = agent_id_of_name(a, as->name);
	struct json *entries = json_new_obj(a);
	ch_status st;

	st = check_change(as, err);
	if (st)
		return st;
	if (!id)
		return ch_fail(err, CH_E_INVALID, "the name '%.80s' holds no letter or digit an id could be made of", as->name);
	if (agent_find(c, state_dir, a, id))
		return ch_fail(err, CH_E_EXISTS, "agent \"%s\" already exists", id);
	json_set(a, entries, id, entry_patch(a, as));
	keep_main(c, a, entries);
	st = write_entries(cs, a, entries, NULL, err);
	if (st)
		return st;
	*ret = agent_find(config_store_current(cs), state_dir, a, id);
	return *ret ? CH_OK : ch_fail(err, CH_E_IO, "agent \"%s\" was written, but the configuration is not in use yet", id);
}

/* The file that the agent reads about itself says the same. */
static ch_status update_identity_file(const struct agent_info *info, const struct agent_change *to, struct arena *a,
				      struct ch_err *err)
{
	const struct { const char *label, *value; } lines[] = {
		{ "Name", to->name }, { "Emoji", to->emoji }, { "Avatar", to->avatar }, { "Theme", to->theme },
	};
	struct agent_file f;
	const char *text;
	ch_status st;

	st = info->workspace ? agent_file_look(info->workspace, "IDENTITY.md", true, a, &f, err) : CH_E_NOT_FOUND;
	if (st || f.is_missing)
		return st == CH_E_NOT_FOUND ? CH_OK : st;
	text = f.content;
	for (size_t i = 0; i < CH_ARRAY_LEN(lines); i++)
		if (lines[i].value)
			text = identity_set(a, text, lines[i].label, lines[i].value);
	return str_eq(text, f.content) ? CH_OK
				       : agent_file_put(info->workspace, "IDENTITY.md", text, strlen(text), f.hash, a, &f, err);
}

ch_status agent_identity_write(const struct agent_info *info, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	const struct agent_change all = { .name = info->name, .emoji = info->emoji, .avatar = info->avatar, .theme = info->theme };

	return update_identity_file(info, &all, a, err);
}

ch_status agent_update(struct config_store *cs, const char *state_dir, const char *id, const struct agent_change *to,
		       struct arena *a, struct ch_err *err)
{
	const struct config *c = config_store_current(cs);
	const struct agent_info *info = agent_find(c, state_dir, a, id);
	struct json *entries = json_new_obj(a), *entry;
	ch_status st;

	if (!info)
		return ch_fail(err, CH_E_NOT_FOUND, "agent \"%.80s\" not found", id);
	st = check_change(to, err);
	if (st)
		return st;
	entry = entry_patch(a, to);
	if (!json_len(entry))
		return CH_OK;
	if (!str_empty(to->model) && json_is(json_get(json_get(config_get(c, "agents.entries"), id), "model"), JSON_OBJ)) {
		json_set(a, entry, "model", json_new_obj(a));    /* its fallbacks stay */
		json_set(a, json_get(entry, "model"), "primary", json_new_str(a, to->model));
	}
	json_set(a, entries, id, entry);
	st = write_entries(cs, a, entries, NULL, err);
	if (st)
		return st;
	info = agent_find(config_store_current(cs), state_dir, a, id);
	return info ? update_identity_file(info, to, a, err) : CH_OK;
}

/* The bindings without those of this agent; NULL: none was its. */
static struct json *bindings_without(const struct config *c, const char *id, struct arena *a, int64_t *ret_removed)
{
	struct json *kept = json_new_arr(a);

	*ret_removed = 0;
	json_each(b, config_get(c, "bindings")) {
		if (str_eq(json_get_str(b, "agentId"), id))
			++*ret_removed;
		else
			json_push(kept, json_clone(a, b));
	}
	return *ret_removed ? kept : NULL;
}

ch_status agent_remove(struct config_store *cs, const char *id, struct arena *a, int64_t *ret_bindings, struct ch_err *err)
{
	const struct config *c = config_store_current(cs);
	struct json *all = config_get(c, "agents.entries"), *entries = json_new_obj(a), *bindings;
	ch_status st;

	if (!json_get(all, id))
		return ch_fail(err, CH_E_NOT_FOUND, "agent \"%.80s\" not found", id);
	if (json_len(all) == 1)
		return ch_fail(err, CH_E_INVALID, "Agent \"%s\" is the only configured agent and cannot be deleted.", id);
	json_set(a, entries, id, json_new_null(a));
	bindings = bindings_without(c, id, a, ret_bindings);
	st = write_entries(cs, a, entries, bindings, err);
	return st;
}

/* -- places -- */

ch_status agent_trash(const char *state_dir, const char *path, struct arena *a, const char **ret_to, struct ch_err *err)
{
	const char *dir = arena_printf(a, "%s/trash", state_dir), *slash = strrchr(path, '/');
	const char *base = slash && slash[1] ? slash + 1 : "workspace";
	char when[CLOCK_ISO_LEN];
	struct stat s;
	ch_status st;

	if (lstat(path, &s))
		return ch_fail_errno(err, errno == ENOENT ? CH_E_NOT_FOUND : CH_E_IO, errno, "cannot find '%s'", path);
	st = file_mkdirs(dir, 0700, err);
	if (st)
		return st;
	clock_iso(now_wall_ms(), when);
	for (int i = 0; i < TRASH_TRIES; i++) {
		const char *to = arena_printf(a, "%s/%s-%.10s-%d", dir, base, when, i);

		if (!lstat(to, &s))
			continue;
		if (rename(path, to))
			return ch_fail_errno(err, CH_E_IO, errno, "cannot move '%s' to '%s'", path, to);
		*ret_to = to;
		return CH_OK;
	}
	return ch_fail(err, CH_E_LIMIT, "'%s' holds too many of '%s'; empty it", dir, base);
}

ch_status agent_home_prepare(struct agent_host *h, const char *agent_id, struct ch_err *err)
{
	CH_AUTO(home_unref) struct home *home = NULL;

	return home_open(h, agent_id, &home, err);
}

ch_status agent_home_forget(struct agent_host *h, const char *agent_id, const char *workspace, struct ch_err *err)
{
	home_unref(map_take(h->homes, agent_id));
	return attest_forget(sess_store_db(h->opts.sessions), workspace, err);
}

size_t agent_run_count(struct agent_host *h, const char *agent_id)
{
	size_t cursor = 0, n = 0;
	const char *key;
	void *value;

	while (map_each(h->desks, &cursor, &key, &value)) {
		const struct desk *d = value;
		const struct run *r = d->active ? d->active : d->head;

		if (r && str_eq(r->agent_id, agent_id))
			n += d->queued + d->dropped.len + (d->active != NULL);
	}
	return n;
}
