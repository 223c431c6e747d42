/*
 * handshake.test.mjs - every way a handshake can fail, with its code, message, details and close code;
 * limits before authentication; frames that are no frames. After each the gateway still serves others.
 *
 * The expected answers were recorded from the reference (2026.9.6).
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import net from 'node:net';
import { test } from 'node:test';
import { OPERATOR_SCOPES, connectParams } from './lib/client.mjs';
import { Device } from './lib/device.mjs';
import { Gateway, gatewayTest } from './lib/gateway.mjs';
import { problems } from './lib/schema.mjs';
import { within } from './lib/wait.mjs';

const CLI = { id: 'cli', mode: 'cli' };
const WEBCHAT = { id: 'webchat-ui', mode: 'webchat' };
const NODE = { id: 'node-host', mode: 'node' };

/* Sends a connect request made by hand; gives the answer (or null) and how the socket closed. */
async function attempt(gw, make, raw = {}) {
	const c = await gw.raw(raw);
	const frame = make(c);

	c.send(frame);
	await within(c.closed, () => `the socket to close after ${JSON.stringify(frame).slice(0, 200)}`);
	const answer = c.frames.items.find((f) => f.type === 'res') ?? null;

	return { answer, error: answer?.error, close: c.close_ };
}

const request = (params) => ({ type: 'req', id: 'connect', method: 'connect', params });
const base = (gw, options = {}) => connectParams({ auth: { token: gw.token }, ...options });

function without(object, key) {
	const { [key]: _, ...rest } = object;

	return rest;
}

/* -- parameters -- */

const BAD_PARAMS = [
	['an unknown member', (p) => ({ ...p, foo: 1 }), "at root: unexpected property 'foo'"],
	['no client', (p) => without(p, 'client'), "must have required property 'client'"],
	['an unknown client id', (p) => ({ ...p, client: { ...p.client, id: 'ios-node' } }),
		'at /client/id: must be equal to one of the allowed values'],
	['an unknown client mode', (p) => ({ ...p, client: { ...p.client, mode: 'operator' } }),
		'at /client/mode: must be equal to one of the allowed values'],
	['an unknown member of client', (p) => ({ ...p, client: { ...p.client, foo: 1 } }),
		"at /client: unexpected property 'foo'"],
	['a protocol that is text', (p) => ({ ...p, minProtocol: '4' }), 'at /minProtocol: must be integer'],
	['an unknown member of auth', (p) => ({ ...p, auth: { ...p.auth, x: 1 } }), "at /auth: unexpected property 'x'"],
	['half a device', (p) => ({ ...p, device: { id: 'x' } }), "at /device: must have required property 'publicKey'"],
	['no params', () => undefined, 'must be object'],
];

for (const [name, change, problem] of BAD_PARAMS) {
	gatewayTest(`connect with ${name} is refused and named`, async (gw) => {
		const { error, close } = await attempt(gw, () => request(change(base(gw))));

		assert.deepEqual(error, { code: 'INVALID_REQUEST', message: `invalid connect params: ${problem}` });
		assert.deepEqual(close, { code: 1008, reason: `invalid connect params: ${problem}` });
		await gw.assertAlive();
	});
}

gatewayTest('an unknown role is refused', async (gw) => {
	const { error, close } = await attempt(gw, () => request(base(gw, { role: 'boss' })));

	assert.deepEqual(error, { code: 'INVALID_REQUEST', message: 'invalid role' });
	assert.deepEqual(close, { code: 1008, reason: 'invalid role' });
});

gatewayTest('role worker has no way in here', async (gw) => {
	const { answer, close } = await attempt(gw, () => request(base(gw, { role: 'worker' })));

	assert.equal(answer, null);
	assert.deepEqual(close, { code: 1008, reason: 'invalid-handshake' });
});

for (const [min, max] of [[5, 6], [3, 3], [1, 2]]) {
	gatewayTest(`protocol ${min} to ${max} is refused with what is spoken`, async (gw) => {
		const { error, close } = await attempt(gw, () => request({ ...base(gw), minProtocol: min, maxProtocol: max }));

		assert.deepEqual(error, { code: 'INVALID_REQUEST', message: 'protocol mismatch', details: {
			code: 'PROTOCOL_MISMATCH', clientMinProtocol: min, clientMaxProtocol: max, expectedProtocol: 4,
			minimumProbeProtocol: 3 } });
		assert.deepEqual(close, { code: 1002, reason: 'protocol mismatch' });
	});
}

gatewayTest('a version 3 probe is let in to see what it found', async (gw) => {
	const c = await gw.connect({ client: { id: 'cli', mode: 'probe' }, params: { minProtocol: 3, maxProtocol: 3 } });

	assert.equal(c.hello.protocol, 4);
	await c.close();
});

/* -- frames before authentication -- */

