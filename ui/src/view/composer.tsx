/*
 * view/composer.tsx - where one writes: grows with the text, suggests commands, sends, stops.
 *
 * Enter sends and Shift+Enter breaks the line. On touch keyboards there is no
 * Shift+Enter, so there Enter breaks the line and the button sends.
 */
import type { VNode } from 'preact';
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { App } from '../app/app.ts';
import { matchCommands } from '../app/catalog.ts';
import type { AppState, Command } from '../app/state.ts';
import { useStore } from '../app/store.ts';
import { isRunning } from '../chat/state.ts';
import { COMMAND_MENU_ID, CommandMenu, commandOptionId } from './command_menu.tsx';
import { Icon } from './icons.tsx';
import { ModelPicker } from './model_picker.tsx';
import { SessionMeter } from './session_meter.tsx';

const drafts = new Map<string, string>();

function useDraft(sessionKey: string): [string, (text: string) => void] {
  const [text, setText] = useState(drafts.get(sessionKey) ?? '');
  useLayoutEffect(() => setText(drafts.get(sessionKey) ?? ''), [sessionKey]);
  const put = (next: string): void => {
    drafts.set(sessionKey, next);
    setText(next);
  };
  return [text, put];
}

function placeholder(state: AppState): string {
  if (state.link.kind !== 'ready') return 'Write now; it is sent when the gateway is back';
  return isRunning(state.chat) ? 'Write on; it waits for its turn' : `Message ${state.agentName}`;
}

interface Suggestions {
  shown: Command[];
  selected: number;
  move(step: number): void;
  dismiss(): void;
}

function useSuggestions(app: App, text: string): Suggestions {
  const commands = useStore(app.store, (state) => state.commands);
  const [selected, setSelected] = useState(0);
  const [dismissed, setDismissed] = useState('');
  const found = useMemo(() => matchCommands(commands, text), [commands, text]);
  useEffect(() => setSelected(0), [text]);
  const shown = dismissed === text ? [] : found;
  return {
    shown,
    selected: Math.min(selected, Math.max(0, shown.length - 1)),
    move: (step) => setSelected((at) => (at + step + shown.length) % shown.length),
    dismiss: () => setDismissed(text),
  };
}

export function Composer({ app }: { app: App }): VNode {
  const sessionKey = useStore(app.store, (state) => state.chat.sessionKey);
  const running = useStore(app.store, (state) => isRunning(state.chat));
  const hint = useStore(app.store, placeholder);
  const [text, setText] = useDraft(sessionKey);
  const area = useRef<HTMLTextAreaElement>(null);
  const suggestions = useSuggestions(app, text);
  const isTouch = useMemo(() => matchMedia('(pointer: coarse)').matches, []);
  const isMenuOpen = suggestions.shown.length > 0;

  useLayoutEffect(() => {
    const box = area.current;
    if (!box) return;
    box.style.height = 'auto';
    box.style.height = `${box.scrollHeight}px`;
  }, [text]);
  useEffect(() => {
    if (!isTouch) area.current?.focus();
  }, [sessionKey, isTouch]);

  const send = (): void => {
    const said = text.trim();
    if (said === '') return;
    setText('');
    app.send(said);
    area.current?.focus();
  };
  const complete = (command: Command): void => {
    setText(`${command.aliases[0]}${command.acceptsArgs ? ' ' : ''}`);
    suggestions.dismiss();
    area.current?.focus();
  };
  const onMenuKey = (event: KeyboardEvent): boolean => {
    const chosen = suggestions.shown[suggestions.selected];
    if (event.key === 'ArrowDown') suggestions.move(1);
    else if (event.key === 'ArrowUp') suggestions.move(-1);
    else if (event.key === 'Escape') suggestions.dismiss();
    else if (event.key === 'Tab' && chosen) complete(chosen);
    else if (event.key === 'Enter' && chosen && !chosen.aliases.includes(text.trim())) complete(chosen);
    else return false;
    event.preventDefault();
    event.stopPropagation();
    return true;
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.isComposing) return;
    if (isMenuOpen && onMenuKey(event)) return;
    if (event.key !== 'Enter' || event.shiftKey || isTouch) return;
    event.preventDefault();
    send();
  };

  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      {isMenuOpen && <CommandMenu commands={suggestions.shown} selected={suggestions.selected} onPick={complete} />}
      <div class="composer-box">
        <textarea
          ref={area}
          rows={1}
          value={text}
          placeholder={hint}
          aria-label="Message"
          aria-autocomplete="list"
          aria-controls={isMenuOpen ? COMMAND_MENU_ID : undefined}
          aria-activedescendant={isMenuOpen ? commandOptionId(suggestions.selected) : undefined}
          enterkeyhint={isTouch ? 'enter' : 'send'}
          autocomplete="off"
          onInput={(event) => setText(event.currentTarget.value)}
          onKeyDown={onKeyDown}
        />
        <div class="composer-bar">
          <ModelPicker app={app} />
          <SessionMeter app={app} />
          {running && (
            <button type="button" class="round stop" aria-label="Stop the reply (Escape)" title="Stop (Esc)" onClick={() => void app.chat.stop()}>
              <span class="stop-mark" />
            </button>
          )}
          {(!running || text.trim() !== '') && (
            <button type="submit" class="round send" aria-label="Send" title="Send (Enter)" disabled={text.trim() === ''}>
              <Icon name="send" />
            </button>
          )}
        </div>
      </div>
    </form>
  );
}
