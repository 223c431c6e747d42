/* system.test.mjs - tools called by clients, the trail, restarting, secrets read again, wake words. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { Client } from './lib/client.mjs';
import { Gateway } from './lib/gateway.mjs';
import { problems } from './lib/schema.mjs';
import { until } from './lib/wait.mjs';

let gw, c, workspace;

const open = (options = {}) => Client.open(gw.url.replace('http', 'ws'), { auth: { token: gw.token }, ...options });

before(async () => {
	gw = await Gateway.start({ config: { agents: { defaults: { model: 'offline/demo' } } } });
	c = await open();
	workspace = (await c.call('projects.list')).projects[0].repoRoot;
});
after(async () => {
	c?.terminate();
	await gw?.stop();
});

/* -- tools -- */

const invoke = async (params) => {
	const r = await c.call('tools.invoke', params);

	assert.deepEqual(problems('ToolsInvokeResult', r), []);
	return r;
};

test('a tool that reads is run; its output comes back', async () => {
	mkdirSync(workspace, { recursive: true });
	writeFileSync(path.join(workspace, 'notes.txt'), 'seven\n');
	const r = await invoke({ name: 'read', args: { path: 'notes.txt' } });

	assert.equal(r.ok, true);
	assert.match(r.output.content[0].text, /seven/);
	assert.equal(r.source, 'core');
});

test('a tool that changes something takes a confirmation', async () => {
	const params = { name: 'write', args: { path: 'made.txt', content: 'x' } };
	const first = await invoke(params);

	assert.equal(first.ok, false);
	assert.equal(first.requiresApproval, true);
	const done = await invoke({ ...params, confirm: true });

	assert.equal(done.ok, true);
	assert.equal(readFileSync(path.join(workspace, 'made.txt'), 'utf8'), 'x');
});

test('the same idempotency key acts once', async () => {
	const params = { name: 'write', args: { path: 'once.txt', content: 'a' }, confirm: true, idempotencyKey: 'k1' };
	const first = await invoke(params);

	writeFileSync(path.join(workspace, 'once.txt'), 'by hand');
	assert.deepEqual(await invoke(params), first);
	assert.equal(readFileSync(path.join(workspace, 'once.txt'), 'utf8'), 'by hand');
});

test('what is not there, not allowed or not right is said', async () => {
	assert.equal((await invoke({ name: 'nope' })).error.code, 'not_found');
	assert.equal((await invoke({ name: 'exec', args: { command: 'true' } })).error.code, 'not_found');
	assert.equal((await invoke({ name: 'read', args: { path: 7 } })).error.code, 'invalid_request');
	const outside = await invoke({ name: 'read', args: { path: '../../../etc/passwd' } });

	assert.equal(outside.ok, false);
	const e = await c.fails('tools.invoke', { name: 'read', agentId: 'main', sessionKey: 'agent:other:main' });

	assert.equal(e.code, 'INVALID_REQUEST');
	const { hash } = await c.call('config.get');

	await c.call('config.patch', { raw: "{ gateway: { tools: { deny: ['read'] } }, tools: { deny: ['list'] } }", baseHash: hash });
	assert.equal((await invoke({ name: 'read', args: { path: 'notes.txt' } })).error.code, 'not_found');
	const effective = await c.call('tools.effective', { sessionKey: 'main' });

	assert.deepEqual(problems('ToolsEffectiveResult', effective), []);
	const ids = effective.groups[0].tools.map((t) => t.id);

	assert.ok(ids.includes('read') && !ids.includes('list'));
	const reader = await open({ scopes: ['operator.read'] });

	assert.equal((await reader.fails('tools.invoke', { name: 'read' })).code, 'FORBIDDEN');
	await reader.close();
});

/* -- the trail -- */

test('runs and tool calls are on record, without their words', async () => {
	const end = await c.turn('agent:main:main', 'a secret sentence');

	assert.equal(end.state, 'final');
	const { events } = await c.call('audit.activity.list', { kind: 'agent_run', runId: end.runId });

	assert.deepEqual(problems('AuditActivityListResult', { events }), []);
	assert.deepEqual(events.map((e) => [e.action, e.status]),
		[['agent.run.finished', 'succeeded'], ['agent.run.started', 'started']]);
	const tools = await c.call('audit.list', { kind: 'tool_action', limit: 1 });

	assert.deepEqual(problems('AuditListResult', tools), []);
	assert.equal(tools.events.length, 1);
	const next = await c.call('audit.list', { kind: 'tool_action', limit: 1, cursor: tools.nextCursor });

	assert.ok(next.events[0].sequence < tools.events[0].sequence);
	const all = JSON.stringify(await c.call('audit.activity.list', { limit: 500 }));

	assert.doesNotMatch(all, /secret sentence|notes\.txt/);
	assert.deepEqual((await c.call('audit.activity.list', { direction: 'inbound' })).events, []);
	for (const bad of [{ cursor: 'x' }, { cursor: '-1' }, { after: 5, before: 5 }])
		assert.match((await c.fails('audit.activity.list', bad)).message, /invalid audit\.activity\.list range or cursor/);
});

/* -- small things -- */

