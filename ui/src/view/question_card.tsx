/*
 * view/question_card.tsx - what an agent asks: options to choose from, text to type, a secret that is not shown.
 */
import type { VNode } from 'preact';
import { useState } from 'preact/hooks';
import type { App } from '../app/app.ts';
import { choose, isComplete, typeText, type Draft, type Item, type Question } from '../attention/questions.ts';
import { visible } from '../attention/visible.ts';
import { useCountdown } from './countdown.ts';
import { timeLeft } from './format.ts';

function Choices({ item, draft, onDraft }: { item: Item; draft: Draft; onDraft(next: Draft): void }): VNode {
  const chosen = draft[item.id]?.chosen ?? [];
  return (
    <div class="choices" role={item.isMulti ? 'group' : 'radiogroup'} aria-label={item.text}>
      {item.options.map((option) => (
        <button
          key={option.label}
          type="button"
          role={item.isMulti ? 'checkbox' : 'radio'}
          aria-checked={chosen.includes(option.label)}
          class="choice"
          onClick={() => onDraft(choose(draft, item, option.label))}
        >
          <strong>{visible(option.label)}</strong>
          {option.description && <span>{visible(option.description)}</span>}
        </button>
      ))}
    </div>
  );
}

function Field({ item, draft, onDraft }: { item: Item; draft: Draft; onDraft(next: Draft): void }): VNode {
  const hint = item.isSecret ? (item.secretName ? `Kept as ${item.secretName}; the agent does not see it` : 'Not shown, not kept in the chat') : 'Something else…';
  const shared = {
    class: 'question-text',
    'aria-label': item.options.length > 0 ? 'Another answer' : item.text,
    placeholder: item.options.length > 0 || item.isSecret ? hint : 'Your answer',
    value: draft[item.id]?.text ?? '',
    onInput: (event: { currentTarget: HTMLInputElement }) => onDraft(typeText(draft, item, event.currentTarget.value)),
  };
  return item.isSecret ? <input {...shared} type="password" autocomplete="new-password" /> : <input {...shared} type="text" autocomplete="off" />;
}

export function QuestionCard({ app, question, isAnswering }: { app: App; question: Question; isAnswering: boolean }): VNode {
  const [draft, setDraft] = useState<Draft>({});
  const secondsLeft = useCountdown(question.expiresAtMs);
  const titleId = `question-${question.id}`;
  return (
    <form
      class="attention-card question"
      aria-labelledby={titleId}
      onSubmit={(event) => {
        event.preventDefault();
        const sent = draft;
        if (question.items.some((item) => item.isSecret)) setDraft({});
        void app.attention.reply(question, sent);
      }}
    >
      {question.items.map((item, i) => (
        <fieldset key={item.id}>
          <legend id={i === 0 ? titleId : undefined}>
            {item.header && <span class="question-header">{visible(item.header)}</span>}
            {visible(item.text)}
          </legend>
          {item.options.length > 0 && <Choices item={item} draft={draft} onDraft={setDraft} />}
          {item.takesText && <Field item={item} draft={draft} onDraft={setDraft} />}
        </fieldset>
      ))}
      <div class="attention-bar">
        <button type="submit" class="button" disabled={isAnswering || !isComplete(draft, question)}>
          Answer
        </button>
        <button type="button" class="button quiet" disabled={isAnswering} onClick={() => void app.attention.skip(question)}>
          Skip
        </button>
        {question.expiresAtMs > 0 && <span class="attention-time">{secondsLeft === 0 ? 'time is up' : timeLeft(secondsLeft)}</span>}
      </div>
    </form>
  );
}
