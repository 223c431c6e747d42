/*
 * compact.test.mjs - a conversation outgrows the model's window, against the npm model mock: by itself, by method,
 * by command, after a restart; and that all of it can still be found.
 */
import assert from 'node:assert/strict';
import { Aimock } from './lib/aimock.mjs';
import { textOf } from './lib/client.mjs';
import { gatewayTest } from './lib/gateway.mjs';
import { problems } from './lib/schema.mjs';

const REF = 'mockai/gpt-mock';
const KEY = 'agent:main:long';
const RECORD = ['## Where things stand', 'A server is being set up.', '## Decisions and rules', '-', '## Open asks', 'none',
	'## Exact identifiers', '-', '## Next steps', '-'].join('\n');
const FIXTURES = [
	{ match: { userMessage: 'Write the new record' }, response: { content: RECORD } },
	{ match: {}, response: { content: 'Understood.' } },
];
const filler = 'and more of the same, '.repeat(400);

const longTest = (name, body, { fixtures = FIXTURES, contextWindow = 12000 } = {}) => gatewayTest(name, {
	timeout: 90000,
	gateway: async (t) => {
		t.provider = await Aimock.start(fixtures);
		t.after(() => t.provider.stop());
		const config = t.provider.config(REF);

		config.models.providers.mockai.models[0].contextWindow = contextWindow;
		return { config };
	},
}, async (gw, t) => {
	const c = await gw.connect();

	await c.call('sessions.subscribe');
	await c.call('sessions.messages.subscribe', { key: KEY });
	await body({ gw, c, mock: t.provider, t });
	if (!c.close_)
		await c.close();
});

const asked = async (mock) => (await mock.journal()).map((r) => JSON.stringify(r.body?.messages ?? r));
const history = async (c) => (await c.call('chat.history', { sessionKey: KEY })).messages;

longTest('what does not fit is summarised, nothing is lost, and a restart changes nothing', async ({ gw, c, mock }) => {
	await c.turn(KEY, `The launch code is ORION-7-4411. ${filler}`);
	await c.turn(KEY, `second ${filler}`);
	for (let i = 0; i < 3; i++)
		assert.equal((await c.turn(KEY, `more ${i} ${filler}`)).state, 'final');
	const compaction = c.events('agent').filter((f) => f.payload.stream === 'compaction').map((f) => f.payload.data);

	assert.ok(compaction.length >= 2, 'a summary was made');
	assert.equal(compaction[0].phase, 'start');
	assert.deepEqual({ ...compaction[1], itemId: undefined },
		{ phase: 'end', itemId: undefined, completed: true, willRetry: false, outcome: 'completed' });
	await c.event('sessions.changed', (p) => p.reason === 'compact' && p.sessionKey === KEY);
	const last = (await asked(mock)).at(-1);

	assert.match(last, /What was said before this point/);
	assert.match(last, /ORION-7-4411/, 'the identifier is in what the model is given');
	assert.doesNotMatch(last, /The launch code is/, 'though the message is not');
	const shown = await history(c);
	const divider = shown.find((m) => m.__openclaw.kind === 'compaction');

	assert.ok(shown.some((m) => textOf(m).startsWith('The launch code is')), 'the transcript has it');
	assert.equal(divider.role, 'system');
	assert.ok(divider.__openclaw.tokensBefore > divider.__openclaw.tokensAfter);
	assert.equal(divider.__openclaw.itemId, compaction[0].itemId);
	assert.match(textOf((await c.turn(KEY, '/status')).message), /Compactions: [1-9]/);
	const found = await c.call('sessions.search', { query: '"launch code"' });

	assert.deepEqual(problems('SessionsSearchResult', found), []);
	assert.equal(found.results[0].sessionKey, KEY);
	assert.match(found.results[0].snippet, /ORION-7-4411/);
	const scoped = await c.call('sessions.search', { query: 'launch', limit: 25, scope: { includeGlobal: false,
		includeUnknown: false, configuredAgentsOnly: true, excludeSubagents: true, excludeCron: true, excludeSystem: true } });

	assert.equal(scoped.sessions.length, 1, 'the rows of the sessions that were found');
	assert.equal(scoped.sessions[0].key, KEY);
	assert.deepEqual((await c.call('sessions.search', { query: 'launch', scope: { label: 'no such' } })).results, []);
	assert.deepEqual((await c.call('sessions.search', { query: 'launch', sessionKeys: ['agent:main:other'] })).results, []);
	assert.match((await c.fails('sessions.search', { query: '  ' })).message, /empty/);
	assert.match((await c.fails('sessions.search', { query: 'x', scope: {}, agentId: 'main' })).message, /scope/);
	assert.match((await c.fails('sessions.search', { query: 'x', limit: 26 })).message, /limit/);
	const said = await gw.cli(['sessions', 'search', 'launch', 'code']);

	assert.equal(said.code, 0, said.stderr);
	assert.match(said.stdout, /agent:main:long {2}user, .*\n {2}.*ORION-7-4411/);
	await c.close();
	await gw.restart();
	const again = await gw.connect();

	assert.equal((await again.turn(KEY, 'still there?')).state, 'final');
	assert.match((await asked(mock)).at(-1), /What was said before this point/);
	await again.close();
});

