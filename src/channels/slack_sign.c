/*
 * channels/slack_sign.c - is it Slack that calls? HMAC-SHA256 over "v0:<timestamp>:<raw body>", within five minutes.
 */
#include "channels/slack.h"

#include "core/crypto.h"
#include "core/str.h"

#define SKEW_MS (5LL * 60 * 1000)

bool slack_signature_ok(const char *secret, const char *timestamp, const char *signature, const char *body, size_t len,
			int64_t now_wall_ms)
{
	CH_AUTO_BUF struct buf base = { .max_bytes = len + 64 };
	uint8_t mac[SHA256_LEN];
	char expected[3 + 2 * SHA256_LEN + 1] = "v0=";
	int64_t at_s;

	if (str_empty(secret) || !timestamp || !signature || strlen(timestamp) > 16 || !str_to_i64(timestamp, &at_s))
		return false;
	if (at_s < (now_wall_ms - SKEW_MS) / 1000 || at_s > (now_wall_ms + SKEW_MS) / 1000)
		return false;
	buf_printf(&base, "v0:%s:", timestamp);
	buf_append(&base, body, len);
	if (base.failed)
		return false;
	hmac_sha256(secret, strlen(secret), base.data, base.len, mac);
	hex_encode(mac, sizeof(mac), expected + 3);
	return ct_str_equal(expected, signature);
}
