/*
 * aimock.mjs - the npm model mock as a provider: Anthropic, OpenAI and Ollama on one port.
 *
 * It takes most of a second to start: one that is stopped waits for the next test of the file, which gives it other fixtures.
 */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { MODULES } from './peers.mjs';
import { Proc, cleanEnv, freePort, tempDir } from './proc.mjs';
import { until } from './wait.mjs';

const CLI = path.join(MODULES, '@copilotkit', 'aimock', 'dist', 'cli.js');
export const AIMOCK_KEY = 'test-key';

let idle = null;

const price = { input: 3, output: 15, cacheRead: 0.3, cacheWrite: 3.75 };
const model = (id) => ({ id, name: id, reasoning: false, input: ['text'], cost: price, contextWindow: 64000, maxTokens: 4096 });

export class Aimock {
	static async start(fixtures) {
		const m = idle ?? await Aimock.#launch();

		idle = null;
		await m.#tell('reset', {});
		await m.#tell('fixtures', { fixtures });
		return m;
	}

	static async #launch() {
		const m = new Aimock();

		m.dir = tempDir('aimock');
		m.port = await freePort();
		writeFileSync(path.join(m.dir, 'fixtures.json'), JSON.stringify({ fixtures: [{ match: {}, response: { content: '' } }] }));
		m.proc = new Proc(process.execPath, [CLI, '-p', String(m.port), '-f', path.join(m.dir, 'fixtures.json'), '--strict',
			'--log-level', 'info'], { env: cleanEnv({ AIMOCK_API_KEYS: AIMOCK_KEY }), cwd: m.dir });
		m.proc.letGo();
		await until(() => fetch(`${m.url}/health`).then((r) => r.ok, () => false), 'aimock to listen');
		return m;
	}

	async #tell(what, body) {
		const r = await fetch(`${this.url}/__aimock/${what}`, { method: 'POST', body: JSON.stringify(body),
			headers: { authorization: `Bearer ${AIMOCK_KEY}`, 'content-type': 'application/json' } });

		assert.equal(r.status, 200, await r.text());
	}

	get url() {
		return `http://127.0.0.1:${this.port}`;
	}

	/* What it was asked so far, without what it refused for its key. */
	async journal() {
		const r = await fetch(`${this.url}/__aimock/journal`, { headers: { authorization: `Bearer ${AIMOCK_KEY}` } });

		return r.json();
	}

	/* Configuration with this mock as one provider of each kind. */
	config(primary, { key = AIMOCK_KEY } = {}) {
		return {
			models: { providers: {
				mockthropic: { baseUrl: this.url, apiKey: key, api: 'anthropic-messages', models: [model('claude-mock')] },
				mockai: { baseUrl: `${this.url}/v1`, apiKey: key, api: 'openai-completions', models: [model('gpt-mock')] },
				mollama: { baseUrl: this.url, apiKey: key, api: 'ollama', models: [model('llama-mock')] },
			} },
			agents: { defaults: { model: { primary } } },
		};
	}

	stop() {
		idle = this;
	}
}
