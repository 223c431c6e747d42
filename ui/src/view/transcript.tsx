/*
 * view/transcript.tsx - the conversation's scroll: stays at the end while one is there, never moves under a reader.
 */
import type { RefObject, VNode } from 'preact';
import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { App } from '../app/app.ts';
import { useStore } from '../app/store.ts';
import { timeline, type TimelineItem } from '../chat/timeline.ts';
import { dayName } from './format.ts';
import { Claw, Icon } from './icons.tsx';
import { Message } from './message.tsx';
import { Welcome } from './welcome.tsx';

/* This near to the end counts as "at the end". */
const NEAR_PX = 60;

interface Scroll {
  scroller: RefObject<HTMLDivElement | null>;
  content: RefObject<HTMLDivElement | null>;
  isAway: boolean;
  toEnd(): void;
  onScroll(): void;
}

/* Follows the end of the content unless the reader has scrolled away from it. */
function useFollowEnd(sessionKey: string, lastSentKey: string | undefined): Scroll {
  const scroller = useRef<HTMLDivElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const isFollowing = useRef(true);
  const followedTo = useRef(0); /* where the end was when it was last followed */
  const [isAway, setAway] = useState(false);

  const jump = useCallback(() => {
    const box = scroller.current;
    if (!box) return;
    box.scrollTop = box.scrollHeight;
    followedTo.current = box.scrollTop;
  }, []);
  const toEnd = useCallback(() => {
    isFollowing.current = true;
    setAway(false);
    jump();
  }, [jump]);
  const onScroll = useCallback(() => {
    const box = scroller.current;
    if (!box) return;
    const below = box.scrollHeight - box.scrollTop - box.clientHeight;
    /* We hear of our own jump late, when more may have come below it: only who moves up leaves the end. */
    if (isFollowing.current && box.scrollTop >= followedTo.current) return;
    isFollowing.current = below < NEAR_PX;
    if (isFollowing.current) followedTo.current = box.scrollTop;
    setAway(below > box.clientHeight / 2);
  }, []);

  useLayoutEffect(toEnd, [sessionKey, lastSentKey, toEnd]);
  useEffect(() => {
    const observer = new ResizeObserver(() => {
      if (isFollowing.current) jump();
    });
    if (content.current) observer.observe(content.current);
    if (scroller.current) observer.observe(scroller.current);
    return () => observer.disconnect();
  }, [jump]);
  return { scroller, content, isAway, toEnd, onScroll };
}

/* When older messages come in above, what is being read stays where it is. */
function useKeepPlace(scroller: RefObject<HTMLDivElement | null>, sessionKey: string, firstId: string | undefined): void {
  const before = useRef({ sessionKey, firstId, height: 0 });
  useLayoutEffect(() => {
    const box = scroller.current;
    if (!box) return;
    const old = before.current;
    if (old.sessionKey === sessionKey && old.firstId && old.firstId !== firstId && old.height > 0) {
      box.scrollTop += box.scrollHeight - old.height;
    }
    before.current = { sessionKey, firstId, height: box.scrollHeight };
  });
}

function useLoadOlder(app: App, scroller: RefObject<HTMLDivElement | null>, hasMore: boolean): RefObject<HTMLDivElement | null> {
  const sentinel = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const mark = sentinel.current;
    if (!mark || !hasMore) return undefined;
    const observer = new IntersectionObserver(
      (entries) => {
        if (entries.some((entry) => entry.isIntersecting)) void app.chat.loadOlder();
      },
      { root: scroller.current, rootMargin: '300px 0px 0px 0px' },
    );
    observer.observe(mark);
    return () => observer.disconnect();
  }, [app, scroller, hasMore]);
  return sentinel;
}

interface Dated {
  item: TimelineItem;
  day?: string;
}

function withDays(items: readonly TimelineItem[], nowMs: number): Dated[] {
  let last = '';
  return items.map((item) => {
    if (item.atMs <= 0) return { item };
    const day = new Date(item.atMs).toDateString();
    if (day === last) return { item };
    last = day;
    return { item, day: dayName(item.atMs, nowMs) };
  });
}

function Skeleton(): VNode {
  return (
    <div class="skeleton" aria-hidden="true">
      <i class="right" />
      <i />
      <i />
      <i class="right" />
      <i />
    </div>
  );
}

function LoadFailed({ app, error }: { app: App; error: string }): VNode {
  return (
    <div class="load-failed" role="alert">
      <p>The conversation could not be read: {error}</p>
      <button type="button" class="button" onClick={() => void app.chat.load(true)}>
        Try again
      </button>
    </div>
  );
}

export function Transcript({ app }: { app: App }): VNode {
  const chat = useStore(app.store, (state) => state.chat);
  const outbox = useStore(app.store, (state) => state.outbox);
  const name = useStore(app.store, (state) => state.agentName);
  const items = useMemo(() => timeline(chat, outbox), [chat, outbox]);
  const dated = useMemo(() => withDays(items, Date.now()), [items]);
  const lastSent = outbox[outbox.length - 1]?.key;
  const { scroller, content, isAway, toEnd, onScroll } = useFollowEnd(chat.sessionKey, lastSent);
  useKeepPlace(scroller, chat.sessionKey, items[0]?.id);
  const sentinel = useLoadOlder(app, scroller, chat.hasMore && !chat.isLoadingOlder);
  const isBusy = Object.values(chat.runs).some((run) => !run.end);
  const isEmpty = items.length === 0;

  return (
    <div class="transcript">
      <div class="scroller" ref={scroller} onScroll={onScroll} tabIndex={-1}>
        <div class="column" ref={content} role="log" aria-label="Conversation" aria-live="polite" aria-busy={isBusy}>
          <div ref={sentinel} class="older">
            {chat.hasMore && (
              <button type="button" class="link" disabled={chat.isLoadingOlder} onClick={() => void app.chat.loadOlder()}>
                {chat.isLoadingOlder ? 'Loading older messages…' : 'Load older messages'}
              </button>
            )}
          </div>
          {isEmpty && chat.status === 'loading' && <Skeleton />}
          {isEmpty && chat.status === 'failed' && <LoadFailed app={app} error={chat.loadError ?? ''} />}
          {isEmpty && chat.status === 'ready' && <Welcome app={app} />}
          {dated.map(({ item, day }) => (
            <div key={item.id} class="entry">
              {day && <h2 class="day">{day}</h2>}
              <Message app={app} item={item} tools={chat.tools} name={name} />
            </div>
          ))}
        </div>
      </div>
      <p class="offscreen" role="status">
        {isBusy ? `${name} is replying` : ''}
      </p>
      {isAway && (
        <button type="button" class="jump" onClick={toEnd}>
          {isBusy ? <Claw size={16} /> : <Icon name="down" size={16} />} Jump to latest
        </button>
      )}
    </div>
  );
}
