/* Who is heard: all policies with all kinds of people through each network's real path (lib/access_matrix.mjs). */
import { test } from 'node:test';
import { BOT, DiscordDouble, GUILD, ROOMS, USERS } from '../doubles/discord.mjs';
import { SlackDouble } from '../doubles/slack.mjs';
import { TelegramDouble } from '../doubles/telegram.mjs';
import { AccessMatrix } from './lib/access_matrix.mjs';
import { stopAfter } from './lib/wait.mjs';

async function telegram() {
	const d = await TelegramDouble.start();
	const person = (id, name) => ({ id: String(id), user: d.user(id, name) });
	const room = (id, title) => d.group(id, title);

	return { id: 'telegram', keys: { ...d.config().channels.telegram, streaming: { mode: 'off' } }, listed: person(42, 'Ada'),
		paired: person(43, 'Bo'), stranger: (n) => person(100 + n, `S${n}`), rooms: { gated: room(-1001, 'Gated'), free: room(-1002, 'Free'),
			other: room(-1003, 'Other') }, rules: ({ gated, free }) => ({ '-1001': gated, '-1002': free }), opens: false,
		dm: (p, text) => d.say(p.user, text), say: (p, chat, text, at) => d.say(p.user, at ? `@chela_test_bot ${text}` : text, { chat }),
		stop: () => d.stop() };
}

async function slack() {
	const d = await SlackDouble.start();

	d.setClock();
	const person = (id) => ({ id });
	const everybody = ['U0ADA0001', 'U0BOB0001', ...Array.from({ length: 12 }, (_, n) => `U0STR${String(n).padStart(4, '0')}`)];

	for (const id of everybody)
		if (!d.users.has(id))
			d.users.set(id, { id, name: id.toLowerCase(), real_name: id, profile: { display_name: id, real_name: id } });
	for (const [id, name] of [['C0GATED', 'gated'], ['C0FREE', 'free'], ['C0OTHER', 'other']])
		d.room(id, 'channel', [...everybody, d.botUser], { name });
	return { id: 'slack', keys: { apiRoot: d.apiRoot, botToken: d.botToken, appToken: d.appToken, streaming: { mode: 'off' } }, map: 'channels',
		listed: person('U0ADA0001'), paired: person('U0BOB0001'), stranger: (n) => person(everybody[2 + n]),
		rooms: { gated: 'C0GATED', free: 'C0FREE', other: 'C0OTHER' }, rules: ({ gated, free }) => ({ C0GATED: gated, C0FREE: free }), opens: true,
		dm: (p, text) => d.say(p.id, p.id, text), say: (p, room, text, at) => d.say(p.id, room, at ? `<@${d.botUser}> ${text}` : text),
		stop: () => d.stop() };
}

async function discord() {
	const d = await DiscordDouble.start();
	const other = '1000000000000002099', stranger = (n) => String(1000000000000005000n + BigInt(n));

	d.channels.set(other, { ...d.channels.get(ROOMS.general), id: other, name: 'other' });
	for (let n = 0; n < 12; n++) {
		d.users.set(stranger(n), { ...d.users.get(USERS.eve), id: stranger(n), username: `s${n}` });
		d.members.set(stranger(n), []);
	}
	return { id: 'discord', keys: d.config({ streaming: { mode: 'off' } }), map: 'guilds', listed: { id: USERS.ada }, paired: { id: USERS.bob },
		stranger: (n) => ({ id: stranger(n) }), rooms: { gated: ROOMS.general, free: ROOMS.quiet, other },
		rules: ({ gated, free }) => ({ [GUILD]: { channels: { [ROOMS.general]: gated, [ROOMS.quiet]: free } } }), opens: true,
		dm: (p, text) => d.say(p.id, d.dm(p.id), text), say: (p, room, text, at) => d.say(p.id, room, at ? `<@${BOT}> ${text}` : text),
		stop: () => d.stop() };
}

test('4 DM policies, 3 group policies, gated and open rooms, listed, paired and unknown people', { concurrency: true }, async (t) => {
	await Promise.all([telegram, slack, discord].map((make) => t.test(make.name, async (s) => {
		const net = await make();

		stopAfter(s, net);
		const m = await AccessMatrix.start(net);

		stopAfter(s, m);
		const { pairs, decisions } = await m.run();

		s.diagnostic(`${pairs} pairs of policies, ${decisions} messages`);
	})));
});
