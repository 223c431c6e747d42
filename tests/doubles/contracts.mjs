/*
 * contracts.mjs - what the platforms refuse: each dialect's published contract as a check of one request.
 *
 * A check gives null, or the reason for a 400. The mock behind it (aimock) accepts nearly anything, the platforms do not.
 */

const isText = (s) => typeof s === 'string' && s.trim() !== '';
const unknown = (o, known, where) => {
	const key = Object.keys(o).find((k) => !known.includes(k));

	return key ? `${where}: unexpected field "${key}"` : null;
};
const first = (...checks) => {
	for (const check of checks) {
		const reason = typeof check === 'function' ? check() : check;

		if (reason)
			return reason;
	}
	return null;
};
const each = (list, check) => list.map(check).find(Boolean) ?? null;

/* Every call is answered before anything else is said, and nothing is answered that was not called. */
function pairing(steps) {
	const open = new Set();

	for (const { call, result, other } of steps) {
		if (call && open.has(call))
			return `two calls have the id ${call}`;
		if (call)
			open.add(call);
		if (result && !open.delete(result))
			return `a result for ${result}, which nobody called`;
		if (other && open.size)
			return `${[...open]} has no result`;
	}
	return open.size ? `${[...open]} has no result` : null;
}

const alternate = (roles, user) => first(
	roles[0] === user ? null : `the first message must be the ${user}'s`,
	() => (roles.some((r, i) => i && r === roles[i - 1]) ? 'roles must alternate' : null));

/* -- Anthropic -- */

const marks = (o) => (JSON.stringify(o).match(/"cache_control"/g) ?? []).length;

function anthropicBlock(b) {
	switch (b.type) {
	case 'text': return isText(b.text) ? null : 'text content blocks must be non-empty';
	case 'image': return b.source?.type === 'base64' && /^image\/(png|jpeg|gif|webp)$/.test(b.source.media_type) ? null : 'image: bad source';
	case 'thinking': return isText(b.signature) ? null : 'thinking: signature is required';
	case 'redacted_thinking': return isText(b.data) ? null : 'redacted_thinking: data is required';
	case 'tool_use': return /^[a-zA-Z0-9_-]{1,64}$/.test(b.id) && b.input && typeof b.input === 'object' ? null : 'tool_use: bad id or input';
	case 'tool_result': return each(b.content, anthropicBlock);
	default: return `unexpected block ${b.type}`;
	}
}

function anthropic({ body, headers }) {
	return first(
		headers['anthropic-version'] === '2023-06-01' ? null : 'anthropic-version is required',
		unknown(body, ['model', 'max_tokens', 'stream', 'thinking', 'output_config', 'temperature', 'top_p', 'stop_sequences', 'speed',
			'service_tier', 'tools', 'tool_choice', 'system', 'messages'], 'body'),
		body.max_tokens > 0 ? null : 'max_tokens is required',
		body.thinking?.type === 'enabled' && !(body.thinking.budget_tokens >= 1024 && body.thinking.budget_tokens < body.max_tokens)
			? 'thinking: bad budget_tokens' : null,
		body.thinking && body.thinking.type !== 'disabled' && ('temperature' in body || ['any', 'tool'].includes(body.tool_choice?.type))
			? 'thinking excludes temperature and forced tools' : null,
		marks(body) > 4 ? 'at most 4 cache_control' : null,
		alternate(body.messages.map((m) => m.role), 'user'),
		body.messages.at(-1).role === 'user' ? null : 'the last message must be the user\'s',
		each(body.messages.flatMap((m) => m.content), anthropicBlock),
		() => pairing(body.messages.flatMap((m) => [...m.content.map((b) => ({ call: b.type === 'tool_use' && b.id,
			result: b.type === 'tool_result' && b.tool_use_id, other: m.role === 'user' && b.type === 'text' }))])));
}

/* -- Chat Completions -- */

