/*
 * credentials.test.mjs - stored keys and those of the environment: which one a request goes out with, what happens
 * when one fails, and that none of them is seen anywhere else.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { test } from 'node:test';
import { ModelDouble } from '../doubles/model.mjs';
import { textOf } from './lib/client.mjs';
import { filesBelow, isDatabase } from './lib/disk.mjs';
import { Gateway } from './lib/gateway.mjs';
import { CHELA } from './lib/peers.mjs';
import { Proc, run } from './lib/proc.mjs';
import { stopAll, until, within } from './lib/wait.mjs';

const KEY = 'agent:main:main';
const HOUR = { headers: { 'retry-after': '3600' } };
const model = { id: 'm1', contextWindow: 64000, maxTokens: 4096 };

async function setup(t, { provider = 'acme', env = {}, config = {}, more = {} } = {}) {
	const double = await ModelDouble.start();
	const gw = await Gateway.start({ env, config: {
		models: { providers: { [provider]: { baseUrl: `http://127.0.0.1:${double.port}/v1`, api: 'openai-completions',
			models: [model], ...more } } },
		agents: { defaults: { model: { primary: `${provider}/m1` } } },
		...config,
	} });

	t.after(() => stopAll(double, gw));
	return { gw, double };
}

const bearer = (call) => (call.headers.authorization ?? '').replace(/^Bearer /, '');

async function keep(gw, key, ...args) {
	const r = await gw.cli(['models', 'auth', 'paste-api-key', '--json', ...args], { input: `${key}\n` });

	assert.equal(r.code, 0, r.stderr);
	return JSON.parse(r.stdout).profileId;
}

async function profiles(gw, ...args) {
	return JSON.parse((await gw.cli(['models', 'auth', 'list', '--json', ...args])).stdout).profiles;
}

/* One turn of which each request is answered by the next of `answers`; gives the keys they came with and how it ended. */
async function turn(gw, double, answers, { session = KEY } = {}) {
	const c = await gw.connect();
	const done = c.turn(session, 'hello');
	const keys = [];

	for (const answer of answers) {
		const call = await double.next();

		keys.push(bearer(call));
		answer(call);
	}
	const end = await done;

	await c.close();
	return { keys, end, text: textOf(end.message) };
}

const ok = (call) => call.text('fine').end();
const limited = (call) => call.fail(429, 'rate limit reached', HOUR);
const wrong = (call) => call.fail(401, 'Incorrect API key provided');

function assertNowhere(gw, secrets) {
	for (const [place, text] of [...filesBelow(gw.state).filter(([file]) => !isDatabase(file)), ['the output', gw.proc.stdout + gw.proc.stderr]])
		for (const s of secrets)
			assert.ok(!text.includes(s), `${place} holds a key`);
}

test('a key that is kept while the gateway runs is used at once, and seen nowhere', async (t) => {
	const { gw, double } = await setup(t);
	const canary = 'sk-canary-0123456789abcdef';

	assert.equal(await keep(gw, canary, '--provider', 'ACME'), 'acme:manual');
	const { keys, text } = await turn(gw, double, [ok]);

	assert.deepEqual([keys, text], [[canary], 'fine']);
	const c = await gw.connect();
	const status = await c.call('models.authStatus', {});

	assert.equal(status.providers.find((p) => p.provider === 'acme').profiles[0].profileId, 'acme:manual');
	assert.ok(!JSON.stringify([status, await c.call('config.get')]).includes(canary));
	/* The page replaces it; the order is told only to whom it concerns. */
	const second = 'sk-second-0123456789abcdef';

	assert.deepEqual(await c.call('models.authSetApiKey', { provider: 'acme', apiKey: second }),
		{ provider: 'acme', profileId: 'acme:manual' });
	assert.deepEqual((await turn(gw, double, [ok])).keys, [second]);
	await turn(gw, double, [(call) => call.fail(401, `Incorrect API key provided: ${second}`)]);
	assertNowhere(gw, [canary, second]);
	const reader = await gw.connect({ scopes: ['operator.read'] });

	assert.equal((await reader.fails('models.authSetApiKey', { provider: 'acme', apiKey: 'x' })).code, 'FORBIDDEN');
	assert.equal((await reader.call('models.authStatus', {})).providers.find((p) => p.provider === 'acme').profiles[0].lastUsedAt,
		undefined);
	assert.deepEqual((await c.call('models.authLogout', { provider: 'acme', profileIds: ['acme:manual'] })).removedProfiles,
		['acme:manual']);
	assert.match((await c.fails('models.authLogout', { provider: 'acme', profileIds: ['acme:manual'] })).message, /unavailable/);
	await reader.close();
	await c.close();
});

