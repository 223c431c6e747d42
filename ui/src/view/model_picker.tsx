/*
 * view/model_picker.tsx - which model answers in this conversation.
 */
import type { VNode } from 'preact';
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import type { App } from '../app/app.ts';
import type { AppState, ModelChoice } from '../app/state.ts';
import { useStore } from '../app/store.ts';
import { modelName } from '../chat/timeline.ts';
import { tokens } from './format.ts';
import { Icon } from './icons.tsx';
import { moveFocus, useDismiss } from './popover.ts';

const SEARCH_FROM = 9;

/* "provider/model" of the open conversation, as far as it is known. */
export function currentModel(state: AppState): string {
  const row = state.sessions.rows.find((r) => r.key === state.chat.sessionKey);
  const { provider, model } = state.sessions.defaults;
  return modelName(row?.provider, row?.model) ?? modelName(provider, model) ?? '';
}

function byProvider(models: readonly ModelChoice[], search: string): [string, ModelChoice[]][] {
  const groups = new Map<string, ModelChoice[]>();
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  for (const model of models) {
    const text = `${model.ref} ${model.name}`.toLowerCase();
    if (!words.every((word) => text.includes(word))) continue;
    groups.set(model.provider, [...(groups.get(model.provider) ?? []), model]);
  }
  return [...groups];
}

function Choice({ model, isCurrent, pick }: { model: ModelChoice; isCurrent: boolean; pick: () => void }): VNode {
  return (
    <button type="button" data-item role="menuitemradio" aria-checked={isCurrent} class="choice" disabled={!model.isAvailable} onClick={pick}>
      <span class="choice-name">{model.name}</span>
      <span class="choice-note">{model.whyNot ?? (model.contextWindow ? tokens(model.contextWindow) : '')}</span>
      {isCurrent && <Icon name="check" size={16} />}
    </button>
  );
}

export function ModelPicker({ app }: { app: App }): VNode | null {
  const models = useStore(app.store, (state) => state.models);
  const current = useStore(app.store, currentModel);
  const [isOpen, setOpen] = useState(false);
  const [search, setSearch] = useState('');
  const box = useRef<HTMLDivElement>(null);
  const close = useCallback(() => setOpen(false), []);
  useDismiss(box, isOpen, close);
  useEffect(() => {
    if (!isOpen) return;
    setSearch('');
    const first = box.current?.querySelector<HTMLElement>('input, [aria-checked="true"], [data-item]');
    first?.focus({ preventScroll: true });
  }, [isOpen]);
  if (!current && models.length === 0) return null;
  const pick = (ref: string): void => {
    close();
    if (ref !== current) void app.pickModel(ref);
  };
  return (
    <div class="picker" ref={box}>
      <button
        type="button"
        class="picker-button"
        aria-haspopup="menu"
        aria-expanded={isOpen}
        aria-label={`Model: ${current || 'not chosen'}`}
        onClick={() => setOpen(!isOpen)}
      >
        <span>{current || 'Choose a model'}</span>
        <Icon name="chevron" size={14} />
      </button>
      {isOpen && (
        <div class="menu picker-menu" role="menu" aria-label="Models" onKeyDown={(event) => moveFocus(event, box.current)}>
          {models.length >= SEARCH_FROM && (
            <input
              type="search"
              class="picker-search"
              placeholder="Find a model"
              aria-label="Find a model"
              value={search}
              onInput={(event) => setSearch(event.currentTarget.value)}
            />
          )}
          {byProvider(models, search).map(([provider, group]) => (
            <div key={provider} role="group" aria-label={provider}>
              <h3>{provider}</h3>
              {group.map((model) => (
                <Choice key={model.ref} model={model} isCurrent={model.ref === current} pick={() => pick(model.ref)} />
              ))}
            </div>
          ))}
          {models.length === 0 && <p class="menu-empty">The gateway lists no models. Configure one under <code>models.providers</code>.</p>}
        </div>
      )}
    </div>
  );
}
