/*
 * The page against a gateway that misbehaves: refusals, pairing, lost connections and answers, hostile text.
 */
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { stopAll, within, until } from './lib/wait.mjs';
import { Double, Refuse } from './webchat_double.mjs';
import { launch, PHONE, say, words } from './webchat_browser.mjs';

const MAIN = 'agent:main:main';
let browser, gw, opened;

before(async () => { browser = await launch(); });
after(() => browser?.close());
beforeEach(async () => {
	gw = await Double.start();
	opened = [];
});
afterEach(async () => {
	await stopAll(...opened.map((o) => ({ stop: () => o.context.close() })), gw);
});

async function open(options, fragment = '#token=shared-token') {
	const o = await browser.open(options);

	opened.push(o);
	await o.page.goto(gw.url + fragment);
	return o;
}

async function enter(options) {
	const o = await open(options);

	await words.composer(o.page).waitFor();
	await o.page.locator('.welcome, .entry').first().waitFor();
	return o;
}

/* What a page shows follows what it is told, and not in the same moment. */
const comes = (look, wanted, what) => until(async () => isDeepStrictEqual(await look(), wanted), () => `${what}: ${JSON.stringify(wanted)}`);

const text = (page, wanted) => page.getByText(wanted).first().waitFor();

test('the token leaves the address at once and is exchanged for one of the browser\'s own', async () => {
	const { page } = await enter();

	assert.equal(new URL(page.url()).hash, `#s=${MAIN}`);
	const stored = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }]));

	assert.ok(!stored.includes('shared-token'), 'the shared secret is not stored');
	assert.ok(stored.includes('issued-device-token'));
	assert.deepEqual(gw.connects[0].auth, { token: 'shared-token' });
	assert.deepEqual([gw.connects[0].client.id, gw.connects[0].client.mode, gw.connects[0].role], ['webchat-ui', 'webchat', 'operator']);
	await page.reload();
	await words.composer(page).waitFor();
	assert.deepEqual(gw.connects.at(-1).auth, { deviceToken: 'issued-device-token' });
	assert.equal(gw.connects.at(-1).device.id, gw.connects[0].device.id, 'the device key is kept');
});

test('without a token: how to get in; with a wrong one: that it is wrong; then in', async () => {
	const { page } = await open({}, '');

	await page.getByRole('heading', { name: 'Sign in' }).waitFor();
	await text(page, 'chela dashboard');
	assert.equal(await page.getByRole('alert').count(), 0);
	await page.getByLabel('Or paste').fill('nonsense');
	await page.getByRole('button', { name: 'Connect' }).click();
	await text(page, 'did not accept that token');
	await page.getByLabel('Or paste').fill('shared-token');
	await page.getByRole('button', { name: 'Connect' }).click();
	await words.composer(page).waitFor();
});

test('a link with an old token does not lock out a browser that has its own', async () => {
	const { page } = await enter();

	await page.goto(`${gw.url}?x#token=from-last-week`);
	await words.composer(page).waitFor();
	assert.deepEqual(gw.connects.slice(-2).map((c) => c.auth), [{ token: 'from-last-week' }, { deviceToken: 'issued-device-token' }]);
});

test('a revoked browser is told so', async () => {
	const { page } = await enter();

	gw.deviceToken = 'rotated';
	gw.drop();
	await page.getByRole('heading', { name: 'Sign in again' }).waitFor();
	assert.ok(!await page.evaluate(() => JSON.stringify({ ...localStorage }).includes('issued-device-token')));
});

test('pairing: the exact command, and in without a reload once it is approved', async () => {
	gw.admit = () => {
		throw new Refuse('NOT_PAIRED', 'pairing required: device is not approved yet', { details: { code: 'PAIRING_REQUIRED', reason: 'not-paired',
			requestId: 'req-7f3a' } });
	};
	const { page } = await open();

	await text(page, 'chela devices approve req-7f3a');
	gw.admit = null;
	await page.getByRole('button', { name: 'I have approved it' }).click();
	await words.composer(page).waitFor();
});

test('other refusals say what to do', async () => {
	const cases = [
		['CONTROL_UI_ORIGIN_NOT_ALLOWED', /allowedOrigins/],
		['AUTH_RATE_LIMITED', /Too many wrong tries/],
		['PROTOCOL_MISMATCH', /out of date/],
		['CONTROL_UI_DEVICE_IDENTITY_REQUIRED', /not secure/],
	];

	for (const [code, words_] of cases) {
		gw.admit = () => { throw new Refuse('INVALID_REQUEST', 'refused', { details: { code } }); };
		const { page } = await open();

		await text(page, words_);
	}
});

