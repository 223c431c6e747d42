/*
 * The way in: what is signed, which secret is shown to whom, and what a refusal means.
 */
import assert from 'node:assert/strict';
import { createHash, createPublicKey, verify } from 'node:crypto';
import test from 'node:test';
import { load } from './load.mjs';

const m = await load(`
  export { devicePayload } from './src/gateway/device_payload.ts';
  export { secretFromFragment, Credentials } from './src/gateway/credentials.ts';
  export { refusalOf, knockAgainMs } from './src/gateway/refusal.ts';
  export { backoffMs } from './src/gateway/backoff.ts';
  export { parseFrame } from './src/gateway/frames.ts';
  export { base64url, hex, uuid } from './src/gateway/bytes.ts';
  export { loadIdentity } from './src/gateway/identity.ts';
  export { sessionFromFragment, fragmentFor } from './src/app/route.ts';
`);

test('the v3 payload: order, separators, pinned platform', () => {
  const payload = m.devicePayload({
    deviceId: 'd1', clientId: 'webchat-ui', clientMode: 'webchat', role: 'operator', scopes: ['operator.read', 'operator.write'],
    signedAtMs: 1700000000000, token: 'tok', nonce: 'n1', platform: ' Linux x86_64 ', deviceFamily: '',
  });
  assert.equal(payload, 'v3|d1|webchat-ui|webchat|operator|operator.read,operator.write|1700000000000|tok|n1|linux x86_64|');
});

test('the secret comes from the fragment only and leaves it', () => {
  assert.deepEqual(m.secretFromFragment('#token=abc'), { secret: { kind: 'token', value: 'abc' }, rest: '' });
  assert.deepEqual(m.secretFromFragment('#password=p%20w'), { secret: { kind: 'password', value: 'p w' }, rest: '' });
  assert.deepEqual(m.secretFromFragment('#s=agent:main:main&token=abc').rest, '#s=agent%3Amain%3Amain');
  assert.deepEqual(m.secretFromFragment('#token='), { secret: null, rest: '' });
  assert.deepEqual(m.secretFromFragment('#s=a'), { secret: null, rest: '#s=a' });
  assert.deepEqual(m.secretFromFragment(''), { secret: null, rest: '' });
});

test('the address names the session and survives the round', () => {
  const key = 'agent:main:telegram:group:-42:topic:7';
  assert.equal(m.sessionFromFragment(m.fragmentFor(key)), key);
  assert.equal(m.sessionFromFragment('#token=x'), null);
  assert.equal(m.sessionFromFragment(`#s=${'x'.repeat(600)}`), null);
});

function memory() {
  const map = new Map();
  return { map, getItem: (k) => map.get(k) ?? null, setItem: (k, v) => map.set(k, v), removeItem: (k) => map.delete(k) };
}
const device = { id: 'd1', publicKey: 'p', sign: async () => '' };

test('a given secret is used, exchanged for a device token, and not stored', () => {
  const storage = memory();
  const credentials = new m.Credentials(storage, 'k', { kind: 'token', value: 'shared' });
  assert.deepEqual(credentials.next(device), { token: 'shared' });
  credentials.accept(device, 'issued');
  assert.deepEqual(credentials.next(device), { deviceToken: 'issued' });
  assert.ok(![...storage.map.values()].some((v) => v.includes('shared')));
  assert.deepEqual(new m.Credentials(storage, 'k', null).next(device), { deviceToken: 'issued' });
  assert.deepEqual(new m.Credentials(storage, 'k', null).next({ ...device, id: 'another key' }), {});
});

test('a wrong secret falls back to the stored token; a stale token is forgotten', () => {
  const storage = memory();
  storage.setItem('k', JSON.stringify({ deviceId: 'd1', token: 'issued' }));
  const credentials = new m.Credentials(storage, 'k', { kind: 'token', value: 'old link' });
  assert.deepEqual(credentials.next(device), { token: 'old link' });
  assert.equal(credentials.reject(device), true);
  assert.deepEqual(credentials.next(device), { deviceToken: 'issued' });
  assert.equal(credentials.reject(device), false);
  assert.deepEqual(credentials.next(device), {});
  assert.equal(storage.map.size, 0);
  credentials.use({ kind: 'token', value: 'typed' });
  assert.deepEqual(credentials.next(device), { token: 'typed' });
  assert.deepEqual(new m.Credentials(null, 'k', null).next(null), {});
});

