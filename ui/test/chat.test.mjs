/*
 * The conversation's reducer: every order of arrival that the wire allows ends in the same picture.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import { load } from './load.mjs';

const { reduceChat, emptyChat, isRunning, timeline, replyText, toolSummary } = await load(`
  export { reduceChat } from './src/chat/reducer.ts';
  export { emptyChat, isRunning } from './src/chat/state.ts';
  export { timeline, replyText } from './src/chat/timeline.ts';
  export { toolSummary } from './src/chat/tools.ts';
`);

const KEY = 'agent:main:main';
const RUN = 'run-1';

const frame = (stream, data, runId = RUN) => ({ type: 'agent', nowMs: 1000, payload: { runId, sessionKey: KEY, stream, data, ts: 1000 } });
const chatEvent = (state, more = {}, runId = RUN) => ({ type: 'chat', nowMs: 1000, payload: { runId, sessionKey: KEY, state, ...more } });
const message = (m) => ({ type: 'message', payload: { sessionKey: KEY, message: m } });
const meta = (id, number, runId) => ({ id, seq: number, ...(runId ? { runId } : {}) });
const userRow = (text, number, key = RUN) => ({ role: 'user', content: text, timestamp: 900, idempotencyKey: `${key}:user`, __openclaw: meta(`u${number}`, number) });
const textRow = (text, number, runId = RUN, more = {}) => ({
  role: 'assistant', content: [{ type: 'text', text }], provider: 'mock', model: 'mock-1', stopReason: 'stop', timestamp: 1100,
  usage: { input: 100, output: 5, cost: { total: 0.002 } }, __openclaw: meta(`a${number}`, number, runId), ...more,
});
const callRow = (number, id = 'call-1', text = '') => ({
  role: 'assistant', content: [...(text ? [{ type: 'text', text }] : []), { type: 'toolCall', id, name: 'read', arguments: { path: 'a.txt' } }],
  provider: 'mock', model: 'mock-1', stopReason: 'toolUse', timestamp: 1050, usage: { input: 50, output: 2 }, __openclaw: meta(`c${number}`, number, RUN),
});
const resultRow = (number, id = 'call-1', isError = false) => ({
  role: 'toolResult', toolCallId: id, toolName: 'read', content: [{ type: 'text', text: 'file text' }], isError, timestamp: 1060, __openclaw: meta(`t${number}`, number, RUN),
});

function play(...actions) {
  return actions.reduce(reduceChat, emptyChat(KEY));
}

/* What is on the screen, in few words. */
function picture(chat, outbox = []) {
  return timeline(chat, outbox).map((item) => {
    if (item.kind === 'user') return `user:${item.parts.map((p) => p.text).join('')}`;
    if (item.kind === 'outbox') return `out:${item.item.text}`;
    if (item.kind === 'queued') return `queued:${item.text}`;
    if (item.kind === 'notice') return 'notice';
    const parts = item.segments.map((s) => (s.kind === 'tool' ? `[${chat.tools[s.toolKey].name}:${chat.tools[s.toolKey].status}]` : s.kind === 'text' ? s.text.trim() : `<${s.kind}:${s.text.trim()}>`));
    return `reply:${parts.join(' ')}${item.isAborted ? ' (stopped)' : ''}${item.run ? ' …' : ''}`;
  });
}

const TEXT_TURN = [
  message(userRow('hello', 1)),
  chatEvent('status', { phase: 'preparing_workspace' }),
  frame('lifecycle', { phase: 'start', startedAt: 950 }),
  frame('lifecycle', { phase: 'model', provider: 'mock', model: 'mock-1' }),
  frame('assistant', { text: 'w0', delta: 'w0', itemId: 'i1' }),
  chatEvent('delta', { deltaText: 'w0', message: { content: [{ type: 'text', text: 'w0' }] } }),
  frame('assistant', { text: 'w0 w1', delta: ' w1', itemId: 'i1' }),
];

