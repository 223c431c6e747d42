/*
 * control-ui-channels.test.mjs - OpenClaw's stock Control UI with a messaging network: its page shows the account, and lets a
 * stranger in and another one not. No request of the page may be refused.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { CHROMIUM, CONTROL_UI, require } from './lib/peers.mjs';
import { TelegramWorld } from './lib/telegram.mjs';
import { stopAll } from './lib/wait.mjs';

const { chromium } = require('playwright-core');

const NAME = 'Bo <img src=x>';
const people = new Map(), refused = [];
let w, d, browser, page;

before(async () => {
	w = await TelegramWorld.start(null, { telegram: { dmPolicy: 'pairing', allowFrom: ['42'] },
		config: { messages: { inbound: { debounceMs: 0 } }, gateway: { controlUi: { root: CONTROL_UI } } } });
	d = w.double;
	browser = await chromium.launch({ executablePath: CHROMIUM, headless: true, args: ['--no-sandbox'] });
	page = await browser.newPage({ viewport: { width: 1400, height: 1000 } });
	page.setDefaultTimeout(30000);
	page.on('websocket', (ws) => {
		const asked = new Map();

		ws.on('framesent', (f) => { const m = JSON.parse(String(f.payload)); asked.set(m.id, m); });
		ws.on('framereceived', (f) => {
			const m = JSON.parse(String(f.payload));

			if (m.type === 'res' && !m.ok)
				refused.push(`${asked.get(m.id)?.method}: ${m.error.code} ${m.error.message}`);
		});
	});
});
after(() => stopAll({ stop: () => browser?.close() }, w));

const request = (id) => page.locator('.channels-pairing-request', { hasText: id });

test('the page of channels shows the account and who asks to write', async () => {
	for (const id of [43, 44]) {
		const who = d.user(id, NAME);

		people.set(id, who);
		d.say(who, 'hello');
		await d.reply(who, () => true);
	}
	await page.goto(`${w.gw.url}/chat#token=${w.gw.token}`);
	await page.locator('textarea:visible, [contenteditable="true"]:visible').first().waitFor({ timeout: 45000 });
	await page.evaluate(() => {
		history.pushState({}, '', '/settings/channels');
		dispatchEvent(new PopStateEvent('popstate'));
	});
	await page.getByText('Connected channels').first().waitFor();
	await page.getByText('Running').first().waitFor();
	await request('43').waitFor();
	await request('44').waitFor();
	assert.equal(await page.locator('img[src="x"]').count(), 0);
});

/* Presses a request's button, and the same one of the dialog that explains it. */
async function decide(id, verb) {
	await request(id).getByRole('button', { name: verb }).click();
	const dialog = page.locator('.channels-pairing-dialog');

	await dialog.waitFor();
	/* Approving: tell them, and make them the owner. */
	for (const box of await dialog.getByRole('checkbox').all())
		await box.check();
	await dialog.locator('button.primary, button.danger').last().click();
	await request(id).waitFor({ state: 'detached' });
}

test('one is let in, the other is dismissed', async () => {
	await decide('43', 'Approve');
	await d.reply(people.get(43), (m) => /approved/i.test(m.text ?? ''));
	await w.round(people.get(43), 'thank you m-1');
	await decide('44', 'Dismiss');
	const c = await w.gw.connect();
	const { requests, commandOwnerConfigured } = await c.call('channels.pairing.list', {});

	await c.close();
	assert.deepEqual({ requests, commandOwnerConfigured }, { requests: [], commandOwnerConfigured: true });
	assert.deepEqual(refused, []);
});
