/*
 * view/gate.tsx - shown instead of the page while the gateway does not let us in: why, and the way in.
 */
import type { ComponentChildren, VNode } from 'preact';
import { useRef } from 'preact/hooks';
import type { App } from '../app/app.ts';
import { useStore } from '../app/store.ts';
import type { Refusal } from '../gateway/refusal.ts';
import { CopyButton } from './copy_button.tsx';
import { useCountdown } from './countdown.ts';
import { Claw } from './icons.tsx';

function Command({ text }: { text: string }): VNode {
  return (
    <div class="command">
      <code>{text}</code>
      <CopyButton text={text} label="Copy the command" />
    </div>
  );
}

function Panel({ title, children }: { title: string; children: ComponentChildren }): VNode {
  return (
    <main class="gate">
      <div class="gate-panel">
        <Claw size={44} />
        <h1>{title}</h1>
        {children}
      </div>
    </main>
  );
}

/* `problem` is what was wrong with the last try. */
function SignIn({ app, title, problem, children }: { app: App; title: string; problem?: string; children: ComponentChildren }): VNode {
  const field = useRef<HTMLInputElement>(null);
  return (
    <Panel title={title}>
      {children}
      <Command text="chela dashboard" />
      <form
        class="sign-in"
        onSubmit={(event) => {
          event.preventDefault();
          const value = field.current?.value.trim();
          if (value) app.useSecret({ kind: 'token', value });
        }}
      >
        <label for="secret">Or paste the gateway’s token or password</label>
        <div class="sign-in-row">
          <input
            ref={field}
            id="secret"
            type="password"
            autocomplete="current-password"
            autocapitalize="off"
            spellcheck={false}
            aria-invalid={problem ? true : undefined}
            aria-describedby={problem ? 'secret-problem' : undefined}
          />
          <button type="submit" class="button">
            Connect
          </button>
        </div>
        {problem && (
          <p id="secret-problem" class="problem" role="alert">
            {problem}
          </p>
        )}
      </form>
      <p class="fine">It is sent to {location.host} only, and this browser keeps a token of its own that you can revoke.</p>
    </Panel>
  );
}

function Pairing({ app, refusal }: { app: App; refusal: Refusal }): VNode {
  const isWider = refusal.reason === 'scope-upgrade' || refusal.reason === 'role-upgrade';
  return (
    <Panel title={isWider ? 'This browser asks for more' : 'Approve this browser'}>
      <p>The gateway does not know this browser{isWider ? ' with these rights' : ''} yet. On the machine where the gateway runs, run:</p>
      <Command text={refusal.requestId ? `chela devices approve ${refusal.requestId}` : 'chela devices list'} />
      <p class="waiting-line" role="status">
        <span class="spinner" /> Waiting for the approval
      </p>
      <button type="button" class="link" onClick={app.wire.retryNow}>
        I have approved it
      </button>
    </Panel>
  );
}

function RateLimited({ refusal }: { refusal: Refusal }): VNode {
  const until = useRef(Date.now() + (refusal.retryAfterMs ?? 60_000));
  const seconds = useCountdown(until.current);
  return (
    <Panel title="Too many wrong tries">
      <p>The gateway takes no more from this browser for now. The page tries again by itself{seconds > 0 ? ` in ${seconds} s` : ''}.</p>
    </Panel>
  );
}

function Refused({ app, refusal }: { app: App; refusal: Refusal }): VNode {
  switch (refusal.kind) {
    case 'secret-missing':
      return (
        <SignIn app={app} title="Sign in">
          <p>Run this where the gateway runs. It prints a link that opens this page signed in.</p>
        </SignIn>
      );
    case 'secret-wrong':
      return (
        <SignIn app={app} title="Sign in" problem="The gateway did not accept that token or password.">
          <p>The token may have changed since this link was made. This makes a fresh link:</p>
        </SignIn>
      );
    case 'token-stale':
      return (
        <SignIn app={app} title="Sign in again">
          <p>This browser’s access was revoked or has changed. This makes a fresh link:</p>
        </SignIn>
      );
    case 'pairing':
      return <Pairing app={app} refusal={refusal} />;
    case 'rate-limited':
      return <RateLimited refusal={refusal} />;
    case 'insecure':
      return (
        <Panel title="This address is not secure">
          <p>
            Browsers give a page its own key only over HTTPS or on <code>localhost</code>. Open the gateway that way: switch on{' '}
            <code>gateway.tls</code>, or forward the port:
          </p>
          <Command text={`ssh -N -L ${location.port || '80'}:127.0.0.1:${location.port || '80'} ${location.hostname}`} />
        </Panel>
      );
    case 'origin':
      return (
        <Panel title="This address is not allowed">
          <p>
            The gateway serves its page to addresses it knows. Open it on the gateway’s machine, or add this origin to{' '}
            <code>gateway.controlUi.allowedOrigins</code>:
          </p>
          <Command text={location.origin} />
        </Panel>
      );
    case 'protocol':
      return (
        <Panel title="This page is out of date">
          <p>The gateway speaks another version of the protocol.</p>
          <button type="button" class="button" onClick={() => location.reload()}>
            Reload the page
          </button>
        </Panel>
      );
    case 'other':
      return (
        <Panel title="The gateway refused the connection">
          <p>{refusal.message}</p>
          <button type="button" class="button" onClick={app.wire.retryNow}>
            Try again
          </button>
        </Panel>
      );
  }
}

function Unreachable({ app, retryAtMs, cause }: { app: App; retryAtMs: number; cause: string }): VNode {
  const seconds = useCountdown(retryAtMs);
  return (
    <Panel title="The gateway does not answer">
      <p>
        Nothing answers at <code>{location.host}</code>{cause ? ` (${cause})` : ''}. If it is not running, start it:
      </p>
      <Command text="chela gateway run" />
      <p class="waiting-line" role="status">
        <span class="spinner" /> {seconds > 0 ? `Next try in ${seconds} s` : 'Trying…'}
      </p>
      <button type="button" class="link" onClick={app.wire.retryNow}>
        Try now
      </button>
    </Panel>
  );
}

function Splash(): VNode {
  return (
    <main class="gate splash">
      <span class="pinch">
        <Claw size={44} />
      </span>
      <p role="status">Connecting…</p>
    </main>
  );
}

/* Null when the page itself can be shown. */
export function Gate({ app }: { app: App }): VNode | null {
  const link = useStore(app.store, (state) => state.link);
  const hasBeenReady = useStore(app.store, (state) => state.hasBeenReady);
  if (link.kind === 'refused') return <Refused app={app} refusal={link.refusal} />;
  if (hasBeenReady || link.kind === 'ready') return null;
  if (link.kind === 'waiting') return <Unreachable app={app} retryAtMs={link.retryAtMs} cause={link.cause} />;
  return link.cause === null ? <Splash /> : <Unreachable app={app} retryAtMs={0} cause={link.cause} />;
}
