/* http-openai.test.mjs - the npm package "openai" against /v1/chat/completions, /v1/responses, /v1/models. */
import assert from 'node:assert/strict';
import http from 'node:http';
import OpenAI from 'openai';
import { textOf } from './lib/client.mjs';
import { Device } from './lib/device.mjs';
import { gatewayTest } from './lib/gateway.mjs';
import { LONG, ON, PNG, VECTOR, apiTest, lastAsked } from './lib/http_api.mjs';
import { until } from './lib/wait.mjs';

const client = (gw, options = {}) => new OpenAI({ baseURL: `${gw.url}/v1`, apiKey: gw.token, maxRetries: 0, ...options });

const tools = [{ type: 'function', function: { name: 'get_weather', description: 'The weather of a town',
	parameters: { type: 'object', properties: { town: { type: 'string' } }, required: ['town'] } } }];

async function collect(stream) {
	const all = [];

	for await (const chunk of stream)
		all.push(chunk);
	return all;
}

const joined = (chunks) => chunks.map((c) => c.choices[0]?.delta?.content ?? '').join('');

/* -- chat completions -- */

apiTest('chat: text, whole and streamed, with usage', async (gw, t) => {
	const ai = client(gw);
	const whole = await ai.chat.completions.create({ model: 'openclaw', messages: [{ role: 'user', content: 'hello' }] });

	assert.match(whole.id, /^chatcmpl_/);
	assert.equal(whole.object, 'chat.completion');
	assert.equal(whole.model, 'openclaw');
	assert.equal(whole.choices.length, 1);
	assert.equal(whole.choices[0].message.content, 'Hello from the mock.');
	assert.equal(whole.choices[0].finish_reason, 'stop');
	assert.ok(whole.usage.prompt_tokens > 0 && whole.usage.completion_tokens > 0);
	assert.equal(whole.usage.total_tokens, whole.usage.prompt_tokens + whole.usage.completion_tokens);

	const chunks = await collect(await ai.chat.completions.create({ model: 'openclaw/main', stream: true,
		stream_options: { include_usage: true }, messages: [{ role: 'user', content: 'say it slowly' }] }));

	assert.equal(chunks[0].choices[0].delta.role, 'assistant');
	assert.equal(joined(chunks), LONG);
	assert.ok(chunks.filter((c) => c.choices[0]?.delta?.content).length > 2, 'it came in pieces');
	assert.equal(chunks.at(-2).choices[0].finish_reason, 'stop');
	assert.deepEqual(chunks.at(-1).choices, []);
	assert.ok(chunks.at(-1).usage.completion_tokens > 0);
	assert.equal(new Set(chunks.map((c) => c.id)).size, 1);
	assert.equal((await t.provider.journal()).length, 2, 'one request of the model for one of ours');
});

apiTest('chat: the conversation goes along, the system message too', async (gw, t) => {
	await client(gw).chat.completions.create({ model: 'openclaw', temperature: 0.5, max_tokens: 77, messages: [
		{ role: 'system', content: 'You are a pirate.' },
		{ role: 'user', content: 'my name is Ada' }, { role: 'assistant', content: 'noted' },
		{ role: 'developer', content: [{ type: 'text', text: 'Be brief.' }] },
		{ role: 'user', content: [{ type: 'text', text: 'who' }, { type: 'text', text: 'am I?' }] },
	] });
	const asked = await lastAsked(t.provider), text = JSON.stringify(asked.messages);

	assert.match(text, /You are a pirate\./);
	assert.match(text, /Be brief\./);
	assert.match(text, /my name is Ada/);
	assert.match(text, /noted/);
	assert.equal(asked.messages.at(-1).role, 'user');
	assert.match(JSON.stringify(asked.messages.at(-1)), /who\\nam I\?/);
	/* Each request is a session of its own, in which the whole conversation stands. */
	const c = await gw.connect();
	const { sessions } = await c.call('sessions.list', {});

	assert.match(sessions[0].key, /^agent:main:openai:[0-9a-f-]{36}$/);
	const { messages } = await c.call('chat.history', { sessionKey: sessions[0].key });

	assert.deepEqual(messages.map((m) => [m.role, textOf(m)]), [['user', 'my name is Ada'], ['assistant', 'noted'],
		['user', 'who\nam I?'], ['assistant', 'Hello from the mock.']]);
	await c.close();
});

