/*
 * channels/gate.h - what chan_authorise() remembers between messages: how often bots answered each other, the patterns that
 * count as mentions, compiled, and what was said of the configuration.
 *
 * Owns    all of it; nothing outlives the process.
 * Limits  GATE_PATTERNS_MAX compiled patterns and GATE_NEWS_MAX remarks, each thrown away together.
 */
#ifndef CH_CHANNELS_GATE_H
#define CH_CHANNELS_GATE_H

#include "channels/loop_guard.h"
#include "core/regex.h"

#define GATE_PATTERNS_MAX 256
#define GATE_NEWS_MAX 1000

struct chan_gate;
struct chan_gate *chan_gate_new(void);
void chan_gate_free(struct chan_gate *g);
CH_AUTO_DEFINE(chan_gate_free, struct chan_gate)

struct loop_guard *chan_gate_loops(struct chan_gate *g);
/*
 * Compiled when it is asked for first. NULL: it is not a safe or valid expression (mention_pattern_check), which was warned of
 * once. Borrowed until the next call.
 */
const struct regex *chan_gate_pattern(struct chan_gate *g, const char *pattern);
/* Is this something about the configuration that was not said before? */
bool chan_gate_is_news(struct chan_gate *g, const char *text);

#endif
