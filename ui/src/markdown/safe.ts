/*
 * markdown/safe.ts - the narrow gate for what a model may put into the page.
 *
 * Model output is untrusted. It reaches the DOM only as text nodes and as
 * attributes that these functions let through; there is no innerHTML anywhere.
 */

const LINK_SCHEMES = new Set(['http:', 'https:', 'mailto:']);
const IMAGE_DATA = /^data:image\/(png|jpeg|gif|webp);base64,[A-Za-z0-9+/=\s]+$/;

/* An absolute link with a harmless scheme, or null. Relative links would lead into this page and are refused. */
export function safeLink(href: string): string | null {
  /* Browsers drop control characters and spaces inside a scheme ("java\nscript:"); so do we, then parse. */
  const text = href.replace(/[\u0000-\u0020\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g, '');
  if (!/^[a-z][a-z0-9+.-]*:/i.test(text)) return null;
  try {
    const url = new URL(text);
    return LINK_SCHEMES.has(url.protocol) ? url.href : null;
  } catch {
    return null;
  }
}

/* Only pictures that are in the text itself: fetching one would tell its server that you read this. */
export function safeImage(href: string): string | null {
  return IMAGE_DATA.test(href) ? href : null;
}

const NAMED: Record<string, string> = {
  amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: '\u00a0', copy: '©', reg: '®', trade: '™', deg: '°',
  hellip: '…', mdash: '—', ndash: '–', lsquo: '‘', rsquo: '’', ldquo: '“', rdquo: '”', times: '×', rarr: '→',
  larr: '←', middot: '·', bull: '•', euro: '€', pound: '£',
};

function codePoint(value: number): string {
  const isValid = value > 0 && value <= 0x10ffff && !(value >= 0xd800 && value <= 0xdfff);
  return isValid ? String.fromCodePoint(value) : '\ufffd';
}

/* Character references become characters: the lexer leaves them for an HTML writer, which we do not have. */
export function decodeEntities(text: string): string {
  if (!text.includes('&')) return text;
  return text.replace(/&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|([a-z]{2,8}));/gi, (all, dec, hex, name) => {
    if (dec) return codePoint(parseInt(dec as string, 10));
    if (hex) return codePoint(parseInt(hex as string, 16));
    return NAMED[name as string] ?? all;
  });
}
