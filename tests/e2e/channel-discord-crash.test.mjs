/* Discord when things break: cut and dead connections, lost sessions, kills, redelivery, sends whose fate is not known. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BOT, GUILD, ROLES, ROOMS, USERS } from '../doubles/discord.mjs';
import { DiscordWorld, echoOpen } from './lib/discord.mjs';
import { TEST_MS, until, within } from './lib/wait.mjs';

const start = async (t, options) => (await DiscordWorld.start(t, options)).up();
const logins = (w) => w.double.logins.items.map((l) => l.op);
const ones = (n) => Array(n).fill(1);

test('a connection that is cut, moved or silent is resumed, and nothing is lost', { timeout: TEST_MS }, async (t) => {
	const w = await start(t, { double: { heartbeatMs: 150 } });
	const d = w.double, dm = d.dm(USERS.ada);

	await w.round(USERS.ada, dm, 'one m-1');
	d.cut();
	await w.round(USERS.ada, dm, 'two m-2');
	d.reconnect();
	await w.round(USERS.ada, dm, 'three m-3');
	d.cut(4000);
	await w.round(USERS.ada, dm, 'four m-4');
	/* A zombie: beats are not answered. The bot closes with a code that keeps the session. */
	d.isDeaf = true;
	await d.closes.find((code) => code === 4000, { from: d.closes.items.length, what: 'the dead connection to be closed' });
	d.isDeaf = false;
	await w.round(USERS.ada, dm, 'five m-5');
	d.ask();
	await w.round(USERS.ada, dm, 'six m-6');
	assert.deepEqual(w.counts(dm, ['m-1', 'm-2', 'm-3', 'm-4', 'm-5', 'm-6']), ones(6));
	assert.equal(logins(w).filter((x) => x === 'identify').length, 1, String(logins(w)));
	assert.ok(logins(w).length >= 5);
});

test('a session that Discord gave up is followed by a new one', { timeout: TEST_MS }, async (t) => {
	const w = await start(t);
	const d = w.double, dm = d.dm(USERS.ada);

	await w.round(USERS.ada, dm, 'one m-1');
	d.invalidate(true);
	await d.logins.find((l) => l.op === 'resume');
	d.invalidate(false);
	await d.logins.find((l) => l.op === 'identify', { from: 1 });
	await w.round(USERS.ada, dm, 'two m-2');
	assert.deepEqual(w.counts(dm, ['m-1', 'm-2']), ones(2));
});

test('over a restart the session is resumed: what was said meanwhile is answered once', { timeout: TEST_MS }, async (t) => {
	const w = await start(t);
	const d = w.double, dm = d.dm(USERS.ada);

	await w.round(USERS.ada, dm, 'one m-1');
	await w.gw.proc.stop('SIGTERM', 20000);
	await d.closes.find((code) => code === 4000, { what: 'the goodbye that keeps the session' });
	d.say(USERS.ada, dm, 'two m-2');
	d.say(USERS.ada, ROOMS.general, `<@${BOT}> three m-3`);
	await w.gw.launch();
	await w.reply('m-2');
	await w.reply('m-3');
	assert.deepEqual(logins(w), ['identify', 'resume']);
	assert.deepEqual([...w.counts(dm, ['m-1', 'm-2']), ...w.counts(ROOMS.general, ['m-3'])], ones(3));
});

