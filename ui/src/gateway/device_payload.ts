/*
 * gateway/device_payload.ts - what a device signs to prove that it holds its key.
 *
 * The v3 payload joins eleven fields with "|". Platform and device family are
 * trimmed and lower-cased (ASCII only), because that is the form the gateway
 * pins when it pairs the device.
 */

export interface DeviceClaim {
  deviceId: string;
  clientId: string;
  clientMode: string;
  role: string;
  scopes: readonly string[];
  signedAtMs: number;
  token: string;
  nonce: string;
  platform: string;
  deviceFamily: string;
}

function pinned(value: string): string {
  return value.trim().replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

export function devicePayload(claim: DeviceClaim): string {
  return [
    'v3',
    claim.deviceId,
    claim.clientId,
    claim.clientMode,
    claim.role,
    claim.scopes.join(','),
    String(claim.signedAtMs),
    claim.token,
    claim.nonce,
    pinned(claim.platform),
    pinned(claim.deviceFamily),
  ].join('|');
}
