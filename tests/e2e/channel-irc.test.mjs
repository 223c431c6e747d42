/*
 * channel-irc.test.mjs - IRC against ngircd (Debian), with people who are plain sockets; SASL, NickServ and what bouncers play back
 * against a small server of our own.
 */
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { SaslServer } from '../doubles/irc_sasl.mjs';
import { ModelDouble } from '../doubles/model.mjs';
import { Gateway } from './lib/gateway.mjs';
import { Proc, freePort, removeDir, run, tempDir } from './lib/proc.mjs';
import { DEADLINE_MS, Log, stopAfter, stopAll, within } from './lib/wait.mjs';

/* A person with a client. */
class Person {
	lines = new Log();
	from = 0;                        /* lines in front of it were looked at */

	static async join(port, nick, room) {
		const p = new Person();
		let rest = '';

		p.nick = nick;
		p.socket = net.connect(port, '127.0.0.1').setEncoding('utf8');
		p.socket.on('error', () => {});
		p.socket.on('data', (text) => {
			const lines = (rest + text).split('\r\n');

			rest = lines.pop();
			for (const line of lines) {
				if (line.startsWith('PING'))
					p.send(`PONG${line.slice(4)}`);
				p.lines.push(line);
			}
		});
		p.send(`NICK ${nick}`);
		p.send(`USER ${nick} 0 * :${nick}`);
		await p.saw(/ (376|422) /, 'the welcome');
		if (room) {
			p.send(`JOIN ${room}`);
			await p.saw(/ 366 /, 'the room');
		}
		return p;
	}

	send(line) {
		this.socket.write(`${line}\r\n`);
	}

	say(to, text) {
		this.send(`PRIVMSG ${to} :${text}`);
	}

	/* A line that was not looked at yet; those in front of it count as looked at. */
	async saw(pattern, what, ms) {
		const { item, index } = await this.lines.find((line) => pattern.test(line), { from: this.from, what: what ?? String(pattern), ms });

		this.from = index + 1;
		return item;
	}

	/* A message of the bot, to this person or the room. */
	async heard(pattern, ms) {
		return this.saw(new RegExp(`^:chela\\S* PRIVMSG \\S+ :.*(${pattern.source})`), `a message ${pattern}`, ms);
	}

	leave() {
		this.socket.destroy();
	}
}

const words = (n) => Array.from({ length: n }, (_, i) => `wörd${i}`).join(' ');
/* "say x" is said back, "words 60" gives as many; of the last line that the model is given. */
function answer(text) {
	const [, verb, rest] = text.trim().split('\n').at(-1).match(/(say|words|lines) (.*)/i) ?? ['', 'say', 'nothing'];

	if (verb === 'lines')
		return 'one\r\nQUIT :owned\r\rJOIN #evil\n\u0001VERSION\u0001 two';
	return verb === 'words' ? words(Number(rest)) : rest;
}

/* The next question waits for its answer until it is released. */
let gate = null;
function hold() {
	const held = {};

	held.asked = new Promise((resolve) => held.note = resolve);
	held.released = new Promise((resolve) => held.release = resolve);
	gate = held;
	return held;
}
async function reply(call) {
	const held = gate;

	gate = null;
	held?.note();
	await held?.released;
	call.text(answer(call.userText)).end();
}

let gw, c, dir, port, tlsPort, daemon, alice, model;

async function startDaemon() {
	daemon = new Proc('ngircd', ['-n', '-f', path.join(dir, 'ngircd.conf')], { env: { PATH: process.env.PATH } });
	for (;;) {
		const open = await new Promise((resolve) => {
			const s = net.connect(port, '127.0.0.1', () => resolve(s)).on('error', () => resolve(null));
		});

		if (open)
			return open.destroy();
		assert.equal(daemon.exit, null, daemon.tail());
		await new Promise((resolve) => setTimeout(resolve, 50));
	}
}

const account = async (id = 'default') => (await c.call('channels.status', {})).channelAccounts.irc.find((a) => a.accountId === id);
async function until(what, fn, ms = DEADLINE_MS) {
	const end = Date.now() + ms;

	for (;;) {
		const v = await fn();

		if (v)
			return v;
		assert.ok(Date.now() < end, `${what}: ${JSON.stringify(await account())}\n${gw.log()}`);
		await new Promise((resolve) => setTimeout(resolve, 50));
	}
}
const deadLetters = (n) => until(`${n} dead letters`, async () => (await c.call('channels.deadLetters.list', {})).deadLetters
	.filter((l) => l.direction === 'out' && /belongs to somebody else/.test(l.reason)).length === n);
