/*
 * approvals/question_check.c - do these questions make sense, and is that an answer to them?
 */
#include "approvals/question.h"

#include <string.h>

#include "core/str.h"

#define QUESTIONS_MAX 3
#define OPTIONS_MAX 4
#define HEADER_CHARS 12
#define STORE_NAME_MAX 128

static bool is_id(const char *s)
{
	if (!s || *s < 'a' || *s > 'z')
		return false;
	for (; *s; s++)
		if (!((*s >= 'a' && *s <= 'z') || (*s >= '0' && *s <= '9') || *s == '_'))
			return false;
	return true;
}

/* As the protocol counts characters. */
static size_t utf16_len(const char *s)
{
	size_t n = 0, left = strlen(s);
	uint32_t cp;

	while (left) {
		size_t step = utf8_decode(s, left, &cp);

		n += cp >= 0x10000 ? 2 : 1;
		s += CH_MAX(step, 1);
		left -= CH_MAX(step, 1);
	}
	return n;
}

static bool is_store_name(const char *s)
{
	size_t n = s ? strlen(s) : 0;

	if (!n || n > STORE_NAME_MAX || *s < 'A' || *s > 'Z')
		return false;
	return strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == n;
}

/* Ids in requests are checked by is_id(), so they fit an error's text. */
static ch_status check_secret(const struct json *questions, const struct json *q, bool allows_secrets, struct ch_err *err)
{
	const struct json *store = json_get(q, "secretStore");
	const char *id = json_get_str(q, "questionId");
	bool is_secret = json_get_bool(q, "isSecret", false);

	if (is_secret && (!store || !allows_secrets))
		return ch_fail(err, CH_E_INVALID, "question '%.80s': secret questions are not supported yet", id);
	if (!store)
		return CH_OK;
	if (!is_secret)
		return ch_fail(err, CH_E_INVALID, "question '%.80s': secret store binding requires a secret question", id);
	if (json_len(questions) != 1 || json_len(json_get(q, "options")) || json_get_bool(q, "multiSelect", false))
		return ch_fail(err, CH_E_INVALID, "question '%.80s': secret store requests require one free-text, single-select "
			       "question", id);
	if (!is_store_name(json_get_str(store, "name")))
		return ch_fail(err, CH_E_INVALID, "question '%.80s': invalid secret store entry name", id);
	if (!str_eq(json_get_str(store, "kind"), "secret"))
		return ch_fail(err, CH_E_INVALID, "question '%.80s': masked requests require kind \"secret\"", id);
	return CH_OK;
}

static bool same_label(const char *a, const char *b, struct arena *scratch)
{
	return str_ieq(str_trim(scratch, a), str_trim(scratch, b));
}

static ch_status check_options(const struct json *q, struct arena *scratch, struct ch_err *err)
{
	const struct json *options = json_get(q, "options");
	const char *id = json_get_str(q, "questionId");

	if (!json_is(options, JSON_ARR) || json_len(options) > OPTIONS_MAX)
		return ch_fail(err, CH_E_INVALID, "question '%.80s' must have a list of at most %d options", id, OPTIONS_MAX);
	if (json_len(options) == 1)
		return ch_fail(err, CH_E_INVALID, "question '%.80s' must have either no options or 2 to 4 options", id);
	json_each(option, options) {
		const char *label = json_get_str(option, "label");

		if (str_empty(label) || !*str_trim(scratch, label))
			return ch_fail(err, CH_E_INVALID, "question '%.80s' has an option without a label", id);
		for (const struct json *other = json_first(options); other != option; other = other->next)
			if (same_label(json_get_str(other, "label"), label, scratch))
				return ch_fail(err, CH_E_INVALID, "question '%.80s' has duplicate option label '%.60s'", id, label);
	}
	return CH_OK;
}

static ch_status check_one(const struct json *questions, const struct json *q, struct arena *scratch, struct ch_err *err)
{
	const char *id = json_get_str(q, "questionId"), *header = json_get_str(q, "header");

	if (!is_id(id))
		return ch_fail(err, CH_E_INVALID, "question ids are lower-case words like deploy_target, not '%.60s'", id ? id : "");
	for (const struct json *other = json_first(questions); other != q; other = other->next)
		if (str_eq(json_get_str(other, "questionId"), id))
			return ch_fail(err, CH_E_INVALID, "duplicate question id '%.80s'", id);
	if (!header || utf16_len(header) > HEADER_CHARS)
		return ch_fail(err, CH_E_INVALID, "question '%.80s' needs a header of at most %d characters", id, HEADER_CHARS);
	if (str_empty(json_get_str(q, "question")))
		return ch_fail(err, CH_E_INVALID, "question '%.80s' has no text", id);
	return check_options(q, scratch, err);
}

