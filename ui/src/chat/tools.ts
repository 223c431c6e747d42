/*
 * chat/tools.ts - the state of tool calls, merged from live frames and stored rows.
 *
 * The sources overlap and come in any order; what is known is never replaced by
 * less. A result is final.
 */
import { isDict, num, str, type Dict } from '../gateway/frames.ts';
import { contentText, toolKey, type Row } from './rows.ts';
import type { Tool, Tools } from './state.ts';

function put(tools: Tools, key: string, change: Partial<Tool>): Tools {
  const old = tools[key] ?? { key, name: 'tool', status: 'running' as const, output: '' };
  const next: Tool = { ...old, ...change };
  if (old.status !== 'running' && change.status === 'running') next.status = old.status;
  return { ...tools, [key]: next };
}

function resultText(value: unknown): string {
  if (typeof value === 'string') return value;
  return isDict(value) ? contentText(value.content) : '';
}

/* An `agent` frame of stream "tool" (or the same as `session.tool`). */
export function onToolFrame(tools: Tools, runId: string, data: Dict, atMs: number): Tools {
  const id = str(data.toolCallId);
  if (!id) return tools;
  const key = toolKey(runId, id);
  const change: Partial<Tool> = {};
  const name = str(data.name);
  if (name) change.name = name;
  if (data.phase === 'start') {
    change.status = 'running';
    change.args = data.args;
    change.startedAtMs = atMs;
  } else if (data.phase === 'update') {
    if (tools[key] && tools[key].status !== 'running') return tools;
    change.output = resultText(data.partialResult);
  } else if (data.phase === 'result') {
    change.status = data.isError === true ? 'error' : 'ok';
    change.output = resultText(data.result);
    change.endedAtMs = atMs;
  } else {
    return tools;
  }
  return put(tools, key, change);
}

/* An `agent` frame of stream "item": title and outcome for people. */
export function onItemFrame(tools: Tools, runId: string, data: Dict): Tools {
  const id = str(data.toolCallId);
  if (!id || data.kind !== 'tool') return tools;
  const key = toolKey(runId, id);
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
    if (error && !tools[key]?.output) change.output = error;
  }
  return put(tools, key, change);
}

/* The call that a result answers: of its run if the row says which, else the last one with that id. */
function callOf(tools: Tools, row: Row, id: string): string {
  const key = toolKey(row.runId, id);
  if (tools[key] || row.runId) return key;
  return Object.keys(tools).reverse().find((other) => other.endsWith(`/${id}`)) ?? key;
}

export function onToolRow(tools: Tools, row: Row): Tools {
  let next = tools;
  for (const call of row.calls) {
    const change: Partial<Tool> = { name: call.name, args: call.args };
    if (!next[call.key]?.startedAtMs) change.startedAtMs = row.atMs;
    next = put(next, call.key, change);
  }
  if (row.result) {
    const { id, name, output, isError } = row.result;
    const change: Partial<Tool> = { name, output, status: isError ? 'error' : 'ok' };
    const key = callOf(next, row, id);
    if (!next[key]?.endedAtMs) change.endedAtMs = row.atMs;
    next = put(next, key, change);
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
