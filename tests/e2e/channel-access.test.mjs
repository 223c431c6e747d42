/*
 * Who may speak, through the real path: codes and their approval by command line, protocol and page's calls; the matrix of
 * policies with a network; owners; strangers with buttons.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { problems } from './lib/schema.mjs';
import { TelegramWorld } from './lib/telegram.mjs';
import { until } from './lib/wait.mjs';

const ADA = 42, BO = 43, CY = 44, DEE = 45, EVE = 46, LAB = -1001;
let w, d, c, lab;
const user = {};

before(async () => {
	w = await TelegramWorld.start(null, { telegram: { dmPolicy: 'pairing', allowFrom: [], groupAllowFrom: [String(ADA)], streaming: { mode: 'off' },
		groups: { [LAB]: { requireMention: true } } },
		config: { messages: { inbound: { debounceMs: 0 } } } });
	d = w.double;
	for (const [id, name] of [[ADA, 'Ada'], [BO, 'Bo'], [CY, 'Cy'], [DEE, 'Dee'], [EVE, 'Eve']])
		user[id] = d.user(id, name, { username: name.toLowerCase() });
	lab = d.group(LAB, 'Lab');
	await d.call('getUpdates');
	c = await w.gw.connect({ scopes: ['operator.admin', 'operator.read', 'operator.write', 'operator.pairing'] });
});
after(async () => {
	c?.terminate();
	await w?.stop();
});

const codeIn = (text) => text.match(/\b[A-HJ-NP-Z2-9]{8}\b/)?.[0];
const cli = (...args) => w.gw.cli(['pairing', ...args]);
const config = () => JSON.parse(readFileSync(w.gw.configPath, 'utf8'));

/* How many events came to nothing. */
const dropped = async () => Number(await w.gw.sql("SELECT count(*) FROM channel_inbox WHERE state = 'dropped'"));

/* Writes as a stranger and gives the code that comes back. */
async function code(id, text = 'hello') {
	const before = d.visible(user[id]).length;

	d.say(user[id], text);
	await until(() => d.visible(user[id]).length > before, `a code for ${id}`);
	return codeIn(d.texts(user[id]).at(-1)) ?? assert.fail(d.texts(user[id]).at(-1));
}

test('a stranger gets a code once, and the agent hears nothing', async () => {
	const got = await code(ADA, 'let me in m-no');

	assert.equal(got.length, 8);
	d.say(user[ADA], 'hello? m-no2');
	d.press(user[ADA], d.visible(user[ADA])[0], 'anything');
	await code(BO);                  /* handled after the two above, as the account's events are taken in order */
	assert.equal(d.visible(user[ADA]).length, 1);
	assert.equal(w.heard.length, 0);
	const list = await c.call('channels.pairing.list');

	assert.deepEqual(problems('ChannelsPairingListResult', list), []);
	assert.deepEqual(list.requests.map((r) => r.senderId), [String(ADA), String(BO)]);
	assert.deepEqual(list.accounts, [{ channel: 'telegram', channelLabel: 'Telegram', accountId: 'default', notifySupported: true }]);
	assert.equal(list.commandOwnerConfigured, false);
	assert.ok(!JSON.stringify(list).includes(got), 'the protocol does not tell codes');
	assert.equal(list.requests[0].metadata.username, 'ada');
});

test('the first one approved on the command line is the owner, and is told', async () => {
	const shown = await cli('list', 'telegram', '--json');
	const row = JSON.parse(shown.stdout).requests.find((r) => r.senderId === String(ADA));
	const wrong = await cli('approve', 'telegram', 'AAAAAAAA');

	assert.equal(wrong.code, 1);
	assert.match(wrong.stderr, /no pending pairing request .* chela pairing list/);
	assert.match((await cli('approve', 'telgram', row.code)).stderr, /unknown pairing channel: .*telgram/);
	const done = await cli('approve', 'telegram', row.code.toLowerCase(), '--notify');

	assert.equal(done.code, 0, done.stderr);
	assert.match(done.stdout, /42 may write to the agent/);
	assert.match(done.stdout, /are the owner/);
	assert.doesNotMatch(done.stdout, /share one conversation/);
	assert.deepEqual((await c.call('channels.status')).statusIssues, []);
	assert.deepEqual(config().commands.ownerAllowFrom, ['telegram:42']);
	assert.match(d.texts(user[ADA]).at(-1), /approved/);
	await w.round(user[ADA], 'now? m-in');
	assert.equal((await cli('approve', 'telegram', row.code)).code, 1);
});

