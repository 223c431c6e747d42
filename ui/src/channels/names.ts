/*
 * channels/names.ts - networks by the names that people know.
 */

const NAMES: Readonly<Record<string, string>> = { irc: 'IRC', webhook: 'Webhook' };

export function networkName(id: string): string {
  return NAMES[id] ?? id.charAt(0).toUpperCase() + id.slice(1);
}
