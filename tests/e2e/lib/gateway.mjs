/* gateway.mjs - one gateway with its own state directory, port and token. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { test } from 'node:test';
import { Client } from './client.mjs';
import { CHELA } from './peers.mjs';
import { Proc, cleanEnv, freePort, removeDir, run, tempDir } from './proc.mjs';
import { START_MS, within } from './wait.mjs';

const isObject = (v) => v !== null && typeof v === 'object' && !Array.isArray(v);

function merge(base, over) {
	if (!isObject(base) || !isObject(over))
		return over === undefined ? base : over;
	const out = { ...base };

	for (const k of Object.keys(over))
		out[k] = merge(base[k], over[k]);
	return out;
}

export class Gateway {
	/*
	 * Options: config (merged over the default), auth ('token', 'password', 'none'), env, args,
	 * prefix (a command in front, e.g. prlimit), files (name -> text, in the state directory).
	 */
	static async start(options = {}) {
		const gw = new Gateway();

		gw.dir = tempDir('gw');
		gw.state = path.join(gw.dir, 'state');
		gw.configPath = path.join(gw.state, 'chela.json');
		gw.token = `tok-${randomBytes(12).toString('hex')}`;
		gw.auth = options.auth ?? 'token';
		gw.options = options;
		mkdirSync(gw.state, { mode: 0o700 });
		gw.port = options.port ?? await freePort();
		gw.writeConfig(options.config ?? {});
		for (const [name, text] of Object.entries(options.files ?? {})) {
			mkdirSync(path.dirname(path.join(gw.state, name)), { recursive: true });
			writeFileSync(path.join(gw.state, name), text);
		}
		await gw.launch();
		return gw;
	}

	get url() {
		return `http://127.0.0.1:${this.port}`;
	}

	get env() {
		return cleanEnv({ HOME: this.dir, CHELA_STATE_DIR: this.state, NO_COLOR: '1', ...this.options.env });
	}

	writeConfig(config) {
		const auth = this.auth === 'none' ? { mode: 'none' } : { mode: this.auth, [this.auth]: this.token };

		this.config = merge({ gateway: { port: this.port, auth } }, config);
		this.replaceConfig(JSON.stringify(this.config, null, 2));
	}

	/* As editors do: nobody reads half of it. */
	replaceConfig(text) {
		writeFileSync(`${this.configPath}.new`, text, { mode: 0o600 });
		renameSync(`${this.configPath}.new`, this.configPath);
	}

	async launch() {
		const argv = [...(this.options.prefix ?? []), CHELA, 'gateway', 'run', '--port', String(this.port),
			...(this.options.args ?? [])];

		this.proc = new Proc(argv[0], argv.slice(1), { env: this.env, cwd: this.dir });
		try {
			await this.proc.line(/is running/, 'the line "chela … is running"', START_MS);
		} catch (e) {
			await this.stop();
			throw e;
		}
		return this;
	}

	/* Stops it as a person would; a gateway that does not end cleanly is a failure. */
	async stop() {
		try {
			await this.#end();
		} finally {
			if (this.dir)
				removeDir(this.dir);
		}
	}

	async #end() {
		if (!this.proc || this.proc.exit)
			return;
		const exit = await this.proc.stop('SIGTERM', 20000);

		assert.deepEqual(exit, { code: 0, signal: null }, `the gateway ended badly\n${this.log()}`);
	}

	async kill() {
		await this.proc.stop('SIGKILL');
	}

	async restart() {
		await this.#end();
		await this.launch();
	}

	/* A connected operator client; see Client.open for the options. */
	async connect(options = {}) {
		const auth = this.auth === 'none' ? undefined : { [this.auth]: this.token };

		return Client.open(`ws://127.0.0.1:${this.port}/`, { auth, ...options });
	}

	/* A WebSocket that got its challenge and has sent nothing. */
	async raw(options = {}) {
		return Client.raw(`ws://127.0.0.1:${this.port}/`, options);
	}

	/* Runs a CLI verb against this gateway. */
	async cli(args, options = {}) {
		return run(CHELA, args, { ...options, env: { ...this.env, ...options.env }, cwd: options.cwd ?? this.dir });
	}

	async http(target, { method = 'GET', headers = {}, body, ms } = {}) {
		const answer = new Promise((resolve, reject) => {
			const req = http.request({ host: '127.0.0.1', port: this.port, path: target, method, headers, agent: false },
				(res) => {
					const parts = [];

					res.on('data', (d) => parts.push(d));
					res.on('end', () => resolve({ status: res.statusCode, headers: res.headers, raw: Buffer.concat(parts),
						get text() { return this.raw.toString('utf8'); },
						get json() { return JSON.parse(this.text); } }));
					res.on('error', reject);
				});

			req.on('error', reject);
			req.end(body);
		});

		return within(answer, `${method} ${target} to be answered`, ms);
	}

	/* Still answers, and quickly: what every attack test ends with. */
	async assertAlive() {
		assert.equal(this.proc.exit, null, `the gateway died\n${this.log()}`);
		const c = await this.connect();

		try {
			const health = await c.call('health');

			assert.equal(health.ok, true);
		} finally {
			await c.close();
		}
	}

	/* What its database says, as sqlite3 prints it. */
	async sql(query) {
		const r = await run('sqlite3', ['-readonly', path.join(this.state, 'chela.sqlite'), query]);

		assert.equal(r.code, 0, r.stderr);
		return r.stdout.trim();
	}

	logFile() {
		const file = path.join(this.state, 'logs', 'gateway.log');

		return existsSync(file) ? readFileSync(file, 'utf8') : '';
	}

	log() {
		return `${this.proc?.tail() ?? 'not started'}\n--- log file\n${this.logFile().slice(-6000)}`;
	}
}

/* A test with a gateway of its own; its log is shown when the test fails. */
export function gatewayTest(name, options, body) {
	if (typeof options === 'function')
		[options, body] = [{}, options];
	test(name, { timeout: options.timeout ?? 120000, concurrency: options.concurrency }, async (t) => {
		const gw = await Gateway.start(typeof options.gateway === 'function' ? await options.gateway(t) : options.gateway ?? {});

		try {
			await body(gw, t);
		} catch (e) {
			t.diagnostic(gw.log());
			console.error(gw.log());
			await gw.stop().catch((stopError) => console.error(String(stopError)));
			throw e;
		}
		await gw.stop();
	});
}
