/*
 * app/state.ts - everything the page knows, in one value.
 */
import type { Approval } from '../attention/approvals.ts';
import type { Progress } from '../attention/progress.ts';
import type { Question } from '../attention/questions.ts';
import type { Letter } from '../channels/letters.ts';
import type { PairingRequest } from '../channels/pairing.ts';
import type { Account } from '../channels/status.ts';
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

/* Messaging networks: what waits at their doors is always known, the rest is read while the view is open. */
export interface Channels {
  requests: PairingRequest[];
  hasOwner: boolean;
  accounts: Account[] | null;
  letters: Letter[];
  /* What is being acted on: "<verb> <id>" of an account, a request, a letter. */
  busy: string[];
  error?: string;
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
  channels: Channels;
  /* What the main part shows. */
  view: 'chat' | 'channels';
  /* What the gateway lets this page do. */
  scopes: readonly string[];
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
    channels: { requests: [], hasOwner: true, accounts: null, letters: [], busy: [] },
    view: 'chat',
    scopes: [],
    outbox,
    models: [],
    commands: [],
    toasts: [],
  };
}
