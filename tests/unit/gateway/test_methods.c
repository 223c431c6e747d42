/*
 * gateway/method_table: each family sorted, each name once, each row complete.
 */
#include "gwtest.h"

#include <stdlib.h>

#include "core/file.h"
#include "core/str.h"
#include "gateway/scope.h"

static void check_row(const struct gw_method *m)
{
	const struct gw_method *found = gw_method_find(m->name);

	if (found != m)
		fail_msg("%s is found as another row: is the family sorted, the name unique?", m->name);
	assert_non_null(m->run);
	assert_true(strlen(m->name) < 64);
	if (m->flags & GW_NODE_ROLE)
		return;
	if ((m->scope & ~SCOPE_ALL) || (m->scope & (m->scope - 1)))
		fail_msg("%s asks for more than one scope", m->name);
	if (!m->scope && !m->dynamic_scope)
		fail_msg("%s is free for every operator", m->name);
	if ((m->flags & GW_INLINE) && (m->flags & GW_WAITS))
		fail_msg("%s cannot wait in the read path", m->name);
}

static void check_params(const struct gw_method *m, const struct gw_param *params, int depth)
{
	for (const struct gw_param *p = params; p && p->name; p++) {
		if ((p->type == GP_ENUM || p->type == GP_BOOL_OR_ENUM) && !p->choices)
			fail_msg("%s: %s has no choices", m->name, p->name);
		if (p->members && p->type != GP_OBJ && !(p->type == GP_ARR && p->item == GP_OBJ))
			fail_msg("%s: %s has members but is no object", m->name, p->name);
		assert_true(depth < 8);
		check_params(m, p->members, depth + 1);
	}
}

static void test_walk(void **state)
{
	size_t families;
	const struct gw_method_family *f = gw_method_families(&families);

	for (size_t i = 0; i < families; i++) {
		assert_true(*f[i].count > 0);
		for (size_t k = 0; k < *f[i].count; k++) {
			if (k > 0)
				assert_true(strcmp(f[i].rows[k - 1].name, f[i].rows[k].name) < 0);
			check_row(&f[i].rows[k]);
			check_params(&f[i].rows[k], f[i].rows[k].params, 0);
		}
	}
	assert_null(gw_method_find("no.such"));
	assert_null(gw_method_find(""));
	assert_null(gw_method_find("healt"));
}

/* What the issue promises, by name. */
static void test_promised(void **state)
{
	static const char *const names[] = {
		"connect",
		"health",
		"status",
		"system.info",
		"system-presence",
		"logs.tail",
		"gateway.identity.get",
		"config.get",
		"config.schema",
		"agents.list",
		"agent.identity.get",
		"models.list",
		"commands.list",
		"tools.catalog",
		"agent",
		"agent.wait",
		"chat.send",
		"chat.history",
		"chat.startup",
		"chat.metadata",
		"chat.message.get",
		"chat.abort",
		"chat.inject",
		"sessions.list",
		"sessions.create",
		"sessions.describe",
		"sessions.resolve",
		"sessions.preview",
		"sessions.send",
		"sessions.abort",
		"sessions.patch",
		"sessions.reset",
		"sessions.delete",
		"sessions.subscribe",
		"sessions.messages.subscribe",
		"sessions.messages.unsubscribe",
		"device.pair.list",
		"device.pair.approve",
		"device.pair.reject",
		"device.pair.remove",
		"device.pair.rename",
		"device.token.rotate",
		"device.token.revoke",
		"users.self",
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(names); i++)
		if (!gw_method_find(names[i]))
			fail_msg("%s is missing", names[i]);
}

/* -- the list of docs/compatibility.md; CHELA_UPDATE_DOCS=1 rewrites it -- */

#define DOC_PATH TEST_FIXTURES "/../../docs/compatibility.md"
#define REFERENCE_PATH TEST_FIXTURES "/protocol/methods.json"
#define BEGIN "<!-- methods -->\n"
#define END "<!-- /methods -->\n"
#define LINE_MAX_BYTES 110

struct coverage {
	int advertised, hidden;              /* ours */
	int reference, t1, t1_done;          /* the reference's that it advertises; of them the first tier */
	int t1_hidden, t1_hidden_done;       /* first tier, callable without being named */
};

/* The reference's table: a row for each method it answers. */
static const struct json *reference_methods(struct arena *a)
{
	CH_AUTO_BUF struct buf text = {0};
	struct json *rows = NULL;

	assert_int_equal(file_read(REFERENCE_PATH, 1u << 20, &text, NULL), CH_OK);
	assert_int_equal(json_parse(a, text.data, text.len, JSON_STRICT, &rows, NULL), CH_OK);
	return rows;
}

static bool has_flag(const struct json *row, const char *flag)
{
	json_each(it, json_get(row, "flags"))
		if (str_eq(json_str(it), flag))
			return true;
	return false;
}

static const struct json *find_reference(const struct json *rows, const char *name)
{
	json_each(it, rows)
		if (str_eq(json_get_str(it, "name"), name))
			return it;
	return NULL;
}

static struct coverage count_coverage(const struct json *rows)
{
	struct coverage c = {0};
	size_t families;
	const struct gw_method_family *f = gw_method_families(&families);

	for (size_t i = 0; i < families; i++)
		for (size_t k = 0; k < *f[i].count; k++)
			*(f[i].rows[k].flags & GW_HIDDEN ? &c.hidden : &c.advertised) += 1;
	json_each(it, rows) {
		const struct gw_method *m = gw_method_find(json_get_str(it, "name"));
		bool is_first = str_eq(json_get_str(it, "tier"), "T1");
		bool is_hidden = has_flag(it, "hidden");

		c.reference += !is_hidden;
		c.t1 += is_first && !is_hidden;
		c.t1_done += is_first && !is_hidden && m && !(m->flags & GW_HIDDEN);
		c.t1_hidden += is_first && is_hidden;
		c.t1_hidden_done += is_first && is_hidden && m && !m->answer;
	}
	return c;
}

