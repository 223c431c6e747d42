/*
 * models/aws_creds.c - the credentials for Amazon Bedrock.
 */
#include "models/aws_creds.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/clock.h"
#include "core/fiber.h"
#include "core/file.h"
#include "core/json.h"
#include "core/mem.h"
#include "core/str.h"
#include "net/http_client.h"

#define PROFILE_FILE_MAX (256u * 1024u)
#define METADATA_URL "http://169.254.169.254"
#define METADATA_MAX (16u * 1024u)
#define METADATA_MS 3000
#define REFRESH_BEFORE_MS (5 * 60 * 1000)        /* a role's keys are fetched again while the old ones still work */
#define HOW_TO_GET_SOME                                                                                     \
	"set AWS_BEARER_TOKEN_BEDROCK, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"

struct aws_cache { struct aws_creds role; };

void aws_creds_done(struct aws_creds *c)
{
	secret_unref(CH_TAKE(c->bearer));
	secret_unref(CH_TAKE(c->id));
	secret_unref(CH_TAKE(c->key));
	secret_unref(CH_TAKE(c->token));
}

void aws_cache_free(struct aws_cache *cache)
{
	if (!cache)
		return;
	aws_creds_done(&cache->role);
	ch_free(cache);
}

static struct secret *secret_or_null(const char *text)
{
	return str_empty(text) ? NULL : secret_new(text);
}

/* -- the environment -- */

static bool from_environment(struct aws_creds *ret)
{
	const char *bearer = getenv("AWS_BEARER_TOKEN_BEDROCK");
	const char *id = getenv("AWS_ACCESS_KEY_ID"), *key = getenv("AWS_SECRET_ACCESS_KEY");

	if (!str_empty(bearer)) {
		ret->bearer = secret_new(bearer);
		return true;
	}
	if (str_empty(id) || str_empty(key))
		return false;
	ret->id = secret_new(id);
	ret->key = secret_new(key);
	ret->token = secret_or_null(getenv("AWS_SESSION_TOKEN"));
	return true;
}

/* -- profile files -- */

struct profile {
	const char *name;
	struct buf credentials, config;  /* the files' texts; empty when there is none */
};

static void read_file(const char *variable, const char *name, struct buf *ret)
{
	const char *path = getenv(variable), *home = getenv("HOME");
	CH_AUTO_STR char *usual = ch_asprintf("%s/.aws/%s", home ? home : "", name);

	if (str_empty(path) && str_empty(home))
		return;
	/* A file that is missing or cannot be read holds no profile; the error at the end names what is missing. */
	if (file_read(str_empty(path) ? usual : path, PROFILE_FILE_MAX, ret, NULL))
		*ret = (struct buf){ .data = NULL };
}

static void profile_read(struct profile *p)
{
	const char *name = getenv("AWS_PROFILE");

	*p = (struct profile){ .name = str_empty(name) ? "default" : name };
	read_file("AWS_SHARED_CREDENTIALS_FILE", "credentials", &p->credentials);
	read_file("AWS_CONFIG_FILE", "config", &p->config);
}

static void wipe(struct buf *b)
{
	if (b->data)
		explicit_bzero(b->data, b->cap);
	buf_done(b);
}

static void profile_done(struct profile *p)
{
	wipe(&p->credentials);
	wipe(&p->config);
}

static const char *profile_get(struct arena *a, const struct profile *p, const char *key)
{
	const char *value = aws_ini_get(a, buf_str(&p->credentials), p->name, key);

	return value ? value : aws_ini_get(a, buf_str(&p->config), p->name, key);
}

/* What such a profile asks for is done by the AWS command line, whose result can be exported. */
static const char *unsupported_setting(struct arena *a, const struct profile *p)
{
	static const char *const names[] = { "role_arn", "sso_session", "sso_start_url", "credential_process" };

	for (size_t i = 0; i < CH_ARRAY_LEN(names); i++) {
		if (profile_get(a, p, names[i]))
			return names[i];
	}
	return NULL;
}

