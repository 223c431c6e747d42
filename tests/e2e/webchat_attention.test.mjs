/*
 * The page with something that waits for its person: approvals, questions, a plan; answered there, elsewhere, or too late.
 */
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { Gateway } from './lib/gateway.mjs';
import { stopAll } from './lib/wait.mjs';
import { launch, PHONE, words } from './webchat_browser.mjs';

const KEY = 'agent:main:main';
let browser, gw, asker, opened = [];

before(async () => { browser = await launch(); });
after(() => browser?.close());
beforeEach(async () => {
	gw = await Gateway.start();
	asker = await gw.connect();
});
afterEach(async () => {
	await stopAll(...opened.splice(0).map((o) => ({ stop: () => o.context.close() })), { stop: () => asker?.close() }, gw);
});

async function enter(options) {
	const o = await browser.open(options);

	opened.push(o);
	await o.page.goto(`${gw.url}/#token=${gw.token}`);
	await words.composer(o.page).waitFor();
	await o.page.locator('.welcome, .entry').first().waitFor();
	return o;
}

const card = (page) => page.locator('.approval');

async function askFor(command, more = {}) {
	const { id } = await asker.call('exec.approval.request', { command, commandArgv: ['/bin/sh', '-c', command], cwd: '/tmp', host: 'gateway',
		sessionKey: KEY, agentId: 'main', twoPhase: true, ...more });

	return { id, decision: asker.call('exec.approval.waitDecision', { id }) };
}

test('an approval is shown whole, allowed once, and goes', async () => {
	const { page, seen } = await enter();
	const command = `printf '%s' "start ${'x'.repeat(3000)} end" | sh`;
	const { decision } = await askFor(command);

	await card(page).waitFor();
	assert.equal(await card(page).locator('pre').innerText(), command);
	assert.notEqual(await page.evaluate(() => document.activeElement?.textContent), 'Allow once');
	await card(page).getByRole('button', { name: 'Allow once' }).click();
	assert.equal((await decision).decision, 'allow-once');
	await card(page).waitFor({ state: 'detached' });
	assert.deepEqual(seen.errors, []);
});

test('hidden characters of a command are seen, and Deny denies', async () => {
	const { page } = await enter();
	const { decision } = await askFor('echo a\u202etxt.sh\u200b');

	assert.match(await card(page).locator('pre').innerText(), /echo a\\u\{202e\}txt\.sh\\u\{200b\}/i);
	await card(page).getByRole('button', { name: 'Deny' }).click();
	assert.equal((await decision).decision, 'deny');
});

test('the first answer wins: the other page says who was quicker', async () => {
	const { page } = await enter(), { page: phone } = await enter(PHONE);
	const { decision } = await askFor('true');

	await card(phone).waitFor();
	/* A notice goes by itself. */
	const told = phone.locator('.toast', { hasText: 'denied' }).waitFor();

	told.catch(() => undefined);
	await card(page).getByRole('button', { name: 'Deny' }).click();
	assert.equal((await decision).decision, 'deny');
	await told;
	await card(phone).waitFor({ state: 'detached' });
});

test('what waits is there after a reload, and is named in other chats', async () => {
	const { page } = await enter();
	const { id, decision } = await askFor('sleep 1');

	await card(page).waitFor();
	await page.reload();
	await card(page).waitFor();
	await page.getByRole('button', { name: 'New chat' }).first().click();
	await page.locator('.elsewhere button').click();
	await card(page).waitFor();
	await asker.call('exec.approval.resolve', { id, decision: 'allow-once' });
	assert.equal((await decision).decision, 'allow-once');
	await card(page).waitFor({ state: 'detached' });
});

test('a question is answered by choosing and by typing', async () => {
	const { page } = await enter();
	const { id } = await asker.call('question.request', { sessionKey: KEY, agentId: 'main', timeoutMs: 60000, questions: [
		{ questionId: 'colour', header: 'Colour', question: 'Which colour?', options: [{ label: 'red' }, { label: 'blue', description: 'cold' }] },
		{ questionId: 'name', header: 'Name', question: 'What is it called?', options: [] },
	] });
	const answer = asker.call('question.waitAnswer', { id });
	const form = page.locator('.question');

	await form.getByRole('radio', { name: 'blue' }).click();
	assert.equal(await form.getByRole('button', { name: 'Answer' }).isDisabled(), true);
	await form.getByLabel('What is it called?').fill('  a boat ');
	await form.getByRole('button', { name: 'Answer' }).click();
	assert.deepEqual((await answer).answers, { answers: { colour: ['blue'], name: ['a boat'] } });
	await form.waitFor({ state: 'detached' });
});

test('a plan is shown above the composer and follows its changes', async () => {
	await asker.turn(KEY, 'hello');
	const { page } = await enter();
	const put = (steps) => asker.call('progressCard.put', { sessionKey: KEY, plan: steps });

	await put([{ step: 'look', status: 'completed' }, { step: 'build', status: 'in_progress' }, { step: 'test', status: 'pending' }]);
	const plan = page.locator('.progress');

	await plan.filter({ hasText: '1 of 3' }).waitFor();
	await plan.locator('summary').click();
	await plan.getByText('test').waitFor();
	await put([{ step: 'look', status: 'completed' }, { step: 'build', status: 'completed' }, { step: 'test', status: 'completed' }]);
	await plan.filter({ hasText: 'all steps are done' }).waitFor();
});
