/*
 * people.test.mjs - profiles, preferences, groups of sessions, who looks at what, and the panels beside a chat.
 * Every answer is checked against the published schema where it has a definition.
 */
import assert from 'node:assert/strict';
import { Device } from './lib/device.mjs';
import { gatewayTest } from './lib/gateway.mjs';
import { problems } from './lib/schema.mjs';

const TUI = { client: { id: 'openclaw-tui', mode: 'ui' }, device: new Device() };
const valid = (definition, value) => {
	assert.deepEqual(problems(definition, value), []);
	return value;
};

gatewayTest('users.*: one profile that can be named', async (gw) => {
	const c = await gw.connect(TUI);
	const { profiles } = await c.call('users.list');

	assert.equal(profiles.length, 1);
	assert.deepEqual((await c.call('users.self')).profile, profiles[0]);
	const named = await c.call('users.setDisplayName', { profileId: 'gateway-owner', displayName: ' Zoë ' });

	assert.equal(named.profile.displayName, 'Zoë');
	await gw.restart();
	const d = await gw.connect(TUI);

	assert.equal((await d.call('users.self')).profile.displayName, 'Zoë');
	assert.equal((await d.call('users.setDisplayName', { profileId: 'gateway-owner', displayName: null })).profile.displayName, null);
	valid('UsersGitHubStatusResult', await d.call('users.github.status'));
	assert.deepEqual(await d.call('users.listModelAccounts', { profileId: 'gateway-owner' }), { profileId: 'gateway-owner', accounts: [], links: [] });
	assert.equal((await d.fails('users.setDisplayName', { profileId: 'x', displayName: 'y' })).code, 'INVALID_REQUEST');
	await d.close();
});

gatewayTest('users.prefs: compare and set, told to the other pages', async (gw) => {
	const a = await gw.connect(TUI), b = await gw.connect(TUI);
	const set = (entries, expectedEntries) => a.call('users.prefs.set', { entries, ...(expectedEntries && { expectedEntries }) });

	assert.deepEqual(await a.call('users.prefs.get', { keys: ['ui.theme'] }), { status: 'ok', entries: {} });
	assert.deepEqual(await set({ 'ui.theme': 'crt', 'ui.list': [1, { a: null }] }, { 'ui.theme': null }), { status: 'ok' });
	const told = await b.event('users.prefs.changed');

	assert.deepEqual(valid('UsersPrefsChangedEvent', told.payload), { profileId: 'gateway-owner', keys: ['ui.theme', 'ui.list'] });
	assert.deepEqual(await set({ 'ui.theme': 'rose' }, { 'ui.theme': null }), { status: 'conflict' });
	assert.deepEqual(await set({ 'ui.theme': 'rose' }, { 'ui.list': [1, { a: null }], 'ui.theme': 'crt' }), { status: 'ok' });
	assert.deepEqual(await set({ 'ui.list': null }), { status: 'ok' });
	assert.deepEqual(await a.call('users.prefs.get'), { status: 'ok', entries: { 'ui.theme': 'rose' } });

	const big = await a.fails('users.prefs.set', { entries: { x: 'y'.repeat(5000) } });

	assert.match(big.message, /value-too-large/);
	for (let i = 0; i < 4; i++)
		await set(Object.fromEntries(Array.from({ length: 31 }, (_, k) => [`k.${i}.${k}`, k])));
	const full = await a.fails('users.prefs.set', { entries: Object.fromEntries(Array.from({ length: 9 }, (_, k) => [`more.${k}`, k])) });

	assert.deepEqual(valid('UserPrefsLimitExceededErrorDetails', full.details),
		{ code: 'USER_PREFS_LIMIT_EXCEEDED', limit: 128, currentCount: 125 });
	assert.match((await a.fails('users.prefs.set', { entries: { 'a\nb': 1 } })).message, /at \/entries/);
	assert.match((await a.fails('users.prefs.get', { keys: ['a', 'a'] })).message, /at \/keys: must not have duplicate/);

	const tool = await gw.connect();

	assert.deepEqual(await tool.call('users.prefs.get'), { status: 'no_durable_identity' });
	assert.deepEqual(await tool.call('users.prefs.set', { entries: { x: 1 } }), { status: 'no_durable_identity' });
	for (const c of [a, b, tool])
		await c.close();
});

