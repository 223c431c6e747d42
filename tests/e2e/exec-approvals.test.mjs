/*
 * exec-approvals.test.mjs - commands of an agent and the person who allows them: the frames of the reference's recording, and
 * every surface before and after a kill.
 */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { approvalEvents, plain, recorded } from '../scenario/approvals.mjs';
import { Device } from './lib/device.mjs';
import { callTool, execGateway } from './lib/exec.mjs';
import { CHELA, ROOT } from './lib/peers.mjs';
import { Proc } from './lib/proc.mjs';
import { until, within } from './lib/wait.mjs';

const host = { agents: { defaults: { sandbox: { mode: 'off' } } } };
const asking = { ...host, tools: { exec: { mode: 'ask' } } };
const key = 'agent:main:main';

/* Members that only one side has, or that say something else, with the reason. */
const differences = new Set([
	'commandSpans',              /* told always, not by a setting */
	'cronExecutionSource', 'cronOperationBinding',       /* commands of automations */
	'runId',                     /* the test chose ours */
	'sessionId',                 /* told, not null */
]);

function without(v, names) {
	if (Array.isArray(v))
		return v.map((item) => without(item, names));
	if (v && typeof v === 'object')
		return Object.fromEntries(Object.entries(v).filter(([k]) => !names.has(k)).map(([k, item]) => [k, without(item, names)]));
	return v;
}

test('the frames are those of the reference', { timeout: 60000 }, async (t) => {
	const { gw } = await execGateway(t, host);
	const c = await gw.connect({ device: new Device(), caps: ['tool-events', 'approvals'], client: { id: 'openclaw-tui', mode: 'ui', displayName: 'Ada' } });
	const workspace = path.join(gw.state, 'workspace'), file = path.join(workspace, 'made');
	const wire = recorded(path.join(ROOT, 'tests/scenario/approvals.jsonl'));
	const { hash } = await c.call('exec.approvals.get');

	await c.call('exec.approvals.set', { baseHash: hash, file: { version: 1, defaults: { security: 'allowlist', ask: 'always', askFallback: 'deny' } } });
	await c.call('sessions.messages.subscribe', { key, includeApprovals: true });
	for (const decision of ['allow-once', 'deny']) {
		const from = c.frames.items.length, result = callTool(c, 'exec', { command: `touch ${file}` }, { key }), answers = [];
		const { id } = (await c.event('exec.approval.requested', () => true, { from })).payload;

		answers.push({ answer: 'exec.approval.list', payload: await c.call('exec.approval.list') });
		if (decision === 'allow-once') {
			answers.push({ answer: 'approval.get', payload: await c.call('approval.get', { id }) });
			answers.push({ answer: 'exec.approval.resolve', payload: await c.call('exec.approval.resolve', { id, decision }) });
		} else {
			answers.push({ answer: 'approval.resolve', payload: await c.call('approval.resolve', { id, kind: 'exec', decision }) });
		}
		await result;
		const strip = [[workspace, '<workspace>'], [key, '<session>'], ['Ada', '<client>']];
		const events = approvalEvents(c.frames.items.slice(from));

		/* Said besides: how it ended. */
		assert.deepEqual(events.filter((f) => f.event === 'agent lifecycle').map((f) => f.payload.status), [undefined,
			decision === 'deny' ? 'denied' : 'allowed']);
		for (const f of events.filter((e) => e.event === 'agent lifecycle'))
			f.payload = without(f.payload, new Set(['status']));
		const mine = [...events, ...answers].map((f) => plain(f, strip));
		const theirs = wire.filter((f) => f.turn === decision).map(({ turn, ...f }) => f);

		assert.deepEqual(without(mine, differences),
			without([...theirs.filter((f) => f.event), ...theirs.filter((f) => f.answer)], differences));
	}
	assert.ok(existsSync(file));
	await c.close();
});

/* -- every surface, before and after a kill -- */

const surfaces = {
	wire: async ({ c, id, decision }) => c.call('exec.approval.resolve', { id, decision }),
	cli: async ({ gw, id, decision }) => {
		const r = await gw.cli(['approvals', decision === 'deny' ? 'deny' : 'allow', id]);

		assert.equal(r.code, 0, r.stderr);
	},
	command: async ({ c, id, decision }) => {
		const runId = randomUUID();

		await c.call('chat.send', { sessionKey: 'agent:main:other', message: `/approve ${id} ${decision}`, idempotencyKey: runId });
		await c.event('chat', (p) => p.runId === runId && p.state === 'final');
	},
};

