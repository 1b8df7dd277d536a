import type { Redis } from 'ioredis';

/**
 * Tells a dead connection from an idle one: asks for a sign of life every `intervalMs` and waits for it a quarter longer.
 * Needed because a half-open link, or a frozen server, raises no event by itself.
 */
export class Heartbeat {
  private timer: NodeJS.Timeout | undefined;
  /** Names the question that is open, or the wait for the next one; whatever belongs to an older one is void. */
  private round = 0;

  /** `alive` is called for every answer, `dead` at most once for each `start`. */
  constructor(
    private readonly intervalMs: number,
    private readonly alive: () => void,
    private readonly dead: () => void,
  ) {}

  /** Watches `client` from now on, and no other. */
  start(client: Redis): void {
    this.next(this.intervalMs, () => this.ask(client));
  }

  /** Neither callback is called afterwards. */
  stop(): void {
    clearTimeout(this.timer);
    this.round++;
  }

  private ask(client: Redis): void {
    const round = this.next(this.intervalMs * 1.25, () => {
      // After a blocked turn this timer runs before the answer, long arrived, is read: let it be read first.
      setImmediate(() => setImmediate(() => this.missed(round)));
    });
    // A failing PING needs no answer here: a lost connection announces itself.
    client.ping().then(
      () => this.answered(round, client),
      () => undefined,
    );
  }

  private answered(round: number, client: Redis): void {
    if (round !== this.round) return;
    this.alive();
    this.start(client);
  }

  private missed(round: number): void {
    if (round !== this.round) return;
    this.stop();
    this.dead();
  }

  private next(delayMs: number, then: () => void): number {
    this.stop();
    this.timer = setTimeout(then, delayMs);
    this.timer.unref();
    return this.round;
  }
}