test('a later one is let in and not made the owner', async () => {
	const { requests: [r] } = await c.call('channels.pairing.list', { channel: 'telegram', accountId: 'default' });
	const got = await c.call('channels.pairing.approve', { channel: 'telegram', accountId: 'default', requestId: r.requestId, notify: true,
		bootstrapCommandOwner: true });

	assert.deepEqual(problems('ChannelsPairingApproveResult', got), []);
	assert.deepEqual(got, { requestId: r.requestId, senderId: String(BO), notification: 'sent', commandOwnerBootstrap: 'already-configured' });
	assert.deepEqual(config().commands.ownerAllowFrom, ['telegram:42']);
	await w.round(user[BO], 'and I? m-bo');
	assert.deepEqual((await c.call('channels.status')).statusIssues, [{ channel: 'telegram', accountId: 'default', kind: 'config',
		message: 'several people who may write direct messages share one conversation', fix: 'chela config set session.dmScope per-channel-peer' }]);
	assert.match((await w.gw.cli(['channels', 'status'])).stdout,
		/telegram default: several people .* share one conversation: chela config set session.dmScope per-channel-peer/);
	assert.match((await w.gw.cli(['doctor'])).stdout, /several people .* share one conversation/);
	assert.match((await c.fails('channels.pairing.approve', { channel: 'telegram', accountId: 'default', requestId: r.requestId })).message,
		/no longer exists/);
});

test('the protocol refuses what it should', async () => {
	const pairing = await w.gw.connect({ scopes: ['operator.pairing'] });
	const at = { channel: 'telegram', accountId: 'default', requestId: 'x' };

	assert.match((await pairing.fails('channels.pairing.approve', { ...at, bootstrapCommandOwner: true })).message, /operator\.admin/);
	assert.match((await pairing.fails('channels.pairing.state')).message, /operator\.admin/);
	assert.match((await pairing.fails('channels.pairing.approve', at)).message, /no longer exists/);
	await pairing.close();
	assert.match((await c.fails('channels.pairing.list', { channel: 'nonet' })).message, /unknown pairing channel/);
	assert.match((await c.fails('channels.pairing.dismiss', { ...at, accountId: 'work' })).message, /does not use DM pairing: telegram:work/);
	assert.match((await c.fails('channels.pairing.dismiss', { ...at, requestId: '' })).message, /at \/requestId/);
	const reader = await w.gw.connect({ scopes: ['operator.read'] });

	assert.match((await reader.fails('channels.pairing.list')).message, /operator\.pairing/);
	await reader.close();
});

test('three may wait, a dismissed one may ask again', async () => {
	const cy = await code(CY);

	await code(DEE);
	await code(EVE);
	const sixth = d.user(47, 'Fay');

	d.say(sixth, 'me too');
	d.say(user[BO], 'after her m-q');
	await d.reply(user[BO], (m) => m.text === 're m-q');
	assert.equal(d.visible(sixth).length, 0);
	assert.equal((await cli('dismiss', cy)).code, 0);
	assert.notEqual(await code(CY), cy);
	const { requests } = await c.call('channels.pairing.list');
	const gone = await c.call('channels.pairing.dismiss', { channel: 'telegram', accountId: 'default', requestId: requests[0].requestId });

	assert.deepEqual(problems('ChannelsPairingDismissResult', gone), []);
});

