/*
 * agents.test.mjs - several agents: made, changed, talked to, removed; their files; commands.list.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { ModelDouble } from '../doubles/model.mjs';
import { textOf } from './lib/client.mjs';
import { gatewayTest } from './lib/gateway.mjs';
import { problems } from './lib/schema.mjs';
import { until } from './lib/wait.mjs';

const valid = (definition, value) => {
	assert.deepEqual(problems(definition, value), []);
	return value;
};
const sha = (text) => createHash('sha256').update(text).digest('hex');
const ask = async (c, key, text) => textOf((await c.turn(key, text)).message);

gatewayTest('agents.*: made, changed, talked to, removed', async (gw) => {
	const c = await gw.connect();
	const config = () => readFileSync(gw.configPath, 'utf8');

	gw.replaceConfig(config().replace('{', '{\n  // kept\n'));
	const made = valid('AgentsCreateResult', await c.call('agents.create', { name: 'Code Monkey!', emoji: '🐒' }));

	assert.equal(made.agentId, 'code-monkey');
	assert.equal(made.workspace, path.join(gw.state, 'workspace-code-monkey'));
	assert.ok(existsSync(path.join(made.workspace, 'AGENTS.md')));
	assert.match(config(), /\/\/ kept/);
	/* The agent that was there without being named is still there, and still the default one. */
	const list = valid('AgentsListResult', await c.call('agents.list'));

	assert.deepEqual(list.agents.map((a) => a.id).sort(), ['code-monkey', 'main']);
	assert.equal(list.defaultId, 'main');
	assert.equal(list.ownership, 'explicit');
	assert.match((await c.fails('agents.create', { name: 'code monkey' })).message, /already exists/);
	assert.match((await c.fails('agents.create', { name: '!!' })).message, /no letter or digit/);
	assert.match((await c.fails('agents.create', { name: 'x', model: 'no/such' })).message, /no.such/);
	assert.match((await c.fails('agents.create', { name: 'x', workspace: 'relative' })).message, /absolute/);

	assert.match(await ask(c, 'agent:code-monkey:main', 'hello'), /\S/);
	assert.match(await ask(c, 'agent:code-monkey:main', '/agents'), /`code-monkey` 🐒 Code Monkey!/);
	valid('AgentsUpdateResult', await c.call('agents.update', { agentId: 'code-monkey', name: 'Ape', avatar: 'https://example.org/a.png' }));
	const identity = valid('AgentIdentityResult', await c.call('agent.identity.get', { agentId: 'code-monkey' }));

	assert.deepEqual([identity.name, identity.emoji, identity.avatarStatus], ['Ape', '🐒', 'remote']);
	assert.match(readFileSync(path.join(made.workspace, 'IDENTITY.md'), 'utf8'), /Name: Ape/);
	assert.match((await c.fails('agents.update', { agentId: 'nobody' })).message, /not found/);
	assert.equal((await c.fails('agents.update', { agentId: 'main', agentRuntime: 'codex' })).code, 'INVALID_REQUEST');

	const gone = valid('AgentsDeleteResult', await c.call('agents.delete', { agentId: 'code-monkey' }));

	assert.deepEqual(gone.removed, [{ path: made.workspace, method: 'trash' }]);
	assert.ok(!existsSync(made.workspace));
	assert.equal(readdirSync(path.join(gw.state, 'trash')).length, 1);
	assert.deepEqual((await c.call('agents.list')).agents.map((a) => a.id), ['main']);
	assert.match((await c.fails('agents.delete', { agentId: 'main' })).message, /only configured agent/);
	assert.equal((await c.call('sessions.list', { agentId: 'code-monkey' })).sessions.length, 0);
	assert.match((await c.fails('chat.send', { sessionKey: 'agent:code-monkey:main', message: 'x', idempotencyKey: 'k' })).message,
		/no agent 'code-monkey'/);
	await c.close();
});

