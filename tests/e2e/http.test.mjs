/* http.test.mjs - the HTTP side: probes, the page, static files, and peers that do not play fair. */
import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { gatewayTest } from './lib/gateway.mjs';
import { within } from './lib/wait.mjs';

/* Bytes in, bytes out, until the gateway hangs up. */
async function rawHttp(gw, bytes, { ms = 15000, keepOpen = false } = {}) {
	const socket = net.connect(gw.port, '127.0.0.1');
	const parts = [];

	socket.on('error', () => undefined);             /* a reset after the answer is fine */
	socket.on('data', (d) => parts.push(d));
	const ended = new Promise((resolve) => socket.once('close', resolve));

	socket.write(bytes);
	if (!keepOpen)
		await within(ended, () => `the gateway to hang up after ${JSON.stringify(String(bytes).slice(0, 80))}: ` +
			Buffer.concat(parts).toString('latin1').slice(0, 200), ms);
	return { socket, ended, get text() { return Buffer.concat(parts).toString('latin1'); } };
}

const statusOf = (text) => Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1]);

/* -- probes -- */

gatewayTest('probes answer without credentials', async (gw) => {
	for (const target of ['/health', '/healthz']) {
		const r = await gw.http(target);

		assert.equal(r.status, 200);
		assert.deepEqual(r.json, { ok: true, status: 'live' });
	}
	for (const target of ['/ready', '/readyz']) {
		const r = await gw.http(target);

		assert.equal(r.status, 200);
		assert.equal(r.json.ready, true);
		assert.deepEqual(r.json.failing, []);
		assert.equal(typeof r.json.uptimeMs, 'number');
	}
	for (const target of ['/startup', '/startupz']) {
		const r = await gw.http(target);

		assert.equal(r.status, 200);
		assert.equal(r.json.ok, true);
		assert.equal(r.json.status, 'started');
	}
	const head = await gw.http('/healthz', { method: 'HEAD' });

	assert.equal(head.status, 200);
	assert.equal(head.raw.length, 0);
	assert.equal(Number(head.headers['content-length']), Buffer.byteLength('{"ok":true,"status":"live"}'));
});

gatewayTest('methods nobody serves are refused with what is allowed', async (gw) => {
	for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
		for (const target of ['/healthz', '/', '/chat']) {
			const r = await gw.http(target, { method });

			assert.equal(r.status, 405, `${method} ${target}`);
			assert.match(r.headers.allow ?? '', /GET/);
		}
	}
	const connect = await rawHttp(gw, 'CONNECT a:1 HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n');

	assert.ok([400, 405, 501].includes(statusOf(connect.text)), connect.text);
	const unknown = await rawHttp(gw, 'BREW / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n');

	assert.ok([400, 405, 501].includes(statusOf(unknown.text)), unknown.text);
});

/* -- the page -- */

gatewayTest('the page and its security headers', async (gw) => {
	for (const target of ['/', '/chat', '/some/deep/route', '/?x=1']) {
		const r = await gw.http(target);

		assert.equal(r.status, 200, target);
		assert.match(r.headers['content-type'], /^text\/html/);
		assert.equal(r.headers['x-content-type-options'], 'nosniff');
		assert.equal(r.headers['x-frame-options'], 'DENY');
		assert.equal(r.headers['referrer-policy'], 'no-referrer');
		const csp = r.headers['content-security-policy'];

		for (const rule of ["default-src 'self'", "script-src 'self'", "object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"])
			assert.ok(csp.includes(rule), `${rule} in ${csp}`);
		assert.ok(!/unsafe-inline|unsafe-eval|\*/.test(csp), csp);
		assert.ok(!/<script(?![^>]*\ssrc=)[^>]*>[^<]/i.test(r.text), 'no inline script');
		assert.ok(!r.text.includes(gw.token), 'the page never carries the token');
	}
});

