/*
 * attention/approvals.ts - what waits for a person's yes, read from lists and events.
 *
 * The gateway made the texts safe to show; nothing is shortened here. The first answer of any surface wins, so an
 * approval is taken away only when the gateway says that it has ended.
 */
import { isDict, list, num, str, type Dict } from '../gateway/frames.ts';

export type Decision = 'allow-once' | 'allow-always' | 'deny';
export type ApprovalKind = 'exec' | 'plugin';

export interface Fact {
  name: string;
  value: string;
}

export interface Approval {
  id: string;
  kind: ApprovalKind;
  title: string;
  /* The command, or what else will be done; shown whole. */
  body: string;
  note: string;
  warnings: string[];
  severity: 'info' | 'warning' | 'critical';
  facts: Fact[];
  decisions: Decision[];
  sessionKey: string;
  createdAtMs: number;
  expiresAtMs: number;
}

export interface Ended {
  id: string;
  words: string;
}

const DECISIONS: readonly Decision[] = ['allow-once', 'allow-always', 'deny'];

function decisionsOf(request: Dict): Decision[] {
  const allowed = Array.isArray(request.allowedDecisions) ? request.allowedDecisions : DECISIONS;
  const refused = list(request.unavailableDecisions);
  return DECISIONS.filter((decision) => allowed.includes(decision) && !refused.includes(decision));
}

function lines(...values: unknown[]): string[] {
  const texts = values.flatMap((value) => (Array.isArray(value) ? value : [value])).filter((v): v is string => typeof v === 'string' && v !== '');
  return [...new Set(texts)];
}

function facts(pairs: readonly (readonly [string, unknown])[]): Fact[] {
  return pairs.flatMap(([name, value]) => (typeof value === 'string' && value !== '' ? [{ name, value }] : []));
}

const HOSTS: Readonly<Record<string, string>> = {
  gateway: 'on this machine, outside the sandbox',
  sandbox: 'in the sandbox',
  node: 'on a paired device',
};

function execParts(request: Dict): Pick<Approval, 'title' | 'body' | 'note' | 'warnings' | 'severity' | 'facts'> {
  const analysis = isDict(request.commandAnalysis) ? request.commandAnalysis : {};
  const host = str(request.host);
  return {
    title: 'Run this command?',
    body: str(request.command) ?? '',
    note: '',
    warnings: lines(request.warningText, analysis.warningLines),
    severity: 'warning',
    facts: facts([
      ['where', host ? (HOSTS[host] ?? host) : undefined],
      ['in', request.cwd],
      ['program', request.resolvedPath],
      ['agent', request.agentId],
    ]),
  };
}

function pluginParts(request: Dict): Pick<Approval, 'title' | 'body' | 'note' | 'warnings' | 'severity' | 'facts'> {
  const severity = request.severity === 'critical' || request.severity === 'info' ? request.severity : 'warning';
  return {
    title: str(request.title) ?? 'Allow this?',
    body: str(request.detail) ?? '',
    note: str(request.description) ?? '',
    warnings: [],
    severity,
    facts: facts([
      ['tool', request.toolName],
      ['agent', request.agentId],
      ['plugin', request.pluginId],
    ]),
  };
}

/* A row of exec.approval.list or plugin.approval.list, or the payload of the event that asks. */
export function readApproval(value: unknown, kind: ApprovalKind): Approval | null {
  if (!isDict(value) || !isDict(value.request)) return null;
  const id = str(value.id);
  const expiresAtMs = num(value.expiresAtMs);
  if (!id || expiresAtMs === undefined) return null;
  const request = value.request;
  return {
    id,
    kind,
    ...(kind === 'exec' ? execParts(request) : pluginParts(request)),
    decisions: decisionsOf(request),
    sessionKey: str(request.sessionKey) ?? '',
    createdAtMs: num(value.createdAtMs) ?? 0,
    expiresAtMs,
  };
}

export function readApprovals(payload: unknown, kind: ApprovalKind): Approval[] {
  const rows = Array.isArray(payload) ? payload : isDict(payload) ? list(payload.approvals) : [];
  return rows.map((row) => readApproval(row, kind)).filter((a): a is Approval => a !== null);
}

/* Oldest first; what is known already is replaced. */
export function withApproval(all: readonly Approval[], one: Approval): Approval[] {
  return [...all.filter((a) => a.id !== one.id), one].sort((a, b) => a.createdAtMs - b.createdAtMs || (a.id < b.id ? -1 : 1));
}

const WORDS: Readonly<Record<string, string>> = {
  'allow-once': 'allowed once',
  'allow-always': 'allowed from now on',
  deny: 'denied',
};

/* How one ended, from the event that says so. */
export function readEnded(payload: Dict): Ended | null {
  const id = str(payload.id);
  if (!id) return null;
  const status = str(payload.terminalStatus);
  if (status) return { id, words: status };
  const by = str(payload.resolvedBy);
  return { id, words: `${WORDS[str(payload.decision) ?? ''] ?? 'answered'}${by ? ` by ${by}` : ''}` };
}

/* What "Always allow" would be good for, in one sentence. */
export function alwaysHint(approval: Approval): string {
  if (approval.kind === 'exec') return 'Remembers the programs of this command for this agent; chela approvals grants lists and revokes them.';
  return 'Remembers this for the agent.';
}
