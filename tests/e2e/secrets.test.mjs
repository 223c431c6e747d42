/*
 * secrets.test.mjs - the gateway's own secret store: filled by a page or the command line, used by reference, and its
 * values seen nowhere: not on disk, on the wire, in argv, in an environment, in a log or in a conversation.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { ModelDouble } from '../doubles/model.mjs';
import { textOf } from './lib/client.mjs';
import { filesBelow } from './lib/disk.mjs';
import { Gateway } from './lib/gateway.mjs';

const KEY = 'agent:main:main';
const CANARY = 'sk-canary-store-0123456789abcdef';
const SECOND = 'sk-canary-other-0123456789abcdef';

async function setup(t) {
	const double = await ModelDouble.start();

	t.after(() => double.stop());
	const gw = await Gateway.start({ config: {
		models: { providers: { acme: { baseUrl: `http://127.0.0.1:${double.port}/v1`, api: 'openai-completions',
			apiKey: { source: 'store', provider: 'default', id: 'ACME_API_KEY' },
			models: [{ id: 'm1', contextWindow: 64000, maxTokens: 4096 }] } } },
		agents: { defaults: { model: { primary: 'acme/m1' } } },
	} });

	t.after(() => gw.stop());
	return { gw, double };
}

/* Every byte that the gateway has on disk, its output, its argv and its environment. */
function assertNowhere(gw, secrets) {
	const places = filesBelow(gw.state);

	places.push(['the output', gw.proc.stdout + gw.proc.stderr]);
	for (const name of ['cmdline', 'environ'])
		places.push([name, readFileSync(`/proc/${gw.proc.pid}/${name}`, 'latin1')]);
	for (const [place, bytes] of places)
		for (const s of secrets)
			assert.ok(!bytes.includes(s), `${place} holds a secret`);
}

async function bearerOfTurn(c, double) {
	const done = c.turn(KEY, 'hello');
	const call = await double.next();

	call.text('fine').end();
	assert.equal(textOf((await done).message), 'fine');
	return (call.headers.authorization ?? '').replace(/^Bearer /, '');
}

test('threat_secret_disclosure: a stored secret is used by reference and seen nowhere', async (t) => {
	const { gw, double } = await setup(t);
	const c = await gw.connect();

	assert.deepEqual(await c.call('secrets.store.list', {}), { entries: [] });
	assert.deepEqual(await c.call('secrets.store.set',
		{ name: 'ACME_API_KEY', value: CANARY, kind: 'secret', allowedHosts: ['127.0.0.1'] }), { ok: true, reloaded: true });
	assert.equal(await bearerOfTurn(c, double), CANARY);
	const { entries } = await c.call('secrets.store.list', {});

	assert.deepEqual(entries.map((e) => [e.name, e.kind, e.scopeKind, e.allowedHosts, e.value]),
		[['ACME_API_KEY', 'secret', 'team', ['127.0.0.1'], undefined]]);
	assertNowhere(gw, [CANARY]);

	/* The command line, beside the running gateway. */
	const set = await gw.cli(['secrets', 'set', 'ACME_API_KEY'], { input: SECOND });

	assert.equal(set.code, 0, set.stderr);
	assert.match(set.stdout, /the gateway uses it from now on/);
	assert.equal(await bearerOfTurn(c, double), SECOND);
	const shown = await gw.cli(['secrets', 'list', '--json']);

	assert.deepEqual(JSON.parse(shown.stdout).entries.map((e) => [e.name, e.allowedHosts]), [['ACME_API_KEY', ['127.0.0.1']]]);
	assert.deepEqual([(await gw.cli(['secrets', 'get', 'ACME_API_KEY'])).code, (await gw.cli(['secrets', 'get', 'NONE'])).code], [2, 3]);
	assert.match((await gw.cli(['secrets', 'set', 'ACME_API_KEY', '--value', 'x'])).stderr, /seen by others/);
	assert.match((await gw.cli(['secrets', 'set', 'ACME_API_KEY', '--kind', 'none'])).stderr, /--kind 'none' is neither secret nor env/);
	/* What was removed before a mistake is gone from the gateway, too. */
	await gw.cli(['secrets', 'set', 'OLD_LEVEL', '--value', 'x']);
	const gone = await gw.cli(['secrets', 'rm', 'OLD_LEVEL', 'NONE']);

	assert.match(gone.stdout, /removed OLD_LEVEL; the gateway has forgotten it/);
	assert.match(gone.stderr, /no stored secret NONE/);
	for (const answer of [await c.call('config.get'), await c.call('logs.tail', {}), await c.call('audit.list', {}),
		await c.call('chat.history', { sessionKey: KEY })])
		assert.ok(!JSON.stringify(answer).includes('sk-canary'));
	assertNowhere(gw, [CANARY, SECOND]);
	await c.close();
});

test('settings are shown, secrets need their kind, and only administrators come near', async (t) => {
	const { gw } = await setup(t);
	const c = await gw.connect(), writer = await gw.connect({ scopes: ['operator.read', 'operator.write'] });

	await c.call('secrets.store.set', { name: 'LOG_LEVEL', value: 'debug', kind: 'env' });
	assert.equal((await c.call('secrets.store.list', {})).entries[0].value, 'debug');
	for (const [params, words] of [
		[{ name: 'lower', value: 'x', kind: 'env' }, /name of a secret/],
		[{ name: 'A_KEY', value: '', kind: 'secret' }, /cannot be empty/],
		[{ name: 'A_KEY', value: '__OPENCLAW_REDACTED__', kind: 'secret' }, /placeholder/],
		[{ name: 'A_KEY', value: 'x', kind: 'secret', allowedHosts: ['https://x.org/'] }, /no host/],
	])
		assert.match((await c.fails('secrets.store.set', params)).message, words);
	assert.match((await c.fails('secrets.store.delete', { name: 'A_KEY' })).message, /no stored secret/);
	assert.equal((await c.call('secrets.store.delete', { name: 'LOG_LEVEL' })).ok, true);
	for (const [method, params] of [['secrets.store.list', {}], ['secrets.store.delete', { name: 'A' }],
		['secrets.store.set', { name: 'A_KEY', value: 'x', kind: 'secret' }]])
		assert.equal((await writer.fails(method, params)).code, 'FORBIDDEN');
	await c.close();
	await writer.close();
});
