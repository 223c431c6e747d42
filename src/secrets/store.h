/*
 * secrets/store.h - credentials that the gateway keeps itself, sealed.
 *
 * Owns    the table secrets and the key file <state>/secrets.key (32 random bytes, 0600, made at the first set).
 *         A value is sealed with AES-256-GCM, its name as associated data, under a nonce of its own.
 * Reads   a value leaves only as a handle (config.h struct secret): revealed at the socket or in one child's
 *         environment. No method, command or tool returns one.
 * Hosts   allowed_hosts bounds where a secret may be sent; the one who sends it asks secret_store_allows().
 * Fails   CH_E_NOT_FOUND; CH_E_IO when the key file is gone or does not fit, naming the way out.
 * Source  reference protocol, secrets.store.*; NIST SP 800-38D.
 */
#ifndef CH_SECRETS_STORE_H
#define CH_SECRETS_STORE_H

#include "config/config.h"
#include "core/arena.h"
#include "store/db.h"

#define SECRET_NAME_MAX 128              /* [A-Z][A-Z0-9_]* */
#define SECRET_VALUE_MAX (64u << 10)
#define SECRETS_MAX 1000

struct secret_store;

struct secret_entry {
	const char *name, *kind;         /* "secret", "env" */
	const char *const *allowed_hosts;        /* NULL-ended; NULL: not bounded */
	const char *updated_by;          /* or NULL */
	const char *value;               /* kind "env" only */
	int64_t created_at, updated_at;
};

CH_MUST_USE ch_status secret_store_open(struct db *db, const char *state_dir, struct secret_store **ret, struct ch_err *err);
void secret_store_free(struct secret_store *s);
/*
 * Durable. value NULL: only the hosts change (CH_E_NOT_FOUND when there is none). hosts NULL: they stay as they were. Hosts are exact
 * names in ASCII, without scheme, port or path.
 */
CH_MUST_USE ch_status secret_store_set(struct secret_store *s, const char *name, const char *kind, const char *value,
				       const char *const *hosts, const char *by, struct ch_err *err);
CH_MUST_USE ch_status secret_store_remove(struct secret_store *s, const char *name, struct ch_err *err);
CH_MUST_USE ch_status secret_store_get(struct secret_store *s, const char *name, struct secret **ret, struct ch_err *err);
/* May it be sent to this host? Only to those it names, exactly; one that names none goes where the configuration says. */
bool secret_store_allows(struct secret_store *s, const char *name, const char *host);
/* By name. Borrowed for the call. */
CH_MUST_USE ch_status secret_store_list(struct secret_store *s, bool (*each)(void *arg, const struct secret_entry *e),
					void *arg, struct ch_err *err);
/* References {source: "store", id: "NAME"} of the configuration read from here. */
const struct config_secrets *secret_store_source(struct secret_store *s);

/* What a name must look like; what a name with that ending holds ("secret" or "env"). */
bool secret_name_is_valid(const char *name);
const char *secret_kind_of(const char *name);

#endif
