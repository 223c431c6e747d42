/* channel_nets.mjs - each network behind one face, for tests that treat them alike; the face is described in chaos.mjs. */
import { writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { BOT, DiscordDouble, GUILD, ROOMS, USERS, snowflake } from '../../doubles/discord.mjs';
import { SlackDouble } from '../../doubles/slack.mjs';
import { TelegramDouble } from '../../doubles/telegram.mjs';
import { Proc, freePort, removeDir, tempDir } from './proc.mjs';
import { Log, until } from './wait.mjs';

const CHATS = 4;
const PER_PEER = { session: { dmScope: 'per-account-channel-peer' } };
/* Nothing but the reply, so that what is seen can be counted. */
const QUIET = { streaming: { mode: 'off' }, ackReaction: '' };

export class Telegram {
	static title = 'telegram';
	name = 'telegram';

	static async start({ chats = CHATS } = {}) {
		const n = new Telegram();

		n.double = await TelegramDouble.start();
		n.people = Array.from({ length: chats }, (_, i) => n.double.user(50000001 + i, `Ada ${i}`));
		n.patience = setInterval(() => n.double.release(), 2000);        /* silence is broken off after a while */
		return n;
	}

	get config() {
		return { ...PER_PEER, ...this.double.config({ ...QUIET, dmPolicy: 'allowlist', allowFrom: this.people.map((p) => p.id) }) };
	}

	say(chat, text) {
		return this.double.say(this.people[chat], text);
	}

	redeliver(message) {
		const at = this.double.delivered.findIndex((u) => u.message === message);

		if (at < 0)
			return;                  /* not taken yet: it comes anyway */
		this.double.delivered.push(...this.double.delivered.splice(at, 1));
		this.double.redeliver(1);
	}

	shown(chat) {
		return this.double.texts(this.people[chat].id);
	}

	fault(kind) {
		const kinds = { 500: '500', 429: '429', 'silence-before': 'hold', 'silence-after': 'hold-after', 'cut-before': 'cut',
			'cut-after': 'cut-after' };

		this.double.fail('sendMessage', kinds[kind]);
	}

	cut() {
		this.double.cutConnections();
	}

	async stop() {
		clearInterval(this.patience);
		await this.double.stop();
	}
}

export class Slack {
	static title = 'slack';
	name = 'slack';

	static async start({ chats = CHATS } = {}) {
		const n = new Slack();

		n.double = await SlackDouble.start();
		n.double.setClock();
		n.rooms = Array.from({ length: chats }, (_, i) => n.double.room(`C0CHAOS${String(i).padStart(2, '0')}`, 'channel', ['U0ADA0001', n.double.botUser]));
		n.patience = setInterval(() => n.double.breakSilence(), 2000);
		return n;
	}

	get config() {
		return { ...PER_PEER, channels: { slack: { ...QUIET, botToken: this.double.botToken, appToken: this.double.appToken,
			apiRoot: this.double.apiRoot, allowFrom: ['U0ADA0001'], groupPolicy: 'allowlist',
			channels: { '*': { requireMention: false, users: ['U0ADA0001'] } } } } };
	}

	say(chat, text) {
		return this.double.say('U0ADA0001', this.rooms[chat].id, text);
	}

	redeliver(message) {
		const room = this.rooms.find((r) => r.messages.includes(message));

		this.double.event({ ...message, channel: room.id, event_ts: message.ts, channel_type: room.kind });
	}

	shown(chat) {
		return this.rooms[chat].messages.filter((m) => m.user === this.double.botUser).map((m) => m.text);
	}

	fault(kind) {
		const kinds = { 500: { status: 500 }, 429: { retryAfter: 1 }, 'silence-before': { silent: 'before' }, 'silence-after': { silent: 'after' },
			'cut-before': { cut: 'before' }, 'cut-after': { cut: 'after' } };

		this.double.fault('chat.postMessage', kinds[kind]);
	}

	cut() {
		this.double.cutSockets();
	}

	async stop() {
		clearInterval(this.patience);
		await this.double.stop();
	}
}

export class Discord {
	static title = 'discord';
	name = 'discord';

	static async start({ chats = CHATS } = {}) {
		const n = new Discord();

		n.double = await DiscordDouble.start();
		n.rooms = [n.double.dm(USERS.ada), ROOMS.general, ROOMS.quiet, ROOMS.thread];
		for (let i = n.rooms.length; i < chats; i++) {
			const id = snowflake();

			n.double.channels.set(id, { ...n.double.channels.get(ROOMS.general), id, name: `room-${i}` });
			n.rooms.push(id);
		}
		n.patience = setInterval(() => n.double.breakSilence(), 2000);
		return n;
	}

	get config() {
		return { ...PER_PEER, channels: { discord: { ...QUIET, ...this.double.config(), allowFrom: [USERS.ada],
			guilds: { [GUILD]: { requireMention: false, users: [USERS.ada] } } } } };
	}

	say(chat, text) {
		return this.double.say(USERS.ada, this.rooms[chat], text);
	}

	redeliver(message) {
		const same = (e) => e.t === 'MESSAGE_CREATE' && e.d.id === message.id;

		if ([...this.double.sessions.values()].every((s) => s.socket?.readyState === 1 && s.events.some(same)))
			this.double.redeliver(1, same);
	}

	shown(chat) {
		return (this.double.messages.get(this.rooms[chat]) ?? []).filter((m) => m.author.id === BOT).map((m) => m.content);
	}

	fault(kind) {
		const kinds = { 500: 500, 429: 'limit', 'silence-before': 'silent-before', 'silence-after': 'silent-after' };

		this.double.fault('POST /channels/:id/messages', kinds[kind] ?? kind);
	}

	cut() {
		this.double.cut();
	}

	async stop() {
		clearInterval(this.patience);
		await this.double.stop();
	}
}

/* A person with a client, in a room of their own with the bot. */
class IrcPerson {
	lines = new Log();

	static async join(port, nick, room) {
		const p = new IrcPerson();
		let rest = '';

		p.room = room;
		p.socket = net.connect(port, '127.0.0.1').setEncoding('utf8');
		p.socket.on('error', () => {});
		p.socket.on('data', (text) => {
			const lines = (rest + text).split('\r\n');

			rest = lines.pop();
			for (const line of lines) {
				if (line.startsWith('PING'))
					p.socket.write(`PONG${line.slice(4)}\r\n`);
				p.lines.push(line);
			}
		});
		p.socket.write(`NICK ${nick}\r\nUSER ${nick} 0 * :${nick}\r\nJOIN ${room}\r\n`);
		await p.lines.find((l) => / 366 /.test(l), { what: `${nick} in ${room}` });
		return p;
	}

	/* Is the bot in the room, as far as this person has seen? */
	get isMet() {
		const seen = this.lines.items.filter((l) => /^:chela\S* (JOIN|PART|QUIT|KICK)|^:\S+ 353 /.test(l)).at(-1) ?? '';

		return / JOIN /.test(seen) || / 353 .*\bchela\b/.test(seen);
	}
}

/* ngircd, and in front of it a way for the gateway that can be cut. IRC brings nothing twice and keeps nothing for who is away. */
export class Irc {
	static title = 'irc';
	name = 'irc';
	keepsNothing = true;
	#sockets = new Set();

	static async start({ chats = CHATS } = {}) {
		const n = new Irc();

		n.dir = tempDir('irc');
		n.port = await freePort();
		writeFileSync(path.join(n.dir, 'ngircd.conf'), `[Global]\nName = irc.test.local\nInfo = test\nListen = 127.0.0.1\nPorts = ${n.port}\n` +
			'[Limits]\nMaxConnectionsIP = 0\nMaxJoins = 20\nMaxPenaltyTime = 0\nPingTimeout = 60\n[Options]\nPAM = no\nDNS = no\nIdent = no\n');
		n.daemon = new Proc('ngircd', ['-n', '-f', path.join(n.dir, 'ngircd.conf')], { env: { PATH: process.env.PATH } });
		await until(() => new Promise((resolve) => {
			const s = net.connect(n.port, '127.0.0.1', () => resolve(!!s.destroy())).on('error', () => resolve(false));
		}), 'ngircd listens');
		n.way = net.createServer((inner) => n.#join(inner));
		await new Promise((resolve) => n.way.listen(0, '127.0.0.1', resolve));
		n.people = [];
		for (let i = 0; i < chats; i++)
			n.people.push(await IrcPerson.join(n.port, `ada${i}`, `#room${i}`));
		return n;
	}

	#join(inner) {
		const outer = net.connect(this.port, '127.0.0.1');

		for (const [a, b] of [[inner, outer], [outer, inner]]) {
			this.#sockets.add(a);
			a.on('error', () => {});
			a.on('close', () => {
				this.#sockets.delete(a);
				b.destroy();
			});
			a.pipe(b);
		}
	}

	get config() {
		const room = { requireMention: false, allowFrom: ['*'] };

		return { ...PER_PEER, channels: { irc: { ...QUIET, host: '127.0.0.1', port: this.way.address().port, tls: false, nick: 'chela',
			groups: Object.fromEntries(this.people.map((p) => [p.room, room])) } } };
	}

	/* Said when the bot is there, as a person would. */
	async say(chat, text) {
		const p = this.people[chat];

		await until(() => p.isMet, `the bot in ${p.room}`, 60000);
		p.socket.write(`PRIVMSG ${p.room} :${text}\r\n`);
	}

	redeliver() {
	}

	shown(chat) {
		return this.people[chat].lines.items.map((l) => /^:chela\S* PRIVMSG \S+ :(.*)$/.exec(l)?.[1]).filter((l) => l !== undefined);
	}

	fault() {
		return false;
	}

	cut() {
		for (const s of this.#sockets)
			s.destroy();
	}

	async stop() {
		for (const p of this.people)
			p.socket.destroy();
		this.cut();
		this.way.close();
		await this.daemon.stop('SIGTERM');
		removeDir(this.dir);
	}
}

export const NETWORKS = [Telegram, Slack, Discord, Irc];
