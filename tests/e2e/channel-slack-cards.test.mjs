/*
 * channel-slack-cards.test.mjs - a question of the agent as buttons in Slack: who may press them, and what becomes of the card.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ADA, BOB, EVE, GENERAL, slackGateway } from './lib/slack.mjs';
import { until } from './lib/wait.mjs';

let slack, model;
const ends = [];

before(async () => {
	({ slack, model } = await slackGateway({ after: (fn) => ends.push(fn) }, { config: { commands: { ownerAllowFrom: [`slack:${ADA}`] } } }));
	slack.rooms.get(GENERAL).members.add(EVE);
});
after(async () => {
	for (const fn of ends)
		await fn();
});

const ASK = (id) => ({ questions: [{ id, header: 'Colour', question: `Which colour for ${id}?`, options: [{ label: 'Red' }, { label: 'Blue' }] }] });

/* A turn that asks; what the tool gave goes back into the chat. */
async function ask(person, room, mark) {
	model.rules.set(mark, (call) => {
		const result = call.toolResults.at(-1)?.content;

		if (result && call.body.messages.at(-1).role === 'tool')
			return call.text(`re: ${mark}: ${/blue/i.test(JSON.stringify(result)) ? 'Blue' : 'Red'}`).end();
		return call.tool(`call-${mark}`, 'ask_user', ASK(mark.replace(/-/g, '_'))).end('tool_calls');
	});
	slack.say(person, room, room === person ? `!${mark}` : `<@${slack.botUser}> !${mark}`);
	return slack.sent((m) => m.blocks?.some((b) => b.type === 'actions') && JSON.stringify(m.blocks).includes(mark.replace(/-/g, '_')),
		{ what: `the card of !${mark}` });
}

test('a press answers the question, and the card says so', async () => {
	const card = await ask(ADA, ADA, 'ask-dm');
	const buttons = card.blocks.flatMap((b) => b.elements ?? []);

	assert.ok(buttons.every((b) => b.action_id.startsWith('chela:') && b.value.length <= 64));
	slack.press(ADA, card.channel, card.ts, 'Blue');
	await slack.sent((m) => m.text?.includes('re: ask-dm: Blue'));
	const edit = await slack.called('chat.update', (a) => a.ts === card.ts);

	assert.match(edit.args.text, /Blue/);
	assert.doesNotMatch(JSON.stringify(edit.args.blocks ?? ''), /"actions"/, 'the buttons are gone');
	assert.ok(!slack.dm(ADA).messages.find((m) => m.ts === card.ts).blocks?.length);
});

test('a stranger who sees the card, and another person of the room, press in vain', async () => {
	const card = await ask(ADA, GENERAL, 'ask-room');

	slack.press(EVE, GENERAL, card.ts, 'Red');
	slack.press(BOB, GENERAL, card.ts, 'Red');
	const told = await slack.answers.find((a) => a.user === BOB, { what: 'Bob is told' });

	assert.equal(told.item.body.response_type, 'ephemeral');
	await until(() => slack.unacknowledged === 0, 'all is acknowledged');
	assert.ok(!slack.answers.items.some((a) => a.user === EVE), 'who is not let in hears nothing');
	assert.ok(!slack.calls.items.some((c) => c.method === 'chat.update' && c.args.ts === card.ts));
	slack.press(ADA, GENERAL, card.ts, 'Blue');
	await slack.sent((m) => m.text?.includes('re: ask-room: Blue'));
});

test('one press counts, however often it is brought', async () => {
	const card = await ask(ADA, ADA, 'ask-again');

	for (let i = 0; i < 5; i++)
		slack.press(ADA, card.channel, card.ts, i ? 'Red' : 'Blue');
	await slack.sent((m) => m.text?.includes('re: ask-again: Blue'));
	await until(() => slack.unacknowledged === 0, 'all is acknowledged');
	assert.ok(!slack.posts.items.some((m) => m.text?.includes('re: ask-again: Red')));
});
