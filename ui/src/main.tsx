/*
 * main.tsx - start of the page: take the secret from the address bar, load the device key, connect, draw.
 */
import { render } from 'preact';
import { App } from './app/app.ts';
import { applyTheme, readTheme } from './app/theme.ts';
import { Credentials, secretFromFragment, takeSecret } from './gateway/credentials.ts';
import { loadIdentity } from './gateway/identity.ts';
import { Root } from './view/root.tsx';

declare const CHELA_VERSION: string;

/* Storage throws where the user has switched it off; the page works without. */
function storage(kind: 'localStorage' | 'sessionStorage'): Storage | null {
  try {
    return window[kind];
  } catch {
    return null;
  }
}

/* The gateway that served this page, and no other. */
function gatewayUrl(): string {
  const folder = location.pathname.replace(/[^/]*$/, '');
  return `${location.protocol === 'https:' ? 'wss:' : 'ws:'}//${location.host}${folder}`;
}

async function main(): Promise<void> {
  const secret = takeSecret(location, history);
  const local = storage('localStorage');
  applyTheme(readTheme(local), local);
  const app = new App({
    url: gatewayUrl(),
    version: CHELA_VERSION,
    identity: await loadIdentity(),
    credentials: new Credentials(local, 'chela.device', secret),
    local,
    session: storage('sessionStorage'),
  });
  addEventListener('hashchange', () => {
    /* A link with a token, opened where the page already is. */
    const fresh = secretFromFragment(location.hash).secret;
    takeSecret(location, history);
    if (fresh) app.useSecret(fresh);
    app.onFragment();
  });
  addEventListener('popstate', () => app.onFragment());
  render(<Root app={app} storage={local} />, document.getElementById('app')!);
  app.start();
}

void main();
