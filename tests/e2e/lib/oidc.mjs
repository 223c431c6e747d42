/* oidc.mjs - the authorization server of tests/doubles/oidc_server.mjs, and a browser that signs in there. */
import path from 'node:path';
import { E2E_DIR, NODE_NEW, ROOT } from './peers.mjs';
import { Proc, cleanEnv, removeDir, tempDir } from './proc.mjs';

export class Oidc {
	static async start() {
		const o = new Oidc();

		o.dir = tempDir('oidc');
		o.proc = new Proc(NODE_NEW, [path.join(ROOT, 'tests', 'doubles', 'oidc_server.mjs'), path.join(E2E_DIR, 'package.json')],
			{ env: cleanEnv({ NODE_NO_WARNINGS: '1' }), cwd: o.dir });
		o.issuer = (await o.proc.line(/^http:/, 'the authorization server to listen')).item.text;
		return o;
	}

	/* Changes how it behaves; gives what it did so far. */
	async set(change) {
		const r = await fetch(`${this.issuer}/__test`, { method: change ? 'POST' : 'GET', body: change && JSON.stringify(change) });

		return r.json();
	}

	get config() {
		return { issuer: this.issuer, clientId: 'chela-test' };
	}

	async stop() {
		await this.proc.stop('SIGKILL');
		removeDir(this.dir);
	}
}

/* Cookies, redirects and forms: all that signing in takes. */
export class Browser {
	#cookies = new Map();

	async #once(url, init = {}) {
		const cookie = [...this.#cookies].map(([k, v]) => `${k}=${v}`).join('; ');
		const r = await fetch(url, { redirect: 'manual', ...init, headers: { ...init.headers, cookie } });

		for (const line of r.headers.getSetCookie()) {
			const [pair] = line.split(';');
			const at = pair.indexOf('=');

			this.#cookies.set(pair.slice(0, at), pair.slice(at + 1));
		}
		return r;
	}

	/* Follows redirects up to the first address for which stop() holds; gives {url, response}. */
	async go(url, { stop = () => false, ...init } = {}) {
		for (let hops = 0; hops < 20; hops++) {
			if (stop(url))
				return { url };
			const response = await this.#once(url, init);
			const to = response.headers.get('location');

			if (!to)
				return { url, response, text: await response.text() };
			url = new URL(to, url).href;
			init = {};
		}
		throw new Error('the redirects go round in circles');
	}

	/* The page's form, with more fields. */
	async submit(page, fields) {
		const action = new URL(/action="([^"]+)"/.exec(page.text)[1], page.url).href;
		const hidden = [...page.text.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)"/g)].map((m) => [m[1], m[2]]);

		return this.go(action, { method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded' },
			body: new URLSearchParams({ ...Object.fromEntries(hidden), ...fields }).toString() });
	}

	/* Types a device's code in, and agrees or not; gives the last page. */
	async enterCode(url, code, answer) {
		const asked = await this.go(url);
		const confirm = await this.submit(asked, { user_code: code });

		return this.submit(confirm, { [answer]: 'yes' });
	}
}
