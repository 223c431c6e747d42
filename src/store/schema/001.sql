-- Schema 1. Applied once, inside one transaction, by store/migrate.c.
--
-- Shipped schemas never change: what is wrong here is put right by 002.sql.
-- Times are wall-clock milliseconds since 1970, 0 or NULL where unset; flags
-- are 0 or 1; lists and objects are JSON text. Long text stands last in its
-- table, so that reading the short columns does not walk overflow pages.

-- Which schemas this file has been through. PRAGMA user_version is the number
-- that is checked at start; this is for the person who looks into the file.
CREATE TABLE migrations (
	version INTEGER PRIMARY KEY,
	applied_at INTEGER NOT NULL,
	program TEXT NOT NULL                    -- "chela 0.1.0"
);

-- Small values by name: the gateway's identity, the default profile's dates.
CREATE TABLE kv (
	name TEXT PRIMARY KEY,
	value TEXT NOT NULL,
	updated_at INTEGER NOT NULL
) WITHOUT ROWID;

-- One row per session key: what sessions.list shows and sessions.patch sets.
-- session_id names the current window of the transcript; writer_run and
-- writer_epoch the one run that may append to it (sessions/transcript.h).
-- background is derived from the key when the row is made.
CREATE TABLE sessions (
	id INTEGER PRIMARY KEY,
	updated_at INTEGER NOT NULL,
	created_at INTEGER NOT NULL,
	archived_at INTEGER NOT NULL DEFAULT 0,
	background INTEGER NOT NULL DEFAULT 0,
	key TEXT NOT NULL UNIQUE,
	agent_id TEXT NOT NULL,
	session_id TEXT NOT NULL UNIQUE,
	writer_run TEXT,
	writer_epoch INTEGER NOT NULL DEFAULT 0,
	lifecycle_revision INTEGER NOT NULL DEFAULT 1,
	last_interaction_at INTEGER NOT NULL DEFAULT 0,
	session_started_at INTEGER NOT NULL DEFAULT 0,
	started_at INTEGER NOT NULL DEFAULT 0,
	ended_at INTEGER NOT NULL DEFAULT 0,
	runtime_ms INTEGER NOT NULL DEFAULT 0,
	input_tokens INTEGER NOT NULL DEFAULT 0,
	output_tokens INTEGER NOT NULL DEFAULT 0,
	total_tokens INTEGER NOT NULL DEFAULT 0,
	context_tokens INTEGER NOT NULL DEFAULT 0,
	cost_usd REAL NOT NULL DEFAULT 0,
	pinned_at INTEGER NOT NULL DEFAULT 0,
	unread INTEGER NOT NULL DEFAULT 0,
	system_sent INTEGER NOT NULL DEFAULT 0,
	aborted_last_run INTEGER NOT NULL DEFAULT 0,
	compaction_count INTEGER NOT NULL DEFAULT 0,
	label TEXT,
	display_name TEXT,
	derived_title TEXT,
	auto_label TEXT,
	icon TEXT,
	color TEXT,
	category TEXT,
	created_via TEXT,
	created_actor TEXT,
	chat_type TEXT,
	channel TEXT,
	model_provider TEXT,
	model TEXT,
	model_override_source TEXT,
	thinking_level TEXT,
	verbose_level TEXT,
	reasoning_level TEXT,
	response_usage TEXT,
	queue_mode TEXT,
	fast_mode TEXT,
	spawned_by TEXT,
	parent_key TEXT,
	status TEXT,
	last_run_id TEXT,
	last_run_error TEXT,
	last_preview TEXT,
	participants TEXT,
	active_provider TEXT,
	active_model TEXT,
	extra TEXT
);
CREATE INDEX sessions_by_update ON sessions (updated_at);

-- The windows of a session: its transcript under one session_id. /new ends
-- one and opens the next; the old one stays readable until the session goes.
CREATE TABLE session_windows (
	session_id TEXT PRIMARY KEY,
	session_key TEXT NOT NULL REFERENCES sessions (key) ON DELETE CASCADE,
	opened_at INTEGER NOT NULL,
	closed_at INTEGER NOT NULL DEFAULT 0,
	reason TEXT NOT NULL                     -- why it was opened: "initial", "new", …
) WITHOUT ROWID;
CREATE INDEX session_windows_by_key ON session_windows (session_key);

