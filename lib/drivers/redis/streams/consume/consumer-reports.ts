import type { DriverStatus } from '../../../../driver/driver-status.js';
import type { DiscoBusError } from '../../../../errors/disco-bus-error.js';
import { DriverError } from '../../../../errors/driver.errors.js';

/** What one consumer tells of its troubles. */
export class ConsumerReports {
  private lastTrouble = '';

  constructor(
    private readonly topic: string,
    private readonly group: string,
    private readonly maxDeadLetters: number,
    private readonly status: (status: DriverStatus) => void,
  ) {}

  /** A subscriber threw. */
  fault(thrown: unknown): void {
    const told = { cause: thrown, retryable: false };
    this.tell(new DriverError(`The subscriber of "${this.topic}" threw`, told));
  }

  /** Reading fails; told once for each kind of failure. */
  trouble(error: DiscoBusError): void {
    if (error.message === this.lastTrouble) return;
    this.lastTrouble = error.message;
    this.tell(error);
  }

  /** So many dead letters gave way to newer ones. */
  outlived(dropped: number): void {
    const { topic, group, maxDeadLetters } = this;
    if (dropped > 0) this.status({ type: 'dead-letters-full', topic, group, dropped, maxDeadLetters });
  }

  private tell(error: DiscoBusError): void {
    this.status({ type: 'error', error });
  }
}
