/*
 * Messaging networks: what the gateway says of accounts, strangers and dead letters, read leniently.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import { load } from './load.mjs';

const m = await load(`
  export * from './src/channels/letters.ts';
  export * from './src/channels/names.ts';
  export * from './src/channels/pairing.ts';
  export * from './src/channels/status.ts';
  export { isChannelsFragment, sessionFromFragment } from './src/app/route.ts';
  export { readSessionRow } from './src/app/sessions.ts';
  export { readRow } from './src/chat/rows.ts';
`);

const request = (id, more = {}) => ({
  requestId: id, channel: 'telegram', channelLabel: 'Telegram', accountId: 'default', senderId: '42', createdAt: '2026-01-02T03:04:05.000Z',
  expiresAt: '2026-01-02T04:04:05.000Z', notifySupported: true, ...more,
});

test('requests are read oldest first, and codes are put to those they belong to', () => {
  const found = m.readPairing({ requests: [request('b', { createdAt: '2026-01-02T03:05:00Z' }), request('a', { metadata: { name: 'Bo' } }), {}, null], commandOwnerConfigured: true });
  assert.deepEqual(found.requests.map((r) => [r.id, r.name, r.code]), [['a', 'Bo', ''], ['b', '', '']]);
  assert.equal(found.hasOwner, true);
  assert.equal(found.requests[0].expiresAtMs - found.requests[0].createdAtMs, 3_600_000);
  const coded = m.withCodes(found.requests, { requests: [{ requestId: 'b', code: 'ABCD2345' }, { requestId: 'x', code: 'Y' }, 3] });
  assert.deepEqual(coded.map((r) => r.code), ['', 'ABCD2345']);
  for (const bad of [null, {}, { requests: 'no' }]) assert.deepEqual(m.readPairing(bad).requests, []);
});

test('accounts come in the order of the networks, each with its state in words', () => {
  const status = (row) => m.readAccounts({ channelOrder: ['irc', 7], channelLabels: { irc: 'IRC' }, channelAccounts: { irc: [row] } })[0];
  const account = (state, more = {}) => status({ accountId: 'default', enabled: true, state, ...more });
  assert.deepEqual(['connected', 'degraded', 'backoff', 'needs-login', 'stopped', 'other'].map((s) => account(s).tone), ['good', 'bad', 'busy', 'bad', 'off', 'off']);
  assert.equal(account('backoff', { nextRetryAt: 99, lastError: 'refused' }).retryAtMs, 99);
  assert.equal(account('needs-login', { lastError: 'the token was refused', detail: 'x' }).detail, 'the token was refused');
  assert.match(account('connected', { enabled: false }).state, /switched off/);
  assert.match(account('connected', { probe: { ok: true, elapsedMs: 7, bot: { username: 'crab' } } }).probe, /answers as crab in 7 ms/);
  assert.match(account('connected', { probe: { ok: false, error: 'gone' } }).probe, /does not answer: gone/);
  assert.deepEqual(m.readAccounts({}), []);
  assert.deepEqual(m.readAccounts(null), []);
});

test('dead letters are read newest first, and say where they were to go', () => {
  const letters = m.readLetters({ deadLetters: [
    { id: 'in:1', direction: 'in', channel: 'irc', reason: '', failedAt: 1, peer: { id: '#a' }, canResubmit: false },
    { id: 'out:2', direction: 'out', channel: 'irc', reason: 'kicked', failedAt: 2, peer: { id: '#b', name: 'B' }, text: 'hi', canResubmit: true },
    { id: 'x' }, null,
  ] });
  assert.deepEqual(letters.map((l) => [l.id, l.isOut, l.place, l.reason, l.canResubmit]), [['out:2', true, 'B', 'kicked', true], ['in:1', false, '#a', 'no reason was kept', false]]);
});

test('networks have the names that people know', () => {
  assert.deepEqual(['telegram', 'irc', 'slack'].map(m.networkName), ['Telegram', 'IRC', 'Slack']);
});

test('the address bar names the view or a conversation, never both', () => {
  assert.equal(m.isChannelsFragment('#v=channels'), true);
  assert.equal(m.isChannelsFragment('#s=agent:main:main'), false);
  assert.equal(m.sessionFromFragment('#v=channels'), null);
});

test('a session and a message say which network they are from', () => {
  assert.equal(m.readSessionRow({ key: 'a', channel: 'telegram', chatType: 'group' }).network, 'telegram');
  assert.equal(m.readSessionRow({ key: 'a', channel: 'webchat' }).network, undefined);
  const from = { channel: 'telegram', label: 'Telegram', senderId: '42', senderName: 'Ada', placeName: 'Lab' };
  assert.deepEqual(m.readRow({ role: 'user', content: 'hi', __openclaw: { from } }).from, { network: 'Telegram', sender: 'Ada', place: 'Lab' });
  assert.equal(m.readRow({ role: 'user', content: 'hi', __openclaw: { from: { channel: 'irc', senderId: 'x!y' } } }).from.sender, 'x!y');
  assert.equal(m.readRow({ role: 'user', content: 'hi' }).from, undefined);
});
