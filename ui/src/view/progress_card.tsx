/*
 * view/progress_card.tsx - the plan of long work: its steps, folded to one line.
 */
import type { VNode } from 'preact';
import { progressWords, type Progress, type StepStatus } from '../attention/progress.ts';
import { Markdown } from '../markdown/render.tsx';
import { Icon } from './icons.tsx';

const WORDS: Readonly<Record<StepStatus, string>> = { pending: 'to do', in_progress: 'at it', completed: 'done' };

export function ProgressCard({ progress }: { progress: Progress }): VNode {
  const current = progress.steps.find((s) => s.status === 'in_progress') ?? progress.steps.find((s) => s.status === 'pending');
  return (
    <details class="attention-card progress">
      <summary>
        <strong>Plan</strong>
        <span>{current?.step ?? (progress.steps.length > 0 ? 'all steps are done' : '')}</span>
        <span class="attention-time">{progressWords(progress)}</span>
      </summary>
      {progress.markdown && <Markdown text={progress.markdown} />}
      <ol>
        {progress.steps.map((s) => (
          <li key={s.step} data-status={s.status} aria-label={`${s.step}: ${WORDS[s.status]}`}>
            <span class="step-mark" aria-hidden="true">
              {s.status === 'completed' ? <Icon name="check" size={14} /> : null}
            </span>
            {s.step}
          </li>
        ))}
      </ol>
    </details>
  );
}
