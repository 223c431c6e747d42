/*
 * gateway/backoff.ts - how long to wait before the next attempt to connect.
 */

const FIRST_MS = 400;
const CEILING_MS = 15_000;

/* Doubles from FIRST_MS to CEILING_MS, each spread over 75..125 % so that many pages do not knock at once. */
export function backoffMs(attempt: number, random: () => number = Math.random): number {
  const base = Math.min(CEILING_MS, FIRST_MS * 2 ** Math.min(attempt, 16));
  return Math.round(base * (0.75 + random() * 0.5));
}
