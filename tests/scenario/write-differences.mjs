/* write-differences.mjs - puts the table of allowed differences into docs/compatibility.md (`--check`: only looks). */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { choices, differences } from './differences.mjs';

const BEGIN = '<!-- differences: written by tests/scenario/write-differences.mjs, do not edit -->';
const END = '<!-- end of differences -->';
const doc = path.join(path.dirname(fileURLToPath(import.meta.url)), '..', '..', 'docs', 'compatibility.md');

export function table() {
	const rows = [
		...differences.map((d) => [d.what, d.in === '*' ? 'all' : d.in.join(', '), d.why]),
		...choices.map((c) => [c.what, c.test, c.why]),
	];

	return [BEGIN, '| difference | scenario or test | reason |', '|---|---|---|', ...rows.map((r) => `| ${r.join(' | ')} |`), END].join('\n');
}

/* The document as it should be. */
export function updated(text) {
	const from = text.indexOf(BEGIN), to = text.indexOf(END);

	if (from < 0 || to < from)
		return `${text.trimEnd()}\n\n## Differences\n\nFrames that differ from the recorded ones of the reference, each with its reason:\n\n${table()}\n`;
	return text.slice(0, from) + table() + text.slice(to + END.length);
}

export const document = () => readFileSync(doc, 'utf8');

if (process.argv[1] === fileURLToPath(import.meta.url)) {
	const text = document();

	if (process.argv.includes('--check'))
		process.exit(text === updated(text) ? 0 : 1);
	writeFileSync(doc, updated(text));
}
