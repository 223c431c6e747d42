/*
 * agent/taint_command.c - see taint_command.h.
 */
#include "agent/taint_command.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/running.h"
#include "core/file.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/str.h"
#include "core/work.h"
#include "tools/path.h"

#define WORDS_MAX 256                    /* of a command that are looked up: each costs a look at the disk */
#define STILL_WRITTEN "a command that may be writing here"

/* -- programs that read what they are told to -- */

/* refused: letters of options that name what to read in another way, or that go into folders. lists: without a name, here. */
struct plain_program { char name[10]; char refused[6]; bool lists; };

static const struct plain_program plain_programs[] = {
	{ "[", "", false }, { "basename", "", false }, { "cat", "", false }, { "chmod", "R", false }, { "cksum", "", false },
	{ "cmp", "", false }, { "comm", "", false }, { "cp", "", false }, { "cut", "", false }, { "date", "f", false },
	{ "diff", "r", false }, { "dirname", "", false }, { "echo", "", false }, { "expr", "", false }, { "false", "", false },
	{ "file", "f", false }, { "fold", "", false }, { "grep", "rRfd", false }, { "head", "", false }, { "hostname", "F", false },
	{ "id", "", false }, { "join", "", false }, { "ls", "", true }, { "md5sum", "c", false }, { "mkdir", "", false },
	{ "mv", "", false }, { "nl", "", false }, { "nproc", "", false }, { "od", "", false }, { "paste", "", false },
	{ "printf", "", false }, { "pwd", "", false }, { "readlink", "", false }, { "realpath", "", false }, { "rev", "", false },
	{ "rm", "", false }, { "rmdir", "", false }, { "seq", "", false }, { "sha1sum", "c", false }, { "sha256sum", "c", false },
	{ "sleep", "", false }, { "sort", "", false }, { "stat", "", false }, { "tac", "", false }, { "tail", "", false },
	{ "tee", "", false }, { "test", "", false }, { "touch", "", false }, { "tr", "", false }, { "true", "", false },
	{ "uname", "", false }, { "uniq", "", false }, { "wc", "", false }, { "whoami", "", false },
};

/* By the names that the system's folders give, so that no file of the workspace is meant. */
static const struct plain_program *find_plain(const char *name)
{
	static const char *const folders[] = { "/bin/", "/usr/bin/" };

	for (size_t i = 0; i < CH_ARRAY_LEN(folders); i++)
		if (str_starts(name, folders[i]))
			name += strlen(folders[i]);
	for (size_t i = 0; i < CH_ARRAY_LEN(plain_programs); i++)
		if (str_eq(plain_programs[i].name, name))
			return &plain_programs[i];
	return NULL;
}

static bool is_plain_option(const struct plain_program *p, const char *word)
{
	return word[1] != '-' ? !strpbrk(word + 1, p->refused) : !word[2];
}

static bool is_plain_segment(const struct cmd_segment *s)
{
	const struct plain_program *p;

	if (!s->is_literal || s->chain_len != 1 || s->traits & (CMD_T_INTERPRETER | CMD_T_INLINE_CODE | CMD_T_WRAPPER_UNREADABLE))
		return false;
	p = find_plain(s->chain[0].argv[0]);
	for (size_t i = 1; p && i < s->chain[0].argc; i++)
		if (s->chain[0].argv[i][0] == '-' && !is_plain_option(p, s->chain[0].argv[i]))
			return false;
	return p != NULL;
}

static bool is_plain(const struct cmd_plan *plan)
{
	size_t words = 0;

	if (!plan || !plan->is_literal)
		return false;
	for (size_t i = 0; i < plan->count; i++) {
		if (!is_plain_segment(&plan->segments[i]))
			return false;
		words += plan->segments[i].chain[0].argc;
	}
	return words <= WORDS_MAX;
}

/* -- the marks in reach -- */

struct look {
	struct db *db;
	const struct command_reach *reach;
	const char *root;                /* canonical */
	struct arena *arena;
	const char *source;
};

/* A person who wonders learns which file it is; where that has it from stands in the file's own mark. */
static void note(struct look *l, const char *path)
{
	l->source = arena_printf(l->arena, "file %s", path);
}

