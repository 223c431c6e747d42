/*
 * approvals.test.mjs - what waits for a person, over the wire: asked, shown, answered once, replayed, kept.
 *
 * A client asks here (exec.approval.request); what agents ask goes the same way (exec-approvals.test.mjs).
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Device } from './lib/device.mjs';
import { Gateway } from './lib/gateway.mjs';
import { problems } from './lib/schema.mjs';

const key = 'agent:main:main';
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

let gw, ada, bob;

before(async () => {
	gw = await Gateway.start({ config: { agents: { defaults: { model: 'offline/demo' } } } });
	ada = await gw.connect({ device: new Device(), client: { id: 'openclaw-tui', mode: 'ui', displayName: 'Ada' } });
	bob = await gw.connect({ device: new Device(), client: { id: 'openclaw-tui', mode: 'ui', displayName: 'Bob' } });
});
after(async () => {
	ada?.terminate();
	bob?.terminate();
	await gw?.stop();
});

const ask = (c, more = {}) => c.call('exec.approval.request', { command: 'touch x', cwd: '/tmp', host: 'gateway', sessionKey: key,
	twoPhase: true, ...more });
const valid = (name, v) => assert.deepEqual(problems(name, v), [], name);

test('asked, shown to everybody, answered once', async () => {
	await ada.call('sessions.messages.subscribe', { key, includeApprovals: true });
	const from = bob.frames.items.length, fromAda = ada.frames.items.length;
	const accepted = await ask(ada);

	assert.equal(accepted.status, 'accepted');
	assert.match(accepted.id, UUID);
	assert.equal(accepted.expiresAtMs - accepted.createdAtMs, 30 * 60000);
	const { id } = accepted;
	const shown = (await bob.event('exec.approval.requested', (p) => p.id === id, { from })).payload;

	assert.equal(shown.approvalKind, 'exec');
	assert.equal(shown.request.command, 'touch x');
	assert.deepEqual(shown.request.allowedDecisions, ['allow-once', 'allow-always', 'deny']);
	const pending = (await ada.event('session.approval', (p) => p.approval.id === id, { from: fromAda })).payload;

	valid('SessionApprovalEvent', pending);
	assert.equal(pending.phase, 'pending');
	assert.equal(pending.sessionKey, key);
	assert.deepEqual(pending.approval.presentation, { kind: 'exec', commandText: 'touch x', commandPreview: null, warningText: null,
		host: 'gateway', nodeId: null, agentId: 'main', allowedDecisions: ['allow-once', 'allow-always', 'deny'] });
	assert.equal(pending.approval.urlPath, `/approve/${id}`);
	assert.ok(!bob.events().some((f) => f.event === 'session.approval'), 'who did not subscribe is not told');

	const list = await bob.call('exec.approval.list');
	const { approvalKind, ...rest } = shown;

	assert.deepEqual(list.filter((r) => r.id === id), [{ ...rest, approvalKind }]);
	assert.deepEqual((await bob.call('approval.get', { id })).approval, pending.approval);
	assert.equal((await bob.call('exec.approval.get', { id: id.slice(0, 8) })).commandText, 'touch x');

	assert.deepEqual(await bob.call('exec.approval.resolve', { id: id.slice(0, 13), decision: 'allow-once' }), { ok: true });
	const final = await ada.frames.find((f) => f.type === 'res' && f.payload?.id === id && f.payload.decision, { what: 'the second answer' });

	assert.deepEqual(final.item.payload, { id, decision: 'allow-once', createdAtMs: accepted.createdAtMs, expiresAtMs: accepted.expiresAtMs });
	const resolved = (await ada.event('exec.approval.resolved', (p) => p.id === id)).payload;

	assert.equal(resolved.decision, 'allow-once');
	assert.equal(resolved.resolvedBy, 'Bob');
	assert.deepEqual(resolved.request, shown.request);
	const terminal = (await ada.event('session.approval', (p) => p.approval.id === id && p.phase === 'terminal')).payload;

	valid('SessionApprovalEvent', terminal);
	assert.equal(terminal.approval.status, 'allowed');
	const order = ada.events().map((f) => f.event).filter((e) => e.includes('approval'));

	assert.deepEqual(order.slice(-4), ['session.approval', 'exec.approval.requested', 'session.approval', 'exec.approval.resolved']);
});

test('the first answer wins; who comes later learns it', async () => {
	const { id } = await ask(ada);

	await bob.call('exec.approval.resolve', { id, decision: 'deny' });
	assert.deepEqual(await ada.call('exec.approval.resolve', { id, decision: 'deny' }), { ok: true });
	const late = await ada.fails('exec.approval.resolve', { id, decision: 'allow-once' });

	assert.equal(late.message, 'approval already resolved');
	assert.deepEqual(late.details, { reason: 'APPROVAL_ALREADY_RESOLVED' });
	const answer = await ada.call('approval.resolve', { id, kind: 'exec', decision: 'allow-once' });

	valid('ApprovalResolveResult', answer);
	assert.equal(answer.applied, false);
	assert.equal(answer.approval.decision, 'deny');
	assert.equal(answer.approval.resolver.kind, 'device');
	assert.deepEqual(answer.approval.source, { agentId: 'main', sessionKey: key });
});

test('two answers at once: one of them counts', async () => {
	for (let i = 0; i < 10; i++) {
		const { id } = await ask(ada);
		const answers = await Promise.all([ada.call('approval.resolve', { id, kind: 'exec', decision: 'allow-once' }),
			bob.call('approval.resolve', { id, kind: 'exec', decision: 'deny' })]);

		assert.equal(answers.filter((a) => a.applied).length, 1);
		assert.equal(answers[0].approval.decision, answers[1].approval.decision);
	}
});

test('answers that do not fit', async () => {
	const { id } = await ask(ada, { unavailableDecisions: ['allow-always'] });
	const always = await bob.fails('exec.approval.resolve', { id, decision: 'allow-always' });

	assert.deepEqual(always.details, { reason: 'APPROVAL_ALLOW_ALWAYS_UNAVAILABLE' });
	assert.equal((await bob.fails('exec.approval.resolve', { id, decision: 'yes' })).message, 'invalid decision');
	assert.match((await bob.fails('approval.resolve', { id, kind: 'plugin', decision: 'allow-once' })).message, /of kind exec/);
	assert.match((await bob.fails('approval.resolve', { id, kind: 'exec', decision: 'allow-always' })).message, /cannot be chosen/);
	assert.match((await bob.fails('plugin.approval.resolve', { id, decision: 'allow-once' })).message, /unknown or expired/);
	const reviewer = { channel: 'telegram', accountId: 'a', senderId: '1' };

	assert.match((await bob.fails('exec.approval.resolve', { id, decision: 'allow-once', reviewer })).message, /unknown or expired/);
	assert.match((await bob.fails('approval.resolve', { id, kind: 'exec', decision: 'allow-once', reviewer })).message, /not found/);
	const unknown = await bob.fails('exec.approval.resolve', { id: 'nothing', decision: 'deny' });

	assert.equal(unknown.details.reason, 'APPROVAL_NOT_FOUND');
	assert.equal((await bob.call('approval.get', { id })).approval.status, 'pending');
	await bob.call('exec.approval.resolve', { id, decision: 'deny' });
});

test('an id that could be two is refused', async () => {
	const a = await ask(ada, { id: 'twin-1' }), b = await ask(ada, { id: 'twin-2' });

	assert.match((await bob.fails('exec.approval.resolve', { id: 'twin', decision: 'deny' })).message, /ambiguous/);
	assert.match((await bob.fails('exec.approval.request', { id: 'twin-1', command: 'ls' })).message, /already pending/);
	assert.match((await bob.fails('exec.approval.request', { id: 'plugin:1', command: 'ls' })).message, /reserved/);
	assert.match((await bob.fails('exec.approval.request', { id: '../x', command: 'ls' })).message, /letters, digits/);
	for (const { id } of [a, b])
		await bob.call('exec.approval.resolve', { id, decision: 'deny' });
});

test('time ends it, without an answer', async () => {
	const from = bob.frames.items.length;
	const answer = await ada.call('exec.approval.request', { command: 'ls', timeoutMs: 50, sessionKey: key });

	assert.equal(answer.decision, null);
	const told = (await bob.event('exec.approval.resolved', (p) => p.id === answer.id, { from })).payload;

	assert.equal(told.terminalStatus, 'expired');
	assert.equal(told.resolvedBy, null);
	assert.deepEqual((await bob.fails('exec.approval.resolve', { id: answer.id, decision: 'allow-once' })).details,
		{ reason: 'APPROVAL_ALREADY_RESOLVED' });
	const waited = await bob.call('exec.approval.waitDecision', { id: answer.id });

	assert.equal(waited.decision, null);
	assert.equal(waited.terminalReason, 'timeout');
	const { approval } = await bob.call('approval.get', { id: answer.id });

	valid('ApprovalGetResult', { approval });
	assert.equal(approval.status, 'expired');
});

test('who waits for the answer hears it, also who only looks on', async () => {
	const { id } = await ask(ada);
	const waiting = bob.call('exec.approval.waitDecision', { id });

	await ada.call('exec.approval.resolve', { id, decision: 'allow-always', grantExpiresInDays: 7 });
	assert.equal((await waiting).decision, 'allow-always');
	assert.match((await bob.fails('exec.approval.waitDecision', { id: 'nothing' })).message, /expired or not found/);
	assert.match((await bob.fails('exec.approval.waitDecision', {})).message, /id is required/);
});

test('a plugin asks', async () => {
	const from = bob.frames.items.length;
	const { id } = await ada.call('plugin.approval.request', { title: 'Send a mail', description: 'To one person.', severity: 'critical',
		pluginId: 'mail', allowedDecisions: ['allow-once'], twoPhase: true,
		scope: { kind: 'message-send', target: 'bob@example.org', recipientCount: 1 } });

	assert.match(id, /^plugin:/);
	const shown = (await bob.event('plugin.approval.requested', (p) => p.id === id, { from })).payload;

	assert.equal(shown.approvalKind, 'plugin');
	assert.deepEqual(shown.request.allowedDecisions, ['allow-once', 'deny']);
	assert.deepEqual((await bob.call('plugin.approval.list')).map((r) => r.id), [id]);
	assert.ok(!(await bob.call('exec.approval.list')).some((r) => r.id === id));
	const { approval } = await bob.call('approval.get', { id });

	valid('ApprovalGetResult', { approval });
	assert.equal(approval.urlPath, `/approve/${encodeURIComponent(id)}`);
	const e = await bob.fails('plugin.approval.resolve', { id, decision: 'allow-always' });

	assert.deepEqual(e.details, { allowedDecisions: ['allow-once', 'deny'] });
	await bob.call('plugin.approval.resolve', { id, decision: 'allow-once' });
	assert.equal((await ada.event('plugin.approval.resolved', (p) => p.id === id)).payload.decision, 'allow-once');
	assert.match((await ada.fails('plugin.approval.request', { title: 'x', description: 'y', scope: { kind: 'payment', amount: '1' } })).message,
		/at \/scope: must have required property 'currency'/);
	assert.match((await ada.fails('plugin.approval.request', { title: 'x', description: 'y', scope: { kind: 'else' } })).message,
		/at \/scope\/kind/);
});

/* CVE-2026-53829 and its kind: what is approved is what was shown, to the last byte. */
test('threat: every byte of a command is shown', async () => {
	const long = `echo ${'x'.repeat(60000)}; rm -rf ~`;
	const { id } = await ask(ada, { command: long });

	assert.equal((await bob.call('approval.get', { id })).approval.presentation.commandText, long);
	await bob.call('exec.approval.resolve', { id, decision: 'deny' });
	const hidden = await ask(ada, { command: 'ls \u202e fr- mr\u200b\u0007', warningText: '\u2066x' });
	const { presentation } = (await bob.call('approval.get', { id: hidden.id })).approval;

	assert.ok(!/[\u202e\u200b\u0007]/.test(presentation.commandText), presentation.commandText);
	assert.match(presentation.commandText, /202e/i);
	assert.ok(!/\u2066/.test(presentation.warningText));
	await bob.call('exec.approval.resolve', { id: hidden.id, decision: 'deny' });
	assert.match((await ada.fails('exec.approval.request', { command: 'x'.repeat(300 << 10) })).message, /too long to be shown/);
	assert.match((await ada.fails('exec.approval.request', { command: '  \n' })).message, /command is required/);
	assert.equal((await ada.fails('exec.approval.request', { command: 'ls', host: 'node', nodeId: 'n' })).code, 'UNAVAILABLE');
});

