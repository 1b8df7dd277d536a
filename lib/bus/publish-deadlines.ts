import type { DriverPublishOptions, DriverReceipt } from '../driver/driver.js';
import { PublishOutcomeUnknownError } from '../errors/publish.errors.js';
import type { Clock } from '../timing/clock.js';
import { DeadlineQueue } from '../timing/deadline-queue.js';

/** A driver keeps the deadline itself, and knows then whether anything was sent; it gets this much longer to say so. */
const GRACE_MS = 50;

/** Sees to it that a publish settles when its time is up or its signal aborts, whatever the driver does. */
export class PublishDeadlines {
  private readonly usual: DeadlineQueue;

  constructor(
    private readonly usualTimeoutMs: number,
    private readonly clock: Clock,
  ) {
    this.usual = new DeadlineQueue(usualTimeoutMs + GRACE_MS, clock);
  }

  /** `receipt`, or a rejection with PublishOutcomeUnknownError once it is overdue or was aborted too late to withdraw. */
  guard(
    topic: string,
    options: DriverPublishOptions,
    receipt: Promise<DriverReceipt>,
  ): Promise<DriverReceipt> {
    return new Promise((resolve, reject) => {
      const giveUp = (cause: unknown) => reject(new PublishOutcomeUnknownError(topic, { cause }));
      const deadline = this.queue(options.timeoutMs).add(() => giveUp(undefined));
      const { signal } = options;
      const onAbort = () => void setImmediate(() => giveUp(signal?.reason));
      signal?.addEventListener('abort', onAbort, { once: true });
      const end = () => {
        deadline.cancel();
        signal?.removeEventListener('abort', onAbort);
      };
      receipt.then(
        (settled) => {
          end();
          resolve(settled);
        },
        (error: unknown) => {
          end();
          reject(error);
        },
      );
    });
  }

  close(): void {
    this.usual.clear();
  }

  private queue(timeoutMs: number): DeadlineQueue {
    return timeoutMs === this.usualTimeoutMs
      ? this.usual
      : new DeadlineQueue(timeoutMs + GRACE_MS, this.clock);
  }
}