test('each surface answers, before and after a kill', { timeout: 60000 }, async (t) => {
	const { gw, model } = await execGateway(t, asking);
	const file = (name) => path.join(gw.state, 'workspace', name);
	const times = (name) => existsSync(file(name)) ? readFileSync(file(name), 'utf8').length : 0;
	let c = await gw.connect({ caps: ['tool-events'] });
	const begin = async (name) => {
		const from = c.frames.items.length;
		const result = callTool(c, 'exec', { command: `printf x >> ${name}` }, { key: `agent:main:${name}` });

		result.catch(() => undefined);
		return { result, id: (await c.event('exec.approval.requested', (p) => p.request.command.endsWith(name), { from })).payload.id };
	};

	for (const [name, answer] of Object.entries(surfaces)) {
		for (const decision of ['allow-once', 'deny']) {
			const { id, result } = await begin(`${name}-${decision}`);

			await answer({ gw, c, id, decision });
			assert.equal((await result).isError, decision === 'deny', name);
			assert.equal(times(`${name}-${decision}`), decision === 'deny' ? 0 : 1, name);
		}
	}
	const waiting = [];

	for (const name of Object.keys(surfaces))
		for (const decision of ['allow-once', 'deny'])
			waiting.push({ surface: name, decision, name: `late-${name}-${decision}`, id: (await begin(`late-${name}-${decision}`)).id });
	c.terminate();
	await gw.kill();
	await gw.launch();
	c = await gw.connect({ caps: ['tool-events'] });
	assert.deepEqual((await c.call('exec.approval.list')).map((r) => r.id).sort(), waiting.map((w) => w.id).sort());
	const from = model.heard.items.length;

	for (const w of waiting)
		await surfaces[w.surface]({ gw, c, ...w });
	for (const w of waiting.filter((x) => x.decision === 'allow-once'))
		await model.heard.find((text) => text.includes(w.name), { from, what: `the session of ${w.name} to hear of it` });
	for (const w of waiting)
		assert.equal(times(w.name), w.decision === 'deny' ? 0 : 1, w.name);
	await c.close();
	/* Killed once more: what ran does not run again. */
	await gw.kill();
	await gw.launch();
	c = await gw.connect();
	assert.deepEqual(await c.call('exec.approval.list'), []);
	for (const w of waiting)
		assert.equal(times(w.name), w.decision === 'deny' ? 0 : 1, w.name);
	await c.close();
});

test('a turn in a terminal asks there', { timeout: 60000 }, async (t) => {
	const { gw } = await execGateway(t, asking);
	const message = (name) => `call ${JSON.stringify({ id: 'call_t', name: 'exec', args: { command: `touch ${name}` } })}`;
	const file = (name) => path.join(gw.state, 'workspace', name);
	const quoted = (s) => `'${s.replaceAll('\'', `'\\''`)}'`;
	const term = new Proc('script', ['-qec', `${CHELA} agent -m ${quoted(message('yes'))}`, '/dev/null'], { env: gw.env, cwd: gw.dir, stdin: 'pipe' });

	await term.line(/\| touch yes/);
	await term.line(/^ {2}id /);
	term.child.stdin.write('y\n');
	assert.equal((await within(term.exited, 'the turn to end')).code, 0, term.tail());
	assert.ok(existsSync(file('yes')));
	/* Without a terminal it says how, and goes on once somebody answered. */
	const pipe = new Proc(CHELA, ['agent', '-m', message('piped')], { env: gw.env, cwd: gw.dir });
	const { item } = await pipe.line(/chela approvals allow/);
	const id = /allow ([0-9a-f-]+)/.exec(item.text)[1];

	assert.equal((await gw.cli(['approvals', 'allow', id])).code, 0);
	assert.equal((await within(pipe.exited, 'the turn to end')).code, 0, pipe.tail());
	await until(() => existsSync(file('piped')), 'the command to have run');
});

test('standing grants and the document, from the command line', { timeout: 60000 }, async (t) => {
	const { gw } = await execGateway(t, asking);
	const c = await gw.connect({ caps: ['tool-events'] });
	const exec = () => callTool(c, 'exec', { command: 'touch granted' });
	const ok = async (args, options) => {
		const r = await gw.cli(args, options);

		assert.equal(r.code, 0, r.stderr);
		return r.stdout;
	};
	const asked = async () => {
		const from = c.frames.items.length, result = exec();

		result.catch(() => undefined);
		return { result, ...(await c.event('exec.approval.requested', () => true, { from })).payload };
	};

	assert.match(await ok(['approvals', 'grants']), /no standing grants/);
	const first = await asked();

	await ok(['approvals', 'allow', first.id, '--always', '--expires-in-days', '3']);
	assert.equal((await first.result).isError, false);
	assert.equal((await exec()).isError, false);     /* not asked for any more */
	const { grants } = JSON.parse(await ok(['approvals', 'grants', '--json']));

	assert.equal(grants.length, 1);
	assert.equal(grants[0].mintedByApprovalId, first.id);
	assert.ok(Math.abs(grants[0].expiresAtMs - grants[0].createdAtMs - 3 * 86400000) < 5000);
	assert.match(await ok(['approvals', 'grants']), /2 days|3 days/);
	assert.match(await ok(['approvals', 'revoke', grants[0].grantId]), /revoked/);
	assert.match((await gw.cli(['approvals', 'revoke', 'nothing'])).stderr, /no grant/);
	const again = await asked();

	await ok(['approvals', 'deny', again.id]);
	assert.equal((await again.result).isError, true);
	/* The document, there and back. */
	assert.match(await ok(['approvals', 'get']), /security/);
	const { file } = JSON.parse(await ok(['approvals', 'get', '--json']));
	const path5 = path.join(gw.dir, 'doc.json5');

	writeFileSync(path5, `// ours\n${JSON.stringify({ ...file, defaults: { security: 'deny' } })}`);
	assert.match(await ok(['approvals', 'set', '--file', path5]), /saved/);
	assert.equal((await exec()).isError, true);
	assert.match((await gw.cli(['approvals', 'set', '--file', path.join(gw.dir, 'none')])).stderr, /none/);
	await c.close();
});
