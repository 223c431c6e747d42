/*
 * chat/reducer.ts - the conversation as a function of what happened to it.
 *
 * Pure: state and action in, state out. All orders of arrival that the wire
 * allows end in the same picture: a row may come before or after the `final` of
 * its run, frames may repeat, and a reload may find less or more than was shown.
 */
import { isDict, list, num, str, type Dict } from '../gateway/frames.ts';
import { contentText, readRow, toolKey, type Row } from './rows.ts';
import { newRun, onAgentText, onChatDelta, onInflight, onLifecycle, onRowStored, onRunStatus, onToolStart } from './runs.ts';
import { emptyChat, type Chat, type PendingInput, type Run } from './state.ts';
import { onItemFrame, onToolFrame, onToolRow } from './tools.ts';

export type ChatAction =
  | { type: 'open'; sessionKey: string }
  | { type: 'loading' }
  | { type: 'load-failed'; error: string }
  /* `runsBefore`: the runs that existed when the history was asked for. */
  | { type: 'history'; payload: unknown; runsBefore: readonly string[]; isFresh: boolean }
  | { type: 'older-loading' }
  | { type: 'older'; payload: unknown }
  | { type: 'older-failed' }
  | { type: 'message'; payload: Dict }
  | { type: 'agent'; payload: Dict; nowMs: number }
  | { type: 'chat'; payload: Dict; nowMs: number };

const SETTLED_MAX = 100;
const CHAT_FINAL = 'final';

function bySeq(a: Row, b: Row): number {
  return a.seq - b.seq || a.atMs - b.atMs;
}

function readRows(value: unknown): Row[] {
  return list(value)
    .map(readRow)
    .filter((row): row is Row => row !== null)
    .sort(bySeq);
}

function readPendingInputs(value: unknown): PendingInput[] {
  const items = isDict(value) ? list(value.items) : [];
  return items.flatMap((item) => {
    if (!isDict(item) || !isDict(item.message)) return [];
    const input: PendingInput = {
      id: str(item.id) ?? '',
      text: contentText(item.message.content),
      atMs: num(item.acceptedAt) ?? 0,
    };
    const key = str(item.runId);
    if (key) input.key = key;
    return [input];
  });
}

function withTools(chat: Chat, rows: readonly Row[]): Chat {
  let tools = chat.tools;
  for (const row of rows) tools = onToolRow(tools, row);
  return tools === chat.tools ? chat : { ...chat, tools };
}

function isLastRowOfRun(row: Row, runId: string): boolean {
  return row.role === 'assistant' && row.runId === runId && row.stopReason !== 'toolUse';
}

function settle(chat: Chat, runId: string): Chat {
  const { [runId]: run, ...runs } = chat.runs;
  const settledRuns = [...chat.settledRuns, runId].slice(-SETTLED_MAX);
  const errors = run?.error && !chat.errors[runId] ? { ...chat.errors, [runId]: run.error } : chat.errors;
  return { ...chat, runs, settledRuns, errors };
}

/* A run that ended and whose last row is here is history. */
function settleIfStored(chat: Chat, runId: string): Chat {
  const run = chat.runs[runId];
  if (!run?.end) return chat;
  const isConsumedInput = run.end === 'final' && run.parts.length === 0 && run.settledTexts.length === 0;
  if (isConsumedInput || chat.rows.some((row) => isLastRowOfRun(row, runId))) return settle(chat, runId);
  return chat;
}

function withRun(chat: Chat, runId: string, nowMs: number, change: (run: Run) => Run): Chat {
  if (chat.settledRuns.includes(runId)) return chat;
  const old = chat.runs[runId] ?? newRun(runId, nowMs);
  const run = change(old);
  return run === chat.runs[runId] ? chat : { ...chat, runs: { ...chat.runs, [runId]: run } };
}

/* Puts new rows among the old; a row with a known id replaces it. */
function mergeRows(old: readonly Row[], fresh: readonly Row[]): Row[] {
  const ids = new Set(fresh.map((row) => row.id));
  return [...old.filter((row) => !ids.has(row.id)), ...fresh].sort(bySeq);
}

