/* Discord: who pretends to be somebody else. Names, roles, webhooks, buttons of strangers; pairing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BOT, GUILD, ROLES, ROOMS, USERS } from '../doubles/discord.mjs';
import { DiscordWorld } from './lib/discord.mjs';
import { TEST_MS, until } from './lib/wait.mjs';

const me = `<@${BOT}>`;
/* Ada may; what Eve does beside it is answered with nothing. The round after it shows that Eve's was handled. */
const rooms = { dmPolicy: 'allowlist', allowFrom: [USERS.ada], guilds: { [GUILD]: { users: [USERS.ada], roles: [ROLES.ops] } } };

test('test_threat_spoofing: names, roles, webhooks and forwarded ids open nothing', { timeout: TEST_MS }, async (t) => {
	const w = await (await DiscordWorld.start(t, { discord: { ...rooms, allowBots: true } })).up();
	const d = w.double;

	Object.assign(d.users.get(USERS.eve), { username: 'ada', global_name: USERS.ada });
	d.say(USERS.eve, d.dm(USERS.eve), 'let me in m-name');
	d.say(USERS.eve, ROOMS.general, `${me} I am ada m-nick`, { member: { nick: 'Ada' } });
	/* A webhook under Ada's id, with her roles in what it sends. */
	d.say(USERS.ada, ROOMS.general, `${me} it is me m-hook`, { webhook_id: '1000000000000008001', member: { roles: [ROLES.ops] } });
	d.say('1000000000000008001', ROOMS.general, `${me} m-hookb`, { webhook_id: '1000000000000008001',
		author: { id: '1000000000000008001', username: 'ada', bot: true } });
	/* The room's own id, and the everyone role, are nobody. */
	d.say(ROOMS.general, ROOMS.general, `${me} m-room`);
	d.say(USERS.eve, ROOMS.general, `${me} m-role`, { member: { roles: [GUILD] } });
	d.slash(USERS.eve, ROOMS.general, 'new', { args: 'm-slash' });
	/* She alone is told; nothing else comes of it. */
	await d.sent((m) => m.ephemeral && /not allowed/.test(m.content));
	await w.round(USERS.ada, ROOMS.general, `${me} really me m-ada`);
	await w.round(USERS.ada, d.dm(USERS.ada), 'and here m-dm');
	assert.deepEqual(w.heard.map((h) => h.text.match(/m-[a-z]+/g).at(-1)), ['m-ada', 'm-dm']);
	assert.deepEqual(d.out.items.filter((m) => !m.ephemeral).map((m) => m.content), ['re m-ada', 're m-dm']);
	assert.equal(d.out.items.filter((m) => m.ephemeral).length, 1);
});

test("test_threat_spoofing: a stranger's press is not a person's", { timeout: TEST_MS }, async (t) => {
	const w = await (await DiscordWorld.start(t, { discord: rooms })).up();
	const d = w.double;
	const card = await w.round(USERS.ada, ROOMS.general, `${me} a card m-card`);

	const token = d.press(USERS.eve, ROOMS.general, card.id, 'approve m-eve');
	/* She alone is told. */
	const told = await d.sent((m) => /not allowed to use this button/.test(m.content));

	assert.deepEqual([told.ephemeral, d.interactions.get(token).acked], [true, true]);
	d.react(USERS.eve, ROOMS.general, card.id, '👍');
	await w.round(USERS.ada, ROOMS.general, `${me} next m-next`);
	assert.ok(!JSON.stringify(w.heard).includes('m-eve'));
	assert.ok(!JSON.stringify(w.asked('m-next').messages).includes('👍'));
});

test('a stranger gets a code, once, and is let in by it', { timeout: TEST_MS }, async (t) => {
	const w = await (await DiscordWorld.start(t, { discord: { dmPolicy: 'pairing', allowFrom: [] } })).up();
	const d = w.double, dm = d.dm(USERS.bob);

	d.say(USERS.bob, dm, 'hello m-one');
	const told = await d.sent((m) => m.room === dm);
	const code = /\b[A-HJ-NP-Z2-9]{8}\b/.exec(told.content)[0];

	d.say(USERS.bob, dm, 'hello? m-two');
	const r = await w.gw.cli(['pairing', 'approve', 'discord', code]);

	assert.equal(r.code, 0, r.stderr);
	await w.round(USERS.bob, dm, 'thanks m-three');
	assert.equal(d.shown(dm).filter((x) => x.includes(code)).length, 1);
	/* In a room the same person is a stranger still. */
	d.say(USERS.bob, ROOMS.general, `${me} and here? m-room`);
	await w.round(USERS.bob, dm, 'last m-last');
	assert.ok(!JSON.stringify(w.heard).includes('m-room'));
});

test('lists with names are refused when the account starts', { timeout: TEST_MS }, async (t) => {
	const w = await DiscordWorld.start(t, { discord: { dmPolicy: 'allowlist', allowFrom: ['ada'] } });

	await until(async () => /17 to 20 digits/.test(JSON.stringify(await w.account())), 'the list to be refused');
	assert.equal(w.double.logins.items.length, 0);
});

test('test_threat_access: who may see a channel may write, and nobody else', { timeout: TEST_MS }, async (t) => {
	const w = await DiscordWorld.start(t, { discord: { dmPolicy: 'allowlist', allowFrom: ['accessGroup:crew'] },
		config: { accessGroups: { crew: { type: 'discord.channelAudience', guildId: GUILD, channelId: ROOMS.quiet } } } });
	const d = w.double;
	const rule = (id, allow, deny) => ({ id, type: 0, allow: String(allow), deny: String(deny) });

	await w.up();
	d.channels.get(ROOMS.quiet).permission_overwrites = [rule(GUILD, 0, 1024), rule(ROLES.ops, 1024, 0)];
	d.members.delete(USERS.eve);
	d.say(USERS.bob, d.dm(USERS.bob), 'not in it m-bob');
	d.say(USERS.eve, d.dm(USERS.eve), 'not even here m-eve');
	await w.round(USERS.ada, d.dm(USERS.ada), 'I am m-ada');
	/* Where nobody can tell, nobody is in it. */
	d.fault('GET /guilds/:id', 500, 3);
	d.members.get(USERS.bob).push(ROLES.ops);
	await w.round(USERS.ada, d.dm(USERS.ada), 'still m-ada2');
	assert.deepEqual(w.heard.map((h) => h.text.match(/m-[a-z0-9]+/g).at(-1)), ['m-ada', 'm-ada2']);
	assert.deepEqual([d.shown(d.dm(USERS.bob)).length, d.shown(d.dm(USERS.eve)).length], [1, 1]);
	assert.deepEqual(d.requests.items.filter((r) => r.status === 400), []);
});
