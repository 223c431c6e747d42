/*
 * chat/tools.ts - the state of tool calls, merged from live frames and stored rows.
 *
 * The sources overlap and come in any order; what is known is never replaced by
 * less. A result is final.
 */
import { isDict, num, str, type Dict } from '../gateway/frames.ts';
import { contentText, type Row } from './rows.ts';
import type { Tool } from './state.ts';

type Tools = Record<string, Tool>;

function put(tools: Tools, id: string, change: Partial<Tool>): Tools {
  const old = tools[id] ?? { id, name: 'tool', status: 'running' as const, output: '' };
  const next: Tool = { ...old, ...change };
  if (old.status !== 'running' && change.status === 'running') next.status = old.status;
  return { ...tools, [id]: next };
}

function resultText(value: unknown): string {
  if (typeof value === 'string') return value;
  return isDict(value) ? contentText(value.content) : '';
}

/* An `agent` frame of stream "tool" (or the same as `session.tool`). */
export function onToolFrame(tools: Tools, data: Dict, atMs: number): Tools {
  const id = str(data.toolCallId);
  if (!id) return tools;
  const change: Partial<Tool> = {};
  const name = str(data.name);
  if (name) change.name = name;
  if (data.phase === 'start') {
    change.status = 'running';
    change.args = data.args;
    change.startedAtMs = atMs;
  } else if (data.phase === 'update') {
    if (tools[id] && tools[id].status !== 'running') return tools;
    change.output = resultText(data.partialResult);
  } else if (data.phase === 'result') {
    change.status = data.isError === true ? 'error' : 'ok';
    change.output = resultText(data.result);
    change.endedAtMs = atMs;
  } else {
    return tools;
  }
  return put(tools, id, change);
}

/* An `agent` frame of stream "item": title and outcome for people. */
export function onItemFrame(tools: Tools, data: Dict): Tools {
  const id = str(data.toolCallId);
  if (!id || data.kind !== 'tool') return tools;
  const change: Partial<Tool> = {};
  const name = str(data.name);
  const title = str(data.title);
  const startedAtMs = num(data.startedAt);
  const endedAtMs = num(data.endedAt);
  if (name) change.name = name;
  if (title) change.title = title;
  if (startedAtMs !== undefined) change.startedAtMs = startedAtMs;
  if (data.phase === 'end') {
    change.status = data.status === 'failed' ? 'error' : 'ok';
    if (endedAtMs !== undefined) change.endedAtMs = endedAtMs;
    const error = str(data.error);
    if (error && !tools[id]?.output) change.output = error;
  }
  return put(tools, id, change);
}

export function onToolRow(tools: Tools, row: Row): Tools {
  let next = tools;
  for (const call of row.calls) {
    const change: Partial<Tool> = { name: call.name, args: call.args };
    if (!next[call.id]?.startedAtMs) change.startedAtMs = row.atMs;
    next = put(next, call.id, change);
  }
  if (row.result) {
    const { id, name, output, isError } = row.result;
    const change: Partial<Tool> = { name, output, status: isError ? 'error' : 'ok' };
    if (!next[id]?.endedAtMs) change.endedAtMs = row.atMs;
    next = put(next, id, change);
  }
  return next;
}

const TELLING_ARGS = ['command', 'path', 'file', 'file_path', 'url', 'query', 'pattern', 'name', 'key'];

/* One line that says what a call does, to stand after the tool's name. */
export function toolSummary(tool: Tool): string {
  const name = tool.name.toLowerCase();
  const title = tool.title ?? '';
  if (title.toLowerCase().startsWith(`${name} `)) return title.slice(name.length + 1);
  if (title && title.toLowerCase() !== name) return title;
  if (!isDict(tool.args)) return '';
  const key = TELLING_ARGS.find((k) => str(isDict(tool.args) ? tool.args[k] : undefined));
  return key ? String(tool.args[key]) : '';
}
