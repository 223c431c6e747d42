/*
 * hangs.test.mjs - 200 sessions that hang at every place where a turn waits: a model, a command, a person, a server, another
 * session. Health is told at once throughout, other sessions work, and a stop frees each of them.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { textOf } from './lib/client.mjs';
import { isDead } from './lib/exec.mjs';
import { HangWorld, hangs, kinds } from './lib/hang_world.mjs';
import { Pulse } from './lib/pulse.mjs';
import { until } from './lib/wait.mjs';

const SESSIONS = 200;
const HEALTH_MS = 100;
const OUTLIER_MS = 250;                  /* of one answer: seen once in 1,100 when three of these ran at once; why is not known */
const ABORT_MS = 1000;
const events = { caps: ['tool-events'] };

test('test_threat_hang_200_sessions_at_each_wait', { timeout: 120000 }, async (t) => {
	const w = await HangWorld.start(t), { gw, model } = w;
	const c = await gw.connect(events);
	const runs = await w.turns(c, SESSIONS);

	await w.furnish(c);
	const pulse = await Pulse.start(gw);

	/* All hang: those with a tool in it, the others at the model. */
	const reached = (r) => hangs[r.kind].tool && !hangs[r.kind].thenMute
		? c.event('agent', (p) => p.runId === r.id && p.stream === 'tool' && p.data.phase === 'start' &&
			(!hangs[r.kind].then || p.data.name === 'process'), { ms: 30000, what: `${r.kind} to hang` })
		: until(() => model.calls.some((call) => call.userText.endsWith(r.message) &&
			(!hangs[r.kind].thenMute || call.toolResults.length)), `${r.kind} to hang`, 30000);

	for (let i = 0; i < SESSIONS; i += 25)
		await Promise.all(runs.slice(i, i + 25).map(async (r) => {
			await c.call('chat.send', { sessionKey: r.key, message: r.message, idempotencyKey: r.id }, { ms: 30000 });
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
	const began = w.children;
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
	await gw.stop();
	assert.deepEqual(began.filter((pid) => !isDead(pid)), [], 'no child outlives the gateway');
});
