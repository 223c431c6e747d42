/* disk.mjs - what a gateway has written, byte for byte: where secrets are searched for. */
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';

/* A file that goes while it is looked for (git's and SQLite's own temporary ones) holds nothing any more. */
const unlessGone = (fn, gone) => {
	try {
		return fn();
	} catch (e) {
		if (e.code === 'ENOENT')
			return gone;
		throw e;
	}
};

/* All files below a folder as [path, bytes as Latin-1]. */
export function filesBelow(dir) {
	return unlessGone(() => readdirSync(dir, { withFileTypes: true }), []).flatMap((entry) => {
		const file = path.join(dir, entry.name);

		if (entry.isDirectory())
			return filesBelow(file);
		return entry.isFile() ? unlessGone(() => [[file, readFileSync(file, 'latin1')]], []) : [];
	});
}

export const isDatabase = (file) => path.basename(file).startsWith('chela.sqlite');