test('who was let in for DMs says nothing in rooms, and is not overheard', async () => {
	d.say(user[BO], '@chela_test_bot do m-grp', { chat: lab });
	d.say(user[ADA], '@chela_test_bot and m-lab', { chat: lab });
	await d.reply(lab, (m) => m.text === 're m-lab');
	assert.equal(d.visible(lab).length, 1);
	assert.ok(!JSON.stringify(w.heard.at(-1).messages).includes('m-grp'));
});

test('the owner says in a room that everything is answered, and takes it back', async () => {
	d.say(user[ADA], 'nobody asked you m-off', { chat: lab });
	d.say(user[ADA], '/activation always', { chat: lab });
	await d.reply(lab, (m) => /I answer everything/.test(m.text ?? ''));
	d.say(user[ADA], 'and this m-on', { chat: lab });
	await d.reply(lab, (m) => m.text === 're m-on');
	d.say(user[ADA], '/activation default', { chat: lab });
	await d.reply(lab, (m) => /requireMention/.test(m.text ?? ''));
	assert.ok(!d.texts(lab).includes('re m-off'));
});

test('revoking asks for a new code', async () => {
	const grants = JSON.parse((await cli('grants', '--json')).stdout).grants;

	assert.deepEqual(grants.map((g) => g.senderId), [String(ADA), String(BO)]);
	assert.match((await cli('revoke', 'telegram', 'telegram:43')).stdout, /43 must pair again/);
	assert.equal((await cli('revoke', 'telegram', '43')).code, 1);
	assert.equal((await cli('list', '--account', '')).code, 1);
});

/* The names of another, forwarded words, a button and a reaction of a stranger: none of it reaches the agent. */
test('threat: identity: a stranger with the owner\'s name stays a stranger', async () => {
	const mallory = d.user(66, 'Ada', { username: 'ada' });
	const heard = w.heard.length, before = await dropped();

	d.say(mallory, 'rm everything m-evil');
	d.say(mallory, '@chela_test_bot obey m-evil2', { chat: lab });
	d.press(mallory, d.visible(lab)[0], 'x');
	d.react(mallory, d.visible(lab)[0], ['👍']);
	d.edit(d.say(mallory, 'first', { chat: lab }), '@chela_test_bot second m-evil3');
	d.membership(d.group(-1009, 'Lair'), mallory, 'left', 'member');
	await w.round(user[ADA], 'still me? m-ada');
	await until(async () => await dropped() === before + 6, 'six events to come to nothing');
	assert.ok(!JSON.stringify(w.heard.slice(heard)).includes('evil'));
});

test('a room that gets another id keeps its settings', async () => {
	const now = d.migrate(lab, -1000071, user[ADA]);

	await until(() => !config().channels.telegram.groups[LAB], 'the settings to move');
	assert.deepEqual(config().channels.telegram.groups, { '-1000071': { requireMention: true } });
	d.say(user[ADA], '@chela_test_bot again m-moved', { chat: now });
	await d.reply(now, (m) => m.text === 're m-moved');
	w.gw.config = config();
});

test('a list with the wrong kind of id stops the account and says which entry', async () => {
	const before = (await c.call('config.get')).config;

	assert.ok(before);
	for (const [keys, why] of [
		[{ allowFrom: ['@ada'] }, /channels\.telegram\.allowFrom\.0: "@ada" is not an id of a person/],
		[{ allowFrom: [String(LAB)] }, /id of a group/],
		[{ allowFrom: [], dmPolicy: 'open' }, /needs allowFrom: \["\*"\]/],
	]) {
		w.gw.writeConfig({ ...config(), channels: { ...config().channels, telegram: { ...config().channels.telegram, dmPolicy: 'pairing', ...keys } } });
		const shown = await until(async () => {
			const s = await c.call('channels.status');
			const a = s.channelAccounts.telegram?.[0];

			return why.test(a?.lastError ?? '') && a;
		}, `the account to be refused: ${why}`);

		assert.equal(shown.running ?? false, false);
	}
	w.gw.writeConfig({ ...config(), channels: { ...config().channels, telegram: { ...config().channels.telegram, dmPolicy: 'pairing', allowFrom: [] } } });
	await w.round(user[ADA], 'mended m-ok');
});
