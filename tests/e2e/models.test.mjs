/*
 * models.test.mjs - the npm model mock as Anthropic, OpenAI and Ollama: text, a tool, too many requests,
 * a failing server, a cut stream, a full context, a wrong key.
 */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Aimock } from './lib/aimock.mjs';
import { textOf } from './lib/client.mjs';
import { gatewayTest } from './lib/gateway.mjs';

const LONG = 'This answer is long enough to come in several pieces, so that a client sees it grow word by word.';
const OVERFLOW = {
	'mockthropic/claude-mock': { message: 'prompt is too long: 250000 tokens > 200000 maximum', type: 'invalid_request_error' },
	'mockai/gpt-mock': { message: "This model's maximum context length is 64000 tokens. However, your messages resulted in 90000 tokens.",
		type: 'invalid_request_error', code: 'context_length_exceeded' },
	'mollama/llama-mock': { message: 'the input length exceeds the context length', type: 'api_error' },
};
const WIRE = { 'mockthropic/claude-mock': '/v1/messages', 'mockai/gpt-mock': '/v1/chat/completions', 'mollama/llama-mock': '/api/chat' };

const fixtures = (ref) => [
	{ match: { userMessage: 'say it slowly' }, response: { content: LONG }, latency: 15 },
	{ match: { userMessage: 'limited', sequenceIndex: 0 },
		response: { error: { message: 'Too many requests', type: 'rate_limit_error' }, status: 429 } },
	{ match: { userMessage: 'limited', sequenceIndex: 1 }, response: { content: 'after the limit' } },
	{ match: { userMessage: 'broken', sequenceIndex: 0 },
		response: { error: { message: 'Internal server error', type: 'api_error' }, status: 500 } },
	{ match: { userMessage: 'broken', sequenceIndex: 1 }, response: { content: 'after the failure' } },
	{ match: { userMessage: 'cut me', sequenceIndex: 0 }, response: { content: LONG }, latency: 20, truncateAfterChunks: 3 },
	{ match: { userMessage: 'cut me', sequenceIndex: 1 }, response: { content: 'whole at last' } },
	{ match: { userMessage: 'too much' }, response: { error: OVERFLOW[ref], status: 400 } },
	{ match: { userMessage: 'read the note', hasToolResult: false },
		response: { toolCalls: [{ id: 'call_1', name: 'read', arguments: { path: 'note.txt' } }] } },
	{ match: { userMessage: 'read the note', hasToolResult: true }, response: { content: 'The note says pinch.' } },
	{ match: {}, response: { content: 'Hello from the mock.' } },
];

const mockTest = (ref, name, body, options = {}) => gatewayTest(`${ref}: ${name}`, {
	timeout: 90000,
	gateway: async (t) => {
		t.provider = await Aimock.start(fixtures(ref));
		t.after(() => t.provider.stop());
		return { config: t.provider.config(ref, options) };
	},
}, async (gw, t) => {
	const c = await gw.connect({ caps: ['tool-events'] });
	const key = 'agent:main:models';

	await c.call('sessions.subscribe');
	await c.call('sessions.messages.subscribe', { key });
	await body({ gw, c, key, mock: t.provider,
		history: async () => (await c.call('chat.history', { sessionKey: key })).messages });
	await c.close();
});

