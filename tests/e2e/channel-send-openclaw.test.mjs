/* channel-send-openclaw.test.mjs - OpenClaw's own `message` command against chela and the Telegram double. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { TelegramDouble } from '../doubles/telegram.mjs';
import { Gateway } from './lib/gateway.mjs';
import { openclaw, openclawHome } from './lib/openclaw.mjs';
import { stopAll } from './lib/wait.mjs';

let double, gw, home, ada;

before(async () => {
	double = await TelegramDouble.start();
	ada = double.user(42, 'Ada');
	gw = await Gateway.start({ config: { agents: { defaults: { model: 'offline/demo' } },
		channels: { telegram: { botToken: double.token, apiRoot: double.url, dmPolicy: 'allowlist', allowFrom: ['42'] } } } });
	/* It looks into its own configuration for the network's name. */
	home = openclawHome(gw, 'local', { channels: { telegram: { botToken: double.token, apiRoot: double.url } } });
});
after(() => stopAll(gw, double));

async function message(...args) {
	const r = await openclaw(gw, home, ['message', ...args, '--channel', 'telegram', '--target', '42', '--json']);

	return { code: r.code, doc: JSON.parse(r.stdout.slice(r.stdout.indexOf('{'))) };
}

test('message send, then react and poll; read names what Telegram can', async () => {
	const sent = await message('send', '--message', 'from **OpenClaw**');

	assert.equal(sent.code, 0, JSON.stringify(sent.doc));
	assert.equal(sent.doc.messageId, String(double.visible(ada)[0].message_id));
	assert.equal(double.visible(ada)[0].text, 'from OpenClaw');
	const [react, poll, read] = await Promise.all([
		message('react', '--message-id', sent.doc.messageId, '--emoji', '👍'),
		message('poll', '--poll-question', 'Which?', '--poll-option', 'This', '--poll-option', 'That'),
		message('read'),
	]);

	assert.deepEqual(react.doc.payload, { ok: true, added: '👍' });
	assert.equal(poll.doc.messageId, String(double.visible(ada).find((m) => m.poll?.question === 'Which?').message_id));
	assert.equal(read.code, 1);
	assert.match(read.doc.error.message, /it can: send, poll, react, edit, delete/);
});
