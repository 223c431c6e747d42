/*
 * channels/table: the rows are sorted, whole, and what a row says it can is there; IRC's own ids, places and keys.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "channels/channel.h"
#include "channels/irc.h"
#include "core/str.h"

static struct arena *arena;
static struct ch_err err;

static int set_up(void **state)
{
	arena = arena_new(0);
	return 0;
}

static int tear_down(void **state)
{
	arena_unref(arena);
	return 0;
}

#define each_row(ops) \
	size_t count_; const struct chan_ops *const *rows_ = chan_table(&count_); \
	for (const struct chan_ops *ops; count_ && (ops = *rows_); rows_++, count_--)

static void test_sorted_and_found(void **state)
{
	const char *last = "";
	size_t count;

	chan_table(&count);
	assert_true(count >= 2);
	assert_null(chan_table(&count)[count]);
	each_row(ops) {
		assert_true(strcmp(last, ops->id) < 0);
		assert_ptr_equal(chan_find(ops->id), ops);
		last = ops->id;
	}
	assert_null(chan_find("nothing"));
}

static void same(const struct chan_ops *ops, unsigned cap, bool is_there, const char *what)
{
	if (!(ops->caps & cap) != !is_there)
		fail_msg("%s: its caps and its function %s do not agree", ops->id, what);
}

static void test_caps_are_true(void **state)
{
	each_row(ops) {
		same(ops, CHAN_EDIT, ops->edit, "edit");
		same(ops, CHAN_STREAM, ops->stream, "stream");
		same(ops, CHAN_DELETE, ops->remove, "remove");
		same(ops, CHAN_REACT, ops->react, "react");
		same(ops, CHAN_TYPING, ops->typing, "typing");
		same(ops, CHAN_HISTORY, ops->history, "history");
		same(ops, CHAN_MEDIA, ops->fetch, "fetch");
		same(ops, CHAN_POLL, ops->limits.options_max > 0, "send of polls");
		same(ops, CHAN_BUTTONS, ops->limits.buttons_max > 0, "send of buttons");
		assert_int_equal(!ops->webhook, !ops->webhook_path);
	}
}

static void test_rows_are_whole(void **state)
{
	each_row(ops) {
		assert_true(ops->id && ops->label && ops->detail_label && ops->run && ops->send && ops->check);
		assert_true(ops->id_parse && ops->target_parse && ops->streaming && ops->reply_mode && ops->secrets);
		assert_true(ops->limits.text_max > 0 && ops->limits.text_default > 0);
		assert_true(ops->limits.text_default <= ops->limits.text_max);
		assert_true(ops->limits.rate > 0 && ops->limits.burst > 0);
		assert_true(!ops->limits.peer_rate || ops->limits.peer_burst > 0);
	}
}

/* Every credential, and what access asks of all, is a key of the network and of its accounts. */
static void test_keys_are_in_the_schema(void **state)
{
	static const char *const common[] = { "allowFrom", "dmPolicy", "enabled", "groupAllowFrom", "groupPolicy", "textChunkLimit", NULL };

	each_row(ops) {
		const char *const *lists[] = { common, ops->secrets };

		for (size_t l = 0; l < CH_ARRAY_LEN(lists); l++)
			for (const char *const *key = lists[l]; *key; key++) {
				if (!config_row_find(arena_printf(arena, "channels.%s.%s", ops->id, *key)) ||
				    !config_row_find(arena_printf(arena, "channels.%s.accounts.x.%s", ops->id, *key)))
					fail_msg("%s: %s is not in the schema", ops->id, *key);
			}
	}
}

/* -- IRC -- */

