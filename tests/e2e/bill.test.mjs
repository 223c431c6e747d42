/*
 * bill.test.mjs - which model answers and what it costs: failover between three providers, budgets that hold before
 * a request goes out, usage that equals what the providers counted, and the command line over all of it.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { textOf } from './lib/client.mjs';
import { gatewayTest } from './lib/gateway.mjs';
import { until } from './lib/wait.mjs';

/* Three providers in one: /a/v1, /b/v1, /c/v1. What each says is set by the test; what it served is counted. */
class Providers {
	says = { a: 'ok', b: 'ok', c: 'ok' };
	asked = [];
	served = { prompt: 0, completion: 0, cached: 0 };

	static async start() {
		const p = new Providers();

		p.server = http.createServer((req, res) => {
			let body = '';

			req.on('data', (d) => { body += d; });
			req.on('end', () => p.answer(req.url.split('/')[1], JSON.parse(body), res));
		});
		await new Promise((resolve) => p.server.listen(0, '127.0.0.1', resolve));
		return p;
	}

	get base() {
		return `http://127.0.0.1:${this.server.address().port}`;
	}

	answer(name, body, res) {
		const says = this.says[name];
		const piece = (d) => res.write(`data: ${JSON.stringify({ id: 'r1', model: body.model, ...d })}\n\n`);

		this.asked.push(`${name}${body.max_tokens ? '' : '-uncapped'}`);
		if (says !== 'ok') {
			res.writeHead(Number(says), { 'content-type': 'application/json', 'retry-after': '120' });
			res.end(JSON.stringify({ error: { message: `no: ${says}` } }));
			return;
		}
		res.writeHead(200, { 'content-type': 'text/event-stream' });
		piece({ choices: [{ index: 0, delta: { content: `this is ${name}` } }] });
		piece({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] });
		piece({ choices: [], usage: { prompt_tokens: 1000, completion_tokens: 50, total_tokens: 1050,
			prompt_tokens_details: { cached_tokens: 200 } } });
		res.end('data: [DONE]\n\n');
		this.served.prompt += 800;
		this.served.cached += 200;
		this.served.completion += 50;
	}

	config(more = {}) {
		const provider = (name, model) => ({ baseUrl: `${this.base}/${name}/v1`, apiKey: `key-${name}`, models: [model] });
		const cost = { input: 2, output: 10, cacheRead: 0.5, cacheWrite: 0 };

		return {
			models: { mode: 'replace', providers: {
				a: provider('a', { id: 'm', cost, contextWindow: 200000, maxTokens: 8192 }),
				b: provider('b', { id: 'm', contextWindow: 200000, maxTokens: 8192 }),
				c: provider('c', { id: 'm', cost: { input: 0, output: 0 }, contextWindow: 200000, maxTokens: 8192 }),
			} },
			agents: { defaults: { model: { primary: 'a/m', fallbacks: ['b/m', 'c/m'] } } },
			...more,
		};
	}
}

const billTest = (name, more, body) => gatewayTest(name, {
	gateway: async (t) => {
		t.providers = await Providers.start();
		t.after(() => t.providers.server.close());
		return { config: t.providers.config(more) };
	},
}, async (gw, t) => {
	const c = await gw.connect();

	await c.call('sessions.subscribe');
	await body({ gw, c, p: t.providers, key: 'agent:main:bill' });
	await c.close();
});

const steps = (c) => c.events('agent').map((f) => f.payload.data).filter((d) => d.phase === 'fallback_step');
const finals = (c) => c.events('chat').map((f) => f.payload).filter((m) => m.state === 'final');

billTest('the next model answers, and the first one again when it is rested', {}, async ({ gw, c, p, key }) => {
	p.says.a = '401';
	assert.equal(textOf((await c.turn(key, 'one')).message), 'this is b');
	assert.deepEqual(p.asked, ['a', 'b']);
	assert.deepEqual(steps(c).map((s) => [s.fallbackStepFromModel, s.fallbackStepToModel, s.fallbackStepFromFailureReason,
		s.fallbackStepChainPosition, s.fallbackStepFinalOutcome]), [
		['a/m', 'b/m', 'auth', 1, 'next_fallback'], ['a/m', 'b/m', 'auth', 2, 'succeeded']]);
	await c.event('chat', (m) => /Model Fallback: b\/m \(selected a\/m; auth\)/.test(textOf(m.message)));
	let row = (await c.call('sessions.list')).sessions.find((s) => s.key === key);

	assert.deepEqual([row.modelProvider, row.model, row.activeModelProvider, row.activeModel], ['a', 'm', 'b', 'm']);

	/* It rests now: the next turn does not ask it, and the notice is not repeated. */
	const notices = finals(c).length;

	assert.equal(textOf((await c.turn(key, 'two')).message), 'this is b');
	assert.deepEqual(p.asked, ['a', 'b', 'b']);
	assert.equal(finals(c).length, notices + 1);
	const listed = (await c.call('models.list', { view: 'configured' })).models;

	assert.deepEqual(listed.map((m) => [m.provider, m.tags, m.available, m.unavailableReason]), [
		['a', ['default'], false, 'cooldown'], ['b', ['fallback#1'], true, undefined], ['c', ['fallback#2'], true, undefined]]);
	assert.match((await gw.cli(['models', 'status'])).stdout, /a\/m +rests +config +until \d\d:\d\d:\d\d, after auth/);
	assert.match(textOf((await c.turn(key, '/status')).message), /The last answer came from `b\/m`: `a\/m` failed \(auth\)/);
});

