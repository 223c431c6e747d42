/*
 * history.test.mjs - a conversation as pages read it: pages, deltas, what waits, older windows, pictures.
 */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { ModelDouble } from '../doubles/model.mjs';
import { textOf } from './lib/client.mjs';
import { Device } from './lib/device.mjs';
import { gatewayTest } from './lib/gateway.mjs';
import { problems } from './lib/schema.mjs';

const PAGE = { client: { id: 'openclaw-tui', mode: 'ui' }, device: new Device() };
const key = 'agent:main:main';
const valid = (definition, value) => {
	assert.deepEqual(problems(definition, value), []);
	return value;
};
const withModel = async (t) => {
	const model = await ModelDouble.start();

	t.after(() => model.stop());
	t.model = model;
	return { config: model.config };
};
const withEyes = async (t) => {
	const { config } = structuredClone(await withModel(t));

	for (const provider of Object.values(config.models.providers))
		for (const m of provider.models)
			m.input = ['text', 'image'];
	return { config };
};
const inject = (c, n, sessionKey = key) => c.call('chat.inject', { sessionKey, message: `note ${n}` });

gatewayTest('pages, deltas, and a page again after too many', async (gw) => {
	const c = await gw.connect(PAGE);
	const history = (params = {}) => c.call('chat.history', { sessionKey: key, ...params });

	assert.deepEqual((await history()).messages, []);
	await c.call('sessions.create', { key: 'main' });
	for (let i = 1; i <= 30; i++)
		await inject(c, i);
	const page = await history({ limit: 10 });

	assert.deepEqual(page.messages.map(textOf), Array.from({ length: 10 }, (_, i) => `note ${21 + i}`));
	assert.equal(page.hasMore, true);
	assert.equal(page.totalMessages, 30);
	const older = await history({ limit: 10, offset: page.nextOffset });

	assert.equal(textOf(older.messages.at(-1)), 'note 20');
	const around = await history({ limit: 3, messageId: older.messages[4].__openclaw.id });

	assert.deepEqual(around.messages.map(textOf), ['note 13', 'note 14', 'note 15']);
	const small = await history({ maxBytes: 1 });

	assert.deepEqual(small.messages.map(textOf), ['note 30']);       /* the newest comes however large */

	const none = valid('ChatHistoryCursorResult', await history({ cursor: page.deltaCursor }));

	assert.deepEqual(none.messages, []);
	await inject(c, 31);
	const delta = valid('ChatHistoryCursorResult', await history({ cursor: page.deltaCursor }));

	assert.deepEqual(delta.messages.map((m) => [textOf(m.message), m.messageSeq]), [['note 31', 31]]);
	assert.deepEqual((await history({ cursor: delta.deltaCursor })).messages, []);
	for (const cursor of ['', 'x', Buffer.from('{"version":1}').toString('base64url')])
		assert.deepEqual(await history({ cursor }), { kind: 'reset' });
	for (let i = 0; i < 501; i++)
		await inject(c, i);
	assert.deepEqual(await history({ cursor: delta.deltaCursor }), { kind: 'reset' });

	await c.call('sessions.create', { key: 'other' });
	const foreign = (await c.call('sessions.describe', { key: 'other' })).session.sessionId;

	assert.match((await c.fails('chat.history', { sessionKey: key, sessionId: foreign })).message, /has no transcript/);
	await c.call('sessions.reset', { key, reason: 'new' });
	assert.equal((await history()).totalMessages, 0);
	assert.equal((await history({ sessionId: page.sessionId, limit: 1 })).totalMessages, 532);
	for (const [params, where] of [[{ limit: 1001 }, '/limit'], [{ inputRunIds: [] }, '/inputRunIds'], [{ inputRunIds: ['a', 'a'] }, '/inputRunIds']])
		assert.match((await c.fails('chat.history', { sessionKey: key, ...params })).message, new RegExp(`at ${where}`));
	await c.close();
});

gatewayTest('chat.startup by a link', async (gw) => {
	const c = await gw.connect(PAGE);
	const uuid = randomUUID();

	await c.call('sessions.create', { key: `dashboard:${uuid}` });
	await inject(c, 1, `agent:main:dashboard:${uuid}`);
	const page = await c.call('chat.startup', { shortId: uuid.slice(0, 8), agentId: 'main' });

	assert.deepEqual(page.messages.map(textOf), ['note 1']);
	assert.ok(page.metadata.commands.length > 3);
	assert.match((await c.fails('chat.startup', { shortId: uuid.slice(0, 8) })).message, /shortId and agentId/);
	assert.match((await c.fails('chat.startup', { shortId: '00000000', agentId: 'main' })).message, /No session found/);
	assert.match((await c.fails('chat.startup', {})).message, /either sessionKey/);
	await c.close();
});

