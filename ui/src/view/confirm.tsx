/*
 * view/confirm.tsx - a question before something that cannot be undone.
 */
import type { VNode } from 'preact';
import { useEffect, useRef } from 'preact/hooks';

interface Props {
  title: string;
  text: string;
  action: string;
  onAnswer(isYes: boolean): void;
}

export function Confirm({ title, text, action, onAnswer }: Props): VNode {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog
      ref={dialog}
      class="confirm"
      aria-labelledby="confirm-title"
      onClose={() => onAnswer(dialog.current?.returnValue === 'yes')}
      onClick={(event) => {
        if (event.target === dialog.current) dialog.current?.close();
      }}
    >
      <form method="dialog">
        <h2 id="confirm-title">{title}</h2>
        <p>{text}</p>
        <div class="confirm-bar">
          <button type="submit" class="button quiet" value="no">
            Cancel
          </button>
          <button type="submit" class="button danger" value="yes">
            {action}
          </button>
        </div>
      </form>
    </dialog>
  );
}