longTest('sessions.compact: refuses while a run is active, answers what it did', async ({ c, mock }) => {
	const nothing = await c.call('sessions.compact', { key: KEY });

	assert.deepEqual(nothing, { ok: true, key: KEY, compacted: false, reason: 'no sessionId' });
	await c.turn(KEY, `one ${filler}`);
	assert.deepEqual(await c.call('sessions.compact', { key: KEY }),
		{ ok: false, key: KEY, compacted: false, reason: 'Nothing to compact (session too small)' });
	assert.equal(c.events('session.operation').length, 0);
	await c.turn(KEY, 'two');
	const done = await c.call('sessions.compact', { key: KEY });

	assert.equal(done.ok, true);
	assert.equal(done.compacted, true);
	assert.match(done.result.summary, /## Where things stand/);
	assert.ok(done.result.tokensBefore > done.result.tokensAfter);
	const ops = c.events('session.operation').map((f) => f.payload);

	assert.deepEqual(ops.map((p) => [p.phase, p.completed]), [['start', undefined], ['end', true]]);
	for (const p of ops)
		assert.deepEqual(problems('SessionOperationEvent', p), []);
	assert.deepEqual(await c.call('sessions.compact', { key: KEY }),
		{ ok: false, key: KEY, compacted: false, reason: 'Already compacted' });
	assert.match((await c.fails('sessions.compact', { key: KEY, maxLines: 0 })).message, /maxLines/);
	assert.deepEqual(await c.call('sessions.compact', { key: KEY, maxLines: 50 }), { ok: true, key: KEY, compacted: false, kept: 2 });
	await c.turn(KEY, 'three');
	assert.deepEqual(await c.call('sessions.compact', { key: KEY, maxLines: 2 }), { ok: true, key: KEY, compacted: true, kept: 2 });
	await c.turn(KEY, 'four');
	assert.match((await asked(mock)).at(-1), /left out at the user's request/);
});

longTest('a summary that cannot be had changes nothing and says so', async ({ c }) => {
	await c.turn(KEY, `one ${filler}`);
	await c.turn(KEY, `two ${filler}`);
	const done = await c.call('sessions.compact', { key: KEY });

	assert.equal(done.ok, false);
	assert.match(done.reason, /heading/);
	assert.equal(c.events('session.operation').at(-1).payload.completed, false);
	const end = await c.turn(KEY, '/compact');

	assert.match(textOf(end.message), /Compaction failed, the conversation is as it was/);
	assert.ok(!(await history(c)).some((m) => m.__openclaw.kind === 'compaction'));
}, { fixtures: [{ match: {}, response: { content: 'I would rather talk.' } }] });

/* A writer that takes its time: long enough for whatever comes in between. */
const SLOW = [
	{ match: { userMessage: 'Write the new record' }, response: { content: `${RECORD}\n${'word '.repeat(400)}` }, latency: 100 },
	{ match: {}, response: { content: 'Understood.' } },
];

longTest('a message that comes while a summary is written waits for it', async ({ c, mock }) => {
	await c.turn(KEY, `one ${filler}`);
	await c.turn(KEY, `two ${filler}`);
	const compacting = c.call('sessions.compact', { key: KEY }, { ms: 60000 });

	await c.event('session.operation', (p) => p.phase === 'start');
	const turn = c.turn(KEY, 'and now?', { ms: 60000 });

	assert.equal((await compacting).compacted, true);
	assert.equal((await turn).state, 'final');
	assert.match((await asked(mock)).at(-1), /What was said before this point/);
}, { fixtures: SLOW.map((f) => f.latency ? { ...f, latency: 10 } : f) });

longTest('a stop in the middle of a summary leaves the old view', async ({ gw, c }) => {
	await c.turn(KEY, `one ${filler}`);
	await c.turn(KEY, `two ${filler}`);
	const compacting = c.request('sessions.compact', { key: KEY }, { ms: 60000 }).catch(() => undefined);

	await c.event('session.operation', (p) => p.phase === 'start');
	assert.deepEqual(await gw.proc.stop('SIGTERM', 20000), { code: 0, signal: null });
	await compacting;
	await gw.launch();
	const again = await gw.connect();

	assert.ok(!(await history(again)).some((m) => m.__openclaw.kind === 'compaction'));
	assert.equal((await again.turn(KEY, '/status')).state, 'final');
	await again.close();
}, { fixtures: SLOW });
