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
  /* How many link definitions were seen: they change what earlier blocks mean. */
  definitions: number;
}

function plain(text: string): Lexed {
  return { blocks: [{ type: 'text', raw: text, text } as Token], definitions: 0 };
}

export function lexMarkdown(text: string): Lexed {
  if (text.length > MAX_CHARS) return plain(text);
  try {
    const tokens = new Lexer({ gfm: true, breaks: true }).lex(text);
    return { blocks: tokens.filter((token) => token.type !== 'space'), definitions: Object.keys(tokens.links).length };
  } catch {
    /* RangeError: nested beyond the stack. */
    return plain(text);
  }
}
