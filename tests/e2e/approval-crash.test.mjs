/*
 * approval-crash.test.mjs - kill -9 between a person's yes and what it allows, and around the end of a command in the
 * background. Nothing runs twice, nothing is lost without a word.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { allQuiet, callTool, execGateway, isDead } from './lib/exec.mjs';
import { until } from './lib/wait.mjs';

const off = { agents: { defaults: { sandbox: { mode: 'off' } } } };
const events = { caps: ['tool-events', 'approvals'] };
const KILLS = 10;

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const quiet = (promise) => {
	promise.catch(() => undefined);
	return promise;
};

test('killed at any moment after the yes', { timeout: 90000 }, async (t) => {
	const { gw, model } = await execGateway(t, { ...off, tools: { exec: { mode: 'ask' } } });
	const times = (name) => {
		const file = path.join(gw.state, 'workspace', name);

		return existsSync(file) ? readFileSync(file, 'utf8').length : 0;
	};
	let c = await gw.connect(events);
	const seen = { ran: 0, not: 0, again: 0 };

	for (let k = 0; k < KILLS; k++) {
		const name = `mark-${k}`, key = `agent:main:crash-${k}`, from = c.frames.items.length, heard = model.heard.items.length;

		quiet(callTool(c, 'exec', { command: `printf x >> ${name}; sleep 0.02` }, { key, ms: 1000 }));
		const { id } = (await c.event('exec.approval.requested', () => true, { from })).payload;

		/* No yes yet; one that may be on record; one that is: from there on it counts. */
		if (k % 3) {
			const answered = quiet(c.request('exec.approval.resolve', { id, decision: 'allow-once' }));

			if (k % 3 === 2)
				await answered;
		}
		await pause(k * k / 2);
		await gw.kill();
		const before = times(name);

		await gw.launch();
		c = await gw.connect(events);
		const pending = (await c.call('exec.approval.list')).some((r) => r.id === id);

		if (pending) {
			assert.equal(before, 0, 'what waits for its yes has not run');
			await c.call('exec.approval.resolve', { id, decision: 'allow-once' });
			if (k % 2) {
				await gw.restart();
				c = await gw.connect(events);
			} else {
				await until(() => times(name) === 1, `${name} to run, as it was allowed`);
			}
			seen.again++;
		}
		/* The session hears what became of it, by an event or by the result of its call. */
		await until(async () => model.heard.items.slice(heard).some((text) => text.includes(name)) ||
			(await c.call('chat.history', { sessionKey: key })).messages.some((m) => m.role === 'toolResult'), `word of ${name}`);
		assert.ok(times(name) <= 1, `${name} ran ${times(name)} times`);
		seen[times(name) ? 'ran' : 'not']++;
	}
	await gw.kill();
	await gw.launch();
	c = await gw.connect(events);
	assert.deepEqual(await c.call('exec.approval.list'), []);
	for (let k = 0; k < KILLS; k++)
		assert.ok(times(`mark-${k}`) <= 1);
	console.log(`# ${KILLS} kills: ${seen.ran} ran once, ${seen.not} did not and say so; ${seen.again} still waited`);
	await c.close();
});

test('killed while a command runs in the background, and when its end was told', { timeout: 60000 }, async (t) => {
	const { gw, model } = await execGateway(t, { ...off, tools: { exec: { mode: 'full' } } });
	let c = await gw.connect(events);
	const start = async (name, command) => (await callTool(c, 'exec', { command: `echo ${name} >> bg.txt; ${command}`, background: true },
		{ key: `agent:main:${name}` })).details;
	const about = (id) => model.heard.items.filter((text) => text.includes(id)).length;
	const running = await start('running', 'exec sleep 1000'), ended = await start('ended', 'sleep 0.1; echo the end');

	await model.heard.find((text) => text.includes(ended.sessionId));
	await allQuiet(c);
	assert.ok(!isDead(running.pid));
	const file = path.join(gw.state, 'workspace', 'bg.txt');
	const ran = () => existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n').sort() : [];

	await until(() => ran().length === 2, 'both to run');
	await gw.kill();
	await until(() => isDead(running.pid), 'the command to end with the gateway');
	await gw.launch();
	c = await gw.connect(events);
	await model.heard.find((text) => text.includes(running.sessionId));
	await allQuiet(c);
	for (const [name, { sessionId }] of Object.entries({ running, ended })) {
		const key = `agent:main:${name}`;

		assert.deepEqual((await callTool(c, 'process', { action: 'list' }, { key })).details.sessions, []);
		assert.equal((await callTool(c, 'process', { action: 'poll', sessionId }, { key })).isError, true);
		assert.match(JSON.stringify(await c.call('chat.history', { sessionKey: key })), new RegExp(sessionId), 'the call and its result are kept');
	}
	assert.deepEqual([running, ended].map((p) => about(p.sessionId)), [1, 1], 'an end is told once');
	assert.deepEqual(ran(), ['ended', 'running']);
	await c.close();
});
