/*
 * web-tools.test.mjs - web_fetch, web_search and the endpoints of tools.http through the gateway, called by a model
 * double; a server on loopback stands for the web and for the search services.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ModelDouble } from '../doubles/model.mjs';
import { WebDouble } from '../doubles/web.mjs';
import { filesBelow } from './lib/disk.mjs';
import { Gateway } from './lib/gateway.mjs';
import { stopAll, until } from './lib/wait.mjs';

let gw, c, model, web, turns = 0;

const service = (id, webSearch) => ({ [id]: { config: { webSearch } } });
const search = (provider) => ({ tools: { web: { search: { provider } } } });

before(async () => {
	model = await ModelDouble.start();
	web = await WebDouble.start();
	gw = await Gateway.start({ env: { MY_API_TOKEN: web.keys.api }, config: { ...model.config,
		plugins: { entries: { ...service('brave', { apiKey: web.keys.brave, baseUrl: web.url }),
			...service('tavily', { apiKey: web.keys.tavily, baseUrl: web.url }),
			...service('searxng', { baseUrl: web.url }), ...service('duckduckgo', { baseUrl: web.url }) } },
		tools: { web: { fetch: { ssrfPolicy: { allowedHostnames: ['127.0.0.1'] } } },
			http: {
				boats: { description: 'Looks a boat up.', url: `${web.url}/api/boats/{name}?verbose={verbose}`,
					bearer: { source: 'env', id: 'MY_API_TOKEN' }, select: { path: '/path', seen: '/authorization', numbers: '/items/*/n' },
					schema: { type: 'object', required: ['name'], properties: { name: { type: 'string' }, verbose: { type: 'boolean' } } } },
				stored: { url: `${web.url}/api/stored`, bearer: { source: 'store', id: 'API_TOKEN' } },
				book: { description: 'Books a berth.', method: 'POST', url: `${web.url}/api/berths`, bearer: { source: 'env', id: 'MY_API_TOKEN' },
					body: { boat: '{name}', nights: '{nights}', note: 'for {name}' },
					schema: { type: 'object', required: ['name'], properties: { name: { type: 'string' }, nights: { type: 'integer' } } } },
			} } } });
	c = await gw.connect({ caps: ['tool-events'] });
});
after(async () => {
	c?.terminate();
	await stopAll(gw, model, web);
});

/* One call of a tool in a session of its own: what the model is told, and what it was offered. */
async function use(name, args) {
	const key = `agent:main:explicit:web-${++turns}`;
	const done = c.turn(key, 'go', { runId: `web-${turns}` });
	const first = await model.next();

	first.tool('call_1', name, args).end('tool_calls');
	const second = await model.next();
	const told = second.toolResults.at(-1).content;

	second.text('done').end();
	await done;
	const text = typeof told === 'string' ? told : told.map((p) => p.text ?? '').join('');

	return { text, json: () => JSON.parse(text.slice(text.indexOf('{'), text.lastIndexOf('}') + 1)),
		offered: first.body.tools.map((t) => t.function.name) };
}

/* A change of the configuration, in force when it returns. */
async function configure(patch) {
	await c.call('config.patch', { raw: JSON.stringify(patch), baseHash: (await c.call('config.get')).hash });
}

