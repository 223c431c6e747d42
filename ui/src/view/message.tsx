/*
 * view/message.tsx - one entry of the conversation.
 */
import type { VNode } from 'preact';
import { Component } from 'preact';
import { useState } from 'preact/hooks';
import type { App } from '../app/app.ts';
import type { From, Part } from '../chat/rows.ts';
import type { Run, Tool, Tools } from '../chat/state.ts';
import { replyText, type Reply, type Segment, type TimelineItem } from '../chat/timeline.ts';
import { Markdown } from '../markdown/render.tsx';
import { visible } from '../attention/visible.ts';
import { CopyButton } from './copy_button.tsx';
import { clock, cost, fullTime, phaseText, tokens } from './format.ts';
import { Claw, Icon } from './icons.tsx';
import { ToolCard } from './tool_card.tsx';

function Thinking({ text, isLive }: { text: string; isLive: boolean }): VNode {
  const [isOpen, setOpen] = useState(false);
  return (
    <div class="thinking">
      <button type="button" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
        <span class="tool-chevron">
          <Icon name="chevron" size={14} />
        </span>
        {isLive ? 'Thinking…' : 'Thoughts'}
      </button>
      {isOpen && <div class="thinking-text">{text}</div>}
    </div>
  );
}

interface SegmentProps {
  segment: Segment;
  tool: Tool | undefined;
  isLive: boolean;
  isLast: boolean;
}

function SegmentView({ segment, tool, isLive, isLast }: SegmentProps): VNode | null {
  switch (segment.kind) {
    case 'text':
      return <Markdown text={segment.text} />;
    case 'thinking':
      return <Thinking text={segment.text} isLive={isLive && isLast} />;
    case 'image':
      return <img class="picture" src={segment.url} alt="Picture from the agent" />;
    case 'tool':
      return tool ? <ToolCard tool={tool} isLive={isLive} /> : null;
    case 'interrupted':
      return <p class="interrupted">{segment.text}</p>;
    case 'error':
      return (
        <div class="run-error" role="alert">
          <Icon name="warn" size={18} />
          <div>
            <p>{segment.text}</p>
            <p class="next">Say it again to retry, choose another model, or look at <code>chela logs --follow</code>.</p>
          </div>
        </div>
      );
  }
}

function Busy({ run }: { run: Run }): VNode {
  return (
    <p class="busy">{run.note ?? `${phaseText(run.phase)}…`}</p>
  );
}

/* Nothing can be read yet: say what goes on. */
function isWaiting(reply: Reply, tools: Tools): boolean {
  const last = reply.segments[reply.segments.length - 1];
  if (!last) return true;
  if (reply.run?.note) return true;
  return last.kind === 'tool' && tools[last.toolKey]?.status !== 'running';
}

function ReplyFooter({ reply }: { reply: Reply }): VNode {
  const { usage, model } = reply;
  return (
    <footer class="meta">
      {model && <span class="model-name">{model}</span>}
      {usage && (
        <span title={`${usage.input} tokens in, ${usage.output} tokens out`}>
          {tokens(usage.input)} in · {tokens(usage.output)} out{usage.cost > 0 ? ` · ${cost(usage.cost)}` : ''}
        </span>
      )}
      {reply.atMs > 0 && <time title={fullTime(reply.atMs)}>{clock(reply.atMs)}</time>}
      {reply.segments.length > 0 && <CopyButton text={replyText(reply)} label="Copy message" />}
    </footer>
  );
}

