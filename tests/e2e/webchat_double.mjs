/*
 * webchat_double.mjs - a gateway that does what a test tells it, for what a healthy gateway never does:
 * refuse, ask for pairing, lose an answer, go away, drop events, hold hostile text.
 *
 * It serves the page as built and speaks as much of protocol v4 as the page uses. Device signatures are
 * checked for real. Sessions live in memory.
 */
import { createHash, createPublicKey, randomUUID, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { ROOT, require } from './lib/peers.mjs';
import { tempDir } from './lib/proc.mjs';
import { Log } from './lib/wait.mjs';

const { WebSocketServer } = require('ws');
const { buildPage } = await import(path.join(ROOT, 'ui/build.mjs'));

const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.png': 'image/png',
	'.webmanifest': 'application/manifest+json' };
/* As the gateway sends it: the page has to live with it. */
const CSP = "default-src 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'; form-action 'none'; script-src 'self'; " +
	"style-src 'self'; img-src 'self' data: blob:; connect-src 'self' ws: wss:";
const SPKI = Buffer.from('302a300506032b6570032100', 'hex');
const MODELS = [
	{ id: 'small', name: 'Small', provider: 'mock', contextWindow: 64000, available: true },
	{ id: 'large', name: 'Large', provider: 'mock', contextWindow: 200000, available: true },
	{ id: 'dear', name: 'Dear', provider: 'other', available: false, unavailableReason: 'missing-auth' },
];
const COMMANDS = ['help', 'status', 'model', 'stop'].map((name) => ({ name, textAliases: [`/${name}`], description: `The ${name} command`,
	category: 'status', source: 'native', scope: 'both', acceptsArgs: name === 'model', args: name === 'model' ? [{ name: 'ref', description: '', type: 'string' }] : [] }));

let built = null;

function page() {
	built ??= (async () => {
		const dir = path.join(tempDir('page'), 'dist');

		await buildPage(dir, '0.0.0');
		return dir;
	})();
	return built;
}

/* What a method throws to be answered with an error. */
export class Refuse extends Error {
	constructor(code, message, more = {}) {
		super(message);
		this.wire = { code, message, ...more };
	}
}

export class Double {
	calls = new Log();               /* { method, params } */
	connects = [];                   /* the params of each connect */
	sessions = new Map();            /* key -> { key, rows, … } */
	deviceToken = 'issued-device-token';
	token = 'shared-token';
	isDown = false;
	refusedUpgrades = 0;
	admit = null;                    /* (params) => undefined, or throws Refuse */
	on = {};                         /* method -> (params, conn) => payload: overrides */
	#conns = new Set();

