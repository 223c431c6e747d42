/* Slack: what is seen while a turn runs: a reaction, a preview that is edited or grows and becomes the answer, a draft of the work. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ADA, BOB, GENERAL, slackGateway } from './lib/slack.mjs';
import { until, within } from './lib/wait.mjs';

const BEGIN = 'The first half of a **long** enough sentence, ', END = 'and the rest.';
const SHOWN = 'The first half of a *long* enough sentence, and the rest.';
let partial;
const ends = [];
const options = (mode, more) => ({ keys: { streaming: { mode, progress: { toolProgress: true } }, slashCommand: { enabled: true, name: 'chela' }, ...more },
	config: { messages: { ackReactionScope: 'all', removeAckAfterReply: true } } });

before(async () => {
	partial = await slackGateway({ after: (fn) => ends.push(fn) }, options('partial', { typingReaction: 'hourglass_flowing_sand' }));
});
after(async () => {
	for (const fn of ends)
		await fn();
});

/* A turn that calls a tool first, and then stops in the middle of its text until the function that is given is called. */
function halfway({ model }, mark, { begin = BEGIN, end = END } = {}) {
	let go, calls = 0;
	const gate = new Promise((resolve) => (go = resolve));

	model.rules.set(mark, async (call) => {
		if (!calls++) {
			call.tool(`c-${mark}`, 'session_status', {}).end('tool_calls');
			return;
		}
		call.text(begin);
		await gate;
		call.text(end).end();
	});
	return go;
}

const texts = (slack, person) => slack.dm(person).messages.map((m) => m.text);
const inThread = (slack, root) => slack.rooms.get(GENERAL).messages.filter((m) => m.thread_ts === root.ts && m.bot_id);
const calls = (slack, method, from = 0) => slack.calls.items.slice(from).filter((c) => c.method === method);

/* Asked in a thread: {root, from: how many calls there were, mine(): messages of the app there}. */
function askInThread(slack, mark) {
	const from = slack.calls.items.length, root = slack.say(BOB, GENERAL, `a topic for ${mark}`);

	slack.say(ADA, GENERAL, `<@${slack.botUser}> !${mark}`, { thread_ts: root.ts });
	return { root, from, mine: () => inThread(slack, root) };
}

test('a preview is edited and becomes the answer', async () => {
	const { slack } = partial, go = halfway(partial, 'edited'), said = slack.say(ADA, ADA, 'go !edited');

	await until(() => texts(slack, ADA).at(-1).startsWith('The first half of a *long*'), () => JSON.stringify(texts(slack, ADA)));
	await until(() => slack.message(slack.dm(ADA), said.ts).reactions?.map((r) => r.name).sort().join() === 'eyes,hourglass_flowing_sand', 'the reactions');
	go();
	await until(() => texts(slack, ADA).at(-1) === SHOWN, () => JSON.stringify(texts(slack, ADA)));
	assert.equal(texts(slack, ADA).length, 2);
	await until(() => !slack.message(slack.dm(ADA), said.ts).reactions.length, 'the reactions are taken back');
});

test('in a thread the answer grows where it stands, and needs no edit', async () => {
	const { slack } = partial, go = halfway(partial, 'grown'), { from, mine } = askInThread(slack, 'grown');

	await until(() => mine()[0]?.growing && mine()[0].text.startsWith('The first half of a **long** enough'), () => JSON.stringify(mine()));
	assert.equal(mine()[0].recipient, ADA);
	go();
	await until(() => mine()[0].text === BEGIN + END && !mine()[0].growing, () => JSON.stringify(mine()));
	slack.say(BOB, BOB, '!after-grown');
	await slack.sent((m) => m.text === 're: after-grown');
	assert.equal(mine().length, 1);
	assert.equal(calls(slack, 'chat.update', from).length, 0);
	assert.equal(calls(slack, 'chat.startStream', from).length, 1);
});

test('a message that Slack ended by itself gets the rest by an edit', async () => {
	const { slack } = partial, go = halfway(partial, 'ended'), { mine } = askInThread(slack, 'ended');

	await until(() => mine()[0]?.growing, () => JSON.stringify(mine()));
	slack.endGrowth(GENERAL, mine()[0].ts);
	go();
	await until(() => mine()[0].text === SHOWN, () => JSON.stringify(mine()));
	assert.equal(mine().length, 1);
});

