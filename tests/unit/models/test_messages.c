/* models/messages: pairing of calls and results, what is dropped, what moves. */
#include "models_fixture.h"

/* user:u, assistant:A(text, call id), tool:T(id[!] text). */
static void render(const struct history *h, struct buf *out)
{
	for (const struct msg *m = h->first; m; m = m->next) {
		buf_puts(out, m->role == MSG_USER ? "U" : m->role == MSG_ASSISTANT ? "A" : "T");
		if (m->role == MSG_TOOL)
			buf_printf(out, ":%s%s", m->call_id, m->is_error ? "!" : "");
		for (const struct block *b = m->first; b; b = b->next) {
			switch (b->kind) {
			case BLOCK_TEXT: buf_printf(out, " %s", b->text); break;
			case BLOCK_THINKING: buf_printf(out, " <%s %s>", b->text, b->signature ? b->signature : "-"); break;
			case BLOCK_IMAGE: buf_printf(out, " [%s]", b->mime); break;
			case BLOCK_CALL: buf_printf(out, " %s=%s()", b->id, b->name); break;
			}
		}
		buf_putc(out, '\n');
	}
}

static const struct {
	const char *name, *messages, *expected; /* NULL: refused */
} cases[] = {
	{ "plain", "[{role:'user',content:'a'},{role:'assistant',content:[{type:'text',text:'b'}]},{role:'user',content:'c'}]",
	  "U a\nA b\nU c\n" },
	{ "unknown roles and blocks", "[{role:'custom',content:'x'},{role:'user',content:[{type:'video'},{type:'text',text:'a'}]},7]",
	  "U a\n" },
	{ "blank texts", "[{role:'user',content:' \\n'},{role:'user',content:'a'},{role:'assistant',content:[{type:'text',text:''}]}]",
	  "U a\n" },
	{ "a call and its result",
	  "[{role:'assistant',content:[{type:'toolCall',id:'1',name:'f',arguments:{}}]},"
	  "{role:'toolResult',toolCallId:'1',content:'r'}]",
	  "A 1=f()\nT:1 r\n" },
	{ "results in another order, one with the user's word between",
	  "[{role:'assistant',content:[{type:'toolCall',id:'1',name:'f',arguments:{}},{type:'toolCall',id:'2',name:'g',arguments:{}}]},"
	  "{role:'toolResult',toolCallId:'2',content:'b'},{role:'user',content:'u'},{role:'toolResult',toolCallId:'1',content:'a'}]",
	  "A 1=f() 2=g()\nT:1 a\nT:2 b\nU u\n" },
	{ "a result is missing",
	  "[{role:'assistant',content:[{type:'toolCall',id:'1',name:'f',arguments:{}}]},{role:'user',content:'u'}]",
	  "A 1=f()\nT:1! No result: the call was interrupted before it ended.\nU u\n" },
	{ "a result too many, and one of nobody",
	  "[{role:'toolResult',toolCallId:'0',content:'x'},{role:'assistant',content:[{type:'toolCall',id:'1',name:'f',arguments:{}}]},"
	  "{role:'toolResult',toolCallId:'1',content:'a'},{role:'toolResult',toolCallId:'1',content:'again'},"
	  "{role:'toolResult',toolCallId:'9',content:'who'}]",
	  "A 1=f()\nT:1 a\n" },
	{ "the same id twice in one turn",
	  "[{role:'assistant',content:[{type:'toolCall',id:'1',name:'f',arguments:{}},{type:'toolCall',id:'1',name:'g',arguments:{}}]},"
	  "{role:'toolResult',toolCallId:'1',content:'first'},{role:'toolResult',toolCallId:'1',content:'second',isError:true}]",
	  "A 1=f() 1=g()\nT:1 first\nT:1! second\n" },
	{ "the same id in two turns; the first result never came",
	  "[{role:'assistant',content:[{type:'toolCall',id:'1',name:'f',arguments:{}}]},"
	  "{role:'assistant',content:[{type:'toolCall',id:'1',name:'f',arguments:{}}]},{role:'toolResult',toolCallId:'1',content:'r'}]",
	  "A 1=f()\nT:1! No result: the call was interrupted before it ended.\nA 1=f()\nT:1 r\n" },
	{ "calls that cannot be repeated",
	  "[{role:'user',content:'u'},{role:'assistant',content:[{type:'toolCall',name:'f',arguments:{}},{type:'toolCall',id:'1',arguments:{}},"
	  "{type:'toolCall',id:'2',name:'g'},{type:'text',text:'t'}]},{role:'toolResult',toolCallId:'2',content:'x'}]",
	  "U u\nA t\n" },
	{ "malformed arguments keep their pair",
	  "[{role:'assistant',content:[{type:'toolCall',id:'1',name:'f',arguments:'{\"a'}]},"
	  "{role:'toolResult',toolCallId:'1',content:'bad JSON',isError:true}]",
	  "A 1=f()\nT:1! bad JSON\n" },
	{ "a failed reply is marked, an empty one is gone, one with calls stays",
	  "[{role:'user',content:'a'},{role:'assistant',stopReason:'error',content:[{type:'text',text:'half'}]},"
	  "{role:'assistant',stopReason:'error',content:[]},"
	  "{role:'assistant',stopReason:'error',content:[{type:'toolCall',id:'1',name:'f',arguments:{}}]},"
	  "{role:'toolResult',toolCallId:'1',content:'r'}]",
	  "U a\nA (This reply failed before it was complete.)\nA 1=f()\nT:1 r\n" },
	{ "thinking", "[{role:'assistant',content:[{type:'thinking',thinking:'t'},{type:'thinking',thinking:'',thinkingSignature:'s'},"
	  "{type:'thinking',thinking:''}]}]",
	  "A <t -> < s>\n" },
	{ "images: named either way, broken ones dropped",
	  "[{role:'user',content:[{type:'image',data:'QQ==',mimeType:'image/png'},{type:'image',content:'QQ==',mimeType:'image/gif'},"
	  "{type:'image',data:'QQ=='}]}]",
	  "U [image/png] [image/gif]\n" },
	{ "nothing", "[]", NULL },
	{ "nothing of use", "[{role:'user',content:''}]", NULL },
};

