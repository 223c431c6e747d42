/*
 * exec-allowlist.test.mjs - which commands run on the host without a yes: entries of the approvals document, safe bins, what
 * allow-always remembers; the document and the grants over the wire, and by OpenClaw's own command line.
 */
import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { callTool, execGateway } from './lib/exec.mjs';
import { openclaw, openclawHome } from './lib/openclaw.mjs';

const asking = { agents: { defaults: { sandbox: { mode: 'off' } } }, tools: { exec: { mode: 'ask' } } };
const events = { caps: ['tool-events'] };

test('allowlists', { timeout: 240000 }, async (t) => {
	const { gw } = await execGateway(t, asking);
	const c = await gw.connect(events);
	const file = (name) => path.join(gw.state, 'workspace', name);
	const exec = (command, args = {}) => callTool(c, 'exec', { command, ...args });
	const document = async (agents, more = {}) => c.call('exec.approvals.set', {
		file: { version: 1, agents, ...more }, baseHash: (await c.call('exec.approvals.get')).hash });
	const asked = async (command, decision = 'deny', args = {}) => {
		const from = c.frames.items.length, result = exec(command, args);

		result.catch(() => undefined);
		const { id, request } = (await c.event('exec.approval.requested', () => true, { from })).payload;

		await c.call('exec.approval.resolve', { id, decision });
		return { ...await result, id, request };
	};

	mkdirSync(path.join(gw.state, 'workspace'), { recursive: true });
	await t.test('an entry lets its program run, and nothing beside it', async () => {
		await document({ main: { allowlist: [{ pattern: 'echo' }, { pattern: '/usr/bin/cat', argPattern: '^note\\.txt$' }] } });
		writeFileSync(file('note.txt'), 'a note\n');
		assert.equal((await exec('echo a b | wc -w; cat note.txt')).text, '2\na note\n');
		for (const command of ['cat other.txt', 'echo a > made', 'echo $HOME', 'nice echo a', 'echo `touch made`', 'sh -c "touch made; awk 1"'])
			assert.equal((await asked(command)).isError, true, command);
		assert.ok(!existsSync(file('made')));
		assert.equal((await asked('echo a', 'deny', { env: { HOME: '/tmp' } })).isError, true);
		assert.equal((await exec('echo a', { env: { LC_ALL: 'C' } })).text, 'a\n');
		const { file: doc } = await c.call('exec.approvals.get');

		assert.match(doc.agents.main.allowlist.find((e) => e.pattern === 'echo').lastResolvedPath, /\/echo$/);
	});

	await t.test('test_cve_2026_28463_no_shell_expands_what_matched', async () => {
		assert.equal((await exec('echo \'$HOME *\' "~" \\`x\\`')).text, '$HOME * ~ `x`\n');
	});

	await t.test('allow-always holds for the same words, place and program', async () => {
		writeFileSync(file('tool'), '#!/bin/sh\necho "ran $1"\n');
		chmodSync(file('tool'), 0o755);
		const first = await asked('./tool x', 'allow-always');

		assert.equal(first.text, 'ran x\n');
		assert.deepEqual(first.request.allowedDecisions, ['allow-once', 'allow-always', 'deny']);
		assert.equal((await exec('./tool x')).text, 'ran x\n');
		await asked('./tool y');
		await asked('./tool x', 'deny', { workdir: '/usr' });
		writeFileSync(file('tool'), '#!/bin/sh\necho evil\n');
		assert.equal((await asked('./tool x')).isError, true);
		writeFileSync(file('tool'), '#!/bin/sh\necho "ran $1"\n');
		assert.equal((await exec('./tool x')).text, 'ran x\n');
		const { grants } = await c.call('exec.approval.grants.list');

		assert.equal(grants.length, 1);
		assert.equal(grants[0].mintedByApprovalId, first.id);
		assert.equal(grants[0].command, './tool x');
		assert.deepEqual(await c.call('exec.approval.grants.revoke', { grantId: grants[0].grantId }), { outcome: 'revoked' });
		assert.deepEqual(await c.call('exec.approval.grants.revoke', { grantId: grants[0].grantId }), { outcome: 'not-found' });
		await asked('./tool x');
	});

	await t.test('what runs is what was shown', async () => {
		const from = c.frames.items.length, result = exec('./tool z');

		result.catch(() => undefined);
		const { id } = (await c.event('exec.approval.requested', () => true, { from })).payload;

		writeFileSync(file('tool'), '#!/bin/sh\ntouch swapped\n');
		await c.call('exec.approval.resolve', { id, decision: 'allow-once' });
		const r = await result;

		assert.equal(r.isError, true);
		assert.match(r.text, /changed-since-shown/);
		assert.ok(!existsSync(file('swapped')));
	});

	await t.test('the document narrows', async () => {
		await document({ '*': { security: 'deny' } });
		const r = await exec('echo a');

		assert.equal(r.isError, true);
		assert.match(r.text, /security=deny/);
		await document({ main: { ask: 'always', allowlist: [{ pattern: 'echo' }] } });
		assert.deepEqual((await asked('echo a', 'allow-once')).request.allowedDecisions, ['allow-once', 'deny']);
	});

	await t.test('the document is refused with the place, and guarded by its hash', async () => {
		const { hash } = await c.call('exec.approvals.get');
		const wrong = async (file, pattern, baseHash = hash) => {
			const e = await c.fails('exec.approvals.set', { file, baseHash });

			assert.equal(e.code, 'INVALID_REQUEST');
			assert.match(e.message, pattern);
		};

		await wrong({ version: 1 }, /changed since last load/, 'stale');
		await wrong({ version: 1, agents: { main: { allowlist: [{ pattern: 'ls' }, { pattern: '../x' }] } } }, /allowlist\.1\.pattern/);
		await wrong({ version: 1, agents: { main: { allowlist: [{ pattern: 'ls', argPattern: '(' }] } } }, /allowlist\.0\.argPattern/);
		await wrong({ version: 1, agents: { main: { power: 'full' } } }, /unexpected property 'power'/);
		await wrong({ version: 1, defaults: { security: 'none' } }, /file\.defaults\.security/);
		await document({}, { socket: { path: '/tmp/x', token: 't' } });
		assert.ok(!('socket' in (await c.call('exec.approvals.get')).file));
	});

	await t.test('only an administrator reads and writes it', async () => {
		const d = await gw.connect({ scopes: ['operator.read', 'operator.write', 'operator.approvals'] });

		for (const [method, params] of [['exec.approvals.get', {}], ['exec.approvals.set', { file: { version: 1 } }]])
			assert.match((await d.fails(method, params)).message, /scope/);
		await d.close();
	});

	await t.test('OpenClaw\'s command line reads and writes it', async () => {
		const home = openclawHome(gw, 'local');
		const added = await openclaw(gw, home, ['approvals', 'allowlist', 'add', '--gateway', '--agent', 'main', '/usr/bin/uptime']);

		assert.equal(added.code, 0, added.stderr);
		assert.ok((await c.call('exec.approvals.get')).file.agents.main.allowlist.some((e) => e.pattern === '/usr/bin/uptime'));
	});
});
