/*
 * view/calm.ts - true a moment after something appeared, so that a click meant for what stood there before answers nothing.
 */
import { useEffect, useState } from 'preact/hooks';

const CALM_MS = 500;

export function useCalm(id: string): boolean {
  const [calm, setCalm] = useState('');
  useEffect(() => {
    const timer = setTimeout(() => setCalm(id), CALM_MS);
    return () => clearTimeout(timer);
  }, [id]);
  return calm === id;
}
