/*
 * channels/target, action: words for a place, and what the parameters of an action mean.
 */
#include <string.h>

#include "channels/action.h"
#include "core/fiber.h"
#include "core/str.h"
#include "host_world.h"

#define ONE "{channels:{telegram:{botToken:'1:a',defaultTo:'77'}}}"
#define TWO "{channels:{telegram:{accounts:{work:{botToken:'1:a'},home:{botToken:'2:b'}}},irc:{host:'irc.example.org',nick:'bot'}}}"

static struct arena *arena;

static int set_up(void **state)
{
	arena = arena_new(0);
	world_open();
	set_config("{}");
	new_world_host("/nowhere", fake_networks);
	return 0;
}

static int tear_down(void **state)
{
	world_close();
	arena_unref(arena);
	return 0;
}

static void body_fiber(void *arg)
{
	assert_int_equal(chan_host_start(host, &err), CH_OK);
	body();
	chan_host_drain(host, fiber_deadline(1000));
	loop_stop(loop);
}

static void in_host(const char *text, void (*fn)(void))
{
	set_config(text);
	in_world(body_fiber, fn);
}

/* "telegram/work -5#4", or the error. */
static const char *where(const char *channel, const char *account, const char *text, const char *thread)
{
	struct chan_target t;

	if (chan_target(host, channel, account, text, thread, arena, &t, &err))
		return arena_strdup(arena, err.text);
	return arena_printf(arena, "%s/%s %s%s%s", t.ops->id, t.account, t.peer.id, t.peer.thread ? "#" : "",
			    t.peer.thread ? t.peer.thread : "");
}

static void one_body(void)
{
	assert_string_equal(where(NULL, NULL, "5", NULL), "telegram/default 5");
	assert_string_equal(where(NULL, NULL, "telegram:5", "9"), "telegram/default 5#9");
	assert_string_equal(where("telegram", NULL, "telegram:5", NULL), "telegram/default 5");
	assert_string_equal(where("telegram", "", NULL, NULL), "telegram/default 77");
	assert_non_null(strstr(where("slack", NULL, "5", NULL), "unsupported channel: slack"));
	assert_non_null(strstr(where("irc", NULL, "telegram:5", NULL), "is a place of Telegram, not of IRC"));
	assert_non_null(strstr(where("irc", NULL, "#room", NULL), "has no account"));
	assert_non_null(strstr(where("telegram", "work", "5", NULL), "no account 'work'"));
}

static void test_targets(void **state)
{
	in_host(ONE, one_body);
}

static void several_body(void)
{
	assert_string_equal(where(NULL, NULL, "5", NULL), "channel is required when several are configured: irc, telegram");
	assert_string_equal(where(NULL, NULL, "irc:#room", NULL), "irc/default #room");
	assert_string_equal(where("telegram", NULL, "5", NULL), "telegram/home 5");
	assert_string_equal(where("telegram", "work", "5", NULL), "telegram/work 5");
	assert_non_null(strstr(where("telegram", NULL, NULL, NULL), "a target is needed"));
}

static void test_targets_among_several(void **state)
{
	in_host(TWO, several_body);
}

/* -- actions -- */

static const struct chan_place here = { .channel = "telegram", .account = "default", .peer = { .kind = CHAN_GROUP, .id = "-5",
					.thread = "4" }, .message_id = "31" };

static ch_status read_as(const char *action, const char *params, const struct chan_place *at, struct chan_action *ret)
{
	struct json *v;

	assert_int_equal(json_parse(arena, params, strlen(params), JSON_JSON5, &v, &err), CH_OK);
	return chan_action_read(host, &(struct chan_action_in){ .action = action, .params = v, .here = at, .origin = "tool" }, arena,
				ret, &err);
}

static void here_body(void)
{
	struct chan_action x;

	assert_int_equal(read_as("react", "{emoji:'x'}", &here, &x), CH_OK);
	assert_true(x.is_here);
	assert_string_equal(x.message_id, "31");
	assert_string_equal(x.target.peer.thread, "4");
	assert_int_equal(read_as("send", "{message:'m',threadId:8}", &here, &x), CH_OK);
	assert_false(x.is_here);         /* another topic is another place */
	assert_string_equal(x.message.peer.thread, "8");
	assert_int_equal(read_as("send", "{message:'m',to:'-5'}", &here, &x), CH_OK);
	assert_false(x.is_here);
	assert_int_equal(read_as("send", "{message:'m',to:'-5',threadId:'4'}", &here, &x), CH_OK);
	assert_true(x.is_here);
	assert_int_equal(read_as("delete", "{to:'9'}", &here, &x), CH_E_INVALID);
	assert_non_null(strstr(err.text, "delete needs messageId"));
}

