/*
 * dialects_aws.test.mjs - where the credentials for Amazon Bedrock come from: a bearer token, a profile file, the
 * instance's role, and nowhere. The provider is a double that checks signatures with AWS's own signer.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import { test } from 'node:test';
import { AWS, ProviderFront } from '../doubles/provider_front.mjs';
import { textOf } from './lib/client.mjs';
import { Gateway } from './lib/gateway.mjs';
import { stopAll } from './lib/wait.mjs';

const MODEL = 'amazon.nova-pro-v1:0';
const PROFILE = { accessKeyId: 'AKIDPROFILE', secretAccessKey: 'profile/secret+key', region: 'ap-south-1' };
const ROLE = { accessKeyId: 'ASIAROLE', secretAccessKey: 'role/secret+key', sessionToken: 'ROLE/token==', region: AWS.region };
const hello = [['messageStart', { role: 'assistant' }], ['contentBlockDelta', { contentBlockIndex: 0, delta: { text: 'Hello.' } }],
	['contentBlockStop', { contentBlockIndex: 0 }], ['messageStop', { stopReason: 'end_turn' }],
	['metadata', { usage: { inputTokens: 1, outputTokens: 1 } }]];

/* The metadata service of an instance, version 2: a token first, then the role's name, then its keys. */
async function instance() {
	const asked = [];
	const server = http.createServer((req, res) => {
		asked.push(`${req.method} ${req.url}`);
		const roles = '/latest/meta-data/iam/security-credentials/';

		if (req.method === 'PUT' && req.url === '/latest/api/token' && req.headers['x-aws-ec2-metadata-token-ttl-seconds'])
			return res.end('imds-token');
		if (req.headers['x-aws-ec2-metadata-token'] !== 'imds-token')
			return res.writeHead(401).end();
		if (req.url === roles)
			return res.end('my-role');
		if (req.url !== `${roles}my-role`)
			return res.writeHead(404).end();
		return res.end(JSON.stringify({ Code: 'Success', Type: 'AWS-HMAC', AccessKeyId: ROLE.accessKeyId, SecretAccessKey: ROLE.secretAccessKey,
			Token: ROLE.sessionToken, Expiration: new Date(Date.now() + 6 * 3600e3).toISOString() }));
	});

	server.listen(0, '127.0.0.1');
	await once(server, 'listening');
	return { asked, url: `http://127.0.0.1:${server.address().port}`, stop: () => new Promise((r) => server.close(r)) };
}

/* A gateway whose only model is at the double; runs the body with a function that asks it once. */
async function withBedrock(t, key, { provider = {}, env = {}, files = {} }, body) {
	const front = await ProviderFront.start({ url: 'http://127.0.0.1:1', key: '' }, { bedrock: { contract: 'bedrock', wire: 'eventstream', ...key } });
	const gw = await Gateway.start({
		config: { models: { providers: { 'amazon-bedrock': { baseUrl: `${front.url}/bedrock`, models: [{ id: MODEL, name: 'Nova' }], ...provider } } },
			agents: { defaults: { model: { primary: `amazon-bedrock/${MODEL}` } } } },
		env, files,
	});

	try {
		const c = await gw.connect();

		await body({ front, gw, ask: async (n = 0) => {
			front.answer('bedrock', `hello ${n}`, hello);
			return c.turn(`agent:main:aws-${n}`, `hello ${n}`);
		} });
		await c.close();
	} finally {
		await stopAll(gw, front);
	}
}

const isHello = (end) => assert.equal(end.state === 'final' && textOf(end.message), 'Hello.', JSON.stringify(end));

test('a bearer token is shown and nothing is signed', { timeout: 60000 }, async (t) => {
	const key = { key: { header: 'authorization', value: 'Bearer bedrock-api-key-1' } };

	await withBedrock(t, key, { env: { AWS_BEARER_TOKEN_BEDROCK: 'bedrock-api-key-1', AWS_ACCESS_KEY_ID: 'unused', AWS_SECRET_ACCESS_KEY: 'unused' } },
		async ({ ask, front }) => {
			isHello(await ask());
			assert.equal(front.asked[0].headers['x-amz-date'], undefined);
		});
});

test('a profile of the files under AWS_PROFILE, with its region', { timeout: 60000 }, async (t) => {
	const files = { '../.aws/credentials': `[work]\naws_access_key_id = ${PROFILE.accessKeyId}\naws_secret_access_key = ${PROFILE.secretAccessKey}\n`,
		'../.aws/config': `[profile work]\nregion = ${PROFILE.region}\n` };

	await withBedrock(t, { key: 'aws', credentials: PROFILE }, { files, env: { AWS_PROFILE: 'work' } }, async ({ ask, front, gw }) => {
		isHello(await ask());
		assert.match(front.asked[0].headers.authorization, /\/ap-south-1\/bedrock\/aws4_request/);
		assert.ok(!gw.log().includes(PROFILE.secretAccessKey));
	});
});

test('the instance\'s role, once asked for, is asked once', { timeout: 60000 }, async (t) => {
	const imds = await instance();

	t.after(() => imds.stop());
	await withBedrock(t, { key: 'aws', credentials: ROLE }, { provider: { auth: 'aws-sdk' },
		env: { AWS_EC2_METADATA_SERVICE_ENDPOINT: imds.url, AWS_REGION: ROLE.region } }, async ({ ask }) => {
		isHello(await ask(1));
		isHello(await ask(2));
		assert.deepEqual(imds.asked, ['PUT /latest/api/token', 'GET /latest/meta-data/iam/security-credentials/',
			'GET /latest/meta-data/iam/security-credentials/my-role']);
	});
});

for (const [what, options] of [['is not asked for', {}], ['is switched off', { provider: { auth: 'aws-sdk' }, env: { AWS_EC2_METADATA_DISABLED: 'true' } }]]) {
	test(`an instance's metadata service that ${what} is left alone`, { timeout: 60000 }, async (t) => {
		const imds = await instance();

		t.after(() => imds.stop());
		await withBedrock(t, { key: 'aws' }, { ...options, env: { AWS_EC2_METADATA_SERVICE_ENDPOINT: imds.url, ...options.env } }, async ({ ask, front }) => {
			const end = await ask();

			assert.equal(end.state, 'error');
			assert.match(end.errorMessage, /AWS_ACCESS_KEY_ID/, 'it says what to set');
			assert.deepEqual(imds.asked, []);
			assert.deepEqual(front.asked, []);
		});
	});
}
