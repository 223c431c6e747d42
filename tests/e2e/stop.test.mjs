/*
 * stop.test.mjs - a gateway that is asked to stop, whatever it is in the middle of: it ends by itself and cleanly, nothing that it
 * began outlives it, and the next start finds everything whole.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { test } from 'node:test';
import { pause, random } from './lib/chaos.mjs';
import { isDead } from './lib/exec.mjs';
import { Gateway } from './lib/gateway.mjs';
import { HangWorld, kinds } from './lib/hang_world.mjs';
import { removeDir, run, tempDir } from './lib/proc.mjs';
import { until } from './lib/wait.mjs';

const STOPS = Number(process.env.STOPS ?? 20);
const GRACE_MS = 10000;                  /* turns may end in it; then they are cut */
const SLACK_MS = 5000;
const seed = Number(process.env.E2E_SEED ?? Date.now() % 1e9);
const events = { caps: ['tool-events', 'approvals'] };
const quiet = (promise) => promise.catch(() => undefined);

/* Stops it; gives how long that took. */
async function stopped(w) {
	const began = w.children, at = performance.now();
	const exit = await w.gw.proc.stop('SIGTERM', GRACE_MS + 2 * SLACK_MS);

	assert.deepEqual(exit, { code: 0, signal: null }, w.gw.log());
	await until(() => began.every(isDead), 'its children to end with it');
	return performance.now() - at;
}

async function assertWhole(w) {
	const { stdout, stderr } = await run('sqlite3', ['-readonly', path.join(w.gw.state, 'chela.sqlite'), 'PRAGMA integrity_check']);

	assert.equal(stdout, 'ok\n', stderr);
}

