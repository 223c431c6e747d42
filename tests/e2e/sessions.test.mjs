/*
 * sessions.test.mjs - the list of sessions, finding one, changing many, and the other ways a conversation went.
 */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { ModelDouble } from '../doubles/model.mjs';
import { textOf } from './lib/client.mjs';
import { Device } from './lib/device.mjs';
import { gatewayTest } from './lib/gateway.mjs';
import { problems } from './lib/schema.mjs';

const PAGE = { client: { id: 'openclaw-tui', mode: 'ui' }, device: new Device() };
const valid = (definition, value) => {
	assert.deepEqual(problems(definition, value), []);
	return value;
};
const keys = (list) => list.sessions.map((s) => s.key.replace('agent:main:', ''));

/* -- the list -- */

gatewayTest('sessions.list: filters, orders, pages', async (gw) => {
	const c = await gw.connect(PAGE);
	const list = (params = {}) => c.call('sessions.list', params);
	const make = (key, extra = {}) => c.call('sessions.create', { key, ...extra });

	await make('a', { label: 'Alpha', category: 'work' });
	await make('b', { label: 'Beta', parentSessionKey: 'a' });
	await make('c');
	await c.call('sessions.patch', { key: 'a', pinned: true });
	await c.call('sessions.patch', { key: 'c', archived: true });

	const all = await list({ archived: 'all' });

	assert.deepEqual(keys(all), ['a', 'c', 'b']);         /* pinned first, then by change */
	assert.equal(all.totalCount, 3);
	assert.deepEqual(all.owners, [{ type: 'human', id: 'gateway-owner', identity: { type: 'profile', id: 'gateway-owner' } }]);
	const { snapshotAt, ...a } = all.sessions[0];

	assert.equal(a.createdActor.id, 'gateway-owner');
	assert.deepEqual(a.owner, { actor: a.createdActor });
	assert.deepEqual(a.childSessions, ['agent:main:b']);
	for (const [params, expected] of [
		[{}, ['a', 'b']], [{ archived: true }, ['c']], [{ pinned: true }, ['a']], [{ pinned: false }, ['b']],
		[{ group: 'work' }, ['a']], [{ group: '' }, ['b']], [{ label: 'Beta' }, ['b']], [{ search: 'bet' }, ['b']],
		[{ spawnedBy: 'agent:main:a' }, ['b']], [{ agentId: 'other' }, []], [{ requireLastInteraction: true }, []],
		[{ activeOnly: true }, []], [{ hasBoard: true }, []], [{ boardFace: 'chat' }, []], [{ projectId: 'p' }, []],
		[{ ownerId: 'gateway-owner' }, ['a', 'b']], [{ ownerId: 'x' }, []], [{ involvingMe: true }, ['a', 'b']],
		[{ profileRelation: { profileId: 'gateway-owner', relationship: 'created' } }, ['a', 'b']],
		[{ configuredAgentsOnly: true, excludeCron: true, excludeSubagents: true, excludeSystem: true }, ['a', 'b']],
		[{ activeMinutes: 1 }, ['a', 'b']], [{ limit: 1 }, ['a']], [{ limit: 1, offset: 1 }, ['b']], [{ offset: 9 }, []],
	])
		assert.deepEqual(keys(await list(params)), expected, JSON.stringify(params));
	assert.equal((await list({ limit: 1 })).nextOffset, 1);
	assert.equal((await list({ offset: 1 })).offset, 1);
	const people = await list({ includePeople: true });

	assert.equal(people.people[0].sessionCount, 2);
	assert.equal(people.peopleSessionCount, 2);

	await c.turn('agent:main:b', 'hello there');
	assert.deepEqual(keys(await list({ requireLastInteraction: true, sortBy: 'activity' })), ['b']);
	assert.deepEqual(keys(await list({ sortBy: 'lastInteractionAt' })), ['b', 'a']);
	const plain = (await list({ limit: 5 })).sessions.find((s) => s.key === 'agent:main:b');
	const told = (await list({ includeDerivedTitles: true, includeLastMessage: true })).sessions.find((s) => s.key === 'agent:main:b');

	assert.equal(plain.derivedTitle, undefined);
	assert.equal(plain.lastMessagePreview, undefined);
	assert.equal(told.derivedTitle, 'hello there');
	assert.ok(told.lastMessagePreview);
	assert.equal(told.unread, true);
	const { sessionSchema, ...subscribed } = await c.call('sessions.subscribe', { limit: 1 });

	assert.equal(subscribed.list.sessions.length, 1);
	for (const [params, where] of [[{ sortBy: 'x' }, '/sortBy'], [{ archived: 'x' }, '/archived'], [{ limit: 0 }, '/limit'],
		[{ boardFace: 1 }, '/boardFace'], [{ profileRelation: { profileId: 'x' } }, '/profileRelation']])
		assert.match((await c.fails('sessions.list', params)).message, new RegExp(`at ${where}`));
	await c.close();
});