function ReplyView({ reply, tools, name }: { reply: Reply; tools: Tools; name: string }): VNode {
  const isLive = reply.run !== undefined;
  const last = reply.segments.length - 1;
  return (
    <article class="reply" aria-label={`Message from ${name}`} aria-busy={isLive}>
      <div class="avatar">
        <span class={isLive ? 'pinch' : undefined}>
          <Claw size={18} />
        </span>
      </div>
      <div class="reply-body">
        {reply.segments.map((segment, index) => (
          <SegmentView
            key={segment.kind === 'tool' ? segment.toolKey : index}
            segment={segment}
            tool={segment.kind === 'tool' ? tools[segment.toolKey] : undefined}
            isLive={isLive}
            isLast={index === last}
          />
        ))}
        {reply.run && isWaiting(reply, tools) && <Busy run={reply.run} />}
        {reply.isAborted && <p class="stopped">Stopped</p>}
        {!isLive && <ReplyFooter reply={reply} />}
      </div>
    </article>
  );
}

function partsText(parts: readonly Part[]): string {
  return parts.flatMap((part) => (part.kind === 'text' ? [part.text] : [])).join('\n');
}

/* Names are what people call themselves: hidden characters are shown, and the network is never part of them. */
function SaidBy({ from }: { from: From }): VNode {
  return (
    <p class="said-by">
      {from.sender && <bdi class="sender">{visible(from.sender)}</bdi>}
      <span class="badge">{from.network}</span>
    </p>
  );
}

function UserView({ parts, atMs, from, state }: { parts: readonly Part[]; atMs: number; from?: From | undefined; state?: VNode }): VNode {
  const text = partsText(parts);
  return (
    <article class="said" aria-label={from ? `Message from ${visible(from.sender)} on ${from.network}` : 'Your message'}>
      {from && <SaidBy from={from} />}
      <div class="bubble">
        {parts.map((part, index) => (part.kind === 'image' ? <img key={index} class="picture" src={part.url} alt="Attached picture" /> : null))}
        {text}
      </div>
      <footer class="meta">
        <CopyButton text={text} label="Copy message" />
        {state}
        {atMs > 0 && <time title={fullTime(atMs)}>{clock(atMs)}</time>}
      </footer>
    </article>
  );
}

function OutboxView({ app, entry }: { app: App; entry: Extract<TimelineItem, { kind: 'outbox' }> }): VNode {
  const { item } = entry;
  const parts: Part[] = [{ kind: 'text', text: item.text }];
  if (item.state !== 'failed') {
    const words = { waiting: 'waits for the connection', sending: 'sending', accepted: '' }[item.state];
    return <UserView parts={parts} atMs={item.createdAtMs} {...(words ? { state: <span class="out-state">{words}</span> } : {})} />;
  }
  return (
    <article class="said failed" aria-label="Your message, not sent">
      <div class="bubble">{item.text}</div>
      <div class="out-failed" role="alert">
        <span>Not sent: {item.error}</span>
        <button type="button" class="link" onClick={() => app.sender.again(item.key)}>
          Send again
        </button>
        <button type="button" class="link" onClick={() => app.sender.drop(item.key)}>
          Discard
        </button>
      </div>
    </article>
  );
}

interface MessageProps {
  app: App;
  item: TimelineItem;
  tools: Tools;
  name: string;
}

/* Redrawn only when its item is another one, or when a tool of it may have moved on. */
export class Message extends Component<MessageProps> {
  override shouldComponentUpdate(next: MessageProps): boolean {
    if (next.item !== this.props.item || next.name !== this.props.name) return true;
    if (next.tools === this.props.tools || next.item.kind !== 'reply') return false;
    return next.item.segments.some((segment) => segment.kind === 'tool' && next.tools[segment.toolKey] !== this.props.tools[segment.toolKey]);
  }

  render(): VNode {
    const { app, item, tools, name } = this.props;
    switch (item.kind) {
      case 'user':
        return <UserView parts={item.parts} atMs={item.atMs} from={item.from} />;
      case 'reply':
        return <ReplyView reply={item} tools={tools} name={name} />;
      case 'queued':
        return <UserView parts={[{ kind: 'text', text: item.text }]} atMs={item.atMs} state={<span class="out-state">queued</span>} />;
      case 'outbox':
        return <OutboxView app={app} entry={item} />;
      case 'notice':
        return <p class="notice">{item.text}</p>;
    }
  }
}
