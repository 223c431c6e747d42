/* Discord: what is seen while a turn runs (a preview that is edited, reactions), and answers of several parts to a slash command. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BOT, ROOMS, USERS } from '../doubles/discord.mjs';
import { DiscordWorld } from './lib/discord.mjs';
import { TEST_MS, until } from './lib/wait.mjs';

test('a preview grows by edits and becomes the answer', { timeout: TEST_MS }, async (t) => {
	const w = await (await DiscordWorld.start(t, { discord: { streaming: { mode: 'partial' } } })).up();
	const d = w.double, dm = d.dm(USERS.ada);
	let go;
	const shown = new Promise((resolve) => (go = resolve));

	w.answer = async (text, call) => {
		call.text('the first half of a long enough sentence, ');
		await shown;
		return 'and the second m-live';
	};
	d.say(USERS.ada, dm, 'slowly m-live');
	await d.sent((m) => /first half/.test(m.content) && !/second/.test(m.content), { what: 'the preview' });
	go();
	await until(() => d.shown(dm).some((x) => x === 'the first half of a long enough sentence, and the second m-live'), 'the whole answer');
	assert.equal(d.shown(dm).length, 2, JSON.stringify(d.shown(dm)));
	assert.ok(d.out.items.some((m) => m.isEdit));
});

test('an acknowledgement is set while it works and taken away', { timeout: TEST_MS }, async (t) => {
	const w = await (await DiscordWorld.start(t, { discord: { ackReaction: '👀' }, config: { messages: { inbound: { debounceMs: 0 },
		ackReactionScope: 'all', removeAckAfterReply: true } } })).up();
	const d = w.double;

	await w.round(USERS.ada, ROOMS.general, `<@${BOT}> look m-ack`);
	await until(() => d.requests.items.some((r) => r.method === 'PUT' && r.route?.includes('reactions') && r.status === 204), 'the reaction');
	await until(() => d.requests.items.some((r) => r.method === 'DELETE' && r.route?.includes('reactions') && r.status === 204), 'its end');
	assert.equal(d.messages.get(ROOMS.general)[0].reactions.length, 0);
});

test('a long answer to a command: the first part in its place, the others after it, all for its user', { timeout: TEST_MS }, async (t) => {
	const w = await (await DiscordWorld.start(t)).up();
	const d = w.double;
	const token = d.slash(USERS.ada, ROOMS.general, 'help');

	await d.sent((m) => m.ephemeral);
	await until(() => d.interactions.get(token).original?.content, 'the first part');
	assert.deepEqual(d.shown(ROOMS.general), []);
	w.answer = () => `${'many words '.repeat(400)}end m-parts`;
	const asked = d.slash(USERS.ada, ROOMS.general, 'nothing-we-have', { args: 'm-parts' });

	await d.sent((m) => m.ephemeral && /end m-parts/.test(m.content), { what: 'the last part' });
	assert.match(d.interactions.get(asked).original.content, /^many words/);
	assert.deepEqual(d.shown(ROOMS.general), []);
});