apiTest('chat: a user keeps a session, a header names one', async (gw, t) => {
	const ai = client(gw);
	const ask = (content, extra, headers) => ai.chat.completions.create({ model: 'openclaw', ...extra,
		messages: [{ role: 'user', content }] }, { headers });

	await ask('first', { user: 'conv:1' });
	await ask('second', { user: 'conv:1' });
	assert.match(JSON.stringify((await lastAsked(t.provider)).messages), /first.*second/);
	await ask('third', {}, { 'x-openclaw-session-key': 'my-thread' });
	const c = await gw.connect();
	const keys = (await c.call('sessions.list', {})).sessions.map((s) => s.key);

	assert.ok(keys.includes('agent:main:openai-user:conv:1'), keys.join(' '));
	assert.ok(keys.includes('agent:main:my-thread'), keys.join(' '));
	const { messages } = await c.call('chat.history', { sessionKey: 'agent:main:my-thread' });

	assert.equal(textOf(messages[0]), 'third');
	assert.equal(textOf(messages[1]), 'Hello from the mock.');
	for (const key of ['subagent:x', 'agent:main:cron:1', 'acp:1'])
		await assert.rejects(ask('no', {}, { 'x-openclaw-session-key': key }), { status: 400 });
	await c.close();
});

const weatherTurn = [{ role: 'user', content: 'weather please' }];

apiTest('chat: a round trip of a tool', async (gw, t) => {
	const ai = client(gw);
	const first = await ai.chat.completions.create({ model: 'openclaw', tools, messages: weatherTurn });
	const [choice] = first.choices;

	assert.equal(choice.finish_reason, 'tool_calls');
	assert.equal(choice.message.tool_calls.length, 1);
	assert.equal(choice.message.tool_calls[0].type, 'function');
	assert.equal(choice.message.tool_calls[0].function.name, 'get_weather');
	assert.deepEqual(JSON.parse(choice.message.tool_calls[0].function.arguments), { town: 'Bern' });
	const second = await ai.chat.completions.create({ model: 'openclaw', tools, messages: [...weatherTurn, choice.message,
		{ role: 'tool', tool_call_id: choice.message.tool_calls[0].id, content: 'sunny, 21 degrees' }] });

	assert.equal(second.choices[0].finish_reason, 'stop');
	assert.equal(second.choices[0].message.content, 'It is sunny in Bern.');
	const asked = await lastAsked(t.provider);

	assert.equal(asked.messages.at(-1).role, 'tool');
	assert.equal(asked.messages.at(-1).content, 'sunny, 21 degrees');
	assert.equal(asked.messages.at(-2).tool_calls[0].function.name, 'get_weather');
	assert.ok(asked.tools.some((x) => x.function.name === 'get_weather'));
	assert.ok(asked.tools.some((x) => x.function.name === 'read'), "the agent's own tools stay");
});

