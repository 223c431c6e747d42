/* tui.test.mjs - OpenClaw's stock terminal client, in a real terminal (tmux), does a streamed turn. */
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { ModelDouble } from '../doubles/model.mjs';
import { gatewayTest } from './lib/gateway.mjs';
import { NODE_NEW, OPENCLAW } from './lib/peers.mjs';
import { cleanEnv, run } from './lib/proc.mjs';
import { until } from './lib/wait.mjs';

const quote = (s) => `'${s.replaceAll("'", "'\\''")}'`;

gatewayTest('the stock TUI connects, streams a turn and aborts one', {
	timeout: 180000,
	gateway: async (t) => {
		t.model = await ModelDouble.start();
		t.after(() => t.model.stop());
		return { config: t.model.config };
	},
}, async (gw, t) => {
	const home = path.join(gw.dir, 'tui-home');
	const socket = path.join(gw.dir, 'tmux.sock');
	const env = cleanEnv({ HOME: home, TERM: 'xterm-256color', PATH: `${path.dirname(NODE_NEW)}:${process.env.PATH}` });
	const tmux = (...args) => run('tmux', ['-S', socket, '-f', '/dev/null', ...args], { env, cwd: gw.dir });
	const screen = async () => (await tmux('capture-pane', '-p', '-t', 'tui')).stdout;
	const shows = (text, ms) => until(async () => (await screen()).includes(text), `the terminal to show "${text}"`, ms);

	mkdirSync(home, { recursive: true });
	const started = await tmux('new-session', '-d', '-s', 'tui', '-x', '120', '-y', '40',
		`${quote(NODE_NEW)} ${quote(OPENCLAW)} tui --url ws://127.0.0.1:${gw.port} --token ${gw.token}`);

	assert.equal(started.code, 0, started.stderr);
	try {
		await shows('connected', 90000);
		await tmux('send-keys', '-t', 'tui', '-l', 'hello from the terminal');
		await tmux('send-keys', '-t', 'tui', 'Enter');
		const call = await t.model.next(30000);

		assert.match(call.userText, /hello from the terminal/);
		call.text('The first words');
		await shows('The first words', 20000);
		call.text(' and the last ones.');
		call.end();
		await shows('The first words and the last ones.', 20000);

		await tmux('send-keys', '-t', 'tui', '-l', 'a long one');
		await tmux('send-keys', '-t', 'tui', 'Enter');
		const held = await t.model.next(30000);

		held.text('Half of it');
		await shows('Half of it', 20000);
		await tmux('send-keys', '-t', 'tui', 'Escape');
		assert.equal(await held.gone, true, 'Escape aborts the request');
	} catch (e) {
		console.error(await screen().catch(() => 'no screen'));
		throw e;
	} finally {
		await tmux('kill-server');
	}
});
