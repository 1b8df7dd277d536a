import type { DeadLetterReason, Delivery } from '../../driver/delivery.js';
import { errorDetails } from '../../driver/guarded-delivery.js';
import { isDiscoBusError } from '../../errors/disco-bus-error.js';
import { isUnrecoverable } from '../../errors/handler.errors.js';
import type { Message } from '../../message/message.js';
import type { DropReason, ProcessedStatus, TopicMetrics } from '../../metrics/metrics.js';
import { attemptsMade } from '../../middleware/attempts-made.js';
import { isPanic } from '../../middleware/recover.js';
import { backoffDelay } from '../../timing/backoff.js';
import type { TracedSettlement } from '../../tracing/tracing.js';
import type { DeliveryContext } from '../delivery-context.js';
import type { ResolvedTopic } from '../options/topic-table.js';
import type { SubscriptionTracing } from './subscription-tracing.js';

/** How a delivery is to be settled. */
export type Outcome =
  | { readonly type: 'ack' }
  | { readonly type: 'retry'; readonly delayMs: number }
  | { readonly type: 'give-up'; readonly reason: DeadLetterReason; readonly drop: DropReason };

/** What a {@link Settlement} tells the operator. */
export interface SettlementReport {
  dropped(reason: DropReason): void;
  /** An outcome could not be recorded. */
  failedToSettle(error: unknown): void;
  /** An attempt has failed, and this becomes of the message. */
  failed(attempt: FailedAttempt, error: unknown, outcome: Outcome): void;
}

/** Which attempt of which message has failed. */
export interface FailedAttempt {
  readonly id: string;
  readonly attempt: number;
  readonly attempts: number;
}

const ack: Outcome = { type: 'ack' };

/**
 * The policy of one subscription: what becomes of a message after an attempt. Recording an outcome holds no place among
 * the running handlers; {@link idle} waits for it.
 */
export class Settlement {
  /** Outcomes that are being recorded. */
  private recording = 0;
  private onIdle: (() => void) | undefined;

  constructor(
    private readonly policy: ResolvedTopic,
    private readonly metrics: TopicMetrics,
    private readonly report: SettlementReport,
    private readonly tracing?: SubscriptionTracing,
  ) {}

  /** Resolves when all outcomes are recorded; undefined where they are. */
  idle(): Promise<void> | undefined {
    return this.recording === 0 ? undefined : new Promise((resolve) => (this.onIdle = resolve));
  }

  /** After the handler returned. */
  succeeded(delivery: Delivery, context: DeliveryContext, seconds: number): void {
    const { request } = context;
    const outcome = request ? withAttempts(this.requested(request, delivery), context) : ack;
    this.metrics.processed(outcome.type === 'give-up' ? this.givenUpStatus() : 'success', seconds);
    this.carryOut(delivery, outcome, context.message);
  }

  /** After the handler threw. */
  failed(delivery: Delivery, message: Message, error: unknown, seconds: number): void {
    const { id } = message;
    const outcome = withAttempts(this.afterFailure(delivery, error), error);
    this.report.failed({ id, attempt: delivery.attempt, attempts: this.policy.attempts }, error, outcome);
    const gone = outcome.type === 'give-up' && this.givenUpStatus() === 'dead_letter';
    this.metrics.processed(gone ? 'dead_letter' : failureStatus(error), seconds);
    this.carryOut(delivery, outcome, message);
  }

  /** For bytes that are no message: trying again cannot help. */
  undecodable(delivery: Delivery, error: unknown): void {
    const outcome = giveUp('undecodable', 'undecodable', error);
    const { attempt } = delivery;
    this.report.failed({ id: 'unreadable', attempt, attempts: this.policy.attempts }, error, outcome);
    this.metrics.processed(this.givenUpStatus(), 0);
    this.carryOut(delivery, outcome);
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

  private carryOut(delivery: Delivery, outcome: Outcome, message?: Message): void {
    if (outcome === ack && this.policy.delivery === 'at-most-once') return;
    const recording =
      this.tracing && outcome !== ack
        ? this.tracing.settling(message, this.fate(outcome), () => this.settle(delivery, outcome))
        : this.settle(delivery, outcome);
    this.recording++;
    recording.then(this.recorded, this.unrecorded);
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
    if (type === 'retry') return type;
    return this.keepsDeadLetters ? 'dead-letter' : 'drop';
  }

  private settle(delivery: Delivery, outcome: Outcome): Promise<void> {
    if (outcome.type === 'ack') return delivery.ack();
    if (outcome.type === 'retry') {
      this.metrics.retried();
      return delivery.retry(outcome.delayMs);
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
