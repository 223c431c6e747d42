/*
 * telegram.mjs - a Bot API server on loopback, by the published types (@grammyjs/types) and https://core.telegram.org/bots/api.
 *
 * It refuses what Telegram refuses: a wrong token, chats that the bot cannot write to, HTML that does not parse, texts, captions and
 * buttons that are too long, polls with too few options, edits that change nothing, a second poller. Whatever a client says that the
 * published methods do not have is kept in `problems`, which tests expect to be empty.
 *
 * Tests act as people (user, group, say, press, react, …), look at what is visible (visible, last), and break things (fail).
 */
import { once } from 'node:events';
import http from 'node:http';
import { Log, until } from '../e2e/lib/wait.mjs';
import { bodyOf } from './body.mjs';
import { parseMultipart } from './multipart.mjs';
import { ParseError, parseHtml } from './telegram_html.mjs';

export const BOT_TOKEN = '7000000001:AAE-canary_token_of_the_double_0123456789';

const EMOJI = new Set('👍 👎 ❤ 🔥 🥰 👏 😁 🤔 🤯 😱 🤬 😢 🎉 🤩 🤮 💩 🙏 👌 🕊 🤡 🥱 🥴 😍 🐳 ❤‍🔥 🌚 🌭 💯 🤣 ⚡ 🍌 🏆 💔 🤨 😐 🍓 🍾 💋 🖕 😈 😴 😭 🤓 👻 👨‍💻 👀 🎃 🙈 😇 😨 🤝 ✍ 🤗 🫡 🎅 🎄 ☃ 💅 🤪 🗿 🆒 💘 🙉 🦄 😘 💊 🙊 😎 👾 🤷‍♂ 🤷 🤷‍♀ 😡'.split(' '));
const ACTIONS = new Set(['typing', 'upload_photo', 'record_video', 'upload_video', 'record_voice', 'upload_voice', 'upload_document',
	'choose_sticker', 'find_location', 'record_video_note', 'upload_video_note']);
const UPDATE_KINDS = new Set(['message', 'edited_message', 'channel_post', 'edited_channel_post', 'message_reaction', 'callback_query',
	'poll', 'poll_answer', 'my_chat_member', 'chat_member', 'message_reaction_count', 'inline_query']);
/* What is delivered when allowed_updates was never given: all but these. */
const OPT_IN = new Set(['message_reaction', 'message_reaction_count', 'chat_member']);
const SEND = ['chat_id', 'message_thread_id', 'reply_parameters', 'disable_notification', 'protect_content', 'reply_markup'];
const CAPTION = ['caption', 'parse_mode', 'caption_entities', 'show_caption_above_media', 'has_spoiler'];
/* method -> parameters that it has, and of those the file. */
const METHODS = {
	getMe: [[]],
	getUpdates: [['offset', 'limit', 'timeout', 'allowed_updates']],
	setWebhook: [['url', 'certificate', 'ip_address', 'max_connections', 'allowed_updates', 'drop_pending_updates', 'secret_token']],
	deleteWebhook: [['drop_pending_updates']],
	getWebhookInfo: [[]],
	setMyCommands: [['commands', 'scope', 'language_code']],
	deleteMyCommands: [['scope', 'language_code']],
	getMyCommands: [['scope', 'language_code']],
	sendMessage: [[...SEND, 'text', 'parse_mode', 'entities', 'link_preview_options']],
	sendPhoto: [[...SEND, ...CAPTION], 'photo'],
	sendDocument: [[...SEND, ...CAPTION, 'disable_content_type_detection'], 'document'],
	sendVideo: [[...SEND, ...CAPTION, 'duration', 'width', 'height', 'supports_streaming'], 'video'],
	sendAnimation: [[...SEND, ...CAPTION, 'duration', 'width', 'height'], 'animation'],
	sendAudio: [[...SEND, ...CAPTION, 'duration', 'performer', 'title'], 'audio'],
	sendVoice: [[...SEND, ...CAPTION, 'duration'], 'voice'],
	sendVideoNote: [[...SEND, 'duration', 'length'], 'video_note'],
	sendSticker: [[...SEND, 'emoji'], 'sticker'],
	sendMediaGroup: [['chat_id', 'message_thread_id', 'reply_parameters', 'disable_notification', 'protect_content', 'media']],
	sendLocation: [[...SEND, 'latitude', 'longitude', 'horizontal_accuracy', 'live_period']],
	sendVenue: [[...SEND, 'latitude', 'longitude', 'title', 'address']],
	sendPoll: [[...SEND, 'question', 'options', 'is_anonymous', 'type', 'allows_multiple_answers', 'open_period', 'close_date']],
	sendChatAction: [['chat_id', 'message_thread_id', 'action']],
	setMessageReaction: [['chat_id', 'message_id', 'reaction', 'is_big']],
	editMessageText: [['chat_id', 'message_id', 'text', 'parse_mode', 'entities', 'link_preview_options', 'reply_markup']],
	editMessageCaption: [['chat_id', 'message_id', 'caption', 'parse_mode', 'caption_entities', 'reply_markup']],
	editMessageReplyMarkup: [['chat_id', 'message_id', 'reply_markup']],
	deleteMessage: [['chat_id', 'message_id']],
	pinChatMessage: [['chat_id', 'message_id', 'disable_notification']],
	answerCallbackQuery: [['callback_query_id', 'text', 'show_alert', 'url', 'cache_time']],
	getFile: [['file_id']],
	getChat: [['chat_id']],
	getChatMember: [['chat_id', 'user_id']],
};

