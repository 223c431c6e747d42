/*
 * view/attention.tsx - what waits for the person, above the composer: that of the open conversation, and a line for others.
 */
import type { VNode } from 'preact';
import type { App } from '../app/app.ts';
import { titleOfKey } from '../app/sessions.ts';
import { useStore } from '../app/store.ts';
import type { PairingRequest } from '../channels/pairing.ts';
import { ApprovalCard } from './approval_card.tsx';
import { PairingCard } from './pairing_card.tsx';
import { ProgressCard } from './progress_card.tsx';
import { QuestionCard } from './question_card.tsx';

const NONE: readonly PairingRequest[] = [];

/* Asked by nobody's conversation, or by the open one. */
function isHere(sessionKey: string, openKey: string): boolean {
  return sessionKey === '' || sessionKey === openKey;
}

function Elsewhere({ app, keys }: { app: App; keys: string[] }): VNode | null {
  const rows = useStore(app.store, (state) => state.sessions.rows);
  if (keys.length === 0) return null;
  return (
    <ul class="elsewhere" aria-label="Waiting in other chats">
      {[...new Set(keys)].map((key) => (
        <li key={key}>
          <button type="button" class="link" onClick={() => app.openSession(key)}>
            {rows.find((row) => row.key === key)?.title ?? titleOfKey(key)} waits for your answer
          </button>
        </li>
      ))}
    </ul>
  );
}

/* `hasRequests` is false where who asks to write is shown already. */
export function AttentionStack({ app, hasRequests = true }: { app: App; hasRequests?: boolean }): VNode | null {
  const { approvals, questions, progress, answering } = useStore(app.store, (state) => state.attention);
  const requests = useStore(app.store, (state) => (hasRequests ? state.channels.requests : NONE));
  const openKey = useStore(app.store, (state) => state.chat.sessionKey);
  const here = approvals.filter((a) => isHere(a.sessionKey, openKey));
  const asked = questions.filter((q) => isHere(q.sessionKey, openKey));
  const others = [...approvals, ...questions].filter((x) => !isHere(x.sessionKey, openKey)).map((x) => x.sessionKey);
  if (here.length + asked.length + others.length + requests.length === 0 && !progress) return null;
  return (
    <div class="attention" role="region" aria-label="Waiting for you" aria-live="polite">
      <Elsewhere app={app} keys={others} />
      {progress && <ProgressCard progress={progress} />}
      {here.map((approval) => (
        <ApprovalCard key={approval.id} app={app} approval={approval} isAnswering={answering.includes(approval.id)} />
      ))}
      {asked.map((question) => (
        <QuestionCard key={question.id} app={app} question={question} isAnswering={answering.includes(question.id)} />
      ))}
      {/* Last: a turn waits for what is above, and strangers can wait. */}
      {requests.map((request) => (
        <PairingCard key={request.id} app={app} request={request} />
      ))}
    </div>
  );
}
