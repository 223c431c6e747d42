/* Telegram, outbound: every kind of message by the gateway's methods, and what becomes of each kind of trouble. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { TelegramWorld } from './lib/telegram.mjs';
import { until } from './lib/wait.mjs';

const LAB = -1001, FORUM = -1002;
let w, d, c, lab, forum, n = 0, people = 42;

before(async () => {
	w = await TelegramWorld.start(null, { telegram: { streaming: { mode: 'off' } }, config: { messages: { inbound: { debounceMs: 0 } } } });
	d = w.double;
	lab = d.group(LAB, 'Lab');
	forum = d.group(FORUM, 'Forum', { is_forum: true });
	d.place(forum).topics.add(7);
	c = await w.gw.connect();
	await d.call('getUpdates', (p) => p.timeout > 0);
});

after(async () => {
	c?.terminate();
	await w?.stop();
});

/* Each test writes to somebody else: the pace is kept by place. */
const somebody = () => d.user(++people, `Person ${people}`);

const send = (to, message, more = {}) => c.call('send', { channel: 'telegram', to: String(to), message, idempotencyKey: `k${++n}`, ...more });
const act = (action, params) => c.call('message.action', { channel: 'telegram', action, params, idempotencyKey: `k${++n}` });
const sent = (r, chat) => d.place(chat).messages.find((m) => String(m.message_id) === r.messageId);
const b64 = (s) => Buffer.from(s).toString('base64');
const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==';
const ogg = Buffer.concat([Buffer.from('OggS\0\x02'), Buffer.alloc(22), Buffer.from('OpusHead\x01'), Buffer.alloc(30)]).toString('base64');
const mp4 = Buffer.concat([Buffer.from([0, 0, 0, 24]), Buffer.from('ftypisom\0\0\x02\0isomiso2mp41'), Buffer.alloc(64)]).toString('base64');
const mp3 = Buffer.concat([Buffer.from('ID3\x04\0\0\0\0\0\0'), Buffer.alloc(64)]).toString('base64');
const gif = Buffer.from('GIF89a\x01\0\x01\0\0\0\0;', 'latin1').toString('base64');

test('Markdown becomes entities', async () => {
	const ada = somebody();
	const m = sent(await send(ada.id, '**bold** _it_ `c<d` [x](https://a.example/?a=1&b=2)\n\n```js\nlet a = 1 < 2;\n```'), ada);
	const kinds = m.entities.map((e) => `${e.type}:${m.text.slice(e.offset, e.offset + e.length)}`);

	assert.deepEqual(kinds.slice(0, 4), ['bold:bold', 'italic:it', 'code:c<d', 'text_link:x']);
	assert.equal(m.entities[3].url, 'https://a.example/?a=1&b=2');
	assert.match(kinds[4], /^pre:let a = 1 < 2;/);
});

test('a long text goes in parts that Telegram takes, in order', async () => {
	const ada = somebody();
	const words = Array.from({ length: 2500 }, (_, i) => `w${i}`).join(' ');

	await send(ada.id, words);
	const parts = d.visible(ada).slice(-Math.ceil(words.length / 4000));

	assert.ok(parts.every((m) => m.text.length <= 4096));
	assert.equal(d.visible(ada).filter((m) => /^w\d/.test(m.text)).map((m) => m.text.trim()).join(' ').replace(/\s+/g, ' '), words);
});

test('HTML that Telegram does not take goes as plain text', async () => {
	const ada = somebody();
	const before = d.visible(ada).length;

	d.refuseHtml = 1;
	const m = sent(await send(ada.id, 'so **bold**'), ada);

	assert.equal(m.text, 'so bold');
	assert.equal(m.entities, undefined);
	assert.equal(d.visible(ada).length, before + 1);
});

test('files go by the method of their kind, with a caption', async () => {
	const ada = somebody();
	for (const [kind, contentType, buffer, filename, more] of [
		['photo', 'image/png', PNG, 'a.png'], ['animation', 'image/gif', gif, 'a.gif'], ['video', 'video/mp4', mp4, 'a.mp4'],
		['audio', 'audio/mpeg', mp3, 'a.mp3'], ['voice', 'audio/ogg', ogg, 'a.ogg', { asVoice: true }],
		['document', 'text/plain', b64('hello'), 'a.txt'], ['document', 'image/png', PNG, 'b.png', { forceDocument: true }],
	]) {
		const m = sent(await send(ada.id, `a **${kind}**`, { buffer, filename, contentType, ...more }), ada);

		assert.ok(m[kind], `${kind}: ${JSON.stringify(Object.keys(m))}`);
		assert.equal(m.caption, `a ${kind}`);
		assert.equal(m.caption_entities[0].type, 'bold');
	}
});

