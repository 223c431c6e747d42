/*
 * hang_world.mjs - a gateway whose turns wait wherever a turn can wait: for a model, a command, a person, a server, another session.
 * A message "hang <kind> <n>" hangs so; "do <tool> <arguments>" calls that tool; what else is said is answered "still here".
 */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import { ModelDouble } from '../../doubles/model.mjs';
import { Gateway } from './gateway.mjs';
import { stopAll } from './wait.mjs';

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
export const hangs = {
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
export const kinds = Object.keys(hangs);

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

export class HangWorld {
	static async start(t) {
		const w = new HangWorld();

		w.silence = await Silence.start();
		w.model = await ModelDouble.start(modelOf(w.silence));
		w.gw = await Gateway.start({ config: config(w.model, w.silence) });
		t.after(() => stopAll(w.gw, w.model, w.silence));
		return w;
	}

	/* What the turns find: a tool that never ends, a pipe nobody writes to. Gives where the agent main works. */
	async furnish(c) {
		const { agents } = await c.call('agents.list');
		const [main, boxed] = ['main', 'boxed'].map((id) => agents.find((a) => a.id === id).workspace);

		putTool(boxed);
		mkdirSync(main, { recursive: true });
		execFileSync('mkfifo', [path.join(main, 'pipe')]);
		return main;
	}

	/* Count turns, of each kind as many; those they talk to exist. */
	async turns(c, count, first = 0) {
		const turns = Array.from({ length: count }, (_, i) => {
			const n = first + i, kind = kinds[i % kinds.length], { agent = 'main' } = hangs[kind];

			return { kind, key: `agent:${agent}:hang-${n}`, id: `hang-${n}`, n, message: `hang ${kind} ${n}` };
		});

		for (const one of turns.filter((x) => x.kind === 'session'))
			await c.call('sessions.create', { key: `agent:main:deaf-${one.n}` });
		return turns;
	}

	get children() {
		return execFileSync('ps', ['-eo', 'pid=,ppid='], { encoding: 'utf8' }).trim().split('\n')
			.map((line) => line.trim().split(/\s+/).map(Number)).filter(([, parent]) => parent === this.gw.proc.pid).map(([child]) => child);
	}
}
