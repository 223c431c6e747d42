/* Telegram, inbound: every kind of update through the real gateway to the model, and its reply back in the chat. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { TelegramWorld, echo } from './lib/telegram.mjs';
import { until } from './lib/wait.mjs';

const ADA = 42, BO = 43, LAB = -1001, FORUM = -1002, NEWS = -1003;
let w, d, ada, bo, lab, forum;

before(async () => {
	w = await TelegramWorld.start(null, { telegram: { groupAllowFrom: [String(ADA)], reactionNotifications: 'all', streaming: { mode: 'off' }, customCommands: [{ command: '/Todo', description: 'What is open' }],
		groups: { [LAB]: { requireMention: true }, [FORUM]: { requireMention: false }, [NEWS]: { requireMention: false, groupPolicy: 'open' } } },
		config: { messages: { inbound: { debounceMs: 0 } } } });
	d = w.double;
	ada = d.user(ADA, 'Ada', { username: 'ada_l' });
	bo = d.user(BO, 'Bo');
	lab = d.group(LAB, 'Lab');
	forum = d.group(FORUM, 'Forum', { is_forum: true });
	d.place(forum).topics.add(7);
	await d.call('getUpdates');
});

after(() => w?.stop());

/* The whole of what the model was asked in the turn with this mark. */
const asked = (mark) => w.heard.findLast((h) => h.text.includes(mark)) ?? assert.fail(`the model never heard ${mark}`);

test('a private message is answered, and typing is shown', async () => {
	w.answer = async (text) => {
		await d.call('sendChatAction', (p) => p.chat_id === ADA && p.action === 'typing');
		w.answer = echo;
		return echo(text);
	};
	const m = await w.round(ada, 'hello m-dm');

	assert.equal(m.chat.id, ADA);
	assert.equal(d.visible(ada).length, 1);
});

test('the command menu is set, with the own entries first', async () => {
	const { params } = await d.call('setMyCommands');

	assert.deepEqual(params.commands[0], { command: 'todo', description: 'What is open' });
	for (const name of ['new', 'status', 'help'])
		assert.ok(params.commands.some((c) => c.command === name), name);
	assert.equal(d.commands.length, params.commands.length);
});

test('text with entities reads as a person would write it', async () => {
	await w.round(ada, { text: 'read the docs m-ent', entities: [{ type: 'text_link', offset: 9, length: 4, url: 'https://docs.example/x' }] });
	assert.match(asked('m-ent').text, /\[docs\]\(https:\/\/docs\.example\/x\)/);
});

test('in a group only a mention is answered; what was said before is context', async () => {
	d.say(ada, 'the build is red', { chat: lab });
	d.say(ada, '@chela_test_bot why? m-grp', { chat: lab });
	await d.reply(lab, (m) => m.text === 're m-grp');
	assert.equal(d.visible(lab).length, 1);
	assert.match(JSON.stringify(asked('m-grp').messages), /the build is red/);
});

test('answering the bot is a mention', async () => {
	const ours = d.visible(lab)[0];

	d.say(ada, 'and now? m-rep', { chat: lab, reply_to_message: ours });
	await d.reply(lab, (m) => m.text === 're m-rep');
	assert.match(JSON.stringify(asked('m-rep').messages), /re m-grp/);
});

test('topics of a forum are conversations of their own, General without a thread id', async () => {
	/* General has an id for "typing", and none for messages. */
	w.answer = async (text, call) => {
		if (!text.includes('m-t1'))
			return echo(text);
		call.text(echo(text));           /* in a room "typing" begins with the words */
		await d.call('sendChatAction', (p) => p.chat_id === FORUM && p.message_thread_id === 1);
		call.end();
		return undefined;
	};
	d.say(ada, 'in seven m-t7', { chat: forum, thread: 7 });
	d.say(ada, 'in general m-t1', { chat: forum });
	const seven = await d.reply(forum, (m) => m.text === 're m-t7');
	const general = await d.reply(forum, (m) => m.text === 're m-t1');

	w.answer = echo;
	assert.equal(seven.message_thread_id, 7);
	assert.equal(general.message_thread_id, undefined);
	const c = await w.gw.connect();
	const { sessions } = await c.call('sessions.list');

	assert.ok(sessions.some((s) => s.key.endsWith(`telegram:group:${FORUM}:topic:7`)), JSON.stringify(sessions.map((s) => s.key)));
	await c.close();
});

test('a picture with its caption is fetched', async () => {
	const png = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==', 'base64');

	await w.round(ada, { caption: 'what is this m-pic', photo: [{ ...d.file(png, 'png'), width: 1, height: 1 }] });
	assert.equal(d.calls('getFile').length, 1);
});

test('files of every kind are fetched and named', async () => {
	const kinds = { document: { file_name: 'notes.txt', mime_type: 'text/plain' }, voice: { mime_type: 'audio/ogg' }, video_note: {},
		audio: { mime_type: 'audio/mpeg', file_name: 's.mp3' }, video: { mime_type: 'video/mp4' }, animation: { mime_type: 'video/mp4' } };
	let n = 0;

	for (const [kind, more] of Object.entries(kinds)) {
		const mark = `m-f${++n}`;

		await w.round(d.user(500 + n, 'Someone'), { caption: `see ${mark}`, [kind]: { ...d.file(Buffer.from(`bytes of ${kind}`)), ...more } });
		assert.match(JSON.stringify(asked(mark).messages), /media|attach|file|notes\.txt|ogg/i);
	}
	assert.equal(d.calls('getFile').length, 7);
});

