import type { SimulatedProcess } from './simulated-process.js';
import type { SimulatedWorld } from './simulated-world.js';

/** What happens to instances, messages and locks. Each fault tells what it is as the title of the present step. */
export class Faults {
  constructor(
    private readonly world: SimulatedWorld,
    private readonly maxDelayMs: number,
  ) {}

  /** One of these dies, sooner one that has something in hand. */
  async crash(alive: readonly SimulatedProcess[]): Promise<void> {
    const busy = alive.filter(({ inHand }) => inHand.length > 0);
    const victim = this.world.oneOf(busy.length > 0 ? busy : alive);
    if (victim === undefined) return;
    const { inHand } = victim;
    this.world.story.title(`${victim.name} crashes${inHand.length > 0 ? ` while it ${doing(victim)}` : ''}`);
    await victim.crash();
  }

  async redeliver(alive: readonly SimulatedProcess[]): Promise<void> {
    const held = alive.flatMap((process) =>
      process.inHand.filter(({ state }) => state !== 'coming').map((delivery) => ({ process, delivery })),
    );
    const chosen = this.world.oneOf(held);
    if (chosen === undefined) return this.nothing('nothing is in hand that could be delivered again');
    const { process, delivery } = chosen;
    this.world.story.title(`${delivery.label} is delivered again, though ${process.name} has it in hand`);
    await delivery.takeBack(0, false);
  }

  async duplicate(): Promise<void> {
    const chosen = this.world.oneOf(this.world.accepted);
    if (chosen === undefined) return this.nothing('nothing was published that could come twice');
    this.world.story.title(`${chosen.label} is stored a second time`);
    await chosen.again();
  }

  delay(alive: readonly SimulatedProcess[]): void {
    const chosen = this.world.oneOf(alive);
    if (chosen === undefined) return;
    const forMs = 1 + this.world.upTo(this.maxDelayMs);
    const untilMs = this.world.clock.monotonic() + forMs;
    chosen.wire.blockedUntilMs = Math.max(chosen.wire.blockedUntilMs, untilMs);
    this.world.story.title(`${chosen.name} and the broker do not hear of each other for ${forMs} ms`);
  }

  async reorder(alive: readonly SimulatedProcess[]): Promise<void> {
    const coming = alive.flatMap(({ inHand }) => inHand.filter(({ state }) => state === 'coming'));
    const chosen = this.world.oneOf(coming);
    if (chosen === undefined) {
      this.world.overtaken++;
      this.world.story.title('the next message is to be overtaken');
      return;
    }
    this.world.story.title(`${chosen.label} comes only later, behind others`);
    await chosen.takeBack(1 + this.world.upTo(10 * this.world.latencyMs), true);
  }

  async loseLock(alive: readonly SimulatedProcess[]): Promise<void> {
    const held = alive.flatMap((process) =>
      process.drivers
        .flatMap(({ lockStores }) => lockStores)
        .flatMap((store) => Array.from(store.held.values(), (claim) => ({ process, store, claim }))),
    );
    const chosen = this.world.oneOf(held);
    if (chosen === undefined) return this.nothing('no lock is held that could be lost');
    const { process, store, claim } = chosen;
    const keys = claim.keys.map((key) => `"${key}"`).join(', ');
    this.world.story.title(`${process.name} loses the lock ${keys}, and is not told`);
    await store.lose(claim);
  }

  private nothing(why: string): void {
    this.world.story.title(why);
  }
}

function doing({ inHand }: SimulatedProcess): string {
  const said = { coming: 'waits for', handling: 'handles', settling: 'reports the outcome of' };
  return inHand
    .slice(0, 3)
    .map(({ state, label }) => (state === 'taken back' ? '' : `${said[state]} ${label}`))
    .filter(Boolean)
    .join(', ');
}