/* Makes an agent and kills the gateway when it has left the configuration and its sessions have begun to go; gives its workspace. */
async function cutRemoval(gw, name) {
	const c = await gw.connect(), { workspace } = await c.call('agents.create', { name });
	const rules = { allowlist: [{ pattern: '/usr/bin/curl' }], security: 'full' };

	for (let i = 0; i < 200; i++)
		await c.call('sessions.create', { key: `agent:${name}:s${i}` });
	await c.call('exec.approvals.set', { file: { version: 1, agents: { [name]: rules, main: rules } }, baseHash: (await c.call('exec.approvals.get')).hash });
	c.call('agents.delete', { agentId: name }).catch(() => undefined);
	await new Promise((resolve) => setImmediate(resolve));
	while (readFileSync(gw.configPath, 'utf8').includes(name))
		continue;                /* nothing else of the test may come between this and the kill */
	await gw.kill();
	await gw.launch();
	return workspace;
}

const cuts = (gw) => [...gw.logFile().matchAll(/the removal of agent '([\w-]+)' was cut/g)].map((m) => m[1]);

gatewayTest('agents.delete: a removal that is cut is ended by the next start', {}, async (gw) => {
	let name, workspace, tries = 0;

	/* On a busy machine a removal may be over before we are told that it has begun. */
	do {
		name = `gone-${++tries}`;
		workspace = await cutRemoval(gw, name);
	} while (!cuts(gw).length && tries < 10);
	assert.deepEqual(cuts(gw), [name]);
	assert.ok(!existsSync(workspace), 'its files are in the trash');
	assert.equal(readdirSync(path.join(gw.state, 'trash')).length, tries);
	let c = await gw.connect();

	await c.call('agents.create', { name });
	assert.equal((await c.call('sessions.list', { agentId: name, limit: 500 })).sessions.length, 0, 'another of that name finds nothing');
	assert.deepEqual(Object.keys((await c.call('exec.approvals.get')).file.agents), ['main']);
	await c.close();
	await gw.restart();
	assert.deepEqual(cuts(gw), [name], 'that was all');
	c = await gw.connect();
	assert.ok((await c.call('agents.list')).agents.some((a) => a.id === name));
	await c.close();
});

const doubleGateway = async (t) => {
	t.model = await ModelDouble.start();
	t.after(() => t.model.stop());
	return { config: t.model.config };
};

gatewayTest('agents.delete: an agent with a turn under way stays', { gateway: doubleGateway }, async (gw, t) => {
	const c = await gw.connect();

	await c.call('agents.create', { name: 'busy' });
	await c.call('chat.send', { sessionKey: 'agent:busy:main', message: 'think', idempotencyKey: 'b1' });
	const call = await t.model.next();
	const refused = await c.fails('agents.delete', { agentId: 'busy' });

	assert.equal(refused.code, 'UNAVAILABLE');
	assert.match(refused.message, /1 runs in flight/);
	call.text('done').end();
	await c.runEnd('b1');
	const gone = await c.call('agents.delete', { agentId: 'busy', deleteFiles: false });

	assert.deepEqual([gone.ok, gone.removed], [true, []]);
	await c.close();
});

gatewayTest('agents.files.*: by name, compared before they are written, never out of the workspace', async (gw) => {
	const c = await gw.connect();

	await c.turn('agent:main:main', 'hello');
	const { files, workspace } = valid('AgentsFilesListResult', await c.call('agents.files.list', { agentId: 'main' }));

	assert.ok(files.find((f) => f.name === 'AGENTS.md' && !f.missing && f.size > 0));
	assert.deepEqual(files.find((f) => f.name === 'MEMORY.md'), { name: 'MEMORY.md', path: path.join(workspace, 'MEMORY.md'), missing: true, expectedAbsent: true });
	const { file } = valid('AgentsFilesGetResult', await c.call('agents.files.get', { agentId: 'main', name: 'SOUL.md' }));

	assert.equal(file.hash, sha(file.content));
	const set = valid('AgentsFilesSetResult', await c.call('agents.files.set',
		{ agentId: 'main', name: 'SOUL.md', content: 'new ✓\n', expectedHash: file.hash }));

	assert.equal(set.file.hash, sha('new ✓\n'));
	assert.equal(readFileSync(file.path, 'utf8'), 'new ✓\n');
	const conflict = await c.fails('agents.files.set', { agentId: 'main', name: 'SOUL.md', content: 'x', expectedHash: file.hash });

	assert.equal(conflict.code, 'INVALID_REQUEST');
	assert.deepEqual(conflict.details, { type: 'agent_file_conflict', name: 'SOUL.md', currentHash: sha('new ✓\n') });
	for (const name of ['../chela.json', 'secret.txt', 'memory/x.md', ''])
		assert.equal((await c.fails('agents.files.get', { agentId: 'main', name })).code, 'INVALID_REQUEST');
	symlinkSync(gw.configPath, path.join(workspace, 'MEMORY.md'));
	const out = await c.request('agents.files.get', { agentId: 'main', name: 'MEMORY.md' });

	assert.equal(out.ok, false, JSON.stringify(out.payload));
	assert.equal((await c.request('agents.files.set', { agentId: 'main', name: 'MEMORY.md', content: 'x' })).ok, false);
	await gw.assertAlive();
	await c.close();
});

