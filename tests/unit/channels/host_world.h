/*
 * host_world.h - a host of the fake networks on a database in memory, for the tests of what works in one. The database outlives a
 * host, as it does a restart; the clock is the tests'.
 *
 *	world_open();  set_config("{…}");  new_world_host("/nowhere", fake_networks);  … in a fiber: in_world(fiber, body);
 *	world_close();
 */
#ifndef CH_TESTS_HOST_WORLD_H
#define CH_TESTS_HOST_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "channels/host.h"
#include "core/clock.h"
#include "core/fiber.h"
#include "fake_network.h"

static struct loop *loop;
static struct db *db;
static struct config *config;
static struct chan_host *host;
static struct ch_err err;
static void (*body)(void);

static inline struct config *config_now(void *arg)
{
	return config;
}

static inline void set_config(const char *text)
{
	config_unref(config);
	config = NULL;
	if (config_parse(text, strlen(text), NULL, &config, &err))
		fail_msg("%s", err.text);
	if (host)
		chan_host_config_changed(host);
}

static inline void new_world_host(const char *state_dir, const struct chan_ops *const *networks)
{
	host = chan_host_new(&(struct chan_host_opts){ .loop = loop, .db = db, .state_dir = state_dir, .config = config_now,
						       .networks = networks });
}

static inline void world_open(void)
{
	fake_reset();
	memset(&err, 0, sizeof(err));
	config = NULL;
	host = NULL;
	loop = loop_new();
	assert_int_equal(db_open(":memory:", DB_CREATE, &db, &err), CH_OK);
	clock_fake(1000000, 1795332738000);
}

static inline void world_close(void)
{
	chan_host_free(host);
	config_unref(config);
	db_close(db);
	loop_free(loop);
	clock_real();
	fake_reset();
}

static inline void turns(void)
{
	for (int i = 0; i < 40; i++)
		assert_int_equal(fiber_yield(), CH_OK);
}

static inline void pass(int64_t ms)
{
	clock_fake(now_mono_ms() + ms, now_wall_ms() + ms);
	turns();
}

static inline void start(void)
{
	if (chan_host_start(host, &err))
		fail_msg("%s", err.text);
	turns();
}

/* Runs the fiber, which calls body() and stops the loop. */
static inline void in_world(void (*fiber)(void *arg), void (*fn)(void))
{
	body = fn;
	fiber_spawn(loop, "test", FIBER_DETACHED, fiber, NULL);
	loop_run(loop);
}

#endif
