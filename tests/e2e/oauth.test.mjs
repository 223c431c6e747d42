/*
 * oauth.test.mjs - signing in to a provider against a real authorization server (npm oidc-provider): by the browser's
 * callback, by pasting, by a device's code; refreshing, and what is left after a kill.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ModelDouble } from '../doubles/model.mjs';
import { textOf } from './lib/client.mjs';
import { filesBelow, isDatabase } from './lib/disk.mjs';
import { Gateway } from './lib/gateway.mjs';
import { Browser, Oidc } from './lib/oidc.mjs';
import { CHELA } from './lib/peers.mjs';
import { Proc } from './lib/proc.mjs';
import { stopAll, until, within } from './lib/wait.mjs';

const KEY = 'agent:main:main';
let oidc;

before(async () => { oidc = await Oidc.start(); });
after(() => oidc?.stop());

/* A gateway whose model wants the token of a sign-in, and that model. */
async function setup(t) {
	await oidc.set({ ttl: 3600, refuse: false, hold: false, grants: [], errors: [], held: 0 });
	const model = await ModelDouble.start();
	const gw = await Gateway.start({ config: {
		auth: { oauth: { acme: oidc.config } },
		models: { providers: { acme: { baseUrl: `http://127.0.0.1:${model.port}/v1`, api: 'openai-completions',
			models: [{ id: 'm1', contextWindow: 64000, maxTokens: 4096 }] } } },
		agents: { defaults: { model: { primary: 'acme/m1' } } },
	} });

	t.after(() => stopAll(model, gw));
	return { gw, model };
}

/* `chela models auth login`, as a program that waits. */
function login(gw, ...args) {
	return new Proc(CHELA, ['models', 'auth', 'login', '--provider', 'acme', '--json', ...args],
		{ env: gw.env, cwd: gw.dir, stdin: 'pipe' });
}

const address = (p) => p.line(/^ {2}http/).then(({ item }) => item.text.trim());
const isCallback = (url) => new URL(url).pathname === '/callback';

async function ended(p, code = 0) {
	const exit = await within(p.exited, `the login to end\n${p.tail()}`);

	assert.equal(exit.code, code, p.tail());
	return JSON.parse(p.stdout);
}

async function loginByBrowser(gw, ...args) {
	const p = login(gw, ...args);
	const { response, text } = await new Browser().go(await address(p));

	assert.equal(response.status, 200, text);
	assert.match(text, /Signed in/);
	return ended(p);
}

async function profiles(gw) {
	const r = await gw.cli(['models', 'auth', 'list', '--json']);

	assert.equal(r.code, 0, r.stderr);
	return JSON.parse(r.stdout).profiles;
}

/* One turn; gives the bearer token that the model saw. */
async function turn(gw, model, words = 'hello') {
	const c = await gw.connect();
	const done = c.turn(KEY, words);
	const call = await model.next();

	call.text('hi there').end();
	const end = await done;

	assert.equal(end.state, 'final', JSON.stringify(end));
	assert.equal(textOf(end.message), 'hi there');
	await c.close();
	return call.headers.authorization.replace(/^Bearer /, '');
}

/* No file but the database, no output and no answer holds a token. */
function assertNowhere(gw, secrets) {
	for (const [where, text] of [...filesBelow(gw.state).filter(([file]) => !isDatabase(file)), ['the output', gw.proc.stdout + gw.proc.stderr]])
		for (const s of secrets)
			assert.ok(!text.includes(s), `${where} holds a token`);
}

