import type { BufferLimit } from '../../driver/driver.js';
import { BackpressureError } from '../../errors/publish.errors.js';
import type { Deadlines } from '../../timing/deadlines.js';

/** How many publishes are under way, bounded in count and in bytes. */
export class InFlightPublishes {
  private underWay = 0;
  private bytes = 0;
  private idleWaiters: (() => void)[] = [];
  private roomWaiters: (() => void)[] = [];
  /** The same for all that are refused until something ends. */
  private refused: BackpressureError | undefined;

  constructor(
    private readonly limit: BufferLimit,
    private readonly deadlines: Deadlines,
  ) {}

  /** Resolves when none is under way. */
  idle(): Promise<void> {
    return this.underWay === 0 ? Promise.resolve() : new Promise((resolve) => this.idleWaiters.push(resolve));
  }

  /** Whether so many bytes more, in so many messages more, are within the bounds. A lone message always is. */
  hasRoom(bytes: number, messages = 1): boolean {
    const count = this.underWay + messages;
    if (count > this.limit.messages) return false;
    return count === 1 || this.bytes + bytes <= this.limit.bytes;
  }

  /** Resolves when there is room, or nothing is under way; rejects with BackpressureError when that takes too long. */
  async room({ messages, bytes }: BufferLimit, timeoutMs: number): Promise<void> {
    if (this.underWay === 0 || this.hasRoom(bytes, messages)) return;
    let late = false;
    const wake = () => {
      late = true;
      this.wakeForRoom();
    };
    const deadline = this.deadlines.add(timeoutMs, wake);
    while (this.underWay > 0 && !this.hasRoom(bytes, messages)) {
      if (late) throw this.refusal();
      await new Promise<void>((resolve) => this.roomWaiters.push(resolve));
    }
    deadline.cancel();
  }

  /** What a publish is told that finds no room. */
  refusal(): BackpressureError {
    this.refused ??= new BackpressureError(
      `${this.underWay} messages with ${this.bytes} bytes are being published already; nothing was sent. ` +
        `publishLimit allows ${this.limit.messages} messages and ${this.limit.bytes} bytes: ` +
        'wait until some have settled, use publishBatch, which waits by itself, or raise publishLimit',
    );
    return this.refused;
  }

  began(bytes: number): void {
    this.underWay++;
    this.bytes += bytes;
  }

  ended(bytes: number): void {
    this.underWay--;
    this.bytes -= bytes;
    this.refused = undefined;
    if (this.roomWaiters.length > 0) this.wakeForRoom();
    if (this.underWay > 0 || this.idleWaiters.length === 0) return;
    for (const wake of this.idleWaiters.splice(0)) wake();
  }

  private wakeForRoom(): void {
    for (const wake of this.roomWaiters.splice(0)) wake();
  }
}
