import type { DeadLetterReason, Delivery } from '../../driver/delivery.js';
import { errorDetails } from '../../driver/guarded-delivery.js';
import { isDiscoBusError } from '../../errors/disco-bus-error.js';
import { isUnrecoverable, isWaiting } from '../../errors/handler.errors.js';
import type { Message } from '../../message/message.js';
import type { DropReason, ProcessedStatus, TopicMetrics } from '../../metrics/metrics.js';
import { attemptsMade } from '../../middleware/attempts-made.js';
import { isPanic } from '../../middleware/recover.js';
import { type Backoff, backoffDelay } from '../../timing/backoff.js';
import type { TracedSettlement } from '../../tracing/tracing.js';
import type { DeliveryContext } from '../delivery-context.js';
import type { ResolvedTopic } from '../options/topic-table.js';
import type { SubscriptionTracing } from './subscription-tracing.js';

/** What becomes of a message that was not handled. */
export type Outcome =
  | { readonly type: 'retry'; readonly delayMs: number }
  /** It comes back until a member of the group can handle it; this attempt does not count. */
  | { readonly type: 'wait'; readonly delayMs: number }
  | { readonly type: 'give-up'; readonly reason: DeadLetterReason; readonly drop: DropReason };

/** What a {@link Settlement} tells the operator. */
export interface SettlementReport {
  dropped(reason: DropReason): void;
  /** An outcome could not be recorded. */
  failedToSettle(error: unknown): void;
  /** An attempt has not handled its message, and this is to become of it. */
  failed(attempt: FailedAttempt): void;
  /** The same once it is recorded. */
  recorded(attempt: FailedAttempt): void;
  /** An attempt took so long; half of its handler's timeout, and a second, at least. */
  slow(attempt: Attempt, seconds: number): void;
}

/** Which attempt of which message. */
export interface Attempt {
  readonly topic: string;
  /** Undefined of bytes that are no message. */
  readonly message: Message | undefined;
  readonly attempt: number;
  readonly attempts: number;
}

/** An attempt that has not handled its message. */
export interface FailedAttempt extends Attempt {
  /** Otherwise the handler asked for the outcome. */
  readonly threw: boolean;
  /** What was thrown. */
  readonly error: unknown;
  readonly outcome: Outcome;
}

/** What waits for another member comes back after this. */
const waiting: Backoff = { type: 'exponential', delayMs: 200, maxMs: 5_000, jitter: true };

/** What no handler of a sensible timeout counts as slow. */
const QUICK_S = 1;

/**
 * The policy of one subscription: what becomes of a message after an attempt. Recording an outcome holds no place among
 * the running handlers; {@link idle} waits for it.
 */
export class Settlement {
  /** Outcomes that are being recorded. */
  private recording = 0;
  private onIdle: (() => void) | undefined;

  /** From here on a handler is slow. */
  private readonly slowS: number;

  constructor(
    private readonly policy: ResolvedTopic,
    private readonly metrics: TopicMetrics,
    private readonly report: SettlementReport,
    private readonly tracing?: SubscriptionTracing,
  ) {
    this.slowS = Math.max(QUICK_S, policy.timeoutMs / 2_000);
  }

  /** Resolves when all outcomes are recorded; undefined where they are. */
  idle(): Promise<void> | undefined {
    return this.recording === 0 ? undefined : new Promise((resolve) => (this.onIdle = resolve));
  }

  /** After the handler returned. */
  succeeded(delivery: Delivery, context: DeliveryContext, seconds: number): void {
    const { request } = context;
    if (seconds >= this.slowS) this.report.slow(this.attemptOf(delivery, context), seconds);
    if (request === undefined) {
      this.metrics.processed('success', seconds);
      this.acknowledge(delivery);
      return;
    }
    const outcome = withAttempts(this.requested(request, delivery), context);
    this.metrics.processed(outcome.type === 'give-up' ? this.givenUpStatus() : 'success', seconds);
    this.carryOut(delivery, {
      ...this.attemptOf(delivery, context),
      threw: false,
      error: undefined,
      outcome,
    });
  }

  /** After the handler threw. */
  failed(delivery: Delivery, context: DeliveryContext, error: unknown, seconds: number): void {
    const outcome = withAttempts(this.afterFailure(delivery, error), error);
    const gone = outcome.type === 'give-up' && this.givenUpStatus() === 'dead_letter';
    if (outcome.type !== 'wait') this.metrics.processed(gone ? 'dead_letter' : failureStatus(error), seconds);
    this.carryOut(delivery, { ...this.attemptOf(delivery, context), threw: true, error, outcome });
  }