test('a gateway that does not answer is not a wrong token; the page comes in when it is back', async () => {
	gw.isDown = true;
	const { page } = await open();

	await page.getByRole('heading', { name: 'The gateway does not answer' }).waitFor();
	await text(page, 'chela gateway run');
	const tries = gw.refusedUpgrades;

	await page.getByRole('button', { name: 'Try now' }).click();
	await until(() => gw.refusedUpgrades > tries, 'another try');
	gw.isDown = false;
	await words.composer(page).waitFor();
});

test('the page speaks to its own origin, whatever the address says', async () => {
	const o = await browser.open();

	opened.push(o);
	await o.page.goto(`${gw.url}?gatewayUrl=ws://127.0.0.1:9/&url=ws://127.0.0.1:9/#gatewayUrl=ws://127.0.0.1:9/&token=shared-token`);
	await words.composer(o.page).waitFor();
	assert.deepEqual(o.seen.sockets, [`ws://127.0.0.1:${gw.port}/`]);
	assert.ok(o.seen.requests.every((r) => r.startsWith(gw.url) || r.startsWith('data:')));
});

test('a turn: words stream, a tool card opens, the footer names model, tokens and cost', async () => {
	gw.on['chat.send'] = function send(p) {
		this.store(p.sessionKey, { role: 'user', content: p.message, idempotencyKey: `${p.idempotencyKey}:user` });
		return { runId: p.idempotencyKey, status: 'started' };
	};
	const { page, seen } = await enter();

	await say(page, 'read the notes');
	const { item } = await gw.calls.find((c) => c.method === 'chat.send');
	const run = item.params.idempotencyKey;

	assert.equal(item.params.sessionKey, MAIN);
	gw.chat(MAIN, run, 'status', { phase: 'starting_model' });
	await text(page, 'Waiting for the model…');
	gw.agent(MAIN, run, 'thinking', { text: 'They want the notes.', itemId: 't' });
	await text(page, 'Thinking…');
	gw.agent(MAIN, run, 'assistant', { text: 'Let me **look**', itemId: 'i1' });
	await page.locator('.reply strong', { hasText: 'look' }).waitFor();
	gw.agent(MAIN, run, 'item', { itemId: 'tool:c1', toolCallId: 'c1', kind: 'tool', name: 'read', phase: 'start', title: 'Read notes.md', status: 'running', startedAt: Date.now() });
	gw.agent(MAIN, run, 'tool', { phase: 'start', name: 'read', toolCallId: 'c1', args: { path: 'notes.md' } });
	const card = page.locator('.tool');

	await card.filter({ hasText: 'running' }).waitFor();
	assert.equal(await page.locator('.tool-body').count(), 0, 'a card is closed at first');
	gw.store(MAIN, { role: 'assistant', content: [{ type: 'text', text: 'Let me **look**' }, { type: 'toolCall', id: 'c1', name: 'read', arguments: { path: 'notes.md' } }],
		provider: 'mock', model: 'small', stopReason: 'toolUse', usage: { input: 800, output: 10 } }, run);
	gw.agent(MAIN, run, 'tool', { phase: 'result', name: 'read', toolCallId: 'c1', isError: false, result: { content: [{ type: 'text', text: 'the note says hello' }] } });
	gw.store(MAIN, { role: 'toolResult', toolCallId: 'c1', toolName: 'read', content: [{ type: 'text', text: 'the note says hello' }], isError: false }, run);
	await card.filter({ hasText: 'done' }).waitFor();
	await card.getByRole('button').first().click();
	await text(page, 'the note says hello');
	gw.agent(MAIN, run, 'assistant', { text: 'It says hello.', itemId: 'i2' });
	gw.says(MAIN, 'It says hello.', run);
	gw.chat(MAIN, run, 'final', { message: { role: 'assistant', content: [{ type: 'text', text: 'Let me look\n\nIt says hello.' }] } });
	await page.locator('.reply .meta', { hasText: 'mock/small' }).waitFor();
	assert.match(await page.locator('.reply .meta').innerText(), /2k in · 44 out · \$0\.0123/);
	assert.equal(await page.locator('.reply').count(), 1, 'one reply, not one per row');
	assert.equal(await page.locator('.reply').getByText('It says hello.').count(), 1);
	await page.locator('.reply .meta').getByRole('button', { name: 'Copy message' }).click();
	assert.equal(await page.evaluate(() => navigator.clipboard.readText()), 'Let me **look**\n\nIt says hello.');
	assert.deepEqual(seen.errors, []);
});