function chat({ body }) {
	return first(
		unknown(body, ['model', 'messages', 'tools', 'tool_choice', 'stream', 'stream_options', 'store', 'max_tokens', 'max_completion_tokens',
			'temperature', 'top_p', 'stop', 'reasoning_effort', 'prompt_cache_key', 'service_tier'], 'body'),
		each(body.messages, (m) => first(
			unknown(m, { system: ['role', 'content'], developer: ['role', 'content'], user: ['role', 'content'],
				assistant: ['role', 'content', 'tool_calls'], tool: ['role', 'content', 'tool_call_id', 'name'] }[m.role] ?? [], `messages.${m.role}`),
			m.content === null && !m.tool_calls ? 'content is required' : null,
			each(m.tool_calls ?? [], (t) => (t.id.length <= 40 && JSON.parse(t.function.arguments) ? null : 'tool_calls: bad id')))),
		() => pairing(body.messages.flatMap((m) => [...(m.tool_calls ?? []).map((t) => ({ call: t.id })),
			{ result: m.tool_call_id, other: m.role === 'user' }])));
}

/* -- Responses -- */

function responsesItem(item, next) {
	switch (item.type) {
	case 'message': return first(unknown(item, ['type', 'role', 'content', 'id', 'status'], 'input.message'),
		Array.isArray(item.content) && !item.content.every((p) => (item.role === 'assistant' ? p.type === 'output_text' : /^input_(text|image)$/.test(p.type)))
			? `input.${item.role}: bad content` : null);
	case 'function_call': return first(unknown(item, ['type', 'call_id', 'name', 'arguments', 'id', 'status'], 'input.function_call'),
		item.call_id.length <= 64 && JSON.parse(item.arguments) ? null : 'function_call: bad call_id');
	case 'function_call_output': return unknown(item, ['type', 'call_id', 'output', 'id', 'status'], 'input.function_call_output');
	case 'reasoning': return first(unknown(item, ['type', 'id', 'summary', 'encrypted_content', 'content', 'status'], 'input.reasoning'),
		item.encrypted_content ? null : `Item '${item.id}' not found: items are not persisted when store is false`,
		next?.type === 'function_call' || next?.type === 'reasoning' || next?.role === 'assistant' ? null
			: `Item '${item.id}' of type 'reasoning' was provided without its required following item`);
	default: return `input: unexpected type ${item.type}`;
	}
}

function responses({ body }) {
	return first(
		unknown(body, ['model', 'stream', 'store', 'instructions', 'tools', 'tool_choice', 'input', 'max_output_tokens', 'temperature', 'top_p',
			'reasoning', 'include', 'prompt_cache_key', 'prompt_cache_options', 'prompt_cache_retention', 'service_tier'], 'body'),
		each(body.tools ?? [], (t) => unknown(t, ['type', 'name', 'description', 'parameters', 'strict'], 'tools')),
		each(body.input, (item, i) => responsesItem(item, body.input[i + 1])),
		() => pairing(body.input.map((item) => ({ call: item.type === 'function_call' && item.call_id,
			result: item.type === 'function_call_output' && item.call_id, other: item.role === 'user' }))));
}

/* -- Gemini -- */

const SCHEMA_WORDS = ['type', 'title', 'description', 'enum', 'format', 'minimum', 'maximum', 'minItems', 'maxItems', 'items', 'prefixItems',
	'properties', 'required', 'anyOf', 'additionalProperties'];

const geminiSchema = (s) => first(
	unknown(s, SCHEMA_WORDS, 'parametersJsonSchema'),
	each(s.required ?? [], (name) => (s.properties?.[name] ? null : `required: ${name} is not defined`)),
	each([...Object.values(s.properties ?? {}), ...(s.anyOf ?? []), ...(s.items ? [s.items] : [])], geminiSchema));