static void test_threat_confused_place_here_is_exactly_here(void **state)
{
	in_host(ONE, here_body);
}

static void kinds_body(void)
{
	struct chan_action x;

	assert_int_equal(read_as("send", "{to:'5',media:['a.png','https://example.org/b'],buffer:'aGk=',filename:'n'}", NULL, &x), CH_OK);
	assert_int_equal(x.message.file_count, 1);       /* bytes go before names */
	assert_memory_equal(x.message.files[0].data, "hi", 2);
	assert_int_equal(read_as("send", "{to:'5',media:['a.png','https://example.org/b'],attachments:[{buffer:'aGk='}]}", NULL, &x),
			 CH_OK);
	assert_int_equal(x.message.file_count, 3);
	assert_string_equal(x.message.files[0].path, "a.png");
	assert_string_equal(x.message.files[1].url, "https://example.org/b");
	assert_int_equal(read_as("send", "{to:'5',buffer:'%%%'}", NULL, &x), CH_E_INVALID);
	assert_int_equal(read_as("send", "{to:'5',message:'x',parseMode:'HTML'}", NULL, &x), CH_E_UNSUPPORTED);
	assert_int_equal(read_as("poll", "{to:'5',pollQuestion:'q',pollOption:['a','b','c'],pollMulti:true,pollDurationHours:'2'}", NULL, &x),
			 CH_OK);
	assert_int_equal(x.message.poll->max_selections, 3);
	assert_int_equal(x.message.poll->duration_s, 7200);
	assert_true(x.message.poll->is_anonymous);
	assert_int_equal(read_as("poll", "{to:'5',pollQuestion:'q',pollOption:['a']}", NULL, &x), CH_E_INVALID);
	assert_int_equal(read_as("react", "{to:'5',messageId:12}", NULL, &x), CH_OK);
	assert_true(x.is_removed);       /* no emoji: ours are taken away */
	assert_string_equal(x.message_id, "12");
	assert_int_equal(read_as("read", "{to:'5'}", NULL, &x), CH_E_UNSUPPORTED);
	assert_non_null(strstr(err.text, "it can: send, poll, react, edit, delete"));
	assert_int_equal(read_as("kick", "{to:'5'}", NULL, &x), CH_E_UNSUPPORTED);
}

static void test_parameters_of_each_kind(void **state)
{
	in_host(ONE, kinds_body);
}

static void present_body(void)
{
	struct chan_action x;

	assert_int_equal(read_as("send",
				 "{to:'5',presentation:{title:'T',blocks:[{type:'text',text:'hello'},{type:'divider'},"
				 "{type:'table',headers:['a','b'],rows:[[1,'x|y']]},"
				 "{type:'buttons',buttons:[{label:'Go',url:'https://example.org'}]}]}}",
				 NULL, &x),
			 CH_OK);
	assert_string_equal(x.message.text, "**T**\n\nhello\n\n---\n\n| a | b |\n| --- | --- |\n| 1 | x y |\n");
	assert_int_equal(x.message.button_count, 1);
	assert_string_equal(x.message.buttons[0].url, "https://example.org");
	assert_int_equal(read_as("send", "{to:'5',presentation:{blocks:[{type:'map'}]}}", NULL, &x), CH_E_UNSUPPORTED);
	assert_int_equal(read_as("send", "{to:'5',message:'?',buttons:[{label:'Y',value:'y'},{label:'N',value:'n',style:'danger'}]}", NULL,
				 &x),
			 CH_OK);
	assert_string_equal(x.message.buttons[0].data, "v:y");   /* no token of an approval, whatever the value is */
	assert_int_equal(x.message.buttons[1].style, CHAN_BUTTON_DANGER);
	assert_int_equal(read_as("send", "{to:'5',message:'?',buttons:[{label:'Y'}]}", NULL, &x), CH_E_INVALID);
	assert_int_equal(read_as("send", "{to:'5',message:'?',buttons:[{label:'Y',value:'"
				 "0123456789012345678901234567890123456789012345678901234567890123'}]}", NULL, &x), CH_E_INVALID);
	assert_int_equal(read_as("send", "{to:'5',presentation:{}}", NULL, &x), CH_E_INVALID);
}