apiTest('chat: parallel tools, streamed, in a session of its own', async (gw, t) => {
	const ai = client(gw);
	const ask = (messages) => ai.chat.completions.create({ model: 'openclaw', tools, stream: true, user: 'two', messages });
	const chunks = await collect(await ask([{ role: 'user', content: 'weather in two towns' }]));
	const calls = [];

	for (const d of chunks.flatMap((c) => c.choices[0]?.delta?.tool_calls ?? [])) {
		calls[d.index] ??= { id: d.id, name: d.function.name, args: '' };
		calls[d.index].args += d.function.arguments ?? '';
	}
	assert.equal(joined(chunks), 'Let me look.');
	assert.deepEqual(calls.map((x) => [x.id, x.name, JSON.parse(x.args).town]),
		[['call_a', 'get_weather', 'Bern'], ['call_b', 'get_weather', 'Köln']]);
	assert.equal(chunks.at(-1).choices[0].finish_reason, 'tool_calls');
	/* The session knows the rest: the results alone are enough. */
	const rest = await collect(await ask([{ role: 'tool', tool_call_id: 'call_a', content: 'sunny' },
		{ role: 'tool', tool_call_id: 'call_b', content: '' }]));

	assert.equal(joined(rest), 'Sunny in both.');
	const asked = (await lastAsked(t.provider)).messages;

	assert.deepEqual(asked.slice(-2).map((m) => [m.role, m.tool_call_id]), [['tool', 'call_a'], ['tool', 'call_b']]);
	assert.match(JSON.stringify(asked), /weather in two towns/);
});

apiTest('chat: tool_choice', async (gw, t) => {
	const ai = client(gw);
	const ask = (content, tool_choice, more = {}) => ai.chat.completions.create({ model: 'openclaw', tools, tool_choice,
		messages: [{ role: 'user', content }], ...more });

	const must = await ask('weather please', { type: 'function', function: { name: 'get_weather' } });

	assert.equal(must.choices[0].finish_reason, 'tool_calls');
	await assert.rejects(ask('hello', 'required'), { status: 502, type: 'api_error' });
	const none = await ask('hello', 'none');

	assert.equal(none.choices[0].finish_reason, 'stop');
	assert.ok(!(await lastAsked(t.provider)).tools.some((x) => x.function.name === 'get_weather'));
	await assert.rejects(ask('hello', { type: 'function', function: { name: 'nope' } }), { status: 400 });
	await assert.rejects(ask('hello', 'required', { tools: undefined }), { status: 400 });
	await assert.rejects(ask('hello', 'auto', { tools: [{ type: 'custom', custom: { name: 'x' } }] }), { status: 400 });
	await assert.rejects(ask('hello', 'auto', { tools: [...tools, ...tools] }), { status: 400 });
});

apiTest('chat: images as data, not by address', async (gw, t) => {
	const ai = client(gw);
	const ask = (url) => ai.chat.completions.create({ model: 'openclaw', messages: [{ role: 'user', content: [
		{ type: 'text', text: 'what is this?' }, { type: 'image_url', image_url: { url } }] }] });

	const r = await ask(`data:image/png;base64,${PNG}`);

	assert.equal(r.choices[0].message.content, 'Hello from the mock.');
	assert.match(JSON.stringify((await lastAsked(t.provider)).messages.at(-1)), new RegExp(PNG.slice(0, 40).replace(/[+/]/g, '.')));
	await assert.rejects(ask(`data:image/png;base64,${Buffer.from('not a picture at all').toString('base64')}`), { status: 400 });
	await assert.rejects(ask('data:image/png,abc'), { status: 400 });
	await assert.rejects(ask('data:image/png;base64,%%%'), { status: 400 });
	await assert.rejects(ask(`${gw.url}/x.png`), /not fetched here/);
	await assert.rejects(ask('file:///etc/passwd'), { status: 400 });
}, { config: { models: { providers: { mockai: { models: [{ id: 'gpt-mock', name: 'gpt-mock', input: ['text', 'image'],
	contextWindow: 64000, maxTokens: 4096 }] } } } } });

apiTest('chat: a picture by address goes through the guard', async (gw) => {
	await assert.rejects(client(gw).chat.completions.create({ model: 'openclaw', messages: [{ role: 'user', content: [
		{ type: 'image_url', image_url: { url: `${gw.url}/x.png` } }] }] }), (e) => e.status === 400 && /fetched/.test(e.message));
}, { config: { gateway: { http: { endpoints: { chatCompletions: { images: { allowUrl: true } } } } } } });

