-- Schema 2: credentials, budgets, branches, groups, preferences, the audit trail.
-- The conventions are those of 001.sql.

-- ---- credentials (models/auth.h) ----

-- A credential of a provider: what `chela models auth` keeps. The file is
-- readable by its owner only; nothing here ever leaves it but to the provider.
-- agent_id '' is shared by all agents; a row of an agent goes before it.
CREATE TABLE auth_profiles (
	agent_id TEXT NOT NULL DEFAULT '',
	profile_id TEXT NOT NULL,                -- "openai:default", "openai:me@example.org"
	provider TEXT NOT NULL,
	kind TEXT NOT NULL CHECK (kind IN ('api_key', 'token', 'oauth')),
	created_at INTEGER NOT NULL,
	updated_at INTEGER NOT NULL,
	last_used_at INTEGER NOT NULL DEFAULT 0,
	expires_at INTEGER NOT NULL DEFAULT 0,   -- of the access token; 0: does not expire
	email TEXT,
	account_id TEXT,
	extra TEXT,                              -- JSON: endpoints of an OAuth provider and the like
	refused TEXT,                            -- why its refresh token is worth nothing any more; a new login clears it
	refresh_token TEXT,
	secret TEXT NOT NULL,                    -- the key, the token, or the access token
	PRIMARY KEY (agent_id, profile_id)
) WITHOUT ROWID;
CREATE INDEX auth_profiles_by_provider ON auth_profiles (provider);

-- In which order a provider's credentials are tried; none: by kind and age.
CREATE TABLE auth_order (
	agent_id TEXT NOT NULL DEFAULT '',
	provider TEXT NOT NULL,
	profiles TEXT NOT NULL,                  -- JSON array of profile ids
	PRIMARY KEY (agent_id, provider)
) WITHOUT ROWID;

-- How a credential fared: until when it is left alone. model '' is all models.
-- Those without a row in auth_profiles are here too: "env:OPENAI_API_KEY",
-- "config:openai"; their fingerprint tells when the key behind the name changed.
CREATE TABLE auth_health (
	agent_id TEXT NOT NULL DEFAULT '',       -- the profile's
	profile_id TEXT NOT NULL,
	model TEXT NOT NULL DEFAULT '',
	failures INTEGER NOT NULL DEFAULT 0,     -- in a row
	reason TEXT NOT NULL,                    -- a class of models/model.h: "rate_limit"
	fingerprint TEXT NOT NULL DEFAULT '',
	failed_at INTEGER NOT NULL DEFAULT 0,
	blocked_until INTEGER NOT NULL DEFAULT 0,
	PRIMARY KEY (agent_id, profile_id, model)
) WITHOUT ROWID;

-- ---- the bill (models/ledger.c, models/budget.h) ----

ALTER TABLE ledger ADD COLUMN auth_profile TEXT;
CREATE INDEX ledger_by_run ON ledger (run_id) WHERE run_id IS NOT NULL;

-- ---- which model answers (agent/turn_route.c) ----

ALTER TABLE sessions ADD COLUMN auth_profile TEXT;       -- the credential that was chosen with the model
-- Another model answers than the chosen one, and that was said:
-- {"selected":"a/x","active":"b/y","reason":"auth"}.
ALTER TABLE sessions ADD COLUMN fallback TEXT;

-- ---- sessions ----

-- A window that began as a part of another one: a fork, a rewind.
ALTER TABLE session_windows ADD COLUMN parent_id TEXT;
ALTER TABLE session_windows ADD COLUMN parent_entry TEXT;        -- the last entry that both have

-- Summaries of what was said before them (sessions/transcript.h): the newest is looked for at each reading.
CREATE INDEX transcript_compactions ON transcript (session_id, raw_seq) WHERE type = 'compaction';
-- What is unread is derived: since when it was last read, or that it was marked so.
ALTER TABLE sessions DROP COLUMN unread;
ALTER TABLE sessions ADD COLUMN marked_unread_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN last_read_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN fork_source TEXT;                -- JSON {sessionKey, sessionId, entryId}

-- The list as a page shows it; and who is below whom.
CREATE INDEX sessions_by_place ON sessions (pinned_at DESC, updated_at DESC, key);
CREATE INDEX sessions_by_parent ON sessions (parent_key) WHERE parent_key IS NOT NULL;

-- Entries that are not shown: few among many, the newest of a kind is looked for.
CREATE INDEX transcript_hidden ON transcript (session_id, raw_seq) WHERE role IS NULL;

-- Groups of the session list, in their order.
CREATE TABLE session_groups (
	name TEXT PRIMARY KEY,
	position INTEGER NOT NULL,
	cwd TEXT,
	worktree INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
INSERT INTO session_groups (name, position)
	SELECT category, row_number() OVER (ORDER BY category) - 1 FROM sessions WHERE category <> '' GROUP BY category;

-- ---- people ----

-- Preferences of a person's pages; values are JSON.
CREATE TABLE user_prefs (
	profile_id TEXT NOT NULL,
	name TEXT NOT NULL,
	updated_at INTEGER NOT NULL,
	value TEXT NOT NULL,
	PRIMARY KEY (profile_id, name)
) WITHOUT ROWID;

-- ---- the audit trail ----

-- What was done and by whom, never what was said. Runs, tool calls, messages
-- and changes to the configuration; a row is written once and read by people.
CREATE TABLE audit (
	id INTEGER PRIMARY KEY,
	at INTEGER NOT NULL,
	kind TEXT NOT NULL,                      -- "agent_run", "tool_action", "message", "config"
	action TEXT NOT NULL,
	status TEXT NOT NULL,
	actor TEXT,
	agent_id TEXT,
	session_key TEXT,
	run_id TEXT,
	channel TEXT,
	direction TEXT,
	detail TEXT                              -- JSON object
);
CREATE INDEX audit_by_time ON audit (at);

-- ---- agents ----

-- Workspaces that were set up once: one that is gone is not silently made anew.
CREATE TABLE workspaces (
	path TEXT PRIMARY KEY,
	agent_id TEXT NOT NULL,
	seeded_at INTEGER NOT NULL,
	configured_at INTEGER NOT NULL DEFAULT 0 -- the ritual of the first talk is over
) WITHOUT ROWID;

-- ---- setup codes (gateway/bootstrap.h) ----

-- What lets a device in once without the shared secret. Only hashes are kept;
-- a code that was used has none left, its row stays a while to tell the outcome.
CREATE TABLE setup_codes (
	setup_id TEXT PRIMARY KEY,
	token_hash TEXT UNIQUE,                  -- SHA-256, lower-case hex; NULL once used
	join_hash TEXT UNIQUE,                   -- of the join link's code; NULL: none, or opened
	profile TEXT NOT NULL CHECK (profile IN ('full', 'limited', 'node', 'voice-node')),
	url TEXT NOT NULL,                       -- where the device connects to
	tls_fingerprint TEXT,
	issued_by TEXT,                          -- the administrator's device; NULL: came by the shared secret
	created_at INTEGER NOT NULL,
	expires_at INTEGER NOT NULL,
	used_at INTEGER NOT NULL DEFAULT 0,
	told_at INTEGER NOT NULL DEFAULT 0,      -- the device was sent its tokens
	device_id TEXT,                          -- who used it
	device_name TEXT
) WITHOUT ROWID;
