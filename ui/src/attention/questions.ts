/*
 * attention/questions.ts - what an agent asks its person: read, filled in, checked before it is sent.
 */
import { isDict, list, num, str } from '../gateway/frames.ts';

export interface Option {
  label: string;
  description: string;
}

export interface Item {
  id: string;
  header: string;
  text: string;
  options: Option[];
  isMulti: boolean;
  takesText: boolean;
  isSecret: boolean;
  /* Where a secret goes, for people. */
  secretName: string;
}

export interface Question {
  id: string;
  items: Item[];
  sessionKey: string;
  agentId: string;
  createdAtMs: number;
  expiresAtMs: number;
}

/* What was chosen and typed so far, by item. */
export type Draft = Readonly<Record<string, { chosen: readonly string[]; text: string }>>;

function readItem(value: unknown): Item | null {
  if (!isDict(value)) return null;
  const id = str(value.questionId);
  const text = str(value.question);
  if (!id || text === undefined) return null;
  const options = list(value.options).flatMap((o) => {
    const label = isDict(o) ? str(o.label) : undefined;
    return label ? [{ label, description: isDict(o) ? (str(o.description) ?? '') : '' }] : [];
  });
  const isSecret = value.isSecret === true;
  const store = isDict(value.secretStore) ? value.secretStore : {};
  return {
    id,
    header: str(value.header) ?? '',
    text,
    options,
    isMulti: value.multiSelect === true,
    takesText: isSecret || value.isOther === true || options.length === 0,
    isSecret,
    secretName: str(store.name) ?? '',
  };
}

export function readQuestion(value: unknown): Question | null {
  if (!isDict(value) || (value.status !== undefined && value.status !== 'pending')) return null;
  const id = str(value.id);
  const items = list(value.questions).map(readItem);
  if (!id || items.length === 0 || items.includes(null)) return null;
  return {
    id,
    items: items.filter((item): item is Item => item !== null),
    sessionKey: str(value.sessionKey) ?? '',
    agentId: str(value.agentId) ?? '',
    createdAtMs: num(value.createdAtMs) ?? 0,
    expiresAtMs: num(value.expiresAtMs) ?? 0,
  };
}

export function readQuestions(payload: unknown): Question[] {
  return list(isDict(payload) ? payload.questions : payload)
    .map(readQuestion)
    .filter((q): q is Question => q !== null);
}

export function withQuestion(all: readonly Question[], one: Question): Question[] {
  return [...all.filter((q) => q.id !== one.id), one].sort((a, b) => a.createdAtMs - b.createdAtMs);
}

function partOf(draft: Draft, item: Item): { chosen: readonly string[]; text: string } {
  return draft[item.id] ?? { chosen: [], text: '' };
}

export function choose(draft: Draft, item: Item, label: string): Draft {
  const { chosen, text } = partOf(draft, item);
  const has = chosen.includes(label);
  const next = item.isMulti ? (has ? chosen.filter((c) => c !== label) : [...chosen, label]) : has ? [] : [label];
  return { ...draft, [item.id]: { chosen: next, text: item.isMulti ? text : '' } };
}

export function typeText(draft: Draft, item: Item, text: string): Draft {
  const { chosen } = partOf(draft, item);
  return { ...draft, [item.id]: { chosen: item.isMulti ? chosen : [], text } };
}

function answerOf(draft: Draft, item: Item): string[] {
  const { chosen, text } = partOf(draft, item);
  /* Blanks may belong to a secret; of other text they are noise. */
  const said = item.isSecret ? text : text.trim();
  return said === '' ? [...chosen] : [...chosen, said];
}

export function isComplete(draft: Draft, question: Question): boolean {
  return question.items.every((item) => answerOf(draft, item).length > 0);
}

/* The parameters of question.resolve. */
export function answerParams(draft: Draft, question: Question): unknown {
  const answers = Object.fromEntries(question.items.map((item) => [item.id, answerOf(draft, item)]));
  return { id: question.id, answers: { answers } };
}
