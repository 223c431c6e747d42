/*
 * channel-approvals.test.mjs - approvals and questions as cards in a chat: the owner presses, strangers press in vain, every
 * surface sees the one answer, a kill in between loses nothing.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { TelegramDouble } from '../doubles/telegram.mjs';
import { execGateway } from './lib/exec.mjs';
import { run } from './lib/proc.mjs';
import { TEST_MS, stopAfter, until } from './lib/wait.mjs';

const GROUP = -1001234567890;
const QUESTION = { questions: [{ id: 'target', header: 'Target', question: 'Where to?', options: [{ label: 'Staging' }, { label: 'Production' }] }] };

async function world(t, { telegram = {}, config = {} } = {}) {
	const tg = await TelegramDouble.start();
	const w = { tg, owner: tg.user(60000001, 'Ada'), friend: tg.user(60000002, 'Bob'), stranger: tg.user(60000003, 'Eve') };

	tg.group(GROUP, 'Team');
	Object.assign(w, await execGateway(t, { agents: { defaults: { sandbox: { mode: 'off' } } }, tools: { exec: { mode: 'ask' } },
		commands: { ownerAllowFrom: [`telegram:${w.owner.id}`] },
		...tg.config({ dmPolicy: 'allowlist', allowFrom: [w.owner.id, w.friend.id], streaming: { mode: 'off' }, ackReaction: '',
			groups: { [GROUP]: { requireMention: false, allowFrom: [w.owner.id, w.friend.id] } }, ...telegram }), ...config }));
	stopAfter(t, tg);
	w.file = path.join(w.gw.state, 'workspace', 'made');
	w.command = (n) => `call ${JSON.stringify({ id: `call_${n}`, name: 'exec', args: { command: `touch ${w.file}${n}` } })}`;
	w.card = (chat, match = () => true) => until(() => tg.visible(chat).find((m) => m.reply_markup && match(m)), 'a card with buttons');
	w.button = (m, text) => m.reply_markup.inline_keyboard.flat().find((b) => b.text === text)?.callback_data;
	w.text = (chat, re) => until(() => tg.texts(chat).find((x) => re.test(x)), `${re} in ${JSON.stringify(tg.texts(chat))}`);
	return w;
}

test('the owner allows and denies by button; the card says how it ended', { timeout: TEST_MS }, async (t) => {
	const w = await world(t);

	w.tg.say(w.owner, w.command(1));
	const card = await w.card(w.owner.id);

	assert.match(card.text, /touch .*made1/);
	assert.deepEqual(card.reply_markup.inline_keyboard.flat().map((b) => b.text), ['Allow once', 'Always', 'Deny']);
	for (const b of card.reply_markup.inline_keyboard.flat())
		assert.ok(Buffer.byteLength(b.callback_data) <= 64);
	assert.equal(existsSync(`${w.file}1`), false);
	w.tg.press(w.owner, card, w.button(card, 'Allow once'));
	await until(() => existsSync(`${w.file}1`), 'the command ran');
	await w.text(w.owner.id, /✅ Allowed once/);
	await until(() => !w.tg.visible(w.owner.id).find((m) => m.message_id === card.message_id).reply_markup, 'the buttons are gone');
	await w.text(w.owner.id, /^done$/);

	w.tg.say(w.owner, w.command(2));
	const second = await w.card(w.owner.id, (m) => /made2/.test(m.text));

	const allow = w.button(second, 'Allow once');

	w.tg.press(w.owner, second, w.button(second, 'Deny'));
	await w.text(w.owner.id, /⛔ Denied/);
	/* A second press, of a card that is over. */
	w.tg.press(w.owner, second, allow);
	await until(() => w.tg.answered.items.length >= 3, 'the press was taken');
	assert.equal(existsSync(`${w.file}2`), false);
	assert.deepEqual(w.tg.problems, []);
});

test('/approve in a chat: the owner by id, and what others can do instead', { timeout: TEST_MS }, async (t) => {
	const w = await world(t);

	w.tg.say(w.owner, w.command(1));
	await w.card(w.owner.id);
	const c = await w.gw.connect(), [{ id }] = await c.call('exec.approval.list');

	w.tg.say(w.friend, `/approve ${id} allow-once`);
	await w.text(w.friend.id, new RegExp(`/approve is for this gateway's owner\\. Ask them.*telegram:${w.friend.id} in commands\\.ownerAllowFrom`));
	assert.doesNotMatch(w.tg.texts(w.friend.id).join('\n'), /operator\.admin/);
	assert.equal(existsSync(`${w.file}1`), false);
	w.tg.say(w.owner, `/approve ${id} allow-once`);
	await until(() => existsSync(`${w.file}1`), 'the command ran');
	const { items } = await c.call('approval.history', { limit: 1 });

	assert.deepEqual(items[0].resolver, { kind: 'channel', id: `telegram:${w.owner.id}` });
	assert.match((await w.gw.cli(['approvals', 'history'])).stdout, new RegExp(`${id} .*telegram:${w.owner.id}`));
	await c.close();
});

