/*
 * gateway/method_table: each family sorted, each name once, each row complete.
 */
#include "gwtest.h"

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
		if (p->type == GP_ENUM && !p->choices)
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

/* docs/compatibility.md names what hello-ok names, and counts it. */
static void test_documented(void **state)
{
	CH_AUTO_BUF struct buf doc = { 0 };
	size_t families, advertised = 0;
	const struct gw_method_family *f = gw_method_families(&families);
	char quoted[80];

	assert_int_equal(file_read(TEST_FIXTURES "/../../docs/compatibility.md", 1u << 20, &doc, NULL), CH_OK);
	for (size_t i = 0; i < families; i++) {
		for (size_t j = 0; j < *f[i].count; j++) {
			if (f[i].rows[j].flags & GW_HIDDEN)
				continue;
			advertised++;
			snprintf(quoted, sizeof(quoted), "`%s`", f[i].rows[j].name);
			if (!strstr(buf_str(&doc), quoted))
				fail_msg("docs/compatibility.md does not name %s", quoted);
		}
	}
	snprintf(quoted, sizeof(quoted), "hello-ok names these %zu ", advertised);
	if (!strstr(buf_str(&doc), quoted))
		fail_msg("docs/compatibility.md does not say \"%s\"", quoted);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_walk),
		cmocka_unit_test(test_promised),
		cmocka_unit_test(test_documented),
	};

	return cmocka_run_group_tests_name("gateway/method_table", tests, NULL, NULL);
}
