/*
 * channel-slack-faults.test.mjs - Slack that fails, cuts and repeats; a gateway that is killed. Every message ends in one answer.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { SlackDouble } from '../doubles/slack.mjs';
import { freePort } from './lib/proc.mjs';
import { ADA, BOB, slackGateway } from './lib/slack.mjs';
import { stopAfter, until } from './lib/wait.mjs';

let slack, model, gw;
const ends = [];

before(async () => {
	({ slack, model, gw } = await slackGateway({ after: (fn) => ends.push(fn) },
		{ keys: { dmPolicy: 'open', allowFrom: ['*'] } }));
});
after(async () => {
	for (const fn of ends)
		await fn();
});

const texts = () => slack.posts.items.map((m) => m.text);
const count = (mark) => texts().filter((t) => t === `re: ${mark}`).length;
const answer = (mark) => slack.sent((m) => m.text === `re: ${mark}`, { what: `the answer to !${mark}` });
/* It has stopped, and says why. */
const needsLogin = (c, why) => until(async () => {
	const [a] = (await c.call('channels.status', {})).channelAccounts.slack;

	return a.state === 'needs-login' && why.test(a.lastError ?? '');
}, 'the account needs a login');
/* Each account, not only its socket: an event for one that is not there yet is left for another time. */
const bothConnected = (c) => until(async () => (await c.call('channels.status', {})).channelAccounts.slack.filter((a) => a.connected).length === 2,
	'both accounts');
let people = 0;
/* A person of their own for each test: Slack takes one message a second in a place. */
function somebody() {
	const id = `U0P${String(++people).padStart(6, '0')}`;

	slack.users.set(id, { id, name: `p${people}`, profile: { display_name: `p${people}` } });
	return id;
}
const last = () => [...slack.users.keys()].at(-1);
/* Said, answered, and after the next one still answered once. */
async function once(mark) {
	const person = somebody();

	slack.setClock();
	slack.say(person, person, `!${mark}`);
	await answer(mark);
	slack.say(person, person, `!${mark}-next`);
	await answer(`${mark}-next`);
	assert.equal(count(mark), 1, `one answer to !${mark}`);
}

for (const [mark, fault] of [
	['slowed', { retryAfter: 1 }],
	['failed', { status: 500 }],
	['unnamed', { error: 'internal_error' }],
	['lost', { cut: 'before' }],
	['cut', { cut: 'after' }],
	['garbled', { html: true }],
	['unavailable', { error: 'service_unavailable' }],
])
	test(`a post that is ${mark} (${JSON.stringify(fault)}) shows once`, async () => {
		slack.fault('chat.postMessage', fault);
		await once(mark);
	});

test('a redelivered event is answered once', async () => {
	const person = somebody();

	slack.say(person, person, '!five', { times: 5 });
	await answer('five');
	slack.say(person, person, '!five-next');
	await answer('five-next');
	assert.equal(count('five'), 1);
});

test('what Slack refuses for good is told, not tried again', async () => {
	const before = slack.calls.items.length;

	slack.fault('chat.postMessage', { error: 'restricted_action' });
	slack.say(somebody(), last(), '!refused');
	await slack.called('chat.postMessage', (a) => a.text === 're: refused', { from: before });
	slack.say(last(), last(), '!refused-next');
	await answer('refused-next');
	assert.equal(count('refused'), 0);
	await until(() => /restricted_action.*dead letter/.test(gw.log()), 'the operator is told');
});

test('killed between the event and its answer: one answer', async () => {
	let held;
	const holding = new Promise((resolve) => model.rules.set('killed', (call) => resolve(held = call)));

	slack.setClock();
	slack.say(BOB, BOB, '!killed');
	await holding;
	model.rules.delete('killed');
	await gw.kill();
	held.cut?.();
	await gw.restart();
	await answer('killed');
	slack.say(BOB, BOB, '!alive');
	await answer('alive');
	assert.equal(count('killed'), 1);
});

