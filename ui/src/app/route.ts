/*
 * app/route.ts - what the address bar names: a conversation, "#s=<session key>", or a view, "#v=channels".
 *
 * Links and the back button work; nothing secret is ever in it (see credentials.ts).
 */

export function sessionFromFragment(fragment: string): string | null {
  const key = new URLSearchParams(fragment.replace(/^#/, '')).get('s');
  return key && key.length <= 512 ? key : null;
}

export function fragmentFor(sessionKey: string): string {
  return `#s=${encodeURIComponent(sessionKey).replace(/%3A/g, ':')}`;
}

export const CHANNELS_FRAGMENT = '#v=channels';

export function isChannelsFragment(fragment: string): boolean {
  return new URLSearchParams(fragment.replace(/^#/, '')).get('v') === 'channels';
}