test('no key in argv, nothing shown at the prompt', async (t) => {
	const { gw } = await setup(t);
	const p = new Proc(CHELA, ['models', 'auth', 'paste-api-key', '--provider', 'acme'], { env: gw.env, cwd: gw.dir, stdin: 'pipe' });

	p.child.stdin.write('sk-pri');
	assert.deepEqual(readFileSync(`/proc/${p.pid}/cmdline`, 'utf8').split('\0').slice(1, 4), ['models', 'auth', 'paste-api-key']);
	p.child.stdin.end('vate-123456\n');
	await within(p.exited, 'the command to end');
	assert.equal(p.exit.code, 0, p.tail());
	assert.ok(!p.tail().includes('sk-private'));
	for (const input of ['', '\n', 'two words\n', `${'x'.repeat(20000)}\n`]) {
		const r = await gw.cli(['models', 'auth', 'paste-api-key', '--provider', 'acme'], { input });

		assert.equal(r.code, 1);
		assert.match(r.stderr, /^chela: /);
	}
});

/* Neither the tables nor what was written before a row changed: every byte of the database and its log. */
function assertNotInDatabase(gw, secret) {
	for (const [file, bytes] of filesBelow(gw.state).filter(([name]) => isDatabase(name)))
		assert.ok(!bytes.includes(secret), `${file} holds a key`);
}

test('what a provider repeats of a key when it fails is neither written nor told', async (t) => {
	const canary = 'envCanary0123456789abcdefXYZ';
	const { gw, double } = await setup(t, { provider: 'openai', env: { OPENAI_API_KEY: canary } });
	const repeats = (call) => call.fail(400, `bad request: the header was "Bearer ${canary}", key ${canary}`);

	for (const session of [KEY, 'agent:main:x'])
		assert.equal((await turn(gw, double, [repeats], { session })).end.state, 'error');
	const c = await gw.connect();
	const sent = await c.turn(KEY, '/export-session');

	assert.match(textOf(sent.message), /messages are in/);
	for (const [method, params] of [['chat.history', { sessionKey: KEY }], ['logs.tail', {}], ['config.get', {}], ['usage.cost', {}],
		['models.authStatus', {}], ['audit.list', {}], ['sessions.list', {}], ['diagnostics.stability', {}]])
		assert.ok(!JSON.stringify(await c.request(method, params)).includes(canary), `${method} tells a key`);
	await c.close();
	assertNowhere(gw, [canary]);
	assertNotInDatabase(gw, canary);
});

test('in a terminal: the key is not shown, and Ctrl-C gives the echo back', async (t) => {
	const { gw } = await setup(t);
	const tmux = (...args) => run('tmux', ['-S', path.join(gw.dir, 'tmux.sock'), '-f', '/dev/null', ...args],
		{ env: { ...gw.env, TERM: 'xterm' }, cwd: gw.dir });
	const keys = (...k) => tmux('send-keys', '-t', 't', ...k);
	const shows = (text, what) => until(async () => text.test((await tmux('capture-pane', '-p', '-t', 't')).stdout), what);

	await tmux('new-session', '-d', '-s', 't', '-x', '120', '-y', '30', 'sh');
	try {
		const command = `'${CHELA}' models auth paste-api-key --provider acme`;

		await keys('-l', command);
		await keys('Enter');
		await shows(/API key for acme/, 'the prompt');
		await keys('-l', 'sk-given-up-1234');
		await keys('C-c');
		await shows(/interrupted/, 'the end of the command');
		await keys('-l', 'echo "visible"');
		await shows(/echo "visible"/, 'what is typed');
		await keys('Enter');
		await keys('-l', command);
		await keys('Enter');
		await shows(/API key for acme[^]*API key for acme/, 'the second prompt');
		await keys('-l', 'sk-hidden-1234567');
		await keys('Enter');
		await shows(/saved as acme:manual/, 'the answer');
		assert.ok(!/sk-(hidden|given)/.test((await tmux('capture-pane', '-p', '-S', '-', '-t', 't')).stdout));
	} finally {
		await tmux('kill-server');
	}
	assert.equal((await profiles(gw)).length, 1);
});

