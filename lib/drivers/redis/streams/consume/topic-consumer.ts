import type { Delivery } from '../../../../driver/delivery.js';
import type { DriverSubscribeOptions, DriverSubscription } from '../../../../driver/driver.js';
import { ConsumerUpkeep } from '../group/consumer-upkeep.js';
import { OwnEntries } from '../group/own-entries.js';
import { SoleReader } from '../group/sole-reader.js';
import { readEntry, type StreamEntry, type StreamLetter } from '../stream-entry.js';
import type { GroupKeys } from '../stream-keys.js';
import { within } from '../within.js';
import { ConsumerReports } from './consumer-reports.js';
import type { ConsumerSetup } from './consumer-setup.js';
import { ConsumerSubscriptions } from './consumer-subscriptions.js';
import { EntryIntake } from './entry-intake.js';
import type { SuspectHolder } from './isolation.js';
import { type PlaceSharer, Places } from './places.js';
import { type SettlementOwner, Settlements } from './settlements.js';
import { StreamDelivery } from './stream-delivery.js';
import { StreamSubscription, type SubscriptionOwner } from './stream-subscription.js';

/** What reads for a {@link TopicConsumer}. */
export interface ConsumerReader {
  /** Places were freed, or something else changed what is to be read. */
  wake(consumer: TopicConsumer): void;
  /** Resolves when nothing is read for it any more. */
  remove(consumer: TopicConsumer): Promise<void>;
}

/** This process as a member of one group of one topic: shares what it reads out among its subscriptions. */
export class TopicConsumer implements SettlementOwner, SubscriptionOwner, SuspectHolder, PlaceSharer {
  readonly upkeep: ConsumerUpkeep;
  readonly reports: ConsumerReports;
  /** The own pending entries are to be compared with what is held before reading on. */
  recovers = false;
  /** The last read brought something that came back: its stream then gets half of the places. */
  comesBack = false;
  /** What came back is to be read to its end before anything new, as nothing may overtake it. */
  backFirst = false;
  reader: ConsumerReader | undefined;
  private readonly settlements: Settlements;
  private readonly own: OwnEntries;
  private readonly intake: EntryIntake;
  private readonly subscriptions = new ConsumerSubscriptions(this);
  /** Read and not handed over, oldest first. */
  private queue: StreamDelivery[] = [];
  private readonly held = new Map<string, StreamDelivery>();
  private readonly visibility = new Set<NodeJS.Timeout>();
  private handingOver = false;
  /** The last look found something. */
  private busy = false;

  constructor(
    readonly topic: string,
    readonly group: string,
    readonly keys: GroupKeys,
    private readonly setup: ConsumerSetup,
    /** Nothing is subscribed and nothing is held any more. */
    private readonly onUnused: (consumer: TopicConsumer) => void,
  ) {
    const { maxDeadLetters } = setup.options;
    this.settlements = new Settlements(this, setup.connection, maxDeadLetters);
    this.own = new OwnEntries(this, setup.connection, maxDeadLetters);
    this.upkeep = new ConsumerUpkeep(this, setup);
    this.reports = new ConsumerReports(topic, group, maxDeadLetters, setup.status);
    const { isolation, maxFrameBytes } = setup;
    const serverNow = () => this.serverNow();
    this.intake = new EntryIntake({ isolation, maxFrameBytes, holder: this, serverNow });
  }

  get name(): string {
    return this.setup.name;
  }

  /** How many entries may be read now. */
  get room(): number {
    if (this.setup.isolation.holds) return 0;
    return Math.max(0, this.subscriptions.readAhead - this.queue.length);
  }

  get heldCount(): number {
    return this.held.size;
  }

  /** Whether the delivery is one of this consumer's. */
  holds(delivery: StreamDelivery): boolean {
    return this.held.get(delivery.key) === delivery;
  }

  get isUnused(): boolean {
    return this.subscriptions.isEmpty && this.held.size === 0;
  }

  get canBegin(): boolean {
    return this.subscriptions.hasPlace;
  }

  /** Adds a subscription, with places of its own unless it shares some; reading for it begins when the reader is woken. */
  subscribe(
    options: DriverSubscribeOptions,
    onDelivery: (delivery: Delivery) => void,
    places = new Places(options.maxInFlight),
  ): DriverSubscription {
    const subscription = new StreamSubscription(this, places, onDelivery);
    this.subscriptions.add(subscription);
    if (options.exclusive) {
      this.subscriptions.sole ??= new SoleReader(this.setup, this.keys, this.group);
      this.backFirst = true;
      this.upkeep.within(0);
    }
    this.wake();
    return subscription;
  }

  wake(): void {
    this.handOver();
    this.setup.isolation.proceed();
    this.reader?.wake(this);
  }

  /** It was looked for more; what there is comes by `take`. */
  looked(): void {
    this.comesBack = false;
    if (!this.busy) return;
    this.busy = false;
    this.subscriptions.note(this.queue.length, false);
  }

