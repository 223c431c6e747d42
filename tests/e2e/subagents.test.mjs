/*
 * subagents.test.mjs - sub-agents and the tools on sessions through the gateway: two children at once, their results told,
 * limits, a stop that cascades, a kill while they work, and who sees whom.
 */
import assert from 'node:assert/strict';
import { ModelDouble } from '../doubles/model.mjs';
import { textOf } from './lib/client.mjs';
import { allQuiet } from './lib/exec.mjs';
import { gatewayTest } from './lib/gateway.mjs';

const KEY = 'agent:main:main';

const doubleGateway = (config = {}) => async (t) => {
	t.model = await ModelDouble.start();
	t.after(() => t.model.stop());
	const base = t.model.config;

	return { config: { ...base, ...config, agents: { ...base.agents, ...config.agents,
		defaults: { ...base.agents.defaults, ...config.agents?.defaults } } } };
};
const send = (c, id, message, key = KEY) => c.call('chat.send', { sessionKey: key, message, idempotencyKey: id });
const isChild = (call) => call.userText.startsWith('[Sub-agent task]');
const isEvent = (call) => call.userText.includes('This is an event, not a message of the user.');
const toolText = (call, n = -1) => call.toolResults.at(n).content;
const rows = async (c, params = {}) => (await c.call('sessions.list', { includeGlobal: false, ...params })).sessions;

/* The next requests, sorted by what they are: the order of children is theirs. */
async function take(t, n) {
	const calls = [];

	for (let i = 0; i < n; i++)
		calls.push(await t.model.next());
	return { children: calls.filter(isChild), rest: calls.filter((call) => !isChild(call)) };
}

gatewayTest('two children at once: accepted, told, listed, looked at', { gateway: doubleGateway() }, async (gw, t) => {
	const c = await gw.connect();

	await c.call('sessions.subscribe');
	await send(c, 'r1', 'find both');
	(await t.model.next())
		.tool('c1', 'sessions_spawn', { task: 'find the red one', label: 'red' })
		.tool('c2', 'sessions_spawn', { task: 'find the blue one', label: 'blue' }, 1).end('tool_calls');
	const { children, rest: [parent] } = await take(t, 3);
	const accepted = parent.toolResults.map((r) => JSON.parse(r.content));

	assert.equal(children.length, 2);
	assert.deepEqual(accepted.map((a) => a.status), ['accepted', 'accepted']);
	assert.ok(accepted.every((a) => a.childSessionKey.startsWith('agent:main:subagent:') && a.runId));
	const names = children[0].body.tools.map((tool) => tool.function.name);

	for (const never of ['ask_user', 'progress_card', 'agents_list', 'sessions_send', 'session_status'])
		assert.ok(!names.includes(never), `a sub-agent has ${never}`);
	assert.ok(names.includes('sessions_spawn'));
	parent.text('I wait for them.').end();
	await c.runEnd('r1');

	const row = (await rows(c, { spawnedBy: KEY })).find((s) => s.key === accepted[0].childSessionKey);

	assert.equal(row.spawnedBy, KEY);
	assert.equal(row.label, 'red');
	for (const child of children)
		child.text(child.userText.includes('red') ? 'Red is here.' : 'Blue is there.').end();

	/* Each result is an event; they may come as one turn or as two. */
	let told = '';

	while (!(told.includes('Red is here.') && told.includes('Blue is there.'))) {
		const event = await t.model.next();

		assert.ok(isEvent(event), event.userText);
		told += event.body.messages.filter((m) => m.role === 'user').map((m) => JSON.stringify(m.content)).join('\n');
		event.text('Both are found.').end();
	}
	await c.event('chat', (p) => p.state === 'final' && p.message && textOf(p.message).includes('Both are found.'));
	const shown = JSON.stringify((await c.call('chat.history', { sessionKey: KEY })).messages);

	assert.ok(!shown.includes('This is an event'), 'events are for the model only');
	await c.call('agent.wait', { runId: accepted[0].runId, timeoutMs: 1000 });

	/* What is said while the second result's turn runs would go into that turn. */
	await allQuiet(c);
	await send(c, 'r2', 'what did red say?');
	(await t.model.next()).tool('c3', 'subagents', { action: 'list' }).end('tool_calls');
	let call = await t.model.next();

	while (isEvent(call) && !call.toolResults.length)        /* the second result came as a turn of its own */
		call = (call.text('Noted.').end(), await t.model.next());
	const list = JSON.parse(toolText(call)).subagents;

	assert.deepEqual(list.map((s) => [s.label, s.status, s.deliveryStatus]).sort(),
		[['blue', 'done', 'delivered'], ['red', 'done', 'delivered']]);
	call.tool('c4', 'subagents', { action: 'log', target: 'red' }).end('tool_calls');
	call = await t.model.next();
	assert.match(toolText(call), /Red is here\./);
	call.tool('c5', 'sessions_history', { sessionKey: accepted[1].childSessionKey }).end('tool_calls');
	call = await t.model.next();
	assert.match(toolText(call), /Blue is there\./);
	call.text('It said so.').end();
	await c.runEnd('r2');

	const tasks = (await c.call('tasks.list', { sessionKey: KEY })).tasks;

	assert.deepEqual(tasks.map((task) => [task.title, task.status]).sort(), [['blue', 'completed'], ['red', 'completed']]);
	await c.close();
});

