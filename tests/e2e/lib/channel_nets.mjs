/* channel_nets.mjs - each network behind one face, for tests that treat them alike; the face is described in chaos.mjs. */
import { TelegramDouble } from '../../doubles/telegram.mjs';
import { SlackDouble } from '../../doubles/slack.mjs';

const CHATS = 4;
const PER_PEER = { session: { dmScope: 'per-account-channel-peer' } };
/* Nothing but the reply, so that what is seen can be counted. */
const QUIET = { streaming: { mode: 'off' }, ackReaction: '' };

export class Telegram {
	static title = 'telegram';
	name = 'telegram';

	static async start() {
		const n = new Telegram();

		n.double = await TelegramDouble.start();
		n.people = Array.from({ length: CHATS }, (_, i) => n.double.user(50000001 + i, `Ada ${i}`));
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

	static async start() {
		const n = new Slack();

		n.double = await SlackDouble.start();
		n.double.setClock();
		n.rooms = Array.from({ length: CHATS }, (_, i) => n.double.room(`C0CHAOS0${i}`, 'channel', ['U0ADA0001', n.double.botUser]));
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

export const NETWORKS = [Telegram, Slack];
