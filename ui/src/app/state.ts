/*
 * app/state.ts - everything the page knows, in one value.
 */
import type { Approval } from '../attention/approvals.ts';
import type { Progress } from '../attention/progress.ts';
import type { Question } from '../attention/questions.ts';
import type { Link } from '../gateway/connection.ts';
import { emptyChat, type Chat } from '../chat/state.ts';
import type { OutboxItem } from '../chat/outbox.ts';
import type { SessionRow, SessionDefaults } from './sessions.ts';
import type { Toast } from './toasts.ts';

export interface ModelChoice {
  provider: string;
  id: string;
  name: string;
  ref: string;
  contextWindow?: number;
  isAvailable: boolean;
  whyNot?: string;
}

export interface Command {
  name: string;
  aliases: string[];
  description: string;
  acceptsArgs: boolean;
  args: string;
}

export interface SessionsState {
  rows: SessionRow[];
  archived: SessionRow[] | null;
  defaults: SessionDefaults;
  isLoaded: boolean;
  error?: string;
}

/* What waits for the person, of all conversations; the plan is the open one's. */
export interface Attention {
  approvals: Approval[];
  questions: Question[];
  progress: Progress | null;
  /* Ids whose answer is on its way. */
  answering: string[];
}

export interface AppState {
  link: Link;
  /* True once the gateway has let us in since the page was opened: from then on trouble is a banner, not a page. */
  hasBeenReady: boolean;
  serverVersion: string;
  agentId: string;
  agentName: string;
  mainKey: string;
  sessions: SessionsState;
  chat: Chat;
  attention: Attention;
  outbox: OutboxItem[];
  models: ModelChoice[];
  commands: Command[];
  toasts: Toast[];
}

export function initialState(sessionKey: string, outbox: OutboxItem[]): AppState {
  return {
    link: { kind: 'connecting', cause: null },
    hasBeenReady: false,
    serverVersion: '',
    agentId: 'main',
    agentName: 'chela',
    mainKey: 'agent:main:main',
    sessions: { rows: [], archived: null, defaults: {}, isLoaded: false },
    chat: emptyChat(sessionKey),
    attention: { approvals: [], questions: [], progress: null, answering: [] },
    outbox,
    models: [],
    commands: [],
    toasts: [],
  };
}
