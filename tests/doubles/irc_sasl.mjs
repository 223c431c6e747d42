/*
 * irc_sasl.mjs - a small IRC server with IRCv3 capabilities and SASL PLAIN, which ngircd lacks. It lets in one account and says
 * what RFC 2812 and the IRCv3 texts on CAP 302, sasl-3.1 and message-tags say; what is out of turn is refused with a numeric.
 */
import net from 'node:net';

const CAPS = ['multi-prefix', 'message-tags', 'sasl=PLAIN,EXTERNAL'];

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
			this.say(`:irc.double CAP * LS * :${CAPS[0]}`);
			this.say(`:irc.double CAP * LS :${CAPS.slice(1).join(' ')}`);
		} else if (verb === 'REQ') {
			const wanted = arg.trim().split(' ');
			const known = wanted.every((w) => CAPS.some((c) => c.split('=')[0] === w));

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
			this.nick = nick;
		this.enter();
		return true;
	}

	onUSER([user]) {
		this.user = user;
		this.enter();
		return true;
	}

	enter() {
		if (this.isIn || this.isNegotiating || !this.nick || !this.user)
			return;
		if (!this.account) {
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
		else
			this.say(`:${this.nick}!${this.user}@bots.double JOIN ${room}`);
		return true;
	}

	onPING([token]) {
		this.say(`:irc.double PONG irc.double :${token}`);
		return true;
	}

	onPRIVMSG([target, text]) {
		this.server.said.push({ target, text });
		return true;
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
	people = {};

	static async start({ account, password }) {
		const s = new SaslServer();

		Object.assign(s, { account, password });
		s.sockets = new Set();
		s.net = net.createServer((socket) => {
			s.sockets.add(socket.on('close', () => s.sockets.delete(socket)));
			new Session(s, socket);
		});
		await new Promise((resolve) => s.net.listen(0, '127.0.0.1', resolve));
		s.port = s.net.address().port;
		return s;
	}

	/* A line of somebody else, as the server passes it on. */
	from(mask, text) {
		this.current.say(`:${mask} ${text}`);
	}

	async stop() {
		for (const socket of this.sockets)
			socket.destroy();
		await new Promise((resolve) => this.net.close(resolve));
	}
}
