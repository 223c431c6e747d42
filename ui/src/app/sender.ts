/*
 * app/sender.ts - moves the outbox: sends, retries, and makes sure that nothing is said twice.
 */
import { contentText } from '../chat/rows.ts';
import { fromStored, isDelivered, nextToSend, reduceOutbox, toStored, waitingSessions } from '../chat/outbox.ts';
import type { OutboxAction, OutboxItem } from '../chat/outbox.ts';
import { readRow, type Row } from '../chat/rows.ts';
import { uuid } from '../gateway/bytes.ts';
import { isDict, list, RpcError, str } from '../gateway/frames.ts';
import type { Context } from './context.ts';

const STORAGE_KEY = 'chela.outbox';
const LOOKBACK = 100;
const BUSY_RETRY_MS = 1500;

export function loadOutbox(storage: Storage | null): OutboxItem[] {
  return fromStored(storage?.getItem(STORAGE_KEY) ?? null, Date.now());
}

export class Sender {
  private readonly busySessions = new Set<string>();

  constructor(
    private readonly ctx: Context,
    private readonly storage: Storage | null,
  ) {}

  send(sessionKey: string, text: string): void {
    this.apply({ type: 'add', item: { key: uuid(), sessionKey, text, createdAtMs: Date.now() } });
    void this.flush(sessionKey);
  }

  again(key: string): void {
    const item = this.items().find((i) => i.key === key);
    this.apply({ type: 'again', key });
    if (item) void this.flush(item.sessionKey);
  }

  drop(key: string): void {
    this.apply({ type: 'drop', key });
  }

  onReady(): void {
    for (const sessionKey of waitingSessions(this.items())) void this.flush(sessionKey);
  }

  onDisconnected(): void {
    this.apply({ type: 'disconnected' });
  }

  /* The gateway has stored these inputs: their rows are what is drawn from now on. */
  onStored(keys: ReadonlySet<string>): void {
    for (const item of this.items()) {
      if (keys.has(item.key)) this.apply({ type: 'drop', key: item.key });
    }
  }

  /* The run of an accepted message is over; whether or not it left a row, it is no longer ours. */
  onRunEnded(runId: string): void {
    if (this.items().some((item) => item.key === runId && item.state === 'accepted')) {
      this.apply({ type: 'drop', key: runId });
    }
  }

  private items(): OutboxItem[] {
    return this.ctx.store.get().outbox;
  }

  private apply(action: OutboxAction): void {
    this.ctx.store.set((state) => ({ ...state, outbox: reduceOutbox(state.outbox, action) }));
    try {
      this.storage?.setItem(STORAGE_KEY, toStored(this.items()));
    } catch (error) {
      console.warn('the outbox cannot be kept over a reload', error);
    }
  }

  private isReady(): boolean {
    return this.ctx.store.get().link.kind === 'ready';
  }

  private async flush(sessionKey: string): Promise<void> {
    if (this.busySessions.has(sessionKey)) return;
    this.busySessions.add(sessionKey);
    try {
      for (;;) {
        const item = this.isReady() ? nextToSend(this.items(), sessionKey) : null;
        if (!item) return;
        if (item.isUnsure && (await this.hasArrived(item))) this.apply({ type: 'drop', key: item.key });
        else if (!(await this.sendOne(item))) return;
      }
    } catch (error) {
      /* The look into the history failed: cut off again, or refused. Either way the message waits. */
      if (!(error instanceof RpcError)) throw error;
      if (!error.isUnsure) this.retryLater(sessionKey, error);
    } finally {
      this.busySessions.delete(sessionKey);
    }
  }

  /* True to go on with the next message. */
  private async sendOne(item: OutboxItem): Promise<boolean> {
    this.apply({ type: 'sending', key: item.key });
    try {
      await this.ctx.wire.request('chat.send', {
        sessionKey: item.sessionKey,
        message: item.text,
        idempotencyKey: item.key,
      });
      /* Events may have been quicker than the answer and have dropped it already. */
      this.apply({ type: 'accepted', key: item.key });
      return true;
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      if (error.isUnsure) {
        this.apply({ type: 'unsure', key: item.key });
        if (error.code === 'TIMEOUT') this.retryLater(item.sessionKey, error);
      } else if (error.wire.retryable === true) {
        this.apply({ type: 'waiting', key: item.key });
        this.retryLater(item.sessionKey, error);
      } else {
        this.apply({ type: 'failed', key: item.key, error: error.message });
        return true;
      }
      return false;
    }
  }

  private retryLater(sessionKey: string, error: RpcError): void {
    setTimeout(() => void this.flush(sessionKey), error.wire.retryAfterMs ?? BUSY_RETRY_MS);
  }

  private async hasArrived(item: OutboxItem): Promise<boolean> {
    const result = await this.ctx.wire.request('chat.history', { sessionKey: item.sessionKey, limit: LOOKBACK });
    const payload = isDict(result) ? result : {};
    const rows = list(payload.messages).map(readRow).filter((row): row is Row => row !== null);
    const waiting = isDict(payload.pendingInputs) ? list(payload.pendingInputs.items) : [];
    const pending = waiting.flatMap((value) => {
      if (!isDict(value)) return [];
      const text = isDict(value.message) ? contentText(value.message.content) : '';
      return [{ id: str(value.id) ?? '', key: str(value.runId) ?? '', text, atMs: 0 }];
    });
    return isDelivered(item.key, rows, pending);
  }
}
