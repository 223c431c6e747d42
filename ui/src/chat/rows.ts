/*
 * chat/rows.ts - transcript rows as this page shows them, read from the gateway's messages.
 *
 * A row is what the gateway stored: it has an id and a sequence number and does
 * not change. The reader is lenient in what it takes (content may be a string or
 * blocks, most fields are optional) and never throws.
 */
import { isDict, list, num, str, type Dict } from '../gateway/frames.ts';

export type Part =
  | { kind: 'text'; text: string }
  | { kind: 'thinking'; text: string }
  | { kind: 'image'; url: string }
  | { kind: 'tool'; toolKey: string };

export interface Usage {
  input: number;
  output: number;
  cost: number;
}

export interface ToolCall {
  key: string;
  name: string;
  args: unknown;
}

export interface ToolResult {
  id: string;
  name: string;
  output: string;
  isError: boolean;
}

/* Who wrote a message of a network, by names that they gave themselves. */
export interface From {
  network: string;
  sender: string;
  place: string;
}

export interface Row {
  id: string;
  seq: number;
  role: 'user' | 'assistant' | 'tool' | 'notice';
  atMs: number;
  parts: Part[];
  /* The run that wrote it (assistant) or that it started (user): the idempotency key of the input. */
  runId?: string;
  inputKey?: string;
  from?: From;
  provider?: string;
  model?: string;
  usage?: Usage;
  stopReason?: string;
  isAborted?: boolean;
  /* The gateway went down before it was answered; the text says so. */
  isInterrupted?: boolean;
  isError?: boolean;
  calls: ToolCall[];
  result?: ToolResult;
}

/* Models number their calls as they like, often from 1 in each answer: a call is known by its run and its id. */
export function toolKey(runId: string | undefined, callId: string): string {
  return `${runId ?? ''}/${callId}`;
}

/* Models that stand for "the gateway itself said this". */
const INJECTED_MODEL = 'gateway-injected';

export function contentText(content: unknown): string {
  if (typeof content === 'string') return content;
  return list(content)
    .map((block) => (isDict(block) && block.type === 'text' ? (str(block.text) ?? '') : ''))
    .filter((text) => text !== '')
    .join('\n');
}

function imageUrl(block: Dict): string | null {
  const data = str(block.data);
  const mime = str(block.mimeType);
  return data && mime && /^image\/(png|jpeg|gif|webp)$/.test(mime) ? `data:${mime};base64,${data}` : null;
}

function readBlocks(content: unknown, row: Row): void {
  if (typeof content === 'string') {
    if (content !== '') row.parts.push({ kind: 'text', text: content });
    return;
  }
  for (const block of list(content)) {
    if (!isDict(block)) continue;
    if (block.type === 'text' && typeof block.text === 'string') {
      if (block.text.trim() !== '') row.parts.push({ kind: 'text', text: block.text });
    } else if (block.type === 'thinking') {
      const text = str(block.thinking) ?? str(block.text) ?? '';
      if (text.trim() !== '') row.parts.push({ kind: 'thinking', text });
    } else if (block.type === 'toolCall' && typeof block.id === 'string') {
      const key = toolKey(row.runId, block.id);
      row.calls.push({ key, name: str(block.name) ?? 'tool', args: block.arguments });
      row.parts.push({ kind: 'tool', toolKey: key });
    } else if (block.type === 'image') {
      const url = imageUrl(block);
      if (url) row.parts.push({ kind: 'image', url });
    }
  }
}

function readUsage(value: unknown): Usage | undefined {
  if (!isDict(value)) return undefined;
  const cost = isDict(value.cost) ? num(value.cost.total) : num(value.cost);
  const input = (num(value.input) ?? 0) + (num(value.cacheRead) ?? 0) + (num(value.cacheWrite) ?? 0);
  const usage: Usage = { input, output: num(value.output) ?? 0, cost: cost ?? 0 };
  return usage.input || usage.output || usage.cost ? usage : undefined;
}

function readFrom(value: unknown): From | undefined {
  const network = isDict(value) ? (str(value.label) ?? str(value.channel)) : undefined;
  if (!isDict(value) || !network) return undefined;
  return { network, sender: str(value.senderName) ?? str(value.senderId) ?? '', place: str(value.placeName) ?? '' };
}

/* "<runId>:user" and its like name the run they belong to. */
function runOfKey(key: string): string {
  return key.replace(/:(user|assistant|terminal-error|interrupted)$/, '');
}

function readAssistant(message: Dict, meta: Dict, row: Row): void {
  const abort = isDict(message.openclawAbort) ? message.openclawAbort : null;
  const key = str(message.idempotencyKey);
  const runId = str(meta.runId) ?? (abort && str(abort.runId)) ?? (key && runOfKey(key));
  if (runId) row.runId = runId;
  readBlocks(message.content, row);
  const model = str(message.model);
  if (model && model !== INJECTED_MODEL) {
    row.model = model;
    const provider = str(message.provider);
    if (provider) row.provider = provider;
  }
  const usage = readUsage(message.usage);
  if (usage) row.usage = usage;
  const stopReason = str(message.stopReason);
  if (stopReason) row.stopReason = stopReason;
  if (stopReason === 'error') row.isError = true;
  if (abort && abort.origin === 'restart') row.isInterrupted = true;
  else if (abort || stopReason === 'aborted') row.isAborted = true;
  const errorMessage = str(message.errorMessage);
  if (row.isError && errorMessage && row.parts.length === 0) row.parts.push({ kind: 'text', text: errorMessage });
}

function readToolResult(message: Dict, row: Row): void {
  const id = str(message.toolCallId);
  if (!id) return;
  row.result = {
    id,
    name: str(message.toolName) ?? 'tool',
    output: contentText(message.content),
    isError: message.isError === true,
  };
}

const NOTICES: Record<string, string> = {
  compaction: 'Older messages were summarised to make room',
  reset: 'The conversation was reset here',
};

/* Null for something that is not a message. */
export function readRow(value: unknown): Row | null {
  if (!isDict(value)) return null;
  const meta = isDict(value.__openclaw) ? value.__openclaw : {};
  const atMs = num(value.timestamp) ?? num(meta.recordTimestampMs) ?? 0;
  const seq = num(meta.seq) ?? 0;
  const wireRole = str(value.role) ?? '';
  const id = str(meta.id) ?? `${wireRole}:${seq}:${atMs}`;
  const row: Row = { id, seq, role: 'notice', atMs, parts: [], calls: [] };
  const notice = NOTICES[str(meta.kind) ?? ''];
  if (notice) {
    row.parts.push({ kind: 'text', text: notice });
    return row;
  }
  if (wireRole === 'user') {
    row.role = 'user';
    readBlocks(value.content, row);
    const key = str(value.idempotencyKey) ?? str(meta.idempotencyKey);
    if (key) row.inputKey = runOfKey(key);
    const from = readFrom(meta.from);
    if (from) row.from = from;
  } else if (wireRole === 'assistant') {
    row.role = 'assistant';
    readAssistant(value, meta, row);
  } else if (wireRole === 'toolResult') {
    row.role = 'tool';
    const runId = str(meta.runId);
    if (runId) row.runId = runId;
    readToolResult(value, row);
  } else {
    readBlocks(value.content, row);
  }
  return row;
}