gatewayTest('sessions.resolve: by key, id, label, short id, link', async (gw) => {
	const c = await gw.connect(PAGE);
	const uuid = randomUUID();
	const made = await c.call('sessions.create', { key: `dashboard:${uuid}`, displayName: 'My Plan: Two!' });
	const find = async (params) => valid('SessionsResolveResult', await c.call('sessions.resolve', params));
	const at = { ok: true, key: made.key, agentId: 'main' };

	assert.deepEqual(await find({ key: 'main' }), { ok: true, key: 'agent:main:main', agentId: 'main' });
	assert.deepEqual(await find({ key: made.key }), at);
	for (const params of [{ sessionId: made.sessionId }, { shortId: uuid.slice(0, 8) }, { shortId: uuid.replaceAll('-', '').toUpperCase() }])
		assert.deepEqual(await find(params), { ...at, displayName: 'My Plan: Two!' });
	assert.equal((await find({ reference: { key: 'dashboard:gone', slug: 'my-plan-two' } })).key, made.key);
	assert.deepEqual(await c.call('sessions.resolve', { key: 'nobody', allowMissing: true }), { ok: false });
	assert.match((await c.fails('sessions.resolve', { key: 'nobody' })).message, /No session found: nobody/);
	assert.match((await c.fails('sessions.resolve', { shortId: 'xyz' })).message, /8-32 hexadecimal/);
	assert.match((await c.fails('sessions.resolve', { key: 'a', label: 'b' })).message, /not multiple/);
	assert.match((await c.fails('sessions.resolve', {})).message, /is required/);

	const prefix = uuid.slice(0, 24);
	const twin = `${prefix}${'0'.repeat(12)}`;

	await c.call('sessions.create', { key: `dashboard:${twin}`, displayName: 'Other' });
	const both = await find({ shortId: prefix.replaceAll('-', '') });

	assert.equal(both.ok, false);
	assert.equal(both.candidates.length, 2);
	assert.equal((await find({ shortId: prefix.replaceAll('-', ''), slugHint: 'other' })).key, `agent:main:dashboard:${twin}`);
	await c.close();
});

/* -- changing -- */

gatewayTest('sessions.patch: expectations, unread marks, refusals', async (gw) => {
	const c = await gw.connect(PAGE);
	const patch = (params) => c.call('sessions.patch', { key: 'x', ...params });
	const fails = (params) => c.fails('sessions.patch', { key: 'x', ...params });

	const { entry } = await patch({ label: 'X', icon: 'star', color: 'blue', autoLabel: 'auto', fastMode: 'auto' });

	assert.equal(entry.fastMode, 'auto');
	assert.equal((await patch({ fastMode: true })).entry.fastMode, true);
	assert.equal((await patch({ fastMode: null })).entry.fastMode, undefined);
	await c.call('sessions.subscribe');
	const stale = await fails({ expectedSessionId: randomUUID(), label: 'Y' });

	assert.equal(stale.code, 'INVALID_REQUEST');
	assert.deepEqual(stale.details, { reason: 'session-changed' });
	assert.match(stale.message, /Session agent:main:x changed before patch\. Retry\./);
	await patch({ expectedSessionId: entry.sessionId, expectedLifecycleRevision: entry.lifecycleRevision, label: 'Y' });
	const changed = await c.event('sessions.changed', (p) => p.reason === 'patch');

	assert.equal(changed.payload.session.label, 'Y');
	assert.equal(changed.payload.label, 'Y');

	/* Marked unread, read only by whoever saw that mark. */
	const marked = (await patch({ unread: true })).entry.markedUnreadAt;

	assert.ok(marked > 0);
	assert.equal((await patch({ unread: false, expectedMarkedUnreadAt: null })).entry.markedUnreadAt, marked);
	assert.equal((await patch({ unread: false, expectedMarkedUnreadAt: marked })).entry.markedUnreadAt, undefined);
	const row = (await c.call('sessions.describe', { key: 'x' })).session;

	assert.equal(row.unread, false);
	assert.ok(row.lastReadAt > 0);
	assert.match((await fails({ unread: false, label: 'Z', expectedMarkedUnreadAt: null })).message, /only mutation/);

	await patch({ pinned: true });
	const archived = (await patch({ archived: true })).entry;

	assert.ok(archived.archivedAt);
	assert.equal(archived.pinnedAt, undefined);
	assert.match((await fails({ pinned: true })).message, /archived session/);
	await patch({ archived: false });
	assert.match((await c.fails('sessions.patch', { key: 'main', archived: true })).message, /main session/);
	await c.call('sessions.create', { key: 'other', label: 'Taken' });
	assert.match((await fails({ label: 'Taken' })).message, /label already in use: Taken/);
	assert.match((await fails({ thinkingLevel: 'high' })).message, /thinkingLevel "high" is not supported for .* \(use off\)/);
	assert.match((await fails({ verboseLevel: 'loud' })).message, /invalid verboseLevel/);
	assert.equal((await patch({ permissionMode: 'read-only' })).entry.permissionMode, 'read-only');
	await fails({ permissionMode: 'guarded', expectedPermissionMode: null });
	await patch({ permissionMode: 'guarded', expectedPermissionMode: 'read-only' });
	assert.equal((await c.call('sessions.describe', { key: 'x' })).session.permissionMode, 'guarded');
	assert.match((await fails({ permissionMode: 'ask' })).message, /at \/permissionMode/);
	assert.match((await fails({ bogus: 1 })).message, /at root: unexpected property 'bogus'/);
	await patch({ label: null, permissionMode: null, icon: '' });
	assert.equal((await c.call('sessions.describe', { key: 'x' })).session.label, undefined);
	await c.close();
});

