/*
 * cli/identity.c - device identity in a file of its own.
 */
#include "cli/identity.h"

#include <string.h>

#include "core/file.h"
#include "core/json.h"
#include "core/str.h"

#define IDENTITY_FILE_MAX 65536

static ch_status read_doc(const char *state_dir, struct arena *a, struct json **ret, struct ch_err *err)
{
	CH_AUTO_BUF struct buf text = { 0 };
	const char *path = arena_printf(a, "%s/identity/device.json", state_dir);
	ch_status st = file_read(path, IDENTITY_FILE_MAX, &text, err);

	if (st)
		return st;
	st = json_parse(a, buf_str(&text), text.len, JSON_STRICT, ret, err);
	return st ? ch_wrap(err, "%s", path) : CH_OK;
}

static ch_status write_doc(const char *state_dir, struct arena *a, const struct json *doc, struct ch_err *err)
{
	CH_AUTO_BUF struct buf text = { 0 };
	const char *dir = arena_printf(a, "%s/identity", state_dir);
	ch_status st = file_mkdirs(dir, 0700, err);

	if (st)
		return st;
	buf_init(&text, IDENTITY_FILE_MAX);
	json_write(&text, doc, 2);
	buf_putc(&text, '\n');
	st = buf_status(&text, err, "device.json");
	return st ? st : file_write_atomic(arena_printf(a, "%s/device.json", dir), text.data, text.len, 0600, err);
}

static ch_status make(const char *state_dir, struct arena *a, struct identity *id, struct ch_err *err)
{
	struct json *doc = json_new_obj(a);
	char private_text[48];

	ed25519_generate(id->private_key, id->public_key);
	b64url_encode(id->private_key, ED25519_KEY_LEN, private_text);
	b64url_encode(id->public_key, ED25519_KEY_LEN, id->public_text);
	sha256_hex(id->public_key, ED25519_KEY_LEN, id->device_id);
	json_set(a, doc, "version", json_new_int(a, 1));
	json_set(a, doc, "deviceId", json_new_str(a, id->device_id));
	json_set(a, doc, "publicKey", json_new_str(a, id->public_text));
	json_set(a, doc, "privateKey", json_new_str(a, private_text));
	return write_doc(state_dir, a, doc, err);
}

ch_status identity_load(const char *state_dir, struct identity *ret, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct identity id;
	struct json *doc;
	size_t n;
	ch_status st = read_doc(state_dir, a, &doc, err);

	if (st == CH_E_NOT_FOUND) {
		st = make(state_dir, a, &id, err);
		if (!st)
			*ret = id;
		return st;
	}
	if (st)
		return st;
	const char *private_text = json_str_or(json_get(doc, "privateKey"), "");

	if (!b64_decode(private_text, strlen(private_text), id.private_key, ED25519_KEY_LEN, &n) || n != ED25519_KEY_LEN)
		return ch_fail(err, CH_E_INVALID, "%s/identity/device.json has no usable key; remove it to pair this device anew",
			       state_dir);
	ed25519_public(id.private_key, id.public_key);
	b64url_encode(id.public_key, ED25519_KEY_LEN, id.public_text);
	sha256_hex(id.public_key, ED25519_KEY_LEN, id.device_id);
	*ret = id;
	return CH_OK;
}

char *identity_token(const char *state_dir, const char *url, struct arena *a)
{
	struct json *doc;

	if (read_doc(state_dir, a, &doc, NULL))
		return NULL;
	return arena_strdup(a, json_get_str(json_get(doc, "tokens"), url));
}

ch_status identity_keep_token(const char *state_dir, const char *url, const char *token, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct json *doc, *tokens;
	ch_status st = read_doc(state_dir, a, &doc, err);

	if (st)
		return st;
	tokens = json_get(doc, "tokens");
	if (!json_is(tokens, JSON_OBJ)) {
		tokens = json_new_obj(a);
		json_set(a, doc, "tokens", tokens);
	}
	if (str_eq(json_get_str(tokens, url), token))
		return CH_OK;
	json_set(a, tokens, url, json_new_str(a, token));
	return write_doc(state_dir, a, doc, err);
}

void identity_sign(const struct identity *id, const char *text, size_t n, char ret_text[96])
{
	uint8_t sig[ED25519_SIG_LEN];

	ed25519_sign(id->private_key, text, n, sig);
	b64url_encode(sig, sizeof(sig), ret_text);
}
