/*
 * bolt_peer.mjs - an app made with @slack/bolt (it wants Node.js 22), to see that a stand-in for Slack is one.
 *
 * BOLT: { mode: 'socket' | 'http', apiRoot, botToken, appToken, signingSecret }. Lines out: { note, ... }.
 */
import bolt from '@slack/bolt';

const out = (note) => process.stdout.write(`${JSON.stringify(note)}\n`);
const { mode, apiRoot, botToken, appToken, signingSecret } = JSON.parse(process.env.BOLT);
const clientOptions = { slackApiUrl: `${apiRoot}/`, retryConfig: { retries: 0 } };
const quiet = { debug() {}, info() {}, warn() {}, error: (...a) => out({ note: 'error', text: a.map(String).join(' ') }), setLevel() {}, getLevel: () => 'error', setName() {} };
const receiver = mode === 'socket' ? new bolt.SocketModeReceiver({ appToken, logger: quiet, installerOptions: { clientOptions } }) : undefined;
const app = new bolt.App({ token: botToken, clientOptions, logger: quiet,
	...(receiver ? { receiver } : { signingSecret, endpoints: '/slack/events' }) });

app.event('app_mention', async ({ event, say }) => {
	await say({ text: `you said: ${event.text}`, thread_ts: event.ts, blocks: [
		{ type: 'section', text: { type: 'mrkdwn', text: `you said: ${event.text}` } },
		{ type: 'actions', elements: [{ type: 'button', action_id: 'yes', text: { type: 'plain_text', text: 'Yes' }, value: 'v1' }] },
	] });
});
app.message('upload', async ({ client, message }) => {
	await client.filesUploadV2({ channel_id: message.channel, filename: 'a.txt', content: 'from bolt', initial_comment: 'here' });
});
app.message('dm me', async ({ client, message }) => {
	const opened = await client.conversations.open({ users: message.user });

	await client.chat.postMessage({ channel: opened.channel.id, text: 'in private' });
	await client.reactions.add({ channel: message.channel, timestamp: message.ts, name: 'eyes' });
	const refused = await client.chat.postMessage({ channel: 'C0NOWHERE', text: 'x' }).catch((e) => e.data?.error);

	out({ note: 'refused', error: refused });
});
app.message('grow', async ({ client, message, context }) => {
	const stream = client.chatStream({ channel: message.channel, thread_ts: message.ts, recipient_user_id: message.user,
		recipient_team_id: context.teamId, buffer_size: 1 });

	await stream.append({ markdown_text: '**It** ' });
	const refused = await client.chat.update({ channel: message.channel, ts: stream.ts, text: 'x' }).catch((e) => e.data?.error);

	await stream.append({ markdown_text: 'grows' });
	await stream.stop();
	out({ note: 'grown', error: refused });
});
app.action('yes', async ({ ack, action, respond }) => {
	await ack();
	await respond({ text: `pressed ${action.value}`, replace_original: false });
});
app.command('/bolt', async ({ ack, command, respond }) => {
	await ack('got it');
	await respond(`ran ${command.text}`);
});
app.event('reaction_added', ({ event }) => out({ note: 'reaction', name: event.reaction }));
app.event('message', ({ event }) => event.subtype && out({ note: 'message', subtype: event.subtype }));
const server = await app.start(mode === 'http' ? { port: 0, host: '127.0.0.1' } : undefined);

out({ note: 'up', port: mode === 'http' ? server.address().port : 0 });
