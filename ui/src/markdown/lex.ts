/*
 * markdown/lex.ts - Markdown text to tokens, whatever the text.
 *
 * marked does the reading; its tokens are data and are drawn by render.tsx. Text
 * that is too large to read between two frames, or that breaks the lexer (it
 * recurses on nesting), is shown as it is.
 */
import { Lexer, type Token } from 'marked';

const MAX_CHARS = 200_000;

export interface Lexed {
  blocks: Token[];
  /* The link definitions, as text: they change what other blocks mean. */
  definitions: string;
}

function plain(text: string): Lexed {
  return { blocks: [{ type: 'text', raw: text, text } as Token], definitions: '' };
}

function isShown(token: Token): boolean {
  return token.type !== 'space';
}

/* The last blocks may still change with what follows (a paragraph goes on, a list becomes loose). */
const OPEN_BLOCKS = 2;

/*
 * Reads a text that mostly grows at its end, as one does that streams in: blocks
 * that are complete are kept, and only what comes after them is read again. A
 * text with link definitions is read whole, because those reach backwards.
 */
export class GrowingLexer {
  private done = '';
  private blocks: Token[] = [];

  read(text: string): Lexed {
    if (text.length > MAX_CHARS) return plain(text);
    try {
      return this.grow(text);
    } catch {
      /* RangeError: nested beyond the stack. */
      return plain(text);
    }
  }

  private grow(text: string): Lexed {
    if (!text.startsWith(this.done)) this.reset();
    const rest = new Lexer({ gfm: true, breaks: true }).lex(text.slice(this.done.length));
    if (Object.keys(rest.links).length > 0) {
      if (this.done === '') return { blocks: rest.filter(isShown), definitions: JSON.stringify(rest.links) };
      this.reset();
      return this.grow(text);
    }
    const open = rest.filter(isShown);
    const blocks = [...this.blocks, ...open];
    const next = open.length > OPEN_BLOCKS ? open[open.length - OPEN_BLOCKS] : undefined;
    if (next) this.keep(text, rest, next, blocks);
    return { blocks, definitions: '' };
  }

  /* Everything before `next` is complete. The source must add up, or nothing is kept. */
  private keep(text: string, rest: readonly Token[], next: Token, blocks: readonly Token[]): void {
    const before = rest.slice(0, rest.indexOf(next));
    const source = before.map((token) => token.raw).join('');
    if (!text.startsWith(source, this.done.length)) return;
    this.done += source;
    this.blocks = blocks.slice(0, blocks.indexOf(next));
  }

  private reset(): void {
    this.done = '';
    this.blocks = [];
  }
}
