/*
 * view/popover.ts - closes an open menu when the user turns elsewhere.
 */
import type { RefObject } from 'preact';
import { useEffect } from 'preact/hooks';

export function useDismiss(box: RefObject<HTMLElement | null>, isOpen: boolean, close: () => void): void {
  useEffect(() => {
    if (!isOpen) return undefined;
    const onPointer = (event: Event): void => {
      if (event.target instanceof Node && !box.current?.contains(event.target)) close();
    };
    const onKey = (event: KeyboardEvent): void => {
      if (event.key !== 'Escape') return;
      /* Escape also stops a reply; it does one thing at a time. */
      event.stopPropagation();
      event.preventDefault();
      close();
      box.current?.querySelector<HTMLElement>('button')?.focus();
    };
    document.addEventListener('pointerdown', onPointer, true);
    document.addEventListener('keydown', onKey, true);
    return () => {
      document.removeEventListener('pointerdown', onPointer, true);
      document.removeEventListener('keydown', onKey, true);
    };
  }, [isOpen, close, box]);
}

/* Moves the focus among the buttons of a list with the arrow keys. */
export function moveFocus(event: KeyboardEvent, container: HTMLElement | null): void {
  if (event.key !== 'ArrowDown' && event.key !== 'ArrowUp' && event.key !== 'Home' && event.key !== 'End') return;
  const all = [...(container?.querySelectorAll<HTMLElement>('[data-item]:not([disabled])') ?? [])];
  if (all.length === 0) return;
  event.preventDefault();
  const at = all.indexOf(document.activeElement as HTMLElement);
  const step = event.key === 'ArrowDown' ? 1 : -1;
  const next = event.key === 'Home' ? 0 : event.key === 'End' ? all.length - 1 : (at + step + all.length) % all.length;
  all[at < 0 && event.key === 'ArrowUp' ? all.length - 1 : next]?.focus();
}
