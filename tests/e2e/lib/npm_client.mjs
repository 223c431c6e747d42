/* npm_client.mjs - OpenClaw's npm client, driven from a test: it wants another Node.js than ours. */
import assert from 'node:assert/strict';
import path from 'node:path';
import { E2E_DIR, NODE_NEW } from './peers.mjs';
import { Proc, cleanEnv } from './proc.mjs';
import { eventDefinition, frameProblems, problems, resultDefinition } from './schema.mjs';
import { Log } from './wait.mjs';

export const SCOPES = ['operator.admin', 'operator.read', 'operator.write', 'operator.pairing'];

/* The npm client in a process of its own. */
export class NpmClient {
	notes = new Log();
	seen = [];                       /* every frame: { kind, name, payload } */
	#replies = new Log();
	#nextId = 0;

	constructor() {
		this.proc = new Proc(NODE_NEW, [path.join(E2E_DIR, 'lib', 'npm_client_peer.mjs')], { env: cleanEnv(), stdin: 'pipe' });
		const lines = this.proc.lines;
		const push = lines.push.bind(lines);

		lines.push = (line) => {
			push(line);
			if (line.from === 'out' && line.text.startsWith('{'))
				this.#take(JSON.parse(line.text));
		};
	}

	#take(message) {
		if (message.note === 'event')
			this.seen.push({ kind: 'event', name: message.event.event, frame: message.event });
		if (message.note === 'hello')
			this.seen.push({ kind: 'result', name: 'connect', payload: message.hello });
		(message.note ? this.notes : this.#replies).push(message);
	}

	async #op(op, args = {}) {
		const id = ++this.#nextId;

		this.proc.child.stdin.write(`${JSON.stringify({ id, op, ...args })}\n`);
		return (await this.#replies.find((r) => r.id === id, { what: `the answer to ${op} ${args.method ?? ''}` })).item;
	}

	note(kind, match = () => true, from = 0) {
		return this.notes.find((n) => n.note === kind && match(n), { from, what: `the note ${kind}` }).then((r) => r.item);
	}

	async open(gw, options = {}, { device, stored } = {}) {
		const identity = device && { deviceId: device.id, privateKeyPem: device.privatePem, publicKeyPem: device.pem };

		await this.#op('open', { identity, stored, options: { url: `ws://127.0.0.1:${gw.port}`, token: gw.token, clientName: 'cli',
			mode: 'cli', platform: 'linux', scopes: SCOPES, ...options } });
	}

	async request(method, params = {}, options = {}) {
		const r = await this.#op('request', { method, params, options });

		if (r.error)
			throw Object.assign(new Error(`${method}: ${r.error.message}`), r.error);
		this.seen.push({ kind: 'result', name: method, payload: r.result });
		return r.result;
	}

	event(name, match = () => true) {
		return this.note('event', (n) => n.event.event === name && match(n.event.payload)).then((n) => n.event);
	}

	drop() {
		return this.#op('drop');
	}

	async close() {
		await this.#op('stop');
		this.proc.child.stdin.end();
		await this.proc.stop('SIGTERM');
	}

	/* What was seen against the schema; gives the names that it defines. */
	assertValid() {
		const bad = [];
		const checked = new Set();

		for (const { kind, name, frame, payload } of this.seen) {
			if (kind === 'event') {
				bad.push(...frameProblems(frame));
				if (eventDefinition(name))
					checked.add(name);
			} else if (resultDefinition(name)) {
				bad.push(...problems(resultDefinition(name), payload).map((p) => `${name}: ${p}`));
				checked.add(name);
			}
		}
		assert.deepEqual([...new Set(bad)], []);
		return checked;
	}
}
