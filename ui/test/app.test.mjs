/*
 * The page's smaller parts: session list, catalogues, numbers for people.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import { load } from './load.mjs';

const m = await load(`
  export * from './src/app/sessions.ts';
  export * from './src/app/catalog.ts';
  export * from './src/view/format.ts';
  export { nextStep } from './src/app/toasts.ts';
  export { nextTheme } from './src/app/theme.ts';
  export { RpcError } from './src/gateway/frames.ts';
`);

const row = (key, more = {}) => m.readSessionRow({ key, updatedAt: 1, ...more });

test('a session is called by the best name there is', () => {
  assert.equal(row('agent:main:x', { label: 'Mine', derivedTitle: 'Theirs' }).title, 'Mine');
  assert.equal(row('agent:main:x', { derivedTitle: 'Theirs', lastMessagePreview: 'p' }).title, 'Theirs');
  assert.equal(row('agent:main:main').title, 'Main');
  assert.equal(row('agent:main:dashboard:0f0e0d0c-0b0a-4900-8800-070605040302').title, 'New chat');
  assert.equal(row('agent:main:telegram:group:42').title, 'telegram group 42');
  assert.equal(m.readSessionRow({}), null);
  assert.equal(m.readSessionRow(null), null);
});

test('events keep the list in order and the archived out of it', () => {
  let rows = [row('a', { updatedAt: 3 }), row('b', { updatedAt: 2 })];
  rows = m.upsertSession(rows, row('b', { updatedAt: 5 }));
  assert.deepEqual(rows.map((r) => r.key), ['b', 'a']);
  rows = m.upsertSession(rows, row('c', { updatedAt: 1, pinned: true }));
  assert.deepEqual(rows.map((r) => r.key), ['c', 'b', 'a']);
  assert.deepEqual(m.upsertSession(rows, row('b', { archived: true })).map((r) => r.key), ['c', 'a']);
});

test('an event without a title leaves the name that was known', () => {
  const known = row('agent:main:x', { derivedTitle: 'Known' });
  assert.equal(m.readSessionRow({ key: 'agent:main:x', lastMessagePreview: 'other' }, known).title, 'Known');
});

test('sessions are grouped by day', () => {
  const now = new Date(2026, 4, 20, 12).getTime();
  const day = 86_400_000;
  const rows = [row('p', { pinned: true, updatedAt: 1 }), row('a', { updatedAt: now }), row('b', { updatedAt: now - day }), row('c', { updatedAt: now - 3 * day }), row('d', { updatedAt: 1 })];
  assert.deepEqual(m.groupSessions(m.sortSessions(rows), now).map((g) => g.name), ['Pinned', 'Today', 'Yesterday', 'This week', 'Earlier']);
  assert.equal(m.matchesSearch(row('agent:main:x', { label: 'Blue crab' }), 'crab BLUE'), true);
  assert.equal(m.matchesSearch(row('agent:main:x', { label: 'Blue crab' }), 'red'), false);
});

test('models and commands are read leniently', () => {
  const models = m.readModels({ models: [{ id: 'm', provider: 'p', available: false, unavailableReason: 'missing-auth' }, { id: 'x' }, null] });
  assert.deepEqual(models.map((x) => [x.ref, x.name, x.isAvailable, x.whyNot]), [['p/m', 'm', false, 'no API key']]);
  assert.deepEqual(m.readModels(null), []);
  const commands = m.readCommands({ commands: [
    { name: 'status', textAliases: ['/status'], description: 'Show', acceptsArgs: false },
    { name: 'model', textAliases: ['/model'], acceptsArgs: true, args: [{ name: 'ref', required: true }, { name: 'scope' }] },
    { name: 'restart', textAliases: ['/restart'] }, {}, 3,
  ] });
  assert.equal(commands[1].args, '<ref> [scope]');
  assert.deepEqual(m.matchCommands(commands, '/sta').map((c) => c.name), ['status', 'restart']);
  assert.equal(m.matchCommands(commands, '/').length, 3);
  assert.deepEqual(m.matchCommands(commands, '/status now'), []);
  assert.deepEqual(m.matchCommands(commands, 'hello /st'), []);
});

test('numbers for people', () => {
  assert.deepEqual([0, 999, 1000, 12_345, 200_000, 1_500_000].map(m.tokens), ['0', '999', '1k', '12.3k', '200k', '1.5M']);
  assert.deepEqual([0.00042, 0.5, 3.14159].map(m.cost), ['$0.0004', '$0.5000', '$3.14']);
  assert.deepEqual([12, 1500, 61_000].map(m.duration), ['12 ms', '1.5 s', '1 min 1 s']);
  assert.equal(m.phaseText('starting_model'), 'Waiting for the model');
  assert.equal(m.phaseText('something new'), 'Thinking');
});

test('an error names the next step', () => {
  assert.match(m.nextStep(new m.RpcError('x', { code: 'FORBIDDEN', message: '' })), /chela dashboard/);
  assert.match(m.nextStep(new m.RpcError('x', { code: 'UNAVAILABLE', message: '', retryAfterMs: 2500 })), /3 s/);
  assert.equal(m.nextStep(new Error('x')), undefined);
});

test('the theme goes round', () => {
  assert.deepEqual(['system', 'light', 'dark'].map(m.nextTheme), ['light', 'dark', 'system']);
});
