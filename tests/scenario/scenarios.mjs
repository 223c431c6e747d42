/*
 * scenarios.mjs - what happens in each scenario: the same steps are recorded from the reference
 * (record.mjs) and replayed against chela (tests/e2e/scenarios.test.mjs).
 *
 * A step list gets what run.mjs gives it; it must not depend on time.
 */
const USAGE = { prompt_tokens: 100, completion_tokens: 5, total_tokens: 105 };

async function textTurn({ model, say }, runId, text) {
	const ack = say(text, runId);
	const call = await model.next();

	await ack;
	call.text('one').text(' two').text(' three');
	call.end('stop', USAGE);
}

const toolTurn = async ({ model, say, ended }) => {
	const ack = say('read the file', 'run-tool');
	const first = await model.next();

	await ack;
	first.tool('call_1', 'read', { path: 'note.txt' });
	first.end('tool_calls', USAGE);
	const second = await model.next();

	second.text('It says: pinch.');
	second.end('stop', USAGE);
	await ended('run-tool');
};

export const scenarios = [
	{
		name: 'text-turn',
		steps: async (s) => {
			await textTurn(s, 'run-text', 'hello');
			await s.ended('run-text');
		},
	},
	{
		name: 'tool-turn',
		caps: ['tool-events'],
		files: { 'note.txt': 'pinch\n' },
		steps: toolTurn,
	},
	{
		name: 'tool-turn-without-cap',
		files: { 'note.txt': 'pinch\n' },
		steps: toolTurn,
	},
	{
		name: 'abort',
		steps: async (s) => {
			const ack = s.say('a long one', 'run-abort');
			const call = await s.model.next();

			await ack;
			call.text('half an');
			await s.client.event('chat', (p) => p.runId === 'run-abort' && p.state === 'delta');
			await s.client.call('chat.abort', { sessionKey: s.key, runId: 'run-abort' });
			await call.gone;
			await s.ended('run-abort');
		},
	},
	{
		name: 'busy',
		steps: async (s) => {
			const ack = s.say('first', 'run-first');
			const call = await s.model.next();

			await ack;
			call.text('half');
			await s.client.event('chat', (p) => p.runId === 'run-first' && p.state === 'delta');
			await s.say('second', 'run-second');
			await s.waiting(1);
			call.text(' done');
			call.end('stop', USAGE);
			const next = await s.model.next();

			next.text('answer to both');
			next.end('stop', USAGE);
			await s.ended('run-second');
			await s.ended('run-first');
		},
	},
	{
		name: 'duplicate-key',
		steps: async (s) => {
			const ack = s.say('once', 'run-once');
			const call = await s.model.next();

			await ack;
			await s.say('once', 'run-once');
			call.text('only once');
			call.end('stop', USAGE);
			await s.ended('run-once');
			await s.settled('run-once');
			await s.say('once', 'run-once');
		},
	},
	{
		name: 'provider-denies',
		steps: async (s) => {
			const ack = s.say('hello', 'run-denied');
			const call = await s.model.next();

			await ack;
			call.fail(401, 'Incorrect API key provided', { type: 'invalid_request_error', code: 'invalid_api_key' });
			await s.ended('run-denied');
		},
	},
	{
		name: 'provider-fails-once',
		steps: async (s) => {
			const ack = s.say('hello', 'run-retry');
			const call = await s.model.next();

			await ack;
			call.fail(500, 'overloaded');
			const again = await s.model.next();

			again.text('here');
			again.end('stop', USAGE);
			await s.ended('run-retry');
		},
	},
	{
		name: 'inject',
		steps: async (s) => {
			await s.client.call('sessions.create', { key: s.key });
			await s.client.call('chat.inject', { sessionKey: s.key, message: 'a note' });
		},
	},
	{
		name: 'command',
		steps: async (s) => {
			await s.say('/whoami', 'run-command');
			await s.ended('run-command');
		},
	},
];