test('refusals are told apart', () => {
  const kind = (code, details) => m.refusalOf({ code, message: 'm', details })?.kind;
  assert.equal(kind('INVALID_REQUEST', { code: 'AUTH_TOKEN_MISMATCH' }), 'secret-wrong');
  assert.equal(kind('INVALID_REQUEST', { code: 'AUTH_TOKEN_MISSING' }), 'secret-missing');
  assert.equal(kind('INVALID_REQUEST', { code: 'AUTH_DEVICE_TOKEN_MISMATCH' }), 'token-stale');
  assert.equal(kind('INVALID_REQUEST', { code: 'CONTROL_UI_ORIGIN_NOT_ALLOWED' }), 'origin');
  assert.equal(kind('INVALID_REQUEST', { code: 'PROTOCOL_MISMATCH' }), 'protocol');
  assert.equal(kind('INVALID_REQUEST', undefined), 'other');
  assert.equal(kind('UNAVAILABLE', { reason: 'gateway-restart' }), undefined);
  const pairing = m.refusalOf({ code: 'NOT_PAIRED', message: 'm', details: { code: 'PAIRING_REQUIRED', requestId: 'r1', reason: 'not-paired' } });
  assert.deepEqual([pairing.kind, pairing.requestId], ['pairing', 'r1']);
  assert.ok(m.knockAgainMs(pairing) > 0);
  const limited = m.refusalOf({ code: 'INVALID_REQUEST', message: 'm', details: { code: 'AUTH_RATE_LIMITED' }, retryable: true, retryAfterMs: 9000 });
  assert.deepEqual([limited.kind, m.knockAgainMs(limited)], ['rate-limited', 9000]);
  assert.equal(m.knockAgainMs(m.refusalOf({ code: 'INVALID_REQUEST', message: 'm', details: { code: 'AUTH_TOKEN_MISMATCH' } })), null);
});

test('waiting grows, has a ceiling, and is spread', () => {
  const at = (attempt, random) => m.backoffMs(attempt, () => random);
  assert.ok(at(0, 0) >= 250 && at(0, 1) <= 600);
  assert.ok(at(3, 0.5) > at(1, 0.5));
  assert.ok(at(1000, 1) <= 20_000);
});

test('frames that are none are none', () => {
  for (const text of ['', 'null', '[]', '{}', '{"type":"req","id":"1"}', '{"type":"event"}', '{"type":"res"}', '{"type":"event","event":3}']) {
    assert.equal(m.parseFrame(text), null, text);
  }
  assert.deepEqual(m.parseFrame('{"type":"res","id":"1","ok":false}').error.code, 'UNAVAILABLE');
  assert.deepEqual(m.parseFrame('{"type":"event","event":"tick","payload":{"ts":1},"seq":3}'), { type: 'event', event: 'tick', payload: { ts: 1 }, seq: 3 });
});

test('text forms of bytes', () => {
  assert.equal(m.base64url(new Uint8Array([251, 255, 254])), '-__-');
  assert.equal(m.hex(new Uint8Array([0, 15, 255])), '000fff');
  assert.match(m.uuid(), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});

/* Signs the way the browser would and checks it with OpenSSL, the way the gateway does. */
async function assertSigns(identity) {
  const raw = Buffer.from(identity.publicKey, 'base64url');
  assert.equal(raw.length, 32);
  assert.equal(identity.id, createHash('sha256').update(raw).digest('hex'));
  const key = createPublicKey({ key: Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), raw]), format: 'der', type: 'spki' });
  const signature = Buffer.from(await identity.sign('v3|a|b'), 'base64url');
  assert.equal(verify(null, Buffer.from('v3|a|b'), key, signature), true);
}

test('a device key signs, with WebCrypto and without its Ed25519', async () => {
  const warn = console.warn;
  console.warn = () => {}; /* There is no IndexedDB here: the key is for this page only. */
  const generate = crypto.subtle.generateKey;
  try {
    await assertSigns(await m.loadIdentity());
    crypto.subtle.generateKey = async () => {
      throw new DOMException('Unrecognized name.', 'NotSupportedError');
    };
    await assertSigns(await m.loadIdentity());
  } finally {
    delete crypto.subtle.generateKey;
    assert.equal(crypto.subtle.generateKey, generate);
    console.warn = warn;
  }
});
