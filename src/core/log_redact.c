/*
 * core/log_redact.c - what must not be written: registered secrets, and what
 * looks like one.
 *
 *	Bearer abcdefgh…        token=…   "apiKey":"…"   x_secret: '…'
 *	sk-… ghp_… (prefixes)   https://user:…@host
 *
 * One pass from left to right; at each position the first rule that matches
 * wins and its span becomes [redacted]. Rules err on the side of hiding.
 */
#include <string.h>
#include <strings.h>

#include "core/log.h"
#include "core/log_priv.h"
#include "core/mem.h"
#include "core/vec.h"

#define SECRET_MIN 6u              /* shorter ones would hide ordinary words */
#define REMEMBERED_MAX 16          /* without holders */
#define BEARER_TOKEN_MIN 8u        /* so that "bearer token" stays readable */

static const char mark[] = "[redacted]";

/* One nobody holds any more is remembered for a while: what was done with it may still be written. */
struct secret_text {
	char *text;
	size_t len;
	unsigned holders;
};

static VEC(struct secret_text) secrets = VEC_INIT;

struct span {
	size_t from, to;
};

/* Names whose value is a secret, also as the end of a longer name ("gatewayToken"). */
static const char *const secret_names[] = {
	"token",  "apikey", "api_key", "api-key", "password", "passwd", "secret", "passphrase", "private_key",
	"authorization",
};

static const struct {
	const char *text;
	size_t min_len;            /* of what follows */
} key_prefixes[] = {
	{ "sk-", 16 },        { "ghp_", 20 },  { "gho_", 20 }, { "ghs_", 20 },  { "github_pat_", 20 },
	{ "xoxb-", 10 },      { "xoxp-", 10 }, { "xapp-", 10 }, { "AIza", 30 }, { "gsk_", 20 },
	{ "hf_", 20 },
};

/* Of an Authorization header; "basic" alone is an ordinary word. */
static const char *const schemes[] = { "bearer ", "basic " };

static bool is_key_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
	       c == '-';
}

static bool is_token_char(char c)
{
	return is_key_char(c) || (c && strchr("._~+/=", c));
}

static bool has_prefix(const char *s, size_t n, const char *prefix)
{
	size_t len = strlen(prefix);

	return n >= len && strncasecmp(s, prefix, len) == 0;
}

static bool is_marked(const char *s, size_t n)
{
	return n >= sizeof(mark) - 1 && memcmp(s, mark, sizeof(mark) - 1) == 0;
}

static size_t run_length(const char *s, size_t n, bool (*is_member)(char c))
{
	size_t i = 0;

	while (i < n && is_member(s[i]))
		i++;
	return i;
}

/* ---- rules: does a secret start at i, or does i introduce one? ---- */

static bool match_registered(const char *s, size_t n, size_t i, struct span *ret_span)
{
	size_t longest = 0;

	for (size_t k = 0; k < secrets.len; k++) {
		const struct secret_text *x = &secrets.at[k];

		if (x->len > longest && x->len <= n - i && memcmp(s + i, x->text, x->len) == 0)
			longest = x->len;
	}
	*ret_span = (struct span){ i, i + longest };
	return longest;
}

static bool match_key(const char *s, size_t n, size_t i, struct span *ret_span)
{
	for (size_t k = 0; k < CH_ARRAY_LEN(key_prefixes); k++) {
		size_t head = strlen(key_prefixes[k].text), run;

		if (n - i < head || memcmp(s + i, key_prefixes[k].text, head) != 0)
			continue;
		run = run_length(s + i + head, n - i - head, is_key_char);
		if (run < key_prefixes[k].min_len)
			continue;
		*ret_span = (struct span){ i, i + head + run };
		return true;
	}
	return false;
}

static bool match_bearer(const char *s, size_t n, size_t i, struct span *ret_span)
{
	size_t head = strlen(schemes[0]), run;

	if (!has_prefix(s + i, n - i, schemes[0]))
		return false;
	run = run_length(s + i + head, n - i - head, is_token_char);
	*ret_span = (struct span){ i + head, i + head + run };
	return run >= BEARER_TOKEN_MIN;
}

/* https://user:PASSWORD@host, with i at the first colon. */
static bool match_userinfo(const char *s, size_t n, size_t i, struct span *ret_span)
{
	size_t from = 0;

	if (!has_prefix(s + i, n - i, "://"))
		return false;
	for (size_t k = i + 3; k < n && !strchr("/?# \t\r\n\"'", s[k]); k++) {
		if (s[k] == ':' && !from)
			from = k + 1;
		if (s[k] != '@' || !from)
			continue;
		*ret_span = (struct span){ from, k };
		return k > from && !is_marked(s + from, n - from);
	}
	return false;
}

static bool is_quote(char c)
{
	return c == '"' || c == '\'' || c == '\\';
}

