/*
 * view/banner.tsx - the connection was lost: what happens now, and a way not to wait.
 */
import type { VNode } from 'preact';
import type { App } from '../app/app.ts';
import { useStore } from '../app/store.ts';
import { useCountdown } from './countdown.ts';

/* `retryAtMs` is 0 during a try. */
function Away({ app, retryAtMs, cause }: { app: App; retryAtMs: number; cause: string }): VNode {
  const seconds = useCountdown(retryAtMs);
  const unsent = useStore(app.store, (state) => state.outbox.filter((item) => item.state === 'waiting').length);
  return (
    <div class="banner" role="status">
      <span class="banner-dot" />
      <span>
        The gateway is away{cause ? ` (${cause})` : ''}. {seconds > 0 ? `Next try in ${seconds} s.` : 'Trying…'}
        {unsent > 0 && ` ${unsent === 1 ? 'One message waits' : `${unsent} messages wait`} to be sent.`}
      </span>
      <button type="button" class="link" onClick={app.wire.retryNow}>
        Try now
      </button>
    </div>
  );
}

export function Banner({ app }: { app: App }): VNode | null {
  const link = useStore(app.store, (state) => state.link);
  if (link.kind === 'waiting') return <Away app={app} retryAtMs={link.retryAtMs} cause={link.cause} />;
  return link.kind === 'connecting' ? <Away app={app} retryAtMs={0} cause={link.cause ?? ''} /> : null;
}
