/*
 * model.mjs - a model provider whose every byte the test decides: OpenAI chat completions over SSE.
 *
 * The npm mock (aimock) answers from fixtures; this one is for tests that must hold a stream open,
 * look at what was asked, or go on only when something else has happened.
 */
import { EventEmitter, once } from 'node:events';
import http from 'node:http';
import { DEADLINE_MS } from '../e2e/lib/wait.mjs';
import { bodyOf } from './body.mjs';

/* One request of the gateway, answered piece by piece. */
export class ModelCall {
	#started = false;

	constructor(body, req, res) {
		this.body = body;
		this.headers = req.headers;
		this.res = res;
		this.gone = new Promise((resolve) => res.once('close', () => resolve(!res.writableFinished)));
	}

	/* The text of the last message the user wrote. */
	get userText() {
		const last = this.body.messages.filter((m) => m.role === 'user').at(-1)?.content ?? '';

		return typeof last === 'string' ? last : last.map((p) => p.text ?? '').join('');
	}

	get toolResults() {
		return this.body.messages.filter((m) => m.role === 'tool');
	}

	#send(delta, finish = null, extra = {}) {
		if (!this.#started) {
			this.#started = true;
			this.res.writeHead(200, { 'content-type': 'text/event-stream' });
			this.#send({ role: 'assistant', content: '' });
		}
		this.res.write(`data: ${JSON.stringify({ id: 'double-1', object: 'chat.completion.chunk', created: 1,
			model: this.body.model, choices: [{ index: 0, delta, finish_reason: finish }], ...extra })}\n\n`);
	}

	text(text) {
		this.#send({ content: text });
		return this;
	}

	tool(id, name, args, index = 0) {
		this.#send({ tool_calls: [{ index, id, type: 'function', function: { name,
			arguments: typeof args === 'string' ? args : JSON.stringify(args) } }] });
		return this;
	}

	/* Ends a whole answer. */
	end(reason = 'stop', usage = { prompt_tokens: 100, completion_tokens: 5, total_tokens: 105 }) {
		this.#send({}, reason);
		this.res.write(`data: ${JSON.stringify({ id: 'double-1', object: 'chat.completion.chunk', created: 1,
			model: this.body.model, choices: [], usage })}\n\n`);
		this.res.end('data: [DONE]\n\n');
	}

	fail(status, message = `status ${status}`, { headers = {}, type = 'error', code = null } = {}) {
		this.res.writeHead(status, { 'content-type': 'application/json', ...headers });
		this.res.end(JSON.stringify({ error: { message, type, code } }));
	}

	/* The connection breaks in the middle. */
	cut() {
		this.res.destroy();
	}
}

export class ModelDouble extends EventEmitter {
	calls = [];
	#queue = [];
	answer = null;                   /* (call) => void: who answers what no test took; null: waits to be taken */

	static async start(answer = null) {
		const m = new ModelDouble();

		m.answer = answer;
		m.server = http.createServer((req, res) => m.#request(req, res));
		m.server.listen(0, '127.0.0.1');
		await once(m.server, 'listening');
		m.port = m.server.address().port;
		return m;
	}

	async #request(req, res) {
		const body = await bodyOf(req);

		if (!body)
			return;
		if (req.method !== 'POST' || !req.url.endsWith('/chat/completions')) {
			res.writeHead(404).end();
			return;
		}
		const call = new ModelCall(JSON.parse(body.toString('utf8')), req, res);

		this.calls.push(call);
		if (this.answer) {
			await this.answer(call, this.calls.length - 1);
		} else {
			this.#queue.push(call);
			this.emit('call');
		}
	}

	/* The next request that nobody has taken; waits for it. */
	async next(ms = DEADLINE_MS) {
		const signal = AbortSignal.timeout(ms);

		while (!this.#queue.length)
			await once(this, 'call', { signal });
		return this.#queue.shift();
	}

	/* The part of a configuration that makes this the gateway's model. */
	get config() {
		return {
			models: { mode: 'merge', providers: { double: { baseUrl: `http://127.0.0.1:${this.port}/v1`, apiKey: 'sk-double',
				api: 'openai-completions', models: [{ id: 'double-1', name: 'Double One', reasoning: false, input: ['text'],
					cost: { input: 1, output: 2, cacheRead: 0, cacheWrite: 0 }, contextWindow: 64000, maxTokens: 4096 }] } } },
			agents: { defaults: { model: { primary: 'double/double-1' } } },
		};
	}

	async stop() {
		this.server.closeAllConnections();
		await new Promise((resolve) => this.server.close(resolve));
	}
}
