/*
 * webchat_picture.mjs - makes docs/webchat.png: the page as the built gateway serves it, with its built-in model.
 *
 *   node tests/e2e/webchat_picture.mjs [OUT.png] [light|dark] [phone]
 */
import path from 'node:path';
import { Gateway } from './lib/gateway.mjs';
import { ROOT } from './lib/peers.mjs';
import { launch, PHONE, say, words } from './webchat_browser.mjs';

const [out = path.join(ROOT, 'docs/webchat.png'), colorScheme = 'light', device] = process.argv.slice(2);
const CHATS = ['Garden watering schedule', 'Letter to the landlord', 'Tide tables for the bay'];
const gw = await Gateway.start();
const browser = await launch();

try {
	const c = await gw.connect();

	for (const [i, name] of CHATS.entries()) {
		const key = `agent:main:dashboard:0000000${i}-0000-4000-8000-000000000000`;

		await c.call('sessions.create', { key, label: name });
	}
	const frame = device === 'phone' ? PHONE : { viewport: { width: 1180, height: 740 }, deviceScaleFactor: 1.5 };
	const { page } = await browser.open({ ...frame, colorScheme });
	const turn = async (text, n) => {
		await say(page, text);
		await page.locator('.reply .meta').nth(n).waitFor();
	};

	await page.goto(`${gw.url}/#token=${gw.token}`);
	await words.composer(page).waitFor();
	await page.locator('.welcome').waitFor();
	await turn('write notes.md: Ask the harbour office about the mooring', 0);
	await turn('List the files', 1);
	await turn('read notes.md', 2);
	await c.call('sessions.patch', { key: 'agent:main:main', label: 'Harbour notes' });
	await page.locator('.tool').last().getByRole('button').first().click();
	await page.mouse.move(0, 0);
	await page.locator('.scroller').evaluate((e) => { e.scrollTop = e.scrollHeight; });
	await page.waitForTimeout(400);
	await page.screenshot({ path: out });
	await c.close();
} finally {
	await browser.close();
	await gw.stop();
}