test('a text turn streams and settles into its row', () => {
  const live = play(...TEXT_TURN);
  assert.deepEqual(picture(live), ['user:hello', 'reply:w0 w1 …']);
  assert.equal(isRunning(live), true);
  const stored = [message(textRow('w0 w1 ', 2)), frame('lifecycle', { phase: 'end' })].reduce(reduceChat, live);
  assert.deepEqual(picture(stored), ['user:hello', 'reply:w0 w1 …']);
  /* The wire's last delta and final come after the row. */
  const late = chatEvent('delta', { deltaText: ' w1', message: { content: [{ type: 'text', text: 'w0 w1' }] } });
  const done = [late, frame('assistant', { text: 'w0 w1', itemId: 'i1' }), chatEvent('final', { message: { content: 'w0 w1' } }), late].reduce(reduceChat, stored);
  assert.deepEqual(picture(done), ['user:hello', 'reply:w0 w1']);
  assert.equal(isRunning(done), false);
  assert.deepEqual(Object.keys(done.runs), []);
});

test('the row may also come after the final', () => {
  const done = [chatEvent('final', { message: { content: [{ type: 'text', text: 'w0 w1' }] } }), message(textRow('w0 w1 ', 2))].reduce(reduceChat, play(...TEXT_TURN));
  assert.deepEqual(picture(done), ['user:hello', 'reply:w0 w1']);
  assert.deepEqual(Object.keys(done.runs), []);
});

test('repeated frames change nothing', () => {
  const all = [...TEXT_TURN, message(textRow('w0 w1 ', 2)), chatEvent('final')];
  const once = play(...all);
  assert.deepEqual(picture(play(...all, ...all)), picture(once));
});

test('chat deltas alone are enough', () => {
  const live = play(
    chatEvent('delta', { deltaText: 'a', message: { content: [{ type: 'text', text: 'a' }] } }),
    chatEvent('delta', { deltaText: 'b' }),
    chatEvent('delta', { deltaText: 'c' }),
  );
  assert.deepEqual(picture(live), ['reply:abc …']);
  const replaced = reduceChat(live, chatEvent('delta', { deltaText: 'new', replace: true }));
  assert.deepEqual(picture(replaced), ['reply:new …']);
  const both = reduceChat(live, frame('assistant', { text: 'abcd', itemId: 'i1' }));
  assert.deepEqual(picture(both), ['reply:abcd …']);
});

const TOOL_TURN = [
  message(userRow('read it', 1)),
  frame('assistant', { text: 'Let me look.', itemId: 'i1' }),
  frame('item', { itemId: 'tool:call-1', toolCallId: 'call-1', kind: 'tool', name: 'read', phase: 'start', title: 'Read from a.txt', status: 'running', startedAt: 1010 }),
  frame('tool', { phase: 'start', name: 'read', toolCallId: 'call-1', args: { path: 'a.txt' } }),
  frame('tool', { phase: 'update', name: 'read', toolCallId: 'call-1', partialResult: { content: [{ type: 'text', text: 'fi' }] } }),
];

test('a tool turn: text before and after the call stay apart', () => {
  let chat = play(...TOOL_TURN);
  assert.deepEqual(picture(chat), ['user:read it', 'reply:Let me look. [read:running] …']);
  assert.equal(chat.tools['run-1/call-1'].output, 'fi');
  assert.equal(toolSummary(chat.tools['run-1/call-1']), 'from a.txt');
  chat = [
    message(callRow(2, 'call-1', 'Let me look.')),
    frame('tool', { phase: 'result', name: 'read', toolCallId: 'call-1', isError: false, result: { content: [{ type: 'text', text: 'file text' }] } }),
    frame('item', { toolCallId: 'call-1', kind: 'tool', name: 'read', phase: 'end', status: 'completed', startedAt: 1010, endedAt: 1060 }),
    message(resultRow(3)),
  ].reduce(reduceChat, chat);
  assert.deepEqual(picture(chat), ['user:read it', 'reply:Let me look. [read:ok] …']);
  chat = [
    frame('assistant', { text: 'It says', itemId: 'i2' }),
    chatEvent('delta', { deltaText: '', message: { content: [{ type: 'text', text: 'Let me look.\n\nIt says' }] } }),
    message(textRow('It says so.', 4)),
    chatEvent('final', { message: { content: [{ type: 'text', text: 'Let me look.\n\nIt says so.' }] } }),
  ].reduce(reduceChat, chat);
  assert.deepEqual(picture(chat), ['user:read it', 'reply:Let me look. [read:ok] It says so.']);
  const reply = timeline(chat, [])[1];
  assert.deepEqual(reply.usage, { input: 150, output: 7, cost: 0.002 });
  assert.equal(reply.model, 'mock/mock-1');
  assert.equal(replyText(reply), 'Let me look.\n\nIt says so.');
});

