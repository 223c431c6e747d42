/*
 * view/sidebar.tsx - the conversations: new, find, open, archive. A drawer on small screens.
 */
import type { RefObject, VNode } from 'preact';
import { useMemo, useState } from 'preact/hooks';
import type { App } from '../app/app.ts';
import { groupSessions, matchesSearch, type SessionRow } from '../app/sessions.ts';
import { useStore } from '../app/store.ts';
import { nextTheme, type Theme } from '../app/theme.ts';
import { Claw, Icon, type IconName } from './icons.tsx';
import { SessionItem } from './session_item.tsx';

interface Props {
  app: App;
  isDrawerOpen: boolean;
  closeDrawer(): void;
  searchField: RefObject<HTMLInputElement | null>;
  theme: Theme;
  setTheme(theme: Theme): void;
}

const THEME_ICONS: Record<Theme, IconName> = { system: 'system', light: 'sun', dark: 'moon' };
const THEME_WORDS: Record<Theme, string> = { system: 'as the system', light: 'light', dark: 'dark' };

function Items({ app, rows, onOpen }: { app: App; rows: readonly SessionRow[]; onOpen: (key: string) => void }): VNode {
  const openKey = useStore(app.store, (state) => (state.view === 'chat' ? state.chat.sessionKey : ''));
  return (
    <>
      {rows.map((row) => (
        <SessionItem key={row.key} app={app} row={row} isOpen={row.key === openKey} onOpen={() => onOpen(row.key)} />
      ))}
    </>
  );
}

function Archive({ app, onOpen }: { app: App; onOpen: (key: string) => void }): VNode {
  const archived = useStore(app.store, (state) => state.sessions.archived);
  const isShown = archived !== null;
  return (
    <section class="archive">
      <button
        type="button"
        class="archive-toggle"
        aria-expanded={isShown}
        onClick={() => (isShown ? app.sessions.hideArchived() : void app.sessions.loadArchived())}
      >
        <Icon name="archive" size={18} />
        Archived
        <span class="tool-chevron">
          <Icon name="chevron" size={14} />
        </span>
      </button>
      {isShown && (archived.length > 0 ? <Items app={app} rows={archived} onOpen={onOpen} /> : <p class="list-note">Nothing archived.</p>)}
    </section>
  );
}

export function Sidebar({ app, isDrawerOpen, closeDrawer, searchField, theme, setTheme }: Props): VNode {
  const sessions = useStore(app.store, (state) => state.sessions);
  const version = useStore(app.store, (state) => state.serverVersion);
  const view = useStore(app.store, (state) => state.view);
  const [search, setSearch] = useState('');
  const found = useMemo(() => sessions.rows.filter((row) => matchesSearch(row, search)), [sessions.rows, search]);
  const groups = useMemo(() => groupSessions(found, Date.now()), [found]);
  const open = (key: string): void => {
    app.openSession(key);
    closeDrawer();
  };
  return (
    <aside class="sidebar" data-drawer={isDrawerOpen} aria-label="Conversations">
      <header class="brand">
        <Claw size={26} />
        <span class="wordmark">chela</span>
        <button type="button" class="icon-button drawer-only" aria-label="Close the list" onClick={closeDrawer}>
          <Icon name="close" />
        </button>
      </header>
      <div class="sidebar-top">
        <button
          type="button"
          class="button new-chat"
          onClick={() => {
            app.newSession();
            closeDrawer();
          }}
        >
          <Icon name="plus" size={18} /> New chat
        </button>
        <label class="search">
          <Icon name="search" size={16} />
          <input
            ref={searchField}
            type="search"
            placeholder="Find a chat"
            aria-label="Find a chat"
            aria-keyshortcuts="Control+K"
            value={search}
            onInput={(event) => setSearch(event.currentTarget.value)}
            onKeyDown={(event) => {
              if (event.key === 'Enter' && found[0]) open(found[0].key);
              if (event.key !== 'Escape') return;
              event.stopPropagation();
              if (search) setSearch('');
              else event.currentTarget.blur();
            }}
          />
          <kbd>Ctrl K</kbd>
        </label>
      </div>
      <nav class="sessions" aria-label="Chats">
        {groups.map((group) => (
          <section key={group.name}>
            <h2>{group.name}</h2>
            <Items app={app} rows={group.rows} onOpen={open} />
          </section>
        ))}
        {sessions.error && <p class="list-note">The list could not be read: {sessions.error}</p>}
        {sessions.isLoaded && sessions.rows.length === 0 && <p class="list-note">Your chats will be listed here.</p>}
        {sessions.rows.length > 0 && found.length === 0 && <p class="list-note">No chat matches “{search}”.</p>}
        <Archive app={app} onOpen={open} />
      </nav>
      <footer class="sidebar-foot">
        <button
          type="button"
          class="link"
          aria-current={view === 'channels' ? 'page' : undefined}
          onClick={() => {
            app.openChannels();
            closeDrawer();
          }}
        >
          Channels
        </button>
        <span class="version">{version && `gateway ${version}`}</span>
        <button
          type="button"
          class="icon-button"
          aria-label={`Colours: ${THEME_WORDS[theme]}. Change`}
          title={`Colours: ${THEME_WORDS[theme]}`}
          onClick={() => setTheme(nextTheme(theme))}
        >
          <Icon name={THEME_ICONS[theme]} />
        </button>
      </footer>
    </aside>
  );
}
