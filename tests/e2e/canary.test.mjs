/*
 * canary.test.mjs - a secret in each place that holds one, used, refused, echoed by peers and looked for by commands. Then
 * every byte is searched: files, frames, what models and children got, argv, environments, output, before and after a kill.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { once } from 'node:events';
import path from 'node:path';
import { test } from 'node:test';
import { Obedient, callTool } from './lib/exec.mjs';
import { textOf } from './lib/client.mjs';
import { filesBelow } from './lib/disk.mjs';
import { Gateway } from './lib/gateway.mjs';
import { tempDir } from './lib/proc.mjs';
import { stopAll, until } from './lib/wait.mjs';

const events = { caps: ['tool-events', 'approvals'] };
const canary = (name) => `cnry-${name}-${randomBytes(12).toString('hex')}`;
const secrets = Object.fromEntries(['config', 'environ', 'file', 'store', 'program', 'header', 'bearer', 'search', 'ambient']
	.map((name) => [name, canary(name)]));
const providers = ['config', 'environ', 'file', 'store', 'program'];

/* A service that says its caller's credentials back, in every way that services do. */
async function echo(t) {
	const server = http.createServer((req, res) => {
		const got = req.headers['x-api-key'] ?? req.headers['x-subscription-token'] ?? '', bearer = req.headers.authorization ?? '';

		res.writeHead(/refuse/.test(req.url) ? 403 : 200, { 'content-type': 'application/json', 'x-echo': got });
		res.end(JSON.stringify({ error: `the key ${got} is not valid`, bearer, [got]: 1, coded: Buffer.from(got).toString('base64') }));
	});

	server.listen(0, '127.0.0.1');
	await once(server, 'listening');
	t.after(() => {
		server.closeAllConnections();
		server.close();
	});
	return `http://127.0.0.1:${server.address().port}`;
}

/* Obeys, and refuses a request with the words of its key when it is told to. */
async function model() {
	const o = await Obedient.start(), obey = o.double.answer;

	o.double.answer = (call) => {
		o.keys.add((call.headers.authorization ?? '').replace('Bearer ', ''));
		if (/be refused/.test(call.userText))
			call.fail(401, `Incorrect API key provided: ${call.headers.authorization}`);
		else
			obey(call);
	};
	o.keys = new Set();
	return o;
}

function config(o, url, dir) {
	const api = (apiKey) => ({ baseUrl: `http://127.0.0.1:${o.double.port}/v1`, api: 'openai-completions', apiKey,
		models: [{ id: 'm', contextWindow: 64000, maxTokens: 4096 }] });

	writeFileSync(path.join(dir, 'key.txt'), secrets.file, { mode: 0o600 });
	writeFileSync(path.join(dir, 'keys.sh'), `#!/bin/sh\ncat > /dev/null\necho '{"protocolVersion":1,"values":{"x":"${secrets.program}"}}'\n`,
		{ mode: 0o700 });
	return {
		logging: { level: 'debug' },
		secrets: { providers: { disk: { source: 'file', path: path.join(dir, 'key.txt'), mode: 'singleValue' },
			helper: { source: 'exec', command: path.join(dir, 'keys.sh') } } },
		models: { mode: 'merge', providers: { ...o.double.config.models.providers, config: api(secrets.config), environ: api('${PROVIDER_KEY}'),
			file: api({ source: 'file', provider: 'disk', id: 'value' }), store: api({ source: 'store', provider: 'default', id: 'STORED_API_KEY' }),
			program: api({ source: 'exec', provider: 'helper', id: 'x' }) } },
		agents: { defaults: { model: { primary: 'double/double-1' }, skipBootstrap: true, sandbox: { mode: 'off' } },
			entries: { main: {}, boxed: { sandbox: { mode: 'all', workspaceAccess: 'rw' } }, asker: { tools: { exec: { mode: 'ask' } } } } },
		plugins: { entries: { brave: { config: { webSearch: { apiKey: secrets.search, baseUrl: `${url}/refuse` } } } } },
		tools: { exec: { mode: 'full' }, web: { search: { provider: 'brave' } }, http: {
			echo: { url, description: 'Echoes.', headers: { 'x-api-key': { source: 'env', id: 'HEADER_KEY' } },
				bearer: { source: 'env', id: 'BEARER_KEY' } },
			refuse: { url: `${url}/refuse`, description: 'Refuses.', headers: { 'x-api-key': { source: 'env', id: 'HEADER_KEY' } } } } },
	};
}

