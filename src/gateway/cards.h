/*
 * gateway/cards.h - approvals and questions as cards in a chat: who is shown one, what its buttons mean, who may press them.
 *
 * Shown    an approval: to approvers in the conversation it came from (a DM of theirs, or as execApprovals.target says), to
 *          their DMs on that network, and to approvals.<kind>.targets. A question: in the conversation whose turn asked.
 * Buttons  carry a random token (table channel_cards); what it stands for is here, never in what comes back. Where a
 *          network has no buttons the text says how to answer with /approve or a reply.
 * May      an approval: the approvers alone (execApprovals.approvers of that account, else commands.ownerAllowFrom). A question: the
 *          owner, and whoever's message the asking turn answers. Everybody else is told so and nothing happens.
 * Once     one card per place and subject, also over a restart; the first answer of any surface wins and all cards are edited
 *          to say so. A card of which the answer of the network was lost is edited when a press tells which message it is.
 * Crash    what was not shown, or not edited, before the gateway ended is when it starts. channel_cards.peer is '' once a card says
 *          how it ended: its buttons' tokens are still known, but there is nothing more to do with it.
 */
#ifndef CH_GATEWAY_CARDS_H
#define CH_GATEWAY_CARDS_H

#include "approvals/approval.h"
#include "approvals/question.h"
#include "channels/channel.h"
#include "channels/up.h"
#include "gateway/gw.h"

/* After the commit of what they tell of; must not park. */
void gw_cards_on_approval(struct gw *gw, const struct approval *row);
void gw_cards_on_question(struct gw *gw, const struct question *q);
/* Start-up, once messages can be sent. */
void gw_cards_recover(struct gw *gw);
/* Cards that are being edited are left as they are, and later ones too: what edits them is freed next. */
CH_FIBER void gw_cards_drain(struct gw *gw);
/* Would an approval of this session reach an approver in a chat now? */
bool gw_cards_reach(struct gw *gw, const char *session_key);
/* struct chan_up press: arg is the gateway. */
CH_FIBER CH_MUST_USE ch_status gw_cards_press(void *arg, const struct chan_press *p, struct arena *a, const char **ret_text,
					      struct ch_err *err);

/* -- private to cards*.c -- */

#define CARD_PLACES_MAX 16               /* one approval is told to so many places at most */
#define CARD_TOKEN_BYTES 18              /* of randomness; 24 characters */
#define CARD_KEEP_MS (24 * 3600000LL)    /* after its subject ended a button still says how it ended */

struct card_place { const char *channel, *account; struct chan_peer peer; const char *message_id; };
struct card_places { struct card_place at[CARD_PLACES_MAX]; size_t len; };

/* cards_who.c. On the arena; approvers of an account, NULL-ended normal forms. */
const char *const *card_approvers(struct gw *gw, const char *channel, const char *account, struct arena *a);
bool card_is_approver(struct gw *gw, const char *channel, const char *account, const char *sender_id);
void card_approval_places(struct gw *gw, enum approval_kind kind, const char *agent_id, const char *session_key, struct arena *a,
			  struct card_places *ret);

/* cards_text.c. Markdown on the arena. has_buttons: the choices are buttons and are not spelled out. */
const char *card_approval_text(struct arena *a, const struct approval *row, bool has_buttons);
const char *card_question_text(struct arena *a, const struct question *q, bool has_buttons);
/* What is said of a question's answer. */
const char *card_answer_text(struct arena *a, const struct question *q);

#endif
