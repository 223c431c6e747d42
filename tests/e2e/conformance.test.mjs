/*
 * conformance.test.mjs - every method that hello-ok names: refuses wrong parameters with the path, answers
 * minimal right ones with a payload that is valid by its schema.
 *
 * The reference's table of methods is tests/fixtures/protocol/methods.json: which definition of
 * protocol.schema.json stands for the parameters and which for the result. Where the published schema names no
 * result, tests/fixtures/protocol/shapes.json says which members recorded answers have.
 */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { Client } from './lib/client.mjs';
import { Device } from './lib/device.mjs';
import { Gateway } from './lib/gateway.mjs';
import { ROOT } from './lib/peers.mjs';
import { definitions, problems } from './lib/schema.mjs';

const fixture = (name) => JSON.parse(readFileSync(path.join(ROOT, 'tests/fixtures/protocol', name), 'utf8'));
const table = new Map(fixture('methods.json').map((m) => [m.name, m]));
const shapes = fixture('shapes.json');
const SCOPES = ['admin', 'read', 'write', 'approvals', 'questions', 'pairing', 'talk.secrets'].map((s) => `operator.${s}`);

let gw, c;
const key = 'agent:main:main';

before(async () => {
	gw = await Gateway.start({ config: { agents: { defaults: { model: 'offline/demo' } } } });
	/* A client that acts as the owner's profile. */
	c = await Client.open(gw.url.replace('http', 'ws'), { auth: { token: gw.token }, scopes: SCOPES, device: new Device(),
		client: { id: 'openclaw-tui', mode: 'ui' } });
	await c.turn(key, 'hello');
});
after(async () => {
	c?.terminate();
	await gw?.stop();
});

/* -- what a minimal call is -- */

const hash = async () => (await c.call('config.get')).hash;
const entries = async (sessionKey) => (await c.call('chat.history', { sessionKey })).messages.map((m) => m.__openclaw.id);

/* A session of its own, with a turn in it. */
async function fresh() {
	const k = `agent:main:explicit:${randomUUID()}`;

	await c.turn(k, 'hello');
	return k;
}

/* The id of an approval that waits. */
async function asked(kind) {
	const what = kind === 'exec' ? { command: 'ls' } : { title: 'Send', description: 'Sends it.' };

	return (await c.call(`${kind}.approval.request`, { ...what, twoPhase: true })).id;
}

async function answered(kind) {
	const id = await asked(kind);

	await c.call(`${kind}.approval.resolve`, { id, decision: 'deny' });
	return id;
}

/* A message with a picture in it, as an artifact. */
const PIXEL = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';

async function picture() {
	const sessionKey = `agent:main:explicit:${randomUUID()}`;

	await c.turn(sessionKey, 'look', { params: { attachments: [{ type: 'image', mimeType: 'image/png', fileName: 'p.png', content: PIXEL }] } });
	const { artifacts } = await c.call('artifacts.list', { sessionKey });

	assert.equal(artifacts.length, 1);
	assert.deepEqual(problems('ArtifactsListResult', { artifacts }), []);
	const got = await c.call('artifacts.download', { sessionKey, artifactId: artifacts[0].id });

	assert.equal(got.data, PIXEL);
	assert.equal(artifacts[0].sizeBytes, Buffer.from(PIXEL, 'base64').length);
	assert.match((await c.fails('artifacts.get', { sessionKey, artifactId: `${artifacts[0].id}9` })).message, /artifact not found/);
	return { sessionKey, artifactId: artifacts[0].id };
}

/* A wizard of this connection takes the place of the one before. */
const wizard = async () => c.call('wizard.start', { flow: 'setup' });

/* An error is the right answer: nothing has that id. */
const fails = (params, message) => ({ params, fails: message });

const QUESTIONS = [{ questionId: 'color', header: 'Color', question: 'Which?', options: [{ label: 'Red' }, { label: 'Blue' }] }];
const question = async () => (await c.call('question.request', { questions: QUESTIONS })).id;

/*
 * Minimal right parameters; what takes none is not listed. A function runs when its turn has come.
 */