gatewayTest('assets are precompressed, immutable and revalidated', async (gw) => {
	const page = await gw.http('/');
	const assets = [...page.text.matchAll(/(?:src|href)="([^"]+\.(?:js|css))"/g)].map((m) => m[1]);

	assert.ok(assets.length >= 2, `the page names its script and its style: ${page.text.slice(0, 500)}`);
	for (const asset of assets) {
		const target = new URL(asset, `${gw.url}/`).pathname;
		const plain = await gw.http(target);

		assert.equal(plain.status, 200, target);
		assert.match(plain.headers['cache-control'] ?? '', /immutable/);
		const zipped = await gw.http(target, { headers: { 'Accept-Encoding': 'gzip' } });

		assert.equal(zipped.headers['content-encoding'], 'gzip');
		assert.match(zipped.headers.vary ?? '', /accept-encoding/i);
		assert.ok(zipped.raw.length < plain.raw.length);
		const again = await gw.http(target, { headers: { 'If-None-Match': plain.headers.etag } });

		assert.equal(again.status, 304);
		assert.equal(again.raw.length, 0);
	}
	for (const target of ['/nope.js', '/assets/nope.css', '/favicon-nope.png'])
		assert.equal((await gw.http(target)).status, 404, target);
});

gatewayTest('the settings of the page need a bearer', async (gw) => {
	for (const target of ['/control-ui-config.json', '/__openclaw/control-ui-config.json', '/__openclaw__/control-ui-config.json']) {
		for (const headers of [{}, { Authorization: 'Bearer nope' }, { Authorization: `Basic ${gw.token}` }]) {
			const r = await gw.http(target, { headers });

			assert.equal(r.status, 401, target);
			assert.deepEqual(r.json, { error: { message: 'Unauthorized', type: 'unauthorized' } });
		}
		const r = await gw.http(target, { headers: { Authorization: `Bearer ${gw.token}` } });

		assert.equal(r.status, 200);
		for (const key of ['basePath', 'assistantName', 'assistantAgentId', 'serverVersion', 'embedSandbox', 'terminalEnabled'])
			assert.ok(key in r.json, key);
	}
	const query = await gw.http(`/control-ui-config.json?token=${gw.token}`);

	assert.equal(query.status, 401, 'a token in the address is no credential');
	assert.ok(!gw.logFile().includes(gw.token), 'and it is in no log');
});

/* -- static files stay inside -- */

gatewayTest('no path leads out of gateway.controlUi.root', {
	gateway: async () => ({ config: { gateway: { controlUi: { root: '' } } } }),
}, async (gw) => {
	const root = path.join(gw.dir, 'ui');

	mkdirSync(path.join(root, 'assets'), { recursive: true });
	writeFileSync(path.join(root, 'index.html'), '<html><head></head><body>page</body></html>');
	writeFileSync(path.join(root, 'assets', 'a.js'), 'ok');
	writeFileSync(path.join(gw.dir, 'secret.txt'), 'SECRET');
	symlinkSync(path.join(gw.dir, 'secret.txt'), path.join(root, 'link.txt'));
	symlinkSync(gw.dir, path.join(root, 'up'));
	gw.writeConfig({ gateway: { controlUi: { root } } });
	await gw.restart();
	assert.equal((await gw.http('/assets/a.js')).text, 'ok');
	for (const target of ['/../secret.txt', '/assets/../../secret.txt', '/%2e%2e/secret.txt', '/..%2fsecret.txt', '/%2e%2e%2fsecret.txt',
		'/assets/%2e%2e/%2e%2e/secret.txt', '/..%5csecret.txt', '/....//secret.txt', '/assets/..;/..;/secret.txt', '/link.txt',
		'/up/secret.txt', `//${gw.dir}/secret.txt`, `/%2f${gw.dir.slice(1)}/secret.txt`, '/assets/a.js%00.txt', '/secret.txt%00.js',
		'/%c0%ae%c0%ae/secret.txt', '/%252e%252e/secret.txt', '/assets//../../secret.txt', '/etc/passwd.txt', 'http://evil.example/../secret.txt']) {
		const { text } = await rawHttp(gw, `GET ${target} HTTP/1.1\r\nHost: 127.0.0.1:${gw.port}\r\nConnection: close\r\n\r\n`);

		assert.ok(!text.includes('SECRET'), `${target} leaked`);
		assert.ok([400, 403, 404].includes(statusOf(text)), `${target}: ${text.slice(0, 120)}`);
	}
	await gw.assertAlive();
});

/* -- requests that are none -- */

