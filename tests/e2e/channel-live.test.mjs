/*
 * What is seen of a turn while it runs: typing, reactions, a preview that is edited, a progress draft, blocks. One bot per mode, each
 * with a Telegram of its own; the model answers piece by piece.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ModelDouble } from '../doubles/model.mjs';
import { TelegramDouble } from '../doubles/telegram.mjs';
import { Gateway } from './lib/gateway.mjs';
import { stopAll, until } from './lib/wait.mjs';

const MODES = { partial: { mode: 'partial' }, progress: { mode: 'progress', progress: { label: 'At it', toolProgress: true } },
	blocks: { block: { enabled: true, coalesce: { idleMs: 200 } } } };
const bots = {};
let model, gw;

before(async () => {
	const accounts = {};
	let n = 0;

	model = await ModelDouble.start();
	for (const [name, streaming] of Object.entries(MODES)) {
		const d = bots[name] = await TelegramDouble.start({ token: `700000001${n++}:AAE-canary_token_of_the_double_0123456789` });

		d.ada = d.user(42, 'Ada');
		accounts[name] = { ...d.config({ streaming, dmPolicy: 'allowlist', allowFrom: ['42'] }).channels.telegram };
	}
	gw = await Gateway.start({ config: { ...model.config,
		agents: { defaults: { ...model.config.agents.defaults, skipBootstrap: true, blockStreamingChunk: { minChars: 20, maxChars: 80 } } },
		messages: { ackReactionScope: 'all', removeAckAfterReply: true, inbound: { debounceMs: 0 } },
		session: { dmScope: 'per-account-channel-peer' },
		channels: { telegram: { accounts } } } });
});

after(() => stopAll(gw, model, ...Object.values(bots)));

const shown = (d) => d.texts(d.ada);
const reactions = (d) => d.calls('setMessageReaction').map((r) => (r.params.reaction ?? []).map((x) => x.emoji).join());

test('typing and an eye at once; the eye goes when the reply is there', async () => {
	const d = bots.partial;

	d.say(d.ada, 'hello');
	const call = await model.next();

	await d.call('sendChatAction', (p) => p.action === 'typing' && p.chat_id === 42);
	await d.call('setMessageReaction', (p) => p.reaction?.[0]?.emoji === '👀');
	call.text('Hi.').end();
	await d.reply(d.ada, (m) => m.text === 'Hi.');
	await until(() => reactions(d).at(-1) === '', 'the reaction is taken back');
});

test('partial: one message grows, is valid at each step, and becomes the reply', async () => {
	const d = bots.partial, from = d.visible(d.ada).length;

	d.say(d.ada, 'tell me');
	const call = await model.next();

	call.text('This is **bold**, then text, and `some co');
	await until(() => shown(d).length > from, 'a preview');
	const id = d.visible(d.ada).at(-1).message_id;

	call.text('de` and more of it, with <tags>.');
	await d.call('editMessageText', (p) => p.message_id === id && /and more of it/.test(p.text));
	call.text('\n\nThe end.').end();
	await until(() => /The end\.$/.test(shown(d).at(-1)), 'the whole reply');
	assert.equal(shown(d).at(-1), 'This is bold, then text, and some code and more of it, with <tags>.\n\nThe end.');
	assert.equal(d.visible(d.ada).at(-1).message_id, id);
	assert.equal(shown(d).length, from + 1);
	assert.equal(d.calls('deleteMessage').length, 0);
});

test('partial: a reply of several messages begins with the preview', async () => {
	const d = bots.partial, from = d.visible(d.ada).length;

	d.say(d.ada, 'much');
	const call = await model.next();

	call.text('The beginning of a long reply. ');
	await until(() => shown(d).length > from, 'a preview');
	const id = d.visible(d.ada).at(-1).message_id;

	call.text('Words, words. '.repeat(400)).end();
	await until(() => shown(d).length === from + 2 && shown(d).at(-1).length > 1000, 'two messages');
	assert.equal(d.visible(d.ada)[from].message_id, id);
	assert.equal(shown(d).slice(from).join(' ').match(/Words/g).length, 400);
});

/* A turn after it: what came before is over then. */
async function another(d) {
	d.say(d.ada, 'and now');
	(await model.next()).text('Now.').end();
	await until(() => shown(d).at(-1) === 'Now.', 'the next reply');
}

test('partial: silence shows nothing, and takes back what was shown', async () => {
	const d = bots.partial, from = d.visible(d.ada).length;

	d.say(d.ada, 'quiet');
	let call = await model.next();

	call.text('NO_');
	call.text('REPLY').end();
	await another(d);
	assert.equal(shown(d).length, from + 1);
	d.say(d.ada, 'quiet in the end');
	call = await model.next();
	call.text('Let me look at this for a moment, please.');
	await until(() => shown(d).length > from + 1, 'a preview');
	call.tool('c1', 'session_status', {}).end('tool_calls');
	(await model.next()).text('NO_REPLY').end();
	await until(() => shown(d).length === from + 1, 'the preview is gone');
});

test('progress: what tools do is shown while it lasts, then only the reply', async () => {
	const d = bots.progress;

	d.say(d.ada, 'work');
	(await model.next()).tool('c1', 'session_status', {}).end('tool_calls');
	const call = await model.next();

	await until(() => /^At it\n.*session_status/.test(shown(d).at(-1)), 'the draft');
	call.text('Done.').end();
	await until(() => shown(d).join() === 'Done.', () => `only the reply: ${JSON.stringify(shown(d))}`);
});

test('blocks: finished pieces come while the rest is made, each once and in order', async () => {
	const d = bots.blocks;

	d.say(d.ada, 'in pieces');
	const call = await model.next();

	call.text('The first paragraph is here.\n\nThe sec');
	await until(() => shown(d).length === 1, 'the first block');
	call.text('ond paragraph is here.\n\nAnd the th');
	await until(() => shown(d).length === 2, 'the second block');
	call.text('ird.').end();
	await until(() => shown(d).length === 3, 'the rest');
	assert.deepEqual(shown(d), ['The first paragraph is here.', 'The second paragraph is here.', 'And the third.']);
});

test('a kill leaves no preview, and the reply comes once', async () => {
	const d = bots.partial, from = d.visible(d.ada).length;

	d.say(d.ada, 'cut');
	const call = await model.next();

	call.text('This is cut off in the middle of a long sentence');
	await until(() => shown(d).length > from, 'a preview');
	call.text(' that grows and grows and grows until nobody listens any more');
	/* It grows: the gateway has heard what its message is called. */
	await until(() => shown(d).at(-1).includes('that grows'), 'the preview to grow');
	const id = d.visible(d.ada).at(-1).message_id;

	await gw.kill();
	await gw.launch();
	(await model.next()).text('All of it.').end();
	await until(() => shown(d).at(-1) === 'All of it.', 'the reply');
	await until(() => !d.visible(d.ada).some((m) => m.message_id === id), 'the preview is gone');
	assert.equal(shown(d).length, from + 1);
});

test('a failed turn leaves no preview', async () => {
	const d = bots.partial, from = d.visible(d.ada).length;

	d.say(d.ada, 'break');
	const call = await model.next();

	call.text('This will not come to a good end, I fear.');
	await until(() => shown(d).length > from, 'a preview');
	const id = d.visible(d.ada).at(-1).message_id;

	model.answer = (c) => c.fail(400, 'no');
	call.cut();
	await until(() => shown(d).slice(from).some((t) => t.startsWith('⚠️')), () => `a notice: ${JSON.stringify(shown(d))}`);
	await until(() => !d.visible(d.ada).some((m) => m.message_id === id), 'the preview is gone');
});
