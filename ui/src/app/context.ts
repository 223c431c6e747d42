/*
 * app/context.ts - what the controllers share: the state, the wire, and a way to tell the user.
 */
import type { Store } from './store.ts';
import type { AppState } from './state.ts';
import type { Toast } from './toasts.ts';

export interface Wire {
  request<T = unknown>(method: string, params: unknown, timeoutMs?: number): Promise<T>;
}

export interface Context {
  store: Store<AppState>;
  wire: Wire;
  /* Whether the gateway offers a method at all. */
  has(method: string): boolean;
  toast(toast: Omit<Toast, 'id'>): void;
  fail(what: string, error: unknown): void;
}
