/*
 * models/classify.c - what a provider's failure means.
 *
 * Three things are looked at, the most telling first: the words (context
 * overflow and billing come under many statuses), the provider's error type
 * or code, the HTTP status. Words are matched in lower case.
 */
#include <string.h>

#include "core/str.h"
#include "models/dialect.h"

struct phrase {
	const char *words;
	enum model_error_class class;
};

/* The first that occurs wins. */
static const struct phrase phrases[] = {
	{ "prompt is too long", MODEL_ERR_CONTEXT },
	{ "context length", MODEL_ERR_CONTEXT },
	{ "context_length", MODEL_ERR_CONTEXT },
	{ "context window", MODEL_ERR_CONTEXT },
	{ "context size", MODEL_ERR_CONTEXT },
	{ "exceeds the context", MODEL_ERR_CONTEXT },
	{ "exceed context", MODEL_ERR_CONTEXT },
	{ "maximum context", MODEL_ERR_CONTEXT },
	{ "input is too long", MODEL_ERR_CONTEXT },
	{ "input length and `max_tokens` exceed", MODEL_ERR_CONTEXT },
	{ "too many tokens in the prompt", MODEL_ERR_CONTEXT },
	{ "reduce the length of the messages", MODEL_ERR_CONTEXT },
	{ "request_too_large", MODEL_ERR_CONTEXT },
	{ "input token count", MODEL_ERR_CONTEXT },
	{ "maximum number of tokens allowed", MODEL_ERR_CONTEXT },
	{ "credit balance", MODEL_ERR_BILLING },
	{ "insufficient_quota", MODEL_ERR_BILLING },
	{ "insufficient balance", MODEL_ERR_BILLING },
	{ "insufficient credit", MODEL_ERR_BILLING },
	{ "insufficient funds", MODEL_ERR_BILLING },
	{ "out of credits", MODEL_ERR_BILLING },
	{ "exceeded your current quota", MODEL_ERR_BILLING },
	{ "payment required", MODEL_ERR_BILLING },
	{ "too many concurrent", MODEL_ERR_RATE_LIMIT },
	{ "throttlingexception", MODEL_ERR_RATE_LIMIT },
	{ "resource exhausted", MODEL_ERR_RATE_LIMIT },
	{ "resource_exhausted", MODEL_ERR_RATE_LIMIT },
	{ "rate limit", MODEL_ERR_RATE_LIMIT },
	{ "rate_limit", MODEL_ERR_RATE_LIMIT },
	{ "too many requests", MODEL_ERR_RATE_LIMIT },
	{ "billing", MODEL_ERR_BILLING },        /* behind the rate limits, whose texts link to billing pages */
	{ "overloaded", MODEL_ERR_OVERLOADED },
	{ "modelnotready", MODEL_ERR_OVERLOADED },
	{ "server is busy", MODEL_ERR_OVERLOADED },
	{ "at capacity", MODEL_ERR_OVERLOADED },
	{ "model_not_found", MODEL_ERR_NOT_FOUND },
	{ "no such model", MODEL_ERR_NOT_FOUND },
	{ "model does not exist", MODEL_ERR_NOT_FOUND },
	{ "try pulling it first", MODEL_ERR_NOT_FOUND },
	{ "invalid api key", MODEL_ERR_AUTH },
	{ "invalid_api_key", MODEL_ERR_AUTH },
	{ "incorrect api key", MODEL_ERR_AUTH },
	{ "api key not valid", MODEL_ERR_AUTH },
	{ "api key expired", MODEL_ERR_AUTH },
	{ "content_filter", MODEL_ERR_REFUSAL },
	{ "content management policy", MODEL_ERR_REFUSAL },
	{ "content_policy", MODEL_ERR_REFUSAL },
	{ "bio_policy", MODEL_ERR_REFUSAL },
	{ "cyber_policy", MODEL_ERR_REFUSAL },
	{ "policy_violation", MODEL_ERR_REFUSAL },
	{ "violating our usage policy", MODEL_ERR_REFUSAL },
};

/* Types and codes that are whole words; after the phrases. */
static const struct phrase types[] = {
	{ "authentication_error", MODEL_ERR_AUTH },
	{ "permission_error", MODEL_ERR_AUTH },
	{ "billing_error", MODEL_ERR_BILLING },
	{ "not_found_error", MODEL_ERR_NOT_FOUND },
	{ "invalid_request_error", MODEL_ERR_FORMAT },
	{ "timeout_error", MODEL_ERR_TIMEOUT },
	{ "timeout", MODEL_ERR_TIMEOUT },
	{ "api_error", MODEL_ERR_SERVER },
	{ "server_error", MODEL_ERR_SERVER },
	{ "internal_server_error", MODEL_ERR_SERVER },
};

static enum model_error_class by_phrase(const char *text)
{
	char lower[1024];

	field_set(lower, sizeof(lower), text);
	str_lower(lower);
	for (size_t i = 0; i < CH_ARRAY_LEN(phrases); i++) {
		if (strstr(lower, phrases[i].words))
			return phrases[i].class;
	}
	return MODEL_ERR_NONE;
}

static enum model_error_class by_type(const char *type)
{
	for (size_t i = 0; i < CH_ARRAY_LEN(types); i++) {
		if (str_ieq(type, types[i].words))
			return types[i].class;
	}
	return MODEL_ERR_NONE;
}

