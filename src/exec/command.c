/*
 * exec/command.c - a shell command taken apart: words, segments, what joins them.
 *
 * One pass, no look-back, no grammar of compound commands: what is not a simple command of literal words gives a trait,
 * and a trait makes the whole opaque. After that the reader goes on only so that people see names and
 * kinds; nothing it finds then is executed or matched.
 */
#include "exec/command.h"

#include "core/str.h"
#include "exec/command_priv.h"

struct word {
	const char *text;
	size_t start, end;
	bool is_digits;                  /* unquoted digits: may be the number of a redirection */
};

struct reader {
	const char *s;
	size_t n, i;
	struct arena *a;
	int depth;
	struct cmd_plan *plan;
	char *scratch;                   /* the word being read */
	size_t scratch_len;
	struct word *words;              /* of the open segment */
	size_t word_count;
	unsigned traits;                 /* of the open segment */
	size_t seg_start, seg_end;
	bool is_open;                    /* the segment has something in it */
	bool is_target;                  /* the next word is where a redirection goes */
	enum cmd_join last_join;         /* after the last closed segment */
};

static const char *const trait_texts[CMD_TRAIT_COUNT] = {
	"a redirection", "a substitution", "an expansion", "a file name pattern", "an assignment", "a word of the shell's grammar",
	"a background command", "a here-document", "an interpreter", "inline code",
	"a wrapper whose options are not understood", "higher privileges", "text that is not understood", "hidden characters",
	"a command of the shell itself", "a changed environment",
};

const char *cmd_trait_text(enum cmd_trait t)
{
	for (unsigned i = 0; i < CMD_TRAIT_COUNT; i++)
		if ((unsigned)t == 1u << i)
			return trait_texts[i];
	return "something else";
}

bool cmd_may_inline(const struct cmd_plan *plan)
{
	return plan->traits & (CMD_T_INLINE_CODE | CMD_T_SUBSTITUTION | CMD_T_HEREDOC | CMD_T_UNPARSED | CMD_T_KEYWORD |
			       CMD_T_WRAPPER_UNREADABLE | CMD_T_HIDDEN_CHARS | CMD_T_EXPANSION) ||
	       (plan->traits & CMD_T_BUILTIN && !plan->is_literal);
}

/* ---- characters ---- */

static int at(const struct reader *r, size_t ahead)
{
	return r->i + ahead < r->n ? (unsigned char)r->s[r->i + ahead] : -1;
}

static bool ends_word(int c)
{
	return c < 0 || c == ' ' || c == '\t' || c == '\n' || c == ';' || c == '&' || c == '|' || c == '<' ||
	       c == '>' || c == '(' || c == ')';
}

static void mark(struct reader *r, unsigned traits)
{
	r->traits |= traits;
	r->plan->traits |= traits;
}

static void open_segment(struct reader *r)
{
	if (!r->is_open) {
		r->is_open = true;
		r->seg_start = r->i;
	}
}

static void put(struct reader *r, char c)
{
	r->scratch[r->scratch_len++] = c;
}

/* ---- quotes and expansions inside a word; each stands on its first character ---- */

static void read_single(struct reader *r)
{
	for (r->i++; at(r, 0) >= 0 && at(r, 0) != '\''; r->i++)
		put(r, r->s[r->i]);
	if (at(r, 0) < 0)
		mark(r, CMD_T_UNPARSED);
	else
		r->i++;
}

/* The bracket that closes what opens here; quotes are skipped. For people only: all of it is opaque. */
static void skip_balanced(struct reader *r, char open, char close)
{
	int level = 0;
	char quote = 0;

	for (; r->i < r->n; r->i++) {
		char c = r->s[r->i];

		if (c == '\\' && quote != '\'' && r->i + 1 < r->n) {
			r->i++;
		} else if (quote) {
			quote = c == quote ? 0 : quote;
		} else if (c == '\'' || c == '"') {
			quote = c;
		} else if (c == open) {
			level++;
		} else if (c == close && --level == 0) {
			r->i++;
			return;
		}
	}
	mark(r, CMD_T_UNPARSED);
}

static void read_dollar(struct reader *r)
{
	int c = at(r, 1);

	put(r, '$');
	r->i++;
	if (c == '(') {
		mark(r, CMD_T_SUBSTITUTION);
		skip_balanced(r, '(', ')');
		return;
	}
	mark(r, CMD_T_EXPANSION);
	if (c == '{')
		skip_balanced(r, '{', '}');
}

static void read_backtick(struct reader *r)
{
	mark(r, CMD_T_SUBSTITUTION);
	put(r, '`');
	for (r->i++; at(r, 0) >= 0 && at(r, 0) != '`'; r->i++)
		if (at(r, 0) == '\\' && at(r, 1) >= 0)
			r->i++;
	if (at(r, 0) < 0)
		mark(r, CMD_T_UNPARSED);
	else
		r->i++;
}

