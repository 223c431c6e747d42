/*
 * net/curl_loop.c - libcurl's multi interface on our loop.
 *
 * libcurl says which sockets to watch (on_socket_wish) and when to call it next
 * (on_timer_wish); the poll and timer callbacks call curl_multi_socket_action()
 * and collect what has ended.
 *
 * HTTP/2 is used where the server offers it but streams never share a
 * connection: a paused stream stops reading from its connection, and a run that
 * waits for another run would then starve it.
 *
 * Proxies of the environment (http_proxy, https_proxy, all_proxy, no_proxy as
 * curl reads them) serve configured origins only. A public-only request goes
 * straight out: behind a proxy the address that is reached cannot be checked.
 * Names and addresses of this host are never proxied, unless the caller names the proxy itself.
 */
#include "net/curl_loop.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <unistd.h>

#include "core/crypto.h"
#include "core/mem.h"
#include "core/str.h"
#include "net/http_client.h"

#define KEEPALIVE_IDLE_S 60L
#define KEEPALIVE_EVERY_S 30L

struct curl_loop {
	struct loop *loop;
	CURLM *multi;
	struct loop_timer *timer;
	const char *ca_dir;              /* the system's anchors by hash; NULL: only as one file */
	size_t xfers;
};

/* One socket that libcurl wants watched. Freed in its close callback. */
struct watched {
	uv_poll_t poll;
	curl_socket_t fd;
	struct curl_loop *cl;
};

static void collect_ended(struct curl_loop *cl)
{
	CURLMsg *msg;
	int left;

	while ((msg = curl_multi_info_read(cl->multi, &left))) {
		struct curl_xfer *x = NULL;

		if (msg->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &x);
		x->is_done = true;
		x->result = msg->data.result;
		fiber_wake(x->waiter);
	}
}

static void act(struct curl_loop *cl, curl_socket_t fd, int flags)
{
	int running;
	CURLMcode rc = curl_multi_socket_action(cl->multi, fd, flags, &running);

	CH_BUG_ON(rc != CURLM_OK && rc != CURLM_ABORTED_BY_CALLBACK);
	collect_ended(cl);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct watched *w = CH_CONTAINER_OF(poll, struct watched, poll);
	int flags = 0;

	if (status < 0)
		flags = CURL_CSELECT_ERR;
	if (events & UV_READABLE)
		flags |= CURL_CSELECT_IN;
	if (events & UV_WRITABLE)
		flags |= CURL_CSELECT_OUT;
	act(w->cl, w->fd, flags);
}

static void on_poll_closed(uv_handle_t *handle)
{
	ch_free(CH_CONTAINER_OF((uv_poll_t *)handle, struct watched, poll));
}

static struct watched *watch(struct curl_loop *cl, curl_socket_t fd)
{
	struct watched *w = ch_alloc(sizeof(*w));

	w->cl = cl;
	w->fd = fd;
	if (uv_poll_init_socket(loop_uv(cl->loop), &w->poll, fd)) {
		ch_free(w);
		return NULL;
	}
	curl_multi_assign(cl->multi, fd, w);
	return w;
}

static int on_socket_wish(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
	struct curl_loop *cl = arg;
	struct watched *w = socket_arg;
	int events = 0;

	if (what == CURL_POLL_REMOVE) {
		if (w) {
			uv_poll_stop(&w->poll);
			curl_multi_assign(cl->multi, fd, NULL);
			uv_close((uv_handle_t *)&w->poll, on_poll_closed);
		}
		return 0;
	}
	if (!w)
		w = watch(cl, fd);
	if (what & CURL_POLL_IN)
		events |= UV_READABLE;
	if (what & CURL_POLL_OUT)
		events |= UV_WRITABLE;
	return w && uv_poll_start(&w->poll, events, on_poll) == 0 ? 0 : -1;
}

static int on_timer_wish(CURLM *multi, long timeout_ms, void *arg)
{
	struct curl_loop *cl = arg;

	if (timeout_ms < 0) {
		loop_timer_stop(cl->timer);
		return 0;
	}
	loop_timer_start(cl->timer, timeout_ms);
	return 0;
}