gatewayTest('commands.list: shape, arguments with choices, scopes', async (gw) => {
	const c = await gw.connect();
	const { commands } = valid('CommandsListResult', await c.call('commands.list', { includeArgs: true, scope: 'text' }));
	const by = Object.fromEntries(commands.map((x) => [x.name, x]));

	assert.ok(by.status && by.model && by.new && by.compact && by.tools);
	assert.deepEqual(by.tools.args[0].choices.map((x) => x.value), ['compact', 'verbose']);
	assert.deepEqual(by.whoami.textAliases, ['/whoami', '/id']);
	const bare = valid('CommandsListResult', await c.call('commands.list', { includeArgs: false }));

	assert.ok(bare.commands.every((x) => !x.args));
	const native = await c.call('commands.list', { scope: 'native', agentId: 'main', sessionKey: 'agent:main:main' });

	assert.ok(native.commands.every((x) => x.nativeName && !x.textAliases));
	assert.equal((await c.fails('commands.list', { agentId: 'nobody' })).code, 'INVALID_REQUEST');
	await c.close();
});

gatewayTest('chela agents: list, add, set-identity, delete', async (gw) => {
	const ok = (r) => {
		assert.equal(r.code, 0, r.stderr + r.stdout);
		return r;
	};
	const json = async (args) => JSON.parse(ok(await gw.cli([...args, '--json'])).stdout);

	assert.match(ok(await gw.cli(['agents', 'list'])).stdout, /main \*/);
	const made = await json(['agents', 'add', 'Work', '--emoji', '🔧']);

	assert.deepEqual([made.id, made.name, made.emoji], ['work', 'Work', '🔧']);
	assert.equal((await gw.cli(['agents', 'add', 'work'])).code, 1);
	const c = await gw.connect();

	await until(async () => (await c.call('agents.list')).agents.length === 2, 'the gateway to notice the new agent');
	/* Whom the configuration names starts with its name and without an introduction. */
	await c.turn('agent:work:main', 'hello');
	assert.match(readFileSync(path.join(made.workspace, 'IDENTITY.md'), 'utf8'), /Name: Work\n- Emoji: 🔧/);
	assert.ok(!existsSync(path.join(made.workspace, 'BOOTSTRAP.md')));
	await c.turn('agent:main:main', 'hello');
	assert.ok(existsSync(path.join(gw.state, 'workspace', 'BOOTSTRAP.md')));
	assert.ok(existsSync(path.join(gw.state, 'workspace', '.git')) || !existsSync('/usr/bin/git'));
	ok(await gw.cli(['agents', 'set-identity', 'work', '--name', 'Rex']));
	assert.match(readFileSync(path.join(made.workspace, 'IDENTITY.md'), 'utf8'), /Name: Rex/);
	assert.equal((await gw.cli(['agents', 'set-identity', 'work'])).code, 1);
	assert.equal((await gw.cli(['agents', 'set-identity', 'nobody', '--name', 'x'])).code, 1);
	assert.match(ok(await gw.cli(['agents', 'delete', 'work'])).stdout, /deleted agent work\nmoved .* to the trash/);
	assert.deepEqual((await json(['agents', 'list'])).map((a) => a.id), ['main']);
	await c.close();
});
