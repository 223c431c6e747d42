/*
 * lean.test.mjs - a small model on this machine: an Ollama that says of its model how long its window is gets
 * that window asked for, and a prompt that leaves room in it.
 */
import assert from 'node:assert/strict';
import http from 'node:http';
import { textOf } from './lib/client.mjs';
import { gatewayTest } from './lib/gateway.mjs';

const WINDOW = 8192;
const BUDGET_TOKENS = 1500;

/* Ollama's own API: one model, one answer. */
function ollama(asked) {
	const answers = {
		'/api/tags': () => ({ models: [{ name: 'small:1b', model: 'small:1b' }] }),
		'/api/show': () => ({ capabilities: ['completion', 'tools'], model_info: { 'llama.context_length': WINDOW } }),
		'/api/version': () => ({ version: '0.6.0' }),
	};

	return http.createServer((req, res) => {
		let text = '';

		req.setEncoding('utf8').on('data', (d) => { text += d; });
		req.on('end', () => {
			if (req.url === '/api/chat') {
				asked.push(JSON.parse(text));
				res.writeHead(200, { 'content-type': 'application/x-ndjson' });
				res.write(`${JSON.stringify({ model: 'small:1b', message: { role: 'assistant', content: 'Hello.' }, done: false })}\n`);
				res.end(`${JSON.stringify({ model: 'small:1b', message: { role: 'assistant', content: '' }, done: true,
					done_reason: 'stop', prompt_eval_count: 400, eval_count: 2 })}\n`);
				return;
			}
			const answer = answers[req.url];

			res.writeHead(answer ? 200 : 404, { 'content-type': 'application/json' });
			res.end(JSON.stringify(answer ? answer() : { error: 'not found' }));
		});
	});
}

gatewayTest('a small local model gets its own window and a lean prompt', {
	gateway: async (t) => {
		t.asked = [];
		t.server = ollama(t.asked);
		await new Promise((resolve) => t.server.listen(0, '127.0.0.1', resolve));
		t.after(() => { t.server.closeAllConnections(); t.server.close(); });
		return { config: { models: { providers: { ollama: {
			baseUrl: `http://127.0.0.1:${t.server.address().port}`, api: 'ollama' } } } } };
	},
}, async (gw, t) => {
	const c = await gw.connect();
	const end = await c.turn('agent:main:lean', 'hello');

	assert.equal(end.state, 'final', JSON.stringify(end));
	assert.equal(textOf(end.message), 'Hello.');
	assert.equal(t.asked.length, 1, 'one request for one turn');
	const body = t.asked[0];

	assert.equal(body.options.num_ctx, WINDOW, '/api/show says how long it is');
	assert.ok(body.tools.length >= 3, 'it has tools');
	const overhead = body.messages.filter((m) => m.role === 'system').map((m) => m.content).join('') + JSON.stringify(body.tools);

	assert.ok(overhead.length / 4 < BUDGET_TOKENS, `the overhead is ${Math.ceil(overhead.length / 4)} tokens`);
	t.diagnostic(`overhead over the wire: ${Math.ceil(overhead.length / 4)} tokens`);
	assert.match(textOf((await c.turn('agent:main:lean', '/context')).message), /of 8,192 tokens, `ollama\/small:1b`, lean prompt/);
	await c.close();
});
