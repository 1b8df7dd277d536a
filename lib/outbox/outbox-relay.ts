import { type BusLogger, errorFields, errorLine } from '../bus/options/bus-logger.js';
import { transportAccess } from '../bus/transport-access.js';
import { fromNobodysContext } from '../driver/async-context.js';
import { isDiscoBusError } from '../errors/disco-bus-error.js';
import type { Lock } from '../lock/lock.js';
import { backoffDelay } from '../timing/backoff.js';
import { sleep, systemClock } from '../timing/clock.js';
import { MAX_DURATION_MS } from '../timing/duration.js';
import type { OutboxBus, ResolvedOutbox, ResolvedRelay } from './outbox-options.js';
import type { OutboxRows, WaitingRow } from './outbox-rows.js';
import { RelayWakeup } from './relay-wakeup.js';
import { RowSender } from './row-sender.js';

/** Rows that are deleted per sweep at the most. */
const FORGOTTEN_PER_SWEEP = 5_000;

/** What a relay works with. */
export interface RelayDeps extends OutboxBus {
  readonly rows: OutboxRows;
  readonly outbox: ResolvedOutbox;
  readonly relay: ResolvedRelay;
}

/** A relay that is not the relay any more: a larger fencing token is in the database. */
class StaleRelayError extends Error {
  override readonly name = 'StaleRelayError';
}

/**
 * Sends what waits while it holds the lock of the outbox. The lock's fencing token is written with all progress, so that a
 * relay that was stopped while another took over marks nothing.
 */
export class OutboxRelay {
  private readonly logger: BusLogger;
  private readonly wakeup: RelayWakeup;
  private readonly sender: RowSender;
  private running: Promise<void> | undefined;
  private readonly ended = new AbortController();
  private problem: string | undefined;
  private failures = 0;
  private sweptMs = Number.NEGATIVE_INFINITY;

  constructor(private readonly deps: RelayDeps) {
    const { bus, outbox, relay } = deps;
    this.logger = transportAccess(bus).logger;
    this.wakeup = new RelayWakeup({ outbox, logger: this.logger });
    this.sender = new RowSender(bus, relay.backoff, this.logger);
  }

  /** Runs in the background until `stop`. */
  start(): void {
    this.running ??= fromNobodysContext(() => this.run());
  }

  /** Resolves when what is being sent is settled and marked, and the lock is given back. */
  async stop(): Promise<void> {
    this.ended.abort();
    this.wakeup.ring();
    await this.running;
  }

  private async run(): Promise<void> {
    const { signal } = this.ended;
    while (!signal.aborted) {
      try {
        await this.relayWithLock();
      } catch (error) {
        if (signal.aborted) return;
        this.tell(error);
        const delayMs = backoffDelay(this.deps.relay.backoff, ++this.failures);
        await sleep(delayMs, systemClock, signal);
      }
    }
  }

  private async relayWithLock(): Promise<void> {
    const { locks, relay } = this.deps;
    const { lockKey, lockTtl: ttl } = relay;
    const { signal } = this.ended;
    const lock = await locks
      .acquire(lockKey, { ttl, wait: MAX_DURATION_MS, autoExtend: true, signal })
      .catch((error: unknown) => {
        if (signal.aborted) return undefined;
        throw error;
      });
    if (lock === undefined) return;
    await using held = lock;
    this.wakeup.open();
    try {
      await this.relayUnder(held);
    } finally {
      this.wakeup.close();
    }
  }

  private async relayUnder(lock: Lock): Promise<void> {
    const { rows, relay } = this.deps;
    if (!(await rows.claim(lock.fencingToken))) throw stale(lock);
    lock.signal.addEventListener('abort', this.wakeup.ring, { once: true });
    while (!this.ended.signal.aborted) {
      // Another process may be at work from here on.
      lock.assertValid();
      const waiting = await rows.waiting(relay.batch, this.sender.pausedTopics());
      if (waiting.length > 0) await this.send(waiting, lock);
      await this.sweep();
      this.tellMended();
      if (waiting.length < relay.batch) await this.wakeup.wait(this.sender.nextTryMs(relay.sweepMs));
    }
  }

  private async send(waiting: readonly WaitingRow[], lock: Lock): Promise<void> {
    const { rows } = this.deps;
    const { sent, failed } = await this.sender.send(waiting, lock.signal);
    for (const failure of failed) if (!(await rows.setAside(lock.fencingToken, failure))) throw stale(lock);
    if (sent.length > 0 && !(await rows.markSent(lock.fencingToken, sent))) throw stale(lock);
  }

  private async sweep(): Promise<void> {
    const { rows, relay } = this.deps;
    const now = performance.now();
    if (now - this.sweptMs < relay.sweepMs) return;
    this.sweptMs = now;
    await rows.forget(relay.keepSentMs, FORGOTTEN_PER_SWEEP);
  }

  /** One line for each change of what is wrong. */
  private tell(error: unknown): void {
    const problem = isDiscoBusError(error) ? error.code : errorLine(error);
    if (problem === this.problem) return;
    this.problem = problem;
    this.logger.warn(`The relay of the outbox stopped and begins again: ${errorLine(error)}`, {
      event: 'outbox-stopped',
      ...errorFields(error),
    });
  }

  private tellMended(): void {
    this.failures = 0;
    if (this.problem === undefined) return;
    this.problem = undefined;
    this.logger.log('The relay of the outbox works again', { event: 'outbox-goes-on' });
  }
}

function stale({ fencingToken }: Lock): StaleRelayError {
  return new StaleRelayError(
    `a relay with a fencing token larger than ${fencingToken} has been at work, so this one marks nothing`,
  );
}
