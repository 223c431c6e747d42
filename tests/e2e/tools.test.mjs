/*
 * tools.test.mjs - every tool there is, called once by a model double through the gateway. Whoever adds a row to the table of tools
 * adds a call here: the test compares its list with tools.catalog. What each tool can do beyond that has files of its own.
 */
import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { TelegramDouble } from '../doubles/telegram.mjs';
import { WebDouble } from '../doubles/web.mjs';
import { callTool, execGateway } from './lib/exec.mjs';
import { PNG } from './lib/http_api.mjs';

test('every tool, called by a model', { timeout: 60000 }, async (t) => {
	const web = await WebDouble.start(), telegram = await TelegramDouble.start();

	const ada = telegram.user(42, 'Ada');

	t.after(() => Promise.all([web.stop(), telegram.stop()]));
	const { gw } = await execGateway(t, {
		commands: { ownerAllowFrom: ['telegram:42'] },
		...telegram.config({ dmPolicy: 'allowlist', allowFrom: ['42'] }),
		plugins: { entries: { searxng: { config: { webSearch: { baseUrl: web.url } } } } },
		tools: { web: { search: { provider: 'searxng' }, fetch: { ssrfPolicy: { allowedHostnames: ['127.0.0.1'] } } },
			http: { boats: { description: 'Looks a boat up.', url: `${web.url}/api/boats/{name}`, bearer: { source: 'env', id: 'BOATS_TOKEN' },
				schema: { type: 'object', required: ['name'], properties: { name: { type: 'string' } } } } } },
	}, { env: { BOATS_TOKEN: web.keys.api } });
	const c = await gw.connect({ caps: ['tool-events'] });
	const ws = path.join(gw.state, 'workspace'), at = (name) => path.join(ws, name);

	mkdirSync(at('tools'), { recursive: true });
	writeFileSync(at('a.txt'), 'one\ntwo\n');
	writeFileSync(at('dot.png'), Buffer.from(PNG, 'base64'));
	writeFileSync(at('tools/hello.json'), JSON.stringify({ description: 'Says hello.', command: 'hello.sh' }));
	writeFileSync(at('tools/hello.sh'), '#!/bin/sh\necho hello from the sandbox\n');
	chmodSync(at('tools/hello.sh'), 0o755);
	await c.turn('agent:main:other', 'the word is halyard');
	const other = (await c.call('sessions.list')).sessions.find((s) => s.key === 'agent:main:other');

	const say = (name, args, options) => callTool(c, name, args, options);
	const calls = {
		agents_list: async () => assert.deepEqual(JSON.parse((await say('agents_list', {})).text).agents.map((a) => a.id), ['main']),
		apply_patch: async () => {
			const input = '*** Begin Patch\n*** Update File: a.txt\n@@\n-two\n+TWO\n*** End Patch\n';

			assert.match((await say('apply_patch', { input })).text, /a\.txt \(\+1 -1\)/);
			assert.equal(readFileSync(at('a.txt'), 'utf8'), 'one\nTWO\n');
		},
		ask_user: async () => {
			const asked = c.event('question.requested', () => true);
			const answer = say('ask_user', { questions: [{ id: 'q', header: 'Where', question: 'Where to?', options: [{ label: 'Here' }, { label: 'There' }] }] });

			await c.call('question.resolve', { id: (await asked).payload.id, answers: { answers: { q: ['There'] } } });
			assert.deepEqual(JSON.parse((await answer).text).answers, { answers: { q: ['There'] } });
		},
		edit: async () => assert.match((await say('edit', { path: 'a.txt', edits: [{ oldText: 'one', newText: 'ONE' }] })).text, /1 replacement/),
		exec: async () => assert.equal((await say('exec', { command: 'echo out; pwd' })).text.trim(), `out\n${ws}`),
		find: async () => assert.match((await say('find', { pattern: '*.png' })).text, /^dot\.png/),
		grep: async () => assert.match((await say('grep', { pattern: 'hello' })).text, /tools\/hello\.sh/),
		list: async () => assert.match((await say('list', {})).text, /a\.txt/),
		message: async () => {
			const sent = await say('message', { action: 'send', channel: 'telegram', target: '42', message: 'from the **tool**' });

			assert.ok(!sent.isError, sent.text);
			await telegram.reply(ada, (m) => m.text === 'from the tool');
		},
		process: async () => {
			const key = 'agent:main:proc', started = await say('exec', { command: 'cat', background: true }, { key });
			const proc = (action, more = {}) => say('process', { action, sessionId: started.details.sessionId, ...more }, { key });

			assert.equal(started.details.status, 'running', started.text);
			await proc('write', { data: 'ahoy\n' });
			assert.match((await proc('poll', { timeout: 5000 })).text, /ahoy/);
			assert.ok(!(await proc('kill')).isError);
		},
		progress_card: async () => {
			const key = 'agent:main:card';

			await say('progress_card', { markdown: 'half way', plan: [{ step: 'dig', status: 'in_progress' }] }, { key });
			assert.equal((await c.call('progressCard.get', { sessionKey: key })).card.steps[0].step, 'dig');
		},
		read: async () => assert.equal((await say('read', { path: 'tools/hello.sh' })).text, '#!/bin/sh\necho hello from the sandbox\n'),
		session_status: async () => {
			assert.match((await say('session_status', {}, { key: 'agent:main:own' })).text, /agent:main:own/);
			assert.match((await say('session_status', { sessionKey: other.key })).text, /agent:main:other/);
			assert.match((await say('session_status', { sessionKey: 'agent:main:none' })).text, /there is no session/);
		},
		sessions_history: async () => assert.match((await say('sessions_history', { sessionKey: other.key })).text, /halyard/),
		sessions_list: async () => assert.ok((await say('sessions_list', {})).text.includes(other.key)),
		sessions_search: async () => assert.match((await say('sessions_search', { query: 'halyard' })).text, /halyard/),
		sessions_send: async () => assert.equal(JSON.parse((await say('sessions_send', { sessionKey: other.key, message: 'how are you?' })).text).reply, 'noted'),
		sessions_spawn: async () => {
			const spawned = JSON.parse((await say('sessions_spawn', { task: 'look around', label: 'scout', expectsCompletionMessage: false }, { key: 'agent:main:boss' })).text);

			assert.equal(spawned.status, 'accepted');
			await c.call('agent.wait', { runId: spawned.runId, timeoutMs: 10000 });
		},
		subagents: async () => assert.match((await say('subagents', { action: 'list' }, { key: 'agent:main:boss' })).text, /scout/),
		view_image: async () => assert.match((await say('view_image', { path: 'dot.png' })).text, /^dot\.png \[image\/png/),
		web_fetch: async () => assert.match((await say('web_fetch', { url: `${web.url}/page` })).text, /Quiet night/),
		web_search: async () => assert.ok(!(await say('web_search', { query: 'boats' })).isError),
		write: async () => {
			assert.match((await say('write', { path: 'new/b.txt', content: 'b\n' })).text, /^Created/);
			assert.ok(existsSync(at('new/b.txt')));
		},
		http_boats: async () => assert.match((await say('http_boats', { name: 'Ada' })).text, /boats\/Ada/),
		user_hello: async () => assert.match((await say('user_hello', {})).text, /hello from the sandbox/),
	};
	const { groups } = await c.call('tools.catalog', {});

	assert.deepEqual(groups.flatMap((g) => g.tools.map((tool) => tool.id)).sort(), Object.keys(calls).sort());
	for (const [name, call] of Object.entries(calls))
		await t.test(name, call);
	await c.close();
});
