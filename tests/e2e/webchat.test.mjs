/*
 * The page in a browser against the real gateway: a turn, a tool, stopping, sessions, coming back, the way in.
 */
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { Gateway } from './lib/gateway.mjs';
import { stopAll, until } from './lib/wait.mjs';
import { launch, PHONE, say, words } from './webchat_browser.mjs';

let browser, gw, opened = [];

before(async () => { browser = await launch(); });
after(() => browser?.close());
beforeEach(async () => { gw = await Gateway.start(); });
afterEach(async () => {
	await stopAll(...opened.splice(0).map((o) => ({ stop: () => o.context.close() })), gw);
});

async function open(options, fragment = `#token=${gw.token}`) {
	const o = await browser.open(options);

	opened.push(o);
	await o.page.goto(`${gw.url}/${fragment}`);
	return o;
}

async function enter(options) {
	const o = await open(options);

	await words.composer(o.page).waitFor();
	await o.page.locator('.welcome, .entry').first().waitFor();
	return o;
}

const replies = (page) => page.locator('.reply');
const footer = (page) => page.locator('.reply .meta').last();

/* Says something and waits until its answer is complete. */
async function ask(page, text) {
	const n = await page.locator('.reply .meta').count();

	await say(page, text);
	await page.locator('.reply .meta').nth(n).waitFor();
	await page.getByRole('button', { name: 'Send' }).waitFor();
	return replies(page).last();
}

test('the page opens, says who answers, and runs a turn with a real tool', async () => {
	const { page, seen } = await enter();

	await page.locator('.welcome', { hasText: 'offline/demo' }).waitFor();
	await page.getByRole('button', { name: 'List the files' }).click();
	const card = page.locator('.tool').first();

	await card.filter({ hasText: 'done' }).waitFor();
	await card.getByRole('button').first().click();
	await card.getByText('AGENTS.md').waitFor();
	await footer(page).filter({ hasText: 'offline/demo' }).waitFor();
	assert.match(await footer(page).innerText(), /offline\/demo\s+[\d.k]+ in · \d+ out/);
	assert.equal(await replies(page).count(), 1);
	assert.deepEqual(seen.errors, []);
	assert.ok(seen.requests.every((r) => r.startsWith(gw.url)), 'nothing is fetched from elsewhere');
	const c = await gw.connect();
	const history = await c.call('chat.history', { sessionKey: 'agent:main:main', limit: 50 });

	assert.deepEqual(history.messages.map((m) => m.role), ['user', 'assistant', 'toolResult', 'assistant']);
	await c.close();
});

test('words appear while they are made, Escape stops them, and what was said stays', async () => {
	const { page } = await enter();

	await say(page, 'count to 400');
	await page.locator('.reply', { hasText: '1 2 3 4 5' }).waitFor();
	const early = (await replies(page).last().innerText()).length;

	await until(async () => (await replies(page).last().innerText()).length > early, 'more words');
	await page.getByRole('button', { name: /Stop/ }).waitFor();
	await page.keyboard.press('Escape');
	await page.locator('.stopped').waitFor();
	await page.getByRole('button', { name: 'Send' }).waitFor();
	const said = await page.locator('.reply .md').innerText();

	assert.ok(!said.includes('400'));
	await page.reload();
	await page.locator('.reply .md').waitFor();
	assert.equal(await page.locator('.reply .md').innerText(), said, 'the same text after a reload');
	await page.locator('.stopped').waitFor();
});

test('history, chats and their names come back after a reload', async () => {
	const { page } = await enter();

	await ask(page, 'echo the first chat');
	await page.getByRole('button', { name: 'New chat' }).first().click();
	await page.locator('.welcome').waitFor();
	await ask(page, 'echo the second chat');
	/* A chat gets its name when its turn is over, and a page its list when it has its chat. */
	const names = () => page.locator('.session-title').allInnerTexts();
	let expected;

	await until(async () => {
		expected = await names();
		return ['first', 'second'].every((word) => expected.some((name) => name.includes(word)));
	}, 'two chats with their names');
	assert.equal(expected.length, 2);
	await page.reload();
	await page.locator('.reply', { hasText: 'the second chat' }).waitFor();
	await until(async () => isDeepStrictEqual(await names(), expected), 'the same chats');
	await page.locator('.session', { hasText: 'first' }).getByRole('button').first().click();
	await page.locator('.reply', { hasText: 'the first chat' }).waitFor();
	assert.equal(await replies(page).count(), 1);
});

test('a chat is renamed, archived, restored and deleted', async () => {
	const { page } = await enter();
	const chat = (name) => page.locator('.session', { hasText: name });
	const menu = async (name, item) => {
		await chat(name).hover();
		await chat(name).getByRole('button', { name: /^More/ }).click();
		await page.getByRole('menuitem', { name: item }).click();
	};

	await page.getByRole('button', { name: 'New chat' }).first().click();
	await ask(page, 'echo shells');
	await menu('echo shells', 'Rename');
	await page.getByLabel('Name of the chat').fill('Shells');
	await page.keyboard.press('Enter');
	await chat('Shells').waitFor();
	await menu('Shells', 'Archive');
	await chat('Shells').waitFor({ state: 'detached' });
	await page.getByRole('button', { name: 'Archived' }).click();
	await menu('Shells', 'Restore');
	await page.getByText('Nothing archived.').waitFor();
	await menu('Shells', 'Delete…');
	await page.getByRole('button', { name: 'Delete', exact: true }).click();
	await chat('Shells').waitFor({ state: 'detached' });
	const c = await gw.connect();

	await until(async () => !(await c.call('sessions.list', {})).sessions.some((s) => s.label === 'Shells'), 'the chat to be gone');
	await c.close();
});

