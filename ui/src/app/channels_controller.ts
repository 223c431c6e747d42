/*
 * app/channels_controller.ts - messaging networks: their accounts, the people who ask to write, messages that were not delivered.
 *
 * The requests are read after each connect and after each event about them, because they wait for the person wherever the page
 * is; accounts and dead letters only while their view is open.
 */
import { readLetters, type Letter } from '../channels/letters.ts';
import { readPairing, withCodes, type PairingRequest } from '../channels/pairing.ts';
import { readAccounts, type Account } from '../channels/status.ts';
import { isDict, type Dict } from '../gateway/frames.ts';
import type { Context } from './context.ts';
import type { AppState, Channels } from './state.ts';

const PROBE_MS = 10_000;
const PROBE_WAIT_MS = 20_000;
const NOTIFY_WAIT_MS = 20_000;
const HEALTH_MS = 250;

export interface ApproveOptions {
  notify: boolean;
  makeOwner: boolean;
}

export function isAdmin(state: AppState): boolean {
  return state.scopes.includes('operator.admin');
}

export class ChannelsController {
  private healthTimer = 0;
  private requestsId = 0;

  constructor(private readonly ctx: Context) {}

  async onReady(): Promise<void> {
    await Promise.all([this.loadRequests(), this.isShown ? this.load() : undefined]);
  }

  /* Accounts changed how they stand: several do so at once when the gateway starts. */
  onHealth(): void {
    if (!this.isShown || this.healthTimer) return;
    this.healthTimer = window.setTimeout(() => {
      this.healthTimer = 0;
      if (this.isShown) void this.load();
    }, HEALTH_MS);
  }

  async load(): Promise<void> {
    if (this.ctx.store.get().link.kind !== 'ready') return;
    await Promise.all([this.loadAccounts({}), this.loadLetters()]);
  }

  async loadRequests(): Promise<void> {
    if (!this.ctx.has('channels.pairing.list')) return;
    const id = ++this.requestsId;
    try {
      const found = readPairing(await this.ctx.wire.request('channels.pairing.list', {}));
      const requests = found.requests.length > 0 && isAdmin(this.ctx.store.get()) ? await this.addCodes(found.requests) : found.requests;
      if (id === this.requestsId) this.set(() => ({ ...found, requests }));
    } catch (error) {
      console.warn('channels.pairing.list', error);
    }
  }

  async approve(request: PairingRequest, options: ApproveOptions): Promise<void> {
    await this.act(`pair ${request.id}`, 'The request was not approved', async () => {
      const answer = await this.ctx.wire.request(
        'channels.pairing.approve',
        { ...this.nameOf(request), notify: options.notify, ...(options.makeOwner ? { bootstrapCommandOwner: true } : {}) },
        NOTIFY_WAIT_MS,
      );
      this.tellApproved(request, isDict(answer) ? answer : {});
    });
    await this.loadRequests();
  }

  async dismiss(request: PairingRequest): Promise<void> {
    await this.act(`pair ${request.id}`, 'The request was not dismissed', () =>
      this.ctx.wire.request('channels.pairing.dismiss', this.nameOf(request)),
    );
    await this.loadRequests();
  }

  async setRunning(account: Account, isWanted: boolean): Promise<void> {
    const verb = isWanted ? 'start' : 'stop';
    await this.act(`run ${account.channel}:${account.id}`, `${account.network} could not be ${isWanted ? 'started' : 'stopped'}`, () =>
      this.ctx.wire.request(`channels.${verb}`, { channel: account.channel, accountId: account.id }),
    );
    await this.load();
  }

  async probe(): Promise<void> {
    await this.act('probe', 'The accounts could not be asked', () => this.loadAccounts({ probe: true, timeoutMs: PROBE_MS }));
    await this.loadLetters();
  }

  async resubmit(letter: Letter): Promise<void> {
    await this.act(`letter ${letter.id}`, 'The message could not be tried again', () =>
      this.ctx.wire.request('channels.deadLetters.resubmit', { id: letter.id, channel: letter.channel, accountId: letter.accountId }),
    );
    await this.loadLetters();
  }

  private get isShown(): boolean {
    return this.ctx.store.get().view === 'channels';
  }

  private set(change: (channels: Channels) => Partial<Channels>): void {
    this.ctx.store.set((state) => ({ ...state, channels: { ...state.channels, ...change(state.channels) } }));
  }

  private nameOf(request: PairingRequest): Dict {
    return { channel: request.channel, accountId: request.accountId, requestId: request.id };
  }

  /* A second click while the first is under way does nothing. */
  private async act(name: string, what: string, run: () => Promise<unknown>): Promise<void> {
    if (this.ctx.store.get().channels.busy.includes(name)) return;
    this.set((c) => ({ busy: [...c.busy, name] }));
    try {
      await run();
    } catch (error) {
      this.ctx.fail(what, error);
    }
    this.set((c) => ({ busy: c.busy.filter((other) => other !== name) }));
  }

  private tellApproved(request: PairingRequest, answer: Dict): void {
    const owner = answer.commandOwnerBootstrap === 'configured' ? ' and is the owner now' : '';
    const next = answer.notification === 'failed' ? 'The notice did not arrive: tell them yourself.' : undefined;
    this.ctx.toast({ tone: 'info', text: `${request.senderId} may write on ${request.network}${owner}.`, ...(next ? { next } : {}) });
  }

  /* Not advertised: a method for administrators, of this gateway only. */
  private async addCodes(requests: PairingRequest[]): Promise<PairingRequest[]> {
    try {
      return withCodes(requests, await this.ctx.wire.request('channels.pairing.state', {}));
    } catch (error) {
      console.warn('channels.pairing.state', error);
      return requests;
    }
  }

  private async loadAccounts(params: Dict): Promise<void> {
    try {
      const accounts = readAccounts(await this.ctx.wire.request('channels.status', params, PROBE_WAIT_MS));
      this.set((c) => {
        /* What the last probe said stays until the account changes how it stands. */
        const old = new Map((c.accounts ?? []).map((a) => [`${a.channel}:${a.id}:${a.state}`, a.probe]));
        return { accounts: accounts.map((a) => ({ ...a, probe: a.probe || (old.get(`${a.channel}:${a.id}:${a.state}`) ?? '') })), error: '' };
      });
    } catch (error) {
      this.set(() => ({ error: error instanceof Error ? error.message : String(error) }));
    }
  }

  private async loadLetters(): Promise<void> {
    try {
      const letters = readLetters(await this.ctx.wire.request('channels.deadLetters.list', {}));
      this.set(() => ({ letters }));
    } catch (error) {
      console.warn('channels.deadLetters.list', error);
    }
  }
}
