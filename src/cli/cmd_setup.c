/*
 * cli/cmd_setup.c - `chela setup`: the gateway's wizard, asked in the terminal or answered by options.
 *
 * The gateway asks and writes; here its questions are put to a person, or
 * answered from options (--provider, --model, --name, --key-stdin). Questions
 * go to stderr, so that stdout is the one document of --json.
 */
#include <string.h>
#include <unistd.h>

#include "cli/models_auth.h"
#include "cli/rpc.h"
#include "core/mem.h"
#include "core/str.h"

#define ANSWER_MS 45000                  /* a test of the model, then the configuration in force */
#define QUESTIONS_MAX 200                /* a gateway that never ends its questions */

struct setup {
	struct cli *c;
	struct rpc *rpc;
	const char *session;
	const struct json *last;         /* what the gateway answered */
	struct secret *key;              /* --key-stdin; NULL: none, or used */
	bool is_scripted;
};

static void setup_done(struct setup *s)
{
	secret_unref(s->key);
	rpc_close(s->rpc);
}

static const struct json *step_of(const struct setup *s)
{
	return json_get(s->last, "step");
}

/* "provider-3" is the step "provider". */
static bool is_step(const struct setup *s, const char *name)
{
	const char *id = json_str_or(json_get(step_of(s), "id"), "");
	size_t n = strlen(name);

	return strncmp(id, name, n) == 0 && id[n] == '-';
}

/* ---- talking to the gateway ---- */

/* value NULL: the question needs none. The text may hold a key: it is wiped. */
static CH_FIBER ch_status send_answer(struct setup *s, const struct json *value, struct ch_err *err)
{
	CH_AUTO_BUF struct buf out = { 0 };
	struct jw w = JW(&out);
	struct json *ret = NULL;
	ch_status st;

	buf_init(&out, 4 * AUTH_SECRET_MAX);
	jw_obj(&w);
	jw_kstr(&w, "sessionId", s->session);
	jw_kobj(&w, "answer");
	jw_kstr(&w, "stepId", json_get_str(step_of(s), "id"));
	if (value)
		jw_kvalue(&w, "value", value);
	jw_end(&w);
	jw_end(&w);
	st = buf_status(&out, err, "the answer");
	if (!st)
		st = rpc_call(s->rpc, "wizard.next", buf_str(&out), &ret, err);
	if (out.data)
		explicit_bzero(out.data, out.cap);
	if (!st)
		s->last = ret;
	return st;
}

/* The answers so far are not written: the gateway forgets them at once. */
static CH_FIBER void give_up(struct setup *s)
{
	struct json *ret;

	if (s->session && !json_get_bool(s->last, "done", false))
		(void)!rpc_call(s->rpc, "wizard.cancel",
				arena_printf(s->c->arena, "{\"sessionId\":\"%s\"}", s->session), &ret, NULL);
}

static CH_FIBER ch_status start(struct setup *s, struct ch_err *err)
{
	struct json *ret = NULL;
	ch_status st = rpc_open(s->c, "admin", NULL, &s->rpc, err);

	if (!st)
		st = rpc_call(s->rpc, "wizard.start", "{\"mode\":\"local\",\"flow\":\"setup\"}", &ret, err);
	if (st)
		return st;
	s->last = ret;
	s->session = json_get_str(ret, "sessionId");
	if (!s->session)
		return ch_fail(err, CH_E_PEER, "the gateway began no setup");
	return CH_OK;
}

/* ---- answers from options ---- */

static CH_FIBER ch_status answer_key(struct setup *s, struct ch_err *err)
{
	CH_AUTO(secret_unref) struct secret *key = CH_TAKE(s->key);

	if (!key)
		return ch_fail(err, CH_E_INVALID, "%s", json_str_or(json_get(step_of(s), "message"), "a key is needed"));
	return send_answer(s, &(struct json){ .type = JSON_STR, .str = secret_reveal(key),
					      .len = strlen(secret_reveal(key)) }, err);
}

static CH_FIBER ch_status answer_text(struct setup *s, const char *text, struct ch_err *err)
{
	return send_answer(s, text ? json_new_str(s->c->arena, text) : NULL, err);
}

/* A key that waits is for a provider that did not answer without one. */
static CH_FIBER ch_status answer_failed(struct setup *s, struct ch_err *err)
{
	const char *why = json_str_or(json_get(step_of(s), "message"), "the model did not answer");

	if (s->key)
		return answer_text(s, "key", err);
	if (cli_flag(s->c, "keep"))
		return answer_text(s, "keep", err);
	return ch_fail(err, CH_E_PEER, "%s", cli_safe(s->c->arena, why));
}

