/*
 * dialects.test.mjs - every dialect times everything that can happen in a turn, through one gateway.
 *
 * The peer is the npm model mock behind a double that is as strict as the platforms (provider_front.mjs): keys, AWS
 * signatures by AWS's own signer, the published contract of each request.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { AWS, ProviderFront } from '../doubles/provider_front.mjs';
import { AIMOCK_KEY, Aimock } from './lib/aimock.mjs';
import { textOf } from './lib/client.mjs';
import { Gateway } from './lib/gateway.mjs';
import { stopAll } from './lib/wait.mjs';

const KEY = 'key-4b2f', WRONG = 'wrong-key-6fe1';
const PIXEL = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
const LONG = 'This answer is long enough to come in several pieces, so that a client sees it grow word by word.';
const bearer = { header: 'authorization', value: `Bearer ${KEY}` };
const images = (body, has) => JSON.stringify(body).includes(PIXEL) === has;

/*
 * api, where it answers behind the double and behind it the mock, what the mock's model is called, how a full context is
 * told, a refusal in the dialect's own stream, and what of a thinking reply must come back with the next request.
 */
const dialects = {
	anthropic: {
		api: 'anthropic-messages', model: 'claude-opus-4-6', contract: 'anthropic', wire: 'sse', key: { header: 'x-api-key', value: KEY },
		base: '', to: (p) => p,
		overflow: { message: 'prompt is too long: 250000 tokens > 200000 maximum', type: 'invalid_request_error' },
		refusal: [['message_start', { type: 'message_start', message: { id: 'm', model: 'claude', usage: {} } }],
			['content_block_start', { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } }],
			['content_block_delta', { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'I will not.' } }],
			['content_block_stop', { type: 'content_block_stop', index: 0 }],
			['message_delta', { type: 'message_delta', delta: { stop_reason: 'refusal' }, usage: { output_tokens: 3 } }],
			['message_stop', { type: 'message_stop' }]],
		asksToThink: (b) => b.thinking.type === 'adaptive' && b.output_config.effort === 'high',
		thoughtComesBack: (b) => b.messages[1].content.some((x) => x.type === 'thinking' && x.thinking.includes('hmm') && x.signature),
	},
	chat: {
		api: 'openai-completions', model: 'gpt-5-mock', contract: 'chat', wire: 'sse', key: bearer, base: '/v1', to: (p) => p,
		overflow: { message: "This model's maximum context length is 64000 tokens.", type: 'invalid_request_error', code: 'context_length_exceeded' },
		refusal: [[null, { id: 'c', model: 'm', choices: [{ index: 0, delta: { refusal: 'I will not.' } }] }],
			[null, { id: 'c', model: 'm', choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] }]],
		asksToThink: (b) => b.reasoning_effort === 'high',
		thoughtComesBack: (b) => !JSON.stringify(b).includes('hmm'),     /* it must not */
		strict: { compat: { strictMessageKeys: true } },
	},
	responses: {
		api: 'openai-responses', model: 'gpt-5-mock', contract: 'responses', wire: 'sse', key: bearer, base: '/v1', to: (p) => p,
		overflow: { message: 'Your input exceeds the context window of this model.', type: 'invalid_request_error', code: 'context_length_exceeded' },
		refusal: [['response.created', { type: 'response.created', response: { id: 'r', model: 'm' } }],
			['response.refusal.delta', { type: 'response.refusal.delta', output_index: 0, delta: 'I will not.' }],
			['response.completed', { type: 'response.completed', response: { id: 'r', status: 'completed' } }]],
		asksToThink: (b) => b.reasoning.effort === 'high' && b.include.includes('reasoning.encrypted_content') && b.store === false,
		thoughtComesBack: (b) => b.input.some((i) => i.type === 'reasoning' && i.encrypted_content),
	},
	azure: {
		api: 'azure-openai-responses', model: 'gpt-5-deployment', contract: 'responses', wire: 'sse', key: { header: 'api-key', value: KEY },
		base: '/openai/v1', to: (p) => {
			assert.match(p, /^\/openai\/v1\/responses\?api-version=v1$/);
			return '/v1/responses';
		},
		overflow: { message: 'Your input exceeds the context window of this model.', type: 'invalid_request_error', code: 'context_length_exceeded' },
		refusal: [['error', { type: 'error', error: { code: 'content_filter', message: 'The response was filtered by the content management policy.' } }]],
		refusalIs: 'error',
		asksToThink: (b) => b.reasoning.effort === 'high',
		thoughtComesBack: (b) => b.input.some((i) => i.type === 'reasoning' && i.encrypted_content),
	},
	gemini: {
		api: 'google-generative-ai', model: 'gemini-3-flash', contract: 'gemini', wire: 'sse', key: { header: 'x-goog-api-key', value: KEY },
		base: '/v1beta', to: (p) => p,
		overflow: { message: 'The input token count (90000) exceeds the maximum number of tokens allowed (64000).' },
		refusal: [[null, { responseId: 'r', candidates: [{ content: { role: 'model', parts: [{ text: 'I will not.' }] }, finishReason: 'SAFETY' }],
			usageMetadata: { promptTokenCount: 1 } }]],
		asksToThink: (b) => b.generationConfig.thinkingConfig.thinkingLevel === 'HIGH',
		signed: [[null, { responseId: 'r', candidates: [{ content: { role: 'model', parts: [{ text: 'hmm', thought: true },
			{ text: 'thought about it', thoughtSignature: 'c2lnbmVk' }] }, finishReason: 'STOP' }], usageMetadata: { promptTokenCount: 1 } }]],
		thoughtComesBack: (b) => b.contents[1].parts.some((p) => p.thoughtSignature === 'c2lnbmVk'),
	},
	bedrock: {
		api: 'bedrock-converse-stream', model: 'us.anthropic.claude-opus-4-6-v1:0', contract: 'bedrock', wire: 'eventstream', key: 'aws',
		base: '', to: (p) => {
			assert.equal(p, '/model/us.anthropic.claude-opus-4-6-v1%3A0/converse-stream');
			return p;
		},
		/* the mock reads every tool as one, cache points too */
		forMock: (b) => ({ ...b, toolConfig: { ...b.toolConfig, tools: b.toolConfig.tools.filter((t) => t.toolSpec) } }),
		overflow: { message: 'Input is too long for requested model.' },
		refusal: [['messageStart', { role: 'assistant' }], ['contentBlockDelta', { contentBlockIndex: 0, delta: { text: 'I will not.' } }],
			['contentBlockStop', { contentBlockIndex: 0 }], ['messageStop', { stopReason: 'guardrail_intervened' }],
			['metadata', { usage: { inputTokens: 1, outputTokens: 1 } }]],
		asksToThink: (b) => b.additionalModelRequestFields.thinking.type === 'adaptive',
		signed: [['messageStart', { role: 'assistant' }],
			['contentBlockDelta', { contentBlockIndex: 0, delta: { reasoningContent: { text: 'hmm' } } }],
			['contentBlockDelta', { contentBlockIndex: 0, delta: { reasoningContent: { signature: 'c2lnbmVk' } } }],
			['contentBlockStop', { contentBlockIndex: 0 }],
			['contentBlockDelta', { contentBlockIndex: 1, delta: { text: 'thought about it' } }], ['contentBlockStop', { contentBlockIndex: 1 }],
			['messageStop', { stopReason: 'end_turn' }], ['metadata', { usage: { inputTokens: 1, outputTokens: 1 } }]],
		thoughtComesBack: (b) => b.messages[1].content.some((x) => x.reasoningContent?.reasoningText.signature === 'c2lnbmVk'),
	},
	ollama: {
		api: 'ollama', model: 'llama-mock', contract: 'ollama', wire: 'ndjson', key: bearer, base: '', to: (p) => p,
		overflow: { message: 'the input length exceeds the context length', type: 'api_error' },
		asksToThink: (b) => b.think === true,
		/* the mock names the field as another API does */
		signed: [[null, { model: 'm', created_at: 'now', message: { role: 'assistant', thinking: 'hmm' }, done: false }],
			[null, { model: 'm', created_at: 'now', message: { role: 'assistant', content: 'thought about it' }, done: true, done_reason: 'stop' }]],
		thoughtComesBack: (b) => !JSON.stringify(b).includes('hmm'),
	},
};

