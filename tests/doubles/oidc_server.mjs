/*
 * oidc_server.mjs - an authorization server from npm (oidc-provider) with one person who agrees to everything.
 *
 * A program of its own, as it wants a newer Node.js than the tests run on. The first line of stdout is its URL.
 * POST /__test with {ttl, refuse, hold, revoke} changes how it behaves from then on; GET tells what it did.
 */
import { createRequire } from 'node:module';
import http from 'node:http';

const require = createRequire(process.argv[2]);
const { default: Provider } = await import(require.resolve('oidc-provider'));

const server = http.createServer((req, res) => handle(req, res));

await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const issuer = `http://127.0.0.1:${server.address().port}`;
const state = { ttl: 3600, refuse: false, hold: false, grants: [], errors: [], held: 0 };
let waiting = [], last = null;           /* the newest refresh token */

const provider = new Provider(issuer, {
	clients: [{
		client_id: 'chela-test', token_endpoint_auth_method: 'none', application_type: 'native',
		redirect_uris: ['http://127.0.0.1/callback'], response_types: ['code'],
		grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
	}],
	scopes: ['openid', 'email', 'offline_access'],
	claims: { openid: ['sub'], email: ['email'] },
	conformIdTokenClaims: false,
	pkce: { required: () => true },
	features: { devInteractions: { enabled: false }, deviceFlow: { enabled: true }, revocation: { enabled: true } },
	rotateRefreshToken: true,
	issueRefreshToken: async () => true,
	ttl: { AccessToken: () => state.ttl, DeviceCode: 600, RefreshToken: 86400, Grant: 86400, Interaction: 600, Session: 600, IdToken: 3600,
		AuthorizationCode: 60 },
	findAccount: async (ctx, sub) => ({ accountId: sub, claims: async () => ({ sub, email: `${sub}@example.org` }) }),
	interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
	cookies: { keys: ['test-only'] },
});

provider.on('grant.success', (ctx) => state.grants.push(ctx.oidc.params.grant_type));
provider.on('grant.error', (ctx, e) => state.errors.push(e.error));
provider.on('refresh_token.saved', (token) => { last = token; });

async function body(req) {
	const parts = [];

	for await (const part of req)
		parts.push(part);
	return Buffer.concat(parts).toString('utf8');
}

async function control(req, res) {
	if (req.method === 'POST') {
		const { revoke, ...rest } = JSON.parse(await body(req));

		Object.assign(state, rest);
		if (!state.hold) {
			for (const go of waiting)
				go();
			waiting = [];
		}
		if (revoke)
			await (await provider.Grant.find(last.grantId)).destroy();
	}
	res.setHeader('content-type', 'application/json');
	res.end(JSON.stringify(state));
}

/* Logs in as "person" and agrees, or refuses when it is told to. */
async function interact(req, res) {
	const details = await provider.interactionDetails(req, res);

	if (state.refuse)
		return provider.interactionFinished(req, res, { error: 'access_denied', error_description: 'not today' });
	if (details.prompt.name === 'login')
		return provider.interactionFinished(req, res, { login: { accountId: 'person' } });
	const grant = details.grantId ? await provider.Grant.find(details.grantId)
		: new provider.Grant({ accountId: details.session.accountId, clientId: details.params.client_id });

	grant.addOIDCScope('openid email offline_access');
	return provider.interactionFinished(req, res, { consent: { grantId: await grant.save() } }, { mergeWithLastSubmission: true });
}

async function handle(req, res) {
	if (req.url === '/__test')
		return control(req, res);
	if (req.url.startsWith('/interaction/'))
		return interact(req, res);
	if (req.url === '/token' && state.hold) {
		state.held++;
		await new Promise((go) => waiting.push(go));
		if (req.socket.destroyed)
			return undefined;        /* who asked is gone before it was taken */
	}
	return provider.callback()(req, res);
}

console.log(issuer);