static CH_FIBER ch_status answer_scripted(struct setup *s, struct ch_err *err)
{
	struct cli *c = s->c;

	if (is_step(s, "confirm") && s->key)
		return ch_fail(err, CH_E_EXISTS, "%s answers with what it has, the key was not asked for; to keep it run: "
						 "chela models auth paste-api-key", cli_safe(c->arena, cli_opt(c, "provider")));
	if (is_step(s, "accept") || is_step(s, "confirm"))
		return send_answer(s, json_new_bool(c->arena, true), err);
	if (is_step(s, "provider"))
		return answer_text(s, cli_opt(c, "provider"), err);
	if (is_step(s, "key"))
		return answer_key(s, err);
	if (is_step(s, "model"))
		return answer_text(s, cli_opt(c, "model"), err);
	if (is_step(s, "failed"))
		return answer_failed(s, err);
	if (is_step(s, "name"))
		return answer_text(s, cli_opt(c, "name"), err);
	if (str_eq(json_get_str(step_of(s), "type"), "note"))
		return send_answer(s, NULL, err);
	return ch_fail(err, CH_E_UNSUPPORTED, "the gateway asks what this command does not know: %s",
		       cli_safe(c->arena, json_str_or(json_get(step_of(s), "title"), "?")));
}

/* ---- answers from a person ---- */

static CH_FIBER ch_status read_line(struct setup *s, const char **ret, struct ch_err *err)
{
	CH_AUTO_STR char *line = NULL;
	ch_status st = cli_read_line(s->c, &line, err);

	if (st)
		return st == CH_E_EOF ? ch_fail(err, CH_E_CANCELED, "setup was left; nothing is written") : st;
	*ret = str_trim(s->c->arena, line);
	return CH_OK;
}

static CH_FIBER ch_status ask_select(struct setup *s, struct ch_err *err)
{
	const struct json *options = json_get(step_of(s), "options");
	const struct json *initial = json_get(step_of(s), "initialValue");
	struct arena *a = s->c->arena;
	const char *line;
	int64_t at, i = 0;
	ch_status st;

	json_each(o, options) {
		const char *hint = json_get_str(o, "hint");

		cli_note("  %2lld  %s%s%s\n", (long long)++i, cli_safe(a, json_str_or(json_get(o, "label"), "")),
			 hint ? " - " : "", hint ? cli_safe(a, hint) : "");
	}
	for (;;) {
		cli_note("Number%s: ", initial ? " [1]" : "");
		st = read_line(s, &line, err);
		if (st)
			return st;
		if (!*line && initial)
			return send_answer(s, initial, err);
		if (str_to_i64(line, &at) && at >= 1 && at <= i)
			return send_answer(s, json_get(json_at(options, (size_t)at - 1), "value"), err);
	}
}

static CH_FIBER ch_status ask_confirm(struct setup *s, struct ch_err *err)
{
	bool def = json_get_bool(step_of(s), "initialValue", false);
	const char *line;

	for (;;) {
		ch_status st;

		cli_note("%s: ", def ? "Yes or no [yes]" : "Yes or no");
		st = read_line(s, &line, err);
		if (st)
			return st;
		if (str_ieq(line, "y") || str_ieq(line, "yes") || (!*line && def))
			return send_answer(s, json_new_bool(s->c->arena, true), err);
		if (str_ieq(line, "n") || str_ieq(line, "no"))
			return send_answer(s, json_new_bool(s->c->arena, false), err);
	}
}

static CH_FIBER ch_status ask_text(struct setup *s, struct ch_err *err)
{
	const struct json *initial = json_get(step_of(s), "initialValue");
	const char *line;
	ch_status st;

	if (json_get_bool(step_of(s), "sensitive", false)) {
		secret_unref(s->key);
		s->key = NULL;
		st = cli_read_secret(s->c, "Key (not shown)", &s->key, err);
		return st ? st : answer_key(s, err);
	}
	if (json_str(initial))
		cli_note("[%s]: ", cli_safe(s->c->arena, json_str(initial)));
	else
		cli_note(": ");
	st = read_line(s, &line, err);
	if (st)
		return st;
	return *line ? answer_text(s, line, err) : send_answer(s, initial, err);
}

/* Line by line: a message may hold a provider's words, which are not for the terminal to obey. */
static void show_message(struct arena *a, const char *text)
{
	for (;;) {
		size_t n = strcspn(text, "\n");

		cli_note("%s\n", cli_safe(a, arena_strndup(a, text, n)));
		if (!text[n])
			return;
		text += n + 1;
	}
}