test('a round film has no caption: its text follows', async () => {
	const ada = somebody();

	await act('send', { to: String(ada.id), message: 'look', asVideoNote: true, attachments: [{ buffer: mp4, filename: 'a.mp4', contentType: 'video/mp4' }] });
	assert.ok(d.visible(ada)[0].video_note);
	assert.equal(d.visible(ada)[1].text, 'look');
});

test('a message is pinned; where we may not, it stands all the same', async () => {
	const ada = somebody();

	assert.equal(sent(await act('send', { to: String(ada.id), message: 'keep this', pin: true }), ada).pinned, true);
	assert.equal(sent(await act('send', { to: String(LAB), message: 'this too', delivery: { pin: { enabled: true } } }), lab).pinned, true);
	d.place(lab).mayNotPin = true;
	assert.equal(sent(await act('send', { to: String(LAB), message: 'not this', delivery: { pin: true } }), lab).pinned, undefined);
	d.place(lab).mayNotPin = false;
	assert.match(JSON.stringify(await c.call('channels.logs', { channel: 'telegram' })), /was not pinned.*not enough rights/);
	assert.equal(sent(await send(ada.id, 'plain'), ada).pinned, undefined);
});

test('several pictures are an album with one caption', async () => {
	const ada = somebody();
	const r = await act('send', { to: String(ada.id), message: 'trip', attachments: [1, 2, 3].map((i) => ({ buffer: PNG, filename: `${i}.png`, contentType: 'image/png' })) });
	const album = d.visible(ada).filter((m) => m.media_group_id).slice(-3);

	assert.equal(new Set(album.map((m) => m.media_group_id)).size, 1);
	assert.deepEqual(album.map((m) => m.caption), ['trip', undefined, undefined]);
	assert.ok(r.messageId);
});

test('a picture whose measures Telegram refuses goes as a document', async () => {
	const ada = somebody();
	d.photoInvalid = true;
	const m = sent(await send(ada.id, 'tall', { buffer: PNG, filename: 'tall.png', contentType: 'image/png' }), ada);

	d.photoInvalid = false;
	assert.ok(m.document);
	assert.equal(m.caption, 'tall');
});

test('a poll, and its votes find the place and the words', async () => {
	const ada = somebody();
	const r = await c.call('poll', { channel: 'telegram', to: String(ada.id), question: 'Lunch?', options: ['Soup', 'Pizza'], isAnonymous: false,
		durationSeconds: 60, idempotencyKey: 'poll' });
	const m = sent(r, ada);

	assert.equal(m.poll.question, 'Lunch?');
	assert.equal(m.poll.is_anonymous, false);
	d.vote(ada, m, [1]);
	await until(() => d.pending.length === 0, 'the vote to be taken');
	await w.round(ada, 'so? m-vote');
	assert.match(JSON.stringify(w.heard.at(-1).messages), /Lunch\?.{0,10}Pizza/);
});

test('a place and a venue', async () => {
	const ada = somebody();
	assert.equal(sent(await act('send', { to: String(ada.id), location: { latitude: 48.858844, longitude: 2.294351, accuracy: 12 } }), ada).location.latitude, 48.858844);
	assert.equal(sent(await act('send', { to: String(ada.id), location: { latitude: 1, longitude: 2, name: 'Tower', address: 'Paris' } }), ada).venue.title, 'Tower');
});

test('buttons that open, an answer, a silent message, no preview', async () => {
	const ada = somebody();
	const first = await send(ada.id, 'first');
	const m = sent(await act('send', { to: String(ada.id), message: 'go', replyTo: first.messageId, silent: true,
		presentation: { blocks: [{ type: 'buttons', buttons: [{ label: 'Docs', url: 'https://a.example' }] }] } }), ada);

	assert.equal(m.reply_markup.inline_keyboard[0][0].url, 'https://a.example');
	assert.equal(m.reply_to_message.message_id, Number(first.messageId));
	assert.equal(d.calls('sendMessage').at(-1).params.disable_notification, true);
});