static void test_cases(void **state)
{
	for (size_t i = 0; i < CH_ARRAY_LEN(cases); i++) {
		CH_AUTO(arena_unref) struct arena *a = arena_new(0);
		CH_AUTO_BUF struct buf out = { .max_bytes = 4096 };
		struct history h = { NULL, NULL };
		struct json *messages = NULL;
		struct ch_err err;
		ch_status st;

		assert_int_equal(json_parse(a, cases[i].messages, strlen(cases[i].messages), JSON_JSON5, &messages, &err), CH_OK);
		st = history_prepare(a, messages, true, &h, &err);
		assert_int_equal(st, cases[i].expected ? CH_OK : CH_E_INVALID);
		if (st)
			continue;
		render(&h, &out);
		if (strcmp(buf_str(&out), cases[i].expected) != 0)
			fail_msg("%s:\n%s\nexpected:\n%s", cases[i].name, buf_str(&out), cases[i].expected);
		assert_ptr_equal(h.last->next, NULL);
	}
}

static void test_images_for_a_model_without_eyes(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	static const char text[] = "[{role:'user',content:[{type:'image',data:'QQ==',mimeType:'image/png'}]}]";
	struct json *messages = NULL;
	struct history h;

	assert_int_equal(json_parse(a, text, strlen(text), JSON_JSON5, &messages, NULL), CH_OK);
	assert_int_equal(history_prepare(a, messages, false, &h, NULL), CH_OK);
	assert_string_equal(msg_text(a, h.first), "(An image stood here; this model reads text only.)");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_images_for_a_model_without_eyes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
