import { type Clock, type ClockTimer, unref } from '../../timing/clock.js';
import type { BusLogger, LogFields } from './bus-logger.js';

/** Lines of one kind, on one topic and group, that are written within {@link WINDOW_MS}. */
const LINES = 20;
const WINDOW_MS = 10_000;
/** Kinds of line that are counted apart. */
const MOST_KINDS = 1_000;

type Level = keyof BusLogger;

/** The lines of one kind since a moment. */
interface Kind {
  readonly sinceMs: number;
  readonly fields: LogFields;
  written: number;
  /** Left out, and not told yet. */
  leftOut: number;
  level: Level;
}

/**
 * A logger that a storm does not flood: of one event on one topic and group it writes 20 lines in 10 s, and then one line that
 * says how many it left out. Lines without fields all pass.
 */
export class LimitedLogger implements BusLogger {
  private readonly kinds = new Map<string, Kind>();
  private timer: ClockTimer | undefined;

  constructor(
    private readonly inner: BusLogger,
    private readonly clock: Clock,
  ) {}

  log(text: string, fields?: LogFields): void {
    this.write('log', text, fields);
  }

  warn(text: string, fields?: LogFields): void {
    this.write('warn', text, fields);
  }

  error(text: string, fields?: LogFields): void {
    this.write('error', text, fields);
  }

  /** Says what was left out until now. */
  readonly flush = (): void => {
    this.clock.clearTimeout(this.timer);
    this.timer = undefined;
    for (const kind of this.kinds.values()) this.tellLeftOut(kind);
    this.kinds.clear();
  };

  private write(level: Level, text: string, fields: LogFields | undefined): void {
    if (fields !== undefined && !this.hasRoom(level, fields)) return;
    this.inner[level](text, fields);
  }

  private hasRoom(level: Level, fields: LogFields): boolean {
    const kind = this.kindOf(level, fields);
    if (kind.written < LINES) {
      kind.written++;
      return true;
    }
    kind.leftOut++;
    kind.level = level;
    if (this.timer === undefined) this.arm(kind.sinceMs + WINDOW_MS - this.clock.monotonic());
    return false;
  }

  private arm(delayMs: number): void {
    this.timer = unref(this.clock.setTimeout(this.sweep, Math.max(0, delayMs)));
  }

  /** Says what was left out of each kind whose time is over. The others keep theirs. */
  private readonly sweep = (): void => {
    this.timer = undefined;
    const nowMs = this.clock.monotonic();
    let nextMs = Number.POSITIVE_INFINITY;
    for (const [name, kind] of this.kinds) {
      const endMs = kind.sinceMs + WINDOW_MS;
      if (endMs > nowMs) {
        if (kind.leftOut > 0) nextMs = Math.min(nextMs, endMs);
        continue;
      }
      this.tellLeftOut(kind);
      this.kinds.delete(name);
    }
    if (nextMs < Number.POSITIVE_INFINITY) this.arm(nextMs - nowMs);
  };

  private kindOf(level: Level, fields: LogFields): Kind {
    const { event, topic = '', group = '' } = fields;
    const name = `${event} ${topic} ${group}`;
    const nowMs = this.clock.monotonic();
    const known = this.kinds.get(name);
    if (known !== undefined && nowMs - known.sinceMs < WINDOW_MS) return known;
    if (known !== undefined) this.tellLeftOut(known);
    else if (this.kinds.size >= MOST_KINDS) this.flush();
    const kind: Kind = { sinceMs: nowMs, fields, written: 0, leftOut: 0, level };
    this.kinds.set(name, kind);
    return kind;
  }

  private tellLeftOut({ leftOut, level, sinceMs, fields: { event, topic, group } }: Kind): void {
    if (leftOut === 0) return;
    const where = topic === undefined ? '' : `"${topic}": `;
    const seconds = Math.round((this.clock.monotonic() - sinceMs) / 100) / 10;
    this.inner[level](
      `${where}${leftOut} further lines of the last ${seconds} s like the ones above were left out (${event})`,
      {
        event: 'lines-left-out',
        ...(topic !== undefined && { topic }),
        ...(group !== undefined && { group }),
        of: event,
        lines: leftOut,
      },
    );
  }
}
