/*
 * crash.test.mjs - kill -9 at a random moment of each of 100 turns. What was acknowledged is in the history
 * once, no reply is doubled, a cut turn is shown as such, the database is whole.
 */
import assert from 'node:assert/strict';
import path from 'node:path';
import { ModelDouble } from '../doubles/model.mjs';
import { textOf } from './lib/client.mjs';
import { gatewayTest } from './lib/gateway.mjs';
import { run } from './lib/proc.mjs';

const TURNS = 100;
const SESSIONS = ['agent:main:crash-a', 'agent:main:crash-b', 'agent:main:crash-c'];

/* mulberry32: small, seeded, good enough to choose moments. */
function random(seed) {
	let a = seed >>> 0;

	return () => {
		a = (a + 0x6d2b79f5) >>> 0;
		let t = Math.imul(a ^ (a >>> 15), a | 1);

		t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
		return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
	};
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const settled = (promise) => promise.then((value) => ({ value }), (error) => ({ error }));

/* The reply to "input 7" is "reply 7", in pieces with moments between them in which a kill can fall. */
async function answer(call) {
	const n = /input (\d+)\s*$/.exec(call.userText)?.[1];

	for (const piece of ['re', 'ply ', n]) {
		if (call.res.destroyed)
			return;
		call.text(piece);
		await pause(2);
	}
	if (!call.res.destroyed)
		call.end();
}

async function allMessages(c, sessionKey) {
	const { messages } = await c.call('chat.history', { sessionKey, limit: 1000 });

	return messages;
}

gatewayTest('100 turns, each killed at a random moment', {
	timeout: 600000,
	gateway: async (t) => {
		t.model = await ModelDouble.start(answer);
		t.after(() => t.model.stop());
		return { config: t.model.config };
	},
}, async (gw) => {
	const seed = Number(process.env.E2E_SEED ?? Date.now() % 1e9);
	const rand = random(seed);
	const turns = [];

	console.log(`# seed ${seed} (E2E_SEED)`);
	for (let n = 0; n < TURNS; n++) {
		const turn = { n, key: SESSIONS[Math.floor(rand() * SESSIONS.length)], runId: `crash-${seed}-${n}`, acked: false, final: false };
		const c = await gw.connect();
		const params = { sessionKey: turn.key, message: `input ${n}`, idempotencyKey: turn.runId };
		/* A third of the kills falls within the first milliseconds, the others anywhere in the turn: half of these counted from its acknowledgement. */
		const kind = n % 3, moment = rand() * (kind ? 40 : 4);
		const ack = settled(c.call('chat.send', params).then(() => { turn.acked = true; }));
		const end = settled(c.runEnd(turn.runId).then((p) => { turn.final = p.state === 'final'; }));

		if (kind === 2)
			await ack;
		await pause(moment);
		await gw.kill();
		await ack;
		await end;
		turns.push(turn);
		await gw.launch();
		if (n % 20 === 19)
			console.log(`# ${n + 1} kills`);
	}

	const acked = turns.filter((t) => t.acked);
	const finals = turns.filter((t) => t.final);

	console.log(`# ${acked.length} acknowledged, ${finals.length} answered before the kill`);
	assert.ok(acked.length > TURNS / 5 && acked.length > finals.length, 'the kills fell into turns');

	const c = await gw.connect();
	const rows = new Map();

	for (const key of SESSIONS)
		rows.set(key, await allMessages(c, key));
	for (const turn of turns) {
		const messages = rows.get(turn.key);
		const at = messages.flatMap((m, i) => m.role === 'user' && textOf(m) === `input ${turn.n}` ? [i] : []);
		const replies = messages.filter((m) => m.role === 'assistant' && textOf(m) === `reply ${turn.n}`);

		if (turn.acked)
			assert.equal(at.length, 1, `acknowledged input ${turn.n} stands ${at.length} times in the history`);
		else
			assert.ok(at.length <= 1, `input ${turn.n} stands ${at.length} times in the history`);
		assert.ok(replies.length <= 1, `reply ${turn.n} stands ${replies.length} times in the history`);
		if (turn.final)
			assert.equal(replies.length, 1, `reply ${turn.n} was delivered and is in the history`);
		if (at.length === 1 && replies.length === 0) {
			const next = messages[at[0] + 1];

			assert.equal(next?.role, 'assistant', `the cut turn ${turn.n} is followed by what became of it`);
			assert.match(textOf(next), /interrupt/i);
		}
	}
	assert.equal([...rows.values()].flat().filter((m) => m.role === 'user').length,
		new Set([...rows.values()].flat().filter((m) => m.role === 'user').map(textOf)).size, 'no input is doubled');

	/* Sending an acknowledged one again changes nothing. */
	for (const turn of acked.slice(-10)) {
		const again = await c.call('chat.send', { sessionKey: turn.key, message: `input ${turn.n}`, idempotencyKey: turn.runId });

		assert.equal(again.runId, turn.runId);
		assert.notEqual(again.status, 'started');
	}
	/* The sessions work on. */
	const end = await c.turn(SESSIONS[0], 'input 1000');

	assert.equal(end.state, 'final', JSON.stringify(end));
	for (const key of SESSIONS) {
		const now = await allMessages(c, key);

		assert.equal(now.length, rows.get(key).length + (key === SESSIONS[0] ? 2 : 0));
	}
	await c.close();
	const check = await run('sqlite3', ['-readonly', path.join(gw.state, 'chela.sqlite'), 'PRAGMA integrity_check; PRAGMA foreign_key_check;']);

	assert.equal(check.code, 0, check.stderr);
	assert.equal(check.stdout, 'ok\n');
});
