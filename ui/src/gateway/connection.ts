/*
 * gateway/connection.ts - the one WebSocket to the gateway: handshake, requests, events, coming back.
 *
 *   connecting --hello-ok--> ready --close--> waiting --timer--> connecting
 *       |                                        ^
 *       +--refused by the gateway--> refused ----+ (by the user, or by itself while pairing is pending)
 *
 * Every wait has a deadline. A request in flight when the socket goes is
 * rejected with DISCONNECTED: the caller knows whether it may be repeated.
 */
import { backoffMs } from './backoff.ts';
import { uuid } from './bytes.ts';
import type { Credentials, Secret, WireAuth } from './credentials.ts';
import { devicePayload } from './device_payload.ts';
import { isDict, num, parseFrame, RpcError, str, type Dict, type EventFrame, type ResponseFrame, type WireError } from './frames.ts';
import type { DeviceIdentity } from './identity.ts';
import { knockAgainMs, refusalOf, type Refusal } from './refusal.ts';

const CLIENT = { id: 'webchat-ui', mode: 'webchat' } as const;
const ROLE = 'operator';
const SCOPES = [
  'operator.admin',
  'operator.read',
  'operator.write',
  'operator.approvals',
  'operator.questions',
  'operator.pairing',
] as const;
const PROTOCOL = 4;
const HANDSHAKE_MS = 15_000;
const REQUEST_MS = 30_000;
const DEFAULT_TICK_MS = 30_000;
const CLOSE_TICK_TIMEOUT = 4000;
const CLOSE_NORMAL = 1000;

export interface Hello {
  serverVersion: string;
  methods: ReadonlySet<string>;
  scopes: readonly string[];
  snapshot: Dict;
  tickIntervalMs: number;
}

export type Link =
  /* `cause` of the try before, when there was one. */
  | { kind: 'connecting'; cause: string | null }
  | { kind: 'ready'; hello: Hello }
  | { kind: 'waiting'; cause: string; retryAtMs: number }
  | { kind: 'refused'; refusal: Refusal };

export interface ConnectionEvents {
  onLink(link: Link): void;
  onEvent(frame: EventFrame): void;
  /* The gateway dropped events for us: what is shown may be stale. */
  onGap(): void;
}

interface Pending {
  method: string;
  resolve(payload: unknown): void;
  reject(error: RpcError): void;
  timer: number;
}

function readHello(payload: unknown): Hello {
  const hello = isDict(payload) ? payload : {};
  const server = isDict(hello.server) ? hello.server : {};
  const features = isDict(hello.features) ? hello.features : {};
  const auth = isDict(hello.auth) ? hello.auth : {};
  const policy = isDict(hello.policy) ? hello.policy : {};
  const strings = (value: unknown) => (Array.isArray(value) ? value.filter((v) => typeof v === 'string') : []);
  return {
    serverVersion: str(server.version) ?? '',
    methods: new Set(strings(features.methods)),
    scopes: strings(auth.scopes),
    snapshot: isDict(hello.snapshot) ? hello.snapshot : {},
    tickIntervalMs: num(policy.tickIntervalMs) ?? DEFAULT_TICK_MS,
  };
}

export class Connection {
  private socket: WebSocket | null = null;
  private link: Link = { kind: 'connecting', cause: null };
  private readonly pending = new Map<string, Pending>();
  private readonly instanceId = uuid();
  private nextId = 1;
  private attempt = 0;
  private isStopped = false;
  private retryTimer = 0;
  private handshakeTimer = 0;
  private watchdog = 0;
  private lastHeardMs = 0;
  private lastSeq = 0;
  private refusal: Refusal | null = null;
  private refusedWith = '';

  constructor(
    private readonly url: string,
    private readonly version: string,
    private readonly identity: DeviceIdentity | null,
    private readonly credentials: Credentials,
    private readonly events: ConnectionEvents,
  ) {}

  start(): void {
    this.isStopped = false;
    this.open();
    addEventListener('online', this.retryNow);
    addEventListener('pageshow', this.retryNow);
    document.addEventListener('visibilitychange', this.onVisible);
  }

