/*
 * channels/media_in.h - the files of an inbound message: fetched once it was let in, named by us, told to the model.
 *
 * Pictures that models take go with the turn; every file is kept as <workspace>/media/inbound/<row>-<n>.<ext> (0600). What a file is
 * is told from its bytes; the sender's name and type are words for the model, never a path.
 * Limits  mediaMaxMb a file, CHAN_MEDIA_COUNT_MAX files, MEDIA_PICTURES_MAX pictures of MEDIA_PICTURES_BYTES together.
 * Fails   never for a file: what is too large or cannot be had is a line that says so. CH_E_CANCELED.
 */
#ifndef CH_CHANNELS_MEDIA_IN_H
#define CH_CHANNELS_MEDIA_IN_H

#include "channels/host.h"

#define MEDIA_PICTURES_MAX 8
#define MEDIA_PICTURES_BYTES (5u << 20)  /* before base64: a transcript row has TR_MESSAGE_MAX */
#define MEDIA_FOLDER "media/inbound"

struct chan_media_taken {
	const struct json *attachments;  /* as chan_turn.attachments, or NULL */
	const char *lines;               /* one for each file, for the model; ours but for the names in them. NULL: there are none */
	const char *placeholder;         /* "<media:image>" …: stands for the text of a message without one. NULL: no files */
};
/* workspace NULL: nothing is kept. */
CH_FIBER CH_MUST_USE ch_status media_in_take(struct chan_acct *acct, const struct chan_in *in, int64_t row_id, const char *workspace,
					     struct arena *a, struct chan_media_taken *ret, struct ch_err *err);

#endif