const BAD_FRAMES = [
	['another method first', { type: 'req', id: 'h', method: 'health', params: {} }, 1008,
		'invalid handshake: first request must be connect'],
	['an event', { type: 'event', event: 'x' }, 1008, 'invalid request frame'],
	['an array', '[]', 1008, 'invalid request frame'],
	['a string', '"hi"', 1008, 'invalid request frame'],
	['a number', '12', 1008, 'invalid request frame'],
	['a request without id', { type: 'req', method: 'connect', params: {} }, 1008, 'invalid request frame'],
	['what is not JSON', 'not json', 1000, ''],
	['an empty message', '', 1000, ''],
	['a cut frame', '{"type":"req","id":"c","meth', 1000, ''],
	['a binary message', Buffer.from([0, 1, 2, 255]), 1003, 'binary messages are not understood here'],
	['30,000 open brackets', '['.repeat(30000), 1000, ''],
	['a deep object', '{"a":'.repeat(9000), 1000, ''],
	['more than 64 KiB', JSON.stringify({ type: 'req', id: 'c', method: 'connect', pad: 'x'.repeat(65536) }), 1009, ''],
];

for (const [name, frame, code, reason] of BAD_FRAMES) {
	gatewayTest(`before authentication ${name} closes ${code}`, async (gw) => {
		const others = await gw.connect();
		const { answer, close } = await attempt(gw, () => frame);

		if (reason.startsWith('invalid handshake'))
			assert.deepEqual(answer, { type: 'res', id: 'h', ok: false, error: { code: 'INVALID_REQUEST', message: reason } });
		else
			assert.equal(answer, null);
		assert.deepEqual(close, { code, reason });
		assert.equal((await others.call('health')).ok, true, 'the others are served');
		await others.close();
	});
}

/* Bytes that are no WebSocket frames at all, sent after the upgrade. */
async function upgradeByHand(port) {
	const socket = net.connect(port, '127.0.0.1');
	const chunks = [];
	const ended = new Promise((resolve) => socket.once('close', resolve));

	socket.on('data', (d) => chunks.push(d));
	socket.on('error', () => undefined);             /* a reset is one of the ways to be refused */
	socket.write(`GET / HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
		`Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\nSec-WebSocket-Version: 13\r\n\r\n`);
	await within(new Promise((resolve) => socket.on('data', () => {
		if (Buffer.concat(chunks).includes('connect.challenge'))
			resolve();
	})), 'the challenge');
	const start = Buffer.concat(chunks).length;

	return { socket, ended, after: () => Buffer.concat(chunks).subarray(start) };
}

const closeCode = (bytes) => bytes.length >= 4 && bytes[0] === 0x88 ? bytes.readUInt16BE(2) : null;

const BAD_BYTES = [
	['an unmasked frame', Buffer.from([0x81, 0x02, 0x7b, 0x7d]), 1002],
	['a reserved bit', Buffer.from([0xc1, 0x80, 0, 0, 0, 0]), 1002],
	['a reserved opcode', Buffer.from([0x83, 0x80, 0, 0, 0, 0]), 1002],
	['a continuation of nothing', Buffer.from([0x80, 0x80, 0, 0, 0, 0]), 1002],
	['a ping in two parts', Buffer.from([0x09, 0x80, 0, 0, 0, 0]), 1002],
	['a ping of 126 bytes', Buffer.concat([Buffer.from([0x89, 0xfe, 0, 126, 0, 0, 0, 0]), Buffer.alloc(126)]), 1002],
	['a length with its top bit set', Buffer.from([0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0]), [1002, 1009]],
	['a frame that claims 2^40 bytes', Buffer.from([0x81, 0xff, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]), 1009],
	['invalid UTF-8', Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0xc3, 0x28]), 1007],
	['a close code that may not be sent', Buffer.from([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xed]), 1002],
];

for (const [name, bytes, code] of BAD_BYTES) {
	gatewayTest(`${name} ends the socket`, async (gw) => {
		const peer = await upgradeByHand(gw.port);

		peer.socket.write(bytes);
		await within(peer.ended, 'the gateway to hang up');
		assert.ok([code].flat().includes(closeCode(peer.after())), `closed with ${closeCode(peer.after())}`);
		await gw.assertAlive();
	});
}

gatewayTest('random bytes after the upgrade end 200 sockets and nothing else', { timeout: 120000 }, async (gw) => {
	const seed = Number(process.env.E2E_SEED ?? Date.now() % 1e9);
	let state = seed >>> 0;
	const next = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0);
	const watcher = await gw.connect();

	console.log(`# seed ${seed} (E2E_SEED)`);
	for (let i = 0; i < 200; i++) {
		const peer = await upgradeByHand(gw.port);
		const junk = Buffer.from(Array.from({ length: 1 + next() % 200 }, () => next() >>> 24));

		peer.socket.end(junk);
		await within(peer.ended, `the gateway to hang up on ${junk.toString('hex')}`);
	}
	assert.equal((await watcher.call('health')).ok, true);
	await watcher.close();
});