const BAD_REQUESTS = [
	['no Host', 'GET / HTTP/1.1\r\n\r\n', 400],
	['two Hosts', 'GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: localhost\r\n\r\n', 400],
	['a name of somebody else', 'GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n', [400, 403]],
	['length and chunks at once', 'POST /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 400],
	['two lengths', 'POST /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!', 400],
	['a negative length', 'POST /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -5\r\n\r\n', 400],
	['a folded header', 'GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: a\r\n b\r\n\r\n', 400],
	['white space before the colon', 'GET / HTTP/1.1\r\nHost : 127.0.0.1\r\n\r\n', 400],
	['a bare line feed', 'GET / HTTP/1.1\nHost: 127.0.0.1\n\n', 400],
	['a NUL in a header', 'GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: a\0b\r\n\r\n', 400],
	['a NUL in the path', 'GET /a\0b HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n', 400],
	['another protocol', 'HELO mail\r\n\r\n', 400],
	['a TLS hello', Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03, 0x0d, 0x0a, 0x0d, 0x0a]), 400],
	['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', [400, 505]],
	['HTTP/3.0', 'GET / HTTP/3.0\r\nHost: 127.0.0.1\r\n\r\n', [400, 505]],
	['an unknown transfer encoding', 'POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: zip\r\n\r\n', [400, 501]],
	['a long target', `GET /${'a'.repeat(9000)} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`, 414],
	['headers of 20 KiB', `GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ${'a'.repeat(20000)}\r\n\r\n`, 431],
	['200 headers', `GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n${'X: a\r\n'.repeat(200)}\r\n`, 431],
	['a body of 1 GiB', 'POST /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1073741824\r\n\r\n', [405, 413]],
	['an unknown expectation', 'GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nExpect: a-miracle\r\nConnection: close\r\n\r\n', 417],
	['an upgrade to something else', 'GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n', 400],
];

for (const [name, bytes, status] of BAD_REQUESTS) {
	gatewayTest(`${name} is answered ${[status].flat().join(' or ')} and hung up on`, async (gw) => {
		const { text } = await rawHttp(gw, bytes);

		assert.ok([status].flat().includes(statusOf(text)), text.slice(0, 200) || 'nothing');
		await gw.assertAlive();
	});
}

gatewayTest('WebSocket requests that are not quite right', async (gw) => {
	const head = (lines) => `GET / HTTP/1.1\r\nHost: 127.0.0.1:${gw.port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${lines}\r\n`;

	for (const [lines, status] of [
		['Sec-WebSocket-Version: 13\r\n', 400],
		['Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: short\r\n', 400],
		['Sec-WebSocket-Version: 8\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n', 426],
	]) {
		const { text } = await rawHttp(gw, head(lines));

		assert.equal(statusOf(text), status, text);
	}
	const c = await gw.raw({ headers: { 'Sec-WebSocket-Extensions': 'permessage-deflate' } });

	assert.equal(c.ws.extensions, '', 'no compression is agreed on');
	c.terminate();
});

gatewayTest('keep-alive and pipelined requests are answered in order', async (gw) => {
	const one = (target, close) => `GET ${target} HTTP/1.1\r\nHost: 127.0.0.1\r\n${close ? 'Connection: close\r\n' : ''}\r\n`;
	const { text } = await rawHttp(gw, one('/healthz') + one('/readyz') + one('/nope.js') + one('/startupz', true));
	const seen = [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map((m) => m[1]);

	assert.deepEqual(seen, ['200', '200', '404', '200']);
	assert.ok(text.indexOf('"live"') < text.indexOf('"ready"') && text.indexOf('"ready"') < text.indexOf('"started"'));
});

gatewayTest('dripping headers run into a deadline while others are served', { timeout: 90000 }, async (gw) => {
	const slow = await Promise.all(Array.from({ length: 50 }, () => rawHttp(gw, 'GET / HTTP/1.1\r\n', { keepOpen: true })));
	const started = Date.now();
	const drip = setInterval(() => slow.forEach((s) => s.socket.destroyed || s.socket.write('X: a\r\n')), 500);

	try {
		await gw.assertAlive();
		await within(Promise.all(slow.map((s) => s.ended)), 'the dripping sockets to be closed', 25000);
		assert.ok(Date.now() - started > 5000, 'a slow but honest client has some seconds');
		assert.ok(slow.every((s) => s.text === '' || statusOf(s.text) === 408), slow[0].text);
		await gw.assertAlive();
	} finally {
		clearInterval(drip);
	}
});
