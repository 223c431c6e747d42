/*
 * irc_sasl.mjs - a small IRC server with what ngircd lacks: IRCv3 capabilities, SASL PLAIN, and NickServ as networks have it. With an
 * account it lets in that one only. It says what RFC 2812 and the IRCv3 texts on CAP 302, sasl-3.1, message-tags and server-time say;
 * what is out of turn is refused with a numeric.
 */
import net from 'node:net';

const SERVICE = 'NickServ!services@services.double';

class Session {
	caps = new Set();
	isNegotiating = false;
	isIn = false;
	sasl = '';

	constructor(server, socket) {
		this.server = server;
		this.socket = socket;
		let rest = '';

		socket.setEncoding('utf8').on('error', () => {}).on('data', (text) => {
			const lines = (rest + text).split('\r\n');

			rest = lines.pop();
			for (const line of lines)
				this.take(line);
		});
	}

	say(text) {
		this.socket.write(`${text}\r\n`);
	}

	num(code, text) {
		this.say(`:irc.double ${code} ${this.nick ?? '*'} ${text}`);
	}

	take(line) {
		if (Buffer.byteLength(line) > 510)
			return this.num('417', ':Input line was too long');
		const trail = line.indexOf(' :');
		const words = (trail < 0 ? line : line.slice(0, trail)).split(' ');
		const params = trail < 0 ? words.slice(1) : [...words.slice(1), line.slice(trail + 2)];

		this.server.lines.push(line);
		this[`on${words[0]}`]?.(params) ?? (this[`on${words[0]}`] || this.num('421', `${words[0]} :Unknown command`));
	}

	onCAP([verb, arg]) {
		if (verb === 'LS') {
			this.isNegotiating = true;
			this.say(':irc.double CAP * LS * :multi-prefix');
			this.say(`:irc.double CAP * LS :${this.server.caps.join(' ')}`);
		} else if (verb === 'REQ') {
			const wanted = arg.trim().split(' ');
			const known = !this.server.refusesCaps && wanted.every((w) => this.server.caps.some((c) => c.split('=')[0] === w));

			if (known)
				wanted.forEach((w) => this.caps.add(w));
			this.say(`:irc.double CAP * ${known ? 'ACK' : 'NAK'} :${arg}`);
		} else if (verb === 'END') {
			this.isNegotiating = false;
			this.enter();
		}
		return true;
	}

	onAUTHENTICATE([text]) {
		if (!this.caps.has('sasl'))
			this.num('904', ':SASL authentication failed');
		else if (text === 'PLAIN')
			this.say('AUTHENTICATE +');
		else if (text.length === 400)
			this.sasl += text;
		else
			this.login(Buffer.from(this.sasl + (text === '+' ? '' : text), 'base64').toString().split('\0'));
		return true;
	}

	login([, user, password]) {
		this.sasl = '';
		if (user !== this.server.account || password !== this.server.password)
			return this.num('904', ':SASL authentication failed');
		this.account = user;
		this.num('900', `${this.nick}!u@h ${user} :You are now logged in as ${user}`);
		return this.num('903', ':SASL authentication successful');
	}

	onNICK([nick]) {
		if (this.server.taken.has(nick.toLowerCase()))
			this.num('433', `${nick} :Nickname is already in use`);
		else
			this.rename(nick);
		this.enter();
		return true;
	}

	rename(nick) {
		if (this.isIn)
			this.say(`:${this.nick}!${this.user}@bots.double NICK :${nick}`);
		this.nick = nick;
	}

	onUSER([user]) {
		this.user = user;
		this.enter();
		return true;
	}

	enter() {
		if (this.isIn || this.isNegotiating || !this.nick || !this.user)
			return;
		if (this.server.account && !this.account) {
			this.say('ERROR :Closing Link: SASL access only');
			this.socket.end();
			return;
		}
		this.isIn = true;
		this.num('001', `:Welcome ${this.nick}`);
		this.num('005', 'CASEMAPPING=ascii :are supported by this server');
		this.num('422', ':MOTD File is missing');
		this.server.current = this;
	}

	onJOIN([room, key]) {
		if (this.server.keys[room] && this.server.keys[room] !== key)
			this.num('475', `${room} :Cannot join channel (+k)`);
		else if (this.server.registeredOnly.has(room) && !this.isIdentified)
			this.num('477', `${room} :Cannot join channel (+r) - you need to be logged in with an account`);
		else
			this.say(`:${this.nick}!${this.user}@bots.double JOIN ${room}`);
		return true;
	}

	onPING([token]) {
		this.say(`:irc.double PONG irc.double :${token}`);
		return true;
	}

	onPRIVMSG([target, text]) {
		if (target === 'NickServ')
			this.onService(text.split(' '));
		else
			this.server.said.push({ target, text });
		return true;
	}

	/* One nick is registered, with one password. */
	onService([verb, ...args]) {
		const { nick, password } = this.server.registered;
		const answer = (text) => this.say(`:${SERVICE} NOTICE ${this.nick} :${text}`);

		if (verb === 'IDENTIFY' && this.nick !== nick)
			answer(`${this.nick} is not a registered nickname.`);
		else if (verb === 'IDENTIFY' && args[0] === password) {
			this.isIdentified = true;
			this.num('900', `${this.nick}!${this.user}@bots.double ${nick} :You are now logged in as ${nick}`);
			answer(`You are now identified for \u0002${nick}\u0002.`);
		} else if (verb === 'GHOST' && args[0] === nick && args[1] === password) {
			this.server.taken.delete(nick);
			answer(`\u0002${nick}\u0002 has been ghosted.`);
		} else
			answer('Invalid password.');
	}

	onUSERHOST([nick]) {
		const where = this.server.people[nick];

		this.num('302', `:${where ? `${nick}=+${where}` : ''}`);
		return true;
	}

	onQUIT() {
		this.socket.end();
		return true;
	}
}

export class SaslServer {
	lines = [];
	said = [];
	taken = new Set();
	keys = {};
	registeredOnly = new Set();
	people = {};
	caps = ['message-tags', 'server-time', 'sasl=PLAIN,EXTERNAL'];
	registered = {};

	/* account, password: of SASL; registered: {nick, password} of NickServ; caps: what is offered. */
	static async start(options) {
		const s = new SaslServer();

		Object.assign(s, options);
		s.sockets = new Set();
		s.net = net.createServer((socket) => {
			s.sockets.add(socket.on('close', () => s.sockets.delete(socket)));
			new Session(s, socket);
		});
		await new Promise((resolve) => s.net.listen(0, '127.0.0.1', resolve));
		s.port = s.net.address().port;
		return s;
	}

	/* A line of somebody else, as the server passes it on; who has a nick is whoever used it last. */
	from(mask, text, tags = '') {
		const [nick, where] = mask.split('!');

		this.people[nick] = where;
		if (text.startsWith('NICK :')) {
			delete this.people[nick];
			this.people[text.slice(6)] = where;
		}
		this.current.say(`${tags && `@${tags} `}:${mask} ${text}`);
	}

	/* Somebody leaves where we do not see it. */
	gone(nick) {
		delete this.people[nick];
	}

	async stop() {
		for (const socket of this.sockets)
			socket.destroy();
		await new Promise((resolve) => this.net.close(resolve));
	}
}