test('a piece whose answer was lost is not said twice', async () => {
	const { slack } = partial, go = halfway(partial, 'lost', { end: `${END} ${'And more of it. '.repeat(4)}` });

	slack.fault('chat.stopStream', { cut: 'after' });
	const { mine } = askInThread(slack, 'lost');

	await until(() => mine()[0]?.growing, () => JSON.stringify(mine()));
	go();
	await until(() => mine()[0].text === `${SHOWN} ${'And more of it. '.repeat(4).trim()}`, () => JSON.stringify(mine()));
	assert.equal(mine().length, 1);
});

test('test_threat_spoofing: what grows calls no group either', async () => {
	const { slack } = partial;
	const go = halfway(partial, 'loud', { begin: 'Hello <!channel> and <@U0BOB0001>, this is a long text ', end: '<!here>.' });
	const { mine } = askInThread(slack, 'loud');

	await until(() => mine()[0]?.growing, () => JSON.stringify(mine()));
	assert.match(mine()[0].text, /^Hello <\u2060!channel> and <@U0BOB0001>,/);
	go();
	await until(() => mine()[0].text === 'Hello &lt;!channel&gt; and <@U0BOB0001>, this is a long text &lt;!here&gt;.', () => JSON.stringify(mine()));
});

test('an answer that is longer than an edit may be: a preview, then its parts, and nothing left over', async () => {
	const { slack } = partial, lines = (from, to) => Array.from({ length: to - from }, (_, i) => `line ${from + i} of it`).join('\n');
	const from = slack.calls.items.length, before = texts(slack, BOB).length;
	const go = halfway(partial, 'long', { begin: `${lines(0, 300)}\n`, end: lines(300, 500) });

	slack.say(BOB, BOB, '!long');
	await until(() => /line 200 of/.test(texts(slack, BOB).at(-1)), () => JSON.stringify(texts(slack, BOB)));
	go();
	await until(() => /line 499 of it$/.test(texts(slack, BOB).at(-1)), () => JSON.stringify(texts(slack, BOB)));
	const said = texts(slack, BOB).slice(before + 1);

	assert.deepEqual(said.join('\n').match(/line \d+ of/g), Array.from({ length: 500 }, (_, i) => `line ${i} of`));
	assert.ok(said.length === 2 && said[0].length <= 4000);
	assert.ok(slack.calls.items.slice(from).every((c) => c.error !== 'msg_too_long'));
});

test('an answer to a slash command is for the person alone from its first word', async () => {
	const { slack, model } = partial, go = halfway(partial, 'private'), before = slack.posts.items.length;

	slack.slash(ADA, GENERAL, '/chela', '!private');
	await until(() => model.heard.filter((h) => h.mark === 'private').length === 2, 'the model writes');
	go();
	const { item } = await slack.answers.find((a) => a.body.text === SHOWN, { what: 'the answer' });

	assert.equal(item.body.response_type, 'ephemeral');
	assert.equal(slack.posts.items.length, before);
});

test('a gateway that dies leaves nothing that grows', async () => {
	const { slack, gw, model } = partial;
	let first;
	const writing = new Promise((resolve) => (first = resolve));

	model.rules.set('cut', (call) => {
		if (call.body.messages.at(-1).role === 'tool')
			first(call.text(BEGIN));
		else
			call.tool('c-cut', 'session_status', {}).end('tool_calls');
	});
	const { mine } = askInThread(slack, 'cut'), call = await within(writing, 'the model to be asked');

	await until(() => mine()[0]?.growing, () => JSON.stringify(mine()));
	/* It grows: the gateway has heard what its message is called. */
	call.text('and more of it, ');
	await slack.called('chat.appendStream', (a) => a.ts === mine()[0].ts);
	model.rules.delete('cut');
	await gw.kill();
	await gw.restart();
	await until(() => mine().map((m) => m.text).join('|') === 're: cut' && !mine()[0].growing, () => JSON.stringify(mine()));
});

test('a draft of the work is gone when the answer is there', async (t) => {
	const progress = await slackGateway(t, options('progress')), { slack } = progress, go = halfway(progress, 'slow');

	slack.say(ADA, ADA, 'go !slow');
	await until(() => texts(slack, ADA).at(-1) === 'Working\n🛠️ session_status', () => JSON.stringify(texts(slack, ADA)));
	go();
	await until(() => texts(slack, ADA).join('|') === `go !slow|${SHOWN}`, () => JSON.stringify(texts(slack, ADA)));
});
