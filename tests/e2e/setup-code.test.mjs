/*
 * setup-code.test.mjs - a device comes in by setup code: without the shared secret, once, for what the code
 * says and no more; join links; who may make codes, and what takes them back.
 */
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { Client } from './lib/client.mjs';
import { Device } from './lib/device.mjs';
import { gatewayTest } from './lib/gateway.mjs';
import { openclaw, openclawEnv, openclawHome } from './lib/openclaw.mjs';
import { NODE_NEW, OPENCLAW } from './lib/peers.mjs';
import { Proc } from './lib/proc.mjs';
import { problems } from './lib/schema.mjs';

const PUBLIC = 'wss://gw.example/ws';
const NODE = { client: { id: 'node-host', mode: 'node', displayName: 'Shed' }, role: 'node', scopes: [] };
const APP = { client: { id: 'cli', mode: 'cli' } };
const FULL = ['operator.admin', 'operator.approvals', 'operator.questions', 'operator.read', 'operator.talk.secrets',
	'operator.write'];
const LIMITED = FULL.slice(1);

const decode = (code) => JSON.parse(Buffer.from(code, 'base64url').toString('utf8'));
const url = (gw) => `ws://127.0.0.1:${gw.port}/`;

/* A code as an administrator makes it; gives the answer and the token inside. */
async function issue(c, params = {}) {
	const made = await c.call('device.pair.setupCode', { publicUrl: PUBLIC, ...params });

	assert.deepEqual(problems('DevicePairSetupCodeResult', made), []);
	return { ...made, payload: decode(made.setupCode) };
}

/* A device connects with a setup code alone; the answer frame. */
async function come(gw, device, token, options = NODE) {
	const c = await Client.raw(url(gw));
	const res = await c.handshake({ ...options, auth: { bootstrapToken: token }, device });

	if (!res.ok)
		await c.closed;
	return Object.assign(c, { res });
}

function assertRefused(c) {
	assert.equal(c.res.ok, false);
	assert.equal(c.res.error.code, 'INVALID_REQUEST');
	assert.equal(c.res.error.details.code, 'AUTH_BOOTSTRAP_TOKEN_INVALID');
	assert.equal(c.close_.code, 1008);
}

gatewayTest('a device pairs with a setup code, and the outcome is told', async (gw) => {
	const admin = await gw.connect();
	const made = await issue(admin);

	assert.deepEqual(Object.keys(made.payload).sort(), ['bootstrapToken', 'expiresAtMs', 'url']);
	assert.equal(made.payload.url, PUBLIC);
	assert.equal(made.gatewayUrl, PUBLIC);
	assert.equal(made.urlSource, 'request.publicUrl');
	assert.equal(made.access, 'full');
	assert.equal(made.auth, 'token');
	assert.ok(Math.abs(made.expiresAtMs - Date.now() - 600000) < 60000);
	assert.deepEqual(await admin.call('device.pair.setupStatus', { setupId: made.setupId }), {});

	const device = new Device();
	const node = await come(gw, device, made.payload.bootstrapToken);
	const { auth } = node.res.payload;

	assert.deepEqual(problems('HelloOk', node.res.payload), []);
	assert.equal(auth.method, 'bootstrap-token');
	assert.equal(auth.role, 'node');
	assert.deepEqual(auth.scopes, []);
	assert.equal(auth.deviceTokens.length, 1);
	assert.equal(auth.deviceTokens[0].role, 'operator');
	assert.deepEqual(auth.deviceTokens[0].scopes, FULL);

	const { payload } = await admin.event('device.pair.setup.completed');

	assert.deepEqual(problems('DevicePairSetupCompletedEvent', payload), []);
	assert.equal(payload.setupId, made.setupId);
	assert.equal(payload.deviceId, device.id);
	assert.equal(payload.deviceName, 'Shed');
	assert.deepEqual(await admin.call('device.pair.setupStatus', { setupId: made.setupId }), { completion: payload });
	const { pending, paired } = await admin.call('device.pair.list');

	assert.deepEqual(pending, []);
	assert.equal(paired.find((d) => d.deviceId === device.id).approvedVia, 'bootstrap');

	/* Both tokens are good, each for its role. */
	const again = await Client.open(url(gw), { ...NODE, auth: { deviceToken: auth.deviceToken }, device });

	assert.equal(again.hello.auth.method, 'device-token');
	const operator = await Client.open(url(gw), { client: NODE.client, scopes: FULL, device,
		auth: { deviceToken: auth.deviceTokens[0].deviceToken } });

	await operator.call('sessions.list');
	assert.equal((await come(gw, device, auth.deviceTokens[0].deviceToken)).res.ok, false, 'a device token is no setup code');
	for (const c of [node, again, operator, admin])
		await c.close();
});