test('after an absence that ended the session, what was said is asked for and answered once', { timeout: TEST_MS }, async (t) => {
	const w = await start(t, { discord: { guilds: { [GUILD]: { roles: [ROLES.ops] } } } });
	const d = w.double, dm = d.dm(USERS.ada);

	await w.round(USERS.ada, dm, 'one m-1');
	await w.round(USERS.ada, ROOMS.thread, `<@${BOT}> two m-2`);
	await w.gw.kill();
	d.sessions.clear();
	d.say(USERS.ada, dm, 'three m-3');
	/* By her roles, which a message of the history does not have. */
	d.say(USERS.ada, ROOMS.general, `<@${BOT}> four m-4`);
	d.say(USERS.eve, ROOMS.general, `<@${BOT}> not me m-eve`);
	d.say(USERS.ada, ROOMS.hidden, `<@${BOT}> unseen m-hid`);
	d.say(USERS.ada, ROOMS.thread, `<@${BOT}> five m-5`);
	/* Killed again in the middle of it: the rooms are asked anew. */
	d.fault('GET /channels/:id/messages', 'silent-before');
	await w.gw.launch();
	await d.requests.find((r) => r.route === 'GET /channels/:id/messages' && !r.status, { what: 'a room to be asked' });
	await w.gw.kill();
	await w.gw.launch();
	for (const mark of ['m-3', 'm-4', 'm-5'])
		await w.reply(mark);
	await w.round(USERS.ada, dm, 'six m-6');
	assert.deepEqual([...w.counts(dm, ['m-1', 'm-3', 'm-6']), ...w.counts(ROOMS.general, ['m-4']), ...w.counts(ROOMS.thread, ['m-2', 'm-5'])], ones(6));
	assert.ok(!JSON.stringify(w.heard).match(/m-eve.*re m-eve/));
	assert.equal(d.out.items.filter((m) => /m-eve|m-hid/.test(m.content)).length, 0);
});

test('a presence that is changed is shown, though the session goes on', { timeout: TEST_MS }, async (t) => {
	const w = await start(t, { discord: { activity: 'Morning watch' } });
	const d = w.double, dm = d.dm(USERS.ada);

	await w.round(USERS.ada, dm, 'one m-1');
	assert.equal(d.logins.items[0].presence.activities[0].state, 'Morning watch');
	w.gw.config.channels.discord.activity = 'Evening watch';
	w.gw.replaceConfig(JSON.stringify(w.gw.config));
	const { item } = await d.presences.find((p) => p.activities.length);

	assert.deepEqual([item.activities[0].state, item.status, logins(w)], ['Evening watch', 'online', ['identify', 'resume']]);
});

test('killed while it thinks, each message is answered once', { timeout: TEST_MS }, async (t) => {
	const w = await start(t);
	const d = w.double, dm = d.dm(USERS.ada);
	let asked, isHeld = true;
	const hold = new Promise((resolve) => (asked = resolve));

	await w.round(USERS.ada, dm, 'one m-1');
	/* What was cut is taken up by an event that points back, and what comes meanwhile may be told to that turn. */
	w.answer = (text, call) => {
		if (!isHeld)
			return echoOpen(text, call);
		asked();
		return new Promise(() => {});
	};
	d.say(USERS.ada, dm, 'two m-2');
	await within(hold, 'the model to be asked');
	await w.gw.kill();
	isHeld = false;
	d.say(USERS.ada, dm, 'three m-3');
	await w.gw.launch();
	await w.reply('m-3');
	await w.reply('m-2');
	/* What comes while the cut turn is taken up may be answered in the same message. */
	const answers = d.shown(dm).join('\n').match(/re m-\d/g);

	assert.deepEqual(answers.sort(), ['re m-1', 're m-2', 're m-3'], JSON.stringify(d.shown(dm)));
});

test('events that come five times are answered once', { timeout: TEST_MS }, async (t) => {
	const w = await start(t);
	const d = w.double, dm = d.dm(USERS.ada);

	await w.round(USERS.ada, dm, 'one m-1');
	d.redeliver(5, (e) => e.t === 'MESSAGE_CREATE' && e.d.author.id === USERS.ada);
	await w.round(USERS.ada, dm, 'two m-2');
	assert.deepEqual(w.counts(dm, ['m-1', 'm-2']), ones(2));
});

const POST = 'POST /channels/:id/messages';