test('killed before the acknowledgement: Slack brings it again, one answer', async () => {
	slack.setClock();
	slack.holdEvents = true;
	slack.say(ADA, ADA, '!unacked');
	slack.release();
	await gw.kill();
	await gw.restart();
	await answer('unacked');
	slack.say(ADA, ADA, '!unacked-next');
	await answer('unacked-next');
	assert.equal(count('unacked'), 1);
	await until(() => slack.unacknowledged === 0, 'all is acknowledged');
});

test('two workspaces: an event goes to the account of its workspace, whichever socket brings it', async (t) => {
	const other = await SlackDouble.start({ teamId: 'T0TEAM002' });

	other.setClock();
	const two = await slackGateway(t, { keys: { botToken: undefined, appToken: undefined, apiRoot: undefined } , connected: false,
		double: { teamId: 'T0TEAM001' }, config: {}, accounts: (slack) => ({
			one: { apiRoot: slack.apiRoot, botToken: slack.botToken, appToken: slack.appToken },
			two: { apiRoot: other.apiRoot, botToken: other.botToken, appToken: other.appToken },
		}) });

	stopAfter(t, other);
	const c = await two.gw.connect();

	await bothConnected(c);
	await c.close();
	/* The first socket brings what was said in the second workspace. */
	other.echoes = false;
	const m = other.put(other.dm(ADA), { user: ADA, text: '!elsewhere' });
	const payload = other.payloadOf({ ...m, channel: other.dm(ADA).id, channel_type: 'im', event_ts: m.ts });

	two.slack.envelope('events_api', payload);
	assert.equal((await other.sent((x) => x.text === 're: elsewhere')).channel, other.dm(ADA).id);
	two.slack.envelope('events_api', { ...payload, authorizations: [{ team_id: 'T0NOBODY1' }] });
	await until(() => two.slack.unacknowledged === 0, 'all is acknowledged');
	assert.equal(two.slack.posts.items.length, 0);
});

test('an event of a workspace that is not logged in yet is not acknowledged', async (t) => {
	const port = await freePort();
	const two = await slackGateway(t, { keys: { botToken: undefined, appToken: undefined, apiRoot: undefined }, accounts: (slack) => ({
		one: { apiRoot: slack.apiRoot, botToken: slack.botToken, appToken: slack.appToken },
		two: { apiRoot: `http://127.0.0.1:${port}/api`, botToken: slack.botToken, appToken: slack.appToken },
	}) });
	const c = await two.gw.connect(), logs = async () => (await two.gw.cli(['channels', 'logs', 'slack'])).stdout;

	two.slack.envelope('events_api', { ...two.slack.payloadOf({ type: 'message', channel: 'D0ADA0001', channel_type: 'im', user: ADA, text: '!early',
		ts: two.slack.ts() }), authorizations: [{ team_id: 'T0TEAM002' }] });
	await until(async () => /T0TEAM002 is not logged in yet/.test(await logs()), 'it is left to come again');
	assert.equal(two.slack.unacknowledged, 1);
	const other = await SlackDouble.start({ teamId: 'T0TEAM002', port });

	stopAfter(t, other);
	other.setClock();
	await c.call('channels.start', { channel: 'slack' });
	await bothConnected(c);
	other.dm(ADA);
	two.slack.cutSockets();
	await other.sent((m) => m.text === 're: early');
	await until(() => two.slack.unacknowledged === 0, 'it is acknowledged');
	await c.close();
});

