/*
 * gateway/identity.ts - this browser's device key.
 *
 * An Ed25519 pair, made once per origin and kept in IndexedDB. With WebCrypto
 * the private key is not extractable: script can sign with it and never read
 * it. Browsers without Ed25519 in WebCrypto keep the 32-byte seed instead and
 * sign with @noble/ed25519, which is loaded only then. Outside a secure context
 * there is no WebCrypto at all and so no identity; the caller says what to do.
 */
import { base64url, hex } from './bytes.ts';

export interface DeviceIdentity {
  id: string;
  publicKey: string;
  sign(payload: string): Promise<string>;
}

type StoredKey =
  | { kind: 'webcrypto'; publicKey: Uint8Array; privateKey: CryptoKey }
  | { kind: 'seed'; publicKey: Uint8Array; seed: Uint8Array };

const DB_NAME = 'chela';
const STORE = 'identity';
const KEY = 'device';

function settled<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error('IndexedDB request failed'));
  });
}

function openDb(): Promise<IDBDatabase> {
  const request = indexedDB.open(DB_NAME, 1);
  request.onupgradeneeded = () => request.result.createObjectStore(STORE);
  return settled(request);
}

async function readKey(db: IDBDatabase): Promise<StoredKey | undefined> {
  return settled(db.transaction(STORE).objectStore(STORE).get(KEY) as IDBRequest<StoredKey | undefined>);
}

/* Stores `fresh` unless another tab was quicker; the stored one wins either way. */
async function keepKey(db: IDBDatabase, fresh: StoredKey): Promise<StoredKey> {
  const store = db.transaction(STORE, 'readwrite').objectStore(STORE);
  const there = await settled(store.get(KEY) as IDBRequest<StoredKey | undefined>);
  if (there) return there;
  await settled(store.put(fresh, KEY));
  return fresh;
}

async function makeKey(): Promise<StoredKey> {
  try {
    const pair = (await crypto.subtle.generateKey('Ed25519', false, ['sign', 'verify'])) as CryptoKeyPair;
    const raw = await crypto.subtle.exportKey('raw', pair.publicKey);
    return { kind: 'webcrypto', publicKey: new Uint8Array(raw), privateKey: pair.privateKey };
  } catch {
    /* NotSupportedError: an older browser. */
    const noble = await import('@noble/ed25519');
    const seed = noble.utils.randomSecretKey();
    return { kind: 'seed', publicKey: await noble.getPublicKeyAsync(seed), seed };
  }
}

async function signWith(key: StoredKey, message: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  if (key.kind === 'webcrypto') return new Uint8Array(await crypto.subtle.sign('Ed25519', key.privateKey, message));
  const noble = await import('@noble/ed25519');
  return noble.signAsync(message, key.seed);
}

/* The identity of this browser, or null outside a secure context. */
export async function loadIdentity(): Promise<DeviceIdentity | null> {
  if (!globalThis.crypto?.subtle) return null;
  let key: StoredKey;
  try {
    const db = await openDb();
    key = (await readKey(db)) ?? (await keepKey(db, await makeKey()));
    db.close();
  } catch (error) {
    /* Private windows may refuse storage: then the key lives as long as the page. */
    console.warn('the device key cannot be kept by this browser', error);
    key = await makeKey();
  }
  const digest = await crypto.subtle.digest('SHA-256', new Uint8Array(key.publicKey));
  return {
    id: hex(new Uint8Array(digest)),
    publicKey: base64url(key.publicKey),
    sign: async (payload) => base64url(await signWith(key, new TextEncoder().encode(payload))),
  };
}
