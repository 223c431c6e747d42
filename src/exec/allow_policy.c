/*
 * exec/allow_policy.c - the policy of a command outside the sandbox: configuration, approvals document, session.
 *
 * Each owner may only make it stricter than the one before, with one exception: a session that an administrator set to
 * "full" is above the document's floors; a configuration that says "deny" holds even then.
 */
#include "core/buf.h"
#include "core/str.h"
#include "exec/allow_priv.h"

struct level {
	enum exec_security security;
	enum exec_ask ask;
};

static const char *const securities[] = { "deny", "allowlist", "full" };
static const char *const asks[] = { "always", "on-miss", "off" };

static bool read_security(const char *text, enum exec_security *ret)
{
	for (size_t i = 0; i < CH_ARRAY_LEN(securities); i++)
		if (str_eq(text, securities[i])) {
			*ret = (enum exec_security)i;
			return true;
		}
	return false;
}

static bool read_ask(const char *text, enum exec_ask *ret)
{
	for (size_t i = 0; i < CH_ARRAY_LEN(asks); i++)
		if (str_eq(text, asks[i])) {
			*ret = (enum exec_ask)i;
			return true;
		}
	return false;
}

/* "auto" asks a model in the reference; here a person is asked. */
static bool read_mode(const char *text, struct level *ret)
{
	static const struct { const char *name; struct level level; } modes[] = {
		{ "deny", { EXEC_DENY, EXEC_ASK_OFF } },
		{ "allowlist", { EXEC_ALLOWLIST, EXEC_ASK_OFF } },
		{ "ask", { EXEC_ALLOWLIST, EXEC_ASK_ON_MISS } },
		{ "auto", { EXEC_ALLOWLIST, EXEC_ASK_ON_MISS } },
		{ "full", { EXEC_FULL, EXEC_ASK_OFF } },
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(modes); i++)
		if (str_eq(text, modes[i].name)) {
			*ret = modes[i].level;
			return true;
		}
	return false;
}

static const struct json *setting_of(const struct config *c, const char *agent_id, const char *key, struct arena *a)
{
	if (!agent_id)
		return config_get(c, arena_printf(a, "tools.exec.%s", key));
	return config_get(c, arena_printf(a, "agents.entries[\"%s\"].tools.exec.%s", agent_id, key));
}

const struct json *exec_setting(const struct config *c, const char *agent_id, const char *key, struct arena *a)
{
	const struct json *own = agent_id && *agent_id && !strpbrk(agent_id, "\"\\") ? setting_of(c, agent_id, key, a) : NULL;

	return own ? own : setting_of(c, NULL, key, a);
}

/* One layer of the configuration: `mode`, or `security` and `ask`, in place of what the layer before says. */
static void read_layer(const struct config *c, const char *agent_id, struct arena *a, struct level *l, struct buf *why)
{
	const char *where = agent_id ? arena_printf(a, "agents.entries.%s.tools.exec", agent_id) : "tools.exec";
	const char *mode = json_str(setting_of(c, agent_id, "mode", a));
	const char *security = json_str(setting_of(c, agent_id, "security", a));
	const char *ask = json_str(setting_of(c, agent_id, "ask", a));

	if (mode && read_mode(mode, l)) {
		buf_printf(why, "%s%s.mode is \"%s\"", why->len ? "; " : "", where, mode);
		return;
	}
	if (security && read_security(security, &l->security))
		buf_printf(why, "%s%s.security is \"%s\"", why->len ? "; " : "", where, security);
	if (ask && read_ask(ask, &l->ask))
		buf_printf(why, "%s%s.ask is \"%s\"", why->len ? "; " : "", where, ask);
}

static void narrow(struct level *l, const struct level *by)
{
	l->security = CH_MIN(l->security, by->security);
	l->ask = CH_MIN(l->ask, by->ask);
}