/* -- device identity -- */

const device = new Device();
const stranger = new Device();
const BAD_DEVICES = [
	['an id of another key', (p) => { p.device.id = stranger.id; },
		'device identity mismatch', 'DEVICE_AUTH_DEVICE_ID_MISMATCH', 'device-id-mismatch'],
	['a key that is no key', (p) => { p.device.publicKey = 'AAAA'; },
		'device identity mismatch', 'DEVICE_AUTH_DEVICE_ID_MISMATCH', 'device-id-mismatch'],
	['an old signature', (p, c) => { p.device = device.proof(p, { ...c.challenge, ts: c.challenge.ts - 200000 }); },
		'device signature expired', 'DEVICE_AUTH_SIGNATURE_EXPIRED', 'device-signature-stale'],
	['a signature of the future', (p, c) => { p.device = device.proof(p, { ...c.challenge, ts: c.challenge.ts + 200000 }); },
		'device signature expired', 'DEVICE_AUTH_SIGNATURE_EXPIRED', 'device-signature-stale'],
	['a blank nonce', (p) => { p.device.nonce = ' '; },
		'device nonce required', 'DEVICE_AUTH_NONCE_REQUIRED', 'device-nonce-missing'],
	['the nonce of another socket', (p, c) => { p.device = device.proof(p, { ...c.challenge, nonce: 'other' }); },
		'device nonce mismatch', 'DEVICE_AUTH_NONCE_MISMATCH', 'device-nonce-mismatch'],
	['a signature of another key', (p, c) => { p.device.signature = stranger.proof(p, c.challenge).signature; },
		'device signature invalid', 'DEVICE_AUTH_SIGNATURE_INVALID', 'device-signature'],
	['a signature that is none', (p) => { p.device.signature = 'zzz'; },
		'device signature invalid', 'DEVICE_AUTH_SIGNATURE_INVALID', 'device-signature'],
	['scopes added after signing', (p) => { p.scopes = [...p.scopes, 'operator.talk']; },
		'device signature invalid', 'DEVICE_AUTH_SIGNATURE_INVALID', 'device-signature'],
	['a platform changed after signing', (p) => { p.client.platform = 'darwin'; },
		'device signature invalid', 'DEVICE_AUTH_SIGNATURE_INVALID', 'device-signature'],
];

for (const [name, change, message, code, reason] of BAD_DEVICES) {
	gatewayTest(`a device with ${name} is refused`, async (gw) => {
		const { error, close } = await attempt(gw, (c) => {
			const params = base(gw, { client: CLI });

			params.device = device.proof(params, c.challenge);
			change(params, c);
			return request(params);
		});

		assert.deepEqual(error, { code: 'INVALID_REQUEST', message, details: { code, reason } });
		assert.deepEqual(close, { code: 1008, reason: message });
		await gw.assertAlive();
	});
}

for (const proofVersion of [2, 3]) {
	gatewayTest(`a device signs with payload version ${proofVersion}`, async (gw) => {
		const c = await gw.connect({ client: CLI, device: new Device(), proofVersion });

		assert.match(c.hello.auth.deviceToken, /^[\w-]{43}$/);
		assert.equal(typeof c.hello.auth.issuedAtMs, 'number');
		await c.close();
	});
}

/* -- credentials -- */

const UNAUTHORIZED = 'unauthorized: ';
const mismatch = { code: 'AUTH_TOKEN_MISMATCH', authReason: 'token_mismatch', canRetryWithDeviceToken: false,
	recommendedNextStep: 'update_auth_credentials' };
