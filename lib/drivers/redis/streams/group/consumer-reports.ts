import type { DriverStatus } from '../../../../driver/driver-status.js';
import type { DiscoBusError } from '../../../../errors/disco-bus-error.js';
import { DriverError } from '../../../../errors/driver.errors.js';
import type { ResolvedStreamOptions } from '../stream-options.js';

/** What one member of a group tells of its troubles, and of what only it can know. */
export class ConsumerReports {
  private lastReading = '';
  private lastUpkeep: string | undefined;

  constructor(
    private readonly topic: string,
    private readonly group: string,
    private readonly options: ResolvedStreamOptions,
    private readonly status: (status: DriverStatus) => void,
  ) {}

  /** A subscriber threw. */
  fault(thrown: unknown): void {
    const told = { cause: thrown, retryable: false };
    this.tell(new DriverError(`The subscriber of "${this.topic}" threw`, told));
  }

  /** Reading fails; told once for each kind of failure. */
  reading(error: DiscoBusError): void {
    if (error.message === this.lastReading) return;
    this.lastReading = error.message;
    this.tell(error);
  }

  /** Upkeep fails, or with nothing goes well again. What Redis refuses is told once, until the reason changes. */
  upkeep(error: DiscoBusError | undefined): void {
    if (error?.code === 'DISCO_NOT_CONNECTED' || error?.code === 'DISCO_CLOSED') return;
    if (error?.message === this.lastUpkeep) return;
    this.lastUpkeep = error?.message;
    if (error === undefined) return;
    const text = `The group "${this.group}" of "${this.topic}" cannot be looked after: ${error.message}`;
    this.tell(new DriverError(text, { cause: error }));
  }

  /** So many dead letters gave way to newer ones. */
  outlived(dropped: number): void {
    const { topic, group } = this;
    const { maxDeadLetters } = this.options;
    if (dropped > 0) this.status({ type: 'dead-letters-full', topic, group, dropped, maxDeadLetters });
  }

  /** So many entries became dead letters for crashes: the processes that had them are dead, and cannot tell. */
  crashedOut(count: number): void {
    if (count === 0) return;
    const text = `${count} of "${this.topic}" became dead letters of the group "${this.group}": ${this.options.maxCrashes} processes died while their handlers ran`;
    this.tell(new DriverError(text, { retryable: false }));
  }

  /** Entries are gone that were not settled. */
  dataLoss(): void {
    this.status({ type: 'data-loss', topic: this.topic });
  }

  private tell(error: DiscoBusError): void {
    this.status({ type: 'error', error });
  }
}
