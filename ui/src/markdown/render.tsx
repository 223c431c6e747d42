/*
 * markdown/render.tsx - Markdown tokens to elements.
 *
 * Every leaf is a text node. HTML in the source is shown as the text it is,
 * except <br>, which models use inside tables. Nesting is cut at a depth that no
 * reader follows.
 */
import type { Token, Tokens } from 'marked';
import type { ComponentChildren, VNode } from 'preact';
import { useMemo } from 'preact/hooks';
import { CodeBlock } from './code_block.tsx';
import { GrowingLexer } from './lex.ts';
import { decodeEntities, safeImage, safeLink } from './safe.ts';

const MAX_DEPTH = 24;

function inlineHtml(text: string): ComponentChildren {
  return /^<br\s*\/?>$/i.test(text.trim()) ? <br /> : text;
}

function link(token: Tokens.Link, depth: number): ComponentChildren {
  const href = safeLink(decodeEntities(token.href));
  const children = renderTokens(token.tokens, depth);
  if (!href) return children;
  return (
    <a href={href} target="_blank" rel="noopener noreferrer nofollow" title={href}>
      {children}
    </a>
  );
}

function image(token: Tokens.Image): ComponentChildren {
  const data = safeImage(token.href);
  if (data) return <img src={data} alt={token.text} />;
  const href = safeLink(decodeEntities(token.href));
  const name = token.text || 'picture';
  if (!href) return name;
  return (
    <a href={href} target="_blank" rel="noopener noreferrer nofollow" title={href} class="md-picture">
      {name}
    </a>
  );
}

function heading(token: Tokens.Heading, depth: number): VNode {
  const children = renderTokens(token.tokens, depth);
  /* The page's own headings are above; a message starts at level 3. */
  if (token.depth === 1) return <h3>{children}</h3>;
  if (token.depth === 2) return <h4>{children}</h4>;
  return token.depth === 3 ? <h5>{children}</h5> : <h6>{children}</h6>;
}

function listOf(token: Tokens.List, depth: number): VNode {
  const items = token.items.map((item, index) => (
    <li key={index} class={item.task ? 'md-task' : undefined}>
      {renderTokens(item.tokens, depth)}
    </li>
  ));
  return token.ordered ? <ol start={token.start === '' ? undefined : token.start}>{items}</ol> : <ul>{items}</ul>;
}

function table(token: Tokens.Table, depth: number): VNode {
  const cell = (of: Tokens.TableCell, Tag: 'th' | 'td', index: number) => (
    <Tag key={index} class={of.align ? `md-${of.align}` : undefined}>
      {renderTokens(of.tokens, depth)}
    </Tag>
  );
  return (
    <div class="md-table" tabIndex={0} role="region" aria-label="Table">
      <table>
        <thead>
          <tr>{token.header.map((of, index) => cell(of, 'th', index))}</tr>
        </thead>
        <tbody>
          {token.rows.map((row, index) => (
            <tr key={index}>{row.map((of, column) => cell(of, 'td', column))}</tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function renderToken(token: Token, depth: number): ComponentChildren {
  switch (token.type) {
    case 'space':
    case 'def':
      return null;
    case 'heading':
      return heading(token as Tokens.Heading, depth);
    case 'paragraph':
      return <p>{renderTokens(token.tokens, depth)}</p>;
    case 'text':
      return token.tokens ? renderTokens(token.tokens, depth) : decodeEntities((token as Tokens.Text).text);
    case 'escape':
      return (token as Tokens.Escape).text;
    case 'strong':
      return <strong>{renderTokens(token.tokens, depth)}</strong>;
    case 'em':
      return <em>{renderTokens(token.tokens, depth)}</em>;
    case 'del':
      return <del>{renderTokens(token.tokens, depth)}</del>;
    case 'codespan':
      return <code>{(token as Tokens.Codespan).text}</code>;
    case 'br':
      return <br />;
    case 'link':
      return link(token as Tokens.Link, depth);
    case 'image':
      return image(token as Tokens.Image);
    case 'code':
      return <CodeBlock code={(token as Tokens.Code).text} language={(token as Tokens.Code).lang ?? ''} />;
    case 'blockquote':
      return <blockquote>{renderTokens(token.tokens, depth)}</blockquote>;
    case 'list':
      return listOf(token as Tokens.List, depth);
    case 'checkbox':
      return <input type="checkbox" checked={(token as Tokens.Checkbox).checked} disabled />;
    case 'table':
      return table(token as Tokens.Table, depth);
    case 'hr':
      return <hr />;
    case 'html':
      return inlineHtml((token as Tokens.HTML).text);
    default:
      return token.raw;
  }
}

export function renderTokens(tokens: readonly Token[] | undefined, depth = 0): ComponentChildren {
  if (!tokens) return null;
  if (depth > MAX_DEPTH) return tokens.map((token) => token.raw).join('');
  return tokens.map((token) => renderToken(token, depth + 1));
}

/* One top-level block. While text streams in only the last one changes; the others keep their elements. */
function Block({ token, definitions }: { token: Token; definitions: string }): VNode {
  const drawn = useMemo(() => renderToken(token, 0), [token.raw, definitions]);
  return <>{token.type === 'html' || token.type === 'text' ? <p class="md-plain">{drawn}</p> : drawn}</>;
}

export function Markdown({ text }: { text: string }): VNode {
  const lexer = useMemo(() => new GrowingLexer(), []);
  const { blocks, definitions } = useMemo(() => lexer.read(text), [text]);
  return (
    <div class="md">
      {blocks.map((token, index) => (
        <Block key={index} token={token} definitions={definitions} />
      ))}
    </div>
  );
}