/* The terminal of the question cannot take it yet: when it can, somebody may answer in the same moment. */
test('a terminal shows nothing any more when the key is asked for', async (t) => {
	const { gw } = await setup(t), file = path.join(gw.dir, 'asked.sh'), full = path.join(gw.dir, 'full');

	writeFileSync(file, `exec 3<&0 4<>'${full}'
dd if=/dev/zero of='${full}' bs=4096 oflag=nonblock 2>/dev/null
'${CHELA}' models auth paste-api-key --provider acme <&3 2>&4 & asked=$!
until stty -a <&3 | grep -q -- '-echo '; do sleep 0.05; done
echo hidden
kill -9 $asked
`);
	const made = await run('mkfifo', [full]);

	assert.equal(made.code, 0, made.stderr);
	const p = new Proc('script', ['-qec', `sh '${file}'`, '/dev/null'], { env: gw.env, cwd: gw.dir, stdin: 'pipe' });

	t.after(() => p.stop('SIGKILL'));
	await p.line(/hidden/, 'the terminal to show nothing');
});

test('a limited key gives way to the next one, and is remembered', async (t) => {
	const { gw, double } = await setup(t);

	await keep(gw, 'sk-one-1234567', '--provider', 'acme', '--profile-id', 'acme:one');
	await keep(gw, 'sk-two-1234567', '--provider', 'acme', '--profile-id', 'acme:two');
	const first = await turn(gw, double, [limited, ok]);

	assert.deepEqual([first.keys, first.text], [['sk-one-1234567', 'sk-two-1234567'], 'fine']);
	assert.deepEqual((await turn(gw, double, [ok])).keys, ['sk-two-1234567']);
	const one = (await profiles(gw)).find((p) => p.id === 'acme:one');

	assert.equal(one.blockedReason, 'rate_limit');
	assert.ok(one.blockedUntil > Date.now() + 3500000);
	await gw.restart();
	assert.deepEqual((await turn(gw, double, [ok], { session: 'agent:main:other' })).keys, ['sk-two-1234567']);
	/* Another key under the same name has no past. */
	await keep(gw, 'sk-three-12345', '--provider', 'acme', '--profile-id', 'acme:one');
	assert.deepEqual((await turn(gw, double, [ok], { session: 'agent:main:third' })).keys, ['sk-three-12345']);
});

test('all keys limited: the error says so and no request goes out', async (t) => {
	const { gw, double } = await setup(t);

	await keep(gw, 'sk-one-1234567', '--provider', 'acme');
	assert.equal((await turn(gw, double, [limited])).end.state, 'error');
	const asked = double.calls.length;
	const { end } = await turn(gw, double, []);

	assert.equal(end.state, 'error');
	assert.match(end.errorMessage, /rest until|left alone/);
	assert.equal(double.calls.length, asked);
});

test('a stored order, changed while the gateway runs', async (t) => {
	const { gw, double } = await setup(t);
	const order = (...args) => gw.cli(['models', 'auth', 'order', ...args, '--provider', 'acme', '--json']);

	await keep(gw, 'sk-one-1234567', '--provider', 'acme', '--profile-id', 'acme:one');
	await keep(gw, 'sk-two-1234567', '--provider', 'acme', '--profile-id', 'acme:two');
	assert.equal((await order('set', 'acme:two')).code, 0);
	assert.deepEqual(JSON.parse((await order('get')).stdout).order, ['acme:two']);
	for (const session of ['agent:main:a', 'agent:main:b'])
		assert.deepEqual((await turn(gw, double, [ok], { session })).keys, ['sk-two-1234567']);
	assert.equal((await order('set', 'acme:none')).code, 1);
	assert.equal((await order('clear')).code, 0);
	assert.deepEqual((await turn(gw, double, [ok], { session: 'agent:main:c' })).keys, ['sk-one-1234567']);
	const c = await gw.connect();
	const set = (ids) => ({ provider: 'acme', profileIds: ids });

	assert.match((await c.fails('models.authOrderSet', set(['acme:one']))).message, /every available profile/);
	assert.match((await c.fails('models.authOrderSet', set(['acme:one', 'acme:one']))).message, /duplicate/);
	await c.call('models.authOrderSet', set(['acme:two', 'acme:one']));
	const acme = (await c.call('models.authStatus', {})).providers.find((p) => p.provider === 'acme');

	assert.deepEqual([acme.profileOrder, acme.profileOrderStored], [['acme:two', 'acme:one'], true]);
	await c.close();
});

