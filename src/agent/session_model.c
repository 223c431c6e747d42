/*
 * agent/session_model.c - the model that a session's user chose.
 */
#include "agent/host.h"
#include "core/str.h"

const char *agent_wanted_model(const struct sess *s, struct arena *a)
{
	if (str_empty(s->model_override_source) || str_eq(s->model_override_source, "default") ||
	    str_empty(s->model_provider) || str_empty(s->model))
		return NULL;
	return arena_printf(a, str_empty(s->auth_profile) ? "%s/%s" : "%s/%s@%s", s->model_provider, s->model,
			    s->auth_profile);
}

void agent_pin_model(struct sess *s, const struct model_entry *m)
{
	sess_set_str(s, &s->model_provider, m ? m->provider : NULL);
	sess_set_str(s, &s->model, m ? m->id : NULL);
	sess_set_str(s, &s->auth_profile, m ? m->auth_profile : NULL);
	sess_set_str(s, &s->model_override_source, m ? "user" : NULL);
	sess_set_str(s, &s->fallback, NULL);
}