apiTest('chat: errors', async (gw) => {
	const ai = client(gw);
	const ask = (body, options) => ai.chat.completions.create({ model: 'openclaw', messages: [{ role: 'user', content: 'hi' }],
		...body }, options);

	await assert.rejects(client(gw, { apiKey: 'nope' }).models.list(), { status: 401 });
	await assert.rejects(ask({ model: 'gpt-4o' }), (e) => e.status === 400 && /Invalid `model`/.test(e.message) &&
		e.type === 'invalid_request_error');
	await assert.rejects(ask({ model: 'openclaw/nobody' }), (e) => e.status === 400 && /Unknown agent/.test(e.message));
	await assert.rejects(ask({}, { headers: { 'x-openclaw-model': 'no-such-provider/x' } }), { status: 400 });
	for (const bad of [{ messages: [] }, { messages: 'hi' }, { messages: [{ role: 'system', content: 'x' }] }, { temperature: 3 },
		{ top_p: -1 }, { max_tokens: 0 }, { max_tokens: 1.5 }, { stop: ['a', 'b', 'c', 'd', 'e'] }, { stop: [''] }, { n: 2 },
		{ seed: 0.5 }, { messages: [{ role: 'robot', content: 'x' }] }, { messages: [{ role: 'user', content: 7 }] },
		{ messages: [{ role: 'tool', content: 'x' }] }, { response_format: { type: 'xml' } }, { stream: 'yes' },
		{ messages: [{ role: 'user', content: 'a' }, { role: 'assistant', content: 'b' }] }])
		await assert.rejects(ask(bad), { status: 400 }, JSON.stringify(bad));
	await assert.rejects(ask({ messages: [{ role: 'user', content: 'too much' }] }),
		{ status: 400, code: 'context_length_exceeded' });
	await assert.rejects(ask({ messages: [{ role: 'user', content: 'wrong key' }] }), (e) => e.status === 502 &&
		e.headers.get('x-should-retry') === 'false');
	const bad = await gw.http('/v1/chat/completions', { method: 'POST', body: '{"model":', headers: { Authorization: `Bearer ${gw.token}` } });

	assert.equal(bad.status, 400);
	assert.match(bad.json.error.message, /not valid JSON/);
});

apiTest('chat: requests of one session take turns, others run beside each other', async (gw) => {
	const ai = client(gw);
	const ask = (user, content) => ai.chat.completions.create({ model: 'openclaw', user, messages: [{ role: 'user', content }] });
	const all = await Promise.all([...Array.from({ length: 4 }, (_, i) => ask('same', i % 2 ? 'say it slowly' : 'hello')),
		...Array.from({ length: 4 }, (_, i) => ask(`own${i}`, 'hello'))]);

	all.forEach((r, i) => assert.equal(r.choices[0].message.content, i < 4 && i % 2 ? LONG : 'Hello from the mock.'));
	const c = await gw.connect();
	const { messages } = await c.call('chat.history', { sessionKey: 'agent:main:openai-user:same' });

	assert.deepEqual(messages.map((m) => m.role), Array.from({ length: 8 }, (_, i) => i % 2 ? 'assistant' : 'user'));
	await c.close();
});

apiTest('a stream whose model is cut off ends with an error', async (gw, t) => {
	const ai = client(gw);
	const told = [];

	await assert.rejects(async () => {
		for await (const chunk of await ai.chat.completions.create({ model: 'openclaw', stream: true,
			messages: [{ role: 'user', content: 'cut me' }] }))
			told.push(chunk.choices[0].delta.content ?? '');
	}, /cut off/);
	assert.ok(told.join('') && LONG.startsWith(told.join('')), told.join(''));
	const failed = (await collect(await ai.responses.create({ model: 'openclaw', input: 'cut me', stream: true }))).at(-1);

	assert.equal(failed.type, 'response.failed');
	assert.match(failed.response.error.message, /cut off/);
	assert.equal((await t.provider.journal()).length, 2, 'what was told is not asked for again');
});