const connected = (id) => until('connected', async () => (await account(id))?.state === 'connected');

before(async () => {
	dir = tempDir('irc');
	[port, tlsPort] = [await freePort(), await freePort()];
	const made = await run('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-subj', '/CN=irc.test.local',
		'-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', path.join(dir, 'key.pem'), '-out', path.join(dir, 'cert.pem')], { env: process.env });

	assert.equal(made.code, 0, made.stderr);
	writeFileSync(path.join(dir, 'ngircd.conf'), `[Global]
Name = irc.test.local
Info = test
Listen = 127.0.0.1
Ports = ${port}
MotdPhrase = hello
[Limits]
MaxConnectionsIP = 0
MaxJoins = 20
[Options]
PAM = no
DNS = no
Ident = no
[SSL]
Ports = ${tlsPort}
CertFile = ${path.join(dir, 'cert.pem')}
KeyFile = ${path.join(dir, 'key.pem')}
[Channel]
Name = #locked
Modes = +k
Key = sesame
`);
	await startDaemon();
	model = await ModelDouble.start(reply);
	gw = await Gateway.start({ config: {
		...model.config,
		channels: { irc: { host: '127.0.0.1', port, tls: false, nick: 'chela', groupAllowFrom: ['*'],
			channels: ['#locked sesame'], groups: { '#room': { allowFrom: ['*'] } } } },
	} });
	c = await gw.connect();
	await connected();
	alice = await Person.join(port, 'alice', '#room');
});
after(async () => {
	alice?.leave();
	c?.terminate();
	await stopAll(gw, model, daemon);
	removeDir(dir);
});

test('a stranger is asked to pair, then answered', async () => {
	alice.say('chela', 'hello');
	const line = await alice.heard(/[A-HJ-NP-Z2-9]{8}/);
	const code = line.match(/\b[A-HJ-NP-Z2-9]{8}\b/)[0];
	const r = await gw.cli(['pairing', 'approve', 'irc', code]);

	assert.equal(r.code, 0, r.stderr);
	alice.say('chela', 'say plum');
	await alice.heard(/plum/);
});

test('a room: only when named, and everybody there may', async () => {
	alice.say('#room', 'nobody is meant by this cucumber');
	alice.send('PRIVMSG chela :\u0001VERSION\u0001');
	alice.say('#room', '\u0002Chela\u000f, say \u000304,01tangerine\u0003');
	await alice.heard(/tangerine/);
	alice.say('#room', '\u0001ACTION would like chela to say mango\u0001');
	await alice.heard(/mango/);
	assert.equal(alice.lines.items.filter((l) => /^:chela.*cucumber/.test(l)).length, 0);
	assert.equal(alice.lines.items.filter((l) => /^:chela\S* NOTICE/.test(l)).length, 0);
});

test('a long answer comes in lines of at most 512 bytes, whole', async () => {
	alice.say('chela', 'words 60');
	const lines = [await alice.heard(/wörd0\b/), await alice.heard(/wörd59\b/)];

	assert.equal(lines.map((l) => l.slice(l.indexOf(' :') + 2)).join(' '), words(60));
	for (const line of alice.lines.items)
		assert.ok(Buffer.byteLength(line) <= 510, `${Buffer.byteLength(line)}: ${line}`);
});