static CH_FIBER ch_status ask_person(struct setup *s, struct ch_err *err)
{
	const char *type = json_get_str(step_of(s), "type");
	struct arena *a = s->c->arena;

	cli_note("\n%s\n", cli_safe(a, json_str_or(json_get(step_of(s), "title"), "")));
	show_message(a, json_str_or(json_get(step_of(s), "message"), ""));
	if (str_eq(type, "note"))
		return send_answer(s, NULL, err);
	if (str_eq(type, "select"))
		return ask_select(s, err);
	if (str_eq(type, "confirm"))
		return ask_confirm(s, err);
	if (str_eq(type, "text"))
		return ask_text(s, err);
	return ch_fail(err, CH_E_UNSUPPORTED, "the gateway asks in a way that this command does not know");
}

/* ---- the command ---- */

/* A question that is asked again after an answer that did not fit, told why. */
static CH_FIBER ch_status ask(struct setup *s, struct ch_err *err)
{
	ch_status st;

	if (s->is_scripted)
		return answer_scripted(s, err);
	st = ask_person(s, err);
	if (st != CH_E_INVALID || !rpc_is_open(s->rpc))
		return st;
	cli_note("%s\n", cli_safe(s->c->arena, err->text));
	return CH_OK;
}

static ch_status finish(struct setup *s, struct ch_err *err)
{
	const char *model = json_str(json_path(s->last, "modelActivation.modelRef"));
	struct arena *a = s->c->arena;
	struct json *doc;

	if (!str_eq(json_get_str(s->last, "status"), "done"))
		return ch_fail(err, CH_E_CANCELED, "setup ended (%s); nothing is written",
			       cli_safe(a, json_str_or(json_get(s->last, "error"), "no reason given")));
	if (!s->c->json) {
		cli_print("the gateway is set up; its model is %s\n", cli_safe(a, model ? model : "?"));
		return CH_OK;
	}
	doc = json_new_obj(a);
	json_set(a, doc, "ok", json_new_bool(a, true));
	json_set(a, doc, "model", json_new_str(a, model));
	cli_print_json(doc);
	return CH_OK;
}

static ch_status check_options(struct setup *s, struct ch_err *err)
{
	struct cli *c = s->c;

	s->is_scripted = cli_flag(c, "yes");
	if (s->is_scripted && !cli_opt(c, "provider"))
		return ch_fail(err, CH_E_INVALID, "--yes asks nothing: say which --provider (or --provider offline)");
	if (s->is_scripted)
		return CH_OK;
	if (cli_opt(c, "provider") || cli_opt(c, "model") || cli_opt(c, "name") || cli_flag(c, "key-stdin") ||
	    cli_flag(c, "keep"))
		return ch_fail(err, CH_E_INVALID, "answers by options go with --yes: it accepts the note on security "
						  "and writes without asking");
	if (c->json || !isatty(STDIN_FILENO))
		return ch_fail(err, CH_E_INVALID, "questions need a terminal; without one use --yes with --provider");
	return CH_OK;
}

static CH_FIBER ch_status run_setup(struct cli *c, struct ch_err *err)
{
	CH_AUTO_DONE(setup_done) struct setup s = { .c = c };
	ch_status st = check_options(&s, err);

	if (!cli_opt(c, "timeout"))
		c->timeout_ms = ANSWER_MS;
	if (!st && cli_flag(c, "key-stdin"))
		st = cli_read_secret(c, "Key (not shown)", &s.key, err);
	if (!st)
		st = start(&s, err);
	for (int i = 0; !st && !json_get_bool(s.last, "done", false); i++)
		st = i < QUESTIONS_MAX ? ask(&s, err) : ch_fail(err, CH_E_PEER, "the questions do not end");
	if (!st)
		return finish(&s, err);
	if (s.rpc && rpc_is_open(s.rpc))
		give_up(&s);
	return st;
}

static const struct cli_opt setup_opts[] = {
	{ "yes", 'y', NULL, "ask nothing: accept the note on security and write what the options say" },
	{ "provider", 'p', "<id>", "with --yes: e.g. anthropic; offline: no model" },
	{ "key-stdin", 0, NULL, "with --yes: the provider's key is the first line of standard input" },
	{ "model", 'm', "<ref>", "with --yes: the model (default: the provider's)" },
	{ "name", 0, "<name>", "with --yes: what the agent is called" },
	{ "keep", 0, NULL, "with --yes: write it even though the model did not answer" },
	{ 0 },
};

#define SETUP_EXAMPLES                                                                     \
	"  chela setup\n"                                                                  \
	"  chela setup --yes --provider anthropic --key-stdin --json < key.txt\n"

const struct cli_command cli_setup = {
	.name = "setup",
	.summary = "choose a model and store its key, question by question",
	.opts = setup_opts,
	.examples = SETUP_EXAMPLES,
	.run = run_setup,
};

const struct cli_command cli_onboard = {
	.name = "onboard",
	.summary = "the same as setup",
	.opts = setup_opts,
	.examples = SETUP_EXAMPLES,
	.run = run_setup,
};
