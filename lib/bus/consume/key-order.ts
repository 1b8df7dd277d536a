import { KEY_HEADER } from '../../message/headers.js';
import type { DiscoMessageContext } from '../../middleware/message-context.js';
import type { Handler, Middleware } from '../../middleware/middleware.js';

/** A message that waits for its turn. */
interface Turn {
  readonly key: string | undefined;
  readonly start: () => Promise<void>;
}

/**
 * Handles the messages of one key one after the other, in the order they came, and other keys beside them, at most
 * `concurrency` at a time. Messages without a key keep no order.
 */
export function orderedByKey(concurrency: number): Middleware {
  return (next) => {
    const turns = new KeyTurns(concurrency);
    return (context) => turns.take(context, next);
  };
}

class KeyTurns {
  private running = 0;
  /** Keys with a message that runs or is ready; the messages behind it. */
  private readonly behind = new Map<string, Turn[]>();
  private readonly ready: Turn[] = [];

  constructor(private readonly concurrency: number) {}

  take(context: DiscoMessageContext, next: Handler): Promise<unknown> {
    return new Promise((resolve) => {
      const start = async () => {
        const handling = (async () => next(context))();
        resolve(handling);
        await handling.catch(() => {});
      };
      this.enter({ key: context.headers[KEY_HEADER], start });
    });
  }

  private enter(turn: Turn): void {
    const waiting = turn.key === undefined ? undefined : this.behind.get(turn.key);
    if (waiting) {
      waiting.push(turn);
      return;
    }
    if (turn.key !== undefined) this.behind.set(turn.key, []);
    this.ready.push(turn);
    this.startReady();
  }

  private startReady(): void {
    while (this.running < this.concurrency && this.ready.length > 0) {
      const turn = this.ready.shift() as Turn;
      this.running++;
      void turn.start().then(() => this.ended(turn));
    }
  }

  private ended({ key }: Turn): void {
    this.running--;
    if (key !== undefined) {
      const follower = this.behind.get(key)?.shift();
      if (follower) this.ready.push(follower);
      else this.behind.delete(key);
    }
    this.startReady();
  }
}
