/*
 * pulse.mjs - asks one gateway for its health, again and again, from a thread of its own, and tells how long each answer
 * took. What the kernel let either side wait for a processor is not the gateway's doing and is told beside it.
 */
import { readFileSync } from 'node:fs';
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';
import { fileURLToPath } from 'node:url';
import { Client } from './client.mjs';

const PAUSE_MS = 10;

/* Milliseconds in which a thread could have run and had no processor; 0 where the kernel does not count. */
function waited(file) {
	try {
		return Number(readFileSync(file, 'utf8').split(' ')[1]) / 1e6;
	} catch {
		return 0;
	}
}

async function ask({ url, token, pid }) {
	const c = await Client.open(url, { auth: { token }, scopes: ['operator.read'] });
	const files = [`/proc/${pid}/task/${pid}/schedstat`, '/proc/thread-self/schedstat'];
	const sum = () => files.reduce((ms, f) => ms + waited(f), 0);
	let going = true;

	parentPort.on('message', () => { going = false; });
	parentPort.postMessage({ ready: true });
	const samples = [];

	while (going) {
		const before = sum(), at = performance.now();

		await c.call('health', {}, { ms: 60000 });
		const wall = performance.now() - at;

		samples.push({ wall, own: Math.max(0, wall - (sum() - before)) });
		c.frames.items.length = 0;
		await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
	}
	c.terminate();
	parentPort.postMessage({ samples });
	parentPort.close();
}

export class Pulse {
	static async start(gw) {
		const p = new Pulse();

		p.worker = new Worker(fileURLToPath(import.meta.url), { workerData: { url: `ws://127.0.0.1:${gw.port}/`, token: gw.token,
			pid: gw.proc.pid } });
		await p.#message();
		return p;
	}

	#message() {
		return new Promise((resolve, reject) => {
			this.worker.once('message', resolve);
			this.worker.once('error', reject);
		});
	}

	/* {count, p50, p99, second, p100, wall}: of the gateway's own time, second and p100 the worst two, and the worst by the clock. */
	async stop() {
		const done = this.#message();

		this.worker.postMessage('stop');
		const { samples } = await done;
		const own = samples.map((s) => s.own).sort((a, b) => a - b);
		const at = (q) => own[Math.min(own.length - 1, Math.floor(q * own.length))];

		return { count: own.length, p50: at(0.5), p99: at(0.99), p100: own.at(-1), second: own.at(-2), wall: Math.max(...samples.map((s) => s.wall)) };
	}
}

if (!isMainThread)
	await ask(workerData);
