import { hostname, userInfo } from 'node:os';
import type { TopicInspection } from '../driver/inspection.js';
import { CommandFailure, exitCodes, notFound, usageError } from './exit-codes.js';
import type { Given } from './given.js';
import { Session } from './session.js';
import type { Terminal } from './terminal.js';
import { json } from './text.js';

const USUAL_TIMEOUT_MS = 10_000;

/** One run of a command: what it was given, where it writes, and its connection, which is made when it is first asked for. */
export class Run {
  /** What the process ends with where nothing fails. */
  exitCode: number = exitCodes.ok;
  private opened: Promise<Session> | undefined;

  constructor(
    readonly given: Given,
    readonly terminal: Terminal,
    /** Ctrl-C, or the reader of the output is gone. */
    readonly signal: AbortSignal,
  ) {}

  get isJson(): boolean {
    return this.given.has('json');
  }

  get timeoutMs(): number {
    return this.given.durationMs('timeout', 1) ?? USUAL_TIMEOUT_MS;
  }

  get prefix(): string {
    return this.given.text('prefix') ?? 'disco';
  }

  session(): Promise<Session> {
    const { given, prefix, timeoutMs } = this;
    this.opened ??= Session.open(
      {
        url: given.text('url'),
        prefix,
        cluster: given.has('cluster'),
        sentinel: given.text('sentinel'),
        tls: { ca: given.text('tls-ca'), cert: given.text('tls-cert'), key: given.text('tls-key') },
        timeoutMs,
        verbose: given.has('verbose'),
      },
      this.terminal,
    );
    return this.opened;
  }

  async close(): Promise<void> {
    await (await this.opened?.catch(() => undefined))?.close();
  }

  /** Prints `value` as JSON where that was asked for, and otherwise what `text` says. */
  show(value: unknown, text: () => string): void {
    this.terminal.out(this.isJson ? json(value) : text());
  }

  /** The topic that was given. Rejects where it is not there. */
  async topic(bytes = false): Promise<TopicInspection> {
    const name = this.given.word('topic');
    const { bus } = await this.session();
    const found = await bus.inspect.topic(name, { bytes });
    if (found === undefined)
      throw notFound(`There is no topic "${name}": nothing is stored of it, and no group reads it`);
    return found;
  }

  /** The group that was given, of the topic that was given. Rejects where one of them is not there. */
  async group() {
    const topic = await this.topic();
    const name = this.given.word('group');
    const group = topic.groups.find((each) => each.group === name);
    if (group !== undefined) return { topic, group };
    const there = topic.groups.map((each) => `"${each.group}"`).join(', ') || 'none';
    throw notFound(`The topic "${topic.topic}" has no group "${name}"; it has ${there}`);
  }

  /** Resolves when somebody has said yes: by --yes, or when asked. Rejects otherwise, before anything is done. */
  async confirm(what: string): Promise<void> {
    if (!this.given.has('yes')) await this.mustGoOn(what);
  }

  /** The same, also where --yes was said beforehand. */
  async mustGoOn(what: string): Promise<void> {
    const answer = await this.terminal.confirm(what, this.signal);
    if (answer === undefined) throw usageError(`${what} There is no terminal to ask on: say --yes`);
    if (!answer) throw new CommandFailure(exitCodes.failed, 'Nothing was done');
  }

  /** Who does it, for the audit. */
  get by(): string {
    return this.given.text('by') ?? `${userName()}@${hostname()}`;
  }
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return 'uid-without-name';
  }
}