static enum model_error_class by_status(int status)
{
	switch (status) {
	case 401:
	case 403: return MODEL_ERR_AUTH;
	case 402: return MODEL_ERR_BILLING;
	case 404: return MODEL_ERR_NOT_FOUND;
	case 413: return MODEL_ERR_CONTEXT;
	case 408:
	case 504:
	case 522:
	case 524: return MODEL_ERR_TIMEOUT;
	case 424: return MODEL_ERR_SERVER;       /* Bedrock: the model behind it failed */
	case 429: return MODEL_ERR_RATE_LIMIT;
	case 529: return MODEL_ERR_OVERLOADED;
	default: break;
	}
	/* An in-band error of no known kind is taken for the server's fault: it had accepted the request. */
	return status >= 500 || status == 0 ? MODEL_ERR_SERVER : MODEL_ERR_FORMAT;
}

enum model_error_class error_classify(int status, const char *type, const char *message)
{
	enum model_error_class c = by_phrase(message);

	/* Google's limit per minute speaks of plan and billing too. */
	if (c == MODEL_ERR_BILLING && str_eq(type, "RESOURCE_EXHAUSTED"))
		c = MODEL_ERR_RATE_LIMIT;
	/* In the words of a failing server it is no proof. */
	if (c == MODEL_ERR_BILLING && status >= 500)
		c = MODEL_ERR_NONE;
	if (!c)
		c = by_phrase(type);
	if (!c && (status == 0 || status == 400))
		c = by_type(type);
	return c ? c : by_status(status);
}

/* The provider's words on one line. */
static void tidy(const char *message, char *ret_text, size_t cap)
{
	field_set(ret_text, cap, message);
	for (char *p = ret_text; *p; p++) {
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = ' ';
	}
}

/* type, code and status words of an error object, whichever is there. */
static const char *type_of(const struct json *error)
{
	const char *type = json_get_str(error, "type"), *code = json_get_str(error, "code");

	/* OpenAI: type "invalid_request_error", code "context_length_exceeded": the code says more. */
	if (!str_empty(code))
		return code;
	return str_empty(type) ? json_get_str(error, "status") : type;
}

static const char *message_of(const struct json *v)
{
	static const char *const names[] = { "message", "error", "detail", "error_description" };

	if (json_is(v, JSON_STR))
		return json_str(v);
	for (size_t i = 0; i < CH_ARRAY_LEN(names); i++) {
		const struct json *inner = json_get(v, names[i]);
		const char *text = json_str(inner);

		if (!text)
			text = json_get_str(inner, "message");
		if (!str_empty(text))
			return text;
	}
	return NULL;
}

enum model_error_class error_read_body(int status, const char *body, size_t len, char *ret_text, size_t cap)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct json *v = NULL;
	const struct json *error;
	const char *message;

	if (json_parse(a, body, len, JSON_STRICT, &v, NULL)) {
		/* A proxy's page, or nothing: only the first line is of use. */
		message = len && body[0] != '<' ? arena_strndup(a, body, CH_MIN(len, 200)) : "";
		message = utf8_repair(a, message, strcspn(message, "\r\n"), NULL);
		tidy(message, ret_text, cap);
		return error_classify(status, NULL, message);
	}
	if (json_is(v, JSON_ARR))
		v = json_at(v, 0);
	error = json_is(json_get(v, "error"), JSON_OBJ) ? json_get(v, "error") : v;
	message = message_of(error);
	tidy(message, ret_text, cap);
	return error_classify(status, type_of(error), message);
}

/* Google says it in the body: details:[{"@type":"…RetryInfo", retryDelay:"37s"}]. */
int64_t error_retry_ms(const char *body, size_t len)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct json *v = NULL;
	int64_t ms = 0;

	if (json_parse(a, body, len, JSON_STRICT, &v, NULL))
		return 0;
	if (json_is(v, JSON_ARR))
		v = json_at(v, 0);
	json_each(detail, json_path(v, "error.details")) {
		const char *text = json_get_str(detail, "retryDelay");
		size_t n = text ? strlen(text) : 0;
		double seconds;

		if (n < 2 || text[n - 1] != 's' || !str_to_double(arena_strndup(a, text, n - 1), &seconds))
			continue;
		if (seconds > 0 && seconds < 1e6)
			ms = CH_MAX(ms, (int64_t)(seconds * 1000));
	}
	return ms;
}

ch_status error_in_band(const struct json *error, struct model_result *ret, struct ch_err *err)
{
	const char *message = message_of(error);
	char text[160];

	ret->error_class = error_classify((int)json_get_int(error, "code", 0), type_of(error), message);
	tidy(message ? message : "no reason given", text, sizeof(text));
	return ch_fail(err, CH_E_PEER, "the provider broke off: %s", text);
}

ch_status error_cut(struct model_result *ret, struct ch_err *err)
{
	ret->error_class = MODEL_ERR_CUT;
	return ch_fail(err, CH_E_PEER, "the reply ended before it was complete");
}

ch_status error_chunk(const struct ch_err *why, struct model_result *ret, struct ch_err *err)
{
	ret->error_class = MODEL_ERR_SERVER;
	return ch_fail(err, CH_E_PEER, "the provider sent something that is not its protocol (%s)", why->text);
}

bool compat_flag(const struct model_entry *m, const char *name, bool def)
{
	return json_get_bool(m->compat, name, def);
}

bool compat_has(const struct model_entry *m, const char *name)
{
	return json_get(m->compat, name) != NULL;
}
