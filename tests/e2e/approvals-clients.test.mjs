/*
 * approvals-clients.test.mjs - OpenClaw's own clients show and answer approvals of chela: the stock Control UI in
 * Chromium, its approval page, its command line.
 */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { Obedient, callTool } from './lib/exec.mjs';
import { Gateway } from './lib/gateway.mjs';
import { openclaw, openclawHome } from './lib/openclaw.mjs';
import { CHROMIUM, CONTROL_UI, require } from './lib/peers.mjs';
import { stopAll } from './lib/wait.mjs';

const { chromium } = require('playwright-core');
const key = 'agent:main:main';
const ANSWER_MS = 90000;                 /* the page shows it, and somebody presses */
let gw, model, c, browser, page;

before(async () => {
	model = await Obedient.start();
	const { agents, ...rest } = model.double.config;

	gw = await Gateway.start({ config: { ...rest, gateway: { controlUi: { root: CONTROL_UI } }, tools: { exec: { mode: 'ask' } },
		agents: { defaults: { ...agents.defaults, skipBootstrap: true, sandbox: { mode: 'off' } } } } });
	c = await gw.connect({ caps: ['tool-events'] });
	browser = await chromium.launch({ executablePath: CHROMIUM, headless: true, args: ['--no-sandbox'] });
	page = await browser.newPage();
	await page.goto(`${gw.url}/chat#token=${gw.token}`);
	await page.locator('textarea:visible, [contenteditable="true"]:visible').first().waitFor({ timeout: 45000 });
}, { timeout: 120000 });
after(async () => {
	c?.terminate();
	await stopAll({ stop: () => browser?.close() }, gw, model);
});

const ask = async (command) => (await c.call('exec.approval.request', { command, host: 'gateway', sessionKey: key, twoPhase: true })).id;
const decided = async (id) => (await c.call('exec.approval.waitDecision', { id })).decision;
/* The page repeats the text in a tooltip that is not shown. */
const shown = (p, text) => p.getByText(text).locator('visible=true').first();
const seen = (text, p = page) => shown(p, text).waitFor({ timeout: 30000 });
const gone = (text) => shown(page, text).waitFor({ state: 'hidden', timeout: 30000 });
const press = (name, p = page) => p.getByRole('button', { name, exact: true }).locator('visible=true').first().click({ timeout: 30000 });

test('the Control UI shows a command and takes the answer', async () => {
	const file = (name) => path.join(gw.state, 'workspace', name);
	const allowed = callTool(c, 'exec', { command: 'touch zebra' }, { key, ms: ANSWER_MS });

	await seen('touch zebra');
	assert.ok(!existsSync(file('zebra')));
	await press('Allow once');
	assert.equal((await allowed).isError, false);
	assert.ok(existsSync(file('zebra')));
	const denied = callTool(c, 'exec', { command: 'touch yak' }, { key, ms: ANSWER_MS });

	await seen('touch yak');
	await press('Deny');
	assert.match((await denied).text, /user-denied/);
	assert.ok(!existsSync(file('yak')));
});

test('an answer from elsewhere takes the card away', async () => {
	const id = await ask('touch wombat');

	await seen('touch wombat');
	assert.equal((await gw.cli(['approvals', 'deny', id])).code, 0);
	await gone('touch wombat');
});

test('a page that is opened later shows what waits', async () => {
	const id = await ask('touch viper');
	const other = await browser.newPage();

	try {
		await other.goto(`${gw.url}/chat#token=${gw.token}`);
		await seen('touch viper', other);
		await seen('touch viper');
		await press('Allow once', other);
		assert.equal(await decided(id), 'allow-once');
		await gone('touch viper');
	} finally {
		await other.close();
	}
});

test('the page of one approval, and the history', async () => {
	const id = await ask('touch urchin');

	await page.goto(`${gw.url}/approve/${id}`);
	await seen('touch urchin');
	await press('Deny');
	assert.equal(await decided(id), 'deny');
	await page.goto(`${gw.url}/settings/approvals`);
	await seen('touch urchin');
	await seen('touch zebra');
});

/* Each takes seconds to start: side by side. */
test('the openclaw command line lists and answers', async () => {
	const waits = await ask('touch tapir'), answered = await ask('touch swan'), late = await ask('touch rook');
	const approvals = (...args) => openclaw(gw, openclawHome(gw, 'local', {}, `${args[0]}-${args[1]}`), ['approvals', ...args]);

	await c.call('exec.approval.resolve', { id: late, decision: 'deny' });
	const [list, done, refused] = await Promise.all([approvals('pending', '--json'), approvals('resolve', answered, 'allow-once'),
		approvals('resolve', late, 'allow-once')]);

	assert.equal(list.code, 0, list.stderr);
	assert.equal(JSON.parse(list.stdout).approvals.find((a) => a.id === waits).summary, 'touch tapir');
	assert.equal(done.code, 0, done.stderr);
	assert.match(done.stdout, /resolved allow-once/);
	assert.equal(await decided(answered), 'allow-once');
	assert.notEqual(refused.code, 0);
	assert.match(`${refused.stdout}${refused.stderr}`, /already resolved with deny/);
});
