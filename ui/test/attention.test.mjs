/*
 * What waits for the person: approvals, questions, plans, and text in which nothing hides.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import { load } from './load.mjs';

const m = await load(`
  export * from './src/attention/approvals.ts';
  export * from './src/attention/questions.ts';
  export * from './src/attention/progress.ts';
  export * from './src/attention/visible.ts';
`);

const exec = (more = {}, request = {}) => ({
  id: 'a1', createdAtMs: 5, expiresAtMs: 50,
  request: { command: 'rm -r build', cwd: '/w', host: 'gateway', sessionKey: 'agent:main:main', agentId: 'main', ...request }, ...more,
});

test('an approval is read with all that it says, and only with the answers that may be given', () => {
  const a = m.readApproval(exec({}, { allowedDecisions: ['allow-once', 'deny'], warningText: 'deletes', commandAnalysis: { warningLines: ['deletes', 'much'] } }), 'exec');
  assert.equal(a.body, 'rm -r build');
  assert.deepEqual(a.decisions, ['allow-once', 'deny']);
  assert.deepEqual(a.warnings, ['deletes', 'much']);
  assert.deepEqual(a.facts.map((f) => f.name), ['where', 'in', 'agent']);
  assert.deepEqual(m.readApproval(exec({}, { unavailableDecisions: ['allow-always'] }), 'exec').decisions, ['allow-once', 'deny']);
  assert.deepEqual(m.readApproval(exec({}, { allowedDecisions: ['launch'] }), 'exec').decisions, []);
  const p = m.readApproval({ id: 'p', createdAtMs: 1, expiresAtMs: 2, request: { title: 'Send it?', description: 'to x', severity: 'critical', toolName: 'http_mail' } }, 'plugin');
  assert.deepEqual([p.title, p.note, p.severity, p.facts[0].value], ['Send it?', 'to x', 'critical', 'http_mail']);
  for (const bad of [null, {}, { id: 'x' }, { id: 'x', request: {} }, { request: {}, expiresAtMs: 1 }]) assert.equal(m.readApproval(bad, 'exec'), null);
  assert.equal(m.readApprovals([exec(), null, exec({ id: 'a2' })], 'exec').length, 2);
});

test('approvals stand in the order in which they were asked for, once each', () => {
  const one = (id, createdAtMs) => m.readApproval(exec({ id, createdAtMs }), 'exec');
  const all = [one('b', 2), one('a', 1), one('b', 2), one('c', 3)].reduce(m.withApproval, []);
  assert.deepEqual(all.map((a) => a.id), ['a', 'b', 'c']);
});

test('how an approval ended is said in words', () => {
  assert.equal(m.readEnded({ id: 'x', decision: 'deny', resolvedBy: 'phone' }).words, 'denied by phone');
  assert.equal(m.readEnded({ id: 'x', decision: 'deny', terminalStatus: 'expired' }).words, 'expired');
  assert.equal(m.readEnded({}), null);
});

test('no character of a command hides', () => {
  assert.equal(m.visible('ls -l\n\tok äß漢'), 'ls -l\n\tok äß漢');
  assert.equal(m.visible('a\u202eb'), 'a\\u{202e}b');
  assert.equal(m.visible('rm\u200b x'), 'rm\\u{200b} x');
  assert.equal(m.visible('\u001b[2J\r'), '\\u{1b}[2J\\u{d}');
  assert.equal(m.visible('\u{e0041}\ufeff\u00ad\u3164\u2028'), '\\u{e0041}\\u{feff}\\u{ad}\\u{3164}\\u{2028}');
  assert.equal(m.visible('\ud800'), '\\u{d800}');
});

const question = m.readQuestion({
  id: 'q', status: 'pending', createdAtMs: 1, expiresAtMs: 2, sessionKey: 'agent:main:main',
  questions: [
    { questionId: 'one', header: 'Colour', question: 'Which?', options: [{ label: 'red' }, { label: 'blue', description: 'cold' }], isOther: true },
    { questionId: 'many', header: 'Days', question: 'When?', options: [{ label: 'mo' }, { label: 'tu' }], multiSelect: true },
    { questionId: 'key', header: 'Key', question: 'The key?', options: [], isSecret: true, secretStore: { name: 'A_KEY', kind: 'secret' } },
  ],
});

test('a question is filled in and sent only when all of it is answered', () => {
  const [one, many, key] = question.items;
  assert.deepEqual([one.takesText, many.takesText, key.takesText, key.secretName], [true, false, true, 'A_KEY']);
  let draft = m.choose({}, one, 'red');
  draft = m.choose(draft, one, 'blue');
  draft = m.choose(m.choose(m.choose(draft, many, 'mo'), many, 'tu'), many, 'mo');
  assert.equal(m.isComplete(draft, question), false);
  draft = m.typeText(draft, key, ' s3cret ');
  assert.equal(m.isComplete(draft, question), true);
  assert.deepEqual(m.answerParams(draft, question), { id: 'q', answers: { answers: { one: ['blue'], many: ['tu'], key: [' s3cret '] } } });
  draft = m.typeText(draft, one, ' green ');
  assert.deepEqual(m.answerParams(draft, question).answers.answers.one, ['green']);
  assert.equal(m.isComplete(m.typeText(draft, one, '  '), question), false);
});

test('questions that have ended or make no sense are not shown', () => {
  assert.equal(m.readQuestion({ id: 'q', status: 'answered', questions: [{ questionId: 'a', question: 'b' }] }), null);
  for (const bad of [null, {}, { id: 'q', questions: [] }, { id: 'q', questions: [{}] }]) assert.equal(m.readQuestion(bad), null);
  assert.equal(m.readQuestions({ questions: [null, { id: 'q', questions: [{ questionId: 'a', question: 'b' }] }] }).length, 1);
});

test('a plan is read, and one that is empty is none', () => {
  const p = m.readProgress({ card: { revision: 3, updatedAt: 1, sessionKey: 'k', steps: [{ step: 'a', status: 'completed' }, { step: 'b', status: 'in_progress' }, { step: 'c', status: 'odd' }] } });
  assert.equal(m.progressWords(p), '1 of 3');
  assert.deepEqual(p.steps.map((s) => s.status), ['completed', 'in_progress', 'pending']);
  for (const none of [null, {}, { card: null }, { card: { steps: [] } }]) assert.equal(m.readProgress(none), null);
});
