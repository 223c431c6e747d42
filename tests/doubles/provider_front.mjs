/*
 * provider_front.mjs - what stands before the npm model mock and is as strict as the platforms.
 *
 * One server for all dialects, told apart by the first part of the path. It checks the key or the AWS signature, then the
 * dialect's contract (contracts.mjs), keeps what was asked, and passes it on; or it answers itself, in the dialect's own
 * stream, what the mock cannot say.
 */
import { once } from 'node:events';
import http from 'node:http';
import { require } from '../e2e/lib/peers.mjs';
import { bodyOf } from './body.mjs';
import { contracts } from './contracts.mjs';

const { SignatureV4 } = require('@smithy/signature-v4');
const { Sha256 } = require('@aws-crypto/sha256-js');
const { EventStreamCodec } = require('@smithy/core/event-streams');

export const AWS = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY', region: 'eu-west-1',
	sessionToken: 'SESSION/with+chars==' };

/* AWS's own signer signs the request that came; both signatures must be the same. */
export async function awsRefuses(req, raw, credentials = AWS) {
	const [, scope, names] = /Credential=([^,]+), SignedHeaders=([^,]+), /.exec(req.headers.authorization ?? '') ?? [];

	if (!scope)
		return 'Missing Authentication Token';
	const signer = new SignatureV4({ service: 'bedrock', region: credentials.region, sha256: Sha256, applyChecksum: false, credentials });
	const date = req.headers['x-amz-date'];
	const headers = Object.fromEntries(names.split(';').filter((n) => !n.startsWith('x-amz-')).map((n) => [n, req.headers[n]]));
	const signed = await signer.sign({ method: req.method, protocol: 'http:', hostname: '127.0.0.1', path: req.url, query: {}, headers, body: raw },
		{ signingDate: new Date(date.replace(/^(....)(..)(..)T(..)(..)(..)Z$/, '$1-$2-$3T$4:$5:$6Z')) });

	if (Math.abs(Date.now() - Date.parse(date.replace(/^(....)(..)(..)T(..)(..)(..)Z$/, '$1-$2-$3T$4:$5:$6Z'))) > 5 * 60e3)
		return 'Signature expired';
	return signed.headers.authorization === req.headers.authorization ? null
		: 'The request signature we calculated does not match the signature you provided.';
}

const utf8 = (b) => Buffer.from(b).toString('utf8');
const codec = new EventStreamCodec(utf8, (s) => Buffer.from(s, 'utf8'));
const text = (value) => ({ type: 'string', value });

/* A stream's events on the wire; an event is [name, data]. */
const wires = {
	sse: { type: 'text/event-stream', encode: ([name, data]) => `${name ? `event: ${name}\n` : ''}data: ${JSON.stringify(data)}\n\n` },
	ndjson: { type: 'application/x-ndjson', encode: ([, data]) => `${JSON.stringify(data)}\n` },
	eventstream: { type: 'application/vnd.amazon.eventstream', encode: ([name, data]) => Buffer.from(codec.encode({
		headers: { ':event-type': text(name), ':content-type': text('application/json'), ':message-type': text('event') },
		body: Buffer.from(JSON.stringify(data)) })) },
};

export class ProviderFront {
	asked = [];
	answers = [];

	/* dialects: { name: { contract, key: {header, value} | 'aws', credentials, wire, to: (path) => path of the mock, forMock: what the mock does not know left out } } */
	static async start(mock, dialects) {
		const f = new ProviderFront();

		Object.assign(f, { mock, dialects });
		f.server = http.createServer((req, res) => f.#request(req, res).catch((e) => {
			f.#refuse(res, 500, `the double broke: ${e.stack}`);
		}));
		f.server.listen(0, '127.0.0.1');
		await once(f.server, 'listening');
		f.url = `http://127.0.0.1:${f.server.address().port}`;
		return f;
	}

	/* The next request of this dialect whose body says `marker` gets these events instead of the mock's answer. */
	answer(dialect, marker, events) {
		this.answers.push({ dialect, marker, events });
	}

	/* What a dialect was asked, of those requests that say `marker`. */
	of(dialect, marker) {
		return this.asked.filter((a) => a.dialect === dialect && a.raw.includes(marker));
	}

	#refuse(res, status, message) {
		res.writeHead(status, { 'content-type': 'application/json' });
		res.end(JSON.stringify({ error: { message, type: status === 401 ? 'authentication_error' : 'invalid_request_error' }, message }));
	}

	async #request(req, res) {
		const sent = await bodyOf(req);

		if (!sent)
			return undefined;
		const raw = sent.toString('utf8');
		const [, name, path] = /^\/([^/]+)(\/.*)$/.exec(req.url);
		const d = this.dialects[name], body = JSON.parse(raw);
		const wrong = d.key === 'aws' && !req.headers.authorization?.startsWith('Bearer') ? await awsRefuses(req, raw, d.credentials)
			: req.headers[d.key.header ?? 'authorization'] === (d.key.value ?? 'Bearer of a key') ? null : 'Invalid API key';

		if (wrong)
			return this.#refuse(res, 401, wrong);
		const reason = contracts[d.contract]({ body, headers: req.headers, model: path });

		this.asked.push({ dialect: name, path, headers: req.headers, body, raw, reason });
		if (reason)
			return this.#refuse(res, 400, reason);
		const at = this.answers.findIndex((a) => a.dialect === name && raw.includes(a.marker));

		if (at >= 0)
			return this.#say(res, wires[d.wire], this.answers.splice(at, 1)[0].events);
		return this.#pass(req, res, d.to(path), d.forMock ? JSON.stringify(d.forMock(body)) : raw);
	}

	#say(res, wire, events) {
		res.writeHead(200, { 'content-type': wire.type });
		for (const event of events)
			res.write(wire.encode(event));
		res.end();
	}

	async #pass(req, res, path, raw) {
		const up = http.request(this.mock.url + path, { method: 'POST', headers: { 'content-type': 'application/json',
			authorization: `Bearer ${this.mock.key}` } });

		up.on('error', () => res.destroy());
		res.on('close', () => up.destroy());
		up.end(raw);
		const [answer] = await once(up, 'response');

		res.writeHead(answer.statusCode, answer.headers);
		answer.on('error', () => res.destroy());
		answer.on('aborted', () => res.destroy());
		answer.pipe(res);
	}

	async stop() {
		this.server.closeAllConnections();
		await new Promise((resolve) => this.server.close(resolve));
	}
}
