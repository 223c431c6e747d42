/*
 * record.mjs - records the scenarios from the reference into wire/*.jsonl.
 *
 *   CHELA_BIN=<a program that runs the reference as `… gateway run --port N`> node record.mjs [name…]
 *
 * busy.jsonl is from a run in which the answer took two seconds: whether the reference takes an input up into the
 * active run depends on its load.
 *
 * Only needed when the reference changes; the tests replay what is in the repository.
 */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { withoutTexts } from './compare.mjs';
import { play } from './run.mjs';
import { scenarios } from './scenarios.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const wanted = process.argv.slice(2);

/* The reference tells no end: two seconds without a frame. */
async function quiet(client) {
	for (let count = -1; count !== client.frames.items.length;) {
		count = client.frames.items.length;
		await new Promise((resolve) => setTimeout(resolve, 2000));
	}
}

/* Its history is not always readable while a run is active, so what stands in line cannot be asked for. */
const pause = () => new Promise((resolve) => setTimeout(resolve, 3000));

for (const scenario of scenarios.filter((s) => !wanted.length || wanted.includes(s.name))) {
	const { answers, turn, messages, changes } = await play(scenario, quiet, { waiting: pause });
	const lines = [{ scenario: scenario.name, recorded: 'openclaw 2026.9.6' },
		...[...answers, ...turn, ...messages].map((f) => withoutTexts(scenario.name, f)), { changes }];

	writeFileSync(path.join(here, 'wire', `${scenario.name}.jsonl`), lines.map((l) => JSON.stringify(l)).join('\n') + '\n');
	console.log(`${scenario.name}: ${turn.length} frames, ${messages.length} rows`);
}
