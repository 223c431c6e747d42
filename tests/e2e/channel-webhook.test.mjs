/*
 * channel-webhook.test.mjs - the gateway's own door for webhooks: which requests it takes, how many, how large, and that it opens
 * nothing else. What a network checks of them is in that network's test.
 */
import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, test } from 'node:test';
import { freePort } from './lib/proc.mjs';
import { TelegramWorld } from './lib/telegram.mjs';

const SECRET = 'door-canary_0123456789', PATH = '/telegram-webhook';
let w, c;

before(async () => {
	w = await TelegramWorld.start(null, { telegram: { webhookUrl: `https://bot.example.org${PATH}`, webhookSecret: SECRET,
		webhookPort: await freePort() } });
	await w.double.call('setWebhook');
	c = await w.gw.connect();
});
after(async () => {
	c?.terminate();
	await w?.stop();
});

/* body: what is sent; length: what is announced. */
function ask({ method = 'POST', path = PATH, headers = {}, body = '{}', length = Buffer.byteLength(body) } = {}) {
	return new Promise((resolve, reject) => {
		const req = http.request({ host: '127.0.0.1', port: w.gw.port, path, method, agent: false,
			headers: { 'x-telegram-bot-api-secret-token': SECRET, 'content-length': length, ...headers } }, (res) => {
			res.resume().on('end', () => resolve({ status: res.statusCode, headers: res.headers }));
		});

		req.on('error', reject);
		req.flushHeaders();
		if (body.length === length)
			req.end(body);
	});
}
const status = async (o) => (await ask(o)).status;

/* Does it, and waits until the account has begun anew: what is asked meanwhile would count for the limit. */
async function begunAnew(doing) {
	const from = w.double.requests.items.length;

	await doing();
	await w.double.requests.find((r) => r.method === 'setWebhook', { from, what: 'the account to begin anew' });
}

test('only POST to exactly the path, under any name of the machine', async () => {
	assert.equal(await status(), 400);                                            /* the network looked at it: no update */
	assert.equal(await status({ headers: { host: 'bot.example.org' } }), 400);
	assert.equal(await status({ headers: { host: 'bot.example.org', 'x-forwarded-for': '203.0.113.9' } }), 400);
	assert.equal(await status({ path: `${PATH}/` }), 405);
	assert.equal(await status({ path: `${PATH.toUpperCase()}` }), 405);
	assert.equal(await status({ path: `${PATH}x` }), 405);
	assert.equal(await status({ method: 'PUT' }), 405);
	assert.equal(await status({ path: '/healthz', headers: { host: 'bot.example.org' } }), 403);
});

test('test_threat_dos_webhook_bodies_are_capped', async () => {
	assert.equal(await status({ length: (1 << 20) + 1 }), 413);                  /* before a byte of it came */
	assert.equal(await status({ body: 'x'.repeat(1 << 20) }), 400);
});

test('test_threat_spoofing_a_webhook_path_opens_no_route_of_ours', async () => {
	const telegram = { ...w.gw.config.channels.telegram, webhookPath: '/tools/invoke' };

	await begunAnew(() => w.gw.writeConfig({ ...w.gw.config, channels: { ...w.gw.config.channels, telegram } }));
	assert.equal(await status(), 405);
	assert.ok([401, 403].includes(await status({ path: '/tools/invoke', body: '{"tool":"read","args":{}}' })));
	assert.equal(await status({ path: '/tools/invoke', headers: { host: 'bot.example.org' } }), 403);
	await begunAnew(() => w.gw.writeConfig({ ...w.gw.config, channels: { ...w.gw.config.channels, telegram: { ...telegram, webhookPath: PATH } } }));
	assert.equal(await status(), 400);
});

test('a stopped account: 503, the platform comes again', async () => {
	await c.call('channels.stop', { channel: 'telegram' });
	const r = await ask();

	assert.equal(r.status, 503);
	assert.equal(r.headers['retry-after'], '5');
	assert.equal(r.headers['x-openclaw-delivery-accepted'], undefined);
	await begunAnew(() => c.call('channels.start', { channel: 'telegram' }));
	assert.equal(await status(), 400);
});

test('test_threat_dos_too_many_webhooks', async () => {
	const seen = {};

	for (let i = 0; i < 130; i++) {
		const s = await status();

		seen[s] = (seen[s] ?? 0) + 1;
	}
	assert.ok(seen[429] > 0 && (seen[400] ?? 0) <= 120, JSON.stringify(seen));
	const r = await ask({ length: 100000 });                                      /* its body never comes */

	assert.equal(r.status, 429);
	assert.ok(Number(r.headers['retry-after']) > 0 && Number(r.headers['retry-after']) <= 60);
	assert.equal((await w.gw.http('/healthz')).status, 200);                      /* others are served */
});
