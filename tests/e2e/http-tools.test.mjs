/* http-tools.test.mjs - POST /tools/invoke, GET /sessions/<key>/history, pictures, all by plain HTTP. */
import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { textOf } from './lib/client.mjs';
import { gatewayTest } from './lib/gateway.mjs';
import { PNG } from './lib/http_api.mjs';
import { Log, until } from './lib/wait.mjs';

const bearer = (gw) => ({ Authorization: `Bearer ${gw.token}` });
const get = (gw, target, headers = {}) => gw.http(target, { headers: { ...bearer(gw), ...headers } });
const invoke = (gw, body, headers = {}) => gw.http('/tools/invoke', { method: 'POST', body: typeof body === 'string' ? body
	: JSON.stringify(body), headers: { ...bearer(gw), 'Content-Type': 'application/json', ...headers } });

async function workspaceOf(gw) {
	const c = await gw.connect();
	const { agents } = await c.call('agents.list');

	await c.close();
	mkdirSync(agents[0].workspace, { recursive: true });
	return agents[0].workspace;
}

gatewayTest('one tool, without a model', async (gw) => {
	const workspace = await workspaceOf(gw);

	writeFileSync(path.join(workspace, 'note.txt'), 'pinch\n');
	const r = await invoke(gw, { tool: 'read', args: { path: 'note.txt' } });

	assert.equal(r.status, 200, r.text);
	assert.equal(r.json.ok, true);
	assert.match(r.json.result.content[0].text, /pinch/);
	const list = await invoke(gw, { name: 'list', tool: 'nope', args: {}, sessionKey: 'main', dryRun: false });

	assert.match(JSON.stringify(list.json.result.content), /note\.txt/);
	for (const [body, status, type] of [
		[{ tool: 'read', args: { path: 'missing.txt' } }, 500, 'tool_error'],
		[{ tool: 'read', args: {} }, 400, 'tool_error'],
		[{ tool: 'read', args: { path: '../../etc/passwd' } }, 500, 'tool_error'],
		[{ tool: 'fly' }, 404, 'not_found'],
		[{ tool: 'exec', args: { command: 'id' } }, 404, 'not_found'],
		[{}, 400, 'invalid_request'], ['{"tool":', 400, 'invalid_request'], ['[]', 400, 'invalid_request'],
		[{ tool: 'read', args: { path: 'note.txt' }, agentId: 'other', sessionKey: 'agent:main:x' }, 400, 'invalid_request'],
		[{ tool: 'read', args: { path: 'note.txt' }, agentId: 'nobody' }, 400, 'invalid_request'],
	]) {
		const bad = await invoke(gw, body);

		assert.equal(bad.status, status, `${JSON.stringify(body)}: ${bad.text}`);
		assert.equal(bad.json.ok, false);
		assert.equal(bad.json.error.type, type, bad.text);
	}
	assert.equal((await invoke(gw, { tool: 'list' }, { Authorization: 'Bearer nope' })).status, 401);
	assert.equal((await get(gw, '/tools/invoke')).status, 405);
	assert.equal((await invoke(gw, 'x'.repeat((2 << 20) + 1))).status, 413);
});

gatewayTest('the policy of tools holds here, too', { gateway: { config: { tools: { deny: ['read'] },
	gateway: { tools: { deny: ['list'] } } } } }, async (gw) => {
	assert.equal((await invoke(gw, { tool: 'read', args: { path: 'AGENTS.md' } })).status, 404);
	assert.equal((await invoke(gw, { tool: 'list', args: {} })).status, 404);
});

/* -- history -- */

gatewayTest('a conversation in pages', async (gw) => {
	const c = await gw.connect();

	for (const text of ['one', 'two', 'three'])
		await c.turn('agent:main:pages', text);
	await c.close();
	const all = await get(gw, '/sessions/agent%3Amain%3Apages/history');

	assert.equal(all.status, 200, all.text);
	assert.equal(all.json.sessionKey, 'agent:main:pages');
	assert.equal(all.json.messages.length, 6);
	assert.deepEqual(all.json.items, all.json.messages);
	assert.equal(all.json.hasMore, false);
	assert.equal(textOf(all.json.messages[0]), 'one');
	const last = await get(gw, '/sessions/pages/history?limit=2');

	assert.deepEqual(last.json.messages.map((m) => m.role), ['user', 'assistant']);
	assert.equal(textOf(last.json.messages[0]), 'three');
	assert.equal(last.json.hasMore, true);
	const before = await get(gw, `/sessions/pages/history?limit=2&cursor=${last.json.nextCursor}`);

	assert.equal(textOf(before.json.messages[0]), 'two');
	const nobody = await get(gw, '/sessions/nobody/history');

	assert.equal(nobody.status, 404);
	assert.deepEqual(nobody.json, { ok: false, error: { type: 'not_found', message: 'Session not found: nobody' } });
	for (const q of ['limit=0', 'limit=x', 'limit=-1', 'cursor=0', 'cursor=abc'])
		assert.equal((await get(gw, `/sessions/pages/history?${q}`)).status, 400, q);
	assert.equal((await gw.http('/sessions/pages/history')).status, 401);
	assert.equal((await gw.http('/sessions/pages')).status, 200, 'the page has addresses there');
});

