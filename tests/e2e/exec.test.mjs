/*
 * exec.test.mjs - commands through the gateway, called by a model double: on the host, in the background, on a terminal,
 * in the sandbox, with a person's yes, across a restart and a kill.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { allQuiet, callTool, execGateway, isDead } from './lib/exec.mjs';
import { Pulse } from './lib/pulse.mjs';
import { until } from './lib/wait.mjs';

const onHost = { agents: { defaults: { sandbox: { mode: 'off' } } }, tools: { exec: { mode: 'full' } } };
const asking = { agents: { defaults: { sandbox: { mode: 'off' } } }, tools: { exec: { mode: 'ask' } } };
const sandboxed = { agents: { defaults: { sandbox: { mode: 'all', workspaceAccess: 'rw' } } }, tools: { elevated: { enabled: false } } };
const events = { caps: ['tool-events'] };

test('commands on the host', { timeout: 60000 }, async (t) => {
	const { gw, model } = await execGateway(t, onHost, { env: { GATEWAY_CANARY: 'sk-canary-1' } });
	const c = await gw.connect(events);
	const exec = (args, o) => callTool(c, 'exec', args, o), proc = (args, o) => callTool(c, 'process', args, o);
	const workspace = path.join(gw.state, 'workspace');

	await t.test('output, exit code, directory, environment', async () => {
		let r = await exec({ command: 'echo out; echo err >&2; pwd; exit 3' });

		assert.match(r.text, /out/);
		assert.match(r.text, /err/);
		assert.match(r.text, new RegExp(workspace));
		assert.match(r.text, /\[exit code 3\]/);
		assert.equal(r.details.exitCode, 3);
		assert.equal(r.details.status, 'completed');
		assert.equal(r.isError, false);
		r = await exec({ command: 'echo "$MINE"; env | sort', env: { MINE: 'from the call' } });
		assert.match(r.text, /^from the call\n/);
		assert.match(r.text, /^OPENCLAW_SHELL=exec$/m);
		assert.ok(!r.text.includes('canary') && !r.text.includes(gw.token) && !/CHELA_|sk-double/.test(r.text), r.text);
		r = await exec({ command: 'true' });
		assert.equal(r.text, '(no output)');
		r = await exec({ command: 'pwd', workdir: '/usr' });
		assert.equal(r.text, '/usr\n');
		r = await exec({ command: 'pwd', workdir: '/nonexistent' });
		assert.equal(r.isError, true);
	});

	await t.test('test_threat_exec_environment_steers_a_program', async () => {
		for (const name of ['PATH', 'LD_PRELOAD', 'LD_LIBRARY_PATH', 'DYLD_INSERT_LIBRARIES', 'NODE_OPTIONS', 'PYTHONSTARTUP',
			'PYTHONPATH', 'PERL5OPT', 'RUBYOPT', 'BASH_ENV', 'ENV', 'GIT_SSH_COMMAND', 'GIT_EXTERNAL_DIFF', 'GIT_CONFIG_COUNT',
			'OPENCLAW_SHELL', 'A-B', 'BASH_FUNC_ls%%']) {
			const r = await exec({ command: 'echo ran', env: { [name]: '/tmp/x' } });

			assert.equal(r.isError, true, name);
			assert.ok(!r.text.includes('ran\n'), name);
		}
	});

	await t.test('a long output is told while it comes, and cut', async () => {
		const from = c.frames.items.length;
		const ended = exec({ command: 'echo first; until [ -e told ]; do sleep 0.05; done; seq 1 20000; echo last' });

		ended.catch(() => undefined);
		await c.event('agent', (p) => p.stream === 'tool' && p.data.phase === 'update' && p.data.partialResult.content[0].text.includes('first'), { from });
		writeFileSync(path.join(workspace, 'told'), '');
		const r = await ended;

		assert.match(r.text, /^\[the last \d+ of \d+ bytes\]/);
		assert.match(r.text, /last\n$/);
	});

	await t.test('a time limit', async () => {
		const r = await exec({ command: 'echo x; exec sleep 1000', timeoutSeconds: 1 });

		assert.equal(r.isError, true);
		assert.equal(r.details.timedOut, true);
		assert.match(r.text, /time limit/);
	});

	await t.test('in the background: every action of process', async () => {
		let r = await exec({ command: 'echo ready; while read -r line; do echo "got $line"; done; echo end', background: true });
		const id = r.details.sessionId;

		assert.equal(r.details.status, 'running');
		assert.match(id, /^[a-z]+-[a-z]+-\d$/);
		r = await proc({ action: 'list' });
		assert.ok(r.details.sessions.some((s) => s.sessionId === id && s.status === 'running' && s.stdinWritable), r.text);
		r = await proc({ action: 'write', sessionId: id, data: 'one\ntwo\n' });
		assert.equal(r.details.status, 'running');
		await until(async () => (await proc({ action: 'log', sessionId: id })).text.includes('got two'), 'its answer');
		r = await proc({ action: 'log', sessionId: id, offset: 1, limit: 1 });
		assert.equal(r.details.output, 'got one\n');
		r = await proc({ action: 'submit', sessionId: id });
		assert.equal(r.isError, false);
		r = await proc({ action: 'paste', sessionId: id, text: 'pasted\n' });
		r = await proc({ action: 'write', sessionId: id, eof: true });
		await until(async () => {
			r = await proc({ action: 'poll', sessionId: id, timeout: 5000 });
			return r.details.status !== 'running';
		}, 'its end');
		assert.equal(r.details.status, 'completed');
		assert.equal(r.details.exitCode, 0);
		r = await proc({ action: 'log', sessionId: id });
		assert.match(r.text, /got pasted\nend\n/);
		r = await proc({ action: 'kill', sessionId: id });
		assert.equal(r.isError, true);
		r = await proc({ action: 'clear', sessionId: id });
		assert.equal(r.details.status, 'completed');
		r = await proc({ action: 'log', sessionId: id });
		assert.equal(r.details.status, 'failed');
		r = await exec({ command: 'sleep 1000', background: true });
		const { sessionId, pid } = r.details;

		r = await proc({ action: 'kill', sessionId });
		assert.match(r.text, /stopped/);
		assert.ok(isDead(pid));
		r = await proc({ action: 'poll', sessionId });
		assert.equal(r.details.status, 'completed');
		r = await proc({ action: 'remove', sessionId });
		assert.equal(r.isError, false);
		r = await proc({ action: 'send-keys', sessionId, keys: ['Enter'] });
		assert.equal(r.isError, true);
	});

	await t.test('on a terminal: keys and paste', async () => {
		let r = await exec({ command: 'tty; read -r a; echo "<$a>"; read -rs b; echo "[$b]"; cat', pty: true, yieldMs: 300 });
		const { sessionId } = r.details;
		const log = async (text) => until(async () => (await proc({ action: 'log', sessionId })).text.includes(text), text);

		await log('/dev/pts/');
		await proc({ action: 'send-keys', sessionId, literal: 'typed ', hex: ['c3', 'a9'], keys: ['Enter'] });
		await log('<typed é>');
		await proc({ action: 'paste', sessionId, text: 'pasted', bracketed: false });
		await proc({ action: 'submit', sessionId });
		await log('[pasted]');
		r = await proc({ action: 'send-keys', sessionId, keys: ['C-nonsense'] });
		assert.equal(r.isError, true);
		await proc({ action: 'send-keys', sessionId, keys: ['C-c'] });
		await until(async () => {
			r = await proc({ action: 'poll', sessionId, timeout: 5000 });
			return r.details.status !== 'running';
		}, 'its end');
	});

	await t.test('the session hears of an end in the background, once', async () => {
		const from = model.heard.items.length;
		const r = await exec({ command: 'sleep 0.3; echo the result; exit 5', background: true });
		const { item } = await model.heard.find((text) => text.includes(r.details.sessionId), { from, what: 'the completion' });

		assert.match(item, /\[OpenClaw exec completion\]/);
		assert.match(item, /exit code 5/);
		assert.match(item, /the result/);
		await exec({ command: 'true' }, { key: 'agent:main:main' });
		assert.equal(model.heard.items.slice(from).filter((text) => text.includes(r.details.sessionId)).length, 1);
	});

	await t.test('processes of a deleted session end, those of another agent are not seen', async () => {
		const key = 'agent:main:side';
		const r = await exec({ command: 'exec sleep 1000', background: true }, { key });

		assert.ok(!isDead(r.details.pid));
		await c.call('sessions.delete', { key });
		await until(() => isDead(r.details.pid), 'the command to end with its session');
	});

	await t.test('test_threat_hang_50_commands_and_health', async () => {
		const started = await Promise.all(Array.from({ length: 50 }, (_, i) => exec({ command: 'exec sleep 1000', background: true },
			{ key: `agent:main:h${i}`, ms: 30000 })));

		const pulse = await Pulse.start(gw);

		for (let i = 0; i < 20; i++)
			await c.call('health');
		const health = await pulse.stop();

		assert.ok(health.p100 < 250, `health took ${health.p100} ms`);
		assert.ok(started.every((r) => !isDead(r.details.pid)));
		t.after(() => started.forEach((r) => assert.ok(isDead(r.details.pid), 'a command outlived the gateway')));
	});

	await c.close();
});

test('test_threat_orphan_of_a_killed_gateway', { timeout: 60000 }, async (t) => {
	const { gw } = await execGateway(t, onHost);
	const c = await gw.connect(events);
	const r = await callTool(c, 'exec', { background: true, command:
		"(setsid sh -c 'sleep 1000 & echo $! > away; wait' &); sleep 1000 & echo $! > near; wait" });
	const pids = () => [r.details.pid, ...['near', 'away'].map((f) => {
		const file = path.join(gw.state, 'workspace', f);

		return existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0;
	})];

	await until(() => pids().every((p) => p > 0), 'all to run');
	c.terminate();
	await gw.kill();
	await until(() => pids().every(isDead), 'all to end with the gateway');
	await gw.launch();
});

test('with a person\'s yes', { timeout: 60000 }, async (t) => {
	const { gw, model } = await execGateway(t, asking);
	const c = await gw.connect(events);
	const file = (name) => path.join(gw.state, 'workspace', name);
	const asked = async (command, args = {}) => {
		const from = c.frames.items.length, result = callTool(c, 'exec', { command, ...args }, { key: 'agent:main:main' });

		result.catch(() => undefined);
		const { id, request } = (await c.event('exec.approval.requested', () => true, { from })).payload;

		return { id, request, result };
	};

	await t.test('shown whole, allowed, run', async () => {
		const { id, request, result } = await asked('echo a > made && cat made');

		assert.equal(request.command, 'echo a > made && cat made');
		assert.equal(request.host, 'gateway');
		assert.equal(request.sessionKey, 'agent:main:main');
		assert.deepEqual(request.allowedDecisions, ['allow-once', 'deny']);
		assert.ok(!existsSync(file('made')));
		await c.call('exec.approval.resolve', { id, decision: 'allow-once' });
		const r = await result;

		assert.equal(r.text, 'a\n');
		assert.equal(r.details.approvalId, id);
	});

	await t.test('denied', async () => {
		const { id, result } = await asked('touch never');

		await c.call('exec.approval.resolve', { id, decision: 'deny' });
		const r = await result;

		assert.equal(r.isError, true);
		assert.match(r.text, new RegExp(`^Exec denied \\(gateway id=${id}, user-denied\\): touch never`));
		assert.ok(!existsSync(file('never')));
	});

	await t.test('test_cve_2026_53829_every_byte_is_shown', async () => {
		const command = `echo ${'x'.repeat(5000)} \u202e\u200b; touch hidden`;
		const { id, request, result } = await asked(command, { env: { A: '\u202eb' }, workdir: '/usr' });

		assert.ok(request.command.includes('x'.repeat(5000)));
		assert.match(request.command, /\\u\{202e\}\\u\{200b\}; touch hidden$/);
		assert.match(request.warningText, /\/usr/);
		assert.match(request.warningText, /A=\\u\{202e\}b/);
		assert.ok(request.commandAnalysis.riskKinds.includes('hidden-characters'));
		await c.call('exec.approval.resolve', { id, decision: 'deny' });
		await result;
	});

	await t.test('a run that is stopped takes its question back', async () => {
		const { id } = await asked('touch stopped');

		await c.call('chat.abort', { sessionKey: 'agent:main:main' });
		await c.event('exec.approval.resolved', (p) => p.id === id);
		const error = await c.fails('exec.approval.resolve', { id, decision: 'allow-once' });

		assert.ok(error);
		/* That it was stopped is told before it is free again. */
		await allQuiet(c);
		assert.ok(!existsSync(file('stopped')));
	});

	await t.test('across a restart: still pending, run once, the session hears of it', async () => {
		const from = model.heard.items.length;
		const { id } = await asked('echo again >> late; cat late');

		c.terminate();
		await gw.kill();
		await gw.launch();
		const d = await gw.connect(events);

		assert.ok((await d.call('exec.approval.list')).some((r) => r.id === id), 'it is still pending');
		await d.call('exec.approval.resolve', { id, decision: 'allow-once' });
		const { item } = await model.heard.find((text) => text.includes('echo again'), { from, what: 'the result' });

		assert.match(item, /again\n/);
		assert.equal(readFileSync(file('late'), 'utf8'), 'again\n');
		await d.close();
		await gw.restart();
		const e = await gw.connect(events);

		assert.equal((await e.call('exec.approval.list')).length, 0);
		assert.equal(readFileSync(file('late'), 'utf8'), 'again\n', 'it ran once');
		await e.close();
	});
});

