/*
 * egress_host.h - a host with the fake networks and its outbox, for the tests of what goes out. The clock is the tests'; the database is
 * in memory and outlives a restart; notices are counted.
 */
#ifndef CH_TESTS_EGRESS_HOST_H
#define CH_TESTS_EGRESS_HOST_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "channels/egress.h"
#include "channels/outbox.h"
#include "core/clock.h"
#include "core/fiber.h"
#include "core/file.h"
#include "core/mem.h"
#include "core/str.h"
#include "../temp_dir.h"
#include "host_world.h"

#define ONE "{channels:{telegram:{botToken:'1:a'}}}"
#define WITH_IRC "{channels:{telegram:{botToken:'1:a'},irc:{host:'irc.example.org',nick:'bot'}}}"

static char dir[TEMP_DIR_MAX];
static struct { char text[600]; char session[64]; int count; } notice;

static inline void on_notice(void *arg, const char *session_key, const char *text)
{
	notice.count++;
	snprintf(notice.text, sizeof(notice.text), "%s", text);
	snprintf(notice.session, sizeof(notice.session), "%s", session_key ? session_key : "");
}

static inline ch_status workspace(void *arg, const char *agent_id, struct arena *a, const char **ret, struct ch_err *e)
{
	*ret = arena_printf(a, "%s/workspace", dir);
	return CH_OK;
}

static inline void identity(void *arg, const char *agent_id, struct arena *a, const char **ret_name, const char **ret_emoji)
{
	*ret_name = "Molly";
	*ret_emoji = NULL;
}

static inline void answerer(void *arg, const char *session_key, const char *run_id, struct arena *a, struct chan_answerer *ret)
{
	if (str_eq(run_id, "turn"))
		*ret = (struct chan_answerer){ "acme", "small-1", "high" };
}

static inline void new_host(void)
{
	new_world_host(dir, fake_networks);
	chan_host_set_up(host, &(struct chan_up){ .notice = on_notice, .workspace = workspace, .identity = identity,
						   .answerer = answerer });
}

static inline int set_up(void **state)
{
	memset(&notice, 0, sizeof(notice));
	temp_dir_make(dir, "egress");
	world_open();
	set_config("{}");
	new_host();
	return 0;
}

static inline int tear_down(void **state)
{
	world_close();
	temp_dir_remove(dir);
	return 0;
}

/* Time goes on while the host waits for what is being sent. */
static bool is_drained;

static inline void tick(void *arg)
{
	while (!is_drained) {
		for (int i = 0; i < 5; i++)
			if (fiber_yield())
				return;
		clock_fake(now_mono_ms() + 100, now_wall_ms() + 100);
	}
}

static inline void drain(void)
{
	struct fiber *ticker;

	is_drained = false;
	ticker = fiber_spawn(loop, "tick", FIBER_JOINABLE, tick, NULL);
	chan_host_drain(host, fiber_deadline(4000));
	is_drained = true;
	assert_int_equal(fiber_join(ticker, fiber_deadline(60000)), CH_OK);
}

/* The gateway goes, whatever is at the network then, and comes again on the same database. */
static inline void restart(void)
{
	drain();
	chan_host_free(host);
	new_host();
	start();
}

static inline void body_fiber(void *arg)
{
	body();
	drain();
	loop_stop(loop);
}

static inline void in_host(const char *text, void (*fn)(void))
{
	set_config(text);
	in_world(body_fiber, fn);
}

static inline struct chan_egress *out(void)
{
	return chan_host_egress(host);
}

static inline int64_t put_as(const char *peer, const char *text, const char *key)
{
	struct chan_message m = { .key = key, .channel = "telegram", .peer = { .kind = CHAN_DIRECT, .id = peer }, .text = text,
				  .origin = "reply", .session_key = "agent:main:main", .run_id = "r1" };
	int64_t id = 0;

	if (egress_put(out(), &m, &id, &err))
		fail_msg("%s", err.text);
	return id;
}

static inline int64_t put(const char *peer, const char *text)
{
	int64_t id = put_as(peer, text, NULL);

	turns();
	return id;
}

static inline struct arena *scratch(void)
{
	static struct arena *a;

	if (!a)
		a = arena_new(0);
	return a;
}

static inline struct outbox_row row_of(int64_t id)
{
	struct outbox_row r;

	assert_int_equal(outbox_get(db, id, scratch(), &r, &err), CH_OK);
	return r;
}

#define assert_row(id, want) assert_string_equal(outbox_state_name(row_of(id).state), want)

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