test('kicked from a room it says so, and comes back when the room is asked for', async () => {
	const op = await Person.join(port, 'oper', '#own');

	gw.writeConfig({ ...gw.config, channels: { irc: { ...gw.config.channels.irc, channels: ['#locked sesame', '#own'] } } });
	await op.saw(/^:chela\S* JOIN/);
	op.send('KICK #own chela :out');
	await until('degraded', async () => (await account()).state === 'degraded' && /kicked by oper \(out\)/.test((await account()).detail));
	op.send('INVITE chela #own');
	await op.saw(/^:chela\S* JOIN/);
	await connected();
	op.send('MODE #own +m');                                          /* a room in which we may not speak: its server's words */
	await op.saw(/ MODE #own \+m/);
	await assert.rejects(c.call('send', { channel: 'irc', to: '#own', message: 'unheard', idempotencyKey: 'moderated' }), /#own: .*annot send/);
	op.leave();
});

test('the server dies and comes back: so does the account, and rooms', async () => {
	const before = (await account()).lastConnectedAt;
	const logs = async () => (await c.call('channels.logs', { channel: 'irc', accountId: 'default' })).lines;
	const from = (await logs()).length;

	await daemon.stop('SIGKILL');
	await until('backoff', async () => (await account()).state === 'backoff');
	/* The last error may be of the next try already. */
	assert.match(JSON.stringify((await logs()).slice(from)), /closed|broke/);
	await startDaemon();
	await until('connected again', async () => (await account()).lastConnectedAt > before);
	await connected();
	alice = await Person.join(port, 'alice', '#room');
	await alice.lines.find((line) => /^:chela\S* JOIN| 353 .*\bchela\b/.test(line), { what: 'the bot in the room' });
	alice.say('#room', 'chela: say papaya');
	await alice.heard(/papaya/);
});

test('a nick that is taken, a wrong host, and stopping by hand', async () => {
	const set = (over) => gw.writeConfig({ ...gw.config, channels: { irc: { ...gw.config.channels.irc, ...over } } });

	set({ nick: 'alice' });
	await until('alice_', async () => (await c.call('channels.status', { probe: true })).channelAccounts.irc[0].probe?.bot?.username === 'alice_');
	alice.send('NICK alice2');                                        /* it is free: taken back at once */
	await until('alice', async () => (await c.call('channels.status', { probe: true })).channelAccounts.irc[0].probe?.bot?.username === 'alice');
	set({ nick: '1up' });
	await until('needs-login', async () => (await account()).state === 'needs-login');
	assert.match((await account()).lastError, /channels\.irc\.nick is no nick/);
	set({ nick: 'chela' });
	await connected();
	assert.equal((await c.call('channels.stop', { channel: 'irc' })).stopped, true);
	assert.equal((await account()).state, 'stopped');
	assert.equal((await c.call('channels.start', { channel: 'irc' })).outcome.status, 'handed-off');
	await connected();
});

test('SASL: logged in before anybody sees us; a wrong password needs a person', async (t) => {
	const sasl = await SaslServer.start({ account: 'bot', password: `p${'w'.repeat(350)}` });

	stopAfter(t, sasl);
	const irc = { ...gw.config.channels.irc, accounts: { default: {}, lib: { host: '127.0.0.1', port: sasl.port, nick: 'lib', channels: ['#a', '#b k'],
		groups: {}, sasl: { account: 'bot', password: sasl.password }, dmPolicy: 'allowlist', allowFrom: ['carol!c@home.example'] } } };

	sasl.keys['#b'] = 'other';
	gw.writeConfig({ ...gw.config, channels: { irc } });
	await until('degraded', async () => (await account('lib'))?.state === 'degraded');
	assert.match((await account('lib')).detail, /not in #b: Cannot join/);
	assert.ok(sasl.lines.filter((l) => l.startsWith('AUTHENTICATE')).length === 3, 'in two pieces');
	assert.ok(!gw.log().includes(sasl.password));
	sasl.from('carol!c@home.example', 'PRIVMSG lib :say kumquat');
	await until('an answer', () => sasl.said.some((m) => m.target === 'carol' && m.text.includes('kumquat')));
	/* test_threat_injection: what a model says is text, whatever is in it. */
	sasl.from('carol!c@home.example', 'PRIVMSG lib :lines please');
	await until('two', () => sasl.said.some((m) => /VERSION two/.test(m.text)));
	assert.ok(!sasl.lines.some((l) => /^(QUIT|JOIN #evil)/.test(l)), sasl.lines.slice(-6).join('\n'));
	assert.ok(!sasl.said.some((m) => m.text.includes('\u0001')));
	/* Where the server has ids for messages, one that comes twice is answered once. */
	for (let n = 0; n < 3; n++)
		sasl.from('carol!c@home.example', 'PRIVMSG lib :say fig', `time=${new Date().toISOString()};msgid=m\\:1`);
	await until('fig', () => sasl.said.some((m) => m.text === 'fig'));
	/* Another host is another person. */
	sasl.from('carol!c@elsewhere.example', 'PRIVMSG lib :say durian');
	/* The nick changes hands while the answer is made: the new holder gets nothing of it, the operator hears of it. */
	const held = hold();

	sasl.from('carol!c@home.example', 'PRIVMSG lib :say lychee');
	await within(held.asked, 'the model to be asked');
	sasl.from('carol!c@home.example', 'NICK :karla');
	sasl.from('carol!m@mallory.example', 'JOIN #a');
	held.release();
	await deadLetters(1);
	/* The same where we do not see it: they share no room with us. */
	const unseen = hold();

	sasl.from('carol!c@home.example', 'PRIVMSG lib :say loquat');
	await within(unseen.asked, 'the model to be asked');
	sasl.people.carol = 'm@mallory.example';
	unseen.release();
	await deadLetters(2);
	assert.ok(!sasl.said.some((m) => /durian|lychee|loquat/.test(m.text)), JSON.stringify(sasl.said));
	assert.equal(sasl.said.filter((m) => m.text === 'fig').length, 1);
	sasl.password = 'another';
	sasl.current.socket.destroy();
	const refused = (why) => until(String(why), async () => (await account('lib')).state === 'needs-login' && why.test((await account('lib')).lastError));

	await refused(/SASL was refused/);
	sasl.refusesCaps = true;
	await c.call('channels.start', { channel: 'irc', accountId: 'lib' });
	await refused(/takes no SASL now/);
	sasl.caps = ['message-tags'];
	await c.call('channels.start', { channel: 'irc', accountId: 'lib' });
	await refused(/offers no SASL/);
});

test('NickServ gives our nick back; what a bouncer plays back is answered once, and not of long ago', async (t) => {
	const server = await SaslServer.start({ registered: { nick: 'bot', password: 'nick-canary' }, caps: ['server-time'] });

	stopAfter(t, server);
	const ago = (ms) => `time=${new Date(Date.now() - ms).toISOString()}`;
	const says = (text, tags) => server.from('carol!c@home.example', `PRIVMSG bot :say ${text}`, tags);
	const answered = (text) => until(text, () => server.said.some((m) => m.text === text));

	server.taken.add('bot');                                          /* our own last connection */
	server.registeredOnly.add('#members');
	gw.writeConfig({ ...gw.config, channels: { irc: { ...gw.config.channels.irc, accounts: { default: {}, ns: { host: '127.0.0.1', port: server.port, nick: 'bot',
		channels: ['#members'], groups: {}, nickserv: { password: 'nick-canary' }, dmPolicy: 'allowlist', allowFrom: ['carol!c@home.example'] } } } } });
	await until('the room of members', () => server.lines.filter((l) => l.startsWith('JOIN #members')).length === 2);
	await connected('ns');
	const told = server.lines.filter((l) => /^(NICK|PRIVMSG NickServ)/.test(l));

	assert.deepEqual(told.slice(0, 3), ['NICK bot', 'NICK bot_', 'PRIVMSG NickServ :GHOST bot nick-canary']);
	assert.deepEqual(told.slice(-2), ['NICK bot', 'PRIVMSG NickServ :IDENTIFY nick-canary']);
	await until('what it says', async () => /NickServ says: bot has been ghosted.*now identified/
		.test(JSON.stringify(await c.call('channels.logs', { channel: 'irc', accountId: 'ns' }))));
	assert.ok(!gw.log().includes('nick-canary'));
	const pear = ago(0);

	says('pear', pear);
	await answered('pear');
	server.current.socket.destroy();
	await until('another connection', () => server.lines.filter((l) => l.startsWith('USER')).length === 2);
	await connected('ns');
	says('medlar', ago(7200000));
	says('pear', pear);
	says('quince', ago(30000));
	await answered('quince');
	assert.deepEqual(server.said.map((m) => m.text), ['pear', 'quince']);
});

test('TLS: a fingerprint or an authority of our own is believed, another is not', async () => {
	const pem = readFileSync(path.join(dir, 'cert.pem'));
	const pin = new X509Certificate(pem).fingerprint256.replaceAll(':', '').toLowerCase();
	const login = (nick, more) => ({ host: '127.0.0.1', port: tlsPort, tls: true, nick, groups: {}, channels: [], ...more });

	gw.writeConfig({ ...gw.config, channels: { irc: { ...gw.config.channels.irc, accounts: { default: {}, pin: login('pinned', { tlsFingerprint: pin }),
		ca: login('trusting', { tlsCaFile: path.join(dir, 'cert.pem') }), wrong: login('wrong', { tlsFingerprint: 'ab'.repeat(32) }), bare: login('bare') } } } });
	await connected('pin');
	await connected('ca');
	for (const id of ['wrong', 'bare']) {
		await until(`${id} is refused`, async () => (await account(id)).state === 'backoff');
		assert.match((await account(id)).lastError, /certificate|fingerprint/i);
	}
	alice.say('pinned', 'hello');
	await alice.saw(/^:pinned\S* PRIVMSG alice2 :.*[A-HJ-NP-Z2-9]{8}/, 'a pairing code by TLS');
});
