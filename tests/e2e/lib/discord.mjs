/* discord.mjs - a gateway with a Discord double and a model that answers each message with its mark ("m-1" -> "re m-1"). */
import { DiscordDouble, GUILD, USERS } from '../../doubles/discord.mjs';
import { ModelDouble } from '../../doubles/model.mjs';
import { Gateway } from './gateway.mjs';
import { stopAfter, stopAll } from './wait.mjs';

const marks = (text) => text.match(/\bm-[a-z0-9]+\b/g) ?? [];

/* The last mark in what the user wrote is what a reply is known by. */
export const echo = (text) => (marks(text).length ? `re ${marks(text).at(-1)}` : 'no mark');

/* A reply to each mark of the conversation that no answer has named yet: for turns that take several messages, and for those that a kill cut. */
export function echoOpen(text, call) {
	const said = (role) => marks(call.body.messages.filter((m) => m.role === role).map((m) => JSON.stringify(m.content)).join(' '));
	const answered = said('assistant'), open = [...new Set(said('user'))].filter((m) => !answered.includes(m));

	return open.map((m) => `re ${m}`).join('\n') || 'nothing new';
}

export class DiscordWorld {
	heard = [];                      /* what the model was asked, whole */
	answer = echo;

	/* discord: keys of channels.discord; double: options of the double. */
	static async start(t, { discord = {}, double = {}, config = {}, gateway = {} } = {}) {
		const w = new DiscordWorld();

		w.double = await DiscordDouble.start(double);
		w.model = await ModelDouble.start(async (call) => {
			w.heard.push({ text: call.userText, messages: call.body.messages });
			call.text(await w.answer(call.userText, call)).end();
		});
		const base = w.model.config;

		w.gw = await Gateway.start({ ...gateway, config: { ...base, messages: { inbound: { debounceMs: 0 } }, ...config,
			agents: { ...config.agents, defaults: { ...base.agents.defaults, skipBootstrap: true, ...config.agents?.defaults } },
			channels: { discord: w.double.config({ dmPolicy: 'open', allowFrom: ['*'], guilds: { [GUILD]: { users: [USERS.ada] } }, ...discord }) } } })
			.catch((e) => w.stop().finally(() => { throw e; }));
		if (t)
			stopAfter(t, w);
		return w;
	}

	stop() {
		return stopAll(this.gw, this.double, this.model);
	}

	/* Until the bot has logged in. */
	async up() {
		await this.double.logins.find(() => true, { what: 'a login' });
		return this;
	}

	reply(mark, options) {
		return this.double.sent((m) => m.content.includes(`re ${mark}`), options);
	}

	/* Says something with a mark and waits for the reply to it. */
	async round(user, room, text, extra) {
		this.double.say(user, room, text, extra);
		return this.reply(marks(text).at(-1));
	}

	/* The whole of what the model was asked in the turn with this mark. */
	asked(mark) {
		const found = this.heard.findLast((h) => h.text.includes(mark));

		if (!found)
			throw new Error(`the model never heard ${mark}`);
		return found;
	}

	/* How often the rooms show a reply to each of these marks. */
	counts(room, list) {
		return list.map((mark) => this.double.shown(room).filter((x) => x === `re ${mark}`).length);
	}

	async account() {
		const c = await this.gw.connect();
		const s = await c.call('channels.status');

		await c.close();
		return s.channelAccounts.discord[0];
	}
}
