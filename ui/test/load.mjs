/*
 * load.mjs - a TypeScript module of the page, for Node.js: bundled in memory and imported.
 */
import { build } from 'esbuild';
import { webcrypto } from 'node:crypto';
import { fileURLToPath } from 'node:url';

/* Node.js 18 keeps it in a module; browsers and later versions have it everywhere. */
if (!globalThis.crypto) Object.defineProperty(globalThis, 'crypto', { value: webcrypto, configurable: true });

const root = fileURLToPath(new URL('..', import.meta.url));

/* `entry` re-exports what a test needs, so that all of it shares one copy of each module. */
export async function load(entry) {
  const result = await build({
    stdin: { contents: entry, resolveDir: root, loader: 'tsx' },
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'node',
    target: 'node18',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    logLevel: 'warning',
  });
  const code = Buffer.from(result.outputFiles[0].contents).toString('base64');
  return import(`data:text/javascript;base64,${code}`);
}