test('a topic gets its thread id, General none; answering what is gone still sends', async () => {
	const ada = somebody();
	assert.equal(sent(await send(`${FORUM}:topic:7`, 'seven'), forum).message_thread_id, 7);
	assert.equal(sent(await send(`${FORUM}:topic:1`, 'general'), forum).message_thread_id, undefined);
	assert.equal(sent(await send(ada.id, 'to nothing', { replyToId: '987654' }), ada).text, 'to nothing');
});

test('react, edit, delete', async () => {
	const ada = somebody();
	const r = await send(ada.id, 'to be changed');
	const m = sent(r, ada);

	await act('react', { to: String(ada.id), messageId: r.messageId, emoji: '❤️' });
	assert.deepEqual(m.reactions, ['❤']);
	await act('react', { to: String(ada.id), messageId: r.messageId, emoji: '❤️', remove: true });
	assert.deepEqual(m.reactions, []);
	await act('edit', { to: String(ada.id), messageId: r.messageId, message: 'it **is**' });
	assert.equal(m.text, 'it is');
	await act('edit', { to: String(ada.id), messageId: r.messageId, message: 'it **is**' });     /* not modified: fine */
	await act('delete', { to: String(ada.id), messageId: r.messageId });
	assert.equal(m.deleted, true);
	const picture = await send(ada.id, 'caption', { buffer: PNG, filename: 'a.png', contentType: 'image/png' });

	await act('edit', { to: String(ada.id), messageId: picture.messageId, message: 'new caption' });
	assert.equal(sent(picture, ada).caption, 'new caption');
	await assert.rejects(act('react', { to: String(ada.id), messageId: picture.messageId, emoji: '🧀' }), /does not allow that reaction/);
});

test('429 waits as long as it says, 500 is tried again: seen once', async () => {
	const ada = somebody();
	d.fail('sendMessage', '429', { retryAfter: 1 });
	const t0 = Date.now();

	await send(ada.id, 'after 429');
	assert.ok(Date.now() - t0 >= 900);
	d.fail('sendMessage', '500');
	await send(ada.id, 'after 500');
	assert.deepEqual(d.texts(ada).filter((t) => t.startsWith('after')), ['after 429', 'after 500']);
});

test('no answer: never sent twice, and told', async () => {
	const ada = somebody();
	d.fail('sendMessage', 'cut-after');
	await assert.rejects(send(ada.id, 'cut after'), /may|unsure|arrive/i);
	d.fail('sendMessage', 'cut');
	await assert.rejects(send(ada.id, 'cut before'), /may|unsure|arrive/i);
	d.fail('sendMessage', '502');
	await assert.rejects(send(ada.id, 'bad gateway'), /may|unsure|arrive/i);
	await send(ada.id, 'and on');
	assert.equal(d.texts(ada).filter((t) => t === 'cut after').length, 1);
	assert.equal(d.calls('sendMessage').filter((r) => /cut (after|before)|bad gateway/.test(r.params.text)).length, 3);
});

test('what is refused for good names the way out', async () => {
	const ada = somebody();
	await assert.rejects(send(999, 'x'), /must write to the bot first/);
	d.place(lab).kicked = true;
	await assert.rejects(send(LAB, 'x'), /add the bot to the group again/);
	d.place(ada).blocked = true;
	await assert.rejects(send(ada.id, 'x'), /has blocked the bot/);
	d.place(ada).blocked = false;
	d.place(lab).kicked = false;
	await assert.rejects(send('@ada', 'x'), /no place in Telegram|unknown|user/i);
});

test('a group that became a supergroup is followed when it is written to', async () => {
	const old = d.group(-88, 'Old');

	d.group(-1000088, 'New');
	d.place(old).migratedTo = -1000088;
	await send(-88, 'still there?');
	assert.deepEqual(d.texts(-1000088), ['still there?']);
});

test('the same key is one message', async () => {
	const ada = somebody();
	const a = await send(ada.id, 'once', { idempotencyKey: 'same' }), b = await send(ada.id, 'once', { idempotencyKey: 'same' });

	assert.equal(a.messageId, b.messageId);
	assert.equal(d.texts(ada).filter((t) => t === 'once').length, 1);
});

test('the client said nothing that the Bot API does not have', () => {
	assert.deepEqual(d.problems, []);
});