static void read_double(struct reader *r)
{
	r->i++;
	while (at(r, 0) >= 0 && at(r, 0) != '"') {
		int c = at(r, 0), next = at(r, 1);

		if (c == '$') {
			read_dollar(r);
		} else if (c == '`') {
			read_backtick(r);
		} else if (c == '\\' && next == '\n') {
			r->i += 2;
		} else if (c == '\\' && (next == '$' || next == '`' || next == '"' || next == '\\')) {
			put(r, (char)next);
			r->i += 2;
		} else {
			put(r, (char)c);
			r->i++;
		}
	}
	if (at(r, 0) < 0)
		mark(r, CMD_T_UNPARSED);
	else
		r->i++;
}

static void read_backslash(struct reader *r)
{
	int next = at(r, 1);

	if (next < 0)
		mark(r, CMD_T_UNPARSED); /* shells differ */
	else if (next != '\n')
		put(r, (char)next);
	r->i += next < 0 ? 1 : 2;
}

/*
 * A tilde stands for a home where a word begins, and after = and : in some words of some shells. A backslash and newline
 * before it are nothing, so that what counts is what the word holds so far.
 */
static bool is_tilde_live(const struct reader *r, bool is_quoted)
{
	char before = r->scratch_len ? r->scratch[r->scratch_len - 1] : 0;

	return (!before && !is_quoted) || before == '=' || before == ':';
}

/* {} alone is a word of find and xargs and means itself in every shell; other braces may be expanded. */
static bool is_empty_braces(const struct reader *r, bool is_quoted)
{
	return at(r, 0) == '{' && at(r, 1) == '}' && !r->scratch_len && !is_quoted && ends_word(at(r, 2));
}

/* An unquoted character that is not the end of the word. */
static void read_plain(struct reader *r, bool is_quoted)
{
	int c = at(r, 0);

	if (is_empty_braces(r, is_quoted)) {
		put(r, '{');
		put(r, '}');
		r->i += 2;
		return;
	}
	if (c == '*' || c == '?' || c == '[')
		mark(r, CMD_T_GLOB);
	else if (c == '{' || c == '}')
		mark(r, CMD_T_EXPANSION);
	else if (c == '~' && is_tilde_live(r, is_quoted))
		mark(r, CMD_T_EXPANSION);
	else if (c == '=' && !r->scratch_len && !is_quoted)
		mark(r, CMD_T_EXPANSION); /* zsh: the path of a command */
	put(r, (char)c);
	r->i++;
}

static void keep_word(struct reader *r, struct word w)
{
	if (r->is_target) {
		r->is_target = false;
		return;
	}
	if (r->word_count == CMD_WORDS_MAX) {
		mark(r, CMD_T_UNPARSED);
		return;
	}
	w.text = arena_strndup(r->a, r->scratch, r->scratch_len);
	w.end = r->i;
	r->words[r->word_count++] = w;
}

static void read_word(struct reader *r)
{
	struct word w = { .start = r->i, .is_digits = true };
	bool is_quoted = false, is_nothing;

	open_segment(r);
	r->scratch_len = 0;
	while (!ends_word(at(r, 0))) {
		int c = at(r, 0);

		if (c < '0' || c > '9')
			w.is_digits = false;
		if (c == '\'')
			read_single(r);
		else if (c == '"')
			read_double(r);
		else if (c == '\\')
			read_backslash(r);
		else if (c == '$')
			read_dollar(r);
		else if (c == '`')
			read_backtick(r);
		else
			read_plain(r, is_quoted);
		/* A backslash and newline are nothing at all; everything else here quotes. */
		is_quoted |= c == '\'' || c == '"' || (c == '\\' && !(r->s[r->i - 1] == '\n'));
	}
	r->seg_end = r->i;
	is_nothing = !r->scratch_len && !is_quoted;
	if (!is_nothing)
		keep_word(r, w);
}

/* ---- segments ---- */

static void name_first(struct reader *r, struct cmd_segment *seg)
{
	const char *first = r->word_count ? r->words[0].text : NULL;

	seg->name = first;
	if (!first)
		return;
	if (!*first || *first == '-' || *first == '+') /* a shell may take them for its options */
		mark(r, CMD_T_UNPARSED);
	else if (strchr(first, '='))
		mark(r, CMD_T_ASSIGNMENT);
	else if (cmd_is_keyword(first))
		mark(r, CMD_T_KEYWORD);
	else if (cmd_is_builtin(first) || *first == '%')
		mark(r, CMD_T_BUILTIN);
}

