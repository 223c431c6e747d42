/*
 * http_api/api.h - one request to /v1/chat/completions, /v1/responses or /v1/messages: the same turn in three dresses.
 *
 *	parse (each API's own file) -> api_turn_target() -> api_turn_run() -> the API's writer
 *
 * Owns    everything is on the turn's arena, the body on another; api_turn_run() owns the run's ear until it returns.
 * Runs    in the handler's fiber. The run is an ordinary one, with its lane, its ledger and its limits.
 * Limits  API_BODY_MAX bytes of request (images as base64 are most of it) and API_VALUES_MAX JSON values in it, for
 *         each becomes some of ours; API_IMAGES_MAX images in the newest message, API_OUT_MAX bytes of answer.
 * Fails   parse functions give CH_E_INVALID with a text for the client's author.
 */
#ifndef CH_HTTP_API_API_H
#define CH_HTTP_API_API_H

#include "agent/extras.h"
#include "http_api/api_error.h"
#include "http_api/http_auth.h"

#define API_BODY_MAX (20u << 20)
#define API_VALUES_MAX 100000
#define API_PARSED_MAX ((size_t)96 << 20)        /* of memory for the body, parsed */
#define API_ARENA_MAX ((size_t)512 << 20)        /* more than a body of these limits can become */
#define API_IMAGES_MAX 8
#define API_PARTS_MAX (20u << 20)                /* bytes of pictures and files together */
#define API_OUT_MAX (64u << 20)
#define API_SYSTEM_MAX (1u << 20)

/* What a request may bring by reference, from the configuration of its endpoint. */
struct api_limits {
	const char *endpoint;            /* "chatCompletions", "responses", "messages" */
	int urls_left;                   /* parts that may still be fetched */
	size_t bytes_left;               /* of pictures and files, decoded */
};

struct api_turn {
	struct gw *gw;
	struct http_call *call;
	const struct http_request *rq;
	struct arena *arena;
	const struct api_style *style;
	struct http_caller who;
	struct json *body;               /* on `parsed` */
	struct arena *parsed;
	struct api_limits limits;

	/* whom it is for */
	const char *model;               /* as the request named it; answers repeat it */
	const char *agent_id, *session_key;
	const char *model_override, *channel;

	/* what is said */
	struct json *messages;           /* the transcript's shape, oldest first */
	struct buf instructions;
	struct model_tool *tools;
	size_t tool_count;
	const char *tool_choice;         /* as in struct model_call */
	const char *must_call;           /* a client's tool must be called: its name, or "" for any; NULL: need not */
	struct json *params;             /* sampling wishes; NULL: none */
	const struct json *stop;
	int64_t max_tokens;
	const char *thinking;
	bool is_stream, with_usage;

	/* the run */
	const char *run_id;
	int64_t created_s;
	bool is_open;                    /* the stream has begun */
	size_t told;                     /* bytes of text in it */
	void *priv;                      /* the API's own */
};

/* How an API tells what came of the turn. Everything is appended to out. */
struct api_writer {
	void (*begin)(struct api_turn *t, struct buf *out);              /* of a stream */
	void (*text)(struct api_turn *t, const char *delta, size_t len, struct buf *out);
	void (*end)(struct api_turn *t, const struct run_end *end, struct buf *out);
	void (*fail)(struct api_turn *t, int status, const char *message, const char *code, struct buf *out);
	void (*ping)(struct api_turn *t, struct buf *out);
	void (*whole)(struct api_turn *t, const struct run_end *end, struct buf *out);   /* not streamed */
};

/* -- api_turn.c -- */
/* Reads the body. False: answered. */
bool api_turn_init(struct api_turn *t, struct http_call *call, const struct http_request *rq, struct gw *gw,
		   const struct api_style *style, const char *endpoint);
