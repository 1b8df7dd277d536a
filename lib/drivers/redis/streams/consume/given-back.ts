import type { OwnEntries } from '../group/own-entries.js';
import type { Hand } from './hand.js';
import type { StreamDelivery } from './stream-delivery.js';

/** What goes from the hand of one consumer back to its group unsettled. */
export class GivenBack {
  private readonly timers = new Set<NodeJS.Timeout>();

  constructor(
    private readonly own: OwnEntries,
    private readonly hand: Hand,
    private readonly on: {
      /** Nothing that was read waits any more. */
      waitingGone(): void;
      /** What a subscription had left behind is given back. */
      gone(): void;
    },
  ) {}

  /** What `holder` has left unsettled goes back after `delayMs`. */
  later(holder: StreamDelivery['holder'], delayMs: number): void {
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      const unsettled = this.hand.deliveries.filter((delivery) => delivery.holder === holder);
      void this.giveBack(unsettled).then(() => this.on.gone());
    }, delayMs);
    timer.unref();
    this.timers.add(timer);
  }

  /** What was read and not handed over goes back. */
  async giveBackWaiting(): Promise<void> {
    const waiting = this.hand.takeBack();
    this.on.waitingGone();
    await this.giveBack(waiting);
  }

  /** Takes a delivery that is settled, or given back, off the hand. */
  drop(delivery: StreamDelivery): void {
    if (this.hand.settled(delivery)) delivery.holder?.ended();
  }

  stop(): void {
    for (const timer of this.timers) clearTimeout(timer);
    this.timers.clear();
  }

  private async giveBack(deliveries: readonly StreamDelivery[]): Promise<void> {
    if (deliveries.length === 0) return;
    for (const delivery of deliveries) delivery.phase = 'over';
    // What cannot be released comes back when this consumer counts as dead.
    await this.own.release(deliveries).catch(() => undefined);
    for (const delivery of deliveries) this.drop(delivery);
  }
}
