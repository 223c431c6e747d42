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
import { Gateway } from './lib/gateway.mjs';

let double, gw, c, ada, room;

before(async () => {
	double = await TelegramDouble.start();
	ada = double.user(42, 'Ada', { username: 'ada_l' });
	room = double.group(-1001234567890, 'Room', { isForum: true });
	gw = await Gateway.start({ config: {
		agents: { defaults: { model: 'offline/demo' } },
		channels: { telegram: { botToken: double.token, apiRoot: double.url, dmPolicy: 'allowlist', allowFrom: ['42'] } },
	} });
	double.say(ada, '/start');
	c = await Client.open(gw.url.replace('http', 'ws'), { auth: { token: gw.token } });
	await double.call('getUpdates');
});
after(async () => {
	c.terminate();
	await gw.stop();
	await double.stop();
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
