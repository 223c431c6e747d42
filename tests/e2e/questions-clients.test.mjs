/*
 * questions-clients.test.mjs - the stock Control UI in Chromium shows an agent's question and takes the answer,
 * and asks no more when somebody else was faster.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ModelDouble } from '../doubles/model.mjs';
import { Gateway } from './lib/gateway.mjs';
import { CHROMIUM, CONTROL_UI, require } from './lib/peers.mjs';
import { stopAll } from './lib/wait.mjs';

const { chromium } = require('playwright-core');
const KEY = 'agent:main:main';
let gw, model, c, browser, page;

before(async () => {
	model = await ModelDouble.start();
	gw = await Gateway.start({ config: { ...model.config, gateway: { controlUi: { root: CONTROL_UI } } } });
	c = await gw.connect();
	browser = await chromium.launch({ executablePath: CHROMIUM, headless: true, args: ['--no-sandbox'] });
	page = await browser.newPage();
	await page.goto(`${gw.url}/chat#token=${gw.token}`);
	await page.locator('textarea:visible, [contenteditable="true"]:visible').first().waitFor({ timeout: 45000 });
}, { timeout: 120000 });
after(async () => {
	c?.terminate();
	await stopAll({ stop: () => browser?.close() }, gw, model);
});

test('the Control UI shows a question and takes the answer', async () => {
	await c.call('chat.send', { sessionKey: KEY, message: 'deploy it', idempotencyKey: 'r1' });
	(await model.next()).tool('c1', 'ask_user', { questions: [{ id: 'target', header: 'Target', question: 'Where does the zebra go?',
		options: [{ label: 'Meadow' }, { label: 'Mountain' }] }] }).end('tool_calls');
	await page.getByText('Where does the zebra go?').locator('visible=true').first().waitFor({ timeout: 30000 });
	await page.getByText('Mountain').locator('visible=true').first().click({ timeout: 30000 });
	await page.getByRole('button', { name: 'Submit', exact: true }).locator('visible=true').first().click({ timeout: 30000 });
	const next = await model.next();

	assert.deepEqual(JSON.parse(next.toolResults.at(-1).content).answers.answers, { target: ['Mountain'] });
	next.text('To the mountain.').end();
	await c.runEnd('r1');
});

test('an answer from elsewhere takes the panel away', async () => {
	const from = c.frames.items.length;

	await c.call('chat.send', { sessionKey: KEY, message: 'and the yak?', idempotencyKey: 'r2' });
	(await model.next()).tool('c2', 'ask_user', { questions: [{ id: 'yak', header: 'Yak', question: 'Where does the yak go?',
		options: [{ label: 'Barn' }, { label: 'Field' }] }] }).end('tool_calls');
	const { id } = (await c.event('question.requested', () => true, { from })).payload;
	const submit = page.getByRole('button', { name: 'Submit', exact: true }).locator('visible=true').first();

	await submit.waitFor({ timeout: 30000 });
	await c.call('question.resolve', { id, answers: { answers: { yak: ['Barn'] } } });
	(await model.next()).text('To the barn.').end();
	await c.runEnd('r2');
	await submit.waitFor({ state: 'hidden', timeout: 30000 });
});
