/*
 * normalise.mjs - makes the frames of two runs comparable.
 *
 * Ids and times become placeholders; text that was streamed in any number of pieces becomes one piece;
 * rows that every frame repeats are kept in one scenario only.
 */
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}(:\d+)?$/;
const TIMES = /^(ts|sessionStartedAt|timestamp|startedAt|endedAt|updatedAt|createdAt|recordTimestampMs|acceptedAt|durationMs|runtimeMs|lastActivityAt|lastInteractionAt|pinnedAt|lastReadAt|receivedToAckMs|loadSessionMs|delayMs)$/;
const OPAQUE = /^(source|lifecycleRevision)$/;
const COUNTS = /^(inputTokens|outputTokens|totalTokens|input|output|total|cacheRead|cacheWrite|estimatedCostUsd|cost|contextTokens)$/;

/* What a row of a session or a message repeats; compared once, in rows.json. */
const ROW = new Set(['session', 'ancestorSessions']);

export function scrub(value, key = '') {
	if (typeof value === 'string')
		return UUID.test(value) || OPAQUE.test(key) ? '<id>' : value.replace(/^inject-[0-9a-f-]{36}$/, 'inject-<id>');
	if (typeof value === 'number')
		return TIMES.test(key) ? '<ms>' : COUNTS.test(key) ? '<n>' : value;
	if (Array.isArray(value))
		return value.map((v) => scrub(v, key));
	if (value === null || typeof value !== 'object')
		return value;
	return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, scrub(v, k)]));
}

const pick = (object, keys) => Object.fromEntries(keys.filter((k) => k in object).map((k) => [k, object[k]]));

/* A session row is compared by itself: here only what tells the frames apart. */
function shorten(frame) {
	const p = frame.payload;

	if (frame.event === 'sessions.changed')
		return { ...frame, payload: pick(p, ['sessionKey', 'agentId', 'reason', 'phase', 'runId', 'ts', 'hasActiveRun']) };
	if (frame.event === 'session.message')
		return { ...frame, payload: pick(p, ['sessionKey', 'agentId', 'runId', 'senderIsOwner', 'message', 'messageId', 'messageSeq']) };
	if (frame.event === 'session.tool')
		return { ...frame, payload: pick(p, ['runId', 'sessionKey', 'agentId', 'stream', 'data', 'seq', 'ts', 'isHeartbeat']) };
	if (frame.event === 'agent')
		return { ...frame, payload: pick(p, ['runId', 'sessionKey', 'sessionId', 'agentId', 'lane', 'stream', 'data', 'seq', 'ts',
			'isHeartbeat', 'spawnedBy']) };
	if (p && typeof p === 'object')
		return { ...frame, payload: Object.fromEntries(Object.entries(p).filter(([k]) => !ROW.has(k))) };
	return frame;
}

const isText = (f) => f.event === 'agent' && f.payload.stream === 'assistant';
const isDelta = (f) => f.event === 'chat' && f.payload.state === 'delta';

/*
 * Streamed text in any number of pieces becomes one frame where the first stood: of agent per answer of the
 * model, of chat per run, because what waits to be told may be told after the next answer began.
 */
function joinText(frames) {
	const open = new Map();
	const out = [];

	for (const f of frames) {
		const kind = isText(f) ? 'text' : isDelta(f) ? 'delta' : null;

		if (!kind) {
			if (f.event === 'agent' && f.payload.stream === 'lifecycle' && f.payload.data.phase === 'model' && f.payload.data.provider)
				open.delete(`text ${f.payload.runId}`);
			out.push(f);
			continue;
		}
		const key = `${kind} ${f.payload.runId}`;
		const into = open.get(key);

		if (!into) {
			const copy = structuredClone(f);

			open.set(key, copy);
			out.push(copy);
		} else if (kind === 'text') {
			into.payload.data = { ...f.payload.data, delta: into.payload.data.delta + f.payload.data.delta };
		} else {
			into.payload.deltaText += f.payload.deltaText;
			into.payload.message = f.payload.message;
		}
	}
	return out;
}

/* The per-run counter as ranks: how many frames the text came in does not matter. */
function rankSeqs(frames) {
	const seen = new Map();

	for (const f of frames) {
		if (f.event !== 'agent' && f.event !== 'chat' && f.event !== 'session.tool')
			continue;
		const ranks = seen.get(f.payload.runId) ?? seen.set(f.payload.runId, []).get(f.payload.runId);

		if (!ranks.includes(f.payload.seq))
			ranks.push(f.payload.seq);
	}
	for (const ranks of seen.values())
		ranks.sort((a, b) => a - b);
	for (const f of frames)
		if (seen.has(f.payload?.runId) && typeof f.payload.seq === 'number')
			f.payload.seq = seen.get(f.payload.runId).indexOf(f.payload.seq) + 1;
	return frames;
}

/* Events that have nothing to do with the scenario or come by the clock. */
const ASIDE = new Set(['tick', 'health', 'presence', 'heartbeat', 'chat.metadata.changed', 'cron', 'connect.challenge',
	'update.available', 'gateway.suspension', 'task']);

/*
 * Gives { answers, turn, messages, changes }: the answers in order; the run's events in order; the rows as
 * they were written, in order; and which changes of the session were told. How these four lie among
 * each other differs from run to run in the reference itself.
 */
export function normalise(frames, sent, { strip = [] } = {}) {
	const methods = new Map(sent.map((f) => [f.id, f.method]));
	const clean = (text) => strip.reduce((t, [from, to]) => t.split(from).join(to), text);
	const kept = frames.filter((f) => f.type === 'res' ? !f.id.startsWith('aside-') : !ASIDE.has(f.event)).map((f) => {
		const s = shorten(JSON.parse(clean(JSON.stringify(f))));

		return s.type === 'res' ? { res: methods.get(s.id), ok: s.ok, ...(s.ok ? { payload: s.payload } : { error: s.error }) }
			: { event: s.event, payload: s.payload };
	});
	const of = (...names) => kept.filter((f) => names.includes(f.event));
	const turn = rankSeqs(joinText(kept.filter((f) => f.event && !['sessions.changed', 'session.message'].includes(f.event))));

	return {
		answers: kept.filter((f) => f.res).map((f) => scrub(f)),
		turn: turn.map((f) => scrub(f)),
		messages: of('session.message').map((f) => scrub(f)),
		changes: [...new Set(of('sessions.changed').map((f) => f.payload.reason ?? `phase ${f.payload.phase}`))].sort(),
	};
}
