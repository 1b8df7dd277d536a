import { MemoryBroker } from '../../drivers/memory/memory-broker.js';
import { MemoryDriver } from '../../drivers/memory/memory-driver.js';
import { ManualClock } from '../manual-clock.js';
import { seededRandom } from '../seeded-random.js';
import { Story } from './story.js';

/** A message that the broker has accepted, to be stored once more. */
export interface Accepted {
  readonly label: string;
  readonly again: () => Promise<unknown>;
}

/** So many of the last messages may come twice. */
const REMEMBERED = 20;

/** What all instances of one run share: the time, the chance, the brokers and the story. */
export class SimulatedWorld {
  readonly clock = new ManualClock();
  readonly story = new Story();
  /** The last messages that were accepted. */
  readonly accepted: Accepted[] = [];
  /** So many deliveries to come are overtaken by those behind them. */
  overtaken = 0;
  private readonly brokers = new Map<string, MemoryBroker>();
  private readonly servers = new Map<string, MemoryDriver>();
  private draw: () => number;

  constructor(
    seed: number,
    readonly latencyMs: number,
  ) {
    this.draw = seededRandom(seed);
  }

  /** From 0 to 1, by the seed of the present step. */
  readonly random = (): number => this.draw();

  /** A whole number from 0 up to `end`, which is not among them. */
  upTo(end: number): number {
    return Math.floor(this.random() * end);
  }

  /** One of these; undefined of none. */
  oneOf<T>(all: readonly T[]): T | undefined {
    return all[this.upTo(all.length)];
  }

  reseed(seed: number): void {
    this.draw = seededRandom(seed);
  }

  /** The server that all buses of that name use. */
  broker(bus: string): MemoryBroker {
    const known = this.brokers.get(bus);
    if (known) return known;
    const broker = new MemoryBroker({ clock: this.clock });
    this.brokers.set(bus, broker);
    return broker;
  }

  /** A driver at that broker which belongs to no instance, and so does not crash. */
  async server(bus: string, prefix: string | undefined): Promise<MemoryDriver> {
    const key = `${bus} ${prefix}`;
    const known = this.servers.get(key);
    if (known) return known;
    const driver = new MemoryDriver({ broker: this.broker(bus) });
    this.servers.set(key, driver);
    await driver.connect({ prefix });
    return driver;
  }

  remember(accepted: Accepted): void {
    this.accepted.push(accepted);
    if (this.accepted.length > REMEMBERED) this.accepted.shift();
  }

  async close(): Promise<void> {
    await Promise.all(Array.from(this.servers.values(), (driver) => driver.close()));
  }
}
