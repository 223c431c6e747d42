/*
 * app/theme.ts - light, dark, or as the system has it.
 */

export type Theme = 'system' | 'light' | 'dark';

const KEY = 'chela.theme';
const ORDER: readonly Theme[] = ['system', 'light', 'dark'];

export function readTheme(storage: Storage | null): Theme {
  const value = storage?.getItem(KEY);
  return value === 'light' || value === 'dark' ? value : 'system';
}

export function applyTheme(theme: Theme, storage: Storage | null): void {
  const root = document.documentElement;
  if (theme === 'system') delete root.dataset.theme;
  else root.dataset.theme = theme;
  if (theme === 'system') storage?.removeItem(KEY);
  else storage?.setItem(KEY, theme);
}

export function nextTheme(theme: Theme): Theme {
  return ORDER[(ORDER.indexOf(theme) + 1) % ORDER.length]!;
}
