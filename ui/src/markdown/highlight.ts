/*
 * markdown/highlight.ts - a little colour for code: comments, strings, numbers, keywords.
 *
 * One scanner for many languages. It does not parse; what it does not know stays
 * as it is; prose in a code block (no language given) is left alone.
 */

export interface Span {
  text: string;
  kind?: 'comment' | 'string' | 'number' | 'keyword' | 'insert' | 'delete';
}

const C_WORDS =
  'auto break case const continue default do else enum extern for goto if inline int long return short signed sizeof static struct switch typedef union unsigned void volatile while bool char double float size_t uint8_t uint32_t uint64_t int64_t NULL true false class public private protected new delete this namespace using template virtual override try catch throw';
const JS_WORDS =
  'async await break case catch class const continue default delete do else export extends false finally for from function if import in instanceof interface let new null of return static super switch this throw true try type typeof undefined var void while yield';
const PY_WORDS =
  'and as assert async await break class continue def del elif else except False finally for from global if import in is lambda None nonlocal not or pass raise return self True try while with yield';
const SH_WORDS = 'case do done elif else esac exit export fi for function if in local return set shift then unset until while';
const GO_RUST_WORDS =
  'as async await break case chan const continue crate default defer else enum fallthrough false fn for func go if impl import in interface let loop map match mod move mut nil package pub range return select self static struct switch trait true type use var where while';
const SQL_WORDS =
  'SELECT FROM WHERE AND OR NOT NULL INSERT INTO VALUES UPDATE SET DELETE CREATE TABLE INDEX DROP ALTER JOIN LEFT INNER ON GROUP BY ORDER LIMIT OFFSET AS DISTINCT PRIMARY KEY REFERENCES BEGIN COMMIT ROLLBACK';

interface Language {
  words: Set<string>;
  comment: string;
}

function language(words: string, comment: string): Language {
  return { words: new Set(words.split(' ')), comment };
}

const SLASHES = '\\/\\/[^\\n]*|\\/\\*[\\s\\S]*?(?:\\*\\/|$)';
const HASH = '#[^\\n]*';
const DASHES = '--[^\\n]*';
const NEVER = '(?!)';

const c = language(C_WORDS, SLASHES);
const js = language(JS_WORDS, SLASHES);
const py = language(PY_WORDS, HASH);
const sh = language(SH_WORDS, HASH);
const rust = language(GO_RUST_WORDS, SLASHES);
const sql = language(`${SQL_WORDS} ${SQL_WORDS.toLowerCase()}`, DASHES);
const data = language('true false null', HASH);

const LANGUAGES: Record<string, Language> = {
  c, h: c, cpp: c, 'c++': c, cc: c, java: c, cs: c, csharp: c, kotlin: c, swift: c,
  js, javascript: js, jsx: js, ts: js, typescript: js, tsx: js, mjs: js,
  py, python: py, rb: py, ruby: py,
  sh, bash: sh, shell: sh, zsh: sh, console: sh, make: sh, makefile: sh, dockerfile: sh,
  rust, rs: rust, go: rust, zig: rust,
  sql, sqlite: sql,
  json: language('true false null', NEVER), json5: language('true false null', SLASHES),
  yaml: data, yml: data, toml: data, ini: data,
};

const MAX_CHARS = 40_000;

function diffSpans(code: string): Span[] {
  return code.split(/(?<=\n)/).map((line): Span => {
    if (line.startsWith('+')) return { text: line, kind: 'insert' };
    if (line.startsWith('-')) return { text: line, kind: 'delete' };
    return line.startsWith('@@') ? { text: line, kind: 'comment' } : { text: line };
  });
}

export function highlight(code: string, name: string): Span[] {
  if (code.length > MAX_CHARS) return [{ text: code }];
  const id = name.toLowerCase();
  if (id === 'diff' || id === 'patch') return diffSpans(code);
  const lang = LANGUAGES[id];
  if (!lang) return [{ text: code }];
  const scanner = new RegExp(
    `(${lang.comment})|("(?:[^"\\\\\\n]|\\\\.)*"|'(?:[^'\\\\\\n]|\\\\.)*'|\`(?:[^\`\\\\]|\\\\.)*\`)|\\b(\\d[\\w.]*)|([A-Za-z_]\\w*)`,
    'g',
  );
  const spans: Span[] = [];
  let end = 0;
  const push = (text: string, kind?: Span['kind']): void => {
    const last = spans[spans.length - 1];
    if (last && !kind && !last.kind) last.text += text;
    else if (text !== '') spans.push(kind ? { text, kind } : { text });
  };
  for (const match of code.matchAll(scanner)) {
    push(code.slice(end, match.index));
    end = match.index + match[0].length;
    if (match[1] !== undefined) push(match[0], 'comment');
    else if (match[2] !== undefined) push(match[0], 'string');
    else if (match[3] !== undefined) push(match[0], 'number');
    else push(match[0], lang.words.has(match[0]) ? 'keyword' : undefined);
  }
  push(code.slice(end));
  return spans;
}