function onHistory(chat: Chat, action: Extract<ChatAction, { type: 'history' }>): Chat {
  const payload = isDict(action.payload) ? action.payload : {};
  const page = readRows(payload.messages);
  const sessionId = str(payload.sessionId);
  const first = page[0]?.seq ?? 0;
  const last = page[page.length - 1]?.seq ?? 0;
  /* A conversation gets its id with the first thing said in it. */
  const isSameId = chat.sessionId === undefined || sessionId === chat.sessionId;
  const isSame = !action.isFresh && isSameId && page.length > 0;
  /* Older pages stay while they join up with this one; rows that came in while it was on its way stay too. */
  const older = isSame ? chat.rows.filter((row) => row.seq < first) : [];
  const joins = older.length > 0 && older[older.length - 1]!.seq === first - 1;
  const newer = isSame ? chat.rows.filter((row) => row.seq > last) : [];
  const kept = joins ? older : [];
  const rows = mergeRows([...kept, ...newer], page);
  const next: Chat = {
    ...chat,
    rows,
    tools: isSame ? chat.tools : {},
    pendingInputs: readPendingInputs(payload.pendingInputs),
    status: 'ready',
    hasMore: joins ? chat.hasMore : payload.hasMore === true,
    nextOffset: (num(payload.nextOffset) ?? page.length) + kept.length,
  };
  delete next.loadError;
  if (sessionId) next.sessionId = sessionId;
  else delete next.sessionId;
  return withInflight(dropDeadRuns(withTools(next, rows), payload, action.runsBefore), payload);
}

/* After a reload, runs that the gateway no longer knows are over. */
function dropDeadRuns(chat: Chat, payload: Dict, runsBefore: readonly string[]): Chat {
  const info = isDict(payload.sessionInfo) ? payload.sessionInfo : {};
  const inflight = isDict(payload.inFlightRun) ? str(payload.inFlightRun.runId) : undefined;
  let next = chat;
  for (const run of Object.values(chat.runs)) {
    const isOld = runsBefore.includes(run.id);
    const isAlive = run.id === inflight || (!run.end && info.hasActiveRun === true);
    /* A failure that was not stored stays on the screen: nothing else tells of it. */
    const isUntold = run.end === 'error' && !chat.rows.some((row) => row.role === 'assistant' && row.runId === run.id);
    if (isOld && !isAlive && !isUntold) next = settle(next, run.id);
  }
  return next;
}

function withInflight(chat: Chat, payload: Dict): Chat {
  const inflight = isDict(payload.inFlightRun) ? payload.inFlightRun : null;
  const runId = inflight ? str(inflight.runId) : undefined;
  if (!inflight || !runId) return chat;
  return withRun(chat, runId, num(inflight.startedAt) ?? 0, (run) => {
    const stored = chat.rows.filter((row) => row.role === 'assistant' && row.runId === runId);
    const known = run.settledTexts.length > 0 ? run : stored.reduce(onRowStored, run);
    return onInflight(known, str(inflight.text) ?? '');
  });
}

function onOlder(chat: Chat, value: unknown): Chat {
  const payload = isDict(value) ? value : {};
  const page = readRows(payload.messages);
  const next: Chat = {
    ...chat,
    rows: mergeRows(page, chat.rows),
    hasMore: payload.hasMore === true && page.length > 0,
    nextOffset: num(payload.nextOffset) ?? chat.nextOffset + page.length,
    isLoadingOlder: false,
  };
  return withTools(next, page);
}

