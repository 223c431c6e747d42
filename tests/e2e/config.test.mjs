/* config.test.mjs - the configuration over the wire: read, look up, change, refuse. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { Client } from './lib/client.mjs';
import { Gateway } from './lib/gateway.mjs';
import { problems } from './lib/schema.mjs';
import { until } from './lib/wait.mjs';

const REDACTED = '__OPENCLAW_REDACTED__';
let gw, c;

const open = (options = {}) => Client.open(gw.url.replace('http', 'ws'), { auth: { token: gw.token }, ...options });

before(async () => {
	gw = await Gateway.start({ config: { agents: { defaults: { model: 'offline/demo' } } } });
	gw.replaceConfig(`// written by hand\n${readFileSync(gw.configPath, 'utf8')}`);
	c = await open();
	await until(async () => (await get()).raw.startsWith('//'), 'the comment to be noticed');
});
after(async () => {
	c?.terminate();
	await gw?.stop();
});

const get = () => c.call('config.get');
const file = () => readFileSync(gw.configPath, 'utf8');

test('config.patch keeps comments, tells what changed, and tells everybody', async () => {
	const other = await open();
	const { hash } = await get();
	const r = await c.call('config.patch', { raw: "{ logging: { level: 'debug' }, session: { mainKey: 'x' } }", baseHash: hash,
		note: 'quieter' });

	assert.equal(r.ok, true);
	assert.deepEqual(r.changedPaths.sort(), ['logging.level', 'session.mainKey']);
	assert.equal(r.config.gateway.auth.token, REDACTED);
	assert.equal(r.sentinel.payload.stats.requiresRestart, false);
	assert.equal(r.hash, (await get()).hash);
	assert.match(file(), /^\/\/ written by hand\n/);
	assert.match(file(), new RegExp(gw.token));
	const told = await other.event('config.changed', (p) => p.hash === r.hash);

	assert.equal(told.payload.path, gw.configPath);
	await other.close();
});

test('null deletes; a patch that changes nothing is no change', async () => {
	const { hash } = await get();
	const gone = await c.call('config.patch', { raw: '{ session: { mainKey: null } }', baseHash: hash });

	assert.deepEqual(gone.changedPaths, ['session.mainKey']);
	const same = await c.call('config.patch', { raw: "{ logging: { level: 'debug' } }", baseHash: gone.hash });

	assert.equal(same.noop, true);
	assert.deepEqual(same.changedPaths, []);
	assert.equal(same.hash, gone.hash);
});

test('what takes a restart is told', async () => {
	const { hash } = await get();
	const r = await c.call('config.patch', { raw: "{ gateway: { customBindHost: '127.0.0.1' } }", baseHash: hash });

	assert.equal(r.sentinel.payload.stats.requiresRestart, true);
	assert.deepEqual(r.sentinel.payload.stats.restartPaths, ['gateway.customBindHost']);
});

test('a list does not lose entries by accident', async () => {
	const first = await c.call('config.patch', { raw: "{ gateway: { controlUi: { allowedOrigins: ['https://a.example', 'https://b.example'] } } }",
		baseHash: (await get()).hash });
	const shorter = { raw: "{ gateway: { controlUi: { allowedOrigins: ['https://a.example'] } } }", baseHash: first.hash };
	const e = await c.fails('config.patch', shorter);

	assert.equal(e.code, 'INVALID_REQUEST');
	assert.match(e.message, /would remove entries from array path\(s\): gateway\.controlUi\.allowedOrigins/);
	const r = await c.call('config.patch', { ...shorter, replacePaths: ['gateway.controlUi.allowedOrigins'] });

	assert.deepEqual(r.config.gateway.controlUi.allowedOrigins, ['https://a.example']);
});

test('config.set takes back the redacted text; the secret stays', async () => {
	const seen = await get();
	const r = await c.call('config.set', { raw: seen.raw.replace('"debug"', '"info"'), baseHash: seen.hash });

	assert.equal(r.config.logging.level, 'info');
	assert.match(file(), new RegExp(`"token": "${gw.token}"`));
	assert.match(file(), /^\/\/ written by hand\n/);
	/* A form's text: parsed, changed, written again. */
	const now = await get();
	const form = { ...now.parsed, logging: { level: 'warn' } };
	const s = await c.call('config.set', { raw: JSON.stringify(form, null, 2), baseHash: now.hash });

	assert.equal(s.config.logging.level, 'warn');
	assert.match(file(), /^\/\/ written by hand\n/);
	assert.match(file(), new RegExp(gw.token));
});

test('config.apply replaces the whole', async () => {
	const seen = await get();
	const r = await c.call('config.apply', { raw: seen.raw, baseHash: seen.hash });

	assert.equal(r.noop, true);
	const tree = structuredClone(seen.parsed);

	delete tree.logging;
	const done = await c.call('config.apply', { raw: JSON.stringify(tree), baseHash: seen.hash });

	assert.deepEqual(done.changedPaths, ['logging.level']);
});

