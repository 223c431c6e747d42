/*
 * The page and messaging networks: what people write there is seen as it comes, strangers are let in, what was not delivered is
 * sent again, and nothing that a stranger wrote is ever markup.
 */
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { Gateway } from './lib/gateway.mjs';
import { TelegramWorld, echo } from './lib/telegram.mjs';
import { stopAll, until } from './lib/wait.mjs';
import { launch, PHONE, say, words } from './webchat_browser.mjs';

const ADA = 42, LAB = -1001;
const EVIL = '<img src=x onerror="document.title=1">\u202e Bo';
let browser, w, d, ada, lab, opened = [];

before(async () => {
	w = await TelegramWorld.start(null, { telegram: { dmPolicy: 'pairing', allowFrom: [String(ADA)], groupAllowFrom: ['*'], groupPolicy: 'open',
		groups: { '*': { requireMention: false } } }, config: { messages: { inbound: { debounceMs: 0 } }, session: { dmScope: 'per-channel-peer' } } });
	d = w.double;
	ada = d.user(ADA, 'Ada');
	lab = d.group(LAB, 'Lab <b>1</b>');
	await d.call('getUpdates');
	browser = await launch();
});
after(async () => {
	await stopAll({ stop: () => browser?.close() }, w);
});
afterEach(async () => {
	w.answer = echo;
	for (const o of opened.splice(0))
		await o.context.close();
});

async function enter(options, where = '') {
	const o = await browser.open(options);

	opened.push(o);
	await o.page.goto(`${w.gw.url}/#token=${w.gw.token}${where}`);
	await o.page.locator('.topbar').waitFor();
	return o;
}

const item = (page, title) => page.locator('.session', { hasText: title });
const card = (page) => page.locator('.pairing');

/* No element of a page comes from what strangers wrote, and no script of theirs has run. */
async function assertNoMarkup({ page, seen }) {
	assert.equal(await page.locator('img[src="x"]').count(), 0);
	assert.deepEqual(seen.errors, []);
	assert.ok(seen.requests.every((url) => url.startsWith(w.gw.url)), 'a request went elsewhere');
}

test('a room of a network appears with its name and its network, unread, and is read live', async () => {
	const o = await enter(), { page } = o;
	const lab1 = item(page, 'Lab <b>1</b>');
	let release;
	const held = new Promise((resolve) => { release = resolve; });

	await words.composer(page).waitFor();
	await w.round(ada, 'hello <img src=x> m-1', { chat: lab });
	await lab1.getByText('Telegram').waitFor();
	await lab1.getByRole('img', { name: 'unread' }).waitFor();
	await lab1.locator('.session-main').click();
	await page.locator('.said', { hasText: 'hello <img src=x> m-1' }).waitFor();
	await page.locator('.reply', { hasText: 're m-1' }).waitFor();
	await lab1.getByRole('img', { name: 'unread' }).waitFor({ state: 'detached' });
	w.answer = async (text) => {
		await held;
		return echo(text);
	};
	try {
		d.say(ada, 'still there? m-0', { chat: lab });
		await page.locator('.said', { hasText: 'm-0' }).waitFor();
		await page.locator('.reply[aria-busy="true"]').waitFor();
	} finally {
		release();
	}
	await page.locator('.reply[aria-busy="false"]', { hasText: 're m-0' }).waitFor();
	await d.reply(lab, (m) => m.text === 're m-0');  /* the page knows of it before the network does */
	await assertNoMarkup(o);
});

test('in the open room a message and its answer appear as they come, with who wrote it', async () => {
	const o = await enter(), { page } = o;

	await item(page, 'Lab <b>1</b>').locator('.session-main').click();
	await page.locator('.said', { hasText: 'm-1' }).waitFor();
	const bo = d.user(44, EVIL);

	d.say(bo, 'and me? m-2', { chat: lab });
	const said = page.locator('.said', { hasText: 'm-2' });

	await said.waitFor();
	assert.match(await said.locator('.said-by').innerText(), /^<img src=x onerror="document\.title=1">\\u\{202e\} Bo\s+Telegram$/);
	await page.locator('.reply', { hasText: 're m-2' }).waitFor();
	await d.reply(lab, (m) => m.text === 're m-2');
	await assertNoMarkup(o);
});

test('what the page says in a room stays on the page, and the page says so', async () => {
	const { page } = await enter();

	await item(page, 'Lab <b>1</b>').locator('.session-main').click();
	await page.locator('.channel-note', { hasText: 'answered on this page only' }).waitFor();
	const before = d.visible(lab).length;

	await say(page, 'a word among us m-3');
	await page.locator('.reply', { hasText: 're m-3' }).waitFor();
	/* What comes after it in the room's own lane has been sent: nothing of ours can be on its way still. */
	await w.round(ada, 'on we go m-4', { chat: lab });
	assert.equal(d.visible(lab).length, before + 1);
	assert.doesNotMatch(JSON.stringify(d.visible(lab)), /m-3/);
});

test('a stranger waits in the attention area and is approved there by keyboard', async () => {
	const o = await enter(), { page } = o;

	await words.composer(page).waitFor();
	const bo = d.user(43, EVIL, { username: 'bo_b' });

	d.say(bo, 'let me in');
	const told = await d.reply(bo, (m) => /[A-HJ-NP-Z2-9]{8}/.test(m.text ?? ''));
	const code = told.text.match(/\b[A-HJ-NP-Z2-9]{8}\b/)[0];

	await card(page).waitFor();
	assert.match(await card(page).innerText(), new RegExp(`43[^]*\\\\u\\{202e\\} Bo @bo_b[^]*${code}`));
	const approve = card(page).getByRole('button', { name: 'Approve' });

	await until(() => approve.isEnabled(), 'the button to wake up');
	assert.notEqual(await page.evaluate(() => document.activeElement?.textContent), 'Approve');
	await approve.focus();
	await page.keyboard.press('Enter');
	await card(page).waitFor({ state: 'detached' });
	await page.locator('.toast', { hasText: '43 may write on Telegram' }).waitFor();
	await d.reply(bo, (m) => /approved/i.test(m.text ?? ''));
	await w.round(bo, 'thank you m-5');
	await assertNoMarkup(o);
});