test('the history of a tool turn draws the same picture', () => {
  const messages = [userRow('read it', 1), callRow(2, 'call-1', 'Let me look.'), resultRow(3), textRow('It says so.', 4)];
  const chat = play({ type: 'history', payload: { messages, sessionId: 's' }, runsBefore: [], isFresh: true });
  assert.deepEqual(picture(chat), ['user:read it', 'reply:Let me look. [read:ok] It says so.']);
});

test('models that number their calls from 1 each time do not mix them up', () => {
  const call = (number, run) => ({ ...callRow(number), __openclaw: meta(`c${number}`, number, run) });
  const result = (number, run, text) => ({ ...resultRow(number), content: [{ type: 'text', text }], __openclaw: meta(`t${number}`, number, run) });
  const outputs = (...messages) => {
    const chat = play({ type: 'history', payload: { messages }, runsBefore: [], isFresh: true });
    return timeline(chat, []).flatMap((item) => item.segments?.map((s) => chat.tools[s.toolKey].output) ?? []);
  };
  assert.deepEqual(outputs(call(1, 'r1'), result(2, 'r1', 'first'), userRow('again', 3), call(4, 'r2'), result(5, 'r2', 'second')), ['first', 'second']);
  assert.deepEqual(outputs(call(1, 'r1'), result(2, undefined, 'first'), userRow('again', 3), call(4, 'r2'), result(5, undefined, 'second')), ['first', 'second']);
});

test('a tool result is final and knows failure', () => {
  const chat = play(
    frame('tool', { phase: 'result', name: 'x', toolCallId: 'q', isError: true, result: { content: 'no' } }),
    frame('tool', { phase: 'update', name: 'x', toolCallId: 'q', partialResult: { content: 'late' } }),
    frame('tool', { phase: 'start', name: 'x', toolCallId: 'q', args: {} }),
  );
  assert.equal(chat.tools['run-1/q'].status, 'error');
  assert.equal(chat.tools['run-1/q'].output, 'no');
});

test('an abort keeps the partial text, once', () => {
  const row = textRow('w0 w1', 2, RUN, { model: 'gateway-injected', provider: 'openclaw', idempotencyKey: `${RUN}:assistant`, openclawAbort: { aborted: true, runId: RUN } });
  const chat = [chatEvent('aborted', { stopReason: 'rpc', message: { content: [{ type: 'text', text: 'w0 w1' }] } }), frame('lifecycle', { phase: 'error', error: 'aborted' })].reduce(reduceChat, play(...TEXT_TURN));
  assert.deepEqual(picture(chat), ['user:hello', 'reply:w0 w1 (stopped)']);
  assert.deepEqual(picture(reduceChat(chat, message(row))), ['user:hello', 'reply:w0 w1 (stopped)']);
});

test('a failed run says why, once, whether or not a row is stored', () => {
  const error = chatEvent('error', { errorMessage: 'the provider is down' });
  const second = chatEvent('error', { seq: 1, errorMessage: 'Agent failed before reply' });
  const row = message(textRow('the provider is down', 2, RUN, { stopReason: 'error', idempotencyKey: `${RUN}:terminal-error` }));
  assert.deepEqual(picture(play(message(userRow('hello', 1)), error, row, second)), ['user:hello', 'reply:<error:the provider is down>']);
  const bare = play(message(userRow('hello', 1)), error, second);
  assert.deepEqual(picture(bare), ['user:hello', 'reply:<error:the provider is down>']);
  const reloaded = reduceChat(bare, { type: 'history', payload: { messages: [userRow('hello', 1)], sessionInfo: { hasActiveRun: false } }, runsBefore: [RUN], isFresh: false });
  assert.deepEqual(picture(reloaded), ['user:hello', 'reply:<error:the provider is down>']);
});

