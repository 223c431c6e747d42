/*
 * channel-send.test.mjs - what goes out: send, poll, message.action, `chela message`, the message tool, OpenClaw's command line;
 * all against the Telegram double, which refuses what Telegram refuses.
 */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { TelegramDouble } from '../doubles/telegram.mjs';
import { Client } from './lib/client.mjs';
import { Obedient, callTool } from './lib/exec.mjs';
import { Gateway } from './lib/gateway.mjs';
import { stopAll, until } from './lib/wait.mjs';

let double, model, gw, c, ada, bob, room;

before(async () => {
	double = await TelegramDouble.start();
	ada = double.user(42, 'Ada', { username: 'ada_l' });
	room = double.group(-1001234567890, 'Room', { isForum: true });
	bob = double.user(43, 'Bob');
	model = await Obedient.start();
	const base = model.double.config;

	gw = await Gateway.start({ config: { ...base,
		agents: { defaults: { ...base.agents.defaults, skipBootstrap: true } },
		commands: { ownerAllowFrom: ['telegram:42'] },
		channels: { telegram: { botToken: double.token, apiRoot: double.url, dmPolicy: 'allowlist', allowFrom: ['42', '43'] } },
	} });
	c = await Client.open(gw.url.replace('http', 'ws'), { auth: { token: gw.token } });
	await double.call('getUpdates');
});
after(async () => {
	c?.terminate();
	await stopAll(gw, model, double);
});

const key = () => randomUUID();
const act = (action, params, more = {}) => c.call('message.action', { channel: 'telegram', action, params, idempotencyKey: key(), ...more });
const seen = (text) => double.visible(ada).filter((m) => m.text === text);

test('send puts Markdown in the chat and says as what', async () => {
	const idempotencyKey = key();
	const params = { to: '42', message: 'hello **there**', channel: 'telegram', idempotencyKey };
	const first = await c.call('send', params);

	assert.deepEqual(Object.keys(first).sort(), ['channel', 'chatId', 'messageId', 'runId']);
	assert.equal(first.runId, idempotencyKey);
	assert.equal(first.channel, 'telegram');
	assert.deepEqual(seen('hello there')[0].entities, [{ type: 'bold', offset: 6, length: 5 }]);
	assert.equal(first.messageId, String(seen('hello there')[0].message_id));
	assert.deepEqual(await c.call('send', params), first);
	assert.equal(seen('hello there').length, 1);
});

test('a topic, an answer and a silent message go where they belong', async () => {
	const sent = await c.call('send', { to: 'telegram:-1001234567890:topic:1', message: 'to all', silent: true, idempotencyKey: key() });
	const made = await act('send', { to: '-1001234567890', message: 'an answer', replyTo: sent.messageId });
	const m = double.visible(room).at(-1);

	assert.equal(made.ok, true);
	assert.equal(m.text, 'an answer');
	assert.equal(String(m.reply_to_message?.message_id), sent.messageId);
});

test('what cannot be sent is refused with what is wrong', async () => {
	const params = { to: '42', message: 'x', idempotencyKey: key() };

	assert.match((await c.fails('send', { ...params, channel: 'nope' })).message, /unsupported channel: nope/);
	assert.match((await c.fails('send', { ...params, message: '' })).message, /text or media is required/);
	assert.match((await c.fails('send', { ...params, to: 'bad:x' })).message, /Unknown target "bad:x" for Telegram/);
	assert.match((await c.fails('send', { ...params, accountId: 'work' })).message, /no account 'work'/);
	assert.match((await c.fails('message.action', { channel: 'telegram', action: 'kick', params: { to: '42' }, idempotencyKey: key() })).message,
		/Message action kick not supported for channel telegram; it can: send, poll, react, edit, delete/);
	/* The chat is not known there: Telegram says so, and so do we; it stays as a dead letter. */
	const gone = await c.fails('send', { ...params, to: '777', idempotencyKey: key() });

	assert.equal(gone.code, 'UNAVAILABLE');
	assert.match(gone.message, /chat not found/);
});

test('poll, react, edit and delete', async () => {
	const poll = await c.call('poll', { to: '42', channel: 'telegram', question: 'Lunch?', options: ['Soup', 'Bread'], isAnonymous: false,
		idempotencyKey: key() });
	const asked = double.visible(ada).at(-1);

	assert.equal(String(asked.message_id), poll.messageId);
	assert.equal(asked.poll.question, 'Lunch?');
	assert.equal(asked.poll.is_anonymous, false);

	const { messageId } = await act('send', { to: '42', message: 'draft' });

	assert.deepEqual(await act('react', { to: '42', messageId, emoji: '👍' }), { ok: true, added: '👍' });
	assert.deepEqual(await act('edit', { to: '42', messageId, message: '**final**' }), { ok: true, messageId, chatId: '42' });
	assert.equal(double.visible(ada).at(-1).text, 'final');
	assert.deepEqual(await act('delete', { to: '42', messageId }), { ok: true, deleted: true });
	assert.equal(seen('final').length, 0);
});