const MINIMAL = {
	'agent': () => ({ message: 'hello', idempotencyKey: randomUUID() }),
	'agent.wait': async () => {
		const { runId } = await c.turn(await fresh(), 'hello');

		return { runId };
	},
	'agents.create': () => ({ name: `Made ${randomUUID()}` }),
	'agents.delete': async () => ({ agentId: (await c.call('agents.create', { name: `Gone ${randomUUID()}` })).agentId }),
	'agents.files.get': { agentId: 'main', name: 'AGENTS.md' },
	'agents.files.list': { agentId: 'main' },
	'agents.files.set': { agentId: 'main', name: 'AGENTS.md', content: 'Be brief.\n' },
	'agents.update': { agentId: 'main', emoji: '🐢' },
	'approval.get': async () => ({ id: await asked('exec') }),
	'approval.resolve': async () => ({ id: await asked('exec'), kind: 'exec', decision: 'deny' }),
	'artifacts.download': async () => picture(),
	'artifacts.get': async () => picture(),
	'artifacts.list': { sessionKey: key },
	'audit.run.inspect': { runId: 'x' },
	'board.get': { sessionKey: key },
	'channels.logout': fails({ channel: 'telegram' }, /is not in the configuration/),
	'channels.start': fails({ channel: 'telegram' }, /is not in the configuration/),
	'channels.stop': fails({ channel: 'telegram' }, /is not in the configuration/),
	'channels.pairing.approve': fails({ channel: 'telegram', accountId: 'default', requestId: 'x' }, /does not use DM pairing/),
	'channels.pairing.dismiss': fails({ channel: 'telegram', accountId: 'default', requestId: 'x' }, /does not use DM pairing/),
	'chat.abort': { sessionKey: key },
	'chat.history': { sessionKey: key },
	'chat.message.get': async () => ({ sessionKey: key, messageId: (await entries(key))[0] }),
	'chat.send': () => ({ sessionKey: key, message: 'hello', idempotencyKey: randomUUID() }),
	'chat.startup': { sessionKey: key },
	'config.apply': async () => ({ raw: (await c.call('config.get')).raw, baseHash: await hash() }),
	'config.patch': async () => ({ raw: '{}', baseHash: await hash() }),
	'config.schema.lookup': { path: 'gateway' },
	'config.set': async () => ({ raw: (await c.call('config.get')).raw, baseHash: await hash() }),
	'controlUi.sessionPullRequests.subscribe': { sessionKeys: [] },
	'cron.get': fails({ id: 'x' }, /cron job not found: x/),
	'device.pair.approve': fails({ requestId: 'x' }, /unknown requestId/),
	'device.pair.reject': fails({ requestId: 'x' }, /unknown requestId/),
	'device.pair.setupCode': { publicUrl: 'wss://gw.example' },
	'device.pair.setupStatus': { setupId: 'x' },
	'device.pair.remove': fails({ deviceId: 'x' }, /unknown deviceId/),
	'device.pair.rename': fails({ deviceId: 'x', label: 'y' }, /unknown deviceId/),
	'device.token.revoke': fails({ deviceId: 'x', role: 'operator' }, /denied|unknown/),
	'device.token.rotate': fails({ deviceId: 'x', role: 'operator' }, /denied|unknown/),
	'environments.status': { environmentId: 'gateway' },
	'exec.approval.get': async () => ({ id: await asked('exec') }),
	'exec.approval.grants.revoke': { grantId: 'none' },
	'exec.approval.request': { command: 'ls', timeoutMs: 1 },
	'exec.approval.resolve': async () => ({ id: await asked('exec'), decision: 'deny' }),
	'exec.approval.waitDecision': async () => ({ id: await answered('exec') }),
	'exec.approvals.set': async () => ({ file: { version: 1 }, baseHash: (await c.call('exec.approvals.get')).hash }),
	'gateway.restart.request': fails({ target: { pid: 1, ownerId: 'x', port: 1 } }, /no longer owns the active lock/),
	'message.action': fails({ channel: 'telegram', action: 'send', params: { to: '1', message: 'x' }, idempotencyKey: 'm1' },
		/Channel is unavailable: telegram/),
	'migrations.memory.plan': { agentId: 'main' },
	'models.authLogout': { provider: 'anthropic' },
	'models.authOrderSet': { provider: 'anthropic' },
	'models.authRefresh': { operation: 'update' },
	'models.authSetApiKey': { provider: 'anthropic', apiKey: 'sk-test-0123456789' },
	'models.probe': { provider: 'offline' },
	'node.describe': fails({ nodeId: 'x' }, /unknown nodeId/),
	'progressCard.get': { sessionKey: key },
	'progressCard.put': { sessionKey: key, markdown: 'working' },
	'question.get': async () => ({ id: await question() }),
	'question.request': { questions: QUESTIONS },
	'question.resolve': async () => ({ id: await question(), answers: { answers: { color: ['Red'] } } }),
	'question.waitAnswer': async () => ({ id: await question(), timeoutMs: 1 }),
	'secrets.resolve': { commandName: 'x', targetIds: [] },
	'secrets.store.delete': async () => {
		await c.call('secrets.store.set', { name: 'GONE_LEVEL', value: 'x', kind: 'env' });
		return { name: 'GONE_LEVEL' };
	},
	'secrets.store.set': { name: 'A_LEVEL', value: 'x', kind: 'env' },
	'send': fails({ to: '1', message: 'x', idempotencyKey: 's1' }, /no channel is configured/),
	'session.discussion.info': { sessionKey: key },
	'session.members.list': { sessionKey: key },
	'session.members.listEvidence': { sessionKey: key },
	'session.typing': async () => ({ sessionKey: key, sessionId: (await c.call('sessions.describe', { key })).session.sessionId,
		typing: false }),
	'plugin.approval.request': { title: 'Send', description: 'Sends it.', timeoutMs: 1 },
	'plugin.approval.resolve': async () => ({ id: await asked('plugin'), decision: 'deny' }),
	'plugin.approval.waitDecision': async () => ({ id: await answered('plugin') }),
	'sessions.abort': { key },
	'sessions.branches.list': { sessionKey: key },
	'sessions.branches.switch': async () => {
		const k = await fresh();
		const ids = await entries(k);

		await c.call('sessions.rewind', { sessionKey: k, entryId: ids[0] });
		return { sessionKey: k, leafEntryId: ids.at(-1) };
	},
	'sessions.compact': async () => ({ key: await fresh() }),
	'sessions.companion.state': { sessionKey: key },
	'sessions.delete': async () => ({ key: await fresh() }),
	'sessions.describe': { key },
	'sessions.fork': async () => {
		const k = await fresh();

		return { sessionKey: k, entryId: (await entries(k)).at(0) };
	},
	'sessions.github.options': { sessionKey: key },
	'sessions.groups.delete': async () => {
		await c.call('sessions.groups.put', { names: ['going'] });
		return { name: 'going' };
	},
	'sessions.groups.put': { names: ['one'] },
	'sessions.groups.rename': async () => {
		await c.call('sessions.groups.put', { names: ['from'] });
		return { name: 'from', to: 'to' };
	},
	'sessions.groups.update': async () => {
		await c.call('sessions.groups.put', { names: ['kept'] });
		return { name: 'kept', cwd: null, worktree: false };
	},
	'sessions.messages.subscribe': { key },
	'sessions.messages.unsubscribe': { key },
	'sessions.observer.visibility': { visible: true },
	'sessions.patch': { key, label: 'a label' },
	'sessions.patchMany': { targets: [{ key }], patch: { pinned: true } },
	'sessions.preview': { keys: [key] },
	'sessions.reset': async () => ({ key: await fresh() }),
	'sessions.rewind': async () => {
		const k = await fresh();

		return { sessionKey: k, entryId: (await entries(k)).at(0) };
	},
	'sessions.search': { query: 'hello' },
	'sessions.send': { key, message: 'hello' },
	'sessions.viewers.set': { sessionKeys: [] },
	'tasks.cancel': { taskId: 'x' },
	'tasks.get': fails({ taskId: 'x' }, /task not found: x/),
	'tools.effective': { sessionKey: key },
	'tools.invoke': { name: 'session_status' },
	'tools.github.status': { agentId: 'main', selectedScope: 'agent' },
	'users.listModelAccounts': { profileId: 'gateway-owner' },
	'users.prefs.set': { entries: { 'ui.theme': 'claw' } },
	'users.setDisplayName': { profileId: 'gateway-owner', displayName: null },
	'voicewake.set': { triggers: ['hey'] },
	'webSearch.test': fails({ query: 'x' }, /no search service is configured/),
	'wizard.cancel': async () => ({ sessionId: (await wizard()).sessionId }),
	'wizard.next': async () => ({ sessionId: (await wizard()).sessionId }),
	'wizard.status': async () => ({ sessionId: (await wizard()).sessionId }),
	'worktrees.branches': () => ({ repoRoot: gw.dir, includeRepositoryStatus: true }),
};