-- What was said, append-only. raw_seq counts all entries of a window from 1
-- without gaps, seq those that are shown; bytes is the length of message, so
-- that a page can be sized without reading it. search_text is indexed below.
CREATE TABLE transcript (
	row INTEGER PRIMARY KEY,
	session_id TEXT NOT NULL REFERENCES session_windows (session_id) ON DELETE CASCADE,
	raw_seq INTEGER NOT NULL,
	seq INTEGER,
	created_at INTEGER NOT NULL,
	bytes INTEGER NOT NULL,
	id TEXT NOT NULL,
	type TEXT NOT NULL,
	role TEXT,
	run_id TEXT,
	idempotency_key TEXT,
	meta TEXT,
	message TEXT,
	search_text TEXT,
	UNIQUE (session_id, raw_seq)
);
CREATE UNIQUE INDEX transcript_shown ON transcript (session_id, seq) WHERE seq IS NOT NULL;
CREATE UNIQUE INDEX transcript_by_id ON transcript (session_id, id);
CREATE UNIQUE INDEX transcript_once ON transcript (session_id, idempotency_key)
	WHERE idempotency_key IS NOT NULL;
CREATE INDEX transcript_resets ON transcript (session_id, raw_seq) WHERE type = 'reset';

-- Full-text index over transcript.search_text; the text itself is kept there
-- only. The triggers keep both in step, also when a cascade deletes. Rows
-- without text are not in the index, hence the view.
CREATE VIEW transcript_text AS
	SELECT row, search_text FROM transcript WHERE search_text IS NOT NULL;
CREATE VIRTUAL TABLE transcript_fts USING fts5 (
	search_text,
	content = 'transcript_text', content_rowid = 'row',
	tokenize = 'unicode61 remove_diacritics 2'
);
CREATE TRIGGER transcript_fts_add AFTER INSERT ON transcript
	WHEN new.search_text IS NOT NULL
BEGIN
	INSERT INTO transcript_fts (rowid, search_text) VALUES (new.row, new.search_text);
END;
CREATE TRIGGER transcript_fts_drop AFTER DELETE ON transcript
	WHEN old.search_text IS NOT NULL
BEGIN
	INSERT INTO transcript_fts (transcript_fts, rowid, search_text)
		VALUES ('delete', old.row, old.search_text);
END;

-- Accepted inputs and the runs that answer them; a row is on disk before its
-- sender is told. States and their changes: sessions/input.h.
CREATE TABLE inputs (
	id INTEGER PRIMARY KEY,                  -- order of acceptance
	session_key TEXT NOT NULL REFERENCES sessions (key) ON DELETE CASCADE,
	session_id TEXT NOT NULL,                -- the window: at acceptance, then at the start of the run
	run_id TEXT NOT NULL,
	state TEXT NOT NULL CHECK (state IN ('queued', 'running', 'done', 'failed', 'aborted',
		'absorbed', 'canceled', 'interrupted')),
	accepted_at INTEGER NOT NULL,
	started_at INTEGER NOT NULL DEFAULT 0,
	ended_at INTEGER NOT NULL DEFAULT 0,     -- 0 exactly while queued or running
	error TEXT,
	outcome TEXT,
	options TEXT,
	meta TEXT,
	message TEXT NOT NULL,
	UNIQUE (session_key, run_id)
);
CREATE INDEX inputs_by_run ON inputs (run_id);
CREATE INDEX inputs_open ON inputs (session_key, id) WHERE ended_at = 0;
CREATE INDEX inputs_ended ON inputs (ended_at) WHERE ended_at > 0;