function onMessage(chat: Chat, payload: Dict): Chat {
  const row = readRow(payload.message);
  if (!row || str(payload.sessionKey) !== chat.sessionKey) return chat;
  const isNew = !chat.rows.some((other) => other.id === row.id);
  let next: Chat = { ...chat, rows: mergeRows(chat.rows, [row]), nextOffset: chat.nextOffset + (isNew ? 1 : 0) };
  next = withTools(next, [row]);
  if (row.role === 'user') {
    next.pendingInputs = next.pendingInputs.filter((input) => input.key !== row.inputKey);
  }
  const runId = row.runId;
  if (row.role !== 'assistant' || !runId || !next.runs[runId]) return next;
  next = withRun(next, runId, row.atMs, (run) => onRowStored(run, row));
  return settleIfStored(next, runId);
}

function onAgent(chat: Chat, payload: Dict, nowMs: number): Chat {
  const runId = str(payload.runId);
  const data = isDict(payload.data) ? payload.data : {};
  if (!runId || str(payload.sessionKey) !== chat.sessionKey || payload.isHeartbeat === true) return chat;
  const atMs = num(payload.ts) ?? nowMs;
  const change = (fn: (run: Run) => Run) => withRun(chat, runId, atMs, fn);
  switch (payload.stream) {
    case 'assistant':
      return change((run) => onAgentText(run, 'text', data));
    case 'thinking':
    case 'reasoning':
      return change((run) => onAgentText(run, 'thinking', data));
    case 'tool': {
      const callId = str(data.toolCallId);
      const next = { ...chat, tools: onToolFrame(chat.tools, runId, data, atMs) };
      if (!callId || data.phase !== 'start') return next;
      return withRun(next, runId, atMs, (run) => onToolStart(run, toolKey(runId, callId)));
    }
    case 'item':
      return { ...chat, tools: onItemFrame(chat.tools, runId, data) };
    case 'lifecycle':
      return change((run) => onLifecycle(run, data));
    case 'run_status':
      return change((run) => onRunStatus(run, data));
    case 'usage':
      return change((run) => ({ ...run, outputTokens: num(data.outputTokens) ?? run.outputTokens ?? 0 }));
    default:
      return chat;
  }
}

function ended(run: Run, end: NonNullable<Run['end']>, payload: Dict): Run {
  const next: Run = { ...run, end };
  const error = str(payload.errorMessage);
  if (end === 'error' && error && !next.error) next.error = error;
  const message = isDict(payload.message) ? payload.message : null;
  const text = message ? contentText(message.content) : '';
  /* Some replies (slash commands) come whole, with nothing before. */
  if (text !== '' && run.parts.length === 0 && run.settledTexts.length === 0) {
    next.parts = [{ kind: 'text', itemId: CHAT_FINAL, text }];
  }
  delete next.note;
  return next;
}

function onChat(chat: Chat, payload: Dict, nowMs: number): Chat {
  const runId = str(payload.runId);
  if (!runId || str(payload.sessionKey) !== chat.sessionKey) return chat;
  switch (payload.state) {
    case 'status':
      return withRun(chat, runId, nowMs, (run) => onRunStatus(run, payload));
    case 'delta':
      return withRun(chat, runId, nowMs, (run) => onChatDelta(run, payload));
    case 'final':
    case 'aborted':
    case 'error': {
      const end = payload.state;
      return settleIfStored(withRun(chat, runId, nowMs, (run) => ended(run, end, payload)), runId);
    }
    default:
      return chat;
  }
}

export function reduceChat(chat: Chat, action: ChatAction): Chat {
  switch (action.type) {
    case 'open':
      return emptyChat(action.sessionKey);
    case 'loading':
      return { ...chat, status: chat.status === 'ready' ? 'ready' : 'loading' };
    case 'load-failed':
      return { ...chat, status: chat.status === 'ready' ? 'ready' : 'failed', loadError: action.error };
    case 'history':
      return onHistory(chat, action);
    case 'older-loading':
      return { ...chat, isLoadingOlder: true };
    case 'older':
      return onOlder(chat, action.payload);
    case 'older-failed':
      return { ...chat, isLoadingOlder: false };
    case 'message':
      return onMessage(chat, action.payload);
    case 'agent':
      return onAgent(chat, action.payload, action.nowMs);
    case 'chat':
      return onChat(chat, action.payload, action.nowMs);
  }
}