test('Escape stops, Shift+Enter breaks the line, Control+K finds a chat', async () => {
	gw.session('agent:main:other');
	gw.store('agent:main:other', { role: 'user', content: 'about crabs' });
	const { page } = await enter();

	await words.composer(page).fill('one');
	await page.keyboard.press('Shift+Enter');
	await page.keyboard.type('two');
	await page.keyboard.press('Enter');
	const { item } = await gw.calls.find((c) => c.method === 'chat.send');

	assert.equal(item.params.message, 'one\ntwo');
	gw.agent(MAIN, item.params.idempotencyKey, 'assistant', { text: 'a long story', itemId: 'i' });
	await page.getByRole('button', { name: /Stop/ }).waitFor();
	await page.keyboard.press('Escape');
	await gw.calls.find((c) => c.method === 'chat.abort' && c.params.sessionKey === MAIN);
	gw.chat(MAIN, item.params.idempotencyKey, 'aborted', { message: { content: [{ type: 'text', text: 'a long story' }] } });
	await text(page, 'Stopped');
	await page.keyboard.press('Control+k');
	await page.keyboard.type('crabs');
	await page.keyboard.press('Enter');
	await page.getByRole('heading', { name: 'about crabs', level: 1 }).waitFor();
	await page.goBack();
	await page.getByRole('heading', { name: 'one two', level: 1 }).waitFor();
});

test('a cut connection: banner, messages wait, and all is followed again after it', async () => {
	const { page } = await enter();

	await say(page, 'first');
	await page.locator('.said', { hasText: 'first' }).waitFor();
	gw.isDown = true;
	gw.drop();
	await text(page, /The gateway is away/);
	await say(page, 'second');
	await say(page, 'third');
	await text(page, '2 messages wait to be sent');
	const before_ = gw.calls.items.length;

	gw.isDown = false;
	await until(() => gw.session(MAIN).rows.length === 3, 'three messages');
	await page.locator('.banner').waitFor({ state: 'detached' });
	for (const method of ['sessions.subscribe', 'sessions.messages.subscribe', 'sessions.list', 'chat.history'])
		await gw.calls.find((c) => c.method === method, { from: before_, what: `${method} after the reconnect` });
	assert.deepEqual(gw.session(MAIN).rows.map((r) => r.content), ['first', 'second', 'third']);
	await until(async () => await page.locator('.said').count() === 3, 'three messages on the page');
});

test('an answer that is lost with the connection does not double the message', async () => {
	let isFirst = true;

	gw.on['chat.send'] = function send(p) {
		/* The page's idempotency key is forgotten by the gateway meanwhile: only looking helps. */
		this.store(p.sessionKey, { role: 'user', content: p.message, idempotencyKey: `${p.idempotencyKey}:user` });
		if (!isFirst)
			return { runId: p.idempotencyKey, status: 'started' };
		isFirst = false;
		this.drop();
		throw 'silence';         /* eslint-disable-line no-throw-literal */
	};
	const { page } = await enter();

	await say(page, 'only once');
	await until(() => gw.connects.length === 2 && gw.connections === 1, 'the reconnect');
	await say(page, 'and then this');
	await until(() => gw.session(MAIN).rows.length >= 2, 'the second message');
	await until(async () => await page.locator('.said').count() === 2, 'two messages on the page');
	assert.deepEqual(gw.session(MAIN).rows.map((r) => r.content), ['only once', 'and then this']);
	await comes(() => page.evaluate(() => sessionStorage.getItem('chela.outbox')), '[]', 'what waits to be sent');
});

test('an unsent message survives a reload of the tab', async () => {
	const { page } = await enter();

	gw.isDown = true;
	gw.drop();
	await text(page, /The gateway is away/);
	await say(page, 'do not lose me');
	await text(page, 'One message waits to be sent');
	await page.reload();
	gw.isDown = false;
	await until(() => gw.session(MAIN).rows.length === 1, 'the message');
	await words.composer(page).waitFor();
	assert.equal(gw.session(MAIN).rows[0].content, 'do not lose me');
	assert.equal(gw.count('chat.send'), 1);
});

