import type { Delivery } from '../../driver/delivery.js';
import {
  type DriverContext,
  type DriverPublishOptions,
  type DriverReceipt,
  type DriverSubscribeOptions,
  type DriverSubscription,
} from '../../driver/driver.js';
import { type DriverStatusListener } from '../../driver/driver-status.js';
import type { LockStore, LockStoreProvider } from '../../driver/lock-store.js';
import { MemoryDriver } from '../../drivers/memory/memory-driver.js';
import { AbortedError } from '../../errors/bus.errors.js';
import { PublishOutcomeUnknownError, PublishTimeoutError } from '../../errors/publish.errors.js';
import { isOwnTopic } from '../../message/topic.js';
import { DriverDecorator } from '../driver-decorator.js';
import { HandOver } from './hand-over.js';
import { SimulatedDelivery } from './simulated-delivery.js';
import { SimulatedLockStore } from './simulated-lock-store.js';
import type { Wire } from './wire.js';

/** The driver of one bus of one instance, at the broker that all instances share. */
export class SimulatedDriver extends DriverDecorator implements LockStoreProvider {
  /** At least once: what it has, and has not settled at the broker. */
  readonly inHand = new Set<SimulatedDelivery>();
  readonly lockStores: SimulatedLockStore[] = [];
  private prefix: string | undefined;

  constructor(
    private readonly wire: Wire,
    private readonly bus: string,
    private readonly memory = new MemoryDriver({ broker: wire.world.broker(bus) }),
  ) {
    super(memory);
  }

  override connect(context: DriverContext = {}): Promise<void> {
    this.prefix = context.prefix;
    return this.memory.connect(context);
  }

  override async publish(
    topic: string,
    frame: Uint8Array,
    options: DriverPublishOptions,
  ): Promise<DriverReceipt> {
    const { wire } = this;
    const { timeoutMs, signal } = options;
    const thereMs = wire.takes();
    if (thereMs > timeoutMs) {
      await wire.pass(timeoutMs);
      throw new PublishTimeoutError(topic, timeoutMs);
    }
    await wire.pass(thereMs);
    if (signal?.aborted) throw new AbortedError(signal.reason);
    const receipt = await this.memory.publish(topic, frame, options);
    await this.accepted(topic, frame, options);
    const backMs = wire.takes();
    if (thereMs + backMs > timeoutMs) {
      await wire.pass(timeoutMs - thereMs);
      throw new PublishOutcomeUnknownError(topic);
    }
    await wire.pass(backMs);
    return receipt;
  }

  override async subscribe(
    topicOrPattern: string,
    options: DriverSubscribeOptions,
    onDelivery: (delivery: Delivery) => void,
  ): Promise<DriverSubscription> {
    const handOver = new HandOver(this.wire, onDelivery);
    const kept = options.delivery === 'at-least-once' && !isOwnTopic(topicOrPattern);
    const subscription = await this.memory.subscribe(topicOrPattern, options, (delivery) => {
      if (this.wire.cut) return;
      const held = this.held(delivery, kept);
      if (kept && this.isOvertaken(held)) return;
      handOver.add(held);
    });
    return {
      pause: () => {
        handOver.pause();
        subscription.pause();
      },
      resume: () => {
        subscription.resume();
        handOver.resume();
      },
      close: async () => {
        handOver.close();
        await subscription.close();
      },
    };
  }

  override onStatus(listener: DriverStatusListener): () => void {
    return this.memory.onStatus((status) => {
      if (!this.wire.cut) listener(status);
    });
  }

  lockStore(context?: DriverContext): LockStore {
    const store = new SimulatedLockStore(this.memory.lockStore(context), this.wire);
    this.lockStores.push(store);
    return store;
  }

  /** The instance has crashed: what it had in hand goes back to the others. */
  async crash(): Promise<void> {
    await this.memory.close();
    this.inHand.clear();
  }

  private held(delivery: Delivery, kept: boolean): SimulatedDelivery {
    const { story } = this.wire.world;
    const label = kept ? story.messageIn(delivery.frame, `${delivery.topic} ${delivery.position}`) : '';
    const held = new SimulatedDelivery(delivery, this.wire, label, () => this.inHand.delete(held));
    if (kept) this.inHand.add(held);
    return held;
  }

  private isOvertaken(held: SimulatedDelivery): boolean {
    const { world, instance } = this.wire;
    if (world.overtaken === 0) return false;
    world.overtaken--;
    world.story.tell(`${held.label} comes to ${instance} only later, behind others`);
    void held.takeBack(1 + world.upTo(10 * world.latencyMs), true);
    return true;
  }

  private async accepted(topic: string, frame: Uint8Array, options: DriverPublishOptions): Promise<void> {
    if (isOwnTopic(topic)) return;
    const { world, instance } = this.wire;
    const label = world.story.messageIn(frame, options.id);
    world.story.tell(`${instance} publishes ${label} to "${topic}"`);
    if (options.delivery !== 'at-least-once') return;
    const copy = Buffer.from(frame);
    const server = await world.server(this.bus, this.prefix);
    const again = () => server.publish(topic, copy, { ...options, deduplicate: false, signal: undefined });
    world.remember({ label, again });
  }
}