async function setup(t) {
	const o = await model(), url = await echo(t), aside = tempDir('canary');
	let gw;

	t.after(() => stopAll(gw, o));
	gw = await Gateway.start({ config: config(o, url, aside), env: { PROVIDER_KEY: secrets.environ, HEADER_KEY: secrets.header,
		BEARER_KEY: secrets.bearer, AMBIENT_SECRET: secrets.ambient } });

	return { gw, o };
}

/* -- the search -- */

const found = (bytes, all) => Object.entries(all).filter(([, value]) => bytes.includes(value) ||
	bytes.includes(Buffer.from(value).toString('base64').replace(/=+$/, '').slice(0, -2))).map(([name]) => name);

/* What stands in the configuration as text stands in its file, and in the copies that are kept of it. */
const isConfig = (file) => /^chela\.json/.test(path.basename(file)) || /last-good|config-backups/.test(file);

function assertNoFile(gw, all) {
	for (const [file, bytes] of filesBelow(gw.dir))
		if (!isConfig(file))
			assert.deepEqual(found(bytes, all), [], `${path.relative(gw.dir, file)} holds a secret`);
}

function assertNoneSaid(places, all) {
	for (const [place, text] of Object.entries(places))
		assert.deepEqual(found(text, all), [], `${place} holds a secret: ${excerpt(text, all)}`);
}

function excerpt(text, all) {
	const at = Math.min(...Object.values(all).map((v) => text.indexOf(v)).filter((i) => i >= 0));

	return Number.isFinite(at) ? text.slice(Math.max(0, at - 300), at + 80) : '';
}

/* Descendants of a process. */
function below(pid) {
	const rows = execFileSync('ps', ['-eo', 'pid=,ppid='], { encoding: 'utf8' }).trim().split('\n').map((l) => l.trim().split(/\s+/).map(Number));
	const out = [pid];

	for (let i = 0; i < out.length; i++)
		out.push(...rows.filter(([, parent]) => parent === out[i]).map(([child]) => child));
	return out.slice(1);
}

const proc = (pid, name) => {
	try {
		return readFileSync(`/proc/${pid}/${name}`, 'latin1');
	} catch {
		return '';                       /* it has ended */
	}
};

/* Reads of everything that has no parameters, and of what this test made. */
async function askEverything(c, key) {
	const said = [];

	for (const method of c.hello.features.methods.filter((m) => /\.(list|get|status|tail|effective|catalog|history|startup|preview|schema)$|^(health|status|usage\.\w+|sessions\.\w*(usage|timeseries|logs))$/.test(m)))
		for (const params of [{}, { sessionKey: key }, { key }, { agentId: 'main' }])
			said.push(JSON.stringify(await c.request(method, params)));
	return said.join('\n');
}

