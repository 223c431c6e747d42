-- Schema 4: messaging channels.
-- The conventions are those of 001.sql.

-- ---- what came in (channels/inbox.h) ----

-- One row per event of an account; append is committed before the platform is acknowledged. An ended row is a tombstone:
-- its payload is gone, its key keeps a redelivery from being taken again.
CREATE TABLE channel_inbox (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	channel TEXT NOT NULL,
	account TEXT NOT NULL,
	event_id TEXT NOT NULL,
	lane TEXT NOT NULL,                      -- channel, account, peer and thread: handled in order
	kind TEXT NOT NULL,                      -- of struct chan_in: "message", "press", …
	state TEXT NOT NULL CHECK (state IN ('received', 'handed', 'answered', 'dropped', 'overheard', 'dead')),
	payload TEXT,                            -- JSON of struct chan_in; NULL: a tombstone
	session_key TEXT,
	run_id TEXT,
	reason TEXT,                             -- why it was dropped or is dead
	attempts INTEGER NOT NULL DEFAULT 0,
	received_at INTEGER NOT NULL,
	ended_at INTEGER NOT NULL DEFAULT 0,
	UNIQUE (channel, account, event_id)
);
CREATE INDEX channel_inbox_received ON channel_inbox (lane, id) WHERE state = 'received';
CREATE INDEX channel_inbox_overheard ON channel_inbox (lane, id) WHERE state = 'overheard';
CREATE INDEX channel_inbox_handed ON channel_inbox (session_key, id) WHERE state = 'handed';
CREATE INDEX channel_inbox_run ON channel_inbox (run_id) WHERE run_id IS NOT NULL;
CREATE INDEX channel_inbox_open ON channel_inbox (channel, account) WHERE ended_at = 0;
CREATE INDEX channel_inbox_dead ON channel_inbox (channel, account, id) WHERE state = 'dead';
CREATE INDEX channel_inbox_ended ON channel_inbox (channel, account, ended_at) WHERE ended_at > 0;

-- Positions in a platform's stream, committed with what was read up to there.
CREATE TABLE channel_cursors (
	channel TEXT NOT NULL,
	account TEXT NOT NULL,
	name TEXT NOT NULL,
	value TEXT NOT NULL,
	updated_at INTEGER NOT NULL,
	PRIMARY KEY (channel, account, name)
) WITHOUT ROWID;

-- Where a session's last message from a channel came from, and that of each run that came from one.
CREATE TABLE channel_places (
	session_key TEXT PRIMARY KEY,
	channel TEXT NOT NULL,
	account TEXT NOT NULL,
	peer TEXT NOT NULL,                      -- JSON (channels/route.h)
	message_id TEXT,
	sender_id TEXT,
	run_id TEXT,
	at INTEGER NOT NULL
) WITHOUT ROWID;

-- ---- what goes out (channels/egress.h) ----

CREATE TABLE channel_outbox (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	key TEXT NOT NULL UNIQUE,                -- once per key
	channel TEXT NOT NULL,
	account TEXT NOT NULL,
	lane TEXT NOT NULL,
	state TEXT NOT NULL CHECK (state IN ('pending', 'sending', 'sent', 'failed', 'unsure')),
	origin TEXT NOT NULL,                    -- "reply", "notice", "tool", "send", "card"
	session_key TEXT,
	run_id TEXT,
	message TEXT NOT NULL,                   -- JSON of struct chan_message; '' once it is a tombstone
	parts INTEGER NOT NULL DEFAULT 0,        -- how many platform messages it makes; 0: not cut yet
	part INTEGER NOT NULL DEFAULT 0,         -- the next one to send; while `sending`: the one that may be out
	message_ids TEXT,                        -- JSON array of the platform's, of the parts that were sent
	attempts INTEGER NOT NULL DEFAULT 0,     -- of this part
	next_at INTEGER NOT NULL DEFAULT 0,
	error TEXT,
	digest TEXT,                             -- SHA-256 of what a tool said: a reply that says the same is not sent
	created_at INTEGER NOT NULL,
	sending_at INTEGER NOT NULL DEFAULT 0,
	ended_at INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX channel_outbox_open ON channel_outbox (channel, account, lane, id) WHERE state IN ('pending', 'sending');
CREATE INDEX channel_outbox_run ON channel_outbox (run_id) WHERE run_id IS NOT NULL;
CREATE INDEX channel_outbox_bad ON channel_outbox (channel, account, id) WHERE state IN ('failed', 'unsure');
CREATE INDEX channel_outbox_ended ON channel_outbox (channel, account, ended_at) WHERE ended_at > 0;

-- ---- who may write (channels/pairing.h) ----

CREATE TABLE channel_pairing_requests (
	id TEXT PRIMARY KEY,
	channel TEXT NOT NULL,
	account TEXT NOT NULL,
	sender_id TEXT NOT NULL,
	code TEXT NOT NULL,
	name TEXT,
	username TEXT,
	created_at INTEGER NOT NULL,
	last_seen_at INTEGER NOT NULL,
	expires_at INTEGER NOT NULL,
	UNIQUE (channel, account, sender_id)
);
CREATE TABLE channel_pairing_grants (
	channel TEXT NOT NULL,
	account TEXT NOT NULL,
	sender_id TEXT NOT NULL,
	name TEXT,
	granted_at INTEGER NOT NULL,
	granted_by TEXT,
	PRIMARY KEY (channel, account, sender_id)
) WITHOUT ROWID;

-- ---- accounts (channels/host.h) ----

CREATE TABLE channel_accounts (
	channel TEXT NOT NULL,
	account TEXT NOT NULL,
	is_stopped INTEGER NOT NULL DEFAULT 0,   -- by a person; kept over a restart
	self_id TEXT,
	self_name TEXT,
	self_username TEXT,
	updated_at INTEGER NOT NULL,
	PRIMARY KEY (channel, account)
) WITHOUT ROWID;

-- Buttons of cards that we sent, by what they carry (approvals, questions, the message tool).
CREATE TABLE channel_cards (
	token TEXT PRIMARY KEY,                  -- what the button carries, random
	kind TEXT NOT NULL,                      -- "approval", "question", "tool"
	subject TEXT NOT NULL,                   -- id of the approval or question
	choice TEXT NOT NULL,                    -- what this button says
	outbox_id INTEGER NOT NULL,              -- the card's message, and where it is
	channel TEXT NOT NULL,
	account TEXT NOT NULL,
	peer TEXT NOT NULL,                      -- JSON (channels/route.h)
	expires_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX channel_cards_subject ON channel_cards (kind, subject);
CREATE INDEX channel_cards_expiry ON channel_cards (expires_at);