test('an album is one message', async () => {
	const album = { media_group_id: '777' };

	d.together(() => [1, 2, 3].forEach((n) => d.say(ada, { ...album, ...(n === 1 && { caption: 'three m-alb' }),
		document: { ...d.file(Buffer.from(`d${n}`)), file_name: `d${n}.txt`, mime_type: 'text/plain' } })));
	await d.reply(ada, (m) => m.text === 're m-alb');
	const heard = JSON.stringify(asked('m-alb').messages);

	for (const n of [1, 2, 3])
		assert.ok(heard.includes(`d${n}`), `file d${n}`);
});

test('a place, a venue, a sticker, a contact and a poll are put into words', async () => {
	let others = 600;

	for (const [what, words] of [
		[{ location: { latitude: 48.858844, longitude: 2.294351, horizontal_accuracy: 12 } }, /48\.858844, 2\.294351/],
		[{ location: { latitude: 1, longitude: 2, live_period: 900 } }, /Live location: 1\.000000, 2\.000000/],
		[{ venue: { location: { latitude: 1.5, longitude: 2.5 }, title: 'Tower', address: 'Paris' } }, /Tower/],
		[{ sticker: { ...d.file('x'), emoji: '🙂', is_animated: true, is_video: false } }, /🙂/],
		[{ contact: { phone_number: '+49', first_name: 'Cy' } }, /Contact: Cy \+49/],
		[{ poll: { id: '1', question: 'Tea?', options: [{ text: 'yes' }, { text: 'no' }] } }, /Poll: Tea\?/],
	]) {
		const someone = d.user(++others, 'Someone');

		d.say(someone, what);
		await until(() => d.visible(someone).length, `an answer to ${JSON.stringify(what)}`);
		assert.match(JSON.stringify(w.heard.at(-1).messages.at(-1)), words);
	}
});

test("forwarded words are another's: no command", async () => {
	d.say(ada, '/new m-fwd', { forward_origin: { type: 'hidden_user', sender_user_name: 'Eve', date: 1 } });
	await d.reply(ada, (m) => m.text === 're m-fwd');
	assert.match(JSON.stringify(asked('m-fwd').messages), /Eve/);
});

test('reactions and edits are told with the next turn', async () => {
	const m = await w.round(ada, 'first m-one');
	const mine = d.say(ada, 'typo m-two');

	await d.reply(ada, (x) => x.text === 're m-two');
	d.react(ada, m, ['👍']);
	d.edit(mine, 'no typo m-two');
	await until(() => d.delivered.some((u) => u.edited_message) || d.pending.length === 0, 'the edit to be taken');
	await w.round(ada, 'third m-thr');
	assert.match(JSON.stringify(asked('m-thr').messages), /👍/);
	assert.match(JSON.stringify(asked('m-thr').messages), /it now reads: no typo m-two/);
});

test('a sticker that stands still is a picture', async () => {
	const someone = d.user(701, 'Someone');
	const webp = Buffer.concat([Buffer.from('RIFF\x1a\0\0\0WEBPVP8L\x0d\0\0\0\x2f', 'latin1'), Buffer.alloc(13)]);
	const before = d.calls('getFile').length;

	d.say(someone, { sticker: { ...d.file(webp, 'webp'), emoji: '🙂', is_animated: false, is_video: false, width: 1, height: 1 } });
	await until(() => d.visible(someone).length, 'an answer to the sticker');
	assert.equal(d.calls('getFile').length, before + 1);
	assert.match(JSON.stringify(w.heard.at(-1).messages.at(-1)), /sticker/);
});

test('a post in a channel is answered there', async () => {
	const news = d.channel(NEWS, 'News');

	d.say(undefined, 'breaking m-pst', { chat: news, sender_chat: news });
	await d.reply(news, (m) => m.text === 're m-pst');
});

test('being added to a group is told with its next turn', async () => {
	d.membership(lab, ada, 'left', 'member');
	d.say(ada, '@chela_test_bot welcome m-add', { chat: lab });
	await d.reply(lab, (m) => m.text === 're m-add');
	assert.match(JSON.stringify(asked('m-add').messages), /you were added to this room by Ada/);
});

test('a command answers at once', async () => {
	d.say(ada, '/status');
	const m = await d.reply(ada, (x) => /model/i.test(x.text ?? ''));

	assert.ok(m.text.length > 10);
});

test('a press on a button is acknowledged', async () => {
	const id = d.press(ada, d.visible(ada)[0], 'nobody-knows-this');

	await d.answered.find((x) => x.id === id, { what: 'the press to be acknowledged' });
});

test('a group that becomes a supergroup is followed', async () => {
	const old = d.group(-77, 'Old');

	d.migrate(old, -1000077, ada);
	d.push({ message: d.message(-1000077, ada, { text: 'still here? m-mig' }) });
	await w.round(ada, 'after m-aft');
});

test('the client said nothing that the Bot API does not have', () => {
	assert.deepEqual(d.problems, []);
});
