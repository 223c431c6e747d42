/*
 * control-ui-sessions.test.mjs - OpenClaw's stock Control UI with sessions: rewind and edit a message, open a new session, see
 * both in the list. No request of the page may be refused.
 */
import assert from 'node:assert/strict';
import { ModelDouble } from '../doubles/model.mjs';
import { gatewayTest } from './lib/gateway.mjs';
import { CHROMIUM, CONTROL_UI, require } from './lib/peers.mjs';
import { until } from './lib/wait.mjs';

const { chromium } = require('playwright-core');

/* What the page asked, in the order of the answers; refusals with their reason. */
function listen(page) {
	const asked = new Map(), refused = [], answered = [], ended = [];
	const parse = (f) => { try { return JSON.parse(f.payload); } catch { return {}; } };

	page.on('websocket', (ws) => {
		ws.on('framesent', (f) => { const m = parse(f); if (m.type === 'req') asked.set(m.id, m); });
		ws.on('framereceived', (f) => {
			const m = parse(f), req = asked.get(m.id);

			if (m.event === 'chat' && m.payload.state === 'final')
				ended.push(m.payload.runId);
			if (m.type === 'res')
				answered.push(req?.method);
			if (m.type === 'res' && !m.ok)
				refused.push(`${req?.method} ${JSON.stringify(req?.params)}: ${m.error.code} ${m.error.message}`);
		});
	});
	return { refused, answered, ended };
}

gatewayTest('the stock Control UI rewinds, edits, starts and lists sessions', {
	timeout: 180000,
	gateway: async (t) => {
		t.model = await ModelDouble.start();
		t.after(() => t.model.stop());
		return { config: { ...t.model.config, gateway: { controlUi: { root: CONTROL_UI } } } };
	},
}, async (gw, t) => {
	let seen = { refused: [] };
	const browser = await chromium.launch({ executablePath: CHROMIUM, headless: true, args: ['--no-sandbox'] });

	try {
		const page = await browser.newPage({ viewport: { width: 1400, height: 900 } });

		seen = listen(page);
		const composer = () => page.locator('textarea:visible, [contenteditable="true"]:visible').first();
		const answer = async (text) => {
			const call = await t.model.next(30000), turns = seen.ended.length;

			call.text(text);
			call.end();
			await page.getByText(text).first().waitFor({ timeout: 30000 });
			/* The words are there before the turn is over. */
			await until(() => seen.ended.length > turns, 'the page to hear of the end');
			return call;
		};
		const say = async (text, reply) => {
			await composer().click();
			await page.keyboard.type(text);
			await page.keyboard.press('Enter');
			return answer(reply);
		};

		await page.goto(`${gw.url}/chat#token=${gw.token}`);
		await composer().waitFor({ timeout: 45000 });
		await say('the first question', 'The first answer.');
		await say('the second question', 'The second answer.');

		/* Back to before the second question: it stands in the composer, to be said otherwise. */
		await page.getByText('the second question').last().hover();
		await page.getByRole('button', { name: 'Rewind' }).last().click();
		await page.getByRole('button', { name: 'Rewind', exact: true }).last().click();
		await page.getByText('The second answer.').first().waitFor({ state: 'detached', timeout: 30000 });
		await page.waitForFunction(() => [...document.querySelectorAll('textarea')].some((e) => e.value === 'the second question'),
			undefined, { timeout: 30000 });
		/* It may send when it knows where the conversation ends now. */
		await until(() => seen.answered.lastIndexOf('chat.history') > seen.answered.indexOf('sessions.rewind'),
			'the page to read the history again');
		await composer().fill('the second question, better');
		await page.keyboard.press('Enter');
		const call = await answer('The better answer.');
		const asked = call.body.messages.filter((m) => m.role === 'user').map((m) => typeof m.content === 'string' ? m.content : m.content[0].text);

		assert.deepEqual(asked, ['the first question', 'the second question, better']);
		const c = await gw.connect();
		const { branches } = await c.call('sessions.branches.list', { sessionKey: 'agent:main:main' });

		assert.deepEqual(branches.map((b) => [b.headline, b.active]), [['The better answer.', true], ['The second answer.', false]]);

		await page.goto(`${gw.url}/new`);
		await composer().waitFor({ timeout: 45000 });
		await say('something new', 'A fresh answer.');
		await page.goto(`${gw.url}/sessions`);
		await page.getByText('1-2 of 2 rows').first().waitFor({ timeout: 30000 });
		assert.deepEqual(seen.refused, []);
		await c.close();
	} catch (e) {
		const page = browser.contexts()[0]?.pages()[0];

		if (page)
			console.error(`${page.url()}\n${seen.refused.join('\n')}\n${(await page.locator('body').innerText()).slice(0, 3000)}`);
		throw e;
	} finally {
		await browser.close();
	}
});
