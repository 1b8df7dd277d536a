import type { GroupSetting } from '../../driver/group-setting.js';
import type { DropReason } from '../../metrics/metrics.js';
import type { DiscoMessageContext } from '../../middleware/message-context.js';
import type { TimeoutListener } from '../../middleware/timeout.js';
import { type BusLogger, errorLine, stackOf } from '../options/bus-logger.js';
import type { ExpectedSubscription } from '../options/expected-subscriptions.js';
import type { FailedAttempt, Outcome, SettlementReport } from './settlement.js';

/** What operators are told of one subscription and its handlers. */
export class SubscriptionLog implements SettlementReport, TimeoutListener {
  /** The handler, with its group at least once. */
  private readonly who: string;

  constructor(
    private readonly logger: BusLogger,
    private readonly subscription: ExpectedSubscription & { readonly label: string },
    private readonly onDropped: (topic: string, reason: DropReason) => void,
  ) {
    const { name, policy } = subscription;
    this.who = policy.delivery === 'at-least-once' ? `${name} (group "${policy.group}")` : name;
  }

  dropped(reason: DropReason): void {
    this.onDropped(this.subscription.label, reason);
  }

  /** An attempt that is followed by another one is a warning, and the last one an error. */
  failed({ id, attempt, attempts }: FailedAttempt, error: unknown, outcome: Outcome): void {
    const { delivery, deadLetter } = this.subscription.policy;
    const kept = delivery === 'at-least-once' && deadLetter ? 'kept as a dead letter' : 'dropped';
    const next =
      outcome.type === 'retry' ? `tried again in ${Math.round(outcome.delayMs)} ms` : `given up and ${kept}`;
    const text = `${this.label}: ${this.who} failed on message ${id}, attempt ${attempt} of ${attempts}, ${next}: ${errorLine(error)}${stackOf(error)}`;
    if (outcome.type === 'retry') this.logger.warn(text);
    else this.logger.error(text);
  }

  failedToSettle(error: unknown): void {
    this.logger.error(`${this.label}: an outcome could not be recorded: ${errorLine(error)}`);
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
    this.logger.warn(`"${topic}": operators have set the group "${group}": ${state}${prefetched}${limited}`);
  }

  /** Handlers still ran when the time to close was over. */
  abandoned(graceMs: number): void {
    this.logger.warn(`${this.label}: handlers still run ${graceMs} ms after closing; not waiting any longer`);
  }

  exceeded(context: DiscoMessageContext, timeoutMs: number, graceMs: number): void {
    this.logger.warn(
      `${this.attempt(context)} runs for longer than its timeout of ${timeoutMs} ms. It keeps its place until it ends, for ${graceMs} ms at most`,
    );
  }

  endedLate(context: DiscoMessageContext, lateMs: number): void {
    this.logger.warn(
      `${this.attempt(context)} succeeded ${lateMs} ms after its timeout, and counts as handled`,
    );
  }

  outlasted(context: DiscoMessageContext, ranMs: number): void {
    this.logger.error(
      `${this.attempt(context)} still runs after ${ranMs} ms and has failed: a further attempt may run beside it`,
    );
  }

  private get label(): string {
    return `"${this.subscription.label}"`;
  }

  private attempt({ id, attempt }: DiscoMessageContext): string {
    return `${this.label}: ${this.who}, message ${id}, attempt ${attempt},`;
  }
}
