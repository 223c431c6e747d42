/*
 * wizard.test.mjs - setting a gateway up by question and answer, over RPC and from the command line: nothing is
 * written before the last answer, a key that fails is told in the provider's words, and no key is seen anywhere.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { ModelDouble } from '../doubles/model.mjs';
import { textOf } from './lib/client.mjs';
import { Gateway } from './lib/gateway.mjs';
import { CHELA } from './lib/peers.mjs';
import { Proc } from './lib/proc.mjs';
import { problems } from './lib/schema.mjs';
import { stopAll, until, within } from './lib/wait.mjs';

const WRONG = 'sk-wrong-0123456789abcdef';
const RIGHT = 'sk-right-0123456789abcdef';
const bearer = (call) => (call.headers.authorization ?? '').replace(/^Bearer /, '');

/* A gateway with a provider that has an address but no key: whether it wants one, the first test shows. */
async function setup(t) {
	const double = await ModelDouble.start();
	const gw = await Gateway.start({ config: {
		models: { providers: { acme: { baseUrl: `http://127.0.0.1:${double.port}/v1`, api: 'openai-completions',
			models: [{ id: 'm1', contextWindow: 64000, maxTokens: 4096 }] } } },
	} });

	t.after(() => stopAll(double, gw));
	return { gw, double };
}

async function serve(double, count) {
	const keys = [];

	for (let i = 0; i < count; i++) {
		const call = await double.next();

		keys.push(bearer(call));
		if (bearer(call) === RIGHT)
			call.text('OK').end();
		else
			call.fail(401, `Incorrect API key provided: ${bearer(call)}`);
	}
	return keys;
}

class Walk {
	static async start(c, params = { flow: 'setup' }) {
		const w = new Walk();

		w.c = c;
		w.last = await c.call('wizard.start', params);
		assert.deepEqual(problems('WizardStartResult', w.last), []);
		w.sessionId = w.last.sessionId;
		w.told = [w.last];
		return w;
	}

	get step() {
		return this.last.step;
	}

	async answer(name, value) {
		assert.equal(this.step.id.replace(/-\d+$/, ''), name);
		this.last = await this.c.call('wizard.next', { sessionId: this.sessionId, answer: { stepId: this.step.id, value } });
		assert.deepEqual(problems('WizardNextResult', this.last), []);
		this.told.push(this.last);
		return this.last;
	}
}

async function begin(c, provider) {
	const w = await Walk.start(c);

	await w.answer('security');
	await w.answer('accept', true);
	assert.equal(w.step.type, 'select');
	await w.answer('provider', provider);
	return w;
}

test('a wrong key is told of, the right one is written at the end', async (t) => {
	const { gw, double } = await setup(t);
	const c = await gw.connect();
	const before = readFileSync(gw.configPath, 'utf8');
	const keys = serve(double, 3);
	const w = await begin(c, 'acme');

	await w.answer('model', 'm1');
	assert.match(w.step.message, /did not answer/);
	await w.answer('failed', 'key');
	assert.equal(w.step.sensitive, true);
	await w.answer('key', WRONG);
	assert.equal(w.step.initialValue, 'acme/m1');
	await w.answer('model', 'acme/m1');
	assert.match(w.step.message, /acme\/m1 did not answer: .*Incorrect API key provided/);
	assert.deepEqual(w.step.options.map((o) => o.value), ['key', 'model', 'provider', 'keep']);
	await w.answer('failed', 'key');
	await w.answer('key', RIGHT);
	await w.answer('model', 'acme/m1');
	await w.answer('name', 'Kim');
	assert.match(w.step.message, /acme\/m1 \(it answered\)/);
	assert.deepEqual(await keys, ['', WRONG, RIGHT]);

	/* Nothing so far. */
	assert.equal(readFileSync(gw.configPath, 'utf8'), before);
	assert.equal((await c.call('models.authStatus')).providers.find((p) => p.provider === 'acme'), undefined);
	assert.deepEqual(await c.call('wizard.status', { sessionId: w.sessionId }), { status: 'running' });

	await w.answer('confirm', true);
	assert.equal(w.step.type, 'note');
	assert.deepEqual(await w.answer('next'), { done: true, status: 'done', modelActivation: { modelRef: 'acme/m1' } });
	assert.equal(JSON.parse(readFileSync(gw.configPath, 'utf8')).agents.defaults.model.primary, 'acme/m1');
	assert.equal((await c.call('agent.identity.get', { agentId: 'main' })).name, 'Kim');

	/* It works. */
	const used = serve(double, 1);
	const end = await c.turn('agent:main:main', 'hello');

	assert.equal(textOf(end.message), 'OK');
	assert.deepEqual(await used, [RIGHT]);

	/* And is seen nowhere. */
	const audit = await c.call('audit.list', {});
	const seen = JSON.stringify([w.told, audit, await c.call('config.get')]) + readFileSync(gw.configPath, 'utf8') +
		gw.proc.stdout + gw.proc.stderr;

	for (const key of [WRONG, RIGHT])
		assert.ok(!seen.includes(key), 'a key was shown');
	await c.close();
});