static ch_status from_profile(struct aws_creds *ret, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	const char *id, *key, *unsupported;
	struct profile p;
	ch_status st = CH_OK;

	profile_read(&p);
	id = profile_get(a, &p, "aws_access_key_id");
	key = profile_get(a, &p, "aws_secret_access_key");
	unsupported = unsupported_setting(a, &p);
	if (id && key) {
		ret->id = secret_new(id);
		ret->key = secret_new(key);
		ret->token = secret_or_null(profile_get(a, &p, "aws_session_token"));
	} else if (unsupported) {
		st = ch_fail(err, CH_E_DENIED,
			     "the AWS profile '%.60s' uses %s, which is not supported: run `aws configure export-credentials` "
			     "and set what it prints", p.name, unsupported);
	} else {
		st = ch_fail(err, CH_E_NOT_FOUND, "there are no AWS credentials: %s", HOW_TO_GET_SOME);
	}
	profile_done(&p);
	return st;
}

/* -- the instance's role (IMDSv2) -- */

struct metadata {
	struct http_client *http;
	const char *base;
	enum guard_policy guard;
	struct http_header header;       /* asks for a token, then shows it */
};

static CH_FIBER ch_status ask_metadata(const struct metadata *m, const char *method, const char *path, struct buf *ret,
				       struct ch_err *err)
{
	CH_AUTO(http_resp_free) struct http_resp *r = NULL;
	CH_AUTO_STR char *url = ch_asprintf("%s%s", m->base, path);
	struct http_out rq = {
		.method = method, .url = url, .headers = &m->header, .header_count = 1, .guard = m->guard,
		.headers_deadline_ms = fiber_deadline(METADATA_MS),
	};
	ch_status st = http_open(m->http, &rq, &r, err);

	if (st)
		return st;
	if (http_resp_status(r) != 200)
		return ch_fail(err, CH_E_NOT_FOUND, "the instance's metadata service answers %d", http_resp_status(r));
	buf_clear(ret);
	return http_read_all(r, ret, fiber_deadline(METADATA_MS), err);
}

/* "2026-11-22T15:00:00Z"; a role without a readable end is fetched again soon. */
static int64_t end_of(const char *iso)
{
	struct tm tm = { 0 };

	if (!iso || sscanf(iso, "%4d-%2d-%2dT%2d:%2d:%2dZ", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour, &tm.tm_min,
			   &tm.tm_sec) != 6)
		return now_wall_ms() + REFRESH_BEFORE_MS;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	return (int64_t)timegm(&tm) * 1000;
}

static ch_status read_role(const char *text, size_t len, struct aws_creds *ret, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	const char *id, *key;
	struct json *v = NULL;

	if (json_parse(a, text, len, JSON_STRICT, &v, NULL))
		return ch_fail(err, CH_E_PEER, "the instance's metadata service gave no keys");
	id = json_get_str(v, "AccessKeyId");
	key = json_get_str(v, "SecretAccessKey");
	if (str_empty(id) || str_empty(key))
		return ch_fail(err, CH_E_NOT_FOUND, "the instance's role has no keys");
	ret->id = secret_new(id);
	ret->key = secret_new(key);
	ret->token = secret_or_null(json_get_str(v, "Token"));
	ret->expires_at = end_of(json_get_str(v, "Expiration"));
	return CH_OK;
}

static CH_FIBER ch_status fetch_role(struct metadata *m, struct aws_creds *ret, struct ch_err *err)
{
	CH_AUTO_BUF struct buf token = { .max_bytes = METADATA_MAX }, name = token, keys = token;
	CH_AUTO_STR char *path = NULL;
	ch_status st;

	m->header = (struct http_header){ "x-aws-ec2-metadata-token-ttl-seconds", "21600" };
	st = ask_metadata(m, "PUT", "/latest/api/token", &token, err);
	if (st)
		return st;
	m->header = (struct http_header){ "x-aws-ec2-metadata-token", buf_str(&token) };
	st = ask_metadata(m, "GET", "/latest/meta-data/iam/security-credentials/", &name, err);
	if (st)
		return st;
	path = ch_asprintf("/latest/meta-data/iam/security-credentials/%.*s", (int)strcspn(buf_str(&name), "\r\n"),
			   buf_str(&name));
	st = ask_metadata(m, "GET", path, &keys, err);
	if (!st)
		st = read_role(buf_str(&keys), keys.len, ret, err);
	if (keys.data)
		explicit_bzero(keys.data, keys.cap);
	return st;
}

