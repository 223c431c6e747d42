/*
 * core/log.c - from log_at() to the file and the console.
 *
 *	format -> redact -> {"time":…} line for the file (log_file.c)
 *	                 -> escaped line for people on stderr
 */
#include "core/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/json.h"
#include "core/log_priv.h"
#include "core/mem.h"
#include "core/str.h"

#define RAW_MAX_BYTES (256u * 1024u)         /* of a message before it is redacted and cut */
#define LINE_MAX_BYTES (32u * LOG_TEXT_MAX)  /* escaping twice makes 24 bytes of one */

static struct {
	enum log_level file_level, console_level;
	bool has_color, is_console_json;
	struct log_file file;
} lg = { .file_level = LOG_INFO, .console_level = LOG_INFO, .file = { .fd = -1 } };

static const struct {
	const char *name;
	const char *color;
} level_rows[] = {
	[LOG_ERROR] = { "error", "\033[31m" }, [LOG_WARN] = { "warn", "\033[33m" },
	[LOG_INFO] = { "info", "\033[36m" },   [LOG_DEBUG] = { "debug", "\033[90m" },
	[LOG_TRACE] = { "trace", "\033[90m" },
};

static void write_file(const char *line, size_t n);

ch_status log_open(const struct log_opts *opts, struct ch_err *err)
{
	struct log_file file = { .fd = -1 };
	ch_status st;

	if (opts->file_path) {
		st = log_file_open(&file, opts->file_path, opts->file_max_bytes, opts->keep, err);
		if (st)
			return st;
	}
	log_file_close(&lg.file);
	lg.file = file;
	lg.has_color = opts->console_color && isatty(STDERR_FILENO) && !getenv("NO_COLOR");
	lg.is_console_json = opts->console_json;
	log_set_level(opts->file_level, opts->console_level);
	return CH_OK;
}

void log_close(void)
{
	log_file_close(&lg.file);
	log_redact_forget_all();
}

void log_set_level(enum log_level file_level, enum log_level console_level)
{
	lg.file_level = file_level;
	lg.console_level = console_level;
}

bool log_level_parse(const char *name, enum log_level *ret_level)
{
	if (str_eq(name, "silent")) {
		*ret_level = LOG_SILENT;
		return true;
	}
	if (str_eq(name, "fatal")) {
		*ret_level = LOG_ERROR;
		return true;
	}
	for (size_t i = 0; i < CH_ARRAY_LEN(level_rows); i++) {
		if (!str_eq(name, level_rows[i].name))
			continue;
		*ret_level = (enum log_level)i;
		return true;
	}
	return false;
}

bool log_enabled(enum log_level level)
{
	return level <= lg.console_level || (lg.file.fd >= 0 && level <= lg.file_level);
}

/* Nothing can be said about a console that cannot be written, so results are dropped here. */
static void write_console(const char *line, size_t n)
{
	ssize_t w;

	do
		w = write(STDERR_FILENO, line, n);
	while (w < 0 && errno == EINTR);
}

static void put_json(struct buf *line, enum log_level level, const char *subsystem, const char *text)
{
	struct jw w = JW(line);
	char time[CLOCK_ISO_LEN];

	clock_iso(now_wall_ms(), time);
	jw_obj(&w);
	jw_kstr(&w, "time", time);
	jw_kstr(&w, "level", level_rows[level].name);
	jw_kstr(&w, "subsystem", subsystem);
	jw_kstr(&w, "message", text);
	jw_end(&w);
	buf_putc(line, '\n');
}

static void put_console(struct buf *line, enum log_level level, const char *subsystem, const char *text)
{
	const char *color = lg.has_color ? level_rows[level].color : "";
	const char *plain = lg.has_color ? "\033[0m" : "";
	char time[9];

	clock_hms(now_wall_ms(), time);
	buf_printf(line, "%s %s%-5s%s [%s] ", time, color, level_rows[level].name, plain, subsystem);
	log_escape_into(line, text, strlen(text));
	buf_putc(line, '\n');
}

static void to_console(enum log_level level, const char *subsystem, const char *text)
{
	CH_AUTO_BUF struct buf line = { 0 };

	buf_init(&line, LINE_MAX_BYTES);
	if (lg.is_console_json)
		put_json(&line, level, subsystem, text);
	else
		put_console(&line, level, subsystem, text);
	write_console(buf_str(&line), line.len);
}

static void to_file(enum log_level level, const char *subsystem, const char *text)
{
	CH_AUTO_BUF struct buf line = { 0 };

	buf_init(&line, LINE_MAX_BYTES);
	put_json(&line, level, subsystem, text);
	if (!line.failed)
		write_file(line.data, line.len);
}

static void write_file(const char *line, size_t n)
{
	struct ch_err err;
	char note[96];
	uint64_t lost;

	if (log_file_write(&lg.file, line, n, &lost, &err))
		to_console(LOG_ERROR, "log", err.text);
	if (!lost)
		return;
	snprintf(note, sizeof(note), "%" PRIu64 " lines were lost while this file could not be written", lost);
	to_file(LOG_WARN, "log", note);
}

/* Cuts at a character, and marks that it was cut; done after redacting, so that no half secret is left. */
static void cut(struct buf *text)
{
	if (text->len <= LOG_TEXT_MAX)
		return;
	buf_truncate(text, utf8_cut(text->data, text->len, LOG_TEXT_MAX));
	buf_puts(text, "…");
}

/* The message as it may be shown: redacted, cut, valid UTF-8. */
static void clean(struct buf *ret_text, const struct buf *raw)
{
	CH_AUTO_BUF struct buf redacted = { 0 };

	buf_init(&redacted, 4 * RAW_MAX_BYTES);
	log_redact_into(&redacted, buf_str(raw), raw->len);
	cut(&redacted);
	if (utf8_valid(buf_str(&redacted), redacted.len))
		buf_append(ret_text, buf_str(&redacted), redacted.len);
	else
		log_escape_into(ret_text, redacted.data, redacted.len);
}

void log_at(enum log_level level, const char *subsystem, const char *fmt, ...)
{
	int saved_errno = errno;
	CH_AUTO_BUF struct buf raw = { 0 };
	CH_AUTO_BUF struct buf text = { 0 };
	va_list ap;

	buf_init(&raw, RAW_MAX_BYTES);
	buf_init(&text, LINE_MAX_BYTES);
	if (!log_enabled(level))
		return;
	va_start(ap, fmt);
	buf_vprintf(&raw, fmt, ap);
	va_end(ap);
	if (raw.failed) {
		buf_clear(&raw);
		buf_printf(&raw, "(too long to show) %s", fmt);
	}
	clean(&text, &raw);
	if (level <= lg.console_level)
		to_console(level, subsystem, buf_str(&text));
	if (lg.file.fd >= 0 && level <= lg.file_level)
		to_file(level, subsystem, buf_str(&text));
	errno = saved_errno;
}