async function minimal(method) {
	const entry = MINIMAL[method];
	const made = typeof entry === 'function' ? await entry() : entry;

	return made?.params ? made : { params: made ?? {} };
}

/* Further members are let through: pages send what only later versions know. */
const OPEN = new Set(['models.authSetApiKey']);

/* -- what is right -- */

const typeOf = (v) => v === null ? 'null' : Array.isArray(v) ? 'array' : typeof v === 'number' ? 'number' : typeof v;

function shapeProblems(shape, value) {
	const fits = (type, v) => type.split('|').some((t) => t === typeOf(v) || (t === 'integer' && Number.isInteger(v)));

	if (typeof shape === 'string')
		return fits(shape, value) ? [] : [`is ${typeOf(value)}, not ${shape}`];
	return Object.entries(shape).filter(([k, type]) => !fits(type, value?.[k]))
		.map(([k, type]) => `.${k} is ${typeOf(value?.[k])}, not ${type}`);
}

function resultProblems(method, payload) {
	const named = table.get(method).result;

	if (named && definitions[named])
		return problems(named, payload);
	return shapes[method] === undefined ? [`no schema and no shape for its answer; add one to shapes.json`]
		: shapeProblems(shapes[method], payload);
}

/* A value that no schema of a scalar, a list or an object accepts. */
const wrongFor = (schema) => schema.type === 'object' || schema.properties ? 'wrong' : { wrong: true };

