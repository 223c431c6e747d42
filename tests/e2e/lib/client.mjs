/* client.mjs - a protocol v4 client that keeps every frame it saw. */
import assert from 'node:assert/strict';
import { require } from './peers.mjs';
import { Log, within } from './wait.mjs';

const WebSocket = require('ws');

export const OPERATOR_SCOPES = ['operator.admin', 'operator.read', 'operator.write', 'operator.approvals',
	'operator.questions', 'operator.pairing'];

export class RpcError extends Error {
	constructor(method, error) {
		super(`${method}: ${error.code}: ${error.message}`);
		this.code = error.code;
		this.rpc = error;
	}
}

export function connectParams(options = {}) {
	const params = {
		minProtocol: 4,
		maxProtocol: 4,
		client: { id: 'gateway-client', version: '1', platform: 'linux', mode: 'backend', ...options.client },
		role: options.role ?? 'operator',
		scopes: options.scopes ?? OPERATOR_SCOPES,
		caps: options.caps ?? [],
	};

	if (options.auth)
		params.auth = options.auth;
	return { ...params, ...options.params };
}

export class Client {
	frames = new Log();
	sent = [];
	hello = null;
	#nextId = 0;

	/* A WebSocket that got its challenge. Options: headers, origin, path, protocols. */
	static async raw(url, options = {}) {
		const c = new Client();
		const headers = { ...options.headers };

		if (options.origin)
			headers.Origin = options.origin;
		c.ws = new WebSocket(url, { perMessageDeflate: false, headers, maxPayload: 64 << 20 });
		c.closed = new Promise((resolve) => c.ws.once('close', (code, reason) => {
			c.close_ = { code, reason: reason.toString() };
			c.frames.close(`the socket closed: ${code} ${reason}`);
			resolve(c.close_);
		}));
		c.upgrade = new Promise((resolve, reject) => {
			c.ws.once('open', () => resolve({ status: 101 }));
			c.ws.once('unexpected-response', (req, res) => {
				let text = '';

				res.setEncoding('utf8').on('data', (d) => { text += d; });
				res.on('end', () => {
					resolve({ status: res.statusCode, headers: res.headers, text });
					c.ws.terminate();
				});
			});
			c.ws.on('error', reject);
		});
		c.upgrade.catch(() => undefined);            /* who awaits it sees the error */
		c.ws.on('message', (data, isBinary) => {
			const text = data.toString('utf8');

			c.frames.push(isBinary ? { type: 'binary', text } : JSON.parse(text));
		});
		c.ws.on('ping', () => { c.pings = (c.pings ?? 0) + 1; });
		if (options.upgradeOnly)
			return c;
		const up = await within(c.upgrade, 'the upgrade to be answered');

		if (up.status !== 101)
			throw Object.assign(new Error(`upgrade refused: ${up.status} ${up.text}`), { upgrade: up });
		const first = await c.frames.find(() => true, { what: 'connect.challenge' });

		assert.equal(first.item.event, 'connect.challenge');
		c.challenge = first.item.payload;
		return c;
	}

	/* Connected and authenticated. Options as connectParams and raw; device: a Device. */
	static async open(url, options = {}) {
		const c = await Client.raw(url, options);
		const res = await c.handshake(options);

		if (!res.ok) {
			await within(c.closed, 'a refused socket to close');
			throw Object.assign(new RpcError('connect', res.error), { closeInfo: c.close_ });
		}
		return c;
	}

	/* Sends connect; gives the response frame, ok or not. */
	async handshake(options = {}) {
		const params = connectParams(options);

		if (options.device)
			params.device = options.device.proof(params, this.challenge, options.proofVersion ?? 3);
		const res = await this.request('connect', params, { id: 'connect' });

		if (res.ok)
			this.hello = res.payload;
		return res;
	}

	send(frame) {
		this.sent.push(frame);
		this.ws.send(typeof frame === 'string' || Buffer.isBuffer(frame) ? frame : JSON.stringify(frame));
	}

	/* The response frame of one request. */
	async request(method, params, { id = `r${++this.#nextId}`, ms, ...extra } = {}) {
		const from = this.frames.items.length;
		const frame = { type: 'req', id, method, ...extra };

		if (params !== undefined)
			frame.params = params;
		this.send(frame);
		const { item } = await this.frames.find((f) => f.type === 'res' && f.id === id,
			{ from, what: `the answer to ${method}`, ms });

		return item;
	}

	/* The payload of one request; an error answer is thrown. */
	async call(method, params = {}, options = {}) {
		const res = await this.request(method, params, options);

		if (!res.ok)
			throw new RpcError(method, res.error);
		return res.payload;
	}

	/* The error of one request that must fail. */
	async fails(method, params = {}) {
		const res = await this.request(method, params);

		assert.equal(res.ok, false, `${method} should have failed: ${JSON.stringify(res.payload)}`);
		return res.error;
	}

	event(name, match = () => true, options = {}) {
		return this.frames.find((f) => f.type === 'event' && f.event === name && match(f.payload, f),
			{ what: options.what ?? `the event ${name}`, ...options }).then((r) => r.item);
	}

	events(name) {
		return this.frames.items.filter((f) => f.type === 'event' && (!name || f.event === name));
	}

	/* The end of a run as chat says it: final, error or aborted. */
	runEnd(runId, options = {}) {
		return this.event('chat', (p) => p.runId === runId && ['final', 'error', 'aborted'].includes(p.state),
			{ what: `the end of run ${runId}`, ...options }).then((f) => f.payload);
	}

	/* One whole turn; gives the payload of the chat event that ended it. */
	async turn(sessionKey, message, options = {}) {
		const runId = options.runId ?? `run-${Math.random().toString(36).slice(2)}`;
		const ack = await this.call('chat.send', { sessionKey, message, idempotencyKey: runId, ...options.params });

		assert.equal(ack.runId, runId);
		return this.runEnd(runId, { ms: options.ms });
	}

	async close() {
		this.ws.close();
		return within(this.closed, 'the close handshake');
	}

	terminate() {
		this.ws.terminate();
	}
}

export const textOf = (message) => typeof message?.content === 'string' ? message.content
	: (message?.content ?? []).filter((b) => b.type === 'text').map((b) => b.text).join('');
