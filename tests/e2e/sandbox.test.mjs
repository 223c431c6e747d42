/*
 * sandbox.test.mjs - a tool of the workspace, called by a model that wants out: what it finds of the gateway, the machine
 * and the network; that tools change with their files; `chela sandbox explain`.
 */
import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ModelDouble } from '../doubles/model.mjs';
import { gatewayTest } from './lib/gateway.mjs';
import { CHELA } from './lib/peers.mjs';
import { run } from './lib/proc.mjs';
import { until } from './lib/wait.mjs';

const KEY = 'agent:main:main';
const CANARY = 'canary-9b1d6f';

const doubleGateway = async (t) => {
	t.model = await ModelDouble.start();
	t.after(() => t.model.stop());
	return {
		config: { ...t.model.config, agents: { ...t.model.config.agents, defaults: { ...t.model.config.agents?.defaults,
			sandbox: { network: { hosts: ['127.0.0.1', 'localhost', 'metadata.google.internal'] } } } } },
		env: { CHELA_CANARY: CANARY },
	};
};

async function workspaceOf(c) {
	const { agents } = await c.call('agents.list');

	mkdirSync(path.join(agents[0].workspace, 'tools'), { recursive: true });
	return agents[0].workspace;
}

function putTool(workspace, name, manifest, script) {
	const file = path.join(workspace, 'tools', `${name}.sh`);

	writeFileSync(path.join(workspace, 'tools', `${name}.json`), JSON.stringify({ description: `the tool ${name}`, command: `${name}.sh`, ...manifest }));
	writeFileSync(file, script);
	chmodSync(file, 0o755);
}

/* A tool that does what the model says: the worst one there can be. */
const SHELL = { stdin: 'json', parameters: { type: 'object', properties: { script: { type: 'string' } }, required: ['script'] } };
const shellScript = '#!/usr/bin/perl\nlocal $/; <STDIN> =~ /^\\{"script":"(.*)"\\}$/s or die; $_ = $1; s/\\\\n/\\n/g; s/\\\\(["\\\\])/$1/g;\n'
	+ 'exec "/bin/bash", "-c", $_;\n';

let calls = 0;

async function attack(c, t, tool, script) {
	const id = `r${++calls}`;

	await c.call('chat.send', { sessionKey: KEY, message: 'go', idempotencyKey: id });
	(await t.model.next()).tool(`call-${id}`, tool, { script }).end('tool_calls');
	const next = await t.model.next();
	const { content } = next.toolResults.at(-1);

	next.text('done').end();
	await c.runEnd(id);
	return content;
}

gatewayTest('test_threat_sandbox_escape: a tool of the workspace gets nothing of what is outside', { gateway: doubleGateway },
	async (gw, t) => {
		const c = await gw.connect();
		const workspace = await workspaceOf(c);

		putTool(workspace, 'shell', SHELL, shellScript);
		putTool(workspace, 'online', { ...SHELL, network: { hosts: ['127.0.0.1', 'localhost', 'metadata.google.internal', 'example.org'] } }, shellScript);
		const pid = gw.proc.child?.pid ?? gw.proc.pid;

		assert.equal((await attack(c, t, 'user_shell', 'echo alive; pwd')).trim(), `alive\n${workspace}`);
		for (const script of [
			`cat ${gw.configPath} ${gw.state}/*; ls -A ${gw.state}; cat ../chela.json`,
			`cat /proc/${pid}/environ /proc/*/environ | tr '\\0' '\\n'; cat /proc/*/cmdline`,
			`(exec 3<>/dev/tcp/127.0.0.1/${gw.port}) 2>/dev/null && echo ${CANARY}`,
			`kill -0 ${pid} 2>/dev/null && ls -d /proc/${pid}/roo?/home && echo ${CANARY}`,
			`echo x > tools/more.json && echo ${CANARY}; mv tools gone && echo ${CANARY}; rm -rf tools; ls tools | grep -q shell || echo ${CANARY}`,
		]) {
			const text = await attack(c, t, 'user_shell', `{ ${script}; } 2>/dev/null; true`);

			for (const secret of [CANARY, gw.token])
				assert.ok(!text.includes(secret), `${script}: ${text}`);
		}
		/* The way out is the proxy, to what manifest and configuration both name and never into a private network. */
		const fetches = await attack(c, t, 'user_online', ['http://127.0.0.1:80/', `http://127.0.0.1:${gw.port}/`, 'http://localhost/',
			'http://example.org/', 'http://169.254.169.254/'].map((u) => `curl -s --noproxy '' -m 5 -o /dev/null -w '%{http_code} ' ${u}`).join('; ')
			+ `; curl -s --noproxy '' -m 5 -o /dev/null -w '%{http_connect} ' https://127.0.0.1/; env | grep -c '_proxy='; `
			+ `curl -s --noproxy '*' -m 2 http://127.0.0.1:${gw.port}/health && echo ${CANARY}; true`);

		assert.match(fetches, /403 403 403 403 403 403 4\n/);
		assert.ok(!fetches.includes(CANARY));
		assert.ok(!readFileSync(path.join(workspace, 'tools', 'shell.json'), 'utf8').includes('gone'));
		await c.close();
	});

