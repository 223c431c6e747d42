/* Discord: limits, logins that only a person can mend, interactions that ran out, gateways that are not Discord's. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { DiscordDouble, ROOMS, USERS } from '../doubles/discord.mjs';
import { DiscordWorld } from './lib/discord.mjs';
import { TEST_MS, stopAfter, until } from './lib/wait.mjs';

const start = async (t, options) => (await DiscordWorld.start(t, options)).up();
const POST = 'POST /channels/:id/messages';

test('buckets are obeyed: no request is refused once the limit is known, and the order is kept', { timeout: TEST_MS }, async (t) => {
	const w = await start(t, { double: { limits: { [POST]: { limit: 2, ms: 700 } } } });
	const d = w.double;
	const c = await w.gw.connect();
	const words = Array.from({ length: 7 }, (_, i) => `number ${i}`);

	await Promise.all(words.map((message) => c.call('send', { channel: 'discord', to: `channel:${ROOMS.quiet}`, message, idempotencyKey: randomUUID() })));
	await c.close();
	assert.deepEqual(d.shown(ROOMS.quiet), words);
	assert.equal(d.requests.items.filter((r) => r.status === 429).length, 0);
});

test('a token or an intent that Discord refuses waits for a person, and says what to do', { timeout: TEST_MS }, async (t) => {
	for (const [spoil, words] of [
		[(d) => (d.granted = 0), /Message Content Intent.*developers\/applications/],
		[(d) => (d.token = 'another'), /token/],
	]) {
		const w = await start(t);
		const d = w.double;

		spoil(d);
		d.sessions.clear();
		d.cut(4009);
		const s = await until(async () => {
			const a = await w.account();

			return a.state === 'needs-login' && a;
		}, 'needs-login');

		assert.match(JSON.stringify(s), words);
		const before = d.logins.items.length;

		await w.account();
		assert.equal(d.logins.items.length, before);
	}
});

test('two accounts of one bot: one of them stays out, so that nothing is answered twice', { timeout: TEST_MS }, async (t) => {
	const token = 'dHdpbnM.Gabcde.one-bot-of-three-accounts';
	const w = await start(t, { double: { token }, discord: { accounts: { second: { token }, third: { token } } } });
	const dm = w.double.dm(USERS.ada);

	await w.round(USERS.ada, dm, 'hello m-one');
	const c = await w.gw.connect();
	const accounts = await until(async () => {
		const all = (await c.call('channels.status')).channelAccounts.discord;

		return all.filter((a) => a.state === 'needs-login').length === 2 && all;
	}, 'two of them to be left out');

	await c.close();
	assert.match(JSON.stringify(accounts), /duplicate bot token/);
	assert.deepEqual(w.counts(dm, ['m-one']), [1]);
});

test('with an interaction that can be answered no more, the answer goes to the room', { timeout: TEST_MS }, async (t) => {
	const w = await start(t, { discord: { slashCommand: { ephemeral: false } } });
	const d = w.double;

	d.fault('POST /interactions/:id/:token/callback', 500);
	d.slash(USERS.ada, ROOMS.general, 'status');
	const m = await d.sent((x) => /model/i.test(x.content));

	assert.equal(m.room, ROOMS.general);
	assert.equal(m.ephemeral, false);
});

test('an answer does not overtake the acknowledgement of its command', { timeout: TEST_MS }, async (t) => {
	const w = await start(t);
	const d = w.double;

	d.fault('POST /interactions/:id/:token/callback', 'slow');
	const token = d.slash(USERS.ada, ROOMS.general, 'status');
	const m = await d.sent((x) => /model/i.test(x.content));

	assert.deepEqual([m.id, m.ephemeral], [d.interactions.get(token).original.id, true]);
});

test('what was for one person alone is shown to nobody else when the interaction can be answered no more', { timeout: TEST_MS }, async (t) => {
	const w = await start(t, { discord: { streaming: { mode: 'partial' } } });
	const d = w.double;

	d.fault('POST /interactions/:id/:token/callback', 500);
	d.slash(USERS.ada, ROOMS.general, 'status');
	const m = await d.sent((x) => /model/i.test(x.content));

	assert.equal(m.room, d.dm(USERS.ada));
	/* Nor as a preview of an answer that is still being made, when one in a DM is seen. */
	let go;
	const shown = new Promise((resolve) => (go = resolve));

	w.answer = async (text, call) => {
		call.text('the first half of a long enough sentence, ');
		await shown;
		return `and the second ${text.match(/m-\w+/g).at(-1)}`;
	};
	d.slash(USERS.ada, ROOMS.general, 'nothing-we-have', { args: 'm-live' });
	await until(() => w.heard.some((h) => h.text.includes('m-live')), 'the command to be thought about');
	d.say(USERS.ada, d.dm(USERS.ada), 'slowly m-dm');
	await d.sent((x) => /first half/.test(x.content), { what: 'the preview in the DM' });
	go();
	const whole = await d.sent((x) => /second m-live/.test(x.content));

	assert.equal(whole.ephemeral, true);
	assert.deepEqual(d.shown(ROOMS.general), []);
});

test('a limit that is not said in JSON holds for the whole login', { timeout: TEST_MS }, async (t) => {
	const w = await start(t);
	const d = w.double;
	const c = await w.gw.connect();
	const send = (room, message) => c.call('send', { channel: 'discord', to: `channel:${room}`, message, idempotencyKey: randomUUID() });

	d.retryAfter = 3;
	d.fault(POST, 'limit-edge');
	const first = send(ROOMS.quiet, 'one');
	const { item } = await d.requests.find((r) => r.route === POST && r.status === 429);

	/* Only who has heard of the limit keeps it. */
	await until(async () => await w.gw.sql("SELECT count(*) FROM channel_outbox WHERE state = 'pending' AND error LIKE '%429%'") === '1', 'it to be heard');
	await Promise.all([first, send(ROOMS.general, 'two')]);
	await c.close();
	assert.deepEqual([d.shown(ROOMS.quiet), d.shown(ROOMS.general)], [['one'], ['two']]);
	for (const r of d.requests.items.filter((x) => x.route === POST && x.status === 200))
		assert.ok(r.at >= item.at + 2900, `a request ${r.at - item.at} ms after the refusal`);
});

test('a gateway that is not Discord gets no token', { timeout: TEST_MS }, async (t) => {
	const other = await DiscordDouble.start();

	stopAfter(t, other);
	const w = await start(t);

	Object.defineProperty(w.double, 'gatewayUrl', { get: () => `ws://localhost:${other.port}` });
	w.double.sessions.clear();
	w.double.cut(4009);
	await until(async () => {
		const a = await w.account();

		return a.state === 'backoff' && /not Discord/.test(JSON.stringify(a));
	}, 'a refusal');
	assert.equal(other.logins.items.length, 0);
});
