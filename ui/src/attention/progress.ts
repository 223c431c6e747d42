/*
 * attention/progress.ts - the plan that an agent keeps of long work.
 */
import { isDict, list, num, str } from '../gateway/frames.ts';

export type StepStatus = 'pending' | 'in_progress' | 'completed';

export interface Progress {
  revision: number;
  markdown: string;
  steps: { step: string; status: StepStatus }[];
}

export function readProgress(payload: unknown): Progress | null {
  const card = isDict(payload) ? payload.card : null;
  if (!isDict(card)) return null;
  const steps = list(card.steps).flatMap((s) => {
    const step = isDict(s) ? str(s.step) : undefined;
    const status: StepStatus = isDict(s) && (s.status === 'completed' || s.status === 'in_progress') ? s.status : 'pending';
    return step ? [{ step, status }] : [];
  });
  const markdown = str(card.markdown) ?? '';
  return steps.length === 0 && markdown === '' ? null : { revision: num(card.revision) ?? 0, markdown, steps };
}

/* "2 of 5", or nothing when there are no steps. */
export function progressWords(progress: Progress): string {
  const done = progress.steps.filter((s) => s.status === 'completed').length;
  return progress.steps.length > 0 ? `${done} of ${progress.steps.length}` : '';
}
