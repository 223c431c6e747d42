/*
 * app/app.ts - the page's composition root: one state, one connection, and what the views may ask for.
 */
import { Connection, type Hello, type Link } from '../gateway/connection.ts';
import { uuid } from '../gateway/bytes.ts';
import type { Credentials, Secret } from '../gateway/credentials.ts';
import { isDict, str, type EventFrame } from '../gateway/frames.ts';
import type { DeviceIdentity } from '../gateway/identity.ts';
import { isRunning } from '../chat/state.ts';
import { AttentionController } from './attention_controller.ts';
import { readCommands, readModels } from './catalog.ts';
import { ChannelsController } from './channels_controller.ts';
import { ChatController } from './chat_controller.ts';
import type { Context } from './context.ts';
import { CHANNELS_FRAGMENT, fragmentFor, isChannelsFragment, sessionFromFragment } from './route.ts';
import { loadOutbox, Sender } from './sender.ts';
import { SessionController } from './session_controller.ts';
import { initialState, type AppState } from './state.ts';
import { Store } from './store.ts';
import { errorText, nextStep, type Toast } from './toasts.ts';

const LAST_SESSION = 'chela.lastSession';
const TOAST_MS = 8000;
const TOASTS_MAX = 4;

export interface AppOptions {
  url: string;
  version: string;
  identity: DeviceIdentity | null;
  credentials: Credentials;
  local: Storage | null;
  session: Storage | null;
}

function addressOf(sessionKey: string): string {
  return location.pathname + location.search + fragmentFor(sessionKey);
}

export class App implements Context {
  readonly store: Store<AppState>;
  readonly wire: Connection;
  readonly sender: Sender;
  readonly sessions: SessionController;
  readonly chat: ChatController;
  readonly attention: AttentionController;
  readonly channels: ChannelsController;
  private readonly local: Storage | null;
  private methods: ReadonlySet<string> = new Set();
  private nextToastId = 1;
  private isRouted: boolean;

  constructor(options: AppOptions) {
    this.local = options.local;
    const routed = sessionFromFragment(location.hash) ?? options.local?.getItem(LAST_SESSION);
    this.isRouted = Boolean(routed);
    this.store = new Store(initialState(routed ?? 'agent:main:main', loadOutbox(options.session)));
    this.wire = new Connection(options.url, options.version, options.identity, options.credentials, {
      onLink: (link) => this.onLink(link),
      onEvent: (frame) => this.onEvent(frame),
      onGap: () => this.onGap(),
    });
    this.sender = new Sender(this, options.session);
    this.sessions = new SessionController(
      this,
      (key) => this.onSessionGone(key),
      (key) => this.chat.onReset(key),
    );
    this.chat = new ChatController(this, this.sender, (row) => this.sessions.onRow(row));
    this.attention = new AttentionController(this);
    this.channels = new ChannelsController(this);
    if (isChannelsFragment(location.hash)) this.setView('channels');
  }

  start(): void {
    this.wire.start();
  }

  has(method: string): boolean {
    return this.methods.has(method);
  }

  toast(toast: Omit<Toast, 'id'>): void {
    const id = this.nextToastId++;
    this.store.set((state) => ({ ...state, toasts: [...state.toasts, { ...toast, id }].slice(-TOASTS_MAX) }));
    setTimeout(() => this.dismissToast(id), TOAST_MS);
  }

  dismissToast(id: number): void {
    this.store.set((state) => ({ ...state, toasts: state.toasts.filter((toast) => toast.id !== id) }));
  }

  fail(what: string, error: unknown): void {
    console.warn(what, error);
    const next = nextStep(error);
    this.toast({ tone: 'error', text: errorText(what, error), ...(next ? { next } : {}) });
  }

  useSecret(secret: Secret): void {
    this.wire.useSecret(secret);
  }

  /* Another conversation; `address` is false when the address bar already says so. */
  openSession(key: string, address = true): void {
    this.isRouted = true;
    const wasElsewhere = this.store.get().view !== 'chat';
    this.setView('chat');
    if (key === this.chat.key) {
      if (address && wasElsewhere) history.pushState(null, '', addressOf(key));
      return;
    }
    this.local?.setItem(LAST_SESSION, key);
    if (address) history.pushState(null, '', addressOf(key));
    void this.chat.open(key);
    this.attention.onOpened();
    void this.sessions.markRead(key);
  }

  openChannels(address = true): void {
    if (address && !isChannelsFragment(location.hash)) history.pushState(null, '', location.pathname + location.search + CHANNELS_FRAGMENT);
    this.setView('channels');
    void this.channels.load();
  }

  /* The conversation exists for the gateway once something is said in it. */
  newSession(): void {
    this.openSession(`agent:${this.store.get().agentId}:dashboard:${uuid()}`);
  }

  send(text: string): void {
    this.sender.send(this.chat.key, text);
  }