static bool may_ask_instance(const struct aws_want *want)
{
	return want->may_ask_instance && want->http && !str_ieq(getenv("AWS_EC2_METADATA_DISABLED"), "true");
}

static void share(const struct aws_creds *from, struct aws_creds *ret)
{
	*ret = (struct aws_creds){
		.id = secret_ref(from->id), .key = secret_ref(from->key), .token = from->token ? secret_ref(from->token) : NULL,
		.expires_at = from->expires_at,
	};
}

/*
 * The service is link-local and gives keys to whoever asks, so the guard
 * allows it here only. Another endpoint is one that a person named.
 */
static CH_FIBER ch_status from_instance(const struct aws_want *want, struct aws_creds *ret, struct ch_err *err)
{
	const char *endpoint = getenv("AWS_EC2_METADATA_SERVICE_ENDPOINT");
	struct metadata m = {
		.http = want->http,
		.base = str_empty(endpoint) ? METADATA_URL : endpoint,
		.guard = str_empty(endpoint) ? GUARD_CLOUD_METADATA : GUARD_TRUST_ORIGIN,
	};
	struct aws_creds fresh = { .expires_at = 0 };
	struct aws_cache *cache;
	ch_status st;

	if (!*want->cache)
		*want->cache = ch_alloc(sizeof(**want->cache));
	cache = *want->cache;
	if (cache->role.id && cache->role.expires_at - REFRESH_BEFORE_MS > now_wall_ms()) {
		share(&cache->role, ret);
		return CH_OK;
	}
	st = fetch_role(&m, &fresh, err);
	if (st)
		return st;
	aws_creds_done(&cache->role);
	cache->role = fresh;
	share(&fresh, ret);
	return CH_OK;
}

CH_FIBER ch_status aws_creds_load(const struct aws_want *want, struct aws_creds *ret, struct ch_err *err)
{
	struct ch_err why = { .text = "" };
	ch_status st;

	*ret = (struct aws_creds){ .expires_at = 0 };
	if (from_environment(ret))
		return CH_OK;
	st = from_profile(ret, err);
	if (st != CH_E_NOT_FOUND || !may_ask_instance(want))
		return st;
	st = from_instance(want, ret, &why);
	if (!st || st == CH_E_CANCELED)
		return st;
	return ch_fail(err, CH_E_NOT_FOUND, "there are no AWS credentials (%.80s): %s", why.text, HOW_TO_GET_SOME);
}

/* -- regions -- */

const char *aws_region(struct arena *a)
{
	static const char *const variables[] = { "AWS_REGION", "AWS_DEFAULT_REGION" };
	const char *region = NULL;
	struct profile p;

	for (size_t i = 0; i < CH_ARRAY_LEN(variables) && str_empty(region); i++)
		region = getenv(variables[i]);
	if (!str_empty(region))
		return arena_strdup(a, region);
	profile_read(&p);
	region = profile_get(a, &p, "region");
	profile_done(&p);
	return region ? region : "us-east-1";
}

const char *aws_region_of_url(struct arena *a, const char *url)
{
	const char *at = strstr(url, "://bedrock-runtime.");
	size_t n;

	if (!at)
		at = strstr(url, "://bedrock-runtime-fips.");
	if (!at)
		return NULL;
	at = strchr(at, '.') + 1;
	n = strcspn(at, "./:");
	return n && str_starts(at + n, ".amazonaws.com") ? arena_strndup(a, at, n) : NULL;
}
