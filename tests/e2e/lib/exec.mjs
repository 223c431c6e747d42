/* exec.mjs - turns in which a model double calls one tool, and gateways that let it. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { ModelDouble } from '../../doubles/model.mjs';
import { Gateway } from './gateway.mjs';
import { textOf } from './client.mjs';
import { Log, stopAfter, until } from './wait.mjs';

const MARK = 'call ';

/*
 * A model that does what the message says: "call {name, args}" is called, its result is remembered. Everything else that
 * reaches it (a session that was woken) is kept in `heard`.
 */
export class Obedient {
	heard = new Log();
	results = new Map();

	static async start() {
		const o = new Obedient();

		o.double = await ModelDouble.start((call) => o.#answer(call));
		return o;
	}

	#answer(call) {
		const text = call.userText;
		const at = text.lastIndexOf(MARK);
		const last = call.body.messages.at(-1);

		if (at < 0) {
			this.heard.push(text);
			call.text('noted').end();
		} else if (last.role === 'tool') {
			call.text('done').end();
		} else {
			const { id, name, args } = JSON.parse(text.slice(at + MARK.length));

			call.tool(id, name, args).end('tool_calls');
		}
	}

	async stop() {
		await this.double.stop();
	}
}

let count = 0;

/*
 * One turn with one call; gives what the client was told of it: {text, details, isError}. In a session of its own: one that a
 * command's end wakes would take the message into that turn.
 */
export async function callTool(c, name, args, { key = `agent:main:t${count + 1}`, ms } = {}) {
	const id = `call_${++count}`, runId = `run-${process.pid}-${count}`, from = c.frames.items.length;
	const ended = c.event('agent', (p) => p.runId === runId && p.stream === 'tool' && p.data.phase === 'result', { from, ms,
		what: `the result of ${name} ${JSON.stringify(args)}` });

	ended.catch(() => undefined);
	await c.call('chat.send', { sessionKey: key, message: MARK + JSON.stringify({ id, name, args }), idempotencyKey: runId });
	const { result, isError } = (await ended).payload.data;
	const end = await c.runEnd(runId, { ms });

	assert.equal(end.state, 'final', JSON.stringify(end));
	return { text: textOf(result), details: result.details, isError, id, runId };
}

export async function execGateway(t, config, options = {}) {
	const model = await Obedient.start();
	const base = model.double.config;
	const gw = await Gateway.start({ ...options, config: { ...base, ...config,
		agents: { ...config.agents, defaults: { ...base.agents.defaults, skipBootstrap: true, ...config.agents?.defaults } } } });

	stopAfter(t, gw, model);
	return { gw, model };
}

/* Until no session has a turn that runs or waits. */
export const allQuiet = (c, ms) => until(async () => (await c.call('sessions.list', {})).sessions.every((s) => !s.hasActiveRun),
	'all sessions to be quiet', ms);

/* Gone, or a zombie that waits for whoever is init here. */
export function isDead(pid) {
	if (!existsSync(`/proc/${pid}/stat`))
		return true;
	try {
		return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)[0] === 'Z';
	} catch {
		return true;
	}
}
