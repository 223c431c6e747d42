/*
 * channel-slack.test.mjs - Slack in Socket Mode, from the person's message to the app's answer and back: each kind in and out.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ADA, BOB, EVE, GENERAL, slackGateway } from './lib/slack.mjs';
import { until } from './lib/wait.mjs';

let slack, model, gw;
const ends = [];

before(async () => {
	({ slack, model, gw } = await slackGateway({ after: (fn) => ends.push(fn) }, {
		keys: { slashCommand: { enabled: true, name: 'chela' }, dm: { groupEnabled: true }, reactionNotifications: 'all' },
	}));
});
after(async () => {
	for (const fn of ends)
		await fn();
});

const at = (text) => `<@${slack.botUser}> ${text}`;
const answer = (mark) => slack.sent((m) => m.text?.split('\n').includes(`re: ${mark}`), { what: `the answer to !${mark}` });

test('a DM is answered in the DM', async () => {
	slack.say(ADA, ADA, 'hello !dm-1');
	const post = await answer('dm-1');

	assert.equal(post.channel, slack.dm(ADA).id);
	assert.equal(post.thread_ts, undefined);
});

test('a mention in a channel is one event, answered once', async () => {
	slack.say(ADA, GENERAL, at('!mention-1'), { times: 3 });
	assert.equal((await answer('mention-1')).channel, GENERAL);
	slack.say(ADA, GENERAL, at('!mention-2'));
	await answer('mention-2');
	assert.equal(slack.posts.items.filter((m) => m.text === 're: mention-1').length, 1);
	await until(() => slack.unacknowledged === 0, 'all is acknowledged');
});

test('strangers, other rooms and unaddressed words are not answered', async () => {
	slack.say(EVE, EVE, 'hello !stranger-dm');
	slack.rooms.get(GENERAL).members.add(EVE);
	slack.say(EVE, GENERAL, at('!stranger-room'));
	slack.say(ADA, GENERAL, '!unaddressed');
	slack.say(ADA, GENERAL, at('!after'));
	const post = await answer('after');

	assert.ok(post);
	for (const mark of ['stranger-dm', 'stranger-room', 'unaddressed'])
		assert.ok(!model.heard.some((h) => h.mark === mark), `the model does not hear !${mark}`);
	assert.match(model.heard.find((h) => h.mark === 'after').text, /!unaddressed/, 'what was overheard is context');
	assert.doesNotMatch(model.heard.find((h) => h.mark === 'after').text, /stranger-room/);
});

test('threads are their own conversations, answered inside', async () => {
	const root = slack.say(BOB, GENERAL, 'a topic');

	slack.say(ADA, GENERAL, at('!thread-1'), { thread_ts: root.ts });
	assert.equal((await answer('thread-1')).thread_ts, root.ts);
	assert.match((await model.told('thread-1')).text, /a topic/, 'what the thread began with is told');
	/* We answered there: what follows is addressed to us. */
	slack.say(ADA, GENERAL, '!thread-2', { thread_ts: root.ts });
	assert.equal((await answer('thread-2')).thread_ts, root.ts);
});

test('group DMs and private channels', async () => {
	slack.say(ADA, 'G0MPIM001', at('!mpim'));
	assert.equal((await answer('mpim')).channel, 'G0MPIM001');
	slack.say(ADA, 'C0SECRET1', at('!private'));
	assert.equal((await answer('private')).channel, 'C0SECRET1');
});