apiTest('chat: a budget that is used up', async (gw) => {
	await assert.rejects(client(gw).chat.completions.create({ model: 'openclaw', messages: [{ role: 'user', content: 'hi' }] }),
		(e) => e.status === 429 && e.code === 'insufficient_quota' && /budget/i.test(e.message));
}, { config: { budgets: { perDayUsd: 0.000001 } } });

apiTest('chat: a client that hangs up ends its run', async (gw) => {
	const ai = client(gw);
	const c = await gw.connect();

	for (const stream of [true, false]) {
		const stop = new AbortController();
		const asked = ai.chat.completions.create({ model: 'openclaw', stream, messages: [{ role: 'user', content: 'very slowly' }] },
			{ signal: stop.signal, headers: { 'x-openclaw-session-key': `hangup-${stream}` } });

		asked.catch(() => undefined);
		await until(async () => (await c.call('sessions.list', {})).sessions.some((s) => s.key.endsWith(`hangup-${stream}`) &&
			s.status === 'running'), 'the run to begin');
		if (stream) {
			const reader = (await asked)[Symbol.asyncIterator]();

			await reader.next();
		}
		stop.abort();
		await until(async () => (await c.call('sessions.list', {})).sessions.some((s) => s.key.endsWith(`hangup-${stream}`) &&
			s.status === 'killed'), 'the run to be stopped');
	}
	await c.close();
});

/* -- responses -- */

const flat = tools.map(({ function: f }) => ({ type: 'function', strict: false, ...f }));

apiTest('responses: text, whole and streamed, in the documented order', async (gw, t) => {
	const ai = client(gw);
	const r = await ai.responses.create({ model: 'openclaw', input: 'hello', instructions: 'Be brief.' });

	assert.match(r.id, /^resp_/);
	assert.equal(r.object, 'response');
	assert.equal(r.status, 'completed');
	assert.equal(r.output_text, 'Hello from the mock.');
	assert.ok(r.usage.input_tokens > 0 && r.usage.output_tokens > 0);
	assert.match(JSON.stringify((await lastAsked(t.provider)).messages), /Be brief\./);
	const events = await collect(await ai.responses.create({ model: 'openclaw', input: 'say it slowly', stream: true }));
	const kinds = events.map((e) => e.type.replace('response.', ''));

	assert.deepEqual(kinds.filter((k, i) => k !== 'output_text.delta' || kinds[i - 1] !== k), ['created', 'in_progress',
		'output_item.added', 'content_part.added', 'output_text.delta', 'output_text.done', 'content_part.done',
		'output_item.done', 'completed']);
	assert.deepEqual(events.map((e) => e.sequence_number), events.map((_, i) => i));
	assert.equal(events.filter((e) => e.type === 'response.output_text.delta').map((e) => e.delta).join(''), LONG);
	const final = await ai.responses.stream({ model: 'openclaw', input: 'say it slowly' }).finalResponse();

	assert.equal(final.output_text, LONG);
});

apiTest('responses: tools go round, by id and by items', async (gw, t) => {
	const ai = client(gw);
	const first = await ai.responses.create({ model: 'openclaw', input: 'weather in two towns', tools: flat });
	const calls = first.output.filter((o) => o.type === 'function_call');

	assert.deepEqual(first.output.map((o) => o.type), ['message', 'function_call', 'function_call']);
	assert.deepEqual(calls.map((o) => [o.call_id, o.name, JSON.parse(o.arguments).town]),
		[['call_a', 'get_weather', 'Bern'], ['call_b', 'get_weather', 'Köln']]);
	const outputs = calls.map((o) => ({ type: 'function_call_output', call_id: o.call_id, output: `${o.call_id} is sunny` }));
	const byId = await ai.responses.create({ model: 'openclaw', previous_response_id: first.id, input: outputs, tools: flat });

	assert.equal(byId.output_text, 'Sunny in both.');
	const asked = (await lastAsked(t.provider)).messages.slice(-3);

	assert.deepEqual(asked.map((m) => m.role), ['assistant', 'tool', 'tool']);
	const byItems = await ai.responses.create({ model: 'openclaw', tools: flat,
		input: [{ role: 'user', content: 'weather in two towns' }, ...first.output, ...outputs] });

	assert.equal(byItems.output_text, 'Sunny in both.');
	assert.deepEqual((await lastAsked(t.provider)).messages.slice(-3).map((m) => m.role), ['assistant', 'tool', 'tool']);
	const stream = await ai.responses.stream({ model: 'openclaw', input: 'weather please', tools: flat }).finalResponse();

	assert.deepEqual(stream.output.map((o) => [o.type, o.name, o.arguments]), [['function_call', 'get_weather', '{"town":"Bern"}']]);
	await assert.rejects(ai.responses.create({ model: 'openclaw', input: 'x', previous_response_id: 'resp_nope' }),
		(e) => e.status === 400 && /not found/.test(e.message));
});

