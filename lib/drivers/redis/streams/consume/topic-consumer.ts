import type { Delivery } from '../../../../driver/delivery.js';
import type { DriverSubscribeOptions, DriverSubscription } from '../../../../driver/driver.js';
import type { DriverStatus } from '../../../../driver/driver-status.js';
import type { GroupSetting } from '../../../../driver/group-setting.js';
import { within } from '../../../../timing/within.js';
import { ConsumerReports } from '../group/consumer-reports.js';
import { ConsumerUpkeep, type UpkeepSetup } from '../group/consumer-upkeep.js';
import { type MemberReport, memberReport } from '../group/member-report.js';
import { OwnEntries } from '../group/own-entries.js';
import { RunningMark, runningText } from '../group/running-mark.js';
import { SoleReader } from '../group/sole-reader.js';
import { readEntry, type StreamEntry, type StreamLetter } from '../stream-entry.js';
import type { GroupKeys, StreamKeys } from '../stream-keys.js';
import {
  ConsumerSubscriptions,
  StreamSubscription,
  type SubscriptionOwner,
} from './consumer-subscriptions.js';
import { GivenBack } from './given-back.js';
import { Hand } from './hand.js';
import { roleOf, settleApart } from './intake.js';
import { type PlaceSharer, Places } from './places.js';
import { type SettlementOwner, Settlements } from './settlements.js';
import { type DeliveryRecords, StreamDelivery } from './stream-delivery.js';
import { SuspectTrials, type TrialTurns } from './suspects.js';

/** What all consumers of a driver share. */
export interface ConsumerSetup extends UpkeepSetup {
  /** One suspect at a time is tried in a process. */
  readonly turns: TrialTurns;
  readonly maxFrameBytes: number;
  readonly keys: StreamKeys;
  /** The service that this process is of. */
  readonly service: string;
  readonly status: (status: DriverStatus) => void;
}

/** What reads for a {@link TopicConsumer}. */
export interface ConsumerReader {
  /** Places were freed, or something else changed what is to be read. */
  wake(consumer: TopicConsumer): void;
  /** The number of its connection, by which others can end its reads. */
  readonly clientId: number | undefined;
  /** Resolves when nothing is read for it any more. */
  remove(consumer: TopicConsumer): Promise<void>;
}

/**
 * This process as a member of one group of one topic. Data goes one way: the reader brings entries, the hand says who gets
 * which, subscriptions hand them over, settlements record the outcomes, and the hand has room again. `pump` drives it,
 * when entries came, something was settled, or a subscription has changed.
 */
export class TopicConsumer implements SettlementOwner, SubscriptionOwner, PlaceSharer {
  readonly keys: GroupKeys;
  readonly upkeep: ConsumerUpkeep;
  readonly reports: ConsumerReports;
  readonly mark: RunningMark;
  /** The own pending entries are to be compared with what is held before reading on. */
  recovers = false;
  /** The last read brought something that came back: its stream then gets half of the places. */
  comesBack = false;
  /** What came back is to be read to its end before anything new, as nothing may overtake it. */
  backFirst = false;
  reader: ConsumerReader | undefined;
  private readonly settlements: Settlements;
  private readonly records: DeliveryRecords;
  private readonly own: OwnEntries;
  private readonly trials: SuspectTrials;
  private readonly subscriptions = new ConsumerSubscriptions(this);
  private readonly hand = new Hand(this.subscriptions);
  private readonly returns: GivenBack;
  private pumping = false;
  /** The last look found something. */
  private busy = false;

  constructor(
    readonly topic: string,
    readonly group: string,
    private readonly setup: ConsumerSetup,
    /** Nothing is subscribed and nothing is held any more. */
    private readonly onUnused: (consumer: TopicConsumer) => void,
  ) {
    const { hand } = this;
    const { connection, options, status, turns } = setup;
    this.keys = setup.keys.group(topic, group);
    const { maxDeadLetters, claimAfterMs } = options;
    this.settlements = new Settlements(this, connection, maxDeadLetters);
    this.own = new OwnEntries(this, connection, maxDeadLetters);
    this.returns = new GivenBack(this.own, hand, {
      waitingGone: () => this.subscriptions.note(0, false),
      gone: () => this.endIfUnused(),
    });
    this.upkeep = new ConsumerUpkeep(this, setup);
    this.reports = new ConsumerReports(topic, group, options, status);
    this.mark = new RunningMark(hand, runningText(connection, this.keys, setup.name));
    this.trials = new SuspectTrials({
      hand,
      mark: this.mark,
      turns,
      patienceMs: claimAfterMs,
      mayShare: () => this.upkeep.others > 0 && this.subscriptions.sole === undefined,
      share: () => void this.returns.giveBackWaiting(),
      over: () => this.wake(),
    });
    this.records = {
      add: (...operation) => this.settlements.add(...operation),
      noteParts: (delivery) => this.settlements.noteParts(delivery),
      begins: (name) => {
        this.mark.begins(name);
        this.upkeep.busy();
      },
      serverNow: () => this.serverNow(),
    };
  }