test('a turn that a restart cut off says so', () => {
  const marker = textRow('[interrupted: the gateway stopped]', 2, undefined, { model: 'gateway-injected', stopReason: 'aborted', idempotencyKey: `${RUN}:interrupted`, openclawAbort: { aborted: true, origin: 'restart', runId: RUN } });
  const live = play(...TEXT_TURN);
  const chat = reduceChat(live, { type: 'history', payload: { messages: [userRow('hello', 1), marker], sessionInfo: { hasActiveRun: false } }, runsBefore: [RUN], isFresh: false });
  assert.deepEqual(picture(chat), ['user:hello', 'reply:<interrupted:interrupted: the gateway stopped>']);
});

test('a retry is told and forgotten when words come', () => {
  const waiting = play(frame('run_status', { phase: 'retrying', message: 'Retrying in 3 s' }));
  assert.equal(waiting.runs[RUN].note, 'Retrying in 3 s');
  assert.equal(reduceChat(waiting, frame('assistant', { text: 'a', itemId: 'i' })).runs[RUN].note, undefined);
});

test('a slash command is one final with a message', () => {
  const chat = play(message(userRow('/status', 1)), chatEvent('final', { message: { role: 'assistant', content: [{ type: 'text', text: 'all well' }] } }));
  assert.deepEqual(picture(chat), ['user:/status', 'reply:all well']);
  const row = { role: 'assistant', content: [{ type: 'text', text: 'all well' }], model: 'gateway-injected', stopReason: 'stop', idempotencyKey: RUN, timestamp: 1, __openclaw: meta('s', 2) };
  assert.deepEqual(picture(reduceChat(chat, message(row))), ['user:/status', 'reply:all well']);
});

test('input taken while busy ends without a message and shows nothing', () => {
  const chat = play(...TEXT_TURN, chatEvent('final', {}, 'run-2'));
  assert.deepEqual(picture(chat), ['user:hello', 'reply:w0 w1 …']);
  assert.deepEqual(chat.settledRuns, ['run-2']);
});

test('waiting input stands below the run, and moves up when its row comes', () => {
  const payload = { messages: [userRow('hello', 1)], pendingInputs: { items: [{ id: 'pending:2', acceptedAt: 5, runId: 'run-2', message: { content: 'next' } }] }, inFlightRun: { runId: RUN, text: 'w0 w1', startedAt: 950 }, sessionInfo: { hasActiveRun: true } };
  const chat = play({ type: 'history', payload, runsBefore: [], isFresh: true });
  assert.deepEqual(picture(chat), ['user:hello', 'reply:w0 w1 …', 'queued:next']);
  const grown = reduceChat(chat, frame('assistant', { text: 'w0 w1 w2', itemId: 'i1' }));
  assert.deepEqual(picture(grown), ['user:hello', 'reply:w0 w1 w2 …', 'queued:next']);
  const later = [message(textRow('w0 w1 w2', 2)), chatEvent('final'), message(userRow('next', 3, 'run-2'))].reduce(reduceChat, grown);
  assert.deepEqual(picture(later), ['user:hello', 'reply:w0 w1 w2', 'user:next']);
});

test('the outbox: a message of ours is drawn until its row is there, above its own run', () => {
  const item = { key: RUN, sessionKey: KEY, text: 'hello', createdAtMs: 1, state: 'accepted', isUnsure: false };
  assert.deepEqual(picture(emptyChat(KEY), [item]), ['out:hello']);
  const live = play(...TEXT_TURN.slice(1));
  assert.deepEqual(picture(live, [item]), ['out:hello', 'reply:w0 w1 …']);
  assert.deepEqual(picture(play(...TEXT_TURN), [item]), ['user:hello', 'reply:w0 w1 …']);
  assert.deepEqual(picture(live, [{ ...item, sessionKey: 'other' }]), ['reply:w0 w1 …']);
});

