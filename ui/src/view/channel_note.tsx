/*
 * view/channel_note.tsx - of a conversation that people of a network take part in: where answers go.
 */
import type { VNode } from 'preact';
import type { App } from '../app/app.ts';
import { useStore } from '../app/store.ts';
import { networkName } from '../channels/names.ts';

export function ChannelNote({ app }: { app: App }): VNode | null {
  const network = useStore(app.store, (state) => state.sessions.rows.find((row) => row.key === state.chat.sessionKey)?.network);
  if (!network) return null;
  const name = networkName(network);
  return (
    <p class="channel-note">
      Answers to messages from {name} go to {name}. What you write here is answered on this page only.
    </p>
  );
}