test('a refused message says why and can be sent again or discarded', async () => {
	gw.on['chat.send'] = () => { throw new Refuse('INVALID_REQUEST', 'the message is too long'); };
	const { page } = await enter();

	await say(page, 'too much');
	await text(page, 'Not sent: the message is too long');
	delete gw.on['chat.send'];
	await page.getByRole('button', { name: 'Send again' }).click();
	await until(() => gw.session(MAIN).rows.length === 1, 'the message');
	await page.getByText('Not sent').waitFor({ state: 'detached' });
});

test('history opens at the end, pages upwards, and does not move under the reader', async () => {
	for (let i = 1; i <= 230; i++)
		gw.store(MAIN, { role: 'user', content: `message number ${i}`, timestamp: 1700000000000 + i * 1000 });
	const { page } = await enter();

	await page.getByText('message number 230', { exact: true }).waitFor();
	const scroller = page.locator('.scroller');
	const below = () => scroller.evaluate((e) => e.scrollHeight - e.scrollTop - e.clientHeight);

	await until(async () => await below() < 5, 'it to open at the end');
	assert.equal(await page.locator('.said').count(), 80);
	await scroller.evaluate((e) => { e.scrollTop = 0; });
	await page.getByText('message number 100', { exact: true }).waitFor({ state: 'attached' });
	const anchor = page.getByText('message number 151', { exact: true });

	await until(async () => (await anchor.boundingBox())?.y > -2000, 'the anchor');
	assert.ok(await scroller.evaluate((e) => e.scrollTop) > 500, 'what was being read stays in view');
	for (let round = 0; round < 3; round++)
		await scroller.evaluate((e) => { e.scrollTop = 0; });
	await until(async () => {
		await scroller.evaluate((e) => { e.scrollTop = 0; });
		return await page.locator('.said').count() === 230;
	}, 'all 230 messages');
	const all = await page.locator('.said .bubble').allInnerTexts();

	assert.equal(new Set(all).size, 230);
	assert.equal(all[0], 'message number 1');
	gw.says(MAIN, 'a new reply', 'r1');
	await page.locator('.reply', { hasText: 'a new reply' }).waitFor({ state: 'attached' });
	assert.ok(await below() > 1000, 'a reader is not dragged to the end');
	await page.getByRole('button', { name: 'Jump to latest' }).click();
	await until(async () => await below() < 5, 'the end');
});

test('while one is at the end, the end is followed', async () => {
	const { page } = await enter();
	let body = '';

	for (let i = 0; i < 60; i++) {
		body += `Paragraph ${i} of a reply that grows.\n\n`;
		gw.agent(MAIN, 'r1', 'assistant', { text: body, itemId: 'i' });
	}
	await page.getByText('Paragraph 59 ').waitFor();
	const below = () => page.locator('.scroller').evaluate((e) => e.scrollHeight - e.scrollTop - e.clientHeight);

	await until(async () => await below() < 5, 'the end');
	/* The page hears that it has scrolled when more stands below already. */
	await page.locator('.scroller').evaluate((e) => {
		e.querySelector('.reply').style.paddingBottom = '700px';
		e.dispatchEvent(new Event('scroll'));
	});
	await until(async () => await below() < 5, 'the end, further down');
	await page.locator('.scroller').evaluate((e) => { e.scrollTop -= 600; });
	await page.getByRole('button', { name: 'Jump to latest' }).waitFor();
	gw.agent(MAIN, 'r1', 'assistant', { text: `${body}The last one.`, itemId: 'i' });
	await page.getByText('The last one.').waitFor({ state: 'attached' });
	assert.ok(await below() > 500, 'who has moved up stays there');
});

test('dropped events are noticed and made good', async () => {
	const { page } = await enter();

	gw.broadcast('tick', { ts: 1 });
	gw.session(MAIN).rows.push({ role: 'user', content: 'you missed this', timestamp: Date.now(), __openclaw: { id: 'x1', seq: 1 } });
	gw.broadcast('tick', { ts: 2 }, 3);
	await text(page, 'you missed this');
});