static void on_timer(void *arg)
{
	struct curl_loop *cl = arg;
	long timeout_ms = -1;

	act(cl, CURL_SOCKET_TIMEOUT, 0);
	/* libcurl does not repeat a wish that it thinks is pending, so one that came a moment early is renewed here. */
	curl_multi_timeout(cl->multi, &timeout_ms);
	if (timeout_ms >= 0)
		loop_timer_start(cl->timer, CH_MAX(timeout_ms, 1));
}

/*
 * The system's directory of trust anchors, when it has them by hash: then
 * OpenSSL reads the few that a chain needs. The one file with all of them takes
 * 100 ms and more to read, and the loop stands still meanwhile.
 */
static const char *find_ca_dir(void)
{
	const char *path = curl_version_info(CURLVERSION_NOW)->capath;
	DIR *dir = path ? opendir(path) : NULL;
	struct dirent *e;
	bool is_hashed = false;

	while (dir && !is_hashed && (e = readdir(dir)))
		is_hashed = str_ends(e->d_name, ".0");
	if (dir)
		closedir(dir);
	return is_hashed ? path : NULL;
}

ch_status curl_loop_new(struct loop *l, struct curl_loop **ret, struct ch_err *err)
{
	struct curl_loop *cl;
	CURLM *multi;
	ch_status st = curl_api_load(err);

	if (st)
		return st;
	if (curl_global_init(CURL_GLOBAL_DEFAULT))
		return ch_fail(err, CH_E_NOMEM, "libcurl could not be initialised");
	multi = curl_multi_init();
	if (!multi) {
		curl_global_cleanup();
		return ch_fail(err, CH_E_NOMEM, "libcurl could not be initialised");
	}
	cl = ch_alloc(sizeof(*cl));
	cl->loop = l;
	cl->multi = multi;
	cl->timer = loop_timer_new(l, on_timer, cl);
	cl->ca_dir = find_ca_dir();
	curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket_wish);
	curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, cl);
	curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer_wish);
	curl_multi_setopt(multi, CURLMOPT_TIMERDATA, cl);
	curl_multi_setopt(multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
	curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)CURL_LOOP_IDLE_MAX);
	*ret = cl;
	return CH_OK;
}

void curl_loop_free(struct curl_loop *cl)
{
	if (!cl)
		return;
	CH_BUG_ON(cl->xfers != 0);
	curl_multi_cleanup(cl->multi);
	loop_timer_free(cl->timer);
	ch_free(cl);
	curl_global_cleanup();
}

/* -- hooks of one transfer -- */

static void address_text(const struct sockaddr *addr, char *ret_text, size_t cap)
{
	struct sockaddr_in6 in6;
	struct sockaddr_in in;

	ret_text[0] = '\0';
	if (addr->sa_family == AF_INET) {
		memcpy(&in, addr, sizeof(in));
		inet_ntop(AF_INET, &in.sin_addr, ret_text, (socklen_t)cap);
	} else if (addr->sa_family == AF_INET6) {
		memcpy(&in6, addr, sizeof(in6));
		inet_ntop(AF_INET6, &in6.sin6_addr, ret_text, (socklen_t)cap);
	}
}

static bool admit(struct curl_xfer *x, const struct sockaddr *addr)
{
	char ip[INET6_ADDRSTRLEN];

	if (guard_allows(x->guard, addr))
		return true;
	address_text(addr, ip, sizeof(ip));
	snprintf(x->denied, sizeof(x->denied), "%s is a %s address", ip, guard_class_name(guard_classify(addr)));
	return false;
}

static curl_socket_t on_open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *addr)
{
	struct curl_xfer *x = arg;

	if (!admit(x, &addr->addr))
		return CURL_SOCKET_BAD;
	/* A raw socket: libcurl 7.88 makes its own without CLOEXEC, and children would inherit them. */
	return socket(addr->family, addr->socktype | SOCK_CLOEXEC, addr->protocol);
}

