/* Telegram's own keys: where the token comes from, proxies, what privacy mode hides, what the agent may not do. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { symlinkSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import { test } from 'node:test';
import { TelegramWorld, echo } from './lib/telegram.mjs';
import { removeDir, tempDir } from './lib/proc.mjs';
import { TEST_MS, stopAfter, until } from './lib/wait.mjs';

const quick = { streaming: { mode: 'off' } };
const config = { messages: { inbound: { debounceMs: 0 } } };
const account = async (w, params = {}) => {
	const c = await w.gw.connect();
	const s = await c.call('channels.status', params);

	await c.close();
	return s.channelAccounts.telegram[0];
};

test('the token may stand in a file, which must not be a link', { timeout: TEST_MS }, async (t) => {
	const dir = tempDir('tg');
	const file = path.join(dir, 'token'), link = path.join(dir, 'link');

	t.after(() => removeDir(dir));
	symlinkSync(file, link);
	const w = await TelegramWorld.start(t, { telegram: { ...quick, botToken: undefined, tokenFile: file }, config });

	await until(async () => (await account(w)).state !== 'starting', 'a first try');
	writeFileSync(file, `${w.double.token}\n`, { mode: 0o600 });
	w.gw.writeConfig({ ...w.gw.config, channels: { telegram: { ...w.gw.config.channels.telegram, name: 'again' } } });
	await w.double.call('getUpdates');
	w.gw.writeConfig({ ...w.gw.config, channels: { telegram: { ...w.gw.config.channels.telegram, tokenFile: link } } });
	await until(async () => /link, not a regular file/.test((await account(w)).lastError ?? ''), 'the link to be refused');
	assert.notEqual((await account(w)).state, 'connected');
});

test('the token of the environment is that of the account default, and of no other', { timeout: TEST_MS }, async (t) => {
	const token = '7000000009:from_the_environment';
	const gateway = { env: { TELEGRAM_BOT_TOKEN: token } };
	const w = await TelegramWorld.start(t, { double: { token }, telegram: { ...quick, botToken: undefined }, config, gateway });

	await w.double.call('getUpdates');
	assert.equal((await account(w)).configured, true);
	const other = await TelegramWorld.start(t, { double: { token }, telegram: { ...quick, botToken: undefined, accounts: { other: { name: 'none' } } },
		config, gateway });
	const s = await account(other);

	assert.equal(s.accountId, 'other');
	assert.equal(s.configured, false);
	assert.equal(other.double.requests.items.length, 0);
});

/* An HTTP proxy and a SOCKS5 one, in a few lines each; ways: the ports that they call from. */
async function httpProxy(ways) {
	const server = http.createServer((req, res) => {
		const to = new URL(req.url);
		const out = http.request({ host: to.hostname, port: to.port, path: to.pathname + to.search, method: req.method, headers: req.headers,
			agent: false }, (r) => {
			res.writeHead(r.statusCode, r.headers);
			r.pipe(res);
		});

		out.on('socket', (socket) => socket.once('connect', () => ways.add(socket.localPort)));
		req.pipe(out.on('error', () => res.destroy()));
	});

	server.listen(0, '127.0.0.1');
	await once(server, 'listening');
	return server;
}

async function socksProxy(ways) {
	const server = net.createServer((s) => {
		s.on('error', () => s.destroy());
		s.once('data', () => {
			s.write(Buffer.from([5, 0]));
			s.once('data', (d) => {
				const isName = d[3] === 3;
				const host = isName ? d.subarray(5, 5 + d[4]).toString() : [...d.subarray(4, 8)].join('.');
				const port = d.readUInt16BE(isName ? 5 + d[4] : 8);
				const to = net.connect(port, host, () => {
					ways.add(to.localPort);
					s.write(Buffer.from([5, 0, 0, 1, 0, 0, 0, 0, 0, 0]));
					s.pipe(to).pipe(s);
				});

				to.on('error', () => s.destroy());
			});
		});
	});

	server.listen(0, '127.0.0.1');
	await once(server, 'listening');
	return server;
}

test('every request takes the proxy that is configured', { timeout: TEST_MS }, async (t) => {
	for (const [scheme, start] of [['http', httpProxy], ['socks5h', socksProxy]]) {
		const ways = new Set();
		const proxy = await start(ways);

		stopAfter(t, { stop: () => proxy.close() });
		const w = await TelegramWorld.start(t, { telegram: { ...quick, proxy: `${scheme}://127.0.0.1:${proxy.address().port}` }, config });
		const ada = w.double.user(42, 'Ada');

		await w.round(ada, 'hello m-prx');
		/* Connections are kept, so they are few: what counts is that there is no other way. */
		await until(() => [...w.double.callers].every((port) => ways.has(port)), `${scheme}: each connection to come from the proxy`);
		assert.ok(ways.size > 0, scheme);
	}
});

test('privacy mode in the way is told', { timeout: TEST_MS }, async (t) => {
	const w = await TelegramWorld.start(t, { double: { me: { can_read_all_group_messages: false } },
		telegram: { ...quick, groups: { '-1001': { requireMention: false } } }, config });

	await w.double.call('getUpdates');
	assert.match(JSON.stringify(await account(w, { probe: true })), /privacy mode is on/);
});