test('text from a model cannot run, load, or imitate', async () => {
	gw.says(MAIN, [
		'<script>window.pwned=1</script><img src=x onerror="window.pwned=1"><svg onload="window.pwned=1">',
		'[click](javascript:window.pwned=1) ![p](https://evil.example/p.png) <iframe src="https://evil.example"></iframe>',
		'```html\n</code></pre><script>window.pwned=1</script>\n```',
		'[a link](https://good.example/)',
		'<style>body{display:none}</style><base href="https://evil.example/"><meta http-equiv="refresh" content="0;url=https://evil.example">',
	].join('\n\n'), 'r1');
	const { page, seen } = await enter();

	await text(page, 'a link');
	assert.equal(await page.evaluate(() => window.pwned), undefined);
	assert.equal(await page.locator('.reply').locator('script, iframe, style, base, meta, [onerror], [onload]').count(), 0);
	const links = await page.locator('.reply a').evaluateAll((all) => all.map((a) => [a.href, a.rel, a.target]));

	assert.deepEqual(links, [['https://evil.example/p.png', 'noopener noreferrer nofollow', '_blank'], ['https://good.example/', 'noopener noreferrer nofollow', '_blank']]);
	assert.ok(seen.requests.every((r) => r.startsWith(gw.url)), 'nothing was fetched from elsewhere');
	assert.deepEqual(seen.errors, []);
});

test('the list: new, rename, archive, restore, delete after a question', async () => {
	gw.store(MAIN, { role: 'user', content: 'stay' });
	const { page } = await enter();
	const chat = (name) => page.locator('.session', { hasText: name });
	const menu = async (name, item) => {
		await chat(name).hover();
		await chat(name).getByRole('button', { name: /^More/ }).click();
		await page.getByRole('menuitem', { name: item }).click();
	};

	await page.getByRole('button', { name: 'New chat' }).first().click();
	await page.locator('.welcome').waitFor();
	await say(page, 'about shells');
	await chat('about shells').waitFor();
	const key = [...gw.sessions.keys()].find((k) => k !== MAIN);

	assert.match(key, /^agent:main:dashboard:[0-9a-f-]{36}$/);
	assert.ok(decodeURIComponent(page.url()).endsWith(`#s=${key}`));
	await menu('about shells', 'Rename');
	await page.getByLabel('Name of the chat').fill('Shells');
	await page.keyboard.press('Enter');
	await chat('Shells').waitFor();
	await comes(() => gw.session(key).label, 'Shells', 'the name');
	await menu('Shells', 'Archive');
	await chat('Shells').waitFor({ state: 'detached' });
	await page.getByRole('heading', { name: 'stay', level: 1 }).waitFor();
	await page.getByRole('button', { name: 'Archived' }).click();
	await menu('Shells', 'Restore');
	await page.getByText('Nothing archived.').waitFor();
	await menu('Shells', 'Delete…');
	await page.getByRole('button', { name: 'Cancel' }).click();
	assert.equal(gw.count('sessions.delete'), 0);
	await menu('Shells', 'Delete…');
	await page.getByRole('button', { name: 'Delete', exact: true }).click();
	await chat('Shells').waitFor({ state: 'detached' });
	await comes(() => [...gw.sessions.keys()], [MAIN], 'what is left');
});

test('a chat that fails to be renamed says so, with the next step', async () => {
	gw.store(MAIN, { role: 'user', content: 'stay' });
	gw.on['sessions.patch'] = () => { throw new Refuse('FORBIDDEN', 'missing scope: operator.admin', { details: { code: 'MISSING_SCOPE' } }); };
	const { page } = await enter();

	await page.locator('.session').hover();
	await page.getByRole('button', { name: /^More/ }).click();
	await page.getByRole('menuitem', { name: 'Rename' }).click();
	await page.getByLabel('Name of the chat').fill('X');
	await page.keyboard.press('Enter');
	await text(page, /could not be renamed: missing scope/);
	await text(page, /chela dashboard/);
});

test('the model is chosen per chat; what cannot be used says why', async () => {
	const { page } = await enter();
	const button = page.getByRole('button', { name: /^Model:/ });

	assert.equal(await button.innerText(), 'mock/small');
	await button.click();
	assert.ok(await page.getByRole('menuitemradio', { name: /Dear/ }).isDisabled());
	await text(page, 'no API key');
	await page.getByRole('menuitemradio', { name: /Large/ }).click();
	await page.getByRole('button', { name: 'Model: mock/large' }).waitFor();
	assert.deepEqual((await gw.calls.find((c) => c.method === 'sessions.create')).item.params, { key: MAIN, model: 'mock/large' });
	await button.click();
	await page.getByRole('menuitemradio', { name: /Small/ }).click();
	await page.getByRole('button', { name: 'Model: mock/small' }).waitFor();
	assert.deepEqual((await gw.calls.find((c) => c.method === 'sessions.patch')).item.params, { key: MAIN, model: 'mock/small' });
});

