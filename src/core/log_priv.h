/*
 * core/log_priv.h - the parts of the log among themselves.
 */
#ifndef CH_CORE_LOG_PRIV_H
#define CH_CORE_LOG_PRIV_H

#include "core/buf.h"
#include "core/err.h"

/* ---- log_redact.c ---- */

/* Appends text with secrets replaced. Done twice it changes nothing more. */
void log_redact_into(struct buf *out, const char *text, size_t n);
void log_redact_forget_all(void);

/* ---- log_quote.c ---- */

/* Appends text with what could move a cursor or hide text written as \n, \xNN or \u{NN}. */
void log_escape_into(struct buf *out, const char *text, size_t n);

/* ---- log_file.c ---- */

struct log_file {
	int fd;                  /* -1: closed */
	char *path;
	int64_t size_bytes, max_bytes;
	int keep;
	bool is_failing;
	uint64_t lost;           /* lines since it fails */
};

CH_MUST_USE ch_status log_file_open(struct log_file *f, const char *path, int64_t max_bytes, int keep,
				    struct ch_err *err);
void log_file_close(struct log_file *f);
/*
 * Writes a whole line, rotating first when it would not fit. CH_E_IO with a
 * text once when writing starts to fail; ret_lost is the number of lines lost before
 * this one when it works again, else 0.
 */
ch_status log_file_write(struct log_file *f, const char *line, size_t n, uint64_t *ret_lost,
			 struct ch_err *err);

#endif
