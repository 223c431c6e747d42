/* wait.mjs - waiting for something to happen, always with a deadline that names what was missed. */

export const DEADLINE_MS = Number(process.env.E2E_DEADLINE_MS ?? 30000);
export const START_MS = Math.max(30000, DEADLINE_MS);
/* A test has several waits, each of which says what it missed: it is not cut before one could. */
export const TEST_MS = 4 * DEADLINE_MS;

/* what: words, or what gives them when it is too late. */
const missed = (what, ms) => new Error(`not within ${ms} ms: ${typeof what === 'function' ? what() : what}`);

/* Settles as the promise does, or rejects when the deadline passes first. */
export function within(promise, what, ms = DEADLINE_MS) {
	let timer;
	const late = new Promise((_, reject) => {
		timer = setTimeout(() => reject(missed(what, ms)), ms);
	});

	return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/* A list that can be waited on: find() looks at what is there, then at what comes. */
export class Log {
	#waiters = new Set();
	items = [];
	closed = null;

	push(item) {
		this.items.push(item);
		for (const w of [...this.#waiters])
			w(item, this.items.length - 1);
	}

	/* Nothing more comes: who still waits fails with the reason. */
	close(reason) {
		this.closed ??= reason;
		for (const w of [...this.#waiters])
			w(null, -1);
	}

	/* The first item from index `from` on that matches; resolves to {item, index}. */
	find(match, { from = 0, what = 'an item', ms = DEADLINE_MS } = {}) {
		for (let i = from; i < this.items.length; i++)
			if (match(this.items[i]))
				return Promise.resolve({ item: this.items[i], index: i });
		if (this.closed)
			return Promise.reject(new Error(`${what} never came: ${this.closed}`));
		let waiter;
		const found = new Promise((resolve, reject) => {
			waiter = (item, index) => {
				if (index < 0)
					reject(new Error(`${what} never came: ${this.closed}`));
				else if (match(item))
					resolve({ item, index });
			};
			this.#waiters.add(waiter);
		});

		return within(found, what, ms).finally(() => this.#waiters.delete(waiter));
	}
}

/* Stops each in turn, also after one that ends badly: what is left would keep the process of the tests. */
export async function stopAll(...things) {
	const errors = [];

	for (const thing of things) {
		try {
			await thing?.stop();
		} catch (e) {
			errors.push(e);
		}
	}
	if (errors.length)
		throw errors[0];
}

const ending = new WeakMap();

/* Stops things when the test t is over, in this order: of several t.after() none is called behind one that fails. */
export function stopAfter(t, ...things) {
	if (!ending.has(t)) {
		ending.set(t, []);
		t.after(() => stopAll(...ending.get(t)));
	}
	ending.get(t).push(...things);
}

/* For state that sends no event (another process's memory, a file): looks again until it holds. */
export async function until(look, what, ms = DEADLINE_MS) {
	const end = Date.now() + ms;

	for (;;) {
		const value = await look();

		if (value)
			return value;
		if (Date.now() > end)
			throw missed(what, ms);
		await new Promise((resolve) => setTimeout(resolve, 20));
	}
}