/* Connected, or taken from the pool; nothing of the request is written yet. */
static int on_before_request(void *arg, char *ip, char *local_ip, int port, int local_port)
{
	struct curl_xfer *x = arg;
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	bool ok = false;

	if (inet_pton(AF_INET, ip, &in.sin_addr) == 1)
		ok = admit(x, (const struct sockaddr *)&in);
	else if (inet_pton(AF_INET6, ip, &in6.sin6_addr) == 1)
		ok = admit(x, (const struct sockaddr *)&in6);
	x->is_sent = ok;
	return ok ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
}

static int on_verify_pinned(X509_STORE_CTX *store, void *arg)
{
	const struct curl_xfer *x = arg;
	unsigned char digest[EVP_MAX_MD_SIZE];
	char text[2 * EVP_MAX_MD_SIZE + 1];
	unsigned int n = 0;
	X509 *leaf = X509_STORE_CTX_get0_cert(store);

	if (leaf && X509_digest(leaf, EVP_sha256(), digest, &n)) {
		hex_encode(digest, n, text);
		if (ct_str_equal(text, x->pin))
			return 1;
	}
	X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED);
	return 0;
}

static CURLcode on_ssl_ctx(CURL *easy, void *ctx, void *arg)
{
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_cert_verify_callback(ctx, on_verify_pinned, arg);
	return CURLE_OK;
}

/* -- a transfer -- */

/* Sets one option unless one before it failed. */
#define SET(option, value)                                                               \
	do {                                                                             \
		if (!rc)                                                                 \
			rc = curl_easy_setopt(x->easy, option, value);                   \
	} while (0)

/* "AB:CD…" or "abcd…" to 64 lower-case digits. */
static bool parse_pin(const char *text, char ret_pin[65])
{
	char digits[65];
	size_t n = 0;
	uint8_t digest[SHA256_LEN];

	for (; *text; text++) {
		if (*text == ':')
			continue;
		if (n == sizeof(digits) - 1)
			return false;
		digits[n++] = *text;
	}
	digits[n] = '\0';
	if (n != sizeof(digits) - 1 || !hex_decode(digits, n, digest))
		return false;
	hex_encode(digest, sizeof(digest), ret_pin);
	return true;
}

static CURLcode set_tls(struct curl_xfer *x, const struct curl_xfer_opts *opts)
{
	const char *ca_dir = x->loop->ca_dir;
	CURLcode rc = CURLE_OK;

	SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	/* A file and a directory add up; both are part of what a pooled connection is matched by. */
	if (opts->ca_file || ca_dir) {
		SET(CURLOPT_CAINFO, opts->ca_file);
		SET(CURLOPT_CAPATH, ca_dir ? ca_dir : X509_get_default_cert_dir());
	}
	if (opts->tls_fingerprint) {
		SET(CURLOPT_SSL_VERIFYPEER, 0L);
		SET(CURLOPT_SSL_VERIFYHOST, 0L);
		SET(CURLOPT_SSL_CTX_FUNCTION, on_ssl_ctx);
		SET(CURLOPT_SSL_CTX_DATA, x);
		/* A resumed session skips the certificate, and with it the pin. */
		SET(CURLOPT_SSL_SESSIONID_CACHE, 0L);
		SET(CURLOPT_FRESH_CONNECT, 1L);
		/* A connection that is only made is never pooled, and this would close it at once. */
		if (!opts->connect_only)
			SET(CURLOPT_FORBID_REUSE, 1L);
	}
	return rc;
}

