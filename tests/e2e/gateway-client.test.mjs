/*
 * gateway-client.test.mjs - OpenClaw's own npm client against chela: connect with a device identity, stream
 * a turn, abort, read history, come back with the device token, be refused. Everything it gets is
 * checked against the published schema.
 */
import assert from 'node:assert/strict';
import path from 'node:path';
import { ModelDouble } from '../doubles/model.mjs';
import { textOf } from './lib/client.mjs';
import { Device } from './lib/device.mjs';
import { gatewayTest } from './lib/gateway.mjs';
import { NpmClient, SCOPES } from './lib/npm_client.mjs';

async function withClient(body) {
	const client = new NpmClient();

	try {
		await body(client);
	} catch (e) {
		console.error(client.proc.tail());
		throw e;
	} finally {
		client.proc.killNow('SIGKILL');
	}
}

const modelGateway = async (t) => {
	const model = await ModelDouble.start();

	t.after(() => model.stop());
	t.model = model;
	return { config: model.config };
};

gatewayTest('connects with a device, streams a turn, aborts one, reads history', { gateway: modelGateway }, (gw, t) => withClient(async (c) => {
	const device = new Device();
	const key = 'agent:main:npm';

	await c.open(gw, { caps: ['tool-events'] }, { device });
	const { hello } = await c.note('hello');

	assert.equal(hello.protocol, 4);
	assert.deepEqual(hello.auth.scopes, SCOPES);
	assert.match((await c.note('stored')).token, /^[\w-]{43}$/);
	await c.request('sessions.subscribe');
	await c.request('sessions.messages.subscribe', { key });

	const sent = c.request('chat.send', { sessionKey: key, message: 'hello', idempotencyKey: 'run-1' });
	const call = await t.model.next();

	assert.equal((await sent).runId, 'run-1');
	call.text('one');
	const first = await c.event('chat', (p) => p.runId === 'run-1' && p.state === 'delta');

	assert.equal(first.payload.deltaText, 'one', 'the text is there before the turn is over');
	call.text(' two');
	call.end();
	const final = await c.event('chat', (p) => p.runId === 'run-1' && p.state === 'final');

	assert.equal(textOf(final.payload.message), 'one two');
	const deltas = c.seen.filter((s) => s.name === 'chat' && s.frame.payload.state === 'delta').map((s) => s.frame.payload.deltaText);

	assert.equal(deltas.join(''), 'one two');
	assert.equal((await c.request('agent.wait', { runId: 'run-1', timeoutMs: 5000 })).status, 'ok');

	const second = c.request('chat.send', { sessionKey: key, message: 'a long one', idempotencyKey: 'run-2' });
	const held = await t.model.next();

	await second;
	held.text('half of');
	await c.event('chat', (p) => p.runId === 'run-2' && p.state === 'delta');
	assert.deepEqual(await c.request('chat.abort', { sessionKey: key, runId: 'run-2' }),
		{ ok: true, aborted: true, runIds: ['run-2'] });
	const aborted = await c.event('chat', (p) => p.runId === 'run-2' && p.state === 'aborted');

	assert.equal(textOf(aborted.payload.message), 'half of');
	assert.equal(await held.gone, true, 'the provider is hung up on');

	const history = await c.request('chat.history', { sessionKey: key });

	assert.deepEqual(history.messages.map((m) => [m.role, textOf(m)]),
		[['user', 'hello'], ['assistant', 'one two'], ['user', 'a long one'], ['assistant', 'half of']]);
	assert.ok(!c.notes.items.some((n) => n.note === 'gap'), 'no event was missed');
	await c.close();

	const checked = c.assertValid();

	for (const name of ['connect', 'chat', 'agent'])
		assert.ok(checked.has(name), `${name} was checked`);
}));