const BAD_AUTH = [
	['no credentials, no device', { auth: undefined }, 'NOT_PAIRED', 'device identity required',
		{ code: 'DEVICE_IDENTITY_REQUIRED' }],
	['empty auth, no device', { auth: {} }, 'NOT_PAIRED', 'device identity required', { code: 'DEVICE_IDENTITY_REQUIRED' }],
	['a wrong device token, no device', { auth: { deviceToken: 'x' } }, 'NOT_PAIRED', 'device identity required',
		{ code: 'DEVICE_IDENTITY_REQUIRED' }],
	['a wrong setup code, no device', { auth: { bootstrapToken: 'x' } }, 'NOT_PAIRED', 'device identity required',
		{ code: 'DEVICE_IDENTITY_REQUIRED' }],
	['no credentials with a device', { auth: undefined, device }, 'INVALID_REQUEST',
		`${UNAUTHORIZED}gateway token missing (provide gateway auth token)`,
		{ code: 'AUTH_TOKEN_MISSING', authReason: 'token_missing', canRetryWithDeviceToken: false,
			recommendedNextStep: 'update_auth_configuration' }],
	['a wrong token', { auth: { token: 'x' } }, 'INVALID_REQUEST',
		`${UNAUTHORIZED}gateway token mismatch (provide gateway auth token)`, mismatch],
	['a wrong password where a token is set', { auth: { password: 'x' } }, 'INVALID_REQUEST',
		`${UNAUTHORIZED}gateway token mismatch (provide gateway auth token)`, mismatch],
	['a wrong token with a device', { auth: { token: 'x' }, device }, 'INVALID_REQUEST',
		`${UNAUTHORIZED}gateway token mismatch (provide gateway auth token)`,
		{ ...mismatch, canRetryWithDeviceToken: true, recommendedNextStep: 'retry_with_device_token' }],
	['a wrong device token', { auth: { deviceToken: 'x' }, device }, 'INVALID_REQUEST',
		`${UNAUTHORIZED}device token mismatch (rotate/reissue device token)`,
		{ code: 'AUTH_DEVICE_TOKEN_MISMATCH', authReason: 'device_token_mismatch', canRetryWithDeviceToken: false,
			recommendedNextStep: 'update_auth_credentials' }],
	['a wrong setup code', { auth: { bootstrapToken: 'x' }, device }, 'INVALID_REQUEST',
		/^unauthorized: setup code invalid, expired, revoked, or already used/,
		{ code: 'AUTH_BOOTSTRAP_TOKEN_INVALID', authReason: 'bootstrap_token_invalid', canRetryWithDeviceToken: false,
			recommendedNextStep: 'review_auth_configuration' }],
	['a terminal UI without device', { client: { id: 'openclaw-tui', mode: 'ui' } }, 'INVALID_REQUEST',
		'control ui requires device identity (use HTTPS or localhost secure context)',
		{ code: 'CONTROL_UI_DEVICE_IDENTITY_REQUIRED' }],
	['a node without device', { client: NODE, role: 'node' }, 'NOT_PAIRED', 'device identity required',
		{ code: 'DEVICE_IDENTITY_REQUIRED' }],
];

function assertRefused(e, code, message, details) {
	assert.equal(e.code, code);
	if (message instanceof RegExp)
		assert.match(e.rpc.message, message);
	else
		assert.equal(e.rpc.message, message);
	assert.deepEqual(e.rpc.details, details);
	assert.equal(e.closeInfo.code, 1008);
	/* A close reason holds 123 bytes. */
	assert.equal(e.closeInfo.reason, e.rpc.message.slice(0, 123));
	return true;
}

for (const [name, options, code, message, details] of BAD_AUTH) {
	gatewayTest(`${name}: ${details.code}`, async (gw) => {
		await assert.rejects(gw.connect(options), (e) => assertRefused(e, code, message, details));
		await gw.assertAlive();
	});
}

gatewayTest('password mode takes the password only', { gateway: { auth: 'password' } }, async (gw) => {
	const c = await gw.connect();

	assert.equal(c.hello.auth.method, 'password');
	await c.close();
	await assert.rejects(gw.connect({ auth: { password: 'x' } }), (e) => {
		assert.equal(e.rpc.details.code, 'AUTH_PASSWORD_MISMATCH');
		return assert.match(e.rpc.message, /^unauthorized: gateway password mismatch/) ?? true;
	});
	await assert.rejects(gw.connect({ auth: undefined, device }), (e) => {
		assert.equal(e.rpc.details.code, 'AUTH_PASSWORD_MISSING');
		return true;
	});
});

gatewayTest('mode none asks for nothing on this machine', { gateway: { auth: 'none' } }, async (gw) => {
	const c = await gw.connect();

	assert.equal(c.hello.auth.method, 'none');
	await c.close();
});

gatewayTest('guessing gets slower with each wrong token', async (gw) => {
	const waits = [];

	for (let i = 0; i < 3; i++) {
		const started = Date.now();

		await assert.rejects(gw.connect({ auth: { token: `guess-${i}` } }));
		waits.push(Date.now() - started);
	}
	assert.ok(waits[0] >= 240 && waits[1] >= 490 && waits[2] >= 990, `waited ${waits}`);
	/* Two seconds come next: who knows the token does not wait for them. */
	const guess = assert.rejects(gw.connect({ auth: { token: 'guess-3' } })).then(() => 'the guess');

	assert.equal(await Promise.race([guess, gw.assertAlive().then(() => 'the token')]), 'the token');
	await guess;
});

/* -- without a device: what each client is -- */

const DEVICELESS = [
	['cli/cli', { client: CLI }, true],
	['gateway-client/backend', {}, true],
	['cli/probe', { client: { id: 'cli', mode: 'probe' } }, false],
	['test/test', { client: { id: 'test', mode: 'test' } }, false],
	['cli/cli from a page', { client: CLI, origin: 'http://localhost:5173' }, false],
];

