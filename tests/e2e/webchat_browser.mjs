/*
 * webchat_browser.mjs - a headless Chromium for the page, that notices what a person would not: errors on the
 * console, requests to other places, and policy violations.
 */
import { CHROMIUM, require } from './lib/peers.mjs';
import { DEADLINE_MS } from './lib/wait.mjs';

const { chromium, devices } = require('playwright-core');

export const PHONE = devices['iPhone 13'];

export async function launch() {
	const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--force-color-profile=srgb'] });

	return {
		close: () => browser.close(),
		/* A fresh profile and its page; `seen` collects what should not happen. */
		async open(options = {}) {
			const context = await browser.newContext({ viewport: { width: 1180, height: 760 }, permissions: ['clipboard-read', 'clipboard-write'], ...options });
			const page = await context.newPage();
			const seen = { errors: [], requests: [], sockets: [] };

			page.on('console', (m) => { if (m.type() === 'error' || /Content Security Policy/.test(m.text())) seen.errors.push(m.text()); });
			page.on('pageerror', (e) => seen.errors.push(String(e)));
			page.on('request', (r) => seen.requests.push(r.url()));
			page.on('websocket', (s) => seen.sockets.push(s.url()));
			page.setDefaultTimeout(DEADLINE_MS);
			return { context, page, seen };
		},
	};
}

export const words = {
	composer: (page) => page.getByRole('textbox', { name: 'Message' }),
	last: (page) => page.locator('.entry').last(),
};

export async function say(page, text) {
	await words.composer(page).fill(text);
	await page.getByRole('button', { name: 'Send' }).click();
}