gatewayTest('sessions.patchMany: each target has its outcome', async (gw) => {
	const c = await gw.connect(PAGE);
	const a = await c.call('sessions.create', { key: 'a' });

	await c.call('sessions.create', { key: 'b' });
	const many = (targets, patch) => c.call('sessions.patchMany', { targets, patch });
	const result = valid('SessionsPatchManyResult', await many([{ key: 'a', expectedSessionId: a.sessionId },
		{ key: 'b', expectedSessionId: randomUUID() }, { key: 'main' }], { archived: true }));

	assert.deepEqual(result.outcomes.map((o) => o.ok), [true, false, false]);
	assert.deepEqual(result.outcomes[1].error.details, { reason: 'session-changed' });
	assert.match((await c.fails('sessions.patchMany', { targets: [{ key: 'a' }, { key: 'agent:main:a' }], patch: { pinned: true } })).message,
		/Duplicate target/);
	assert.match((await c.fails('sessions.patchMany', { targets: [{ key: 'a' }], patch: {} })).message, /at \/patch/);
	assert.match((await c.fails('sessions.patchMany', { targets: [], patch: { pinned: true } })).message, /at \/targets/);
	await c.close();
});

gatewayTest('sessions.create: forks, first messages, what it cannot give', async (gw) => {
	const c = await gw.connect(PAGE);

	await c.turn('agent:main:main', 'remember: blue');
	await c.call('sessions.patch', { key: 'main', verboseLevel: 'on' });
	const fork = await c.call('sessions.create', { parentSessionKey: 'main', fork: true });
	const row = (await c.call('sessions.describe', { key: fork.key })).session;
	const { messages } = await c.call('chat.history', { sessionKey: fork.key });

	assert.deepEqual(messages.map((m) => m.role), ['user', 'assistant']);
	assert.equal(row.verboseLevel, 'on');
	assert.equal(row.parentSessionKey, 'agent:main:main');
	assert.equal(row.forkSource.sessionKey, 'agent:main:main');

	const id = randomUUID();
	const first = await c.call('sessions.create', { agentId: 'main', message: 'hello', idempotencyKey: id });

	assert.equal(first.runStarted, true);
	assert.equal(first.runId, id);
	await c.runEnd(id);
	const again = await c.call('sessions.create', { agentId: 'main', message: 'hello', idempotencyKey: id });

	assert.equal(again.key, first.key);
	assert.equal(again.status, 'ok');
	for (const params of [{ incognito: true }, { worktree: true }, { cwd: '/tmp' }, { visibility: 'draft' }])
		assert.equal((await c.fails('sessions.create', params)).code, 'UNAVAILABLE', JSON.stringify(params));
	assert.match((await c.fails('sessions.create', { fork: true })).message, /parentSessionKey/);
	await c.fails('sessions.create', { key: 'half', model: 'no/such' });
	assert.equal((await c.call('sessions.describe', { key: 'half' })).session, null);
	await c.close();
});

