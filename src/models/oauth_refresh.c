/*
 * models/oauth_refresh.c - a new access token by the refresh token.
 *
 * Servers give a new refresh token each time and take the use of an old one
 * for theft. So one refresh at a time per profile; it runs in a fiber of its
 * own, because a caller that gives up must not lose the new token; and the new
 * one is on disk before anybody sees the access token.
 *
 *	killed before the request   the old refresh token is good
 *	killed after the commit     the new one is
 *	killed in between           the old access token, which is renewed early, still is for a while; after it
 *	                            the server refuses, and the profile says that one must sign in again
 */
#include <string.h>

#include "config/path.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/str.h"
#include "models/auth_priv.h"
#include "models/models_priv.h"
#include "models/oauth.h"

#define FLIGHT_WAIT_MS (OAUTH_REQUEST_MS * 2 + 5000)

/* ---- flights ---- */

static void flight_unref(struct oauth_flight *f)
{
	if (!f || --f->refs)
		return;
	arena_unref(f->arena);
	ch_free(f);
}
CH_AUTO_DEFINE(flight_unref, struct oauth_flight)

static struct oauth_flight *flight_find(struct auth_state *s, const struct auth_profile *p)
{
	struct oauth_flight *f = s->flights;

	while (f && !(str_eq(f->profile.id, p->id) && str_eq(f->profile.agent_id, p->agent_id)))
		f = f->next;
	return f;
}

static void flight_unlink(struct auth_state *s, struct oauth_flight *f)
{
	struct oauth_flight **at = &s->flights;

	while (*at != f)
		at = &(*at)->next;
	*at = f->next;
}

CH_FIBER void auth_drain(struct models *m, int64_t deadline_ms)
{
	while (m->auth && m->auth->flights) {
		struct oauth_flight *f = m->auth->flights;

		f->refs++;
		/* Late: its request is broken off, which does not take long. */
		if (!f->is_done && fiber_cond_wait(&f->done, deadline_ms) && !f->is_done) {
			log_warn("models", "the refresh of %s is broken off; one may have to sign in again",
				 f->profile.id);
			fiber_cancel(f->fiber);
			while (!f->is_done && !fiber_yield()) {
			}
		}
		flight_unref(f);
	}
}

/* ---- the refresh ---- */

/* The configuration may hold a secret of the client; it is not kept in the profile. */
static CH_FIBER ch_status take_client_secret(struct models *m, struct oauth_server *s, struct arena *a,
					     struct ch_err *err)
{
	CH_AUTO(config_unref) struct config *cfg = NULL;
	const struct config *now = catalog_config(m);
	const char *path = NULL;

	json_each(v, now ? config_get(now, "auth.oauth") : NULL) {
		if (str_ieq(v->key, s->provider) && json_get(v, "clientSecret"))
			path = config_path_join(a, config_path_join(a, "auth.oauth", v->key), "clientSecret");
	}
	if (!path)
		return CH_OK;
	cfg = config_ref(m->config);
	return config_secret(cfg, path, &s->client_secret, err);
}

/* What the server says when the refresh token, or the client, is worth nothing any more. */
static bool is_final(const struct oauth_reply *r)
{
	static const char *const codes[] = { "invalid_grant",         "invalid_refresh_token",
					     "refresh_token_expired", "refresh_token_invalidated",
					     "refresh_token_reused",  "invalid_client",
					     "unauthorized_client" };

	return str_in(r->error, codes, CH_ARRAY_LEN(codes));
}

static ch_status keep(struct db *db, const struct auth_profile *p, const struct secret *was,
		      const struct oauth_tokens *t, struct ch_err *err)
{
	ch_status st = auth_store_renew(db, p, secret_reveal(was), secret_reveal(t->access),
					secret_reveal(t->refresh), t->expires_at, err);

	return st ? ch_wrap(err, "keeping the new token of %s", p->id) : CH_OK;
}

static ch_status give_up(struct db *db, const struct auth_profile *p, const struct secret *was,
			 struct ch_err *err)
{
	struct ch_err second = { .text = "" };

