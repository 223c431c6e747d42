/*
 * view/icons.tsx - the claw, and the small drawings of the controls.
 *
 * Each is decorative: the control that holds it has a name of its own.
 */
import type { VNode } from 'preact';

const FINGERS =
  'M10.9 23.6C5 19.6 3.5 12.5 6.9 7 8.7 4.1 11.5 2 15 1.1c.7-.2 1.2.6.8 1.1-2.2 3.2-2.5 6.8-.6 10.6.2.4.8.5 1.1.1 1.5-2.1 3.7-3.7 6.7-4.7.6-.2 1.2.2 1.3.8.9 5.5-1.3 11-5.7 14.5-2.3 1.8-5.4 1.8-7.7.1z';
const WRIST =
  'M11.7 26.2c2.3 1.2 5 1.2 7.3 0 .6-.3 1.3.2 1.2.9l-.4 2.3c-.1.6-.6 1.1-1.2 1.2-2.1.4-4.3.4-6.4 0-.6-.1-1.1-.6-1.2-1.2l-.4-2.3c-.1-.7.5-1.2 1.1-.9z';

/* "Chela" is the word for a crab's claw. */
export function Claw({ size = 24 }: { size?: number }): VNode {
  return (
    <svg class="claw" viewBox="1.5 1.5 29 29" width={size} height={size} aria-hidden="true">
      <g fill="currentColor" transform="rotate(24 16 16)">
        <path d={FINGERS} />
        <path d={WRIST} />
      </g>
    </svg>
  );
}

const PATHS = {
  menu: 'M4 6h12M4 10h12M4 14h12',
  plus: 'M10 4v12M4 10h12',
  search: 'M9 14A5 5 0 1 0 9 4a5 5 0 0 0 0 10zm3.6-1.4L16 16',
  send: 'M10 16V4.5M5 9.5l5-5 5 5',
  copy: 'M7.5 7.5V4h8.5v8.5h-3.5M4 7.5h8.5V16H4z',
  check: 'M4.5 10.5l3.5 3.5 7.5-8',
  down: 'M10 4v12M5 11l5 5 5-5',
  chevron: 'M7.5 5l5 5-5 5',
  close: 'M5 5l10 10M15 5L5 15',
  pencil: 'M4 16l.8-3.5L13 4.3l2.7 2.7-8.2 8.2L4 16z',
  archive: 'M3.5 4.5h13v3h-13zM4.5 7.5V16h11V7.5M8 10.5h4',
  restore: 'M4.5 9.5a5.5 5.5 0 1 1 1.6 4.5M4.5 5.5v4h4',
  trash: 'M4 5.5h12M8 5.5V4h4v1.5M5.5 5.5L6.3 16h7.4l.8-10.5M8.5 8.5v5M11.5 8.5v5',
  sun: 'M10 13a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM10 2.5v1.5M10 16v1.5M2.5 10H4M16 10h1.5M4.7 4.7l1 1M14.3 14.3l1 1M15.3 4.7l-1 1M5.7 14.3l-1 1',
  moon: 'M16 11.5A6.5 6.5 0 0 1 8.5 4a6.5 6.5 0 1 0 7.5 7.5z',
  system: 'M3.5 4.5h13v9h-13zM8 16.5h4M10 13.5v3',
  warn: 'M10 3.5l7 12.5H3zM10 8.5v3.5M10 14v.1',
  more: 'M5 10h.01M10 10h.01M15 10h.01',
  key: 'M7 16.5a3.25 3.25 0 1 0 0-6.5 3.25 3.25 0 0 0 0 6.5zM9.3 10.9L16 4.2M12.9 7.3l2.4 2.4',
  tool: 'M12.5 3.5a4 4 0 0 0-4.6 5.4L3.5 13.3 5.7 16l4.9-4.9a4 4 0 0 0 5.4-4.6L13.5 9 11 8.5 10.5 6z',
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 20 }: { name: IconName; size?: number }): VNode {
  return (
    <svg class="icon" viewBox="0 0 20 20" width={size} height={size} aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}
