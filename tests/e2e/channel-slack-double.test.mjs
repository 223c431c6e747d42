/*
 * channel-slack-double.test.mjs - the stand-in for Slack is one: an app of @slack/bolt, which we did not write, lives on it in
 * Socket Mode and over HTTP.
 */
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, test } from 'node:test';
import { SlackDouble } from '../doubles/slack.mjs';
import { E2E_DIR, NODE_NEW } from './lib/peers.mjs';
import { Proc, cleanEnv } from './lib/proc.mjs';
import { START_MS, stopAll, until } from './lib/wait.mjs';

const running = [];

after(() => stopAll(...running.reverse()));

async function boltOn(mode) {
	const slack = await SlackDouble.start();
	const { apiRoot, botToken, appToken, signingSecret } = slack;
	const bolt = new Proc(NODE_NEW, [path.join(E2E_DIR, 'lib', 'bolt_peer.mjs')],
		{ env: cleanEnv({ BOLT: JSON.stringify({ mode, apiRoot, botToken, appToken, signingSecret }) }) });

	running.push(slack, bolt);
	const up = (await bolt.lines.find((l) => l.text.includes('"up"'), { what: 'bolt is up', ms: START_MS })).item;

	if (mode === 'http')
		slack.eventsUrl = `http://127.0.0.1:${JSON.parse(up.text).port}/slack/events`;
	return { slack, bolt, note: (name) => bolt.lines.find((l) => l.text.startsWith('{') && JSON.parse(l.text).note === name,
		{ what: `bolt's note ${name}` }).then((r) => JSON.parse(r.item.text)) };
}

for (const mode of ['socket', 'http'])
	test(`an app of @slack/bolt lives on the double: ${mode}`, async () => {
		const { slack, bolt, note } = await boltOn(mode);

		/* Mention, answer in its thread with a button, the press, the answer to it. */
		const said = slack.say('U0ADA0001', 'C0GENERAL', `<@${slack.botUser}> hello`);
		const post = await slack.sent((m) => m.text?.startsWith('you said'));

		assert.equal(post.thread_ts, said.ts);
		slack.press('U0ADA0001', 'C0GENERAL', post.ts, 'Yes');
		assert.equal((await slack.answers.find((a) => a.body.text === 'pressed v1')).item.user, 'U0ADA0001');
		/* A slash command, acknowledged with words and answered later. */
		const acked = slack.slash('U0ADA0001', 'C0GENERAL', '/bolt', 'now');

		await slack.answers.find((a) => a.body.text === 'ran now');
		if (mode === 'http')
			assert.match((await acked).text, /got it/);
		else
			await slack.acks.find((a) => JSON.stringify(a.payload ?? '').includes('got it'), { what: 'the acknowledgement with the words' });
		/* Files by the external upload, DMs, reactions, refusals. */
		slack.say('U0ADA0001', 'C0GENERAL', 'upload');
		const shared = await slack.sent((m) => m.files);

		assert.equal(shared.text, 'here');
		assert.equal(slack.file(shared.files[0].id).data.toString(), 'from bolt');
		const asked = slack.say('U0ADA0001', 'C0GENERAL', 'dm me');

		assert.equal((await slack.sent((m) => m.text === 'in private')).channel, slack.dm('U0ADA0001').id);
		assert.equal((await note('refused')).error, 'channel_not_found');
		assert.equal(slack.rooms.get('C0GENERAL').messages.find((m) => m.ts === asked.ts).reactions[0].name, 'eyes');
		/* A message that grows cannot be edited meanwhile. */
		const grow = slack.say('U0ADA0001', 'C0GENERAL', 'grow');

		assert.equal((await note('grown')).error, 'streaming_state_conflict');
		const grown = slack.rooms.get('C0GENERAL').messages.at(-1);

		assert.deepEqual([grown.text, grown.thread_ts, grown.growing], ['**It** grows', grow.ts, undefined]);
		slack.react('U0BOB0001', 'C0GENERAL', asked.ts, 'tada');
		assert.equal((await note('reaction')).name, 'tada');
		slack.change('C0GENERAL', asked.ts, 'dm me not');
		assert.equal((await note('message')).subtype, 'message_changed');
		if (mode === 'http') {
			assert.ok(await slack.verifyUrl());
			assert.equal((await slack.request('{}', { secret: 'wrong' })).status, 401);
			return;
		}
		/* Everything was acknowledged; a socket that is to be renewed is. */
		await until(() => slack.unacknowledged === 0, 'all is acknowledged');
		slack.disconnect('refresh_requested');
		await until(() => slack.calls.items.filter((c) => c.method === 'apps.connections.open').length === 2, 'another socket');
		assert.ok(!bolt.lines.items.some((l) => l.text.includes('"note":"error"')), bolt.tail());
	});
