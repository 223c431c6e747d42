/*
 * channel-discord-peers.test.mjs - discord.js, which we did not write, against the Discord double: what the double serves is what
 * an independent client understands, and what it refuses comes to that client as Discord's refusals.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { BOT, DiscordDouble, GUILD, ROOMS, USERS } from '../doubles/discord.mjs';
import { require } from './lib/peers.mjs';
import { stopAfter, until, within } from './lib/wait.mjs';

const { ActionRowBuilder, ButtonBuilder, ButtonStyle, ChannelType, Client, Events, GatewayIntentBits, Partials } = require('discord.js');

const INTENTS = [GatewayIntentBits.Guilds, GatewayIntentBits.GuildMessages, GatewayIntentBits.GuildMessageReactions, GatewayIntentBits.DirectMessages,
	GatewayIntentBits.MessageContent];

async function client(t, discord, intents = INTENTS) {
	const c = new Client({ intents, partials: [Partials.Channel, Partials.Message], rest: { api: discord.api.replace(/\/v10$/, ''), retries: 0 } });

	t.after(() => c.destroy());
	return c;
}

async function ready(t, discord, intents) {
	const c = await client(t, discord, intents);
	const up = once(c, Events.ClientReady);

	await within(c.login(discord.token), 'discord.js logs in');
	await within(up, 'discord.js is ready');
	return c;
}

const next = (c, event, what) => within(once(c, event), what).then(([first]) => first);

test('discord.js logs in, receives, sends, reacts and presses through the double', async (t) => {
	const discord = await DiscordDouble.start();

	stopAfter(t, discord);
	const c = await ready(t, discord);

	assert.equal(c.user.id, BOT);
	assert.equal(c.guilds.cache.get(GUILD).name, 'Harbour');
	const heard = next(c, Events.MessageCreate, 'a message');

	discord.say(USERS.ada, ROOMS.general, `<@${BOT}> hello`);
	const m = await heard;

	assert.deepEqual([m.content, m.author.username, m.member.roles.cache.size, m.mentions.has(c.user)], [`<@${BOT}> hello`, 'ada', 2, true]);
	const reply = await m.reply({ content: 'hi', components: [new ActionRowBuilder().addComponents(
		new ButtonBuilder().setCustomId('yes').setLabel('Yes').setStyle(ButtonStyle.Primary))] });

	assert.equal(reply.reference.messageId, m.id);
	assert.equal((await discord.sent((x) => x.content === 'hi')).type, 19);
	await m.react('👀');
	assert.deepEqual(discord.messages.get(ROOMS.general).find((x) => x.id === m.id).reactions.map((r) => [r.emoji.name, r.me]), [['👀', true]]);
	assert.equal((await reply.edit('hi there')).content, 'hi there');
	const pressed = next(c, Events.InteractionCreate, 'a press');

	discord.press(USERS.ada, ROOMS.general, reply.id, 'yes');
	const press = await pressed;

	assert.deepEqual([press.isButton(), press.customId, press.message.id], [true, 'yes', reply.id]);
	await press.deferUpdate();
	await press.followUp({ content: 'pressed', ephemeral: true });
	assert.equal((await discord.sent((x) => x.content === 'pressed')).ephemeral, true);
	await reply.delete();
	assert.deepEqual(discord.shown(ROOMS.general), [`<@${BOT}> hello`]);
});

test('discord.js answers a command, posts to a forum, uploads, polls and opens a DM', async (t) => {
	const discord = await DiscordDouble.start();

	stopAfter(t, discord);
	const c = await ready(t, discord);

	await c.application.commands.set([{ name: 'ask', description: 'Ask', options: [{ type: 3, name: 'args', description: 'What' }] }]);
	assert.deepEqual(discord.commands.map((x) => x.name), ['ask']);
	const asked = next(c, Events.InteractionCreate, 'a command');

	discord.slash(USERS.ada, ROOMS.general, 'ask', { args: 'why' });
	const command = await asked;

	assert.deepEqual([command.commandName, command.options.getString('args')], ['ask', 'why']);
	await command.deferReply();
	await command.editReply('because');
	assert.equal((await discord.sent((x) => x.content === 'because')).room, ROOMS.general);
	const forum = await c.channels.fetch(ROOMS.forum);

	assert.equal(forum.type, ChannelType.GuildForum);
	const post = await forum.threads.create({ name: 'An idea', message: { content: 'the idea' } });

	assert.equal(post.parentId, ROOMS.forum);
	const room = await c.channels.fetch(ROOMS.general);
	const upload = await room.send({ content: 'a file', files: [{ attachment: Buffer.from('bytes'), name: 'a.txt' }] });

	assert.equal(upload.attachments.first().name, 'a.txt');
	assert.equal(await (await fetch(upload.attachments.first().url)).text(), 'bytes');
	await room.send({ poll: { question: { text: 'Tea?' }, answers: [{ text: 'yes' }, { text: 'no' }], duration: 2, allowMultiselect: false } });
	assert.equal((await discord.sent((x) => x.poll)).poll.answers.length, 2);
	const dm = await (await c.users.fetch(USERS.bob)).createDM();

	await dm.sendTyping();
	await dm.send('only for you');
	assert.equal((await discord.sent((x) => x.content === 'only for you')).room, discord.dm(USERS.bob));
});

test('what Discord refuses, the double refuses', async (t) => {
	const discord = await DiscordDouble.start();

	stopAfter(t, discord);
	const c = await ready(t, discord);
	const room = await c.channels.fetch(ROOMS.general);
	const refused = async (promise, status, code, words) => {
		const e = await promise.then(() => assert.fail('it was not refused'), (x) => x);

		assert.deepEqual([e.status, e.code], [status, code], e.stack);
		assert.match(e.message, words);
	};

	await refused(room.send('x'.repeat(2001)), 400, 50035, /Must be 2000 or fewer in length/);
	await refused(room.send(' '), 400, 50006, /empty message/);
	await refused(c.channels.fetch(ROOMS.hidden), 403, 50001, /Missing Access/);
	await refused(c.channels.fetch('999999999999999999'), 404, 10003, /Unknown Channel/);
	await refused(room.messages.fetch('999999999999999999'), 404, 10008, /Unknown Message/);
	await refused(c.rest.post(`/channels/${ROOMS.forum}/messages`, { body: { content: 'x' } }), 400, 50008, /non-text channel/);
	const twice = await Promise.all([1, 2].map(() => c.rest.post(`/channels/${ROOMS.general}/messages`, { body: { content: 'once', nonce: 'n1',
		enforce_nonce: true } })));

	assert.equal(twice[0].id, twice[1].id);
	assert.deepEqual(discord.shown(ROOMS.general), ['once']);
	discord.limits['POST /channels/:id/messages'] = { limit: 1, ms: 300 };
	await room.send('first');
	await room.send('second');
	assert.deepEqual(discord.shown(ROOMS.general).slice(1), ['first', 'second']);
});

test('discord.js is let in and out as Discord would', async (t) => {
	const discord = await DiscordDouble.start();

	stopAfter(t, discord);
	discord.granted = 0;
	await assert.rejects((await client(t, discord)).login(discord.token), /disallowed intents/i);
	discord.granted = GatewayIntentBits.MessageContent;
	const c = await ready(t, discord);
	const resumed = next(c, Events.ShardResume, 'a resume');

	/* A cut connection is resumed, and what was said meanwhile comes. */
	discord.cut();
	const heard = next(c, Events.MessageCreate, 'a missed message');

	discord.say(USERS.ada, ROOMS.general, 'while you were away');
	assert.equal((await heard).content, 'while you were away');
	await resumed;
	const again = next(c, Events.ShardResume, 'a second resume');

	discord.reconnect();
	await again;
	assert.deepEqual(discord.logins.items.map((l) => l.op), ['identify', 'identify', 'resume', 'resume']);
	const fresh = next(c, Events.ShardReady, 'a new session');

	discord.invalidate(false);
	await fresh;
	assert.equal(discord.logins.items.at(-1).op, 'identify');
});

test('without Message Content Intent only DMs and mentions have words', async (t) => {
	const discord = await DiscordDouble.start({ granted: 0 });

	stopAfter(t, discord);
	const c = await ready(t, discord, INTENTS.filter((i) => i !== GatewayIntentBits.MessageContent));
	const words = [];

	c.on(Events.MessageCreate, (m) => words.push(m.content));
	discord.say(USERS.ada, ROOMS.general, 'secret');
	discord.say(USERS.ada, ROOMS.general, `<@${BOT}> open`);
	discord.say(USERS.ada, discord.dm(USERS.ada), 'direct');
	await until(() => words.length === 3, 'three messages');
	assert.deepEqual(words, ['', `<@${BOT}> open`, 'direct']);
});