gatewayTest('a code works once, also for the same device, and after a restart', async (gw) => {
	const admin = await gw.connect();
	const { payload } = await issue(admin, { bootstrapProfile: 'node' });
	const device = new Device();
	const first = await come(gw, device, payload.bootstrapToken);

	assert.equal(first.res.ok, true);
	assert.equal(first.res.payload.auth.deviceTokens, undefined);
	assertRefused(await come(gw, device, payload.bootstrapToken));
	assertRefused(await come(gw, new Device(), payload.bootstrapToken));
	await first.close();
	await admin.close();
	await gw.restart();
	assertRefused(await come(gw, new Device(), payload.bootstrapToken));
	await gw.assertAlive();
});

gatewayTest('of two devices that come at once one gets in', async (gw) => {
	const admin = await gw.connect();
	const { payload } = await issue(admin, { bootstrapProfile: 'node' });
	const both = await Promise.all([new Device(), new Device()].map((d) => come(gw, d, payload.bootstrapToken)));

	assert.deepEqual(both.map((c) => c.res.ok).sort(), [false, true]);
	for (const c of [...both.filter((b) => b.res.ok), admin])
		await c.close();
});

gatewayTest('a code grants its profile and nothing else', async (gw) => {
	const admin = await gw.connect();
	const limited = await issue(admin, { bootstrapProfile: 'limited' });
	const node = await issue(admin, { bootstrapProfile: 'node' });
	const full = await issue(admin);
	const token = limited.payload.bootstrapToken;

	assert.equal(limited.access, 'limited');
	for (const [code, scopes] of [[token, ['operator.admin']], [token, ['operator.read', 'operator.pairing']],
		[full.payload.bootstrapToken, ['operator.pairing']], [node.payload.bootstrapToken, ['operator.read']]])
		assertRefused(await come(gw, new Device(), code, { ...APP, scopes }));

	const device = new Device();
	const app = await come(gw, device, token, { ...APP, scopes: ['operator.read'] });

	assert.equal(app.res.ok, true);
	assert.deepEqual(app.res.payload.auth.scopes, ['operator.read']);
	assert.equal((await app.fails('device.pair.setupCode', {})).code, 'FORBIDDEN');
	const { paired } = await admin.call('device.pair.list');

	assert.deepEqual(paired.find((d) => d.deviceId === device.id).scopes, LIMITED);
	/* More than the code gave takes an approval. */
	const more = await Client.raw(url(gw));
	const res = await more.handshake({ ...APP, scopes: ['operator.admin'], device,
		auth: { deviceToken: app.res.payload.auth.deviceToken } });

	assert.equal(res.ok, false);
	assert.equal(res.error.details.code, 'AUTH_SCOPE_MISMATCH');
	await more.closed;
	await app.close();
	await admin.close();
});

gatewayTest('a code needs the device that proves itself', async (gw) => {
	const admin = await gw.connect();
	const { payload } = await issue(admin, { bootstrapProfile: 'node' });
	const bare = await Client.raw(url(gw));
	const res = await bare.handshake({ ...NODE, auth: { bootstrapToken: payload.bootstrapToken } });

	assert.equal(res.error.details.code, 'DEVICE_IDENTITY_REQUIRED');
	await bare.closed;
	const good = await come(gw, new Device(), payload.bootstrapToken);

	assert.equal(good.res.ok, true, 'a refused try uses nothing up');
	await good.close();
	await admin.close();
});

