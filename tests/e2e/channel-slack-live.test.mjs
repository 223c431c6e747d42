/* Slack: what is seen while a turn runs: a reaction, a preview that becomes the answer, a draft of the work that goes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ADA, slackGateway } from './lib/slack.mjs';
import { until } from './lib/wait.mjs';

const WHOLE = 'The first half of a *long* enough sentence, and the rest.';

/* A turn that calls a tool first, and then stops in the middle of its text until go(). */
async function halfway(t, mode) {
	const { slack, model } = await slackGateway(t, { keys: { streaming: { mode, progress: { toolProgress: true } } },
		config: { messages: { ackReactionScope: 'all', removeAckAfterReply: true } } });
	let go, calls = 0;
	const gate = new Promise((resolve) => (go = resolve));

	model.rules.set('slow', async (call) => {
		if (!calls++) {
			call.tool('c1', 'session_status', {}).end('tool_calls');
			return;
		}
		call.text('The first half of a **long** enough sentence, ');
		await gate;
		call.text('and the rest.').end();
	});
	slack.say(ADA, ADA, 'go !slow');
	return { slack, go, dm: () => slack.dm(ADA).messages.map((m) => m.text) };
}

test('a preview grows and becomes the answer', async (t) => {
	const { slack, go, dm } = await halfway(t, 'partial');

	await until(() => dm().at(-1).startsWith('The first half of a *long*'), () => JSON.stringify(dm()));
	await until(() => slack.dm(ADA).messages[0].reactions?.[0]?.name === 'eyes', 'the reaction');
	go();
	await until(() => dm().at(-1) === WHOLE, () => JSON.stringify(dm()));
	assert.equal(dm().length, 2);
	await until(() => !slack.dm(ADA).messages[0].reactions.length, 'the reaction is taken back');
});

test('a draft of the work is gone when the answer is there', async (t) => {
	const { go, dm } = await halfway(t, 'progress');

	await until(() => dm().at(-1) === 'Working\n🛠️ session_status', () => JSON.stringify(dm()));
	go();
	await until(() => dm().join('|') === `go !slow|${WHOLE}`, () => JSON.stringify(dm()));
});