gatewayTest('what waits, and what became of it', { gateway: withModel }, async (gw, t) => {
	const c = await gw.connect(PAGE), { model } = t;
	const send = (id, message) => c.call('chat.send', { sessionKey: key, message, idempotencyKey: id, queueMode: 'followup' });
	const history = (params = {}) => c.call('chat.history', { sessionKey: key, ...params });
	const first = send('run-1', 'first');
	const call = await model.next();

	await first;
	call.text('half');
	await c.event('chat', (p) => p.runId === 'run-1' && p.state === 'delta');
	await send('run-2', 'second');
	const busy = await history({ inputRunIds: ['run-1', 'run-2', 'never'] });

	assert.deepEqual(busy.pendingInputs.items.map((i) => [i.runId, textOf(i.message)]), [['run-2', 'second']]);
	assert.equal(busy.pendingInputs.total, 1);
	assert.equal(busy.inFlightRun.text, 'half');
	const row = busy.messages[0].__openclaw.id;

	assert.deepEqual(busy.inputReceipts, [{ runId: 'run-1', state: 'consumed', consumedByEventId: row }, { runId: 'run-2', state: 'pending' }]);
	assert.deepEqual(busy.inputConsumptions, [{ runId: 'run-1', consumedByEventId: row }]);
	valid('ChatHistoryCursorResult', await history({ cursor: busy.deltaCursor, inputRunIds: ['run-1', 'run-2'] }));
	assert.deepEqual((await history({ pendingBefore: 1 })).pendingInputs, { items: [], total: 1 });
	call.end();
	const next = await model.next();

	next.text('done');
	next.end();
	await c.event('chat', (p) => p.state === 'final' && textOf(p.message) === 'done');
	await c.close();
});

gatewayTest('attachments: by what they are, not by what they are called', { gateway: withEyes }, async (gw, t) => {
	const c = await gw.connect(PAGE), { model } = t;
	const png = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==', 'base64');
	const big = Buffer.concat([png, Buffer.alloc(100000)]);
	const send = (attachments, message = 'look') => ({ sessionKey: key, message, idempotencyKey: randomUUID(), attachments });
	const params = send([
		{ type: 'file', mimeType: 'application/pdf', fileName: 'a.png', content: png.toString('base64') },
		{ type: 'image', fileName: 'b.png', content: `data:image/png;base64,${big.toString('base64')}` },
		{ fileName: 'no"te\n.txt', mimeType: 'text/plain', content: Buffer.from('héllo\n').toString('base64'), origin: 'paste' },
	]);

	await c.call('sessions.subscribe');
	const ack = c.call('chat.send', params);
	const call = await model.next();

	await ack;
	assert.equal(call.userText, 'look\n\n<file name="no_te_.txt">\nhéllo\n</file>');
	const user = call.body.messages.findLast((m) => m.role === 'user');
	const urls = user.content.filter((p) => p.type === 'image_url').map((p) => p.image_url.url);

	assert.deepEqual(urls, [png, big].map((b) => `data:image/png;base64,${b.toString('base64')}`));
	call.text('seen');
	call.end();
	await c.runEnd(params.idempotencyKey);

	const { messages } = await c.call('chat.history', { sessionKey: key });
	const shown = messages[0].content.filter((b) => b.type === 'image');

	assert.equal(shown[0].data, png.toString('base64'));
	const { url, ...named } = shown[1];

	assert.deepEqual(named, { type: 'image', mimeType: 'image/png', omitted: true, bytes: big.length });
	const served = await gw.http(url, { headers: { authorization: `Bearer ${gw.token}` } });

	assert.equal(served.status, 200);
	assert.equal(served.headers['content-type'], 'image/png');
	assert.ok(served.raw.equals(big));
	assert.equal((await gw.http(url)).status, 401);
	const told = await c.event('session.message', (p) => p.message.role === 'user');

	assert.equal(told.payload.message.content.filter((b) => b.omitted).length, 1);
	const whole = await c.call('chat.message.get', { sessionKey: key, messageId: messages[0].__openclaw.id });

	assert.equal(whole.message.content.find((b) => b.data?.length > 1000).data, big.toString('base64'));

	for (const [attachment, code, what] of [
		[{ fileName: 'x.pdf', content: Buffer.from('%PDF-1.4\n\x00\xff', 'latin1').toString('base64') }, 'INVALID_REQUEST', /x\.pdf .*only PNG/],
		[{ fileName: 'x', content: '!!!!' }, 'INVALID_REQUEST', /no valid base64/],
		[{ fileName: 'x' }, 'INVALID_REQUEST', /has no content/],
		[{ fileName: 'x', content: 5 }, 'INVALID_REQUEST', /has no content/],
		[{ fileName: 'x', content: Buffer.concat([png, Buffer.alloc(6291456)]).toString('base64') }, 'INVALID_REQUEST', /larger than 6291456/],
		[{ fileName: 'x', content: Buffer.alloc(600000, 'a').toString('base64') }, 'INVALID_REQUEST', /larger than 524288/],
	]) {
		const refused = await c.fails('chat.send', send([attachment]));

		assert.equal(refused.code, code);
		assert.match(refused.message, what);
	}
	assert.match((await c.fails('chat.send', send(Array(21).fill({ content: 'YQ==' })))).message, /20 attachments/);
	await c.close();
});
