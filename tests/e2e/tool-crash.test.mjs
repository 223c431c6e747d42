/*
 * tool-crash.test.mjs - kill -9 at a random moment of turns whose tools act. Nothing is run twice, a result that was
 * there is not lost, and each call has exactly one answer that says no more than what is known.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { ModelDouble } from '../doubles/model.mjs';
import { textOf } from './lib/client.mjs';
import { gatewayTest } from './lib/gateway.mjs';
import { run } from './lib/proc.mjs';

const TURNS = 24;
const KEY = 'agent:main:tool-crash';

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const settled = (promise) => promise.then((value) => ({ value }), (error) => ({ error }));

/* Two files and a command between them, in one reply. */
function answer(call) {
	const n = /input (\d+)\s*$/.exec(call.userText)?.[1];

	if (call.body.messages.at(-1).role === 'tool') {
		call.text(`reply ${n}`).end();
		return;
	}
	call.tool(`a${n}`, 'write', { path: `a${n}.txt`, content: n });
	call.tool(`x${n}`, 'exec', { command: `echo ${n} >> ran.txt; sleep 0.03` }, 1);
	call.tool(`b${n}`, 'write', { path: `b${n}.txt`, content: n }, 2);
	call.end('tool_calls');
}

/* What a result claims of its call: that it was done, that it was not, or neither. */
function claim(text) {
	if (/may or may not have been carried out/.test(text))
		return 'unknown';
	return /changed nothing|not been carried out|Not finished|Skipped/.test(text) ? 'not done' : 'done';
}

function check(n, results, ws) {
	const ran = existsSync(path.join(ws, 'ran.txt')) ? readFileSync(path.join(ws, 'ran.txt'), 'utf8').split('\n') : [];
	const times = ran.filter((line) => line === String(n)).length;
	const effects = { a: existsSync(path.join(ws, `a${n}.txt`)), x: times > 0, b: existsSync(path.join(ws, `b${n}.txt`)) };

	assert.ok(times <= 1, `the command of turn ${n} ran ${times} times`);
	for (const [name, isThere] of Object.entries(effects)) {
		const said = claim(results.get(`${name}${n}`));

		if (said === 'done')
			assert.ok(isThere, `${name}${n} is said to be done: ${results.get(`${name}${n}`)}`);
		if (said === 'not done')
			assert.ok(!isThere, `${name}${n} is said not to be done: ${results.get(`${name}${n}`)}`);
	}
	return Object.keys(effects).map((name) => claim(results.get(`${name}${n}`)));
}

gatewayTest('turns with tools, each killed at a random moment', {
	timeout: 300000,
	gateway: async (t) => {
		t.model = await ModelDouble.start(answer);
		t.after(() => t.model.stop());
		const { config } = t.model;

		return { config: { ...config, agents: { defaults: { ...config.agents.defaults, skipBootstrap: true, sandbox: { mode: 'off' } } },
			tools: { exec: { mode: 'full' } } } };
	},
}, async (gw) => {
	const ws = path.join(gw.state, 'workspace');
	const seen = new Map();

	for (let n = 0; n < TURNS; n++) {
		const c = await gw.connect({ caps: ['tool-events'] });
		const runId = `tool-crash-${n}`;
		const tool = (phase) => c.event('agent', (p) => p.runId === runId && p.stream === 'tool' && p.data.phase === phase).catch(() => undefined);
		const moments = [null, tool('start'), null, tool('result')];
		const sent = settled(c.call('chat.send', { sessionKey: KEY, message: `input ${n}`, idempotencyKey: runId }));
		const end = settled(c.runEnd(runId));

		/* Every other time counted from the first call, its begin or its end: before it, in it, after the last, on a machine of any speed. */
		await moments[n % 4];
		await pause([10 + n * 5, n * 3, 10 + n * 5, n][n % 4]);
		await gw.kill();
		await sent;
		await end;
		await gw.launch();
	}
	const c = await gw.connect();
	const { messages } = await c.call('chat.history', { sessionKey: KEY, limit: 1000 });
	const calls = messages.filter((m) => m.role === 'assistant').flatMap((m) => m.content.filter((b) => b.type === 'toolCall'));
	const results = new Map();

	for (const m of messages.filter((m) => m.role === 'toolResult')) {
		assert.ok(!results.has(m.toolCallId), `${m.toolCallId} has two results`);
		results.set(m.toolCallId, textOf(m));
	}
	assert.deepEqual(calls.map((b) => b.id).sort(), [...results.keys()].sort(), 'each call has its result');
	for (const b of calls.filter((b) => b.name === 'exec'))
		for (const said of check(Number(b.id.slice(1)), results, ws))
			seen.set(said, (seen.get(said) ?? 0) + 1);
	console.log(`# ${calls.length} calls: ${[...seen].map(([said, k]) => `${k} ${said}`).join(', ')}`);
	assert.ok(seen.get('done') > 0 && seen.get('unknown') > 0, 'the kills fell into calls');
	await c.close();
	const whole = await run('sqlite3', ['-readonly', path.join(gw.state, 'chela.sqlite'),
		'PRAGMA integrity_check; SELECT COUNT(*) FROM tool_calls;']);

	assert.equal(whole.stdout, 'ok\n0\n', whole.stderr);
});