test('a send whose fate is not known is shown once', { timeout: TEST_MS }, async (t) => {
	const w = await start(t);
	const d = w.double, dm = d.dm(USERS.ada);
	let n = 0;

	for (const kind of [500, 502, 'cut-before', 'cut-after', 'limit', 'limit-global']) {
		const mark = `m-${++n}`;

		d.fault(POST, kind);
		await w.round(USERS.ada, dm, `with a fault ${mark}`);
		assert.deepEqual(w.counts(dm, [mark]), [1], `${kind}: ${JSON.stringify(d.shown(dm))}`);
	}
	/* Done, and the gateway is killed before it hears of it. */
	d.fault(POST, 'silent-after');
	d.say(USERS.ada, dm, 'and now m-kill');
	await w.reply('m-kill');
	await w.gw.kill();
	await w.gw.launch();
	await w.round(USERS.ada, dm, 'after it m-end');
	assert.deepEqual(w.counts(dm, ['m-kill', 'm-end']), ones(2), JSON.stringify(d.shown(dm)));
	/* Not done, and killed: it is sent by the next start. */
	d.fault(POST, 'silent-before');
	d.say(USERS.ada, dm, 'once more m-lost');
	await d.requests.find((r) => r.route === POST && !r.status, { from: d.requests.items.length, what: 'it to be tried' });
	await w.gw.kill();
	await w.gw.launch();
	await w.reply('m-lost');
	assert.deepEqual(w.counts(dm, ['m-lost']), [1]);
});

const ORIGINAL = 'PATCH /webhooks/:id/:token/messages/@original', FOLLOW_UP = 'POST /webhooks/:id/:token', THREADS = 'POST /channels/:id/threads';
const dead = async (w) => JSON.parse((await w.gw.cli(['channels', 'dead-letters', 'list', '--json'])).stdout);

test('an answer to a command is shown once, to its user alone, whenever the gateway is killed', { timeout: TEST_MS }, async (t) => {
	const w = await start(t);
	const d = w.double, dm = d.dm(USERS.ada);
	const answers = () => d.out.items.filter((m) => /model/i.test(m.content));

	/* Done, and not heard of; then not done. */
	for (const [n, kind] of ['silent-after', 'silent-before'].entries()) {
		d.fault(ORIGINAL, kind);
		d.slash(USERS.ada, ROOMS.general, 'status');
		await d.requests.find((r) => r.route === ORIGINAL && !r.status, { from: d.requests.items.length, what: 'the answer to be tried' });
		await w.gw.kill();
		await w.gw.launch();
		await until(() => answers().length === n + 1, `answer ${n + 1}`);
		await w.round(USERS.ada, dm, `after it m-${n}`);
	}
	assert.deepEqual(answers().map((m) => m.ephemeral), [true, true]);
	assert.deepEqual(d.shown(ROOMS.general), []);
	assert.equal(JSON.stringify(await dead(w)).includes('unsure'), false);
});

test('parts of a public answer, and posts of a forum, are shown once over a kill', { timeout: TEST_MS }, async (t) => {
	const w = await start(t, { discord: { slashCommand: { ephemeral: false } } });
	const d = w.double, dm = d.dm(USERS.ada);

	w.answer = (text) => (/m-parts/.test(text) ? `${'many words '.repeat(250)}end m-parts` : `re ${text.match(/m-[a-z0-9]+/g).at(-1)}`);
	d.fault(FOLLOW_UP, 'silent-after');
	d.slash(USERS.ada, ROOMS.general, 'nothing-we-have', { args: 'm-parts' });
	await d.sent((m) => /end m-parts/.test(m.content));
	await w.gw.kill();
	await w.gw.launch();
	await w.round(USERS.ada, dm, 'after it m-1');
	assert.equal(d.shown(ROOMS.general).length, 2, JSON.stringify(d.shown(ROOMS.general)));

	for (const kind of ['silent-after', 'silent-before']) {
		const c = await w.gw.connect();

		d.fault(THREADS, kind);
		c.call('send', { channel: 'discord', to: `channel:${ROOMS.forum}`, message: `By ${kind}\n\nthe body`, idempotencyKey: kind }).catch(() => undefined);
		await d.requests.find((r) => r.route === THREADS && !r.status, { from: d.requests.items.length, what: 'the post to be tried' });
		await w.gw.kill();
		await w.gw.launch();
		await until(() => [...d.channels.values()].some((x) => x.name === `By ${kind}`), `the post by ${kind}`);
		await w.round(USERS.ada, dm, `after that m-${kind.slice(7)}`);
		assert.equal([...d.channels.values()].filter((x) => x.name === `By ${kind}`).length, 1);
	}
	assert.equal(JSON.stringify(await dead(w)).includes('unsure'), false);
});
