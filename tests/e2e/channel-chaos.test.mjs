/*
 * channel-chaos.test.mjs - for each network: a conversation of 100 messages in which the gateway is killed at 200 random
 * moments; then one in which connections break, events come five times and sends are answered by 500, 429 and silence. Every
 * message ends in exactly one visible reply or one visible notice.
 */
import assert from 'node:assert/strict';
import { ModelDouble } from '../doubles/model.mjs';
import { account, chaosModel, dump, judge, loggedIn, pause, random, settled } from './lib/chaos.mjs';
import { NETWORKS } from './lib/channel_nets.mjs';
import { gatewayTest } from './lib/gateway.mjs';
import { stopAfter } from './lib/wait.mjs';

const MESSAGES = Number(process.env.CHAOS_MESSAGES ?? 100), KILLS = Number(process.env.CHAOS_KILLS ?? 200), CHATS = 4;
/* IRC takes a line every other second: there as many as fit into a minute, unless CHAOS_SLOW says otherwise. */
const SLOW_MESSAGES = Number(process.env.CHAOS_SLOW ?? 20);
const seed = Number(process.env.E2E_SEED ?? Date.now() % 1e9);

const setUp = (Net) => async (t) => {
	t.model = await ModelDouble.start(chaosModel);
	t.net = await Net.start();
	stopAfter(t, t.net, t.model);
	return { config: { ...t.model.config, ...t.net.config,
		messages: { queue: { mode: 'followup', debounceMs: 0, cap: 1000 }, inbound: { debounceMs: 0 } } } };
};

async function verdict(gw, net, sent) {
	try {
		return judge(net, await account(gw, net, sent));
	} catch (e) {
		await dump(gw);
		throw e;
	}
}

for (const Net of NETWORKS) {
	gatewayTest(`${Net.title}: 100 messages and 200 kills`, { timeout: 900000, gateway: setUp(Net) }, async (gw, t) => {
		const rand = random(seed), net = t.net, sent = [];
		const messages = net.keepsNothing ? SLOW_MESSAGES : MESSAGES;
		let kills = 0, isOver = false;

		console.log(`# seed ${seed} (E2E_SEED)`);
		await loggedIn(gw, net);
		const talk = (async () => {
			for (let n = 0; n < messages; n++) {
				const chat = n % CHATS;

				sent.push({ chat, handle: await net.say(chat, `say m${n}.`) });
				/* As fast as kills go by, so that they fall all over the conversation. */
				while (kills < KILLS * n / messages && !isOver)
					await pause(2);
			}
		})();

		talk.catch(() => undefined);     /* told below */
		try {
			while (kills < KILLS) {
				/* Half of them at start-up, half anywhere in the work of a few messages. */
				await pause(rand() < 0.5 ? rand() * 15 : rand() * 250);
				await gw.kill();
				kills++;
				await gw.launch();
			}
		} finally {
			isOver = true;
		}
		await talk;
		await settled(gw, net, sent);
		const sum = await verdict(gw, net, sent);

		assert.ok(sum.replies > messages / 4, `most were never answered: ${JSON.stringify(sum)}`);
	});

	gatewayTest(`${Net.title}: cuts, redelivery, 500, 429 and silence`, { timeout: 600000, gateway: setUp(Net) }, async (gw, t) => {
		const rand = random(seed + 1), net = t.net, sent = [];
		const kinds = ['500', '429', 'silence-before', 'silence-after', 'cut-before', 'cut-after'];

		await loggedIn(gw, net);
		for (let n = 0; n < (net.keepsNothing ? SLOW_MESSAGES : MESSAGES); n++) {
			const chat = n % CHATS, what = rand();

			if (what < 0.3)
				net.fault(kinds[Math.floor(rand() * kinds.length)]);
			else if (what < 0.35)
				net.cut();
			const handle = await net.say(chat, `say m${n}.`);

			sent.push({ chat, handle });
			if (rand() < 0.2)
				for (let i = 0; i < 5; i++)
					net.redeliver(handle);
			await pause(rand() * 20);
		}
		for (const m of sent.slice(0, 10))
			for (let i = 0; i < 5; i++)
				net.redeliver(m.handle);
		await settled(gw, net, sent);
		await verdict(gw, net, sent);
	});
}
