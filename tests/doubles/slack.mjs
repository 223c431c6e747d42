/*
 * slack.mjs - a stand-in for Slack on loopback: Web API, Socket Mode, Events API with signatures, files, response URLs.
 *
 * Written from the published types (@slack/types, @slack/web-api, @slack/socket-mode, @slack/bolt) and docs.slack.dev. It
 * refuses what Slack refuses: kinds of tokens, missing scopes (needed/provided), rooms that the app is not in, texts and
 * layouts over their limits, changes of a message that still grows. @slack/bolt works with it in both modes (tests/e2e/channel-slack-peers.test.mjs).
 *
 *	const slack = await SlackDouble.start();
 *	slack.say('U0ADA0001', 'C0GENERAL', 'hello');      // as a person; gives the message
 *	await slack.sent((m) => m.text === 'hi');          // what the app posted
 *	slack.fault('chat.postMessage', { status: 500 });  // the next call of a method
 */
import { createHmac, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import { require } from '../e2e/lib/peers.mjs';
import { Log, within } from '../e2e/lib/wait.mjs';
import { bodyOf } from './body.mjs';

const { WebSocketServer } = require('ws');

export const SCOPES = ['app_mentions:read', 'assistant:write', 'channels:history', 'channels:read', 'chat:write', 'commands', 'emoji:read',
	'files:read', 'files:write', 'groups:history', 'groups:read', 'im:history', 'im:read', 'im:write', 'mpim:history', 'mpim:read',
	'mpim:write', 'reactions:read', 'reactions:write', 'users:read'];

const TEXT_MAX = 40000, EDIT_MAX = 4000, MARKDOWN_MAX = 12000;
const EMOJI = new Set(['eyes', '+1', '-1', 'heart', 'white_check_mark', 'x', 'tada', 'rocket', 'thinking_face', 'hourglass_flowing_sand', 'fire',
	'wave', 'warning', 'lobster', 'gear', 'wrench', 'brain']);
/* The word for a room in the scopes of its history and its listing. */
const FAMILY = { channel: 'channels', group: 'groups', im: 'im', mpim: 'mpim' };

class Refusal extends Error {
	constructor(error, more = {}) {
		super(error);
		this.body = { ok: false, error, ...more };
	}
}
const refuse = (error, more) => {
	throw new Refusal(error, more);
};

/* -- Block Kit, as far as its limits are published -- */

const isText = (t, types, max) => t && types.includes(t.type) && typeof t.text === 'string' && t.text.length >= 1 && t.text.length <= max;

function checkElement(e, ids) {
	if (e.type !== 'button')
		return ['static_select', 'overflow', 'users_select', 'datepicker'].includes(e.type) ? null : `unsupported element ${e.type}`;
	if (!isText(e.text, ['plain_text'], 75))
		return 'a button needs a plain_text of 1 to 75 characters';
	if (e.action_id !== undefined && (typeof e.action_id !== 'string' || e.action_id.length > 255))
		return 'action_id has at most 255 characters';
	if (ids.has(e.action_id))
		return `action_id ${e.action_id} is not unique`;
	ids.add(e.action_id);
	if (e.value !== undefined && (typeof e.value !== 'string' || e.value.length > 2000))
		return 'value has at most 2000 characters';
	if (e.url !== undefined && (typeof e.url !== 'string' || e.url.length > 3000))
		return 'url has at most 3000 characters';
	if (e.style !== undefined && !['primary', 'danger'].includes(e.style))
		return `unknown style ${e.style}`;
	return null;
}

function checkBlock(b, ids) {
	if (b.type === 'section')
		return isText(b.text, ['mrkdwn', 'plain_text'], 3000) || b.fields ? null : 'a section needs a text of 1 to 3000 characters';
	if (b.type === 'actions') {
		if (!Array.isArray(b.elements) || b.elements.length < 1 || b.elements.length > 25)
			return 'actions has 1 to 25 elements';
		return b.elements.map((e) => checkElement(e, ids)).find(Boolean) ?? null;
	}
	if (b.type === 'header')
		return isText(b.text, ['plain_text'], 150) ? null : 'a header needs a plain_text of 1 to 150 characters';
	return ['divider', 'context', 'image', 'rich_text', 'markdown', 'input'].includes(b.type) ? null : `unsupported type: ${b.type}`;
}

function checkBlocks(blocks) {
	const ids = new Set();

	if (!Array.isArray(blocks))
		refuse('invalid_blocks_format');
	const reason = blocks.length > 50 ? 'no more than 50 items allowed' : blocks.map((b) => checkBlock(b, ids)).find(Boolean);

	if (reason)
		refuse('invalid_blocks', { response_metadata: { messages: [`[ERROR] ${reason}`] } });
}

/* An upload is the bytes alone, or a form with one file. */
function fileOf(req, body) {
	const boundary = /^multipart\/form-data;.*boundary="?([^";]+)/.exec(req.headers['content-type'] ?? '')?.[1];

	if (!boundary)
		return body;
	const from = body.indexOf('\r\n\r\n') + 4;

	return body.subarray(from, body.indexOf(`\r\n--${boundary}`, from));
}

