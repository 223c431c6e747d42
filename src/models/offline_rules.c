/*
 * models/offline_rules.c - the rules of the offline model.
 *
 * A rule is a row: a pattern of literal words and at most two holes. The first
 * row that matches the whole text wins. "*" is a hole of one or more
 * characters; matching ignores case, white space around it and what a
 * sentence ends with.
 */
#include "models/offline_rules.h"

#include <string.h>

#include "core/str.h"

#define SHOWN_LINES 40
#define SHOWN_BYTES 4000

struct match {
	const char *hole[2];
	const char *text;                /* all of it, trimmed */
};

typedef void (*rule_fn)(struct arena *a, const struct match *m, struct offline_action *ret);

static void say(struct offline_action *ret, const char *text)
{
	*ret = (struct offline_action){ .kind = OFFLINE_SAY, .text = text };
}

static void say_help(struct arena *a, const struct match *m, struct offline_action *ret)
{
	say(ret, "I am **offline/demo**, a small set of rules inside chela. I need no network and know no more than this:\n"
		 "\n"
		 "- `help` - this list\n"
		 "- `echo <text>` - says it back\n"
		 "- `count to 20` - counts slowly, to show streaming\n"
		 "- `list files`, `list <folder>` - uses the `list` tool\n"
		 "- `read <file>` - uses the `read` tool\n"
		 "- `write <file>: <text>` - uses the `write` tool\n"
		 "- `find <pattern>`, `grep <pattern>` - look for files and in files\n"
		 "- `run <command>` - the `exec` tool, in the sandbox; `run outside the sandbox: <command>` asks you first\n"
		 "- `what is running` - the `process` tool\n"
		 "- `fetch <address>`, `search for <words>` - the web tools\n"
		 "- `delegate: <one of these>` - gives it to a sub-agent\n"
		 "- `what time is it`, `status` - uses the `session_status` tool\n"
		 "\n"
		 "For a real model set `ANTHROPIC_API_KEY` or `OPENAI_API_KEY` and start chela again, run Ollama on this "
		 "machine, or fill in `models.providers` in the configuration.");
}

static void say_hello(struct arena *a, const struct match *m, struct offline_action *ret)
{
	say(ret, "Hello. I am **offline/demo**, a built-in set of rules, not a language model. Say `help` to see what I can do.");
}

static void say_back(struct arena *a, const struct match *m, struct offline_action *ret)
{
	say(ret, m->hole[0]);
}

static void say_unknown(struct arena *a, const struct match *m, struct offline_action *ret)
{
	size_t n = utf8_cut(m->text, strlen(m->text), 500);

	say(ret, arena_printf(a,
			      "You said: %.*s%s\n"
			      "\n"
			      "I am **offline/demo** and follow fixed rules; say `help` for the list. For a real model set "
			      "`ANTHROPIC_API_KEY` or `OPENAI_API_KEY` and start chela again, or run Ollama on this machine.",
			      (int)n, m->text, m->text[n] ? "…" : ""));
}

static void count(struct arena *a, const struct match *m, struct offline_action *ret)
{
	int64_t n;

	if (!str_to_i64(m->hole[0], &n) || n < 1) {
		say(ret, "I count from 1 up to a whole number, for example `count to 20`.");
		return;
	}
	if (n > OFFLINE_COUNT_MAX) {
		say(ret, arena_printf(a, "I count up to %d.", OFFLINE_COUNT_MAX));
		return;
	}
	*ret = (struct offline_action){ .kind = OFFLINE_COUNT, .count = (int)n };
}

/* Arguments are texts: name, value, …, NULL. A value of NULL is left out. */
static void call(struct arena *a, struct offline_action *ret, const char *tool, const char *const *args)
{
	*ret = (struct offline_action){ .kind = OFFLINE_CALL, .tool = tool, .args = json_new_obj(a) };
	for (; *args; args += 2)
		if (args[1])
			json_set(a, ret->args, args[0], json_new_str(a, args[1]));
}
#define ARGS(...) (const char *const[]){ __VA_ARGS__, NULL }

/* `notes.txt`, "notes.txt" and 'notes.txt' are notes.txt. */
static const char *unquote(struct arena *a, const char *s)
{
	size_t n = strlen(s);

	if (n >= 2 && strchr("`\"'", s[0]) && s[n - 1] == s[0])
		return arena_strndup(a, s + 1, n - 2);
	return s;
}