test('signing in by the browser, and using it', async (t) => {
	const { gw, model } = await setup(t);
	const c = await gw.connect();

	const early = await c.turn(KEY, 'too early');

	assert.equal(early.state, 'error');
	assert.match(early.errorMessage, /chela models auth login --provider acme/);
	const p = await loginByBrowser(gw);

	assert.deepEqual([p.ok, p.provider, p.profileId], [true, 'acme', 'acme:person@example.org']);
	const [row] = await profiles(gw);

	assert.deepEqual([row.id, row.type, row.status, row.email], ['acme:person@example.org', 'oauth', 'ok', 'person@example.org']);
	/* The running gateway sees it at once. */
	const token = await turn(gw, model);
	const status = await c.call('models.authStatus', {});
	const acme = status.providers.find((x) => x.provider === 'acme');

	assert.equal(acme.status, 'ok');
	assert.deepEqual([acme.profiles[0].profileId, acme.profiles[0].type, acme.profiles[0].source], [row.id, 'oauth', 'saved']);
	assert.ok(acme.expiry.remainingMs > 3500000);
	assert.ok(!JSON.stringify(status).includes(token));
	assertNowhere(gw, [token]);
	/* Signing out takes it away. */
	assert.deepEqual((await c.call('models.authLogout', { provider: 'acme' })).removedProfiles, [row.id]);
	assert.equal((await c.turn(KEY, 'too late').then((e) => e.state)), 'error');
	await c.close();
});

test('pasting the address that the browser ended at', async (t) => {
	const { gw } = await setup(t);
	const p = login(gw, '--profile-id', 'acme:pasted');
	const { url } = await new Browser().go(await address(p), { stop: isCallback });
	const wrong = new URL(url);

	wrong.searchParams.set('state', 'another');
	p.child.stdin.write(`\n${wrong}\n`);
	await p.line(/another sign-in/);
	p.child.stdin.write(`${url}\n`);
	assert.equal((await ended(p)).profileId, 'acme:pasted');
});

test('a sign-in that is refused', async (t) => {
	const { gw } = await setup(t);

	await oidc.set({ refuse: true });
	const p = login(gw);
	const { response, text } = await new Browser().go(await address(p));

	assert.equal(response.status, 200);
	assert.match(text, /Not signed in/);
	const doc = await ended(p, 1);

	assert.equal(doc.ok, false);
	assert.match(p.stderr, /access_denied.*not today/);
	assert.deepEqual(await profiles(gw), []);
});

test('signing in by a code on another device', async (t) => {
	const { gw, model } = await setup(t);
	const p = login(gw, '--device');
	const url = await address(p);
	const code = (await p.line(/type in the code/)).item.text.split(' ').at(-1);

	const page = await new Browser().enterCode(url, code, 'confirm');

	assert.equal(page.response.status, 200, page.text);
	assert.equal((await ended(p)).profileId, 'acme:person@example.org');
	assert.deepEqual((await oidc.set()).grants, ['urn:ietf:params:oauth:grant-type:device_code']);
	assert.ok((await turn(gw, model)).length > 10);
});

test('a device\'s code that is refused', async (t) => {
	const { gw } = await setup(t);
	const p = login(gw, '--device');
	const url = await address(p);
	const code = (await p.line(/type in the code/)).item.text.split(' ').at(-1);

	await new Browser().enterCode(url, code, 'abort');
	await ended(p, 1);
	assert.match(p.stderr, /refused/);
});

/* Signs in with a token that ends at once, then waits until it has. */
async function loginShort(gw, ttl = 1) {
	await oidc.set({ ttl });
	await loginByBrowser(gw);
	const born = Date.now();

	await until(() => Date.now() > born + ttl * 1000, 'the access token to end');
}

test('refreshing: rotated, once for all who ask', async (t) => {
	const { gw, model } = await setup(t);

	await loginShort(gw);
	await oidc.set({ ttl: 1, grants: [] });
	const first = await turn(gw, model, 'one');
	const born = Date.now();

	assert.deepEqual((await oidc.set()).grants, ['refresh_token']);
	await until(() => Date.now() > born + 1000, 'the access token to end');
	await oidc.set({ ttl: 3600 });
	/* The rotated refresh token works; two sessions at once make one refresh. */
	const c = await gw.connect();
	const both = ['agent:main:a', 'agent:main:b'].map((key) => c.turn(key, 'two'));
	const calls = [await model.next(), await model.next()];

	assert.equal(calls[0].headers.authorization, calls[1].headers.authorization);
	assert.notEqual(calls[0].headers.authorization, `Bearer ${first}`);
	for (const call of calls)
		call.text('hi').end();
	for (const end of await Promise.all(both))
		assert.equal(end.state, 'final');
	const seen = await oidc.set();

	assert.deepEqual([seen.grants, seen.errors], [['refresh_token', 'refresh_token'], []]);
	assertNowhere(gw, [first]);
	await c.close();
});