for (const [name, options, keeps] of DEVICELESS) {
	gatewayTest(`${name} without device ${keeps ? 'keeps' : 'loses'} its scopes`, async (gw) => {
		const c = await gw.connect({ scopes: ['operator.read'], ...options });

		assert.deepEqual(c.hello.auth.scopes, keeps ? ['operator.read'] : []);
		assert.equal((await c.request('health', {})).ok, true, 'health needs no scope');
		if (keeps)
			await c.call('status');
		else
			assert.deepEqual(await c.fails('status'), { code: 'FORBIDDEN', message: 'missing scope: operator.read',
				details: { code: 'MISSING_SCOPE', missingScope: 'operator.read', requiredScopes: ['operator.read'] } });
		await c.close();
	});
}

/* -- origins, hosts, forwarded headers -- */

const ORIGIN_MESSAGE = 'origin not allowed (open the Control UI from the gateway host or allow it in ' +
	'gateway.controlUi.allowedOrigins)';
const GOOD_ORIGINS = [(p) => `http://127.0.0.1:${p}`, (p) => `http://localhost:${p}`, () => 'http://127.0.0.1:1',
	() => 'http://[::1]:1', (p) => `https://127.0.0.1:${p}`, (p) => `HTTP://LOCALHOST:${p}`];
const BAD_ORIGINS = ['http://evil.example', 'null', 'file://', 'not a url', 'http://127.0.0.1.evil.example',
	'http://localhost.evil.example', 'http://localhost.', 'http://127.0.0.1@evil.example', 'http://evil.example#127.0.0.1',
	'http://evil.example/127.0.0.1', 'http://xlocalhost', 'http://0.0.0.0.evil.example', 'http://[::ffff:8.8.8.8]',
	'http://2130706433', 'ftp://127.0.0.1', 'http://', 'http://127.0.0.1:99999', 'http://127.0.0.1 http://evil.example',
	'chrome-extension://abcdef'];

gatewayTest('pages of this machine may connect', async (gw) => {
	for (const make of GOOD_ORIGINS) {
		const c = await gw.connect({ client: WEBCHAT, device: new Device(), origin: make(gw.port) });

		assert.deepEqual(c.hello.auth.scopes, OPERATOR_SCOPES, make(gw.port));
		await c.close();
	}
});

gatewayTest('pages of anybody else may not', async (gw) => {
	for (const origin of BAD_ORIGINS) {
		await assert.rejects(gw.connect({ client: WEBCHAT, device: new Device(), origin }), (e) => {
			assert.equal(e.code, 'INVALID_REQUEST', `${origin}: ${e.message}`);
			assert.equal(e.rpc.message, ORIGIN_MESSAGE);
			assert.equal(e.rpc.details.code, 'CONTROL_UI_ORIGIN_NOT_ALLOWED');
			assert.match(e.rpc.details.reason, /^origin (not allowed|missing or invalid)$/);
			assert.deepEqual(e.closeInfo, { code: 1008, reason: ORIGIN_MESSAGE });
			return true;
		}, origin);
	}
	/* A page always says where it comes from. */
	await assert.rejects(gw.connect({ client: WEBCHAT, device: new Device() }), (e) => {
		assert.deepEqual(e.rpc.details, { code: 'CONTROL_UI_ORIGIN_NOT_ALLOWED', reason: 'origin missing or invalid' });
		return true;
	});
	/* A page that calls itself something else is still a page. */
	await assert.rejects(gw.connect({ client: CLI, origin: 'http://evil.example' }), /origin not allowed/);
	await gw.assertAlive();
});

gatewayTest('an allowed origin is compared whole', {
	gateway: { config: { gateway: { controlUi: { allowedOrigins: ['https://chat.example'] } } } },
}, async (gw) => {
	const headers = { Host: `127.0.0.1:${gw.port}` };
	const c = await gw.connect({ client: WEBCHAT, device: new Device(), origin: 'https://chat.example', headers });

	await c.close();
	for (const origin of ['http://chat.example', 'https://chat.example:444', 'https://chat.example.evil', 'https://a.chat.example'])
		await assert.rejects(gw.connect({ client: WEBCHAT, device: new Device(), origin, headers }), /origin not allowed/, origin);
});

gatewayTest('a name that is not ours is refused before anything is said', async (gw) => {
	for (const host of ['evil.example', `evil.example:${gw.port}`, 'localhost.evil.example', '127.0.0.1.evil.example',
		'evil.example@127.0.0.1']) {
		const c = await gw.raw({ upgradeOnly: true, headers: { Host: host } });
		const answer = await within(c.upgrade, 'the upgrade to be answered');

		assert.ok([400, 403].includes(answer.status), `${host}: ${answer.status}`);
	}
	for (const host of [`localhost:${gw.port}`, `127.0.0.1:${gw.port}`, `[::1]:${gw.port}`, 'LOCALHOST']) {
		const c = await gw.raw({ headers: { Host: host } });

		c.terminate();
	}
	await gw.assertAlive();
});