/* What a button does, in the forms that clients of OpenClaw write. */
static void button_body(void)
{
	static const struct { const char *button, *data, *url; bool opens_app; } rows[] = {
		{ "{label:'a',action:{type:'callback',value:'yes'}}", "v:yes", NULL, false },
		{ "{label:'a',action:{type:'url',url:'https://a.example'},value:'x'}", NULL, "https://a.example", false },
		{ "{label:'a',action:{type:'web-app',url:'https://a.example'}}", NULL, "https://a.example", true },
		{ "{label:'a',webApp:{url:'https://a.example'}}", NULL, "https://a.example", true },
		{ "{label:'a',web_app:{url:'https://a.example'}}", NULL, "https://a.example", true },
	};
	static const char *const wrong[] = { "{label:'a',action:{type:'callback'}}", "{label:'a',action:{type:'url'}}", "{label:'a',webApp:{}}",
					     "{action:{type:'callback',value:'x'}}" };
	struct chan_action x;

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		const char *params = arena_printf(arena, "{to:'5',message:'?',buttons:[%s]}", rows[i].button);

		assert_int_equal(read_as("send", params, NULL, &x), CH_OK);
		assert_true(str_eq(x.message.buttons[0].data, rows[i].data));
		assert_true(str_eq(x.message.buttons[0].url, rows[i].url));
		assert_int_equal(x.message.buttons[0].opens_app, rows[i].opens_app);
	}
	for (size_t i = 0; i < CH_ARRAY_LEN(wrong); i++)
		assert_int_equal(read_as("send", arena_printf(arena, "{to:'5',message:'?',buttons:[%s]}", wrong[i]), NULL, &x), CH_E_INVALID);
	/* Who presses it would do with their own rights what another one wrote. */
	assert_int_equal(read_as("send", "{to:'5',message:'?',buttons:[{label:'a',action:{type:'command',command:'/config'}}]}", NULL, &x),
			 CH_E_UNSUPPORTED);
}

static void test_threat_confused_deputy_buttons(void **state)
{
	in_host(ONE, button_body);
}

static void chart_body(void)
{
	struct chan_action x;

	assert_int_equal(read_as("send",
				 "{to:'5',presentation:{blocks:[{type:'chart',chartType:'line',title:'Sales',yLabel:'EUR',xLabel:'Quarter',"
				 "categories:['Q1','Q2'],series:[{name:'A',values:[1,2.5]},{name:'B',values:[3,4]}]},"
				 "{type:'chart',chartType:'pie',title:'Share',segments:[{label:'a',value:60}]},"
				 "{type:'select',placeholder:'Where?',options:[{label:'Here',value:'h'},{label:'There',value:'t'}]}]}}",
				 NULL, &x),
			 CH_OK);
	assert_string_equal(x.message.text, "**Sales** (EUR)\n\n| Quarter | A | B |\n| --- | --- | --- |\n| Q1 | 1 | 3 |\n| Q2 | 2.5 | 4 |\n"
					    "\n\n**Share**\n\n|  |  |\n| --- | --- |\n| a | 60 |\n\n\n_Where?_");
	assert_int_equal(x.message.button_count, 2);
	assert_true(x.message.buttons[0].ends_row);
	assert_string_equal(x.message.buttons[1].data, "v:t");
}

static void test_charts_and_menus(void **state)
{
	in_host(ONE, chart_body);
}

/* capabilities.inlineButtons says where there are some: elsewhere they are a list. */
static void scope_body(void)
{
	static const struct { const char *to; size_t count; } rows[] = { { "5", 1 }, { "-1005", 0 } };
	struct chan_action x;

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		assert_int_equal(read_as("send", arena_printf(arena, "{to:'%s',message:'?',buttons:[{label:'Yes',value:'y'}]}", rows[i].to), NULL,
					 &x),
				 CH_OK);
		assert_int_equal(x.message.button_count, rows[i].count);
		assert_string_equal(x.message.text, rows[i].count ? "?" : "?\n\n- Yes\n");
	}
}

static void test_where_buttons_are(void **state)
{
	in_host("{channels:{telegram:{botToken:'1:a',capabilities:{inlineButtons:'dm'}}}}", scope_body);
}

static void test_presentations(void **state)
{
	in_host(ONE, present_body);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_targets),
		T(test_targets_among_several),
		T(test_threat_confused_place_here_is_exactly_here),
		T(test_parameters_of_each_kind),
		T(test_presentations),
		T(test_threat_confused_deputy_buttons),
		T(test_charts_and_menus),
		T(test_where_buttons_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
