import type { DiscoDriver, DriverContext } from '../../driver/driver.js';
import { ClosedError, NotConnectedError } from '../../errors/bus.errors.js';
import { isDiscoBusError } from '../../errors/disco-bus-error.js';
import { backoffDelay, resolveBackoff } from '../../timing/backoff.js';
import { type Clock, sleep } from '../../timing/clock.js';
import { type BusLogger, errorFields, errorLine } from '../options/bus-logger.js';

/** What a {@link Connector} goes by. */
export interface ConnectorOptions {
  readonly wait: boolean;
  readonly timeoutMs: number;
  readonly critical: boolean;
  readonly logger: BusLogger;
  readonly clock: Clock;
}

const backoff = resolveBackoff({ delay: '200ms', max: '5s' });

/** Connects a driver, trying again without end unless told otherwise. */
export class Connector {
  /** Resolves once connected; rejects if that was given up. */
  readonly connected: Promise<void>;
  private readonly stopped = new AbortController();
  private lastError: unknown;

  constructor(
    private readonly driver: DiscoDriver,
    context: DriverContext,
    private readonly options: ConnectorOptions,
  ) {
    const forget = driver.onStatus((status) => {
      if (status.type === 'error') this.lastError = status.error;
    });
    this.connected = this.attempts(context).finally(forget);
    this.connected.catch(() => {});
  }

  /** Resolves when a start may go on: connected, or not to be waited for. Rejects when the start must fail. */
  async started(): Promise<void> {
    if (!this.options.wait) return;
    const timer = new AbortController();
    const timedOut = sleep(this.options.timeoutMs, this.options.clock, timer.signal).then(
      () => 'timed-out' as const,
    );
    const first = await Promise.race([this.connected, timedOut]).finally(() => timer.abort());
    if (first !== 'timed-out') return;
    const text = `${this.driver.name}: not connected within ${this.options.timeoutMs} ms`;
    if (this.options.critical) {
      this.stop();
      throw new NotConnectedError(text, { cause: this.lastError });
    }
    const because = this.lastError === undefined ? 'no answer yet' : errorLine(this.lastError);
    this.options.logger.warn(`${text}; going on, and connecting in the background (${because})`, {
      event: 'not-connected-yet',
      ...(this.lastError === undefined ? {} : errorFields(this.lastError)),
    });
  }

  /** Makes no further attempt. */
  stop(): void {
    this.stopped.abort();
  }

  private async attempts(context: DriverContext): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        await this.driver.connect(context);
        return;
      } catch (error) {
        if (isDiscoBusError(error) && !error.retryable) throw error;
        this.lastError = error;
      }
      if (this.stopped.signal.aborted) break;
      await sleep(backoffDelay(backoff, attempt), this.options.clock, this.stopped.signal);
      if (this.stopped.signal.aborted) break;
    }
    throw new ClosedError('The bus was stopped before it was connected', { cause: this.lastError });
  }
}
