/* Telegram by webhook: the secret, replays, both doors; and what strangers try. */
import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, test } from 'node:test';
import { freePort } from './lib/proc.mjs';
import { TelegramWorld } from './lib/telegram.mjs';
import { until } from './lib/wait.mjs';

const SECRET = 'hook-canary_0123456789';
const ADA = 42, EVE = 66, LAB = -1001;
let w, d, ada, eve, lab, port;

before(async () => {
	port = await freePort();
	w = await TelegramWorld.start(null, { telegram: { webhookUrl: 'https://bot.example.org/telegram-webhook', webhookSecret: SECRET, webhookPort: port,
		dmPolicy: 'allowlist', allowFrom: [String(ADA)], groupAllowFrom: [String(ADA)], groups: { [LAB]: { requireMention: false } },
		streaming: { mode: 'off' } }, config: { messages: { inbound: { debounceMs: 0 } } } });
	d = w.double;
	d.hookTarget = `http://127.0.0.1:${port}/telegram-webhook`;
	ada = d.user(ADA, 'Ada');
	eve = d.user(EVE, 'Eve', { username: String(ADA) });
	lab = d.group(LAB, 'Lab');
	await d.call('setWebhook');
});

after(() => w?.stop());

const update = (from, text, chat = from) => ({ update_id: 900000 + Math.floor(Math.random() * 90000), message: d.message(chat, from, { text }) });
const doors = () => [`http://127.0.0.1:${port}/telegram-webhook`, `${w.gw.url}/telegram-webhook`];

test('the address is told with its secret and the kinds of updates', () => {
	const { params } = d.calls('setWebhook')[0];

	assert.equal(params.url, 'https://bot.example.org/telegram-webhook');
	assert.equal(params.secret_token, SECRET);
	assert.ok(params.allowed_updates.includes('message_reaction'));
	assert.equal(d.calls('getUpdates').length, 0);
	assert.equal(d.calls('deleteWebhook').length, 0);
});

test('a message by webhook is answered, 200 says that it is kept', async () => {
	await w.round(ada, 'hello m-hook');
	const { item } = await d.hookAnswers.find(() => true, { what: 'the answer to the webhook' });

	assert.equal(item.status, 200);
	assert.equal(item.durable, 'durable');
	assert.equal(item.text, '');
});

test('the same path on the gateway takes it too', async () => {
	const r = await d.postUpdate(update(ada, 'by the gateway m-gwp'), SECRET, doors()[1]);

	assert.equal(r.status, 200);
	assert.equal(r.durable, 'durable');
	await d.reply(ada, (m) => m.text === 're m-gwp');
});

test('test_threat_spoofing_forged_secret', async () => {
	const before = w.heard.length;

	for (const url of doors())
		for (const secret of [undefined, '', 'wrong', SECRET.slice(0, -1), `${SECRET}x`, SECRET.toUpperCase()]) {
			const r = await d.postUpdate(update(ada, 'forged'), secret, url);

			assert.ok(r.status === 401 || r.status === 403, `${url} with ${secret}: ${r.status}`);
			assert.equal(r.durable, null);
		}
	await w.round(ada, 'after the forgeries m-frg');
	assert.equal(w.heard.length, before + 1);
});

test('test_threat_dos_a_stranger_is_refused_before_the_body', async () => {
	const status = await new Promise((resolve, reject) => {
		const req = http.request({ host: '127.0.0.1', port, path: '/telegram-webhook', method: 'POST',
			headers: { 'content-length': 900000, 'content-type': 'application/json' } }, (res) => resolve(res.statusCode));

		req.on('error', reject);
		req.flushHeaders();              /* the body never comes */
	});

	assert.equal(status, 401);
});

test('test_threat_replay_an_update_counts_once', async () => {
	const u = update(ada, 'only once m-rpl');

	for (const url of [...doors(), ...doors(), ...doors()])
		assert.equal((await d.postUpdate(u, SECRET, url)).status, 200);
	await d.reply(ada, (m) => m.text === 're m-rpl');
	await w.round(ada, 'and on m-rp2');
	assert.equal(d.texts(ada).filter((t) => t === 're m-rpl').length, 1);
});

test('nonsense with the right secret is refused and does no harm', async () => {
	for (const body of ['', '{', '[]', '{"update_id":"x"}', 'null', '"'.repeat(1000)]) {
		const r = await fetch(doors()[0], { method: 'POST', body, headers: { 'x-telegram-bot-api-secret-token': SECRET } });

		assert.equal(r.status, 400, body);
	}
	assert.equal((await fetch(doors()[0], { headers: { 'x-telegram-bot-api-secret-token': SECRET } })).status, 405);
	assert.equal((await fetch(`http://127.0.0.1:${port}/healthz`)).status, 200);
	assert.equal((await fetch(`http://127.0.0.1:${port}/other`, { headers: { 'x-telegram-bot-api-secret-token': SECRET } })).status, 404);
});

test('test_threat_spoofing_names_ids_of_groups_and_buttons', async () => {
	const before = w.heard.length;

	d.say(eve, 'my name is 42 m-eve');                                   /* a username that looks like an allowed id */
	d.say({ ...eve, first_name: '42', username: 'telegram:42' }, 'again');
	d.say({ id: 1087968824, is_bot: true, first_name: 'Group' }, 'as the group', { chat: lab, sender_chat: lab });
	d.say({ ...ada, id: EVE }, 'same name, other id', { chat: lab });
	const id = d.press(eve, d.message(lab, d.me, { text: 'card' }), 'approve');

	await d.answered.find((x) => x.id === id, { what: 'the press to be acknowledged' });
	await w.round(ada, 'me m-spf');
	assert.equal(w.heard.length, before + 1);
	assert.deepEqual(d.texts(eve), []);
	assert.deepEqual(d.texts(lab), []);
});

test('test_threat_secrets_stay_out_of_logs_and_status', async () => {
	const c = await w.gw.connect();

	d.fail('sendMessage', '401');
	d.fail('getMe', 'cut');
	d.say(ada, 'an error m-err');
	const status = JSON.stringify(await c.call('channels.status', { probe: true }));
	const seen = [status, JSON.stringify(await c.call('config.get')), JSON.stringify(await c.call('logs.tail')), w.gw.log(), w.gw.logFile()].join('\n');

	await until(() => d.calls('sendMessage').some((r) => (r.params.text ?? '').includes('m-err')), 'the reply to be tried');
	for (const secret of [d.token, d.token.split(':')[1], SECRET])
		assert.ok(!(seen + w.gw.logFile()).includes(secret), 'a secret shows');
	await c.close();
});

test('the client said nothing that the Bot API does not have', () => {
	assert.deepEqual(d.problems, []);
});
