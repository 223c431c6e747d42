/* proc.mjs - child processes and temporary directories that never outlive the test. */
import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { Log, within } from './wait.mjs';

const alive = new Set();
const dirs = new Set();

/* A test that throws or is cut by its runner still leaves nothing behind. */
process.on('exit', () => {
	for (const p of alive)
		p.killNow('SIGKILL');
	for (const d of dirs)
		rmSync(d, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
	process.on(signal, () => process.exit(1));

export function tempDir(name = 'e2e') {
	const dir = mkdtempSync(path.join(os.tmpdir(), `chela-${name}-`));

	dirs.add(dir);
	return dir;
}

export function removeDir(dir) {
	rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
	dirs.delete(dir);
}

const canListen = (port) => new Promise((resolve) => {
	const server = net.createServer();

	server.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
});

/* The kernel gives the ports of this range to outgoing connections: one of them may be gone before its owner listens, or starts anew. */
const [EPHEMERAL] = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').split(/\s+/).map(Number);
const PORT_MIN = 10000;

/* A port that stays free until somebody asks for this very one. */
export async function freePort() {
	for (let tries = 0; tries < 100; tries++) {
		const port = EPHEMERAL > PORT_MIN ? randomInt(PORT_MIN, EPHEMERAL) : 0;

		if (await canListen(port))
			return port;
	}
	throw new Error(`no free port from ${PORT_MIN} to ${EPHEMERAL}`);
}

/* The environment of a child: ours without anything that would change what it does. */
export function cleanEnv(extra = {}) {
	const env = { PATH: process.env.PATH, LANG: 'C.UTF-8', TMPDIR: os.tmpdir(), HOME: '/nonexistent' };

	for (const k of ['ASAN_OPTIONS', 'UBSAN_OPTIONS', 'LSAN_OPTIONS'])
		if (process.env[k])
			env[k] = process.env[k];
	return { ...env, ...extra };
}

/* A child in a process group of its own, its output kept line by line. */
export class Proc {
	lines = new Log();               /* { from: 'out' | 'err', text } */
	stdout = '';
	stderr = '';
	exit = null;                     /* { code, signal } */

	constructor(cmd, args, { env, cwd, stdin = 'ignore', group = true } = {}) {
		this.name = path.basename(cmd);
		this.child = spawn(cmd, args, { env, cwd, stdio: [stdin, 'pipe', 'pipe'], detached: group });
		this.group = group;
		alive.add(this);
		this.exited = new Promise((resolve) => {
			this.child.once('error', (e) => this.#end({ code: null, signal: null, error: e }, resolve));
			this.child.once('close', (code, signal) => this.#end({ code, signal }, resolve));
		});
		this.#collect('out', this.child.stdout);
		this.#collect('err', this.child.stderr);
	}

	get pid() {
		return this.child.pid;
	}

	#end(exit, resolve) {
		this.exit = exit;
		alive.delete(this);
		this.lines.close(`${this.name} ended (${exit.error ?? exit.signal ?? `exit ${exit.code}`})\n${this.tail()}`);
		resolve(exit);
	}

	#collect(from, stream) {
		let rest = '';

		stream.setEncoding('utf8').on('data', (text) => {
			this[from === 'out' ? 'stdout' : 'stderr'] += text;
			const parts = (rest + text).split('\n');

			rest = parts.pop();
			for (const line of parts)
				this.lines.push({ from, text: line });
		});
	}

	line(match, what = `a line like ${match} of ${this.name}`, ms) {
		return this.lines.find((l) => match.test(l.text), { what, ms });
	}

	tail(n = 4000) {
		return `--- stdout of ${this.name}\n${this.stdout.slice(-n)}\n--- stderr\n${this.stderr.slice(-n)}`;
	}

	/* It ends with us, and does not keep us from ending. */
	letGo() {
		for (const handle of [this.child, this.child.stdout, this.child.stderr])
			handle.unref();
	}

	killNow(signal) {
		if (this.exit || !this.child.pid)
			return;
		try {
			process.kill(this.group ? -this.child.pid : this.child.pid, signal);
		} catch (e) {
			if (e.code !== 'ESRCH')
				throw e;
		}
	}

	/* Ends it: politely, then not; gives how it ended. */
	async stop(signal = 'SIGTERM', ms = 15000) {
		this.killNow(signal);
		try {
			return await within(this.exited, `${this.name} (pid ${this.pid}) to end after ${signal}\n${this.tail()}`, ms);
		} catch (e) {
			this.killNow('SIGKILL');
			await this.exited;
			throw e;
		}
	}
}

/* Runs to its end: { code, signal, stdout, stderr, ms }. */
export async function run(cmd, args, { env, cwd, input, ms = 30000 } = {}) {
	const started = process.hrtime.bigint();
	const p = new Proc(cmd, args, { env, cwd, stdin: input === undefined ? 'ignore' : 'pipe' });

	if (input !== undefined) {
		p.child.stdin.on('error', (e) => {
			if (e.code !== 'EPIPE')
				throw e;
		});
		p.child.stdin.end(input);
	}
	try {
		await within(p.exited, () => `${cmd} ${args.join(' ')} to end\n${p.tail()}`, ms);
	} catch (e) {
		p.killNow('SIGKILL');
		await p.exited;
		throw e;
	}
	if (p.exit.error)
		throw p.exit.error;
	return { ...p.exit, stdout: p.stdout, stderr: p.stderr, ms: Number(process.hrtime.bigint() - started) / 1e6 };
}
