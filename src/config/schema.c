/*
 * config/schema.c - the table of all keys, and finding one's way in it.
 *
 * The rows are sorted by path, so that the rows below a node stand in one
 * run behind it. Each fragment holds one root key's rows; the order of the
 * #include lines is the order of the root keys. A unit test checks both.
 */
#include "config/schema.h"

#include <string.h>

#include "config/path.h"
#include "core/str.h"

#define CHOICES(...) (const char *const[]){ __VA_ARGS__, NULL }
/* A root key of OpenClaw that nothing here reads yet. */
#define LATER(name) { .path = name, .type = CFG_ANY, .flags = CFG_UNUSED }
/* A root key in which programs keep notes for themselves. */
#define NOTES(name) { .path = name, .type = CFG_ANY, .flags = CFG_ADVANCED }

static const struct config_row rows[] = {
	NOTES("$schema"),
	{ .path = "accessGroups", .type = CFG_ANY, .flags = CFG_HOT | CFG_ADVANCED,
	  .help = "Named groups of senders for allowlists: {<name>: {type: \"message.senders\", members: {<channel>: [ids]}}}, or of "
	  "Discord's members who see a channel: {type: \"discord.channelAudience\", guildId, channelId}." },
	LATER("acp"),
#include "config/schema/agents.inc"
#include "config/schema/approvals.inc"
	LATER("attachments"),
#include "config/schema/auth.inc"
	{ .path = "bindings", .type = CFG_ANY, .flags = CFG_HOT | CFG_ADVANCED,
	  .help = "Which agent answers where: [{agentId, match: {channel, accountId, peer: {kind, id}, guildId, teamId, roles}}]." },
	LATER("broadcast"),
	LATER("browser"),
#include "config/schema/budgets.inc"
#include "config/schema/channels.inc"
	LATER("cloudWorkers"),
#include "config/schema/commands.inc"
	LATER("cron"),
	LATER("desktop"),
	LATER("diagnostics"),
	LATER("discovery"),
#include "config/schema/env.inc"
#include "config/schema/gateway.inc"
	LATER("hooks"),
#include "config/schema/logging.inc"
	LATER("mcp"),
	LATER("memory"),
#include "config/schema/messages.inc"
	NOTES("meta"),
#include "config/schema/models.inc"
	LATER("nodeHost"),
#include "config/schema/plugins.inc"
	LATER("proxy"),
#include "config/schema/secrets.inc"
	LATER("security"),
#include "config/schema/session.inc"
	LATER("skills"),
	LATER("surfaces"),
	LATER("talk"),
	LATER("telemetry"),
#include "config/schema/tools.inc"
	LATER("transcripts"),
	LATER("tts"),
	LATER("ui"),
	LATER("update"),
	NOTES("wizard"),
	LATER("worktreeAcceleration"),
	LATER("worktreeRoot"),
};

const struct config_row *config_rows(size_t *ret_count)
{
	*ret_count = CH_ARRAY_LEN(rows);
	return rows;
}

/* The first row whose path is not before (path, len). */
static const struct config_row *lower_bound(const char *path, size_t len)
{
	size_t lo = 0, hi = CH_ARRAY_LEN(rows);

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (strncmp(rows[mid].path, path, len) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return &rows[lo];
}

static const struct config_row *rows_end(void)
{
	return rows + CH_ARRAY_LEN(rows);
}

/* Fills row and has_children from path; false when neither exists. */
static bool look_up(struct schema_node *n)
{
	const struct config_row *at = lower_bound(n->path, n->len);

	n->row = NULL;
	if (at < rows_end() && str_eq(at->path, n->path))
		n->row = at;
	n->path[n->len] = '.';
	at = lower_bound(n->path, n->len + 1);
	n->has_children = at < rows_end() && strncmp(at->path, n->path, n->len + 1) == 0;
	n->path[n->len] = '\0';
	return n->row || n->has_children;
}

void schema_root(struct schema_node *ret)
{
	*ret = (struct schema_node){ .has_children = true };
}

/* Tries parent's path and one more name; node is only changed when that exists. */
static bool descend(struct schema_node *node, const char *name, size_t n)
{
	size_t len = node->len, start = len ? len + 1 : 0;
	const struct config_row *row = node->row;

	/* One byte for the terminator, one for the point that look_up() puts. */
	if (start + n + 2 > SCHEMA_PATH_MAX || memchr(name, '.', n))
		return false;
	if (start)
		node->path[len] = '.';
	memcpy(node->path + start, name, n);
	node->len = start + n;
	node->path[node->len] = '\0';
	if (look_up(node))
		return true;
	node->path[len] = '\0';
	node->len = len;
	node->row = row;
	node->has_children = true;
	return false;
}

static bool step(struct schema_node *node, const char *name, size_t n)
{
	return node->has_children && (descend(node, name, n) || descend(node, "*", 1));
}

bool schema_step(struct schema_node *node, const char *name)
{
	return step(node, name, strlen(name));
}

bool schema_child(const struct schema_node *parent, const char *name, struct schema_node *ret)
{
	*ret = *parent;
	return step(ret, name, strlen(name));
}

size_t schema_child_names(const struct schema_node *parent, const char **ret_names, size_t max,
			  struct arena *a)
{
	size_t start = parent->len ? parent->len + 1 : 0, count = 0;

	for (const struct config_row *r = lower_bound(parent->path, parent->len);
	     r < rows_end() && strncmp(r->path, parent->path, parent->len) == 0; r++) {
		const char *name = r->path + start;
		size_t n;

		if (start && r->path[parent->len] != '.')
			continue;
		n = strcspn(name, ".");
		if (*name == '*' || count == max)
			continue;
		if (count && strlen(ret_names[count - 1]) == n && memcmp(ret_names[count - 1], name, n) == 0)
			continue;
		ret_names[count++] = arena_strndup(a, name, n);
	}
	return count;
}

static bool find_plain(const char *path, struct schema_node *node)
{
	while (*path) {
		size_t n = strcspn(path, ".");

		if (!step(node, path, n))
			return false;
		path += n + (path[n] == '.');
	}
	return true;
}

static bool find_bracketed(const char *path, struct schema_node *node)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct config_path p;

	if (config_path_parse(a, path, &p, NULL))
		return false;
	for (size_t i = 0; i < p.n; i++)
		if (!step(node, p.name[i], strlen(p.name[i])))
			return false;
	return true;
}

bool schema_find(const char *path, struct schema_node *ret)
{
	struct schema_node node;

	schema_root(&node);
	if (!(strchr(path, '[') ? find_bracketed(path, &node) : find_plain(path, &node)))
		return false;
	*ret = node;
	return true;
}

const struct config_row *config_row_find(const char *path)
{
	struct schema_node node;

	return schema_find(path, &node) ? node.row : NULL;
}