billTest('one terminal error when all of them fail; a choice is strict', {}, async ({ c, p, key }) => {
	Object.assign(p.says, { a: '402', b: '402', c: '402' });
	const end = await c.turn(key, 'one');

	assert.equal(end.state, 'error');
	assert.match(end.errorMessage, /All 3 models failed: a\/m \(billing\), b\/m \(billing\), c\/m \(billing\)/);
	assert.deepEqual(steps(c).map((s) => s.fallbackStepFinalOutcome), ['next_fallback', 'next_fallback', 'chain_exhausted']);
	await c.event('sessions.changed', (s) => s.phase === 'error');
	const { messages } = await c.call('chat.history', { sessionKey: key });

	assert.deepEqual(messages.map((m) => m.role), ['user', 'assistant']);

	p.asked.length = 0;
	p.says.c = 'ok';
	await c.call('sessions.patch', { key: 'agent:main:strict', model: 'b/m' });
	assert.equal((await c.turn('agent:main:strict', 'two')).state, 'error');
	assert.deepEqual(p.asked, []);           /* b rests, and nobody else may answer */
});

billTest('a budget holds before the request', { budgets: { perSessionUsd: 0.05, perDayTokens: 200000 } },
	async ({ gw, c, p, key }) => {
		let end;

		for (let i = 0; i < 40 && (end = await c.turn(key, `turn ${i}`)).state === 'final'; i++)
			assert.match(textOf(end.message), /this is a/);
		assert.equal(end.state, 'error');
		assert.match(end.errorMessage, /budgets\.perSessionUsd is \$0\.05, this session has spent \$0\.0\d.*chela config set budgets\.perSessionUsd /);
		const asked = p.asked.length;
		const usage = await c.call('sessions.usage', { agentScope: 'all' });

		assert.ok(usage.totals.totalCost <= 0.05, `${usage.totals.totalCost}`);
		assert.ok(asked > 10, `${asked} requests went out`);
		assert.equal((await c.turn(key, 'once more')).state, 'error');
		assert.equal(p.asked.length, asked);
		/* The command of the message helps at once. */
		assert.equal((await gw.cli(['config', 'set', 'budgets.perSessionUsd', '1'])).code, 0);
		await until(async () => (await c.turn(key, 'and now')).state === 'final', 'the raised budget to be noticed');
		assert.match((await gw.cli(['usage'])).stdout, /budgets\.perSessionUsd|budgets\.perDayTokens/);
	});