/* A form says everything as text; what is no text by its type is JSON. */
const fieldValue = (name, text) => !['caption', 'text', 'url', 'secret_token'].includes(name) &&
	/^[[{]|^(true|false|-?\d+(\.\d+)?)$/.test(text) ? JSON.parse(text) : text;

class Refusal extends Error {
	constructor(code, description, parameters) {
		super(description);
		Object.assign(this, { code, parameters });
	}
}
const bad = (text) => new Refusal(400, `Bad Request: ${text}`);

/* Entities that Telegram's clients find by themselves in what people write. */
export function foundEntities(text) {
	const found = [];

	for (const m of text.matchAll(/(?<![\w/])(\/[a-z0-9_]{1,32}(?:@\w{5,32})?)|(?<!\w)(@\w{5,32})|(https?:\/\/[^\s]+)/gi))
		found.push({ type: m[1] ? 'bot_command' : m[2] ? 'mention' : 'url', offset: m.index, length: m[0].length });
	return found;
}

export class TelegramDouble {
	requests = new Log();            /* {method, params, files, at, answer} */
	problems = [];
	chats = new Map();
	files = new Map();               /* file_id -> {bytes, path, size} */
	delivered = [];                  /* updates that were confirmed or answered with 200 */
	pending = [];
	answered = new Log();            /* presses whose progress bar was stopped */
	hookAnswers = new Log();
	callers = new Set();             /* the ports that its connections come from */
	commands = [];
	webhook = null;
	#faults = [];
	#held = new Set();
	#poller = null;
	#isGathering = false;
	#ids = { update: 1000, file: 0, message: 0, poll: 0, query: 0 };

	static async start(options = {}) {
		const d = new TelegramDouble();

		d.token = options.token ?? BOT_TOKEN;
		d.me = { id: Number(d.token.split(':')[0]), is_bot: true, first_name: 'Chela', username: 'chela_test_bot',
			can_join_groups: true, can_read_all_group_messages: true, supports_inline_queries: false, has_topics_enabled: false,
			...options.me };
		d.downloadMax = options.downloadMax ?? 20 << 20;
		d.commandsMax = options.commandsMax ?? 100;
		d.server = http.createServer((req, res) => d.#serve(req, res).catch((e) => {
			d.problems.push(String(e.stack));
			res.destroy();
		}));
		d.server.on('connection', (socket) => d.callers.add(socket.remotePort));
		d.server.listen(options.port ?? 0, '127.0.0.1');
		await once(d.server, 'listening');
		d.url = `http://127.0.0.1:${d.server.address().port}`;
		return d;
	}

	async stop() {
		this.webhook = null;             /* nothing is posted any more */
		clearTimeout(this.#poller?.timer);
		this.server.closeAllConnections();
		await new Promise((resolve) => this.server.close(resolve));
	}

	/* Keys of channels.telegram for this server. */
	config(keys = {}) {
		return { channels: { telegram: { botToken: this.token, apiRoot: `${this.url}/`, ...keys } } };
	}

	/* -- people and places -- */

	user(id, first_name, more = {}) {
		const user = { id, is_bot: false, first_name, ...more };

		this.chats.set(id, { chat: { id, type: 'private', first_name, ...(more.username && { username: more.username }) }, messages: [],
			started: true });
		return user;
	}

	group(id, title, more = {}) {
		this.chats.set(id, { chat: { id, type: String(id).startsWith('-100') ? 'supergroup' : 'group', title, ...more }, messages: [],
			started: true, topics: new Set([1]) });
		return this.chats.get(id).chat;
	}

	channel(id, title) {
		this.chats.set(id, { chat: { id, type: 'channel', title }, messages: [], started: true });
		return this.chats.get(id).chat;
	}

	place(chat) {
		return this.chats.get(chat.id ?? chat);
	}

	#store(place, message) {
		place.messages.push(message);
		return message;
	}

	message(chat, from, fields) {
		return { message_id: ++this.#ids.message, date: Math.floor(Date.now() / 1000), chat: this.place(chat).chat, ...(from && { from }),
			...fields };
	}

	/* -- what people do; each gives the update -- */

	push(update) {
		const full = { update_id: ++this.#ids.update, ...update };

		this.pending.push(full);
		this.#deliver();
		return full;
	}

	/* What people do in fn comes to the bot in one piece: no update of it is given without the others. */
	together(fn) {
		this.#isGathering = true;
		fn();
		this.#isGathering = false;
		this.#deliver();
	}

	/* text, or the fields of a message; chat: where (default: in private). */
	say(from, what, { chat = from, thread, ...fields } = {}) {
		const body = typeof what === 'string' ? { text: what, entities: foundEntities(what) } : what;
		const topic = thread ? { message_thread_id: thread, is_topic_message: true } : {};
		const m = this.#store(this.place(chat), this.message(chat, from, { ...topic, ...body, ...fields }));

		if (m.entities && !m.entities.length)
			delete m.entities;
		this.push(this.place(chat).chat.type === 'channel' ? { channel_post: m } : { message: m });
		return m;
	}

	edit(message, text) {
		Object.assign(message, { text, entities: foundEntities(text), edit_date: Math.floor(Date.now() / 1000) });
		return this.push({ edited_message: message });
	}

	press(from, message, data) {
		const id = String(4000000000000000 + ++this.#ids.query);

		this.push({ callback_query: { id, from, message, chat_instance: '-1', data } });
		return id;
	}

	react(from, message, emoji, old = []) {
		const list = (l) => l.map((e) => ({ type: 'emoji', emoji: e }));

		return this.push({ message_reaction: { chat: message.chat, message_id: message.message_id, user: from,
			date: Math.floor(Date.now() / 1000), old_reaction: list(old), new_reaction: list(emoji) } });
	}

	vote(from, message, option_ids) {
		return this.push({ poll_answer: { poll_id: message.poll.id, user: from, option_ids, option_persistent_ids: option_ids.map(String) } });
	}

	membership(chat, from, before, after) {
		const member = (status) => ({ user: this.me, status });

		return this.push({ my_chat_member: { chat: this.place(chat).chat, from, date: Math.floor(Date.now() / 1000),
			old_chat_member: member(before), new_chat_member: member(after) } });
	}

	/* The group becomes a supergroup: the old id is of no use any more. */
	migrate(chat, newId, from) {
		const place = this.place(chat);
		const m = this.message(chat, from, { migrate_to_chat_id: newId });

		this.group(newId, place.chat.title);
		place.migratedTo = newId;
		this.push({ message: m });
		return this.place(newId).chat;
	}

	file(bytes, ext = 'bin') {
		const file_id = `file-${++this.#ids.file}`;

		this.files.set(file_id, { bytes: Buffer.from(bytes), path: `documents/file_${this.#ids.file}.${ext}` });
		return { file_id, file_unique_id: `u${this.#ids.file}`, file_size: Buffer.byteLength(bytes) };
	}

	/* Brings back what was taken already, as Telegram does when it lost our confirmation. */
	redeliver(n = this.delivered.length) {
		this.pending = [...this.delivered.splice(-n), ...this.pending];
		this.#deliver();
	}

	/* -- what is to be seen -- */

	visible(chat) {
		return this.place(chat).messages.filter((m) => m.from?.id === this.me.id && !m.deleted);
	}

	texts(chat) {
		return this.visible(chat).map((m) => m.text ?? m.caption ?? '');
	}

	calls(method) {
		return this.requests.items.filter((r) => r.method === method);
	}

	/* The next call of a method that matches. */
	async call(method, match = () => true, options = {}) {
		return (await this.requests.find((r) => r.method === method && match(r.params, r), { what: `a call of ${method}`, ...options })).item;
	}

	/* -- breaking things -- */

	/*
	 * The next `times` calls of a method: kind "429" (retryAfter), "500", "502" (not JSON), "401", "cut" and "cut-after" (the connection ends
	 * before or after it acted), "hold" and "hold-after" (no answer until release()).
	 */
	fail(method, kind, { times = 1, retryAfter = 1, when = () => true } = {}) {
		this.#faults.push({ method, kind, times, retryAfter, when });
	}

	clearFaults() {
		this.#faults = [];
	}

	release() {
		for (const res of this.#held)
			res.destroy();
		this.#held.clear();
	}

	cutConnections() {
		clearTimeout(this.#poller?.timer);
		this.#poller = null;
		this.server.closeAllConnections();
	}

	#fault(method, params) {
		const f = this.#faults.find((x) => x.times > 0 && (x.method === method || x.method === '*') && x.when(params));

		if (f)
			f.times--;
		return f;
	}

	/* -- delivery -- */

	#wants(update) {
		const kind = Object.keys(update).find((k) => k !== 'update_id');

		return this.allowed?.length ? this.allowed.includes(kind) : !OPT_IN.has(kind);
	}

	#deliver() {
		if (this.#isGathering)
			return;
		this.pending = this.pending.filter((u) => this.#wants(u) || !this.allowedKnown);
		if (this.webhook)
			this.#post();
		else if (this.#poller && this.pending.length)
			this.#answerPoll();
	}

	#answerPoll() {
		const { res, limit, timer } = this.#poller;

		clearTimeout(timer);
		this.#poller = null;
		this.#ok(res, this.pending.slice(0, limit));
	}

	async #post() {
		if (this.posting)
			return;
		this.posting = true;
		while (this.webhook && this.pending.length) {
			const update = this.pending[0];
			const r = await this.postUpdate(update, this.webhook.secret_token).catch((e) => ({ status: 0, error: String(e) }));

			this.hookAnswers.push({ update, ...r });
			if (r.status >= 200 && r.status < 300) {
				this.delivered.push(update);
				this.pending.shift();
				continue;
			}
			this.webhook.last_error_date = Math.floor(Date.now() / 1000);
			this.webhook.last_error_message = `Wrong response from the webhook: ${r.status}`;
			await new Promise((resolve) => setTimeout(resolve, 50));
		}
		this.posting = false;
	}

	/* One post as Telegram makes it; `url`: where the public address leads to. */
	async postUpdate(update, secret, url = this.hookTarget ?? this.webhook.url) {
		const r = await fetch(url, { method: 'POST', body: JSON.stringify(update), headers: { 'content-type': 'application/json',
			...(secret && { 'x-telegram-bot-api-secret-token': secret }) } });

		return { status: r.status, durable: r.headers.get('x-openclaw-delivery-accepted'), text: await r.text() };
	}

	/* -- the server -- */

	#json(res, status, body) {
		res.writeHead(status, { 'content-type': 'application/json' });
		res.end(JSON.stringify(body));
	}

	#ok(res, result) {
		this.#json(res, 200, { ok: true, result });
	}

	#refuse(res, code, description, parameters) {
		this.#json(res, code, { ok: false, error_code: code, description, ...(parameters && { parameters }) });
	}

	async #serve(req, res) {
		const body = await bodyOf(req);
		const m = /^\/(file\/)?bot([^/]+)\/([^?]+)(\?.*)?$/.exec(req.url);

		if (!body)
			return undefined;
		if (!m)
			return this.#refuse(res, 404, 'Not Found');
		if (m[2] !== this.token)
			return this.#refuse(res, 401, 'Unauthorized');
		if (m[1])
			return this.#download(m[3], res);
		return this.#method(m[3], await this.#params(req, body, m[4]), res);
	}

	#download(path, res) {
		const file = [...this.files.values()].find((f) => f.path === path && f.asked);

		if (!file)
			return this.#refuse(res, 404, 'Not Found');
		res.writeHead(200, { 'content-type': 'application/octet-stream' });
		res.end(file.bytes);
	}

	async #params(req, body, query) {
		const type = req.headers['content-type'] ?? '';
		const files = {};
		let params = Object.fromEntries(new URLSearchParams(query ?? ''));

		if (type.startsWith('application/json')) {
			params = { ...params, ...JSON.parse(body.toString('utf8')) };
		} else if (type.startsWith('multipart/form-data') || type.startsWith('application/x-www-form-urlencoded')) {
			const fields = type.startsWith('multipart') ? parseMultipart(body, type)
				: [...new URLSearchParams(body.toString('utf8'))].map(([name, v]) => ({ name, bytes: Buffer.from(v) }));

			for (const f of fields)
				if (f.filename === undefined)
					params[f.name] = fieldValue(f.name, f.bytes.toString('utf8'));
				else
					files[f.name] = { name: f.filename, type: f.type, bytes: f.bytes };
		}
		return { params, files };
	}

	async #method(method, { params, files }, res) {
		const spec = METHODS[method];
		const entry = { method, params, files, at: Date.now() };
		const fault = this.#fault(method, params);

		this.requests.push(entry);
		if (!spec) {
			this.problems.push(`${method} is not a method`);
			return this.#refuse(res, 404, 'Not Found: method not found');
		}
		for (const k of [...Object.keys(params), ...Object.keys(files)])
			if (!spec[0].includes(k) && k !== spec[1] && !(k in files && (spec[1] || method === 'sendMediaGroup')) && !(k === 'certificate' && k in files))
				this.problems.push(`${method} has no parameter ${k}`);
		if (fault && this.#break(fault, res))
			return undefined;
		try {
			const result = await this[`_${method}`](params, files, res);

			entry.answer = result;
			if (fault?.kind === 'cut-after')
				res.destroy();
			else if (fault?.kind === 'hold-after')
				this.#held.add(res);
			else if (result !== undefined)
				this.#ok(res, result);
		} catch (e) {
			if (!(e instanceof Refusal))
				throw e;
			entry.refused = e.message;
			this.#refuse(res, e.code, e.message, e.parameters);
		}
		return undefined;
	}

	/* True when the call is over without having acted. */
	#break(fault, res) {
		switch (fault.kind) {
		case '429': this.#refuse(res, 429, `Too Many Requests: retry after ${fault.retryAfter}`, { retry_after: fault.retryAfter }); return true;
		case '500': this.#refuse(res, 500, 'Internal Server Error'); return true;
		case '401': this.#refuse(res, 401, 'Unauthorized'); return true;
		case '409': this.#refuse(res, 409, 'Conflict: terminated by other getUpdates request; make sure that only one bot instance is running'); return true;
		case '502': res.writeHead(502, { 'content-type': 'text/html' }); res.end('<html>Bad Gateway</html>'); return true;
		case 'cut': res.destroy(); return true;
		case 'hold': this.#held.add(res); return true;
		default: return false;
		}
	}

	/* -- updates -- */

	/* Somebody waits for updates right now. */
	get isPolled() {
		return Boolean(this.#poller);
	}

	_getMe() {
		return this.me;
	}

	#setAllowed(list) {
		if (list === undefined)
			return;
		for (const kind of list)
			if (!UPDATE_KINDS.has(kind))
				this.problems.push(`${kind} is no kind of update`);
		this.allowed = list;
		this.allowedKnown = true;
	}

	_getUpdates({ offset, limit = 100, timeout = 0, allowed_updates }, files, res) {
		if (this.webhook)
			throw new Refusal(409, "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first");
		if (this.#poller) {
			clearTimeout(this.#poller.timer);
			this.#refuse(this.#poller.res, 409, 'Conflict: terminated by other getUpdates request; make sure that only one bot instance is running');
			this.#poller = null;
		}
		this.#setAllowed(allowed_updates);
		this.allowedKnown = true;
		this.pending = this.pending.filter((u) => this.#wants(u));
		while (offset && this.pending.length && this.pending[0].update_id < offset)
			this.delivered.push(this.pending.shift());
		if (this.pending.length || !timeout)
			return this.pending.slice(0, limit);
		const poller = { res, limit, timer: setTimeout(() => {
			this.#poller = null;
			this.#ok(res, []);
		}, timeout * 1000) };

		this.#poller = poller;
		res.once('close', () => {
			clearTimeout(poller.timer);
			if (this.#poller === poller)
				this.#poller = null;
		});
		return undefined;
	}

	_setWebhook({ url, secret_token, allowed_updates }, files) {
		if (!url) {
			this.webhook = null;
			return true;
		}
		if (!/^https:\/\//.test(url))
			throw bad('bad webhook: An HTTPS URL must be provided for webhook');
		if (secret_token !== undefined && !/^[A-Za-z0-9_-]{1,256}$/.test(secret_token))
			throw bad('secret token contains unallowed characters');
		this.#setAllowed(allowed_updates);
		this.webhook = { url, secret_token, certificate: files.certificate };
		queueMicrotask(() => this.#deliver());
		return true;
	}

	_deleteWebhook() {
		this.webhook = null;
		return true;
	}

	_getWebhookInfo() {
		return { url: this.webhook?.url ?? '', has_custom_certificate: !!this.webhook?.certificate, pending_update_count: this.pending.length,
			last_error_date: this.webhook?.last_error_date, last_error_message: this.webhook?.last_error_message };
	}

	_answerCallbackQuery({ callback_query_id, text }) {
		const known = [...this.pending, ...this.delivered].some((u) => u.callback_query?.id === callback_query_id);

		if (!known || this.answered.items.some((x) => x.id === callback_query_id))
			throw bad('query is too old and response timeout expired or query ID is invalid');
		this.answered.push({ id: callback_query_id, text });
		return true;
	}

	_setMyCommands({ commands }) {
		if (!Array.isArray(commands) || commands.length > this.commandsMax)
			throw bad('BOT_COMMANDS_TOO_MUCH');
		for (const c of commands)
			if (!/^[a-z0-9_]{1,32}$/.test(c.command) || !c.description || c.description.length > 256)
				throw bad('BOT_COMMAND_INVALID');
		this.commands = commands;
		return true;
	}

	_deleteMyCommands() {
		this.commands = [];
		return true;
	}

	_getMyCommands() {
		return this.commands;
	}

	/* -- where may be written -- */

	#writable(id) {
		const place = this.chats.get(typeof id === 'string' && /^-?\d+$/.test(id) ? Number(id) : id);

		if (!place || !place.started)
			throw bad('chat not found');
		if (place.migratedTo)
			throw new Refusal(400, 'Bad Request: group chat was upgraded to a supergroup chat', { migrate_to_chat_id: place.migratedTo });
		if (place.blocked)
			throw new Refusal(403, 'Forbidden: bot was blocked by the user');
		if (place.kicked)
			throw new Refusal(403, `Forbidden: bot was kicked from the ${place.chat.type} chat`);
		return place;
	}

	#keyboard(markup, place) {
		if (markup === undefined)
			return undefined;
		if (!Array.isArray(markup?.inline_keyboard))
			throw bad("object expected as reply markup");
		for (const row of markup.inline_keyboard)
			for (const b of row) {
				if (!b.text)
					throw bad("can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard");
				if (b.callback_data !== undefined && (Buffer.byteLength(b.callback_data) < 1 || Buffer.byteLength(b.callback_data) > 64))
					throw bad('BUTTON_DATA_INVALID');
				if (b.url !== undefined && !/^(https?|tg):\/\//.test(b.url))
					throw bad(`inline keyboard button URL '${b.url}' is invalid: Wrong HTTP URL`);
				if (b.style !== undefined && !['danger', 'success', 'primary'].includes(b.style))
					throw bad('button style is invalid');
				if (b.web_app !== undefined && (place?.chat.type !== 'private' || !/^https:\/\//.test(b.web_app.url)))
					throw bad('BUTTON_TYPE_INVALID');
				if ([b.callback_data, b.url, b.web_app].filter((x) => x !== undefined).length !== 1)
					throw bad("can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard");
			}
		return markup.inline_keyboard.some((row) => row.length) ? markup : undefined;
	}

	#formatted(text, parse_mode, what, max) {
		let parsed = { text: String(text ?? ''), entities: [] };

		if (parse_mode !== undefined && parse_mode !== 'HTML')
			throw bad('unsupported parse_mode');
		if (parse_mode && this.refuseHtml > 0) {
			this.refuseHtml--;
			throw bad("can't parse entities: Unsupported start tag \"b\" at byte offset 3");
		}
		if (parse_mode) {
			try {
				parsed = parseHtml(parsed.text);
			} catch (e) {
				if (e instanceof ParseError)
					throw bad(`can't parse entities: ${e.message}`);
				throw e;
			}
		}
		parsed.text = parsed.text.trim();
		if (parsed.text.length > max)
			throw bad(what === 'text' ? 'message is too long' : 'message caption is too long');
		return parsed;
	}

	/* What every sent message has; checks the place, the topic and what is answered. */
	#base({ chat_id, message_thread_id, reply_parameters, reply_markup, disable_notification }) {
		const place = this.#writable(chat_id);
		const fields = {};

		if (message_thread_id !== undefined) {
			if (Number(message_thread_id) === 1 || (place.topics && !place.topics.has(Number(message_thread_id))))
				throw bad('message thread not found');
			Object.assign(fields, { message_thread_id: Number(message_thread_id), is_topic_message: true });
		}
		if (reply_parameters) {
			const answered = place.messages.find((m) => m.message_id === reply_parameters.message_id && !m.deleted);

			if (!answered && !reply_parameters.allow_sending_without_reply)
				throw bad('message to be replied not found');
			if (answered)
				fields.reply_to_message = { ...answered, reply_to_message: undefined };
		}
		const markup = this.#keyboard(reply_markup, place);

		if (markup)
			fields.reply_markup = markup;
		return { place, fields, silent: !!disable_notification };
	}

	#post_(place, fields) {
		return this.#store(place, this.message(place.chat, this.me, fields));
	}

	_sendMessage(p) {
		const { place, fields } = this.#base(p);
		const { text, entities } = this.#formatted(p.text, p.parse_mode, 'text', 4096);

		if (!text)
			throw bad('message text is empty');
		return this.#post_(place, { ...fields, text, ...(entities.length && { entities }), link_preview_options: p.link_preview_options });
	}

	#mediaOf(kind, file) {
		const f = { ...this.file(file.bytes, kind), file_name: file.name, mime_type: file.type };

		if (kind === 'photo') {
			if (file.bytes.length > 10 << 20)
				throw new Refusal(413, 'Request Entity Too Large');
			if (this.photoInvalid)
				throw bad('PHOTO_INVALID_DIMENSIONS');
			return { photo: [{ ...f, width: 90, height: 90 }] };
		}
		return { [kind]: { ...f, width: 1, height: 1, duration: 1 } };
	}

	#captioned(p) {
		if (p.caption === undefined)
			return {};
		const { text, entities } = this.#formatted(p.caption, p.parse_mode, 'caption', 1024);

		return { caption: text, ...(entities.length && { caption_entities: entities }) };
	}

	#sendFile(kind, p, files) {
		const { place, fields } = this.#base(p);

		const file = files[kind] ?? files[String(p[kind]).replace('attach://', '')];

		if (!file)
			throw bad(`there is no ${kind} in the request`);
		return this.#post_(place, { ...fields, ...this.#mediaOf(kind, file), ...this.#captioned(p) });
	}

	_sendPhoto(p, files) { return this.#sendFile('photo', p, files); }
	_sendDocument(p, files) { return this.#sendFile('document', p, files); }
	_sendVideo(p, files) { return this.#sendFile('video', p, files); }
	_sendAnimation(p, files) { return this.#sendFile('animation', p, files); }
	_sendAudio(p, files) { return this.#sendFile('audio', p, files); }
	_sendVoice(p, files) { return this.#sendFile('voice', p, files); }
	_sendVideoNote(p, files) { return this.#sendFile('video_note', p, files); }
	_sendSticker(p, files) { return this.#sendFile('sticker', p, files); }

	_sendMediaGroup(p, files) {
		const { place, fields } = this.#base(p);
		const media = p.media;
		const kinds = new Set(media.map((m) => m.type));
		const media_group_id = String(Date.now());

		if (media.length < 2 || media.length > 10)
			throw bad('group send failed');
		if ((kinds.has('document') || kinds.has('audio')) && kinds.size > 1)
			throw bad("can't use the media of the specified type in the album");
		if (![...kinds].every((k) => ['photo', 'video', 'document', 'audio'].includes(k)))
			throw bad("can't use the media of the specified type in the album");
		return media.map((m) => {
			const file = files[m.media.replace('attach://', '')];

			if (!file)
				throw bad('wrong file identifier/HTTP URL specified');
			return this.#post_(place, { ...fields, media_group_id, ...this.#mediaOf(m.type, file), ...this.#captioned(m) });
		});
	}

	_sendLocation(p) {
		const { place, fields } = this.#base(p);

		if (Math.abs(p.latitude) > 90 || Math.abs(p.longitude) > 180)
			throw bad('wrong coordinates');
		return this.#post_(place, { ...fields, location: { latitude: p.latitude, longitude: p.longitude,
			horizontal_accuracy: p.horizontal_accuracy } });
	}

	_sendVenue(p) {
		const { place, fields } = this.#base(p);

		return this.#post_(place, { ...fields, venue: { location: { latitude: p.latitude, longitude: p.longitude }, title: p.title,
			address: p.address } });
	}

	_sendPoll(p) {
		const { place, fields } = this.#base(p);

		if (!p.question || p.question.length > 300)
			throw bad('poll question must be non-empty and at most 300 characters');
		if (p.options.length < 2)
			throw bad('poll must have at least 2 option');
		if (p.options.length > 12)
			throw bad("poll can't have more than 12 options");
		if (p.options.some((o) => !o.text || o.text.length > 100))
			throw bad('poll options length must not exceed 100');
		if (p.open_period !== undefined && (p.open_period < 5 || p.open_period > 604800))
			throw bad('invalid poll open period');
		return this.#post_(place, { ...fields, poll: { id: String(5000000 + ++this.#ids.poll), question: p.question,
			options: p.options.map((o) => ({ text: o.text, voter_count: 0 })), total_voter_count: 0, is_closed: false,
			is_anonymous: p.is_anonymous ?? true, type: 'regular', allows_multiple_answers: !!p.allows_multiple_answers } });
	}

	_sendChatAction(p) {
		this.#writable(p.chat_id);
		if (!ACTIONS.has(p.action))
			throw bad('wrong parameter action in request');
		return true;
	}

	/* -- on messages that are there -- */

	#mine(p, what) {
		const m = this.#writable(p.chat_id).messages.find((x) => x.message_id === p.message_id && !x.deleted);

		if (!m)
			throw bad(`message to ${what} not found`);
		if (m.from?.id !== this.me.id && what === 'edit')
			throw bad("message can't be edited");
		return m;
	}

	#change(m, fields) {
		const before = JSON.stringify([m.text, m.caption, m.entities, m.caption_entities, m.reply_markup]);
		const after = { ...m, ...fields };

		if (before === JSON.stringify([after.text, after.caption, after.entities, after.caption_entities, after.reply_markup]))
			throw bad('message is not modified: specified new message content and reply markup are exactly the same as a current content and reply markup of the message');
		Object.assign(m, fields, { edit_date: Math.floor(Date.now() / 1000), edits: (m.edits ?? 0) + 1 });
		return m;
	}

	_editMessageText(p) {
		const m = this.#mine(p, 'edit');
		const { text, entities } = this.#formatted(p.text, p.parse_mode, 'text', 4096);

		if (m.text === undefined)
			throw bad('there is no text in the message to edit');
		if (!text)
			throw bad('message text is empty');
		return this.#change(m, { text, entities: entities.length ? entities : undefined, reply_markup: this.#keyboard(p.reply_markup, this.place(p.chat_id)) });
	}

	_editMessageCaption(p) {
		const m = this.#mine(p, 'edit');

		if (m.text !== undefined)
			throw bad("there is no caption in the message to edit");
		return this.#change(m, { ...this.#captioned(p), reply_markup: this.#keyboard(p.reply_markup, this.place(p.chat_id)) });
	}

	_editMessageReplyMarkup(p) {
		return this.#change(this.#mine(p, 'edit'), { reply_markup: this.#keyboard(p.reply_markup, this.place(p.chat_id)) });
	}

	_deleteMessage(p) {
		this.#mine(p, 'delete').deleted = true;
		return true;
	}

	_pinChatMessage(p) {
		const place = this.#writable(p.chat_id);

		if (place.mayNotPin)
			throw bad('not enough rights to manage pinned messages in the chat');
		this.#mine(p, 'pin').pinned = true;
		return true;
	}

	_setMessageReaction(p) {
		const m = this.#mine(p, 'react');
		const list = p.reaction ?? [];

		if (list.length > 1)
			throw bad('too many reactions');
		for (const r of list)
			if (r.type !== 'emoji' || !EMOJI.has(r.emoji))
				throw bad('REACTION_INVALID');
		m.reactions = list.map((r) => r.emoji);
		return true;
	}

	_getFile({ file_id }) {
		const file = this.files.get(file_id);

		if (!file)
			throw bad('invalid file_id');
		if (file.bytes.length > this.downloadMax)
			throw bad('file is too big');
		file.asked = true;
		return { file_id, file_unique_id: `u-${file_id}`, file_size: file.bytes.length, file_path: file.path };
	}

	_getChat({ chat_id }) {
		return this.#writable(chat_id).chat;
	}

	_getChatMember({ chat_id }) {
		this.#writable(chat_id);
		return { user: this.me, status: 'administrator' };
	}

	/* -- waiting -- */

	/* Until the bot's visible messages in a chat satisfy `match`; gives the first that does. */
	async reply(chat, match = () => true, ms = undefined) {
		return until(() => this.visible(chat).find((m) => match(m)), () => `a message in ${chat.id ?? chat} among ${JSON.stringify(this.texts(chat))}`, ms);
	}
}
