import type { Delivery } from '../../../../driver/delivery.js';
import type { DriverSubscribeOptions, DriverSubscription } from '../../../../driver/driver.js';
import type { GroupSetting } from '../../../../driver/group-setting.js';
import { within } from '../../../../timing/within.js';
import { ConsumerUpkeep, type UpkeepOwner } from '../group/consumer-upkeep.js';
import { SoleReader } from '../group/group-calls.js';
import { type GroupMember, type MemberReport, memberReport } from '../group/group-member.js';
import { readEntry, type StreamEntry, type StreamLetter } from '../stream-entry.js';
import { Hand, roleOf, settleApart } from './hand.js';
import { OwnEntries } from './own-entries.js';
import { Settlements } from './settlements.js';
import { type DeliveryRecords, StreamDelivery } from './stream-delivery.js';
import {
  ConsumerSubscriptions,
  type PlaceSharer,
  Places,
  StreamSubscription,
  type SubscriptionOwner,
} from './subscriptions.js';
import { RunningMark, runningText, SuspectTrials, type TrialTurns } from './suspects.js';

/** What reads for a {@link TopicConsumer}. */
export interface ConsumerReader {
  /** Places were freed, or something else changed what is to be read. */
  wake(consumer: TopicConsumer): void;
  /** The number of its connection, by which others can end its reads. */
  readonly clientId: number | undefined;
  /** Resolves when nothing is read for the consumer any more. */
  remove(consumer: TopicConsumer): Promise<void>;
}

/**
 * This process as a member of one group of one topic. Data goes one way: the reader brings entries, the hand says who gets
 * which, subscriptions hand them over, settlements record the outcomes, and the hand has room again. `pump` drives it,
 * when entries came, something was settled, or a subscription has changed.
 */
export class TopicConsumer implements UpkeepOwner, SubscriptionOwner, PlaceSharer {
  readonly upkeep: ConsumerUpkeep;
  readonly mark: RunningMark;
  recovers = false;
  /** The last read brought something that came back: its stream then gets half of the places. */
  comesBack = false;
  /** What came back is to be read to its end before anything new, as nothing may overtake it. */
  backFirst = false;
  reader: ConsumerReader | undefined;
  /** The subscriber threw. */
  readonly fault: (thrown: unknown) => void;
  readonly subscriptions = new ConsumerSubscriptions(this);
  readonly hand = new Hand(this.subscriptions);
  private readonly settlements: Settlements;
  private readonly records: DeliveryRecords;
  private readonly own: OwnEntries;
  private readonly trials: SuspectTrials;
  private pumping = false;
  /** The last look found something. */
  private busy = false;

  constructor(
    readonly member: GroupMember,
    turns: TrialTurns,
    /** Nothing is subscribed and nothing is held any more. */
    private readonly onUnused: () => void,
  ) {
    const { hand } = this;
    this.fault = member.subscriberThrew;
    this.upkeep = new ConsumerUpkeep(member, this);
    this.settlements = new Settlements(member, this.upkeep, (delivery) => this.ended(delivery));
    this.own = new OwnEntries(member, hand, {
      waitingGone: () => this.subscriptions.note(0, false),
      gone: () => this.endIfUnused(),
    });
    this.mark = new RunningMark(hand, runningText(member));
    this.trials = new SuspectTrials({
      hand,
      mark: this.mark,
      turns,
      longestMs: member.options.claimAfterMs,
      mayShare: () => this.upkeep.others > 0 && this.subscriptions.sole === undefined,
      share: () => void this.own.giveBackWaiting(),
      over: () => this.wake(),
    });
    this.records = {
      add: (...operation) => this.settlements.add(...operation),
      noteParts: (delivery) => this.settlements.noteParts(delivery),
      begins: (name) => {
        this.mark.begins(name);
        this.upkeep.busy();
      },
      serverNow: () => this.upkeep.serverNow(),
    };
  }

  get heldCount(): number {
    return this.hand.count;
  }

  report(): MemberReport {
    const { deliveries } = this.hand;
    const state = { deliveries, setting: this.upkeep.setting, reader: this.reader?.clientId };
    return memberReport(this.member.context.service, state, this.upkeep.serverNow());
  }

  get isUnused(): boolean {
    return this.subscriptions.isEmpty && this.hand.count === 0;
  }

