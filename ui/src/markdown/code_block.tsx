/*
 * markdown/code_block.tsx - code with its language's name and a copy button.
 */
import type { VNode } from 'preact';
import { useMemo } from 'preact/hooks';
import { CopyButton } from '../view/copy_button.tsx';
import { highlight } from './highlight.ts';

export function CodeBlock({ code, language }: { code: string; language: string }): VNode {
  const name = language.split(/[\s,{]/)[0] ?? '';
  const spans = useMemo(() => highlight(code, name), [code, name]);
  return (
    <figure class="code">
      <figcaption>
        <span>{name || 'text'}</span>
        <CopyButton text={code} label="Copy code" />
      </figcaption>
      <pre tabIndex={0}>
        <code>{spans.map((span) => (span.kind ? <span class={`hl-${span.kind}`}>{span.text}</span> : span.text))}</code>
      </pre>
    </figure>
  );
}
