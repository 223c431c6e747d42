/*
 * app/toasts.ts - short messages at the edge of the page, each with the next step.
 */
import { RpcError } from '../gateway/frames.ts';

export interface Toast {
  id: number;
  tone: 'error' | 'info';
  text: string;
  next?: string;
}

/* What the user can do about a request that failed. */
export function nextStep(error: unknown): string | undefined {
  if (!(error instanceof RpcError)) return undefined;
  const after = error.wire.retryAfterMs;
  switch (error.code) {
    case 'DISCONNECTED':
      return 'The page reconnects by itself; then try again.';
    case 'TIMEOUT':
      return 'The gateway is busy or gone: see `chela status`.';
    case 'FORBIDDEN':
      return 'Open the page with the owner’s link: run `chela dashboard`.';
    case 'NOT_PAIRED':
      return 'Approve this browser: run `chela devices list`.';
    case 'UNAVAILABLE':
      return after ? `Try again in ${Math.ceil(after / 1000)} s.` : 'Try again; `chela logs --follow` says more.';
    default:
      return undefined;
  }
}

export function errorText(what: string, error: unknown): string {
  return `${what}: ${error instanceof Error ? error.message : String(error)}`;
}
