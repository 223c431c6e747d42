/*
 * channels/up.h - what the channel core asks of the layers above (gateway/channels.c fills it in).
 *
 * Runs    outside any transaction unless said otherwise; callbacks without CH_FIBER must not park.
 */
#ifndef CH_CHANNELS_UP_H
#define CH_CHANNELS_UP_H

#include "core/arena.h"
#include "core/err.h"
#include "core/json.h"

struct chan_access;
struct chan_menu;                        /* channels/channel.h */
struct chan_route;

/* An input for a session: one or several messages of one conversation, answered by one turn. */
struct chan_turn {
	const char *run_id;              /* "chan:<inbox id of the first>": the idempotency key */
	const char *channel, *account;
	const struct chan_route *route;  /* agent, session key, chat type */
	const struct chan_access *access;        /* who speaks and what may be */
	const char *text;                /* what the person said: shown in pages, understood as a command if it is one */
	const char *context;             /* fenced, for the model alone: history, quote, forwarded, metadata; or NULL */
	const struct json *attachments;  /* pictures: array of {type,mimeType,content(base64)}, or NULL */
	bool has_outside;                /* context holds words of others than the sender */
	bool is_command;                 /* "/name …" of somebody who may */
	const char *sender_id, *sender_name, *message_id;
	const char *peer_name;           /* of the room, for people; or NULL */
	const char *group_prompt;        /* systemPrompt of the room; or NULL */
	const struct json *tools;        /* the room's {allow, alsoAllow, deny} for this sender; or NULL */
	const char *thread;              /* channel, peer and thread in one word, for collecting */
	/* In the transaction that accepts it. */
	CH_MUST_USE ch_status (*also)(void *arg, struct ch_err *err);
	void *also_arg;
};
enum chan_taken { CHAN_TAKEN, CHAN_TAKEN_BEFORE, CHAN_TAKEN_COMMAND };

/* How the turn of a run ended, from the runs' own record. */
enum chan_run_state { CHAN_RUN_UNKNOWN, CHAN_RUN_GOING, CHAN_RUN_DONE, CHAN_RUN_FAILED, CHAN_RUN_ABORTED, CHAN_RUN_ABSORBED,
		      CHAN_RUN_INTERRUPTED };
struct chan_run_end {
	enum chan_run_state state;
	const char *text;                /* the reply; "" : nothing is to be said */
	const char *error;               /* FAILED, ABORTED: for people, no secrets; NULL: nothing is to be said */
	const struct json *media;        /* files the reply names: array of {path|url, name?}; or NULL */
	const char *absorbed_by;         /* ABSORBED: the run that answers it too; NULL: not known */
	bool was_begun;                  /* INTERRUPTED: a model had been asked */
};

/* The model that answers in a run, and how hard it thinks; NULL: not known. */
struct chan_answerer { const char *provider, *model, *thinking; };

/* A button that was not made by the channel core's own cards. */
struct chan_press { const char *channel, *account, *data, *sender_id, *sender_name, *message_id; const struct chan_access *access; };

struct chan_up {
	void *arg;
	/* CH_E_BUSY: not now (shutting down, a full queue): the core tries again. Other failures are for good: the person is told. */
	CH_MUST_USE ch_status (*submit)(void *arg, const struct chan_turn *turn, struct arena *a, enum chan_taken *ret, struct ch_err *err);
	/* What is known of a run; strings on the arena. */
	CH_MUST_USE ch_status (*run_end)(void *arg, const char *session_key, const char *run_id, struct arena *a,
					 struct chan_run_end *ret, struct ch_err *err);
	/* Of a run that goes on or has ended; strings on the arena. NULL: nothing is known. */
	void (*answerer)(void *arg, const char *session_key, const char *run_id, struct arena *a, struct chan_answerer *ret);
	/*
	 * The run that a restart cut is to be taken up again, once, by an event in its session whose run id is `new_run_id`; `also`
	 * in the same transaction. CH_E_CONFLICT: it had asked a person, whose answer wakes the session by itself.
	 */
	CH_MUST_USE ch_status (*resume)(void *arg, const char *session_key, const char *run_id, const char *new_run_id,
					CH_MUST_USE ch_status (*also)(void *arg, struct ch_err *err), void *also_arg, struct ch_err *err);
	/* Runs made by events that ended since then (wall ms), for replies that were not put out: after a restart. */
	CH_MUST_USE ch_status (*ended_events)(void *arg, int64_t since_ms, void (*each)(void *to, const char *session_key, const char *run_id),
					      void *to, struct ch_err *err);
	/*
	 * Was the run made by an event (a command that ended, a sub-agent), in a session whose last person wrote from a network? Then its
	 * reply goes there.
	 */
	bool (*follows_channel)(void *arg, const char *session_key, const char *run_id);
	/* For the operator: shown in the session (NULL: none) and to connected clients. */
	void (*notice)(void *arg, const char *session_key, const char *text);
	/* An account's state changed. */
	void (*on_state)(void *arg, const char *channel, const char *account);
	/* A pairing request came or went. */
	void (*on_pairing)(void *arg, const char *channel, const char *account);
	/* *ret_text: what the presser is told; on the arena, NULL: nothing. CH_E_NOT_FOUND: nobody knows this button. */
	CH_FIBER CH_MUST_USE ch_status (*press)(void *arg, const struct chan_press *p, struct arena *a, const char **ret_text,
						struct ch_err *err);
	/* Is this text one of our slash commands? In a room an allowed person need not address us with one. NULL: none is. */
	bool (*is_command)(void *arg, const char *text);
	/* The slash commands that people are offered, *ret on the arena; gives their number. NULL: there are none. */
	size_t (*menu)(void *arg, struct arena *a, const struct chan_menu **ret);
	/* A room has another id: its settings go with it (channels/rooms.h). NULL: they stay. */
	CH_MUST_USE ch_status (*room_moved)(void *arg, const char *channel, const char *account, const char *old_id, const char *new_id,
					    struct ch_err *err);
	/* Names for mentions: the agent's name and emoji, or NULL. On the arena. */
	void (*identity)(void *arg, const char *agent_id, struct arena *a, const char **ret_name, const char **ret_emoji);
	/* Appends a text from outside between marks that it cannot close; source: where it is from. */
	void (*fence)(void *arg, struct buf *out, const char *source, const char *text, size_t len);
	/* Absolute path of the agent's workspace on the arena: inbound files are kept under it. */
	CH_MUST_USE ch_status (*workspace)(void *arg, const char *agent_id, struct arena *a, const char **ret, struct ch_err *err);
};

#endif
