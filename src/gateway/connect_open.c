/*
 * gateway/connect_open.c - letting a client in: its facts are kept, hello-ok goes out, what it sent ahead
 * is handled.
 */
#include "core/clock.h"
#include "core/log.h"
#include "core/mem.h"
#include "gateway/connect_judge.h"
#include "gateway/hub.h"

static char *join_caps(const struct json *caps)
{
	CH_AUTO_BUF struct buf out = { 0 };

	buf_init(&out, GW_PREAUTH_FRAME_MAX);
	buf_putc(&out, '\n');
	json_each(it, caps)
	{
		buf_append(&out, it->str, it->len);
		buf_putc(&out, '\n');
	}
	return buf_take(&out, NULL);
}

static struct conn_client *make_client(const struct judge *j)
{
	struct conn_client *cl = ch_alloc(sizeof(*cl));
	const struct connect_params *p = &j->p;

	cl->id = ch_strdup(p->client.id);
	cl->mode = ch_strdup(p->client.mode);
	cl->version = ch_strdup(p->client.version);
	cl->platform = ch_strdup(p->client.platform);
	cl->display_name = ch_strdup(p->client.display_name);
	cl->device_family = ch_strdup(p->client.device_family);
	cl->model_identifier = ch_strdup(p->client.model_identifier);
	cl->time_zone = ch_strdup(p->client.time_zone);
	cl->instance_id = ch_strdup(p->client.instance_id);
	cl->device_id = p->has_device ? ch_strdup(p->device.id) : NULL;
	cl->ip = j->c->hs->peer.is_local ? NULL : ch_strdup(j->c->hs->peer.ip);
	cl->caps = p->caps ? join_caps(p->caps) : NULL;
	cl->role = j->facts.role;
	cl->scopes = j->scopes;
	cl->is_tracked = !connect_is_ephemeral(p);
	cl->is_device_token = j->facts.method == AUTH_BY_DEVICE_TOKEN || j->facts.method == AUTH_BY_BOOTSTRAP;
	cl->uses_shared_auth = !cl->is_device_token;
	cl->online_since_ms = cl->last_activity_ms = now_wall_ms();
	return cl;
}

static void cap_scopes(struct judge *j)
{
	struct scope_list cap = {0};

	if (!j->c->hs->peer.scopes_cap)
		return;
	scope_list_from_text(&cap, j->c->hs->peer.scopes_cap);
	scope_list_cap(&j->scopes, cap.bits);
}

/* Was it handed to the socket? */
static bool send_hello(struct judge *j)
{
	struct buf out;
	struct jw w = JW(&out);
	bool is_whole;

	hub_take_buf(j->gw->hub, &out, GW_FRAME_MAX);
	frame_res_begin(&w, j->frame_id);
	hello_write(j->gw, &w, j->c, &j->out);
	frame_res_end(&w);
	is_whole = !out.failed;
	if (is_whole)
		conn_send(j->c, out.data, out.len);
	hub_give_buf(j->gw->hub, &out);
	return is_whole && j->c->phase == CONN_OPEN;
}

void judge_let_in(struct judge *j)
{
	struct gw_conn *c = j->c;
	bool was_sent;

	cap_scopes(j);
	j->out.params = &j->p;
	j->out.role = j->facts.role;
	j->out.scopes = j->scopes;
	j->out.method = j->facts.method;
	conn_open(c, make_client(j));
	log_info("gateway", "connected conn=%s client=%s/%s role=%s auth=%s scopes=%u peer=%s", c->id,
		 c->client->id, c->client->mode, role_name(c->client->role), auth_method_name(j->out.method),
		 c->client->scopes.count, c->hs->peer.ip);
	if (c->client->is_tracked) {
		c->awaits_health = true;
		hub_presence_changed(j->gw->hub);
	}
	was_sent = send_hello(j);
	if (j->out.method == AUTH_BY_BOOTSTRAP)
		bootstrap_settle(j->gw, j->a, j->code.setup_id, was_sent);
	conn_replay(c);
}