test('threat: what one app signs is not heard in the workspace of another', async (t) => {
	const other = await SlackDouble.start({ teamId: 'T0TEAM002' });

	other.setClock();
	const two = await slackGateway(t, { keys: { botToken: undefined, appToken: undefined, apiRoot: undefined }, connected: false,
		config: {}, accounts: (slack) => ({
			lent: { mode: 'http', apiRoot: slack.apiRoot, botToken: slack.botToken, signingSecret: slack.signingSecret,
				webhookPath: '/hooks/lent' },
			own: { mode: 'http', apiRoot: other.apiRoot, botToken: other.botToken, signingSecret: 'another-secret-of-another-app',
				webhookPath: '/hooks/own' },
		}) });

	stopAfter(t, other);
	two.slack.eventsUrl = `${two.gw.url}/hooks/lent`;
	await until(() => two.slack.verifyUrl().catch(() => false), 'the path is there');
	other.eventsUrl = `${two.gw.url}/hooks/own`;
	await other.called('auth.test');
	const forged = { type: 'message', channel: other.dm(ADA).id, channel_type: 'im', user: ADA, text: '!forged', ts: other.ts() };
	const before = two.model.heard.length;

	assert.equal((await two.slack.request(JSON.stringify(other.payloadOf(forged)))).status, 200);
	/* What it says itself is heard, after it. */
	two.slack.say(ADA, ADA, '!mine');
	await two.slack.sent((m) => m.text === 're: mine');
	assert.equal(two.model.heard.slice(before).filter((h) => h.mark === 'forged').length, 0);
	assert.equal(other.posts.items.length, 0);
});

test('a token that is revoked while it is used: nothing is lost, a person is asked for', async () => {
	const c = await gw.connect();

	slack.fault('chat.postMessage', { error: 'token_revoked' });
	slack.fault('auth.test', { error: 'token_revoked' });
	slack.say(somebody(), last(), '!revoked');
	await slack.called('chat.postMessage', (a) => a.text === 're: revoked');
	slack.say(last(), last(), '!behind'); /* not acknowledged: the login is looked at first */
	await needsLogin(c, /token_revoked|was revoked/);
	await c.call('channels.start', { channel: 'slack' });
	await answer('revoked');
	await answer('behind');
	await c.close?.();
});

test('tokens of two apps: the status says so', async () => {
	const c = await gw.connect();
	const status = async () => JSON.stringify(await c.call('channels.status', {}));
	const again = async () => {
		await c.call('channels.stop', { channel: 'slack' });
		await c.call('channels.start', { channel: 'slack' });
	};

	slack.botAppId = 'A0ANOTHER1';
	await again();
	await until(async () => /appToken is of the app A0APP0001 and botToken of A0ANOTHER1/.test(await status()), 'the account says it');
	slack.botAppId = undefined;
	await again();
	await until(async () => slack.connections === 1 && !/A0ANOTHER1/.test(await status()), 'it is well again');
	await c.close?.();
});

test('more sockets than an app may have: told, and tried again later', async () => {
	const c = await gw.connect();
	const from = slack.calls.items.length;

	slack.disconnect('too_many_websockets');
	await until(async () => /as many sockets open as it may/.test(JSON.stringify(await c.call('channels.status', {}))), 'the status says it');
	await slack.called('apps.connections.open', () => true, { from });
	await until(() => slack.connections === 1, 'a socket again');
	await c.close?.();
});

test('an app that is removed says so itself', async () => {
	const c = await gw.connect();
	const from = slack.calls.items.length;

	slack.event({ type: 'tokens_revoked', tokens: { oauth: ['U0SOMEONE'], bot: [] } }); /* another's: the login is looked at, and holds */
	await slack.called('auth.test', () => true, { from });
	slack.fault('auth.test', { error: 'account_inactive' });
	slack.event({ type: 'app_uninstalled' });
	await needsLogin(c, /account_inactive|was removed/);
	await c.call('channels.start', { channel: 'slack' });
	await until(() => slack.connections === 1, 'a socket');
	await c.close?.();
});

test('a token that is revoked needs a person', async () => {
	const token = slack.botToken;

	slack.botToken = 'xoxb-9999-another';
	slack.cutSockets();
	slack.fault('apps.connections.open', { error: 'invalid_auth', times: 1 });
	const c = await gw.connect();

	await needsLogin(c, /not valid|invalid_auth/);
	slack.botToken = token;
	await c.close?.();
});