gatewayTest('sessions.delete and reset: only what the caller saw', async (gw) => {
	const c = await gw.connect();
	const { sessionId, entry } = await c.call('sessions.create', { key: 'x' });

	for (const wrong of [{ expectedSessionId: randomUUID() }, { expectedLifecycleRevision: 'r' }, { expectedSessionUpdatedAt: 1 }])
		assert.deepEqual((await c.fails('sessions.delete', { key: 'x', ...wrong })).details, { reason: 'session-changed' });
	assert.deepEqual((await c.fails('sessions.reset', { key: 'x', expectedSessionId: randomUUID() })).details, { reason: 'session-changed' });
	await c.call('sessions.reset', { key: 'x', expectedSessionId: sessionId });
	const { session } = await c.call('sessions.describe', { key: 'x' });

	await c.call('sessions.subscribe');
	const gone = await c.call('sessions.delete', { key: 'x', expectedSessionId: sessionId, expectedSessionUpdatedAt: session.updatedAt });

	assert.equal(valid('SessionsDeleteResult', gone).deleted, true);
	assert.equal((await c.event('sessions.changed', (p) => p.reason === 'delete')).payload.sessionKey, 'agent:main:x');
	assert.ok(entry.sessionId);
	await c.close();
});

/* -- branches -- */

async function talk(c, model, sessionKey, text, answer, params = {}) {
	const runId = randomUUID();
	const ack = c.call('chat.send', { sessionKey, message: text, idempotencyKey: runId, ...params });
	const call = await model.next();

	await ack;
	call.text(answer);
	call.end();
	await c.runEnd(runId);
	return call;
}

const withModel = async (t) => {
	const model = await ModelDouble.start();

	t.after(() => model.stop());
	t.model = model;
	return { config: model.config };
};

gatewayTest('rewind, edit, switch back: nothing is lost', { gateway: withModel }, async (gw, t) => {
	const c = await gw.connect(PAGE), { model } = t, key = 'agent:main:main';
	const history = () => c.call('chat.history', { sessionKey: key });
	const texts = async () => (await history()).messages.map(textOf);
	const branches = async () => valid('SessionsBranchesListResult', await c.call('sessions.branches.list', { sessionKey: key })).branches;

	assert.deepEqual(await branches(), []);
	await talk(c, model, key, 'one', 'first');
	await talk(c, model, key, 'two', 'second');
	await c.call('sessions.subscribe');
	const before = await history();
	const two = before.messages[2].__openclaw.id, leaf = before.messages[3].__openclaw.id;

	assert.equal(before.sessionInfo.activeLeafEntryId, leaf);
	assert.deepEqual((await branches()).map((b) => [b.leafEntryId, b.headline, b.messageCount, b.active]), [[leaf, 'second', 4, true]]);

	assert.deepEqual(valid('SessionsRewindResult', await c.call('sessions.rewind', { sessionKey: key, entryId: two })), { editorText: 'two' });
	assert.equal((await c.event('sessions.changed', (p) => p.reason === 'rewind')).payload.sessionKey, key);
	assert.deepEqual(await texts(), ['one', 'first']);
	assert.deepEqual(await c.call('chat.history', { sessionKey: key, cursor: before.deltaCursor }), { kind: 'reset' });
	assert.deepEqual((await branches()).map((b) => [b.leafEntryId, b.active]), [[leaf, false]]);

	/* A page that still shows the other branch must not send into this one. */
	const late = await c.fails('chat.send', { sessionKey: key, message: 'x', idempotencyKey: randomUUID(), sessionId: before.sessionId,
		expectedLeafEntryId: leaf });

	assert.deepEqual(late.details, { reason: 'active-leaf-changed' });
	const now = await history();
	const asked = await talk(c, model, key, 'two, edited', 'other', { sessionId: now.sessionId,
		expectedLeafEntryId: now.sessionInfo.activeLeafEntryId });

	assert.deepEqual(asked.body.messages.filter((m) => m.role !== 'system').map((m) => textOf(m)), ['one', 'first', 'two, edited']);
	assert.deepEqual((await branches()).map((b) => [b.headline, b.active]), [['other', true], ['second', false]]);

	assert.match((await c.fails('sessions.branches.switch', { sessionKey: key, leafEntryId: two })).message, /not a branch tip/);
	assert.match((await c.fails('sessions.branches.switch', { sessionKey: key, leafEntryId: 'nope' })).message, /not found: nope/);
	assert.deepEqual(await c.call('sessions.branches.switch', { sessionKey: key, leafEntryId: leaf }), {});
	assert.match((await c.fails('sessions.branches.switch', { sessionKey: key, leafEntryId: leaf })).message, /already active/);
	assert.deepEqual(await texts(), ['one', 'first', 'two', 'second']);
	const third = await talk(c, model, key, 'three', 'third');

	assert.equal(third.body.messages.filter((m) => m.role === 'user').length, 3);
	await gw.restart();
	const d = await gw.connect(PAGE);

	assert.deepEqual((await d.call('sessions.branches.list', { sessionKey: key })).branches.map((b) => [b.headline, b.messageCount, b.active]),
		[['third', 6, true], ['other', 4, false]]);
	assert.match((await d.fails('sessions.rewind', { sessionKey: key, entryId: leaf })).message, /not a user message/);
	assert.match((await d.fails('sessions.rewind', { sessionKey: 'none', entryId: leaf })).message, /session not found/);
	await d.close();
});

