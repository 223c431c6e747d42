/*
 * app/chat_controller.ts - the open conversation: open, follow, page back, stop, reconcile.
 *
 * Events are applied as they come. They may be lost (a cut connection, a slow
 * one), so after anything doubtful the newest page of the history is read again
 * and the reducer brings the two together.
 */
import { reduceChat, type ChatAction } from '../chat/reducer.ts';
import { readRow } from '../chat/rows.ts';
import { isDict, str, type Dict } from '../gateway/frames.ts';
import type { Context } from './context.ts';
import type { Sender } from './sender.ts';

const PAGE = 80;
const RECONCILE_MS = 400;
const RETRY_MS = 1500;

export class ChatController {
  private reconcileTimer = 0;
  private loadId = 0;
  private subscribed = '';

  constructor(
    private readonly ctx: Context,
    private readonly sender: Sender,
    private readonly onInfo: (row: unknown) => void,
  ) {}

  get key(): string {
    return this.ctx.store.get().chat.sessionKey;
  }

  async open(sessionKey: string): Promise<void> {
    this.apply({ type: 'open', sessionKey });
    await this.follow();
    await this.load(true);
  }

  /* Names the conversation without reading it: onReady() is about to. */
  adopt(sessionKey: string): void {
    if (sessionKey !== this.key) this.apply({ type: 'open', sessionKey });
  }

  /* A new connection knows nothing of what the last one followed. */
  async onReady(): Promise<void> {
    this.subscribed = '';
    await this.follow();
    await this.load(false);
  }

  async load(isFresh: boolean): Promise<void> {
    const id = ++this.loadId;
    clearTimeout(this.reconcileTimer);
    const { sessionKey, runs } = this.ctx.store.get().chat;
    const runsBefore = Object.keys(runs);
    this.apply({ type: 'loading' });
    try {
      const payload = await this.ctx.wire.request('chat.history', { sessionKey, limit: PAGE });
      if (id !== this.loadId || sessionKey !== this.key) return;
      this.apply({ type: 'history', payload, runsBefore, isFresh });
      this.noteStored();
      /* A session that does not exist yet has no id and no place in the list. */
      if (isDict(payload) && str(payload.sessionId)) this.onInfo(payload.sessionInfo);
    } catch (error) {
      if (id !== this.loadId) return;
      this.apply({ type: 'load-failed', error: error instanceof Error ? error.message : String(error) });
      if (this.ctx.store.get().link.kind === 'ready') this.reconcileSoon(RETRY_MS);
    }
  }

  async loadOlder(): Promise<void> {
    const { sessionKey, hasMore, isLoadingOlder, nextOffset, status } = this.ctx.store.get().chat;
    if (!hasMore || isLoadingOlder || status !== 'ready') return;
    this.apply({ type: 'older-loading' });
    try {
      const payload = await this.ctx.wire.request('chat.history', { sessionKey, limit: PAGE, offset: nextOffset });
      if (sessionKey === this.key) this.apply({ type: 'older', payload });
    } catch (error) {
      if (sessionKey === this.key) this.apply({ type: 'older-failed' });
      this.ctx.fail('Older messages could not be loaded', error);
    }
  }

  async stop(): Promise<void> {
    try {
      await this.ctx.wire.request('chat.abort', { sessionKey: this.key });
    } catch (error) {
      this.ctx.fail('The reply could not be stopped', error);
    }
  }

  onGap(): void {
    this.reconcileSoon(0);
  }

  onReset(key: string): void {
    if (key === this.key) void this.load(true);
  }

  onMessage(payload: Dict): void {
    this.apply({ type: 'message', payload });
    const row = readRow(payload.message);
    if (row?.inputKey) this.sender.onStored(new Set([row.inputKey]));
  }

  onAgent(payload: Dict): void {
    this.apply({ type: 'agent', payload, nowMs: Date.now() });
  }

  onChat(payload: Dict): void {
    this.apply({ type: 'chat', payload, nowMs: Date.now() });
    const runId = str(payload.runId);
    const isEnd = payload.state === 'final' || payload.state === 'aborted' || payload.state === 'error';
    if (!runId || !isEnd || str(payload.sessionKey) !== this.key) return;
    if (this.ctx.store.get().chat.runs[runId]) this.reconcileSoon(RECONCILE_MS);
    /* Its row usually came long ago; a message that leaves none must not hang about. */
    setTimeout(() => this.sender.onRunEnded(runId), 2 * RECONCILE_MS);
  }

  /* The gateway says that nothing runs here; if we think otherwise, an event was lost. */
  onSessionChanged(payload: Dict): void {
    const { chat } = this.ctx.store.get();
    if (str(payload.sessionKey) !== chat.sessionKey || payload.hasActiveRun !== false) return;
    if (Object.keys(chat.runs).length > 0) this.reconcileSoon(RECONCILE_MS);
  }

  private apply(action: ChatAction): void {
    this.ctx.store.set((state) => ({ ...state, chat: reduceChat(state.chat, action) }));
  }

  private noteStored(): void {
    const { rows, pendingInputs } = this.ctx.store.get().chat;
    const keys = [...rows.map((row) => row.inputKey), ...pendingInputs.map((input) => input.key)];
    this.sender.onStored(new Set(keys.filter((key): key is string => key !== undefined)));
  }

  private reconcileSoon(delayMs: number): void {
    clearTimeout(this.reconcileTimer);
    this.reconcileTimer = window.setTimeout(() => {
      if (this.ctx.store.get().link.kind === 'ready') void this.load(false);
    }, delayMs);
  }

  private async follow(): Promise<void> {
    const key = this.key;
    const old = this.subscribed;
    if (old === key || this.ctx.store.get().link.kind !== 'ready') return;
    this.subscribed = key;
    try {
      if (old) await this.ctx.wire.request('sessions.messages.unsubscribe', { key: old });
      await this.ctx.wire.request('sessions.messages.subscribe', { key });
    } catch (error) {
      if (this.subscribed === key) this.subscribed = '';
      this.ctx.fail('Live updates of this chat are off', error);
    }
  }
}
