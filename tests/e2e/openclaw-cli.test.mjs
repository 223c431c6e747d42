/*
 * openclaw-cli.test.mjs - OpenClaw's own command line against chela: every command of it that talks to a gateway
 * about something chela has, and the refusals of those about something it has not.
 *
 * A row: the arguments, the exit code, and what its output (standard output and error together) must show.
 */
import assert from 'node:assert/strict';
import { gatewayTest } from './lib/gateway.mjs';
import { openclaw, openclawHome } from './lib/openclaw.mjs';

const LOCAL = [
	['health', 0, /Session store \(main\)/],
	['health --json', 0, /"ok": true/],
	['status', 0, /OpenClaw status/],
	['status --json', 0, /"gateway"/],
	['status --deep', 0, /Health/],
	['status --usage', 0, /OpenClaw status/],
	['status --all', 0, /Gateway/],
	['gateway status', 0, /Gateway: bind=loopback/],
	['gateway health', 0, /OK/],
	['gateway probe', 0, /Reachable: yes/],
	['gateway call health', 0, /"ok": true/],
	['gateway call status --json', 0, /"sessions"/],
	['gateway call config.get', 0, /"hash"/],
	['gateway call sessions.list --params {}', 0, /"sessions"/],
	['gateway usage-cost', 0, /cost|\$/i],
	['gateway stability', 0, /stability/i],
	['gateway stability --json', 0, /^\{/m],
	['models list', 0, /offline\/demo/],
	['models list --refresh', 0, /offline\/demo/],
	['cron list', 0, /No cron jobs|No automations/i],
	['cron list --json', 0, /"jobs": \[\]/],
	['cron status', 0, /"?jobs"?: ?0/],
	['nodes list', 0, /Pending: 0/],
	['nodes status', 0, /Known: 0/],
	['nodes pending', 0, /No pending/i],
	['devices list', 0, /./],
	['approvals get --gateway', 0, /Approvals/i],
	['approvals pending', 0, /No pending/i],
	['approvals grants list', 0, /No /],
	['skills list', 0, /Skills|skills/],
	['skills check', 0, /Skills/i],
	['channels list', 0, /./],
	['channels status', 0, /reachable|no configured|No channels/i],
	['channels status --probe', 0, /reachable|no configured|No channels/i],
	['logs --limit 5', 0, /./],
	['logs --limit 5 --json', 0, /"type"/],
	['system presence', 0, /"mode": "gateway"/],
	['system heartbeat last', 0, /null|none|\{/i],
	['audit --limit 5', 0, /./],
	['hooks list', 0, /./],
	['dashboard --no-open', 0, /Dashboard URL/],
	['secrets reload', 0, /./],
	['doctor --non-interactive', 0, /OpenClaw doctor/],
	['update status', 0, /OpenClaw update status/],
	['agent --agent main --message hello', 0, /offline\/demo/],
	['agent --agent main --session-id s2 --message hello --json', 0, /"status": "ok"/],
	['agent --to +15555550123 --message hello', 0, /offline\/demo/],
	['sessions compact agent:main:main', 0, /./],
	['sessions cleanup', 0, /./],
	['sessions archive agent:main:main', 1, /Cannot archive an agent.s main session/],
	['sessions archive agent:main:explicit:s2', 0, /rchived/],
	['sessions delete agent:main:explicit:s2 --yes', 0, /eleted/],
	['models accounts list', 1, /Personal model accounts require a signed-in person/],
	['users list', 0, /gateway-owner|owner/i],
	['security audit --deep', 0, /OpenClaw security audit/],
	['devices reject nope', 1, /unknown|not found/i],
	['devices remove nope', 1, /unknown|not found/i],
	['devices revoke --device nope --role operator', 1, /denied/],
	['nodes reject nope', 1, /this version has no nodes/],
	['nodes remove --node none', 1, /unknown|not found/i],
	['approvals resolve nope allow-once', 1, /unknown|not found/i],
	['message send --channel telegram --target 123 --message hi', 1, /./],
	['cron add --name t1 --every 1h --message hello --session isolated', 1, /UNAVAILABLE|not available|this version/i],
	['browser status', 1, /unknown method|not available|UNAVAILABLE/i],
];

const REMOTE = [
	['health', 0, /Session store|Agents/],
	['status', 0, /OpenClaw status/],
	['models list', 0, /offline\/demo/],
	['cron list', 0, /No cron jobs|No automations/i],
	['nodes status', 0, /Known: 0/],
	['nodes list', 0, /Pending: 0/],
	['devices list', 0, /./],
	['approvals get --gateway', 0, /Approvals/i],
	['channels list', 0, /./],
	['channels status --probe', 0, /./],
	['logs --limit 3', 0, /./],
	['system presence', 0, /"mode": "gateway"/],
	['system heartbeat last', 0, /null|none|\{/i],
	['audit --limit 3', 0, /./],
	['hooks list', 0, /./],
	['secrets reload', 0, /./],
	['agent --agent main --message hello', 0, /offline\/demo/],
	['gateway call sessions.list --params {}', 0, /"sessions"/],
	['gateway call system-presence', 0, /"mode": "gateway"/],
	['update status', 0, /OpenClaw update status/],
];

for (const [mode, rows] of [['local', LOCAL], ['remote', REMOTE]])
	gatewayTest(`the stock command line in ${mode} mode`, { timeout: 20 * 60000 }, async (gw, t) => {
		const home = openclawHome(gw, mode);

		for (const [command, code, shows] of rows)
			await t.test(command, async () => {
				const r = await openclaw(gw, home, command.split(' '), 90000);
				const said = `${r.stdout}\n${r.stderr}`;

				assert.equal(r.code, code, said.slice(-3000));
				assert.match(said, shows);
				if (code === 0)
					assert.doesNotMatch(said, /unknown method/);
			});
		await gw.assertAlive();
	});