test('wake words are kept, cut and told', async () => {
	const other = await open({ scopes: ['operator.read'] });
	const long = 'é'.repeat(70);
	const r = await c.call('voicewake.set', { triggers: ['  Hey  ', '', long, `${'x'.repeat(63)}😀`] });

	assert.deepEqual(r.triggers, ['Hey', 'é'.repeat(64), 'x'.repeat(63)]);
	assert.deepEqual((await other.event('voicewake.changed')).payload, r);
	assert.deepEqual(await other.call('voicewake.get'), r);
	assert.equal((await other.fails('voicewake.set', { triggers: [] })).code, 'FORBIDDEN');
	assert.equal((await c.call('voicewake.set', { triggers: [] })).triggers.length, 3);
	await other.close();
});

test('branches of a repository', async () => {
	const repo = path.join(gw.dir, 'repo');
	const git = (...args) => execFileSync('git', ['-C', repo, '-c', 'user.name=t', '-c', 'user.email=t@example.org', ...args]);

	mkdirSync(repo);
	git('init', '-q', '-b', 'trunk');
	git('commit', '-q', '--allow-empty', '-m', 'first');
	git('branch', 'a-side');
	const r = await c.call('worktrees.branches', { repoRoot: repo, includeRepositoryStatus: true });

	assert.deepEqual(r, { branches: [{ name: 'trunk', kind: 'local' }, { name: 'a-side', kind: 'local' }], headBranch: 'trunk',
		repositoryStatus: 'git' });
	assert.deepEqual(await c.call('worktrees.branches', { repoRoot: gw.dir, includeRepositoryStatus: true }),
		{ branches: [], repositoryStatus: 'not_git' });
	assert.equal((await c.fails('worktrees.branches', { repoRoot: '/nonexistent' })).code, 'UNAVAILABLE');
});

test('secrets are read again without a change of the configuration', async () => {
	assert.deepEqual(await c.call('secrets.reload'), { ok: true, warningCount: 0 });
	await c.event('chat.metadata.changed');
	assert.deepEqual((await c.call('secrets.resolve', { commandName: 'x', targetIds: [] })).assignments, []);
	assert.match((await c.fails('secrets.resolve', { commandName: 'x', targetIds: ['y'] })).message, /unknown target id "y"/);
});

test('what takes an administrator takes one as a message, too', async () => {
	const writer = await open({ scopes: ['operator.read', 'operator.write'] });
	const key = 'agent:main:writers';
	const said = await writer.turn(key, '/restart');

	assert.match(JSON.stringify(said.message), /\/restart takes the scope operator\.admin/);
	for (const message of ['/new', ' /Reset', '/RESET now'])
		assert.equal((await writer.fails('agent', { message, sessionKey: key, idempotencyKey: `r${message}` })).code, 'FORBIDDEN');
	for (const model of [{ model: 'offline/demo' }, { provider: 'offline', model: 'demo' }])
		assert.match((await writer.fails('agent', { message: 'x', sessionKey: key, idempotencyKey: 'm', ...model })).message,
			/overrides are not authorized/);
	for (const origin of [{ originatingChannel: 'telegram', originatingTo: '1' }, { suppressCommandInterpretation: true },
		{ systemInputProvenance: { kind: 'internal_system' } }])
		assert.match((await writer.fails('chat.send', { message: 'x', sessionKey: key, idempotencyKey: 'p', ...origin })).message,
			/fields require admin scope/);
	assert.equal((await writer.request('agent', { message: 'x', sessionKey: key, idempotencyKey: 'n' })).ok, true);
	await writer.close();
	assert.equal((await c.call('agent', { message: 'x', sessionKey: key, idempotencyKey: 'o', model: 'offline/demo' })).status, 'accepted');
	await until(async () => (await c.call('gateway.restart.preflight')).safe, 'the turns to end');
});

/* -- restarting; last, as the sockets go -- */

test('a restart that is meant for another process does nothing', async () => {
	const e = await c.fails('gateway.restart.request', { safe: true, target: { pid: 1, ownerId: 'x', port: gw.port } });

	assert.equal(e.message, 'target gateway no longer owns the active lock');
	const { hash } = await c.call('config.get');

	await c.call('config.patch', { raw: '{ commands: { restart: false } }', baseHash: hash });
	assert.equal((await c.fails('gateway.restart.request')).code, 'FORBIDDEN');
	await c.call('config.patch', { raw: '{ commands: { restart: null } }', baseHash: (await c.call('config.get')).hash });
});

test('a restart keeps the process, its arguments and what was said', async () => {
	const was = await c.call('system.info');
	const { pid } = was;

	assert.equal((await c.call('gateway.restart.preflight')).safe, true);
	/* One behind the other: once the first is answered the gateway may be on its way. */
	const [r, more] = await Promise.all([c.call('gateway.restart.request', { safe: true, reason: 'a test',
		target: { pid, ownerId: 'x', port: gw.port } }), c.call('gateway.restart.request')]);

	assert.equal(r.status, 'scheduled');
	assert.equal(r.restart.pid, pid);
	assert.equal(more.status, 'coalesced');
	const told = await c.event('shutdown');

	assert.equal(told.payload.reason, 'gateway restarting');
	assert.equal(told.payload.restartExpectedMs, 1500);
	assert.equal((await c.closed).code, 1012);
	c = await until(() => open().catch(() => null), 'the gateway to come back');
	const now = await c.call('system.info');

	assert.equal(now.pid, pid);
	assert.notEqual(now.processInstanceId, was.processInstanceId);
	assert.equal(now.port, was.port);
	assert.ok((await c.call('chat.history', { sessionKey: 'main' })).messages.length >= 2);
});