gatewayTest('who makes codes, for where', async (gw) => {
	const admin = await gw.connect();
	const reader = await gw.connect({ scopes: ['operator.read', 'operator.write', 'operator.pairing'] });
	const bad = async (params, message) => {
		const e = await admin.fails('device.pair.setupCode', params);

		assert.equal(e.code, 'INVALID_REQUEST', e.message);
		assert.match(e.message, message);
	};

	assert.equal((await reader.fails('device.pair.setupCode', { publicUrl: PUBLIC })).code, 'FORBIDDEN');
	assert.equal((await reader.fails('device.pair.setupStatus', { setupId: 'x' })).code, 'FORBIDDEN');
	assert.ok(!admin.hello.features.methods.includes('device.pair.setupCode'));
	await bad({}, /^Gateway is only bound to loopback/);
	await bad({ publicUrl: '' }, /publicUrl/);
	await bad({ publicUrl: 'ws://gw.example' }, /wss:/);
	await bad({ publicUrl: 'ws://100.64.0.1' }, /wss:/);
	await bad({ publicUrl: 'wss://me:secret@gw.example' }, /URL/);
	await bad({ publicUrl: 'ftp://gw.example' }, /URL/);
	await bad({ publicUrl: PUBLIC, bootstrapProfile: 'full' }, /bootstrapProfile/);
	await bad({ publicUrl: PUBLIC, joinUrl: false }, /joinUrl/);
	await bad({ publicUrl: PUBLIC, joinUrl: true, bootstrapProfile: 'limited' }, /node/);
	await bad({ publicUrl: PUBLIC, includeQr: true }, /QR/);
	await bad({ publicUrl: 'ws://192.168.1.2:1', joinUrl: true }, /TLS/);
	await bad({ publicUrl: PUBLIC, extra: 1 }, /extra/);
	const near = await issue(admin, { publicUrl: 'http://192.168.1.2:18789/' });

	assert.equal(near.gatewayUrl, 'ws://192.168.1.2:18789');
	assert.equal(near.access, 'limited');
	assert.equal(near.accessDowngraded, true);
	for (const c of [admin, reader])
		await c.close();
});

gatewayTest('a code ends with the device that made it, and with the shared secret', async (gw) => {
	const admin = await gw.connect();
	const maker = new Device();
	const first = await issue(admin);
	const hello = (await come(gw, maker, first.payload.bootstrapToken, { ...APP, scopes: FULL })).res.payload;
	const made = await Client.open(url(gw), { ...APP, scopes: FULL, device: maker,
		auth: { deviceToken: hello.auth.deviceToken } });
	const theirs = await issue(made, { bootstrapProfile: 'node' });
	const ours = await issue(admin, { bootstrapProfile: 'node' });

	await admin.call('device.pair.remove', { deviceId: maker.id });
	assertRefused(await come(gw, new Device(), theirs.payload.bootstrapToken));
	gw.token = `${gw.token}-new`;
	gw.writeConfig({});
	await admin.closed;
	assertRefused(await come(gw, new Device(), ours.payload.bootstrapToken));
	await gw.assertAlive();
});

gatewayTest('guessing codes locks out', {
	gateway: { config: { gateway: { auth: { rateLimit: { exemptLoopback: false, maxAttempts: 3 } } } } },
}, async (gw) => {
	const admin = await gw.connect();
	const { payload, joinUrl } = await issue(admin, { publicUrl: `http://127.0.0.1:${gw.port}`, joinUrl: true });

	for (let i = 0; i < 3; i++) {
		assertRefused(await come(gw, new Device(), `guess-${i}`));
		assert.equal((await gw.http(`/j/${'x'.repeat(22)}`)).status, 404);
	}
	const locked = await come(gw, new Device(), payload.bootstrapToken);

	assert.equal(locked.res.error.details.code, 'AUTH_RATE_LIMITED');
	assert.ok(locked.res.error.retryAfterMs > 0);
	const link = await gw.http(new URL(joinUrl).pathname);

	assert.equal(link.status, 429);
	assert.ok(Number(link.headers['retry-after']) > 0);
	await admin.close();
});