test('values of the environment are not kept', async () => {
	const { id } = await ask(ada, { env: { API_KEY: 'sk-canary-12345' } });
	const [row] = (await bob.call('exec.approval.list')).filter((r) => r.id === id);

	assert.deepEqual(row.request.envKeys, ['API_KEY']);
	assert.ok(!JSON.stringify(bob.frames.items).includes('sk-canary-12345'));
	await bob.call('exec.approval.resolve', { id, decision: 'deny' });
});

/* "Authorisation gaps": whoever may write is not who may approve. */
test('threat: answering takes the scope approvals', async () => {
	const writer = await gw.connect({ scopes: ['operator.read', 'operator.write'] });
	const { id } = await ask(ada);

	await writer.call('sessions.messages.subscribe', { key, includeApprovals: true }).then((r) =>
		assert.deepEqual(r.approvalReplay.approvals, []));
	for (const [method, params] of [['exec.approval.resolve', { id, decision: 'allow-once' }], ['approval.get', { id }],
		['approval.resolve', { id, kind: 'exec', decision: 'allow-once' }], ['exec.approval.list', {}], ['exec.approval.get', { id }],
		['plugin.approval.resolve', { id, decision: 'allow-once' }], ['approval.history', {}], ['exec.approval.request', { command: 'ls' }],
		['exec.approval.waitDecision', { id }], ['plugin.approval.request', { title: 'x', description: 'y' }],
		['plugin.approval.list', {}], ['plugin.approval.waitDecision', { id }]]) {
		const e = await writer.fails(method, params);

		assert.match(e.message, /missing scope: operator\.approvals/, method);
	}
	await bob.call('exec.approval.resolve', { id, decision: 'deny' });
	await writer.call('health');
	assert.deepEqual(writer.events().filter((f) => f.event.includes('approval')), []);
	await writer.close();
});

