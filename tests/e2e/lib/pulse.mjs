/*
 * pulse.mjs - asks one gateway for its health, again and again, from two threads of their own, and tells how long each answer
 * took. What is not the gateway's doing is taken out and told beside it: what the kernel let either side wait for a processor,
 * and what only one of the two has waited. A gateway that answers a question of the other that came later is not what keeps the first.
 */
import { readFileSync } from 'node:fs';
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';
import { fileURLToPath } from 'node:url';
import { Client } from './client.mjs';

const PAUSE_MS = 10;
const ASKERS = 2;

/* Milliseconds in which a thread could have run and had no processor; 0 where the kernel does not count. */
function waited(file) {
	try {
		return Number(readFileSync(file, 'utf8').split(' ')[1]) / 1e6;
	} catch {
		return 0;
	}
}

/* The same clock in all threads. */
const now = () => Number(process.hrtime.bigint()) / 1e6;

async function ask({ url, token, pid }) {
	const c = await Client.open(url, { auth: { token }, scopes: ['operator.read'] });
	const files = [`/proc/${pid}/task/${pid}/schedstat`, '/proc/thread-self/schedstat'];
	const sum = () => files.reduce((ms, f) => ms + waited(f), 0);
	let going = true;

	parentPort.on('message', () => { going = false; });
	parentPort.postMessage({ ready: true });
	const samples = [];

	while (going) {
		const before = sum(), from = now();

		await c.call('health', {}, { ms: 60000 });
		const to = now();

		samples.push({ from, to, own: Math.max(0, to - from - (sum() - before)) });
		c.frames.items.length = 0;
		await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
	}
	c.terminate();
	parentPort.postMessage({ samples });
	parentPort.close();
}

/* How long the gateway itself can have kept each question: until it answered one of the others that was asked later. */
function judged(samples, others) {
	let i = 0;

	return samples.map(({ from, to, own }) => {
		while (i < others.length && others[i].from < from)
			i++;
		return { wall: to - from, own: Math.min(own, i < others.length ? others[i].to - from : Infinity) };
	});
}

export class Pulse {
	static async start(gw) {
		const p = new Pulse(), workerData = { url: `ws://127.0.0.1:${gw.port}/`, token: gw.token, pid: gw.proc.pid };

		p.workers = Array.from({ length: ASKERS }, () => new Worker(fileURLToPath(import.meta.url), { workerData }));
		await p.#messages();
		return p;
	}

	#messages() {
		return Promise.all(this.workers.map((worker) => new Promise((resolve, reject) => {
			worker.once('message', resolve);
			worker.once('error', reject);
		})));
	}

	/*
	 * {count, p50, p99, second, p100, wall}: of the gateway's own time; p100 the worst, second the next worst of either thread, as
	 * one delay keeps both; and the worst by the clock.
	 */
	async stop() {
		const done = this.#messages();

		for (const worker of this.workers)
			worker.postMessage('stop');
		const [a, b] = (await done).map((m) => m.samples);
		const each = [judged(a, b), judged(b, a)], all = each.flat();
		const sorted = (list) => list.map((s) => s.own).sort((x, y) => x - y);
		const own = sorted(all);
		const at = (q) => own[Math.min(own.length - 1, Math.floor(q * own.length))];

		return { count: own.length, p50: at(0.5), p99: at(0.99), p100: own.at(-1), second: Math.max(...each.map((s) => sorted(s).at(-2))), wall: Math.max(...all.map((s) => s.wall)) };
	}
}

if (!isMainThread)
	await ask(workerData);