for (const ref of Object.keys(WIRE)) {
	const [provider, model] = ref.split('/');

	mockTest(ref, 'text', async ({ c, key, mock, history }) => {
		const end = await c.turn(key, 'hello');

		assert.equal(end.state, 'final', JSON.stringify(end));
		assert.equal(textOf(end.message), 'Hello from the mock.');
		const reply = (await history()).at(-1);

		assert.equal(reply.provider, provider);
		assert.equal(reply.model, model);
		const asked = await mock.journal();

		assert.equal(asked.length, 1, 'one request for one turn');
		assert.equal(asked[0].path, WIRE[ref]);
		assert.equal(asked[0].body.stream, true);
	});

	mockTest(ref, 'text that streams', async ({ c, key }) => {
		const end = await c.turn(key, 'say it slowly');
		const deltas = c.events('chat').filter((f) => f.payload.state === 'delta').map((f) => f.payload.deltaText);

		assert.equal(textOf(end.message), LONG);
		assert.equal(deltas.join(''), LONG);
		assert.ok(deltas.length > 1, 'it came in pieces');
	});

	mockTest(ref, 'a tool call', async ({ gw, c, key, history, mock }) => {
		const { agents } = await c.call('agents.list');

		mkdirSync(agents[0].workspace, { recursive: true });
		writeFileSync(path.join(agents[0].workspace, 'note.txt'), 'pinch\n');
		const end = await c.turn(key, 'read the note');

		assert.equal(end.state, 'final', `${JSON.stringify(end)}\n${gw.log()}`);
		assert.equal(textOf(end.message), 'The note says pinch.');
		const phases = c.events('agent').filter((f) => f.payload.stream === 'tool').map((f) => f.payload.data.phase);

		assert.equal(phases[0], 'start');
		assert.equal(phases.at(-1), 'result');
		const rows = await history();
		const result = rows.find((m) => m.role === 'toolResult');

		assert.equal(result.isError, false);
		assert.match(textOf(result), /pinch/);
		const second = (await mock.journal()).find((r) => JSON.stringify(r.body.messages).includes('pinch'));

		assert.ok(second, 'the result went back to the model');
	});

	for (const [text, expected, what] of [['limited', 'after the limit', 'too many requests, then success'],
		['broken', 'after the failure', 'a server error, then success'],
		['cut me', 'whole at last', 'a cut stream, then success']]) {
		mockTest(ref, what, async ({ c, key, history, mock }) => {
			const end = await c.turn(key, text, { ms: 45000 });

			assert.equal(end.state, 'final', JSON.stringify(end));
			assert.equal(textOf(end.message), expected);
			assert.equal((await mock.journal()).length, 2);
			const retry = c.events('agent').find((f) => f.payload.stream === 'run_status' && f.payload.data.phase === 'retrying');

			assert.ok(retry, 'the retry is told');
			const rows = await history();

			assert.deepEqual(rows.map((m) => [m.role, textOf(m)]), [['user', text], ['assistant', expected]]);
		});
	}

	mockTest(ref, 'a full context is an error that says what to do', async ({ c, key, mock }) => {
		const end = await c.turn(key, 'too much');

		assert.equal(end.state, 'error', JSON.stringify(end));
		assert.match(end.errorMessage, /context|too long/i);
		assert.equal((await mock.journal()).length, 1, 'asking again would not help');
		assert.equal((await c.call('health')).ok, true);
	});

	mockTest(ref, 'a wrong key is an error at once, and shows no key', async ({ gw, c, key }) => {
		const end = await c.turn(key, 'hello');

		assert.equal(end.state, 'error', JSON.stringify(end));
		assert.match(end.errorMessage, /key|auth|unauthori[sz]ed/i);
		assert.ok(!c.events('agent').some((f) => f.payload.data.phase === 'retrying'), 'no second try');
		assert.ok(!JSON.stringify(c.frames.items).includes('wrong-key-6fe1'), 'not on the wire');
		assert.ok(!gw.log().includes('wrong-key-6fe1'), 'not in the log');
	}, { key: 'wrong-key-6fe1' });
}

gatewayTest('without configuration the model is offline/demo and says so', async (gw) => {
	const c = await gw.connect();
	const end = await c.turn('main', 'help');

	assert.equal(end.state, 'final');
	const { messages } = await c.call('chat.history', { sessionKey: 'main' });

	assert.equal(`${messages.at(-1).provider}/${messages.at(-1).model}`, 'offline/demo');
	const again = await c.turn('agent:main:again', 'help');

	assert.equal(textOf(again.message), textOf(end.message), 'it is deterministic');
	const listed = await c.turn('main', 'list files');

	assert.equal(listed.state, 'final');
	assert.ok((await c.call('chat.history', { sessionKey: 'main' })).messages.some((m) => m.role === 'toolResult'),
		'it drives a real tool');
	await c.close();
});
