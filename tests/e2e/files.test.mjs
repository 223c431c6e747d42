/*
 * files.test.mjs - the file tools through the gateway: a model double calls them, and is given what they answered.
 */
import assert from 'node:assert/strict';
import { existsSync, linkSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ModelDouble } from '../doubles/model.mjs';
import { textOf } from './lib/client.mjs';
import { gatewayTest } from './lib/gateway.mjs';
import { PNG } from './lib/http_api.mjs';
import { until } from './lib/wait.mjs';

const patch = (...lines) => ['*** Begin Patch', ...lines, '*** End Patch', ''].join('\n');

/* One gateway for all: its model calls the tools of `script` one by one and then says "done". */
async function start(t) {
	t.model = await ModelDouble.start();
	t.after(() => t.model.stop());
	const config = t.model.config;

	config.models.providers.double.models[0].input = ['text', 'image'];
	return { config: { ...config, tools: { fs: { roots: [] } } } };
}

/* A turn in which the model calls these tools; gives the results as the model got them. */
async function turn(c, t, calls) {
	const done = c.turn('agent:main:files', 'go');
	const results = [];

	for (const [i, [name, args]] of calls.entries()) {
		const call = await t.model.next();

		if (i)
			results.push(call.toolResults.at(-1).content);
		call.tool(`c${i}`, name, args).end('tool_calls');
	}
	const last = await t.model.next();

	results.push(last.toolResults.at(-1).content);
	last.text('done').end();
	assert.equal(textOf((await done).message), 'done');
	return { results: results.map((r) => typeof r === 'string' ? r : r.map((p) => p.text ?? `<${p.type}>`).join('\n')), last };
}

gatewayTest('file tools, called by a model', { gateway: start }, async (gw, t) => {
	const c = await gw.connect();
	const ws = path.join(gw.state, 'workspace');
	const at = (name) => path.join(ws, name);

	await t.test('write, edit, read, patch, find, grep', async () => {
		const { results } = await turn(c, t, [
			['write', { path: 'src/a.txt', content: 'one\ntwo\nthree\n' }],
			['edit', { path: 'src/a.txt', edits: [{ oldText: 'two', newText: 'TWO' }] }],
			['edit', { path: 'src/a.txt', edits: [{ oldText: 'e', newText: 'E' }] }],
			['read', { path: 'src/a.txt', offset: 2, limit: 1 }],
			['apply_patch', { input: patch('*** Update File: src/a.txt', '*** Move to: src/b.txt', '@@', ' one', '-TWO', '+zwei',
				'*** Add File: src/new/c.txt', '+see') }],
			['apply_patch', { input: patch('*** Add File: d.txt', '+d', '*** Delete File: missing.txt') }],
			['find', { pattern: '*.txt' }],
			['grep', { pattern: 'zwei|see', context: 1 }],
			['read', { path: 'src/bb.txt' }],
		]);

		assert.match(results[0], /^Created src\/a\.txt/);
		assert.match(results[1], /1 replacement/);
		assert.match(results[2], /more than once \(at lines 1, 3\)/);
		assert.match(results[3], /^TWO\n\[lines 2-2, .*cursor "3:8:/);
		assert.equal(results[4], 'The patch is applied:\nR src/a.txt -> src/b.txt (+1 -1)\nA src/new/c.txt (+1)');
		assert.match(results[5], /no file was changed: 'missing\.txt' does not exist/);
		assert.equal(results[6], 'src/b.txt\nsrc/new/c.txt');
		assert.equal(results[7], 'src/b.txt\n1- one\n2: zwei\n3- three\n\nsrc/new/c.txt\n1: see');
		assert.match(results[8], /Similar names: src\/b\.txt/);
		assert.equal(readFileSync(at('src/b.txt'), 'utf8'), 'one\nzwei\nthree\n');
		assert.ok(!existsSync(at('d.txt')) && !existsSync(at('src/a.txt')));
	});

	await t.test('images go to the model as images', async () => {
		writeFileSync(at('dot.png'), Buffer.from(PNG, 'base64'));
		const { results, last } = await turn(c, t, [['view_image', { path: 'dot.png', prompt: 'a dot' }]]);

		assert.match(results[0], /^dot\.png \[image\/png, \d+ bytes\]/);
		assert.ok(JSON.stringify(last.body.messages).includes(PNG), 'the bytes are in the request');
	});

	await t.test('test_threat_path_traversal: nothing leads out of the workspace', async () => {
		const outside = path.join(gw.dir, 'outside');

		mkdirSync(outside);
		writeFileSync(path.join(outside, 'secret.txt'), 'canary-outside\n');
		symlinkSync(outside, at('link'));
		linkSync(path.join(outside, 'secret.txt'), at('hard.txt'));
		const names = ['../../outside/secret.txt', 'link/secret.txt', path.join(outside, 'secret.txt'), '/proc/self/environ',
			path.join(gw.state, 'chela.json'), '../chela.json', '~/outside/secret.txt'];
		const { results } = await turn(c, t, names.flatMap((name) => [
			['read', { path: name }], ['write', { path: name, content: 'owned' }], ['grep', { pattern: 'canary|token', path: name }],
			['apply_patch', { input: patch(`*** Delete File: ${name}`) }], ['view_image', { path: name }],
		]).concat([['find', { pattern: '**', hidden: true, noIgnore: true }], ['grep', { pattern: 'canary', hidden: true, noIgnore: true, glob: 'secret*' }],
			['write', { path: 'hard.txt', content: 'mine\n' }]]));

		for (const [i, r] of results.slice(0, -3).entries()) {
			assert.match(r, /outside the workspace|leads out of the workspace/, `${names[Math.floor(i / 5)]}, ${i % 5}: ${r}`);
			assert.ok(!r.includes('canary-outside') && !r.includes(gw.token));
		}
		assert.ok(!results.at(-3).includes('secret.txt'), 'a walk does not follow links');
		assert.ok(!results.at(-2).includes('canary-outside'));
		assert.equal(readFileSync(path.join(outside, 'secret.txt'), 'utf8'), 'canary-outside\n', 'a hard link is not written through');
		assert.equal(readFileSync(at('hard.txt'), 'utf8'), 'mine\n');
		assert.equal(statSync(path.join(outside, 'secret.txt')).nlink, 1);
	});

	await t.test('a root and apply_patch by configuration', async () => {
		const docs = path.join(gw.dir, 'docs');

		mkdirSync(docs);
		writeFileSync(path.join(docs, 'a.txt'), 'a\n');
		const { hash } = await c.call('config.get');

		await c.fails('config.patch', { raw: JSON.stringify({ tools: { fs: { workspaceOnly: false } } }), baseHash: hash });
		const config = JSON.parse(readFileSync(gw.configPath, 'utf8'));

		config.tools = { fs: { roots: [{ path: docs }] }, exec: { applyPatch: { enabled: false } } };
		gw.replaceConfig(JSON.stringify(config));
		await until(async () => (await c.call('config.get')).hash !== hash, 'the new configuration');
		const { results } = await turn(c, t, [['read', { path: path.join(docs, 'a.txt') }],
			['write', { path: path.join(docs, 'a.txt'), content: 'b' }], ['apply_patch', { input: patch('*** Delete File: hard.txt') }]]);

		assert.equal(results[0], 'a\n');
		assert.match(results[1], /is read-only/);
		assert.match(results[2], /applyPatch\.enabled is false/);
	});
	await c.close();
});