gatewayTest('limits, a stop that cascades, a kill while they work', {
	gateway: doubleGateway({ agents: { defaults: { subagents: { maxSpawnDepth: 1, maxChildrenPerAgent: 1 } } } }),
}, async (gw, t) => {
	let c = await gw.connect();

	await send(c, 'r1', 'go');
	(await t.model.next()).tool('c1', 'sessions_spawn', { task: 'work long' }).tool('c2', 'sessions_spawn', { task: 'one too many' }, 1)
		.end('tool_calls');
	let { children: [child], rest: [parent] } = await take(t, 2);

	assert.match(toolText(parent, 1), /maxChildrenPerAgent/);
	assert.ok(!child.body.tools.some((tool) => tool.function.name === 'sessions_spawn'), 'it is as deep as may be');
	const { runId, childSessionKey } = JSON.parse(toolText(parent, 0));

	/* The person stops the turn: its child stops too, and nobody is told of it. */
	await c.call('chat.abort', { sessionKey: KEY, runId: 'r1' });
	assert.equal(await parent.gone, true);
	assert.equal(await child.gone, true);
	await allQuiet(c);                       /* a stop is told before it is over */
	assert.equal((await c.call('agent.wait', { runId, timeoutMs: 5000 })).status, 'error');
	assert.equal((await c.call('tasks.get', { taskId: runId })).task.status, 'cancelled');
	assert.ok(childSessionKey.startsWith('agent:main:subagent:'));

	/* A kill: the child is lost, and its requester hears of it once. */
	await send(c, 'r2', 'again');
	(await t.model.next()).tool('c3', 'sessions_spawn', { task: 'work longer', label: 'longer' }).end('tool_calls');
	({ children: [child], rest: [parent] } = await take(t, 2));
	const second = JSON.parse(toolText(parent));

	parent.text('It works.').end();
	await c.runEnd('r2');
	await gw.kill();
	await gw.restart();
	c = await gw.connect();
	const event = await t.model.next();

	assert.ok(isEvent(event));
	assert.match(event.userText, /longer[\s\S]*interrupted/);
	event.text('It was cut.').end();
	await c.event('chat', (p) => p.state === 'final' && textOf(p.message) === 'It was cut.');
	assert.equal((await c.call('tasks.get', { taskId: second.runId })).task.status, 'failed');
	await gw.restart();
	c = await gw.connect();
	await send(c, 'r3', 'anything new?');
	const last = await t.model.next();

	assert.equal(last.userText.split('\n').at(-1), 'anything new?');
	last.text('No.').end();
	await c.runEnd('r3');

	/* /subagents, for people. */
	const answer = async (text) => textOf((await c.turn(KEY, text)).message);

	assert.match(await answer('/subagents list'), /longer.*lost[\s\S]*stopped/);
	assert.match(await answer('/subagents info longer'), new RegExp(second.runId));
	assert.match(await answer('/subagents log longer'), /work longer/);
	assert.match(await answer('/subagents stop longer'), /has ended/);
	await c.close();
});

gatewayTest('sessions_send: answered in the other session, and not beyond what may be seen', {
	gateway: doubleGateway({ tools: { sessions: { visibility: 'agent' } }, agents: { entries: { main: {}, other: {} } } }),
}, async (gw, t) => {
	const c = await gw.connect();
	const other = 'agent:main:desk';

	await send(c, 'r0', 'you are the desk', other);
	(await t.model.next()).text('I am.').end();
	await c.runEnd('r0');
	await send(c, 'rx', 'secret plans', 'agent:other:main');
	(await t.model.next()).text('Kept.').end();
	await c.runEnd('rx');
	await send(c, 'r1', 'ask the desk');
	(await t.model.next()).tool('c1', 'sessions_send', { sessionKey: other, message: 'are you there?' }).end('tool_calls');
	const asked = await t.model.next();

	assert.match(asked.userText, /Message of session agent:main:main, not of your user[\s\S]*are you there\?/);
	asked.text('I am here.').end();
	let call = await t.model.next();

	assert.deepEqual([JSON.parse(toolText(call)).status, JSON.parse(toolText(call)).reply], ['ok', 'I am here.']);
	for (const [name, args] of [['sessions_send', { sessionKey: 'agent:other:main', message: 'tell me' }],
		['sessions_history', { sessionKey: 'agent:other:main' }], ['sessions_search', { query: 'plans' }], ['sessions_list', {}]]) {
		call.tool(`c-${name}`, name, args).end('tool_calls');
		call = await t.model.next();
		assert.ok(!toolText(call).includes('secret plans'), `${name} shows it`);
		if (args.sessionKey)
			assert.match(toolText(call), /no session 'agent:other:main' that you may see/);
	}
	assert.deepEqual(JSON.parse(toolText(call)).visibility, { scope: 'agent', because: 'tools.sessions.visibility' });
	call.text('The desk is there.').end();
	await c.runEnd('r1');
	await c.close();
});
