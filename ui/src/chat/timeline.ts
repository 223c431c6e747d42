/*
 * chat/timeline.ts - the conversation as the list of things to draw.
 *
 * Rows that one run wrote (words, tool calls, words) are drawn as one reply.
 * Tool results are not drawn by themselves: their card shows them.
 */
import type { OutboxItem } from './outbox.ts';
import type { From, Part, Row, Usage } from './rows.ts';
import type { Chat, Run } from './state.ts';

export type Segment = Part | { kind: 'error' | 'interrupted'; text: string };

export interface Reply {
  kind: 'reply';
  id: string;
  atMs: number;
  segments: Segment[];
  model?: string;
  usage?: Usage;
  isAborted: boolean;
  /* Set while the run goes on. */
  run?: Run;
}

export type TimelineItem =
  | Reply
  | { kind: 'user'; id: string; atMs: number; parts: Part[]; from?: From }
  | { kind: 'queued'; id: string; atMs: number; text: string }
  | { kind: 'outbox'; id: string; atMs: number; item: OutboxItem }
  | { kind: 'notice'; id: string; atMs: number; text: string };

function addUsage(sum: Usage | undefined, usage: Usage | undefined): Usage | undefined {
  if (!usage) return sum;
  if (!sum) return usage;
  return { input: sum.input + usage.input, output: sum.output + usage.output, cost: sum.cost + usage.cost };
}

export function modelName(provider: string | undefined, model: string | undefined): string | undefined {
  if (!model) return undefined;
  return provider && !model.startsWith(`${provider}/`) ? `${provider}/${model}` : model;
}

function addRow(reply: Reply, row: Row, errors: Record<string, string>): void {
  const text = row.parts.map((part) => (part.kind === 'text' ? part.text : '')).join('\n');
  if (row.isInterrupted) {
    reply.segments.push({ kind: 'interrupted', text: text.replace(/^\[|\]$/g, '') });
  } else if (row.isError) {
    const told = text.trim() || (row.runId && errors[row.runId]) || 'The run failed before it could answer.';
    reply.segments.push({ kind: 'error', text: told });
  } else {
    reply.segments.push(...row.parts);
  }
  const model = modelName(row.provider, row.model);
  if (model) reply.model = model;
  const usage = addUsage(reply.usage, row.usage);
  if (usage) reply.usage = usage;
  reply.isAborted ||= row.isAborted === true;
}

function liveSegments(run: Run): Segment[] {
  const segments: Segment[] = run.parts.map((part) =>
    part.kind === 'tool' ? part : { kind: part.kind, text: part.text },
  );
  if (run.end === 'error') segments.push({ kind: 'error', text: run.error ?? 'The run failed before it could answer.' });
  return segments;
}

function rowItems(rows: readonly Row[], errors: Record<string, string>): TimelineItem[] {
  const items: TimelineItem[] = [];
  let open: { reply: Reply; runId: string | undefined } | null = null;
  for (const row of rows) {
    if (row.role === 'user' || row.role === 'notice') {
      open = null;
      const text = row.parts.map((part) => (part.kind === 'text' ? part.text : '')).join('\n');
      if (row.role === 'user') items.push({ kind: 'user', id: row.id, atMs: row.atMs, parts: row.parts, ...(row.from ? { from: row.from } : {}) });
      else if (text) items.push({ kind: 'notice', id: row.id, atMs: row.atMs, text });
      continue;
    }
    if (row.role === 'tool') continue;
    if (!open || open.runId !== row.runId) {
      const reply: Reply = { kind: 'reply', id: row.id, atMs: row.atMs, segments: [], isAborted: false };
      open = { reply, runId: row.runId };
      items.push(reply);
    }
    addRow(open.reply, row, errors);
    open.reply.atMs = row.atMs;
  }
  return items;
}

/* Where the stored beginning of a run is drawn, or -1. */
function startOf(rows: readonly Row[], runId: string, items: readonly TimelineItem[]): number {
  const row = rows.find((r) => r.role === 'assistant' && r.runId === runId);
  return row ? items.findIndex((item) => item.id === row.id) : -1;
}

function addRun(items: TimelineItem[], run: Run, rows: readonly Row[]): void {
  const segments = liveSegments(run);
  const model = modelName(run.provider, run.model);
  const start = startOf(rows, run.id, items);
  const started = items[start];
  if (started?.kind === 'reply') {
    const longer: Reply = { ...started, segments: [...started.segments, ...segments] };
    if (!run.end) longer.run = run;
    longer.isAborted ||= run.end === 'aborted';
    if (model) longer.model = model;
    items[start] = longer;
    return;
  }
  const reply: Reply = {
    kind: 'reply',
    id: `run:${run.id}`,
    atMs: run.startedAtMs,
    segments,
    isAborted: run.end === 'aborted',
  };
  if (model) reply.model = model;
  if (!run.end) reply.run = run;
  /* An ended run that was never stored keeps its place in time; one under way is last. */
  const at = run.end ? items.findIndex((item) => item.atMs > run.startedAtMs && item.kind === 'user') : -1;
  if (at >= 0) items.splice(at, 0, reply);
  else items.push(reply);
}

/* The stored part changes rarely and a stream of words redraws the rest often, so it is kept per `rows`. */
const drawnRows = new WeakMap<readonly Row[], { errors: Record<string, string>; items: TimelineItem[] }>();

function storedItems(chat: Chat): TimelineItem[] {
  const known = drawnRows.get(chat.rows);
  if (known && known.errors === chat.errors) return known.items;
  const items = rowItems(chat.rows, chat.errors);
  drawnRows.set(chat.rows, { errors: chat.errors, items });
  return items;
}

export function timeline(chat: Chat, outbox: readonly OutboxItem[]): TimelineItem[] {
  const items = [...storedItems(chat)];
  const runs = Object.values(chat.runs).sort((a, b) => a.startedAtMs - b.startedAtMs);
  for (const run of runs.filter((r) => r.end)) addRun(items, run, chat.rows);
  const stored = new Set(chat.rows.flatMap((row) => (row.inputKey ? [row.inputKey] : [])));
  const pending = new Set(chat.pendingInputs.flatMap((input) => (input.key ? [input.key] : [])));
  const mine = outbox.filter((item) => item.sessionKey === chat.sessionKey && !stored.has(item.key));
  const tail: TimelineItem[] = [];
  /* What was said before the run under way goes above it, what waits goes below. */
  for (const item of mine) {
    if (pending.has(item.key)) continue;
    const drawn: TimelineItem = { kind: 'outbox', id: `out:${item.key}`, atMs: item.createdAtMs, item };
    if (chat.runs[item.key]) items.push(drawn);
    else tail.push(drawn);
  }
  for (const run of runs.filter((r) => !r.end)) addRun(items, run, chat.rows);
  for (const input of chat.pendingInputs) {
    items.push({ kind: 'queued', id: input.id, atMs: input.atMs, text: input.text });
  }
  return [...items, ...tail];
}

/* The text of a reply as it would be pasted elsewhere. */
export function replyText(reply: Reply): string {
  return reply.segments
    .flatMap((segment) => (segment.kind === 'text' || segment.kind === 'error' ? [segment.text.trim()] : []))
    .join('\n\n');
}
