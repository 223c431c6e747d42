/*
 * scenarios.test.mjs - the scenarios recorded from the reference, replayed: the same frames in the same order
 * with the same members, but for the differences listed (with reasons) in tests/scenario/differences.mjs.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { compare, kindOf } from '../scenario/compare.mjs';
import { differences } from '../scenario/differences.mjs';
import { play } from '../scenario/run.mjs';
import { scenarios } from '../scenario/scenarios.mjs';
import { document, updated } from '../scenario/write-differences.mjs';
import { ROOT } from './lib/peers.mjs';
import { until } from './lib/wait.mjs';

const QUIET_MS = 500;
const needed = new Set();

function recorded(name) {
	const lines = readFileSync(path.join(ROOT, 'tests', 'scenario', 'wire', `${name}.jsonl`), 'utf8').trim().split('\n').map((l) => JSON.parse(l));

	return {
		answers: lines.filter((l) => l.res),
		turn: lines.filter((l) => l.event && l.event !== 'session.message'),
		messages: lines.filter((l) => l.event === 'session.message'),
		changes: lines.at(-1).changes,
	};
}

for (const scenario of scenarios) {
	test(`${scenario.name}: the frames of the reference`, { timeout: 60000 }, async () => {
		const expected = recorded(scenario.name);
		const actual = await play(scenario, async (client, frames) => {
			let came = 0, at = Date.now();

			/* All that is expected and no more for a while, and then an answer that can only come after anything sent before it. */
			await until(() => {
				if (client.frames.items.length > came) {
					came = client.frames.items.length;
					at = Date.now();
				}
				return Date.now() - at > QUIET_MS && !compare(scenario.name, expected, frames()).problems.length;
			}, 'the frames of the reference').catch(() => undefined);
			await client.request('health', {}, { id: 'aside-end' });
		});
		const { problems, used } = compare(scenario.name, expected, actual);

		used.forEach((d) => needed.add(d));
		assert.deepEqual(problems, [], `${problems.join('\n')}\n\nin order: ${actual.turn.map(kindOf).join(' · ')}`);
	});
}

test('every listed difference is needed', () => {
	assert.deepEqual(differences.filter((d) => !needed.has(d)).map((d) => d.what), []);
});

test('docs/compatibility.md lists the differences', () => {
	assert.equal(document(), updated(document()), 'run: node tests/scenario/write-differences.mjs');
});
