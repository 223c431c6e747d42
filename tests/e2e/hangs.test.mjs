/*
 * hangs.test.mjs - 200 sessions that hang at every place where a turn waits: a model, a command, a person, a server, another
 * session. Health is told at once throughout, other sessions work, and a stop frees each of them.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import { test } from 'node:test';
import { ModelDouble } from '../doubles/model.mjs';
import { textOf } from './lib/client.mjs';
import { isDead } from './lib/exec.mjs';
import { Gateway } from './lib/gateway.mjs';
import { Pulse } from './lib/pulse.mjs';
import { stopAll, until } from './lib/wait.mjs';

const SESSIONS = 200;
const HEALTH_MS = 100;
const OUTLIER_MS = 250;                  /* of one answer: seen once in 1,100 when three of these ran at once; why is not known */
const ABORT_MS = 1000;
const events = { caps: ['tool-events'] };

/* Servers that take a request and never finish. */
class Silence {
	sockets = new Set();

	static async start() {
		const s = new Silence();

		s.mute = net.createServer((socket) => s.#keep(socket));
		s.drip = http.createServer((req, res) => {
			res.writeHead(200, { 'content-type': 'text/plain' });
			const timer = setInterval(() => res.write('.'), 50);

			res.once('close', () => clearInterval(timer));
		});
		s.drip.on('connection', (socket) => s.#keep(socket));
		for (const server of [s.mute, s.drip]) {
			server.listen(0, '127.0.0.1');
			await once(server, 'listening');
		}
		s.muteUrl = `http://127.0.0.1:${s.mute.address().port}`;
		s.dripUrl = `http://127.0.0.1:${s.drip.address().port}`;
		return s;
	}

	#keep(socket) {
		this.sockets.add(socket);
		socket.on('error', () => undefined);
		socket.once('close', () => this.sockets.delete(socket));
		socket.resume();
	}

	stop() {
		for (const socket of this.sockets)
			socket.destroy();
		this.mute.close();
		this.drip.close();
	}
}

const QUESTION = { questions: [{ id: 'where', header: 'Where', question: 'Where to?', options: [{ label: 'Here' }, { label: 'There' }] }] };
const YIELD = { yieldMs: 120000 };

/* Where a turn can wait: what the model does then. agent: whose settings it needs. */
const hangs = {
	'model-mute': {},
	'model-stall': {},
	'model-tool-stall': {},
	'exec': { tool: () => ['exec', { command: 'exec sleep 1000', ...YIELD }] },
	'exec-deaf': { tool: () => ['exec', { command: 'trap "" TERM INT HUP; while :; do sleep 1000; done', ...YIELD }] },
	'exec-flood': { tool: () => ['exec', { command: 'while :; do echo flood; sleep 0.2; done', ...YIELD }] },
	'terminal': { tool: () => ['exec', { command: 'cat', pty: true, ...YIELD }] },
	'poll': { tool: () => ['exec', { command: 'cat', background: true }],
		then: (said) => ['process', { action: 'poll', sessionId: /[a-z]+-[a-z]+-\d+/.exec(said)[0], timeout: 30000 }] },
	'boxed': { agent: 'boxed', tool: () => ['exec', { command: 'exec sleep 1000', ...YIELD }] },
	'own-tool': { agent: 'boxed', tool: () => ['user_forever', {}] },
	'approval': { agent: 'asker', tool: () => ['exec', { command: 'touch never' }] },
	'question': { tool: () => ['ask_user', QUESTION] },
	'fetch-mute': { tool: (s, n) => ['web_fetch', { url: `${s.muteUrl}/${n}` }] },
	'fetch-drip': { tool: (s, n) => ['web_fetch', { url: `${s.dripUrl}/${n}` }] },
	'search': { tool: (s, n) => ['web_search', { query: `hang ${n}` }] },
	'endpoint': { tool: () => ['http_mute', {}] },
	'session': { tool: (s, n) => ['sessions_send', { sessionKey: `agent:main:deaf-${n}`, message: 'model-mute', timeoutSeconds: 600 }] },
	'child': { tool: () => ['sessions_spawn', { task: 'model-mute' }], thenMute: true },
};
const kinds = Object.keys(hangs);

/* The model of all: it hangs as the message says, and answers the others. */
function modelOf(silence) {
	return (call) => {
		const text = call.userText, last = call.body.messages.at(-1);
		const [, kind, n] = /hang ([a-z-]+) (\d+)\s*$/.exec(text) ?? [];
		const hang = hangs[kind];
		const said = call.toolResults.at(-1)?.content ?? '';

		if (/model-mute/.test(text) && kind === undefined)
			return;
		if (!hang) {
			const [, name, args] = /do (\w+) (\{.*\})\s*$/s.exec(text) ?? [];

			if (name && last.role !== 'tool')
				call.tool('call_1', name, args).end('tool_calls');
			else
				call.text('still here').end();
		} else if (last.role === 'tool' && hang.then && call.toolResults.length === 1) {
			call.tool('call_2', ...hang.then(typeof said === 'string' ? said : JSON.stringify(said))).end('tool_calls');
		} else if (last.role === 'tool' && !hang.thenMute) {
			call.text(`came back from ${kind}: ${said}`).end();
		} else if (hang.tool && last.role !== 'tool') {
			call.tool('call_1', ...hang.tool(silence, n)).end('tool_calls');
		} else if (kind === 'model-stall') {
			call.text('half an ans');
		} else if (kind === 'model-tool-stall') {
			call.tool('call_1', 'exec', '{"command":"touch ne');
		}
	};
}

function config(model, silence) {
	const full = { exec: { mode: 'full' } }, off = { sandbox: { mode: 'off' } };
	const base = model.config;

	return { ...base,
		agents: { defaults: { ...base.agents.defaults, skipBootstrap: true, ...off },
			entries: { main: { tools: full }, asker: { tools: { exec: { mode: 'ask' } } }, boxed: { sandbox: { mode: 'all', workspaceAccess: 'rw' } } } },
		plugins: { entries: { searxng: { config: { webSearch: { baseUrl: silence.muteUrl } } } } },
		tools: { web: { search: { provider: 'searxng' }, fetch: { ssrfPolicy: { allowedHostnames: ['127.0.0.1'] } } },
			http: { mute: { url: silence.muteUrl, description: 'Says nothing.' } } } };
}

/* A tool of the workspace that never ends. */
function putTool(workspace) {
	mkdirSync(path.join(workspace, 'tools'), { recursive: true });
	writeFileSync(path.join(workspace, 'tools', 'forever.json'), JSON.stringify({ description: 'Waits.', command: 'forever.sh' }));
	writeFileSync(path.join(workspace, 'tools', 'forever.sh'), '#!/bin/sh\nexec sleep 1000\n');
	chmodSync(path.join(workspace, 'tools', 'forever.sh'), 0o755);
}

async function setup(t) {
	const silence = await Silence.start();
	const model = await ModelDouble.start(modelOf(silence));
	const gw = await Gateway.start({ config: config(model, silence) });
	let isStopped = false;

	t.stop = async () => {
		if (!isStopped)
			await gw.stop();
		isStopped = true;
	};
	t.after(async () => {
		await stopAll(t, model);
		silence.stop();
	});
	return { gw, model };
}

const children = (pid) => execFileSync('ps', ['-eo', 'pid=,ppid='], { encoding: 'utf8' }).trim().split('\n')
	.map((line) => line.trim().split(/\s+/).map(Number)).filter(([, parent]) => parent === pid).map(([child]) => child);

test('test_threat_hang_200_sessions_at_each_wait', { timeout: 120000 }, async (t) => {
	const { gw, model } = await setup(t);
	const c = await gw.connect(events);
	const runs = Array.from({ length: SESSIONS }, (_, n) => {
		const kind = kinds[n % kinds.length], { agent = 'main' } = hangs[kind];

		return { kind, key: `agent:${agent}:hang-${n}`, id: `hang-${n}`, n };
	});
	const { agents } = await c.call('agents.list');

	putTool(agents.find((a) => a.id === 'boxed').workspace);
	mkdirSync(agents.find((a) => a.id === 'main').workspace, { recursive: true });
	execFileSync('mkfifo', [path.join(agents.find((a) => a.id === 'main').workspace, 'pipe')]);
	for (const r of runs.filter((one) => one.kind === 'session'))
		await c.call('sessions.create', { key: `agent:main:deaf-${r.n}` });
	const pulse = await Pulse.start(gw);

	/* All hang: those with a tool in it, the others at the model. */
	const reached = (r) => hangs[r.kind].tool && !hangs[r.kind].thenMute
		? c.event('agent', (p) => p.runId === r.id && p.stream === 'tool' && p.data.phase === 'start' &&
			(!hangs[r.kind].then || p.data.name === 'process'), { ms: 30000, what: `${r.kind} to hang` })
		: until(() => model.calls.some((call) => call.userText.endsWith(`hang ${r.kind} ${r.n}`) &&
			(!hangs[r.kind].thenMute || call.toolResults.length)), `${r.kind} to hang`, 30000);

	for (let i = 0; i < SESSIONS; i += 25)
		await Promise.all(runs.slice(i, i + 25).map(async (r) => {
			await c.call('chat.send', { sessionKey: r.key, message: `hang ${r.kind} ${r.n}`, idempotencyKey: r.id }, { ms: 30000 });
			await reached(r);
		}));
	await until(async () => (await c.call('exec.approval.list')).length === runs.filter((r) => r.kind === 'approval').length, 'all to ask');
	const ended = () => c.events('chat').filter((f) => runs.some((r) => r.id === f.payload.runId) && ['final', 'error', 'aborted'].includes(f.payload.state));

	assert.deepEqual(ended().map((f) => [f.payload.runId, textOf(f.payload.message)]), [], 'all of them hang');

	/* Others work meanwhile, and tools that need no one who hangs. */
	const others = [['hello'], ['do write {"path":"a.txt","content":"x"}'], ['do read {"path":"a.txt"}'], ['do exec {"command":"echo $((6*7))"}'],
		['do grep {"pattern":"x"}'], ['do read {"path":"pipe"}'], ['do write {"path":"pipe","content":"x"}'], ['do sessions_list {}'], ['do exec {"command":"echo in a box"}', 'boxed']];
	const started = performance.now();

	await Promise.all(others.map(async ([text, agent = 'main'], i) => {
		const end = await c.turn(`agent:${agent}:other-${i}`, text, { runId: `other-${i}` });

		assert.equal(textOf(end.message), 'still here', `${text}: ${JSON.stringify(end)}`);
	}));
	console.log(`# ${others.length} turns of others: ${Math.round(performance.now() - started)} ms`);

	/* Each is free within a second, and what it began is gone. */
	const began = children(gw.proc.pid);
	let worst = { ms: 0 };

	for (const r of runs) {
		const from = c.frames.items.length, at = performance.now();
		const end = c.runEnd(r.id, { from });

		await c.call('chat.abort', { sessionKey: r.key, runId: r.id });
		assert.equal((await end).state, 'aborted', r.kind);
		const ms = performance.now() - at;

		if (ms > worst.ms)
			worst = { ms, kind: r.kind };
	}
	console.log(`# the slowest stop: ${Math.round(worst.ms)} ms (${worst.kind})`);
	assert.ok(worst.ms < ABORT_MS, `a stop of ${worst.kind} took ${worst.ms} ms`);
	assert.deepEqual(await c.call('exec.approval.list'), []);
	assert.deepEqual((await c.call('question.list')).questions, []);
	for (const r of runs.slice(0, kinds.length))
		assert.equal(textOf((await c.turn(r.key, 'hello', { runId: `after-${r.n}` })).message), 'still here', r.kind);

	const health = await pulse.stop();

	console.log(`# health: ${health.count} answers, p50 ${health.p50.toFixed(1)}, p99 ${health.p99.toFixed(1)}, p100 ${health.p100.toFixed(1)} ms` +
		` (by the clock ${health.wall.toFixed(1)} ms)`);
	assert.ok(health.second < HEALTH_MS && health.p100 < OUTLIER_MS, `health took ${health.second} and ${health.p100} ms`);
	await c.close();
	await t.stop();
	assert.deepEqual(began.filter((pid) => !isDead(pid)), [], 'no child outlives the gateway');
});
