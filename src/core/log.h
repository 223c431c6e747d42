/*
 * core/log.h - what the gateway says of itself.
 *
 * Two writers: JSON lines to a rotating file (for machines and logs.tail),
 * and one console writer for people. Both quote what comes from outside and
 * both redact: any string registered by log_redact(), and anything that looks
 * like a bearer token or a key= value of a secret.
 *
 * Levels  error: a person must act. warn: survived, the line ends with what
 *         happens next. info: a state change. debug: the rest.
 * Fields  the message is a constant English phrase; ids go into the message
 *         as "conn=%s run=%s".
 * File    {"time","level","subsystem","message"}, one object a line: the
 *         fields which OpenClaw's clients show.
 * Runs    on the loop thread only.
 * Limits  LOG_TEXT_MAX bytes a message, the rest is cut. A file that cannot
 *         be written loses lines, which the console reports once and the
 *         file counts when it works again.
 */
#ifndef CH_CORE_LOG_H
#define CH_CORE_LOG_H

#include "core/auto.h"
#include "core/buf.h"
#include "core/err.h"

enum log_level { LOG_SILENT = -1, LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG, LOG_TRACE };

#define LOG_QUOTE_MAX 200
#define LOG_TEXT_MAX 2048

struct log_opts {
	const char *file_path;           /* NULL: no file */
	int64_t file_max_bytes;          /* rotates to .1 … .keep */
	int keep;                        /* old files; 0: cut the file to nothing instead */
	enum log_level file_level;
	enum log_level console_level;
	bool console_color;              /* when stderr is a terminal and NO_COLOR is unset */
	bool console_json;
};

CH_MUST_USE ch_status log_open(const struct log_opts *opts, struct ch_err *err);
void log_close(void);
void log_set_level(enum log_level file_level, enum log_level console_level);
/* silent|fatal|error|warn|info|debug|trace; fatal is error. */
bool log_level_parse(const char *name, enum log_level *ret_level);
bool log_enabled(enum log_level level);

/* subsystem is a short constant: "gateway", "agent", "config". */
void log_at(enum log_level level, const char *subsystem, const char *fmt, ...) CH_PRINTF(3, 4);
#define log_error(sub, ...) log_at(LOG_ERROR, sub, __VA_ARGS__)
#define log_warn(sub, ...) log_at(LOG_WARN, sub, __VA_ARGS__)
#define log_info(sub, ...) log_at(LOG_INFO, sub, __VA_ARGS__)
#define log_debug(sub, ...) \
	do { if (log_enabled(LOG_DEBUG)) log_at(LOG_DEBUG, sub, __VA_ARGS__); } while (0)

/* Text from outside for a log line: control bytes escaped, cut at LOG_QUOTE_MAX. Ring of 8 static buffers. */
const char *log_quote(const char *s);                            /* "(null)" for NULL */
const char *log_quoten(const char *s, size_t n);
/* From now on this string (>= 6 bytes) is written as [redacted]. */
void log_redact(const char *secret);
/* One holder less; the last ones that nobody holds stay hidden for a while, until others take their place. */
void log_redact_forget(const char *secret);
/* Does the text hold a registered secret? What merely looks like one does not count. */
bool log_holds_secret(const char *text, size_t len);
/* Appends the text with every registered secret as [redacted]. */
void log_hide_secrets(struct buf *out, const char *text, size_t len);
/* Replaces registered secrets and secret-looking parts in text; heap, ch_free. */
char *log_redacted(const char *text);

#endif
