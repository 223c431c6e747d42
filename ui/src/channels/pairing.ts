/*
 * channels/pairing.ts - strangers who wrote to an account that asks first, as channels.pairing.* tells of them.
 *
 * Names are what the strangers call themselves; only the sender's id is the network's word.
 */
import { isDict, list, str } from '../gateway/frames.ts';

export interface PairingRequest {
  id: string;
  channel: string;
  network: string;
  accountId: string;
  accountName: string;
  senderId: string;
  name: string;
  username: string;
  /* Only administrators are told it. */
  code: string;
  createdAtMs: number;
  expiresAtMs: number;
  canNotify: boolean;
}

export interface PairingList {
  requests: PairingRequest[];
  hasOwner: boolean;
}

function timeOf(value: unknown): number {
  const ms = Date.parse(str(value) ?? '');
  return Number.isNaN(ms) ? 0 : ms;
}

function readRequest(value: unknown): PairingRequest | null {
  if (!isDict(value)) return null;
  const id = str(value.requestId);
  const channel = str(value.channel);
  const accountId = str(value.accountId);
  const senderId = str(value.senderId);
  if (!id || !channel || !accountId || !senderId) return null;
  const said = isDict(value.metadata) ? value.metadata : {};
  return {
    id,
    channel,
    network: str(value.channelLabel) ?? channel,
    accountId,
    accountName: str(value.accountLabel) ?? '',
    senderId,
    name: str(said.name) ?? '',
    username: str(said.username) ?? '',
    code: '',
    createdAtMs: timeOf(value.createdAt),
    expiresAtMs: timeOf(value.expiresAt),
    canNotify: value.notifySupported === true,
  };
}

/* The answer of channels.pairing.list; oldest first. */
export function readPairing(payload: unknown): PairingList {
  const answer = isDict(payload) ? payload : {};
  const requests = list(answer.requests).map(readRequest).filter((r): r is PairingRequest => r !== null);
  return { requests: requests.sort((a, b) => a.createdAtMs - b.createdAtMs), hasOwner: answer.commandOwnerConfigured === true };
}

/* The codes of channels.pairing.state, put to the requests that are known. */
export function withCodes(requests: readonly PairingRequest[], payload: unknown): PairingRequest[] {
  const codes = new Map<string, string>();
  for (const row of list(isDict(payload) ? payload.requests : undefined)) {
    const id = isDict(row) ? str(row.requestId) : undefined;
    const code = isDict(row) ? str(row.code) : undefined;
    if (id && code) codes.set(id, code);
  }
  return requests.map((request) => ({ ...request, code: codes.get(request.id) ?? request.code }));
}
