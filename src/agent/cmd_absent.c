/*
 * agent/cmd_absent.c - commands that clients know and that have no subject here: a clear answer, no listing.
 */
#include "agent/command.h"

#define ABSENT(id, text, why)                                                                          \
	static ch_status absent_##id(struct run *r, const char *args, struct buf *out, struct ch_err *err) \
	{                                                                                              \
		return ch_fail(err, CH_E_UNSUPPORTED, "/" text ": " why);                              \
	}                                                                                              \
	const struct slash_command cmd_##id = {                                                        \
		.name = text, .description = why, .args_hint = "[…]", .category = "options",           \
		.flags = SLASH_HIDDEN, .run = absent_##id,                                             \
	}

ABSENT(elevated, "elevated", "commands ask to leave the sandbox one by one (tools.elevated)");
ABSENT(exec, "exec", "tools.exec and the permission mode say where commands run");
ABSENT(login, "login", "sign in on the gateway's machine: `chela models auth login <provider>`");
ABSENT(openclaw, "openclaw", "there is no helper for setting up; `chela --help` and `chela config` do it");
ABSENT(session, "session", "conversations are not bound to threads of a channel, so nothing expires");
ABSENT(tasks, "tasks", "what runs in the background are sub-agents: /subagents");
ABSENT(trace, "trace", "there are no plugins that could be traced");
ABSENT(update, "update", "this gateway was built here; build and install the new version, then /restart");