test('reactions in a forum are told to the topic of their message', { timeout: TEST_MS }, async (t) => {
	const w = await TelegramWorld.start(t, { telegram: { ...quick, reactionNotifications: 'all', groupAllowFrom: ['42'], groups: { '-1002': { requireMention: false } } },
		config });
	const d = w.double, ada = d.user(42, 'Ada'), forum = d.group(-1002, 'Forum', { is_forum: true });

	d.place(forum).topics.add(7);
	d.say(ada, 'in seven m-7', { chat: forum, thread: 7 });
	const seven = await d.reply(forum, (m) => m.text === 're m-7');

	d.say(ada, 'in general m-1', { chat: forum });
	await d.reply(forum, (m) => m.text === 're m-1');
	d.react(ada, seven, ['🔥']);
	d.react(ada, { chat: forum, message_id: 424242 }, ['👎']);          /* of long ago: nobody knows its topic */
	await until(() => d.pending.length === 0, 'the reactions to be taken');
	d.say(ada, 'again m-2', { chat: forum });
	await d.reply(forum, (m) => m.text === 're m-2');
	assert.doesNotMatch(JSON.stringify(w.heard.at(-1).messages), /🔥|👎/u);
	d.say(ada, 'and here m-8', { chat: forum, thread: 7 });
	await d.reply(forum, (m) => m.text === 're m-8');
	assert.match(JSON.stringify(w.heard.at(-1).messages), /🔥/u);
	assert.doesNotMatch(JSON.stringify(w.heard.at(-1).messages), /👎/u);
});

test('what `actions` switches off is not done', { timeout: TEST_MS }, async (t) => {
	const w = await TelegramWorld.start(t, { telegram: { ...quick, actions: { reactions: false, poll: false } }, config });
	const ada = w.double.user(42, 'Ada');
	const m = await w.round(ada, 'hello m-act');
	const c = await w.gw.connect();
	const act = (action, params) => c.fails('message.action', { channel: 'telegram', action, params: { to: '42', ...params }, idempotencyKey: action });

	assert.match((await act('react', { messageId: String(m.message_id), emoji: '👍' })).message, /actions\.reactions is off/);
	assert.match((await act('poll', { pollQuestion: 'q', pollOption: ['a', 'b'] })).message, /actions\.poll is off/);
	assert.equal(w.double.calls('setMessageReaction').length + w.double.calls('sendPoll').length, 0);
	await c.close();
});

test('buttons only where they are wanted; a page opens within Telegram in private', { timeout: TEST_MS }, async (t) => {
	const w = await TelegramWorld.start(t, { telegram: quick, config });
	const d = w.double;
	const c = await w.gw.connect();
	const buttons = [{ label: 'Yes', action: { type: 'callback', value: 'yes' } }, { label: 'App', action: { type: 'web-app', url: 'https://app.example/x' } }];
	let n = 0;
	const send = async (to) => {
		const r = await c.call('message.action', { channel: 'telegram', action: 'send', idempotencyKey: `b${++n}`,
			params: { to: String(to), message: 'Choose', presentation: { blocks: [{ type: 'buttons', buttons }] } } });

		return d.place(to).messages.find((m) => String(m.message_id) === r.messageId);
	};

	d.user(42, 'Ada');
	d.group(-1001, 'Lab');
	await d.call('getUpdates', (p) => p.timeout > 0);
	assert.deepEqual((await send(42)).reply_markup.inline_keyboard, [[{ text: 'Yes', callback_data: 'v:yes' },
		{ text: 'App', web_app: { url: 'https://app.example/x' } }]]);
	assert.deepEqual((await send(-1001)).reply_markup.inline_keyboard[0][1], { text: 'App', url: 'https://app.example/x' });
	w.gw.writeConfig({ ...w.gw.config, channels: { telegram: { ...w.gw.config.channels.telegram, capabilities: { inlineButtons: 'dm' } } } });
	await until(() => d.calls('getMe').length === 2, 'the account to begin anew');
	const m = await send(-1001);

	assert.equal(m.reply_markup, undefined);
	assert.match(m.text, /Choose.*Yes.*App/s);
	assert.ok((await send(42)).reply_markup);
	await c.close();
	assert.deepEqual(d.problems, []);
});

