import type { GroupSetting } from '../../driver/group-setting.js';
import type { DropReason } from '../../metrics/metrics.js';
import type { DiscoMessageContext } from '../../middleware/message-context.js';
import type { TimeoutListener } from '../../middleware/timeout.js';
import type { BusStatus } from '../bus-status.js';
import {
  type BusLogger,
  errorFields,
  errorLine,
  headerFields,
  headerWords,
  type LogEvent,
  type LogFields,
  printable,
  stackOf,
} from '../options/bus-logger.js';
import type { ExpectedSubscription } from '../options/expected-subscriptions.js';
import type { Attempt, FailedAttempt, SettlementReport } from './settlement.js';

/** What operators are told of one subscription and its handlers: in the log, and as statuses of the bus. */
export class SubscriptionLog implements SettlementReport, TimeoutListener {
  /** The handler, with its group at least once. */
  private readonly who: string;

  constructor(
    private readonly logger: BusLogger,
    private readonly subscription: ExpectedSubscription & { readonly label: string },
    private readonly tell: (status: BusStatus) => void,
  ) {
    const { name } = subscription;
    this.who = this.isStored ? `${name} (group "${subscription.policy.group}")` : name;
  }

  /** The subscription is live, or has ended. */
  changed(type: 'subscribed' | 'unsubscribed'): void {
    const { label: topic, name: handler, policy } = this.subscription;
    const { delivery, group } = policy;
    this.tell({ type, topic, delivery, handler, ...(this.isStored && { group }) });
  }

  dropped(reason: DropReason): void {
    this.tell({ type: 'dropped', topic: this.subscription.label, reason });
  }

  /** An attempt that is followed by another one is a warning, and the last one an error. */
  failed(failed: FailedAttempt): void {
    const { message, attempt, attempts, threw, error, outcome } = failed;
    if (outcome.type === 'wait') {
      this.waits(failed, outcome.delayMs);
      return;
    }
    const what = threw ? 'failed on message' : 'did not handle message';
    const why = threw ? `${errorLine(error)}${stackOf(error)}` : reasonOf(failed);
    const { id = 'unreadable', headers = {} } = message ?? {};
    const found = headerFields(headers);
    const text = `${this.label}: ${this.who} ${what} ${id}${headerWords(found)}, attempt ${attempt} of ${attempts}, ${this.next(failed)}: ${why}`;
    const fields: LogFields = {
      ...this.fields(outcome.type === 'retry' ? 'handler-failed' : 'given-up', failed),
      ...(outcome.type === 'retry'
        ? { nextAttemptMs: Math.round(outcome.delayMs) }
        : { reason: outcome.reason.reason, kept: this.keepsDeadLetters }),
      ...(threw && errorFields(error)),
    };
    if (outcome.type === 'retry') this.logger.warn(text, fields);
    else this.logger.error(text, fields);
  }

  /** No failure: another member of the group may know more. */
  private waits(failed: FailedAttempt, delayMs: number): void {
    const { error, message } = failed;
    this.logger.warn(
      `${this.label}: ${this.who} cannot handle message ${message?.id} yet, tried again in ${Math.round(delayMs)} ms: ${errorLine(error)}`,
      { ...this.fields('message-waits', failed), nextAttemptMs: Math.round(delayMs), ...errorFields(error) },
    );
  }

  recorded(failed: FailedAttempt): void {
    const { message, attempt, attempts, error, outcome } = failed;
    if (outcome.type === 'wait') return;
    const { id: messageId = '', headers = {} } = message ?? {};
    const { name: handler, policy } = this.subscription;
    const { group } = policy;
    const topic = this.topicOf(failed);
    if (outcome.type === 'retry') {
      const { delayMs } = outcome;
      this.tell({
        type: 'retry',
        topic,
        group,
        messageId,
        headers,
        handler,
        attempt,
        attempts,
        delayMs,
        error,
      });
      return;
    }
    if (!this.keepsDeadLetters) return;
    const { reason } = outcome.reason;
    const known = { ...(message && { messageId, headers }), handler, attempt, error };
    this.tell({ type: 'dead-letter', topic, group, reason, letters: 1, ...known });
  }

  slow(attempt: Attempt, seconds: number): void {
    const tookMs = Math.round(seconds * 1_000);
    const { timeoutMs } = this.subscription.policy;
    const { id, headers = {} } = attempt.message ?? {};
    const found = headerWords(headerFields(headers));
    this.logger.warn(
      `${this.label}: ${this.who} took ${tookMs} ms for message ${id}${found}; its timeout is ${timeoutMs} ms`,
      { ...this.fields('handler-slow', attempt), tookMs, timeoutMs },
    );
  }