/* What would be executed; of an opaque segment only what kind it is. */
static void look_at_programs(struct reader *r, struct cmd_segment *seg)
{
	const char **argv;
	struct cmd_look look;
	size_t skip = 0;

	while (skip < r->word_count && strchr(r->words[skip].text, '='))
		skip++;
	if (skip == r->word_count)
		return;
	argv = arena_alloc(r->a, (r->word_count - skip + 1) * sizeof(*argv));
	for (size_t i = skip; i < r->word_count; i++)
		argv[i - skip] = r->words[i].text;
	cmd_look(r->a, argv, r->word_count - skip, r->depth, &look);
	mark(r, look.traits);
	seg->chain = look.chain;
	seg->chain_len = look.chain_len;
	seg->seen = look.chain;
	seg->seen_len = look.chain_len;
	if (skip)
		seg->name = argv[0];
}

static void close_segment(struct reader *r, enum cmd_join join)
{
	struct cmd_segment *seg;

	r->last_join = join;
	if (r->plan->count == CMD_SEGMENTS_MAX) {
		mark(r, CMD_T_UNPARSED);
	} else {
		seg = &r->plan->segments[r->plan->count++];
		*seg = (struct cmd_segment){ .start = r->seg_start, .end = r->seg_end, .join = join };
		if (cmd_has_hidden(r->s + seg->start, seg->end - seg->start))
			mark(r, CMD_T_HIDDEN_CHARS);
		if (!r->word_count)
			mark(r, CMD_T_UNPARSED); /* a redirection alone, ( ) */
		name_first(r, seg);
		look_at_programs(r, seg);
		seg->traits = r->traits;
		seg->is_literal = !(seg->traits & ~(unsigned)CMD_T_LITERAL);
		if (!seg->is_literal) {
			seg->chain = NULL;
			seg->chain_len = 0;
		}
	}
	r->word_count = 0;
	r->traits = 0;
	r->is_open = false;
	r->is_target = false;
}

/* A connective where a command must stand before it. */
static void join_segment(struct reader *r, enum cmd_join join, size_t width)
{
	if (r->is_target)
		mark(r, CMD_T_UNPARSED);
	if (r->is_open) {
		close_segment(r, join);
	} else {
		mark(r, CMD_T_UNPARSED);
		r->last_join = join;
	}
	r->i += width;
}

static void read_redirection(struct reader *r)
{
	int c = at(r, 0), next = at(r, 1);

	open_segment(r);
	mark(r, CMD_T_REDIRECT);
	if (r->word_count && r->words[r->word_count - 1].is_digits && r->words[r->word_count - 1].end == r->i)
		r->word_count--;
	if (next == '(') {
		mark(r, CMD_T_SUBSTITUTION);
		r->i++;
		skip_balanced(r, '(', ')');
	} else if (c == '<' && next == '<' && at(r, 2) != '<') {
		mark(r, CMD_T_HEREDOC); /* the text after it is no command: what ends it is not worth guessing */
		r->i = r->n;
	} else {
		while (at(r, 0) == '<' || at(r, 0) == '>' || at(r, 0) == '&' || at(r, 0) == '|')
			r->i++;
		r->is_target = true;
	}
	r->seg_end = r->i;
}

static void read_ampersand(struct reader *r)
{
	if (at(r, 1) == '&') {
		join_segment(r, CMD_AND, 2);
	} else if (at(r, 1) == '>') {
		r->i++;
		read_redirection(r);
	} else {
		mark(r, CMD_T_BACKGROUND);
		join_segment(r, CMD_SEQ, 1);
	}
}

static void read_bar(struct reader *r)
{
	if (at(r, 1) == '|') {
		join_segment(r, CMD_OR, 2);
	} else if (at(r, 1) == '&') {
		mark(r, CMD_T_REDIRECT);
		join_segment(r, CMD_PIPE, 2);
	} else {
		join_segment(r, CMD_PIPE, 1);
	}
}

static void read_semicolon(struct reader *r)
{
	if (at(r, 1) == ';' || at(r, 1) == '&') {
		mark(r, CMD_T_UNPARSED | CMD_T_KEYWORD);
		join_segment(r, CMD_SEQ, 2);
	} else {
		join_segment(r, CMD_SEQ, 1);
	}
}

static void read_token(struct reader *r)
{
	switch (at(r, 0)) {
	case ';':
		read_semicolon(r);
		return;
	case '&':
		read_ampersand(r);
		return;
	case '|':
		read_bar(r);
		return;
	case '<':
	case '>':
		read_redirection(r);
		return;
	case '(':
	case ')':
		open_segment(r);
		mark(r, CMD_T_KEYWORD);
		r->i++;
		r->seg_end = r->i;
		return;
	default:
		read_word(r);
	}
}