/* Two sentences a turn must hold to be found again: the dialect's name keeps the mock's sequences apart. */
const say = (name, what) => `${what} via ${name}.`;

const fixturesOf = ([name, d]) => [
	{ match: { userMessage: say(name, 'hello') }, response: { content: LONG }, latency: 5 },
	{ match: { userMessage: say(name, 'read the note'), hasToolResult: false },
		response: { toolCalls: [{ id: 'call_1', name: 'read', arguments: { path: 'note.txt' } }] } },
	{ match: { userMessage: say(name, 'read the note'), hasToolResult: true }, response: { content: 'The note says pinch.' } },
	{ match: { userMessage: say(name, 'read both'), hasToolResult: false },
		response: { toolCalls: [{ id: 'call_1', name: 'read', arguments: { path: 'note.txt' } }, { id: 'call_2', name: 'read', arguments: { path: 'other.txt' } }] } },
	{ match: { userMessage: say(name, 'read both'), hasToolResult: true }, response: { content: 'Pinch and claw.' } },
	{ match: { userMessage: say(name, 'think') }, response: { content: 'thought about it', reasoning: 'hmm' } },
	{ match: { userMessage: say(name, 'look') }, response: { content: 'A pixel.' } },
	{ match: { userMessage: say(name, 'and now') }, response: { content: 'Still here.' } },
	{ match: { userMessage: say(name, 'limited'), sequenceIndex: 0 }, response: { error: { message: 'Too many requests', type: 'rate_limit_error' }, status: 429 } },
	{ match: { userMessage: say(name, 'limited'), sequenceIndex: 1 }, response: { content: 'after all' } },
	{ match: { userMessage: say(name, 'broken'), sequenceIndex: 0 }, response: { error: { message: 'Internal server error', type: 'api_error' }, status: 500 } },
	{ match: { userMessage: say(name, 'broken'), sequenceIndex: 1 }, response: { content: 'after all' } },
	{ match: { userMessage: say(name, 'cut me'), sequenceIndex: 0 }, response: { content: LONG }, latency: 5, truncateAfterChunks: 4 },
	{ match: { userMessage: say(name, 'cut me'), sequenceIndex: 1 }, response: { content: 'after all' } },
	{ match: { userMessage: say(name, 'too much') }, response: { error: d.overflow, status: 400 } },
];

