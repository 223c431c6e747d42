/*
 * fuzz_oauth.c - what comes back from an authorization server or through a browser. The first byte chooses:
 *
 *	'r'  a redirect, as a callback or a paste has it: a code is taken only with our state, or when it stands alone
 *	't'  a token endpoint's answer: there is an access token or an error, and its text is not left in the tree
 *	'j'  a JWT: an object or nothing
 */
#include "fuzz.h"

#include <string.h>

#include "core/str.h"
#include "models/oauth.h"

#define STATE "0123456789abcdef"

static void redirect(struct arena *a, const char *text)
{
	static const struct oauth_server server = { .provider = "acme", .issuer = "https://id.example.org" };
	const char *code = NULL;
	struct ch_err err = { .text = "" };
	ch_status st = oauth_read_redirect(a, &server, text, STATE, &code, &err);

	if (st) {
		FUZZ_ASSERT(*err.text && !strchr(err.text, '\n'));
		/* Only who knows the state may end the sign-in. */
		FUZZ_ASSERT(st != CH_E_DENIED || strstr(text, "state="));
		return;
	}
	FUZZ_ASSERT(!str_empty(code));
	FUZZ_ASSERT(strstr(text, "state=") || !strpbrk(code, " \t\r\n&=?"));
}

static void tokens(struct arena *a, const char *text, size_t n)
{
	struct oauth_tokens t;
	struct ch_err err = { .text = "" };
	struct json *v = NULL;

	if (json_parse(a, text, n, JSON_STRICT, &v, NULL))
		return;
	if (oauth_tokens_parse(a, v, 1000, &t, &err)) {
		FUZZ_ASSERT(*err.text);
		return;
	}
	FUZZ_ASSERT(t.access && *secret_reveal(t.access));
	FUZZ_ASSERT(str_empty(json_get_str(v, "access_token")));
	FUZZ_ASSERT(!t.refresh || str_empty(json_get_str(v, "refresh_token")));
	FUZZ_ASSERT(t.expires_at == 0 || t.expires_at > 1000);
	oauth_tokens_done(&t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	const char *text;
	const struct json *claims;

	if (size == 0)
		return 0;
	text = arena_strndup(a, (const char *)data + 1, size - 1);
	switch (data[0]) {
	case 'r': redirect(a, text); break;
	case 't': tokens(a, (const char *)data + 1, size - 1); break;
	case 'j':
		claims = oauth_jwt_claims(a, text);
		FUZZ_ASSERT(!claims || json_is(claims, JSON_OBJ));
		break;
	default: break;
	}
	return 0;
}