test('one at a time; a client that left makes room; cancelling writes nothing', async (t) => {
	const { gw } = await setup(t);
	const one = await gw.connect();
	const two = await gw.connect();
	const before = readFileSync(gw.configPath, 'utf8');
	const first = await begin(one, 'acme');

	assert.deepEqual(await two.fails('wizard.start', {}), { code: 'UNAVAILABLE', message: 'wizard already running', retryable: true });
	assert.equal((await one.fails('wizard.next', { sessionId: first.sessionId, answer: { stepId: 'accept-2', value: true } })).code,
		'INVALID_REQUEST');
	/* Asked without an answer it repeats the question. */
	assert.deepEqual((await one.call('wizard.next', { sessionId: first.sessionId })).step, first.step);
	await one.close();
	const second = await until(async () => {
		const res = await two.request('wizard.start', {});

		return res.ok ? res.payload : null;
	}, 'the room to be free');

	assert.deepEqual((await two.fails('wizard.status', { sessionId: first.sessionId })).details, { code: 'WIZARD_NOT_FOUND' });
	assert.deepEqual(await two.call('wizard.cancel', { sessionId: second.sessionId }), { status: 'cancelled', error: 'cancelled' });
	assert.deepEqual(await two.call('wizard.status', { sessionId: second.sessionId }), { status: 'cancelled', error: 'cancelled' });
	assert.equal(readFileSync(gw.configPath, 'utf8'), before);
	await two.close();
});

test('cancelling while the model is asked ends it', async (t) => {
	const { gw, double } = await setup(t);
	const c = await gw.connect();
	const w = await begin(c, 'acme');

	const pending = w.answer('model', 'm1');
	const call = await double.next();

	assert.equal((await c.fails('wizard.next', { sessionId: w.sessionId, answer: { stepId: w.step.id, value: 'm1' } })).message,
		'the wizard is busy with the answer before');
	await c.call('wizard.cancel', { sessionId: w.sessionId });
	call.text('OK').end();
	assert.deepEqual(await pending, { done: true, status: 'cancelled', error: 'cancelled' });
	await c.close();
});

test('an agent with a model of its own gets the chosen one; comments stay', async (t) => {
	const gw = await Gateway.start({ config: { agents: { entries: { main: { model: 'openai/gpt-6-astra' } } } } });

	t.after(() => gw.stop());
	gw.replaceConfig(`// mine\n${readFileSync(gw.configPath, 'utf8')}`);
	const c = await gw.connect();

	await until(async () => (await c.call('config.get')).raw.startsWith('// mine'), 'the comment to be read');
	const w = await begin(c, 'offline');

	await w.answer('name');
	await w.answer('confirm', true);
	await w.answer('next');
	const raw = readFileSync(gw.configPath, 'utf8');

	assert.match(raw, /^\/\/ mine\n/);
	const { resolved } = await c.call('config.get');

	assert.equal(resolved.agents.defaults.model.primary, 'offline/demo');
	assert.equal(resolved.agents.entries.main.model?.primary ?? resolved.agents.entries.main.model, 'offline/demo');
	await c.close();
});

test('what the wizard does not do is said', async (t) => {
	const { gw } = await setup(t);
	const c = await gw.connect();

	for (const params of [{ flow: 'channels', channel: 'whatsapp' }, { mode: 'remote' }, { installDaemon: true }, { workspace: '/tmp/x' }]) {
		const e = await c.fails('wizard.start', params);

		assert.equal(e.code, 'UNAVAILABLE');
		assert.match(e.message, /^wizard\.start is not available: /);
	}
	await c.close();
});