	static async start(options = {}) {
		const d = new Double();

		d.dir = await page();
		d.server = http.createServer((rq, rs) => d.#file(rq, rs));
		d.wss = new WebSocketServer({ noServer: true });
		d.server.on('upgrade', (rq, socket, head) => {
			if (!d.isDown)
				return d.wss.handleUpgrade(rq, socket, head, (ws) => d.#accept(ws));
			d.refusedUpgrades++;
			return socket.destroy();
		});
		await new Promise((resolve) => d.server.listen(options.port ?? 0, '127.0.0.1', resolve));
		d.port = d.server.address().port;
		d.url = `http://127.0.0.1:${d.port}/`;
		return d;
	}

	async stop() {
		this.drop();
		this.server.closeAllConnections?.();
		await new Promise((resolve) => this.server.close(resolve));
	}

	/* Cuts every connection, as a crash would. */
	drop() {
		for (const conn of this.#conns)
			conn.ws.terminate();
	}

	get connections() {
		return this.#conns.size;
	}

	count(method, match = () => true) {
		return this.calls.items.filter((c) => c.method === method && match(c.params)).length;
	}

	broadcast(event, payload, skipSeq = 0) {
		for (const conn of this.#conns) {
			conn.seq += 1 + skipSeq;
			conn.ws.send(JSON.stringify({ type: 'event', event, payload, seq: conn.seq }));
		}
	}

	session(key) {
		if (!this.sessions.has(key)) {
			this.sessions.set(key, { key, agentId: 'main', sessionId: randomUUID(), rows: [], updatedAt: Date.now(), archived: false,
				modelProvider: 'mock', model: 'small', contextTokens: 64000 });
			this.broadcast('sessions.changed', { sessionKey: key, reason: 'create', session: this.#row(key) });
		}
		return this.sessions.get(key);
	}

	/* Stores a row and tells of it. */
	store(key, message, runId) {
		const s = this.session(key);
		const seq = s.rows.length + 1;
		const row = { timestamp: Date.now(), ...message, __openclaw: { id: randomUUID(), seq, ...(runId ? { runId } : {}) } };

		s.rows.push(row);
		s.updatedAt = Date.now();
		this.broadcast('session.message', { sessionKey: key, agentId: 'main', message: row, messageId: row.__openclaw.id, messageSeq: seq,
			session: this.#row(key) });
	}

	says(key, text, runId, more = {}) {
		this.store(key, { role: 'assistant', content: [{ type: 'text', text }], provider: 'mock', model: 'small', stopReason: 'stop',
			usage: { input: 1200, output: 34, cost: { total: 0.0123 } }, ...more }, runId);
	}

	agent(key, runId, stream, data) {
		this.broadcast('agent', { runId, sessionKey: key, agentId: 'main', stream, data, seq: 1, ts: Date.now(), isHeartbeat: false });
	}

	chat(key, runId, state, more = {}) {
		this.broadcast('chat', { runId, sessionKey: key, agentId: 'main', seq: 1, state, ...more });
	}

	#row(key) {
		const { rows, ...session } = this.sessions.get(key);
		const first = rows.find((r) => r.role === 'user');

		return { ...session, kind: 'direct', derivedTitle: first ? String(first.content).slice(0, 60) : undefined };
	}

	#file(rq, rs) {
		const name = new URL(rq.url, this.url).pathname;
		const file = name.includes('.') ? name : '/index.html';

		try {
			const body = readFileSync(path.join(this.dir, path.normalize(file)));

			rs.writeHead(200, { 'Content-Type': TYPES[path.extname(file)], 'Content-Security-Policy': CSP });
			rs.end(body);
		} catch {
			rs.writeHead(404).end();
		}
	}

	#accept(ws) {
		const conn = { ws, seq: 0, nonce: randomUUID(), ts: Date.now(), isIn: false };

		ws.on('message', (text) => this.#request(conn, JSON.parse(text)));
		ws.on('close', () => this.#conns.delete(conn));
		ws.send(JSON.stringify({ type: 'event', event: 'connect.challenge', payload: { nonce: conn.nonce, ts: conn.ts } }));
	}

	async #request(conn, frame) {
		const answer = (more) => conn.ws.send(JSON.stringify({ type: 'res', id: frame.id, ...more }));

		try {
			if (frame.method === 'connect')
				return this.#connect(conn, frame, answer);
			if (!conn.isIn)
				throw new Refuse('INVALID_REQUEST', 'connect first');
			this.calls.push({ method: frame.method, params: frame.params });
			const run = this.on[frame.method] ?? METHODS[frame.method];

			if (!run)
				throw new Refuse('INVALID_REQUEST', `unknown method: ${frame.method}`);
			answer({ ok: true, payload: await run.call(this, frame.params ?? {}, conn) });
		} catch (e) {
			if (e === 'silence')
				return undefined;
			answer({ ok: false, error: e.wire ?? { code: 'UNAVAILABLE', message: String(e) } });
		}
		return undefined;
	}

	#connect(conn, frame, answer) {
		const p = frame.params;

		this.connects.push(p);
		try {
			this.#checkDevice(conn, p);
			if (this.admit)
				this.admit(p);
			this.#checkAuth(p.auth);
		} catch (e) {
			answer({ ok: false, error: e.wire ?? { code: 'UNAVAILABLE', message: String(e) } });
			conn.ws.close(1008, e.message.slice(0, 120));
			return;
		}
		conn.isIn = true;
		this.#conns.add(conn);
		answer({ ok: true, payload: { type: 'hello-ok', protocol: 4, server: { version: '2026.1.1', connId: randomUUID() },
			features: { methods: Object.keys(METHODS), events: [] }, auth: { method: 'token', role: 'operator', scopes: p.scopes, deviceToken: this.deviceToken },
			snapshot: { sessionDefaults: { defaultAgentId: 'main', mainSessionKey: 'agent:main:main' } }, policy: { tickIntervalMs: 30000 } } });
	}

	#checkDevice(conn, p) {
		const raw = Buffer.from(p.device?.publicKey ?? '', 'base64url');
		const token = p.auth.token ?? p.auth.deviceToken ?? '';
		const text = ['v3', p.device?.id, p.client.id, p.client.mode, p.role, p.scopes.join(','), conn.ts, token, conn.nonce,
			p.client.platform.trim().toLowerCase(), ''].join('|');
		const key = createPublicKey({ key: Buffer.concat([SPKI, raw]), format: 'der', type: 'spki' });
		const isGood = p.device.id === createHash('sha256').update(raw).digest('hex') && p.device.nonce === conn.nonce &&
			p.device.signedAt === conn.ts && verify(null, Buffer.from(text), key, Buffer.from(p.device.signature, 'base64url'));

		if (!isGood)
			throw new Refuse('INVALID_REQUEST', 'device signature invalid', { details: { code: 'DEVICE_AUTH_SIGNATURE_INVALID' } });
	}

	#checkAuth(auth) {
		const details = (code) => ({ details: { code } });

		if (!auth.token && !auth.password && !auth.deviceToken)
			throw new Refuse('INVALID_REQUEST', 'unauthorized: gateway token missing', details('AUTH_TOKEN_MISSING'));
		if (auth.deviceToken && auth.deviceToken !== this.deviceToken)
			throw new Refuse('INVALID_REQUEST', 'unauthorized: device token mismatch', details('AUTH_DEVICE_TOKEN_MISMATCH'));
		if (!auth.deviceToken && (auth.token ?? auth.password) !== this.token)
			throw new Refuse('INVALID_REQUEST', 'unauthorized: gateway token mismatch', details('AUTH_TOKEN_MISMATCH'));
	}

	sessionRows(isArchived) {
		return [...this.sessions.keys()].map((key) => this.#row(key)).filter((s) => s.archived === isArchived);
	}
}

const METHODS = {
	'sessions.subscribe': () => ({ subscribed: true }),
	'sessions.messages.subscribe': (p) => ({ subscribed: true, key: p.key }),
	'sessions.messages.unsubscribe': (p) => ({ subscribed: false, key: p.key }),
	'models.list': () => ({ models: MODELS }),
	'commands.list': () => ({ commands: COMMANDS }),
	'agent.identity.get': () => ({ agentId: 'main', name: 'Pincer' }),
	'sessions.list'(p) {
		return { sessions: this.sessionRows(p.archived === true), defaults: { modelProvider: 'mock', model: 'small', contextTokens: 64000 } };
	},
	'sessions.create'(p) {
		Object.assign(this.session(p.key), p.model ? { modelProvider: p.model.split('/')[0], model: p.model.split('/')[1] } : {});
		return { ok: true, key: p.key };
	},
	'sessions.patch'({ key, model, ...change }) {
		const s = this.session(key);

		Object.assign(s, change, model ? { modelProvider: model.split('/')[0], model: model.split('/')[1] } : {});
		this.broadcast('sessions.changed', { sessionKey: key, reason: 'patch', session: this.sessionRows(s.archived).find((r) => r.key === key) });
		return { ok: true, key };
	},
	'sessions.delete'(p) {
		this.sessions.delete(p.key);
		this.broadcast('sessions.changed', { sessionKey: p.key, reason: 'delete' });
		return { ok: true, key: p.key, deleted: true };
	},
	'chat.history'(p) {
		const s = this.sessions.get(p.sessionKey);
		const all = s?.rows ?? [];
		const end = all.length - (p.offset ?? 0);
		const start = Math.max(0, end - p.limit);

		return { sessionKey: p.sessionKey, sessionId: s?.sessionId, messages: all.slice(start, Math.max(0, end)), totalMessages: all.length,
			hasMore: start > 0, nextOffset: all.length - start, sessionInfo: { key: p.sessionKey, hasActiveRun: false } };
	},
	'chat.send'(p) {
		const key = `${p.idempotencyKey}:user`;

		if (!this.session(p.sessionKey).rows.some((r) => r.idempotencyKey === key))
			this.store(p.sessionKey, { role: 'user', content: p.message, idempotencyKey: key });
		return { runId: p.idempotencyKey, status: 'started' };
	},
	'chat.abort': () => ({ ok: true, aborted: true, runIds: [] }),
};