test('threat: buttons pressed by strangers and by who is no approver do nothing', { timeout: TEST_MS }, async (t) => {
	const w = await world(t);

	/* A friend asks in the group: the owner is told in private, nobody in the group has a button. */
	w.tg.say(w.friend, w.command(1), { chat: GROUP });
	const card = await w.card(w.owner.id);

	assert.equal(w.tg.visible(GROUP).filter((m) => m.reply_markup).length, 0);
	for (const who of [w.stranger, w.friend, { ...w.stranger, first_name: 'Ada' }]) {
		const before = w.tg.answered.items.length;

		w.tg.press(who, card, w.button(card, 'Allow once'));
		await until(() => w.tg.answered.items.length > before, 'the press was taken');
	}
	const c = await w.gw.connect({ scopes: ['operator.read', 'operator.approvals'] });
	const { id } = (await c.call('exec.approval.list'))[0] ?? (await c.call('exec.approval.list')).items?.[0] ?? {};

	assert.ok(id, 'it still waits');
	assert.equal(existsSync(`${w.file}1`), false);
	w.tg.press(w.owner, card, w.button(card, 'Allow once'));
	await until(() => existsSync(`${w.file}1`), 'the command ran');
	await c.close();
});

test('another surface answers, and the card says so; a kill in between keeps the card alive', { timeout: TEST_MS }, async (t) => {
	const w = await world(t);

	w.tg.say(w.owner, w.command(1));
	await w.card(w.owner.id);
	let c = await w.gw.connect({ scopes: ['operator.read', 'operator.approvals'] });
	const list = await c.call('exec.approval.list');

	await c.call('exec.approval.resolve', { id: (list.items ?? list)[0].id, decision: 'deny' });
	await w.text(w.owner.id, /⛔ Denied/);
	await c.close();

	w.tg.say(w.owner, w.command(2));
	const card = await w.card(w.owner.id, (m) => /made2/.test(m.text));
	const underway = "SELECT count(*) FROM channel_outbox WHERE origin = 'card' AND state <> 'sent'";

	/* The chat has it before the gateway knows; a card of which it does not know keeps its buttons. */
	await until(async () => await w.gw.sql(underway) === '0', 'the card on record');
	await w.gw.kill();
	await w.gw.launch();
	w.tg.press(w.owner, card, w.button(card, 'Allow once'));
	await until(() => existsSync(`${w.file}2`), 'the command ran after the restart', 30000);
	await until(() => !w.tg.visible(w.owner.id).some((m) => /made2/.test(m.text ?? '') && m.reply_markup), 'the buttons are gone');
});

test('the gateway stops while a card is being edited', { timeout: TEST_MS }, async (t) => {
	const w = await world(t);

	w.tg.say(w.owner, w.command(1));
	const card = await w.card(w.owner.id);

	w.tg.fail('editMessageText', 'hold', { times: 99 });
	w.tg.press(w.owner, card, w.button(card, 'Allow once'));
	await w.tg.call('editMessageText');
	const exit = await w.gw.proc.stop('SIGTERM', 20000);

	w.tg.release();
	assert.deepEqual(exit, { code: 0, signal: null }, w.gw.log());
});

test('a question has buttons, and takes a plain answer too', { timeout: TEST_MS }, async (t) => {
	const w = await world(t);
	const ask = (n) => `call ${JSON.stringify({ id: `call_q${n}`, name: 'ask_user', args: QUESTION })}`;

	w.tg.say(w.owner, ask(1));
	const card = await w.card(w.owner.id);

	assert.deepEqual(card.reply_markup.inline_keyboard.flat().map((b) => b.text), ['Staging', 'Production']);
	w.tg.press(w.stranger, card, w.button(card, 'Staging'));
	await until(() => w.tg.answered.items.length > 0, 'the press was taken');
	w.tg.press(w.owner, card, w.button(card, 'Production'));
	await w.text(w.owner.id, /✅ Production/);
	await w.text(w.owner.id, /^done$/);

	w.tg.say(w.owner, ask(2));
	await w.card(w.owner.id);
	w.tg.say(w.owner, '1');
	await w.text(w.owner.id, /✅ Staging/);
});

