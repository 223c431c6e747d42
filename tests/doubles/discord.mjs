/*
 * discord.mjs - a stand-in for Discord on loopback: REST version 10, its CDN, and the Gateway.
 *
 * Written from discord-api-types and discord.com/developers/docs. It refuses what Discord refuses: tokens, intents that were not
 * granted, bodies over their limits, rooms that are not there or not shown, more requests than a bucket holds. discord.js works
 * with it (tests/e2e/channel-discord-peers.test.mjs).
 *
 *	const discord = await DiscordDouble.start();
 *	discord.say(USERS.ada, ROOMS.general, '<@…> hello');   // as a person; gives the message
 *	await discord.sent((m) => m.content === 'hi');         // what the bot wrote
 *	discord.fault('POST /channels/:id/messages', 'cut-after');
 *
 * Faults of the next matching request: a number (that status, nothing done), 'cut-before' and 'cut-after' (the connection dies
 * before or after it was done), 'silent-before' and 'silent-after' (no answer until stop()), 'limit' and 'limit-global' (429), and
 * 'limit-edge' (429 of what stands before Discord: a page, no JSON); 'slow' (done after a while).
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import { require } from '../e2e/lib/peers.mjs';
import { Log } from '../e2e/lib/wait.mjs';
import { bodyOf } from './body.mjs';
import { Code, Refusal, checkCommands, checkMessage, isSnowflake, refuse } from './discord_rules.mjs';

const { WebSocketServer } = require('ws');
const { ApplicationFlags, ChannelType, GatewayCloseCodes: Close, GatewayIntentBits: Intent, GatewayOpcodes: Op, InteractionType, MessageFlags,
	MessageReferenceType, MessageType } = require('discord-api-types/v10');

const EPOCH = 1420070400000n;
let counter = 0n;
export const snowflake = (ms = Date.now()) => String(((BigInt(ms) - EPOCH) << 22n) | (counter++ & 0x3fffffn));
const fixed = (n) => String(1000000000000000000n + BigInt(n));

export const USERS = { ada: fixed(1001), bob: fixed(1002), eve: fixed(1003) };
export const ROOMS = { general: fixed(2001), quiet: fixed(2002), forum: fixed(2003), hidden: fixed(2004), thread: fixed(2005) };
export const GUILD = fixed(3001);
export const ROLES = { ops: fixed(4001), bot: fixed(4002) };
export const BOT = fixed(9001);
const PRIVILEGED = Intent.GuildMembers | Intent.GuildPresences | Intent.MessageContent;
const ALL_INTENTS = Object.values(Intent).filter((v) => typeof v === 'number').reduce((a, b) => a | b, 0);
const NONCE_MS = 120000;
const sameEmoji = (a, b) => (a.id ?? null) === (b.id ?? null) && (a.id || a.name === b.name);

export class DiscordDouble {
	token = `${Buffer.from(BOT).toString('base64url')}.Gabcde.${randomBytes(20).toString('base64url')}`;
	granted = PRIVILEGED;            /* what the portal switched on */
	heartbeatMs = 41250;
	isDeaf = false;                  /* heartbeats are not answered: a zombie */
	identifies = 1000;               /* left for today */
	limits = {};                     /* "POST /channels/:id/messages" -> {limit, ms} */
	uploadMax = 10 << 20;            /* bytes of one request, as for a server without boosts */
	requests = new Log();            /* {method, path, route, body, status} */
	out = new Log();                 /* messages and follow-ups of the bot, as they stand when they were made */
	callbacks = new Log();           /* answers to interactions */
	typing = new Log();
	logins = new Log();              /* {op: 'identify' | 'resume', …} */
	closes = new Log();              /* close codes that the bot sent */
	presences = new Log();           /* what the bot says of itself after its login */
	commands = [];
	sessions = new Map();
	#sockets = new Set();
	#buckets = new Map();
	#faults = [];
	#held = new Set();

	static async start(options = {}) {
		const d = Object.assign(new DiscordDouble(), options);

		d.#world();
		d.server = http.createServer((req, res) => d.#onRequest(req, res));
		d.wss = new WebSocketServer({ noServer: true, maxPayload: 4096 });
		d.server.on('upgrade', (req, socket, head) => d.wss.handleUpgrade(req, socket, head, (ws) => d.#onSocket(ws, req)));
		d.server.listen(0, '127.0.0.1');
		await once(d.server, 'listening');
		d.port = d.server.address().port;
		return d;
	}

	async stop() {
		for (const ws of this.#sockets)
			ws.terminate();
		for (const res of this.#held)
			res.destroy();
		this.server.closeAllConnections();
		await new Promise((resolve) => this.server.close(resolve));
	}

	get api() {
		return `http://127.0.0.1:${this.port}/api/v10`;
	}

	get gatewayUrl() {
		return `ws://127.0.0.1:${this.port}`;
	}

	/* What chela is configured with. */
	config(more = {}) {
		return { token: this.token, apiRoot: this.api, ...more };
	}

	/* -- the world -- */

	#world() {
		const user = (id, username, extra = {}) => [id, { id, username, discriminator: '0', global_name: null, avatar: null, ...extra }];
		const room = (id, name, type = ChannelType.GuildText, extra = {}) => [id, { id, type, guild_id: GUILD, name, position: 0,
			permission_overwrites: [], nsfw: false, parent_id: null, ...extra }];

		this.users = new Map([user(USERS.ada, 'ada', { global_name: 'Ada' }), user(USERS.bob, 'bob'), user(USERS.eve, 'eve'),
			user(BOT, 'chelabot', { bot: true })]);
		this.channels = new Map([room(ROOMS.general, 'general'), room(ROOMS.quiet, 'quiet'), room(ROOMS.forum, 'ideas', ChannelType.GuildForum),
			room(ROOMS.hidden, 'hidden'),
			room(ROOMS.thread, 'a thread', ChannelType.PublicThread, { parent_id: ROOMS.general, owner_id: USERS.ada,
				thread_metadata: { archived: false, auto_archive_duration: 1440, archive_timestamp: new Date().toISOString(), locked: false } })]);
		this.hidden = new Set([ROOMS.hidden]);   /* not shown to the bot */
		this.members = new Map([[USERS.ada, [ROLES.ops]], [USERS.bob, []], [USERS.eve, []], [BOT, [ROLES.bot]]]);
		this.messages = new Map();               /* channel -> messages, oldest first */
		this.files = new Map();                  /* path -> {type, data} */
		this.interactions = new Map();           /* token -> {id, channel, original, at} */
		this.nonces = new Map();
	}

	get bot() {
		return this.users.get(BOT);
	}

	#member(id, extra = {}) {
		return { roles: this.members.get(id) ?? [], joined_at: '2026-01-01T00:00:00.000000+00:00', deaf: false, mute: false, flags: 0, ...extra };
	}

	#guild() {
		const rooms = [...this.channels.values()].filter((c) => c.guild_id === GUILD && !this.hidden.has(c.id));
		const isThread = (c) => c.type === ChannelType.PublicThread;

		return { id: GUILD, name: 'Harbour', owner_id: USERS.ada, icon: null, unavailable: false, large: false, member_count: 4,
			joined_at: '2026-01-01T00:00:00.000000+00:00', features: [], emojis: [], stickers: [], voice_states: [], presences: [],
			stage_instances: [], guild_scheduled_events: [], soundboard_sounds: [], system_channel_id: ROOMS.general, preferred_locale: 'en-US',
			verification_level: 0, default_message_notifications: 0, explicit_content_filter: 0, mfa_level: 0, nsfw_level: 0, premium_tier: 0,
			afk_timeout: 300, system_channel_flags: 0,
			roles: [{ id: GUILD, name: '@everyone' }, { id: ROLES.ops, name: 'ops' }, { id: ROLES.bot, name: 'chelabot' }].map((r, position) => ({
				permissions: '1071698529857', color: 0, colors: {}, hoist: false, managed: false, mentionable: true, flags: 0, position, ...r })),
			channels: rooms.filter((c) => !isThread(c)), threads: rooms.filter(isThread),
			members: [{ user: this.bot, ...this.#member(BOT) }] };
	}

	dm(user) {
		const found = [...this.channels.values()].find((c) => c.type === ChannelType.DM && c.recipients[0].id === user);

		if (found)
			return found.id;
		const id = snowflake();

		this.channels.set(id, { id, type: ChannelType.DM, recipients: [this.users.get(user)], last_message_id: null });
		return id;
	}

	/* -- what people do -- */

	/* Words of a person. extra: parts of the message, as attachments, sticker_items, poll, webhook_id, message_reference. */
	say(author, channel, content, extra = {}) {
		const room = this.channels.get(channel);
		const { member, ...parts } = extra;
		const reply = parts.message_reference?.message_id && this.#find(channel, parts.message_reference.message_id);
		const forward = parts.message_reference?.type === MessageReferenceType.Forward;
		const m = this.#make(channel, author, { content, type: reply && !forward ? MessageType.Reply : MessageType.Default,
			...(reply && !forward && { referenced_message: reply }), ...parts });

		this.dispatch('MESSAGE_CREATE', { ...m, ...this.#where(room, author, member) }, room);
		return m;
	}

	edit(channel, id, content) {
		const m = this.#find(channel, id);
		const room = this.channels.get(channel);

		Object.assign(m, { content, edited_timestamp: new Date().toISOString() });
		this.dispatch('MESSAGE_UPDATE', { ...m, ...this.#where(room, m.author.id) }, room);
	}

	delete(channel, id) {
		const room = this.channels.get(channel);

		this.messages.set(channel, this.messages.get(channel).filter((m) => m.id !== id));
		this.dispatch('MESSAGE_DELETE', { id, channel_id: channel, ...(room.guild_id && { guild_id: room.guild_id }) }, room);
	}

	react(user, channel, id, name, removed = false) {
		const room = this.channels.get(channel);
		const m = this.#find(channel, id);
		const emoji = { id: null, name };

		this.#reaction(m, emoji, user, removed);
		this.dispatch(removed ? 'MESSAGE_REACTION_REMOVE' : 'MESSAGE_REACTION_ADD', { user_id: user, channel_id: channel, message_id: id, emoji,
			burst: false, type: 0, ...(room.guild_id && { guild_id: room.guild_id }),
			...(!removed && { message_author_id: m?.author.id, ...(room.guild_id && { member: { user: this.users.get(user), ...this.#member(user) } }) }) },
		room);
	}

	vote(user, channel, id, answer) {
		this.dispatch('MESSAGE_POLL_VOTE_ADD', { user_id: user, channel_id: channel, message_id: id, answer_id: answer,
			...(this.channels.get(channel).guild_id && { guild_id: GUILD }) }, this.channels.get(channel));
	}

	/* A slash command; values: its options. Gives the token that answers are known by. */
	slash(user, channel, name, values = {}) {
		const options = Object.entries(values).map(([n, value]) => ({ name: n, type: 3, value }));

		return this.#interact(user, channel, InteractionType.ApplicationCommand, { id: snowflake(), name, type: 1, options });
	}

	press(user, channel, id, customId) {
		return this.#interact(user, channel, InteractionType.MessageComponent, { custom_id: customId, component_type: 2 },
			{ message: this.#find(channel, id) });
	}

	submit(user, channel, customId, fields) {
		return this.#interact(user, channel, InteractionType.ModalSubmit, { custom_id: customId, components: Object.entries(fields).map(
			([id, value]) => ({ type: 1, components: [{ type: 4, custom_id: id, value }] })) });
	}

	/* A choice of a menu. */
	choose(user, channel, id, customId, values) {
		return this.#interact(user, channel, InteractionType.MessageComponent, { custom_id: customId, component_type: 3, values },
			{ message: this.#find(channel, id) });
	}

	#interact(user, channel, type, data, extra = {}) {
		const room = this.channels.get(channel);
		const id = snowflake(), token = `aW50ZXJhY3Rpb246${randomBytes(60).toString('base64url')}`;
		const who = room.guild_id ? { guild_id: GUILD, member: { user: this.users.get(user), permissions: '0', ...this.#member(user) } }
			: { user: this.users.get(user) };

		this.interactions.set(token, { id, channel, type, at: Date.now(), original: null, acked: false, flags: 0, source: extra.message });
		this.dispatch('INTERACTION_CREATE', { id, application_id: BOT, type, data, token, version: 1, channel_id: channel, channel: { ...room },
			context: room.guild_id ? 0 : 1, locale: 'en-US', app_permissions: '0', entitlements: [], authorizing_integration_owners: {},
			attachment_size_limit: 10485760, ...who, ...extra }, null);
		return token;
	}

	/* -- what the bot did -- */

	sent(match = () => true, options = {}) {
		return this.out.find(match, { what: 'a message of the bot', ...options }).then(({ item }) => item);
	}

	/* As the room shows it now. */
	shown(channel) {
		return (this.messages.get(channel) ?? []).map((m) => m.content);
	}

	#find(channel, id) {
		return (this.messages.get(channel) ?? []).find((m) => m.id === id);
	}

	#where(room, author, member) {
		if (!room?.guild_id)
			return { channel_type: room?.type };
		return { channel_type: room.type, guild_id: room.guild_id, ...(author && this.members.has(author) && { member: this.#member(author, member) }) };
	}

	#make(channel, author, parts) {
		const words = parts.content ?? '';
		const ids = (re) => [...words.matchAll(re)].map((x) => x[1]);
		const m = { id: snowflake(), channel_id: channel, author: this.users.get(author) ?? { id: author, username: 'somebody', discriminator: '0', avatar: null },
			content: words, timestamp: new Date().toISOString(), edited_timestamp: null, tts: false, mention_everyone: /@everyone|@here/.test(words),
			mentions: ids(/<@!?(\d+)>/g).map((id) => this.users.get(id)).filter(Boolean), mention_roles: ids(/<@&(\d+)>/g), attachments: [],
			embeds: [], pinned: false, type: 0, flags: 0, components: [], reactions: [], ...parts };

		if (!this.messages.has(channel))
			this.messages.set(channel, []);
		this.messages.get(channel).push(m);
		this.channels.get(channel).last_message_id = m.id;
		return m;
	}

	#reaction(m, emoji, user, removed) {
		const mine = user === BOT;
		let r = m.reactions.find((x) => sameEmoji(x.emoji, emoji));

		if (!r)
			m.reactions.push(r = { emoji, users: new Set(), get count() { return this.users.size; }, me: false });
		if (removed)
			r.users.delete(user);
		else
			r.users.add(user);
		r.me = mine ? !removed : r.me;
		m.reactions = m.reactions.filter((x) => x.users.size);
	}

	/* -- the Gateway -- */

	#onSocket(ws, req) {
		const q = new URL(req.url, 'http://double').searchParams;
		const c = { ws, session: null, beats: 0 };

		this.#sockets.add(ws);
		ws.on('close', (code) => {
			this.#sockets.delete(ws);
			this.closes.push(code);
			/* A normal end gives the session up; anything else leaves it for a while. */
			if (c.session && c.session.socket === ws) {
				c.session.socket = null;
				if (code === 1000 || code === 1001)
					this.sessions.delete(c.session.id);
			}
		});
		ws.on('error', () => {});
		if (q.get('v') !== '10')
			return ws.close(Close.InvalidAPIVersion, 'Invalid API version.');
		if (q.get('encoding') !== 'json')
			return ws.close(Close.DecodeError, 'Unknown encoding.');
		ws.on('message', (data) => this.#onPayload(c, data.toString()));
		return this.#tell(ws, { op: Op.Hello, d: { heartbeat_interval: this.heartbeatMs, _trace: [] } });
	}

	#tell(ws, { op, d = null, s = null, t = null }) {
		ws.send(JSON.stringify({ t, s, op, d }));
	}

	#onPayload(c, text) {
		let p;

		try {
			p = JSON.parse(text);
		} catch {
			return c.ws.close(Close.DecodeError, 'Error while decoding payload.');
		}
		switch (p.op) {
		case Op.Heartbeat:
			c.beats++;
			return this.isDeaf || this.#tell(c.ws, { op: Op.HeartbeatAck });
		case Op.Identify: return c.session ? c.ws.close(Close.AlreadyAuthenticated, 'Already authenticated.') : this.#identify(c, p.d);
		case Op.Resume: return this.#resume(c, p.d);
		case Op.PresenceUpdate:
			if (c.session)
				return this.presences.push(p.d);
			return c.ws.close(Close.NotAuthenticated, 'Not authenticated.');
		case Op.RequestGuildMembers:
		case Op.VoiceStateUpdate:
			return c.session || c.ws.close(Close.NotAuthenticated, 'Not authenticated.');
		default: return c.ws.close(Close.UnknownOpcode, 'Unknown opcode.');
		}
	}

	#identify(c, d) {
		this.logins.push({ op: 'identify', ...d });
		if (d.token !== this.token)
			return c.ws.close(Close.AuthenticationFailed, 'Authentication failed.');
		if (!Number.isInteger(d.intents) || d.intents & ~ALL_INTENTS)
			return c.ws.close(Close.InvalidIntents, 'Invalid intent(s).');
		if (d.intents & PRIVILEGED & ~this.granted)
			return c.ws.close(Close.DisallowedIntents, 'Disallowed intent(s).');
		if (!d.properties?.os || !d.properties.browser || !d.properties.device)
			return c.ws.close(Close.DecodeError, 'Error while decoding payload.');
		this.identifies--;
		c.session = { id: randomBytes(16).toString('hex'), seq: 0, events: [], socket: c.ws, intents: d.intents };
		this.sessions.set(c.session.id, c.session);
		this.#event(c.session, 'READY', { v: 10, user: { ...this.bot, verified: true, mfa_enabled: true, email: null, flags: 0 }, user_settings: {},
			guilds: [{ id: GUILD, unavailable: true }], session_id: c.session.id, resume_gateway_url: this.gatewayUrl, session_type: 'normal',
			private_channels: [], relationships: [], application: { id: BOT, flags: 0 }, shard: [0, 1], geo_ordered_rtc_regions: [], auth: {} });
		if (d.intents & Intent.Guilds)
			this.#event(c.session, 'GUILD_CREATE', this.#guild());
	}

	#resume(c, d) {
		const s = this.sessions.get(d.session_id);

		this.logins.push({ op: 'resume', ...d });
		if (d.token !== this.token)
			return c.ws.close(Close.AuthenticationFailed, 'Authentication failed.');
		if (!s)
			return this.#tell(c.ws, { op: Op.InvalidSession, d: false });
		if (!Number.isInteger(d.seq) || d.seq > s.seq)
			return c.ws.close(Close.InvalidSeq, 'Invalid seq.');
		c.session = s;
		s.socket = c.ws;
		for (const e of s.events.filter((x) => x.s > d.seq))
			this.#tell(c.ws, e);
		return this.#event(s, 'RESUMED', { _trace: [] });
	}

	#event(s, t, d) {
		const e = { op: Op.Dispatch, t, d, s: ++s.seq };

		s.events.push(e);
		if (s.socket?.readyState === 1)
			this.#tell(s.socket, e);
		return e;
	}

	/* Is the event within the session's intents, and what does it show of the words? */
	#seen(s, t, d, room) {
		const direct = room && !room.guild_id;
		const need = /^MESSAGE_REACTION/.test(t) ? (direct ? Intent.DirectMessageReactions : Intent.GuildMessageReactions)
			: /^MESSAGE_POLL/.test(t) ? (direct ? Intent.DirectMessagePolls : Intent.GuildMessagePolls)
				: /^MESSAGE/.test(t) ? (direct ? Intent.DirectMessages : Intent.GuildMessages)
					: /^(GUILD|CHANNEL|THREAD)_/.test(t) ? Intent.Guilds : 0;

		if (need && !(s.intents & need))
			return null;
		if (!/^MESSAGE_(CREATE|UPDATE)$/.test(t) || s.intents & Intent.MessageContent || direct || d.author.id === BOT ||
		    d.mentions.some((u) => u.id === BOT))
			return d;
		return { ...d, content: '', attachments: [], embeds: [], components: [], poll: undefined };
	}

	dispatch(t, d, room = null) {
		if (room && this.hidden.has(room.id))
			return;
		for (const s of this.sessions.values()) {
			const seen = this.#seen(s, t, d, room);

			if (seen)
				this.#event(s, t, seen);
		}
	}

	/* The last events of all sessions once more, as after a doubtful connection. */
	redeliver(times = 1, match = (e) => e.t === 'MESSAGE_CREATE') {
		for (const s of this.sessions.values()) {
			const e = s.events.filter(match).at(-1);

			for (let i = 0; i < times; i++)
				this.#tell(s.socket, e);
		}
	}

	get connected() {
		return [...this.sessions.values()].filter((s) => s.socket?.readyState === 1).length;
	}

	reconnect() {
		for (const ws of this.#sockets)
			this.#tell(ws, { op: Op.Reconnect });
	}

	invalidate(canResume = false) {
		for (const s of [...this.sessions.values()]) {
			if (!canResume)
				this.sessions.delete(s.id);
			if (s.socket)
				this.#tell(s.socket, { op: Op.InvalidSession, d: canResume });
		}
	}

	/* The connection is gone without a word, or with a close code. */
	cut(code) {
		for (const ws of this.#sockets) {
			if (code)
				ws.close(code, 'closed by the test');
			else
				ws.terminate();
		}
	}

	ask() {
		for (const ws of this.#sockets)
			this.#tell(ws, { op: Op.Heartbeat });
	}

	/* -- REST -- */

	fault(route, kind, times = 1) {
		for (let i = 0; i < times; i++)
			this.#faults.push({ route, kind });
	}

	#takeFault(route) {
		const i = this.#faults.findIndex((f) => f.route === route);

		return i < 0 ? null : this.#faults.splice(i, 1)[0].kind;
	}

	async #onRequest(req, res) {
		const raw = await bodyOf(req);

		if (!raw)
			return undefined;
		const url = new URL(req.url, 'http://double');
		const rq = { method: req.method, path: decodeURIComponent(url.pathname), query: url.searchParams, headers: req.headers, raw };
		const found = this.#route(rq);
		const entry = { method: rq.method, path: url.pathname, route: found?.route ?? null, headers: rq.headers, status: 0, at: Date.now() };
		const fault = found && this.#takeFault(found.route);

		try {
			if (fault === 'cut-before' || fault === 'silent-before')
				return this.#vanish(res, fault);
			if (fault === 'slow')
				await new Promise((resolve) => setTimeout(resolve, 400));
			const answer = await this.#act(rq, found, fault, entry);

			if (fault === 'cut-after' || fault === 'silent-after')
				return this.#vanish(res, fault);
			return this.#reply(res, entry, answer);
		} catch (e) {
			if (!(e instanceof Refusal))
				this.broken = e;
			return this.#reply(res, entry, e instanceof Refusal ? { status: e.status, body: e.body, headers: e.headers, page: e.page }
				: { status: 500, body: { message: `the double failed: ${e.stack}`, code: 0 } });
		} finally {
			this.requests.push(entry);
		}
	}

	/* Who waits for an answer that never comes has the connection ended. */
	breakSilence() {
		for (const res of this.#held)
			res.destroy();
		this.#held.clear();
	}

	#vanish(res, kind) {
		if (kind.startsWith('cut'))
			return res.destroy();
		return this.#held.add(res);
	}

	#reply(res, entry, { status = 200, body, headers = {}, file, page }) {
		entry.status = status;
		if (page) {
			res.writeHead(status, { 'content-type': 'text/html', ...headers });
			return res.end(page);
		}
		if (file) {
			res.writeHead(200, { 'content-type': file.type, 'content-length': file.data.length });
			return res.end(file.data);
		}
		res.writeHead(status, { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers });
		return res.end(body === undefined ? undefined : JSON.stringify(body, (k, v) => (v instanceof Set ? undefined : v)));
	}

	async #act(rq, found, fault, entry) {
		if (!found)
			refuse(404, 0, '404: Not Found');
		if (typeof fault === 'number')
			refuse(fault, 0, `${fault}: asked for by the test`);
		if (found.isOpen !== true && rq.headers.authorization !== `Bot ${this.token}`)
			refuse(401, 0, '401: Unauthorized');
		if (found.isOpen !== true && !/^DiscordBot \(.+, .+\)/.test(rq.headers['user-agent'] ?? ''))
			refuse(403, 40333, 'internal network error');
		const headers = this.#take(found, rq, fault);

		await this.#read(rq);
		entry.body = rq.body;
		entry.files = rq.files;
		const answer = await found.run.call(this, rq, ...found.args);

		return { ...answer, headers: { ...headers, ...answer?.headers } };
	}

	/* Buckets count per route and major parameter. */
	#take(found, rq, fault) {
		const limit = this.limits[found.route] ?? { limit: 1000, ms: 1000 };
		const name = Buffer.from(found.route).toString('hex').slice(0, 32);
		const key = `${found.route} ${found.args[0] ?? ''}`;
		const now = Date.now();
		let b = this.#buckets.get(key);

		if (!b || now >= b.resetAt)
			this.#buckets.set(key, b = { left: limit.limit, resetAt: now + limit.ms });
		const after = Math.max((b.resetAt - now) / 1000, 0.001);
		const headers = { 'x-ratelimit-bucket': name, 'x-ratelimit-limit': String(limit.limit), 'x-ratelimit-remaining': String(Math.max(b.left - 1, 0)),
			'x-ratelimit-reset-after': after.toFixed(3), 'x-ratelimit-reset': (b.resetAt / 1000).toFixed(3) };

		if (fault === 'limit-edge') {
			const e = new Refusal(429, 0, '');

			e.page = '<html>error code: 1015</html>';
			e.headers = { 'retry-after': String(Math.ceil(this.retryAfter ?? 0.2)) };
			throw e;
		}
		if (fault === 'limit-global' || fault === 'limit' || b.left <= 0) {
			const global = fault === 'limit-global', wait = fault ? this.retryAfter ?? 0.2 : after;
			const e = new Refusal(429, 0, 'You are being rate limited.');

			e.body = { message: 'You are being rate limited.', retry_after: wait, global };
			e.headers = { ...(global ? {} : headers), 'retry-after': String(Math.ceil(wait)), 'x-ratelimit-scope': global ? 'global' : 'user',
				...(global && { 'x-ratelimit-global': 'true' }) };
			throw e;
		}
		b.left--;
		return headers;
	}

	async #read(rq) {
		const type = rq.headers['content-type'] ?? '';

		rq.files = [];
		if (!rq.raw.length)
			return;
		if (rq.raw.length > this.uploadMax)
			refuse(413, Code.RequestEntityTooLarge, 'Request entity too large');
		if (type.startsWith('application/json')) {
			try {
				rq.body = JSON.parse(rq.raw.toString('utf8'));
			} catch {
				refuse(400, 50109, 'The request body contains invalid JSON.');
			}
		} else if (type.startsWith('multipart/form-data')) {
			const form = await new Response(rq.raw, { headers: { 'content-type': type } }).formData();

			rq.body = JSON.parse(form.get('payload_json') ?? '{}');
			for (const [name, file] of form) {
				const index = /^files\[(\d+)\]$/.exec(name)?.[1];

				if (index)
					rq.files[Number(index)] = { name: file.name, type: file.type, data: Buffer.from(await file.arrayBuffer()) };
			}
		} else if (rq.method !== 'GET') {
			refuse(400, Code.InvalidFormBodyOrContentType, 'Expected "Content-Type" header to be one of {\'application/json\'}.');
		}
	}

	#route(rq) {
		for (const [method, re, route, run, isOpen] of ROUTES) {
			const m = method === rq.method && re.exec(rq.path);

			if (m)
				return { route: `${method} ${route}`, run, isOpen, args: m.slice(1) };
		}
		return null;
	}

	#room(id) {
		const room = this.channels.get(id);

		if (!room)
			refuse(404, Code.UnknownChannel, 'Unknown Channel');
		if (this.hidden.has(id))
			refuse(403, Code.MissingAccess, 'Missing Access');
		return room;
	}

	#message(channel, id) {
		this.#room(channel);
		return this.#find(channel, id) ?? refuse(404, Code.UnknownMessage, 'Unknown Message');
	}

	/* -- its handlers; `this` is the double -- */

	gatewayBot() {
		return { body: { url: this.gatewayUrl, shards: 1, session_start_limit: { total: 1000, remaining: this.identifies, reset_after: 5000,
			max_concurrency: 1 } } };
	}

	me() {
		return { body: this.bot };
	}

	getUser(rq, id) {
		return { body: this.users.get(id) ?? refuse(404, 10013, 'Unknown User') };
	}

	application() {
		const flags = (this.granted & Intent.MessageContent ? ApplicationFlags.GatewayMessageContentLimited : 0);

		return { body: { id: BOT, name: 'chela', flags, bot: this.bot, description: '', icon: null } };
	}

	openDm(rq) {
		if (!isSnowflake(rq.body?.recipient_id) || !this.users.has(rq.body.recipient_id))
			refuse(400, 50033, 'Invalid Recipient(s)');
		if (this.closedDms?.has(rq.body.recipient_id))
			refuse(403, Code.CannotSendMessagesToThisUser, 'Cannot send messages to this user');
		return { body: this.channels.get(this.dm(rq.body.recipient_id)) };
	}

	getChannel(rq, id) {
		return { body: this.#room(id) };
	}

	getGuild(rq, id) {
		return { body: id === GUILD ? this.#guild() : refuse(404, 10004, 'Unknown Guild') };
	}

	getMember(rq, guild, user) {
		if (guild !== GUILD || !this.members.has(user))
			refuse(404, 10007, 'Unknown Member');
		return { body: { user: this.users.get(user), ...this.#member(user) } };
	}

	/* Threads and posts that are not archived. */
	activeThreads(rq, guild) {
		if (guild !== GUILD)
			refuse(404, 10004, 'Unknown Guild');
		return { body: { threads: [...this.channels.values()].filter((c) => c.thread_metadata && !c.thread_metadata.archived && !this.hidden.has(c.id)),
			members: [] } };
	}

	listMessages(rq, channel) {
		const limit = Number(rq.query.get('limit') ?? 50);

		if (this.#room(channel).type === ChannelType.GuildForum)
			refuse(400, 50024, 'Cannot execute action on this channel type');
		if (!(limit >= 1 && limit <= 100))
			refuse(400, Code.InvalidFormBodyOrContentType, 'Invalid Form Body');
		const after = rq.query.get('after'), all = this.messages.get(channel) ?? [];

		/* The nonce is told once, when the message is made. */
		return { body: (after ? all.filter((m) => BigInt(m.id) > BigInt(after)).slice(0, limit) : all.slice(-limit)).reverse().map(({ nonce, ...m }) => m) };
	}

	createMessage(rq, channel) {
		const room = this.#room(channel);
		const known = rq.body?.enforce_nonce && this.nonces.get(`${channel} ${rq.body.nonce}`);

		if ([ChannelType.GuildForum, ChannelType.GuildMedia].includes(room.type))
			refuse(400, Code.CannotSendMessagesInNonTextChannel, 'Cannot send messages in a non-text channel');
		checkMessage(rq.body, { files: rq.files.length });
		if (known && Date.now() - known.at < NONCE_MS)
			return { body: known.message };
		return { body: this.#post(room, rq) };
	}

	/* The bot's message: kept, told, and logged. */
	#post(room, rq, extra = {}) {
		const { nonce, enforce_nonce: enforce, message_reference: ref, attachments, poll, allowed_mentions: allowed, ...body } = rq.body;
		const to = ref && this.#find(room.id, ref.message_id);

		if (ref && !to && ref.fail_if_not_exists !== false)
			refuse(400, Code.InvalidFormBodyOrContentType, 'Invalid Form Body', { message_reference: { _errors: [{ code: 'REPLIES_UNKNOWN_MESSAGE',
				message: 'Unknown message' }] } });
		const m = this.#make(room.id, BOT, { ...body, ...extra, ...(nonce !== undefined && { nonce }), ...(poll && { poll }),
			type: to ? MessageType.Reply : MessageType.Default, ...(to && { message_reference: { ...ref, channel_id: room.id }, referenced_message: to }),
			attachments: rq.files.map((f, i) => this.#keepFile(room.id, attachments?.find((x) => Number(x.id) === i)?.filename ?? f.name, f)) });

		if (allowed)
			m.mentions = m.mentions.filter((u) => allowed.parse?.includes('users') || allowed.users?.includes(u.id));
		if (nonce !== undefined && enforce)
			this.nonces.set(`${room.id} ${nonce}`, { at: Date.now(), message: m });
		this.out.push({ ...m, room: room.id, allowed, ephemeral: Boolean(m.flags & MessageFlags.Ephemeral) });
		this.dispatch('MESSAGE_CREATE', { ...m, ...this.#where(room, BOT) }, room);
		return m;
	}

	#keepFile(channel, name, file) {
		const id = snowflake(), path = `/attachments/${channel}/${id}/${name}`;

		this.files.set(path, file);
		return { id, filename: name, size: file.data.length, url: `http://127.0.0.1:${this.port}${path}?ex=1`, proxy_url: `http://127.0.0.1:${this.port}${path}`,
			content_type: file.type };
	}

	/* A file for say(): {attachments: [discord.attach(room, 'a.png', 'image/png', bytes)]}. */
	attach(channel, filename, type, data) {
		return this.#keepFile(channel, filename, { type, data: Buffer.from(data) });
	}

	getMessage(rq, channel, id) {
		return { body: this.#message(channel, id) };
	}

	editMessage(rq, channel, id) {
		const m = this.#message(channel, id);

		if (m.author.id !== BOT)
			refuse(403, 50005, 'Cannot edit a message authored by another user');
		checkMessage(rq.body, { isEdit: true, files: rq.files.length });
		return { body: this.#change(m, rq) };
	}

	#change(m, rq) {
		const { allowed_mentions: allowed, attachments, ...parts } = rq.body;

		Object.assign(m, parts, { edited_timestamp: new Date().toISOString() });
		this.out.push({ ...m, room: m.channel_id, isEdit: true, allowed });
		this.dispatch('MESSAGE_UPDATE', { ...m, ...this.#where(this.channels.get(m.channel_id), BOT) }, this.channels.get(m.channel_id));
		return m;
	}

	deleteMessage(rq, channel, id) {
		const m = this.#message(channel, id);

		if (m.author.id !== BOT)
			refuse(403, 50013, 'Missing Permissions');
		this.delete(channel, id);
		return { status: 204 };
	}

	putReaction(rq, channel, id, emoji) {
		const custom = /^(\w+):(\d+)$/.exec(emoji);

		if (!custom && /[\w<>:]/.test(emoji))
			refuse(400, 10014, 'Unknown Emoji');
		this.#reaction(this.#message(channel, id), custom ? { id: custom[2], name: custom[1] } : { id: null, name: emoji }, BOT, rq.method === 'DELETE');
		return { status: 204 };
	}

	startTyping(rq, channel) {
		this.#room(channel);
		this.typing.push({ channel });
		return { status: 204 };
	}

	createThread(rq, channel) {
		const room = this.#room(channel);
		const isForum = room.type === ChannelType.GuildForum;

		if (typeof rq.body?.name !== 'string' || rq.body.name.length < 1 || rq.body.name.length > 100)
			refuse(400, Code.InvalidFormBodyOrContentType, 'Invalid Form Body', { name: { _errors: [{ code: 'BASE_TYPE_BAD_LENGTH',
				message: 'Must be between 1 and 100 in length.' }] } });
		if (!isForum)
			refuse(400, 50024, 'Cannot execute action on this channel type');
		checkMessage(rq.body.message ?? {}, { files: rq.files.length });
		const id = snowflake();
		const thread = { id, type: ChannelType.PublicThread, guild_id: GUILD, parent_id: channel, name: rq.body.name, owner_id: BOT,
			thread_metadata: { archived: false, auto_archive_duration: 1440, archive_timestamp: new Date().toISOString(), locked: false } };

		this.channels.set(id, thread);
		this.dispatch('THREAD_CREATE', { ...thread, newly_created: true }, thread);
		const message = this.#post(thread, { ...rq, body: rq.body.message }, { id });

		return { status: 201, body: { ...thread, message } };
	}

	putCommands(rq, app) {
		if (app !== BOT)
			refuse(403, 20012, 'You are not authorized to perform this action on this application');
		checkCommands(rq.body);
		this.commands = rq.body.map((c) => ({ id: snowflake(), application_id: BOT, version: snowflake(), ...c }));
		return { body: this.commands };
	}

	/* -- interactions -- */

	#interaction(token) {
		const x = this.interactions.get(token);

		if (!x || Date.now() - x.at > 15 * 60 * 1000)
			refuse(404, 10015, 'Unknown Webhook');
		return x;
	}

	callback(rq, id, token) {
		const x = this.interactions.get(token);
		const types = { [InteractionType.ApplicationCommand]: [4, 5, 9], [InteractionType.MessageComponent]: [4, 5, 6, 7, 9], [InteractionType.ModalSubmit]: [4, 5, 6, 7] };

		if (!x || x.id !== id || Date.now() - x.at > 3000)
			refuse(404, Code.UnknownInteraction, 'Unknown interaction');
		if (x.acked)
			refuse(400, Code.InteractionHasAlreadyBeenAcknowledged, 'Interaction has already been acknowledged.');
		if (!types[x.type].includes(rq.body?.type))
			refuse(400, Code.InvalidFormBodyOrContentType, 'Invalid Form Body');
		x.acked = true;
		x.flags = rq.body.data?.flags ?? 0;
		this.callbacks.push({ token, ...rq.body });
		if (rq.body.type === 4)
			x.original = this.#answer(x, { ...rq, body: rq.body.data });
		else if (rq.body.type === 5)
			x.original = { id: snowflake(), channel_id: x.channel, author: this.bot, content: '', flags: x.flags | MessageFlags.Loading, attachments: [] };
		else
			x.original = x.source;
		return { status: 204 };
	}

	/* What only the invoker sees is in no room. Only what takes the place of the first answer is as that was said to be. */
	#answer(x, rq, id = snowflake(), isFirst = true) {
		const flags = (rq.body.flags ?? 0) | (isFirst ? x.flags & MessageFlags.Ephemeral : 0);
		const room = this.channels.get(x.channel);

		checkMessage(rq.body, { files: rq.files.length });
		if (!(flags & MessageFlags.Ephemeral))
			return this.#post(room, rq, { id, flags, webhook_id: BOT });
		const m = { ...rq.body, id, channel_id: x.channel, author: this.bot, webhook_id: BOT, flags, attachments: [] };

		this.out.push({ ...m, room: x.channel, ephemeral: true });
		return m;
	}

	followUp(rq, app, token) {
		const x = this.#interaction(token);

		if (app !== BOT || !x.acked)
			refuse(404, 10015, 'Unknown Webhook');
		/* The first follow-up of a deferred answer takes the place of what was deferred. */
		if (x.original?.flags & MessageFlags.Loading)
			return { body: x.original = this.#answer(x, rq, x.original.id) };
		return { body: this.#answer(x, rq, snowflake(), false) };
	}

	getOriginal(rq, app, token) {
		const x = this.#interaction(token);

		return { body: x.original ?? refuse(404, Code.UnknownMessage, 'Unknown Message') };
	}

	editOriginal(rq, app, token) {
		const x = this.#interaction(token);

		if (!x.original)
			refuse(404, Code.UnknownMessage, 'Unknown Message');
		if (x.original.flags & MessageFlags.Loading)
			return { body: x.original = this.#answer({ ...x, flags: x.original.flags }, rq, x.original.id) };
		checkMessage(rq.body, { isEdit: true, files: rq.files.length });
		return { body: this.#change(x.original, rq) };
	}

	getFile(rq) {
		const file = this.files.get(rq.path);

		if (rq.headers.authorization)
			throw new Error('the token was sent to the CDN');
		if (this.expired?.has(rq.query.get('ex')) || !file)
			refuse(404, 0, 'This content is no longer available.');
		return { file };
	}
}

const P = DiscordDouble.prototype;
const ID = '(\\d{15,20})';
const at = (path) => new RegExp(`^/api/v10${path.replaceAll(':id', ID).replaceAll(':token', '([\\w.=-]+)').replaceAll(':emoji', '(.+)')}$`);
const ROUTES = [
	['GET', '/gateway/bot', P.gatewayBot],
	['GET', '/users/@me', P.me],
	['GET', '/users/:id', P.getUser],
	['GET', '/applications/@me', P.application],
	['POST', '/users/@me/channels', P.openDm],
	['GET', '/channels/:id', P.getChannel],
	['GET', '/guilds/:id', P.getGuild],
	['GET', '/guilds/:id/members/:id', P.getMember],
	['GET', '/guilds/:id/threads/active', P.activeThreads],
	['GET', '/channels/:id/messages', P.listMessages],
	['POST', '/channels/:id/messages', P.createMessage],
	['GET', '/channels/:id/messages/:id', P.getMessage],
	['PATCH', '/channels/:id/messages/:id', P.editMessage],
	['DELETE', '/channels/:id/messages/:id', P.deleteMessage],
	['PUT', '/channels/:id/messages/:id/reactions/:emoji/@me', P.putReaction],
	['DELETE', '/channels/:id/messages/:id/reactions/:emoji/@me', P.putReaction],
	['POST', '/channels/:id/typing', P.startTyping],
	['POST', '/channels/:id/threads', P.createThread],
	['PUT', '/applications/:id/commands', P.putCommands],
	['POST', '/interactions/:id/:token/callback', P.callback, true],
	['POST', '/webhooks/:id/:token', P.followUp, true],
	['GET', '/webhooks/:id/:token/messages/@original', P.getOriginal, true],
	['PATCH', '/webhooks/:id/:token/messages/@original', P.editOriginal, true],
].map(([method, path, run, isOpen]) => [method, at(path), path, run, isOpen])
	.concat([['GET', /^\/(?:attachments|stickers|api\/v10\/stickers)\//, '/attachments', P.getFile, true]]);
