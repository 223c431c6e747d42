/*
 * net/multipart.c - see multipart.h. Names are written as browsers do (HTML, "multipart form data"): quotes and line ends
 * percent-encoded, UTF-8 otherwise as it is.
 */
#include "net/multipart.h"

#include <stdio.h>
#include <string.h>

#include "core/rand.h"
#include "core/str.h"

#define TYPE_HEAD "multipart/form-data; boundary=chela-"

void multipart_init(struct multipart *m, size_t max_bytes)
{
	uint8_t random[16];
	char hex[2 * sizeof(random) + 1];

	rand_bytes(random, sizeof(random));
	hex_encode(random, sizeof(random), hex);
	buf_init(&m->body, max_bytes);
	snprintf(m->type, sizeof(m->type), "%s%s", TYPE_HEAD, hex);
	m->boundary = strchr(m->type, '=') + 1;
}

void multipart_done(struct multipart *m)
{
	buf_done(&m->body);
}

static void put_name(struct buf *out, const char *name)
{
	for (; *name; name++) {
		if (*name == '"')
			buf_puts(out, "%22");
		else if (*name == '\r' || *name == '\n')
			buf_puts(out, *name == '\r' ? "%0D" : "%0A");
		else
			buf_putc(out, *name);
	}
}

static void put_head(struct multipart *m, const char *name)
{
	buf_printf(&m->body, "--%s\r\nContent-Disposition: form-data; name=\"", m->boundary);
	put_name(&m->body, name);
	buf_putc(&m->body, '"');
}

void multipart_field(struct multipart *m, const char *name, const char *value)
{
	put_head(m, name);
	buf_puts(&m->body, "\r\n\r\n");
	buf_puts(&m->body, value);
	buf_puts(&m->body, "\r\n");
}

void multipart_file(struct multipart *m, const char *name, const char *file_name, const char *mime, const void *p, size_t n)
{
	put_head(m, name);
	buf_puts(&m->body, "; filename=\"");
	put_name(&m->body, file_name);
	buf_puts(&m->body, "\"\r\nContent-Type: ");
	put_name(&m->body, mime ? mime : "application/octet-stream");
	buf_puts(&m->body, "\r\n\r\n");
	buf_append(&m->body, p, n);
	buf_puts(&m->body, "\r\n");
}

ch_status multipart_end(struct multipart *m, struct ch_err *err)
{
	buf_printf(&m->body, "--%s--\r\n", m->boundary);
	return buf_status(&m->body, err, "an upload");
}
