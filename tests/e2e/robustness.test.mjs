/*
 * robustness.test.mjs - many clients, one that never reads, a broken configuration, a directory in use, a
 * directory that cannot be written, a full disk. The gateway says what is wrong and serves the others.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { test } from 'node:test';
import { ModelDouble } from '../doubles/model.mjs';
import { connectParams, textOf } from './lib/client.mjs';
import { Device } from './lib/device.mjs';
import { Gateway, gatewayTest } from './lib/gateway.mjs';
import { CHELA } from './lib/peers.mjs';
import { cleanEnv, freePort, removeDir, run, tempDir } from './lib/proc.mjs';
import { until, within } from './lib/wait.mjs';

const rssKib = (pid) => Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]);

gatewayTest('1,000 idle clients', { timeout: 120000 }, async (gw) => {
	const clients = [];
	const before = rssKib(gw.proc.pid);

	for (let i = 0; i < 1000; i += 20)
		clients.push(...await Promise.all(Array.from({ length: 20 }, () => gw.connect({ scopes: ['operator.read'] }))));
	const grown = rssKib(gw.proc.pid) - before;
	const started = Date.now();

	await gw.assertAlive();
	assert.ok(Date.now() - started < 5000, 'a newcomer is served at once');
	assert.ok(grown < 40 * 1024, `1,000 clients cost ${grown} KiB`);
	const answers = await Promise.all([0, 500, 999].map((i) => clients[i].call('status')));

	assert.equal(answers.length, 3);
	assert.ok(clients.every((c) => !c.close_), 'nobody was dropped');
	for (const c of clients)
		c.terminate();
	await gw.assertAlive();
});

/* A masked text frame. */
function frameOf(text) {
	const body = Buffer.from(text);
	const mask = randomBytes(4);
	const head = body.length < 126 ? Buffer.from([0x81, 0x80 | body.length])
		: Buffer.from([0x81, 0x80 | 126, body.length >> 8, body.length & 0xff]);

	return Buffer.concat([head, mask, body.map((b, i) => b ^ mask[i % 4])]);
}