static void test_irc_ids(void **state)
{
	static const struct { enum chan_id_use use; const char *text, *want; } rows[] = {
		{ CHAN_ID_SENDER, " Alice!~A@Host.Example ", "alice!~a@host.example" },
		{ CHAN_ID_SENDER, "irc:a!b@c", "a!b@c" },
		{ CHAN_ID_SENDER, "alice", NULL },
		{ CHAN_ID_SENDER, "alice!a", NULL },
		{ CHAN_ID_SENDER, "alice!@h", NULL },
		{ CHAN_ID_SENDER, "*!*@*", NULL },
		{ CHAN_ID_SENDER, "alice!*@host", NULL },
		{ CHAN_ID_SENDER, "a!b@c d", NULL },
		{ CHAN_ID_SENDER, "#room", NULL },
		{ CHAN_ID_GROUP, "#Room", "#room" },
		{ CHAN_ID_GROUP, "channel:#x", "#x" },
		{ CHAN_ID_GROUP, "room", NULL },
		{ CHAN_ID_GROUP, "#a,#b", NULL },
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		const char *why = NULL, *id = chan_irc.id_parse(arena, rows[i].use, rows[i].text, &why);

		if (!str_eq(id, rows[i].want))
			fail_msg("%s: %s", rows[i].text, id ? id : "refused");
		assert_int_equal(!id, !!why);
	}
}

static void test_irc_places(void **state)
{
	struct chan_peer p;

	assert_int_equal(chan_irc.target_parse(arena, "#Room", &p, &err), CH_OK);
	assert_int_equal(p.kind, CHAN_GROUP);
	assert_string_equal(p.id, "#room");
	assert_int_equal(chan_irc.target_parse(arena, "user:Alice", &p, &err), CH_OK);
	assert_int_equal(p.kind, CHAN_DIRECT);
	assert_string_equal(p.id, "alice");
	assert_int_equal(chan_irc.target_parse(arena, "alice\r\nQUIT", &p, &err), CH_E_INVALID);
	assert_int_equal(chan_irc.target_parse(arena, "#a b", &p, &err), CH_E_INVALID);
	assert_int_equal(chan_irc.target_parse(arena, "", &p, &err), CH_E_INVALID);
}

/* "" : good; else what the error says. */
static const char *checked(const char *section)
{
	CH_AUTO(config_unref) struct config *c = NULL;
	CH_AUTO(chan_cfg_unref) struct chan_cfg *cfg = NULL;
	char *text = arena_printf(arena, "{channels:{irc:%s}}", section);

	if (config_parse(text, strlen(text), NULL, &c, &err))
		fail_msg("%s: %s", section, err.text);
	cfg = chan_cfg_new(c, "irc", "default");
	return chan_irc.check(cfg, &err) ? arena_strdup(arena, err.text) : "";
}

static void test_irc_keys(void **state)
{
	static const struct { const char *section, *want; } rows[] = {
		{ "{host:'h',nick:'n'}", "" },
		{ "{nick:'n'}", "channels.irc.host is not set" },
		{ "{host:'h'}", "channels.irc.nick is not set" },
		{ "{host:'h x',nick:'n'}", "no host name" },
		{ "{host:'h',nick:'1n'}", "channels.irc.nick is no nick" },
		{ "{host:'h',nick:'n',username:'a@b'}", "no user name" },
		{ "{host:'h',nick:'n',tls:false,sasl:{password:'p'}}", "for everybody to read" },
		{ "{host:'127.0.0.1',nick:'n',tls:false,sasl:{password:'p'}}", "" },
		{ "{host:'h',nick:'n',sasl:{password:'p'}}", "" },
		{ "{host:'h',nick:'n',nickserv:{register:true,password:'p'}}", "registerEmail is not set" },
		{ "{host:'h',nick:'n',nickserv:{service:'a b'}}", "nickserv.service is no nick" },
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		const char *text = checked(rows[i].section);

		if (!*rows[i].want ? *text : !strstr(text, rows[i].want))
			fail_msg("%s: \"%s\"", rows[i].section, text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sorted_and_found),
		cmocka_unit_test(test_caps_are_true),
		cmocka_unit_test(test_rows_are_whole),
		cmocka_unit_test(test_keys_are_in_the_schema),
		cmocka_unit_test(test_irc_ids),
		cmocka_unit_test(test_irc_places),
		cmocka_unit_test(test_irc_keys),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
