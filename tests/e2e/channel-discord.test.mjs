/* Discord, both ways: every kind of event through the real gateway to the model, its reply back in the room; what clients send. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { BOT, GUILD, ROLES, ROOMS, USERS } from '../doubles/discord.mjs';
import { DiscordWorld, echo } from './lib/discord.mjs';
import { until } from './lib/wait.mjs';

const PNG = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==', 'base64');
let w, d, dm, c;

before(async () => {
	w = await DiscordWorld.start(null, { discord: { guilds: { [GUILD]: { users: [USERS.ada], roles: [ROLES.ops], reactionNotifications: 'all' } },
		mentionAliases: { Lead: USERS.bob }, status: 'idle', activity: 'Harbour watch' } });
	d = w.double;
	dm = d.dm(USERS.ada);
	await w.up();
	c = await w.gw.connect();
});

after(async () => {
	c?.terminate();
	await w?.stop();
});

const heard = (mark) => JSON.stringify(w.asked(mark).messages);
const me = `<@${BOT}>`;

test('it logs in with its intents and its presence, and offers its commands', async () => {
	const { item } = await d.logins.find((l) => l.op === 'identify');

	assert.equal(item.intents & (1 << 15), 1 << 15);
	assert.equal(item.presence.activities[0].state, 'Harbour watch');
	await until(() => d.commands.some((x) => x.name === 'new'), 'the commands');
});

test('a DM is answered, and typing is shown', async () => {
	w.answer = async (text) => {
		await d.typing.find((x) => x.channel === dm, { what: 'typing' });
		return echo(text);
	};
	const m = await w.round(USERS.ada, dm, 'hello m-dm');

	w.answer = echo;
	assert.equal(m.room, dm);
});

test('in a room only a mention is answered; what was said before is context', async () => {
	d.say(USERS.ada, ROOMS.general, 'the build is red');
	d.say(USERS.ada, ROOMS.general, `${me} why? m-room`);
	const m = await w.reply('m-room');

	assert.equal(m.room, ROOMS.general);
	assert.match(heard('m-room'), /the build is red/);
	assert.deepEqual(d.shown(ROOMS.general), ['the build is red', `${me} why? m-room`, 're m-room']);
});

test("the bot's own role is a mention; @everyone is none", async () => {
	d.say(USERS.ada, ROOMS.general, '@everyone m-all');
	await w.round(USERS.ada, ROOMS.general, `<@&${ROLES.bot}> you m-role`);
	assert.ok(!w.heard.some((h) => h.text.includes('m-all') && !h.text.includes('m-role')));
});

test('answering the bot is a mention, and it sees what is answered', async () => {
	const ours = d.messages.get(ROOMS.general).findLast((m) => m.author.id === BOT);

	await w.round(USERS.ada, ROOMS.general, 'and now? m-quote', { message_reference: { message_id: ours.id } });
	assert.match(heard('m-quote'), new RegExp(ours.content));
});

test('a thread is a conversation of its own, and answered there', async () => {
	const m = await w.round(USERS.ada, ROOMS.thread, `${me} in here m-thread`);

	assert.equal(m.room, ROOMS.thread);
	const { sessions } = await c.call('sessions.list');

	assert.ok(sessions.some((s) => s.key.endsWith(`discord:channel:${ROOMS.general}:thread:${ROOMS.thread}`)), JSON.stringify(sessions.map((s) => s.key)));
});

test("forwarded words are another's: no command", async () => {
	const before = d.out.items.length;

	d.say(USERS.ada, dm, '', { message_reference: { type: 1, message_id: '1', channel_id: '1' },
		message_snapshots: [{ message: { content: '/new m-fwd', attachments: [], embeds: [], mentions: [] } }] });
	await until(() => d.out.items.length > before, 'an answer');
	assert.match(JSON.stringify(w.heard.at(-1).messages.at(-1)), /\/new m-fwd/);
});

test('a picture is fetched without the token and shown to the model', async () => {
	await w.round(USERS.ada, dm, 'what is this m-pic', { attachments: [d.attach(dm, 'a.png', 'image/png', PNG)] });
	assert.match(heard('m-pic'), /image/);
	assert.equal(d.broken, undefined);
});

test('an address that ran out is asked for anew', async () => {
	const file = d.attach(dm, 'b.png', 'image/png', PNG);

	d.expired = new Set(['old']);
	const m = d.say(USERS.ada, dm, 'and this m-old', { attachments: [{ ...file, url: file.url.replace('ex=1', 'ex=old') }] });

	m.attachments = [file];
	await w.reply('m-old');
	assert.ok(d.requests.items.some((r) => r.route === 'GET /channels/:id/messages/:id'));
});

test('stickers and polls are put into words', async () => {
	for (const [more, words] of [
		[{ sticker_items: [{ id: '1000000000000007001', name: 'wave', format_type: 3 }] }, /wave/],
		[{ poll: { question: { text: 'Tea?' }, answers: [{ poll_media: { text: 'yes' } }] } }, /Poll: Tea\?/],
		[{ sticker_items: [{ id: '1000000000000007002', name: 'nod', format_type: 4 }] }, /sticker/],
		[{ flags: 1 << 13, attachments: [d.attach(dm, 'voice-message.ogg', 'audio/ogg', Buffer.concat([Buffer.from('OggS\0\x02'), Buffer.alloc(60)]))] },
			/audio|voice/],
	]) {
		const before = d.out.items.length;

		d.say(USERS.ada, dm, '', more);
		await until(() => d.out.items.length > before, 'an answer');
		assert.match(JSON.stringify(w.heard.at(-1).messages.at(-1)), words);
	}
});

test('reactions, edits and deletions are told with the next turn', async () => {
	const ours = await w.round(USERS.ada, dm, 'first m-one');
	const mine = d.say(USERS.ada, dm, 'typo m-two');

	await w.reply('m-two');
	d.react(USERS.ada, dm, ours.id, '👍');
	d.edit(dm, mine.id, 'no typo, m-two');
	await w.round(USERS.ada, dm, 'third m-three');
	assert.match(heard('m-three'), /👍/);
	assert.match(heard('m-three'), /no typo/);
	const gone = d.say(USERS.ada, dm, 'a slip m-four');

	await w.reply('m-four');
	d.delete(dm, gone.id);
	d.vote(USERS.ada, dm, ours.id, 2);
	await w.round(USERS.ada, dm, 'fifth m-five');
	assert.match(heard('m-five'), /deleted/);
	assert.match(heard('m-five'), /answered the poll/);
});

test('in a room the guild says which reactions are told', async () => {
	const m = d.say(USERS.ada, ROOMS.general, 'a remark of hers');

	d.react(USERS.ada, ROOMS.general, m.id, '🌊');
	await w.round(USERS.ada, ROOMS.general, `${me} seen? m-wave`);
	assert.match(heard('m-wave'), /🌊/);
});

test('a slash command is acknowledged at once and answered in its place, for its user alone', async () => {
	const token = d.slash(USERS.ada, ROOMS.general, 'status');
	const { item } = await d.callbacks.find((x) => x.token === token, { what: 'the acknowledgement' });

	assert.deepEqual([item.type, item.data.flags], [5, 64]);
	const m = await d.sent((x) => x.ephemeral && /model/i.test(x.content));

	assert.equal(m.id, d.interactions.get(token).original.id);
	assert.ok(!d.shown(ROOMS.general).some((x) => /model/i.test(x)));
});

test('a press is acknowledged without a word', async () => {
	const ours = d.messages.get(dm).findLast((m) => m.author.id === BOT);
	const token = d.press(USERS.ada, dm, ours.id, 'nobody-knows-this');
	const { item } = await d.callbacks.find((x) => x.token === token);

	assert.equal(item.type, 6);
});

test('a button that an agent sends comes back as words, a menu and a form with what was chosen', async () => {
	await c.call('message.action', { channel: 'discord', action: 'send', idempotencyKey: randomUUID(), params: { to: `user:${USERS.ada}`, message: 'Soup?',
		presentation: { blocks: [{ type: 'buttons', buttons: [{ label: 'Yes', value: 'm-soup', style: 'primary' }] }] } } });
	const card = await d.sent((m) => m.content === 'Soup?');

	assert.deepEqual(card.components[0].components.map((b) => [b.label, b.style]), [['Yes', 1]]);
	d.press(USERS.ada, dm, card.id, card.components[0].components[0].custom_id);
	await w.reply('m-soup');
	assert.match(w.asked('m-soup').text, /callback_data: m-soup/);
	d.choose(USERS.ada, dm, card.id, 'menu', ['leek', 'm-leek']);
	await w.reply('m-leek');
	assert.match(w.asked('m-leek').text, /leek, m-leek/);
	d.submit(USERS.ada, dm, 'form', { why: 'm-form' });
	await w.reply('m-form');
	assert.match(w.asked('m-form').text, /why: m-form/);
});

test('a long answer is cut at 2000 characters and 17 lines, and fences are closed', async () => {
	w.answer = () => `${'word '.repeat(600)}\n\n\`\`\`js\n${Array.from({ length: 40 }, (_, i) => `line(${i});`).join('\n')}\n\`\`\`\nend m-long`;
	d.say(USERS.ada, dm, 'tell me m-long');
	await d.sent((m) => m.content.includes('end m-long'));
	w.answer = echo;
	const parts = d.shown(dm).slice(d.shown(dm).indexOf('tell me m-long') + 1);

	assert.ok(parts.length >= 4, `${parts.length} parts`);
	for (const part of parts) {
		assert.ok(part.length <= 2000);
		assert.ok(part.split('\n').length <= 19, `${part.split('\n').length} lines`);
		assert.equal((part.match(/```/g) ?? []).length % 2, 0, part);
	}
});

test('nobody is pinged by what a model writes, but by a handle of the configuration', async () => {
	w.answer = () => `@everyone ask @Lead, <@${USERS.eve}> m-ping`;
	d.say(USERS.ada, dm, 'who? m-ping');
	const m = await d.sent((x) => x.content.includes('m-ping'));

	w.answer = echo;
	assert.match(m.content, new RegExp(`ask <@${USERS.bob}>`));
	assert.deepEqual(m.allowed.parse, []);
	assert.deepEqual(m.allowed.users, [USERS.bob]);
});

test('clients send, poll, react, edit, delete and read', async () => {
	const to = `channel:${ROOMS.quiet}`;
	const key = randomUUID();
	const send = (more) => c.call('send', { channel: 'discord', to, message: 'from a client', idempotencyKey: key, ...more });
	const { messageId } = await send();

	assert.equal((await send()).messageId, messageId);
	assert.deepEqual(d.shown(ROOMS.quiet), ['from a client']);
	const act = (action, params) => c.call('message.action', { channel: 'discord', action, params: { to, messageId, ...params }, idempotencyKey: randomUUID() });

	await act('react', { emoji: '👀' });
	assert.equal(d.messages.get(ROOMS.quiet)[0].reactions[0].emoji.name, '👀');
	await act('edit', { message: 'changed' });
	assert.deepEqual(d.shown(ROOMS.quiet), ['changed']);
	const read = await act('read', { limit: 5 });

	assert.match(JSON.stringify(read), /changed/);
	await act('react', { emoji: '', remove: true });
	assert.equal(d.messages.get(ROOMS.quiet)[0].reactions.length, 0);
	await act('delete', {});
	assert.deepEqual(d.shown(ROOMS.quiet), []);
	await c.call('poll', { channel: 'discord', to, question: 'Tea?', options: ['yes', 'no'], idempotencyKey: randomUUID() });
	assert.equal(d.messages.get(ROOMS.quiet)[0].poll.answers.length, 2);
	await c.call('send', { channel: 'discord', to: `user:${USERS.bob}`, message: 'psst', idempotencyKey: randomUUID() });
	assert.deepEqual(d.shown(d.dm(USERS.bob)), ['psst']);
	await c.call('send', { channel: 'discord', to, message: 'a file', buffer: PNG.toString('base64'), filename: 'x.png', contentType: 'image/png',
		idempotencyKey: randomUUID() });
	assert.equal(d.messages.get(ROOMS.quiet).at(-1).attachments[0].filename, 'x.png');
});

test('a message to a forum becomes a post', async () => {
	await c.call('send', { channel: 'discord', to: `channel:${ROOMS.forum}`, message: '# An idea\n\nthe body', idempotencyKey: randomUUID() });
	const post = [...d.channels.values()].find((x) => x.parent_id === ROOMS.forum);

	assert.equal(post.name, 'An idea');
	assert.match(d.shown(post.id)[0], /the body/);
	/* Who answers in it is in a thread of the forum. */
	await w.round(USERS.ada, post.id, `${me} good m-post`);
	assert.ok((await c.call('sessions.list')).sessions.some((s) => s.key.endsWith(`discord:channel:${ROOMS.forum}:thread:${post.id}`)));
});