static CURLcode set_common(struct curl_xfer *x, const struct curl_xfer_opts *opts)
{
	CURLcode rc = CURLE_OK;

	SET(CURLOPT_PRIVATE, x);
	SET(CURLOPT_ERRORBUFFER, x->message);
	SET(CURLOPT_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_NOSIGNAL, 1L);
	/* Ending a transfer whose name is still being resolved must not wait for the resolver's thread. */
	SET(CURLOPT_QUICK_EXIT, 1L);
	SET(CURLOPT_TCP_KEEPALIVE, 1L);
	SET(CURLOPT_TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
	SET(CURLOPT_TCP_KEEPINTVL, KEEPALIVE_EVERY_S);
	SET(CURLOPT_CONNECTTIMEOUT_MS, (long)HTTP_CLIENT_CONNECT_MS);
	SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	SET(CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
	SET(CURLOPT_OPENSOCKETDATA, x);
	SET(CURLOPT_PREREQFUNCTION, on_before_request);
	SET(CURLOPT_PREREQDATA, x);
	if (opts->connect_only) {
		SET(CURLOPT_CONNECT_ONLY, 1L);
		SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
		SET(CURLOPT_SSL_ENABLE_ALPN, 0L);
		SET(CURLOPT_HTTPPROXYTUNNEL, 1L);
	}
	return rc;
}

/* host as libcurl normalised it: numeric forms are dotted, IPv6 is in brackets. */
static bool host_is_this_machine(const char *host)
{
	char name[256];
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	size_t n = strlen(host);

	if (n == 0 || n >= sizeof(name))
		return false;
	memcpy(name, host, n + 1);
	if (name[n - 1] == '.' || name[n - 1] == ']')
		name[n - 1] = '\0';
	if (inet_pton(AF_INET, name, &in.sin_addr) == 1)
		return guard_classify((const struct sockaddr *)&in) == GUARD_LOOPBACK;
	if (name[0] == '[' && inet_pton(AF_INET6, name + 1, &in6.sin6_addr) == 1)
		return guard_classify((const struct sockaddr *)&in6) == GUARD_LOOPBACK;
	str_lower(name);
	return str_eq(name, "localhost") || str_ends(name, ".localhost");
}

/* The guard's verdict on a host that is an address; names are judged when they are resolved. */
static bool literal_admitted(struct curl_xfer *x, const char *host)
{
	char ip[INET6_ADDRSTRLEN + 2];
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	size_t n = strlen(host);

	if (n == 0 || n >= sizeof(ip))
		return true;
	memcpy(ip, host, n + 1);
	if (ip[n - 1] == ']')
		ip[n - 1] = '\0';
	if (inet_pton(AF_INET, ip, &in.sin_addr) == 1)
		return admit(x, (const struct sockaddr *)&in);
	if (ip[0] == '[' && inet_pton(AF_INET6, ip + 1, &in6.sin6_addr) == 1)
		return admit(x, (const struct sockaddr *)&in6);
	return true;
}

static ch_status set_target(struct curl_xfer *x, const struct curl_xfer_opts *opts, CURLU *u, struct ch_err *err)
{
	char *scheme = NULL, *host = NULL, *port = NULL;
	ch_status st = CH_OK;
	CURLcode rc = CURLE_OK;

	if (curl_url_set(u, CURLUPART_URL, opts->url, CURLU_DISALLOW_USER) ||
	    curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) || curl_url_get(u, CURLUPART_HOST, &host, 0) ||
	    curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) ||
	    !(str_eq(scheme, "http") || str_eq(scheme, "https"))) {
		st = ch_fail(err, CH_E_INVALID, "not a URL that can be fetched: it must be http(s)://host[:port]/path");
	} else {
		snprintf(x->origin, sizeof(x->origin), "%s://%s:%s", scheme, host, port);
		SET(CURLOPT_URL, opts->url);
		if (x->guard == GUARD_TRUST_ORIGIN && opts->proxy) {
			SET(CURLOPT_PROXY, opts->proxy);
			SET(CURLOPT_NOPROXY, "");
		} else if (x->guard != GUARD_TRUST_ORIGIN || host_is_this_machine(host)) {
			SET(CURLOPT_PROXY, "");
		}
		if (opts->is_ipv4_only)
			SET(CURLOPT_IPRESOLVE, (long)CURL_IPRESOLVE_V4);
		if (rc)
			st = ch_fail(err, CH_E_NOMEM, "%s: %s", x->origin, curl_easy_strerror(rc));
		else if (!literal_admitted(x, host))
			st = ch_fail(err, CH_E_DENIED, "%s is refused: %s", x->origin, x->denied);
	}
	curl_free(scheme);
	curl_free(host);
	curl_free(port);
	return st;
}

ch_status curl_xfer_init(struct curl_xfer *x, struct curl_loop *cl, const struct curl_xfer_opts *opts,
			 struct ch_err *err)
{
	CURLU *u;
	CURLcode rc;
	ch_status st;

