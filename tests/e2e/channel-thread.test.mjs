/* The first turn of a thread is told what was said there before it, once; later turns only what is new. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ADA, BOB, GENERAL, slackGateway } from './lib/slack.mjs';

let slack, model;
const ends = [];

before(async () => {
	({ slack, model } = await slackGateway({ after: (fn) => ends.push(fn) }));
});
after(async () => {
	for (const fn of ends)
		await fn();
});

const count = (text, what) => text.split(what).length - 1;

test('what was said in a thread before we were asked', async () => {
	const root = slack.say(BOB, GENERAL, 'the printer');

	slack.say(BOB, GENERAL, 'it is on fire', { thread_ts: root.ts });
	slack.say(ADA, GENERAL, `<@${slack.botUser}> what now? !first`, { thread_ts: root.ts });
	await slack.sent((m) => m.text?.includes('re: first'), { what: 'the first answer' });
	const { text } = await model.told('first');

	assert.match(text, /\[Chat messages since your last reply - for context\]\n<<<outside [0-9a-f]+ from slack_room>>>/);
	assert.equal(count(text, 'it is on fire'), 1, text);
	assert.equal(count(text, '!first'), 1, 'the message itself is not its own context');
	slack.say(ADA, GENERAL, `<@${slack.botUser}> and now? !second`, { thread_ts: root.ts });
	await slack.sent((m) => m.text?.includes('re: second'), { what: 'the second answer' });
	assert.equal(count((await model.told('second')).text, 'it is on fire'), 0, 'it is not told again');
});

test('a long thread is told by its end', async () => {
	const root = slack.say(BOB, GENERAL, 'a long story');

	slack.echoes = false;
	for (let n = 0; n < 450; n++)
		slack.put(slack.rooms.get(GENERAL), { user: BOB, text: `line ${n} of it`, thread_ts: root.ts });
	slack.say(ADA, GENERAL, `<@${slack.botUser}> so? !story`, { thread_ts: root.ts });
	await slack.sent((m) => m.text === 're: story', { what: 'the answer' });
	const { text } = await model.told('story');

	assert.equal(count(text, 'line 449 of it'), 1, text);
	assert.equal(count(text, 'line 9 of it'), 0, text);
	slack.echoes = true;
});

test('how much of a thread is told, and whose words meanwhile, is for its keys to say', async (t) => {
	const other = await slackGateway(t, { keys: { thread: { initialHistoryLimit: 1, historyScope: 'channel' } } });
	const root = other.slack.say(BOB, GENERAL, 'a topic'), at = `<@${other.slack.botUser}>`;
	const ask = async (mark) => {
		other.slack.say(ADA, GENERAL, `${at} !${mark}`, { thread_ts: root.ts });
		await other.slack.sent((m) => m.text === `re: ${mark}`, { what: 'the answer' });
		return (await other.model.told(mark)).text;
	};

	other.slack.say(BOB, GENERAL, 'the first word', { thread_ts: root.ts });
	other.slack.say(BOB, GENERAL, 'the last word', { thread_ts: root.ts });
	const first = await ask('few');

	assert.deepEqual([count(first, 'the first word'), count(first, 'the last word')], [0, 1], first);
	other.slack.say(BOB, GENERAL, 'meanwhile in the channel');
	assert.equal(count(await ask('beside'), 'meanwhile in the channel'), 1);
});
