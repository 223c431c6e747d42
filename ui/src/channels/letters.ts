/*
 * channels/letters.ts - messages that could not be worked on or delivered, as channels.deadLetters.list tells of them.
 */
import { isDict, list, num, str } from '../gateway/frames.ts';

export interface Letter {
  id: string;
  isOut: boolean;
  channel: string;
  accountId: string;
  place: string;
  text: string;
  reason: string;
  attempts: number;
  failedAtMs: number;
  canResubmit: boolean;
}

function readLetter(value: unknown): Letter | null {
  if (!isDict(value)) return null;
  const id = str(value.id);
  const channel = str(value.channel);
  if (!id || !channel) return null;
  const peer = isDict(value.peer) ? value.peer : {};
  return {
    id,
    isOut: value.direction === 'out',
    channel,
    accountId: str(value.accountId) ?? '',
    place: str(peer.name) ?? str(peer.id) ?? str(value.senderId) ?? '',
    text: str(value.text) ?? '',
    reason: str(value.reason) || 'no reason was kept',
    attempts: num(value.attempts) ?? 0,
    failedAtMs: num(value.failedAt) ?? num(value.createdAt) ?? 0,
    canResubmit: value.canResubmit === true,
  };
}

/* Newest first. */
export function readLetters(payload: unknown): Letter[] {
  const rows = list(isDict(payload) ? payload.deadLetters : undefined).map(readLetter);
  return rows.filter((l): l is Letter => l !== null).sort((a, b) => b.failedAtMs - a.failedAtMs);
}
