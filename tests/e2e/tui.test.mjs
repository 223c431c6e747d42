/* tui.test.mjs - OpenClaw's stock terminal client, in a real terminal (tmux): a streamed turn, an abort, and its commands. */
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { ModelDouble } from '../doubles/model.mjs';
import { gatewayTest } from './lib/gateway.mjs';
import { NODE_NEW, OPENCLAW } from './lib/peers.mjs';
import { cleanEnv, run } from './lib/proc.mjs';
import { until } from './lib/wait.mjs';

const quote = (s) => `'${s.replaceAll("'", "'\\''")}'`;

/* The client in a terminal of its own; body gets ways to type and to wait for what the terminal shows. */
async function inTerminal(gw, body) {
	const home = path.join(gw.dir, 'tui-home');
	const socket = path.join(gw.dir, 'tmux.sock');
	const env = cleanEnv({ HOME: home, TERM: 'xterm-256color', PATH: `${path.dirname(NODE_NEW)}:${process.env.PATH}` });
	const tmux = (...args) => run('tmux', ['-S', socket, '-f', '/dev/null', ...args], { env, cwd: gw.dir });
	const screen = async () => (await tmux('capture-pane', '-p', '-t', 'tui')).stdout;
	const shows = (text, ms = 30000) => until(async () => {
		const now = await screen();

		return text instanceof RegExp ? text.test(now) : now.includes(text);
	}, `the terminal to show ${text}`, ms);
	const key = (name) => tmux('send-keys', '-t', 'tui', name);
	const type = async (text) => {
		await tmux('send-keys', '-t', 'tui', '-l', text);
		await shows(text);
		await key('Enter');
	};

	mkdirSync(home, { recursive: true });
	const started = await tmux('new-session', '-d', '-s', 'tui', '-x', '120', '-y', '50',
		`${quote(NODE_NEW)} ${quote(OPENCLAW)} tui --url ws://127.0.0.1:${gw.port} --token ${gw.token}`);

	assert.equal(started.code, 0, started.stderr);
	try {
		await shows('connected', 90000);
		await body({ type, key, shows, screen });
	} catch (e) {
		console.error(await screen().catch(() => 'no screen'));
		throw e;
	} finally {
		await tmux('kill-server');
	}
}

gatewayTest('the stock TUI connects, streams a turn and aborts one', {
	timeout: 180000,
	gateway: async (t) => {
		t.model = await ModelDouble.start();
		t.after(() => t.model.stop());
		return { config: t.model.config };
	},
}, async (gw, t) => inTerminal(gw, async ({ type, key, shows }) => {
	await type('hello from the terminal');
	const call = await t.model.next(30000);

	assert.match(call.userText, /hello from the terminal/);
	call.text('The first words');
	await shows('The first words');
	call.text(' and the last ones.');
	call.end();
	await shows('The first words and the last ones.');

	await type('a long one');
	const held = await t.model.next(30000);

	held.text('Half of it');
	await shows('Half of it');
	await key('Escape');
	assert.equal(await held.gone, true, 'Escape aborts the request');
}));

gatewayTest('the stock TUI: its commands, with the model that is built in', { timeout: 240000 },
	async (gw) => inTerminal(gw, async ({ type, key, shows }) => {
		/* It takes some commands only when nothing runs: answered, and idle again. */
		const answered = (text) => shows(new RegExp(`${text}[^]*\\| idle`));

		await type('hello');
		await answered('offline/demo, a built-in set of rules');
		await type('/status');
		await answered('Model: offline/demo');
		await type('/think off');
		await shows('thinking set to off');
		await type('/verbose on');
		await shows('verbose on');
		await type('/usage tokens');
		await shows('usage footer: tokens');
		await type('/model offline/demo');
		await shows('model set to offline/demo');
		await type('/gateway-status');
		await shows('Default model: demo');
		await type('/whoami');
		await answered('in session agent:main:main of agent main');
		await type('/new');
		await shows('new session: agent:main:tui-');
		await type('in the new session');
		await answered('You said: in the new session');
		await type('/reset');
		await shows(/agent:main:tui-.* reset/);
		await type('/sessions');
		await shows(/Filter|search/i);
		await shows('main');
		await gw.assertAlive();
	}));