gatewayTest('a forwarded request without a trusted proxy is refused', async (gw) => {
	for (const [name, value] of [['Forwarded', 'for=1.2.3.4'], ['X-Forwarded-For', '1.2.3.4'], ['X-Forwarded-For', '127.0.0.1'],
		['X-Forwarded-Host', 'a'], ['X-Forwarded-Proto', 'https'], ['X-Real-IP', '127.0.0.1'], ['Tailscale-User-Login', 'a@b']]) {
		const c = await gw.raw({ upgradeOnly: true, headers: { [name]: value } });
		const answer = await within(c.upgrade, 'the upgrade to be answered');

		assert.equal(answer.status, 403, name);
		assert.equal(JSON.parse(answer.text).error.type, 'proxy_attribution_required');
		assert.match(JSON.parse(answer.text).error.message, /^Proxy client attribution is required/);
	}
	await gw.assertAlive();
});

gatewayTest('test_cve_2026_22172_scope_self_claim: x-openclaw-scopes only ever takes away', async (gw) => {
	const asked = ['operator.read', 'operator.admin'];

	for (const [header, granted] of [['operator.read', ['operator.read']], ['', []], ['bogus', []],
		['operator.read, operator.write', ['operator.read']], ['operator.admin', ['operator.admin']],
		['operator.pairing', []]]) {
		const c = await gw.connect({ client: CLI, scopes: asked, headers: { 'x-openclaw-scopes': header } });

		assert.deepEqual(c.hello.auth.scopes, granted, `x-openclaw-scopes: ${header}`);
		await c.close();
	}
});

/* -- pairing and device tokens -- */

const paired = (gw, d, options = {}) => gw.connect({ client: CLI, device: d, scopes: ['operator.read'], ...options });
const refusedPairing = (reason) => (e) => {
	assert.equal(e.code, 'NOT_PAIRED', e.message);
	assert.equal(e.rpc.details.code, 'PAIRING_REQUIRED');
	assert.equal(e.rpc.details.reason, reason);
	assert.equal(typeof e.rpc.details.requestId, 'string');
	assert.equal(typeof e.rpc.details.remediationHint, 'string');
	assert.equal(e.closeInfo.code, 1008);
	assert.equal(e.closeInfo.reason, `${e.rpc.message} (requestId: ${e.rpc.details.requestId})`.slice(0, 123));
	return true;
};

gatewayTest('a device keeps its token over connects', async (gw) => {
	const d = new Device();
	const first = await paired(gw, d);
	const { deviceToken, issuedAtMs } = first.hello.auth;

	await first.close();
	for (const auth of [{ deviceToken }, { token: deviceToken }]) {
		const c = await paired(gw, d, { auth });

		assert.equal(c.hello.auth.method, 'device-token');
		assert.equal(c.hello.auth.deviceToken, deviceToken);
		assert.equal(c.hello.auth.issuedAtMs, issuedAtMs);
		await c.close();
	}
	await assert.rejects(paired(gw, new Device(), { auth: { deviceToken } }),
		(e) => e.rpc.details.code === 'AUTH_DEVICE_TOKEN_MISMATCH', 'the token is bound to its device');
	await assert.rejects(paired(gw, d, { auth: { deviceToken }, scopes: ['operator.read', 'operator.write'] }), (e) => {
		assert.deepEqual(e.rpc.details, { code: 'AUTH_SCOPE_MISMATCH', authReason: 'scope_mismatch',
			canRetryWithDeviceToken: false, recommendedNextStep: 'review_auth_configuration' });
		return true;
	});
	const more = await paired(gw, d, { scopes: ['operator.read', 'operator.write'] });

	assert.deepEqual(more.hello.auth.scopes, ['operator.read', 'operator.write'], 'the shared token may widen it here');
	assert.notEqual(more.hello.auth.deviceToken, deviceToken);
	await more.close();
	await assert.rejects(paired(gw, d, { auth: { deviceToken } }),
		(e) => e.rpc.details.code === 'AUTH_DEVICE_TOKEN_MISMATCH', 'the token of before is void');
});

gatewayTest('test_threat_scope_self_claim: a paired device that asks for another role needs approval', async (gw) => {
	const d = new Device();

	await (await paired(gw, d)).close();
	await assert.rejects(paired(gw, d, { client: NODE, role: 'node', scopes: [] }), refusedPairing('role-upgrade'));
	const fresh = await paired(gw, new Device(), { client: NODE, role: 'node', scopes: [] });

	assert.equal(fresh.hello.auth.role, 'node', 'a fresh node of this machine is silent');
	await fresh.close();
});

