/*
 * app/session_controller.ts - the sidebar's list: load, follow, rename, archive, delete.
 */
import { isDict, list, str, type Dict } from '../gateway/frames.ts';
import type { Context } from './context.ts';
import { readDefaults, readSessionRow, sortSessions, upsertSession, type SessionRow } from './sessions.ts';
import type { SessionsState } from './state.ts';

const LIST_LIMIT = 200;

export class SessionController {
  constructor(
    private readonly ctx: Context,
    /* The open conversation is gone, or has started over. */
    private readonly onGone: (key: string) => void,
    private readonly onReset: (key: string) => void,
  ) {}

  async load(): Promise<void> {
    try {
      const result = await this.ctx.wire.request('sessions.list', {
        limit: LIST_LIMIT,
        includeDerivedTitles: true,
        includeLastMessage: true,
      });
      const payload = isDict(result) ? result : {};
      const rows = this.readRows(payload).filter((row) => !row.isArchived);
      this.set((sessions) => {
        const next = { ...sessions, rows: sortSessions(rows), defaults: readDefaults(payload.defaults), isLoaded: true };
        delete next.error;
        return next;
      });
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      this.set((sessions) => ({ ...sessions, error: text }));
    }
    if (this.ctx.store.get().sessions.archived) await this.loadArchived();
  }

  async loadArchived(): Promise<void> {
    try {
      const result = await this.ctx.wire.request('sessions.list', {
        limit: LIST_LIMIT,
        archived: true,
        includeDerivedTitles: true,
        includeLastMessage: true,
      });
      const archived = sortSessions(this.readRows(isDict(result) ? result : {}).filter((row) => row.isArchived));
      this.set((sessions) => ({ ...sessions, archived }));
    } catch (error) {
      this.ctx.fail('The archive could not be read', error);
    }
  }

  hideArchived(): void {
    this.set((sessions) => ({ ...sessions, archived: null }));
  }

  async rename(key: string, label: string): Promise<void> {
    await this.patch(key, { label: label.trim() || null }, 'The chat could not be renamed');
  }

  async setArchived(key: string, archived: boolean): Promise<void> {
    const done = await this.patch(key, { archived }, archived ? 'The chat could not be archived' : 'The chat could not be restored');
    if (done && archived) this.onGone(key);
  }

  async markRead(key: string): Promise<void> {
    const row = this.ctx.store.get().sessions.rows.find((r) => r.key === key);
    if (!row?.isUnread) return;
    this.set((sessions) => ({
      ...sessions,
      rows: sessions.rows.map((r) => (r.key === key ? { ...r, isUnread: false } : r)),
    }));
    try {
      await this.ctx.wire.request('sessions.patch', { key, unread: false });
    } catch (error) {
      /* Cosmetic: the mark comes back with the next list. */
      console.warn('sessions.patch unread', error);
    }
  }

  async remove(key: string): Promise<void> {
    try {
      await this.ctx.wire.request('sessions.delete', { key, deleteTranscript: true });
      this.onDeleted(key);
    } catch (error) {
      this.ctx.fail('The chat could not be deleted', error);
    }
  }

  onChanged(payload: Dict): void {
    const key = str(payload.sessionKey);
    if (!key) return;
    if (payload.reason === 'delete') {
      this.onDeleted(key);
      return;
    }
    this.onRow(payload.session);
    if (payload.reason === 'reset') this.onReset(key);
    if (payload.reason === 'patch' && this.ctx.store.get().sessions.archived) void this.loadArchived();
  }

  /* The session row that comes along with many events. */
  onRow(value: unknown): void {
    const known = isDict(value) ? this.ctx.store.get().sessions.rows.find((r) => r.key === value.key) : undefined;
    const row = readSessionRow(value, known);
    if (row) this.set((sessions) => ({ ...sessions, rows: upsertSession(sessions.rows, row) }));
  }

  private readRows(payload: Dict): SessionRow[] {
    return list(payload.sessions)
      .map((value) => readSessionRow(value))
      .filter((row): row is SessionRow => row !== null);
  }

  private async patch(key: string, change: Dict, what: string): Promise<boolean> {
    try {
      await this.ctx.wire.request('sessions.patch', { key, ...change });
      await this.load();
      return true;
    } catch (error) {
      this.ctx.fail(what, error);
      return false;
    }
  }

  private onDeleted(key: string): void {
    this.set((sessions) => ({
      ...sessions,
      rows: sessions.rows.filter((row) => row.key !== key),
      archived: sessions.archived?.filter((row) => row.key !== key) ?? null,
    }));
    this.onGone(key);
  }

  private set(change: (sessions: SessionsState) => SessionsState): void {
    this.ctx.store.set((state) => ({ ...state, sessions: change(state.sessions) }));
  }
}
