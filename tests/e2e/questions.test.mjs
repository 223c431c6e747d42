/*
 * questions.test.mjs - an agent asks its person: over the socket, with OpenClaw's own npm client, over a stop and a
 * kill; and the progress card that it keeps.
 */
import assert from 'node:assert/strict';
import { ModelDouble } from '../doubles/model.mjs';
import { textOf } from './lib/client.mjs';
import { allQuiet } from './lib/exec.mjs';
import { gatewayTest } from './lib/gateway.mjs';
import { NpmClient } from './lib/npm_client.mjs';
import { problems } from './lib/schema.mjs';

const KEY = 'agent:main:main';
const ASK = { questions: [{ id: 'target', header: 'Deployment target', question: 'Where to?',
	options: [{ label: 'Staging (Recommended)' }, { label: 'Production', description: 'the real one' }] }] };

const doubleGateway = async (t) => {
	t.model = await ModelDouble.start();
	t.after(() => t.model.stop());
	return { config: t.model.config };
};
const send = (c, id, message) => c.call('chat.send', { sessionKey: KEY, message, idempotencyKey: id });
const asked = (c, options) => c.event('question.requested', () => true, options).then((f) => f.payload);
const resolved = (c, id) => c.event('question.resolved', (p) => p.id === id).then((f) => f.payload);

async function ask(t, c, id, args = ASK) {
	const from = c.frames.items.length;

	await send(c, id, 'deploy it');
	(await t.model.next()).tool(`call-${id}`, 'ask_user', args).end('tool_calls');
	return asked(c, { from });
}

const resultOf = (call) => JSON.parse(call.toolResults.at(-1).content);

gatewayTest('asked, listed, answered by the npm client, cancelled, killed and answered later', { gateway: doubleGateway },
	async (gw, t) => {
		let c = await gw.connect();
		const reader = await gw.connect({ scopes: ['operator.read'] });
		const npm = new NpmClient();

		t.after(() => npm.proc.killNow('SIGKILL'));
		await npm.open(gw, { scopes: ['operator.read', 'operator.questions'] });
		await npm.note('hello');
		const q = await ask(t, c, 'r1');

		assert.deepEqual(problems('QuestionRecord', q), []);
		assert.equal(q.sessionKey, KEY);
		assert.equal(q.runId, 'r1');
		assert.equal(q.questions[0].header, 'Deployment t');
		assert.equal(q.questions[0].isOther, true);
		assert.deepEqual((await c.call('question.list')).questions, [q]);
		const wrong = await c.request('question.resolve', { id: q.id, answers: { answers: { nothing: ['x'] } } });

		assert.equal(wrong.error.details.reason, 'QUESTION_INVALID_ANSWER');
		assert.equal((await c.call('question.waitAnswer', { id: q.id, timeoutMs: 1 })).status, 'pending');
		assert.deepEqual(await npm.request('question.resolve', { id: q.id, answers: { answers: { target: ['Production'] } } }),
			{ status: 'answered', answers: { answers: { target: ['Production'] } } });
		const next = await t.model.next();

		assert.deepEqual(resultOf(next), { status: 'answered', answers: { answers: { target: ['Production'] } } });
		next.text('Off it goes.').end();
		await c.runEnd('r1');
		assert.deepEqual(problems('QuestionResolvedEvent', await resolved(c, q.id)), []);
		assert.equal((await c.fails('question.resolve', { id: q.id, cancel: true })).details.reason, 'QUESTION_ALREADY_TERMINAL');
		assert.equal((await c.call('question.get', { id: q.id })).question.status, 'answered');
		assert.deepEqual((await c.call('question.list')).questions, []);

		/* Skipped by the person: the agent goes on. */
		const skipped = await ask(t, c, 'r2');

		await c.call('question.resolve', { id: skipped.id, cancel: true });
		const on = await t.model.next();

		assert.deepEqual(resultOf(on), { status: 'no_answer' });
		on.text('As I think best.').end();
		await c.runEnd('r2');

		/* Typed into the conversation: a number, and by command. */
		await ask(t, c, 'r5');
		assert.equal(textOf((await c.turn(KEY, '1')).message), '✅ Answered.');
		const typed = await t.model.next();

		assert.deepEqual(resultOf(typed).answers.answers, { target: ['Staging (Recommended)'] });
		typed.tool('c-more', 'ask_user', ASK).end('tool_calls');
		await c.event('question.requested', (p) => p.runId === 'r5' && p.id !== skipped.id, { from: c.frames.items.length });
		assert.match(textOf((await c.turn(KEY, '/answer')).message), /1\. Staging[\s\S]*2\. Production/);
		assert.equal(textOf((await c.turn(KEY, '/answer the moon')).message), '✅ Answered.');
		const own = await t.model.next();

		assert.deepEqual(resultOf(own).answers.answers, { target: ['the moon'] });
		own.text('To the moon.').end();
		await c.runEnd('r5');

		/* The run is stopped: nobody asks any more. */
		const stopped = await ask(t, c, 'r3');

		await c.call('chat.abort', { sessionKey: KEY, runId: 'r3' });
		assert.equal((await resolved(c, stopped.id)).status, 'cancelled');
		await c.runEnd('r3');
		await allQuiet(c);               /* it is told of before it is over */

		/* The gateway is killed: the question stays, and its answer wakes the session. */
		const kept = await ask(t, c, 'r4');

		assert.equal(reader.events().filter((f) => f.event.startsWith('question.')).length, 0, 'read is not enough');
		assert.equal((await reader.fails('question.list')).code, 'FORBIDDEN');
		await npm.close();
		await gw.kill();
		await gw.restart();
		c = await gw.connect();
		assert.deepEqual((await c.call('question.list')).questions.map((one) => one.id), [kept.id]);
		await c.call('question.resolve', { id: kept.id, answers: { answers: { target: ['somewhere else'] } } });
		const woken = await t.model.next();

		assert.match(woken.userText, /Question: Where to\?\nAnswer: somewhere else/);
		woken.text('Somewhere else it is.').end();
		await c.event('chat', (p) => p.state === 'final' && textOf(p.message) === 'Somewhere else it is.');
		const { messages } = await c.call('chat.history', { sessionKey: KEY });

		assert.ok(!JSON.stringify(messages).includes('The gateway was restarted'), 'the event is for the model only');
		await c.close();
	});

