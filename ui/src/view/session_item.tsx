/*
 * view/session_item.tsx - one conversation in the sidebar, with its menu.
 */
import type { VNode } from 'preact';
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import type { App } from '../app/app.ts';
import type { SessionRow } from '../app/sessions.ts';
import { networkName } from '../channels/names.ts';
import { Confirm } from './confirm.tsx';
import { Icon, type IconName } from './icons.tsx';
import { moveFocus, useDismiss } from './popover.ts';

interface Props {
  app: App;
  row: SessionRow;
  isOpen: boolean;
  onOpen(): void;
}

function RenameField({ title, onDone }: { title: string; onDone: (label: string | null) => void }): VNode {
  const field = useRef<HTMLInputElement>(null);
  const isDone = useRef(false);
  useEffect(() => field.current?.select(), []);
  const finish = (label: string | null): void => {
    if (isDone.current) return;
    isDone.current = true;
    onDone(label);
  };
  return (
    <input
      ref={field}
      class="rename"
      aria-label="Name of the chat"
      defaultValue={title}
      maxLength={120}
      onBlur={(event) => finish(event.currentTarget.value)}
      onKeyDown={(event) => {
        if (event.key === 'Enter') finish(event.currentTarget.value);
        if (event.key !== 'Escape') return;
        event.stopPropagation();
        finish(null);
      }}
    />
  );
}

function MenuItem({ icon, words, isDanger, act }: { icon: IconName; words: string; isDanger?: boolean; act: () => void }): VNode {
  return (
    <button type="button" role="menuitem" data-item class={isDanger ? 'danger' : undefined} onClick={act}>
      <Icon name={icon} size={18} />
      {words}
    </button>
  );
}

export function SessionItem({ app, row, isOpen, onOpen }: Props): VNode {
  const [mode, setMode] = useState<'idle' | 'menu' | 'rename' | 'delete'>('idle');
  const box = useRef<HTMLDivElement>(null);
  const close = useCallback(() => setMode('idle'), []);
  useDismiss(box, mode === 'menu', close);
  useEffect(() => {
    if (mode === 'menu') box.current?.querySelector<HTMLElement>('[data-item]')?.focus();
  }, [mode]);
  const onRename = (label: string | null): void => {
    close();
    if (label !== null && label.trim() !== row.title) void app.sessions.rename(row.key, label);
  };
  const choose = (act: () => void) => (): void => {
    close();
    act();
  };
  return (
    <div class="session" ref={box} data-open={isOpen} data-unread={row.isUnread && !isOpen}>
      {mode === 'rename' ? (
        <RenameField title={row.title} onDone={onRename} />
      ) : (
        <button type="button" class="session-main" aria-current={isOpen ? 'page' : undefined} onClick={onOpen} title={row.title}>
          <span class="session-title">{row.title}</span>
          {row.network && <span class="badge">{networkName(row.network)}</span>}
          {row.isActive && <span class="spinner" role="img" aria-label="running" />}
          {row.isUnread && !isOpen && <span class="unread" role="img" aria-label="unread" />}
        </button>
      )}
      <button
        type="button"
        class="icon-button session-more"
        aria-haspopup="menu"
        aria-expanded={mode === 'menu'}
        aria-label={`More for ${row.title}`}
        onClick={() => setMode(mode === 'menu' ? 'idle' : 'menu')}
      >
        <Icon name="more" />
      </button>
      {mode === 'menu' && (
        <div class="menu session-menu" role="menu" onKeyDown={(event) => moveFocus(event, box.current)}>
          <MenuItem icon="pencil" words="Rename" act={() => setMode('rename')} />
          {row.isArchived ? (
            <MenuItem icon="restore" words="Restore" act={choose(() => void app.sessions.setArchived(row.key, false))} />
          ) : (
            <MenuItem icon="archive" words="Archive" act={choose(() => void app.sessions.setArchived(row.key, true))} />
          )}
          <MenuItem icon="trash" words="Delete…" isDanger act={() => setMode('delete')} />
        </div>
      )}
      {mode === 'delete' && (
        <Confirm
          title="Delete this chat?"
          text={`“${row.title}” and everything said in it will be gone. This cannot be undone.`}
          action="Delete"
          onAnswer={(isYes) => {
            close();
            if (isYes) void app.sessions.remove(row.key);
          }}
        />
      )}
    </div>
  );
}
