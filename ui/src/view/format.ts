/*
 * view/format.ts - numbers and times for people.
 */

export function tokens(count: number): string {
  if (count < 1000) return String(count);
  if (count < 100_000) return `${(count / 1000).toFixed(1).replace(/\.0$/, '')}k`;
  return count < 1_000_000 ? `${Math.round(count / 1000)}k` : `${(count / 1_000_000).toFixed(1).replace(/\.0$/, '')}M`;
}

/* Four digits for cents and below, two above a dollar. */
export function cost(usd: number): string {
  return `$${usd >= 1 ? usd.toFixed(2) : usd.toFixed(4)}`;
}

export function clock(ms: number): string {
  return new Date(ms).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
}

export function fullTime(ms: number): string {
  return new Date(ms).toLocaleString([], { dateStyle: 'medium', timeStyle: 'medium' });
}

export function dayName(ms: number, nowMs: number): string {
  const day = new Date(ms).toDateString();
  if (day === new Date(nowMs).toDateString()) return 'Today';
  if (day === new Date(nowMs - 86_400_000).toDateString()) return 'Yesterday';
  return new Date(ms).toLocaleDateString([], { weekday: 'long', day: 'numeric', month: 'long' });
}

export function duration(ms: number): string {
  if (ms < 1000) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1).replace(/\.0$/, '')} s`;
  return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`;
}

export function timeLeft(seconds: number): string {
  return seconds >= 90 ? `${Math.round(seconds / 60)} min left` : `${seconds} s left`;
}

const PHASES: Record<string, string> = {
  preparing_workspace: 'Preparing the workspace',
  naming_worktree: 'Preparing the workspace',
  creating_worktree: 'Preparing the workspace',
  running_setup: 'Preparing the workspace',
  provisioning_environment: 'Preparing the workspace',
  preparing_context: 'Reading the conversation',
  starting_model: 'Waiting for the model',
};

export function phaseText(phase: string | undefined): string {
  return (phase && PHASES[phase]) || 'Thinking';
}