function gemini({ body, model }) {
	const needsSignature = /gemini-3/.test(model);

	return first(
		unknown(body, ['cachedContent', 'systemInstruction', 'tools', 'toolConfig', 'contents', 'generationConfig'], 'body'),
		unknown(body.generationConfig, ['maxOutputTokens', 'temperature', 'topP', 'stopSequences', 'thinkingConfig'], 'generationConfig'),
		each(body.tools?.[0].functionDeclarations ?? [], (f) => geminiSchema(f.parametersJsonSchema)),
		body.contents[0].role === 'user' ? null : 'contents: the first turn must be the user\'s',
		each(body.contents, (c, i) => {
			const calls = c.parts.filter((p) => p.functionCall), answers = body.contents[i + 1]?.parts.filter((p) => p.functionResponse) ?? [];

			return first(
				calls.length !== answers.length ? 'the number of function response parts must equal that of the function call parts' : null,
				each(calls, ({ functionCall: f }, n) => (answers[n].functionResponse.name === f.name && answers[n].functionResponse.id === f.id
					&& /^[a-zA-Z0-9]+$/.test(f.id) ? null : 'functionResponse does not match its functionCall')),
				needsSignature && calls.length && !calls[0].thoughtSignature ? 'Function call is missing a thought_signature' : null,
				c.parts.length ? null : 'parts: must not be empty');
		}));
}

/* -- Bedrock -- */

function bedrockBlock(b) {
	const [kind] = Object.keys(b);

	switch (kind) {
	case 'text': return isText(b.text) ? null : 'The text field in the ContentBlock object is blank.';
	case 'image': return ['png', 'jpeg', 'gif', 'webp'].includes(b.image.format) && /^[A-Za-z0-9+/]+=*$/.test(b.image.source.bytes) ? null : 'image: bad format';
	case 'toolUse': return /^[a-zA-Z0-9_-]{1,64}$/.test(b.toolUse.toolUseId) ? null : 'toolUse: bad toolUseId';
	case 'toolResult': return b.toolResult.content.length ? each(b.toolResult.content, bedrockBlock) : 'toolResult: content is empty';
	case 'cachePoint': case 'reasoningContent': return null;
	default: return `unexpected block ${kind}`;
	}
}

function bedrock({ body }) {
	const blocks = body.messages.flatMap((m) => m.content);

	return first(
		unknown(body, ['system', 'messages', 'toolConfig', 'inferenceConfig', 'additionalModelRequestFields', 'serviceTier'], 'body'),
		unknown(body.inferenceConfig, ['maxTokens', 'temperature', 'topP', 'stopSequences'], 'inferenceConfig'),
		alternate(body.messages.map((m) => m.role), 'user'),
		each(blocks, bedrockBlock),
		blocks.some((b) => b.toolUse || b.toolResult) && !body.toolConfig?.tools.length ? 'The toolConfig field must be defined' : null,
		each(body.toolConfig?.tools ?? [], (t) => (t.cachePoint || t.toolSpec?.inputSchema.json.type === 'object' ? null : 'toolSpec: bad inputSchema')),
		() => pairing(body.messages.flatMap((m) => m.content.map((b) => ({ call: b.toolUse?.toolUseId, result: b.toolResult?.toolUseId,
			other: m.role === 'user' && b.text })))));
}

/* -- Ollama -- */

function ollama({ body }) {
	return first(
		unknown(body, ['model', 'messages', 'tools', 'stream', 'think', 'options', 'keep_alive', 'format'], 'body'),
		body.options?.num_ctx > 0 ? null : 'options.num_ctx is missing: the prompt would be cut at the default',
		each(body.messages, (m) => first(unknown(m, ['role', 'content', 'images', 'tool_calls', 'tool_name'], 'messages'),
			each(m.tool_calls ?? [], (t) => (typeof t.function.arguments === 'object' ? null : 'arguments must be an object')))));
}

export const contracts = { anthropic, chat, responses, gemini, bedrock, ollama };
