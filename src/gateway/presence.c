/*
 * gateway/presence.c - who is here: the gateway itself and the clients that stay.
 */
#include <ifaddrs.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/str.h"
#include "gateway/hub.h"

#define ADDRESS_KEPT_MS 60000
#define PRESENCE_MAX 200                 /* entries told; a crowd must not cost a square */

/*
 * The first address of this machine that others could use; "" when there is none. Asked once a minute: it
 * costs 50 us.
 */
static void find_address(char *buf, size_t cap)
{
	struct ifaddrs *all, *it;

	buf[0] = '\0';
	if (getifaddrs(&all))
		return;
	for (it = all; it && !buf[0]; it = it->ifa_next) {
		if (!it->ifa_addr || it->ifa_addr->sa_family != AF_INET || !strcmp(it->ifa_name, "lo"))
			continue;
		if (getnameinfo(it->ifa_addr, sizeof(struct sockaddr_in), buf, (socklen_t)cap, NULL, 0,
				NI_NUMERICHOST))
			buf[0] = '\0';
	}
	freeifaddrs(all);
}

const char *presence_lan_address(struct gw_hub *h)
{
	int64_t now = now_mono_ms();

	if (now >= h->address_until_ms) {
		find_address(h->address, sizeof(h->address));
		h->address_until_ms = now + ADDRESS_KEPT_MS;
	}
	return h->address;
}

static void write_self(struct gw *gw, struct jw *w)
{
	const char *ip = presence_lan_address(gw->hub);
	struct utsname u;
	char platform[160], text[320];

	uname(&u);
	snprintf(platform, sizeof(platform), "linux %.64s", u.release);
	snprintf(text, sizeof(text),
		 "Gateway: %.64s%s%s%s \302\267 app %s \302\267 mode gateway \302\267 reason self",
		 u.nodename, ip[0] ? " (" : "", ip, ip[0] ? ")" : "", gw->version);
	jw_obj(w);
	jw_kstr(w, "host", u.nodename);
	if (ip[0])
		jw_kstr(w, "ip", ip);
	jw_kstr(w, "version", gw->version);
	jw_kstr(w, "platform", platform);
	jw_kstr(w, "deviceFamily", "Linux");
	jw_kstr(w, "mode", "gateway");
	jw_kstr(w, "reason", "self");
	jw_kstr(w, "instanceId", gw->instance_id);
	jw_kstr(w, "text", text);
	jw_kint(w, "ts", now_wall_ms());
	jw_end(w);
}

static void write_user(struct jw *w)
{
	jw_kobj(w, "user");
	jw_kstr(w, "id", GW_OWNER_PROFILE);
	jw_kobj(w, "identity");
	jw_kstr(w, "type", "profile");
	jw_kstr(w, "id", GW_OWNER_PROFILE);
	jw_end(w);
	jw_end(w);
}

static void write_client(struct jw *w, const struct gw_conn *c)
{
	const struct conn_client *cl = c->client;
	const char *name = cl->display_name ? cl->display_name : cl->id;
	char text[200];
	bool is_node = cl->role == GW_ROLE_NODE;

	snprintf(text, sizeof(text), "%s: %.*s \302\267 mode %s", is_node ? "Node" : "Client",
		 (int)utf8_cut(name, strlen(name), 120), name, cl->mode);
	jw_obj(w);
	jw_kstr(w, "mode", cl->mode);
	if (!is_node)
		write_user(w);
	jw_kint(w, "onlineSince", cl->online_since_ms);
	jw_kint(w, "lastActivityAt", cl->last_activity_ms);
	jw_karr(w, "roles");
	jw_str(w, is_node ? "node" : "operator");
	jw_end(w);
	jw_key(w, "scopes");
	scope_list_write(w, &cl->scopes);
	jw_kint(w, "ts", now_wall_ms());
	jw_kstr(w, "text", text);
	jw_kstr(w, "host", name);
	jw_kstr_opt(w, "ip", cl->ip);
	jw_kstr(w, "version", cl->version);
	jw_kstr(w, "platform", cl->platform);
	jw_kstr_opt(w, "deviceFamily", cl->device_family);
	jw_kstr_opt(w, "modelIdentifier", cl->model_identifier);
	jw_kstr_opt(w, "timeZone", cl->time_zone);
	jw_kstr_opt(w, "deviceId", cl->device_id);
	jw_kstr_opt(w, "instanceId", cl->instance_id);
	jw_kstr(w, "reason", "connect");
	if (c->watched)
		jw_kraw(w, "watchedSessions", c->watched, strlen(c->watched));
	jw_end(w);
}

/* Ourselves first, then the newest. */
void gw_render_presence(struct gw *gw, struct jw *w)
{
	size_t count = 1;

	jw_arr(w);
	write_self(gw, w);
	for (const struct gw_conn *c = gw->hub->tail; c && count < PRESENCE_MAX; c = c->prev) {
		if (c->phase != CONN_OPEN || !c->client->is_tracked)
			continue;
		write_client(w, c);
		count++;
	}
	jw_end(w);
}