test('a long message to a forum is one post', async () => {
	const posts = () => [...d.channels.values()].filter((x) => x.parent_id === ROOMS.forum);
	const before = posts().length;

	await c.call('send', { channel: 'discord', to: `channel:${ROOMS.forum}`, message: `Plans\n\n${'many words '.repeat(400)}the end`,
		idempotencyKey: randomUUID() });
	assert.equal(posts().length, before + 1);
	const shown = d.shown(posts().at(-1).id);

	assert.equal(shown.length, 3);
	assert.match(shown[2], /the end$/);
});

test('what Discord refuses is said, and nothing is sent', async () => {
	const refused = (to) => assert.rejects(c.call('send', { channel: 'discord', to, message: 'x', idempotencyKey: randomUUID() }));

	await refused(`channel:${ROOMS.hidden}`);
	await refused('channel:999999999999999999');
	await refused(ROOMS.general);
	await refused('#general');
	d.closedDms = new Set([USERS.eve]);
	await assert.rejects(c.call('send', { channel: 'discord', to: `user:${USERS.eve}`, message: 'x', idempotencyKey: randomUUID() }),
		/50007.*direct messages/);
	d.uploadMax = 1000;
	await assert.rejects(c.call('send', { channel: 'discord', to: `channel:${ROOMS.quiet}`, message: 'x', buffer: Buffer.alloc(2000).toString('base64'),
		filename: 'big.bin', contentType: 'application/octet-stream', idempotencyKey: randomUUID() }), /larger than Discord takes/);
	d.uploadMax = 10 << 20;
});

test('status with a probe says who we are and what is missing', async () => {
	const status = async () => (await c.call('channels.status', { probe: true, timeoutMs: 5000 })).channelAccounts.discord[0];
	const s = await status();

	assert.equal(s.state, 'connected', JSON.stringify(s));
	assert.match(JSON.stringify(s.probe ?? s), /chelabot/);
	d.granted = 0;
	assert.match(JSON.stringify(await status()), /Message Content Intent/);
	d.granted = -1;
});

test('the double refused nothing that a right client would not have sent', () => {
	assert.equal(d.broken, undefined);
	assert.deepEqual(d.requests.items.filter((r) => r.status === 400).map((r) => [r.route, r.body]), []);
});