gatewayTest('a join link opens once; what comes back lets a node in', async (gw) => {
	const admin = await gw.connect();
	const made = await issue(admin, { publicUrl: `http://127.0.0.1:${gw.port}`, joinUrl: true });

	assert.match(made.joinUrl, /^http:\/\/127\.0\.0\.1:\d+\/j\/[A-Za-z0-9_-]{22}$/);
	const link = new URL(made.joinUrl).pathname;

	assert.equal((await gw.http(`${link}?x=1`)).status, 404);
	const got = await gw.http(link);

	assert.equal(got.status, 200);
	assert.equal(got.headers['cache-control'], 'no-store');
	assert.equal(got.json.url, `ws://127.0.0.1:${gw.port}`);
	assert.equal(got.json.expiresAtMs, made.expiresAtMs);
	const second = await gw.http(link);

	assert.equal(second.status, 404);
	assert.deepEqual(second.json, { error: 'not_found' });
	assertRefused(await come(gw, new Device(), made.payload.bootstrapToken));
	const node = await come(gw, new Device(), got.json.bootstrapToken);

	assert.equal(node.res.ok, true);
	assert.ok(!gw.log().includes(got.json.bootstrapToken) && !gw.log().includes(link.slice(3)), 'no code is logged');
	await node.close();
	await admin.close();
});

gatewayTest('chela and openclaw make join links', { timeout: 240000 }, async (gw) => {
	const own = await gw.cli(['devices', 'join-code', '--url', PUBLIC]);

	assert.equal(own.code, 0, own.stderr);
	assert.match(own.stdout, /^https:\/\/gw\.example\/ws\/j\/\S{22}\nnpx openclaw connect https:\/\/gw\.example\/ws\/j\/\S{22}\n$/);
	const json = JSON.parse((await gw.cli(['devices', 'join-code', '--url', PUBLIC, '--json'])).stdout);

	assert.equal(json.command, `npx openclaw connect ${json.joinUrl}`);
	const code = await gw.cli(['devices', 'setup-code', '--url', PUBLIC, '--profile', 'limited']);

	assert.equal(decode(code.stdout.split('\n')[0]).url, PUBLIC);
	const refused = await gw.cli(['devices', 'join-code']);

	assert.equal(refused.code, 1);
	assert.match(refused.stderr, /only bound to loopback/);
	gw.writeConfig({ gateway: { publicOrigin: 'https://gw.example' } });
	await gw.restart();
	const theirs = await openclaw(gw, openclawHome(gw, 'local'), ['devices', 'join-code', '--json']);

	assert.equal(theirs.code, 0, theirs.stdout);
	assert.match(JSON.parse(theirs.stdout).joinUrl, /^https:\/\/gw\.example\/j\/\S{22}$/);
});

gatewayTest("openclaw's own node joins by the link of chela", { timeout: 240000 }, async (gw) => {
	const admin = await gw.connect();
	const made = await issue(admin, { publicUrl: gw.url, joinUrl: true });
	const home = path.join(gw.dir, 'joiner');

	mkdirSync(home);
	const node = new Proc(NODE_NEW, [OPENCLAW, 'connect', made.joinUrl], { env: openclawEnv(home), cwd: home });

	try {
		const { payload } = await admin.event('device.pair.setup.completed', () => true, { ms: 150000 });

		assert.equal(payload.setupId, made.setupId);
		assert.equal(payload.access, 'node');
		const { paired } = await admin.call('device.pair.list');
		const device = paired.find((d) => d.deviceId === payload.deviceId);

		assert.deepEqual([device.clientId, device.roles, device.scopes], ['node-host', ['node'], []]);
	} finally {
		await node.stop('SIGTERM', 20000);
	}
	await admin.close();
});
