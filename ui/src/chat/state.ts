/*
 * chat/state.ts - what is known about the open session's conversation.
 *
 * `rows` is the truth: what the gateway stored, oldest first. `runs` is what is
 * happening now and not yet stored; a run goes when its rows have arrived. Tools
 * are kept beside both, because a call starts live and ends as a row.
 */
import type { Row } from './rows.ts';

export type ToolStatus = 'running' | 'ok' | 'error';

export interface Tool {
  /* See toolKey() in rows.ts. */
  key: string;
  name: string;
  title?: string;
  args?: unknown;
  status: ToolStatus;
  output: string;
  startedAtMs?: number;
  endedAtMs?: number;
}

export type Tools = Record<string, Tool>;

export type LivePart =
  | { kind: 'text' | 'thinking'; itemId: string; text: string }
  | { kind: 'tool'; toolKey: string };

export interface Run {
  id: string;
  startedAtMs: number;
  /* What the run is busy with before the first word; `note` is a sentence for people (a retry). */
  phase?: string;
  note?: string;
  provider?: string;
  model?: string;
  parts: LivePart[];
  outputTokens?: number;
  /* Texts and item ids that have become rows: late frames about them are ignored. */
  settledTexts: string[];
  settledItems: string[];
  /* `agent` frames carry the text item by item; `chat` deltas are read only while none has come. */
  hasAgentText: boolean;
  end?: 'final' | 'aborted' | 'error';
  error?: string;
}

/* Input that the gateway took while it was busy and has not started yet. */
export interface PendingInput {
  id: string;
  key?: string;
  text: string;
  atMs: number;
}

export interface Chat {
  sessionKey: string;
  sessionId?: string;
  rows: Row[];
  tools: Tools;
  runs: Record<string, Run>;
  /* Runs that are over and stored: frames about them come late and change nothing. */
  settledRuns: string[];
  pendingInputs: PendingInput[];
  /* Why a run failed, where the stored row does not say it. */
  errors: Record<string, string>;
  hasMore: boolean;
  nextOffset: number;
  status: 'loading' | 'ready' | 'failed';
  isLoadingOlder: boolean;
  loadError?: string;
}

export function emptyChat(sessionKey: string): Chat {
  return {
    sessionKey,
    rows: [],
    tools: {},
    runs: {},
    settledRuns: [],
    pendingInputs: [],
    errors: {},
    hasMore: false,
    nextOffset: 0,
    status: 'loading',
    isLoadingOlder: false,
  };
}

export function isRunning(chat: Chat): boolean {
  return Object.values(chat.runs).some((run) => !run.end);
}