  get name(): string {
    return this.setup.name;
  }

  /** How many entries may be read now. */
  get room(): number {
    return this.hand.room;
  }

  get heldCount(): number {
    return this.hand.count;
  }

  report(): MemberReport {
    const { deliveries } = this.hand;
    const state = { deliveries, setting: this.upkeep.setting, reader: this.reader?.clientId };
    return memberReport(this.setup.service, state, this.serverNow());
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
    if (setting.paused || setting.limit !== undefined) subscription.isSet(this.topic, setting);
    if (options.exclusive) {
      const { keys, group, name } = this;
      const { connection, options: streams } = this.setup;
      const { claimAfterMs } = streams;
      this.subscriptions.sole ??= new SoleReader({ connection, keys, group, name, claimAfterMs });
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

  /** It was looked for more; what there is comes by `take`. */
  looked(): void {
    this.comesBack = false;
    if (!this.busy) return;
    this.busy = false;
    this.subscriptions.note(this.hand.waitingCount, false);
  }

  /** Takes what was read. */
  take(letter: StreamLetter, entries: readonly (readonly [Buffer, readonly Buffer[] | null])[]): void {
    this.busy = true;
    for (const [id, fields] of entries) this.add(readEntry(letter, id.toString('latin1'), fields));
    this.pump();
    if (this.subscriptions.isEmpty) void this.returns.giveBackWaiting();
  }

  /** Calls `again` once there may be room for reading. */
  whenOpen(again: () => void): void {
    this.subscriptions.whenOpen(again);
  }

  /** Hands over what the hand says, as far as there are places. */
  pump(): void {
    if (this.pumping) return;
    this.pumping = true;
    const { hand } = this;
    const nowMs = this.serverNow();
    for (let next = hand.next(nowMs); next !== undefined; next = hand.next(nowMs)) {
      if (next.to === undefined) next.delivery.discard();
      else next.to.hand(next.delivery);
    }
    this.pumping = false;
    this.subscriptions.note(hand.waitingCount, this.busy);
    this.trials.changed();
    this.trials.start();
  }

  ended(delivery: StreamDelivery): void {
    this.upkeep.settled();
    this.returns.drop(delivery);
    this.wake();
    this.endIfUnused();
  }

  /** To be called now and then: takes or keeps the right to read, where the group has one reader at a time. */
  async renewRight(): Promise<void> {
    if (!(await this.subscriptions.sole?.renew())) return;
    this.backFirst = true;
    this.wake();
  }

  fault(thrown: unknown): void {
    this.reports.fault(thrown);
  }

  async leave(subscription: StreamSubscription): Promise<void> {
    this.subscriptions.remove(subscription);
    if (subscription.unsettled > 0) this.returns.later(subscription, this.setup.options.claimAfterMs);
    if (!this.subscriptions.isEmpty) return this.reader?.wake(this);
    await this.reader?.remove(this);
    await this.returns.giveBackWaiting();
    this.endIfUnused();
  }

  isSet(setting: GroupSetting): void {
    this.subscriptions.isSet(this.topic, setting);
    this.wake();
  }

  mayRepeat(): void {
    this.hand.expectRepeats();
  }

  /** Finds what Redis counts as in our hands and is not: a read whose reply was lost. No delivery is counted for it. */
  async recover(): Promise<void> {
    this.recovers = false;
    const { entries, lost } = await this.own.missing(() => this.hand.keys());
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
    this.returns.stop();
    const timer = setTimeout(() => this.settlements.stop(), graceMs / 2);
    await within(graceMs / 2, this.settlements.idle());
    clearTimeout(timer);
    const held = this.hand.clear();
    for (const delivery of held) delivery.phase = 'over';
    await within(graceMs / 2, this.own.leave(held));
    const { sole } = this.subscriptions;
    if (sole !== undefined) await within(graceMs / 2, sole.giveUp());
  }

  serverNow(): number {
    return this.upkeep.serverNow();
  }

  private add(entry: StreamEntry): void {
    const delivery = new StreamDelivery(this.topic, entry, this.records);
    if (entry.letter === 'R') this.comesBack = true;
    const nowMs = this.serverNow();
    const role = roleOf(delivery, nowMs, this.setup.maxFrameBytes);
    if (this.hand.add(delivery, role) && role === 'apart') settleApart(delivery, nowMs);
  }

  private endIfUnused(): void {
    if (this.isUnused) this.onUnused(this);
  }
}
