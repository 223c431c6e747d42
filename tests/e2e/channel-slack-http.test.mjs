/*
 * channel-slack-http.test.mjs - Slack that calls us: signatures, retries, interactivity and slash commands over HTTP, and what
 * somebody who is not Slack, or not who they say, gets.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { SlackDouble } from '../doubles/slack.mjs';
import { ADA, EVE, GENERAL, slackGateway } from './lib/slack.mjs';
import { stopAfter, until } from './lib/wait.mjs';

let slack, model, gw;
const ends = [];

before(async () => {
	({ slack, model, gw } = await slackGateway({ after: (fn) => ends.push(fn) }, {
		connected: false,
		keys: { mode: 'http', appToken: undefined, signingSecret: '8f742231b10e8888abcd99yyyzzz85a5', webhookPath: '/hooks/slack-a',
			slashCommand: { enabled: true, name: 'chela' } },
	}));
	slack.eventsUrl = `${gw.url}/hooks/slack-a`;
	await slack.called('auth.test');
	await until(() => slack.verifyUrl().catch(() => false), 'the path is there');
});
after(async () => {
	for (const fn of ends)
		await fn();
});

const at = (text) => `<@${slack.botUser}> ${text}`;
const answer = (mark) => slack.sent((m) => m.text?.split('\n').includes(`re: ${mark}`), { what: `the answer to !${mark}` });
const mention = (text, more = {}) => ({ type: 'message', channel: GENERAL, channel_type: 'channel', user: ADA, text: at(text), ts: slack.ts(), ...more });
const heard = (mark) => model.heard.filter((h) => h.mark === mark).length;

test('events are answered', async () => {
	slack.say(ADA, GENERAL, at('!http-1'));
	assert.equal((await answer('http-1')).channel, GENERAL);
});

test('slash commands and words after them', async () => {
	const done = await slack.slash(ADA, GENERAL, '/chela', '!slash+one & two');

	assert.equal(done.text, '');
	const { item } = await slack.answers.find((a) => /^re: slash/.test(a.body.text));

	assert.equal(item.body.response_type, 'ephemeral');
	assert.match((await model.told('slash')).text, /!slash\+one & two/);
	assert.match((await slack.slash(ADA, GENERAL, '/unknown')).text, /not switched on/);
});

test('an address that takes no more answers: the channel gets it', async () => {
	model.rules.set('slow', async (call) => {
		slack.expireResponseUrls();
		call.text('re: slow').end();
	});
	await slack.slash(ADA, ADA, '/chela', '!slow');
	assert.equal((await answer('slow')).channel, slack.dm(ADA).id);
});

test('… and in a room the person alone sees it', async () => {
	model.rules.set('late', async (call) => {
		slack.expireResponseUrls();
		call.text('re: late').end();
	});
	await slack.slash(ADA, GENERAL, '/chela', '!late');
	const post = await answer('late');

	assert.deepEqual([post.channel, post.ephemeral_to], [GENERAL, ADA]);
});

test('an answer to an address that may have arrived is not said twice', async () => {
	slack.fault('response_url', { status: 500 });
	await slack.slash(ADA, ADA, '/chela', '!perhaps');
	await until(() => /may not have arrived.*for one person/.test(gw.log()), 'the operator is told');
	assert.ok(!slack.posts.items.some((m) => m.text?.includes('re: perhaps')));
});

test('a retry of Slack is the same event', async () => {
	const body = JSON.stringify(slack.payloadOf(mention('!retried')));

	for (let n = 0; n < 5; n++)
		assert.equal((await slack.request(body, { headers: n ? { 'x-slack-retry-num': String(n), 'x-slack-retry-reason': 'http_timeout' } : {} })).status, 200);
	await answer('retried');
	slack.say(ADA, GENERAL, at('!behind-it'));
	await answer('behind-it');
	assert.equal(heard('retried'), 1);
});

test('test_threat_spoofing: what Slack did not sign is refused before it is read', async () => {
	const body = JSON.stringify(slack.payloadOf(mention('!forged')));
	const now = Math.floor(Date.now() / 1000);
	const cases = [
		['another secret', { secret: 'not the secret' }],
		['no signature', { headers: { 'x-slack-signature': '' } }],
		['no moment', { headers: { 'x-slack-request-timestamp': '' } }],
		['six minutes old', { timestamp: now - 360 }],
		['six minutes ahead', { timestamp: now + 360 }],
		['another moment than was signed', { headers: { 'x-slack-request-timestamp': String(now - 1) } }],
		['another version', { headers: { 'x-slack-signature': slack.sign(body)['x-slack-signature'].replace('v0', 'v1') } }],
	];

	for (const [what, options] of cases)
		assert.equal((await slack.request(body, options)).status, 401, what);
	const signed = slack.sign(body);
	const changed = await fetch(slack.eventsUrl, { method: 'POST', body: body.replace('!forged', '!changed'),
		headers: { 'content-type': 'application/json', ...signed } });

	assert.equal(changed.status, 401, 'another body than was signed');
	assert.equal((await slack.request('{"type":"event_callback"', {})).status, 400);
	assert.equal(heard('forged') + heard('changed'), 0);
});

test('test_threat_spoofing: a changed display name lets nobody in', async () => {
	slack.users.get(EVE).profile.display_name = 'ada';
	slack.users.get(EVE).name = 'ada';
	slack.rooms.get(GENERAL).members.add(EVE);
	slack.say(EVE, GENERAL, at('!as-ada'));
	slack.say(EVE, EVE, '!as-ada-too');
	/* Nor does a group's id as the sender. */
	await slack.event(mention('!as-group', { user: GENERAL }));
	slack.say(ADA, GENERAL, at('!the-real-ada'));
	await answer('the-real-ada');
	assert.equal(heard('as-ada') + heard('as-ada-too') + heard('as-group'), 0);
});