/* A field of the document for an agent: its own, that of every agent, the default. */
static const char *document_field(const struct json *doc, const char *agent_id, const char *key, const char **ret_where)
{
	const struct json *agents = json_get(doc, "agents");
	const char *own = agent_id ? json_get_str(json_get(agents, agent_id), key) : NULL;
	const char *every = json_get_str(json_get(agents, "*"), key);

	*ret_where = own ? agent_id : every ? "*" : "defaults";
	return own ? own : every ? every : json_get_str(json_get(doc, "defaults"), key);
}

static void read_document(const struct json *doc, const char *agent_id, struct level *l, struct buf *why)
{
	struct level floor = { EXEC_FULL, EXEC_ASK_OFF };
	const char *where, *text;

	text = document_field(doc, agent_id, "security", &where);
	if (text && read_security(text, &floor.security) && floor.security < l->security)
		buf_printf(why, "%sthe approvals document (%s) has security \"%s\"", why->len ? "; " : "", where, text);
	text = document_field(doc, agent_id, "ask", &where);
	if (text && read_ask(text, &floor.ask) && floor.ask < l->ask)
		buf_printf(why, "%sthe approvals document (%s) has ask \"%s\"", why->len ? "; " : "", where, text);
	narrow(l, &floor);
}

static void read_session(const char *mode, struct level *l, struct buf *why)
{
	static const struct level deny = { EXEC_DENY, EXEC_ASK_OFF }, ask = { EXEC_ALLOWLIST, EXEC_ASK_ON_MISS };

	if (!mode || str_eq(mode, "full"))
		return;
	buf_printf(why, "%sthe session's permissions are \"%s\"", why->len ? "; " : "", mode);
	narrow(l, str_eq(mode, "read-only") ? &deny : &ask);
}

static const char *mode_name(const struct level *l)
{
	if (l->security == EXEC_DENY)
		return "deny";
	if (l->ask == EXEC_ASK_ALWAYS)
		return "ask";
	if (l->security == EXEC_FULL)
		return "full";
	return l->ask == EXEC_ASK_OFF ? "allowlist" : "ask";
}

void exec_policy(struct exec_allow *al, const struct config *c, const char *agent_id, const char *permission_mode,
		 struct arena *a, struct exec_policy *ret)
{
	struct level l = { EXEC_ALLOWLIST, EXEC_ASK_ON_MISS };
	const char *hash, *where;
	const struct json *doc = exec_allow_document(al, a, &hash);
	CH_AUTO_BUF struct buf why = { 0 };
	struct exec_policy p = { 0 };

	buf_init(&why, 4096);
	read_layer(c, NULL, a, &l, &why);
	if (agent_id && *agent_id && !strpbrk(agent_id, "\"\\"))
		read_layer(c, agent_id, a, &l, &why);
	p.strict_inline_eval = json_bool_or(exec_setting(c, agent_id, "strictInlineEval", a), false);
	if (str_eq(permission_mode, "full") && l.security != EXEC_DENY) {
		l = (struct level){ EXEC_FULL, EXEC_ASK_OFF };
		p.strict_inline_eval = false;
		buf_clear(&why);
		buf_puts(&why, "the session's permissions are \"full\"");
	} else {
		read_document(doc, agent_id, &l, &why);
		read_session(permission_mode, &l, &why);
	}
	/* What cannot be read allows nothing. */
	if (!doc) {
		l = (struct level){ EXEC_DENY, EXEC_ASK_OFF };
		buf_clear(&why);
		buf_puts(&why, "the approvals document cannot be read");
	}
	p.security = l.security;
	p.ask = l.ask;
	p.mode = mode_name(&l);
	if (!read_security(document_field(doc, agent_id, "askFallback", &where), &p.ask_fallback))
		p.ask_fallback = EXEC_DENY;
	p.reason = why.len ? arena_strdup(a, buf_str(&why)) : "commands outside the sandbox need a yes by default";
	*ret = p;
}
