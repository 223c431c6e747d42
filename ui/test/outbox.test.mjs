/*
 * The outbox: in order, one at a time, never twice, kept over a reload.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import { load } from './load.mjs';

const { reduceOutbox, nextToSend, waitingSessions, isDelivered, toStored, fromStored, Sender, Store, initialState, RpcError } = await load(`
  globalThis.document ??= { visibilityState: 'hidden' };
  export * from './src/chat/outbox.ts';
  export { Sender } from './src/app/sender.ts';
  export { Store } from './src/app/store.ts';
  export { initialState } from './src/app/state.ts';
  export { RpcError } from './src/gateway/frames.ts';
`);

const add = (key, sessionKey = 'a') => ({ type: 'add', item: { key, sessionKey, text: `text ${key}`, createdAtMs: 1000 } });
const play = (...actions) => actions.reduce(reduceOutbox, []);

test('one message at a time and in order, per session', () => {
  let items = play(add('1'), add('2'), add('3', 'b'));
  assert.equal(nextToSend(items, 'a').key, '1');
  items = reduceOutbox(items, { type: 'sending', key: '1' });
  assert.equal(nextToSend(items, 'a'), null);
  assert.equal(nextToSend(items, 'b').key, '3');
  items = reduceOutbox(items, { type: 'accepted', key: '1' });
  assert.equal(nextToSend(items, 'a').key, '2');
  assert.deepEqual(waitingSessions(items), ['a', 'b']);
});

test('a cut connection leaves what was sent unsure, and lets go of what was accepted', () => {
  const items = play(add('1'), add('2'), { type: 'accepted', key: '1' }, { type: 'sending', key: '2' }, { type: 'disconnected' });
  assert.deepEqual(items.map((i) => [i.key, i.state, i.isUnsure]), [['2', 'waiting', true]]);
});

test('a refusal is kept with its reason until the user decides', () => {
  let items = play(add('1'), { type: 'failed', key: '1', error: 'no' });
  assert.equal(nextToSend(items, 'a'), null);
  items = reduceOutbox(items, { type: 'again', key: '1' });
  assert.deepEqual([items[0].state, items[0].error], ['waiting', undefined]);
  assert.deepEqual(reduceOutbox(items, { type: 'drop', key: '1' }), []);
});

test('unsent messages survive a reload; old ones ask first; nonsense is ignored', () => {
  const items = play(add('1'), add('2'), add('3'), { type: 'sending', key: '1' }, { type: 'accepted', key: '3' });
  const soon = fromStored(toStored(items), 2000);
  assert.deepEqual(soon.map((i) => [i.key, i.state, i.isUnsure]), [['1', 'waiting', true], ['2', 'waiting', false]]);
  assert.deepEqual(fromStored(toStored(items), 1000 + 3_600_000).map((i) => i.state), ['failed', 'failed']);
  for (const text of [null, '', '{', '{}', '[null,3,{"key":1}]']) assert.deepEqual(fromStored(text, 0), []);
});

test('the history tells what has arrived', () => {
  assert.equal(isDelivered('k', [{ inputKey: 'k' }], []), true);
  assert.equal(isDelivered('k', [], [{ key: 'k' }]), true);
  assert.equal(isDelivered('k', [{ runId: 'k' }], []), false);
});

/* A gateway that takes messages, remembers their keys, and can lose an answer. */
class FakeGateway {
  taken = [];
  calls = [];
  lose = 0;
  refuse = null;

  request = async (method, params) => {
    this.calls.push(method);
    if (this.isDown) throw new RpcError(method, { code: 'DISCONNECTED', message: 'gone' });
    if (method === 'chat.history') {
      return { messages: this.taken.map((t, i) => ({ role: 'user', content: t.message, idempotencyKey: `${t.idempotencyKey}:user`, __openclaw: { id: String(i), seq: i + 1 } })) };
    }
    if (this.refuse) throw new RpcError(method, this.refuse);
    if (!this.taken.some((t) => t.idempotencyKey === params.idempotencyKey)) this.taken.push(params);
    if (this.lose-- > 0) {
      this.isDown = true;
      throw new RpcError(method, { code: 'DISCONNECTED', message: 'gone' });
    }
    return { runId: params.idempotencyKey, status: 'started' };
  };
}

function bench() {
  const wire = new FakeGateway();
  const store = new Store({ ...initialState('a', []), link: { kind: 'ready' } });
  const kept = new Map();
  const storage = { getItem: (k) => kept.get(k) ?? null, setItem: (k, v) => kept.set(k, v) };
  const sender = new Sender({ store, wire, has: () => true, toast() {}, fail() {} }, storage);
  return { wire, store, sender, kept, items: () => store.get().outbox };
}

const turn = () => new Promise((resolve) => setTimeout(resolve, 0));

test('messages arrive in the order they were written', async () => {
  const { wire, sender } = bench();
  sender.send('a', 'one');
  sender.send('a', 'two');
  sender.send('a', 'three');
  await turn();
  assert.deepEqual(wire.taken.map((t) => t.message), ['one', 'two', 'three']);
});

test('an answer lost with the connection does not double the message', async () => {
  const { wire, sender, store, items, kept } = bench();
  wire.lose = 1;
  sender.send('a', 'one');
  sender.send('a', 'two');
  await turn();
  sender.onDisconnected();
  assert.deepEqual(items().map((i) => [i.text, i.isUnsure]), [['one', true], ['two', false]]);
  assert.equal(JSON.parse([...kept.values()][0]).length, 2);
  wire.isDown = false;
  store.set((s) => ({ ...s, link: { kind: 'ready' } }));
  sender.onReady();
  await turn();
  assert.deepEqual(wire.taken.map((t) => t.message), ['one', 'two']);
  assert.equal(wire.calls.filter((c) => c === 'chat.send').length, 2, 'the first was found in the history and not sent again');
});

test('what never arrived is sent again with the same key', async () => {
  const { wire, sender, items } = bench();
  wire.isDown = true;
  sender.send('a', 'one');
  await turn();
  const key = items()[0].key;
  wire.isDown = false;
  sender.onReady();
  await turn();
  assert.deepEqual(wire.taken.map((t) => t.idempotencyKey), [key]);
});

test('a refusal stops at that message and the next one goes', async () => {
  const { wire, sender, items } = bench();
  wire.refuse = { code: 'INVALID_REQUEST', message: 'too long' };
  sender.send('a', 'one');
  await turn();
  assert.deepEqual(items().map((i) => [i.state, i.error]), [['failed', 'too long']]);
  wire.refuse = null;
  sender.again(items()[0].key);
  await turn();
  assert.deepEqual(wire.taken.map((t) => t.message), ['one']);
});

test('a gateway that asks for patience is asked again', async () => {
  const { wire, sender, items } = bench();
  wire.refuse = { code: 'UNAVAILABLE', message: 'starting', retryable: true, retryAfterMs: 5 };
  sender.send('a', 'one');
  await turn();
  assert.equal(items()[0].state, 'waiting');
  wire.refuse = null;
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.deepEqual(wire.taken.map((t) => t.message), ['one']);
});

test('accepted messages go when their row is there or their run is over', async () => {
  const { sender, items } = bench();
  sender.send('a', 'one');
  sender.send('a', '/reset');
  await turn();
  const [one, two] = items();
  sender.onStored(new Set([one.key]));
  sender.onRunEnded(two.key);
  assert.deepEqual(items(), []);
});