  stop(): void {
    this.isStopped = true;
    removeEventListener('online', this.retryNow);
    removeEventListener('pageshow', this.retryNow);
    document.removeEventListener('visibilitychange', this.onVisible);
    clearTimeout(this.retryTimer);
    this.socket?.close(CLOSE_NORMAL);
  }

  /* The user gave a token or password. */
  useSecret(secret: Secret): void {
    this.credentials.use(secret);
    this.reopen();
  }

  readonly retryNow = (): void => {
    if (this.isStopped || this.link.kind === 'ready' || this.socket) return;
    this.open();
  };

  request<T = unknown>(method: string, params: unknown, timeoutMs = REQUEST_MS): Promise<T> {
    const socket = this.socket;
    if (this.link.kind !== 'ready' || !socket) {
      return Promise.reject(new RpcError(method, { code: 'DISCONNECTED', message: 'not connected to the gateway' }));
    }
    return this.send(socket, method, params, timeoutMs) as Promise<T>;
  }

  private readonly onVisible = (): void => {
    if (document.visibilityState !== 'visible') return;
    if (this.link.kind === 'ready') this.checkAlive();
    else if (this.link.kind === 'waiting') this.retryNow();
  };

  private setLink(link: Link): void {
    this.link = link;
    this.events.onLink(link);
  }

  private reopen(): void {
    this.refusal = null;
    this.attempt = 0;
    const old = this.socket;
    this.socket = null;
    old?.close(CLOSE_NORMAL);
    this.open();
  }

  private open(): void {
    clearTimeout(this.retryTimer);
    if (this.socket || this.isStopped) return;
    /* While a refusal is on screen, knocking again happens behind it. */
    if (this.link.kind !== 'refused') this.setLink({ kind: 'connecting', cause: this.link.kind === 'waiting' ? this.link.cause : null });
    this.refusedWith = '';
    const socket = new WebSocket(this.url);
    this.socket = socket;
    this.handshakeTimer = window.setTimeout(() => socket.close(CLOSE_TICK_TIMEOUT, 'no handshake'), HANDSHAKE_MS);
    socket.onmessage = (message) => {
      if (socket === this.socket && typeof message.data === 'string') this.onText(socket, message.data);
    };
    socket.onclose = (close) => this.onClose(socket, close);
  }

  private onText(socket: WebSocket, text: string): void {
    this.lastHeardMs = Date.now();
    const frame = parseFrame(text);
    if (!frame) return;
    if (frame.type === 'res') this.onResponse(frame);
    else if (frame.event === 'connect.challenge') void this.handshake(socket, frame);
    else this.onEvent(frame);
  }

  private onEvent(frame: EventFrame): void {
    if (frame.seq !== undefined) {
      const expected = this.lastSeq + 1;
      this.lastSeq = frame.seq;
      if (expected > 1 && frame.seq > expected) this.events.onGap();
    }
    this.events.onEvent(frame);
  }

  private onResponse(frame: ResponseFrame): void {
    const pending = this.pending.get(frame.id);
    if (!pending) return;
    this.pending.delete(frame.id);
    clearTimeout(pending.timer);
    if (frame.ok) pending.resolve(frame.payload);
    else pending.reject(new RpcError(pending.method, frame.error!));
  }

  private send(socket: WebSocket, method: string, params: unknown, timeoutMs: number): Promise<unknown> {
    const id = String(this.nextId++);
    return new Promise((resolve, reject) => {
      const timer = window.setTimeout(() => {
        this.pending.delete(id);
        reject(new RpcError(method, { code: 'TIMEOUT', message: `no answer to ${method} in ${timeoutMs / 1000} s` }));
      }, timeoutMs);
      this.pending.set(id, { method, resolve, reject, timer });
      socket.send(JSON.stringify({ type: 'req', id, method, params }));
    });
  }