gatewayTest('tools come, change and go with their files; what is wrong with one is said', { gateway: doubleGateway }, async (gw, t) => {
	const c = await gw.connect();
	const workspace = await workspaceOf(c);
	const offered = async () => {
		const id = `o${++calls}`;

		await c.call('chat.send', { sessionKey: KEY, message: 'which', idempotencyKey: id });
		const call = await t.model.next();

		call.text('these').end();
		await c.runEnd(id);
		return (call.body.tools ?? []).map((tool) => tool.function?.name ?? tool.name).filter((name) => name.startsWith('user_'));
	};

	assert.deepEqual(await offered(), []);
	putTool(workspace, 'hello', {}, '#!/bin/sh\necho one\n');
	assert.deepEqual(await offered(), ['user_hello']);
	assert.match(await attack(c, t, 'user_hello', 'x').catch((e) => e.message), /script|unknown|not/i);
	putTool(workspace, 'broken', { parameters: { type: 'string' } }, '#!/bin/sh\n');
	assert.deepEqual(await offered(), ['user_hello']);
	assert.ok(existsSync(path.join(workspace, 'tools', 'broken.json')));
	await c.close();
});

/* Processes of this machine whose command line holds the text; only looked at. */
const running = (text) => readdirSync('/proc').filter((p) => /^\d+$/.test(p) && Number(p) !== process.pid).filter((p) => {
	try {
		return readFileSync(`/proc/${p}/cmdline`, 'utf8').includes(text);
	} catch {
		return false;
	}
});

gatewayTest('nothing that runs inside outlives a killed gateway', { gateway: doubleGateway }, async (gw, t) => {
	const c = await gw.connect();
	const workspace = await workspaceOf(c);
	const mark = `86${process.pid}.${gw.port}`;

	putTool(workspace, 'sleeper', {}, `#!/bin/sh\n(setsid sleep ${mark} &)\nexec sleep ${mark}\n`);
	await c.call('chat.send', { sessionKey: KEY, message: 'go', idempotencyKey: 'k1' });
	(await t.model.next()).tool('call-k1', 'user_sleeper', {}).end('tool_calls');
	await until(() => running(mark).length >= 2, 'both sleepers');
	await gw.kill();
	await until(() => running(mark).length === 0, 'no sleeper is left');
	await gw.restart();
	await c.close();
});

gatewayTest('chela sandbox explain says what holds', {}, async (gw) => {
	const explain = async (...args) => JSON.parse((await run(CHELA, ['sandbox', 'explain', '--json', ...args], { env: gw.env })).stdout);
	const plain = await explain();

	assert.equal(plain.sandbox.mode, 'all');
	assert.equal(plain.sandbox.backend, 'bubblewrap');
	assert.equal(plain.sandbox.workspaceAccess, 'rw');
	assert.equal(plain.probe.ok, true, JSON.stringify(plain.probe));
	assert.equal(plain.sandbox.sessionIsSandboxed, true);
	gw.writeConfig({ agents: { defaults: { sandbox: { mode: 'non-main', backend: 'docker' } } } });
	const main = await explain('--session', 'main'), other = await explain('--session', 'agent:main:telegram:group:1');

	assert.equal(main.sandbox.sessionIsSandboxed, false);
	assert.match(main.sandbox.reason, /main session/);
	assert.match(other.probe.problem, /bubblewrap only/);
	assert.equal(other.sandbox.sessionIsSandboxed, false);
});