test('files: bytes, and what lies in the workspace; nothing else of this machine', async () => {
	const workspace = path.join(gw.state, 'workspace');

	mkdirSync(workspace, { recursive: true });
	writeFileSync(path.join(workspace, 'note.txt'), 'from the workspace');
	await c.call('send', { to: '42', channel: 'telegram', message: 'bytes', buffer: Buffer.from('a,b\n').toString('base64'), filename: 'x.csv',
		idempotencyKey: key() });
	assert.equal(double.visible(ada).at(-1).document.file_name, 'x.csv');
	assert.equal(double.visible(ada).at(-1).caption, 'bytes');
	await c.call('send', { to: '42', channel: 'telegram', mediaUrl: 'note.txt', idempotencyKey: key() });
	assert.equal(double.visible(ada).at(-1).document.file_name, 'note.txt');
	for (const mediaUrl of ['/etc/passwd', '../chela.json', 'file:///etc/passwd', 'http://127.0.0.1:1/x', 'http://169.254.169.254/x'])
		assert.match((await c.fails('send', { to: '42', channel: 'telegram', mediaUrl, idempotencyKey: key() })).message,
			/not below|leads out|not public|private|loopback|link-local|refused|address/i, mediaUrl);
});

test('test_threat_requester: who is not the owner acts where they are, and nowhere else', async () => {
	const { messageId } = await act('send', { to: '42', message: 'keep me' });
	const as = (target, current) => ({ channel: 'telegram', action: 'delete', params: { to: target, messageId }, senderIsOwner: false,
		requesterSenderId: '99', toolContext: current && { currentChannelProvider: 'telegram', currentChannelId: current },
		idempotencyKey: key() });

	assert.match((await c.fails('message.action', as('42'))).message, /own conversation only/);
	assert.match((await c.fails('message.action', as('42', '-1001234567890'))).message, /own conversation only/);
	assert.equal(seen('keep me').length, 1);
	assert.equal((await c.call('message.action', as('42', '42'))).ok, true);
});

test('a client without write may send nothing', async () => {
	const reader = await Client.open(gw.url.replace('http', 'ws'), { auth: { token: gw.token }, scopes: ['operator.read'] });

	for (const [method, params] of [['send', { to: '42', message: 'x', idempotencyKey: 'r' }],
		['poll', { to: '42', question: 'q', options: ['a', 'b'], idempotencyKey: 'r' }],
		['message.action', { channel: 'telegram', action: 'send', params: { to: '42', message: 'x' }, idempotencyKey: 'r' }]])
		assert.match((await reader.fails(method, params)).message, /operator\.write/);
	reader.terminate();
});

test('429 is waited out, 500 and a cut answer are tried or told', async () => {
	double.fail('sendMessage', '429', { retryAfter: 1 });
	assert.ok((await c.call('send', { to: '42', channel: 'telegram', message: 'after a while', idempotencyKey: key() })).messageId);
	assert.equal(seen('after a while').length, 1);
	double.fail('sendMessage', 'cut-after');
	const told = await c.fails('send', { to: '42', channel: 'telegram', message: 'perhaps', idempotencyKey: key() });

	assert.match(told.message, /may not have arrived/);
	assert.equal(seen('perhaps').length, 1);
});

/* -- the message tool -- */

let calls = 0;
/* A person tells the model to call the tool; gives what the model was told of it. */
async function tell(who, args) {
	const id = `m_${++calls}`;

	double.say(who, `call ${JSON.stringify({ id, name: 'message', args })}`);
	const has = (x) => x.body.messages.at(-1).tool_call_id === id;

	await until(() => model.double.calls.some(has), `the result of ${id}`);
	return model.double.calls.find(has).body.messages.at(-1).content;
}

test('the tool sends a file to where the turn came from, and once', async () => {
	const result = JSON.parse(await tell(ada, { action: 'send', message: 'your note', media: ['note.txt'] }));

	assert.equal(result.ok, true);
	const m = double.visible(ada).find((x) => x.caption === 'your note');

	assert.equal(m.document.file_name, 'note.txt');
	assert.equal(double.visible(ada).filter((x) => x.caption === 'your note').length, 1);
});