gatewayTest('fork: a session of its own from before a message', { gateway: withModel }, async (gw, t) => {
	const c = await gw.connect(PAGE), { model } = t, key = 'agent:main:main';

	await talk(c, model, key, 'one', 'first');
	await talk(c, model, key, 'two', 'second');
	const { messages } = await c.call('chat.history', { sessionKey: key });
	const fork = valid('SessionsForkResult', await c.call('sessions.fork', { sessionKey: key, entryId: messages[2].__openclaw.id }));

	assert.equal(fork.editorText, 'two');
	assert.match(fork.sessionKey, /^agent:main:dashboard:/);
	await talk(c, model, fork.sessionKey, 'else', 'fine');
	assert.deepEqual((await c.call('chat.history', { sessionKey: fork.sessionKey })).messages.map(textOf), ['one', 'first', 'else', 'fine']);
	assert.deepEqual((await c.call('chat.history', { sessionKey: key })).messages.length, 4);
	assert.equal((await c.call('sessions.describe', { key: fork.sessionKey })).session.forkSource.entryId, messages[2].__openclaw.id);

	/* While the agent works, the past stands. */
	const runId = randomUUID();
	const ack = c.call('chat.send', { sessionKey: key, message: 'long', idempotencyKey: runId });
	const call = await model.next();

	await ack;
	assert.deepEqual(keys(await c.call('sessions.list', { activeOnly: true })), ['main']);
	for (const method of ['sessions.rewind', 'sessions.fork']) {
		const busy = await c.fails(method, { sessionKey: key, entryId: messages[2].__openclaw.id });

		assert.equal(busy.code, 'UNAVAILABLE');
		assert.match(busy.message, /is unavailable while the agent is working/);
	}
	call.text('done');
	call.end();
	await c.runEnd(runId);
	await c.close();
});

/* -- the command line -- */

gatewayTest('chela sessions: rename, archive, compact, export, delete, cleanup', async (gw) => {
	const c = await gw.connect();
	const ok = async (args) => {
		const r = await gw.cli(['sessions', ...args]);

		assert.equal(r.code, 0, r.stderr);
		return r.stdout;
	};

	await c.turn('agent:main:x', 'hello');
	assert.match(await ok(['rename', 'x', 'Mine']), /agent:main:x is now called Mine/);
	assert.match(await ok([]), /Mine/);
	assert.match(await ok(['compact', 'x']), /was not compacted: /);
	const lines = (await ok(['export', 'x'])).trim().split('\n').map((l) => JSON.parse(l));

	assert.deepEqual(lines.map((m) => m.role), ['user', 'assistant']);
	assert.match(await ok(['export', 'x', '--format', 'markdown']), /^## user, \d{4}-[^\n]*\n\nhello\n/);
	assert.match(await ok(['export', 'x', '-o', `${gw.dir}/x.jsonl`]), /wrote \d+ bytes/);
	assert.match(await ok(['archive', 'x']), /archived agent:main:x/);
	assert.doesNotMatch(await ok([]), /Mine/);
	assert.match(await ok(['archive', 'x', '--restore']), /restored/);
	assert.match(await ok(['cleanup']), /main: 1 sessions, 0 archived by age/);
	const refused = await gw.cli(['sessions', 'delete', 'x']);

	assert.equal(refused.code, 1);
	assert.match(refused.stderr, /--yes/);
	assert.match(await ok(['delete', 'x', '--yes']), /deleted agent:main:x/);
	assert.equal((await c.call('sessions.describe', { key: 'x' })).session, null);
	assert.equal((await gw.cli(['sessions', 'export', 'x'])).code, 1);
	const one = await c.call('sessions.cleanup', { allAgents: false, enforce: false, fixMissing: false, fixDmScope: false });

	assert.deepEqual([one.agentId, one.mode, one.beforeCount, one.applied], ['main', 'enforce', 0, true]);
	assert.match((await c.fails('sessions.cleanup', { agent: 'nobody' })).message, /unknown agent: nobody/);
	await c.close();
});
