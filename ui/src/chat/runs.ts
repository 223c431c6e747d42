/*
 * chat/runs.ts - live runs, built from `agent` and `chat` events.
 *
 * Text comes twice: as `agent` frames (one cumulative text per item) and as
 * `chat` deltas (one cumulative text per run). The first is preferred because it
 * keeps text before and after a tool call apart; the second is the fallback.
 * Frames may be coalesced, so the cumulative text counts and the delta is used
 * only where there is none.
 */
import { isDict, num, str, type Dict } from '../gateway/frames.ts';
import { contentText, type Row } from './rows.ts';
import type { LivePart, Run } from './state.ts';

const CHAT_ITEM = 'chat';
const INFLIGHT_ITEM = 'inflight';

export function newRun(id: string, startedAtMs: number): Run {
  return { id, startedAtMs, parts: [], settledTexts: [], settledItems: [], hasAgentText: false };
}

function isSettledText(run: Run, text: string): boolean {
  const trimmed = text.trim();
  return trimmed !== '' && run.settledTexts.some((settled) => settled.startsWith(trimmed));
}

/* Where the item that `text` belongs to begins in the text read when we joined: at its start or after a line's end. */
function beginOf(inflight: string, text: string): number {
  for (let at = 0; ; ) {
    if (text.startsWith(inflight.slice(at))) return at;
    at = inflight.indexOf('\n', at) + 1;
    if (at === 0 || at === inflight.length) return -1;
  }
}

/* The text read when we joined a run under way gives way to the items it was made of. */
function withoutInflight(parts: LivePart[], text: string): LivePart[] {
  const at = parts.findIndex((part) => part.kind === 'text' && part.itemId === INFLIGHT_ITEM);
  const inflight = parts[at];
  if (!inflight || inflight.kind === 'tool') return parts;
  const begin = beginOf(inflight.text, text);
  if (begin < 0) return parts;
  const before = inflight.text.slice(0, begin).trimEnd();
  const kept: LivePart[] = before === '' ? [] : [{ ...inflight, text: before }];
  return [...parts.slice(0, at), ...kept, ...parts.slice(at + 1)];
}

function putText(parts: LivePart[], kind: 'text' | 'thinking', itemId: string, text: string): LivePart[] {
  const at = parts.findIndex((part) => part.kind === kind && part.itemId === itemId);
  if (at < 0) return [...parts, { kind, itemId, text }];
  return parts.map((part, index) => (index === at ? { kind, itemId, text } : part));
}

function textOf(parts: LivePart[], kind: 'text' | 'thinking', itemId: string): string {
  const part = parts.find((p) => p.kind === kind && p.itemId === itemId);
  return part && part.kind !== 'tool' ? part.text : '';
}

/* An item without an id belongs to the stretch between two tool calls. */
function stretchId(run: Run): string {
  return `stretch:${run.parts.filter((part) => part.kind === 'tool').length}:${run.settledTexts.length}`;
}

export function onAgentText(run: Run, kind: 'text' | 'thinking', data: Dict): Run {
  const itemId = str(data.itemId) ?? stretchId(run);
  if (run.settledItems.includes(itemId)) return run;
  const text = str(data.text) ?? textOf(run.parts, kind, itemId) + (str(data.delta) ?? '');
  if (text === '' || (kind === 'text' && isSettledText(run, text))) return run;
  const hadChatText = !run.hasAgentText && kind === 'text';
  const base = hadChatText ? run.parts.filter((p) => p.kind !== 'text' || p.itemId !== CHAT_ITEM) : run.parts;
  const parts = putText(kind === 'text' ? withoutInflight(base, text) : base, kind, itemId, text);
  const next: Run = { ...run, parts, hasAgentText: run.hasAgentText || kind === 'text' };
  delete next.note;
  return next;
}

export function onChatDelta(run: Run, payload: Dict): Run {
  if (run.hasAgentText) return run;
  const message = isDict(payload.message) ? payload.message : {};
  const delta = str(payload.deltaText) ?? '';
  const old = textOf(run.parts, 'text', CHAT_ITEM);
  let text = contentText(message.content) || (payload.replace === true ? delta : old + delta);
  /* The run's text so far may already be rows: show what is new. */
  for (const settled of run.settledTexts) {
    if (text.startsWith(settled)) text = text.slice(settled.length).trimStart();
  }
  if (text === '' || isSettledText(run, text)) return run;
  const next: Run = { ...run, parts: putText(withoutInflight(run.parts, text), 'text', CHAT_ITEM, text) };
  delete next.note;
  return next;
}

export function onInflight(run: Run, text: string): Run {
  let rest = text;
  for (const settled of run.settledTexts) {
    if (rest.startsWith(settled)) rest = rest.slice(settled.length).trimStart();
  }
  if (rest.trim() === '' || run.parts.some((part) => part.kind === 'text')) return run;
  return { ...run, parts: [...run.parts, { kind: 'text', itemId: INFLIGHT_ITEM, text: rest }] };
}

export function onToolStart(run: Run, toolKey: string): Run {
  if (run.parts.some((part) => part.kind === 'tool' && part.toolKey === toolKey)) return run;
  if (run.settledItems.includes(toolKey)) return run;
  return { ...run, parts: [...run.parts, { kind: 'tool', toolKey }] };
}

export function onLifecycle(run: Run, data: Dict): Run {
  const next: Run = { ...run };
  const provider = str(data.provider);
  const model = str(data.model);
  if (data.phase === 'model' && provider && model) {
    next.provider = provider;
    next.model = model;
  }
  if (data.phase === 'start') next.startedAtMs = num(data.startedAt) ?? run.startedAtMs;
  const error = str(data.error);
  if (data.phase === 'error' && error) next.error = error;
  return next;
}

export function onRunStatus(run: Run, data: Dict): Run {
  const next: Run = { ...run };
  const phase = str(data.phase);
  const note = str(data.message);
  if (phase) next.phase = phase;
  if (note) next.note = note;
  return next;
}

/* A row of this run was stored: what it holds leaves the live parts. */
export function onRowStored(run: Run, row: Row): Run {
  const calls = new Set(row.calls.map((call) => call.key));
  const texts = row.parts.flatMap((part) => (part.kind === 'text' ? [part.text.trim()] : []));
  const hasText = texts.length > 0;
  const gone: string[] = [...calls];
  const parts = run.parts.filter((part) => {
    if (part.kind === 'tool') return !calls.has(part.toolKey);
    /* Thinking is stored with the message it led to; a bare tool call stores neither. */
    const isStored = hasText || (part.kind === 'thinking' && row.parts.some((p) => p.kind === 'thinking'));
    if (isStored && part.itemId !== CHAT_ITEM) gone.push(part.itemId);
    return !isStored;
  });
  return {
    ...run,
    parts,
    settledTexts: hasText ? [...run.settledTexts, texts.join('\n')] : run.settledTexts,
    settledItems: [...run.settledItems, ...gone],
  };
}
