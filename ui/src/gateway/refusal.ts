/*
 * gateway/refusal.ts - why the gateway did not let us in, in terms of what a person can do about it.
 */
import { isDict, num, str, type WireError } from './frames.ts';

export type RefusalKind =
  | 'secret-missing'
  | 'secret-wrong'
  | 'token-stale'
  | 'rate-limited'
  | 'pairing'
  | 'insecure'
  | 'origin'
  | 'protocol'
  | 'other';

export interface Refusal {
  kind: RefusalKind;
  message: string;
  code: string;
  requestId?: string;
  reason?: string;
  retryAfterMs?: number;
}

const BY_CODE: Record<string, RefusalKind> = {
  AUTH_TOKEN_MISSING: 'secret-missing',
  AUTH_PASSWORD_MISSING: 'secret-missing',
  AUTH_REQUIRED: 'secret-missing',
  AUTH_TOKEN_MISMATCH: 'secret-wrong',
  AUTH_PASSWORD_MISMATCH: 'secret-wrong',
  AUTH_UNAUTHORIZED: 'secret-wrong',
  AUTH_BOOTSTRAP_TOKEN_INVALID: 'secret-wrong',
  AUTH_DEVICE_TOKEN_MISMATCH: 'token-stale',
  AUTH_SCOPE_MISMATCH: 'token-stale',
  AUTH_RATE_LIMITED: 'rate-limited',
  PAIRING_REQUIRED: 'pairing',
  CONTROL_UI_DEVICE_IDENTITY_REQUIRED: 'insecure',
  DEVICE_IDENTITY_REQUIRED: 'insecure',
  CONTROL_UI_ORIGIN_NOT_ALLOWED: 'origin',
  PROTOCOL_MISMATCH: 'protocol',
};

/* Null when the gateway only asks for patience (starting, restarting, busy): that is an ordinary retry. */
export function refusalOf(error: WireError): Refusal | null {
  const details = isDict(error.details) ? error.details : {};
  const code = str(details.code) ?? error.code;
  const known = BY_CODE[code];
  if (!known && (error.code === 'UNAVAILABLE' || error.retryable)) return null;
  const refusal: Refusal = { kind: known ?? 'other', message: error.message, code };
  const requestId = str(details.requestId);
  const reason = str(details.reason);
  const retryAfterMs = error.retryAfterMs ?? num(details.retryAfterMs);
  if (requestId) refusal.requestId = requestId;
  if (reason) refusal.reason = reason;
  if (retryAfterMs !== undefined) refusal.retryAfterMs = retryAfterMs;
  return refusal;
}

/* When to knock again by ourselves, or null to wait for the user. */
export function knockAgainMs(refusal: Refusal): number | null {
  switch (refusal.kind) {
    case 'pairing':
      return 4000;
    case 'rate-limited':
      return Math.max(1000, refusal.retryAfterMs ?? 60_000);
    default:
      return null;
  }
}
