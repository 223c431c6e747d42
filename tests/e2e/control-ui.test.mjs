/* control-ui.test.mjs - OpenClaw's stock Control UI, served by chela from its npm package, does a streamed turn. */
import assert from 'node:assert/strict';
import { ModelDouble } from '../doubles/model.mjs';
import { gatewayTest } from './lib/gateway.mjs';
import { CHROMIUM, CONTROL_UI, require } from './lib/peers.mjs';

const { chromium } = require('playwright-core');

gatewayTest('the stock Control UI connects and streams a turn', {
	timeout: 120000,
	gateway: async (t) => {
		t.model = await ModelDouble.start();
		t.after(() => t.model.stop());
		return { config: { ...t.model.config, gateway: { controlUi: { root: CONTROL_UI } } } };
	},
}, async (gw, t) => {
	const browser = await chromium.launch({ executablePath: CHROMIUM, headless: true, args: ['--no-sandbox'] });

	try {
		const page = await browser.newPage();
		const problems = [];

		page.on('pageerror', (e) => problems.push(`page error: ${e.message}`));
		page.on('console', (m) => {
			if (m.type() === 'error' && /Content.Security.Policy/i.test(m.text()))
				problems.push(m.text());
		});
		await page.goto(`${gw.url}/chat#token=${gw.token}`);
		const composer = page.locator('textarea:visible, [contenteditable="true"]:visible').first();

		await composer.waitFor({ timeout: 45000 });
		await composer.click();
		await page.keyboard.type('hello from the page');
		await page.keyboard.press('Enter');

		const call = await t.model.next(30000);

		assert.match(call.userText, /hello from the page/);
		call.text('The first words');
		await page.getByText('The first words').first().waitFor({ timeout: 30000 });
		call.text(' and the last ones.');
		call.end();
		await page.getByText('The first words and the last ones.').first().waitFor({ timeout: 30000 });
		assert.ok(!page.url().includes(gw.token), 'the token does not stay in the address');
		assert.deepEqual(problems, []);
	} catch (e) {
		const page = browser.contexts()[0]?.pages()[0];

		if (page)
			console.error(`${page.url()}\n${(await page.locator('body').innerText()).slice(0, 3000)}`);
		throw e;
	} finally {
		await browser.close();
	}
});