/* -- the double -- */

export class SlackDouble {
	teamId = 'T0TEAM001';
	appId = 'A0APP0001';
	botUser = 'U0BOT0001';
	botId = 'B0BOT0001';
	botName = 'chela';
	botToken = 'xoxb-1111-2222-botbotbotbotbot';
	appToken = 'xapp-1-A0APP0001-3333-appappappapp';
	signingSecret = '8f742231b10e8888abcd99yyyzzz85a5';
	scopes = [...SCOPES];
	calls = new Log();               /* {method, args, error?} */
	posts = new Log();               /* messages of the app, in the order they were made: {channel, …} */
	acks = new Log();                /* {envelope_id, payload} */
	answers = new Log();             /* to response URLs: {url, body} */
	views = new Log();
	eventsUrl = null;                /* HTTP mode */
	holdEvents = false;              /* events wait until release() */
	echoes = true;                   /* the app hears its own messages, as Slack does it */
	#faults = new Map();
	#silenced = new Set();
	#sockets = new Set();
	#tickets = new Set();
	#pending = [];                   /* envelopes that nobody acknowledged */
	#uploads = new Map();
	#files = new Map();
	#responseUrls = new Map();
	#clock = 1700000000000000;       /* µs: of ts */
	#seq = 0;

	users = new Map();
	rooms = new Map();