apiTest('responses: files and images', async (gw, t) => {
	const ai = client(gw);
	const ask = (part) => ai.responses.create({ model: 'openclaw', input: [{ role: 'user', content: [
		{ type: 'input_text', text: 'look' }, part] }] });
	const base64 = Buffer.from('the secret word is pinch').toString('base64');

	await ask({ type: 'input_file', source: { type: 'base64', media_type: 'text/plain', data: base64, filename: 'a.txt' } });
	const text = JSON.stringify((await lastAsked(t.provider)).messages);

	assert.match(text, /EXTERNAL_UNTRUSTED_CONTENT id=[^>]*>>>\\nSource: External\\nthe secret word is pinch/);
	await ask({ type: 'input_file', filename: 'b.txt', file_data: `data:text/plain;base64,${base64}` });
	await ask({ type: 'input_image', source: { type: 'base64', media_type: 'image/png', data: PNG } });
	await ask({ type: 'input_image', image_url: `data:image/png;base64,${PNG}`, detail: 'auto' });
	for (const bad of [{ type: 'input_file', source: { type: 'base64', media_type: 'application/pdf', data: base64 } },
		{ type: 'input_file', source: { type: 'url', url: `${gw.url}/healthz` } }, { type: 'input_audio' },
		{ type: 'input_image', source: { type: 'base64', media_type: 'image/png', data: base64 } }])
		await assert.rejects(ask(bad), { status: 400 }, JSON.stringify(bad));
}, { config: { models: { providers: { mockai: { models: [{ id: 'gpt-mock', name: 'gpt-mock', input: ['text', 'image'],
	contextWindow: 64000, maxTokens: 4096 }] } } } } });

apiTest('responses: errors', async (gw) => {
	const ai = client(gw);

	for (const bad of [{ input: 7 }, { input: [] }, { model: 'gpt-4o' }, { temperature: 9 }, { max_output_tokens: 0 },
		{ tools: [{ type: 'web_search' }] }, { input: [{ type: 'function_call_output', output: 'x' }] }, { background: true }])
		await assert.rejects(ai.responses.create({ model: 'openclaw', input: 'hi', ...bad }), { status: 400 }, JSON.stringify(bad));
	await assert.rejects(ai.responses.create({ model: 'openclaw', input: 'hello', tools: flat, tool_choice: 'required' }),
		{ status: 502 });
	const must = await collect(await ai.responses.create({ model: 'openclaw', input: 'hello', tools: flat, tool_choice: 'required',
		stream: true }).catch((e) => { assert.equal(e.status, 502); return []; }));

	assert.equal(must.length, 0);
});

/* -- embeddings -- */