static void call_list_all(struct arena *a, const struct match *m, struct offline_action *ret)
{
	call(a, ret, "list", ARGS("path", NULL));
}

static void call_list(struct arena *a, const struct match *m, struct offline_action *ret)
{
	call(a, ret, "list", ARGS("path", unquote(a, m->hole[0])));
}

static void call_read(struct arena *a, const struct match *m, struct offline_action *ret)
{
	call(a, ret, "read", ARGS("path", unquote(a, m->hole[0])));
}

static void call_write(struct arena *a, const struct match *m, struct offline_action *ret)
{
	call(a, ret, "write", ARGS("path", unquote(a, m->hole[0]), "content", m->hole[1]));
}

static void call_status(struct arena *a, const struct match *m, struct offline_action *ret)
{
	call(a, ret, "session_status", ARGS("model", NULL));
}

static void call_exec(struct arena *a, const struct match *m, struct offline_action *ret)
{
	call(a, ret, "exec", ARGS("command", m->hole[0]));
}

static void call_exec_outside(struct arena *a, const struct match *m, struct offline_action *ret)
{
	call(a, ret, "exec", ARGS("command", m->hole[0]));
	json_set(a, ret->args, "elevated", json_new_bool(a, true));
}

static void call_processes(struct arena *a, const struct match *m, struct offline_action *ret)
{
	call(a, ret, "process", ARGS("action", "list"));
}

static void call_fetch(struct arena *a, const struct match *m, struct offline_action *ret)
{
	call(a, ret, "web_fetch", ARGS("url", unquote(a, m->hole[0])));
}

static void call_search(struct arena *a, const struct match *m, struct offline_action *ret)
{
	call(a, ret, "web_search", ARGS("query", m->hole[0]));
}

static void call_find(struct arena *a, const struct match *m, struct offline_action *ret)
{
	call(a, ret, "find", ARGS("pattern", unquote(a, m->hole[0])));
}

static void call_grep(struct arena *a, const struct match *m, struct offline_action *ret)
{
	call(a, ret, "grep", ARGS("pattern", unquote(a, m->hole[0])));
}

static void call_delegate(struct arena *a, const struct match *m, struct offline_action *ret)
{
	call(a, ret, "sessions_spawn", ARGS("task", m->hole[0]));
}

static const struct {
	const char *pattern;
	rule_fn run;
	bool is_free;                    /* the text is the user's own to its last character */
} rules[] = {
	{ "help", say_help },
	{ "what can you do", say_help },
	{ "hello", say_hello },
	{ "hi", say_hello },
	{ "hey", say_hello },
	{ "echo *", say_back, true },
	{ "say *", say_back, true },
	{ "count to *", count },
	{ "count *", count },
	{ "list files", call_list_all },
	{ "list the files", call_list_all },
	{ "list", call_list_all },
	{ "ls", call_list_all },
	{ "what files are there", call_list_all },
	{ "list files in *", call_list },
	{ "list the files in *", call_list },
	{ "list files *", call_list },
	{ "list *", call_list },
	{ "ls *", call_list },
	{ "what is in the file *", call_read },
	{ "what is in *", call_read },
	{ "what's in *", call_read },
	{ "read the file *", call_read },
	{ "read *", call_read },
	{ "show *", call_read },
	{ "cat *", call_read },
	{ "write *: *", call_write, true },
	{ "write *", say_unknown },
	{ "run outside the sandbox: *", call_exec_outside, true },
	{ "run: *", call_exec, true },
	{ "run *", call_exec, true },
	{ "$ *", call_exec, true },
	{ "what is running", call_processes },
	{ "processes", call_processes },
	{ "fetch *", call_fetch },
	{ "open *", call_fetch },
	{ "search the web for *", call_search },
	{ "search for *", call_search },
	{ "find *", call_find },
	{ "grep *", call_grep },
	{ "delegate: *", call_delegate, true },
	{ "delegate *", call_delegate, true },
	{ "what time is it", call_status },
	{ "what is the time", call_status },
	{ "what day is it", call_status },
	{ "time", call_status },
	{ "date", call_status },
	{ "status", call_status },
};

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static char fold(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/* Does the text begin with the literal? A blank of the literal is one or more of white space. Gives what follows. */
static const char *skip_literal(const char *text, const char *literal, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (literal[i] == ' ') {
			if (!is_space(*text))
				return NULL;
			while (is_space(*text))
				text++;
			continue;
		}
		if (fold(*text) != literal[i])
			return NULL;
		text++;
	}
	return text;
}

