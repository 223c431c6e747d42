/* Telegram when things break: kills between batch and acknowledgement, redelivery, cuts, a second poller, a dead token. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { require } from './lib/peers.mjs';
import { TelegramWorld, echoAll } from './lib/telegram.mjs';
import { freePort } from './lib/proc.mjs';
import { Gateway } from './lib/gateway.mjs';
import { ModelDouble } from '../doubles/model.mjs';
import { TelegramDouble } from '../doubles/telegram.mjs';
import { DEADLINE_MS, TEST_MS, stopAfter, until } from './lib/wait.mjs';

const quick = { streaming: { mode: 'off' } };
const config = { messages: { inbound: { debounceMs: 0 } } };

const state = async (w) => {
	const c = await w.gw.connect();
	const s = await c.call('channels.status');

	await c.close();
	return s.channelAccounts.telegram[0];
};

test('killed between a batch and its acknowledgement, each message is answered once', { timeout: TEST_MS }, async (t) => {
	const w = await TelegramWorld.start(t, { telegram: quick, config });
	const d = w.double, ada = d.user(42, 'Ada');

	await w.round(ada, 'before m-a');
	await until(() => d.pending.length === 0, 'it to be confirmed');
	w.answer = () => new Promise(() => undefined);               /* nothing is said before the kill */
	/* The batch is given, its confirmation never arrives: the next poll is cut. */
	d.fail('getUpdates', 'cut', { times: 1000, when: (p) => p.offset > d.pending[0]?.update_id });
	for (const m of ['m-b', 'm-c', 'm-d'])
		d.say(ada, `one ${m}`);
	await until(() => d.calls('getUpdates').some((r) => r.params.offset > 1002), 'the confirmation to be tried');
	await w.gw.kill();
	for (const f of ['m-b', 'm-c', 'm-d'])
		assert.ok(d.pending.some((u) => u.message?.text === `one ${f}`), 'Telegram still has it');
	d.clearFaults();
	w.answer = echoAll;
	await w.gw.launch();
	for (const m of ['m-b', 'm-c', 'm-d'])
		await d.reply(ada, (x) => x.text?.includes(m));
	await w.round(ada, 'after m-z');
	for (const m of ['m-a', 'm-b', 'm-c', 'm-d', 'm-z'])
		assert.equal(d.texts(ada).filter((x) => x.includes(m)).length, 1, `${m} in ${JSON.stringify(d.texts(ada))}`);
});

test('five times redelivered, answered once; connections cut', { timeout: TEST_MS }, async (t) => {
	const w = await TelegramWorld.start(t, { telegram: quick, config });
	const d = w.double, ada = d.user(42, 'Ada');

	await w.round(ada, 'one m-1');
	await w.round(ada, 'two m-2');
	for (let i = 0; i < 5; i++) {
		await until(() => d.pending.length === 0, 'the queue to be empty');
		d.redeliver();
	}
	d.cutConnections();
	await w.round(ada, 'three m-3');
	assert.deepEqual(d.texts(ada), ['re m-1', 're m-2', 're m-3']);
});

test('another poller: degraded, and well again when it is gone', { timeout: TEST_MS }, async (t) => {
	const w = await TelegramWorld.start(t, { telegram: quick, config });
	const d = w.double;

	await d.call('getUpdates', (p) => p.timeout > 0);
	/* As long as the other one polls, however long we take to look. */
	const shown = await until(async () => {
		await fetch(`${d.url}/bot${d.token}/getUpdates?timeout=0`);
		const s = await state(w);

		return s.state === 'degraded' && s;
	}, 'degraded');

	assert.match(JSON.stringify(shown), /another program polls/);
	await until(async () => (await state(w)).state === 'connected', 'connected again');
});

test('a token that is not valid any more waits for a person', { timeout: TEST_MS }, async (t) => {
	const w = await TelegramWorld.start(t, { telegram: quick, config });
	const d = w.double;

	await d.call('getUpdates', (p) => p.timeout > 0);
	d.fail('*', '401', { times: 100 });
	d.cutConnections();
	await until(async () => (await state(w)).state === 'needs-login', 'needs-login');
	const before = d.requests.items.length;

	assert.match(JSON.stringify(await state(w)), /@BotFather/);
	assert.equal(d.requests.items.length, before);
});

test('the npm test server, which we did not write, is spoken to', { timeout: TEST_MS }, async (t) => {
	const TelegramServer = require('telegram-test-api');
	const port = await freePort();
	let gw;
	const server = new TelegramServer({ port, host: '127.0.0.1', storeTimeout: 60 });
	const model = await ModelDouble.start((call) => call.text(`re ${call.userText.match(/m-\w+/)?.[0]}`).end());

	await server.start();
	stopAfter(t, { stop: () => gw?.stop() }, server, model);
	const client = server.getClient('1234:abc', { userId: 5, chatId: 5, timeout: DEADLINE_MS });
	gw = await Gateway.start({ config: { ...model.config, ...config, channels: { telegram: { botToken: '1234:abc', apiRoot: `http://127.0.0.1:${port}`,
		dmPolicy: 'open', allowFrom: ['*'], ...quick } } } });

	await client.sendMessage(client.makeMessage('hello m-npm'));
	const updates = await client.getUpdates();

	assert.equal(updates.ok, true);
	assert.equal(updates.result[0].message.text, 're m-npm');
	assert.equal(String(updates.result[0].message.chat_id), '5');
});

test('two accounts are two bots', { timeout: TEST_MS }, async (t) => {
	const second = await TelegramDouble.start({ token: '7000000002:second_bot_token', me: { username: 'second_bot' } });
	const w = await TelegramWorld.start(t, { telegram: { ...quick, accounts: { second: { botToken: second.token, apiRoot: second.url } } }, config });

	stopAfter(t, second);
	const ada = w.double.user(42, 'Ada'), bo = second.user(43, 'Bo');

	second.say(bo, 'to the second m-s');
	await second.reply(bo, (m) => m.text === 're m-s');
	await w.round(ada, 'to the first m-f');
	assert.deepEqual(w.double.texts(ada), ['re m-f']);
});
