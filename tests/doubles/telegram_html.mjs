/*
 * telegram_html.mjs - parse_mode HTML as the Bot API describes it ("HTML style"): text and entities, or the refusal.
 *
 * Offsets of errors count bytes of the input, those of entities UTF-16 units of the text.
 */
const SIMPLE = { b: 'bold', strong: 'bold', i: 'italic', em: 'italic', u: 'underline', ins: 'underline', s: 'strikethrough',
	strike: 'strikethrough', del: 'strikethrough', 'tg-spoiler': 'spoiler', code: 'code', pre: 'pre', blockquote: 'blockquote' };
const NAMED = { lt: '<', gt: '>', amp: '&', quot: '"' };

export class ParseError extends Error {}

const bytes = (s) => Buffer.byteLength(s);

function attributes(text) {
	const found = {};

	for (const m of text.matchAll(/([a-z-]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+)))?/gi))
		found[m[1].toLowerCase()] = unescape(m[2] ?? m[3] ?? m[4] ?? '');
	return found;
}

function unescape(text) {
	return text.replace(/&(#x[0-9a-f]+|#[0-9]+|[a-z]+);/gi, (whole, name) => {
		if (name[0] === '#')
			return String.fromCodePoint(name[1].toLowerCase() === 'x' ? parseInt(name.slice(2), 16) : Number(name.slice(1)));
		return NAMED[name] ?? whole;
	});
}

/* The entity that a start tag opens; throws for one that is not supported. */
function opened(tag, attrs, at, inPre) {
	if (tag === 'a')
		return attrs.href ? { type: 'text_link', url: attrs.href } : null;
	if (tag === 'tg-emoji')
		return { type: 'custom_emoji', custom_emoji_id: attrs['emoji-id'] };
	if (tag === 'span' && attrs.class === 'tg-spoiler')
		return { type: 'spoiler' };
	if (tag === 'code' && inPre)
		return { type: 'language', language: (attrs.class ?? '').replace(/^language-/, '') };
	if (tag === 'blockquote' && 'expandable' in attrs)
		return { type: 'expandable_blockquote' };
	if (SIMPLE[tag])
		return { type: SIMPLE[tag] };
	throw new ParseError(`Unsupported start tag "${tag}" at byte offset ${at}`);
}

export function parseHtml(input) {
	const open = [], entities = [];
	let text = '', i = 0;

	while (i < input.length) {
		const at = bytes(input.slice(0, i));

		if (input[i] === '&') {
			const m = /^&(#x[0-9a-f]+|#[0-9]+|lt|gt|amp|quot);/i.exec(input.slice(i));

			text += m ? unescape(m[0]) : '&';
			i += m ? m[0].length : 1;
		} else if (input[i] !== '<') {
			text += input[i++];
		} else if (input[i + 1] === '/') {
			const end = input.indexOf('>', i);

			if (end < 0)
				throw new ParseError(`Unclosed end tag at byte offset ${at}`);
			const tag = input.slice(i + 2, end).trim().toLowerCase();
			const top = open.pop();

			if (!top)
				throw new ParseError(`Unexpected end tag at byte offset ${at}`);
			if (top.tag !== tag)
				throw new ParseError(`Unmatched end tag at byte offset ${at}, expected "</${top.tag}>", found "</${tag}>"`);
			if (top.entity?.type === 'language')
				open.at(-1).entity.language = top.entity.language || undefined;
			else if (top.entity && text.length > top.offset)
				entities.push({ ...top.entity, offset: top.offset, length: text.length - top.offset });
			i = end + 1;
		} else {
			const end = input.indexOf('>', i);
			const m = end < 0 ? null : /^<([a-z][a-z0-9-]*)((?:\s[^>]*)?)>$/i.exec(input.slice(i, end + 1));

			if (!m)
				throw new ParseError(end < 0 ? `Unclosed start tag at byte offset ${at}`
					: `Unsupported start tag "${input.slice(i + 1, end)}" at byte offset ${at}`);
			const tag = m[1].toLowerCase();

			open.push({ tag, offset: text.length, entity: opened(tag, attributes(m[2]), at, open.at(-1)?.tag === 'pre') });
			i = end + 1;
		}
	}
	if (open.length)
		throw new ParseError(`Can't find end tag corresponding to start tag "${open.at(-1).tag}"`);
	entities.sort((a, b) => a.offset - b.offset || b.length - a.length);
	return { text, entities };
}