gatewayTest('a paired device that claims another platform needs approval', async (gw) => {
	const d = new Device();
	const client = { id: 'test', mode: 'test', platform: 'linux' };

	await (await paired(gw, d, { client })).close();
	await assert.rejects(paired(gw, d, { client: { ...client, platform: 'darwin' } }), refusedPairing('metadata-upgrade'));
	await (await paired(gw, d, { client })).close();
});

gatewayTest('without silent approval a device waits for a person', {
	gateway: { config: { gateway: { nodes: { pairing: { autoApproveLocal: false } } } } },
}, async (gw) => {
	const operator = await gw.connect();
	const d = new Device();
	let requestId;

	await assert.rejects(paired(gw, d), (e) => {
		requestId = e.rpc.details.requestId;
		assert.equal(e.rpc.message, 'pairing required: device is not approved yet');
		return refusedPairing('not-paired')(e);
	});
	const asked = await operator.event('device.pair.requested');

	assert.deepEqual(problems('DevicePairRequestedEvent', asked.payload), []);
	assert.equal(asked.payload.requestId, requestId);
	assert.equal(asked.payload.deviceId, d.id);
	assert.equal((await operator.call('device.pair.list')).pending[0].requestId, requestId);
	await operator.call('device.pair.approve', { requestId });
	const resolved = await operator.event('device.pair.resolved');

	assert.deepEqual(problems('DevicePairResolvedEvent', resolved.payload), []);
	assert.equal(resolved.payload.decision, 'approved');
	const c = await paired(gw, d);

	assert.match(c.hello.auth.deviceToken, /^[\w-]{43}$/);
	await c.close();

	const other = new Device();

	await assert.rejects(paired(gw, other), (e) => {
		requestId = e.rpc.details.requestId;
		return true;
	});
	await operator.call('device.pair.reject', { requestId });
	await assert.rejects(paired(gw, other), refusedPairing('not-paired'));
	await operator.close();
});

gatewayTest('test_threat_scope_revoked: rotating, revoking and removing end the live sockets', async (gw) => {
	const operator = await gw.connect();
	const d = new Device();
	const first = await paired(gw, d);
	const old = first.hello.auth.deviceToken;
	const live = await paired(gw, d, { auth: { deviceToken: old } });
	const rotated = await operator.call('device.token.rotate', { deviceId: d.id, role: 'operator' });

	assert.deepEqual(problems('DeviceTokenRotateResult', rotated), []);
	assert.equal((await within(live.closed, 'the live socket to be closed')).code, 4001);
	await assert.rejects(paired(gw, d, { auth: { deviceToken: old } }),
		(e) => e.rpc.details.code === 'AUTH_DEVICE_TOKEN_MISMATCH');

	const again = await paired(gw, d);
	const token = again.hello.auth.deviceToken;
	const second = await paired(gw, d, { auth: { deviceToken: token } });

	await operator.call('device.token.revoke', { deviceId: d.id, role: 'operator' });
	assert.equal((await within(second.closed, 'the socket of the revoked token to be closed')).code, 4001);
	await assert.rejects(paired(gw, d, { auth: { deviceToken: token } }),
		(e) => e.rpc.details.code === 'AUTH_DEVICE_TOKEN_MISMATCH');
	await operator.call('device.pair.remove', { deviceId: d.id });
	assert.deepEqual((await operator.call('device.pair.list')).paired.filter((x) => x.deviceId === d.id), []);
	await operator.close();
});

/* -- limits before authentication -- */

gatewayTest('32 sockets of one address may wait, the 33rd may not', async (gw) => {
	const waiting = await Promise.all(Array.from({ length: 32 }, () => gw.raw()));
	const c = await gw.raw({ upgradeOnly: true });
	const refused = await within(c.upgrade, 'the upgrade to be answered');

	assert.equal(refused.status, 503);
	const res = await waiting[0].handshake({ auth: { token: gw.token } });

	assert.equal(res.ok, true, 'who waits can still come in');
	await gw.assertAlive();
	for (const w of waiting)
		w.terminate();
});

gatewayTest('frames may be sent ahead of hello-ok, in order', async (gw) => {
	const c = await gw.raw();

	c.send(request(base(gw)));
	for (let i = 0; i < 15; i++)
		c.send({ type: 'req', id: `p${i}`, method: 'health' });
	await c.frames.find((f) => f.id === 'p14', { what: 'the last answer' });
	const ids = c.frames.items.filter((f) => f.type === 'res').map((f) => f.id);

	assert.equal(ids[0], 'connect');
	assert.deepEqual(ids.slice(1).sort(), Array.from({ length: 15 }, (_, i) => `p${i}`).sort());
	await c.close();
});

