/*
 * control-ui-pages.test.mjs - every page of OpenClaw's stock Control UI, served by chela: none shows an error, no
 * script fails, and no request of a page is refused but those that EXPECTED names with a reason.
 */
import assert from 'node:assert/strict';
import { gatewayTest } from './lib/gateway.mjs';
import { CHROMIUM, CONTROL_UI, require } from './lib/peers.mjs';
import { until } from './lib/wait.mjs';

const { chromium } = require('playwright-core');

const PAGES = [
	'/chat/main', '/new', '/sessions', '/automations', '/agents', '/logs', '/debug', '/usage', '/tasks', '/activity', '/dashboards',
	'/systems', '/apps', '/worktrees', '/skills', '/skills/workshop', '/plugins', '/portals', '/meetings',
	...['devices', 'channels', 'agents', 'connection', 'advanced', 'security', 'secrets', 'approvals', 'appearance', 'notifications',
		'automation', 'memory', 'labs', 'about', 'updates', 'model-providers', 'model-setup', 'profile', 'plugins', 'skills', 'talk',
		'cloud-workers', 'device', 'search'].map((p) => `/settings/${p}`),
	...['files', 'tools', 'skills', 'channels', 'cron'].map((p) => `/settings/agents/main/${p}`),
];

/* Requests that may be refused: the method, and why. */
const EXPECTED = {
	'config.schema.lookup': 'the memory page asks for the settings of a plugin, and there are no plugins',
};
/* What a page shows as wrong and is true: the page, the words. */
const TRUE_WORDS = {
	'/automations': /^div\.cron-error-banner: Scheduler disabled\s+The scheduler is stopped\.$/,
	'/settings/memory': /: this version has no memory index$|settings-status--danger: Unavailable$/,
	'/settings/profile': /: No credentials$/,
	'/settings/agents/main/tools': /: No credentials$/,
};

/* What the page shows as gone wrong; open shadow roots included. */
const shownErrors = () => {
	const out = [];
	const walk = (root) => {
		for (const el of root.querySelectorAll('*')) {
			if (el.shadowRoot)
				walk(el.shadowRoot);
			const classes = String(el.className?.baseVal ?? el.className ?? '');
			const isError = el.getAttribute('role') === 'alert' || /\b(danger|[\w-]*toast--error|[\w-]*-error|[\w-]*__error)\b/.test(classes);
			const text = isError && el.checkVisibility() ? el.innerText?.trim() : '';

			if (text)
				out.push(`${el.tagName.toLowerCase()}.${classes}: ${text.slice(0, 200)}`);
		}
	};

	walk(document);
	return out;
};

/* Watches a page's socket: what is asked, and what was refused. */
function watch(page) {
	const seen = { open: new Map(), refused: [], problems: [], at: Date.now() };
	const over = (r) => {
		seen.open.delete(r);
		seen.at = Date.now();
	};

	/* The script of a page comes when it is first opened. */
	page.on('request', (r) => seen.open.set(r, null));
	page.on('requestfinished', over);
	page.on('requestfailed', over);

	page.on('pageerror', (e) => seen.problems.push(`script: ${e.message}`));
	page.on('console', (m) => {
		if (m.type() === 'error' && /Content.Security.Policy/i.test(m.text()))
			seen.problems.push(m.text());
	});
	page.on('websocket', (ws) => {
		const frame = (payload, on) => {
			const j = JSON.parse(String(payload));

			seen.at = Date.now();
			on(j);
		};

		ws.on('framesent', (f) => frame(f.payload, (j) => j.type === 'req' && seen.open.set(j.id, j)));
		ws.on('framereceived', (f) => frame(f.payload, (j) => {
			const asked = j.type === 'res' && seen.open.get(j.id);

			if (!asked)
				return;
			seen.open.delete(j.id);
			if (!j.ok && !EXPECTED[asked.method])
				seen.refused.push(`${asked.method} ${JSON.stringify(asked.params)}: ${j.error.code} ${j.error.message}`);
		}));
	});
	return seen;
}

/* Nothing asked is unanswered, nothing has been said for a moment, and all of it is drawn. */
async function settled(page, seen) {
	for (let at = 0; at !== seen.at;) {
		await until(() => seen.open.size === 0 && Date.now() - seen.at > 500, () => `the page to settle; it waits for ${[...seen.open].map(([r, j]) => j?.method ?? r.url())}`);
		at = seen.at;
		await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
	}
}

/* Opens pages one after the other; most of the time of each is waiting for it to settle. */
async function visit(t, gw, browser, pages) {
	const page = await browser.newPage({ viewport: { width: 1400, height: 900 } });
	const seen = watch(page);

	await page.goto(`${gw.url}/chat#token=${gw.token}`);
	await page.locator('textarea:visible, [contenteditable="true"]:visible').first().waitFor({ timeout: 45000 });
	for (const where of pages)
		await t.test(where, async () => {
			seen.refused = [];
			seen.problems = [];
			await page.evaluate((to) => {
				history.pushState({}, '', to);
				dispatchEvent(new PopStateEvent('popstate'));
			}, where);
			seen.at = Date.now();
			await settled(page, seen);
			assert.deepEqual(seen.refused, [], 'refused requests');
			assert.deepEqual(seen.problems, [], 'failing scripts');
			const shown = await page.evaluate(shownErrors);

			assert.deepEqual(shown.filter((s) => !TRUE_WORDS[where]?.test(s)), [], 'errors shown');
		});
}

gatewayTest('the stock Control UI opens every page without an error', {
	timeout: 300000,
	concurrency: true,
	gateway: () => ({ config: { gateway: { controlUi: { root: CONTROL_UI } } } }),
}, async (gw, t) => {
	const browser = await chromium.launch({ executablePath: CHROMIUM, headless: true, args: ['--no-sandbox'] });

	try {
		await Promise.all([0, 1].map((n) => t.test(`in window ${n + 1}`, (w) =>
			visit(w, gw, browser, PAGES.filter((_, i) => i % 2 === n)))));
	} finally {
		await browser.close();
	}
});
