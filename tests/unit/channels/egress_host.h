/*
 * egress_host.h - a host with the fake networks and its outbox, for the tests of what goes out. The clock is the tests'; the database is
 * in memory and outlives a restart; notices are counted.
 */
#ifndef CH_TESTS_EGRESS_HOST_H
#define CH_TESTS_EGRESS_HOST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <ftw.h>
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
#include "fake_network.h"

#define ONE "{channels:{telegram:{botToken:'1:a'}}}"
#define WITH_IRC "{channels:{telegram:{botToken:'1:a'},irc:{host:'irc.example.org',nick:'bot'}}}"

static struct loop *loop;
static struct db *db;
static struct config *config;
static struct chan_host *host;
static struct ch_err err;
static char dir[32];
static void (*body)(void);
static struct { char text[600]; char session[64]; int count; } notice;

static inline struct config *config_now(void *arg)
{
	return config;
}

static inline void set_config(const char *text)
{
	config_unref(config);
	if (config_parse(text, strlen(text), NULL, &config, &err))
		fail_msg("%s", err.text);
	if (host)
		chan_host_config_changed(host);
}

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
	host = chan_host_new(&(struct chan_host_opts){ .loop = loop, .db = db, .state_dir = dir, .config = config_now,
						       .networks = fake_networks });
	chan_host_set_up(host, &(struct chan_up){ .notice = on_notice, .workspace = workspace, .identity = identity,
						   .answerer = answerer });
}

static inline int set_up(void **state)
{
	fake_reset();
	memset(&notice, 0, sizeof(notice));
	memset(&err, 0, sizeof(err));
	config = NULL;
	host = NULL;
	snprintf(dir, sizeof(dir), "/tmp/chela-egress-XXXXXX");
	assert_non_null(mkdtemp(dir));
	loop = loop_new();
	assert_int_equal(db_open(":memory:", DB_CREATE, &db, &err), CH_OK);
	clock_fake(1000000, 1795332738000);
	set_config("{}");
	new_host();
	return 0;
}

static inline int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	return remove(path);
}

static inline int tear_down(void **state)
{
	chan_host_free(host);
	config_unref(config);
	db_close(db);
	loop_free(loop);
	clock_real();
	fake_reset();
	nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return 0;
}

static inline void turns(void)
{
	for (int i = 0; i < 30; i++)
		assert_int_equal(fiber_yield(), CH_OK);
}

static inline void pass(int64_t ms)
{
	clock_fake(now_mono_ms() + ms, now_wall_ms() + ms);
	turns();
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

static inline void start(void)
{
	assert_int_equal(chan_host_start(host, &err), CH_OK);
	turns();
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
	body = fn;
	fiber_spawn(loop, "test", FIBER_DETACHED, body_fiber, NULL);
	loop_run(loop);
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