test('an agent\'s own key goes before the shared one', async (t) => {
	const { gw, double } = await setup(t, { config: {
		agents: { defaults: { model: { primary: 'acme/m1' } }, entries: { main: {}, work: {} } },
	} });

	await keep(gw, 'sk-shared-1234', '--provider', 'acme');
	await keep(gw, 'sk-work-123456', '--provider', 'acme', '--agent', 'work');
	assert.deepEqual((await turn(gw, double, [ok], { session: 'agent:work:main' })).keys, ['sk-work-123456']);
	assert.deepEqual((await turn(gw, double, [ok])).keys, ['sk-shared-1234']);
	assert.deepEqual((await profiles(gw)).map((p) => p.agentId), [null]);
	assert.deepEqual((await profiles(gw, '--agent', 'work')).map((p) => p.agentId), ['work']);
});

test('several keys in the environment rotate on a rate limit only', async (t) => {
	const env = { OPENAI_API_KEYS: 'env-one-123, env-two-123', OPENAI_API_KEY_1: 'env-three-1' };
	const { gw, double } = await setup(t, { provider: 'openai', env });

	assert.deepEqual((await turn(gw, double, [limited, ok])).keys, ['env-one-123', 'env-two-123']);
	const { keys, end } = await turn(gw, double, [wrong], { session: 'agent:main:x' });

	assert.deepEqual([keys, end.state], [['env-two-123'], 'error']);
	const c = await gw.connect();
	const status = (await c.call('models.authStatus', {})).providers.find((p) => p.provider === 'openai');

	assert.deepEqual(status.apiKey, { source: 'env', envVar: 'OPENAI_API_KEYS' });
	await c.close();
	assertNowhere(gw, ['env-one-123', 'env-two-123', 'env-three-1']);
});

test('Anthropic\'s sign-in token is sent as one', async (t) => {
	const seen = [];
	const server = http.createServer((req, res) => {
		seen.push(req.headers);
		req.resume();
		res.writeHead(200, { 'content-type': 'text/event-stream' });
		res.end([
			{ type: 'message_start', message: { id: 'm', model: 'claude-opus-5', usage: { input_tokens: 1, output_tokens: 0 } } },
			{ type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
			{ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'fine' } },
			{ type: 'content_block_stop', index: 0 },
			{ type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 1 } },
			{ type: 'message_stop' },
		].map((e) => `event: ${e.type}\ndata: ${JSON.stringify(e)}\n\n`).join(''));
	});

	server.listen(0, '127.0.0.1');
	await once(server, 'listening');
	const gw = await Gateway.start({ env: { ANTHROPIC_OAUTH_TOKEN: 'oat-from-env-1' }, config: {
		models: { providers: { anthropic: { baseUrl: `http://127.0.0.1:${server.address().port}`, api: 'anthropic-messages' } } },
		agents: { defaults: { model: { primary: 'anthropic/claude-opus-5' } } },
	} });

	t.after(async () => {
		await gw.stop();
		server.closeAllConnections();
		server.close();
	});
	const ask = async () => {
		const c = await gw.connect();
		const end = await c.turn(KEY, 'hello');

		assert.equal(textOf(end.message), 'fine', end.errorMessage);
		await c.close();
		return seen.at(-1);
	};
	const bad = await gw.cli(['models', 'auth', 'setup-token'], { input: 'sk-ant-api03-xxxx\n' });
	let headers = await ask();

	assert.deepEqual([headers.authorization, headers['x-api-key']], ['Bearer oat-from-env-1', undefined]);
	assert.match(headers['anthropic-beta'], /(^|,)oauth-2025-04-20/);
	assert.equal(bad.code, 1);
	const kept = await gw.cli(['models', 'auth', 'setup-token'], { input: 'sk-ant-oat01-stored\n' });

	assert.equal(kept.code, 0, kept.stderr);
	headers = await ask();
	assert.deepEqual([headers.authorization, headers['x-api-key']], ['Bearer sk-ant-oat01-stored', undefined]);
	await keep(gw, 'sk-ant-api03-key', '--provider', 'anthropic');
	await gw.cli(['models', 'auth', 'order', 'set', 'anthropic:manual', '--provider', 'anthropic']);
	const c = await gw.connect();

	await c.call('sessions.reset', { key: KEY });
	await c.close();
	headers = await ask();
	assert.deepEqual([headers.authorization, headers['x-api-key']], [undefined, 'sk-ant-api03-key']);
	assert.ok(!/oauth-2025/.test(headers['anthropic-beta'] ?? ''));
});
