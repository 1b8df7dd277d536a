import fc from 'fast-check';
import { type Delivery } from '../../../lib/driver/delivery.js';
import { type DriverSubscription } from '../../../lib/driver/driver.js';
import { MemoryBroker, memoryDriver } from '../../../lib/drivers/memory/index.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';

type Step =
  | { readonly do: 'publish'; readonly delayMs: number }
  | { readonly do: 'subscribe' | 'close' | 'pause' | 'resume' | 'crash'; readonly which: number }
  | { readonly do: 'ack' | 'retry' | 'deadLetter' | 'ack part'; readonly which: number }
  | { readonly do: 'wait'; readonly ms: number };

const which = fc.nat(9);
const steps = fc.array(
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({ do: fc.constant('publish' as const), delayMs: fc.constantFrom(0, 0, 30) }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constantFrom(
          'subscribe' as const,
          'close' as const,
          'pause' as const,
          'resume' as const,
          'crash' as const,
        ),
        which,
      }),
    },
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constantFrom('ack' as const, 'retry' as const, 'deadLetter' as const, 'ack part' as const),
        which,
      }),
    },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(0, 20, 60) }) },
  ),
  { maxLength: 60 },
);

/** Plays steps on a group of members that live and die, and keeps the accounts. */
class Play {
  readonly clock = new ManualClock();
  readonly broker = new MemoryBroker({ clock: this.clock });
  readonly published = new Set<string>();
  /** What members have settled, and then what was left: together they are all, each once. */
  readonly settled: string[] = [];
  readonly left: string[] = [];
  private readonly unsettled = new Set<Delivery>();
  private members: {
    driver: ReturnType<typeof memoryDriver>;
    subscription: DriverSubscription;
  }[] = [];
  private readonly publisher = memoryDriver({ broker: this.broker });

  async run(given: readonly Step[]): Promise<void> {
    await this.publisher.connect();
    for (const step of given) await this.step(step);
    await this.drain();
  }

  private async step(step: Step): Promise<void> {
    if (step.do === 'publish') return this.publish(step.delayMs);
    if (step.do === 'wait') return this.clock.advance(step.ms);
    if (step.do === 'subscribe') return this.join();
    const member = this.members[step.which % (this.members.length || 1)];
    const delivery = [...this.unsettled][step.which % (this.unsettled.size || 1)];
    if (step.do === 'pause' || step.do === 'resume') member?.subscription[step.do]();
    else if (step.do === 'close') await member?.subscription.close();
    else if (step.do === 'crash') await member?.driver.close();
    else if (delivery) this.settle(delivery, step.do);
  }

  private async publish(delayMs: number): Promise<void> {
    const id = `m${this.published.size}`;
    this.published.add(id);
    const options = { delivery: 'at-least-once', id, timeoutMs: 1_000, delayMs } as const;
    await this.publisher.publish('t', Buffer.from(id), options);
  }

  private async join(settle?: (delivery: Delivery) => void): Promise<void> {
    const driver = memoryDriver({ broker: this.broker, visibilityTimeout: 50 });
    await driver.connect();
    const options = {
      delivery: 'at-least-once',
      group: 'g',
      maxInFlight: 3,
      startFrom: 'beginning',
    } as const;
    const hold = (delivery: Delivery) => void this.unsettled.add(delivery);
    const subscription = await driver.subscribe('t', options, settle ?? hold);
    this.members.push({ driver, subscription });
  }

  /** Where the delivery was taken over meanwhile, settling it does nothing; the broker's length tells. */
  private settle(delivery: Delivery, how: 'ack' | 'retry' | 'deadLetter' | 'ack part'): void {
    const before = this.broker.length('t');
    if (how !== 'ack part') this.unsettled.delete(delivery);
    if (how === 'ack') void delivery.ack();
    else if (how === 'retry') void delivery.retry(10);
    else if (how === 'deadLetter') void delivery.deadLetter({ reason: 'terminated' });
    else void delivery.ack({ index: 0, frame: new Uint8Array() });
    if (this.broker.length('t') < before) this.settled.push(Buffer.from(delivery.frame).toString());
  }

  /** All members go; one good one handles what is left. */
  private async drain(): Promise<void> {
    for (const { driver } of this.members) await driver.close();
    await this.join((delivery) => {
      this.left.push(Buffer.from(delivery.frame).toString());
      void delivery.ack();
    });
    await this.clock.advance(1_000);
    await this.members.at(-1)?.driver.close();
    await this.publisher.close();
  }
}

it('whatever members do, every message is kept until it is settled, and then never seen again', async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (given) => {
      const play = new Play();
      await play.run(given);
      expect([...play.settled, ...play.left].sort()).toEqual([...play.published].sort());
      expect(play.broker.length('t')).toBe(0);
      expect(play.clock.pending).toBe(0);
    }),
    { numRuns: 200 },
  );
});
