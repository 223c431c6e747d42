/* run.mjs - plays one scenario against a gateway and gives its frames. */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ModelDouble } from '../doubles/model.mjs';
import { Gateway } from '../e2e/lib/gateway.mjs';
import { until } from '../e2e/lib/wait.mjs';
import { normalise } from './normalise.mjs';

/* Until so many inputs stand in line; the question is not part of the scenario. */
async function inLine(client, sessionKey, count) {
	let asides = 0;

	await until(async () => {
		const res = await client.request('chat.history', { sessionKey }, { id: `aside-${++asides}` });

		return res.payload?.pendingInputs?.items?.length === count;
	}, `${count} waiting inputs`);
}

/* Gives the normalised frames. settle(client, frames) returns when nothing more will come. */
export async function play(scenario, settle, { waiting = inLine } = {}) {
	const model = await ModelDouble.start();
	let gw;

	try {
		gw = await Gateway.start({ config: model.config });
		const workspace = path.join(gw.dir, 'workspace');

		mkdirSync(workspace, { recursive: true });
		gw.writeConfig({ ...model.config, agents: { defaults: { ...model.config.agents.defaults, workspace, skipBootstrap: true } } });
		for (const [name, text] of Object.entries(scenario.files ?? {}))
			writeFileSync(path.join(workspace, name), text);
		await gw.restart();

		const key = `agent:main:${scenario.name}`;
		const client = await gw.connect({ caps: scenario.caps ?? [] });

		await client.call('sessions.subscribe', {});
		await client.call('sessions.messages.subscribe', { key });
		const from = client.frames.items.length;
		const sent = client.sent.length;

		await scenario.steps({ client, model, key,
			say: (message, runId) => client.call('chat.send', { sessionKey: key, message, idempotencyKey: runId }),
			ended: (runId) => client.runEnd(runId),
			waiting: (count) => waiting(client, key, count),
			settled: (runId) => client.event('sessions.changed', (p) => p.session?.hasActiveRun === false || p.hasActiveRun === false,
				{ from, what: `the session to be idle after ${runId}` }) });
		const frames = () => normalise(client.frames.items.slice(from), client.sent.slice(sent),
			{ strip: [[gw.dir, '<dir>'], [String(model.port), '<port>']] });

		await settle(client, frames);
		const result = frames();

		await client.close();
		return result;
	} catch (e) {
		if (gw)
			console.error(gw.log());
		throw e;
	} finally {
		await gw?.stop();
		await model.stop();
	}
}
