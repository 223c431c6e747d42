/*
 * app/catalog.ts - what the gateway offers: models, slash commands, the agent's name.
 */
import { isDict, list, num, str } from '../gateway/frames.ts';
import type { Command, ModelChoice } from './state.ts';

const WHY_NOT: Record<string, string> = {
  'missing-auth': 'no API key',
  'auth-failed': 'the API key was refused',
  cooldown: 'resting after errors',
};

export function readModels(payload: unknown): ModelChoice[] {
  return list(isDict(payload) ? payload.models : undefined).flatMap((value): ModelChoice[] => {
    if (!isDict(value)) return [];
    const id = str(value.id);
    const provider = str(value.provider);
    if (!id || !provider) return [];
    const model: ModelChoice = {
      id,
      provider,
      name: str(value.name) ?? id,
      ref: `${provider}/${id}`,
      isAvailable: value.available !== false,
    };
    const contextWindow = num(value.contextWindow);
    if (contextWindow !== undefined) model.contextWindow = contextWindow;
    if (!model.isAvailable) model.whyNot = WHY_NOT[str(value.unavailableReason) ?? ''] ?? 'not available';
    return [model];
  });
}

function argsHint(value: unknown): string {
  return list(value)
    .map((arg) => {
      if (!isDict(arg)) return '';
      const name = str(arg.name) ?? '';
      return arg.required === true ? `<${name}>` : `[${name}]`;
    })
    .join(' ');
}

export function readCommands(payload: unknown): Command[] {
  return list(isDict(payload) ? payload.commands : undefined).flatMap((value): Command[] => {
    if (!isDict(value) || typeof value.name !== 'string') return [];
    const aliases = list(value.textAliases).filter((alias): alias is string => typeof alias === 'string');
    return [
      {
        name: value.name,
        aliases: aliases.length > 0 ? aliases : [`/${value.name}`],
        description: str(value.description) ?? '',
        acceptsArgs: value.acceptsArgs === true,
        args: argsHint(value.args),
      },
    ];
  });
}

/* Commands for what has been typed so far: those that begin with it first, then those that contain it. */
export function matchCommands(commands: readonly Command[], typed: string): Command[] {
  if (!/^\/\S*$/.test(typed)) return [];
  const begin = typed.toLowerCase();
  const word = begin.slice(1);
  const first = commands.filter((command) => command.aliases.some((alias) => alias.toLowerCase().startsWith(begin)));
  const second = word === '' ? [] : commands.filter((command) => !first.includes(command) && command.name.includes(word));
  return [...first, ...second];
}
