/*
 * What a model writes reaches the page as text and a few harmless elements, whatever it writes.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import { load } from './load.mjs';

const { GrowingLexer, html, safeLink, safeImage, decodeEntities, highlight } = await load(`
  import { render } from 'preact-render-to-string';
  import { Markdown } from './src/markdown/render.tsx';
  export { safeLink, safeImage, decodeEntities } from './src/markdown/safe.ts';
  export { highlight } from './src/markdown/highlight.ts';
  export { GrowingLexer } from './src/markdown/lex.ts';
  export const html = (text) => render(<Markdown text={text} />);
`);

const ALLOWED = new Set(
  ('div p h3 h4 h5 h6 ul ol li strong em del code pre span figure figcaption button svg path blockquote table thead tbody ' +
    'tr th td hr br a img input').split(' '),
);
const ATTRIBUTES = new Set(
  ('class href target rel title src alt type checked disabled start tabindex role aria-label aria-hidden data-state viewBox ' +
    'width height d').split(' '),
);

/* Every tag and attribute of the output, by reading the string as a browser's tokenizer would. */
function tags(text) {
  return [...text.matchAll(/<([a-z][a-z0-9]*)((?:\s+[^\s=>/]+(?:="[^"]*")?)*)\s*\/?>/gi)].map((match) => ({
    name: match[1].toLowerCase(),
    attributes: [...match[2].matchAll(/([^\s=]+)(?:="([^"]*)")?/g)].map((m) => [m[1], m[2] ?? '']),
  }));
}

function assertHarmless(source) {
  const out = html(source);
  for (const tag of tags(out)) {
    assert.ok(ALLOWED.has(tag.name), `<${tag.name}> from ${JSON.stringify(source).slice(0, 80)}`);
    for (const [name, value] of tag.attributes) {
      assert.ok(ATTRIBUTES.has(name), `${name}= from ${JSON.stringify(source).slice(0, 80)}`);
      if (name === 'href') assert.match(value, /^(https?:|mailto:)/);
      if (name === 'src') assert.match(value, /^data:image\/(png|jpeg|gif|webp);base64,/);
    }
  }
  return out;
}

const HOSTILE = [
  '<script>alert(1)</script>',
  '<img src=x onerror=alert(1)>',
  '<svg onload=alert(1)>',
  '<iframe src="https://evil.example"></iframe>',
  '<a href="javascript:alert(1)">x</a>',
  '<div\n onclick="alert(1)">x</div>',
  '<!-- --><script>alert(1)</script>',
  '<![CDATA[<script>alert(1)</script>]]>',
  '[x](javascript:alert(1))',
  '[x](JaVaScRiPt:alert(1))',
  '[x](java\nscript:alert(1))',
  '[x](&#106;avascript:alert(1))',
  '[x](&#x6A;avascript&colon;alert(1))',
  '[x](\u0001javascript:alert(1))',
  '[x](java\u200bscript:alert(1))',
  '[x](data:text/html;base64,PHNjcmlwdD4=)',
  '[x](vbscript:msgbox(1))',
  '[x](file:///etc/passwd)',
  '[x](//evil.example/x)',
  '[x](/relative)',
  '[x](#token=stolen)',
  '![x](javascript:alert(1))',
  '![x](https://evil.example/pixel.png)',
  '![x](data:image/svg+xml;base64,PHN2Zz4=)',
  '![x](data:text/html,<script>alert(1)</script>)',
  '[x]: javascript:alert(1)\n\n[x]',
  '<javascript:alert(1)>',
  '[a](https://x.example" onmouseover="alert(1))',
  '[a](https://x.example "t\\" onmouseover=alert(1) x=\\"")',
  '```"><script>alert(1)</script>\ncode\n```',
  '```html\n</code></pre><script>alert(1)</script>\n```',
  '`</code><script>alert(1)</script>`',
  '| a |\n|---|\n| <script>alert(1)</script> |',
  '- [ ] <input autofocus onfocus=alert(1)>',
  '# <style>*{display:none}</style>',
  '<plaintext>',
  '<base href="https://evil.example/">',
  '<meta http-equiv=refresh content="0;url=https://evil.example">',
  '<form action="https://evil.example"><input name=q></form>',
  '&lt;script&gt;alert(1)&lt;/script&gt;',
];

test('hostile Markdown leaves only harmless elements', () => {
  for (const source of HOSTILE) assertHarmless(source);
  for (const a of HOSTILE) assertHarmless(`- ${a}\n> **${a}**\n\n${a}`);
});

test('HTML in the source is shown, not interpreted', () => {
  assert.match(assertHarmless('<script>alert(1)</script>'), /&lt;script>alert\(1\)&lt;\/script>/);
  assert.match(assertHarmless('&lt;b&gt;'), /&lt;b>/);
  assert.match(assertHarmless('| a |\n|-|\n| x<br>y |'), /x<br\s*\/?>y/);
});

test('random noise of Markdown characters is harmless and does not throw', () => {
  let seed = 42;
  const random = (n) => {
    seed = (seed * 1103515245 + 12345) & 0x7fffffff;
    return seed % n;
  };
  const bits = ['<', '>', '[', ']', '(', ')', '`', '```', '*', '_', '~', '#', '|', '\n', '\n\n', '-', '1.', '"', "'", '&', ';', '!',
    'javascript:', 'https://a.example', 'onerror=', 'script', 'img', 'src=', ' ', '    ', '\\', 'data:image/png;base64,', 'x', '\u0000', '\u202e'];
  for (let round = 0; round < 1500; round++) {
    let text = '';
    for (let i = random(40); i >= 0; i--) text += bits[random(bits.length)];
    assertHarmless(text);
  }
});

test('deep nesting and great length are survived', () => {
  for (const unit of ['> ', '- ', '[', '*', '**a ', '![', '`', '<div>', '| ']) assertHarmless(unit.repeat(5000));
  assert.match(html('x'.repeat(300_000)), /md-plain/);
});

test('the ordinary things come out right', () => {
  assert.match(html('# Title'), /<h3>Title<\/h3>/);
  assert.match(html('a *b* **c** ~~d~~ `e & f`'), /<em>b<\/em>.*<strong>c<\/strong>.*<del>d<\/del>.*<code>e &amp; f<\/code>/);
  assert.match(html('[t](https://x.example/a?b=1&c=2)'), /<a href="https:\/\/x\.example\/a\?b=1&amp;c=2" target="_blank" rel="noopener noreferrer nofollow"/);
  assert.match(html('line\nbreak'), /line<br\/?>break/);
  assert.match(html('3. c\n4. d'), /<ol start="3">/);
  assert.match(html('- [x] done'), /<li class="md-task"><input type="checkbox" checked disabled\/?>/);
  assert.match(html('|a|b|\n|:-|-:|\n|1|2|'), /<th class="md-left">a<\/th><th class="md-right">b<\/th>.*<td class="md-left">1<\/td>/);
  assert.match(html('```c\nint x;\n```'), /<span>c<\/span>.*<span class="hl-keyword">int<\/span> x;/s);
  assert.match(html('Caf&eacute; &amp; &copy; &#9731;'), /Caf&amp;eacute; &amp; © ☃/);
});

test('an unfinished code fence is code already (text that streams in)', () => {
  assert.match(html('text\n\n```js\nconst a'), /<figure class="code">.*const/s);
});

test('links pass a list of schemes, pictures only when they carry their own bytes', () => {
  assert.equal(safeLink('https://x.example'), 'https://x.example/');
  assert.equal(safeLink('mailto:a@b.example'), 'mailto:a@b.example');
  for (const bad of ['javascript:1', ' javascript:1', 'java\tscript:1', '//x.example', 'x', '', 'blob:https://x', 'ftp://x.example']) {
    assert.equal(safeLink(bad), null, bad);
  }
  assert.equal(safeImage('https://x.example/a.png'), null);
  assert.equal(safeImage('data:image/png;base64,AAAA'), 'data:image/png;base64,AAAA');
  assert.equal(decodeEntities('&#0;&#xD800;&#x110000;&bogus;'), '\ufffd\ufffd\ufffd&bogus;');
});

test('highlighting loses no character', () => {
  const code = 'if (x) { s = "a\\"b"; /* c */ y = 0x1f; } // end\n# no\n\'t\n';
  for (const name of ['c', 'js', 'python', 'sh', 'sql', 'json', 'diff', 'unknown', '']) {
    assert.equal(highlight(code, name).map((span) => span.text).join(''), code);
  }
});

test('reading a text as it grows gives what reading it at once gives', () => {
  const sources = [
    'para one\n\npara [two][x]\n\n- a\n- b\n\n- loose\n\n```js\ncode\n\nmore\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\nlast *one*\n\n[x]: https://x.example\n\nend [two][x]',
    '# h\n\n> quote\n> on\nlazy\n\n1. a\n\n   b\n2. c\n\ntext\n===\n\n<div>\nraw\n\n</div>\n\nend',
    ...HOSTILE.map((text) => `before\n\n${text}\n\nbetween\n\n${text}\n\nafter`),
    'a\r\n\r\nb\r\n\r\nc\r\n\r\nd\te',
  ];
  for (const source of sources) {
    const growing = new GrowingLexer();
    for (let end = 0; end <= source.length; end += 3) {
      const part = source.slice(0, end);
      assert.deepEqual(JSON.stringify(growing.read(part).blocks), JSON.stringify(new GrowingLexer().read(part).blocks), JSON.stringify(part));
    }
    assert.equal(JSON.stringify(growing.read('another text').blocks), JSON.stringify(new GrowingLexer().read('another text').blocks));
  }
});

test('reading a growing text stays quick', () => {
  const growing = new GrowingLexer();
  let text = '';
  for (let i = 0; i < 800; i++) {
    text += `Paragraph ${i} with \`code\` and a [link](https://x.example).\n\n`;
    growing.read(text);
  }
  const started = performance.now();
  for (let i = 0; i < 20; i++) growing.read((text += 'word '));
  const grown = performance.now() - started;
  const again = performance.now();
  new GrowingLexer().read(text);
  assert.ok(grown / 20 < (performance.now() - again) / 2, 'only the end is read again');
});