/* A request whose client has gone for good before it is answered: its handler goes on. */
async function abandonedRequest(w) {
	const body = JSON.stringify({ tool: 'web_fetch', args: { url: `${w.silence.muteUrl}/abandoned` } });
	const held = w.silence.sockets.size;
	const socket = net.connect(w.gw.port, '127.0.0.1').on('error', () => undefined);

	socket.write(`POST /tools/invoke HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${w.gw.token}\r\n` +
		`Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
	await until(() => w.silence.sockets.size > held, 'the request to wait for the mute server');
	socket.resetAndDestroy();
}

test('stopped while turns hang at each place where one can', { timeout: 120000 }, async (t) => {
	const w = await HangWorld.start(t);
	const c = await w.gw.connect(events);
	const turns = await w.turns(c, kinds.length);

	await abandonedRequest(w);
	await w.furnish(c);
	for (const one of turns)
		await c.call('chat.send', { sessionKey: one.key, message: one.message, idempotencyKey: one.id });
	await until(async () => (await c.call('exec.approval.list')).length && w.model.calls.length >= kinds.length, 'all to be on their way');
	const ms = await stopped(w);

	assert.ok(ms > GRACE_MS - SLACK_MS && ms < GRACE_MS + SLACK_MS, `it took ${ms} ms`);
	await w.gw.launch();
	await w.gw.assertAlive();
	await assertWhole(w);
});

/* A program that tells tokens, or hangs while there is a file "slow"; its pid is in "pid". */
function tokenProgram(t) {
	const dir = tempDir('keys'), command = path.join(dir, 'keys.sh');

	t.after(() => removeDir(dir));
	writeFileSync(command, `#!/bin/sh
cat >/dev/null
echo $$ >${dir}/pid.new
mv ${dir}/pid.new ${dir}/pid
[ ! -e ${dir}/slow ] || exec sleep 1000
echo '{"protocolVersion":1,"values":{"token":"first"}}'
`, { mode: 0o755 });
	return { command, slow: path.join(dir, 'slow'), pid: path.join(dir, 'pid') };
}

test('stopped while a new configuration waits for its credentials, which a newer one does not', { timeout: 120000 }, async (t) => {
	const program = tokenProgram(t);
	const reference = { source: 'exec', provider: 'keys', id: 'token' };
	const gw = await Gateway.start({ config: { gateway: { auth: { token: reference } },
		secrets: { providers: { keys: { source: 'exec', command: program.command, timeoutMs: 600000 } } } } });

	t.after(() => gw.stop());
	const asked = async (change) => {
		rmSync(program.pid, { force: true });
		gw.config.gateway.auth.token = reference;
		gw.replaceConfig(JSON.stringify({ ...gw.config, logging: { level: change } }));
		await until(() => existsSync(program.pid), 'the program to be asked');
		return Number(readFileSync(program.pid, 'utf8'));
	};

	await (await gw.connect({ auth: { token: 'first' } })).close();
	writeFileSync(program.slow, '');
	const old = await asked('debug');

	gw.config.gateway.auth.token = 'second';
	gw.replaceConfig(JSON.stringify(gw.config));
	await until(() => isDead(old), 'the program of the older change to be ended');
	await until(() => gw.connect({ auth: { token: 'second' } }).then((c) => c.close()).then(() => true, () => false), 'the new token');
	const late = await asked('warn');

	assert.deepEqual(await gw.proc.stop('SIGTERM', GRACE_MS + 2 * SLACK_MS), { code: 0, signal: null }, gw.log());
	assert.ok(isDead(late));
});

/* What people and agents do at the same time; each is begun and not waited for. */
const doings = {
	command: (k) => ({ say: 'do exec {"command":"sleep 0.02"}' }),
	background: (k) => ({ say: `do exec {"command":"sleep 0.0${k % 8}; echo ended","background":true}` }),
	asked: () => ({ agent: 'asker', say: 'do exec {"command":"sleep 0.01"}' }),
	boxed: () => ({ agent: 'boxed', say: 'do exec {"command":"echo boxed"}' }),
	terminal: () => ({ say: 'do exec {"command":"sleep 0.02","pty":true}' }),
	file: (k) => ({ say: `do write {"path":"f${k}.txt","content":"${'words '.repeat(500)}"}` }),
	child: () => ({ say: 'do sessions_spawn {"task":"say something"}' }),
	neighbour: () => ({ say: 'do sessions_send {"sessionKey":"agent:main:neighbour","message":"hello","timeoutSeconds":1}' }),
	stuck: (k) => ({ say: `hang exec-flood ${k}`, abort: true }),
	words: () => ({ say: 'hello' }),
};

async function begin(w, c, k) {
	c.frames.find((f) => {
		if (f.event === 'exec.approval.requested')
			quiet(c.request('exec.approval.resolve', { id: f.payload.id, decision: k % 3 ? 'allow-once' : 'deny' }));
		return false;
	}, { ms: GRACE_MS }).catch(() => undefined);
	for (const [name, make] of Object.entries(doings)) {
		const { agent = 'main', say, abort } = make(k);
		const key = `agent:${agent}:${name}-${k % 3}`, id = `${name}-${k}`;

		quiet(c.request('chat.send', { sessionKey: key, message: say, idempotencyKey: id }));
		if (abort)
			quiet(c.request('chat.abort', { sessionKey: key, runId: id }));
	}
	quiet(c.request('sessions.compact', { key: 'agent:main:words-0' }));
	quiet(c.request('sessions.delete', { key: `agent:main:file-${(k + 1) % 3}` }));
	w.gw.config.logging = { level: k % 2 ? 'debug' : 'info' };
	w.gw.replaceConfig(JSON.stringify(w.gw.config));
}

test('stopped at any moment of much work', { timeout: 60000 + STOPS * (GRACE_MS + 2 * SLACK_MS) }, async (t) => {
	const w = await HangWorld.start(t);
	const rand = random(seed);
	let longest = 0;

	console.log(`# seed ${seed} (E2E_SEED)`);
	for (let k = 0; k < STOPS; k++) {
		const c = await w.gw.connect(events);

		if (!k) {
			await w.furnish(c);
			await c.call('sessions.create', { key: 'agent:main:neighbour' });
		}
		await begin(w, c, k);
		await pause(rand() ** 2 * 250);
		longest = Math.max(longest, await stopped(w));
		await w.gw.launch();
		if (k % 5 === 4)
			console.log(`# ${k + 1} stops`);
	}
	console.log(`# ${STOPS} stops, the longest ${Math.round(longest)} ms`);
	await w.gw.assertAlive();
	await assertWhole(w);
	assert.doesNotMatch(readFileSync(path.join(w.gw.state, 'logs', 'gateway.log'), 'utf8'), /"level":"error"/);
});
