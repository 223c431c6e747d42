/* slack.mjs - a gateway with a login on the stand-in for Slack, and a model that answers marks. */
import { ModelDouble } from '../../doubles/model.mjs';
import { SlackDouble } from '../../doubles/slack.mjs';
import { Gateway } from './gateway.mjs';
import { START_MS, stopAfter, stopAll, until } from './wait.mjs';

/*
 * Answers the last mark of what it is told: "!one" gets "re: one"; an event without one (a run that is taken up again) the last
 * mark of the conversation. A rule (mark -> (call) => void) answers otherwise.
 */
export class Marks {
	rules = new Map();
	heard = [];

	static async start() {
		const m = new Marks();

		m.double = await ModelDouble.start((call) => {
			const said = call.body.messages.filter((x) => x.role === 'user').map((x) => JSON.stringify(x.content)).join(' ');
			const mark = [...(call.userText.match(/!([a-z0-9-]+)/g) ?? said.match(/!([a-z0-9-]+)/g) ?? ['!nothing'])].at(-1).slice(1);

			m.heard.push({ mark, text: call.userText, body: call.body });
			const rule = m.rules.get(mark);

			if (rule)
				return rule(call);
			return call.text(`re: ${mark}`).end();
		});
		return m;
	}

	/* What the model was told with a mark. */
	told(mark) {
		return until(() => this.heard.find((h) => h.mark === mark), `the model hears of !${mark}`);
	}

	async stop() {
		await this.double.stop();
	}
}

export const ADA = 'U0ADA0001', BOB = 'U0BOB0001', EVE = 'U0EVE0001', GENERAL = 'C0GENERAL';

/* Keys of a login in which Ada and Bob may speak everywhere. */
export function slackKeys(slack, more = {}) {
	return { apiRoot: slack.apiRoot, botToken: slack.botToken, appToken: slack.appToken, dmPolicy: 'allowlist', allowFrom: [ADA, BOB],
		groupPolicy: 'allowlist', groupAllowFrom: [ADA, BOB], channels: { '*': {} }, ...more };
}

/* {slack, model, gw}; accounts: (slack) => those of the configuration. Ended by the test (or after(), given as {after}). */
export async function slackGateway(t, { keys = {}, config = {}, double = {}, connected = true, options = {}, accounts } = {}) {
	const slack = await SlackDouble.start(double), model = await Marks.start();
	const base = model.double.config;

	base.models.providers.double.models[0].input = ['text', 'image'];
	slack.setClock();
	const gw = await Gateway.start({ ...options, config: { ...base, ...config,
		agents: { defaults: { ...base.agents.defaults, skipBootstrap: true, ...config.agents?.defaults } },
		messages: { inbound: { debounceMs: 0 }, ...config.messages },
		channels: { slack: slackKeys(slack, { ...keys, ...(accounts ? { accounts: accounts(slack) } : {}) }), ...config.channels } } })
		.catch((e) => stopAll(slack, model).finally(() => { throw e; }));

	stopAfter(t, gw, slack, model);
	if (connected)
		await until(() => slack.connections === 1, 'the gateway opens a socket', START_MS);
	return { slack, model, gw };
}
