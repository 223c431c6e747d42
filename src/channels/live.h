/*
 * channels/live.h - signs of life while a turn runs: typing, acknowledgement and status reactions, a preview that is edited,
 * blocks that are sent as they are finished. Of all that only is kept where a preview stands: one that a crash left is taken away when
 * its account comes up.
 *
 * Typing is renewed each typingIntervalSeconds until the turn ends, at most LIVE_TYPING_MAX_MS. Edits are paced (one per second and
 * place at most) and never held against the final message. A preview that cannot be edited is left and the reply sent anew.
 */
#ifndef CH_CHANNELS_LIVE_H
#define CH_CHANNELS_LIVE_H

#include "channels/host.h"
#include "channels/ingress.h"

#define LIVE_TYPING_MAX_MS (10 * 60 * 1000)

struct chan_live *live_new(struct chan_host *h);
void live_free(struct chan_live *l);
CH_FIBER void live_drain(struct chan_live *l, int64_t deadline_ms);

/* A turn for messages of this place was accepted. was_mentioned and is_group decide on the acknowledgement. */
struct live_turn { const char *run_id, *session_key, *agent_id; struct chan_place place; bool is_group, was_mentioned, is_ambient; };
void live_begin(struct chan_live *l, const struct live_turn *t);
/* What the run tells (gateway/channels.c): the text so far; a tool that starts or ends; a phase ("thinking", "compacting"). */
void live_text(struct chan_live *l, const char *run_id, const char *text, size_t len);
void live_tool(struct chan_live *l, const char *run_id, const char *name, const char *meta, bool is_end, bool is_error);
void live_phase(struct chan_live *l, const char *run_id, const char *phase);
/*
 * No edit of the preview is begun any more; waits for the one that is on its way, so that the reply can take its place. One that
 * grows is ended with all of its text.
 */
CH_FIBER void live_settle(struct chan_live *l, const char *run_id, int64_t deadline_ms);
/*
 * The turn is over: stops everything of it. *ret on the arena: what the reply should do: the draft that it replaces (one that says
 * nothing removes it, egress_remove()), and what was sent as blocks already. Asked again it says the same; of blocks, after a crash too.
 */
struct live_end {
	const char *draft_id;
	size_t sent_bytes;
	const char *text;                /* as told by live_text(): sent_bytes are of it; NULL when it was told to an earlier process, */
	const char *digest;              /* … of which this is left */
};
void live_end(struct chan_live *l, const char *run_id, bool is_error, struct arena *a, struct live_end *ret);
/* The same without a reply: another turn answers, or nothing is said. A preview goes away. */
void live_cancel(struct chan_live *l, const char *run_id);
/* The reply that is being queued takes the preview's place; in the same transaction. */
CH_MUST_USE ch_status live_left_forget(struct chan_live *l, const char *channel, const char *account, const char *run_id,
				       struct ch_err *err);
/* No reply takes its place: it goes, now or when the account comes up again. */
CH_FIBER void live_left_remove(struct chan_live *l, const char *channel, const char *account, const char *run_id,
			       const struct chan_peer *peer, const char *message_id);
/* An account has logged in: previews that nobody will end are taken away. */
void live_came_up(struct chan_live *l, struct chan_acct *acct);
/* Is there a turn that would show what is told of this run? */
bool live_follows(struct chan_live *l, const char *run_id);
/* What of the reply is left to be sent, as it was told to live_text() or only the last of several texts of the run. */
const char *live_rest(const struct live_end *end, const char *reply);

#endif
