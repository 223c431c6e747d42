/*
 * channels-cli.test.mjs - chela channels …, and OpenClaw's own `channels status`, `channels list` and `health` against a gateway
 * with a network.
 */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { SaslServer } from '../doubles/irc_sasl.mjs';
import { Gateway } from './lib/gateway.mjs';
import { openclaw, openclawHome } from './lib/openclaw.mjs';
import { problems } from './lib/schema.mjs';
import { stopAll, until } from './lib/wait.mjs';

let gw, c, irc;

before(async () => {
	irc = await SaslServer.start({ account: 'bot', password: 'secret-of-the-bot' });
	gw = await Gateway.start({ config: { agents: { defaults: { model: 'offline/demo' } } } });
	c = await gw.connect();
});
after(async () => {
	c?.terminate();
	await stopAll(gw, irc);
});

const ok = (r) => {
	assert.equal(r.code, 0, `${r.stdout}\n${r.stderr}`);
	return r.stdout;
};
const cli = async (...args) => ok(await gw.cli(['channels', ...args]));
const json = async (...args) => JSON.parse(await cli(...args, '--json'));
const config = () => JSON.parse(readFileSync(gw.configPath, 'utf8'));
const status = async () => (await c.call('channels.status', {})).channelAccounts;
const stateOf = async (channel, id = 'default') => (await status())[channel]?.find((a) => a.accountId === id)?.state;

test('nothing yet: says how to begin', async () => {
	assert.match(await cli('list'), /chela channels add/);
	assert.match(await cli('status'), /chela channels add/);
	assert.deepEqual((await json('list')).chat, {});
	assert.ok(Object.keys((await json('list', '--all')).chat).includes('irc'));
	assert.match((await gw.cli(['channels', 'start'])).stderr, /--channel is missing/);
	assert.match((await gw.cli(['channels', 'status', '--channel', ' '])).stderr, /must not be blank/);
	assert.match((await gw.cli(['channels', 'status', '--channel', 'carrier-pigeon'])).stderr, /unknown channel: carrier-pigeon \(there is .*irc/);
});

test('add writes the configuration, the gateway follows', async () => {
	assert.match(await cli('add', 'irc', '--host', '127.0.0.1', '--port', String(irc.port), '--no-tls', '--nick', 'cli', '--join', '#a, #b'),
		/IRC default is in .*chela\.json/);
	assert.deepEqual(config().channels.irc, { host: '127.0.0.1', nick: 'cli', port: irc.port, tls: false, channels: ['#a', '#b'], enabled: true });
	await until(async () => /backoff|starting/.test(await stateOf('irc')), 'the server to refuse us without SASL');
	gw.writeConfig({ ...config(), channels: { irc: { ...config().channels.irc, sasl: { account: 'bot', password: irc.password } } } });
	await until(async () => await stateOf('irc') === 'connected', 'connected');
	const out = await cli('status', '--probe');

	assert.match(out, /irc +default +connected .*works as cli/);
	assert.deepEqual(problems('ChannelsStatusResult', { ...(await c.call('channels.status', { probe: true })), statusIssues: undefined }), []);
	assert.match(await cli('list'), /irc +default +yes +yes/);
});

test('credentials: from a file and a pipe, never shown, with a warning on the command line', async () => {
	const file = path.join(gw.dir, 'token');

	writeFileSync(file, '123456:file-token-aaaaaaaaaaaaaaaaaaaaaaaaa\n', { mode: 0o600 });
	await cli('add', '--channel', 'irc', '--account', 'second', '--host', '127.0.0.1', '--nick', 'two', '--token-file', file);
	assert.equal(config().channels.irc.accounts.second.password, '123456:file-token-aaaaaaaaaaaaaaaaaaaaaaaaa');
	await until(async () => await stateOf('irc', 'second'), 'the second account');
	assert.equal(await stateOf('irc'), 'connected');                  /* the first one goes on as it was */
	const warned = await gw.cli(['channels', 'login', 'irc', '--account', 'second', '--token', 'on-the-line']);

	assert.match(warned.stderr, /can be read by others/);
	assert.equal(config().channels.irc.accounts.second.password, 'on-the-line');
	assert.match((await gw.cli(['channels', 'add', '--channel', 'irc', '--account', 'x', '--use-env'])).stderr, /--use-env is for the account default/);
	assert.match((await gw.cli(['channels', 'login', 'irc', '--account', 'secnd', '--token-file', file])).stderr,
		/irc has no account secnd .*: chela channels add irc --account secnd/);
	assert.equal(config().channels.irc.accounts.secnd, undefined);
	assert.match(await cli('remove', '--channel', 'irc', '--account', 'second', '--delete'), /second is gone/);
	assert.equal(config().channels.irc.accounts.second, undefined);
	assert.match((await gw.cli(['channels', 'remove', '--channel', 'irc', '--account', 'second'])).stderr, /no account second/);
});

test('stop, start, logs, dead letters', async () => {
	const told = c.event('health', (h) => h.channels.irc?.state === 'stopped');

	assert.match(await cli('stop', 'irc'), /irc default is stopped/);
	await told;
	assert.equal(await stateOf('irc'), 'stopped');
	await gw.restart();
	c.terminate();
	c = await gw.connect();
	assert.equal(await stateOf('irc'), 'stopped');
	assert.match(await cli('status'), /stopped by hand/);
	assert.match(await cli('start', 'irc'), /is starting/);
	await until(async () => await stateOf('irc') === 'connected', 'connected');
	assert.match(await cli('start', 'irc'), /was running/);
	assert.match(await cli('logs'), /irc\/default starting[\s\S]*irc\/default connected/);
	assert.equal((await json('logs', '--lines', '1')).lines.length, 1);
	assert.match(await cli('dead-letters', 'list'), /No message was lost/);
	assert.match((await gw.cli(['channels', 'dead-letters', 'resubmit', 'out:99'])).stderr, /not found|no /i);
	assert.match((await gw.cli(['channels', 'dead-letters', 'resubmit', 'in:99'])).stderr, /no dead letter in:99/);
	assert.match(await cli('remove', 'irc'), /not enabled any more/);
	await until(async () => await stateOf('irc') === 'stopped', 'stopped');
	const r = await gw.cli(['channels', 'start', 'irc']);

	assert.match(r.stderr, /was not started: disabled/);
	gw.writeConfig({ ...config(), channels: { irc: { ...config().channels.irc, enabled: true } } });
	await until(async () => await stateOf('irc') === 'connected', 'connected');
});

test("OpenClaw's own command line", async () => {
	const home = openclawHome(gw, 'local');
	const out = ok(await openclaw(gw, home, ['channels', 'status', '--probe']));

	assert.match(out, /Gateway reachable/);
	assert.match(out, /IRC default: enabled, configured, running, connected.*works/);
	const health = ok(await openclaw(gw, home, ['health', '--json']));
	const irc1 = JSON.parse(health).channels.irc;

	assert.equal(irc1.connected, true);
	assert.equal(irc1.accounts.default.accountId, 'default');
});

test('logout: credentials are forgotten, a person is needed', async () => {
	gw.writeConfig({ ...config(), channels: { irc: { ...config().channels.irc, password: 'x-y-z-secret', nick: '1bad' } } });
	await cli('start', 'irc');
	await until(async () => await stateOf('irc') === 'needs-login', 'needs-login');
	assert.match(await cli('status'), /^irc default: .*: chela channels (login|add) irc$/m);
	assert.match(await cli('logout', 'irc'), /is logged out/);
	assert.equal(config().channels.irc.password, undefined);
	await until(async () => await stateOf('irc') === 'needs-login', 'needs-login still');
});
