/* device.mjs - a device identity and its signature over a connect request. */
import { createHash, generateKeyPairSync, sign } from 'node:crypto';

const b64url = (bytes) => Buffer.from(bytes).toString('base64url');
const lower = (s) => (s ?? '').trim().replace(/[A-Z]/g, (c) => c.toLowerCase());

export class Device {
	constructor() {
		const pair = generateKeyPairSync('ed25519');

		this.key = pair.privateKey;
		this.raw = pair.publicKey.export({ type: 'spki', format: 'der' }).subarray(-32);
		this.publicKey = b64url(this.raw);
		this.pem = pair.publicKey.export({ type: 'spki', format: 'pem' });
		this.privatePem = pair.privateKey.export({ type: 'pkcs8', format: 'pem' });
		this.id = createHash('sha256').update(this.raw).digest('hex');
	}

	/* The signed text; version 3 adds platform and family to version 2. */
	payload(params, challenge, version = 3) {
		const auth = params.auth ?? {};
		const token = auth.token ?? auth.deviceToken ?? auth.bootstrapToken ?? '';
		const fields = [`v${version}`, this.id, params.client.id, params.client.mode, params.role ?? 'operator',
			(params.scopes ?? []).join(','), challenge.ts, token, challenge.nonce];

		if (version === 3)
			fields.push(lower(params.client.platform), lower(params.client.deviceFamily));
		return fields.join('|');
	}

	/* params.device for this connect request. */
	proof(params, challenge, version = 3) {
		return { id: this.id, publicKey: this.publicKey, signedAt: challenge.ts, nonce: challenge.nonce,
			signature: b64url(sign(null, Buffer.from(this.payload(params, challenge, version)), this.key)) };
	}
}
