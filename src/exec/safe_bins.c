/*
 * exec/safe_bins.c - programs that only filter their standard input, told by their options alone.
 *
 * A row lists the options that are known to read no file, write none and run nothing; any other option, a short one of a
 * long option, or an operand too many makes it no safe bin. Whether a file of some name exists is never asked: the answer
 * must not depend on it. Programs of the configuration have a profile there; interpreters, awk, sed and jq never are one.
 */
#include "core/str.h"
#include "exec/allow_priv.h"

enum safe_bits {
	S_NUMBER = 1,                    /* -5 is an option (head, tail) */
	S_DEFAULT = 2,                   /* in the list when tools.exec.safeBins is not set */
	S_NEEDS_E = 4,                   /* only with -e or --regexp: an operand could be a file */
};

struct safe_bin {
	char name[8];
	unsigned char min, max, bits;    /* operands */
	const char *flags, *args;        /* short options without and with an argument */
	const char *longs;               /* long ones between blanks; those that end in = take an argument */
};

static const struct safe_bin rows[] = {
	{ "cut", 0, 0, S_DEFAULT, "nsz", "bcdf",
	  " --complement --only-delimited --zero-terminated --bytes= --characters= --delimiter= --fields= --output-delimiter= " },
	{ "grep", 0, 0, S_NEEDS_E, "EFGHPchilnoqsvwxyz", "ABCem",
	  " --basic-regexp --count --extended-regexp --fixed-strings --ignore-case --invert-match --line-number --line-regexp "
	  "--only-matching --perl-regexp --quiet --silent --word-regexp --after-context= --before-context= --context= --max-count= "
	  "--regexp= " },
	{ "head", 0, 0, S_DEFAULT | S_NUMBER, "qvz", "cn", " --quiet --silent --verbose --zero-terminated --bytes= --lines= " },
	{ "sort", 0, 0, 0, "MVbcdfghinrsuz", "kt",
	  " --dictionary-order --general-numeric-sort --human-numeric-sort --ignore-case --ignore-leading-blanks "
	  "--ignore-nonprinting --month-sort --numeric-sort --reverse --stable --unique --version-sort --zero-terminated "
	  "--field-separator= --key= " },
	{ "tail", 0, 0, S_DEFAULT | S_NUMBER, "qvz", "cn", " --quiet --silent --verbose --zero-terminated --bytes= --lines= " },
	{ "tr", 1, 2, S_DEFAULT, "Ccdst", "", " --complement --delete --squeeze-repeats --truncate-set1 " },
	{ "uniq", 0, 0, S_DEFAULT, "Dcdiuz", "fsw",
	  " --all-repeated --count --ignore-case --repeated --unique --zero-terminated --check-chars= --skip-chars= --skip-fields= " },
	{ "wc", 0, 0, S_DEFAULT, "Lclmw", "", " --bytes --chars --lines --max-line-length --words " },
};

static const struct safe_bin *row_find(const char *name)
{
	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++)
		if (str_eq(rows[i].name, name))
			return &rows[i];
	return NULL;
}

static bool lists(const struct json *list, const char *word, size_t n)
{
	json_each(it, list)
		if (json_is(it, JSON_STR) && it->len == n && memcmp(it->str, word, n) == 0)
			return true;
	return false;
}

/* ---- words of a built-in row: how many a word takes; 0: not allowed ---- */

static size_t short_words(const struct safe_bin *b, const char *word, bool *has_e)
{
	if (b->bits & S_NUMBER && !word[1 + strspn(word + 1, "0123456789")])
		return 1;
	for (const char *p = word + 1; *p; p++) {
		if (strchr(b->args, *p)) {
			*has_e |= *p == 'e';
			return p[1] ? 1 : 2;
		}
		if (!strchr(b->flags, *p))
			return 0;
	}
	return 1;
}

static size_t long_words(const struct safe_bin *b, const char *word, bool *has_e)
{
	size_t n = strcspn(word, "=");
	const char *p = b->longs;

	if (memchr(word, ' ', n))
		return 0;
	while ((p = strstr(p, " --"))) {
		p++;
		if (strncmp(p, word, n) != 0)
			continue;
		if (p[n] == ' ')
			return word[n] ? 0 : 1;
		if (p[n] == '=') {
			*has_e |= str_starts(word, "--regexp");
			return word[n] ? 1 : 2;
		}
	}
	return 0;
}

static bool row_allows(const struct safe_bin *b, const struct cmd_exec *e)
{
	size_t operands = 0, n;
	bool has_e = false;

	for (size_t i = 1; i < e->argc; i += n) {
		const char *word = e->argv[i];

		if (str_eq(word, "--")) {
			operands += e->argc - i - 1;
			break;
		}
		n = 1;
		if (word[0] != '-' || !word[1])
			operands++;
		else
			n = word[1] == '-' ? long_words(b, word, &has_e) : short_words(b, word, &has_e);
		if (!n || n > e->argc - i)
			return false;
	}
	return operands >= b->min && operands <= b->max && (has_e || !(b->bits & S_NEEDS_E));
}

/* ---- a profile of the configuration ---- */

static bool is_path_like(const char *word)
{
	return strchr(word, '/') || word[0] == '~' || str_eq(word, ".") || str_eq(word, "..");
}

/* Only options with a value that are listed; a switch is listed the same way and then takes the next word. */
static bool profile_allows(const struct json *profile, const struct cmd_exec *e)
{
	const struct json *allowed = json_get(profile, "allowedValueFlags"), *denied = json_get(profile, "deniedFlags");
	int64_t operands = 0;

	for (size_t i = 1; i < e->argc; i++) {
		const char *word = e->argv[i];
		size_t n = strcspn(word, "=");

		if (word[0] != '-') {
			operands++;
		} else if (lists(denied, word, n) || !lists(allowed, word, n) || (!word[n] && ++i == e->argc)) {
			return false;
		} else {
			word = word[n] ? word + n + 1 : e->argv[i];
		}
		if (is_path_like(word))
			return false;
	}
	return operands >= json_get_int(profile, "minPositional", 0) && operands <= json_get_int(profile, "maxPositional", 0);
}

/* ---- where it is and whether it is meant ---- */

bool exec_is_trusted_dir(const struct exec_scene *s, const char *path)
{
	const struct json *more = exec_setting(s->config, s->agent_id, "safeBinTrustedDirs", s->arena);
	const char *slash = strrchr(path, '/');
	size_t n = slash ? (size_t)(slash - path) : 0;

	if ((n == 4 && memcmp(path, "/bin", n) == 0) || (n == 8 && memcmp(path, "/usr/bin", n) == 0))
		return true;
	return n && lists(more, path, n);
}

/* Bare commands of a wrapper's own folder would be another program: only names, no paths. */
bool exec_is_safe_bin(const struct exec_scene *s, const struct cmd_exec *e, const struct exec_file *file)
{
	const struct json *wanted = exec_setting(s->config, s->agent_id, "safeBins", s->arena);
	const struct json *profile = json_get(exec_setting(s->config, s->agent_id, "safeBinProfiles", s->arena), e->argv[0]);
	const struct safe_bin *row = row_find(e->argv[0]);
	bool is_meant = wanted ? lists(wanted, e->argv[0], strlen(e->argv[0])) : row && row->bits & S_DEFAULT;

	if (!is_meant || cmd_is_interpreter(e->argv[0]) || !exec_is_trusted_dir(s, file->path))
		return false;
	if (profile)
		return profile_allows(profile, e) && (!row || row_allows(row, e));
	return row && row_allows(row, e);
}