test('a sign-in that was revoked says so, and a new one heals it', async (t) => {
	const { gw, model } = await setup(t);

	await loginShort(gw);
	await oidc.set({ revoke: true });
	const c = await gw.connect();
	const end = await c.turn(KEY, 'hello');

	assert.equal(end.state, 'error');
	assert.match(end.errorMessage, /chela models auth login --provider acme/);
	const [row] = await profiles(gw);

	assert.equal(row.status, 'expired');
	assert.match(row.refused, /invalid_grant/);
	const status = await c.call('models.authStatus', {});

	assert.equal(status.providers.find((x) => x.provider === 'acme').status, 'expired');
	assert.deepEqual((await oidc.set()).errors, ['invalid_grant']);
	/* Not asked over and over. */
	assert.equal((await c.turn(KEY, 'again')).state, 'error');
	assert.deepEqual((await oidc.set()).errors, ['invalid_grant']);
	await oidc.set({ ttl: 3600 });
	await loginByBrowser(gw);
	assert.ok(await turn(gw, model));
	await c.close();
});

test('killed between refresh and use: the new token is there', async (t) => {
	const { gw, model } = await setup(t);

	await loginShort(gw);
	await oidc.set({ ttl: 3600, grants: [] });
	const c = await gw.connect();

	void c.call('chat.send', { sessionKey: KEY, message: 'hello', idempotencyKey: 'k1' }).catch(() => undefined);
	const call = await model.next();         /* the refresh is over, the token is on its way */

	await gw.kill();
	call.cut();
	assert.deepEqual((await oidc.set()).grants, ['refresh_token']);
	await gw.launch();
	const token = await turn(gw, model);

	assert.equal(`Bearer ${token}`, call.headers.authorization);
	assert.deepEqual((await oidc.set()).grants, ['refresh_token']);
	assert.equal((await profiles(gw))[0].status, 'ok');
});

test('killed before the server took the request: the old refresh token still works', async (t) => {
	const { gw, model } = await setup(t);

	await loginShort(gw);
	await oidc.set({ ttl: 3600, hold: true, grants: [] });
	const c = await gw.connect();

	void c.call('chat.send', { sessionKey: KEY, message: 'hello', idempotencyKey: 'k2' }).catch(() => undefined);
	await until(async () => (await oidc.set()).held === 1, 'the refresh to be asked for');
	await gw.kill();
	await oidc.set({ hold: false, ttl: 3600 });
	await gw.launch();
	assert.ok(await turn(gw, model));
});

test('a server that is away, and a token that is over: the next model answers', async (t) => {
	const { gw, model } = await setup(t);
	const own = await Oidc.start();

	t.after(() => own.stop());
	gw.writeConfig({ ...gw.config, auth: { oauth: { acme: own.config } }, agents: { defaults: { model: { primary: 'acme/m1',
		fallbacks: ['offline/demo'] } } } });
	await gw.restart();
	await own.set({ ttl: 1 });
	await loginByBrowser(gw);
	const born = Date.now();

	await until(() => Date.now() > born + 1000, 'the access token to end');
	await own.proc.stop('SIGKILL');
	const c = await gw.connect();
	const end = await c.turn(KEY, 'help');

	assert.equal(end.state, 'final', end.errorMessage);
	assert.equal(model.calls.length, 0);
	/* It is not the sign-in's fault. */
	assert.equal((await profiles(gw))[0].status, 'ok');
	await c.close();
});