test('test_threat_secret_exfiltration: a key goes nowhere else because of somebody far away', async () => {
	const acme = (more) => JSON.stringify({ models: { providers: { acme: more } } });
	const patch = async (raw) => c.call('config.patch', { raw, baseHash: (await get()).hash });
	const refused = async (method, raw) => {
		const e = await c.fails(method, { raw, baseHash: (await get()).hash });

		assert.match(e.message, /would go to an address that is set from afar/);
	};

	await patch(acme({ baseUrl: 'https://acme.example/v1', apiKey: 'sk-acme-1' }));
	await refused('config.patch', acme({ baseUrl: 'https://evil.example/v1' }));
	await refused('config.patch', acme({ baseUrl: 'https://evil.example/v1', apiKey: REDACTED }));
	const whole = (await get()).raw.replace('acme.example', 'evil.example');

	await refused('config.set', whole);
	await refused('config.apply', whole);
	await refused('config.patch', acme({ baseUrl: 'https://evil.example/v1', apiKey: '${HOME}' }));
	assert.match(file(), /acme\.example/);
	await patch(acme({ baseUrl: 'https://other.example/v1', apiKey: 'sk-acme-2' }));
	await patch(acme(null));
});

test('a caller that has not seen the text is refused', async () => {
	for (const method of ['config.set', 'config.patch', 'config.apply']) {
		const without = await c.fails(method, { raw: '{}' });

		assert.equal(without.code, 'INVALID_REQUEST');
		assert.match(without.message, /config base hash required/);
		const stale = await c.fails(method, { raw: '{}', baseHash: 'hmac-sha256:v1:old' });

		assert.equal(stale.code, 'INVALID_REQUEST');
		assert.equal(stale.message, 'config changed since last load; re-run config.get and retry');
	}
});

test('what would not be valid is not written', async () => {
	const { hash } = await get();
	const was = file();

	for (const [method, raw, why] of [
		['config.set', '{', /line 1/],
		['config.set', '[]', /not an object/],
		['config.set', '{"gateway":{"port":"x"}}', /invalid config: gateway\.port/],
		['config.patch', '[]', /must be an object/],
		['config.patch', '{gateway:{port:0}}', /invalid config: gateway\.port/],
		['config.patch', `{gateway:{auth:{password:"${REDACTED}"}}}`, /no secret to keep/],
	]) {
		const e = await c.fails(method, { raw, baseHash: hash });

		assert.equal(e.code, 'INVALID_REQUEST', `${method} ${raw}`);
		assert.match(e.message, why);
	}
	assert.equal(file(), was);
});

test('test_cve_2026_25593_config_mutation: programs to run are not chosen from afar', async () => {
	const { hash } = await get();
	const was = file();
	const e = await c.fails('config.patch', { raw: "{secrets:{providers:{x:{source:'exec',command:'/tmp/x'}}}}", baseHash: hash });

	assert.equal(e.code, 'FORBIDDEN');
	assert.match(e.message, /secrets\.providers\.x\.command/);
	assert.equal(file(), was);
});

test('test_threat_config_mutation: changes take the admin scope and are on record without values', async () => {
	const reader = await open({ scopes: ['operator.read'] });
	const e = await reader.fails('config.patch', { raw: '{}', baseHash: 'x' });

	assert.equal(e.code, 'FORBIDDEN');
	assert.equal((await reader.fails('openclaw.changes.list')).code, 'FORBIDDEN');
	await reader.close();
	const { entries } = await c.call('openclaw.changes.list', { limit: 200 });

	assert.ok(entries.some((x) => x.changedPaths.includes('gateway.customBindHost')));
	assert.deepEqual(problems('SystemChangesListResult', { entries }), []);
	assert.doesNotMatch(JSON.stringify(entries), new RegExp(`${gw.token}|127\\.0\\.0\\.1`));
	const page = await c.call('openclaw.changes.list', { limit: 1 });
	const next = await c.call('openclaw.changes.list', { limit: 1, beforeCursor: page.nextCursor });

	assert.notEqual(page.entries[0].id, next.entries[0].id);
});

test('one place of the schema with what is below it', async () => {
	for (const path of ['gateway', '.', 'gateway.auth.token', 'agents/entries/main', 'models.providers.*.models[]', 'session.dmScope']) {
		const r = await c.call('config.schema.lookup', { path });

		assert.deepEqual(problems('ConfigSchemaLookupResult', r), [], path);
	}
	const auth = await c.call('config.schema.lookup', { path: 'gateway.auth' });

	assert.equal(auth.children.find((x) => x.key === 'token').hint.sensitive, true);
	assert.equal((await c.call('config.schema.lookup', { path: 'gateway' })).reloadKind, 'restart');
	const e = await c.fails('config.schema.lookup', { path: 'nope.nothing' });

	assert.equal(e.message, 'config schema path not found');
});

test('a client that loops is held back', async () => {
	const { hash } = await get();
	let e = null;

	for (let i = 0; i < 40 && !e; i++) {
		const r = await c.request('config.apply', { raw: '{', baseHash: hash });

		if (r.error?.code === 'UNAVAILABLE')
			e = r.error;
	}
	assert.ok(e, 'the limit was never reached');
	assert.equal(e.retryable, true);
	assert.ok(e.retryAfterMs > 0);
	assert.deepEqual(e.details, { method: 'config.apply', limit: '30 per 60s' });
	/* Other methods have limits of their own. */
	assert.equal((await c.call('config.patch', { raw: '{}', baseHash: hash })).noop, true);
});