/* Connects, authenticates and then reads no byte more. */
async function deafClient(gw) {
	const socket = net.connect(gw.port, '127.0.0.1');
	let seen = '';
	const upTo = (text) => within(new Promise((resolve) => {
		const look = (d) => {
			seen += d.toString('latin1');
			if (seen.includes(text)) {
				socket.off('data', look);
				resolve();
			}
		};

		socket.on('data', look);
	}), `"${text}"`);

	socket.on('error', () => undefined);             /* it is going to be cut */
	socket.write(`GET / HTTP/1.1\r\nHost: 127.0.0.1:${gw.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
		`Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\nSec-WebSocket-Version: 13\r\n\r\n`);
	await upTo('connect.challenge');
	socket.write(frameOf(JSON.stringify({ type: 'req', id: 'connect', method: 'connect',
		params: connectParams({ auth: { token: gw.token } }) })));
	await upTo('hello-ok');
	socket.pause();
	return socket;
}

gatewayTest('a client that never reads is cut, costs little and disturbs nobody', { timeout: 120000 }, async (gw) => {
	const listener = await gw.connect();
	const sender = await gw.connect();
	const socket = await deafClient(gw);
	const before = rssKib(gw.proc.pid);
	const text = 'x'.repeat(100000);
	let worst = 0;

	await sender.call('sessions.create', { key: 'agent:main:flood' });
	for (let i = 0; i < 300; i++) {
		const started = Date.now();

		await sender.call('chat.inject', { sessionKey: 'agent:main:flood', message: `${i} ${text}` });
		worst = Math.max(worst, Date.now() - started);
	}
	const grown = rssKib(gw.proc.pid) - before;

	assert.ok(grown < 80 * 1024, `30 MB for one that does not read cost ${grown} KiB`);
	/* Who does not read is cut after 10 s: nobody waits for that. A slow disk may take its time. */
	assert.ok(worst < 5000, `the others waited ${worst} ms`);
	await until(() => /does not read/.test(gw.logFile()), 'the one that does not read to be cut', 30000);
	await listener.event('chat', (p) => textOf(p.message).startsWith('299 '));
	assert.equal(listener.events('chat').length, 300, 'who reads got everything');
	await gw.assertAlive();
	socket.destroy();
	await listener.close();
	await sender.close();
});

gatewayTest('a client that asks for much and reads nothing is held back', { timeout: 60000 }, async (gw) => {
	const socket = await deafClient(gw);

	for (let i = 0; i < 20000 && !socket.destroyed; i++)
		socket.write(frameOf(`{"type":"req","id":"${i}","method":"config.schema"}`));
	await gw.assertAlive();
	await until(() => rssKib(gw.proc.pid) < 200 * 1024, 'memory to stay bounded');
	socket.destroy();
	await gw.assertAlive();
});

/* -- configuration -- */

gatewayTest('a broken file changes nothing and is shown; a good one is taken at once', async (gw) => {
	const c = await gw.connect();
	const good = readFileSync(gw.configPath, 'utf8');

	writeFileSync(gw.configPath, '{ gateway: { port: 1, "unfinished ');
	await until(() => /chela\.json/.test(gw.logFile()) && /(line|broken|last good)/i.test(gw.logFile()), 'the log to say that the file is broken');
	await until(async () => (await c.call('config.get')).valid === false, 'config.get to say that the file is not valid');
	const shown = await c.call('config.get');

	assert.ok(shown.issues.length > 0 && shown.issues[0].message, 'with what is wrong');
	await gw.assertAlive();
	const validate = await gw.cli(['config', 'validate']);

	assert.equal(validate.code, 1);
	assert.match(validate.stdout + validate.stderr, /line \d+|:\d+/);

	writeFileSync(gw.configPath, good);
	await until(async () => (await c.call('config.get')).valid === true, 'the mended file to be taken');
	const from = c.frames.items.length, { hash } = await c.call('config.get');

	gw.writeConfig({ agents: { defaults: { model: { primary: 'offline/demo' } } }, gateway: { nosuchkey: 1 } });
	await c.event('config.changed', (p) => p.hash !== hash, { from });
	assert.equal((await c.call('config.get')).valid, true, 'an unknown key is no error');
	await c.close();
});

gatewayTest('a changed token ends the sockets that used the old one', async (gw) => {
	const c = await gw.connect();
	const old = gw.token;

	gw.token = 'another-token-for-the-same-gateway';
	gw.writeConfig({});
	assert.deepEqual(await within(c.closed, 'the old socket to be closed'), { code: 4001, reason: 'gateway auth changed' });
	await gw.assertAlive();
	await assert.rejects(gw.connect({ auth: { token: old } }), /token mismatch/);
});

gatewayTest('a changed model is used by the next turn', {
	gateway: async (t) => {
		t.model = await ModelDouble.start((call) => {
			call.text('from the double');
			call.end();
		});
		t.after(() => t.model.stop());
		return {};
	},
}, async (gw, t) => {
	const c = await gw.connect();

	await c.turn('main', 'help');
	gw.writeConfig(t.model.config);
	await c.event('config.changed');
	assert.equal(textOf((await c.turn('main', 'hello')).message), 'from the double');
	await c.close();
});

gatewayTest('stopping amid clients that leave and a turn that is aborted is clean', {
	gateway: async (t) => {
		t.model = await ModelDouble.start();
		t.after(() => t.model.stop());
		return { config: t.model.config };
	},
}, async (gw, t) => {
	for (let i = 0; i < 15; i++) {
		const c = await gw.connect({ client: { id: 'openclaw-tui', mode: 'ui' }, device: new Device() });
		const ack = c.call('chat.send', { sessionKey: 'main', message: 'x', idempotencyKey: `stop-${i}` });
		const call = await t.model.next();

		await ack;
		call.text('half');
		await c.event('chat', (p) => p.state === 'delta');
		c.send({ type: 'req', id: 'a', method: 'chat.abort', params: { sessionKey: 'main' } });
		await call.gone;
		c.terminate();
		assert.deepEqual(await gw.proc.stop('SIGTERM'), { code: 0, signal: null }, gw.log());
		await gw.launch();
	}
});

/* -- the state directory -- */

gatewayTest('a second gateway on the same directory is refused with the name of the first', async (gw) => {
	const r = await run(CHELA, ['gateway', 'run', '--port', String(await freePort())], { env: gw.env });

	assert.equal(r.code, 1);
	assert.match(r.stderr, new RegExp(`\\b${gw.proc.pid}\\b`), r.stderr);
	assert.ok(r.stderr.includes(gw.state), r.stderr);
	await gw.assertAlive();
});

gatewayTest('a busy port is named with its holder and the way out', async (gw) => {
	const other = tempDir('busy');

	try {
		const r = await run(CHELA, ['gateway', 'run', '--port', String(gw.port)],
			{ env: { ...gw.env, CHELA_STATE_DIR: path.join(other, 'state') } });

		assert.equal(r.code, 1);
		assert.match(r.stderr, new RegExp(`\\b${gw.port}\\b`));
		assert.match(r.stderr, new RegExp(`\\b${gw.proc.pid}\\b`), r.stderr);
		assert.match(r.stderr, /PORT=|--port|gateway\.port/);
	} finally {
		removeDir(other);
	}
});

gatewayTest('the directory and its files are for the owner only', async (gw) => {
	const c = await gw.connect();

	await c.turn('main', 'help');
	const modes = await run('find', [gw.state, '-perm', '/077', '-printf', '%m %P\n'], { env: gw.env });

	assert.equal(modes.stdout.replace(/^\d+ workspace.*\n/gm, ''), '', 'nothing is open to others');
	await c.close();
});

/* A gateway that is expected not to start: how it ended. */
async function refusedStart(argv, dir, state) {
	const r = await run(argv[0], argv.slice(1), { env: cleanEnv({ HOME: dir, CHELA_STATE_DIR: state }), cwd: dir });

	assert.equal(r.code, 1, `${r.stdout}\n${r.stderr}`);
	assert.ok(r.stderr.includes(state), r.stderr);
	return r.stderr;
}

gatewayTest('a state directory on a read-only file system is a clear error and stays as it was', async (gw) => {
	const c = await gw.connect();

	await c.turn('main', 'help');
	await c.close();
	await gw.proc.stop();
	const sum = async () => (await run('sh', ['-c', `cd '${gw.state}' && find . -type f ! -name '*.log' | sort | xargs sha256sum`])).stdout;
	const before = await sum();
	const mount = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"';
	const argv = ['unshare', process.getuid() === 0 ? '-m' : '-rm', 'sh', '-c', mount, gw.state, CHELA, 'gateway', 'run', '--port', String(gw.port)];

	assert.match(await refusedStart(argv, gw.dir, gw.state), /read-only/i);
	assert.equal(await sum(), before);
	await gw.launch();
	const again = await gw.connect();

	assert.equal((await again.call('chat.history', { sessionKey: 'main' })).messages.length, 2);
	await again.close();
});

test('a state directory that cannot be made is a clear error', async () => {
	const dir = tempDir('readonly');
	/* Root may write anywhere, so the gateway is somebody else there. */
	const other = process.getuid() === 0 ? ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'] : [];

	try {
		chmodSync(dir, 0o555);
		const argv = [...other, CHELA, 'gateway', 'run', '--port', String(await freePort())];

		assert.match(await refusedStart(argv, dir, path.join(dir, 'state')), /permission denied/i);
	} finally {
		chmodSync(dir, 0o755);
		removeDir(dir);
	}
});

test('a full disk refuses what cannot be kept and loses nothing', { timeout: 90000 }, async () => {
	/* No file may grow beyond 3 MiB: what the kernel says then is what a full disk says. */
	const gw = await Gateway.start({ prefix: ['prlimit', '--fsize=3145728'] });

	try {
		const c = await gw.connect();
		const key = 'agent:main:full';
		const kept = [];
		let refused;

		await c.call('sessions.create', { key });
		for (let i = 0; i < 200 && !refused; i++) {
			const res = await c.request('chat.inject', { sessionKey: key, message: `${i} ${'y'.repeat(50000)}` });

			if (res.ok)
				kept.push(res.payload.messageId);
			else
				refused = res.error;
		}
		assert.ok(refused, 'at some point it does not fit');
		assert.equal(refused.code, 'UNAVAILABLE');
		assert.match(refused.message, /disk|space|full|large|write/i);
		assert.equal((await c.call('health')).ok !== undefined, true, 'it still answers');
		await c.close();
		assert.equal(gw.proc.exit, null);

		/* With room again everything acknowledged is there. */
		gw.options = {};
		await gw.restart();
		const again = await gw.connect();
		const { messages } = await again.call('chat.history', { sessionKey: key, limit: 1000, maxChars: 100 });
		const ids = messages.map((m) => m.__openclaw.id);

		assert.deepEqual(kept.filter((id) => !ids.includes(id)), []);
		assert.equal(new Set(ids).size, ids.length);
		await again.close();
	} catch (e) {
		console.error(gw.log());
		throw e;
	} finally {
		await gw.stop();
	}
});

test('frames at their limits', { timeout: 60000 }, async () => {
	const gw = await Gateway.start();

	try {
		const c = await gw.connect();
		const big = await c.request('health', { pad: 'x'.repeat(20 << 20) });

		assert.ok(big.type === 'res', 'a frame of 20 MiB is read');
		c.send(Buffer.alloc(27 << 20, 0x20));
		assert.equal((await within(c.closed, 'the socket to be closed')).code, 1009);
		await gw.assertAlive();
	} finally {
		await gw.stop();
	}
});