	static async start(options = {}) {
		const s = new SlackDouble();

		Object.assign(s, options);
		for (const [id, name, real] of [['U0ADA0001', 'ada', 'Ada Lovelace'], ['U0BOB0001', 'bob', 'Bob Ross'], ['U0EVE0001', 'eve', 'Eve']])
			s.users.set(id, { id, name, real_name: real, profile: { display_name: name, real_name: real } });
		s.users.set(s.botUser, { id: s.botUser, name: s.botName, is_bot: true, profile: { display_name: s.botName, bot_id: s.botId } });
		s.room('C0GENERAL', 'channel', ['U0ADA0001', 'U0BOB0001', s.botUser], { name: 'general' });
		s.room('C0RANDOM1', 'channel', ['U0ADA0001', 'U0BOB0001'], { name: 'random' });
		s.room('C0SECRET1', 'group', ['U0ADA0001', s.botUser], { name: 'secret' });
		s.room('C0OLDROOM', 'channel', ['U0ADA0001', s.botUser], { name: 'old', is_archived: true });
		s.room('G0MPIM001', 'mpim', ['U0ADA0001', 'U0BOB0001', s.botUser], { name: 'mpdm-ada--bob--chela-1' });
		s.server = http.createServer((req, res) => s.#serve(req, res).catch((e) => {
			res.destroy();
			s.broken = e;
		}));
		s.wss = new WebSocketServer({ noServer: true });
		s.server.on('upgrade', (req, socket, head) => s.#upgrade(req, socket, head));
		s.server.listen(s.port ?? 0, '127.0.0.1');
		await once(s.server, 'listening');
		s.port = s.server.address().port;
		s.url = `http://127.0.0.1:${s.port}`;
		s.apiRoot = `${s.url}/api`;
		return s;
	}

	async stop() {
		for (const ws of this.#sockets)
			ws.terminate();
		this.server.closeAllConnections();
		await new Promise((resolve) => this.server.close(resolve));
		if (this.broken)
			throw this.broken;
	}

	room(id, kind, members, more = {}) {
		const r = { id, kind, members: new Set(members), messages: [], name: id, is_archived: false, ...more };

		this.rooms.set(id, r);
		return r;
	}

	/* The DM of a person with the app. */
	dm(userId) {
		const id = `D${userId.slice(1)}`;

		return this.rooms.get(id) ?? this.room(id, 'im', [userId, this.botUser]);
	}

	ts() {
		this.#clock += 1000100;
		return `${Math.floor(this.#clock / 1000000)}.${String(this.#clock % 1000000).padStart(6, '0')}`;
	}

	/* Times of messages as they are now: for what compares them with its own clock. */
	setClock(ms = Date.now()) {
		this.#clock = Math.max(this.#clock, ms * 1000);
	}

	/*
	 * What becomes of coming calls of a method: {status}, {error, …} (ok: false), {retryAfter} (429), {cut: 'before'|'after'} (the
	 * connection ends before or after it was done), {silent: 'before'|'after'}, {html} (200 without JSON). times: 1.
	 */
	fault(method, what) {
		const list = this.#faults.get(method) ?? [];

		list.push({ times: 1, ...what });
		this.#faults.set(method, list);
	}

	/* The first message of the app that matches, from index `from` on. */
	async sent(match = () => true, { from = 0, ms, what = 'a message of the app' } = {}) {
		return (await this.posts.find(match, { from, ms, what })).item;
	}

	async called(method, match = () => true, { from = 0, ms } = {}) {
		return (await this.calls.find((c) => c.method === method && match(c.args), { from, ms, what: `a call of ${method}` })).item;
	}

	/* -- HTTP -- */

	async #serve(req, res) {
		const body = await bodyOf(req), url = new URL(req.url, this.url);

		if (!body)
			return undefined;
		if (url.pathname.startsWith('/api/'))
			return this.#api(url.pathname.slice(5), req, body, res);
		if (url.pathname.startsWith('/upload/v1/'))
			return this.#takeUpload(url.pathname.slice(11), fileOf(req, body), res);
		if (url.pathname.startsWith('/files-pri/'))
			return this.#giveFile(url.pathname.split('/')[2], req, res);
		if (url.pathname.startsWith('/actions/'))
			return this.#takeAnswer(req.url, body, res);
		res.writeHead(404).end();
	}

	#json(res, body, status = 200, headers = {}) {
		res.writeHead(status, { 'content-type': 'application/json; charset=utf-8', 'x-oauth-scopes': this.scopes.join(','), ...headers });
		res.end(JSON.stringify(body));
	}

	/* A form or JSON; values that look like JSON stay text until a method reads them. */
	#args(req, body) {
		const type = req.headers['content-type'] ?? '';

		if (type.startsWith('application/json'))
			return JSON.parse(body.toString() || '{}');
		if (type.startsWith('application/x-www-form-urlencoded') || !body.length)
			return Object.fromEntries(new URLSearchParams(body.toString()));
		return refuse('invalid_form_data');
	}

	async #api(method, req, body, res) {
		const entry = { method, args: {} };

		try {
			const args = this.#args(req, body), token = (req.headers.authorization ?? '').replace(/^Bearer /, '') || args.token;

			entry.args = args;
			const fault = this.#takeFault(method);

			if (fault?.silent)
				this.#silenced.add(req.socket);
			if (fault?.silent === 'before')
				return undefined;
			if (fault?.cut === 'before')
				return req.socket.destroy();
			if (fault?.status) {
				entry.error = `HTTP ${fault.status}`;
				res.writeHead(fault.status, { 'content-type': 'text/plain' }).end('no');
				return undefined;
			}
			if (fault?.retryAfter !== undefined) {
				entry.error = 'ratelimited';
				return this.#json(res, { ok: false, error: 'ratelimited' }, 429, { 'retry-after': String(fault.retryAfter) });
			}
			if (fault?.error)
				refuse(fault.error, fault.more);
			if (fault?.html)
				return res.writeHead(200, { 'content-type': 'text/html' }).end('<html>maintenance</html>');
			const answer = this.#run(method, args, token);

			if (fault?.silent === 'after')
				return undefined;
			if (fault?.cut === 'after')
				return req.socket.destroy();
			return this.#json(res, { ok: true, ...answer });
		} catch (e) {
			if (!(e instanceof Refusal))
				throw e;
			entry.error = e.body.error;
			return this.#json(res, e.body);
		} finally {
			this.calls.push(entry);
		}
	}

	/* Who waits for an answer that never comes has the connection ended. */
	breakSilence() {
		for (const socket of this.#silenced)
			socket.destroy();
		this.#silenced.clear();
	}

	#takeFault(method) {
		const list = this.#faults.get(method);

		if (!list?.length)
			return null;
		if (--list[0].times <= 0)
			return list.shift();
		return list[0];
	}

	#run(method, args, token) {
		const row = METHODS[method];

		if (!row)
			refuse('unknown_method');
		if (!token)
			refuse('not_authed');
		if (row.token === 'app') {
			if (token !== this.appToken)
				refuse(token === this.botToken ? 'not_allowed_token_type' : 'invalid_auth');
		} else if (token !== this.botToken && token !== this.userToken) {
			refuse(token === this.appToken ? 'not_allowed_token_type' : this.revoked?.has(token) ? 'token_revoked' : 'invalid_auth');
		}
		for (const name of row.needs ?? [])
			if (args[name] === undefined || args[name] === '')
				refuse(name === 'channel' ? 'channel_not_found' : 'invalid_arguments', { response_metadata: { messages: [`[ERROR] missing required field: ${name}`] } });
		if (row.scope)
			this.#needScope(row.scope);
		return row.run.call(this, args);
	}

	#needScope(...any) {
		if (!any.some((s) => this.scopes.includes(s)))
			refuse('missing_scope', { needed: any[0], provided: this.scopes.join(',') });
	}

	/* -- rooms and messages -- */

	/* A room by id that the app can see; `writes`: that it may write in. */
	find(id, { writes = false } = {}) {
		const r = this.rooms.get(id);

		if (!r || (r.kind !== 'channel' && !r.members.has(this.botUser)))
			return refuse('channel_not_found');
		if (writes && r.is_archived)
			refuse('is_archived');
		if (writes && !r.members.has(this.botUser))
			refuse('not_in_channel');
		return r;
	}

	message(r, ts) {
		return r.messages.find((m) => m.ts === ts) ?? refuse('message_not_found');
	}

	readScope(r) {
		this.#needScope(`${FAMILY[r.kind]}:history`);
	}

	infoScope(r) {
		this.#needScope(`${FAMILY[r.kind]}:read`);
	}

	put(r, message) {
		const m = { type: 'message', ts: this.ts(), team: this.teamId, ...message };

		if (m.thread_ts) {
			const root = this.message(r, m.thread_ts);

			root.thread_ts = root.ts;
			root.reply_count = (root.reply_count ?? 0) + 1;
			m.parent_user_id = root.user;
		}
		r.messages.push(m);
		return m;
	}

	/* A message of the app: to the room's history, to the test, and back to the app as an event. */
	post(r, message) {
		const m = this.put(r, { user: this.botUser, bot_id: this.botId, app_id: this.appId, ...message });

		this.posts.push({ channel: r.id, ...m });
		if (this.echoes)
			this.event({ ...m, channel: r.id, channel_type: r.kind, event_ts: m.ts });
		return m;
	}

	content(args, max = TEXT_MAX) {
		const out = {};

		if (args.blocks !== undefined) {
			out.blocks = typeof args.blocks === 'string' ? JSON.parse(args.blocks) : args.blocks;
			checkBlocks(out.blocks);
		}
		out.text = args.text ?? '';
		if ([...out.text].length > max)
			refuse('msg_too_long');
		if (!out.text && !out.blocks?.length)
			refuse('no_text');
		return out;
	}

	/* A message that grows: its Markdown so far; only while it is in that state. */
	growing(args) {
		const r = this.find(args.channel, { writes: true }), m = this.message(r, args.ts);

		if (!m.growing)
			refuse('message_not_in_streaming_state');
		return { r, m };
	}

	/* What comes to it: markdown_text, or chunks of that. */
	markdown(args, { isNeeded = false } = {}) {
		const chunks = typeof args.chunks === 'string' ? JSON.parse(args.chunks) : args.chunks ?? [];

		if (chunks.some((c) => c.type !== 'markdown_text' || typeof c.text !== 'string'))
			refuse('invalid_chunks');
		if (isNeeded && !args.markdown_text && !chunks.length)
			refuse('no_text');
		const text = (args.markdown_text ?? '') + chunks.map((c) => c.text).join('');

		return [...text].length > MARKDOWN_MAX ? refuse('msg_too_long') : text;
	}

	/* Slack ends it by itself after some minutes. */
	endGrowth(channel, ts) {
		delete this.rooms.get(channel).messages.find((m) => m.ts === ts).growing;
	}

	metadata(args) {
		if (args.metadata === undefined)
			return {};
		const metadata = typeof args.metadata === 'string' ? JSON.parse(args.metadata) : args.metadata;

		if (typeof metadata.event_type !== 'string' || typeof metadata.event_payload !== 'object')
			refuse('invalid_metadata_format');
		return { metadata };
	}

	/* Without the metadata, unless it was asked for. */
	shown(m, args) {
		const { metadata, ...rest } = m;

		return args.include_all_metadata === 'true' || args.include_all_metadata === true ? m : rest;
	}

	page(list, args, { isNewestFirst }) {
		const limit = Math.min(Number(args.limit ?? 100), 1000), from = Number(args.cursor ?? 0), oldest = Number(args.oldest ?? 0);
		const all = list.filter((m) => Number(m.ts) >= oldest), ordered = isNewestFirst ? [...all].reverse() : all;
		const messages = ordered.slice(from, from + limit).map((m) => this.shown(m, args));
		const more = from + limit < ordered.length;

		return { messages, has_more: more, response_metadata: { next_cursor: more ? String(from + limit) : '' } };
	}

	/* -- files -- */

	newUpload(filename, length) {
		const id = `F0FILE${String(++this.#seq).padStart(3, '0')}`;

		this.#uploads.set(id, { id, name: filename, length, data: null });
		return { upload_url: `${this.url}/upload/v1/${id}`, file_id: id };
	}

	#takeUpload(id, body, res) {
		const u = this.#uploads.get(id), fault = this.#takeFault('upload');

		if (fault?.status || !u || body.length !== u.length)
			return res.writeHead(fault?.status ?? 400).end('no');
		u.data = body;
		return res.writeHead(200).end(`OK - ${body.length}`);
	}

	/* The file itself, shared with a message or not. */
	file(id) {
		return this.#files.get(id);
	}

	addFile(data, { name, mimetype, ...more }) {
		const id = more.id ?? `F0IN${String(++this.#seq).padStart(5, '0')}`, buffer = Buffer.from(data);
		const url = `${this.url}/files-pri/${id}/${encodeURIComponent(name)}`;

		this.#files.set(id, { id, created: 1, name, title: name, mimetype, filetype: name.split('.').at(-1), mode: 'hosted', size: buffer.length,
			is_external: false, url_private: url, url_private_download: url, shares: {}, data: buffer, ...more });
		return this.#files.get(id);
	}

	fileObject(f) {
		const { data, ...rest } = f;

		return rest;
	}

	completeUploads(list) {
		return list.map(({ id, title }) => {
			const u = this.#uploads.get(id);

			if (!u?.data)
				return refuse('file_not_found');
			this.#uploads.delete(id);
			return this.addFile(u.data, { id, name: u.name, mimetype: 'application/octet-stream', title: title ?? u.name });
		});
	}

	/* Without the token or its scope there is a login page, not a refusal. */
	#giveFile(id, req, res) {
		const f = this.#files.get(id), token = (req.headers.authorization ?? '').replace(/^Bearer /, '');

		if (!f)
			return res.writeHead(404).end();
		if ((token !== this.botToken && token !== this.userToken) || !this.scopes.includes('files:read'))
			return res.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>Sign in</title>');
		return res.writeHead(200, { 'content-type': f.mimetype }).end(f.data);
	}

	/* -- answers to interactions -- */

	responseUrl(what) {
		const path = `/actions/${this.teamId}/${randomBytes(6).toString('hex')}/${randomBytes(9).toString('base64url')}`;

		this.#responseUrls.set(path, { uses: 5, ...what });
		return this.url + path;
	}

	expireResponseUrls() {
		this.#responseUrls.clear();
	}

	#takeAnswer(path, body, res) {
		const known = this.#responseUrls.get(path), fault = this.#takeFault('response_url');

		if (fault?.status)
			return res.writeHead(fault.status).end('no');
		if (!known)
			return res.writeHead(404).end('{"ok":false,"error":"expired_url"}');
		if (known.uses-- <= 0)
			return res.writeHead(404).end('{"ok":false,"error":"used_url"}');
		const answer = JSON.parse(body.toString());

		if (answer.blocks)
			checkBlocks(answer.blocks);
		this.answers.push({ url: this.url + path, body: answer, ...known });
		if (answer.response_type === 'in_channel')
			this.put(this.rooms.get(known.channel), { user: this.botUser, bot_id: this.botId, text: answer.text });
		return res.writeHead(200).end('ok');
	}

	/* -- Socket Mode -- */

	newTicket() {
		const ticket = randomBytes(12).toString('hex');

		this.#tickets.add(ticket);
		return `ws://127.0.0.1:${this.port}/link/?ticket=${ticket}&app_id=${this.appId}`;
	}

	#upgrade(req, socket, head) {
		const url = new URL(req.url, this.url);

		if (url.pathname !== '/link/' || !this.#tickets.delete(url.searchParams.get('ticket')))
			return socket.end('HTTP/1.1 408 Request Timeout\r\n\r\n');
		return this.wss.handleUpgrade(req, socket, head, (ws) => this.#accept(ws));
	}

	#accept(ws) {
		this.#sockets.add(ws);
		ws.open = new Map();
		ws.on('message', (data) => this.#onAck(ws, JSON.parse(data.toString())));
		ws.on('close', () => {
			this.#sockets.delete(ws);
			/* What was not acknowledged goes to the next socket. */
			for (const envelope of ws.open.values())
				this.#pending.push({ ...envelope, retry_attempt: (envelope.retry_attempt ?? 0) + 1, retry_reason: 'timeout' });
			this.#flush();
		});
		ws.send(JSON.stringify({ type: 'hello', num_connections: this.#sockets.size, connection_info: { app_id: this.appId },
			debug_info: { host: 'double', build_number: 1, approximate_connection_time: 18060 } }));
		this.#flush();
	}

	#onAck(ws, ack) {
		if (!ws.open.delete(ack.envelope_id))
			this.acks.push({ ...ack, isUnknown: true });
		else
			this.acks.push(ack);
	}

	get connections() {
		return this.#sockets.size;
	}

	/* How many envelopes wait for somebody, or for their acknowledgement. */
	get unacknowledged() {
		return this.#pending.length + [...this.#sockets].reduce((n, ws) => n + ws.open.size, 0);
	}

	#flush() {
		while (this.#pending.length && this.#sockets.size && !this.holdEvents) {
			const ws = [...this.#sockets].at(-1), envelope = this.#pending.shift();

			ws.open.set(envelope.envelope_id, envelope);
			ws.send(JSON.stringify(envelope));
		}
	}

	release() {
		this.holdEvents = false;
		this.#flush();
	}

	/* {type: 'disconnect'} to each socket: 'warning', 'refresh_requested', 'link_disabled'. */
	disconnect(reason) {
		for (const ws of this.#sockets)
			ws.send(JSON.stringify({ type: 'disconnect', reason, debug_info: { host: 'double' } }));
	}

	cutSockets() {
		for (const ws of this.#sockets)
			ws.terminate();
	}

	/* One payload to a socket: 'events_api', 'interactive' or 'slash_commands'. */
	envelope(type, payload, acceptsPayload) {
		this.#pending.push({ envelope_id: randomBytes(16).toString('hex'), type, payload, accepts_response_payload: acceptsPayload });
		this.#flush();
	}

	/* -- the Events API over HTTP -- */

	sign(body, timestamp = Math.floor(Date.now() / 1000), secret = this.signingSecret) {
		return { 'x-slack-request-timestamp': String(timestamp),
			'x-slack-signature': `v0=${createHmac('sha256', secret).update(`v0:${timestamp}:${body}`).digest('hex')}` };
	}

	/* One request to the app; gives {status, text}. */
	async request(body, { type = 'application/json', headers = {}, timestamp, secret } = {}) {
		const res = await within(fetch(this.eventsUrl, { method: 'POST', body,
			headers: { 'content-type': type, ...this.sign(body, timestamp, secret), ...headers } }), 'an answer of the app');

		return { status: res.status, text: await res.text(), type: res.headers.get('content-type') };
	}

	/* Three more tries, as Slack (without its waits). */
	async #http(body, type) {
		for (let n = 0; n < 4; n++) {
			const retry = n ? { 'x-slack-retry-num': String(n), 'x-slack-retry-reason': 'http_error' } : {};
			const answer = await this.request(body, { type, headers: retry }).catch((e) => ({ status: 0, text: String(e) }));

			if (answer.status === 200)
				return answer;
			this.lastFailure = answer;
		}
		return null;
	}

	async verifyUrl() {
		const challenge = randomBytes(12).toString('hex');
		const answer = await this.request(JSON.stringify({ token: 'x', challenge, type: 'url_verification' }));

		return answer.status === 200 && (answer.text === challenge || JSON.parse(answer.text).challenge === challenge);
	}

	/* -- what people do -- */

	payloadOf(event) {
		return { token: 'verification', team_id: this.teamId, context_team_id: this.teamId, api_app_id: this.appId, event, type: 'event_callback',
			event_id: `Ev${String(++this.#seq).padStart(8, '0')}`, event_time: Math.floor(this.#clock / 1000000), is_ext_shared_channel: false,
			authorizations: [{ enterprise_id: null, team_id: this.teamId, user_id: this.botUser, is_bot: true, is_enterprise_install: false }] };
	}

	/* Delivers an event; redelivered `times` times over. */
	event(event, { times = 1 } = {}) {
		const payload = this.payloadOf(event);
		let done;

		for (let i = 0; i < times; i++)
			if (this.eventsUrl)
				done = this.#http(JSON.stringify(payload), 'application/json');
			else
				this.envelope('events_api', payload, false);
		return done;
	}

	interact(payload) {
		const whole = { token: 'verification', api_app_id: this.appId, team: { id: this.teamId, domain: 'double' }, ...payload };

		if (this.eventsUrl)
			return this.#http(new URLSearchParams({ payload: JSON.stringify(whole) }).toString(), 'application/x-www-form-urlencoded');
		return this.envelope('interactive', whole, true);
	}

	/*
	 * A person writes. room: an id, or the person's own for their DM with the app. Slack tells the app of a mention twice: as
	 * `message` and as `app_mention`.
	 */
	say(user, room, text, { thread_ts, files, times, more = {} } = {}) {
		const r = this.users.has(room) ? this.dm(room) : this.rooms.get(room);
		const m = this.put(r, { user, text, client_msg_id: randomBytes(8).toString('hex'), ...(thread_ts ? { thread_ts } : {}),
			...(files ? { files: files.map((f) => this.fileObject(f)), subtype: 'file_share' } : {}), ...more });
		const event = { ...m, channel: r.id, event_ts: m.ts, channel_type: r.kind };

		if (r.members.has(this.botUser))
			this.event(event, { times });
		if (text.includes(`<@${this.botUser}>`) && ['channel', 'group'].includes(r.kind)) {
			const { channel_type, ...mention } = event;

			this.event({ ...mention, type: 'app_mention' }, { times });
		}
		return m;
	}

	change(room, ts, text) {
		const r = this.rooms.get(room), m = r.messages.find((x) => x.ts === ts), before = { ...m };

		m.text = text;
		m.edited = { user: m.user, ts: this.ts() };
		this.event({ type: 'message', subtype: 'message_changed', hidden: true, channel: r.id, channel_type: r.kind, ts: m.edited.ts,
			event_ts: m.edited.ts, message: m, previous_message: before });
	}

	erase(room, ts) {
		const r = this.rooms.get(room), m = r.messages.find((x) => x.ts === ts), at = this.ts();

		r.messages = r.messages.filter((x) => x !== m);
		this.event({ type: 'message', subtype: 'message_deleted', hidden: true, channel: r.id, channel_type: r.kind, ts: at, event_ts: at,
			deleted_ts: ts, previous_message: m });
	}

	react(user, room, ts, reaction, { removed = false } = {}) {
		const m = this.rooms.get(room).messages.find((x) => x.ts === ts);

		this.event({ type: removed ? 'reaction_removed' : 'reaction_added', user, reaction, item_user: m?.user,
			item: { type: 'message', channel: room, ts }, event_ts: this.ts() });
	}

	/* Presses a button of a message by its text, its action_id or its value. */
	press(user, room, ts, which) {
		const r = this.rooms.get(room), m = this.message(r, ts);
		const button = m.blocks?.flatMap((b) => b.elements ?? []).find((e) => [e.text?.text, e.action_id, e.value].includes(which));

		if (!button)
			throw new Error(`no button ${which} in ${JSON.stringify(m.blocks)}`);
		return this.interact({ type: 'block_actions', user: { id: user, username: this.users.get(user)?.name, team_id: this.teamId },
			container: { type: 'message', message_ts: ts, channel_id: room, is_ephemeral: false, ...(m.thread_ts ? { thread_ts: m.thread_ts } : {}) },
			channel: { id: room, name: r.kind === 'im' ? 'directmessage' : r.kind === 'group' ? 'privategroup' : r.name },
			message: m, trigger_id: randomBytes(8).toString('hex'), response_url: this.responseUrl({ channel: room, user }),
			actions: [{ type: 'button', action_id: button.action_id, block_id: 'b', text: button.text, value: button.value, action_ts: this.ts() }] });
	}

	slash(user, room, command, text = '') {
		const r = this.users.has(room) ? this.dm(room) : this.rooms.get(room);
		const fields = { token: 'verification', team_id: this.teamId, team_domain: 'double', channel_id: r.id,
			channel_name: r.kind === 'im' ? 'directmessage' : r.kind === 'group' ? 'privategroup' : r.name, user_id: user,
			user_name: this.users.get(user)?.name, command, text, api_app_id: this.appId, is_enterprise_install: 'false',
			response_url: this.responseUrl({ channel: r.id, user }), trigger_id: `${++this.#seq}.${randomBytes(6).toString('hex')}` };

		if (this.eventsUrl)
			return this.#http(new URLSearchParams(fields).toString(), 'application/x-www-form-urlencoded');
		return this.envelope('slash_commands', fields, true);
	}

	invite(user, room) {
		const r = this.rooms.get(room);

		r.members.add(this.botUser);
		this.event({ type: 'member_joined_channel', user: this.botUser, channel: room, channel_type: r.kind === 'group' ? 'G' : 'C',
			team: this.teamId, inviter: user, event_ts: this.ts() });
	}
}

/* -- the Web API: token is the bot's unless said -- */

const METHODS = {
	'auth.test': { run() {
		return { url: 'https://double.slack.com/', team: 'Double', user: this.botName, team_id: this.teamId, user_id: this.botUser,
			bot_id: this.botId, is_enterprise_install: false };
	} },
	'apps.connections.open': { token: 'app', run() {
		return { url: this.newTicket() };
	} },
	'chat.postMessage': { scope: 'chat:write', needs: ['channel'], run(args) {
		const r = this.users.has(args.channel) ? this.dm(args.channel) : this.find(args.channel, { writes: true });

		if (args.thread_ts && !r.messages.some((m) => m.ts === args.thread_ts))
			refuse('thread_not_found');
		const m = this.post(r, { ...this.content(args), ...this.metadata(args), ...(args.thread_ts ? { thread_ts: args.thread_ts } : {}) });

		return { channel: r.id, ts: m.ts, message: this.shown(m, {}) };
	} },
	'chat.postEphemeral': { scope: 'chat:write', needs: ['channel', 'user'], run(args) {
		const r = this.find(args.channel, { writes: true });

		if (!r.members.has(args.user))
			refuse('user_not_in_channel');
		const ts = this.ts();

		this.posts.push({ channel: r.id, ephemeral_to: args.user, ts, ...this.content(args) });
		return { message_ts: ts };
	} },
	'chat.update': { scope: 'chat:write', needs: ['channel', 'ts'], run(args) {
		const r = this.find(args.channel, { writes: true }), m = this.message(r, args.ts);

		if (m.bot_id !== this.botId)
			refuse('cant_update_message');
		if (m.growing)
			refuse('streaming_state_conflict');
		const before = { ...m };

		Object.assign(m, this.content(args, EDIT_MAX), { edited: { user: this.botUser, ts: this.ts() } });
		if (this.echoes)
			this.event({ type: 'message', subtype: 'message_changed', hidden: true, channel: r.id, channel_type: r.kind, ts: m.edited.ts,
				event_ts: m.edited.ts, message: m, previous_message: before });
		return { channel: r.id, ts: m.ts, text: m.text, message: m };
	} },
	'chat.delete': { scope: 'chat:write', needs: ['channel', 'ts'], run(args) {
		const r = this.find(args.channel), m = this.message(r, args.ts);

		if (m.bot_id !== this.botId || m.growing)
			refuse('cant_delete_message');
		this.erase(r.id, m.ts);
		return { channel: r.id, ts: m.ts };
	} },
	'chat.startStream': { scope: 'chat:write', needs: ['channel', 'thread_ts'], run(args) {
		const r = this.find(args.channel, { writes: true });

		if (r.kind !== 'im' && (!args.recipient_user_id || !args.recipient_team_id))
			refuse(args.recipient_user_id ? 'missing_recipient_team_id' : 'missing_recipient_user_id');
		if (!r.messages.some((m) => m.ts === args.thread_ts))
			refuse('thread_not_found');
		const m = this.post(r, { text: this.markdown(args), thread_ts: args.thread_ts, growing: true, recipient: args.recipient_user_id });

		return { channel: r.id, ts: m.ts };
	} },
	'chat.appendStream': { scope: 'chat:write', needs: ['channel', 'ts'], run(args) {
		const { r, m } = this.growing(args);

		m.text += this.markdown(args, { isNeeded: true });
		return { channel: r.id, ts: m.ts };
	} },
	'chat.stopStream': { scope: 'chat:write', needs: ['channel', 'ts'], run(args) {
		const { r, m } = this.growing(args);

		m.text += this.markdown(args);
		delete m.growing;
		return { channel: r.id, ts: m.ts, message: this.shown(m, {}) };
	} },
	'bots.info': { scope: 'users:read', needs: ['bot'], run(args) {
		return { bot: args.bot === this.botId ? { id: this.botId, app_id: this.botAppId ?? this.appId, user_id: this.botUser, name: this.botName }
			: refuse('bot_not_found') };
	} },
	'conversations.open': { needs: ['users'], run(args) {
		const users = args.users.split(',');

		if (users.some((u) => !this.users.has(u)))
			refuse('user_not_found');
		if (!this.scopes.includes(users.length > 1 ? 'mpim:write' : 'im:write'))
			refuse('missing_scope', { needed: users.length > 1 ? 'mpim:write' : 'im:write', provided: this.scopes.join(',') });
		return { channel: { id: this.dm(users[0]).id } };
	} },
	'conversations.info': { needs: ['channel'], run(args) {
		const r = this.find(args.channel);

		this.infoScope(r);
		return { channel: { id: r.id, name: r.name, is_channel: r.kind === 'channel', is_group: r.kind === 'group', is_im: r.kind === 'im',
			is_mpim: r.kind === 'mpim', is_private: r.kind !== 'channel', is_archived: r.is_archived, is_member: r.members.has(this.botUser) } };
	} },
	'conversations.members': { needs: ['channel'], run(args) {
		const r = this.find(args.channel);

		this.infoScope(r);
		return { members: [...r.members] };
	} },
	'conversations.history': { needs: ['channel'], run(args) {
		const r = this.find(args.channel);

		this.readScope(r);
		if (!r.members.has(this.botUser))
			refuse('not_in_channel');
		return this.page(r.messages.filter((m) => !m.thread_ts || m.thread_ts === m.ts), args, { isNewestFirst: true });
	} },
	'conversations.replies': { needs: ['channel', 'ts'], run(args) {
		const r = this.find(args.channel), list = r.messages.filter((m) => m.ts === args.ts || m.thread_ts === args.ts);

		this.readScope(r);
		return list.length ? this.page(list, args, { isNewestFirst: false }) : refuse('thread_not_found');
	} },
	'users.info': { scope: 'users:read', needs: ['user'], run(args) {
		return { user: this.users.get(args.user) ?? refuse('user_not_found') };
	} },
	'reactions.add': { scope: 'reactions:write', needs: ['channel', 'timestamp', 'name'], run(args) {
		const m = this.message(this.find(args.channel), args.timestamp);

		if (!EMOJI.has(args.name))
			refuse('invalid_name');
		m.reactions ??= [];
		const had = m.reactions.find((r) => r.name === args.name);

		if (had?.users.includes(this.botUser))
			refuse('already_reacted');
		if (had)
			had.users.push(this.botUser);
		else
			m.reactions.push({ name: args.name, users: [this.botUser], count: 1 });
		return {};
	} },
	'reactions.remove': { scope: 'reactions:write', needs: ['channel', 'timestamp', 'name'], run(args) {
		const m = this.message(this.find(args.channel), args.timestamp), had = m.reactions?.find((r) => r.name === args.name);

		if (!had?.users.includes(this.botUser))
			refuse('no_reaction');
		had.users = had.users.filter((u) => u !== this.botUser);
		m.reactions = m.reactions.filter((r) => r.users.length);
		return {};
	} },
	'reactions.get': { scope: 'reactions:read', needs: ['channel', 'timestamp'], run(args) {
		return { type: 'message', channel: args.channel, message: this.message(this.find(args.channel), args.timestamp) };
	} },
	'files.getUploadURLExternal': { scope: 'files:write', needs: ['filename', 'length'], run(args) {
		return this.newUpload(args.filename, Number(args.length));
	} },
	'files.completeUploadExternal': { scope: 'files:write', needs: ['files'], run(args) {
		const r = args.channel_id ? this.find(args.channel_id, { writes: true }) : null;
		const files = this.completeUploads(typeof args.files === 'string' ? JSON.parse(args.files) : args.files);

		if (r) {
			const m = this.post(r, { text: args.initial_comment ?? '', files: files.map((f) => this.fileObject(f)), upload: true,
				...(args.thread_ts ? { thread_ts: args.thread_ts } : {}) });

			for (const f of files)
				f.shares = { [r.kind === 'channel' ? 'public' : 'private']: { [r.id]: [{ ts: m.ts }] } };
		}
		return { files: files.map((f) => ({ id: f.id, title: f.title })) };
	} },
	'files.info': { scope: 'files:read', needs: ['file'], run(args) {
		return { file: this.fileObject(this.file(args.file) ?? refuse('file_not_found')) };
	} },
	'assistant.threads.setStatus': { scope: 'assistant:write', needs: ['channel_id', 'thread_ts'], run(args) {
		this.message(this.find(args.channel_id), args.thread_ts);
		return {};
	} },
	'views.publish': { needs: ['user_id', 'view'], run(args) {
		this.views.push({ user: args.user_id, view: typeof args.view === 'string' ? JSON.parse(args.view) : args.view });
		return { view: { id: 'V0HOME001' } };
	} },
	'conversations.list': { run() {
		return { channels: [...this.rooms.values()].map((r) => ({ id: r.id, name: r.name })), response_metadata: { next_cursor: '' } };
	} },
};
