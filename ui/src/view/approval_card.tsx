/*
 * view/approval_card.tsx - one approval: everything that would be done, and the answers that may be given.
 *
 * Nothing is cut: a long command scrolls, and says how long it is. The buttons wake up a moment after the card appears, so
 * that a click meant for what stood there before answers nothing; none of them has the focus by itself.
 */
import type { VNode } from 'preact';
import type { App } from '../app/app.ts';
import { alwaysHint, type Approval, type Decision } from '../attention/approvals.ts';
import { visible } from '../attention/visible.ts';
import { useCalm } from './calm.ts';
import { CopyButton } from './copy_button.tsx';
import { useCountdown } from './countdown.ts';
import { timeLeft } from './format.ts';
import { Icon } from './icons.tsx';

const LONG_LINES = 12;

const LABELS: Readonly<Record<Decision, string>> = { 'allow-once': 'Allow once', 'allow-always': 'Always allow', deny: 'Deny' };

function Body({ text }: { text: string }): VNode {
  const lineCount = text.split('\n').length;
  return (
    <div class="approval-body">
      <pre tabIndex={0} dir="ltr">
        {visible(text)}
      </pre>
      <CopyButton text={text} label="Copy the command" />
      {(lineCount > LONG_LINES || text.length > 1200) && (
        <p class="approval-long">
          {lineCount} lines, {text.length} characters: scroll to read all of it.
        </p>
      )}
    </div>
  );
}

function Facts({ approval }: { approval: Approval }): VNode | null {
  if (approval.facts.length === 0) return null;
  return (
    <dl class="approval-facts">
      {approval.facts.map((fact) => (
        <div key={fact.name}>
          <dt>{fact.name}</dt>
          <dd>{visible(fact.value)}</dd>
        </div>
      ))}
    </dl>
  );
}

export function ApprovalCard({ app, approval, isAnswering }: { app: App; approval: Approval; isAnswering: boolean }): VNode {
  const isCalm = useCalm(approval.id);
  const secondsLeft = useCountdown(approval.expiresAtMs);
  const isOff = !isCalm || isAnswering || secondsLeft === 0;
  const titleId = `approval-${approval.id}`;
  return (
    <section class="attention-card approval" data-severity={approval.severity} aria-labelledby={titleId}>
      <header>
        <Icon name="warn" size={18} />
        <h2 id={titleId}>{visible(approval.title)}</h2>
        <span class="attention-time">{secondsLeft === 0 ? 'time is up' : timeLeft(secondsLeft)}</span>
      </header>
      {approval.note && <p class="approval-note">{visible(approval.note)}</p>}
      {approval.body && <Body text={approval.body} />}
      {approval.warnings.map((warning) => (
        <p key={warning} class="approval-warning">
          {visible(warning)}
        </p>
      ))}
      <Facts approval={approval} />
      <div class="attention-bar">
        {approval.decisions.map((decision) => (
          <button
            key={decision}
            type="button"
            class={decision === 'allow-once' ? 'button' : 'button quiet'}
            disabled={isOff}
            title={decision === 'allow-always' ? alwaysHint(approval) : undefined}
            onClick={() => void app.attention.decide(approval, decision)}
          >
            {LABELS[decision]}
          </button>
        ))}
      </div>
    </section>
  );
}