/* The last hole takes the rest; an inner one ends where the literal behind it first occurs. */
static bool match_rule(struct arena *a, const char *pattern, const char *text, struct match *m)
{
	for (size_t hole = 0;; hole++) {
		size_t n = strcspn(pattern, "*");
		const char *start;

		text = skip_literal(text, pattern, n);
		if (!text)
			return false;
		pattern += n;
		if (!*pattern)
			return !*text;
		pattern++;
		start = text;
		if (!*pattern) {
			m->hole[hole] = text;
			return *text;
		}
		n = strcspn(pattern, "*");
		while (*text && (text == start || !skip_literal(text, pattern, n)))
			text++;
		if (!*text)
			return false;
		m->hole[hole] = arena_strndup(a, start, (size_t)(text - start));
	}
}

/* Without what a sentence may end with, for rules that take no text of the user's own. */
static const char *strip_end(struct arena *a, const char *text)
{
	size_t n = strlen(text);

	while (n && (strchr("?!.", text[n - 1]) || is_space(text[n - 1])))
		n--;
	return arena_strndup(a, text, n);
}

/* What the gateway puts around a task stands in brackets: a line before it, a paragraph after it. */
static const char *strip_frame(struct arena *a, const char *text)
{
	const char *line = text[0] == '[' ? strstr(text, "]\n") : NULL;
	const char *after = line ? strstr(line + 2, "\n\n[") : NULL;

	if (line)
		text = line + 2;
	return str_trim(a, after ? arena_strndup(a, text, (size_t)(after - text)) : text);
}

void offline_understand(struct arena *a, const char *text, struct offline_action *ret)
{
	struct match m = { .text = strip_frame(a, str_trim(a, text)) };
	const char *bare = strip_end(a, m.text);

	for (size_t i = 0; i < CH_ARRAY_LEN(rules); i++) {
		if (match_rule(a, rules[i].pattern, rules[i].is_free ? m.text : bare, &m)) {
			rules[i].run(a, &m, ret);
			return;
		}
	}
	say_unknown(a, &m, ret);
}

/* -- answers of tools -- */

/* The first lines in a fence that the text itself cannot close. */
static const char *fenced(struct arena *a, const char *text)
{
	const char *fence = strstr(text, "```") ? "``````" : "```";
	size_t n = utf8_cut(text, strlen(text), SHOWN_BYTES), lines = 0, shown = 0;

	while (shown < n && lines < SHOWN_LINES)
		lines += text[shown++] == '\n';
	while (shown && text[shown - 1] == '\n')
		shown--;
	return arena_printf(a, "%s\n%.*s\n%s%s", fence, (int)shown, text, fence,
			    text[shown + strspn(text + shown, "\n")] ? "\n(There is more.)" : "");
}

/* The line that tells the time, if there is one. */
static const char *time_line(struct arena *a, const char *text)
{
	while (*text) {
		size_t n = strcspn(text, "\n");
		size_t key = strcspn(text, ":");

		if (key < n && (memmem(text, key, "time", 4) || memmem(text, key, "now", 3)))
			return arena_strndup(a, text, n);
		text += n + (text[n] == '\n');
	}
	return NULL;
}

const char *offline_summarize(struct arena *a, const char *tool, const char *result, bool is_error, const char *asked)
{
	const char *line;

	if (is_error)
		return arena_printf(a, "The `%s` tool failed:\n\n%s", tool, fenced(a, result));
	if (!*result)
		return arena_printf(a, "The `%s` tool had nothing to say.", tool);
	if (str_eq(tool, "list"))
		return arena_printf(a, "These are the files:\n\n%s", fenced(a, result));
	if (str_eq(tool, "read"))
		return arena_printf(a, "The file says:\n\n%s", fenced(a, result));
	if (str_eq(tool, "write"))
		return arena_printf(a, "Done. %s", result);
	if (!str_eq(tool, "session_status"))
		return arena_printf(a, "The `%s` tool says:\n\n%s", tool, fenced(a, result));
	line = strcasestr(asked, "time") || strcasestr(asked, "day") ? time_line(a, result) : NULL;
	return arena_printf(a, "%s%s%s", line ? line : "This is the state of the session:", "\n\n", fenced(a, result));
}
