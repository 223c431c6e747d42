/* telegram.mjs - a gateway with a Telegram double and a model that answers each message with its mark ("m-1" -> "re m-1"). */
import { ModelDouble } from '../../doubles/model.mjs';
import { TelegramDouble } from '../../doubles/telegram.mjs';
import { Gateway } from './gateway.mjs';
import { stopAfter, stopAll } from './wait.mjs';

const marks = (text) => text.match(/\bm-[a-z0-9]+\b/g) ?? [];

/* The last mark in what the user wrote is what a reply is known by. */
export const echo = (text) => marks(text).length ? `re ${marks(text).at(-1)}` : 'no mark';

/* All marks of the conversation that no answer has named yet: for turns that take several messages, and for those that a kill cut. */
export function echoAll(text, call) {
	const said = (role) => call.body.messages.filter((m) => m.role === role).map((m) => JSON.stringify(m.content)).join(' ');
	const answered = new Set(marks(said('assistant')));
	const open = [...new Set(marks(said('user')))].filter((m) => !answered.has(m));

	return open.length ? `re ${open.join(' ')}` : 'nothing new';
}

export class TelegramWorld {
	heard = [];                      /* what the model was asked, whole */
	answer = echo;

	static async start(t, { telegram = {}, double, gateway = {}, config = {} } = {}) {
		const w = new TelegramWorld();

		w.double = await TelegramDouble.start(double);
		w.model = await ModelDouble.start(async (call) => {
			w.heard.push({ text: call.userText, messages: call.body.messages });
			const said = await w.answer(call.userText, call);

			if (said !== undefined)  /* else it has answered by itself */
				call.text(said).end();
		});
		const base = w.model.config;

		w.gw = await Gateway.start({ ...gateway, config: { ...base, ...config,
			agents: { ...config.agents, defaults: { ...base.agents.defaults, skipBootstrap: true, ...config.agents?.defaults } },
			...w.double.config({ dmPolicy: 'open', allowFrom: ['*'], ...telegram }) } })
			.catch((e) => w.stop().finally(() => { throw e; }));
		if (t)
			stopAfter(t, w);
		return w;
	}

	stop() {
		return stopAll(this.gw, this.double, this.model);
	}

	/* Says something with a mark and waits for the reply to it. */
	async round(from, what, options = {}) {
		const text = what.text ?? what.caption ?? what;

		this.double.say(from, what, options);
		return this.double.reply(options.chat ?? from, (m) => /^re /.test(m.text ?? '') && marks(m.text).includes(marks(text).at(-1)));
	}
}
