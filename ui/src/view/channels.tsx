/*
 * view/channels.tsx - messaging networks: how their accounts stand, who asks to write, what was not delivered.
 */
import type { ComponentChildren, VNode } from 'preact';
import type { App } from '../app/app.ts';
import { isAdmin } from '../app/channels_controller.ts';
import { useStore } from '../app/store.ts';
import { visible } from '../attention/visible.ts';
import type { Letter } from '../channels/letters.ts';
import { networkName } from '../channels/names.ts';
import type { Account } from '../channels/status.ts';
import { clock, fullTime } from './format.ts';
import { PairingCard } from './pairing_card.tsx';

const DAY_MS = 86_400_000;

function When({ ms }: { ms: number }): VNode {
  if (ms === 0) return <>never</>;
  return <time title={fullTime(ms)}>{Date.now() - ms < DAY_MS ? clock(ms) : fullTime(ms)}</time>;
}

function Part({ title, children }: { title: string; children: ComponentChildren }): VNode {
  return (
    <section class="channels-part" aria-label={title}>
      <h2>{title}</h2>
      {children}
    </section>
  );
}

/* What its last try said, and when the next one comes. */
function Why({ account }: { account: Account }): VNode | null {
  if (!account.detail && account.retryAtMs === 0) return null;
  return (
    <p class="channel-why">
      {visible(account.detail)}
      {account.retryAtMs > 0 && (
        <>
          {' '}
          Tries again at <When ms={account.retryAtMs} />
          {account.attempts > 1 && `, after ${account.attempts} failures`}.
        </>
      )}
    </p>
  );
}

function AccountRow({ app, account }: { app: App; account: Account }): VNode {
  const isBusy = useStore(app.store, (state) => state.channels.busy.includes(`run ${account.channel}:${account.id}`));
  const mayAct = useStore(app.store, isAdmin);
  const title = `${account.network}${account.name || account.id !== 'default' ? ` · ${account.name || account.id}` : ''}`;
  return (
    <li class="channel-row" data-tone={account.tone}>
      <div class="channel-head">
        <span class="channel-dot" aria-hidden="true" />
        <h3>{visible(title)}</h3>
        <span class="channel-state">{account.state}</span>
        {mayAct && account.isEnabled && (
          <button
            type="button"
            class="button quiet"
            disabled={isBusy}
            aria-label={`${account.isRunning ? 'Stop' : 'Start'} ${title}`}
            onClick={() => void app.channels.setRunning(account, !account.isRunning)}
          >
            {account.isRunning ? 'Stop' : 'Start'}
          </button>
        )}
      </div>
      <Why account={account} />
      <p class="channel-facts">
        last message in: <When ms={account.lastInMs} /> · out: <When ms={account.lastOutMs} />
        {account.probe && ` · ${visible(account.probe)}`}
      </p>
    </li>
  );
}

function Empty(): VNode {
  return (
    <div class="channels-empty">
      <p>No messaging network is set up. Add one on the gateway's machine:</p>
      <pre>chela channels add telegram</pre>
      <p>
        <code>chela channels add --help</code> names the networks; <code>docs/channels</code> says what each of them needs.
      </p>
    </div>
  );
}

function LetterRow({ app, letter }: { app: App; letter: Letter }): VNode {
  const isBusy = useStore(app.store, (state) => state.channels.busy.includes(`letter ${letter.id}`));
  const mayAct = useStore(app.store, isAdmin);
  return (
    <li class="channel-row" data-tone="bad">
      <div class="channel-head">
        <h3>
          {letter.isOut ? 'To' : 'From'} {networkName(letter.channel)} <bdi>{visible(letter.place)}</bdi>
        </h3>
        <span class="channel-state">
          <When ms={letter.failedAtMs} />
        </span>
        {mayAct && letter.canResubmit && (
          <button type="button" class="button quiet" disabled={isBusy} onClick={() => void app.channels.resubmit(letter)}>
            Resubmit
          </button>
        )}
      </div>
      {letter.text && <p class="letter-text">{visible(letter.text)}</p>}
      <p class="channel-why">
        {visible(letter.reason)}
        {letter.attempts > 1 && ` (${letter.attempts} tries)`}
      </p>
    </li>
  );
}

export function ChannelsView({ app }: { app: App }): VNode {
  const { accounts, requests, letters, busy, error } = useStore(app.store, (state) => state.channels);
  return (
    <div class="channels">
      {error && (
        <p class="channel-why" role="alert">
          The accounts could not be read: {error}
        </p>
      )}
      {requests.length > 0 && (
        <Part title="Who asks to write">
          {requests.map((request) => (
            <PairingCard key={request.id} app={app} request={request} />
          ))}
        </Part>
      )}
      {accounts && (
        <Part title="Accounts">
          {accounts.length === 0 ? (
            <Empty />
          ) : (
            <>
              <ul class="channel-list">
                {accounts.map((account) => (
                  <AccountRow key={`${account.channel}:${account.id}`} app={app} account={account} />
                ))}
              </ul>
              <button type="button" class="button quiet" disabled={busy.includes('probe')} onClick={() => void app.channels.probe()}>
                {busy.includes('probe') ? 'Asking…' : 'Ask the networks'}
              </button>
            </>
          )}
        </Part>
      )}
      {letters.length > 0 && (
        <Part title="Not delivered">
          <ul class="channel-list">
            {letters.map((letter) => (
              <LetterRow key={letter.id} app={app} letter={letter} />
            ))}
          </ul>
        </Part>
      )}
    </div>
  );
}
