/*
 * differences.mjs - every way in which chela's frames are allowed to differ from the reference's, and why.
 *
 * The scenario tests accept these and nothing else, and fail when one of them is not needed any more.
 * docs/compatibility.md takes its table from here (write-differences.mjs; a test compares).
 *
 *   in      scenarios it is for ('*': all)       on     the frames: "chat final", "session.message", "res chat.send"
 *   path    the member (a regular expression)    kind   'value' | 'absent' (only there) | 'extra' (only here)
 *                                                       'frame' (a whole frame that only one side has)
 */
export const differences = [
	{
		what: 'transcriptPosition.rawSeq counts rows of the transcript',
		why: 'The reference stores its own bookkeeping as rows between the messages; chela stores messages only, so its numbers have no gaps.',
		in: '*', on: /^session\.message/, path: /\.transcriptPosition\.rawSeq$/, kind: 'value',
	},
	{
		what: 'session.message always says which run a row of the assistant belongs to',
		why: 'The reference leaves runId out of tool calls and of answers to commands; with it a client need not guess.',
		in: '*', on: /^session\.message/, path: /^payload\.(runId|message\.__openclaw\.runId)$/, kind: 'extra',
	},
	{
		what: 'no sessions.changed with reason cron-bindings-loaded',
		why: 'There are no scheduled jobs in this version.',
		in: '*', on: /^sessions\.changed cron-bindings-loaded/, kind: 'frame',
	},
	{
		what: 'texts of errors are chela\'s own',
		why: 'They name the provider, the status and the configuration key to look at. Codes and reasons are the same.',
		in: ['provider-denies', 'provider-fails-once'], on: /^(agent|chat)/,
		path: /(\.error|\.errorMessage|data\.message|FailureDetail)$/, kind: 'value',
	},
	{
		what: 'so is the row that a failed turn leaves in the transcript',
		why: 'As above.',
		in: ['provider-denies'], on: /^session\.message assistant/, path: /content\[0\]\.text$/, kind: 'value',
	},
	{
		what: 'the row of an input that an active run took up is told once, with steerTargetRunId',
		why: 'The reference tells it twice, first without that member.',
		in: ['busy'], on: /^session\.message user/, path: /\.steerTargetRunId$/, kind: ['frame', 'extra'],
	},
	{
		what: 'the first chat delta after a retry comes after the agent frame that it reflects',
		why: 'The reference swaps the two there, and nowhere else.',
		in: ['provider-fails-once'], on: /^chat delta/, kind: 'frame',
	},
	{
		what: 'rows of every slash command are marked excludeFromContext',
		why: 'The reference marks those of some commands only; none of them is for the model.',
		in: ['command'], on: /^(session\.message|chat final)/, path: /(excludeFromContext|contextFreeCommand|__openclaw)$/, kind: 'extra',
	},
	{
		what: 'texts of slash commands are chela\'s own',
		why: 'Same facts, other words.',
		in: ['command'], on: /^(session\.message|chat final)/, path: /content\[0\]\.text$/, kind: 'value',
	},
	{
		what: 'sessions.create: entry is the session as chela stores it',
		why: 'The member is the reference\'s store entry without a schema; key, sessionId and what clients read of it are the same.',
		in: ['inject'], on: /^res sessions\.create/, path: /^payload\.(entry|resolved)\./, kind: ['extra', 'absent'],
	},
];

/* Choices that show outside of the scenarios; each is held by the test named. */
export const choices = [
	{
		what: 'a binary message closes the socket: 1003 `binary messages are not understood here`',
		why: 'The protocol is JSON text; the reference reads binary messages as text.',
		test: 'handshake.test.mjs: before authentication a binary message closes 1003',
	},
	{
		what: 'a device that connects with the shared secret gets a device token of its own each time',
		why: 'Only hashes of tokens are stored, so an old one cannot be given out again. Earlier ones stay valid; a connect with a device token gets that one back.',
		test: 'gateway-client.test.mjs: comes back with its device token after the connection broke',
	},
	{
		what: 'an upgrade or request under a name that is not the gateway\'s own is refused: HTTP 403 `host_not_allowed`',
		why: 'A page of somebody else could reach the gateway by rebinding its name to 127.0.0.1.',
		test: 'handshake.test.mjs: a name that is not ours is refused before anything is said',
	},
	{
		what: 'a forwarded request of an untrusted peer gets a 403 with chela\'s own words',
		why: 'Same status and type, other words.',
		test: 'handshake.test.mjs: a forwarded request without a trusted proxy is refused',
	},
];