  /** Adds a subscription, with places of its own unless it shares some; reading for it begins when the reader is woken. */
  subscribe(
    options: DriverSubscribeOptions,
    onDelivery: (delivery: Delivery) => void,
    places = new Places(options.maxInFlight),
  ): DriverSubscription {
    const subscription = new StreamSubscription(this, places, options, onDelivery);
    this.subscriptions.add(subscription);
    const { setting } = this.upkeep;
    if (setting.paused || setting.limit !== undefined) subscription.isSet(this.member.topic, setting);
    if (options.exclusive) {
      this.subscriptions.sole ??= new SoleReader(this.member);
      this.backFirst = true;
      this.upkeep.within(0);
    }
    this.wake();
    return subscription;
  }

  wake(): void {
    this.pump();
    this.reader?.wake(this);
  }

  /** The reader has looked for more; what it found follows by `take`. */
  looked(): void {
    this.comesBack = false;
    if (!this.busy) return;
    this.busy = false;
    this.subscriptions.note(this.hand.waitingCount, false);
  }

  /** Takes the entries that a read has brought. */
  take(letter: StreamLetter, entries: readonly (readonly [Buffer, readonly Buffer[] | null])[]): void {
    this.busy = true;
    for (const [id, fields] of entries) this.add(readEntry(letter, id.toString('latin1'), fields));
    this.pump();
    if (this.subscriptions.isEmpty) void this.own.giveBackWaiting();
  }

  /** Hands over as much as the hand allows. */
  pump(): void {
    if (this.pumping) return;
    this.pumping = true;
    const { hand } = this;
    const nowMs = this.upkeep.serverNow();
    for (let next = hand.next(nowMs); next !== undefined; next = hand.next(nowMs)) {
      if (next.to === undefined) next.delivery.discard();
      else next.to.hand(next.delivery);
    }
    this.pumping = false;
    this.subscriptions.note(hand.waitingCount, this.busy);
    this.trials.changed();
    this.trials.start();
  }

  /** Takes or keeps the right to read, where the group has one reader at a time. To be called with each upkeep. */
  async renewRight(): Promise<void> {
    if (!(await this.subscriptions.sole?.renew())) return;
    this.backFirst = true;
    this.wake();
  }

  async leave(subscription: StreamSubscription): Promise<void> {
    this.subscriptions.remove(subscription);
    if (subscription.unsettled > 0) this.own.giveBackLater(subscription, this.member.options.claimAfterMs);
    if (!this.subscriptions.isEmpty) return this.reader?.wake(this);
    await this.reader?.remove(this);
    await this.own.giveBackWaiting();
    this.endIfUnused();
  }

  isSet(setting: GroupSetting): void {
    this.subscriptions.isSet(this.member.topic, setting);
    this.wake();
  }

  mayRepeat(): void {
    this.hand.expectRepeats();
  }

  /** Fetches the entries that Redis counts as ours and we do not hold: the reply of their read was lost. */
  async recover(): Promise<void> {
    this.recovers = false;
    const { entries, lost } = await this.own.missing();
    this.upkeep.lost(lost);
    this.hand.expectRepeats();
    for (const entry of entries) this.add(entry);
    this.pump();
  }

  /** Records what is settled, gives everything else back to the group and leaves it, all within `graceMs`. */
  async close(graceMs: number): Promise<void> {
    this.upkeep.stop();
    this.trials.close();
    this.mark.stop();
    this.own.stop();
    const timer = setTimeout(() => this.settlements.stop(), graceMs / 2);
    await within(graceMs / 2, this.settlements.idle());
    clearTimeout(timer);
    const held = this.hand.clear();
    for (const delivery of held) delivery.phase = 'over';
    await within(graceMs / 2, this.own.leave(held));
    const { sole } = this.subscriptions;
    if (sole !== undefined) await within(graceMs / 2, sole.giveUp());
  }

  /** The delivery is settled, or not this consumer's any more. */
  private ended(delivery: StreamDelivery): void {
    this.upkeep.settled();
    this.own.drop(delivery);
    this.wake();
    this.endIfUnused();
  }

  private add(entry: StreamEntry): void {
    const delivery = new StreamDelivery(this.member.topic, entry, this.records);
    if (entry.letter === 'R') this.comesBack = true;
    const nowMs = this.upkeep.serverNow();
    const role = roleOf(delivery, nowMs, this.member.context.setup.maxFrameBytes);
    if (this.hand.add(delivery, role) && role === 'apart') settleApart(delivery, nowMs);
  }

  private endIfUnused(): void {
    if (this.isUnused) this.onUnused();
  }
}
