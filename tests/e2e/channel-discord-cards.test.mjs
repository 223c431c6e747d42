/* Approvals and questions as cards on Discord: who may press, who is told so, what becomes of the card. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { BOT, DiscordDouble, GUILD, ROOMS, USERS } from '../doubles/discord.mjs';
import { execGateway } from './lib/exec.mjs';
import { stopAfter, until } from './lib/wait.mjs';

const me = `<@${BOT}>`, ends = [], file = { after: (fn) => ends.push(fn) };
const QUESTION = { questions: [{ id: 'target', header: 'Target', question: 'Where to?', options: [{ label: 'Staging' }, { label: 'Production' }] }] };
let d, gw, dm, count = 0;

before(async () => {
	d = await DiscordDouble.start();
	stopAfter(file, d);
	({ gw } = await execGateway(file, { agents: { defaults: { sandbox: { mode: 'off' } } }, tools: { exec: { mode: 'ask' } },
		messages: { inbound: { debounceMs: 0 } }, commands: { ownerAllowFrom: [`discord:${USERS.ada}`] }, session: { dmScope: 'per-channel-peer' },
		channels: { discord: d.config({ dmPolicy: 'allowlist', allowFrom: [USERS.ada, USERS.bob], guilds: { [GUILD]: { users: [USERS.ada, USERS.bob] } },
			execApprovals: { enabled: true, target: 'both' } }) } }));
	dm = d.dm(USERS.ada);
	await d.logins.find(() => true, { what: 'a login' });
});

after(async () => {
	for (const fn of ends)
		await fn();
});

/* Says that a file is to be made; gives its path and the card that asks. */
async function ask(user, room) {
	const file = path.join(gw.state, 'workspace', `made${++count}`);
	const from = d.out.items.length;

	d.say(user, room, `${me} call ${JSON.stringify({ id: `call_${count}`, name: 'exec', args: { command: `touch ${file}` } })}`);
	const { item } = await d.out.find((m) => m.components?.length && m.room === room && m.content.includes(path.basename(file)), { from, what: 'the card' });

	return { file, card: item };
}

const button = (card, label) => card.components.flatMap((row) => row.components).find((b) => b.label === label).custom_id;
const shown = (card) => d.messages.get(card.room).find((m) => m.id === card.id);

test('the owner allows and denies by button; the card says how it ended', async () => {
	const first = await ask(USERS.ada, dm);

	assert.deepEqual(first.card.components.flatMap((r) => r.components).map((b) => b.label), ['Allow once', 'Always', 'Deny']);
	assert.equal(existsSync(first.file), false);
	d.press(USERS.ada, dm, first.card.id, button(first.card, 'Allow once'));
	await until(() => existsSync(first.file), 'the command ran');
	await until(() => /✅ Allowed once/.test(shown(first.card).content) && !shown(first.card).components.length, 'the card to say so');
	const second = await ask(USERS.ada, dm);

	d.press(USERS.ada, dm, second.card.id, button(second.card, 'Deny'));
	await until(() => /⛔ Denied/.test(shown(second.card).content), 'the card to say so');
	assert.equal(existsSync(second.file), false);
});

test('test_threat_spoofing: buttons pressed by strangers and by who is no approver do nothing, and they alone are told', async () => {
	const { file, card } = await ask(USERS.bob, ROOMS.general);

	for (const [who, words] of [[USERS.eve, /not allowed to use this button/], [USERS.bob, /only the approvers/]]) {
		const from = d.out.items.length, token = d.press(who, ROOMS.general, card.id, button(card, 'Allow once'));
		const { item } = await d.out.find((m) => words.test(m.content), { from, what: `${words}` });

		assert.deepEqual([item.ephemeral, d.interactions.get(token).acked], [true, true]);
	}
	assert.equal(existsSync(file), false);
	assert.ok(shown(card).components.length);
	assert.ok(!d.shown(ROOMS.general).some((x) => /not allowed|only the approvers/.test(x)));
	d.press(USERS.ada, ROOMS.general, card.id, button(card, 'Allow once'));
	await until(() => existsSync(file), 'the command ran');
	await until(() => !shown(card).components.length, 'the buttons to go');
});

test('a question is answered by a button, also after a kill', async () => {
	d.say(USERS.ada, dm, `call ${JSON.stringify({ id: 'call_q', name: 'ask_user', args: QUESTION })}`);
	const card = await d.sent((m) => m.components?.length && /Where to\?/.test(m.content));

	await gw.kill();
	await gw.launch();
	d.press(USERS.ada, dm, card.id, button(card, 'Production'));
	await until(() => /✅ Production/.test(shown(card).content) && !shown(card).components.length, 'the card to say so');
});
