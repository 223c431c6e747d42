/*
 * chaos.mjs - a conversation on a network that is cut, killed, repeated and refused, and the account of it afterwards.
 *
 * A network is given as an object (lib/channel_nets.mjs):
 *
 *	name                     "telegram"
 *	config                   its part of the configuration: the person is allowed, nothing is edited or shown before the reply
 *	say(chat, text)          a person says something in chat number `chat`; gives the event's handle
 *	redeliver(handle)        the platform brings that event again
 *	shown(chat)              texts of ours that a person sees there, in order
 *	fault(kind)              what becomes of the next send of ours: '500', '429', 'silence-before', 'silence-after', 'cut-before',
 *	                         'cut-after'; false: this platform has no such thing
 *	cut()                    breaks all connections to us
 *	keepsNothing             what is said while we are away is gone, and nothing is brought twice (IRC)
 *
 * Message n reads "say m<n>." and is answered "reply m<n>." by the model. What a person or the operator is told instead counts as its
 * notice when it names m<n>, or when it stands in the chat between replies.
 */
import assert from 'node:assert/strict';
import path from 'node:path';
import { textOf } from './client.mjs';
import { run } from './proc.mjs';
import { until } from './wait.mjs';

/* mulberry32: small, seeded, good enough to choose moments. */
export function random(seed) {
	let a = seed >>> 0;

	return () => {
		a = (a + 0x6d2b79f5) >>> 0;
		let t = Math.imul(a ^ (a >>> 15), a | 1);

		t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
		return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
	};
}

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/* The number that the turn is for: the last one a person said. Answers in pieces, so that a kill can fall between them. */
export async function chaosModel(call) {
	const said = call.body.messages.filter((m) => m.role === 'user').map((m) => textOf(m) ?? '').join('\n');
	const numbers = [...said.matchAll(/say m(\d+)\./g)].map((m) => m[1]);

	for (const piece of ['reply', ` m${numbers.at(-1) ?? '?'}`, '.']) {
		if (call.res.destroyed)
			return;
		call.text(piece);
		await pause(2);
	}
	if (!call.res.destroyed)
		call.end();
}

/* The account has logged in: from now on the platform keeps what is said while we are away (those that do). */
export async function loggedIn(gw, net) {
	const c = await gw.connect();

	await until(async () => (await c.call('channels.status', {})).channelAccounts[net.name]?.[0]?.state === 'connected',
		`${net.name} connected`);
	await c.close();
}

/* Everything that the database knows, for a person who looks for what went wrong. */
export async function dump(gw) {
	const sql = ['SELECT id, lane, kind, state, run_id, reason, attempts, received_at, ended_at, payload FROM channel_inbox',
		'SELECT id, key, lane, state, origin, run_id, part, parts, attempts, error, message FROM channel_outbox',
		'SELECT run_id, session_key, state, error, accepted_at, started_at, ended_at FROM inputs'];

	for (const q of sql)
		console.log((await run('sqlite3', ['-header', path.join(gw.state, 'chela.sqlite'), q])).stdout);
}

/* What the operator is told: what is kept as dead in both directions. */
async function deadLetters(gw) {
	const sql = `SELECT state, message AS text FROM channel_outbox WHERE state IN ('failed', 'unsure')
		UNION ALL SELECT state, payload FROM channel_inbox WHERE state = 'dead'`;
	const r = await run('sqlite3', ['-json', path.join(gw.state, 'chela.sqlite'), sql]);

	assert.equal(r.code, 0, r.stderr);
	return r.stdout.trim() ? JSON.parse(r.stdout) : [];
}

const numberIn = (text) => /\bm(\d+)\b/.exec(text)?.[1];

/* By message: how many replies are seen, how many notices, and what the operator knows. */
export async function account(gw, net, sent) {
	const seen = sent.map(() => ({ replies: 0, notices: 0, unsure: 0, failed: 0 }));
	const lost = [];

	for (const chat of new Set(sent.map((m) => m.chat)))
		for (const text of net.shown(chat)) {
			const n = numberIn(text);

			/* Two turns that a kill cut may be taken up as one, which answers both in one text. */
			if (/^(reply m\d+\.\s*)+$/.test(text))
				for (const [, answered] of text.matchAll(/m(\d+)/g))
					seen[answered].replies++;
			else if (n !== undefined)
				for (const [, named] of text.matchAll(/\bm(\d+)\b/g))
					seen[named].notices++;
			else
				lost.push(text);
		}
	for (const letter of await deadLetters(gw)) {
		/* Its text and its parts say the same. */
		const named = new Set([...(letter.text ?? '').matchAll(/\bm(\d+)\b/g)].map((m) => m[1]));

		for (const n of named)
			seen[n][letter.state === 'unsure' ? 'unsure' : 'failed']++;
	}
	const rows = await run('sqlite3', [path.join(gw.state, 'chela.sqlite'), "SELECT count(*) FROM channel_inbox WHERE kind = 'message'"]);

	return { seen, lost, taken: Number(rows.stdout) };
}

/* One visible reply or one visible notice for each; a reply that may have been lost is the operator's to judge. */
export function judge(net, { seen, lost, taken }) {
	const sum = { replies: 0, notices: 0, 'told to the operator': 0, 'arrived though unsure': 0 };

	seen.forEach((m, n) => {
		const what = `${net.name} m${n}: ${JSON.stringify(m)}`;

		assert.ok(m.replies <= 1, `answered twice: ${what}`);
		assert.ok(m.notices <= 1, `told twice: ${what}`);
		assert.ok(!(m.replies && m.notices), `answered and said to be lost: ${what}`);
		if (!net.keepsNothing)
			assert.ok(m.replies + m.notices + m.unsure + m.failed >= 1, `nothing came of it: ${what}`);
		sum.replies += m.replies;
		sum.notices += m.notices;
		if (!m.replies && !m.notices)
			sum['told to the operator']++;
		if (m.replies && m.unsure)
			sum['arrived though unsure']++;
	});
	const silent = seen.filter((m) => m.replies + m.notices + m.unsure + m.failed === 0).length;

	/* Gone before we had them: there are as many fewer rows of what came in. */
	assert.equal(taken, seen.length - silent, `${net.name}: ${taken} were taken, ${seen.length - silent} ended`);
	if (silent)
		sum['lost on their way to us'] = silent;
	console.log(`# ${net.name}: ${seen.length} messages: ${Object.entries(sum).map(([k, v]) => `${v} ${k}`).join(', ')}` +
		`${lost.length ? `; ${lost.length} other texts` : ''}`);
	return sum;
}

/* Everything has come to an end: nothing waits in either direction. */
export async function settled(gw, net, sent, ms = Number(process.env.CHAOS_SETTLE_MS ?? 90000)) {
	await until(async () => {
		const { seen, taken } = await account(gw, net, sent);

		return seen.filter((m) => m.replies + m.notices + m.unsure + m.failed >= 1).length >= (net.keepsNothing ? taken : sent.length);
	}, `${net.name}: all messages answered or told of`, ms).catch(() => undefined);     /* judge() says which are not */
}