static bool is_file_marked(struct look *l, const char *rel)
{
	const char *source;

	if (!taint_find_file(l->db, l->reach->root, rel, l->arena, &source))
		return false;
	note(l, rel);
	return true;
}

static bool is_there(const char *root, const char *path)
{
	CH_AUTO_STR char *full = path[0] == '/' ? ch_strdup(path) : ch_asprintf("%s/%s", root, path);
	struct stat st;

	return lstat(full, &st) == 0;
}

/* Is a mark below that folder (its path with the slash; "": anywhere), or is the folder below the mark's? */
static bool concerns(const char *mark, const char *below)
{
	return str_starts(mark, below) || (str_ends(mark, "/") && (str_eq(mark, CHANGED_ALL) || str_starts(below, mark)));
}

/* Is there a marked file of the table's root `key` that concerns `below`? What cannot be told is. */
static bool has_mark(struct look *l, const char *key, const char *below)
{
	CH_AUTO(db_done) struct db_stmt *row = NULL;
	struct ch_err err;
	bool found = false;
	ch_status st = db_prep(l->db, "SELECT path FROM tainted_files WHERE workspace = ?1", &row, &err);

	if (!st)
		db_bind_text(row, 1, key);
	while (!st && !(st = db_step(row, &found, &err)) && found) {
		if (!concerns(db_text(row, 0), below) || !is_there(l->reach->root, db_text(row, 0)))
			continue;
		note(l, db_text(row, 0));
		return true;
	}
	if (st)
		log_warn("agent", "the files with text from outside cannot be read: %s; a command's output is taken for it", err.text);
	return st != CH_OK;
}

static bool has_any(struct look *l)
{
	return running_writes(l->db, l->reach->root) || has_mark(l, l->reach->root, "") ||
	       (l->reach->sees_all && has_mark(l, "", ""));
}

/* -- the names of a command -- */

static bool is_folder(const char *real)
{
	struct stat st;

	return stat(real, &st) == 0 && S_ISDIR(st.st_mode);
}

/* Only a list of names shows nothing of what stands in a folder's files. */
static bool folder_leads_to_mark(struct look *l, const char *rel, bool is_list)
{
	if (!is_list || running_writes(l->db, l->reach->root))
		return has_any(l);
	return has_mark(l, l->reach->root, str_eq(rel, ".") ? "" : arena_printf(l->arena, "%s/", rel)) ||
	       is_file_marked(l, rel);
}

/* Is a part of the path a link? It may lead to another place for the command: below /proc each process has its own. */
static bool has_link(struct arena *a, const char *path)
{
	struct stat st;

	for (const char *end = path; *end; ) {
		end += strspn(end, "/");
		end += strcspn(end, "/");
		if (lstat(arena_strndup(a, path, (size_t)(end - path)), &st) != 0)
			return false;
		if (S_ISLNK(st.st_mode))
			return true;
	}
	return false;
}

/* No file has such a name, so the word is text. */
static bool has_long_name(const char *path)
{
	for (; *path; path += strspn(path, "/")) {
		if (strcspn(path, "/") > NAME_MAX)
			return true;
		path += strcspn(path, "/");
	}
	return false;
}

/* NULL: there is no such file. False: where it leads to cannot be told. */
static bool find_real(struct look *l, const char *path, const char **ret_real)
{
	WS_AUTO_FD int top = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), fd = -1;
	struct ws_root root = { .fd = top, .path = "/", .is_whole = true };
	char real[2 * WS_PATH_MAX];
	ch_status st = wk_open(&root, path + strspn(path, "/"), O_PATH, &fd, NULL);

	*ret_real = NULL;
	if (st)
		return has_long_name(path) || ((st == CH_E_NOT_FOUND || st == CH_E_INVALID) && !has_link(l->arena, path));
	if (!wk_real_path(fd, real, sizeof(real)) || str_starts(real, "/proc/"))
		return false;
	*ret_real = arena_strdup(l->arena, real);
	return true;
}

