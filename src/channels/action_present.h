/*
 * channels/action_present.h - a presentation (shared payload of text, tables, charts, menus and buttons) as a message.
 */
#ifndef CH_CHANNELS_ACTION_PRESENT_H
#define CH_CHANNELS_ACTION_PRESENT_H

#include "channels/egress.h"

/*
 * v, buttons NULL: nothing is added. Blocks become Markdown behind the message's own text. A button opens its url, or says its
 * value when it is pressed; where there are no buttons a list is given.
 */
CH_MUST_USE ch_status action_present(const struct json *v, const struct json *buttons, bool has_buttons, struct arena *a,
				     struct chan_message *m, struct ch_err *err);

#endif