test('hello-ok names methods of the reference only', () => {
	for (const name of c.hello.features.methods)
		assert.ok(table.has(name), `${name} is not in tests/fixtures/protocol/methods.json`);
	assert.deepEqual([...new Set(c.hello.features.methods)].length, c.hello.features.methods.length);
});

test('the coverage is told', (t) => {
	const named = new Set(c.hello.features.methods);
	const all = [...table.values()].filter((m) => !m.flags?.includes('hidden'));
	const first = all.filter((m) => m.tier === 'T1');

	t.diagnostic(`advertised ${named.size} of ${all.length}, T1 done ${first.filter((m) => named.has(m.name)).length} of ${first.length}`);
	assert.equal(all.length, 466);
	assert.equal(first.length, 178);
});

test('wrong parameters are refused with the path', async (t) => {
	const found = [];
	let calls = 0;
	const expect = async (method, params, pattern) => {
		const res = await c.request(method, params);

		calls++;
		if (res.ok || res.error.code !== 'INVALID_REQUEST' || !pattern.test(res.error.message))
			found.push(`${method} ${JSON.stringify(params)}: ${res.ok ? 'accepted' : `${res.error.code} ${res.error.message}`}`);
	};

	for (const method of c.hello.features.methods) {
		const row = table.get(method);
		const schema = definitions[row.params];
		const valid = (await minimal(method)).params;

		if (row.params && schema?.additionalProperties !== true && !OPEN.has(method))
			await expect(method, { ...valid, noSuchMember: 1 }, /unexpected property 'noSuchMember'/);
		for (const name of schema?.required ?? []) {
			const { [name]: gone, ...rest } = valid;

			await expect(method, rest, new RegExp(`must have required property '${name}'`));
		}
		for (const [name, member] of Object.entries(schema?.properties ?? {})) {
			const wrong = { ...valid, [name]: wrongFor(member) };

			if (problems(row.params, wrong).some((p) => p.includes(`/${name}`)))
				await expect(method, wrong, new RegExp(`at /${name}|unexpected property '${name}'`));
		}
	}
	t.diagnostic(`${calls} wrong calls`);
	assert.deepEqual(found, []);
});

test('minimal right parameters are answered as the schema says', async () => {
	const found = [];

	for (const method of c.hello.features.methods) {
		const { params, fails: why } = await minimal(method);
		const res = await c.request(method, params);

		if (why && (res.ok || !why.test(res.error.message)))
			found.push(`${method}: ${res.ok ? 'accepted' : res.error.message} instead of ${why}`);
		else if (!why && !res.ok)
			found.push(`${method}: ${res.error.code} ${res.error.message}`);
		else if (!why)
			found.push(...resultProblems(method, res.payload).map((p) => `${method}: ${p}`));
	}
	assert.deepEqual(found, []);
});

test('what is not there yet says so', async () => {
	const named = new Set(c.hello.features.methods);

	for (const method of ['cron.add', 'node.invoke', 'exec.approvals.node.set', 'skills.install', 'update.run', 'wake']) {
		const e = await c.fails(method, {});

		assert.equal(e.code, 'UNAVAILABLE', method);
		assert.ok(!e.retryable, method);
		assert.match(e.message, new RegExp(`^${method.replaceAll('.', '\\.')} is not available: `));
		assert.ok(!named.has(method), `${method} always refuses but is named`);
	}
	assert.deepEqual(await c.fails('no.such.method'), { code: 'INVALID_REQUEST', message: 'unknown method: no.such.method' });
});