gatewayTest('sessions.groups: put, rename, defaults, delete', async (gw) => {
	const c = await gw.connect();

	await c.call('sessions.subscribe');
	assert.deepEqual(valid('SessionsGroupsListResult', await c.call('sessions.groups.list')), { groups: [], sectionOrder: [] });
	const put = await c.call('sessions.groups.put', { names: ['work', ' home ', 'work'],
		sectionOrder: ['category:home', 'nonsense', 'ungrouped', 'category:gone', 'ungrouped'] });

	assert.deepEqual(valid('SessionsGroupsMutationResult', put), { ok: true,
		groups: [{ name: 'work', position: 0 }, { name: 'home', position: 1 }], sectionOrder: ['category:home', 'ungrouped'] });
	assert.equal((await c.event('sessions.changed', (p) => p.reason === 'groups')).payload.sessionKey, undefined);

	const { key } = await c.call('sessions.create', { category: 'home' });

	await c.call('sessions.create', { category: 'new one' });
	assert.deepEqual((await c.call('sessions.groups.list')).groups.map((g) => g.name), ['work', 'home', 'new one']);
	assert.match((await c.fails('sessions.groups.put', { names: ['work'] })).message, /"home" \(1\), "new one" \(1\)/);
	assert.equal((await c.call('sessions.groups.rename', { name: 'home', to: 'house' })).updatedSessions, 1);
	assert.equal((await c.call('sessions.describe', { key })).session.category, 'house');
	assert.match((await c.fails('sessions.groups.rename', { name: 'home', to: 'x' })).message, /unknown session group: home/);

	const update = (params) => c.call('sessions.groups.update', params);

	assert.deepEqual(valid('SessionsGroupsUpdateResult', await update({ name: 'house', cwd: '/tmp', worktree: true })),
		{ ok: true, defaults: [{ name: 'house', cwd: '/tmp', worktree: true }] });
	assert.match((await c.fails('sessions.groups.update', { name: 'house', cwd: 'tmp', worktree: true })).message, /absolute/);
	assert.match((await c.fails('sessions.groups.update', { name: 'zz', cwd: null, worktree: true })).message, /unknown session group: zz/);
	await update({ name: 'house', cwd: null, worktree: false });
	assert.deepEqual(valid('SessionsGroupsDefaultsResult', await c.call('sessions.groups.defaults')), { defaults: [] });

	assert.equal((await c.call('sessions.groups.delete', { name: 'house' })).updatedSessions, 1);
	assert.equal((await c.call('sessions.describe', { key })).session.category, undefined);
	await c.close();
});

gatewayTest('sessions.viewers.set shows in presence', async (gw) => {
	const a = await gw.connect(TUI), b = await gw.connect(TUI);
	const keys = ['main', 'agent:main:main', 'agent:main:x'];
	const set = await a.call('sessions.viewers.set', { sessionKeys: keys });

	assert.deepEqual(valid('SessionsViewerPresenceSetResult', set), { sessionKeys: ['agent:main:main', 'agent:main:x'] });
	const seen = (p, n) => p.presence.filter((e) => e.watchedSessions?.length === n).length === 1;

	await b.event('presence', (p) => seen(p, 2));
	assert.ok(seen({ presence: await b.call('system-presence') }, 2));
	const from = b.frames.items.length;

	await a.call('sessions.viewers.set', { sessionKeys: [] });
	await b.event('presence', (p) => !p.presence.some((e) => e.watchedSessions), { from });
	assert.match((await a.fails('sessions.viewers.set', { sessionKeys: Array(33).fill('main') })).message, /at \/sessionKeys/);
	await a.close();
	await b.close();
});

gatewayTest('panels that have nothing to show say so', async (gw) => {
	const c = await gw.connect(TUI);
	const at = { sessionKey: 'agent:main:main' };

	assert.match((await c.fails('session.members.listEvidence', at)).message, /session not found/);
	await c.turn('agent:main:main', 'hello');
	valid('SessionsCompanionStateResult', await c.call('sessions.companion.state', at));
	valid('SessionDiscussionInfoResult', await c.call('session.discussion.info', at));
	valid('ProgressCardGetResult', await c.call('progressCard.get', at));
	valid('SessionGitHubOptionsResult', await c.call('sessions.github.options', at));
	valid('SessionsCatalogListResult', await c.call('sessions.catalog.list', { agentId: 'main', metadataOnly: true }));
	valid('SessionMembersListEvidenceResult', await c.call('session.members.listEvidence', at));
	valid('SessionMembersListResult', await c.call('session.members.list', at));
	assert.deepEqual(await c.call('sessions.observer.visibility', { visible: true }), { ok: true });
	assert.deepEqual((await c.call('mentions.list')).items, []);
	const { sessionId } = (await c.call('sessions.describe', { key: 'main' })).session;

	valid('SessionTypingResult', await c.call('session.typing', { ...at, sessionId, typing: true, preview: 'he' }));
	await c.close();
});
