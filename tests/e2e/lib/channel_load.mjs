/*
 * channel_load.mjs - many messages of many conversations on all networks at once: none lost, order kept, memory flat.
 *
 * Message n of conversation c reads "c<c> #<n>."; the model answers with the numbers that it was given since it answered last, so a
 * turn that takes several messages names them all.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { ModelDouble } from '../../doubles/model.mjs';
import { loggedIn, pause } from './chaos.mjs';
import { Discord, Irc, Slack, Telegram } from './channel_nets.mjs';
import { textOf } from './client.mjs';
import { Gateway } from './gateway.mjs';
import { stopAll, until } from './wait.mjs';

/* Numbers said since the last answer. */
function numbersOf(call) {
	const { messages } = call.body;
	const from = messages.findLastIndex((m) => m.role === 'assistant') + 1;
	const said = messages.slice(from).filter((m) => m.role === 'user').map((m) => textOf(m) ?? '').join('\n');

	return [...said.matchAll(/#(\d+)\./g)].map((m) => m[1]);
}

const model = () => ModelDouble.start((call) => call.text(`got ${numbersOf(call).join(' ')}`).end());

/* Processor time in ms and resident KiB of a process. */
function usage(pid) {
	const stat = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
	const status = readFileSync(`/proc/${pid}/status`, 'utf8');
	const kib = (name) => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)[1]);

	return { cpu: (Number(stat[11]) + Number(stat[12])) * 10, rss: kib('VmRSS'), peak: kib('VmHWM') };
}

/* What is resident once the turns are over: the least within quietMs, in which the gateway gives back what it needs no more. */
async function quietRss(pid, quietMs) {
	let least = Infinity;

	for (const until = Date.now() + quietMs; Date.now() < until;) {
		least = Math.min(least, usage(pid).rss);
		await pause(200);
	}
	return least;
}

/* Texts of a conversation -> the numbers they name, in the order they came. */
const answered = (texts) => texts.flatMap((t) => [...t.matchAll(/\b\d+\b/g)].map((m) => Number(m[0])));

/*
 * shares: conversations per network; each gets `each` messages ({irc: 10} for those that are slow). Gives figures:
 * {messages, conversations, seconds, perSecond, cpuMs, rssStart, rssHalf, rssEnd, rssPeak}.
 */
export async function channelLoad({ shares, each, slow = {}, waveMs = 0, ms = 600000, quietMs = 3000 }) {
	const m = await model();
	const nets = [];

	for (const [Net, chats] of [[Telegram, shares.telegram], [Slack, shares.slack], [Discord, shares.discord], [Irc, shares.irc]])
		nets.push({ net: await Net.start({ chats }), chats, each: slow[Net.title] ?? each, left: 0 });
	const channels = Object.assign({}, ...nets.map((n) => n.net.config.channels));
	const gw = await Gateway.start({ config: { ...m.config, session: { dmScope: 'per-account-channel-peer' }, channels,
		messages: { queue: { mode: 'collect', debounceMs: 0, cap: 1000 } } } });

	const stop = () => stopAll(gw, ...nets.map(({ net }) => net), m);
	let figures;

	try {
		for (const { net } of nets)
			await loggedIn(gw, net);
		figures = await run(gw, nets, { waveMs, ms, quietMs });
	} catch (e) {
		await stop().catch((ending) => console.error(String(ending)));
		throw e;
	}
	await stop();
	return figures;
}

/* Numbers from..to of each conversation are said; until all are answered. */
async function say(nets, from, to, { waveMs, ms }) {
	const last = (n) => Math.floor(n.each * to), first = (n) => Math.floor(n.each * from);

	for (let i = 0; i < Math.max(...nets.map((n) => last(n) - first(n))); i++) {
		for (const n of nets)
			for (let c = 0; c < n.chats && first(n) + i < last(n); c++)
				await n.net.say(c, `c${c} #${first(n) + i}.`);
		await pause(waveMs);
	}
	const missing = () => nets.reduce((sum, n) => sum + Array.from({ length: n.chats }, (_, c) =>
		last(n) - new Set(answered(n.net.shown(c))).size).reduce((a, b) => a + b, 0), 0);

	await until(() => missing() === 0, 'every message answered', ms).catch((e) => {
		throw new Error(`${missing()} messages were not answered: ${e.message}`);
	});
}

async function run(gw, nets, how) {
	const pid = gw.proc.child.pid, before = usage(pid), halves = [];
	const total = nets.reduce((n, x) => n + x.chats * x.each, 0);
	let seconds = 0;

	for (const [from, to] of [[0, 0.5], [0.5, 1]]) {
		const began = Date.now();

		await say(nets, from, to, how);
		seconds += (Date.now() - began) / 1000;
		halves.push({ ...usage(pid), rss: await quietRss(pid, how.quietMs) });
	}
	for (const { net, chats, each } of nets)
		for (let c = 0; c < chats; c++)
			assert.deepEqual(answered(net.shown(c)), Array.from({ length: each }, (_, i) => i), `${net.name} ${c}: once each, in order`);
	return { messages: total, conversations: nets.reduce((n, x) => n + x.chats, 0), seconds, perSecond: total / seconds,
		cpuMs: (halves[1].cpu - before.cpu) / total, rssStart: before.rss, rssHalf: halves[0].rss, rssEnd: halves[1].rss,
		rssPeak: halves[1].peak };
}