test('nobody can be asked', { timeout: 60000 }, async (t) => {
	const { gw } = await execGateway(t, asking);
	const c = await gw.connect({ ...events, scopes: ['operator.read', 'operator.write'] });
	const r = await callTool(c, 'exec', { command: 'touch x' });

	assert.equal(r.isError, true);
	assert.match(r.text, /^Exec denied \(no-approver\): touch x\n.*approvals/);
	await c.close();
});

/* "Scope/role self-claim": whatever tools.exec.mode says, it says it of the owner. */
test('threat: who may only write does not speak for the owner', { timeout: 60000 }, async (t) => {
	const { gw } = await execGateway(t, onHost);
	const writer = await gw.connect({ ...events, scopes: ['operator.read', 'operator.write'] }), owner = await gw.connect(events);
	const asked = owner.event('exec.approval.requested');
	const ran = callTool(writer, 'exec', { command: 'touch written' });

	await owner.call('exec.approval.resolve', { id: (await asked).payload.id, decision: 'deny' });
	assert.match((await ran).text, /user-denied/);
	assert.equal((await callTool(owner, 'exec', { command: 'echo mine' })).text.trim(), 'mine');
	await Promise.all([writer.close(), owner.close()]);
});

test('in the sandbox', { timeout: 60000 }, async (t) => {
	const { gw } = await execGateway(t, sandboxed);
	const c = await gw.connect(events);
	const exec = (args) => callTool(c, 'exec', args);
	let r = await exec({ command: 'id -u > /dev/null; echo inside > made; cat made; ls /root /home 2>&1; cat /proc/1/comm' });

	assert.equal(r.details?.host, 'sandbox', r.text);
	assert.match(r.text, /^inside\n/);
	assert.equal(readFileSync(path.join(gw.state, 'workspace', 'made'), 'utf8'), 'inside\n');
	r = await exec({ command: 'echo x', host: 'gateway' });
	assert.equal(r.isError, true);
	assert.match(r.text, /sandboxed/);
	r = await exec({ command: 'echo x', elevated: true });
	assert.equal(r.isError, true);
	assert.match(r.text, /tools\.elevated/);
	r = await exec({ command: 'echo x', host: 'node' });
	assert.equal(r.isError, true);
	r = await exec({ command: 'pwd', workdir: '/usr' });
	assert.equal(r.isError, true);
	r = await exec({ command: 'tty && stty size', pty: true });
	assert.match(r.text, /30 120/, r.text);
	r = await exec({ command: "setsid sh -c 'exec sleep 1000' & echo gone", background: false });
	assert.match(r.text, /gone/);
	r = await exec({ command: 'cat', background: true });
	r = await callTool(c, 'process', { action: 'write', sessionId: r.details.sessionId, data: 'hello\n', eof: true });
	assert.equal(r.isError, false);
	await c.close();
});
