/*
 * sessions/key.c - session keys: canonical form and what a key says by itself.
 *
 * A key is ASCII case-folded as a whole, so that two spellings cannot make two
 * sessions, except for ids that their network distinguishes by case: what
 * follows "matrix:channel:" or "matrix:group:" at the start of <rest>, and the
 * segment after "signal:group:".
 */
#include "sessions/key.h"

#include <string.h>

#include "core/str.h"

/* ---- canonical form ---- */

bool agent_id_valid(const char *id)
{
	size_t n = 0;

	if (!id)
		return false;
	for (; id[n]; n++) {
		bool alnum = (id[n] >= 'a' && id[n] <= 'z') || (id[n] >= '0' && id[n] <= '9');

		if (n == AGENT_ID_MAX || (!alnum && (n == 0 || (id[n] != '_' && id[n] != '-'))))
			return false;
	}
	return n > 0;
}

static char folded(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool starts_folded(const char *s, const char *prefix)
{
	for (; *prefix; s++, prefix++) {
		if (folded(*s) != *prefix)
			return false;
	}
	return true;
}

/* Past "agent:<id>:" when s begins so, else s. */
static const char *skip_agent(const char *s)
{
	const char *colon = starts_folded(s, "agent:") ? strchr(s + 6, ':') : NULL;

	return colon ? colon + 1 : s;
}

static void fold(char *from, const char *to)
{
	for (; from < to; from++)
		*from = folded(*from);
}

/* Folds text in place, leaving out the case-sensitive ids. */
static void fold_key(char *text)
{
	char *from = text, *rest = text + (skip_agent(text) - text);
	size_t matrix = 0;

	if (starts_folded(rest, "matrix:channel:"))
		matrix = 15;
	else if (starts_folded(rest, "matrix:group:"))
		matrix = 13;

	if (matrix) {
		char *thread = strcasestr(rest + matrix, ":thread:");

		fold(text, rest + matrix);
		if (thread)
			fold(thread, thread + 8);
		return;
	}
	for (char *group; (group = strcasestr(from, "signal:group:")); ) {
		group += 13;
		fold(from, group);
		from = group + strcspn(group, ":");
	}
	fold(from, from + strlen(from));
}

static ch_status check_text(const char *text, struct ch_err *err)
{
	size_t n = strlen(text);

	if (n > SESS_KEY_MAX)
		return ch_fail(err, CH_E_INVALID, "a session key has at most %d bytes, this one %zu",
			       SESS_KEY_MAX, n);
	if (!utf8_valid(text, n))
		return ch_fail(err, CH_E_INVALID, "a session key must be valid UTF-8");
	for (const char *p = text; *p; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return ch_fail(err, CH_E_INVALID, "a session key must not hold control characters");
	}
	return CH_OK;
}

static ch_status parse_whole(struct arena *a, char *key, struct sess_key *ret, struct ch_err *err)
{
	const char *rest = skip_agent(key);
	const char *agent_id;

	if (rest == key || !*rest || *rest == ':' || str_starts(rest, "agent:"))
		return ch_fail(err, CH_E_INVALID, "malformed session key '%s'; it reads agent:<agent>:<rest>",
			       key);
	agent_id = arena_strndup(a, key + 6, (size_t)(rest - 1 - (key + 6)));
	if (!agent_id_valid(agent_id))
		return ch_fail(err, CH_E_INVALID,
			       "bad agent id '%s' in the session key; it takes a-z, 0-9, _ and -, "
			       "at most %d",
			       agent_id, AGENT_ID_MAX);
	*ret = (struct sess_key){ .key = key, .agent_id = agent_id, .rest = rest };
	return CH_OK;
}

ch_status sess_key_parse(struct arena *a, const char *text, const char *default_agent,
			 struct sess_key *ret, struct ch_err *err)
{
	char *key = str_trim(a, text ? text : "");
	ch_status st = check_text(key, err);

	if (st)
		return st;
	if (!default_agent)
		default_agent = "main";
	fold_key(key);
	if (str_eq(key, "global") || str_eq(key, "unknown")) {
		*ret = (struct sess_key){
			.key = key, .agent_id = arena_strdup(a, default_agent), .rest = key,
		};
		return CH_OK;
	}
	if (!str_starts(key, "agent:")) {
		key = arena_printf(a, "agent:%s:%s", default_agent, *key ? key : "main");
		st = check_text(key, err);
		if (st)
			return st;
	}
	return parse_whole(a, key, ret, err);
}

/* ---- what a key says ---- */

bool sess_key_is_main(const char *key)
{
	return str_starts(key, "agent:") && str_eq(skip_agent(key), "main");
}

/*
 * The word that says what kind of peer rest routes to: "direct:<peer>", or
 * "<channel>:<word>:<peer>", or "<channel>:<account>:<word>:<peer>". NULL when
 * it routes to none.
 */
static const char *peer_kind(const char *rest)
{
	static const char *const words[] = { "direct", "dm", "group", "channel", "room" };
	const char *segment = rest;

	for (int at = 0; at < 3 && segment; at++) {
		size_t n = strcspn(segment, ":");

		for (size_t i = 0; i < CH_ARRAY_LEN(words); i++) {
			bool allowed_first = i < 2;

			if ((at > 0 || allowed_first) && n == strlen(words[i]) &&
			    !strncmp(segment, words[i], n) && segment[n] == ':' && segment[n + 1])
				return words[i];
		}
		segment = segment[n] ? segment + n + 1 : NULL;
	}
	return NULL;
}

static bool has_thread(const char *rest)
{
	const char *thread = strstr(rest, ":thread:"), *topic = strstr(rest, ":topic:");

	return (thread && thread[8]) || (topic && topic[7]);
}

const char *sess_key_kind(const char *key)
{
	const char *kind;

	if (str_eq(key, "global") || str_eq(key, "unknown"))
		return key[0] == 'g' ? "global" : "unknown";
	kind = peer_kind(skip_agent(key));
	return kind && !str_eq(kind, "direct") && !str_eq(kind, "dm") ? "group" : "direct";
}

static const struct prefix_row {
	const char *prefix, *classification;
	bool is_whole;                           /* the prefix is all of <rest> */
	bool is_background;
} early_rows[] = {
	{ "main",                      "main",      true,  false },
	{ "subagent:",                 "subagent",  false, true },
	{ "acp:",                      "acp",       false, true },
	{ "cron:",                     "cron",      false, true },
}, late_rows[] = {
	{ "dashboard:",                "dashboard", false, false },
	{ "tui-",                      "tui",       false, false },
	{ "explicit:",                 "explicit",  false, false },
	{ "hook:",                     "hook",      false, true },
	{ "node-",                     "node",      false, false },
	{ "node:",                     "node",      false, false },
	{ "harness:",                  "harness",   false, true },
	{ "voice:",                    "voice",     false, false },
	{ "dreaming-narrative-",       "dreaming",  false, true },
	{ "boot",                      "system",    true,  true },
	{ "boot:",                     "system",    false, true },
	{ "internal-session-effects:", "system",    false, true },
};

static const struct prefix_row *find_row(const struct prefix_row *rows, size_t n, const char *rest)
{
	for (size_t i = 0; i < n; i++) {
		if (rows[i].is_whole ? str_eq(rest, rows[i].prefix) : str_starts(rest, rows[i].prefix))
			return &rows[i];
	}
	return NULL;
}

/* The row that decides, or NULL and *ret_word when the shape of a peer does, or nothing ("custom"). */
static const struct prefix_row *classify(const char *key, const char **ret_word)
{
	const char *rest = skip_agent(key);
	const struct prefix_row *row =
		rest == key ? NULL : find_row(early_rows, CH_ARRAY_LEN(early_rows), rest);
	const char *kind = peer_kind(rest);

	if (row)
		return row;
	if (str_eq(key, "global") || str_eq(key, "unknown"))
		*ret_word = sess_key_kind(key);
	else if (has_thread(rest))
		*ret_word = "thread";
	else if (kind)
		*ret_word = str_eq(kind, "dm") ? "direct" : str_eq(kind, "room") ? "channel" : kind;
	else
		row = find_row(late_rows, CH_ARRAY_LEN(late_rows), rest);
	return row;
}

const char *sess_key_classification(const char *key)
{
	const char *word = "custom";
	const struct prefix_row *row = classify(key, &word);

	return row ? row->classification : word;
}

bool sess_key_is_background(const char *key)
{
	const char *word;
	const struct prefix_row *row = classify(key, &word);

	return row && row->is_background;
}