test('test_threat_secret_disclosure_canaries', { timeout: 90000 }, async (t) => {
	const { gw, o } = await setup(t);
	let c = await gw.connect(events);
	const all = { ...secrets, token: gw.token };
	const use = (name, args, options = {}) => callTool(c, name, args, options);

	await c.call('secrets.store.set', { name: 'STORED_API_KEY', value: secrets.store, kind: 'secret' });

	await t.test('each credential is used, and refused with its own words', async () => {
		for (const name of providers) {
			const key = `agent:main:p-${name}`;

			await c.call('sessions.create', { key });
			await c.call('sessions.patch', { key, model: `${name}/m` });
			assert.equal((await c.turn(key, 'hello')).state, 'final', name);
			assert.ok(o.keys.has(secrets[name]), `${name} is used`);
			await c.turn(key, 'be refused');
		}
		for (const tool of ['http_echo', 'http_refuse'])
			await use(tool, {});
		assert.equal((await use('web_search', { query: 'x' })).isError, true);
		await c.request('webSearch.test', { query: 'x' });
	});

	await t.test('commands that look for them', async () => {
		for (const command of ['env; export -p; set', 'cat ../chela.json* ../logs/*', 'cat ../chela.sqlite*', 'cat ../chela.json; sleep 0.4; echo',
			'while read -r l; do echo "$l" >&2; sleep 0.02; done < ../chela.json', 'cat /proc/self/environ'])
			await use('exec', { command });
		await use('exec', { command: `cat ../chela.json`, pty: true });
		const { details } = await use('exec', { command: 'cat ../chela.json; sleep 0.2', background: true });

		await o.heard.find((text) => text.includes(details.sessionId), { what: 'the end of a command' });
		await use('process', { action: 'log', sessionId: details.sessionId });
		await use('exec', { command: 'env; cat /proc/*/environ /proc/1/cmdline; cat ../chela.json ../../chela.json ~/state/chela.json' },
			{ key: 'agent:boxed:main' });
		for (const file of ['../chela.json', '../secrets.key', '/proc/self/environ', `${gw.state}/chela.json`]) {
			await use('read', { path: file });
			await use('grep', { pattern: 'cnry', path: file });
		}
		await use('grep', { pattern: 'cnry', path: '..' });
	});

	await t.test('children: argv and environment while they run', async () => {
		const running = await Promise.all([use('exec', { command: 'exec sleep 1000', background: true }, { key: 'agent:main:c1' }),
			use('exec', { command: 'exec sleep 1000', background: true }, { key: 'agent:boxed:c2' }),
			use('exec', { command: 'exec sleep 1000', background: true, pty: true }, { key: 'agent:main:c3' })]);
		const pids = below(gw.proc.pid);

		assert.ok(running.every((r) => !r.isError) && pids.length >= 3);
		for (const pid of pids)
			for (const name of ['cmdline', 'environ'])
				assert.deepEqual(found(proc(pid, name), all), [], `${name} of ${proc(pid, 'cmdline')}`);
		assert.deepEqual(found(proc(gw.proc.pid, 'cmdline'), all), []);
	});

	const key = 'agent:main:main';
	const places = async () => ({ 'what methods answer': await askEverything(c, key), 'the exported conversation': JSON.stringify(await c.turn(key, '/export-session')),
		'the audit of commands': (await gw.cli(['audit', '--json'])).stdout, 'config get': (await gw.cli(['config', 'get'])).stdout,
		'tools explain': (await gw.cli(['tools', 'explain'])).stdout, frames: JSON.stringify(c.frames.items),
		'the output': gw.proc.stdout + gw.proc.stderr, 'what the model got': JSON.stringify(o.double.calls.map((call) => call.body)) });

	await t.test('an approval that waits', async () => {
		const from = c.frames.items.length, waiting = use('exec', { command: 'touch waits' }, { key: 'agent:asker:main' });

		waiting.catch(() => undefined);
		await c.event('exec.approval.requested', () => true, { from });
	});
	await t.test('nothing of it is anywhere', async () => {
		assertNoneSaid(await places(), all);
		assertNoFile(gw, all);
	});
	await t.test('nor after a kill', async () => {
		c.terminate();
		await gw.kill();
		await gw.launch();
		c = await gw.connect(events);
		assert.equal(textOf((await c.turn(key, 'hello')).message), 'noted');
		await until(async () => (await c.call('exec.approval.list')).length === 1, 'what waited to wait');
		assertNoneSaid(await places(), all);
		assertNoFile(gw, all);
	});
	await c.close();
});