ch_status question_check(const struct json *questions, bool allows_secrets, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *scratch = arena_new(0);
	ch_status st = CH_OK;

	if (!json_is(questions, JSON_ARR) || !json_len(questions) || json_len(questions) > QUESTIONS_MAX)
		return ch_fail(err, CH_E_INVALID, "ask 1 to %d questions", QUESTIONS_MAX);
	json_each(q, questions) {
		st = check_one(questions, q, scratch, err);
		if (!st)
			st = check_secret(questions, q, allows_secrets, err);
		if (st)
			return st;
	}
	if (strlen(json_to_str(scratch, questions)) > QUESTION_TEXT_MAX)
		return ch_fail(err, CH_E_INVALID, "the questions are longer than %u bytes", QUESTION_TEXT_MAX);
	return CH_OK;
}

/* -- answers -- */

static const struct json *find(const struct json *questions, const char *id)
{
	json_each(q, questions)
		if (str_eq(json_get_str(q, "questionId"), id))
			return q;
	return NULL;
}

static const char *option_of(const struct json *q, const char *value, struct arena *a)
{
	json_each(option, json_get(q, "options"))
		if (str_eq(str_trim(a, json_get_str(option, "label")), value))
			return json_get_str(option, "label");
	return NULL;
}

static ch_status check_value(const struct json *q, const struct json *given, struct arena *a, struct json *out,
			     struct ch_err *err)
{
	const char *id = json_get_str(q, "questionId"), *value = json_str(given), *label;
	bool is_secret = json_get_bool(q, "isSecret", false);

	if (value && !is_secret)
		value = str_trim(a, value);
	if (str_empty(value))
		return ch_fail(err, CH_E_INVALID, "question '%.80s' contains an empty answer", id);
	label = is_secret ? NULL : option_of(q, value, a);
	if (!label && json_len(json_get(q, "options")) && !json_get_bool(q, "isOther", false))
		return ch_fail(err, CH_E_INVALID, "question '%.80s' contains an unknown option", id);
	json_push(out, json_new_str(a, label ? label : value));
	return CH_OK;
}

static ch_status check_answer(const struct json *q, const struct json *values, struct arena *a, struct json *out,
			      struct ch_err *err)
{
	const char *id = json_get_str(q, "questionId");
	struct json *list = json_new_arr(a);

	if (!json_len(values))
		return ch_fail(err, CH_E_INVALID, "question '%.80s' requires an answer", id);
	if (json_len(values) > 1 && !json_get_bool(q, "multiSelect", false))
		return ch_fail(err, CH_E_INVALID, "question '%.80s' does not allow multiple answers", id);
	json_each(v, values) {
		ch_status st = check_value(q, v, a, list, err);

		if (st)
			return st;
	}
	json_set(a, out, id, list);
	return CH_OK;
}

ch_status question_check_answers(const struct json *questions, const struct json *answers, struct arena *a,
				 struct json **ret, struct ch_err *err)
{
	struct json *out = json_new_obj(a);

	json_each(given, answers)
		if (!find(questions, given->key))
			return ch_fail(err, CH_E_INVALID, "question '%.80s' is not part of this request", given->key);
	json_each(q, questions) {
		ch_status st = check_answer(q, json_get(answers, json_get_str(q, "questionId")), a, out, err);

		if (st)
			return st;
	}
	if (strlen(json_to_str(a, out)) > QUESTION_TEXT_MAX)
		return ch_fail(err, CH_E_INVALID, "the answer is longer than %u bytes", QUESTION_TEXT_MAX);
	*ret = out;
	return CH_OK;
}

/* The label that a word names by its number or its text; NULL: the person's own words. */
static const char *pick(const struct json *q, const char *word, struct arena *a)
{
	const struct json *options = json_get(q, "options");
	int64_t n;

	if (str_to_i64(word, &n) && n >= 1 && (uint64_t)n <= json_len(options))
		return json_get_str(json_at(options, (size_t)n - 1), "label");
	json_each(option, options)
		if (same_label(json_get_str(option, "label"), word, a))
			return json_get_str(option, "label");
	return NULL;
}

/* "1, 3": each part must be an option, else the whole is the person's own words. */
static struct json *pick_several(const struct json *q, const char *text, struct arena *a)
{
	struct json *list = json_new_arr(a);

	for (const char *at = text; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
		const char *label = pick(q, str_trim(a, arena_strndup(a, at, strcspn(at, ","))), a);

		if (!label)
			return NULL;
		json_push(list, json_new_str(a, label));
	}
	return list;
}

ch_status question_from_text(const struct json *questions, const char *text, struct arena *a, struct json **ret,
			     struct ch_err *err)
{
	const struct json *q = json_at(questions, 0);
	struct json *answers = json_new_obj(a), *list = NULL;
	const char *word = str_trim(a, text), *label;

	if (json_len(questions) != 1)
		return ch_fail(err, CH_E_INVALID, "there are %zu questions; answer them on the page", json_len(questions));
	if (json_get_bool(q, "isSecret", false))
		return ch_fail(err, CH_E_INVALID, "this asks for a secret, which does not belong into a conversation; answer on the page");
	label = pick(q, word, a);
	if (!label && json_get_bool(q, "multiSelect", false))
		list = pick_several(q, word, a);
	if (!list) {
		list = json_new_arr(a);
		json_push(list, json_new_str(a, label ? label : word));
	}
	json_set(a, answers, json_get_str(q, "questionId"), list);
	return question_check_answers(questions, answers, a, ret, err);
}
