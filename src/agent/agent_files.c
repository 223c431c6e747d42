/*
 * agent/agent_files.c - the files that an agent is made of, shown and written by name.
 *
 * Resolved under the workspace's descriptor (tools/path.h), so a link cannot lead out. Small files: blocking.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/agents_edit.h"
#include "core/crypto.h"
#include "core/file.h"
#include "core/str.h"
#include "tools/file.h"

static const char *const names[] = { "AGENTS.md", "SOUL.md", "IDENTITY.md", "USER.md", "BOOTSTRAP.md", "MEMORY.md", NULL };

const char *const *agent_file_names(void)
{
	return names;
}

static ch_status check_name(const char *name, struct ch_err *err)
{
	if (str_in(name, names, CH_ARRAY_LEN(names) - 1))
		return CH_OK;
	return ch_fail(err, CH_E_INVALID, "unsupported file \"%.*s\"", (int)utf8_cut(name, strlen(name), 80), name);
}

static ch_status open_workspace(const char *workspace, int *ret_fd, struct ch_err *err)
{
	int fd = open(workspace, O_PATH | O_DIRECTORY | O_CLOEXEC);      /* raw: a directory to resolve names under */

	if (fd < 0)
		return ch_fail_errno(err, errno == ENOENT ? CH_E_NOT_FOUND : CH_E_IO, errno,
				     "cannot open the workspace '%s'", workspace);
	*ret_fd = fd;
	return CH_OK;
}

static ch_status load(int dir, struct arena *a, bool with_content, struct agent_file *f, struct ch_err *err)
{
	CH_AUTO_BUF struct buf b = { 0 };
	struct ws_stamp stamp;
	ch_status st;

	buf_init(&b, AGENT_FILE_MAX);
	st = ws_load(dir, f->name, &b, &stamp, err);
	f->is_missing = st == CH_E_NOT_FOUND;
	if (st)
		return st == CH_E_NOT_FOUND ? CH_OK : st;
	f->size = (int64_t)b.len;
	f->updated_at = stamp.mtime_ns / 1000000;
	if (!with_content)
		return CH_OK;
	sha256_hex(buf_str(&b), b.len, f->hash);
	f->content = utf8_repair(a, buf_str(&b), b.len, &f->len);
	return CH_OK;
}

ch_status agent_file_look(const char *workspace, const char *name, bool with_content, struct arena *a,
			  struct agent_file *ret, struct ch_err *err)
{
	struct agent_file f = { .name = arena_strdup(a, name), .path = arena_printf(a, "%s/%s", workspace, name),
				.is_optional = str_eq(name, "MEMORY.md") || str_eq(name, "BOOTSTRAP.md"), .is_missing = true };
	WS_AUTO_FD int dir = -1;
	ch_status st;

	st = check_name(name, err);
	if (!st)
		st = open_workspace(workspace, &dir, err);
	if (!st)
		st = load(dir, a, with_content, &f, err);
	if (st && st != CH_E_NOT_FOUND)
		return st;
	*ret = f;
	return st == CH_E_NOT_FOUND ? CH_OK : st;        /* no workspace yet: none of its files is there */
}

static ch_status put(const char *workspace, const char *name, const char *content, size_t len, const char *expected_hash,
		     struct arena *a, struct agent_file *now, struct ch_err *err)
{
	WS_AUTO_FD int dir = -1;
	bool created;
	ch_status st;

	st = file_mkdirs(workspace, 0700, err);
	if (!st)
		st = open_workspace(workspace, &dir, err);
	if (!st)
		st = load(dir, a, true, now, err);
	if (st)
		return st;
	if (expected_hash && !str_ieq(expected_hash, now->hash))
		return ch_fail(err, CH_E_CONFLICT, "agent file \"%s\" changed since it was read", name);
	return ws_replace(dir, name, content, len, NULL, &created, err);
}

ch_status agent_file_put(const char *workspace, const char *name, const char *content, size_t len,
			 const char *expected_hash, struct arena *a, struct agent_file *ret, struct ch_err *err)
{
	ch_status st;

	st = check_name(name, err);
	if (st)
		return st;
	if (len > AGENT_FILE_MAX)
		return ch_fail(err, CH_E_LIMIT, "\"%s\" would have %zu bytes; at most %u are taken", name, len, AGENT_FILE_MAX);
	*ret = (struct agent_file){ .name = arena_strdup(a, name), .path = arena_printf(a, "%s/%s", workspace, name) };
	st = put(workspace, name, content, len, expected_hash, a, ret, err);
	return st ? st : agent_file_look(workspace, name, true, a, ret, err);
}