void api_turn_done(struct api_turn *t);
void api_system_add(struct api_turn *t, const char *text);
/* A number within limits, a whole one, a flag: *ret is left alone when absent or null. */
CH_MUST_USE ch_status api_num(const struct json *body, const char *key, double min, double max, struct json **ret,
			      struct ch_err *err);
CH_MUST_USE ch_status api_int(const struct json *body, const char *key, int64_t min, int64_t *ret, struct ch_err *err);
CH_MUST_USE ch_status api_bool(const struct json *body, const char *key, bool *ret, struct ch_err *err);
CH_MUST_USE ch_status api_str(const struct json *body, const char *key, const char **ret, struct ch_err *err);
/* Puts a sampling wish that was given into t->params. */
CH_MUST_USE ch_status api_sampling(struct api_turn *t, const char *key, double min, double max, struct ch_err *err);

/* -- api_target.c -- */
/* Agent, session and model from the model's name and the x-openclaw-* headers. */
CH_MUST_USE ch_status api_turn_target(struct api_turn *t, const char *prefix, const char *user, struct ch_err *err);
/* The agent that "openclaw", "openclaw/<id>", "openclaw:<id>" or "agent:<id>" names. */
CH_MUST_USE ch_status api_agent_of_model(struct gw *gw, struct arena *a, const char *model, const char **ret_agent,
					 struct ch_err *err);
/* As the previous one, with the header x-openclaw-agent-id first. */
CH_MUST_USE ch_status api_agent_of_request(struct gw *gw, const struct http_request *rq, const char *model,
					   const char **ret_agent, struct ch_err *err);
/* x-openclaw-model, when the caller may choose; NULL: none. */
CH_MUST_USE ch_status api_model_override(const struct http_request *rq, const struct http_caller *who,
					 const char **ret_model, struct ch_err *err);

/* -- api_content.c -- */
struct json *api_text_block(struct arena *a, const char *text);
struct json *api_image_block(struct arena *a, const char *mime, const char *data);
struct json *api_message(struct api_turn *t, const char *role);          /* {role, content:[], timestamp}, appended */
struct json *api_assistant(struct api_turn *t);
void api_call_block(struct arena *a, struct json *message, const char *id, const char *name, const char *args_text);
struct json *api_tool_result(struct api_turn *t, const char *call_id, const char *name, const char *text, bool is_error);
/* Checks a base64 image against the endpoint's limits and what its bytes say. *ret_mime is what it really is. */
CH_MUST_USE ch_status api_image_check(struct api_turn *t, const char *data, const char **ret_mime,
				      struct ch_err *err);
/* Counts the bytes of a picture or a file; CH_E_INVALID when there are too many by now. */
CH_MUST_USE ch_status api_take_bytes(struct api_turn *t, size_t n, struct ch_err *err);
/* "data:image/png;base64,…", or an address that is fetched when the configuration lets us. */
CH_FIBER CH_MUST_USE ch_status api_image_url(struct api_turn *t, const char *url, struct json **ret_block,
					     struct ch_err *err);
CH_FIBER CH_MUST_USE ch_status api_fetch(struct api_turn *t, const char *what, const char *url, struct buf *ret,
					 const char **ret_mime, struct ch_err *err);

/* -- api_tools.c -- */
/* One client tool. schema NULL: an object of anything. */
CH_MUST_USE ch_status api_tool_add(struct api_turn *t, const char *name, const char *description,
				   const struct json *schema, struct ch_err *err);
/* "auto", "none", "required" or a name; after the tools. */
CH_MUST_USE ch_status api_tool_choose(struct api_turn *t, const char *choice, const char *name, struct ch_err *err);

/* -- api_run.c -- */
/* Runs the turn and answers, streamed or whole. */
CH_FIBER void api_turn_run(struct api_turn *t, const struct api_writer *w);
/* What the prompt cost, cached parts included. */
int64_t api_prompt_tokens(const struct model_usage *u);
/* "data: {…}\n\n", with "event: name" before it when there is a name. */
void api_sse(struct buf *out, const char *event, const struct buf *data);

#endif
