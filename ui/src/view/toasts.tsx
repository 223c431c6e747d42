/*
 * view/toasts.tsx - errors and news, at the edge, until read or timed out.
 */
import type { VNode } from 'preact';
import type { App } from '../app/app.ts';
import { useStore } from '../app/store.ts';
import { Icon } from './icons.tsx';

export function Toasts({ app }: { app: App }): VNode {
  const toasts = useStore(app.store, (state) => state.toasts);
  return (
    <div class="toasts" role="region" aria-label="Messages" aria-live="assertive">
      {toasts.map((toast) => (
        <div key={toast.id} class="toast" data-tone={toast.tone}>
          <div>
            <p>{toast.text}</p>
            {toast.next && <p class="next">{toast.next}</p>}
          </div>
          <button type="button" class="icon-button small" aria-label="Dismiss" onClick={() => app.dismissToast(toast.id)}>
            <Icon name="close" size={16} />
          </button>
        </div>
      ))}
    </div>
  );
}