const provider = (front, name, d, apiKey) => ({
	baseUrl: `${front.url}/${name}${d.base}`, api: d.api, ...(apiKey && { apiKey }),
	models: [{ id: d.model, name: d.model, reasoning: true, input: ['text', 'image'], contextWindow: 64000, maxTokens: 8192,
		cost: { input: 1, output: 1, cacheRead: 0, cacheWrite: 0 }, ...d.strict }],
});

let mock, front, gw;

before(async () => {
	mock = await Aimock.start(Object.entries(dialects).flatMap(fixturesOf));
	front = await ProviderFront.start({ url: mock.url, key: AIMOCK_KEY }, dialects);
	const providers = Object.fromEntries(Object.entries(dialects).flatMap(([name, d]) => [
		[`good-${name}`, provider(front, name, d, d.key === 'aws' ? undefined : KEY)], [`bad-${name}`, provider(front, name, d, WRONG)]]));

	gw = await Gateway.start({
		config: { models: { providers }, agents: { defaults: { model: { primary: `good-chat/${dialects.chat.model}` }, maxConcurrent: 16 } } },
		env: { AWS_ACCESS_KEY_ID: AWS.accessKeyId, AWS_SECRET_ACCESS_KEY: AWS.secretAccessKey, AWS_SESSION_TOKEN: AWS.sessionToken, AWS_REGION: AWS.region },
	});
	const c = await gw.connect();
	const { agents: [{ workspace }] } = await c.call('agents.list');

	mkdirSync(workspace, { recursive: true });
	writeFileSync(path.join(workspace, 'note.txt'), 'pinch\n');
	writeFileSync(path.join(workspace, 'other.txt'), 'claw\n');
	await c.close();
});

after(() => stopAll(gw, front, mock));

/* A client and a session of its own on the dialect's model. */
async function session(name, what, { kind = 'good', ...settings } = {}) {
	const c = await gw.connect({ caps: ['tool-events'] });
	const key = `agent:main:${name}-${what.replaceAll(' ', '-')}`;

	await c.call('sessions.create', { key, model: `${kind}-${name}/${dialects[name].model}`, thinkingLevel: 'off', ...settings });
	await c.call('sessions.subscribe');
	await c.call('sessions.messages.subscribe', { key });
	return { c, key, events: (kind) => c.events(kind).filter((f) => f.payload.sessionKey === key), turn: (message, options) => c.turn(key, message, { ms: 30000, ...options }),
		history: async () => (await c.call('chat.history', { sessionKey: key })).messages };
}

const isFinal = (end, text) => {
	assert.equal(end.state, 'final', `${JSON.stringify(end)}\n${gw.log()}`);
	assert.equal(textOf(end.message), text);
};
const noneRefused = (name) => assert.deepEqual(front.asked.filter((a) => a.dialect === name && a.reason).map((a) => [a.reason, a.raw]), []);

