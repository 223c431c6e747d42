/*
 * gateway/attachments.h - what a client attaches to a message, made fit for a turn.
 *
 * Pictures (PNG, JPEG, GIF, WebP by their bytes, whatever the client calls them) stay pictures; text becomes a
 * part of the message, under its file's name. Anything else is refused: a model would be told of a file that it cannot see.
 *
 * Limits  ATTACHMENTS_MAX a message; ATTACHMENT_IMAGE_MAX, ATTACHMENT_TEXT_MAX bytes each, decoded: what is
 *         announced in hello-ok, and what a model's window can bear.
 * Fails   CH_E_INVALID for what is no base64, CH_E_LIMIT past a limit, CH_E_UNSUPPORTED for other types; the text names the file.
 */
#ifndef CH_GATEWAY_ATTACHMENTS_H
#define CH_GATEWAY_ATTACHMENTS_H

#include "core/json.h"

#define ATTACHMENTS_MAX 20
#define ATTACHMENT_IMAGE_MAX 6291456u
#define ATTACHMENT_TEXT_MAX (512u * 1024u)

/*
 * Takes `given` (NULL, or an array of {type, mimeType, fileName, content}) apart. *ret_images: those that are pictures, with
 * their true type, NULL without any; *ret_text: text with the files. On the arena, as given is.
 */
CH_MUST_USE ch_status attachments_take(struct arena *a, struct json *given, const char *text, struct json **ret_images,
				       const char **ret_text, struct ch_err *err);

#endif