static bool leads_to_mark(struct look *l, const char *word, bool is_list)
{
	const char *path = word[0] == '/' ? word : arena_printf(l->arena, "%s/%s", l->reach->cwd, word), *real, *rel;

	if (!find_real(l, path, &real))
		return has_any(l);
	if (!real)
		return false;
	rel = wk_below(real, l->root);
	if (!rel)
		return l->reach->sees_all && (is_folder(real) ? has_any(l) : has_mark(l, "", real));
	if (is_folder(real))
		return folder_leads_to_mark(l, rel, is_list);
	return is_file_marked(l, rel);
}

/* A word as it is, as the argument of an option that it begins with, and as a value. */
static bool word_leads_to_mark(struct look *l, const char *word, bool is_list)
{
	const char *value = strchr(word, '=');

	return leads_to_mark(l, word, is_list) || (word[0] == '-' && word[1] && word[2] && leads_to_mark(l, word + 2, is_list)) ||
	       (value && value[1] && leads_to_mark(l, value + 1, is_list));
}

static bool segment_leads_to_mark(struct look *l, const struct cmd_exec *e)
{
	const struct plain_program *p = find_plain(e->argv[0]);
	bool has_name = false;

	for (size_t i = 1; i < e->argc; i++) {
		has_name |= e->argv[i][0] != '-';
		if (word_leads_to_mark(l, e->argv[i], p->lists))
			return true;
	}
	return p->lists && !has_name && leads_to_mark(l, ".", true);
}

bool taint_command_reads(void *arg, const struct command_reach *r, struct arena *a, const char **ret_source)
{
	struct agent_host *h = arg;
	struct look l = { .db = sess_store_db(h->opts.sessions), .reach = r, .arena = a, .root = file_real(a, r->root) };
	bool reads = false;

	if (!is_plain(r->plan))
		reads = has_any(&l);
	for (size_t i = 0; is_plain(r->plan) && l.root && i < r->plan->count && !reads; i++)
		reads = segment_leads_to_mark(&l, &r->plan->segments[i].chain[0]);
	if (reads)
		*ret_source = l.source ? l.source : STILL_WRITTEN;
	return reads;
}

/* -- what it wrote -- */

void taint_written_done(struct taint_written *w)
{
	changed_done(&w->changed);
	vec_done(&w->gone);
}

static const char *name_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* The marks whose files are gone, and the names to look for. */
static ch_status find_gone(struct db *db, struct taint_written *w, struct arena *a, struct map *names, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *row = NULL;
	bool found;
	ch_status st = db_prep(db, "SELECT path FROM tainted_files WHERE workspace = ?1", &row, err);

	if (st)
		return st;
	db_bind_text(row, 1, w->root);
	while (!(st = db_step(row, &found, err)) && found) {
		const char *path;

		if (is_there(w->root, db_text(row, 0)))
			continue;
		path = arena_strdup(a, db_text(row, 0));
		vec_push(&w->gone, path);
		map_put(names, str_ends(path, "/") ? CHANGED_FOLDER : name_of(path), w);
	}
	return st;
}

struct search {
	const char *root;
	int64_t since_ms;
	const struct map *missed;
	struct changed *ret;
	struct ch_err err;
	ch_status st;
};

static void search(void *arg)
{
	struct search *s = arg;

	s->st = changed_since(s->root, s->since_ms, s->missed, s->ret, &s->err);
}

ch_status taint_find_written(struct db *db, const char *root, int64_t since_ms, struct arena *a, struct taint_written *ret,
			     struct ch_err *err)
{
	CH_AUTO(map_free) struct map *names = map_new();
	struct search s = { .root = root, .since_ms = since_ms, .missed = names, .ret = &ret->changed };
	ch_status st;

	ret->root = root;
	st = find_gone(db, ret, a, names, err);
	if (!st)
		st = work_run(search, &s, err);
	return st ? st : s.st ? ch_fail(err, s.st, "%s", s.err.text) : CH_OK;
}

ch_status taint_mark_written(struct db *db, const struct taint_written *w, const char *session_key, const char *source, struct ch_err *err)
{
	ch_status st = CH_OK;

	for (size_t i = 0; i < w->gone.len && !st; i++)
		st = taint_forget_file(db, w->root, w->gone.at[i], err);
	for (size_t i = 0; i < w->changed.paths.len && !st; i++)
		st = taint_mark(db, w->root, w->changed.paths.at[i], session_key, source, err);
	return st;
}
