import { ConfigurationError } from '../../errors/bus.errors.js';
import { guestSignal } from '../../errors/guest-signal.js';
import type { DiscoMessageContext } from '../../middleware/message-context.js';
import type { Handler } from '../../middleware/middleware.js';
import type { Clock, ClockTimer } from '../../timing/clock.js';
import { toMilliseconds } from '../../timing/duration.js';
import type { BatchOptions } from '../options/bus-options.js';
import type { StartGate } from './start-gate.js';

/** What a batch handler is told beside the payloads. */
export interface DiscoBatchContext<T = unknown> {
  /** One context for each payload, in the same order; `retry` and `terminate` on it decide on that message alone. */
  readonly messages: readonly DiscoMessageContext<T>[];
  /** The consumer group this handler belongs to. */
  readonly group: string;
  /** Aborts when the time of any of the messages is up, or the bus closes. */
  readonly signal: AbortSignal;
}

/**
 * Handles several messages at once. Returning means all are handled, save those whose context asked for `retry` or
 * `terminate`; throwing means all have failed, each to be tried again by the policy.
 */
export type BatchHandler<T = any> = (payloads: T[], context: DiscoBatchContext<T>) => unknown;

/** {@link BatchOptions}, checked and complete. */
export interface Batching {
  readonly size: number;
  readonly lingerMs: number;
}

/** Checks and completes `options`; throws ConfigurationError. */
export function resolveBatch({ size, linger = '10ms' }: BatchOptions): Batching {
  if (!Number.isInteger(size) || size < 1 || size > 10_000) {
    throw new ConfigurationError('batch.size must be a whole number from 1 to 10000');
  }
  return { size, lingerMs: toMilliseconds(linger, 'batch.linger', { maxMs: 60_000 }) };
}

/** A handler of single messages that collects them for `handler`, and ends each when its batch has ended. */
export function batched(handler: BatchHandler, batching: Batching, clock: Clock, gate: StartGate): Handler {
  let open: OpenBatch | undefined;
  const run = (batch: OpenBatch): void => {
    if (open === batch) open = undefined;
    clock.clearTimeout(batch.timer);
    batch.run(handler, gate);
  };
  return (context) => {
    if (!open) {
      const batch = new OpenBatch();
      batch.timer = clock.setTimeout(() => run(batch), batching.lingerMs);
      open = batch;
    }
    const batch = open;
    batch.messages.push(context);
    if (batch.messages.length >= batching.size) run(batch);
    return batch.ended;
  };
}

class OpenBatch implements DiscoBatchContext {
  messages: DiscoMessageContext[] = [];
  timer: ClockTimer | undefined;
  readonly ended: Promise<void>;
  private settle!: (result: Promise<void>) => void;

  constructor() {
    this.ended = new Promise((resolve) => {
      this.settle = resolve;
    });
  }

  get group(): string {
    return this.messages[0].group;
  }

  get signal(): AbortSignal {
    return guestSignal(AbortSignal.any(this.messages.map(({ signal }) => signal)));
  }

  run(handler: BatchHandler, gate: StartGate): void {
    this.settle(gate.paused ? gate.passed().then(() => this.runLate(handler)) : this.call(handler));
  }

  /** Whose time was up meanwhile has failed already. */
  private async runLate(handler: BatchHandler): Promise<void> {
    this.messages = this.messages.filter(({ signal }) => !signal.aborted);
    if (this.messages.length > 0) await this.call(handler);
  }

  private async call(handler: BatchHandler): Promise<void> {
    await handler(
      this.messages.map(({ message }) => message.payload),
      this,
    );
  }
}
