/*
 * approvals-cli.test.mjs - approvals in a terminal: chela approvals, /approve, and who may not.
 */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { Gateway } from './lib/gateway.mjs';
import { CHELA } from './lib/peers.mjs';
import { Proc } from './lib/proc.mjs';

const key = 'agent:main:main';
let gw, c;

before(async () => {
	gw = await Gateway.start({ config: { agents: { defaults: { model: 'offline/demo' } } } });
	c = await gw.connect();
});
after(async () => {
	c?.terminate();
	await gw?.stop();
});

const ask = async (command = 'touch x', more = {}) => (await c.call('exec.approval.request', { command, sessionKey: key, twoPhase: true,
	...more })).id;
const ok = (r) => {
	assert.equal(r.code, 0, `${r.stdout}\n${r.stderr}`);
	return r.stdout;
};
const decided = async (id) => (await c.call('exec.approval.waitDecision', { id })).decision;

/* A program on a terminal of its own. */
const terminal = (args) => new Proc('script', ['-qec', [CHELA, ...args].join(' '), '/dev/null'], { env: gw.env, cwd: gw.dir, stdin: 'pipe' });

test('list shows all of it, also what cannot be seen', async () => {
	assert.match(ok(await gw.cli(['approvals', 'list'])), /nothing waits/);
	const id = await ask(`echo one\necho ${'x'.repeat(500)}; rm -rf "$HOME"\u202e`);
	const out = ok(await gw.cli(['approvals', 'list']));

	assert.ok(out.includes(id) && out.includes('rm -rf "$HOME"'), out);
	assert.ok(!out.includes('\u202e'));
	assert.ok(out.split('\n').filter((l) => l.includes('echo one') && l.startsWith('  | ')).length === 1, out);
	assert.equal(JSON.parse(ok(await gw.cli(['approvals', 'list', '--json']))).approvals[0].id, id);
	assert.match(ok(await gw.cli(['approvals', 'show', id.slice(0, 8)])), /pending/);
	assert.match(ok(await gw.cli(['approvals', 'deny', id.slice(0, 8)])), new RegExp(`deny: ${id}`));
	assert.equal(await decided(id), 'deny');
	const again = await gw.cli(['approvals', 'allow', id]);

	assert.equal(again.code, 1);
	assert.match(again.stderr, /too late/);
	assert.match(ok(await gw.cli(['approvals', 'deny', id])), /it was before/);
	assert.match(ok(await gw.cli(['approvals', 'history'])), new RegExp(`${id}[\\s\\S]*deny`));
	assert.match((await gw.cli(['approvals', 'allow', 'nothing'])).stderr, /there is no approval 'nothing' \(see: chela approvals list/);
});

test('allow once, allow always with a time', async () => {
	const once = await ask(), always = await ask();

	ok(await gw.cli(['approvals', 'allow', once]));
	ok(await gw.cli(['approvals', 'allow', always, '--always', '--expires-in-days', '3']));
	assert.equal(await decided(once), 'allow-once');
	assert.equal(await decided(always), 'allow-always');
	assert.match((await gw.cli(['approvals', 'allow', always, '--expires-in-days', '3'])).stderr, /--always/);
	const twins = [await ask('ls', { id: 'twin-1' }), await ask('ls', { id: 'twin-2' })];

	assert.match((await gw.cli(['approvals', 'allow', 'twin'])).stderr, /give more of the id/);
	for (const id of twins)
		ok(await gw.cli(['approvals', 'deny', id]));
});

test('watch on a terminal: asks, and notices when somebody else was faster', async () => {
	const first = await ask('touch first');
	const w = terminal(['approvals', 'watch']);

	await w.line(new RegExp(`id ${first}`));
	w.child.stdin.write('what?\n');
	w.child.stdin.write('y\n');
	assert.equal(await decided(first), 'allow-once');
	const second = await ask('touch second');

	await w.line(new RegExp(`id ${second}`));
	await c.call('exec.approval.resolve', { id: second, decision: 'deny' });
	await w.line(/answered elsewhere: deny/);
	const third = await ask('touch third', { unavailableDecisions: ['allow-always'] });

	await w.line(new RegExp(`id ${third}`));
	w.child.stdin.write('a\n');          /* is not offered */
	w.child.stdin.write('n\n');
	assert.equal(await decided(third), 'deny');
	await w.stop('SIGINT');
});

test('watch without a terminal tells how to answer', async () => {
	const w = new Proc(CHELA, ['approvals', 'watch'], { env: gw.env, cwd: gw.dir });

	await w.line(/Watching/);
	const id = await ask();

	await w.line(new RegExp(`chela approvals allow ${id}`));
	await c.call('exec.approval.resolve', { id, decision: 'deny' });
	await w.line(new RegExp(`${id}: deny`));
	await w.stop('SIGINT');
});

/* -- /approve -- */

async function say(client, message) {
	const runId = randomUUID();

	await client.call('chat.send', { sessionKey: key, message, idempotencyKey: runId });
	const { payload } = await client.event('chat', (p) => p.runId === runId && p.state === 'final');

	return payload.message.content.map((b) => b.text).join('');
}

test('/approve shows what waits here and answers it', async () => {
	assert.match(await say(c, '/approve'), /Nothing waits/);
	const id = await ask('echo ```; rm x'), other = await ask('ls', { sessionKey: 'agent:main:other' });
	const shown = await say(c, '/approve');

	assert.ok(shown.includes('echo ```; rm x') && shown.includes(id) && !shown.includes(other), shown);
	assert.match(shown, /^````$/m);
	assert.match(await say(c, `/approve ${id} maybe`), /allow-once \| allow-always \| deny/);
	assert.match(await say(c, `/approve ${id.slice(0, 8)} once`), /Allowed once/);
	assert.equal(await decided(id), 'allow-once');
	assert.match((await gw.cli(['approvals', 'allow', 'no-such'])).stderr, /no approval 'no-such' \(see: chela approvals list/);
	assert.match((await gw.cli(['approvals', 'history'])).stdout, new RegExp(`${id} .*/approve in ${key}`));
	assert.match(await say(c, `/approve ${id} deny`), /ended already/);
	assert.match(await say(c, `/approve ${other} deny`), /Denied/);
});

/* Whoever speaks in a session is not who may approve: each way in is tried. */
test('threat: /approve of anybody but an administrator does nothing', async () => {
	const id = await ask();
	const writer = await gw.connect({ scopes: ['operator.read', 'operator.write'] });

	assert.match(await say(writer, `/approve ${id} allow-once`), /operator\.admin/);
	/* Over HTTP a message is never a command. */
	const http = await gw.http('/v1/chat/completions', { method: 'POST', headers: { authorization: `Bearer ${gw.token}`,
		'content-type': 'application/json' }, body: JSON.stringify({ model: 'openclaw', messages: [{ role: 'user',
		content: `/approve ${id} allow-once` }] }) });

	assert.ok(http.status === 200 || http.status === 404, http.text);
	/* Nor is what suppresses commands. */
	const runId = randomUUID();

	await c.call('chat.send', { sessionKey: key, message: `/approve ${id} allow-once`, idempotencyKey: runId, suppressCommandInterpretation: true });
	await c.event('chat', (p) => p.runId === runId && p.state === 'final');
	/* No tool answers approvals. */
	const { groups } = await c.call('tools.catalog');

	for (const tool of groups.flatMap((g) => g.tools))
		assert.ok(!/approv/.test(tool.id ?? tool.name), JSON.stringify(tool));
	for (const name of ['approve', 'exec.approval.resolve', 'approval.resolve']) {
		const r = await c.request('tools.invoke', { name, args: { id, decision: 'allow-once' }, sessionKey: key });

		assert.ok(!r.ok || r.payload.ok === false, JSON.stringify(r));
	}
	assert.equal((await c.call('approval.get', { id })).approval.status, 'pending');
	ok(await gw.cli(['approvals', 'deny', id]));
	await writer.close();
});
