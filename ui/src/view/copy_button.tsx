/*
 * view/copy_button.tsx - puts a text on the clipboard and says so for a moment.
 */
import type { VNode } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { Icon } from './icons.tsx';

const SAID_MS = 1600;

/* The old way, for pages that are not in a secure context. */
function copyBySelection(text: string): boolean {
  const area = document.createElement('textarea');
  area.value = text;
  area.className = 'offscreen';
  document.body.append(area);
  area.select();
  const done = document.execCommand('copy');
  area.remove();
  return done;
}

async function copy(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text);
  }
}

export function CopyButton({ text, label }: { text: string; label: string }): VNode {
  const [state, setState] = useState<'idle' | 'done' | 'failed'>('idle');
  useEffect(() => {
    if (state === 'idle') return undefined;
    const timer = setTimeout(() => setState('idle'), SAID_MS);
    return () => clearTimeout(timer);
  }, [state]);
  const said = state === 'done' ? 'Copied' : state === 'failed' ? 'Copying is not allowed here' : label;
  return (
    <button
      type="button"
      class="icon-button small"
      data-state={state}
      aria-label={said}
      title={said}
      onClick={() => void copy(text).then((done) => setState(done ? 'done' : 'failed'))}
    >
      <Icon name={state === 'done' ? 'check' : state === 'failed' ? 'warn' : 'copy'} size={16} />
    </button>
  );
}
