/*
 * gateway/event: the table, the frame around a payload, merging of deltas.
 */
#include "gwtest.h"

#include "core/str.h"
#include "gateway/event_priv.h"

static void test_table(void **state)
{
	size_t count;
	const struct event_row *rows = event_rows(&count);

	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			assert_true(strcmp(rows[i - 1].name, rows[i].name) < 0);
		assert_ptr_equal(event_find(rows[i].name), &rows[i]);
		/* Either everybody or a scope. */
		assert_true(!rows[i].scope == !!(rows[i].flags & EVENT_ANY_ROLE));
		assert_true(strlen(rows[i].name) < 40);          /* fits the frame's prefix */
	}
	assert_null(event_find("no.such"));
	assert_null(event_find(""));
	assert_null(event_find("chat."));
}

/* What is advertised is in the table and not hidden, and the other way round. */
static void test_advertised(void **state)
{
	size_t count, shown = 0, listed = 0;
	const struct event_row *rows = event_rows(&count);

	for (size_t i = 0; i < count; i++)
		shown += !(rows[i].flags & EVENT_HIDDEN);
	for (const char *const *name = gw_event_names(); *name; name++, listed++) {
		assert_non_null(event_find(*name));
		assert_false(event_find(*name)->flags & EVENT_HIDDEN);
	}
	assert_int_equal(shown, listed);
}

static void test_suffix(void **state)
{
	struct gw_event ev = { .name = "tick" };
	char out[192];

	event_suffix(out, sizeof(out), 7, &ev, false);
	assert_string_equal(out, ",\"seq\":7}");
	event_suffix(out, sizeof(out), 7, &ev, true);
	assert_string_equal(out, ",\"seq\":7,\"recipientProfileId\":\"gateway-owner\"}");
	ev.presence_version = 2;
	ev.health_version = 9;
	event_suffix(out, sizeof(out), 1, &ev, true);
	assert_string_equal(out, ",\"seq\":1,\"stateVersion\":{\"presence\":2,\"health\":9},"
				 "\"recipientProfileId\":\"gateway-owner\"}");
	ev.presence_version = 0;
	event_suffix(out, sizeof(out), 1, &ev, false);
	assert_string_equal(out, ",\"seq\":1,\"stateVersion\":{\"health\":9}}");
	ev = (struct gw_event){ .flags = GW_EV_NO_SEQ };
	event_suffix(out, sizeof(out), 5, &ev, true);
	assert_string_equal(out, "}");
	/* The longest there can be fits the buffer that event.c has. */
	ev = (struct gw_event){ .presence_version = INT64_MAX, .health_version = INT64_MAX };
	assert_true(event_suffix(out, sizeof(out), INT64_MAX, &ev, true) < sizeof(out));
}

static struct conn_held held(const char *payload, size_t at, size_t len)
{
	struct conn_held h = { .event = "chat", .delta_at = at, .delta_len = len };

	buf_init(&h.payload, 4096);
	buf_puts(&h.payload, payload);
	return h;
}

/* Where the characters of a delta stand in {"deltaText":"…"}. */
#define AT 14

static void test_join(void **state)
{
	struct conn_held h = held("{\"deltaText\":\"ab\",\"text\":\"ab\"}", AT, 2);
	struct gw_event next = {
		.payload = "{\"deltaText\":\"c\\n\",\"text\":\"abc\\n\"}", .delta_at = AT, .delta_len = 3};

	next.len = strlen(next.payload);
	event_join_delta(&h, &next);
	assert_string_equal(buf_str(&h.payload), "{\"deltaText\":\"abc\\n\",\"text\":\"abc\\n\"}");
	assert_int_equal(h.delta_len, 5);
	next.payload = "{\"deltaText\":\"\",\"text\":\"abc\\n\"}";
	next.len = strlen(next.payload);
	next.delta_len = 0;
	event_join_delta(&h, &next);
	assert_string_equal(buf_str(&h.payload), "{\"deltaText\":\"abc\\n\",\"text\":\"abc\\n\"}");
	buf_done(&h.payload);
}

/* A snapshot replaces; nothing of the older one may be spliced in. */
static void test_join_snapshot(void **state)
{
	struct conn_held h = held("{\"deltaText\":\"ab\"}", AT, 2);
	struct gw_event next = { .payload = "{\"text\":\"x\"}", .len = 12 };

	event_join_delta(&h, &next);
	assert_string_equal(buf_str(&h.payload), "{\"text\":\"x\"}");
	assert_int_equal(h.delta_len, 0);
	buf_done(&h.payload);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),         cmocka_unit_test(test_advertised),
		cmocka_unit_test(test_suffix),        cmocka_unit_test(test_join),
		cmocka_unit_test(test_join_snapshot),
	};

	return cmocka_run_group_tests_name("gateway/event", tests, NULL, NULL);
}
