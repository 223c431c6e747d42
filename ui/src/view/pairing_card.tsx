/*
 * view/pairing_card.tsx - a stranger who asks to write: who the network says it is, what they call themselves, the answers.
 */
import type { VNode } from 'preact';
import { useState } from 'preact/hooks';
import type { App } from '../app/app.ts';
import { isAdmin } from '../app/channels_controller.ts';
import { useStore } from '../app/store.ts';
import { visible } from '../attention/visible.ts';
import type { PairingRequest } from '../channels/pairing.ts';
import { useCalm } from './calm.ts';
import { useCountdown } from './countdown.ts';
import { timeLeft } from './format.ts';
import { Icon } from './icons.tsx';

function Check({ words, isOn, set }: { words: string; isOn: boolean; set: (on: boolean) => void }): VNode {
  return (
    <label class="check">
      <input type="checkbox" checked={isOn} onChange={(event) => set(event.currentTarget.checked)} />
      {words}
    </label>
  );
}

function Facts({ request }: { request: PairingRequest }): VNode {
  const facts: [string, string][] = [
    ['id', request.senderId],
    ['calls itself', [request.name, request.username && `@${request.username}`].filter(Boolean).join(' ')],
    ['account', request.accountName || (request.accountId === 'default' ? '' : request.accountId)],
    ['code', request.code],
  ];
  return (
    <dl class="approval-facts">
      {facts
        .filter(([, value]) => value !== '')
        .map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>
              <bdi>{visible(value)}</bdi>
            </dd>
          </div>
        ))}
    </dl>
  );
}

export function PairingCard({ app, request }: { app: App; request: PairingRequest }): VNode {
  const isBusy = useStore(app.store, (state) => state.channels.busy.includes(`pair ${request.id}`));
  const mayMakeOwner = useStore(app.store, (state) => isAdmin(state) && !state.channels.hasOwner);
  const [notify, setNotify] = useState(request.canNotify);
  const [makeOwner, setMakeOwner] = useState(false);
  const isCalm = useCalm(request.id);
  const secondsLeft = useCountdown(request.expiresAtMs);
  const isOff = !isCalm || isBusy || secondsLeft === 0;
  const titleId = `pairing-${request.id}`;
  return (
    <section class="attention-card pairing" aria-labelledby={titleId}>
      <header>
        <Icon name="key" size={18} />
        <h2 id={titleId}>Somebody wants to write to you on {request.network}</h2>
        <span class="attention-time">{secondsLeft === 0 ? 'time is up' : timeLeft(secondsLeft)}</span>
      </header>
      <Facts request={request} />
      <p class="approval-note">Anybody can take any name: approve only who told you {request.code ? 'this code' : 'their code'} themselves.</p>
      <div class="attention-bar">
        <button
          type="button"
          class="button"
          disabled={isOff}
          onClick={() => void app.channels.approve(request, { notify, makeOwner: makeOwner && mayMakeOwner })}
        >
          Approve
        </button>
        <button type="button" class="button quiet" disabled={isOff} onClick={() => void app.channels.dismiss(request)}>
          Dismiss
        </button>
        {request.canNotify && <Check words="Tell them" isOn={notify} set={setNotify} />}
        {mayMakeOwner && <Check words="Make them the owner" isOn={makeOwner} set={setMakeOwner} />}
      </div>
    </section>
  );
}