billTest('usage is what the providers counted', {}, async ({ gw, c, p, key }) => {
	await c.turn(key, 'one');
	p.says.a = '401';
	await c.turn(key, 'two');                /* b has no price */
	const report = await c.call('sessions.usage', { agentScope: 'all', mode: 'gateway' });
	const { totals } = report;

	assert.deepEqual([totals.input, totals.output, totals.cacheRead], [p.served.prompt, p.served.completion, p.served.cached]);
	assert.equal(totals.totalCost, 0.0022);
	assert.equal(totals.missingCostEntries, 1);
	assert.deepEqual(totals.missingCostByModel, { 'b/m': 1 });
	assert.deepEqual(report.aggregates.byModel.map((m) => [`${m.provider}/${m.model}`, m.count]), [['a/m', 2], ['b/m', 1]]);
	assert.deepEqual(report.aggregates.byReason.map((r) => [r.reason, r.count]), [['turn', 3]]);
	assert.deepEqual(report.sessions.map((s) => [s.key, s.usage.messageCounts.total, s.usage.totalTokens]), [[key, 4, 2100]]);
	const cost = await c.call('usage.cost', { days: 2, mode: 'gateway' });

	assert.equal(cost.daily.length, 2);
	assert.deepEqual(cost.totals, totals);
	assert.deepEqual((await c.call('sessions.usage.timeseries', { key })).points.map((x) => x.cumulativeTokens), [1050, 1050, 2100]);
	assert.deepEqual((await c.call('sessions.usage.logs', { key })).logs.map((l) => l.role), ['user', 'assistant', 'user', 'assistant']);

	for (const by of ['day', 'agent', 'session', 'model', 'reason'])
		assert.match((await gw.cli(['usage', '--by', by])).stdout, /\$0\.0022 \+ 1 without a price/);
	assert.deepEqual(JSON.parse((await gw.cli(['usage', '--json'])).stdout).totals, totals);
	const bad = await gw.cli(['usage', '--by', 'moon']);

	assert.equal(bad.code, 1);
	assert.match(bad.stderr, /--by is day, agent, session, model or reason/);

	for (const [method, params] of [['usage.cost', { startDate: '2026-02-31', endDate: '2026-03-01' }], ['usage.cost', { days: 'x' }],
		['sessions.usage', { range: '2d' }], ['sessions.usage', { agentScope: 'all', key }], ['sessions.usage', { days: 1 }],
		['sessions.usage', { limit: 0 }], ['sessions.usage.logs', {}], ['models.list', { refresh: true, preparedOnly: true }],
		['models.list', { view: 'none' }], ['models.probe', {}], ['models.probe', { provider: 'a', timeoutMs: 0 }]])
		assert.equal((await c.fails(method, params)).code, 'INVALID_REQUEST', `${method} ${JSON.stringify(params)}`);
});

billTest('models by the command line', {}, async ({ gw, c, p }) => {
	const cli = async (...args) => {
		const r = await gw.cli(['models', ...args]);

		assert.equal(r.code, 0, `${args}\n${r.stdout}\n${r.stderr}`);
		return r.stdout.trim();
	};

	gw.replaceConfig(readFileSync(gw.configPath, 'utf8').replace('{', '{\n  // keep me\n'));
	assert.equal(await cli('fallbacks', 'list'), 'b/m\nc/m');
	assert.equal(await cli('fallbacks', 'remove', 'b/m'), 'c/m');
	assert.equal(await cli('aliases', 'add', 'fast', 'c/m'), 'fast: c/m');
	assert.equal(await cli('fallbacks', 'add', 'fast'), 'c/m');
	assert.equal(await cli('set', 'fast'), 'default model: c/m');
	assert.equal(await cli('set-image', 'b/m'), 'model for pictures: b/m');
	assert.match(await cli('aliases', 'list'), /fast +c\/m/);
	assert.match(await cli('fallbacks', 'clear'), /no fallbacks/);
	assert.match(readFileSync(gw.configPath, 'utf8'), /\/\/ keep me/);
	const config = JSON.parse(readFileSync(gw.configPath, 'utf8').replace('// keep me', ''));

	assert.deepEqual(config.agents.defaults.model, { primary: 'c/m', fallbacks: [] });
	assert.equal(config.agents.defaults.imageModel, 'b/m');
	const status = JSON.parse(await cli('status', '--json'));

	assert.deepEqual([status.defaultModel, status.fallbacks, status.imageModel, status.aliases], ['c/m', [], 'b/m', { fast: 'c/m' }]);
	assert.equal((await gw.cli(['models', 'set', 'nobody/x'])).code, 1);
	assert.equal(await cli('aliases', 'remove', 'fast'), 'fast is no alias any more');

	p.says.b = '404';
	assert.equal((await gw.cli(['models', 'probe', 'a'])).code, 0);
	const missing = await gw.cli(['models', 'probe', 'b', '--json']);

	assert.equal(missing.code, 1);
	assert.equal(JSON.parse(missing.stdout).status, 'no_model');
	const probes = (await c.call('sessions.usage', { agentScope: 'all' })).aggregates.byReason;

	assert.deepEqual(probes.map((r) => [r.reason, r.count]), [['probe', 2]]);
	assert.deepEqual((await c.call('models.probe', { provider: 'unheard-of' })).status, 'no_model');

	/* A provider that needs a key and has none. */
	assert.equal((await gw.cli(['models', 'status', '--check'])).code, 0);
	assert.equal((await gw.cli(['config', 'set', 'agents.defaults.model', 'groq/openai/gpt-oss-20b'])).code, 0);
	assert.equal((await gw.cli(['models', 'status', '--check'])).code, 1);
	assert.match((await gw.cli(['models', 'list'])).stdout, /a\/m/);
});
