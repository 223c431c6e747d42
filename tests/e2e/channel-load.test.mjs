/* channel-load.test.mjs - 400 messages over 20 conversations on four networks at once; bench/channels.mjs is the large one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { channelLoad } from './lib/channel_load.mjs';

test('400 messages on four networks: none lost, in order, once each', { timeout: 180000 }, async () => {
	const r = await channelLoad({ shares: { telegram: 7, slack: 6, discord: 5, irc: 2 }, each: 21, slow: { irc: 11 }, ms: 120000 });

	console.log(`# ${JSON.stringify(r)}`);
	assert.equal(r.messages, 400);
	assert.ok(r.rssEnd - r.rssHalf < 4096, `it grew from ${r.rssHalf} to ${r.rssEnd} KiB`);
});