/* Each what may happen in a turn; d is the dialect's row. */
const scenarios = {
	text: async (name, d, s) => {
		isFinal(await s.turn(say(name, 'hello')), LONG);
		const deltas = s.events('chat').filter((f) => f.payload.state === 'delta').map((f) => f.payload.deltaText);

		assert.equal(deltas.join(''), LONG);
		const reply = (await s.history()).at(-1);

		assert.equal(`${reply.provider}/${reply.model}`, `good-${name}/${d.model}`);
		assert.equal(front.of(name, say(name, 'hello')).length, 1, 'one request for one turn');
	},
	'a tool': async (name, d, s) => {
		isFinal(await s.turn(say(name, 'read the note')), 'The note says pinch.');
		assert.match(front.of(name, say(name, 'read the note')).at(-1).raw, /pinch/, 'the result went to the model');
		isFinal(await s.turn(say(name, 'and now')), 'Still here.');
	},
	'parallel tools': async (name, d, s) => {
		isFinal(await s.turn(say(name, 'read both')), 'Pinch and claw.');
		const results = (await s.history()).filter((m) => m.role === 'toolResult');

		assert.deepEqual(results.map((m) => /pinch|claw/.exec(textOf(m))[0]), ['pinch', 'claw']);
		assert.equal(front.of(name, say(name, 'read both')).length, 2);
	},
	thinking: async (name, d, s) => {
		if (d.signed)
			front.answer(name, say(name, 'think'), d.signed);
		isFinal(await s.turn(say(name, 'think')), 'thought about it');
		assert.ok(d.asksToThink(front.of(name, say(name, 'think'))[0].body), 'it was asked to think');
		assert.match(JSON.stringify((await s.history()).at(-1)), /hmm/, 'the thought is in the history');
		isFinal(await s.turn(say(name, 'and now')), 'Still here.');
		assert.ok(d.thoughtComesBack(front.of(name, say(name, 'think')).at(-1).body), front.of(name, say(name, 'think')).at(-1).raw);
	},
	'an image': async (name, d, s) => {
		isFinal(await s.turn(say(name, 'look'), { params: { attachments: [{ type: 'image', mimeType: 'image/png', fileName: 'p.png', content: PIXEL }] } }),
			'A pixel.');
		assert.ok(images(front.of(name, say(name, 'look'))[0].body, true), 'the model sees it');
	},
	...Object.fromEntries([['limited', 'too many requests, then success'], ['broken', 'a failing server, then success'], ['cut me', 'a cut stream, then success']]
		.map(([text, what]) => [what, async (name, d, s) => {
			isFinal(await s.turn(say(name, text)), 'after all');
			assert.equal(front.of(name, say(name, text)).length, 2);
			assert.ok(s.events('agent').some((f) => f.payload.stream === 'run_status' && f.payload.data.phase === 'retrying'), 'it is told');
			assert.deepEqual((await s.history()).map((m) => textOf(m)), [say(name, text), 'after all']);
		}])),
	'a full context': async (name, d, s) => {
		const end = await s.turn(say(name, 'too much'));

		assert.equal(end.state, 'error', JSON.stringify(end));
		assert.match(end.errorMessage, /context|too long|longer/i);
	},
	'a refusal': async (name, d, s) => {
		if (!d.refusal)
			return;          /* Ollama has no word for it */
		front.answer(name, say(name, 'something bad'), d.refusal);
		const end = await s.turn(say(name, 'something bad'));

		if (d.refusalIs === 'error') {
			assert.equal(end.state, 'error', JSON.stringify(end));
			assert.match(end.errorMessage, /filtered/);
		} else {
			assert.match(JSON.stringify(end), /I will not\./);
		}
		assert.equal(front.of(name, say(name, 'something bad')).length, 1, 'it is not asked again');
	},
	'a wrong key': async (name, d, s) => {
		const end = await s.turn(say(name, 'hello'));

		assert.equal(end.state, 'error', JSON.stringify(end));
		assert.match(end.errorMessage, /key|auth|signature/i);
		assert.ok(!s.events('agent').some((f) => f.payload.data.phase === 'retrying'), 'no second try');
		assert.ok(!JSON.stringify(s.c.frames.items).includes(WRONG), 'not on the wire');
		assert.ok(!gw.log().includes(WRONG), 'not in the log');
	},
};
const settings = { thinking: { thinkingLevel: 'high' }, 'a wrong key': { kind: 'bad' } };

for (const [name, d] of Object.entries(dialects)) {
	describe(d.api, { concurrency: true }, () => {
		for (const [what, run] of Object.entries(scenarios)) {
			test(`${d.api}: ${what}`, { timeout: 60000 }, async () => {
				const s = await session(name, what, settings[what]);

				await run(name, d, s).catch((e) => {
					console.error(gw.log(), JSON.stringify(s.events('agent').map((f) => f.payload.data)));
					throw e;
				});
				await s.c.close();
				noneRefused(name);
			});
		}
	});
}
