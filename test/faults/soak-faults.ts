import { Redis } from 'ioredis';
import type { FaultProxy } from '../support/fault-proxy.js';
import type { RedisServer } from '../support/redis-server.js';
import { pause } from '../support/waiting.js';
import { full } from './fault-report.js';

const FREEZE_MS = full ? 1_000 : 500;
const DELAY_MS = 50;
const DELAYED_FOR_MS = full ? 3_000 : 500;

/** A consumer that can be stopped and started. */
export interface Restartable {
  stop(): Promise<void>;
  start(): Promise<void>;
}

/** Kinds of faults in random order, each as often as the others. Every fault proves that it happened, or throws. */
export class SoakFaults {
  readonly counts: Record<string, number> = {};
  private readonly deck: string[] = [];
  private readonly kinds: Record<string, () => Promise<boolean>> = {
    kill: () => this.kill(),
    cut: async () => this.proxy.cut() > 0,
    freeze: () => this.freeze(),
    delay: () => this.delay(),
    restart: () => this.restart(),
  };

  constructor(
    private readonly server: RedisServer,
    private readonly proxy: FaultProxy,
    private readonly admin: Redis,
    private readonly consumer: Restartable,
  ) {}

  get total(): number {
    return Object.values(this.counts).reduce((sum, count) => sum + count, 0);
  }

  /** Whether every kind happened. */
  get complete(): boolean {
    return Object.keys(this.kinds).every((kind) => this.counts[kind] > 0);
  }

  /** One fault; resolves when it is over. */
  async next(): Promise<void> {
    if (this.deck.length === 0) this.deck.push(...Object.keys(this.kinds));
    const [kind] = this.deck.splice(Math.floor(Math.random() * this.deck.length), 1);
    if (!(await this.kinds[kind]())) throw new Error(`the fault did not happen: ${kind}`);
    this.counts[kind] = (this.counts[kind] ?? 0) + 1;
  }

  /** Each connection of the buses dies with a probability of a half, one of them for certain. */
  private async kill(): Promise<boolean> {
    const ids = await this.connections();
    const chosen = ids.filter((_, index) => index === 0 || Math.random() < 0.5);
    const killed = await Promise.all(chosen.map((id) => this.admin.call('CLIENT', 'KILL', 'ID', id)));
    return killed.some((count) => Number(count) === 1);
  }

  private async freeze(): Promise<boolean> {
    this.server.freeze();
    const startedMs = performance.now();
    const answered = this.admin.ping();
    await pause(FREEZE_MS);
    this.server.thaw();
    await answered;
    return performance.now() - startedMs >= FREEZE_MS - 5;
  }

  private async delay(): Promise<boolean> {
    this.proxy.delay(DELAY_MS, DELAY_MS / 2);
    const probe = new Redis(this.proxy.url, { enableReadyCheck: false });
    const startedMs = performance.now();
    await probe.ping();
    const took = performance.now() - startedMs;
    probe.disconnect();
    await pause(DELAYED_FOR_MS);
    this.proxy.pass();
    return took >= DELAY_MS;
  }

  private async restart(): Promise<boolean> {
    const before = await this.connections();
    await this.consumer.stop();
    const left = await this.connections();
    await pause(full ? 1_000 : 200);
    await this.consumer.start();
    return before.some((id) => !left.includes(id));
  }

  /** The ids of the connections of the buses. */
  private async connections(): Promise<string[]> {
    const list = String(await this.admin.client('LIST'));
    return [...list.matchAll(/^id=(\d+) .* name=disco:/gm)].map(([, id]) => id);
  }
}
