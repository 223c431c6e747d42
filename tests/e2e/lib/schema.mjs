/* schema.mjs - checks frames against the protocol's published JSON Schema, where it defines them. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { MODULES, require } from './peers.mjs';

const Ajv = require('ajv');
const schema = JSON.parse(readFileSync(path.join(MODULES, '@openclaw/gateway-protocol/protocol.schema.json'), 'utf8'));

/* Results whose definition's name does not follow from the method's name. */
const RESULT_OF = {
	'agent.identity.get': 'AgentIdentityResult',
	'config.schema': 'ConfigSchemaResponse',
	'system.info': 'SystemInfoResult',
	'connect': 'HelloOk',
	'health': null,                  /* the schema has none of these */
	'status': null,
};

const EVENT_OF = {
	agent: 'AgentEvent', chat: 'ChatEvent', tick: 'TickEvent', shutdown: 'ShutdownEvent',
	'device.pair.setup.completed': 'DevicePairSetupCompletedEvent',
	'device.pair.setup.deliveryUncertain': 'DevicePairSetupDeliveryUncertainEvent',
	'device.pair.requested': 'DevicePairRequestedEvent', 'device.pair.resolved': 'DevicePairResolvedEvent',
	'session.operation': 'SessionOperationEvent', 'users.prefs.changed': 'UsersPrefsChangedEvent',
};

/*
 * Members that the 2026.9.6 server sends and the published schema (2026.9.1) does not know yet; its own
 * recorded frames have them. Everything else that the schema does not name is a problem.
 */
const NEWER = {
	HelloOk: { 'auth': ['method'] },
	ChannelsStatusResult: { '': ['statusIssues'] },
	SkillsProposalsListResult: { '': ['installedSkills'] },
	SessionGitHubOptionsResult: { '': ['latestShared'] },
	AgentsFilesGetResult: { 'file': ['hash'] },
	AgentsFilesSetResult: { 'file': ['hash'] },
	AgentEvent: { '': ['sessionKey', 'sessionId', 'agentId', 'lane'] },
};

const ajv = new Ajv({ strict: false, allErrors: true, validateFormats: false });
const compiled = new Map();

ajv.addSchema({ $id: 'protocol', definitions: schema.definitions });

export const definitions = schema.definitions;
export const methods = schema.methods;

export function resultDefinition(method) {
	if (method in RESULT_OF)
		return RESULT_OF[method] && schema.definitions[RESULT_OF[method]] ? RESULT_OF[method] : null;
	const name = method.split(/[.-]/).map((w) => w[0].toUpperCase() + w.slice(1)).join('') + 'Result';

	return schema.definitions[name] ? name : null;
}

export function eventDefinition(event) {
	return EVENT_OF[event] ?? null;
}

/* The problems of a value, as lines; none when it is valid. */
export function problems(definition, value) {
	if (!compiled.has(definition))
		compiled.set(definition, ajv.compile({ $ref: `protocol#/definitions/${definition}` }));
	const check = compiled.get(definition);

	const isNewer = (e) => e.keyword === 'additionalProperties'
		&& NEWER[definition]?.[e.instancePath.slice(1)]?.includes(e.params.additionalProperty);

	return check(value) ? [] : check.errors.filter((e) => !isNewer(e)).map((e) => `${definition}${e.instancePath} ${e.message} ${JSON.stringify(e.params)}`);
}

/* Checks one frame from the gateway; `method` is what a response answers. Gives problem lines. */
export function frameProblems(frame, method) {
	/* recipientProfileId is newer than the published schema (2026.9.1 against 2026.9.6). */
	const { recipientProfileId, ...known } = frame;
	const found = problems(frame.type === 'res' ? 'ResponseFrame' : 'EventFrame', known);
	const inner = frame.type === 'res' ? frame.ok && method && resultDefinition(method) : eventDefinition(frame.event);

	if (inner)
		found.push(...problems(inner, frame.payload));
	return found.map((p) => `${frame.type === 'res' ? method : frame.event}: ${p}`);
}