apiTest('embeddings of a provider', async (gw) => {
	const ai = client(gw);
	const of = (model) => ({ headers: { 'x-openclaw-model': model } });

	for (const [model, input] of [['mockai/text-embedding-3-small', ['alpha', 'beta']], ['mockai/other', ['alpha']]]) {
		const r = await ai.embeddings.create({ model: 'openclaw', input, encoding_format: 'float' }, of(model));

		assert.equal(r.object, 'list');
		assert.equal(r.model, 'openclaw');
		assert.deepEqual(r.data.map((d) => d.index), input.map((_, i) => i));
		assert.deepEqual(r.data.map((d) => d.embedding), input.map(() => VECTOR), model);
		const packed = await ai.embeddings.create({ model: 'openclaw', input: 'alpha' }, of(model));     /* base64 on the wire */

		assert.equal(packed.data[0].embedding.length, r.data[0].embedding.length);
		r.data[0].embedding.forEach((x, i) => assert.ok(Math.abs(x - packed.data[0].embedding[i]) < 1e-6));
	}
	await ai.embeddings.create({ model: 'openclaw', input: 'alpha', dimensions: 10 }, of('mockai/text-embedding-3-small'));
	for (const [body, options] of [[{ input: 'x' }, {}], [{ input: 'x' }, of('mockthropic/claude-mock')], [{ input: '' }, of('mockai/e')],
		[{ input: [] }, of('mockai/e')], [{ input: [1, 2] }, of('mockai/e')], [{ input: 'x'.repeat(9000) }, of('mockai/e')],
		[{ input: 'x', encoding_format: 'int8' }, of('mockai/e')], [{ input: 'x', dimensions: 0 }, of('mockai/e')],
		[{ input: 'x', model: 'text-embedding-3-small' }, of('mockai/e')]])
		await assert.rejects(ai.embeddings.create({ model: 'openclaw', ...body }, options), { status: 400 }, JSON.stringify(body));
});

/* -- who may -- */

gatewayTest('the APIs are off unless they are switched on', async (gw) => {
	for (const [method, target] of [['POST', '/v1/chat/completions'], ['POST', '/v1/responses'], ['POST', '/v1/messages'],
		['GET', '/v1/models'], ['POST', '/v1/embeddings']]) {
		const r = await gw.http(target, { method, headers: { Authorization: `Bearer ${gw.token}` }, body: method === 'POST' ? '{}' : undefined });

		assert.equal(r.status, 404, target);
	}
});

gatewayTest('nothing is read from who may not', { gateway: { config: ON } }, async (gw) => {
	/* A head that promises 20 MB is refused before the first byte of them. */
	const answer = await new Promise((resolve, reject) => {
		const req = http.request({ host: '127.0.0.1', port: gw.port, path: '/v1/chat/completions', method: 'POST',
			headers: { 'Content-Length': 20 << 20, Authorization: 'Bearer nope' } }, (res) => {
			let text = '';

			res.on('data', (d) => { text += d; });
			res.on('end', () => resolve({ status: res.statusCode, json: JSON.parse(text) }));
		});

		req.on('error', reject);
		req.flushHeaders();
	});

	assert.equal(answer.status, 401);
	assert.equal(answer.json.error.type, 'unauthorized');
	const big = await gw.http('/v1/chat/completions', { method: 'POST', body: Buffer.alloc(64),
		headers: { Authorization: `Bearer ${gw.token}`, 'Content-Length': (20 << 20) + 1 } });

	assert.equal(big.status, 413);
	const dense = await gw.http('/v1/chat/completions', { method: 'POST', headers: { Authorization: `Bearer ${gw.token}` },
		body: `{"messages":[${'{"role":"user","content":"x"},'.repeat(60000)}{"role":"user","content":"x"}]}` });

	assert.equal(dense.status, 413, dense.text);
	const deep = await gw.http('/v1/chat/completions', { method: 'POST', headers: { Authorization: `Bearer ${gw.token}` },
		body: '['.repeat(1 << 20) });

	assert.equal(deep.status, 413, deep.text);
	const wide = await gw.http('/v1/chat/completions', { method: 'POST', headers: { Authorization: `Bearer ${gw.token}` },
		body: `{"a":[${'[],'.repeat(5 << 20)}[]]}`, ms: 30000 });

	assert.equal(wide.status, 413, wide.text);
	const foreign = await gw.http('/v1/models', { headers: { Authorization: `Bearer ${gw.token}`, Origin: 'https://evil.example' } });

	assert.equal(foreign.status, 403);
	const own = await gw.http('/v1/models', { headers: { Authorization: `Bearer ${gw.token}`, Origin: gw.url } });

	assert.equal(own.status, 200);
	assert.equal(own.headers['access-control-allow-origin'], undefined);
});