-- Paired devices: an Ed25519 key and what its owner was granted. device_id is
-- the lower-case hex SHA-256 of the raw key. platform and device_family are
-- pinned at approval: another claim needs a new one.
CREATE TABLE devices (
	device_id TEXT PRIMARY KEY,
	public_key TEXT NOT NULL,                -- unpadded base64url of the 32 raw bytes
	display_name TEXT,                       -- as the client calls itself
	label TEXT,                              -- as the operator calls it (device.pair.rename)
	platform TEXT,
	device_family TEXT,
	client_id TEXT,
	client_mode TEXT,
	role TEXT NOT NULL,                      -- of the latest approval
	roles TEXT NOT NULL,                     -- ["operator","node"]
	scopes TEXT NOT NULL,                    -- ["operator.read",…]
	approved_via TEXT NOT NULL,              -- "silent", "owner", "bootstrap", …
	created_at INTEGER NOT NULL,
	approved_at INTEGER NOT NULL,
	last_seen_at INTEGER NOT NULL DEFAULT 0,
	last_seen_reason TEXT,
	last_ip TEXT
) WITHOUT ROWID;

-- Tokens of paired devices: what proves a device besides its key. Only the
-- SHA-256 of a value is kept, so a copy of this file lets nobody in; as a value
-- cannot be read back, a device may hold several per role. A revoked one stays
-- until the next is issued, so that the list can say so.
CREATE TABLE device_tokens (
	token_hash TEXT PRIMARY KEY,             -- lower-case hex
	device_id TEXT NOT NULL REFERENCES devices (device_id) ON DELETE CASCADE,
	role TEXT NOT NULL,
	scopes TEXT NOT NULL,
	created_at INTEGER NOT NULL,
	rotated_at INTEGER NOT NULL DEFAULT 0,
	revoked_at INTEGER NOT NULL DEFAULT 0,
	last_used_at INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX device_tokens_by_device ON device_tokens (device_id, role);

-- Devices that ask to be paired, or for more than they were granted; they go
-- when resolved, and lapse at expires_at. No reference to devices: the asker
-- is usually not there yet.
CREATE TABLE pair_requests (
	request_id TEXT PRIMARY KEY,
	device_id TEXT NOT NULL,
	public_key TEXT NOT NULL,
	display_name TEXT,
	platform TEXT,
	device_family TEXT,
	client_id TEXT,
	client_mode TEXT,
	role TEXT NOT NULL,
	roles TEXT NOT NULL,
	scopes TEXT NOT NULL,
	reason TEXT NOT NULL,                    -- "not-paired", "role-upgrade", "scope-upgrade", "metadata-upgrade"
	remote_ip TEXT,
	silent INTEGER NOT NULL DEFAULT 0,
	is_repair INTEGER NOT NULL DEFAULT 0,
	created_at INTEGER NOT NULL,
	expires_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX pair_requests_by_device ON pair_requests (device_id);

-- Every request that reached a model provider, answered or not. Rows outlive
-- their session: money spent stays spent. Costs are USD, NULL when the
-- model's price is unknown.
CREATE TABLE ledger (
	id INTEGER PRIMARY KEY,
	at INTEGER NOT NULL,                     -- when the request ended
	provider TEXT NOT NULL,
	model TEXT NOT NULL,
	api TEXT NOT NULL,                       -- dialect
	reason TEXT NOT NULL,                    -- "turn", "title", "compaction", "probe"
	agent_id TEXT,
	session_key TEXT,
	run_id TEXT,
	attempt INTEGER NOT NULL DEFAULT 1,
	outcome TEXT NOT NULL,                   -- "ok", "canceled" or an error class
	http_status INTEGER NOT NULL DEFAULT 0,
	input_tokens INTEGER NOT NULL DEFAULT 0,
	output_tokens INTEGER NOT NULL DEFAULT 0,
	cache_read_tokens INTEGER NOT NULL DEFAULT 0,
	cache_write_tokens INTEGER NOT NULL DEFAULT 0,
	cost_input REAL,
	cost_output REAL,
	cost_cache_read REAL,
	cost_cache_write REAL,
	cost_total REAL,
	first_byte_ms INTEGER,
	total_ms INTEGER NOT NULL DEFAULT 0,
	response_id TEXT,
	response_model TEXT
);
CREATE INDEX ledger_by_time ON ledger (at);
CREATE INDEX ledger_by_session ON ledger (session_key, at) WHERE session_key IS NOT NULL;