  /** For bytes that are no message: trying again cannot help. */
  undecodable(delivery: Delivery, error: unknown): void {
    const outcome = giveUp('undecodable', 'undecodable', error);
    this.metrics.processed(this.givenUpStatus(), 0);
    this.carryOut(delivery, { ...this.attemptOf(delivery), threw: true, error, outcome });
  }

  private attemptOf({ topic, attempt }: Delivery, context?: DeliveryContext): Attempt {
    const { attempts } = this.policy;
    return { topic, message: context?.message, attempt, attempts };
  }

  private requested(request: NonNullable<DeliveryContext['request']>, delivery: Delivery): Outcome {
    if (request.type === 'terminate') {
      return {
        type: 'give-up',
        reason: { reason: 'terminated', error: { name: 'Terminated', message: request.reason } },
        drop: 'terminated',
      };
    }
    if (this.isLast(delivery)) return giveUp('attempts', 'failed');
    return { type: 'retry', delayMs: request.delayMs ?? backoffDelay(this.policy.backoff, delivery.attempt) };
  }

  private afterFailure(delivery: Delivery, error: unknown): Outcome {
    if (isWaiting(error)) {
      return { type: 'wait', delayMs: backoffDelay(waiting, (delivery.waits ?? 0) + 1) };
    }
    if (isUnrecoverable(error)) return giveUp('unrecoverable', 'failed', error);
    if (this.isLast(delivery)) return giveUp('attempts', 'failed', error);
    return { type: 'retry', delayMs: backoffDelay(this.policy.backoff, delivery.attempt) };
  }

  /** A crash is no failure of the message: only attempts that had an outcome count against it. */
  private isLast({ attempt, crashes = 0 }: Delivery): boolean {
    return attempt - crashes >= this.policy.attempts;
  }

  private givenUpStatus(): ProcessedStatus {
    return this.keepsDeadLetters ? 'dead_letter' : 'error';
  }

  private get keepsDeadLetters(): boolean {
    return this.policy.delivery === 'at-least-once' && this.policy.deadLetter;
  }

  private acknowledge(delivery: Delivery): void {
    if (this.policy.delivery === 'at-most-once') return;
    this.recording++;
    delivery.ack().then(this.recorded, this.unrecorded);
  }

  private carryOut(delivery: Delivery, attempt: FailedAttempt): void {
    this.report.failed(attempt);
    const { outcome, message } = attempt;
    const settle = () => this.settle(delivery, outcome);
    const recording = this.tracing ? this.tracing.settling(message, this.fate(outcome), settle) : settle();
    this.recording++;
    recording.then(() => this.report.recorded(attempt)).then(this.recorded, this.unrecorded);
  }

  private readonly recorded = (): void => {
    this.recording--;
    if (this.recording === 0) this.onIdle?.();
  };

  private readonly unrecorded = (error: unknown): void => {
    this.report.failedToSettle(error);
    this.recorded();
  };

  /** What becomes of a message that was not handled. */
  private fate({ type }: Outcome): TracedSettlement['outcome'] {
    if (type !== 'give-up') return 'retry';
    return this.keepsDeadLetters ? 'dead-letter' : 'drop';
  }

  private settle(delivery: Delivery, outcome: Outcome): Promise<void> {
    if (outcome.type !== 'give-up') {
      this.metrics.retried();
      const { release } = delivery;
      return outcome.type === 'wait' && release !== undefined
        ? release.call(delivery, outcome.delayMs)
        : delivery.retry(outcome.delayMs);
    }
    if (this.keepsDeadLetters) {
      this.metrics.deadLettered(outcome.reason.reason);
      return delivery.deadLetter(outcome.reason);
    }
    this.metrics.dropped(outcome.drop);
    this.report.dropped(outcome.drop);
    return delivery.ack();
  }
}

function giveUp(reason: string, drop: DropReason, error?: unknown): Outcome {
  return { type: 'give-up', reason: { reason, error: errorDetails(error) }, drop };
}

/** A dead letter tells also of the attempts that were made in place. */
function withAttempts(outcome: Outcome, result: unknown): Outcome {
  if (outcome.type !== 'give-up') return outcome;
  return { ...outcome, reason: { ...outcome.reason, attempts: attemptsMade(result) } };
}

function failureStatus(error: unknown): ProcessedStatus {
  if (isDiscoBusError(error, 'DISCO_HANDLER_TIMEOUT')) return 'timeout';
  return isPanic(error) ? 'panic' : 'error';
}
