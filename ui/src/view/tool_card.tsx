/*
 * view/tool_card.tsx - one tool call: what it does, how it goes, and on request its arguments and result.
 */
import type { VNode } from 'preact';
import { useState } from 'preact/hooks';
import type { Tool } from '../chat/state.ts';
import { toolSummary } from '../chat/tools.ts';
import { isDict } from '../gateway/frames.ts';
import { CopyButton } from './copy_button.tsx';
import { duration } from './format.ts';
import { Icon } from './icons.tsx';

const OUTPUT_MAX = 20_000;

type Shown = 'running' | 'ok' | 'error' | 'cut';

const WORDS: Record<Shown, string> = { running: 'running', ok: 'done', error: 'failed', cut: 'interrupted' };

function argsText(args: unknown): string {
  if (args === undefined || args === null) return '';
  if (typeof args === 'string') return args;
  if (isDict(args) && Object.keys(args).length === 0) return '';
  return JSON.stringify(args, null, 2);
}

function Section({ name, text }: { name: string; text: string }): VNode {
  const isCut = text.length > OUTPUT_MAX;
  return (
    <section class="tool-section">
      <header>
        <span>{name}</span>
        <CopyButton text={text} label={`Copy ${name.toLowerCase()}`} />
      </header>
      <pre tabIndex={0}>{isCut ? `${text.slice(0, OUTPUT_MAX)}\n… ${text.length - OUTPUT_MAX} more characters` : text}</pre>
    </section>
  );
}

/* `isLive`: the run that made the call goes on, so a call without a result is still at it. */
export function ToolCard({ tool, isLive }: { tool: Tool; isLive: boolean }): VNode {
  const [isOpen, setOpen] = useState(false);
  const shown: Shown = tool.status === 'running' ? (isLive ? 'running' : 'cut') : tool.status;
  const args = argsText(tool.args);
  const tookMs = tool.startedAtMs && tool.endedAtMs ? tool.endedAtMs - tool.startedAtMs : undefined;
  return (
    <div class="tool" data-status={shown}>
      <button type="button" class="tool-head" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
        <span class="tool-mark">
          {shown === 'running' ? <span class="spinner" /> : <Icon name={shown === 'ok' ? 'check' : shown === 'error' ? 'close' : 'warn'} size={14} />}
        </span>
        <span class="tool-name">{tool.name}</span>
        <span class="tool-title">{toolSummary(tool)}</span>
        <span class="tool-state">
          {WORDS[shown]}
          {shown !== 'running' && tookMs !== undefined && tookMs > 0 ? ` · ${duration(tookMs)}` : ''}
        </span>
        <span class="tool-chevron">
          <Icon name="chevron" size={16} />
        </span>
      </button>
      {isOpen && (
        <div class="tool-body">
          {args && <Section name="Arguments" text={args} />}
          {tool.output && <Section name={shown === 'error' ? 'Error' : 'Result'} text={tool.output} />}
          {!args && !tool.output && <p class="tool-empty">{shown === 'running' ? 'Nothing to show yet.' : 'It gave no output.'}</p>}
        </div>
      )}
    </div>
  );
}
