-- Schema 3: approvals, questions, what tools do, sub-agents, stored secrets.
-- The conventions are those of 001.sql.

-- ---- approvals (approvals/approval.h) ----

-- What waits for a person, and how it was decided. `binding` is what the asker needs to carry the
-- decision out after a restart; `claimed_at` is set, once, in the transaction before it is carried out.
CREATE TABLE approvals (
	id TEXT PRIMARY KEY,
	kind TEXT NOT NULL CHECK (kind IN ('exec', 'plugin', 'system-agent')),
	status TEXT NOT NULL CHECK (status IN ('pending', 'allowed', 'denied', 'expired', 'cancelled')),
	decision TEXT,                           -- "allow-once", "allow-always", "deny"
	decisions INTEGER NOT NULL,              -- which may be chosen: enum approval_decision
	reason TEXT,                             -- why it ended: "user", "timeout", "run-aborted", …
	agent_id TEXT,
	session_key TEXT,
	session_id TEXT,
	run_id TEXT,
	tool_call_id TEXT,
	binding_hash TEXT,                       -- SHA-256 of what was shown and is bound, lower-case hex
	created_at INTEGER NOT NULL,
	expires_at INTEGER NOT NULL,
	resolved_at INTEGER NOT NULL DEFAULT 0,
	claimed_at INTEGER NOT NULL DEFAULT 0,
	done_at INTEGER NOT NULL DEFAULT 0,      -- what was allowed has been carried out, or given up
	resolver TEXT,                           -- JSON: who decided
	request TEXT NOT NULL,                   -- JSON: `request` of the events
	presentation TEXT NOT NULL,              -- JSON: what a person is shown
	binding TEXT                             -- JSON
);
CREATE INDEX approvals_pending ON approvals (created_at) WHERE status = 'pending';
CREATE INDEX approvals_by_time ON approvals (resolved_at, id) WHERE resolved_at > 0;

-- Commands that need not be asked for again: the allowlist of an agent ('' is every agent).
CREATE TABLE exec_grants (
	id TEXT PRIMARY KEY,
	agent_id TEXT NOT NULL DEFAULT '',
	pattern TEXT NOT NULL,                   -- resolved path or bare name, globs
	arg_pattern TEXT,                        -- grammar of the arguments; NULL: any
	source TEXT,                             -- "allow-always", "document"
	command_text TEXT,                       -- what it was made for
	created_at INTEGER NOT NULL,
	expires_at INTEGER NOT NULL DEFAULT 0,   -- 0: does not
	last_used_at INTEGER NOT NULL DEFAULT 0,
	last_used_command TEXT,
	last_resolved_path TEXT,
	approval_id TEXT,
	resolver TEXT                            -- JSON: who granted it
);
CREATE INDEX exec_grants_by_agent ON exec_grants (agent_id);

-- ---- questions (approvals/question.h) ----

CREATE TABLE questions (
	id TEXT PRIMARY KEY,
	status TEXT NOT NULL CHECK (status IN ('pending', 'answered', 'cancelled', 'expired')),
	agent_id TEXT,
	session_key TEXT,
	run_id TEXT,
	created_at INTEGER NOT NULL,
	expires_at INTEGER NOT NULL DEFAULT 0,
	resolved_at INTEGER NOT NULL DEFAULT 0,
	resolution_id TEXT,
	resolved_by TEXT,                        -- JSON
	answers TEXT,                            -- JSON; secret answers are never here
	questions TEXT NOT NULL,                 -- JSON
	wakes INTEGER NOT NULL DEFAULT 0         -- the session hears of an answer that nobody waited for
);
CREATE INDEX questions_pending ON questions (created_at) WHERE status = 'pending';

-- ---- what tools do (agent/tool_journal) ----

-- A call that acts: written before it runs, its result when it has. After a crash what has a result
-- keeps it and what has none is known to have been begun; neither is run again.
CREATE TABLE tool_calls (
	session_key TEXT NOT NULL,
	run_id TEXT NOT NULL,
	call_id TEXT NOT NULL,
	tool TEXT NOT NULL,
	state TEXT NOT NULL CHECK (state IN ('started', 'finished', 'interrupted')),
	started_at INTEGER NOT NULL,             -- 0: its turn has not come
	ended_at INTEGER NOT NULL DEFAULT 0,
	is_error INTEGER NOT NULL DEFAULT 0,
	result TEXT,                             -- JSON: content and details
	PRIMARY KEY (session_key, run_id, call_id)
) WITHOUT ROWID;

-- ---- taint (agent/taint) ----

-- Text from outside is in this session's window since then; and where it came from.
ALTER TABLE sessions ADD COLUMN tainted_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN taint TEXT;              -- JSON: sources, newest last, few
ALTER TABLE sessions ADD COLUMN permission_mode TEXT;    -- "read-only", "guarded", "workspace", "full"
ALTER TABLE sessions ADD COLUMN tool_cap TEXT;           -- JSON: the tools that the session which started it had; NULL: none did
-- Files that a tainted turn wrote: reading them taints.
CREATE TABLE tainted_files (
	workspace TEXT NOT NULL,
	path TEXT NOT NULL,                      -- relative to it
	at INTEGER NOT NULL,
	session_key TEXT,
	source TEXT,
	PRIMARY KEY (workspace, path)
) WITHOUT ROWID;

-- ---- sub-agents (agent/subagent) ----

CREATE TABLE subagents (
	run_id TEXT PRIMARY KEY,                 -- of the child's first run
	child_key TEXT NOT NULL,
	requester_key TEXT NOT NULL,
	agent_id TEXT NOT NULL,
	task TEXT NOT NULL,
	label TEXT,
	depth INTEGER NOT NULL,
	cleanup TEXT NOT NULL,                   -- "keep", "delete"
	requester_run TEXT,                      -- the run that started it
	announces INTEGER NOT NULL DEFAULT 1,    -- its requester wants to hear of its end
	status TEXT NOT NULL,                    -- "running", "done", "failed", "timeout", "stopped", "lost"
	created_at INTEGER NOT NULL,
	ended_at INTEGER NOT NULL DEFAULT 0,
	announced_at INTEGER NOT NULL DEFAULT 0, -- the requester has been told; set with the input that tells it
	archive_at INTEGER NOT NULL DEFAULT 0,
	result TEXT
);
CREATE INDEX subagents_by_requester ON subagents (requester_key);
CREATE INDEX subagents_by_child ON subagents (child_key);
CREATE INDEX subagents_open ON subagents (created_at) WHERE announced_at = 0;
CREATE INDEX subagents_to_archive ON subagents (archive_at) WHERE archive_at > 0;

-- A session's plan, as its agent last put it.
CREATE TABLE progress_cards (
	session_key TEXT PRIMARY KEY REFERENCES sessions (key) ON DELETE CASCADE,
	revision INTEGER NOT NULL,
	updated_at INTEGER NOT NULL,
	card TEXT NOT NULL                       -- JSON
) WITHOUT ROWID;

-- ---- stored secrets (secrets/store.h) ----

-- Values are sealed with AES-256-GCM under the key file beside this database; kind "env" is for
-- settings that are no secrets and are kept in the clear.
CREATE TABLE secrets (
	name TEXT PRIMARY KEY,
	kind TEXT NOT NULL CHECK (kind IN ('secret', 'env')),
	allowed_hosts TEXT,                      -- JSON array; NULL: any host that the configuration names
	created_at INTEGER NOT NULL,
	updated_at INTEGER NOT NULL,
	updated_by TEXT,
	nonce BLOB,
	value BLOB NOT NULL
) WITHOUT ROWID;