test('killed around a card: known by its press, edited by the next start, shown by it', { timeout: TEST_MS }, async (t) => {
	const w = await world(t);
	const hasButtons = ({ message_id: id }) => w.tg.visible(w.owner.id).some((m) => m.message_id === id && m.reply_markup);
	const sql = (text) => run('sqlite3', [path.join(w.gw.state, 'chela.sqlite'), text]);
	const restart = async (meanwhile = async () => undefined) => {
		await w.gw.kill();
		await meanwhile();
		w.tg.clearFaults();
		w.tg.release();
		await w.gw.launch();
	};

	/* The chat has the card, the gateway never heard of it. */
	w.tg.fail('sendMessage', 'hold-after', { when: (p) => p.reply_markup });
	w.tg.say(w.owner, w.command(1));
	const card = await w.card(w.owner.id);

	await restart();
	w.tg.press(w.owner, card, w.button(card, 'Allow once'));
	await until(() => existsSync(`${w.file}1`), 'the command ran after the restart', 30000);
	await until(() => !hasButtons(card), 'the buttons of a card that was known by its press are gone');
	await w.text(w.owner.id, /^noted$/);

	/* It was asked for, and no card made yet. */
	w.tg.say(w.owner, w.command(2));
	const lost = await w.card(w.owner.id, (m) => /made2/.test(m.text));

	await restart(async () => {
		const r = await sql('DELETE FROM channel_outbox WHERE id = (SELECT max(outbox_id) FROM channel_cards); ' +
			'DELETE FROM channel_cards WHERE outbox_id = (SELECT max(outbox_id) FROM channel_cards)');

		assert.equal(r.code, 0, r.stderr);
	});
	const again = await w.card(w.owner.id, (m) => /made2/.test(m.text) && m.message_id !== lost.message_id);

	w.tg.press(w.owner, again, w.button(again, 'Allow once'));
	await until(() => existsSync(`${w.file}2`), 'the command ran', 30000);
	await until(() => !hasButtons(again), 'the buttons are gone');
	await until(() => w.tg.texts(w.owner.id).filter((x) => x === 'noted').length === 2, 'the session was told');

	/* It was answered, and the card not edited yet. */
	w.tg.say(w.owner, w.command(3));
	const answered = await w.card(w.owner.id, (m) => /made3/.test(m.text));
	const c = await w.gw.connect({ scopes: ['operator.read', 'operator.approvals'] });
	const list = await c.call('exec.approval.list');

	w.tg.fail('editMessageText', 'hold', { times: 99 });
	await c.call('exec.approval.resolve', { id: (list.items ?? list)[0].id, decision: 'deny' });
	await w.tg.call('editMessageText');
	await w.text(w.owner.id, /^done$/);
	assert.ok(hasButtons(answered));
	await restart();
	await until(() => !hasButtons(answered), 'the card says how it ended');
	assert.equal(existsSync(`${w.file}3`), false);
	assert.deepEqual(w.tg.problems, []);
});

test('a yes that a kill cut is carried out once: the turn that asked is not taken up beside it', { timeout: TEST_MS }, async (t) => {
	const w = await world(t);
	const file = `${w.file}1`;

	w.tg.say(w.owner, `call ${JSON.stringify({ id: 'call_1', name: 'exec', args: { command: `printf x >> ${file}` } })}`);
	await w.card(w.owner.id);
	await w.gw.kill();
	/* As the kill leaves it after the yes, before it is claimed. */
	await run('sqlite3', [path.join(w.gw.state, 'chela.sqlite'),
		"UPDATE approvals SET status = 'allowed', decision = 'allow-once', reason = 'user', resolved_at = created_at + 1"]);
	await w.gw.launch();
	await w.text(w.owner.id, /^noted$/);
	assert.equal(readFileSync(file, 'utf8'), 'x');
	const c = await w.gw.connect({ scopes: ['operator.read', 'operator.approvals'] });
	const list = await c.call('exec.approval.list');

	assert.deepEqual(list.items ?? list, [], 'it is not asked for again');
	assert.deepEqual(w.tg.texts(w.owner.id).filter((x) => !/^Run this/.test(x)), ['noted']);
	await c.close();
});