test('web_fetch: a page as its reader sees it, fenced', async () => {
	const r = await use('web_fetch', { url: `${web.url}/page` });
	const page = r.json();

	assert.ok(r.offered.includes('web_fetch') && r.offered.includes('http_boats') && r.offered.includes('http_book'));
	assert.match(r.text, new RegExp(`outside [0-9a-f]+ from ${web.url}/page`));
	assert.equal(page.status, 200);
	assert.equal(page.title, 'Harbour news');
	assert.equal(page.extractor, 'readability');
	assert.match(page.text, /^# Quiet night\n\nThe harbour/);
	assert.match(page.text, /- one\n- two/);
	assert.match(page.text, /\| Boat \| Berth \|\n\| --- \| --- \|\n\| Ada \| 7 \|/);
	assert.ok(page.text.includes(`[More](${web.url}/more?p=2)`));
	assert.doesNotMatch(r.text, /IGNORE ALL|evil|Imprint|Home/);
	const plain = (await use('web_fetch', { url: `${web.url}/page`, extractMode: 'text', maxChars: 100 })).json();

	assert.equal(plain.length, 100);
	assert.equal(plain.truncated, true);
	assert.match(plain.text, /^Quiet night/);
	const asked = web.requests.length;

	assert.equal((await use('web_fetch', { url: `${web.url}/page` })).json().cached, true);
	assert.equal(web.requests.length, asked);
	assert.equal((await use('web_fetch', { url: `${web.url}/nothing` })).json().status, 404);
});

test('web_fetch: what is not named is refused, on each hop', async () => {
	const local = `http://localhost:${web.port}/page`;

	assert.match((await use('web_fetch', { url: local })).text, /loopback address/);
	for (const to of [local, 'http://169.254.169.254/latest/meta-data/', 'http://[::1]/', 'http://0x7f000001/', 'http://10.0.0.1/'])
		assert.match((await use('web_fetch', { url: `${web.url}/redirect?to=${encodeURIComponent(to)}` })).text, /refused|disguise/, to);
	assert.match((await use('web_fetch', { url: 'file:///etc/passwd' })).text, /scheme 'file'/);
	assert.equal(web.requests.filter((r) => r.headers.host?.startsWith('localhost')).length, 0);
});

test('web_fetch: one that takes long says so', async () => {
	/* Of this run: a page before it may have taken long, too. */
	const runId = `web-${turns + 1}`, told = c.event('agent', (p) => p.runId === runId && p.stream === 'tool' && p.data.phase === 'update');
	const answered = use('web_fetch', { url: `${web.url}/held` });

	await until(() => web.release, 'the request to be held');
	assert.match(JSON.stringify((await told).payload.data.partialResult), /Fetching page content\.\.\./);
	web.release();
	assert.equal((await answered).json().text, 'at last');
});

test('web_fetch: nobody can open the network from afar', async () => {
	await assert.rejects(configure({ tools: { web: { fetch: { ssrfPolicy: { allowedHostnames: ['127.0.0.1', 'localhost'] } } } } }));
	await assert.rejects(configure({ tools: { http: { evil: { url: 'https://evil.example/' } } } }));
	await assert.rejects(configure({ plugins: { entries: { brave: { config: { webSearch: { baseUrl: 'https://evil.example' } } } } } }));
});

test('web_search: each service', async () => {
	const rows = [['brave', 'Harbour news', 'https://news.example/harbour'], ['tavily', 'Tavily hit', 'https://t.example/'],
		['searxng', 'Own index', 'https://own.example/'], ['duckduckgo', 'Duck', 'https://duck.example/a?b=1']];

	for (const [provider, title, url] of rows) {
		await configure(search(provider));
		const r = await use('web_search', { query: 'harbour', count: 3 });
		const found = r.json();

		assert.equal(found.kind, 'results');
		assert.equal(found.provider, provider);
		assert.equal(found.results[0].title, title, r.text);
		assert.equal(found.results[0].url, url);
		assert.match(r.text, /outside [0-9a-f]+ from web_search:/);
	}
	await configure(search('brave'));
	await use('web_search', { query: 'filters', country: 'DE', language: 'de', date_after: '2026-01-01', date_before: '2026-02-01' });
	assert.equal(web.requests.at(-1).params.get('freshness'), '2026-01-01to2026-02-01');
	assert.match((await use('web_search', { query: 'x', freshness: 'hour' })).text, /'freshness' must be one of/);
});

test('webSearch.status and webSearch.test', async () => {
	await configure(search(null));
	const status = await c.call('webSearch.status', { agentId: 'main' });

	assert.equal(status.enabled, true);
	assert.equal(status.provider, null);
	assert.deepEqual(status.route, { kind: 'managed', provider: 'brave', label: 'Brave Search', testable: true });
	assert.deepEqual(status.providers.map((p) => [p.id, p.configured, p.credentialSource]), [['brave', true, 'config'],
		['duckduckgo', true, 'none'], ['searxng', true, 'config'], ['tavily', true, 'config']]);
	const tried = await c.call('webSearch.test', { query: 'harbour' });

	assert.equal(tried.status, 'ok');
	assert.equal(tried.provider, 'brave');
	assert.deepEqual(tried.results, [{ title: 'Harbour news', url: 'https://news.example/harbour', snippet: 'Quiet & still' }]);
	web.keys.brave = 'another-key-entirely';
	const refused = await c.call('webSearch.test', { query: 'harbour' });

	assert.equal(refused.status, 'error');
	assert.match(refused.error, /does not accept the credential/);
	/* The next service that is configured answers when nobody chose one. */
	assert.equal((await use('web_search', { query: 'another question' })).json().provider, 'tavily');
	assert.match((await c.fails('webSearch.test', { query: 'x', providerId: 'searxng' })).message, /is not the service/);
	assert.match((await c.fails('webSearch.test', {})).message, /must have required property 'query'/);
	assert.match((await c.fails('webSearch.status', { modelId: 'x' })).message, /supplied together/);
});

test('http_request: arguments in their places, the secret in none', async () => {
	const r = await use('http_boats', { name: 'Ada/../x & y', verbose: true });
	const answer = r.json();

	assert.deepEqual(answer.data, { path: '/api/boats/Ada%2F..%2Fx%20%26%20y?verbose=true', seen: 'Bearer [redacted]', numbers: [1, 2] });
	assert.equal(web.requests.at(-1).headers.authorization, `Bearer ${web.keys.api}`);
	assert.match(r.text, /outside [0-9a-f]+ from http:\/\/127\.0\.0\.1/);
	assert.match((await use('http_boats', {})).text, /'name' is missing/);
	assert.match((await use('http_boats', { name: '..' })).text, /must not be empty, '\.' or '\.\.'/);
	assert.match((await use('http_boats', { name: 'x', url: 'https://evil.example' })).text, /unknown argument 'url'/);
});

test('http_request: a stored secret goes to its hosts only', async () => {
	const set = (allowedHosts) => c.call('secrets.store.set', { name: 'API_TOKEN', kind: 'secret', value: web.keys.api, allowedHosts });

	await set(['other.example']);
	const asked = web.requests.length;

	assert.match((await use('http_stored', {})).text, /the secret API_TOKEN may not be sent to 127\.0\.0\.1/);
	assert.equal(web.requests.length, asked);
	await set(['127.0.0.1']);
	assert.equal((await use('http_stored', {})).json().data.authorization, 'Bearer [redacted]');
});

test('http_request: what acts is sent as the template says', async () => {
	await use('http_book', { name: 'A "quoted" boat', nights: 2 });
	assert.deepEqual(JSON.parse(web.requests.at(-1).body), { boat: 'A "quoted" boat', nights: 2, note: 'for A "quoted" boat' });
	assert.equal(web.requests.at(-1).headers['content-type'], 'application/json');
});

test('secrets of endpoints and services are nowhere but on the wire', async () => {
	const shown = [JSON.stringify(model.calls.map((m) => m.body)), gw.log(), JSON.stringify(await c.call('config.get'))];

	for (const secret of [web.keys.api, web.keys.tavily, 'brave-key-0123456789'])
		for (const text of shown)
			assert.ok(!text.includes(secret), secret.slice(0, 5));
	/* Of the environment only: not in any file of the state either. */
	for (const [file, bytes] of filesBelow(gw.state))
		assert.ok(!bytes.includes(web.keys.api), file);
});