static int by_text(const void *x, const void *y)
{
	return strcmp(*(const char *const *)x, *(const char *const *)y);
}

/* The names with or without the flag, sorted, in lines of a paragraph. */
static void put_names(struct arena *a, struct buf *out, bool is_hidden)
{
	size_t families, count = 0, column = 0;
	const struct gw_method_family *f = gw_method_families(&families);
	const char **names = arena_alloc(a, 1000 * sizeof(*names));

	for (size_t i = 0; i < families; i++)
		for (size_t k = 0; k < *f[i].count; k++)
			if (!(f[i].rows[k].flags & GW_HIDDEN) == !is_hidden)
				names[count++] = f[i].rows[k].name;
	assert_true(count > 0 && count < 1000);
	qsort(names, count, sizeof(*names), by_text);
	for (size_t i = 0; i < count; i++) {
		size_t len = strlen(names[i]) + 2;

		if (i > 0)
			buf_puts(out, column + len + 3 > LINE_MAX_BYTES ? ",\n" : ", ");
		column = i > 0 && column + len + 3 <= LINE_MAX_BYTES ? column + len + 2 : len;
		buf_printf(out, "`%s`", names[i]);
	}
	buf_puts(out, ".\n");
}

static void put_methods(struct arena *a, struct buf *out, const struct coverage *c)
{
	buf_printf(out,
		   "Advertised %d of the reference's %d; first tier (what its own clients call) %d of %d, and %d of\n"
		   "the %d that are callable without being named.\n\nNamed by hello-ok:\n",
		   c->advertised, c->reference, c->t1_done, c->t1, c->t1_hidden_done, c->t1_hidden);
	put_names(a, out, false);
	buf_puts(out, "\nAnswered without being named. What has no subject in this version yet refuses with UNAVAILABLE and\n"
		      "says what is missing:\n");
	put_names(a, out, true);
}

static void test_documented(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	CH_AUTO_BUF struct buf doc = {0};
	CH_AUTO_BUF struct buf wanted = {0};
	struct coverage c = count_coverage(reference_methods(a));
	const char *begin, *end;

	print_message("# advertised %d of the reference's %d, T1 done %d of %d, hidden T1 %d of %d\n", c.advertised,
		      c.reference, c.t1_done, c.t1, c.t1_hidden_done, c.t1_hidden);
	assert_int_equal(c.reference, 466);
	assert_int_equal(c.t1, 178);
	assert_int_equal(file_read(DOC_PATH, 1u << 20, &doc, NULL), CH_OK);
	begin = strstr(buf_str(&doc), BEGIN);
	end = strstr(buf_str(&doc), END);
	assert_non_null(begin);
	assert_non_null(end);
	buf_init(&wanted, 1u << 20);
	buf_append(&wanted, doc.data, (size_t)(begin - doc.data) + strlen(BEGIN));
	put_methods(a, &wanted, &c);
	buf_puts(&wanted, end);
	if (getenv("CHELA_UPDATE_DOCS"))
		assert_int_equal(file_write_atomic(DOC_PATH, wanted.data, wanted.len, 0644, NULL), CH_OK);
	else if (!str_eq(buf_str(&doc), buf_str(&wanted)))
		fail_msg("docs/compatibility.md is not current: "
			 "CHELA_UPDATE_DOCS=1 meson test -C build gateway/test_methods");
}

static bool scope_is(struct arena *a, const struct gw_method *m, const char *scope)
{
	if (str_eq(scope, "node"))
		return m->flags & GW_NODE_ROLE;
	if (str_eq(scope, "dynamic"))
		return m->dynamic_scope || m->scope;
	return !m->dynamic_scope && m->scope &&
	       str_eq(scope_name(m->scope), arena_printf(a, "operator.%s", scope));
}

/* Ours alone, for our own command line; not named in hello-ok. */
static bool is_ours(const struct gw_method *m)
{
	static const char *const names[] = { "channels.deadLetters.list", "channels.deadLetters.resubmit", "channels.logs",
					     "channels.pairing.approveCode", "channels.pairing.dismissCode",
					     "channels.pairing.revoke", "channels.pairing.state" };

	return str_in(m->name, names, CH_ARRAY_LEN(names)) && (m->flags & GW_HIDDEN);
}

/* Whatever we answer is one of the reference's methods, with its scope, and is named only if it is there. */
static void test_is_the_references(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	const struct json *rows = reference_methods(a);
	size_t families;
	const struct gw_method_family *f = gw_method_families(&families);

	for (size_t i = 0; i < families; i++) {
		for (size_t k = 0; k < *f[i].count; k++) {
			const struct gw_method *m = &f[i].rows[k];
			const struct json *row = find_reference(rows, m->name);

			if (!row && is_ours(m))
				continue;
			if (!row)
				fail_msg("%s is not a method of the reference (%s)", m->name, REFERENCE_PATH);
			if (!scope_is(a, m, json_get_str(row, "scope")))
				fail_msg("%s: the reference's scope is %s", m->name, json_get_str(row, "scope"));
			if (has_flag(row, "hidden") && !(m->flags & GW_HIDDEN))
				fail_msg("%s: the reference does not name it", m->name);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_walk),
		cmocka_unit_test(test_promised),
		cmocka_unit_test(test_documented),
		cmocka_unit_test(test_is_the_references),
	};

	return cmocka_run_group_tests_name("gateway/method_table", tests, NULL, NULL);
}
