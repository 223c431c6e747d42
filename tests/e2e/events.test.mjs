/*
 * events.test.mjs - who hears what of a run: by subscription and by what the client announced.
 */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ModelDouble } from '../doubles/model.mjs';
import { gatewayTest } from './lib/gateway.mjs';

const key = 'agent:main:main';
const withModel = async (t) => {
	const model = await ModelDouble.start();

	t.after(() => model.stop());
	t.model = model;
	return { config: { ...model.config, agents: { defaults: { ...model.config.agents.defaults, skipBootstrap: true } } } };
};

async function toolTurn(gw, c, model) {
	const runId = randomUUID();
	const workspace = path.join(gw.state, 'workspace');

	mkdirSync(workspace, { recursive: true });
	writeFileSync(path.join(workspace, 'note.txt'), 'pinch\n');
	const ack = c.call('chat.send', { sessionKey: key, message: 'read it', idempotencyKey: runId });
	const first = await model.next();

	await ack;
	first.tool('call_1', 'read', { path: 'note.txt' });
	first.end('tool_calls');
	const second = await model.next();

	second.text('It says: pinch.');
	second.end();
	return runId;
}

const kinds = (c) => [...new Set(c.events().filter((f) => !['tick', 'health', 'presence', 'connect.challenge'].includes(f.event))
	.map((f) => f.event === 'agent' ? `agent ${f.payload.stream}` : f.event === 'chat' ? `chat ${f.payload.state}` : f.event))].sort();

/* As in the reference's recording of two clients that subscribed to nothing: both hear the run, neither its rows. */
gatewayTest('clients that subscribed to nothing hear the run, not its rows', { gateway: withModel }, async (gw, t) => {
	const driver = await gw.connect(), observer = await gw.connect();
	const runId = await toolTurn(gw, driver, t.model);

	await driver.runEnd(runId);
	await observer.runEnd(runId);
	assert.deepEqual(kinds(observer), kinds(driver));
	assert.deepEqual(kinds(driver), ['agent assistant', 'agent item', 'agent lifecycle', 'agent run_status', 'agent usage', 'chat delta',
		'chat final', 'chat status']);
	await driver.close();
	await observer.close();
});

gatewayTest('caps: tool frames for those who draw them, one session for those who asked for it', { gateway: withModel }, async (gw, t) => {
	const driver = await gw.connect({ caps: ['tool-events'] });
	const page = await gw.connect({ caps: ['tool-events', 'session-scoped-events'] });
	const elsewhere = await gw.connect({ caps: ['session-scoped-events'] });
	const list = await gw.connect();

	await page.call('sessions.messages.subscribe', { key });
	await elsewhere.call('sessions.messages.subscribe', { key: 'agent:main:other' });
	await list.call('sessions.subscribe');
	const runId = await toolTurn(gw, driver, t.model);

	for (const c of [driver, page, list])
		await c.runEnd(runId);
	await list.event('sessions.changed', (p) => p.hasActiveRun === false && p.phase === 'end');
	assert.ok(kinds(driver).includes('agent tool'));
	assert.ok(kinds(page).includes('agent tool') && kinds(page).includes('session.message'));
	assert.ok(!kinds(page).includes('session.tool') && !kinds(page).includes('sessions.changed'));
	await elsewhere.call('health');          /* what was sent to it before has come */
	assert.deepEqual(kinds(elsewhere), []);
	assert.ok(kinds(list).includes('session.tool') && kinds(list).includes('session.message') && !kinds(list).includes('agent tool'));
	await page.call('sessions.messages.unsubscribe', { key });
	const before = page.events().length;
	const next = driver.call('chat.send', { sessionKey: key, message: 'more', idempotencyKey: 'more' });
	const call = await t.model.next();

	await next;
	call.text('yes');
	call.end();
	await driver.runEnd('more');
	await page.call('health');
	assert.deepEqual(page.events().slice(before).filter((f) => ['agent', 'chat', 'session.message'].includes(f.event)), []);
	for (const c of [driver, page, elsewhere, list])
		await c.close();
});