test('who subscribes later is told what waits', async () => {
	const { id } = await ask(ada);
	const late = await gw.connect();
	const { approvalReplay } = await late.call('sessions.messages.subscribe', { key, includeApprovals: true });

	valid('SessionApprovalReplay', approvalReplay);
	assert.deepEqual(approvalReplay.approvals.map((a) => [a.id, a.status, a.sourceSessionKey]), [[id, 'pending', key]]);
	const other = await late.call('sessions.messages.subscribe', { key: 'agent:main:other', includeApprovals: true });

	assert.deepEqual(other.approvalReplay.approvals, []);
	await bob.call('exec.approval.resolve', { id, decision: 'deny' });
	assert.equal((await late.event('session.approval', (p) => p.approval.id === id)).payload.phase, 'terminal');
	await late.close();
});

test('the history has what ended, newest first, page by page', async () => {
	const first = await bob.call('approval.history', { limit: 3 });

	valid('ApprovalHistoryResult', first);
	assert.equal(first.items.length, 3);
	const second = await bob.call('approval.history', { limit: 3, cursor: first.nextCursor });
	const times = [...first.items, ...second.items].map((i) => i.resolvedAtMs);

	assert.deepEqual(times, [...times].sort((a, b) => b - a));
	assert.equal(new Set([...first.items, ...second.items].map((i) => i.id)).size, 6);
	assert.ok((await bob.call('approval.history', { kind: 'plugin' })).items.every((i) => i.presentation.kind === 'plugin'));
	assert.deepEqual((await bob.call('approval.history', { kind: 'system-agent' })).items, []);
	assert.match((await bob.fails('approval.history', { cursor: 'x' })).message, /invalid approval\.history cursor/);
});

/* Last: the gateway is killed. What has no binding belonged to a client that is gone; it cannot be allowed any more. */
test('after a kill nothing that waited for a lost client can be allowed', async () => {
	const { id } = await ask(ada);

	await gw.kill();
	await gw.launch();
	bob = await gw.connect();
	ada = await gw.connect();
	assert.deepEqual(await bob.call('exec.approval.list'), []);
	const { approval } = await bob.call('approval.get', { id });

	valid('ApprovalGetResult', { approval });
	assert.deepEqual([approval.status, approval.reason], ['cancelled', 'gateway-restart']);
});
