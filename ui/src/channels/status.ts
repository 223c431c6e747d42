/*
 * channels/status.ts - accounts of messaging networks as channels.status tells of them, in words for people.
 */
import { isDict, list, num, str, type Dict } from '../gateway/frames.ts';

/* How an account looks at a glance. */
export type Tone = 'good' | 'busy' | 'bad' | 'off';

export interface Account {
  channel: string;
  network: string;
  id: string;
  name: string;
  state: string;
  tone: Tone;
  /* Why, when there is something to say. */
  detail: string;
  isRunning: boolean;
  isEnabled: boolean;
  attempts: number;
  /* When it tries again; 0: nothing waits. */
  retryAtMs: number;
  lastInMs: number;
  lastOutMs: number;
  probe: string;
}

const WORDS: Readonly<Record<string, readonly [string, Tone]>> = {
  stopped: ['stopped', 'off'],
  starting: ['connecting', 'busy'],
  connected: ['connected', 'good'],
  degraded: ['connected, but something is missing', 'bad'],
  backoff: ['waits to try again', 'busy'],
  'needs-login': ['needs a login', 'bad'],
};

function probeWords(value: unknown): string {
  if (!isDict(value)) return '';
  const bot = isDict(value.bot) ? (str(value.bot.username) ?? str(value.bot.id)) : undefined;
  if (value.ok !== true) return `does not answer: ${str(value.error) ?? 'no reason given'}`;
  return `answers${bot ? ` as ${bot}` : ''} in ${num(value.elapsedMs) ?? 0} ms${str(value.warning) ? `; ${str(value.warning)}` : ''}`;
}

function readAccount(row: Dict, channel: string, network: string): Account | null {
  const id = str(row.accountId);
  if (!id) return null;
  const isEnabled = row.enabled !== false;
  const state = str(row.state) ?? (row.connected === true ? 'connected' : 'stopped');
  const [words, tone] = WORDS[state] ?? [state, 'off'];
  return {
    channel,
    network,
    id,
    name: str(row.name) ?? '',
    state: isEnabled ? words : 'switched off in the configuration',
    tone: isEnabled ? tone : 'off',
    detail: str(row.lastError) || str(row.detail) || '',
    isRunning: row.running === true,
    isEnabled,
    attempts: num(row.reconnectAttempts) ?? 0,
    retryAtMs: num(row.nextRetryAt) ?? 0,
    lastInMs: num(row.lastInboundAt) ?? 0,
    lastOutMs: num(row.lastOutboundAt) ?? 0,
    probe: probeWords(row.probe),
  };
}

/* In the order of the networks. */
export function readAccounts(payload: unknown): Account[] {
  if (!isDict(payload)) return [];
  const labels = isDict(payload.channelLabels) ? payload.channelLabels : {};
  const accounts = isDict(payload.channelAccounts) ? payload.channelAccounts : {};
  return list(payload.channelOrder).flatMap((channel) => {
    if (typeof channel !== 'string') return [];
    return list(accounts[channel]).flatMap((row) => {
      const account = isDict(row) ? readAccount(row, channel, str(labels[channel]) ?? channel) : null;
      return account ? [account] : [];
    });
  });
}
