/* http_api.mjs - what the tests of the HTTP APIs share: a gateway with all of them on, a model, a picture. */
import { Aimock } from './aimock.mjs';
import { gatewayTest } from './gateway.mjs';

export const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
export const LONG = 'This answer is long enough to come in several pieces, so that a client sees it grow word by word.';

export const VECTOR = [0.25, -0.5, 0.125, 1, 0, -1, 0.0625, 3.5e-7, 0.3, -0.7];

export const ON = { gateway: { http: { endpoints: {
	chatCompletions: { enabled: true }, responses: { enabled: true }, messages: { enabled: true },
} } } };

const call = (id, name, args) => ({ id, name, arguments: args });

export const fixtures = [
	{ match: { userMessage: 'say it slowly' }, response: { content: LONG }, latency: 15 },
	{ match: { userMessage: 'very slowly' }, response: { content: LONG }, latency: 400, chunkSize: 5 },
	{ match: { userMessage: 'weather in two towns', hasToolResult: false }, response: { content: 'Let me look.', toolCalls: [
		call('call_a', 'get_weather', { town: 'Bern' }), call('call_b', 'get_weather', { town: 'Köln' })] } },
	{ match: { userMessage: 'weather in two towns', hasToolResult: true }, response: { content: 'Sunny in both.' } },
	{ match: { userMessage: 'weather', hasToolResult: false },
		response: { toolCalls: [call('call_1', 'get_weather', { town: 'Bern' })] } },
	{ match: { userMessage: 'weather', hasToolResult: true }, response: { content: 'It is sunny in Bern.' } },
	{ match: { userMessage: 'cut me' }, response: { content: LONG }, latency: 20, truncateAfterChunks: 3 },
	{ match: { userMessage: 'wrong key' }, response: { error: { message: 'bad key', type: 'authentication_error' }, status: 401 } },
	{ match: { userMessage: 'too much' }, response: { error: { code: 'context_length_exceeded',
		message: "This model's maximum context length is 64000 tokens. However, your messages resulted in 90000 tokens.",
		type: 'invalid_request_error' }, status: 400 } },
	{ match: { inputText: 'alpha' }, response: { embedding: VECTOR } },
	{ match: {}, response: { content: 'Hello from the mock.' } },
];

const isObject = (v) => v !== null && typeof v === 'object' && !Array.isArray(v);
const merge = (a, b) => isObject(a) && isObject(b)
	? Object.fromEntries([...new Set([...Object.keys(a), ...Object.keys(b)])].map((k) => [k, merge(a[k], b[k])]))
	: b === undefined ? a : b;

/* A test with a gateway whose model is the npm mock and whose APIs are on; t.provider is the mock. */
export const apiTest = (name, body, { config = {}, auth, primary = 'mockai/gpt-mock', timeout = 90000 } = {}) =>
	gatewayTest(name, {
		timeout,
		gateway: async (t) => {
			t.provider = await Aimock.start(fixtures);
			t.after(() => t.provider.stop());
			return { auth, config: merge(merge(t.provider.config(primary), ON), config) };
		},
	}, body);

/* The last request that the model got. */
export async function lastAsked(mock) {
	return (await mock.journal()).at(-1).body;
}