gatewayTest('every method of this version answers as the schema says', { gateway: modelGateway }, (gw, t) => withClient(async (c) => {
	const key = 'agent:main:all';

	await c.open(gw, {}, { device: new Device() });
	await c.note('hello');
	t.model.answer = (call) => {
		call.text('fine');
		call.end();
	};
	for (const [method, params] of [
		['health'], ['status'], ['system.info'], ['system-presence'], ['logs.tail', { limit: 20 }], ['gateway.identity.get'],
		['config.get'], ['config.schema'], ['agents.list'], ['agent.identity.get', { agentId: 'main' }], ['models.list'],
		['commands.list', { agentId: 'main', scope: 'text', includeArgs: false }], ['tools.catalog', { agentId: 'main' }],
		['device.pair.list'], ['sessions.create', { key }], ['sessions.subscribe', { limit: 5 }],
		['sessions.describe', { key }], ['sessions.resolve', { key }], ['sessions.patch', { key, label: 'All' }],
		['chat.inject', { sessionKey: key, message: 'a note' }], ['sessions.preview', { keys: [key] }], ['chat.startup', { sessionKey: key }],
		['chat.metadata', { agentId: 'main', sessionKey: key }], ['sessions.messages.subscribe', { key }],
		['sessions.send', { key, message: 'hi', idempotencyKey: 'run-s' }], ['agent.wait', { runId: 'run-s', timeoutMs: 10000 }],
		['sessions.abort', { key }], ['sessions.list', { limit: 10, includeDerivedTitles: true, includeLastMessage: true }],
		['chat.history', { sessionKey: key, limit: 10 }], ['sessions.messages.unsubscribe', { key }],
		['sessions.reset', { key, reason: 'reset' }], ['sessions.delete', { key }],
	])
		await c.request(method, params);
	await assert.rejects(c.request('users.self'), /requires an authenticated user/, 'as the reference says to a shared token');
	const final = await c.request('agent', { message: 'hello', agentId: 'main', deliver: false, timeout: 60, idempotencyKey: 'run-a' },
		{ expectFinal: true });

	assert.equal(final.status, 'ok');
	assert.equal(final.result.payloads[0].text, 'fine');
	const history = await c.request('chat.history', { sessionKey: 'main' });

	await c.request('chat.message.get', { sessionKey: 'main', messageId: history.messages[0].__openclaw.id });
	await c.close();

	const checked = c.assertValid();

	assert.ok(checked.size > 12, `checked: ${[...checked].join(' ')}`);
}));

gatewayTest('comes back with its device token after the connection broke', (gw) => withClient(async (c) => {
	const device = new Device();

	await c.open(gw, {}, { device });
	await c.note('hello');
	const { token, scopes } = await c.note('stored');
	const before = c.notes.items.length;

	await c.drop();
	await c.note('close', () => true, before);
	const again = await c.note('hello', () => true, before);

	assert.match(again.hello.auth.deviceToken, /^[\w-]{43}$/);
	await c.close();

	/* A new process that knows nothing but the device and its token. */
	await withClient(async (fresh) => {
		await fresh.open(gw, { token: undefined }, { device, stored: { [`${device.id} operator`]: { token, scopes } } });
		const { hello } = await fresh.note('hello');

		assert.equal(hello.auth.method, 'device-token');
		assert.equal(hello.auth.deviceToken, token);
		assert.equal((await fresh.request('health')).ok, true);
		await fresh.close();
	});
}));

gatewayTest('is refused with a wrong token, a wrong device token, a wrong key', (gw) => withClient(async (c) => {
	await c.open(gw, { token: 'nope' });
	const { error } = await c.note('connect-error');

	assert.match(error.message, /gateway token mismatch/);
	assert.equal(error.details.code, 'AUTH_TOKEN_MISMATCH');
	await withClient(async (other) => {
		const device = new Device();

		await other.open(gw, { token: undefined, deviceToken: 'nope' }, { device });
		assert.equal((await other.note('connect-error')).error.details.code, 'AUTH_DEVICE_TOKEN_MISMATCH');
	});
	await withClient(async (forger) => {
		const device = new Device();

		device.privatePem = new Device().privatePem;
		await forger.open(gw, {}, { device });
		assert.equal((await forger.note('connect-error')).error.details.code, 'DEVICE_AUTH_SIGNATURE_INVALID');
	});
	await gw.assertAlive();
}));
