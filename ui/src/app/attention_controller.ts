/*
 * app/attention_controller.ts - what waits for the person: approvals and questions of all conversations, and the plan of the
 * open one. Lists are read after each connect; events keep them true; answers go out once.
 */
import { readApproval, readApprovals, readEnded, withApproval, type Approval, type ApprovalKind, type Decision } from '../attention/approvals.ts';
import { readProgress } from '../attention/progress.ts';
import { answerParams, readQuestion, readQuestions, withQuestion, type Draft, type Question } from '../attention/questions.ts';
import { isDict, str, type Dict } from '../gateway/frames.ts';
import type { Context } from './context.ts';
import type { Attention } from './state.ts';

const KINDS: readonly ApprovalKind[] = ['exec', 'plugin'];

export class AttentionController {
  constructor(private readonly ctx: Context) {}

  async onReady(): Promise<void> {
    await Promise.all([this.loadApprovals(), this.loadQuestions(), this.loadProgress()]);
  }

  /* True when the event was one of ours. */
  onEvent(event: string, payload: Dict): boolean {
    const [subject, , verb] = event.split('.');
    if (event === 'exec.approval.requested' || event === 'plugin.approval.requested') {
      const approval = readApproval(payload, subject as ApprovalKind);
      if (approval) this.set((a) => ({ approvals: withApproval(a.approvals, approval) }));
    } else if (event.endsWith('.approval.resolved') && verb === 'resolved') {
      this.onEnded(payload);
    } else if (event === 'question.requested') {
      const question = readQuestion(payload);
      if (question) this.set((a) => ({ questions: withQuestion(a.questions, question) }));
    } else if (event === 'question.resolved') {
      this.set((a) => ({ questions: a.questions.filter((q) => q.id !== str(payload.id)) }));
    } else if (event === 'progressCard.changed') {
      if (str(payload.sessionKey) === this.key) void this.loadProgress();
    } else {
      return false;
    }
    return true;
  }

  onOpened(): void {
    this.set(() => ({ progress: null }));
    if (this.ctx.store.get().link.kind === 'ready') void this.loadProgress();
  }

  async decide(approval: Approval, decision: Decision): Promise<void> {
    await this.answer(approval.id, 'Your answer did not arrive', () =>
      this.ctx.wire.request(`${approval.kind}.approval.resolve`, { id: approval.id, decision }),
    );
  }

  async reply(question: Question, draft: Draft): Promise<void> {
    await this.answer(question.id, 'Your answer did not arrive', () => this.ctx.wire.request('question.resolve', answerParams(draft, question)));
  }

  async skip(question: Question): Promise<void> {
    await this.answer(question.id, 'The question could not be skipped', () =>
      this.ctx.wire.request('question.resolve', { id: question.id, cancel: true }),
    );
  }

  private get key(): string {
    return this.ctx.store.get().chat.sessionKey;
  }

  private set(change: (attention: Attention) => Partial<Attention>): void {
    this.ctx.store.set((state) => ({ ...state, attention: { ...state.attention, ...change(state.attention) } }));
  }

  /* One answer at a time: a second click says nothing more. What was answered goes when its event comes; if it had ended, now. */
  private async answer(id: string, what: string, act: () => Promise<unknown>): Promise<void> {
    if (this.ctx.store.get().attention.answering.includes(id)) return;
    this.set((a) => ({ answering: [...a.answering, id] }));
    try {
      await act();
      this.drop(id);
    } catch (error) {
      this.ctx.fail(what, error);
      await this.onReady();
    }
    this.set((a) => ({ answering: a.answering.filter((other) => other !== id) }));
  }

  private drop(id: string): void {
    this.set((a) => ({ approvals: a.approvals.filter((x) => x.id !== id), questions: a.questions.filter((x) => x.id !== id) }));
  }

  private onEnded(payload: Dict): void {
    const ended = readEnded(payload);
    if (!ended) return;
    const { approvals, answering } = this.ctx.store.get().attention;
    /* Somebody else was quicker: say so, or the card would just vanish. */
    if (approvals.some((a) => a.id === ended.id) && !answering.includes(ended.id))
      this.ctx.toast({ tone: 'info', text: `The approval was ${ended.words}.` });
    this.drop(ended.id);
  }

  private async loadApprovals(): Promise<void> {
    const lists = await Promise.all(KINDS.map((kind) => this.ask(`${kind}.approval.list`, {}, (payload) => readApprovals(payload, kind))));
    this.set((a) => ({ approvals: lists.flatMap((found, i) => found ?? a.approvals.filter((x) => x.kind === KINDS[i])).reduce(withApproval, [] as Approval[]) }));
  }

  private async loadQuestions(): Promise<void> {
    const found = await this.ask('question.list', {}, readQuestions);
    if (found) this.set(() => ({ questions: found.reduce(withQuestion, [] as Question[]) }));
  }

  private async loadProgress(): Promise<void> {
    const sessionKey = this.key;
    const found = await this.ask('progressCard.get', { sessionKey }, (payload) => ({ card: readProgress(payload) }));
    if (found && sessionKey === this.key) this.set(() => ({ progress: found.card }));
  }

  /* Null when the gateway does not offer it, we may not, or it failed: what is known stays. */
  private async ask<T>(method: string, params: unknown, read: (payload: unknown) => T): Promise<T | null> {
    if (!this.ctx.has(method)) return null;
    try {
      return read(await this.ctx.wire.request(method, params));
    } catch (error) {
      if (!isDict(error) || (error as { code?: unknown }).code !== 'FORBIDDEN') console.warn(method, error);
      return null;
    }
  }
}
