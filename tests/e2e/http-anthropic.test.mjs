/* http-anthropic.test.mjs - the npm package "@anthropic-ai/sdk" against /v1/messages and /v1/models. */
import assert from 'node:assert/strict';
import Anthropic from '@anthropic-ai/sdk';
import { LONG, PNG, apiTest, lastAsked } from './lib/http_api.mjs';
import { until } from './lib/wait.mjs';

const client = (gw, options = {}) => new Anthropic({ baseURL: gw.url, apiKey: gw.token, maxRetries: 0, ...options });
const tools = [{ name: 'get_weather', description: 'The weather of a town',
	input_schema: { type: 'object', properties: { town: { type: 'string' } }, required: ['town'] } }];
const ask = (ai, content, more = {}, options = undefined) => ai.messages.create({ model: 'openclaw', max_tokens: 100,
	messages: typeof content === 'string' ? [{ role: 'user', content }] : content, ...more }, options);

apiTest('messages: text, with a key and with a token', async (gw, t) => {
	for (const ai of [client(gw), client(gw, { apiKey: null, authToken: gw.token })]) {
		const m = await ask(ai, 'hello', { system: 'Be brief.', temperature: 0.2 });

		assert.match(m.id, /^msg_/);
		assert.equal(m.type, 'message');
		assert.equal(m.role, 'assistant');
		assert.deepEqual(m.content, [{ type: 'text', text: 'Hello from the mock.' }]);
		assert.equal(m.stop_reason, 'end_turn');
		assert.ok(m.usage.input_tokens > 0 && m.usage.output_tokens > 0);
	}
	assert.match(JSON.stringify((await lastAsked(t.provider)).messages), /Be brief\./);
});

apiTest('messages: a stream, as the SDK puts it together', async (gw) => {
	const stream = client(gw).messages.stream({ model: 'openclaw/main', max_tokens: 100,
		messages: [{ role: 'user', content: 'say it slowly' }] });
	const pieces = [], kinds = [];

	stream.on('text', (piece) => pieces.push(piece));
	stream.on('streamEvent', (e) => kinds.push(e.type));
	const m = await stream.finalMessage();

	assert.equal(m.content[0].text, LONG);
	assert.equal(pieces.join(''), LONG);
	assert.ok(pieces.length > 2, 'it came in pieces');
	assert.equal(m.stop_reason, 'end_turn');
	assert.ok(m.usage.output_tokens > 0 && m.usage.input_tokens > 0);
	assert.deepEqual(kinds.filter((k) => !['content_block_delta', 'ping'].includes(k)),
		['message_start', 'content_block_start', 'content_block_stop', 'message_delta', 'message_stop']);
});

apiTest('messages: parallel tools and their results, whole and streamed', async (gw, t) => {
	const ai = client(gw);
	const first = [{ role: 'user', content: 'weather in two towns' }];
	const whole = await ask(ai, first, { tools });
	const streamed = await ai.messages.stream({ model: 'openclaw', max_tokens: 100, tools, messages: first }).finalMessage();

	for (const m of [whole, streamed]) {
		assert.equal(m.stop_reason, 'tool_use');
		assert.deepEqual(m.content.map((b) => b.type), ['text', 'tool_use', 'tool_use']);
		assert.equal(m.content[0].text, 'Let me look.');
		assert.deepEqual(m.content.slice(1).map((b) => [b.id, b.name, b.input]),
			[['call_a', 'get_weather', { town: 'Bern' }], ['call_b', 'get_weather', { town: 'Köln' }]]);
	}
	const done = await ask(ai, [...first, { role: 'assistant', content: whole.content }, { role: 'user', content: [
		{ type: 'tool_result', tool_use_id: 'call_a', content: 'sunny' },
		{ type: 'tool_result', tool_use_id: 'call_b', content: [{ type: 'text', text: 'no such town' }], is_error: true },
	] }], { tools });

	assert.equal(done.content[0].text, 'Sunny in both.');
	const asked = (await lastAsked(t.provider)).messages.slice(-3);

	assert.deepEqual(asked.map((m) => m.role), ['assistant', 'tool', 'tool']);
	assert.deepEqual(asked.slice(1).map((m) => m.tool_call_id), ['call_a', 'call_b']);
	assert.match(asked[2].content, /no such town/);
});

