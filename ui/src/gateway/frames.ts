/*
 * gateway/frames.ts - the frames of protocol v4 as this page uses them.
 *
 * What arrives is checked here once (shape, not meaning), so that nothing
 * further in has to wonder whether a frame is an object. Payloads stay
 * `unknown` until the module that knows them reads them.
 */

export interface RequestFrame {
  type: 'req';
  id: string;
  method: string;
  params?: unknown;
}

export interface WireError {
  code: string;
  message: string;
  details?: unknown;
  retryable?: boolean;
  retryAfterMs?: number;
}

export interface ResponseFrame {
  type: 'res';
  id: string;
  ok: boolean;
  payload?: unknown;
  error?: WireError;
}

export interface EventFrame {
  type: 'event';
  event: string;
  payload: unknown;
  seq?: number;
}

export type InboundFrame = ResponseFrame | EventFrame;

export type Dict = Record<string, unknown>;

export function isDict(value: unknown): value is Dict {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function str(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

export function num(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

export function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

function readError(value: unknown): WireError {
  if (!isDict(value)) return { code: 'UNAVAILABLE', message: 'the gateway gave no reason' };
  const error: WireError = {
    code: str(value.code) ?? 'UNAVAILABLE',
    message: str(value.message) ?? 'the gateway gave no reason',
    details: value.details,
  };
  if (value.retryable === true) error.retryable = true;
  const after = num(value.retryAfterMs);
  if (after !== undefined) error.retryAfterMs = after;
  return error;
}

/* A frame from the gateway, or null for anything that is not one. */
export function parseFrame(text: string): InboundFrame | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (!isDict(value)) return null;
  if (value.type === 'event' && typeof value.event === 'string') {
    const frame: EventFrame = { type: 'event', event: value.event, payload: value.payload };
    const seq = num(value.seq);
    if (seq !== undefined) frame.seq = seq;
    return frame;
  }
  if (value.type === 'res' && typeof value.id === 'string') {
    const ok = value.ok === true;
    const frame: ResponseFrame = { type: 'res', id: value.id, ok, payload: value.payload };
    if (!ok) frame.error = readError(value.error);
    return frame;
  }
  return null;
}

/* A request that did not succeed: refused by the gateway, timed out, or cut off with the connection. */
export class RpcError extends Error {
  readonly method: string;
  readonly wire: WireError;

  constructor(method: string, wire: WireError) {
    super(wire.message);
    this.name = 'RpcError';
    this.method = method;
    this.wire = wire;
  }

  get code(): string {
    return this.wire.code;
  }

  /* True when nobody can tell whether the gateway acted on the request. */
  get isUnsure(): boolean {
    return this.code === 'DISCONNECTED' || this.code === 'TIMEOUT';
  }
}