test('names and links are readable to the model', async () => {
	slack.say(ADA, GENERAL, at(`ask <@${BOB}> in <#C0RANDOM1|random> about <https://x.org|this> &amp; that !names`));
	const told = await model.told('names');

	assert.match(told.text, /ask @bob in #random about this \(https:\/\/x\.org\) & that !names/);
	await answer('names');
});

test('a picture reaches the model, fetched with the token', async () => {
	const png = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==', 'base64');
	const file = slack.addFile(png, { name: 'dot.png', mimetype: 'image/png' });

	slack.say(ADA, ADA, 'look !picture', { files: [file] });
	await answer('picture');
	const { body } = await model.told('picture');

	assert.match(JSON.stringify(body.messages.at(-1)), /data:image\/(png|jpeg|webp);base64,/);
});

test('edits, deletions and reactions are told to the next turn', async () => {
	const said = slack.say(ADA, ADA, '!first');

	await answer('first');
	slack.change(slack.dm(ADA).id, said.ts, 'the corrected words');
	slack.react(ADA, slack.dm(ADA).id, said.ts, 'tada');
	slack.erase(slack.dm(ADA).id, said.ts);
	await until(() => slack.unacknowledged === 0, 'all is acknowledged');
	slack.say(ADA, ADA, '!second');
	await answer('second');
	const text = JSON.stringify((await model.told('second')).body.messages);

	assert.match(text, /the corrected words/);
	assert.match(text, /🎉/);
});

test('slash commands are answered to the person alone', async () => {
	slack.slash(ADA, GENERAL, '/chela', '/whoami');
	const { item } = await slack.answers.find((a) => a.user === ADA, { what: 'an answer to the command' });

	assert.equal(item.body.response_type, 'ephemeral');
	assert.match(item.body.text, /You are `slack:U0ADA0001`/);
	slack.slash(ADA, GENERAL, '/chela', 'words !slash');
	assert.equal((await slack.answers.find((a) => a.body.text === 're: slash')).item.body.response_type, 'ephemeral');
	slack.slash(ADA, GENERAL, '/other');
	await slack.acks.find((a) => /not switched on/.test(a.payload?.text ?? ''), { what: 'a word about the command' });
});

test('the Home tab is shown once', async () => {
	slack.event({ type: 'app_home_opened', user: ADA, channel: slack.dm(ADA).id, tab: 'home', event_ts: slack.ts() });
	const { item } = await slack.views.find((v) => v.user === ADA, { what: 'the Home tab' });

	assert.equal(item.view.type, 'home');
	assert.match(JSON.stringify(item.view), /\/chela \/help/);
	slack.event({ type: 'app_home_opened', user: ADA, channel: slack.dm(ADA).id, tab: 'home', view: item.view, event_ts: slack.ts() });
	slack.event({ type: 'app_home_opened', user: ADA, channel: slack.dm(ADA).id, tab: 'messages', event_ts: slack.ts() });
	await until(() => slack.unacknowledged === 0, 'all is acknowledged');
	assert.equal(slack.views.items.length, 1);
});

test('an answer is written as Slack writes', async () => {
	model.rules.set('markdown', (call) => call.text('**bold** and [a link](https://x.org) 1 < 2\n\n- one\n- two').end());
	slack.say(ADA, ADA, '!markdown');
	const post = await slack.sent((m) => m.text?.includes('*bold*'));

	assert.match(post.text, /\*bold\* and <https:\/\/x\.org\|a link> 1 &lt; 2/);
	assert.equal(post.metadata.event_type, 'chela_message');
	assert.match(post.metadata.event_payload.key, /^[0-9a-f]{32}$/);
});

test('with replyToMode off no tag of the model hides an answer in a thread', async () => {
	model.rules.set('tagged', (call) => call.text('[[reply_to_current]] re: tagged').end());
	slack.say(ADA, GENERAL, at('!tagged'));
	assert.equal((await answer('tagged')).thread_ts, undefined);
});

test('long answers come in order, in parts that Slack takes', async () => {
	const long = Array.from({ length: 900 }, (_, i) => `line ${i} of a long answer`).join('\n');

	model.rules.set('long', (call) => call.text(`${long}\n\nthe end of it`).end());
	slack.say(ADA, ADA, '!long');
	await slack.sent((m) => m.text?.includes('the end of it'));
	const parts = slack.posts.items.filter((m) => /of a long answer/.test(m.text ?? ''));
	const lines = parts.flatMap((m) => m.text.match(/line \d+ of/g));

	assert.ok(parts.length > 1 && parts.every((m) => m.text.length <= 8000));
	assert.deepEqual(lines, Array.from({ length: 900 }, (_, i) => `line ${i} of`));
});

test('a login that is renewed loses nothing', async () => {
	slack.holdEvents = true;
	slack.disconnect('refresh_requested');
	slack.say(ADA, ADA, '!renewed');
	await until(() => slack.calls.items.filter((c) => c.method === 'apps.connections.open').length >= 2, 'another socket');
	slack.release();
	await answer('renewed');
	slack.cutSockets();
	slack.say(ADA, ADA, '!cut');
	await answer('cut');
});

test('the status says who we are and what is missing; logs hold no secrets', async () => {
	const c = await gw.connect();
	const scopes = slack.scopes;

	slack.scopes = scopes.filter((s) => s !== 'files:write');
	const status = JSON.stringify(await c.call('channels.status', { probe: true }));

	slack.scopes = scopes;
	assert.match(status, /files:write/);
	await c.close();
	const shown = await gw.cli(['channels', 'status', '--probe']);

	assert.match(shown.stdout, /slack.*connected/is);
	const logs = await gw.cli(['channels', 'logs', 'slack']);

	for (const text of [gw.log(), status, shown.stdout, logs.stdout])
		assert.doesNotMatch(text, /ticket=|xoxb-1111|xapp-1-A0/);
});
