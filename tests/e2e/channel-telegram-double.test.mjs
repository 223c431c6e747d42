/* The Telegram double is credible: grammy, which we did not write, logs in, receives and sends through it, and is refused by it. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { TelegramDouble } from '../doubles/telegram.mjs';
import { require } from './lib/peers.mjs';
import { Log, until } from './lib/wait.mjs';

const { Bot, InlineKeyboard, InputFile, GrammyError } = require('grammy');

let double, bot, ada, heard, polling;

before(async () => {
	double = await TelegramDouble.start();
	ada = double.user(42, 'Ada', { username: 'ada_l' });
	heard = new Log();
	bot = new Bot(double.token, { client: { apiRoot: double.url } });
	bot.command('start', (ctx) => ctx.reply('welcome'));
	bot.on('callback_query:data', async (ctx) => {
		heard.push({ data: ctx.callbackQuery.data });
		await ctx.answerCallbackQuery({ text: 'ok' });
	});
	bot.on('message:text', async (ctx) => {
		heard.push({ text: ctx.msg.text });
		await ctx.reply(`<b>${ctx.msg.text}</b>`, { parse_mode: 'HTML', reply_markup: new InlineKeyboard().text('Yes', 'y') });
	});
	bot.on('message_reaction', (ctx) => heard.push({ reaction: ctx.messageReaction.new_reaction }));
	bot.catch((e) => heard.push({ error: e }));
	polling = bot.start({ allowed_updates: ['message', 'callback_query', 'message_reaction'], timeout: 50 }).catch((e) => e);
	await double.call('getUpdates');
});

after(() => double.stop());

test('grammy receives a message and its reply with buttons is seen', async () => {
	double.say(ada, 'hello there');
	const m = await double.reply(ada, (x) => x.text === 'hello there');

	assert.deepEqual(m.entities, [{ type: 'bold', offset: 0, length: 11 }]);
	const id = double.press(ada, m, 'y');

	await double.answered.find((x) => x.id === id, { what: 'the press to be acknowledged' });
	assert.equal(double.answered.items.at(-1).text, 'ok');
});

test('grammy knows a command by its entity', async () => {
	double.say(ada, '/start');
	await double.reply(ada, (m) => m.text === 'welcome');
});

test('a reaction reaches grammy, which asked for them', async () => {
	double.react(ada, double.visible(ada)[0], ['👍']);
	await heard.find((x) => x.reaction?.[0].emoji === '👍', { what: 'the reaction' });
});

test('grammy sends a file and fetches one', async () => {
	const sent = await bot.api.sendPhoto(ada.id, new InputFile(Buffer.from('not really a png'), 'a.png'), { caption: 'look' });

	assert.equal(sent.caption, 'look');
	const file = await bot.api.getFile(sent.photo[0].file_id);
	const bytes = await fetch(`${double.url}/file/bot${double.token}/${file.file_path}`).then((r) => r.text());

	assert.equal(bytes, 'not really a png');
});

test('grammy sends an album, a poll and a place', async () => {
	const album = await bot.api.sendMediaGroup(ada.id, [1, 2].map((n) => ({ type: 'photo', media: new InputFile(Buffer.from(`p${n}`), `${n}.png`) })));

	assert.equal(album.length, 2);
	assert.equal(album[0].media_group_id, album[1].media_group_id);
	assert.equal((await bot.api.sendPoll(ada.id, 'Tea?', ['yes', 'no'])).poll.options.length, 2);
	assert.equal((await bot.api.sendLocation(ada.id, 1.5, 2.5)).location.latitude, 1.5);
});

test('what Telegram refuses is refused, in its words', async () => {
	const refused = (promise, code, words) => assert.rejects(promise, (e) => e instanceof GrammyError && e.error_code === code &&
		words.test(e.description));

	await refused(bot.api.sendMessage(999, 'x'), 400, /chat not found/);
	await refused(bot.api.sendMessage(ada.id, '<b>x', { parse_mode: 'HTML' }), 400, /can't parse entities: Can't find end tag corresponding to start tag "b"/);
	await refused(bot.api.sendMessage(ada.id, 'ab<u>c</i>', { parse_mode: 'HTML' }), 400, /Unmatched end tag at byte offset 6/);
	await refused(bot.api.sendMessage(ada.id, 'é<x>y</x>', { parse_mode: 'HTML' }), 400, /Unsupported start tag "x" at byte offset 2/);
	await refused(bot.api.sendMessage(ada.id, 'x'.repeat(4097)), 400, /message is too long/);
	await refused(bot.api.sendMessage(ada.id, '  '), 400, /message text is empty/);
	await refused(bot.api.sendMessage(ada.id, 'x', { reply_markup: new InlineKeyboard().text('a', 'd'.repeat(65)) }), 400, /BUTTON_DATA_INVALID/);
	await refused(bot.api.sendPoll(ada.id, 'Tea?', ['only']), 400, /at least 2/);
	await refused(bot.api.editMessageText(ada.id, 99999, 'x'), 400, /message to edit not found/);
	await refused(bot.api.setMyCommands(Array.from({ length: 101 }, (_, i) => ({ command: `c${i}`, description: 'd' }))), 400, /BOT_COMMANDS_TOO_MUCH/);
	const m = await bot.api.sendMessage(ada.id, 'same');

	await refused(bot.api.editMessageText(ada.id, m.message_id, 'same'), 400, /message is not modified/);
	await refused(bot.api.setMessageReaction(ada.id, m.message_id, [{ type: 'emoji', emoji: '🧀' }]), 400, /REACTION_INVALID/);
	await refused(new Bot('1:wrong', { client: { apiRoot: double.url } }).api.getMe(), 401, /Unauthorized/);
	double.fail('sendMessage', '429', { retryAfter: 7 });
	await assert.rejects(bot.api.sendMessage(ada.id, 'x'), (e) => e.error_code === 429 && e.parameters.retry_after === 7);
});

test('a second poller ends the first one', async () => {
	await until(() => double.isPolled, 'the first one to wait');
	const other = await fetch(`${double.url}/bot${double.token}/getUpdates?timeout=0`).then((r) => r.json());

	assert.equal(other.ok, true);
	assert.match((await polling).description, /terminated by other getUpdates request/);
});

test('grammy said nothing that the types do not have', () => {
	assert.deepEqual(double.problems, []);
});