gatewayTest('a progress card is put, told, read and cleared', { gateway: doubleGateway }, async (gw, t) => {
	const c = await gw.connect();
	const changed = (n) => c.event('progressCard.changed', (p) => p.revision === n);

	await send(c, 'r1', 'a long job');
	(await t.model.next()).tool('c1', 'progress_card', { markdown: 'Two of **three**\u202e', plan: [
		{ step: 'look', status: 'completed' }, { step: 'do', status: 'in_progress' }] }).end('tool_calls');
	assert.deepEqual(problems('ProgressCardChangedEvent', (await changed(1)).payload), []);
	const call = await t.model.next();

	assert.equal(call.toolResults.at(-1).content, 'Progress card updated (rev 1, 1/2 done)');
	call.tool('c2', 'progress_card', { plan: [{ step: 'a', status: 'in_progress' }, { step: 'b', status: 'in_progress' }] })
		.end('tool_calls');
	const again = await t.model.next();

	assert.match(again.toolResults.at(-1).content, /at most one step/);
	again.text('done').end();
	await c.runEnd('r1');
	const got = await c.call('progressCard.get', { sessionKey: KEY });

	assert.deepEqual(problems('ProgressCardGetResult', got), []);
	assert.deepEqual([got.card.revision, got.card.markdown, got.card.steps.length], [1, 'Two of **three**', 2]);
	const put = await c.call('progressCard.put', { sessionKey: KEY, markdown: 'by hand' });

	assert.deepEqual([put.card.revision, put.card.steps], [2, undefined]);
	assert.equal((await c.call('progressCard.put', { sessionKey: KEY, expectedRevision: 1 })).card.revision, 2);
	assert.equal((await c.call('progressCard.put', { sessionKey: KEY, expectedRevision: 2 })).card, null);
	await changed(null);
	await gw.restart();
	await c.close().catch(() => undefined);
});
