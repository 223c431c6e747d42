/*
 * app/route.ts - which conversation the address bar names: "#s=<session key>".
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
