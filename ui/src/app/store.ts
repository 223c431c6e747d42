/*
 * app/store.ts - one value, changed by functions, with listeners told at most once a frame.
 *
 * A stream brings hundreds of changes a second; the screen shows sixty.
 */
import { useEffect, useState } from 'preact/hooks';

type Listener = () => void;

export class Store<S> {
  private readonly listeners = new Set<Listener>();
  private isDue = false;

  constructor(private state: S) {}

  get(): S {
    return this.state;
  }

  set(change: (state: S) => S): void {
    const next = change(this.state);
    if (next === this.state) return;
    this.state = next;
    if (this.isDue) return;
    this.isDue = true;
    /* Hidden pages get no animation frames, but their title and live regions still change. */
    if (document.visibilityState === 'visible') requestAnimationFrame(this.tell);
    else setTimeout(this.tell, 100);
  }

  subscribe(listener: Listener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  private readonly tell = (): void => {
    this.isDue = false;
    for (const listener of [...this.listeners]) listener();
  };
}

/* The part of the state that a component draws; it redraws when that part is another value. */
export function useStore<S, T>(store: Store<S>, select: (state: S) => T): T {
  const value = select(store.get());
  const [, redraw] = useState(0);
  useEffect(() => {
    let seen = value;
    const check = (): void => {
      const now = select(store.get());
      if (Object.is(now, seen)) return;
      seen = now;
      redraw((n) => n + 1);
    };
    check();
    return store.subscribe(check);
  }, [store, value]);
  return value;
}