test('the handshake has 15 seconds, however the time is spent', { timeout: 120000 }, async () => {
	const gw = await Gateway.start();

	try {
		const silent = await gw.raw(), started = Date.now();
		const dripping = await upgradeByHand(gw.port);
		const drip = setInterval(() => dripping.socket.write(Buffer.from([0x81])), 3000);

		dripping.ended.finally(() => clearInterval(drip));
		const close = await within(silent.closed, 'the silent socket to be closed', 25000);

		assert.deepEqual(close, { code: 1000, reason: '' });
		assert.ok(Date.now() - started > 13000, `closed after ${Date.now() - started} ms`);
		await within(dripping.ended, 'the dripping socket to be closed', 10000);
		await gw.assertAlive();
	} finally {
		await gw.stop();
	}
});

/* -- after authentication -- */

gatewayTest('a malformed frame is answered and the socket stays', async (gw) => {
	const c = await gw.connect();
	const bad = async (frame, id, message) => {
		const from = c.frames.items.length;

		c.send(frame);
		const { item } = await c.frames.find((f) => f.type === 'res' && f.id === id, { from, what: `an answer to ${frame}` });

		assert.equal(item.ok, false);
		assert.equal(item.error.code, 'INVALID_REQUEST');
		assert.equal(item.error.message, message);
	};

	await bad('{"type":"req","id":"x1"}', 'x1', "invalid request frame: must have required property 'method'");
	await bad('{"type":"req","method":"health"}', 'invalid', "invalid request frame: must have required property 'id'");
	await bad('[]', 'invalid', 'invalid request frame: must be object');
	c.send('not json');
	c.send('{"type":"req","id":"cut","meth');
	c.send('['.repeat(100000));
	assert.equal((await c.call('health')).ok, true, 'what is no JSON is ignored');
	await c.close();
});

gatewayTest('each kind of bad request has its answer', async (gw) => {
	const admin = await gw.connect();
	const reader = await gw.connect({ scopes: ['operator.read'] });
	const missing = (scope) => ({ code: 'FORBIDDEN', message: `missing scope: ${scope}`,
		details: { code: 'MISSING_SCOPE', missingScope: scope, requiredScopes: [scope] } });
	const invalid = (message) => ({ code: 'INVALID_REQUEST', message });

	assert.deepEqual(await admin.fails('no.such'), invalid('unknown method: no.such'));
	assert.deepEqual(await reader.fails('no.such'), missing('operator.admin'));
	assert.deepEqual(await admin.fails('node.invoke.result'), invalid('unauthorized role: operator'));
	assert.deepEqual(await admin.fails('connect'), invalid('connect is only valid as the first request'));
	assert.deepEqual(await admin.fails('chat.send', { sessionKey: 'main' }),
		invalid("invalid chat.send params: must have required property 'message'"));
	assert.deepEqual(await admin.fails('chat.history', []), invalid('invalid chat.history params: must be object'));
	assert.deepEqual(await admin.fails('sessions.patch', { key: 'main', nope: 1 }),
		invalid("invalid sessions.patch params: at root: unexpected property 'nope'"));
	assert.deepEqual(await reader.fails('chat.send', {}), missing('operator.write'));
	assert.deepEqual(await reader.fails('sessions.reset', {}), missing('operator.admin'));
	assert.deepEqual(await reader.fails('device.pair.list', {}), missing('operator.pairing'));
	await admin.close();
	await reader.close();
});

gatewayTest('who keeps calling what it may not is closed', async (gw) => {
	const c = await gw.connect();

	for (let i = 0; i < 12; i++)
		c.send({ type: 'req', id: `n${i}`, method: 'node.invoke.result', params: {} });
	assert.deepEqual(await within(c.closed, 'the socket to be closed'),
		{ code: 1008, reason: 'repeated unauthorized calls' });
	await gw.assertAlive();
});

gatewayTest('hello-ok lists only what works', async (gw) => {
	const c = await gw.connect();
	const { methods } = c.hello.features;

	assert.deepEqual(problems('HelloOk', c.hello), []);
	assert.equal(new Set(methods).size, methods.length);
	for (const method of methods) {
		const res = await c.request(method, { surelyUnknownMember: 1 });

		assert.doesNotMatch(res.error?.message ?? '', /unknown method/, method);
	}
	assert.equal(c.hello.policy.maxPayload, 26214400);
	assert.equal(c.hello.policy.maxBufferedBytes, 52428800);
	assert.equal(c.hello.policy.tickIntervalMs, 30000);
	await c.close();
});

gatewayTest('events are numbered from 1 without a gap', async (gw) => {
	const c = await gw.connect({ client: { id: 'openclaw-tui', mode: 'ui' }, device: new Device() });

	await c.call('sessions.subscribe');
	await c.turn('agent:main:seq', 'help');
	const seqs = c.frames.items.filter((f) => f.type === 'event' && f.seq !== undefined).map((f) => f.seq);

	assert.deepEqual(seqs, seqs.map((_, i) => i + 1));
	await c.close();
});