test('a reload drops runs that are over and keeps those that go on', () => {
  const live = play(...TEXT_TURN);
  const over = { messages: [userRow('hello', 1), textRow('w0 w1 w2', 2)], sessionInfo: { hasActiveRun: false } };
  assert.deepEqual(picture(reduceChat(live, { type: 'history', payload: over, runsBefore: [RUN], isFresh: false })), ['user:hello', 'reply:w0 w1 w2']);
  const on = { messages: [userRow('hello', 1)], sessionInfo: { hasActiveRun: true }, inFlightRun: { runId: RUN, text: 'w0 w1' } };
  assert.deepEqual(picture(reduceChat(live, { type: 'history', payload: on, runsBefore: [RUN], isFresh: false })), ['user:hello', 'reply:w0 w1 …']);
});

test('pages of history join without doubles, and a gap starts over', () => {
  const rows = Array.from({ length: 10 }, (_, i) => userRow(`m${i + 1}`, i + 1, `k${i}`));
  const history = (messages, more = {}) => ({ type: 'history', payload: { messages, sessionId: 's', ...more }, runsBefore: [], isFresh: false });
  let chat = play(history(rows.slice(6), { hasMore: true, nextOffset: 4 }));
  assert.equal(chat.nextOffset, 4);
  chat = reduceChat(chat, { type: 'older', payload: { messages: rows.slice(2, 7), hasMore: true, nextOffset: 8 } });
  assert.deepEqual(chat.rows.map((r) => r.seq), [3, 4, 5, 6, 7, 8, 9, 10]);
  chat = reduceChat(chat, message(userRow('m11', 11, 'k11')));
  assert.equal(chat.nextOffset, 9);
  chat = reduceChat(chat, history([...rows.slice(7), userRow('m11', 11, 'k11')], { hasMore: true, nextOffset: 4 }));
  assert.deepEqual(chat.rows.map((r) => r.seq), [3, 4, 5, 6, 7, 8, 9, 10, 11]);
  chat = reduceChat(chat, history([userRow('m20', 20, 'k20')], { hasMore: true, nextOffset: 1 }));
  assert.deepEqual(chat.rows.map((r) => r.seq), [20]);
  chat = reduceChat(chat, { type: 'history', payload: { messages: [], sessionId: 's' }, runsBefore: [], isFresh: true });
  assert.deepEqual(chat.rows, []);
});

test('other sessions, heartbeats and unreadable frames are not ours', () => {
  const chat = play(
    { type: 'agent', nowMs: 1, payload: { runId: 'x', sessionKey: 'agent:main:other', stream: 'assistant', data: { text: 'no' } } },
    { type: 'agent', nowMs: 1, payload: { runId: 'x', sessionKey: KEY, stream: 'assistant', data: { text: 'no' }, isHeartbeat: true } },
    { type: 'agent', nowMs: 1, payload: { sessionKey: KEY, stream: 'assistant', data: null } },
    { type: 'chat', nowMs: 1, payload: { runId: 'x', sessionKey: 'agent:main:other', state: 'delta', deltaText: 'no' } },
    { type: 'chat', nowMs: 1, payload: { runId: 'x', sessionKey: KEY, state: 'unheard-of' } },
    { type: 'message', payload: { sessionKey: KEY, message: 'text' } },
    { type: 'message', payload: { sessionKey: 'agent:main:other', message: userRow('no', 1) } },
    { type: 'history', payload: { messages: [null, 3, { role: 'assistant', content: [null, { type: 'toolCall' }, { type: 'image', data: 'x', mimeType: 'text/html' }] }] }, runsBefore: [], isFresh: true },
  );
  assert.deepEqual(picture(chat), ['reply:']);
});
