/*
 * channel-slack-emulate.test.mjs - our calls of the Web API against an emulation of Slack that we did not write (npm `emulate`),
 * with strict scopes. It has no Socket Mode and no way to name a subscriber: events are put in, signed, over HTTP.
 */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { SlackDouble } from '../doubles/slack.mjs';
import { Gateway } from './lib/gateway.mjs';
import { MODULES, NODE_NEW } from './lib/peers.mjs';
import { Proc, cleanEnv, freePort, removeDir, tempDir } from './lib/proc.mjs';
import { Marks } from './lib/slack.mjs';
import { START_MS, stopAll, until } from './lib/wait.mjs';

const SECRET = '8f742231b10e8888abcd99yyyzzz85a5';
const READS = 'channels:history, channels:read, reactions:read, users:read, files:read, files:write, reactions:write, im:write, im:history';
const SEED = `slack:
  signing_secret: ${SECRET}
  strict_scopes: true
  team: { name: Double, domain: double }
  users:
    - { name: ada, real_name: Ada Lovelace, email: ada@example.org }
    - { name: chela, real_name: Chela, email: chela@example.org }
  tokens:
    - { token: xoxb-emulate-whole, user: chela, scopes: [chat:write, ${READS}] }
    - { token: xoxb-emulate-mute, user: chela, scopes: [${READS}] }
`;
let root, proc, dir, gw, model, ids;
const signer = new SlackDouble();

async function api(method, args = {}, token = 'xoxb-emulate-whole') {
	const res = await fetch(`${root}/${method}`, { method: 'POST', headers: { authorization: `Bearer ${token}` }, body: new URLSearchParams(args) });

	return res.json();
}

before(async () => {
	const port = await freePort();

	dir = tempDir('emulate');
	writeFileSync(path.join(dir, 'seed.yaml'), SEED);
	proc = new Proc(NODE_NEW, [path.join(MODULES, 'emulate', 'dist', 'index.js'), 'start', '--service', 'slack', '--port', String(port),
		'--seed', path.join(dir, 'seed.yaml')], { env: cleanEnv({ HOME: dir }), cwd: dir });
	root = `http://127.0.0.1:${port}/api`;
	await until(() => api('auth.test').then((r) => r.ok, () => false), 'emulate is up', START_MS);
	const users = (await api('users.list')).members, rooms = (await api('conversations.list')).channels;

	ids = { ada: users.find((u) => u.name === 'ada').id, bot: users.find((u) => u.name === 'chela').id, general: rooms.find((r) => r.name === 'general').id,
		team: (await api('auth.test')).team_id };
	await api('conversations.join', { channel: ids.general });
	model = await Marks.start();
	const account = { mode: 'http', signingSecret: SECRET };

	gw = await Gateway.start({ config: { ...model.double.config, messages: { inbound: { debounceMs: 0 }, ackReactionScope: 'off' },
		channels: { slack: { apiRoot: root, groupPolicy: 'open', dmPolicy: 'open', allowFrom: ['*'], channels: { '*': {} }, replyToMode: 'off', accounts: {
			whole: { ...account, botToken: 'xoxb-emulate-whole', webhookPath: '/slack/whole' },
			mute: { ...account, botToken: 'xoxb-emulate-mute', webhookPath: '/slack/mute' } } } } } });
});
after(async () => {
	await stopAll(gw, model, proc);
	removeDir(dir);
});

let seq = 0;

async function event(account, more) {
	const ts = `${Math.floor(Date.now() / 1000)}.${String(++seq).padStart(6, '0')}`;
	const body = JSON.stringify({ type: 'event_callback', team_id: ids.team, event_id: `Ev${seq}`, event: { type: 'message', channel: ids.general,
		channel_type: 'channel', user: ids.ada, ts, event_ts: ts, ...more } });
	const send = () => fetch(`${gw.url}/slack/${account}`, { method: 'POST', body, headers: { 'content-type': 'application/json', ...signer.sign(body) } });

	await until(() => send().then((r) => r.status === 200), 'the event is taken');
}

const said = async (text) => (await api('conversations.history', { channel: ids.general })).messages?.find((m) => m.text === text);

test('a mention is answered in the channel, and in its thread', async () => {
	await event('whole', { text: `<@${ids.bot}> !emulated` });
	const post = await until(() => said('re: emulated'), 'the answer stands in the history');

	assert.equal(post.user, ids.bot);
	assert.match((await model.told('emulated')).text, /Ada|ada/);
	await event('whole', { text: `<@${ids.bot}> !inside`, thread_ts: post.ts });
	const inside = await until(async () => (await api('conversations.replies', { channel: ids.general, ts: post.ts })).messages
		?.find((m) => m.text === 're: inside'), 'the answer stands in the thread');

	assert.equal(inside.thread_ts, post.ts);
});

test('without chat:write nothing is posted, and the operator is told which scope', async () => {
	await event('mute', { text: `<@${ids.bot}> !mute` });
	await until(() => /missing_scope.*chat:write/.test(gw.log()), 'the missing scope is named');
	assert.equal(await said('re: mute'), undefined);
});
