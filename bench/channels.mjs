/*
 * channels.mjs - 5,000 messages over 50 conversations on four networks at once, against stand-ins of the networks and a model that
 * answers at once. Needs the packages of tests/e2e (make test installs them) and a release build; CHELA_BIN names another one.
 *
 *	node bench/channels.mjs
 */
import { channelLoad } from '../tests/e2e/lib/channel_load.mjs';

const each = Number(process.env.EACH ?? 100);
const r = await channelLoad({ shares: { telegram: 18, slack: 15, discord: 13, irc: 4 }, each, waveMs: Number(process.env.WAVE_MS ?? 0),
	quietMs: 7000 });
const rows = [['messages, answered once each and in order', r.messages], ['conversations', r.conversations],
	['messages/s, with the pace of each network', r.perSecond.toFixed(1)], ['CPU ms/message, turn and reply included', r.cpuMs.toFixed(2)],
	['RSS before, MiB', (r.rssStart / 1024).toFixed(1)], ['RSS after half of them, MiB', (r.rssHalf / 1024).toFixed(1)],
	['RSS at the end, MiB', (r.rssEnd / 1024).toFixed(1)], ['RSS at its highest, MiB', (r.rssPeak / 1024).toFixed(1)]];

for (const [what, value] of rows)
	console.log(`| ${what} | ${value} |`);
