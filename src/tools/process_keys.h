/*
 * tools/process_keys.h - the bytes that a terminal sends for keys: "Enter", "C-c", "M-x", "S-Tab", "^D", "F5".
 *
 * Names as tmux and the reference have them, without regard to case; modifiers are C- (control), M- (alt), S- (shift),
 * in any order. Anything else is sent as it is written.
 * Source  xterm's control sequences (PC-style function keys, DECCKM).
 */
#ifndef CH_TOOLS_PROCESS_KEYS_H
#define CH_TOOLS_PROCESS_KEYS_H

#include "core/buf.h"

/* app_keys: the terminal is in application cursor mode. False: a modifier of something that is no key; nothing was added. */
bool key_encode(const char *token, bool app_keys, struct buf *out);
/* "1b", "0x1b": false when it is no byte. */
bool key_hex(const char *text, struct buf *out);
/* Text as a terminal pastes it: bracketed, so that a program does not take it for typing. */
void key_paste(const char *text, size_t len, bool bracketed, struct buf *out);

#endif
