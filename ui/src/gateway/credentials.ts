/*
 * gateway/credentials.ts - what this page shows to the gateway, and in which order.
 *
 * A secret given by the user (in the URL's fragment or typed in) is kept in
 * memory only. What is stored is the device token that the gateway issues in
 * exchange: it is bound to this browser's key and can be revoked on its own.
 * All of it goes to the origin that served the page and to no other.
 */
import type { DeviceIdentity } from './identity.ts';

export type Secret = { kind: 'token'; value: string } | { kind: 'password'; value: string };

export interface WireAuth {
  token?: string;
  password?: string;
  deviceToken?: string;
}

/*
 * The secret and the remaining fragment of a URL such as "#token=abc&s=key".
 * Only the fragment is looked at: a query would reach servers and logs.
 */
export function secretFromFragment(fragment: string): { secret: Secret | null; rest: string } {
  const text = fragment.replace(/^#/, '');
  if (!/(^|&)(token|password)=/.test(text)) return { secret: null, rest: fragment };
  const params = new URLSearchParams(text);
  const token = params.get('token');
  const password = params.get('password');
  params.delete('token');
  params.delete('password');
  const rest = params.toString();
  const secret: Secret | null = token
    ? { kind: 'token', value: token }
    : password
      ? { kind: 'password', value: password }
      : null;
  return { secret, rest: rest ? `#${rest}` : '' };
}

/* Takes the secret out of the address bar, once. */
export function takeSecret(location: Location, history: History): Secret | null {
  const { secret, rest } = secretFromFragment(location.hash);
  if (rest !== location.hash) history.replaceState(history.state, '', location.pathname + location.search + rest);
  return secret;
}

interface StoredToken {
  deviceId: string;
  token: string;
}

export class Credentials {
  private secret: Secret | null;
  private tried: 'secret' | 'device' | 'none' = 'none';
  private secretIsBad = false;

  constructor(
    private readonly storage: Storage | null,
    private readonly storageKey: string,
    secret: Secret | null,
  ) {
    this.secret = secret;
  }

  get hasSecret(): boolean {
    return this.secret !== null && !this.secretIsBad;
  }

  use(secret: Secret): void {
    this.secret = secret;
    this.secretIsBad = false;
  }

  /* The next thing to show: a secret just given wins over a token stored before. */
  next(identity: DeviceIdentity | null): WireAuth {
    const stored = identity ? this.stored(identity.id) : null;
    if (this.secret && !this.secretIsBad) {
      this.tried = 'secret';
      return this.secret.kind === 'token' ? { token: this.secret.value } : { password: this.secret.value };
    }
    if (stored) {
      this.tried = 'device';
      return { deviceToken: stored };
    }
    this.tried = 'none';
    return {};
  }

  /* The gateway refused what next() gave. True when there is something else to show. */
  reject(identity: DeviceIdentity | null): boolean {
    if (this.tried === 'secret') {
      this.secretIsBad = true;
      return identity !== null && this.stored(identity.id) !== null;
    }
    if (this.tried === 'device') this.forget();
    return false;
  }

  accept(identity: DeviceIdentity | null, deviceToken: string | undefined): void {
    if (!identity || !deviceToken || !this.storage) return;
    const record: StoredToken = { deviceId: identity.id, token: deviceToken };
    this.storage.setItem(this.storageKey, JSON.stringify(record));
    /* From here on the device token does it; the shared secret need not stay in memory. */
    this.secret = null;
  }

  forget(): void {
    this.storage?.removeItem(this.storageKey);
  }

  private stored(deviceId: string): string | null {
    const text = this.storage?.getItem(this.storageKey);
    if (!text) return null;
    try {
      const record = JSON.parse(text) as Partial<StoredToken>;
      return record.deviceId === deviceId && typeof record.token === 'string' ? record.token : null;
    } catch {
      return null;
    }
  }
}
