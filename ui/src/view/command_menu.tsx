/*
 * view/command_menu.tsx - slash commands that fit what is being typed.
 */
import type { VNode } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import type { Command } from '../app/state.ts';

export const COMMAND_MENU_ID = 'command-menu';

export function commandOptionId(index: number): string {
  return `${COMMAND_MENU_ID}-${index}`;
}

interface Props {
  commands: readonly Command[];
  selected: number;
  onPick(command: Command): void;
}

export function CommandMenu({ commands, selected, onPick }: Props): VNode {
  const box = useRef<HTMLUListElement>(null);
  useEffect(() => {
    box.current?.children[selected]?.scrollIntoView({ block: 'nearest' });
  }, [selected]);
  return (
    <ul id={COMMAND_MENU_ID} class="menu command-menu" role="listbox" aria-label="Commands" ref={box}>
      {commands.map((command, index) => (
        <li
          key={command.name}
          id={commandOptionId(index)}
          role="option"
          aria-selected={index === selected}
          /* The text field keeps the focus. */
          onPointerDown={(event) => event.preventDefault()}
          onClick={() => onPick(command)}
        >
          <span class="command-name">
            {command.aliases[0]}
            {command.args && <i> {command.args}</i>}
          </span>
          <span class="command-note">{command.description}</span>
        </li>
      ))}
    </ul>
  );
}