test('broken events are taken once and harm nothing', async () => {
	for (const event of [{ type: 'message' }, { type: 'message', channel: GENERAL, ts: 'x' }, { type: 7 }, null, { type: 'reaction_added', item: {} }])
		assert.equal((await slack.request(JSON.stringify({ ...slack.payloadOf({}), event }))).status, 200);
	slack.say(ADA, GENERAL, at('!still-here'));
	await answer('still-here');
});

test('a press by a stranger is nothing', async () => {
	const press = (user, value) => slack.interact({ type: 'block_actions', user: { id: user, username: 'x' }, channel: { id: GENERAL, name: 'general' },
		container: { type: 'message', message_ts: slack.ts(), channel_id: GENERAL }, response_url: slack.responseUrl({ channel: GENERAL, user }),
		trigger_id: 't', actions: [{ type: 'button', action_id: 'chela:0', value, action_ts: slack.ts() }] });

	assert.equal((await press(EVE, 'whatever')).status, 200);
	assert.equal((await press(ADA, 'a button that nobody made')).status, 200);
	slack.say(ADA, GENERAL, at('!after-press'));
	await answer('after-press');
	assert.ok(!slack.answers.items.some((a) => a.user === EVE));
});

test('a busy workspace behind a proxy is not slowed down', async () => {
	for (let n = 0; n < 130; n++)
		assert.equal((await slack.request(JSON.stringify(slack.payloadOf({ type: 'team_icon_changed' })))).status, 200);
});

test('several accounts at one path: the signature says whose it is, and who is down is waited for', async (t) => {
	const other = await SlackDouble.start({ teamId: 'T0TEAM002', signingSecret: 'the-secret-of-another-app', botToken: 'xoxb-3333-other' });
	const two = await slackGateway(t, { connected: false, keys: { botToken: undefined, appToken: undefined, mode: 'http' },
		accounts: (one) => ({ a: { apiRoot: one.apiRoot, botToken: one.botToken, signingSecret: one.signingSecret },
			b: { apiRoot: other.apiRoot, botToken: other.botToken, signingSecret: other.signingSecret } }) });
	const c = await two.gw.connect();

	stopAfter(t, other);
	other.setClock();
	two.slack.eventsUrl = other.eventsUrl = `${two.gw.url}/slack/events`;
	await until(async () => await two.slack.verifyUrl().catch(() => false) && other.verifyUrl(), 'both are there');
	other.say(ADA, ADA, '!to-b');
	assert.equal((await other.sent((m) => m.text === 're: to-b')).channel, other.dm(ADA).id);
	assert.equal((await other.request('{}', { secret: 'of nobody' })).status, 401);
	await c.call('channels.stop', { channel: 'slack', accountId: 'a' });
	other.say(ADA, ADA, '!still-b');
	await other.sent((m) => m.text === 're: still-b');
	assert.equal((await two.slack.request(JSON.stringify(two.slack.payloadOf(mention('!to-a'))))).status, 503);
	await c.close();
});

test('while nobody is logged in Slack is asked to come again', async () => {
	const c = await gw.connect();
	const body = JSON.stringify(slack.payloadOf(mention('!later')));

	await c.call('channels.stop', { channel: 'slack' });
	assert.notEqual((await slack.request(body)).status, 200);
	await c.call('channels.start', { channel: 'slack' });
	await until(async () => (await slack.request(body)).status === 200, 'the event is taken');
	await answer('later');
	assert.equal(heard('later'), 1);
	await c.close();
});