  isRunning(): boolean {
    return isRunning(this.store.get().chat);
  }

  async pickModel(ref: string): Promise<void> {
    const key = this.chat.key;
    try {
      const isKnown = this.store.get().sessions.rows.some((row) => row.key === key);
      if (isKnown) await this.wire.request('sessions.patch', { key, model: ref });
      else await this.wire.request('sessions.create', { key, model: ref });
      await this.sessions.load();
    } catch (error) {
      this.fail('The model could not be changed', error);
    }
  }

  /* Follows the address bar: back, forward, a pasted link. */
  onFragment(): void {
    const key = sessionFromFragment(location.hash);
    if (isChannelsFragment(location.hash)) this.openChannels(false);
    else if (key) this.openSession(key, false);
  }

  private setView(view: AppState['view']): void {
    if (this.store.get().view !== view) this.store.set((state) => ({ ...state, view }));
  }

  private onLink(link: Link): void {
    const wasReady = this.store.get().link.kind === 'ready';
    this.store.set((state) => ({ ...state, link, hasBeenReady: state.hasBeenReady || link.kind === 'ready' }));
    if (link.kind === 'ready') void this.onReady(link.hello);
    else if (wasReady) this.sender.onDisconnected();
  }

  private async onReady(hello: Hello): Promise<void> {
    this.methods = hello.methods;
    const defaults = isDict(hello.snapshot.sessionDefaults) ? hello.snapshot.sessionDefaults : {};
    const mainKey = str(defaults.mainSessionKey) ?? 'agent:main:main';
    const agentId = str(defaults.defaultAgentId) ?? 'main';
    this.store.set((state) => ({ ...state, serverVersion: hello.serverVersion, scopes: hello.scopes, mainKey, agentId }));
    if (!this.isRouted) {
      this.isRouted = true;
      this.chat.adopt(mainKey);
    }
    /* The address names what is shown, so that "back" has somewhere to go. */
    if (!sessionFromFragment(location.hash) && !isChannelsFragment(location.hash)) history.replaceState(null, '', addressOf(this.chat.key));
    /* First to follow, then to read: what happens in between arrives twice rather than never. */
    await this.attempt('Live updates are off', () => this.wire.request('sessions.subscribe', {}));
    await Promise.all([this.chat.onReady(), this.sessions.load(), this.attention.onReady(), this.channels.onReady(), this.loadCatalog(agentId)]);
    this.sender.onReady();
    void this.sessions.markRead(this.chat.key);
  }

  private async loadCatalog(agentId: string): Promise<void> {
    const ask = async (method: string, params: unknown, read: (payload: unknown) => Partial<AppState>): Promise<void> => {
      if (!this.has(method)) return;
      await this.attempt(`${method} failed`, async () => {
        const change = read(await this.wire.request(method, params));
        this.store.set((state) => ({ ...state, ...change }));
      });
    };
    await Promise.all([
      ask('models.list', {}, (payload) => ({ models: readModels(payload) })),
      ask('commands.list', { agentId, scope: 'text', includeArgs: true }, (payload) => ({ commands: readCommands(payload) })),
      ask('agent.identity.get', { agentId }, (payload) => {
        const name = isDict(payload) ? str(payload.name) : undefined;
        return name ? { agentName: name } : {};
      }),
    ]);
  }

  private async attempt(what: string, act: () => Promise<unknown>): Promise<void> {
    try {
      await act();
    } catch (error) {
      this.fail(what, error);
    }
  }

  private onEvent(frame: EventFrame): void {
    const payload = isDict(frame.payload) ? frame.payload : {};
    switch (frame.event) {
      case 'chat':
        this.chat.onChat(payload);
        break;
      case 'agent':
      case 'session.tool':
        this.chat.onAgent(payload);
        break;
      case 'session.message':
        this.chat.onMessage(payload);
        this.sessions.onRow(payload.session);
        break;
      case 'sessions.changed':
        this.sessions.onChanged(payload);
        this.chat.onSessionChanged(payload);
        break;
      case 'chat.metadata.changed':
        void this.loadCatalog(this.store.get().agentId);
        break;
      case 'channels.pairing.changed':
        void this.channels.loadRequests();
        break;
      case 'health':
        this.channels.onHealth();
        break;
      case 'shutdown':
        this.toast({ tone: 'info', text: 'The gateway is stopping.', next: 'The page comes back with it.' });
        break;
      default:
        this.attention.onEvent(frame.event, payload);
    }
  }

  private onGap(): void {
    this.chat.onGap();
    void this.attention.onReady();
    void this.channels.onReady();
    void this.sessions.load();
  }

  private onSessionGone(key: string): void {
    if (key !== this.chat.key) return;
    const { mainKey, sessions } = this.store.get();
    const next = sessions.rows.find((row) => row.key !== key)?.key ?? mainKey;
    if (next === key) void this.chat.open(key);
    else this.openSession(next);
  }
}