/* ---- chela setup ---- */

test('chela setup --yes answers by options; a wrong key writes nothing', async (t) => {
	const { gw, double } = await setup(t);
	const before = readFileSync(gw.configPath, 'utf8');
	const args = ['setup', '--yes', '--provider', 'acme', '--model', 'm1', '--key-stdin', '--json'];
	const refused = serve(double, 2);
	const bad = await gw.cli(args, { input: `${WRONG}\n` });

	assert.equal(bad.code, 1);
	assert.match(bad.stdout, /Incorrect API key provided/);
	assert.ok(!(bad.stdout + bad.stderr).includes(WRONG));
	assert.deepEqual(await refused, ['', WRONG]);
	assert.equal(readFileSync(gw.configPath, 'utf8'), before);

	/* What it left is gone: the next one can begin. */
	const served = serve(double, 2);
	const good = await gw.cli([...args, '--name', 'Kim'], { input: `${RIGHT}\n` });

	assert.equal(good.code, 0, good.stdout + good.stderr);
	assert.deepEqual(JSON.parse(good.stdout), { ok: true, model: 'acme/m1' });
	assert.deepEqual(await served, ['', RIGHT]);
	assert.equal(JSON.parse(readFileSync(gw.configPath, 'utf8')).agents.defaults.model.primary, 'acme/m1');
	const list = JSON.parse((await gw.cli(['models', 'auth', 'list', '--json'])).stdout);

	assert.deepEqual(list.profiles.map((p) => p.id), ['acme:manual']);

	/* Now it has one: another key is not thrown away in silence. */
	const again = serve(double, 1);
	const unasked = await gw.cli(args, { input: `${WRONG}\n` });

	assert.equal(unasked.code, 1);
	assert.match(unasked.stdout, /the key was not asked for/);
	assert.deepEqual(await again, [RIGHT]);
});

test('chela onboard: without a model; and what it needs', async (t) => {
	const { gw } = await setup(t);
	const done = await gw.cli(['onboard', '--yes', '--provider', 'offline']);

	assert.equal(done.code, 0, done.stderr);
	assert.match(done.stdout, /its model is offline\/demo/);
	for (const [args, why] of [[[], /need a terminal/], [['--yes'], /--provider/], [['--model', 'm1'], /go with --yes/],
		[['--yes', '--provider', 'nobody'], /one of the offered providers/]]) {
		const r = await gw.cli(['setup', ...args]);

		assert.equal(r.code, 1, args.join(' '));
		assert.match(r.stderr, why);
	}
});

test('a terminal is asked question by question, and never shows the key', async (t) => {
	const { gw, double } = await setup(t);
	const served = serve(double, 2);
	const c = await gw.connect();
	const w = await begin(c, 'offline');

	await c.call('wizard.cancel', { sessionId: w.sessionId });
	const options = w.told.find((s) => s.step?.type === 'select').step.options.map((o) => o.value);
	const acme = options.indexOf('acme') + 1;
	/* util-linux's script gives it a terminal; what the terminal shows is its output. */
	const p = new Proc('script', ['-qec', `${CHELA} setup`, '/dev/null'], { env: gw.env, cwd: gw.dir, stdin: 'pipe' });
	const says = async (pattern, line) => {
		await until(() => pattern.test(p.stdout), `${pattern} on the terminal`);
		p.child.stdin.write(`${line}\n`);
	};

	await says(/Continue\?[^]*Yes or no: $/, 'yes');
	await says(/Number.*: $/, String(acme));
	await says(/\[acme\/m1\]: $/, '');
	await says(/did not answer[^]*Number: $/, '1');
	await says(/Key \(not shown\): $/, RIGHT);
	await says(/not shown[^]*\[acme\/m1\]: $/, '');
	await says(/called\?[^]*: $/, 'Kim');
	await says(/Write this\?[^]*: $/, '');
	await within(p.exited, 'the command to end');
	assert.equal(p.exit.code, 0, p.stdout);
	assert.match(p.stdout, /the gateway is set up; its model is acme\/m1/);
	assert.ok(!p.stdout.includes(RIGHT), 'the key was shown');
	assert.deepEqual(await served, ['', RIGHT]);
	await c.close();
});