apiTest('messages: tool_choice', async (gw) => {
	const ai = client(gw);
	const m = await ask(ai, 'weather please', { tools, tool_choice: { type: 'tool', name: 'get_weather' } });

	assert.equal(m.stop_reason, 'tool_use');
	await assert.rejects(ask(ai, 'hello', { tools, tool_choice: { type: 'any' } }), { status: 502 });
	await assert.rejects(ask(ai, 'hello', { tools, tool_choice: { type: 'tool', name: 'nope' } }), { status: 400 });
	await assert.rejects(ask(ai, 'hello', { tools: [{ type: 'web_search_20250305', name: 'web_search' }] }), { status: 400 });
});

apiTest('messages: an image', async (gw, t) => {
	const image = (data) => [{ role: 'user', content: [{ type: 'image', source: { type: 'base64', media_type: 'image/png', data } },
		{ type: 'text', text: 'what is this?' }] }];

	await ask(client(gw), image(PNG));
	assert.match(JSON.stringify((await lastAsked(t.provider)).messages.at(-1)), /image_url/);
	await assert.rejects(ask(client(gw), image(Buffer.from('<svg/>').toString('base64'))), { status: 400 });
}, { config: { models: { providers: { mockai: { models: [{ id: 'gpt-mock', name: 'gpt-mock', input: ['text', 'image'],
	contextWindow: 64000, maxTokens: 4096 }] } } } } });

apiTest('messages: errors in their shape', async (gw) => {
	const ai = client(gw);
	const kind = (status, type) => (e) => {
		assert.equal(e.status, status);
		assert.equal(e.error.type, 'error');
		assert.equal(e.error.error.type, type);
		return true;
	};

	await assert.rejects(ask(client(gw, { apiKey: 'nope' }), 'hi'), kind(401, 'authentication_error'));
	await assert.rejects(ask(ai, 'hi', { model: 'claude-opus-4-8' }), kind(404, 'not_found_error'));
	for (const bad of [{ max_tokens: undefined }, { max_tokens: 0 }, { messages: 'x' }, { messages: [] }, { temperature: 2 },
		{ system: [{ type: 'image' }] }, { messages: [{ role: 'system', content: 'x' }] }, { stop_sequences: 'x' },
		{ messages: [{ role: 'user', content: [{ type: 'tool_result' }] }] }, { thinking: { type: 'maybe' } }])
		await assert.rejects(ask(ai, 'hi', bad), kind(400, 'invalid_request_error'), JSON.stringify(bad));
	await assert.rejects(ask(ai, 'too much'), kind(400, 'invalid_request_error'));
	await assert.rejects(ask(ai, 'wrong key'), kind(502, 'api_error'));
});

apiTest('messages: a stream whose model is cut off ends with an error', async (gw) => {
	const stream = client(gw).messages.stream({ model: 'openclaw', max_tokens: 100, messages: [{ role: 'user', content: 'cut me' }] });
	let told = '';

	stream.on('text', (piece) => { told += piece; });
	await assert.rejects(stream.finalMessage(), /cut off/);
	assert.ok(told && LONG.startsWith(told), told);
});

apiTest('messages: counting, listing, hanging up', async (gw) => {
	const ai = client(gw);
	const count = await ai.messages.countTokens({ model: 'openclaw', tools, messages: [{ role: 'user', content: 'x'.repeat(4000) }] });

	assert.ok(count.input_tokens > 900 && count.input_tokens < 1300, String(count.input_tokens));
	const list = await ai.models.list();

	assert.ok(list.data.some((m) => m.id === 'openclaw/default' && m.type === 'model'));
	const c = await gw.connect();
	const stop = new AbortController();
	const running = ask(ai, 'very slowly', {}, { signal: stop.signal, headers: { 'x-openclaw-session-key': 'gone' } });
	const status = async () => (await c.call('sessions.list', {})).sessions.find((s) => s.key.endsWith(':gone'))?.status;

	running.catch(() => undefined);
	await until(async () => await status() === 'running', 'the run to begin');
	stop.abort();
	await until(async () => await status() === 'killed', 'the run to be stopped');
	await c.close();
});
