/*
 * npm_client_peer.mjs - runs the npm client (it wants Node.js 22) and is told what to do over stdin.
 *
 * Lines in: { id, op, ... }; lines out: { id, result | error } and { note, ... } for what the client reports.
 * Ops: open { options, identity, deviceToken }, request { method, params }, stop, drop (cuts the TCP connection).
 */
import { createPrivateKey, createPublicKey, sign } from 'node:crypto';
import net from 'node:net';
import readline from 'node:readline';
import { GatewayClient } from '@openclaw/gateway-client';

const out = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);
let client;
let tokens = {};

/* The client opens its sockets through net: remembered, so that a test can cut one. */
const sockets = new Set();
const connect = net.Socket.prototype.connect;

net.Socket.prototype.connect = function remembered(...args) {
	sockets.add(this);
	this.once('close', () => sockets.delete(this));
	return connect.apply(this, args);
};

const hostDeps = (identity) => ({
	loadOrCreateDeviceIdentity: () => identity,
	signDevicePayload: (pem, payload) => sign(null, Buffer.from(payload), createPrivateKey(pem)).toString('base64url'),
	publicKeyRawBase64UrlFromPem: (pem) =>
		createPublicKey(pem).export({ type: 'spki', format: 'der' }).subarray(-32).toString('base64url'),
	loadDeviceAuthToken: ({ deviceId, role }) => tokens[`${deviceId} ${role}`] ?? null,
	storeDeviceAuthToken: ({ deviceId, role, token, scopes }) => {
		tokens[`${deviceId} ${role}`] = { token, scopes };
		out({ note: 'stored', token, scopes });
	},
	clearDeviceAuthToken: ({ deviceId, role }) => {
		delete tokens[`${deviceId} ${role}`];
		out({ note: 'cleared' });
	},
});

const errorOf = (e) => ({ name: e.name, message: e.message, code: e.gatewayCode ?? e.code, details: e.details });

const ops = {
	open({ options, identity, stored }) {
		tokens = stored ?? tokens;
		client = new GatewayClient({
			...options,
			minProtocol: 4, maxProtocol: 4,
			deviceIdentity: identity ?? undefined,
			hostDeps: identity ? hostDeps(identity) : undefined,
			onHelloOk: (hello) => out({ note: 'hello', hello }),
			onEvent: (event) => out({ note: 'event', event }),
			onConnectError: (e) => out({ note: 'connect-error', error: errorOf(e) }),
			onClose: (code, reason) => out({ note: 'close', code, reason }),
			onGap: (gap) => out({ note: 'gap', gap }),
			onReconnectPaused: (info) => out({ note: 'paused', info }),
		});
		client.start();
	},
	request: ({ method, params, options }) => client.request(method, params, options),
	stop: () => client.stopAndWait(),
	drop: () => sockets.forEach((s) => s.destroy()),
};

for await (const line of readline.createInterface({ input: process.stdin })) {
	const { id, op, ...args } = JSON.parse(line);

	Promise.resolve().then(() => ops[op](args)).then(
		(result) => out({ id, result: result ?? null }),
		(e) => out({ id, error: errorOf(e) }));
}
process.exit(0);