gatewayTest('the token of a device has its rights', { gateway: { config: ON } }, async (gw) => {
	const c = await gw.connect({ device: new Device(), client: { id: 'cli', mode: 'cli' }, scopes: ['operator.read'] });
	const headers = { Authorization: `Bearer ${c.hello.auth.deviceToken}` };
	const list = await gw.http('/v1/models', { headers });

	assert.equal(list.status, 200, list.text);
	const chat = await gw.http('/v1/chat/completions', { method: 'POST', headers, body: '{"messages":[{"role":"user","content":"hi"}]}' });

	assert.equal(chat.status, 403, chat.text);
	assert.match(chat.json.error.message, /missing scope: operator\.write/);
	await c.close();
});

gatewayTest('who guesses is locked out', { gateway: { config: ON } }, async (gw) => {
	/* A page on this machine is not exempt, as at the socket. */
	const guess = (token) => gw.http('/v1/models', { headers: { Origin: gw.url, Authorization: `Bearer ${token}` } });
	let status = 401;

	for (let i = 0; i < 12 && status === 401; i++)
		({ status } = await guess(`guess-${i}`));
	const locked = await guess(gw.token);

	assert.equal(locked.status, 429, 'also with the right one');
	assert.ok(Number(locked.headers['retry-after']) > 0);
	assert.equal(locked.json.error.type, 'rate_limited');
	assert.equal((await gw.http('/v1/models', { headers: { Authorization: `Bearer ${gw.token}` } })).status, 200, 'others are not');
});

gatewayTest('a password is as good as a token', { gateway: { auth: 'password', config: ON } }, async (gw) => {
	assert.ok((await client(gw).models.list()).data.length > 0);
	await assert.rejects(client(gw, { apiKey: 'nope' }).models.list(), { status: 401 });
});

gatewayTest('without credentials the scopes of a header count', { gateway: { auth: 'none', config: ON } }, async (gw) => {
	const post = (headers, body = '{"model":"openclaw","messages":[{"role":"user","content":"hi"}]}') =>
		gw.http('/v1/chat/completions', { method: 'POST', headers, body });
	const json = { 'Content-Type': 'application/json' };

	assert.equal((await post(json)).status, 200);
	const narrow = await post({ ...json, 'x-openclaw-scopes': 'operator.read' });

	assert.equal(narrow.status, 403);
	assert.match(narrow.json.error.message, /missing scope: operator\.write/);
	const model = await post({ ...json, 'x-openclaw-scopes': 'operator.write', 'x-openclaw-model': 'offline/demo' });

	assert.equal(model.status, 403);
	assert.match(model.json.error.message, /missing scope: operator\.admin/);
	assert.equal((await post({})).status, 403, 'a form of another site sends no JSON');
	assert.equal((await post({ ...json, 'Sec-Fetch-Site': 'cross-site' })).status, 403);
});

/* -- models -- */

gatewayTest('models are the agents', { gateway: { config: { ...ON, agents: { entries: { main: {}, research: {} } } } } }, async (gw) => {
	const ai = client(gw);
	const ids = (await ai.models.list()).data.map((m) => m.id);

	assert.deepEqual(ids.sort(), ['openclaw', 'openclaw/default', 'openclaw/main', 'openclaw/research']);
	assert.equal((await ai.models.retrieve('openclaw/research')).owned_by, 'openclaw');
	await assert.rejects(ai.models.retrieve('openclaw/nobody'), { status: 404 });
	await assert.rejects(ai.models.retrieve('gpt-4o'), { status: 404 });
});
