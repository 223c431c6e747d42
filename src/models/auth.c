/*
 * models/auth.c - choosing a provider's credential and remembering how it fared.
 */
#include "models/auth.h"

#include "models/models_priv.h"

CH_FIBER ch_status auth_acquire(struct models *m, struct config *cfg, const struct auth_want *want,
				struct auth_lease *ret, struct ch_err *err)
{
	ch_status st;

	*ret = (struct auth_lease){ .kind = AUTH_KIND_NONE };
	st = key_find(m, cfg, want->provider, &ret->secret, err);
	if (!st && ret->secret)
		ret->kind = AUTH_KIND_API_KEY;
	return st;
}

void auth_release(struct auth_lease *l)
{
	secret_unref(l->secret);
	*l = (struct auth_lease){ .kind = AUTH_KIND_NONE };
}

void auth_report(struct models *m, const struct auth_lease *l, const char *model, enum model_error_class c,
		 int64_t retry_after_ms)
{
	(void)m, (void)l, (void)model, (void)c, (void)retry_after_ms;
}

bool auth_has_usable(struct models *m, const struct auth_want *want)
{
	return key_is_there(m, want->provider) && !(want->skip && want->skip[0]);
}

int64_t auth_blocked_until(struct models *m, const char *provider, const char *model)
{
	(void)model;
	return key_is_there(m, provider) ? 0 : INT64_MAX;
}