  failedToSettle(error: unknown): void {
    this.logger.error(`${this.label}: an outcome could not be recorded: ${errorLine(error)}`, {
      ...this.fields('outcome-not-recorded'),
      ...errorFields(error),
    });
  }

  /** Operators have set the group on a topic, `whole`: all that the subscription reads. */
  isSet(topic: string, { paused, limit }: GroupSetting, whole: boolean): void {
    const prefetched = paused && !whole ? ', save what was read already' : '';
    let limited = '';
    if (limit !== undefined) {
      limited = whole
        ? `, at most ${limit} messages at a time in each process`
        : '; its limit has no effect on a handler of a topic pattern';
    }
    const { group } = this.subscription.policy;
    const state = paused ? 'paused' : 'running';
    this.logger.warn(`"${topic}": operators have set the group "${group}": ${state}${prefetched}${limited}`, {
      ...this.fields('group-set'),
      topic,
      paused,
      ...(limit !== undefined && { limit }),
    });
  }

  /** Handlers still ran when the time to close was over. */
  abandoned(graceMs: number): void {
    this.logger.warn(
      `${this.label}: handlers still run ${graceMs} ms after closing; not waiting any longer`,
      { ...this.fields('handlers-abandoned'), graceMs },
    );
  }

  exceeded(context: DiscoMessageContext, timeoutMs: number, graceMs: number): void {
    this.logger.warn(
      `${this.attempt(context)} runs for longer than its timeout of ${timeoutMs} ms. It keeps its place until it ends, for ${graceMs} ms at most`,
      { ...this.fieldsOf('handler-timeout', context), timeoutMs, graceMs },
    );
  }

  endedLate(context: DiscoMessageContext, lateMs: number): void {
    this.logger.warn(
      `${this.attempt(context)} succeeded ${lateMs} ms after its timeout, and counts as handled`,
      { ...this.fieldsOf('handler-late', context), lateMs },
    );
  }

  outlasted(context: DiscoMessageContext, ranMs: number): void {
    this.logger.error(
      `${this.attempt(context)} still runs after ${ranMs} ms and has failed: a further attempt may run beside it`,
      { ...this.fieldsOf('handler-outlasted', context), ranMs },
    );
  }

  /** Nothing at most once. */
  get group(): string {
    return this.isStored ? this.subscription.policy.group : '';
  }

  private get isStored(): boolean {
    return this.subscription.policy.delivery === 'at-least-once';
  }

  private get keepsDeadLetters(): boolean {
    return this.isStored && this.subscription.policy.deadLetter;
  }

  /** What becomes of the message. */
  private next(failed: FailedAttempt): string {
    const { outcome } = failed;
    if (outcome.type !== 'give-up') return `tried again in ${Math.round(outcome.delayMs)} ms`;
    if (!this.keepsDeadLetters) return 'given up and dropped';
    return `given up and kept as a dead letter (disco-bus dead replay ${this.topicOf(failed)} ${this.subscription.policy.group})`;
  }

  /** Of a pattern the topic that it matched. What the application did not name itself goes by its label. */
  private topicOf({ topic }: { readonly topic: string }): string {
    const { label, topic: subscribed } = this.subscription;
    return label === subscribed ? topic : label;
  }

  private get label(): string {
    return `"${this.subscription.label}"`;
  }

  private attempt({ id, attempt, headers }: DiscoMessageContext): string {
    return `${this.label}: ${this.who}, message ${id}${headerWords(headerFields(headers))}, attempt ${attempt},`;
  }

  private fieldsOf(event: LogEvent, context: DiscoMessageContext): LogFields {
    const { id: messageId, headers, attempt } = context;
    return {
      ...this.fields(event),
      topic: this.topicOf(context),
      messageId,
      attempt,
      ...headerFields(headers),
    };
  }

  private fields(event: LogEvent, attempt?: Attempt): LogFields {
    const { name: handler, policy, label } = this.subscription;
    return {
      event,
      topic: attempt === undefined ? label : this.topicOf(attempt),
      ...(this.isStored && { group: policy.group }),
      handler,
      ...(attempt && {
        ...(attempt.message && { messageId: attempt.message.id, ...headerFields(attempt.message.headers) }),
        attempt: attempt.attempt,
        attempts: attempt.attempts,
      }),
    };
  }
}

/** Why a message was not handled that no handler threw at. */
function reasonOf({ outcome }: FailedAttempt): string {
  if (outcome.type !== 'give-up' || outcome.reason.reason !== 'terminated')
    return 'its handler asked for another attempt';
  return printable(`terminated: ${outcome.reason.error?.message}`);
}