test('each person has the tools that `direct` says; a failed turn is told as errorPolicy says', { timeout: TEST_MS }, async (t) => {
	const w = await TelegramWorld.start(t, { telegram: { ...quick, silentErrorReplies: true, direct: { '*': { tools: { deny: ['read'] } }, 43: { tools: {} } },
		groups: { '-1001': { requireMention: false, groupPolicy: 'open', errorPolicy: 'silent' }, '-1002': { requireMention: false, groupPolicy: 'open' } } },
	config });
	const d = w.double, ada = d.user(42, 'Ada'), bo = d.user(43, 'Bo');
	const quiet = d.group(-1001, 'Quiet'), lab = d.group(-1002, 'Lab');
	const offered = {};

	w.answer = (text, call) => {
		offered[text.match(/m-\w+/)[0]] = (call.body.tools ?? []).map((x) => x.function.name);
		return echo(text);
	};
	await w.round(ada, 'hello m-ada');
	await w.round(bo, 'hello m-bo');
	assert.ok(offered['m-bo'].includes('read') && !offered['m-ada'].includes('read'), JSON.stringify(offered));
	w.answer = (text, call) => call.fail(400, 'no credit');
	d.say(ada, 'fail m-q', { chat: quiet });
	d.say(ada, 'fail m-l', { chat: lab });
	await until(() => w.heard.some((h) => h.text.includes('m-q')), 'the other to fail');
	await until(() => d.visible(lab).length, 'the failure to be told');
	assert.equal(d.calls('sendMessage').at(-1).params.disable_notification, true);
	w.answer = echo;
	d.say(ada, 'well again m-w', { chat: quiet });
	await d.reply(quiet, (m) => m.text === 're m-w');
	assert.deepEqual(d.texts(quiet), ['re m-w']);
	assert.notEqual(d.calls('sendMessage').at(-1).params.disable_notification, true);
});

test('a webhook with its own certificate; a taken port leaves that of the gateway', { timeout: TEST_MS }, async (t) => {
	const dir = tempDir('tg');
	const cert = path.join(dir, 'cert.pem');
	const taken = net.createServer().listen(0, '127.0.0.1');

	t.after(() => {
		taken.close();
		removeDir(dir);
	});
	await once(taken, 'listening');
	writeFileSync(cert, '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n');
	const w = await TelegramWorld.start(t, { telegram: { ...quick, webhookUrl: 'https://203.0.113.9:8443/tg', webhookSecret: 'abc', webhookPath: '/tg',
		webhookCertPath: cert, webhookPort: taken.address().port }, config });

	await w.double.call('setWebhook');
	assert.match(w.double.webhook.certificate.bytes.toString(), /BEGIN CERTIFICATE/);
	assert.equal(w.double.webhook.secret_token, 'abc');
	w.double.hookTarget = `${w.gw.url}/tg`;
	await w.round(w.double.user(42, 'Ada'), 'by the gateway m-crt');
	assert.equal((await account(w)).state, 'degraded');
	/* Back to polling: the webhook is taken away. */
	w.gw.writeConfig({ ...w.gw.config, channels: { telegram: { ...w.gw.config.channels.telegram, webhookUrl: undefined } } });
	await w.double.call('getUpdates', (p) => p.timeout > 0);
	assert.equal(w.double.webhook, null);
	assert.deepEqual(w.double.problems, []);
});

test('a menu that is too long for Telegram is cut; none when it is not wanted; files over the limit are told', { timeout: TEST_MS }, async (t) => {
	const w = await TelegramWorld.start(t, { double: { commandsMax: 9, downloadMax: 10 }, telegram: quick, config });
	const d = w.double, ada = d.user(42, 'Ada');

	await until(() => d.commands.length, 'a menu that fits');
	assert.ok(d.commands.length <= 9 && d.calls('setMyCommands').length > 1);
	await w.round(ada, { caption: 'big m-big', document: { ...d.file('more than ten bytes'), file_name: 'a.txt' } });
	assert.match(JSON.stringify(w.heard.at(-1).messages), /20 MB/);
	w.gw.writeConfig({ ...w.gw.config, commands: { native: false } });
	await until(() => !d.commands.length, 'the menu to go');
	assert.deepEqual(d.problems, []);
});

test('a reply grows in one message while it is made, and is whole at the end', { timeout: TEST_MS }, async (t) => {
	const w = await TelegramWorld.start(t, { telegram: { streaming: { mode: 'partial' } }, config });
	const ada = w.double.user(42, 'Ada');
	const half = 'This is the **beginning** of an answer that takes its time, ';

	w.answer = async (text, call) => {
		call.text(half);
		await w.double.reply(ada, (m) => m.text.includes('beginning'), 20000);
		return 'and this is its end. m-str';
	};
	w.double.say(ada, 'tell me m-str');
	await w.double.reply(ada, (m) => m.text.includes('its end'), 20000);
	assert.equal(w.double.visible(ada).length, 1, JSON.stringify(w.double.texts(ada)));
	assert.equal(w.double.texts(ada)[0], 'This is the beginning of an answer that takes its time, and this is its end. m-str');
	assert.ok(w.double.visible(ada)[0].edits >= 1);
	assert.equal(w.double.visible(ada)[0].entities[0].type, 'bold');
	assert.deepEqual(w.double.problems, []);
});

test('by default a draft shows the state and the answer is a message of its own', { timeout: TEST_MS }, async (t) => {
	const w = await TelegramWorld.start(t, { config });
	const ada = w.double.user(42, 'Ada');

	await w.round(ada, 'hello m-def');
	await until(() => w.double.visible(ada).length === 1, `one message to be left of ${JSON.stringify(w.double.texts(ada))}`);
	assert.deepEqual(w.double.texts(ada), ['re m-def']);
	assert.deepEqual(w.double.problems, []);
});
