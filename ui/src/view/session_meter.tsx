/*
 * view/session_meter.tsx - how full the context is and what the conversation has cost.
 */
import type { VNode } from 'preact';
import type { App } from '../app/app.ts';
import { useStore } from '../app/store.ts';
import { cost, tokens } from './format.ts';

export function SessionMeter({ app }: { app: App }): VNode | null {
  const row = useStore(app.store, (state) => state.sessions.rows.find((r) => r.key === state.chat.sessionKey));
  const fallback = useStore(app.store, (state) => state.sessions.defaults.contextTokens);
  const used = row?.totalTokens;
  const most = row?.contextTokens ?? fallback;
  if (!row || !used) return <span class="meter" />;
  const share = most ? Math.min(1, used / most) : 0;
  const words = `${tokens(used)}${most ? ` of ${tokens(most)}` : ''} tokens`;
  return (
    <span class="meter" title={most ? `The context is ${Math.round(share * 100)} % full` : undefined}>
      {most ? <meter min={0} max={1} high={0.8} value={share} aria-label="Context used" /> : null}
      <span>{words}</span>
      {row.costUsd ? <span>{cost(row.costUsd)}</span> : null}
    </span>
  );
}
