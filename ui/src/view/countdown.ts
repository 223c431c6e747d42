/*
 * view/countdown.ts - whole seconds until a moment, redrawn each second.
 */
import { useEffect, useState } from 'preact/hooks';

export function useCountdown(untilMs: number): number {
  const [nowMs, setNowMs] = useState(Date.now());
  useEffect(() => {
    setNowMs(Date.now());
    const timer = setInterval(() => setNowMs(Date.now()), 500);
    return () => clearInterval(timer);
  }, [untilMs]);
  return Math.max(0, Math.ceil((untilMs - nowMs) / 1000));
}