test('a command that waits stands above a stranger who waits, and a notice covers neither', async () => {
	const { page } = await enter();
	const asker = await w.gw.connect();
	const ask = async (command) => (await asker.call('exec.approval.request', { command, commandArgv: ['/bin/sh', '-c', command], cwd: '/tmp',
		host: 'gateway', sessionKey: 'agent:main:main', agentId: 'main', twoPhase: true })).id;

	await words.composer(page).waitFor();
	d.say(d.user(46, 'Mal'), 'hello?');
	await card(page).waitFor();
	const ids = [await ask('make all'), await ask('make clean')];
	const approval = page.locator('.approval', { hasText: 'make clean' });

	await approval.waitFor();
	await asker.call('exec.approval.resolve', { id: ids[0], decision: 'deny' });
	await page.locator('.toast', { hasText: 'denied' }).waitFor();
	const [notice, first, last] = await Promise.all([page.locator('.toasts'), approval, card(page)].map((l) => l.boundingBox()));

	assert.ok(notice.y + notice.height <= first.y, 'the notice is above the cards');
	assert.ok(first.y + first.height <= last.y, 'the command comes first');
	await asker.call('exec.approval.resolve', { id: ids[1], decision: 'deny' });
	await card(page).getByRole('button', { name: 'Dismiss' }).click();
	await card(page).waitFor({ state: 'detached' });
	await asker.close();
});

test('on a small screen the view of networks shows accounts and dismisses a stranger', async () => {
	const o = await enter(PHONE), { page } = o;
	const eve = d.user(45, 'Eve');

	d.say(eve, 'psst');
	await d.reply(eve, () => true);
	await page.getByRole('button', { name: 'Show the chats' }).click();
	await page.getByRole('button', { name: 'Channels' }).click();
	await page.getByRole('heading', { name: 'Channels', level: 1 }).waitFor();
	await page.locator('.channel-row[data-tone="good"]', { hasText: 'Telegram' }).getByText('connected').waitFor();
	await card(page).getByRole('button', { name: 'Dismiss' }).click();
	await card(page).waitFor({ state: 'detached' });
	assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'the page is as wide as the screen');
	await page.goBack();
	await words.composer(page).waitFor();
	await assertNoMarkup(o);
});

test('an account is stopped, started and asked', async () => {
	const { page } = await enter(undefined, '&v=channels');

	await page.getByRole('button', { name: 'Channels' }).click();
	await page.getByRole('button', { name: 'Stop Telegram' }).click();
	await page.locator('.channel-state', { hasText: 'stopped' }).waitFor();
	await page.getByRole('button', { name: 'Start Telegram' }).click();
	await page.locator('.channel-state', { hasText: /^connected$/ }).waitFor();
	await page.getByRole('button', { name: 'Ask the networks' }).click();
	await page.locator('.channel-facts', { hasText: 'answers as chela_test_bot' }).waitFor();
});

test('what could not be delivered is shown with its reason and sent again', async () => {
	const o = await enter(), { page } = o;
	const shut = d.group(-1002, 'Shut');

	await words.composer(page).waitFor();
	d.place(shut).kicked = true;
	w.answer = (text) => `${echo(text)} <img src=x>`;
	d.say(ada, 'can you m-6', { chat: shut });
	await page.getByRole('button', { name: 'Channels' }).click();
	const letter = page.locator('.channel-row', { hasText: 're m-6 <img src=x>' });

	await until(async () => {
		await page.getByRole('button', { name: 'Ask the networks' }).click();
		return letter.isVisible();
	}, 'the dead letter');
	await letter.getByText('bot was kicked').waitFor();
	d.place(shut).kicked = false;
	await letter.getByRole('button', { name: 'Resubmit' }).click();
	await letter.waitFor({ state: 'detached' });
	await d.reply(shut, (m) => /re m-6/.test(m.text ?? ''));
	await assertNoMarkup(o);
});

test('an account that is refused says why and what it needs', async () => {
	const { page } = await enter();

	await page.getByRole('button', { name: 'Channels' }).click();
	await page.getByRole('button', { name: 'Stop Telegram' }).click();
	d.fail('getMe', '401', { times: 3 });
	await page.getByRole('button', { name: 'Start Telegram' }).click();
	const row = page.locator('.channel-row', { hasText: 'needs a login' });

	await row.waitFor();
	assert.match(await row.locator('.channel-why').innerText(), /401|Unauthorized|token/i);
	d.clearFaults();
});

test('who has no network yet is told how to add one', async () => {
	const gw = await Gateway.start();

	try {
		const o = await browser.open();

		opened.push(o);
		await o.page.goto(`${gw.url}/#token=${gw.token}`);
		await words.composer(o.page).waitFor();
		assert.equal(await o.page.locator('.channel-note').count(), 0);
		await o.page.getByRole('button', { name: 'Channels' }).press('Enter');
		await o.page.getByText('chela channels add telegram').waitFor();
		assert.deepEqual(o.seen.errors, []);
	} finally {
		await gw.stop();
	}
});
