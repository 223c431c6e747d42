/*
 * view/root.tsx - the page: sidebar, conversation, composer; and the keys that work everywhere.
 */
import type { VNode } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { App } from '../app/app.ts';
import { titleOfKey } from '../app/sessions.ts';
import type { AppState } from '../app/state.ts';
import { useStore } from '../app/store.ts';
import { applyTheme, readTheme, type Theme } from '../app/theme.ts';
import { isRunning } from '../chat/state.ts';
import { AttentionStack } from './attention.tsx';
import { Banner } from './banner.tsx';
import { ChannelNote } from './channel_note.tsx';
import { ChannelsView } from './channels.tsx';
import { Composer } from './composer.tsx';
import { Gate } from './gate.tsx';
import { Icon } from './icons.tsx';
import { Sidebar } from './sidebar.tsx';
import { Toasts } from './toasts.tsx';
import { Transcript } from './transcript.tsx';

function openTitle(state: AppState): string {
  if (state.view === 'channels') return 'Channels';
  const key = state.chat.sessionKey;
  const all = [...state.sessions.rows, ...(state.sessions.archived ?? [])];
  return all.find((row) => row.key === key)?.title ?? titleOfKey(key);
}

function useKeys(app: App, onSearch: () => void): void {
  const search = useRef(onSearch);
  search.current = onSearch;
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if ((event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && event.key.toLowerCase() === 'k') {
        event.preventDefault();
        search.current();
      } else if (event.key === 'Escape' && !event.defaultPrevented && !document.querySelector('dialog[open]') && app.isRunning()) {
        event.preventDefault();
        void app.chat.stop();
      }
    };
    addEventListener('keydown', onKey);
    return () => removeEventListener('keydown', onKey);
  }, [app]);
}

function useTitle(app: App, title: string): void {
  const running = useStore(app.store, (state) => isRunning(state.chat));
  useEffect(() => {
    document.title = `${running ? '… ' : ''}${title} · chela`;
  }, [title, running]);
}

function Page({ app, storage }: { app: App; storage: Storage | null }): VNode {
  const title = useStore(app.store, openTitle);
  const view = useStore(app.store, (state) => state.view);
  const [theme, setTheme] = useState(readTheme(storage));
  const [isDrawerOpen, setDrawerOpen] = useState(false);
  const searchField = useRef<HTMLInputElement>(null);
  useTitle(app, title);
  useKeys(app, () => {
    setDrawerOpen(true);
    /* The drawer must be on the screen to take the focus. */
    requestAnimationFrame(() => searchField.current?.select());
    searchField.current?.focus();
  });
  const changeTheme = (next: Theme): void => {
    applyTheme(next, storage);
    setTheme(next);
  };
  return (
    <div class="page">
      <Sidebar
        app={app}
        isDrawerOpen={isDrawerOpen}
        closeDrawer={() => setDrawerOpen(false)}
        searchField={searchField}
        theme={theme}
        setTheme={changeTheme}
      />
      {isDrawerOpen && <div class="backdrop" onClick={() => setDrawerOpen(false)} />}
      <main class="main">
        <header class="topbar">
          <button type="button" class="icon-button drawer-only" aria-label="Show the chats" onClick={() => setDrawerOpen(true)}>
            <Icon name="menu" />
          </button>
          <h1>{title}</h1>
          <button type="button" class="icon-button drawer-only" aria-label="New chat" onClick={() => app.newSession()}>
            <Icon name="plus" />
          </button>
        </header>
        <Banner app={app} />
        {view === 'channels' ? (
          <>
            <ChannelsView app={app} />
            <AttentionStack app={app} hasRequests={false} />
          </>
        ) : (
          <>
            <Transcript app={app} />
            <AttentionStack app={app} />
            <ChannelNote app={app} />
            <Composer app={app} />
          </>
        )}
      </main>
    </div>
  );
}

export function Root({ app, storage }: { app: App; storage: Storage | null }): VNode {
  const isOut = useStore(app.store, (state) => state.link.kind === 'refused' || (!state.hasBeenReady && state.link.kind !== 'ready'));
  return (
    <>
      {isOut ? <Gate app={app} /> : <Page app={app} storage={storage} />}
      <Toasts app={app} />
    </>
  );
}