test('slash commands are suggested and completed', async () => {
	const { page } = await enter();

	await words.composer(page).fill('/s');
	await page.getByRole('option', { name: /\/status/ }).waitFor();
	assert.equal(await page.getByRole('option').count(), 2);
	await page.keyboard.press('ArrowDown');
	await page.keyboard.press('Tab');
	await comes(() => words.composer(page).inputValue(), '/stop', 'the composer');
	await words.composer(page).fill('/mod');
	await page.keyboard.press('Enter');
	await comes(() => words.composer(page).inputValue(), '/model ', 'the composer');
	await words.composer(page).fill('/status');
	await page.keyboard.press('Enter');
	await gw.calls.find((c) => c.method === 'chat.send' && c.params.message === '/status');
});

test('on a phone: a drawer, targets of 44 px, fields that do not zoom, nothing wider than the screen', async () => {
	gw.store(MAIN, { role: 'user', content: 'hello' });
	gw.says(MAIN, `| a | b | c |\n|---|---|---|\n| ${'wide '.repeat(30)} | x | y |\n\n\`\`\`\n${'long'.repeat(80)}\n\`\`\`\n\n${'unbroken'.repeat(60)}`, 'r1');
	const { page } = await enter(PHONE);

	assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
	assert.ok(await page.locator('.column').evaluate((e) => e.scrollWidth <= e.clientWidth + 1));
	assert.ok(parseFloat(await words.composer(page).evaluate((e) => getComputedStyle(e).fontSize)) >= 16);
	await page.getByRole('button', { name: 'Show the chats' }).click();
	await page.locator('.sidebar[data-drawer=true]').waitFor();
	const small = await page.evaluate(() => [...document.querySelectorAll('button, input[type=search]')]
		.filter((e) => e.checkVisibility({ visibilityProperty: true }))
		.map((e) => [e.getAttribute('aria-label') ?? e.innerText ?? e.placeholder, (e.closest('.search') ?? e).getBoundingClientRect()])
		.filter(([, box]) => box.height < 43.5)
		.map(([name, box]) => `${name}: ${box.height}`));

	assert.deepEqual(small, []);
	await page.locator('.session-main').first().click();
	await page.locator('.sidebar[data-drawer=false]').waitFor({ state: 'attached' });
});

test('every control has a name, every region a role, and motion can be had less', async () => {
	gw.says(MAIN, 'hello', 'r1');
	const { page } = await enter({ reducedMotion: 'reduce' });
	const nameless = await page.evaluate(() => [...document.querySelectorAll('button, input, textarea, [role=menu], [role=log], nav, aside')]
		.filter((e) => !(e.getAttribute('aria-label') || e.innerText?.trim() || e.labels?.length))
		.map((e) => e.outerHTML.slice(0, 80)));

	assert.deepEqual(nameless, []);
	assert.equal(await page.getByRole('log').getAttribute('aria-live'), 'polite');
	assert.equal(await page.locator('h1').count(), 1);
	const turning = await page.evaluate(() => document.getAnimations().filter((a) => a.effect.getTiming().iterations === Infinity).length);

	assert.equal(turning, 0);
});

test('colours follow the system and the switch', async () => {
	const { page } = await enter({ colorScheme: 'dark' });
	const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
	const dark = await background();
	const button = page.getByRole('button', { name: /^Colours/ });

	await button.click();
	await until(async () => await background() !== dark, 'other colours');
	const light = await background();

	await page.reload();
	await words.composer(page).waitFor();
	await comes(background, light, 'the choice that was kept');
	await button.click();
	await comes(background, dark, 'the colours');
});

test('frames that make no sense do no harm', async () => {
	const { page, seen } = await enter();

	for (const payload of [null, 3, [], {}, { sessionKey: MAIN }, { sessionKey: MAIN, runId: 'r', data: 3, stream: 'assistant' }, { sessionKey: MAIN, message: null },
		{ sessionKey: MAIN, runId: 'r', state: 'final', message: { content: 7 } }, { sessionKey: MAIN, session: { key: 3 } }])
		for (const event of ['chat', 'agent', 'session.message', 'session.tool', 'sessions.changed', 'unheard.of'])
			gw.broadcast(event, payload);
	await say(page, 'still here');
	await within(page.locator('.said', { hasText: 'still here' }).waitFor(), 'the page to go on');
	assert.deepEqual(seen.errors, []);
});
