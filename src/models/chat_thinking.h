/*
 * models/chat_thinking.h - thinking in Chat Completions, where each service
 * has a way of its own. Internal to models/.
 */
#ifndef CH_MODELS_CHAT_THINKING_H
#define CH_MODELS_CHAT_THINKING_H

#include "models/dialect.h"

/* The members that ask for the call's thinking level; none for a model that does not think. */
void chat_write_thinking(struct jw *w, const struct model_call *call, const struct model_entry *m);

enum chat_replay {
	CHAT_REPLAY_NONE,                /* thoughts do not go back */
	CHAT_REPLAY_OWN,                 /* what the model itself thought, as reasoning_content */
	CHAT_REPLAY_ALWAYS,              /* reasoning_content is required of each reply, empty if need be */
};
enum chat_replay chat_replay_for(const struct model_call *call, const struct model_entry *m);

#endif
