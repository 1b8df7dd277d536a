import { Injectable, Module } from '@nestjs/common';
import { currentLock, DiscoBusModule, DiscoBusService, DiscoSubscribe, WithLock } from '../../lib/index.js';
import {
  SimulatedInstance,
  type SimulateOptions,
  SimulationError,
  simulate,
} from '../../lib/testing/index.js';

interface Order {
  id: number;
}

/** What a database would hold. */
interface Shop {
  orders: number;
  counted: Map<number, number>;
}

@Injectable()
class Counting {
  constructor(private readonly instance: SimulatedInstance<Shop>) {}

  @DiscoSubscribe('orders', { group: 'counting' })
  count({ id }: Order) {
    const { counted } = this.instance.world;
    counted.set(id, (counted.get(id) ?? 0) + 1);
  }
}

@Module({ imports: [DiscoBusModule.forRoot({ url: 'memory:' })], providers: [Counting] })
class CarelessShop {}

@Injectable()
class CountingOnce {
  constructor(private readonly instance: SimulatedInstance<Shop>) {}

  @DiscoSubscribe('orders', { group: 'counting' })
  count({ id }: Order) {
    this.instance.world.counted.set(id, 1);
  }
}

@Module({ imports: [DiscoBusModule.forRoot({ url: 'memory:' })], providers: [CountingOnce] })
class CarefulShop {}

const shop: SimulateOptions<Shop> = {
  world: () => ({ orders: 0, counted: new Map() }),
  act: async ({ world, instance, say }) => {
    const id = ++world.orders;
    say(`takes order ${id}`);
    await instance.get(DiscoBusService).publish('orders', { id }, { delivery: 'at-least-once' });
  },
  invariant: ({ counted }) => {
    for (const [id, times] of counted)
      if (times > 1) throw new Error(`order ${id} was counted ${times} times`);
  },
};

/** A document that is read and written as a whole. */
class Account {
  private readonly deposits = new Set<number>();
  private fence = 0n;

  read(fence: bigint): number[] {
    this.pass(fence);
    return [...this.deposits];
  }

  write(deposits: readonly number[], fence: bigint): void {
    this.pass(fence);
    this.deposits.clear();
    for (const id of deposits) this.deposits.add(id);
  }

  has(id: number): boolean {
    return this.deposits.has(id);
  }

  private pass(fence: bigint): void {
    if (fence < this.fence) throw new Error('a stale holder');
    this.fence = fence;
  }
}

interface Bank {
  deposits: number;
  account: Account;
  booked: Set<number>;
}

abstract class Deposits {
  constructor(protected readonly instance: SimulatedInstance<Bank>) {}

  protected async add(id: number, fence: bigint): Promise<void> {
    const { account, booked } = this.instance.world;
    const deposits = account.read(fence);
    await this.instance.pause('20ms');
    account.write([...deposits, id], fence);
    booked.add(id);
  }
}

@Injectable()
class UnfencedDeposits extends Deposits {
  constructor(instance: SimulatedInstance<Bank>) {
    super(instance);
  }

  @DiscoSubscribe('deposits', { group: 'bank' })
  @WithLock('account')
  deposit({ id }: Order) {
    return this.add(id, 0n);
  }
}

@Injectable()
class FencedDeposits extends Deposits {
  constructor(instance: SimulatedInstance<Bank>) {
    super(instance);
  }

  @DiscoSubscribe('deposits', { group: 'bank' })
  @WithLock('account')
  deposit({ id }: Order) {
    return this.add(id, currentLock()!.fencingToken);
  }
}

@Module({ imports: [DiscoBusModule.forRoot({ url: 'memory:' })], providers: [UnfencedDeposits] })
class UnfencedBank {}

@Module({ imports: [DiscoBusModule.forRoot({ url: 'memory:' })], providers: [FencedDeposits] })
class FencedBank {}

const bank: SimulateOptions<Bank> = {
  instances: 2,
  world: () => ({ deposits: 0, account: new Account(), booked: new Set() }),
  act: async ({ world, instance, say }) => {
    const id = ++world.deposits;
    say(`is given deposit ${id}`);
    await instance.get(DiscoBusService).publish('deposits', { id }, { delivery: 'at-least-once' });
  },
  invariant: ({ account, booked }) => {
    for (const id of booked) if (!account.has(id)) throw new Error(`deposit ${id} has vanished`);
  },
};

async function fault(running: Promise<unknown>): Promise<SimulationError> {
  const thrown = await running.then(
    () => undefined,
    (error) => error,
  );
  if (thrown instanceof SimulationError) return thrown;
  throw thrown ?? new Error('it found nothing');
}

describe('A simulation', () => {
  it('finds a handler that counts twice', async () => {
    const found = await fault(simulate(CarelessShop, shop));
    console.log(found.message, found.stepsRun);
  });
  it('finds a lock without its fence', async () => {
    const found = await fault(simulate(UnfencedBank, { ...bank }));
    console.log(found.message, found.stepsRun);
  });
  it('good', async () => {
    for (const seed of [1, 2]) {
      let t = Date.now();
      const a = await simulate(CarefulShop, { ...shop, seed });
      console.log(a.story.slice(0, 30).join('\n'), a.virtualMs, Date.now() - t);
      t = Date.now();
      const b = await simulate(FencedBank, { ...bank, seed });
      console.log(b.story.slice(0, 30).join('\n'), b.virtualMs, Date.now() - t);
    }
  });
});
