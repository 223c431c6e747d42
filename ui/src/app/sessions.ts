/*
 * app/sessions.ts - the list of conversations: reading rows, order, titles, groups by day.
 */
import { isDict, num, str, type Dict } from '../gateway/frames.ts';

/* "webchat" is this page's own kind of session. */
export function networkOf(channel: unknown): string | undefined {
  const id = str(channel);
  return id && id !== 'webchat' ? id : undefined;
}

export interface SessionRow {
  key: string;
  agentId: string;
  title: string;
  label?: string;
  preview?: string;
  atMs: number;
  isPinned: boolean;
  isArchived: boolean;
  isUnread: boolean;
  isActive: boolean;
  isMain: boolean;
  /* The network that last wrote here, and whether it is a room of it. */
  network?: string;
  isRoom: boolean;
  provider?: string;
  model?: string;
  totalTokens?: number;
  contextTokens?: number;
  costUsd?: number;
}

export interface SessionDefaults {
  provider?: string;
  model?: string;
  contextTokens?: number;
}

export const NEW_CHAT = 'New chat';

/* A key in words: "agent:main:telegram:group:42" is "telegram group 42"; ids nobody reads are left out. */
export function titleOfKey(key: string): string {
  const rest = key.split(':').slice(2);
  if (rest.length === 0) return key;
  if (rest[0] === 'main') return 'Main';
  if (rest[0] === 'dashboard') return NEW_CHAT;
  const words = rest.join(' ').replace(/-?[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, '').trim();
  return words || key;
}

function readTitle(row: Dict, key: string): string {
  return (
    str(row.label) ||
    str(row.displayName) ||
    str(row.autoLabel) ||
    str(row.derivedTitle) ||
    (row.isMain === true ? 'Main' : '') ||
    str(row.lastMessagePreview)?.slice(0, 60) ||
    titleOfKey(key)
  );
}

/* The fields that events send as null are taken as absent. `old` fills what an event's row leaves out. */
export function readSessionRow(value: unknown, old?: SessionRow): SessionRow | null {
  if (!isDict(value)) return null;
  const key = str(value.key);
  if (!key) return null;
  const row: SessionRow = {
    key,
    agentId: str(value.agentId) ?? key.split(':')[1] ?? 'main',
    title: readTitle(value, key),
    atMs: num(value.lastInteractionAt) ?? num(value.updatedAt) ?? num(value.createdAt) ?? 0,
    isPinned: value.pinned === true,
    isArchived: value.archived === true,
    isUnread: value.unread === true,
    isActive: value.hasActiveRun === true,
    isMain: value.isMain === true || key.split(':').slice(2).join(':') === 'main',
    isRoom: str(value.chatType) !== undefined && value.chatType !== 'direct',
  };
  const network = networkOf(value.channel);
  if (network) row.network = network;
  const label = str(value.label);
  if (label) row.label = label;
  if (old && !label && !str(value.displayName) && !str(value.derivedTitle) && old.title !== NEW_CHAT) row.title = old.title;
  const preview = str(value.lastMessagePreview) ?? old?.preview;
  if (preview) row.preview = preview;
  const provider = str(value.modelProvider);
  const model = str(value.model);
  if (provider) row.provider = provider;
  if (model) row.model = model;
  const totalTokens = num(value.totalTokens);
  const contextTokens = num(value.contextTokens);
  const costUsd = num(value.estimatedCostUsd);
  if (totalTokens !== undefined) row.totalTokens = totalTokens;
  if (contextTokens !== undefined) row.contextTokens = contextTokens;
  if (costUsd !== undefined) row.costUsd = costUsd;
  return row;
}

export function readDefaults(value: unknown): SessionDefaults {
  const defaults: SessionDefaults = {};
  if (!isDict(value)) return defaults;
  const provider = str(value.modelProvider);
  const model = str(value.model);
  const contextTokens = num(value.contextTokens);
  if (provider) defaults.provider = provider;
  if (model) defaults.model = model;
  if (contextTokens !== undefined) defaults.contextTokens = contextTokens;
  return defaults;
}

export function sortSessions(rows: readonly SessionRow[]): SessionRow[] {
  return [...rows].sort((a, b) => Number(b.isPinned) - Number(a.isPinned) || b.atMs - a.atMs || (a.key < b.key ? -1 : 1));
}

/* An event's view of one session, put into the list. A row without a key in the list is new. */
export function upsertSession(rows: readonly SessionRow[], row: SessionRow): SessionRow[] {
  const others = rows.filter((other) => other.key !== row.key);
  return sortSessions(row.isArchived ? others : [...others, row]);
}

export interface SessionGroup {
  name: string;
  rows: SessionRow[];
}

function dayStart(ms: number): number {
  const day = new Date(ms);
  day.setHours(0, 0, 0, 0);
  return day.getTime();
}

export function groupSessions(rows: readonly SessionRow[], nowMs: number): SessionGroup[] {
  const today = dayStart(nowMs);
  const nameOf = (row: SessionRow): string => {
    if (row.isPinned) return 'Pinned';
    if (row.atMs >= today) return 'Today';
    if (row.atMs >= dayStart(today - 1)) return 'Yesterday';
    if (row.atMs >= dayStart(today - 6 * 86_400_000)) return 'This week';
    return 'Earlier';
  };
  const groups: SessionGroup[] = [];
  for (const row of rows) {
    const name = nameOf(row);
    const last = groups[groups.length - 1];
    if (last?.name === name) last.rows.push(row);
    else groups.push({ name, rows: [row] });
  }
  return groups;
}

export function matchesSearch(row: SessionRow, search: string): boolean {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const text = `${row.title} ${row.preview ?? ''} ${row.network ?? ''} ${row.key}`.toLowerCase();
  return words.every((word) => text.includes(word));
}