test('the gateway goes and comes back: the page waits, sends what was written, once', async () => {
	const { page } = await enter();

	await ask(page, 'echo before');
	await gw.kill();
	await page.getByText(/The gateway is away/).waitFor();
	await say(page, 'echo while away');
	await page.getByText('One message waits to be sent').waitFor();
	await gw.launch();
	await page.locator('.reply', { hasText: 'while away' }).waitFor();
	await page.locator('.banner').waitFor({ state: 'detached' });
	await ask(page, 'echo after');
	const bubbles = await page.locator('.bubble').allInnerTexts();

	assert.deepEqual(bubbles.map((b) => b.trim()), ['echo before', 'echo while away', 'echo after']);
	const c = await gw.connect();
	const history = await c.call('chat.history', { sessionKey: 'agent:main:main', limit: 50 });

	assert.deepEqual(history.messages.filter((m) => m.role === 'user').map((m) => m.content), ['echo before', 'echo while away', 'echo after']);
	await c.close();
});

test('a kill in the middle of an answer leaves neither a hanging nor a doubled turn', async () => {
	const { page } = await enter();

	await say(page, 'count to 400');
	await page.locator('.reply', { hasText: '1 2 3' }).waitFor();
	await gw.kill();
	await page.getByText(/The gateway is away/).waitFor();
	await gw.launch();
	await page.locator('.banner').waitFor({ state: 'detached' });
	await page.getByRole('button', { name: 'Send' }).waitFor();
	assert.equal(await page.locator('.bubble').count(), 1);
	await ask(page, 'echo all well');
	await page.locator('.reply', { hasText: 'all well' }).waitFor();
});

test('what another client says appears here at once', async () => {
	const { page } = await enter();
	const c = await gw.connect();

	await c.call('chat.send', { sessionKey: 'agent:main:main', message: 'echo from the other side', idempotencyKey: 'other-1' });
	await page.locator('.bubble', { hasText: 'echo from the other side' }).waitFor();
	await page.locator('.reply', { hasText: 'from the other side' }).waitFor();
	await c.close();
});

test('written while it answers: it waits its turn and is answered', async () => {
	const { page } = await enter();

	await say(page, 'count to 60');
	await page.locator('.reply', { hasText: '1 2 3' }).waitFor();
	await say(page, 'echo afterwards');
	await page.locator('.bubble', { hasText: 'echo afterwards' }).waitFor();
	await page.locator('.reply', { hasText: 'afterwards' }).waitFor();
	await page.getByRole('button', { name: 'Send' }).waitFor();
	assert.equal(await page.locator('.bubble').count(), 2);
});

test('slash commands are listed and answered', async () => {
	const { page } = await enter();

	await words.composer(page).fill('/sta');
	await page.getByRole('option', { name: /\/status/ }).waitFor();
	await page.keyboard.press('Tab');
	await page.keyboard.press('Enter');
	await page.locator('.reply', { hasText: 'offline/demo' }).waitFor();
});

test('in with the browser\'s own token after a reload; a wrong token is told apart', async () => {
	const { page } = await enter();

	await page.reload();
	await words.composer(page).waitFor();
	const other = await open({}, '#token=wrong');

	await other.page.getByText('did not accept that token').waitFor();
	await other.page.getByLabel('Or paste').fill(gw.token);
	await other.page.getByRole('button', { name: 'Connect' }).click();
	await words.composer(other.page).waitFor();
	const third = await open({}, '');

	await third.page.getByRole('heading', { name: 'Sign in' }).waitFor();
	assert.equal(await third.page.getByRole('alert').count(), 0);
});

test('a browser that is revoked is out at once and told why', async () => {
	const { page } = await enter();
	const c = await gw.connect();
	const { paired } = await c.call('device.pair.list', {});
	const device = paired.find((d) => d.clientId === 'webchat-ui');

	assert.ok(device, 'the browser is among the paired devices');
	await c.call('device.pair.remove', { deviceId: device.deviceId });
	await page.getByRole('heading', { name: /Sign in|Approve this browser/ }).waitFor();
	await c.close();
});

test('the page is served with a strict policy, and its assets for good', async () => {
	const { page, seen } = await enter(PHONE);
	const index = await gw.http('/', { headers: { 'Accept-Encoding': 'gzip' } });

	assert.equal(index.status, 200);
	assert.match(index.headers['content-security-policy'], /default-src 'self'.*frame-ancestors 'none'/);
	assert.ok(!/unsafe/.test(index.headers['content-security-policy']));
	assert.match(index.headers['cache-control'], /no-cache/);
	let bytes = index.raw.length;

	for (const url of new Set(seen.requests.filter((r) => r.includes('/assets/')))) {
		const asset = await gw.http(new URL(url).pathname, { headers: { 'Accept-Encoding': 'gzip' } });

		assert.equal(asset.headers['content-encoding'], 'gzip');
		assert.match(asset.headers['cache-control'], /immutable/);
		bytes += asset.raw.length;
	}
	assert.ok(bytes <= 80 * 1024, `the page is ${bytes} bytes over the wire`);
	assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'nothing is wider than the phone');
	assert.deepEqual(seen.errors, []);
});