	*x = (struct curl_xfer){ .loop = cl, .guard = opts->guard };
	if (opts->tls_fingerprint && !parse_pin(opts->tls_fingerprint, x->pin))
		return ch_fail(err, CH_E_INVALID, "a TLS fingerprint is the 64 hex digits of a SHA-256");
	x->easy = curl_easy_init();
	u = curl_url();
	if (!x->easy || !u) {
		curl_easy_cleanup(CH_TAKE(x->easy));
		curl_url_cleanup(u);
		return ch_fail(err, CH_E_NOMEM, "no memory for a transfer");
	}
	cl->xfers++;
	rc = set_common(x, opts);
	if (!rc)
		rc = set_tls(x, opts);
	if (rc)
		st = ch_fail(err, CH_E_UNSUPPORTED, "libcurl refuses an option: %s", curl_easy_strerror(rc));
	else
		st = set_target(x, opts, u, err);
	curl_url_cleanup(u);
	if (st)
		curl_xfer_done(x);
	return st;
}

ch_status curl_xfer_start(struct curl_xfer *x, struct ch_err *err)
{
	CURLMcode rc = curl_multi_add_handle(x->loop->multi, x->easy);

	if (rc)
		return ch_fail(err, CH_E_NOMEM, "%s: %s", x->origin, curl_multi_strerror(rc));
	x->is_added = true;
	return CH_OK;
}

ch_status curl_xfer_wait(struct curl_xfer *x, int64_t deadline_ms, const char *what, struct ch_err *err)
{
	ch_status st;

	x->waiter = fiber_self();
	st = fiber_park(deadline_ms);
	x->waiter = NULL;
	if (st == CH_E_TIMEOUT)
		return ch_fail(err, st, "%s: no %s in time", x->origin, what);
	if (st)
		return ch_fail(err, st, "%s: cancelled while waiting for %s", x->origin, what);
	return CH_OK;
}

static const char *stage_name(CURLcode rc)
{
	switch (rc) {
	case CURLE_COULDNT_RESOLVE_HOST: return "resolving the name failed";
	case CURLE_COULDNT_RESOLVE_PROXY: return "resolving the proxy's name failed";
	case CURLE_COULDNT_CONNECT: return "connecting failed";
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION: return "TLS failed";
	case CURLE_PARTIAL_FILE:
	case CURLE_GOT_NOTHING:
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
	case CURLE_HTTP2:
	case CURLE_HTTP2_STREAM: return "the connection was cut";
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_WEIRD_SERVER_REPLY: return "the answer is not HTTP";
	default: return "the request failed";
	}
}

/* libcurl's words, on one line. */
static void reason_text(const struct curl_xfer *x, char *ret_text, size_t cap)
{
	snprintf(ret_text, cap, "%s", x->message[0] ? x->message : curl_easy_strerror(x->result));
	for (char *p = ret_text; *p; p++) {
		if ((unsigned char)*p < ' ')
			*p = ' ';
	}
}

ch_status curl_xfer_fail(const struct curl_xfer *x, struct ch_err *err)
{
	char reason[CURL_ERROR_SIZE];

	if (x->denied[0] && (x->result == CURLE_COULDNT_CONNECT || x->result == CURLE_ABORTED_BY_CALLBACK))
		return ch_fail(err, CH_E_DENIED, "%s is refused: %s", x->origin, x->denied);
	reason_text(x, reason, sizeof(reason));
	switch (x->result) {
	case CURLE_OPERATION_TIMEDOUT: return ch_fail(err, CH_E_TIMEOUT, "%s: no connection in time", x->origin);
	case CURLE_OUT_OF_MEMORY: return ch_fail(err, CH_E_NOMEM, "%s: %s", x->origin, reason);
	case CURLE_URL_MALFORMAT: return ch_fail(err, CH_E_INVALID, "%s: %s", x->origin, reason);
	default: return ch_fail(err, CH_E_PEER, "%s: %s: %s", x->origin, stage_name(x->result), reason);
	}
}

void curl_xfer_done(struct curl_xfer *x)
{
	if (!x->easy)
		return;
	if (x->is_added)
		curl_multi_remove_handle(x->loop->multi, x->easy);
	curl_easy_cleanup(CH_TAKE(x->easy));
	x->loop->xfers--;
	x->is_added = false;
}