  private async handshake(socket: WebSocket, challenge: EventFrame): Promise<void> {
    const payload = isDict(challenge.payload) ? challenge.payload : {};
    const auth = this.credentials.next(this.identity);
    try {
      const params = await this.connectParams(auth, str(payload.nonce) ?? '', num(payload.ts) ?? Date.now());
      if (socket !== this.socket) return;
      const hello = await this.send(socket, 'connect', params, HANDSHAKE_MS);
      if (socket === this.socket) this.onHello(hello);
    } catch (error) {
      if (socket !== this.socket) return;
      if (error instanceof RpcError && !error.isUnsure) this.onRefused(error.wire);
      else this.refusedWith = error instanceof Error ? error.message : String(error);
      socket.close(CLOSE_NORMAL);
    }
  }

  private async connectParams(auth: WireAuth, nonce: string, signedAtMs: number): Promise<Dict> {
    const platform = navigator.platform || 'web';
    const params: Dict = {
      minProtocol: PROTOCOL,
      maxProtocol: PROTOCOL,
      client: { ...CLIENT, version: this.version, platform, instanceId: this.instanceId },
      role: ROLE,
      scopes: SCOPES,
      caps: ['tool-events'],
      auth,
      locale: navigator.language,
      userAgent: navigator.userAgent,
    };
    if (this.identity) {
      const claim = {
        deviceId: this.identity.id,
        clientId: CLIENT.id,
        clientMode: CLIENT.mode,
        role: ROLE,
        scopes: SCOPES,
        signedAtMs,
        token: auth.token ?? auth.deviceToken ?? '',
        nonce,
        platform,
        deviceFamily: '',
      };
      const signature = await this.identity.sign(devicePayload(claim));
      params.device = { id: this.identity.id, publicKey: this.identity.publicKey, signature, signedAt: signedAtMs, nonce };
    }
    return params;
  }

  private onHello(payload: unknown): void {
    clearTimeout(this.handshakeTimer);
    const hello = readHello(payload);
    const auth = isDict(payload) && isDict(payload.auth) ? payload.auth : {};
    this.credentials.accept(this.identity, str(auth.deviceToken));
    this.attempt = 0;
    this.lastSeq = 0;
    this.refusal = null;
    this.setLink({ kind: 'ready', hello });
    clearInterval(this.watchdog);
    this.watchdog = window.setInterval(() => this.checkAlive(), hello.tickIntervalMs / 2);
  }

  private onRefused(error: WireError): void {
    const refusal = refusalOf(error);
    this.refusedWith = error.message;
    if (!refusal) return;
    const isAuth = refusal.kind === 'secret-wrong' || refusal.kind === 'secret-missing' || refusal.kind === 'token-stale';
    if (isAuth && this.credentials.reject(this.identity)) {
      this.attempt = -1; /* there is another credential: try it at once */
      return;
    }
    this.refusal = refusal;
  }

  /* The gateway ticks; two silent intervals mean that the path is dead even if the socket does not know it. */
  private checkAlive(): void {
    if (this.link.kind !== 'ready') return;
    if (Date.now() - this.lastHeardMs > 2 * this.link.hello.tickIntervalMs) {
      this.socket?.close(CLOSE_TICK_TIMEOUT, 'tick timeout');
    }
  }

  private onClose(socket: WebSocket, close: CloseEvent): void {
    if (socket !== this.socket) return;
    this.socket = null;
    clearTimeout(this.handshakeTimer);
    clearInterval(this.watchdog);
    this.failPending();
    if (this.isStopped) return;
    if (this.refusal) {
      this.setLink({ kind: 'refused', refusal: this.refusal });
      const again = knockAgainMs(this.refusal);
      if (again !== null) this.retryTimer = window.setTimeout(() => this.open(), again);
      return;
    }
    const delay = this.attempt < 0 ? 0 : backoffMs(this.attempt);
    this.attempt++;
    const cause = this.refusedWith || close.reason || '';
    this.setLink({ kind: 'waiting', cause, retryAtMs: Date.now() + delay });
    this.retryTimer = window.setTimeout(() => this.open(), delay);
  }

  private failPending(): void {
    const cut = [...this.pending.values()];
    this.pending.clear();
    for (const request of cut) {
      clearTimeout(request.timer);
      request.reject(new RpcError(request.method, { code: 'DISCONNECTED', message: 'the connection to the gateway was lost' }));
    }
  }
}
