/*
 * exec/allow_pattern.c - the patterns of allowlist entries: of a program's path or name, and of its arguments.
 *
 * Arguments: a hand-written pattern is a regular expression (as JavaScript has them) of the arguments joined by blanks. As a
 * joined text does not say where an argument ends, one that is empty or holds white space matches no such pattern.
 * A generated one is the hash of all of it: programs, words, directory.
 */
#include <stdlib.h>

#include "core/buf.h"
#include "core/regex.h"
#include "core/str.h"
#include "exec/allow_priv.h"

#define GLOB_STEPS 100000        /* "a*a*a*…" of a document must not keep the loop busy */

bool exec_pattern_is_valid(const char *pattern)
{
	if (!*pattern || strlen(pattern) > EXEC_PATTERN_MAX || cmd_has_hidden(pattern, strlen(pattern)))
		return false;
	if (!strchr(pattern, '/'))
		return !str_eq(pattern, ".") && !str_eq(pattern, "..") && pattern[0] != '~';
	if (pattern[0] != '/' && !str_starts(pattern, "~/"))
		return false;
	return !strstr(pattern, "/../") && !str_ends(pattern, "/..") && !str_ends(pattern, "/");
}

/* One star stays within a folder's name, two cross folders; "**" and a slash may be nothing. */
static bool glob(const char *p, const char *s, unsigned *steps)
{
	for (; *p; p++, s++) {
		if (!*steps || !--*steps)
			return false;
		if (p[0] == '*') {
			bool crosses = p[1] == '*';

			p += crosses ? 2 : 1;
			if (crosses && *p == '/' && glob(p + 1, s, steps))
				return true;
			for (;; s++) {
				if (glob(p, s, steps))
					return true;
				if (!*s || (*s == '/' && !crosses))
					return false;
			}
		}
		if (!*s || (*p == '?' ? *s == '/' : *p != *s))
			return false;
	}
	return !*s;
}

bool exec_pattern_matches(const char *pattern, const char *path, const char *home)
{
	unsigned steps = GLOB_STEPS;
	size_t n;

	if (!exec_pattern_is_valid(pattern))
		return false;
	if (pattern[0] != '~')
		return glob(pattern, path, &steps);
	n = home ? strlen(home) : 0;
	while (n > 1 && home[n - 1] == '/')
		n--;
	return n > 1 && strncmp(path, home, n) == 0 && glob(pattern + 1, path + n, &steps);
}

ch_status exec_args_check(const char *arg_pattern, struct ch_err *err)
{
	CH_AUTO(regex_free) struct regex *re = NULL;

	if (str_starts(arg_pattern, EXEC_ARGV_PREFIX))
		return CH_OK;
	return regex_compile(arg_pattern, strlen(arg_pattern), REGEX_ECMA, &re, err);
}

bool exec_args_match(const char *arg_pattern, const struct cmd_exec *e)
{
	CH_AUTO(regex_free) struct regex *re = NULL;
	CH_AUTO_BUF struct buf text = { 0 };

	if (str_starts(arg_pattern, EXEC_ARGV_PREFIX))
		return false;
	buf_init(&text, 2 * CMD_TEXT_MAX);
	for (size_t i = 1; i < e->argc; i++) {
		if (!*e->argv[i] || strpbrk(e->argv[i], " \t\n"))
			return false;
		buf_printf(&text, "%s%s", i > 1 ? " " : "", e->argv[i]);
	}
	return !text.failed && regex_compile(arg_pattern, strlen(arg_pattern), REGEX_ECMA, &re, NULL) == CH_OK &&
	       regex_find(re, buf_str(&text), text.len, 0, NULL, NULL) == CH_OK;
}

/* What the program is: its real path, and its content where others than root could change it. */
static void add_identity(struct buf *out, const struct exec_file *f, const char *sha256)
{
	buf_append(out, f->real, strlen(f->real) + 1);
	if (*sha256)
		buf_append(out, sha256, strlen(sha256) + 1);
	else if (!exec_file_is_protected(f))
		buf_printf(out, "%lld %lld %lld %lld.%ld", (long long)f->st.st_dev, (long long)f->st.st_ino, (long long)f->st.st_size,
			   (long long)f->st.st_ctim.tv_sec, (long)f->st.st_ctim.tv_nsec);
}

bool exec_args_exact(const struct exec_scene *s, const struct cmd_segment *seg, char ret_text[96], const char **ret_path)
{
	CH_AUTO_BUF struct buf all = { 0 };
	char hash[2 * SHA256_LEN + 1];
	const char *cwd = exec_bound_cwd(s->bound), *sha256, *path = NULL;

	buf_init(&all, 16 * CMD_TEXT_MAX);
	buf_append(&all, cwd, strlen(cwd) + 1);
	for (size_t i = 0; i < seg->chain_len; i++) {
		const struct cmd_exec *e = &seg->chain[i];
		struct exec_file f;

		if (!exec_bound_program(s->bound, e->argv[0], &f, &sha256))
			return false;
		add_identity(&all, &f, sha256);
		for (size_t k = 0; k < e->argc; k++)
			buf_append(&all, e->argv[k], strlen(e->argv[k]) + 1);
		buf_putc(&all, '\0');
		path = f.real;
	}
	if (all.failed)
		return false;
	sha256_hex(all.data, all.len, hash);
	snprintf(ret_text, 96, "%s%s", EXEC_ARGV_PREFIX, hash);
	*ret_path = path;
	return true;
}
