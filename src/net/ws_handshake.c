/*
 * net/ws_handshake.c - the client's half of the opening handshake.
 *
 * The answer's head is read strictly: one status line, then "name: value"
 * lines ending in CRLF, no folding. Extensions and subprotocols were not asked
 * for, so an answer that names one is an error (4.1, steps 5 and 6).
 */
#include "net/ws_handshake.h"

#include <string.h>

#include "core/str.h"
#include "net/ws.h"

static bool header_is_sound(const struct http_header *h)
{
	static const char *const ours[] = {
		"connection", "host", "sec-websocket-accept", "sec-websocket-extensions", "sec-websocket-key",
		"sec-websocket-protocol", "sec-websocket-version", "upgrade",
	};

	if (str_empty(h->name) || !h->value || strpbrk(h->name, " :\r\n\t") || strpbrk(h->value, "\r\n"))
		return false;
	for (size_t i = 0; i < CH_ARRAY_LEN(ours); i++) {
		if (str_ieq(h->name, ours[i]))
			return false;
	}
	return true;
}

ch_status ws_handshake_write(struct buf *out, const struct url *u, const struct http_header *headers,
			     size_t header_count, const char *key, struct ch_err *err)
{
	bool is_default = u->port == (str_eq(u->scheme, "wss") ? 443 : 80);

	buf_printf(out, "GET %s%s%s HTTP/1.1\r\n", u->path, u->query ? "?" : "", u->query ? u->query : "");
	buf_printf(out, u->host_is_ipv6 ? "Host: [%s]" : "Host: %s", u->host);
	if (!is_default)
		buf_printf(out, ":%u", u->port);
	buf_puts(out, "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n");
	buf_printf(out, "Sec-WebSocket-Key: %s\r\n", key);
	for (size_t i = 0; i < header_count; i++) {
		if (!header_is_sound(&headers[i]))
			return ch_fail(err, CH_E_INVALID, "websocket: request header %zu is malformed or reserved", i);
		buf_printf(out, "%s: %s\r\n", headers[i].name, headers[i].value);
	}
	buf_puts(out, "\r\n");
	return buf_status(out, err, "websocket: the opening request");
}

/* What the lines of an answer said. */
struct answer {
	bool has_upgrade, has_connection, has_accept, is_malformed, has_surplus;
	char accept[64];
};

/* Does a comma separated list hold the word? */
static bool list_has(const char *p, size_t n, const char *word)
{
	const char *end = p + n;

	while (p < end) {
		const char *comma = memchr(p, ',', (size_t)(end - p));
		const char *stop = comma ? comma : end;
		size_t len;

		while (p < stop && (*p == ' ' || *p == '\t'))
			p++;
		len = (size_t)(stop - p);
		while (len && (p[len - 1] == ' ' || p[len - 1] == '\t'))
			len--;
		if (len == strlen(word) && strncasecmp(p, word, len) == 0)
			return true;
		p = comma ? comma + 1 : end;
	}
	return false;
}

static bool name_is(const char *line, const char *colon, const char *name)
{
	return (size_t)(colon - line) == strlen(name) && strncasecmp(line, name, strlen(name)) == 0;
}

static void take_line(struct answer *a, const char *line, size_t n)
{
	const char *colon = memchr(line, ':', n);
	const char *value;
	size_t len;

	if (!colon || colon == line || memchr(line, ' ', (size_t)(colon - line))) {
		a->is_malformed = true;
		return;
	}
	value = colon + 1;
	len = n - (size_t)(value - line);
	while (len && (*value == ' ' || *value == '\t')) {
		value++;
		len--;
	}
	while (len && (value[len - 1] == ' ' || value[len - 1] == '\t'))
		len--;
	if (name_is(line, colon, "upgrade"))
		a->has_upgrade |= list_has(value, len, "websocket");
	else if (name_is(line, colon, "connection"))
		a->has_connection |= list_has(value, len, "upgrade");
	else if (name_is(line, colon, "sec-websocket-extensions") || name_is(line, colon, "sec-websocket-protocol"))
		a->has_surplus |= len > 0;
	else if (name_is(line, colon, "sec-websocket-accept")) {
		a->is_malformed |= a->has_accept || len >= sizeof(a->accept);
		a->has_accept = true;
		memcpy(a->accept, value, CH_MIN(len, sizeof(a->accept) - 1));
	}
}

static int status_of(const char *line, size_t n)
{
	int status = 0;

	if (n < 12 || memcmp(line, "HTTP/1.", 7) != 0 || line[8] != ' ' || (n > 12 && line[12] != ' '))
		return 0;
	for (size_t i = 9; i < 12; i++) {
		if (line[i] < '0' || line[i] > '9')
			return 0;
		status = 10 * status + (line[i] - '0');
	}
	return status;
}

static ch_status judge_status(int status, struct ch_err *err)
{
	switch (status) {
	case 101: return CH_OK;
	case 0: return ch_fail(err, CH_E_PEER, "websocket: the answer is not HTTP");
	case 401:
	case 403: return ch_fail(err, CH_E_DENIED, "websocket: the server answered %d instead of upgrading", status);
	default: return ch_fail(err, CH_E_PEER, "websocket: the server answered %d instead of upgrading", status);
	}
}

ch_status ws_handshake_check(const char *head, size_t n, const char *key, struct ch_err *err)
{
	struct answer a = { .accept = "" };
	const char *end = head + n;
	const char *eol = memmem(head, n, "\r\n", 2);
	char expected[29];
	ch_status st;

	st = judge_status(eol ? status_of(head, (size_t)(eol - head)) : 0, err);
	if (st)
		return st;
	while (eol) {
		const char *line = eol + 2;

		eol = memmem(line, (size_t)(end - line), "\r\n", 2);
		if (!eol || eol == line)
			break;
		take_line(&a, line, (size_t)(eol - line));
	}
	if (!eol || a.is_malformed)
		return ch_fail(err, CH_E_PEER, "websocket: the server's 101 is malformed");
	if (!a.has_upgrade || !a.has_connection)
		return ch_fail(err, CH_E_PEER, "websocket: the server's 101 is no upgrade to websocket");
	ws_accept_key(key, expected);
	if (!str_eq(a.accept, expected))
		return ch_fail(err, CH_E_PEER, "websocket: the server's 101 belongs to another request");
	if (a.has_surplus)
		return ch_fail(err, CH_E_PEER, "websocket: the server chose an extension or protocol nobody offered");
	return CH_OK;
}
