/* openclaw.mjs - OpenClaw's own command line, pointed at a gateway of ours. */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { NODE_NEW, OPENCLAW } from './peers.mjs';
import { cleanEnv, run } from './proc.mjs';

/*
 * A home directory in which `openclaw` finds the gateway: on this machine ('local') or on another one ('remote').
 * config: further keys, as a command that looks into its own configuration needs. name: of one of several homes, as two
 * commands at once do not begin in the same new one.
 * OPENCLAW_GATEWAY_PORT tells the few commands that otherwise look for the lock file of an OpenClaw of this machine.
 */
export function openclawHome(gw, mode, config = {}, name = 'openclaw') {
	const home = path.join(gw.dir, `${name}-${mode}`);
	const auth = { mode: 'token', token: gw.token };
	const gateway = mode === 'local'
		? { mode, port: gw.port, auth }
		: { mode, remote: { url: `ws://127.0.0.1:${gw.port}`, token: gw.token } };

	mkdirSync(path.join(home, '.openclaw'), { recursive: true });
	writeFileSync(path.join(home, '.openclaw', 'openclaw.json'), JSON.stringify({ gateway, ...config }));
	return home;
}

export function openclawEnv(home, extra = {}) {
	return cleanEnv({ HOME: home, NO_COLOR: '1', TERM: 'xterm-256color',
		PATH: `${path.dirname(NODE_NEW)}:${process.env.PATH}`, ...extra });
}

export async function openclaw(gw, home, args, ms = 120000) {
	return run(NODE_NEW, [OPENCLAW, ...args], { env: openclawEnv(home, home.endsWith('local') ? { OPENCLAW_GATEWAY_PORT: String(gw.port) } : {}), cwd: gw.dir, ms });
}