	if (auth_store_refuse(db, p, secret_reveal(was), err->text, &second))
		log_warn("models", "%s is not marked as ended (%s); it is tried again", p->id, second.text);
	return ch_fail(err, CH_E_DENIED,
		       "the sign-in of %s has ended; sign in again: chela models auth login --provider %s",
		       p->id, p->provider);
}

static CH_FIBER ch_status ask(struct models *m, const struct auth_profile *p, const struct oauth_server *s,
			      const struct secret *refresh, struct arena *a, struct ch_err *err)
{
	struct oauth_tokens t = { 0 };
	struct oauth_reply r = { 0 };
	struct oauth_form f;
	ch_status st;

	oauth_form_init(&f);
	oauth_form_add(&f, "grant_type", "refresh_token");
	oauth_form_add(&f, "refresh_token", secret_reveal(refresh));
	st = oauth_request_tokens(m->opts.http, s, &f, a, "refreshing", &t, &r, err);
	oauth_form_done(&f);
	if (!st)
		st = keep(m->opts.db, p, refresh, &t, err);
	else if (st == CH_E_DENIED)
		st = is_final(&r) ? give_up(m->opts.db, p, refresh, err)
				  : ch_fail(err, CH_E_PEER, "%s", err->text);
	oauth_tokens_done(&t);
	return st;
}

static CH_FIBER ch_status refresh(struct oauth_flight *f, struct ch_err *err)
{
	CH_AUTO(secret_unref) struct secret *access = NULL;
	CH_AUTO(secret_unref) struct secret *token = NULL;
	struct models *m = f->m;
	struct oauth_server s;
	ch_status st = auth_store_secrets(m->opts.db, &f->profile, &access, &token, err);

	if (st)
		return st;
	if (!token)
		return ch_fail(err, CH_E_DENIED,
			       "%s cannot be refreshed; sign in again: chela models auth login --provider %s",
			       f->profile.id, f->profile.provider);
	st = oauth_server_of_profile(&f->profile, f->arena, &s, err);
	if (!st)
		st = take_client_secret(m, &s, f->arena, err);
	if (!st)
		st = ask(m, &f->profile, &s, token, f->arena, err);
	oauth_server_done(&s);
	return st;
}

static CH_FIBER void run_flight(void *arg)
{
	struct oauth_flight *f = arg;

	f->st = refresh(f, &f->err);
	if (f->st)
		log_warn("models", "%s was not refreshed: %s", f->profile.id, f->err.text);
	else
		log_info("models", "%s was refreshed", f->profile.id);
	f->is_done = true;
	flight_unlink(f->m->auth, f);
	fiber_cond_broadcast(&f->done);
	flight_unref(f);
}

static struct oauth_flight *flight_start(struct models *m, const struct auth_profile *p)
{
	struct auth_state *s = auth_state_of(m);
	struct oauth_flight *f = ch_alloc(sizeof(*f));
	struct auth_profile *copy = &f->profile;

	f->m = m;
	f->arena = arena_new(0);
	f->refs = 1;
	*copy = *p;
	copy->agent_id = arena_strdup(f->arena, p->agent_id);
	copy->id = arena_strdup(f->arena, p->id);
	copy->provider = arena_strdup(f->arena, p->provider);
	copy->extra = arena_strdup(f->arena, p->extra);
	fiber_cond_init(&f->done);
	f->next = s->flights;
	s->flights = f;
	f->fiber = fiber_spawn(m->opts.loop, "oauth refresh", FIBER_DETACHED, run_flight, f);
	return f;
}

CH_FIBER ch_status oauth_refresh(struct models *m, const struct auth_profile *p, struct ch_err *err)
{
	CH_AUTO(flight_unref) struct oauth_flight *f = flight_find(auth_state_of(m), p);
	int64_t deadline_ms = fiber_deadline(FLIGHT_WAIT_MS);

	if (!f)
		f = flight_start(m, p);
	f->refs++;
	while (!f->is_done) {
		ch_status st = fiber_cond_wait(&f->done, deadline_ms);

		if (st)
			return ch_fail(err, st, "%s: refreshing the sign-in took too long", p->id);
	}
	return f->st ? ch_fail(err, f->st, "%s", f->err.text) : CH_OK;
}
