/*
 * access_matrix.mjs - every DM policy with every group policy, in rooms that need a mention and rooms that do not, by listed, paired
 * and unknown people: what is heard is what the policies say, through a network's real path.
 *
 * A network gives: id, keys (of its configuration), listed, paired, stranger(n): people; dm(person, text); rooms {gated, free,
 * other}; say(person, room, text, isAddressed); codes(person): how many pairing codes were seen; opens: groupPolicy open lets
 * rooms in that the map does not list.
 */
import assert from 'node:assert/strict';
import { ModelDouble } from '../../doubles/model.mjs';
import { Gateway } from './gateway.mjs';
import { stopAll, until } from './wait.mjs';

const DM = ['pairing', 'allowlist', 'open', 'disabled'], GROUP = ['allowlist', 'open', 'disabled'];

/* Who is let in for DMs, by policy. */
const IN_DM = { pairing: ['listed', 'paired'], allowlist: ['listed'], open: ['listed', 'paired', 'stranger'], disabled: [] };
const IN_ROOM = { allowlist: ['listed'], open: ['listed', 'paired', 'stranger'], disabled: [] };

export class AccessMatrix {
	heard = new Set();

	static async start(net) {
		const m = new AccessMatrix();

		m.net = net;
		m.model = await ModelDouble.start((call) => {
			for (const mark of call.userText.match(/\bq\d+-\w+\b/g) ?? [])
				m.heard.add(mark);
			call.text('ok').end();
		});
		const base = m.model.config;

		m.gw = await Gateway.start({ config: { ...base, agents: { defaults: { ...base.agents.defaults, skipBootstrap: true } },
			messages: { inbound: { debounceMs: 0 }, queue: { mode: 'followup', debounceMs: 0 }, groupChat: { mentionPatterns: [], historyLimit: 0 } },
			channels: { [net.id]: { ...net.keys, dmPolicy: 'pairing', allowFrom: [net.listed.id] } } } });
		m.c = await m.gw.connect({ scopes: ['operator.admin', 'operator.read', 'operator.write', 'operator.pairing'] });
		return m;
	}

	stop() {
		this.c?.terminate();
		return stopAll(this.gw, this.model);
	}

	async account() {
		const { channelAccounts } = await this.c.call('channels.status');

		return channelAccounts[this.net.id]?.[0] ?? {};
	}

	async connected(since = 0) {
		await until(async () => {
			const a = await this.account();

			return a.connected && a.lastStartAt > since;
		}, `${this.net.id} to be connected`);
	}

	/* Lets the paired person in, by code. */
	async pair() {
		await this.connected();
		this.net.dm(this.net.paired, 'let me in');
		const { requests: [r] } = await until(async () => {
			const l = await this.c.call('channels.pairing.list');

			return l.requests.length && l;
		}, 'a request');

		assert.equal(r.senderId, this.net.paired.id);
		const done = await this.c.call('channels.pairing.approve', { channel: this.net.id, accountId: 'default', requestId: r.requestId, notify: true });

		assert.equal(done.notification, 'sent');
	}

	async configure(dmPolicy, groupPolicy) {
		const { net } = this, { lastStartAt } = await this.account();
		const keys = { ...net.keys, dmPolicy, groupPolicy, allowFrom: dmPolicy === 'open' ? ['*'] : [net.listed.id],
			groupAllowFrom: [net.listed.id], [net.map ?? 'groups']: net.rules({ gated: { requireMention: true }, free: { requireMention: false } }) };
		const config = JSON.parse(JSON.stringify(this.gw.config));

		config.channels[net.id] = keys;
		this.gw.writeConfig(config);
		await this.connected(lastStartAt);
	}

	/* All that came in was decided and, if it was let in, answered. */
	async settled(count) {
		const query = "SELECT count(*), coalesce(sum(state IN ('received', 'handed')), 0) FROM channel_inbox";

		await until(async () => await this.gw.sql(query) === `${count}|0`, `${count} events to be settled`);
	}

	expected(n, dmPolicy, groupPolicy) {
		const want = new Set();

		for (const who of IN_DM[dmPolicy])
			want.add(`q${n}-dm${who}`);
		for (const who of IN_ROOM[groupPolicy]) {
			want.add(`q${n}-gatedat${who}`);
			want.add(`q${n}-freeat${who}`);
			want.add(`q${n}-free${who}`);
		}
		if (groupPolicy === 'open' && this.net.opens)
			for (const who of IN_ROOM.open)
				want.add(`q${n}-otherat${who}`);
		return want;
	}

	/* One pair of policies: 3 people say 6 things each. */
	async round(n, dmPolicy, groupPolicy, before) {
		const { net } = this, people = { listed: net.listed, paired: net.paired, stranger: net.stranger(n) };

		await this.configure(dmPolicy, groupPolicy);
		for (const [who, person] of Object.entries(people)) {
			net.dm(person, `hello q${n}-dm${who}`);
			net.say(person, net.rooms.gated, `you q${n}-gatedat${who}`, true);
			net.say(person, net.rooms.gated, `all q${n}-gated${who}`, false);
			net.say(person, net.rooms.free, `you q${n}-freeat${who}`, true);
			net.say(person, net.rooms.free, `all q${n}-free${who}`, false);
			net.say(person, net.rooms.other, `you q${n}-otherat${who}`, true);
		}
		await this.settled(before + 18);
		const got = [...this.heard].filter((m) => m.startsWith(`q${n}-`)).sort(), want = [...this.expected(n, dmPolicy, groupPolicy)].sort();

		assert.deepEqual(got, want, `dmPolicy ${dmPolicy}, groupPolicy ${groupPolicy}`);
		const { requests } = await this.c.call('channels.pairing.list');

		assert.deepEqual(requests.map((r) => r.senderId), dmPolicy === 'pairing' ? [people.stranger.id] : []);
		for (const r of requests)
			await this.c.call('channels.pairing.dismiss', { channel: net.id, accountId: 'default', requestId: r.requestId });
	}

	/* Gives how many pairs and decisions there were. */
	async run() {
		let n = 0;

		await this.pair();
		await this.settled(1);
		for (const dmPolicy of DM)
			for (const groupPolicy of GROUP)
				await this.round(n, dmPolicy, groupPolicy, 1 + 18 * n++);
		return { pairs: n, decisions: 18 * n };
	}
}