/* Blanks, comments, joined lines. A newline ends a command, and is nothing where one must still begin. */
static bool skip_blank(struct reader *r)
{
	int c = at(r, 0);

	if (c == ' ' || c == '\t') {
		r->i++;
	} else if (c == '\\' && at(r, 1) == '\n') {
		r->i += 2;
	} else if (c == '#') {
		while (at(r, 0) >= 0 && at(r, 0) != '\n')
			r->i++;
	} else if (c == '\n') {
		if (r->is_open)
			join_segment(r, CMD_SEQ, 1);
		else
			r->i++;
	} else {
		return false;
	}
	return true;
}

static void read_all(struct reader *r)
{
	while (r->i < r->n)
		if (!skip_blank(r))
			read_token(r);
	if (r->is_target)
		mark(r, CMD_T_UNPARSED);
	if (r->is_open)
		close_segment(r, CMD_END);
	else if (r->last_join == CMD_SEQ && r->plan->count)
		r->plan->segments[r->plan->count - 1].join = CMD_END;
	else
		mark(r, CMD_T_UNPARSED); /* "a &&", or nothing at all */
}

/* ---- the plan ---- */

static const char *why_not_plain(struct arena *a, const struct cmd_plan *p)
{
	unsigned left = p->traits & ~(unsigned)CMD_T_PRIVILEGE;

	if (!p->count)
		return "there is no command in it";
	for (unsigned i = 0; i < CMD_TRAIT_COUNT; i++)
		if (left & 1u << i)
			return arena_printf(a, "it has %s", trait_texts[i]);
	return NULL;
}

/*
 * `sh -c TEXT` is TEXT: when it is all there is, or when TEXT is one command, which then means the same in any place. Only
 * literal texts are taken; positions stay those of the text that people see.
 */
static void take_out_of_shell(struct arena *a, int depth, struct cmd_plan *p, size_t i)
{
	struct cmd_segment *seg = &p->segments[i], *all;
	struct cmd_look look;
	struct cmd_plan inner;
	enum cmd_join join = seg->join;

	if (!seg->is_literal || seg->chain_len != 1)
		return;
	cmd_look(a, seg->chain[0].argv, seg->chain[0].argc, depth, &look);
	if (!look.shell_text || depth + 1 >= CMD_NESTING_MAX)
		return;
	if (cmd_parse_inside(look.shell_text, strlen(look.shell_text), a, depth + 1, &inner, NULL) || !inner.is_literal)
		return;
	if (inner.count > 1 && p->count > 1)
		return;
	for (size_t k = 0; k < inner.count; k++) {
		inner.segments[k].start = seg->start;
		inner.segments[k].end = seg->end;
	}
	if (inner.count == 1) {
		*seg = inner.segments[0];
		seg->join = join;
		return;
	}
	all = inner.segments;
	p->segments = all;
	p->count = inner.count;
}

static void judge(struct arena *a, struct cmd_plan *p, unsigned lexical)
{
	p->traits = lexical;
	for (size_t i = 0; i < p->count; i++)
		p->traits |= p->segments[i].traits;
	p->is_literal = p->count && !(p->traits & ~(unsigned)CMD_T_LITERAL);
	p->is_plain = p->is_literal && !(p->traits & ~(unsigned)CMD_T_PRIVILEGE);
	p->why_opaque = why_not_plain(a, p);
}

ch_status cmd_parse_inside(const char *text, size_t len, struct arena *a, int depth, struct cmd_plan *ret,
			   struct ch_err *err)
{
	struct cmd_plan plan = { .text = text, .len = len };
	struct reader r = { .s = text, .n = len, .a = a, .depth = depth, .plan = &plan, .last_join = CMD_END };
	unsigned lexical;

	if (len > CMD_TEXT_MAX)
		return ch_fail(err, CH_E_LIMIT, "the command is longer than %u bytes; put it into a file", CMD_TEXT_MAX);
	if (memchr(text, '\0', len))
		return ch_fail(err, CH_E_INVALID, "the command holds a NUL byte");
	if (!utf8_valid(text, len))
		return ch_fail(err, CH_E_INVALID, "the command is not valid UTF-8");
	plan.segments = arena_alloc(a, CMD_SEGMENTS_MAX * sizeof(*plan.segments));
	r.words = arena_alloc(a, CMD_WORDS_MAX * sizeof(*r.words));
	r.scratch = arena_alloc(a, len + 1);
	read_all(&r);
	if (cmd_has_hidden(text, len))
		plan.traits |= CMD_T_HIDDEN_CHARS;
	lexical = plan.traits & ~(unsigned)CMD_T_LITERAL;
	for (size_t i = 0; i < plan.count && !lexical; i++)
		take_out_of_shell(a, depth, &plan, i);
	judge(a, &plan, lexical);
	*ret = plan;
	return CH_OK;
}

ch_status cmd_parse(const char *text, size_t len, struct arena *a, struct cmd_plan *ret, struct ch_err *err)
{
	return cmd_parse_inside(text, len, a, 0, ret, err);
}
