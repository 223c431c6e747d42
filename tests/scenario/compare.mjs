/* compare.mjs - two recordings of a scenario, and which allowed differences explain how they differ. */
import { differences } from './differences.mjs';

const isObject = (v) => v !== null && typeof v === 'object' && !Array.isArray(v);

/* What a frame is, for people and for `on` of a difference. */
export function kindOf(f) {
	if (f.res)
		return `res ${f.res}${f.ok ? '' : ' refused'}`;
	const p = f.payload;
	const words = [f.event, p.stream ?? p.state, p.data?.phase ?? p.phase ?? p.message?.role];

	return words.filter((w) => typeof w === 'string').join(' ');
}

/* The members in which two values differ: { path, kind, expected, actual }. */
function members(expected, actual, path, out) {
	if (Array.isArray(expected) && Array.isArray(actual)) {
		for (let i = 0; i < Math.max(expected.length, actual.length); i++)
			members(expected[i], actual[i], `${path}[${i}]`, out);
	} else if (isObject(expected) && isObject(actual)) {
		for (const k of new Set([...Object.keys(expected), ...Object.keys(actual)]))
			members(expected[k], actual[k], `${path}.${k}`, out);
	} else if (expected === undefined || actual === undefined) {
		if (expected !== actual)
			out.push({ path, kind: expected === undefined ? 'extra' : 'absent', expected, actual });
	} else if (expected !== actual) {
		out.push({ path, kind: 'value', expected, actual });
	}
	return out;
}

/* Lines up two lists of frames by what they are (longest common subsequence). */
function align(expected, actual) {
	const a = expected.map(kindOf), b = actual.map(kindOf);
	const table = Array.from({ length: a.length + 1 }, () => new Array(b.length + 1).fill(0));

	for (let i = a.length - 1; i >= 0; i--)
		for (let j = b.length - 1; j >= 0; j--)
			table[i][j] = a[i] === b[j] ? table[i + 1][j + 1] + 1 : Math.max(table[i + 1][j], table[i][j + 1]);
	const pairs = [];

	for (let i = 0, j = 0; i < a.length || j < b.length;) {
		if (i < a.length && j < b.length && a[i] === b[j])
			pairs.push([expected[i++], actual[j++]]);
		else if (j >= b.length || (i < a.length && table[i + 1][j] >= table[i][j + 1]))
			pairs.push([expected[i++], undefined]);
		else
			pairs.push([undefined, actual[j++]]);
	}
	return pairs;
}

function explain(scenario, found) {
	return differences.find((d) => (d.in === '*' || d.in.includes(scenario))
		&& [d.kind].flat().includes(found.kind) && d.on.test(found.on) && (found.kind === 'frame' || d.path.test(found.path)));
}

/* Gives { problems: lines, used: differences that were needed }. */
export function compare(scenario, expected, actual) {
	const found = [];
	const list = (e, a) => {
		for (const [x, y] of align(e, a)) {
			if (!x || !y)
				found.push({ on: kindOf(x ?? y), kind: 'frame', path: '', expected: x, actual: y });
			else
				for (const m of members(x.payload ?? x.error, y.payload ?? y.error, 'payload', []))
					found.push({ on: kindOf(x), ...m });
		}
	};

	list(expected.answers, actual.answers);
	list(expected.turn, actual.turn);
	list(expected.messages, actual.messages);
	for (const c of new Set([...expected.changes, ...actual.changes]))
		if (!expected.changes.includes(c) || !actual.changes.includes(c))
			found.push({ on: `sessions.changed ${c}`, kind: 'frame', path: '', expected: expected.changes.includes(c), actual: actual.changes.includes(c) });

	const used = new Set();
	const problems = [];

	for (const f of found) {
		const d = explain(scenario, f);

		if (d)
			used.add(d);
		else
			problems.push(`${f.on} ${f.path} ${f.kind}\n  reference: ${JSON.stringify(f.expected)}\n  chela:     ${JSON.stringify(f.actual)}`);
	}
	return { problems, used };
}

/* A recorded frame without the texts that may differ anyway: they are the reference's words, not ours. */
export function withoutTexts(scenario, frame) {
	const on = frame.changes ? '' : kindOf(frame);
	const walk = (value, path) => {
		if (Array.isArray(value))
			return value.map((v, i) => walk(v, `${path}[${i}]`));
		if (isObject(value))
			return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, walk(v, `${path}.${k}`)]));
		return typeof value === 'string' && explain(scenario, { kind: 'value', on, path }) ? '<text>' : value;
	};

	return frame.payload ? { ...frame, payload: walk(frame.payload, 'payload') } : frame;
}