  /** Takes what was read. */
  take(letter: StreamLetter, entries: readonly (readonly [Buffer, readonly Buffer[] | null])[]): void {
    this.busy = true;
    for (const [id, fields] of entries) this.add(readEntry(letter, id.toString('latin1'), fields));
    this.handOver();
    if (this.subscriptions.isEmpty) void this.releaseWaiting();
  }

  /** Calls `again` once there may be room for reading. */
  whenOpen(again: () => void): void {
    this.subscriptions.whenOpen(again);
  }

  ended(delivery: StreamDelivery): void {
    this.upkeep.settled();
    this.drop(delivery);
    this.handOver();
    this.reader?.wake(this);
    this.endIfUnused();
  }

  /** To be called now and then: takes or keeps the right to read, where the group has one reader at a time. */
  async renewRight(): Promise<void> {
    if (!(await this.subscriptions.sole?.renew())) return;
    this.backFirst = true;
    this.wake();
  }

  outlived(deadLetters: number): void {
    this.reports.outlived(deadLetters);
  }

  delayed(delayMs: number): void {
    this.upkeep.within(delayMs);
  }

  fault(thrown: unknown): void {
    this.reports.fault(thrown);
  }

  /** Hands over what was read, as far as there are places. */
  handOver(): void {
    if (this.handingOver) return;
    this.handingOver = true;
    let next = 0;
    while (next < this.queue.length && !this.setup.isolation.holds && this.canBegin) {
      const delivery = this.queue[next++];
      if (delivery.phase !== 'waiting') continue;
      if (this.intake.isOutOfDate(delivery)) delivery.discard();
      else this.begin(delivery);
    }
    this.queue.splice(0, next);
    this.handingOver = false;
    this.subscriptions.note(this.queue.length, this.busy);
  }

  begin(delivery: StreamDelivery): void {
    const subscription = this.subscriptions.next();
    if (subscription === undefined) return;
    delivery.phase = 'begun';
    this.setup.isolation.begun();
    subscription.hand(delivery);
  }

  async leave(subscription: StreamSubscription): Promise<void> {
    this.subscriptions.remove(subscription);
    if (subscription.deliveries.size > 0) this.keepAWhile(subscription);
    if (!this.subscriptions.isEmpty) return this.reader?.wake(this);
    this.setup.isolation.forget(this);
    await this.reader?.remove(this);
    await this.releaseWaiting();
    this.endIfUnused();
  }

  /** Finds what Redis counts as in our hands and is not: a read whose reply was lost. No delivery is counted for it. */
  async recover(): Promise<void> {
    this.recovers = false;
    const { entries, lost } = await this.own.missing((key) => this.held.has(key));
    this.upkeep.lost(lost);
    for (const entry of entries) this.add(entry);
    this.handOver();
  }

  /** Records what is settled, gives everything else back to the group and leaves it, all within `graceMs`. */
  async close(graceMs: number): Promise<void> {
    this.upkeep.stop();
    for (const timer of this.visibility) clearTimeout(timer);
    this.visibility.clear();
    const timer = setTimeout(() => this.settlements.stop(), graceMs / 2);
    await within(graceMs / 2, this.settlements.idle());
    clearTimeout(timer);
    const held = [...this.held.values()];
    for (const delivery of held) delivery.phase = 'over';
    this.queue = [];
    this.held.clear();
    await within(graceMs / 2, this.own.leave(held));
    const { sole } = this.subscriptions;
    if (sole !== undefined) await within(graceMs / 2, sole.giveUp());
  }

  serverNow(): number {
    return this.upkeep.serverNow();
  }

  private add(entry: StreamEntry): void {
    const delivery = new StreamDelivery(this.topic, entry, this.settlements);
    // An entry that was read before and recovered since is in hand already.
    if (this.held.has(delivery.key)) return;
    this.held.set(delivery.key, delivery);
    if (entry.letter === 'R') this.comesBack = true;
    if (this.intake.admit(delivery)) this.queue.push(delivery);
  }

  private keepAWhile(subscription: StreamSubscription): void {
    const timer = setTimeout(() => {
      this.visibility.delete(timer);
      void this.release([...subscription.deliveries]).then(() => this.endIfUnused());
    }, this.setup.options.claimAfterMs);
    timer.unref();
    this.visibility.add(timer);
  }

  private async releaseWaiting(): Promise<void> {
    const waiting = [...this.held.values()].filter(({ phase }) => phase === 'waiting');
    this.queue = [];
    this.subscriptions.note(0, false);
    await this.release(waiting);
  }

  private async release(deliveries: readonly StreamDelivery[]): Promise<void> {
    if (deliveries.length === 0) return;
    for (const delivery of deliveries) delivery.phase = 'over';
    // What cannot be released comes back when this consumer counts as dead.
    await this.own.release(deliveries).catch(() => undefined);
    for (const delivery of deliveries) this.drop(delivery);
  }

  private drop(delivery: StreamDelivery): void {
    this.held.delete(delivery.key);
    if (delivery.holder?.ended(delivery)) this.setup.isolation.ended(delivery);
  }

  private endIfUnused(): void {
    if (this.isUnused) this.onUnused(this);
  }
}
