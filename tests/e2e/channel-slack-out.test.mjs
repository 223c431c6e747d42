/* channel-slack-out.test.mjs - Slack, outbound: each kind of message by the gateway's methods, and each kind of trouble. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ADA, BOB, GENERAL, slackGateway } from './lib/slack.mjs';
import { until } from './lib/wait.mjs';

let slack, model, gw, c, n = 0;
const ends = [];

before(async () => {
	({ slack, model, gw } = await slackGateway({ after: (fn) => ends.push(fn) }, { keys: { unfurlMedia: false }, config: { messages: { ackReactionScope: 'all' } } }));
	c = await gw.connect();
});
after(async () => {
	for (const fn of ends)
		await fn();
});

const send = (to, message, more = {}) => c.call('send', { channel: 'slack', to, message, idempotencyKey: `k${++n}`, ...more });
const act = (action, params) => c.call('message.action', { channel: 'slack', action, params, idempotencyKey: `k${++n}` });
const fails = (action, params) => c.fails('message.action', { channel: 'slack', action, params, idempotencyKey: `k${++n}` });
const shown = (room, r) => slack.rooms.get(room).messages.find((m) => m.ts === r.messageId);
const b64 = (s) => Buffer.from(s).toString('base64');
const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==';

test('Markdown becomes mrkdwn, to a channel, a person and a thread', async () => {
	const r = await send(`channel:${GENERAL}`, '**bold** _it_ ~~gone~~ `a<b` [x](https://a.example/?a=1&b=2)\n\n```js\nlet a = 1 < 2;\n```\n\n> said');
	const m = shown(GENERAL, r);

	assert.match(m.text, /\*bold\* _it_ ~gone~ `a&lt;b` <https:\/\/a\.example\/\?a=1&amp;b=2\|x>/);
	assert.match(m.text, /```\nlet a = 1 &lt; 2;\n```/);
	const call = slack.calls.items.findLast((x) => x.method === 'chat.postMessage').args;

	assert.equal(call.unfurl_links, 'false');
	assert.equal(call.unfurl_media, 'false');
	assert.equal(shown(slack.dm(ADA).id, await send(`user:${ADA}`, 'to you')).text, 'to you');
	assert.equal(shown(GENERAL, await send(`channel:${GENERAL}`, 'inside', { threadId: m.ts })).thread_ts, m.ts);
	assert.equal(shown(GENERAL, await send(`${GENERAL}:thread:${m.ts}`, 'inside too')).thread_ts, m.ts);
});

test('what a person writes cannot become a mention of everybody', async () => {
	const m = shown(GENERAL, await send(GENERAL, 'hello <!channel> and <@U0ADA0001> & co'));

	assert.doesNotMatch(m.text, /<!channel>/);
});

test('one file, several files, in a thread, with a text', async () => {
	const root = slack.say(ADA, GENERAL, 'files here');
	const one = await send(GENERAL, 'a **picture**', { buffer: PNG, filename: 'a.png', contentType: 'image/png', threadId: root.ts });
	const m = shown(GENERAL, one);

	assert.equal(m.files.length, 1);
	assert.equal(m.files[0].name, 'a.png');
	assert.equal(m.text, 'a *picture*');
	assert.equal(m.thread_ts, root.ts);
	assert.deepEqual(slack.file(m.files[0].id).data, Buffer.from(PNG, 'base64'));
	await act('send', { to: `user:${BOB}`, message: 'two', attachments: [{ buffer: b64('one'), filename: '1.txt', contentType: 'text/plain' },
		{ buffer: b64('two'), filename: '2.txt', contentType: 'text/plain' }] });
	assert.deepEqual(slack.dm(BOB).messages.flatMap((x) => x.files?.map((f) => f.name) ?? []), ['1.txt', '2.txt']);
});

test('a file whose last step was lost is not sent twice', async () => {
	slack.setClock();
	slack.fault('files.completeUploadExternal', { cut: 'after' });
	await send(`user:${BOB}`, 'lost answer', { buffer: b64('once'), filename: 'once.txt', contentType: 'text/plain' });
	slack.fault('upload', { status: 500 });
	await send(`user:${BOB}`, 'failed upload', { buffer: b64('again'), filename: 'again.txt', contentType: 'text/plain' });
	const names = slack.dm(BOB).messages.flatMap((x) => x.files?.map((f) => f.name) ?? []);

	assert.equal(names.filter((x) => x === 'once.txt').length, 1);
	assert.equal(names.filter((x) => x === 'again.txt').length, 1);
});

test('edits, reactions, deletions', async () => {
	const r = await send(GENERAL, 'first');

	await act('edit', { to: GENERAL, messageId: r.messageId, message: '**second**' });
	assert.equal(shown(GENERAL, r).text, '*second*');
	await act('react', { to: GENERAL, messageId: r.messageId, emoji: '👀' });
	await act('react', { to: GENERAL, messageId: r.messageId, emoji: '👀' });
	await act('react', { to: GENERAL, messageId: r.messageId, emoji: ':tada:' });
	assert.deepEqual(shown(GENERAL, r).reactions.map((x) => x.name), ['eyes', 'tada']);
	await act('react', { to: GENERAL, messageId: r.messageId, emoji: '👀', remove: true });
	assert.deepEqual(shown(GENERAL, r).reactions.map((x) => x.name), ['tada']);
	await act('react', { to: GENERAL, messageId: r.messageId, emoji: '' });
	assert.deepEqual(shown(GENERAL, r).reactions, []);
	assert.match((await fails('react', { to: GENERAL, messageId: r.messageId, emoji: '🦕' })).message, /name of an emoji/);
	await act('delete', { to: GENERAL, messageId: r.messageId });
	assert.equal(shown(GENERAL, r), undefined);
	await act('delete', { to: GENERAL, messageId: r.messageId });
	assert.match((await fails('edit', { to: GENERAL, messageId: 'F012345', message: 'x' })).message, /cannot be edited/);
});

test('buttons that open', async () => {
	const m = shown(GENERAL, await act('send', { to: GENERAL, message: 'read *this*', presentation: { blocks: [
		{ type: 'buttons', buttons: [{ label: 'Docs', url: 'https://a.example' }] }] } }));

	assert.equal(m.blocks[0].text.text, m.text);
	assert.deepEqual(m.blocks[1].elements.map((e) => [e.text.text, e.url, e.value]), [['Docs', 'https://a.example', undefined]]);
});

test('what was said there can be read', async () => {
	slack.say(BOB, GENERAL, `words <@${ADA}> to read`);
	const r = JSON.stringify(await act('read', { to: GENERAL, limit: 3 }));

	assert.match(r, /to read/);
	assert.match(r, /"senderName":"bob"/);
});

test('actions that are switched off are not done', async (t) => {
	const other = await slackGateway(t, { keys: { actions: { reactions: false } } });
	const oc = await other.gw.connect();
	const r = await oc.call('send', { channel: 'slack', to: GENERAL, message: 'x', idempotencyKey: 'a' });

	assert.match((await oc.fails('message.action', { channel: 'slack', action: 'react', idempotencyKey: 'b',
		params: { to: GENERAL, messageId: r.messageId, emoji: '👀' } })).message, /reactions/);
	assert.ok(!other.slack.calls.items.some((x) => x.method === 'reactions.add'));
});

test('places that are none are refused with what would be one', async () => {
	for (const to of ['#general', '@ada', 'general', 'https://x'])
		assert.match((await c.fails('send', { channel: 'slack', to, message: 'x', idempotencyKey: `k${++n}` })).message, /user:U|channel:C|unknown|not a place/i);
	for (const [to, word] of [['C0RANDOM1', /not_in_channel.*\/invite/], ['C0OLDROOM', /is_archived/], ['C0NOWHERE', /channel_not_found/]])
		assert.match((await c.fails('send', { channel: 'slack', to, message: 'x', idempotencyKey: `k${++n}` })).message, word);
});

test('without im:write a DM still goes to the person', async () => {
	const eve = 'U0EVE0001', scopes = slack.scopes;

	slack.scopes = scopes.filter((s) => s !== 'im:write');
	assert.equal(shown(slack.dm(eve).id, await send(`user:${eve}`, 'hello eve')).text, 'hello eve');
	slack.scopes = scopes;
});

test('a message that is answered gets the sign for it, and the thread a status', async () => {
	let held;
	const holding = new Promise((resolve) => model.rules.set('signs', (call) => resolve(held = call)));
	const root = slack.say(BOB, GENERAL, 'a topic for signs');
	const said = slack.say(ADA, GENERAL, `<@${slack.botUser}> !signs`, { thread_ts: root.ts });

	await holding;
	await until(() => slack.rooms.get(GENERAL).messages.find((m) => m.ts === said.ts).reactions?.some((r) => r.name === 'eyes'), 'the sign');
	await slack.called('assistant.threads.setStatus', (a) => a.thread_ts === root.ts && a.status !== '');
	held.text('re: signs').end();
	await slack.sent((m) => m.text === 're: signs' && m.thread_ts === root.ts);
	await slack.called('assistant.threads.setStatus', (a) => a.thread_ts === root.ts && a.status === '');
});
