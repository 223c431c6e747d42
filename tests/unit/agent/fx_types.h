/*
 * What the tests of the agent share: the host under test, the script of its model, what it told.
 */
#ifndef TEST_FX_TYPES_H
#define TEST_FX_TYPES_H

#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/agent.h"
#include "agent/host.h"
#include "core/clock.h"
#include "core/fiber.h"
#include "core/mem.h"
#include "core/str.h"
#include "core/vec.h"
#include "sessions/transcript.h"
#include "store/db.h"

#define KEY "agent:main:t1"
#define WAIT_MS 10000

enum step_kind { ST_END, ST_TEXT, ST_THINK, ST_SIGN, ST_TOOL, ST_WAIT, ST_RETRY, ST_FAIL, ST_USAGE, ST_STOP };

/* TEXT a; THINK a; SIGN a; TOOL a=id b=name c=args; FAIL a=text n=class; RETRY a=text n=delay m=attempt of k; USAGE n in m out; STOP n */
struct step { enum step_kind kind; const char *a, *b, *c; int64_t n, m, k; };

struct fixture {
	char base[64];
	struct loop *loop;
	struct db *db;
	struct sess_store *sessions;
	struct config *config;
	struct agent_host *host;
	struct arena *arena;
	/* the script */
	const struct step *const *requests;
	size_t at;                       /* the next request */
	struct fiber_cond gate, reached;
	int waits_reached, waits_open;
	VEC(char *) asked;               /* messages of each request, JSON */
	VEC(char *) prompts;             /* stable parts */
	char volatile_prompt[2048];
	enum model_reason last_reason;
	size_t tools;                    /* of the last request */
	int64_t window;                  /* of the model; 0: 200000 */
	/* what was told */
	VEC(char *) lines;               /* normalised JSON */
	VEC(char *) runs;                /* run ids in order of appearance */
	void (*on_event)(struct fixture *f, const struct run_event *ev);
	void (*body)(struct fixture *f);
	struct ch_err err;
	struct submit_result sent;
};

#endif
