/*
 * view/welcome.tsx - an empty conversation: who is there, and a first thing to say.
 */
import type { VNode } from 'preact';
import type { App } from '../app/app.ts';
import { useStore } from '../app/store.ts';
import { currentModel } from './model_picker.tsx';
import { Claw } from './icons.tsx';

const FIRST_WORDS = ['What can you do?', 'List the files', 'What time is it?'];

export function Welcome({ app }: { app: App }): VNode {
  const name = useStore(app.store, (state) => state.agentName);
  const model = useStore(app.store, currentModel);
  return (
    <div class="welcome">
      <Claw size={56} />
      <h2>Talk to {name}</h2>
      {model.startsWith('offline/') ? (
        <p>
          Answers come from <code>{model}</code>, a small built-in model that follows rules and uses real tools. For a real one, run{' '}
          <code>chela setup</code> on the gateway's machine.
        </p>
      ) : (
        <p>What you say here stays between you, your gateway and the model you chose.</p>
      )}
      <div class="first-words">
        {FIRST_WORDS.map((words) => (
          <button key={words} type="button" class="chip" onClick={() => app.send(words)}>
            {words}
          </button>
        ))}
      </div>
    </div>
  );
}
