/*
 * chat/outbox.ts - messages on their way to the gateway.
 *
 *   waiting --send--> sending --ack--> accepted --row or end of run--> (gone)
 *      ^                 |
 *      +--cut off--------+--refused--> failed --again--> waiting
 *
 * Each message carries its idempotency key from birth, so sending it twice is
 * one message for the gateway. The gateway forgets keys after minutes; therefore
 * a message whose sending was cut off is `isUnsure`, and is looked for in the
 * history before it is sent again. Unsent messages survive a reload of the tab.
 */
import type { Row } from './rows.ts';
import type { PendingInput } from './state.ts';

export interface OutboxItem {
  key: string;
  sessionKey: string;
  text: string;
  createdAtMs: number;
  state: 'waiting' | 'sending' | 'accepted' | 'failed';
  isUnsure: boolean;
  error?: string;
}

export type OutboxAction =
  | { type: 'add'; item: Pick<OutboxItem, 'key' | 'sessionKey' | 'text' | 'createdAtMs'> }
  | { type: 'sending'; key: string }
  | { type: 'accepted'; key: string }
  | { type: 'failed'; key: string; error: string }
  /* Nobody knows whether it arrived. */
  | { type: 'unsure'; key: string }
  /* The gateway asked to wait: it has not taken the message. */
  | { type: 'waiting'; key: string }
  | { type: 'again'; key: string }
  | { type: 'drop'; key: string }
  | { type: 'disconnected' };

/* Older messages are not sent by surprise: the user is asked. */
const STALE_MS = 10 * 60_000;

function change(items: readonly OutboxItem[], key: string, to: Partial<OutboxItem>): OutboxItem[] {
  return items.map((item) => {
    if (item.key !== key) return item;
    const next = { ...item, ...to };
    if (next.state !== 'failed') delete next.error;
    return next;
  });
}

export function reduceOutbox(items: readonly OutboxItem[], action: OutboxAction): OutboxItem[] {
  switch (action.type) {
    case 'add':
      return [...items, { ...action.item, state: 'waiting', isUnsure: false }];
    case 'sending':
      return change(items, action.key, { state: 'sending' });
    case 'accepted':
      return change(items, action.key, { state: 'accepted', isUnsure: false });
    case 'failed':
      return change(items, action.key, { state: 'failed', error: action.error });
    case 'unsure':
      return change(items, action.key, { state: 'waiting', isUnsure: true });
    case 'waiting':
    case 'again':
      return change(items, action.key, { state: 'waiting' });
    case 'drop':
      return items.filter((item) => item.key !== action.key);
    case 'disconnected':
      return items
        .filter((item) => item.state !== 'accepted')
        .map((item) => (item.state === 'sending' ? { ...item, state: 'waiting', isUnsure: true } : item));
  }
}

/* The message to send now for a session: one at a time, so that the order stays. */
export function nextToSend(items: readonly OutboxItem[], sessionKey: string): OutboxItem | null {
  const mine = items.filter((item) => item.sessionKey === sessionKey);
  if (mine.some((item) => item.state === 'sending')) return null;
  return mine.find((item) => item.state === 'waiting') ?? null;
}

export function waitingSessions(items: readonly OutboxItem[]): string[] {
  return [...new Set(items.filter((item) => item.state === 'waiting').map((item) => item.sessionKey))];
}

/* True when the history shows that the gateway has the message. */
export function isDelivered(key: string, rows: readonly Row[], pending: readonly PendingInput[]): boolean {
  return rows.some((row) => row.inputKey === key) || pending.some((input) => input.key === key);
}

/* What is worth keeping over a reload of the page. */
export function toStored(items: readonly OutboxItem[]): string {
  return JSON.stringify(items.filter((item) => item.state !== 'accepted'));
}

export function fromStored(text: string | null, nowMs: number): OutboxItem[] {
  if (!text) return [];
  let stored: unknown;
  try {
    stored = JSON.parse(text);
  } catch {
    return [];
  }
  if (!Array.isArray(stored)) return [];
  return (stored as Partial<OutboxItem>[]).flatMap((item): OutboxItem[] => {
    if (typeof item?.key !== 'string' || typeof item.sessionKey !== 'string' || typeof item.text !== 'string') return [];
    const { key, sessionKey, text: body } = item;
    const createdAtMs = typeof item.createdAtMs === 'number' ? item.createdAtMs : 0;
    const base = { key, sessionKey, text: body, createdAtMs, isUnsure: item.isUnsure === true || item.state === 'sending' };
    if (nowMs - createdAtMs > STALE_MS) {
      return [{ ...base, state: 'failed', error: 'It was not sent before this page was closed.' }];
    }
    if (item.state === 'failed') return [{ ...base, state: 'failed', error: item.error ?? 'It was not sent.' }];
    return [{ ...base, state: 'waiting' }];
  });
}