/* Events of a stream as they come. */
function follow(gw, target) {
	const events = new Log();
	const req = http.get({ host: '127.0.0.1', port: gw.port, path: target, headers: { ...bearer(gw), Accept: 'text/event-stream' } },
		(res) => {
			let text = '';

			res.setEncoding('utf8').on('data', (d) => {
				text += d;
				for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
					const lines = text.slice(0, end).split('\n');
					const name = lines.find((l) => l.startsWith('event: '))?.slice(7);

					if (name)
						events.push({ name, data: JSON.parse(lines.find((l) => l.startsWith('data: ')).slice(6)) });
					text = text.slice(end + 2);
				}
			});
		});

	req.on('error', () => undefined);
	return { events, stop: () => req.destroy() };
}

gatewayTest('a conversation as it grows', async (gw) => {
	const c = await gw.connect();

	await c.turn('agent:main:grow', 'one');
	const { events, stop } = follow(gw, '/sessions/grow/history');
	const first = await events.find((e) => e.name === 'history', { what: 'the history' });

	assert.equal(first.item.data.messages.length, 2);
	await c.turn('agent:main:grow', 'two');
	const user = await events.find((e) => e.name === 'message' && e.data.message.role === 'user', { what: 'what the user said' });
	const reply = await events.find((e) => e.name === 'message' && e.data.message.role === 'assistant', { what: 'the reply' });

	assert.equal(textOf(user.item.data.message), 'two');
	assert.equal(user.item.data.messageSeq, 3);
	assert.equal(reply.item.data.messageSeq, 4);
	await c.call('sessions.reset', { key: 'agent:main:grow' });
	await events.find((e) => e.name === 'history', { from: first.index + 1, what: 'the history from anew' });
	stop();
	await c.close();
	await gw.assertAlive();
});

/* -- pictures -- */

gatewayTest('pictures: of an agent, of a message', { gateway: { config: { agents: { entries: {
	main: { identity: { name: 'Molly', avatar: 'face.png' } }, emoji: { identity: { avatar: '🦀' } } } } } } }, async (gw) => {
	const workspace = await workspaceOf(gw);

	writeFileSync(path.join(workspace, 'face.png'), Buffer.from(PNG, 'base64'));
	assert.equal((await gw.http('/avatar/main')).status, 401);
	const face = await get(gw, '/avatar/main');

	assert.equal(face.status, 200, face.text);
	assert.equal(face.headers['content-type'], 'image/png');
	assert.equal(face.headers['x-content-type-options'], 'nosniff');
	assert.match(face.headers['content-security-policy'], /sandbox/);
	assert.deepEqual(face.raw, Buffer.from(PNG, 'base64'));
	assert.deepEqual((await get(gw, '/avatar/main?meta=1')).json,
		{ avatarUrl: '/avatar/main', avatarSource: 'face.png', avatarStatus: 'local', avatarReason: null });
	for (const id of ['emoji', 'nobody', '..%2Fmain', 'main%2F..'])
		assert.ok([400, 404].includes((await get(gw, `/avatar/${id}`)).status), id);
	const config = (await get(gw, '/control-ui-config.json')).json;

	assert.equal(config.assistantAvatar, '/avatar/main');
	assert.equal(config.assistantAvatarStatus, 'local');

	const c = await gw.connect();

	await c.turn('agent:main:pic', 'look', { params: { attachments: [{ type: 'image', mimeType: 'image/png', content: PNG }] } });
	const { messages } = await c.call('chat.history', { sessionKey: 'agent:main:pic' });
	const id = messages[0].__openclaw.id;
	const target = `/api/chat/media/${encodeURIComponent('agent:main:pic')}/${id}/0`;
	const picture = await get(gw, target);

	assert.equal(picture.status, 200, picture.text);
	assert.equal(picture.headers['content-type'], 'image/png');
	assert.match(picture.headers['content-security-policy'], /sandbox/);
	assert.deepEqual(picture.raw, Buffer.from(PNG, 'base64'));
	assert.equal((await gw.http(target)).status, 401);
	for (const bad of [target.replace(/0$/, '1'), target.replace(/0$/, 'x'), target.replace(id, 'nope'), `${target}/0`, '/api/chat/media/a'])
		assert.equal((await get(gw, bad)).status, 404, bad);
	await c.close();
});

gatewayTest('an avatar does not lead out of the workspace', { gateway: { config: { agents: { entries: {
	main: { identity: { avatar: '../secret.png' } }, } } } } }, async (gw) => {
	const workspace = await workspaceOf(gw);

	writeFileSync(path.join(path.dirname(workspace), 'secret.png'), 'secret');
	assert.equal((await get(gw, '/avatar/main')).status, 404);
	symlinkSync(path.join(path.dirname(workspace), 'secret.png'), path.join(workspace, 'link.png'));
	gw.writeConfig({ agents: { entries: { main: { identity: { avatar: 'link.png' } } } } });
	await until(async () => (await get(gw, '/avatar/main?meta=1')).json.avatarSource === 'link.png', 'the new configuration');
	assert.equal((await get(gw, '/avatar/main')).status, 404);
});