test('the tool reacts to the message that it answers, and says what the network cannot', async () => {
	assert.equal(JSON.parse(await tell(ada, { action: 'send', target: '43', message: 'from Ada' })).ok, true);
	assert.equal(double.visible(bob).filter((m) => m.text === 'from Ada').length, 1);
	assert.deepEqual(JSON.parse(await tell(ada, { action: 'react', emoji: '🔥' })), { ok: true, added: '🔥' });
	assert.match(await tell(ada, { action: 'read' }), /read not supported for channel telegram; it can: send, poll/);
	assert.match(await tell(ada, { action: 'send' }), /text or media is required/);
	assert.match(await tell(ada, { action: 'send', message: 'x', media: ['../chela.json'] }), /outside|leads out|not below|workspace/i);
});

test('a button of the tool says its value when it is pressed', async () => {
	assert.equal(JSON.parse(await tell(ada, { action: 'send', message: 'Soup?', buttons: [{ label: 'Yes', value: 'soup' }] })).ok, true);
	const asked = seen('Soup?')[0];

	double.press(ada, asked, asked.reply_markup.inline_keyboard[0][0].callback_data);
	await model.heard.find((x) => x.includes('callback_data: soup'), { what: 'the press' });
});

test('test_threat_message_tool: who is not the owner stays in their own conversation', async () => {
	const operator = await Client.open(gw.url.replace('http', 'ws'), { auth: { token: gw.token } });

	assert.match(await tell(bob, { action: 'send', target: '42', message: 'psst' }), /only turns of the owner act elsewhere/);
	assert.match(await tell(bob, { action: 'delete', messageId: '1' }), /only turns of the owner delete/);
	assert.equal(double.visible(ada).filter((m) => m.text === 'psst').length, 0);
	assert.equal(JSON.parse(await tell(bob, { action: 'send', message: 'hello Bob' })).ok, true);
	assert.equal(double.visible(bob).filter((m) => m.text === 'hello Bob').length, 1);

	/* Their conversation is the owner's too, and holds a stranger's words now: sending elsewhere asks the owner first. */
	const asked = operator.event('plugin.approval.requested');

	double.say(ada, `call ${JSON.stringify({ id: 'm_ask', name: 'message', args: { action: 'send', target: '43', message: 'no' } })}`);
	const { payload } = await asked;

	await operator.call('plugin.approval.resolve', { id: payload.id, decision: 'deny' });
	await until(() => model.double.calls.some((x) => x.body.messages.at(-1).tool_call_id === 'm_ask'), 'the refusal');
	assert.equal(double.visible(bob).filter((m) => m.text === 'no').length, 0);
	operator.terminate();
});

/* -- the command line -- */

test('chela message sends, reacts, edits, deletes and asks', async () => {
	const file = path.join(gw.dir, 'photo.png');
	const run = async (...args) => {
		const r = await gw.cli(['message', ...args, '--json']);

		assert.equal(r.code, 0, r.stderr + r.stdout);
		return JSON.parse(r.stdout);
	};

	writeFileSync(file, Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==', 'base64'));
	const sent = await run('send', '-t', 'telegram:42', '-m', 'from a terminal', '--media', file);

	assert.deepEqual({ ...sent, messageId: '', payload: '' }, { action: 'send', channel: 'telegram', dryRun: false, handledBy: 'plugin',
		messageId: '', payload: '' });
	assert.ok(double.visible(ada).find((m) => m.caption === 'from a terminal').photo);
	const { messageId } = await run('send', '--target', '42', '--message', 'second');

	assert.deepEqual((await run('react', '--target', '42', '--message-id', messageId, '--emoji', '👍')).payload, { ok: true, added: '👍' });
	await run('edit', '--target', '42', '--message-id', messageId, '--message', 'changed');
	assert.equal(seen('changed').length, 1);
	await run('delete', '--target', '42', '--message-id', messageId);
	assert.equal(seen('changed').length, 0);
	await run('poll', '--channel', 'telegram', '--target', '-1001234567890', '--poll-question', 'When?', '--poll-option', 'Now', '--poll-option',
		'Later', '--poll-multi');
	assert.deepEqual(double.visible(room).at(-1).poll.options.map((o) => o.text), ['Now', 'Later']);
	assert.equal((await run('send', '--target', '42', '--message', 'only shown', '--dry-run')).dryRun, true);
	assert.equal(seen('only shown').length, 0);
	const refused = await gw.cli(['message', 'send', '--target', '42', '--channel', '', '--message', 'x']);

	assert.equal(refused.code, 1);
	assert.match(refused.stderr, /--channel is empty/);
	const person = await gw.cli(['message', 'send', '--target', '42', '--message', 'to a person']);

	assert.match(person.stdout, /^sent by telegram, message \d+\n$/);
});
