/*
 * What a stranger can send before hello-ok: a frame, connect's parameters, a device proof; then the headers
 * of the upgrade, taken from the same bytes. Whatever comes in, the message that goes out is short and
 * valid UTF-8.
 */
#include <string.h>

#include "fuzz.h"

#include "core/str.h"
#include "gateway/connect_policy.h"
#include "gateway/device_auth.h"
#include "gateway/frame.h"
#include "gateway/origin.h"

#define NONCE "b9478c0f-4ed3-44a3-a8d5-6d16e520c973"

static void check_text(const char *text)
{
	FUZZ_ASSERT(strlen(text) < CH_ERR_TEXT_MAX && utf8_valid(text, strlen(text)));
}

static void judge(struct arena *a, const struct connect_params *p)
{
	struct connect_facts f = {.params = p,
				  .role = role_find(p->role),
				  .is_local = true,
				  .shared_ok = true,
				  .auth_ok = true,
				  .method = AUTH_BY_TOKEN};
	const char *key = NULL;
	struct scope_list scopes = {0};

	scope_list_from_json(&scopes, p->scopes);
	FUZZ_ASSERT(scopes.count <= SCOPE_COUNT && (scopes.bits & ~SCOPE_ALL) == 0);
	(void)policy_protocol_fits(p);
	FUZZ_ASSERT(p->has_device == (policy_device_need(&f) == DEVICE_NOT_NEEDED && p->has_device));
	/* Nobody knows a key that fits a fixed nonce at a fixed time but the seed in the corpus. */
	if (p->has_device && device_prove(a, p, NONCE, 1795333101809, &key) == DEVICE_PROOF_OK)
		FUZZ_ASSERT(key && strlen(key) == 43);
}

static void read_headers(struct arena *a, const char *text)
{
	struct origin o;
	struct origin_query q = { .origin = text, .host = "127.0.0.1:18789", .is_local = true };
	struct host_query hq = { .host = text, .bind_is_loopback = true };

	if (origin_parse(a, text, &o)) {
		FUZZ_ASSERT(o.port > 0 && *o.host && !strchr(o.host, '@') && !strchr(o.host, '/'));
		/* Only a page of this machine passes. */
		FUZZ_ASSERT(origin_check(a, &q) == ORIGIN_DENIED || host_is_loopback(o.host));
	} else {
		FUZZ_ASSERT(origin_check(a, &q) == ORIGIN_INVALID);
	}
	if (origin_host_allowed(a, &hq))
		FUZZ_ASSERT(origin_parse_host(a, text, 80, &o) && host_is_loopback(o.host));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	char *text = arena_alloc(a, size + 1);   /* may hold NULs */
	struct connect_params p;
	struct ch_err err = {0};
	struct frame f;

	memcpy(text, data, size);
	frame_parse(a, text, size, &f, &err);
	check_text(err.text);
	if (f.kind == FRAME_REQ && !connect_claims_worker(f.params)) {
		if (connect_params_parse(f.params, &p, &err) == CH_OK)
			judge(a, &p);
		check_text(err.text);
	}
	if (size < 512)
		read_headers(a, text);
	return 0;
}
