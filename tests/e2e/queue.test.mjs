/*
 * queue.test.mjs - what happens to messages that come while a turn runs, and the settings and commands of a
 * session, over the socket, with a model whose every byte the test decides.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { ModelDouble } from '../doubles/model.mjs';
import { textOf } from './lib/client.mjs';
import { gatewayTest } from './lib/gateway.mjs';

const KEY = 'agent:main:main';

const doubleGateway = (config = {}) => async (t) => {
	t.model = await ModelDouble.start();
	t.after(() => t.model.stop());
	return { config: { ...t.model.config, ...config } };
};
const send = (c, id, message, params = {}) => c.call('chat.send', { sessionKey: KEY, message, idempotencyKey: id, ...params });
const history = (c) => c.call('chat.history', { sessionKey: KEY });
const text = (m) => (typeof m.content === 'string' ? m.content : m.content.map((b) => b.text ?? '').join(''));
const answer = (t, words) => t.model.next().then((call) => {
	call.text(words).end();
	return call;
});
const say = async (c, message, id = `c${Math.random()}`) => textOf((await c.turn(KEY, message, { runId: id })).message);

gatewayTest('followup and collect: settled at once, shown as pending, answered after a quiet time', { gateway: doubleGateway() },
	async (gw, t) => {
		const c = await gw.connect();

		await c.call('sessions.subscribe');
		await send(c, 'r1', 'first');
		const call = await t.model.next();

		assert.equal((await send(c, 'r2', 'second', { queueMode: 'collect' })).status, 'started');
		await send(c, 'r3', 'third', { queueMode: 'collect' });
		await send(c, 'r4', 'fourth', { queueMode: 'followup' });
		for (const id of ['r2', 'r3', 'r4']) {
			const end = await c.runEnd(id);

			assert.deepEqual([end.state, end.seq, end.message], ['final', 1, undefined]);
		}
		const { pendingInputs } = await history(c);

		assert.deepEqual(pendingInputs.items.map((p) => [p.id, p.state, text(p.message)]),
			[['r2', 'queued', 'second'], ['r3', 'queued', 'third'], ['r4', 'queued', 'fourth']]);
		assert.equal(pendingInputs.total, 3);
		call.text('one').end();
		const both = await answer(t, 'two and three');

		assert.match(both.userText, /\(1\) second\n\n\(2\) third$/);
		assert.equal((await answer(t, 'four')).userText.split('\n').at(-1), 'fourth');
		await c.event('chat', (p) => p.state === 'final' && p.message && textOf(p.message) === 'four');
		const after = await history(c);

		assert.deepEqual(after.pendingInputs.items, []);
		assert.deepEqual(after.messages.map((m) => m.role), ['user', 'assistant', 'user', 'assistant', 'user', 'assistant']);
		assert.equal((await c.call('agent.wait', { runId: 'r3', timeoutMs: 1000 })).status, 'ok');
		await c.close();
	});

gatewayTest('interrupt, steer, and taking back what waits', { gateway: doubleGateway() }, async (gw, t) => {
	const c = await gw.connect();

	await send(c, 'r1', 'a long one');
	const first = await t.model.next();

	first.text('so far');
	await c.event('chat', (p) => p.runId === 'r1' && p.state === 'delta');
	const ack = await send(c, 'r2', 'stop, do this', { queueMode: 'interrupt' });

	assert.equal(ack.interruptedActiveRun, true);
	assert.equal((await c.runEnd('r1')).state, 'aborted');
	assert.equal(await first.gone, true);
	const second = await t.model.next();

	assert.match(second.userText, /stop, do this/);
	/* Steered, then withdrawn: it is not said. The next one goes into the turn. */
	await send(c, 'r3', 'never mind');
	assert.deepEqual((await c.call('chat.abort', { sessionKey: KEY, runId: 'r3' })).runIds, ['r3']);
	await say(c, '/queue followup');
	await send(c, 'r4', '/steer be short');
	second.text('working on it').end();
	const third = await t.model.next();

	assert.deepEqual(third.body.messages.filter((m) => m.role === 'user').map((m) => text(m)).at(-1).split('\n').at(-1), 'be short');
	assert.ok(!JSON.stringify(third.body).includes('never mind'));
	third.text('ok').end();
	assert.equal((await c.runEnd('r2')).state, 'final');
	await c.close();
});

gatewayTest('a full queue keeps a line of the oldest; a crash shows what waited', { gateway: doubleGateway(
	{ messages: { queue: { mode: 'followup', cap: 1 } } }) }, async (gw, t) => {
	const c = await gw.connect();

	await send(c, 'r1', 'first');
	await t.model.next();
	await send(c, 'r2', 'second\nlong');
	await send(c, 'r3', 'third');
	await c.runEnd('r2');
	await gw.kill();
	await gw.launch();
	const d = await gw.connect();
	const shown = JSON.stringify((await history(d)).messages);

	for (const said of ['first', 'second', 'third'])
		assert.ok(shown.includes(said), `${said} is lost: ${shown}`);
	assert.equal(shown.match(/interrupted/g).length >= 3, true);
	await d.close();
});

gatewayTest('settings: alone they are kept, within a message they hold for it; the line under a reply', { gateway: doubleGateway(
	{ commands: { config: true } }) }, async (gw, t) => {
	const c = await gw.connect();

	assert.match(await say(c, '/think high'), /does not think at level 'high'/);
	assert.match(await say(c, '/verbose full\n/fast on'), /Verbose of this session: full/);
	assert.match(await say(c, '/usage tokens'), /tokens/);
	const turn = c.turn(KEY, '/verbose off what is in here?', { runId: 'q1' });
	const call = await t.model.next();

	assert.match(call.userText, /what is in here\?$/);
	assert.doesNotMatch(call.userText, /verbose/);
	call.tool('t1', 'list', { path: '.' }).end('tool_calls');
	(await t.model.next()).text('files').end();
	assert.match(textOf((await turn).message), /^files\n\nUsage: 200 in \/ 10 out$/);
	assert.ok(!(await history(c)).messages.some((m) => text(m).startsWith('🛠️')));
	const loud = c.turn(KEY, 'again', { runId: 'q2' });

	(await t.model.next()).tool('t2', 'list', { path: '.' }).end('tool_calls');
	const last = await t.model.next();

	assert.ok(!JSON.stringify(last.body.messages).includes('🛠️'), 'the lines are not for the model');
	last.text('same').end();
	await loud;
	assert.equal((await history(c)).messages.filter((m) => text(m).startsWith('🛠️')).length, 2);
	const { session } = await c.call('sessions.describe', { key: KEY });

	assert.equal(session.verboseLevel, 'full');
	assert.equal(session.effectiveResponseUsage, 'tokens');
	const config = await say(c, '/config get gateway');

	assert.match(config, /"port"/);
	assert.ok(!config.includes(gw.token), 'no secrets');
	const exported = (await say(c, '/export-session')).match(/`([^`]+\.html)`/)[1];

	assert.ok(existsSync(exported) && readFileSync(exported, 'utf8').includes('what is in here?'));
	assert.match(await say(c, '/export-session ../out.html'), /⚠️/);
	assert.ok(!existsSync(path.join(gw.state, 'out.html')));
	assert.match(await say(c, '/commands'), /\*\*session\*\*/);
	await c.close();
});