/* Is there a secret's name right before i, white space and quotes left out? */
static bool is_named(const char *s, size_t i)
{
	size_t end = i;

	while (end > 0 && (is_quote(s[end - 1]) || s[end - 1] == ' '))
		end--;
	for (size_t k = 0; k < CH_ARRAY_LEN(secret_names); k++) {
		size_t len = strlen(secret_names[k]);

		if (len <= end && strncasecmp(s + end - len, secret_names[k], len) == 0)
			return true;
	}
	return false;
}

static bool is_value_char(char c)
{
	return c && !strchr(" \t\r\n,;&)]}\"'\\", c);
}

/* name=value, "name": "value", name: Scheme value; i is at the = or the colon. */
static bool match_named(const char *s, size_t n, size_t i, struct span *ret_span)
{
	size_t from = i + 1, to;
	char quote = '\0';

	if (!is_named(s, i))
		return false;
	while (from < n && s[from] == ' ')
		from++;
	while (from < n && s[from] == '\\')
		from++;
	if (from < n && is_quote(s[from]))
		quote = s[from++];
	for (size_t k = 0; k < CH_ARRAY_LEN(schemes); k++)
		if (has_prefix(s + from, n - from, schemes[k]))
			from += strlen(schemes[k]);
	to = from;
	while (to < n && (quote ? s[to] != quote && s[to] != '\\' : is_value_char(s[to])))
		to++;
	*ret_span = (struct span){ from, to };
	return to > from && !is_marked(s + from, n - from);
}

static bool match_at(const char *s, size_t n, size_t i, struct span *ret_span)
{
	bool is_word_start = i == 0 || !is_key_char(s[i - 1]);

	if (match_registered(s, n, i, ret_span))
		return true;
	if (is_word_start && (match_key(s, n, i, ret_span) || match_bearer(s, n, i, ret_span)))
		return true;
	if (s[i] == ':' && match_userinfo(s, n, i, ret_span))
		return true;
	return (s[i] == ':' || s[i] == '=') && match_named(s, n, i, ret_span);
}

void log_redact_into(struct buf *out, const char *text, size_t n)
{
	size_t done = 0, i = 0;
	struct span span;

	while (i < n) {
		if (!match_at(text, n, i, &span)) {
			i++;
			continue;
		}
		buf_append(out, text + done, span.from - done);
		buf_puts(out, mark);
		done = i = span.to;
	}
	buf_append(out, text + done, n - done);
}

bool log_holds_secret(const char *text, size_t len)
{
	for (size_t k = 0; k < secrets.len; k++)
		if (memmem(text, len, secrets.at[k].text, secrets.at[k].len))
			return true;
	return false;
}

void log_hide_secrets(struct buf *out, const char *text, size_t len)
{
	size_t done = 0;
	struct span span;

	for (size_t i = 0; i < len; i++) {
		if (!match_registered(text, len, i, &span))
			continue;
		buf_append(out, text + done, span.from - done);
		buf_puts(out, mark);
		done = span.to;
		i = span.to - 1;
	}
	buf_append(out, text + done, len - done);
}

/* ---- the register ---- */

static struct secret_text *find_registered(const char *secret)
{
	for (size_t k = 0; secret && k < secrets.len; k++)
		if (strcmp(secrets.at[k].text, secret) == 0)
			return &secrets.at[k];
	return NULL;
}

static void forget_at(size_t k)
{
	ch_free_wipe(secrets.at[k].text, secrets.at[k].len);
	vec_remove(&secrets, k);
}

void log_redact(const char *secret)
{
	size_t len = secret ? strlen(secret) : 0;
	struct secret_text *known = find_registered(secret);

	if (known)
		known->holders++;
	else if (len >= SECRET_MIN)
		vec_push(&secrets, ((struct secret_text){ ch_strdup(secret), len, 1 }));
}

/* The one that was let go first. */
static void forget_oldest(void)
{
	size_t count = 0, oldest = 0;

	for (size_t k = secrets.len; k-- > 0;) {
		if (secrets.at[k].holders)
			continue;
		count++;
		oldest = k;
	}
	if (count > REMEMBERED_MAX)
		forget_at(oldest);
}

void log_redact_forget(const char *secret)
{
	struct secret_text *known = find_registered(secret), gone;

	if (!known || !known->holders || --known->holders)
		return;
	gone = *known;
	vec_remove(&secrets, (size_t)(known - secrets.at));
	vec_push(&secrets, gone);
	forget_oldest();
}

void log_redact_forget_all(void)
{
	while (secrets.len)
		forget_at(secrets.len - 1);
	vec_done(&secrets);
}

char *log_redacted(const char *text)
{
	struct buf out;

	/* Each span is replaced by one mark at most, and the shortest span is one byte. */
	buf_init(&out, strlen(text) * sizeof(mark) + 1);
	log_redact_into(&out, text, strlen(text));
	if (out.failed)
		ch_bug(__FILE__, __LINE__, "out of memory");
	return buf_take(&out, NULL);
}
