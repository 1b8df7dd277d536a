import { Injectable, Module } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import {
  ConfigurationError,
  currentLock,
  DiscoBusModule,
  DiscoBusService,
  DiscoSubscribe,
  WithLock,
} from '../../lib/index.js';
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
  instances: 2,
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
    await this.instance.pause('100ms');
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

@Module({
  imports: [DiscoBusModule.forRoot({ url: 'memory:', lock: { ttl: '5s' } })],
  providers: [UnfencedDeposits],
})
class UnfencedBank {}

@Module({
  imports: [DiscoBusModule.forRoot({ url: 'memory:', lock: { ttl: '5s' } })],
  providers: [FencedDeposits],
})
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
    () => new Error('the simulation found nothing'),
    (error) => error,
  );
  if (thrown instanceof SimulationError) return thrown;
  throw thrown;
}

/** Most of the time goes into the starts of applications. */
const rare = { crash: 0.2 };

describe('A simulation', () => {
  it('finds a handler that counts a message twice, and tells the shortest story', async () => {
    const found = await fault(simulate(CarelessShop, { ...shop, seed: 1 }));
    expect(found).toMatchObject({ seed: 1, failure: 'invariant', repeatable: true });
    expect(found.cause).toEqual(new Error('order 1 was counted 2 times'));
    expect(found.story).toHaveLength(2);
    expect(found.story[0]).toMatch(/^instance \d takes order 1; instance \d publishes message 1 to "orders"/);
    expect(found.story[1]).toContain('message 1 is stored a second time');
    expect(found.message).toContain(`Seed 1, after ${found.stepsRun} steps`);
    for (const line of found.story) expect(found.message).toContain(line);
    const again = await fault(simulate(CarelessShop, { ...shop, seed: found.seed, shrink: 0 }));
    expect(again).toMatchObject({ failure: 'invariant', stepsRun: found.stepsRun });
    expect(again.story).toHaveLength(found.stepsRun);
  });

  it('finds a lock without its fence', async () => {
    const found = await fault(simulate(UnfencedBank, bank));
    expect(found).toMatchObject({ failure: 'invariant', repeatable: true });
    expect(String(found.cause)).toContain('has vanished');
    expect(found.story.length).toBeLessThanOrEqual(10);
    expect(found.story.join()).toMatch(/instance \d loses the lock "account", and is not told/);
    const again = await fault(simulate(UnfencedBank, { ...bank, seed: found.seed, shrink: 0 }));
    expect(again.stepsRun).toBe(found.stepsRun);
    expect(again.failure).toBe('invariant');
  });

  it.each([1, 2])('finds nothing in a shop that counts once, seed %i', async (seed) => {
    const { steps, story } = await simulate(CarefulShop, { ...shop, faults: rare, seed });
    expect(steps).toBe(1_000);
    expect(story).toHaveLength(1_000);
  });

  it.each([1, 2])('finds nothing in a bank that passes its fence on, seed %i', async (seed) => {
    await simulate(FencedBank, { ...bank, faults: rare, seed });
  });

  it('tells the same story for the same seed, and another for another', async () => {
    const told = async (seed: number) => (await simulate(FencedBank, { ...bank, seed, steps: 100 })).story;
    const first = await told(7);
    expect(await told(7)).toEqual(first);
    expect(await told(8)).not.toEqual(first);
  });
});

interface Warehouse {
  opened: Promise<void>;
  open: () => void;
  after: number;
}

@Injectable()
class Gate {
  constructor(
    private readonly bus: DiscoBusService,
    private readonly instance: SimulatedInstance<Warehouse>,
  ) {}

  @DiscoSubscribe('parcels', { group: 'gate' })
  async pass() {
    const { world, alive } = this.instance;
    await world.opened;
    await this.bus.publish('passed', {}, { delivery: 'at-least-once' });
    if (alive && !this.instance.alive) world.after++;
  }
}

@Module({ imports: [DiscoBusModule.forRoot({ url: 'memory:' })], providers: [Gate] })
class GateModule {}

const warehouse: SimulateOptions<Warehouse> = {
  instances: 2,
  world: () => {
    let open = () => {};
    const opened = new Promise<void>((resolve) => {
      open = resolve;
    });
    return { opened, open, after: 0 };
  },
  act: ({ instance }) => instance.get(DiscoBusService).publish('parcels', {}, { delivery: 'at-least-once' }),
};
const only = { crash: 0, redeliver: 0, duplicate: 0, delay: 0, reorder: 0, loseLock: 0 };

describe('An instance that has crashed', () => {
  it('does nothing through its bus any more, which is told', async () => {
    let afterwards: Warehouse | undefined;
    const { story } = await simulate(GateModule, {
      ...warehouse,
      steps: 60,
      faults: { ...only, crash: 5 },
      invariant: (world) => {
        afterwards = world;
        return undefined;
      },
      act: (step) => {
        if (step.number > 50) step.world.open();
        return warehouse.act(step);
      },
    });
    expect(story.join()).toMatch(
      /instance \d+, which has crashed, tries to publish to "passed": nothing happens/,
    );
    expect(afterwards?.after).toBe(0);
  });
});

describe('A simulation ends', () => {
  it('where the application does not come to rest, and says what it waits for', async () => {
    const found = await fault(
      simulate(GateModule, { ...warehouse, steps: 10, faults: only, within: '10s', shrink: 20 }),
    );
    expect(found).toMatchObject({ failure: 'rest', cause: { name: 'NotSettledError' } });
    expect(found.message).toContain('Gate.pass runs');
    expect(found.story).toHaveLength(1);
  });

  it('where an act fails, or does not end', async () => {
    const cause = new Error('no such order');
    const act = async ({ number }: { number: number }) => {
      if (number >= 3) throw cause;
    };
    expect(await fault(simulate(GateModule, { act, steps: 50 }))).toMatchObject({ failure: 'act', cause });
    const stuck = {
      act: () => new Promise(() => {}),
      steps: 200,
      within: '1m',
      faults: only,
      shrink: 0,
    } as const;
    const late = await fault(simulate(GateModule, stuck));
    expect(late.message).toMatch(/An act fails: The act of step \d+ has not ended within 60000 ms/);
  });

  it('where what is to hold in the end does not', async () => {
    const settled = () => Promise.reject(new Error('one is missing'));
    const found = await fault(simulate(CarefulShop, { ...shop, settled, steps: 5 }));
    expect(found).toMatchObject({ failure: 'settled', story: [], cause: { message: 'one is missing' } });
  });

  it('and says where its story cannot be repeated', async () => {
    let worlds = 0;
    const world = () => ++worlds;
    const invariant = (run: number) => {
      if (run === 1) throw new Error('by chance');
    };
    const found = await fault(simulate(GateModule, { world, invariant, act: () => {}, steps: 5 }));
    expect(found.repeatable).toBe(false);
    expect(found.message).toContain('The story could not be repeated');
  });
});

describe('A simulation takes', () => {
  it('an application that the test makes itself', async () => {
    const started: number[] = [];
    const { story } = await simulate(CarelessShop, {
      ...shop,
      steps: 20,
      instances: 1,
      start: async (instance) => {
        started.push(instance.number);
        const builder = Test.createTestingModule({ imports: [CarelessShop] });
        const module = await builder
          .overrideProvider(Counting)
          .useValue(new CountingOnce(instance))
          .compile();
        module.useLogger(false);
        return module;
      },
    });
    expect(started[0]).toBe(1);
    expect(story).toHaveLength(20);
  });

  it.each([
    [undefined, { act: () => {} }, 'simulate: the first argument must be a module, not undefined'],
    [GateModule, {}, 'simulate.act must be a function, not undefined'],
    [
      GateModule,
      { act: () => {}, instances: 0 },
      'simulate.instances must be a whole number from 1 to 20, not 0',
    ],
    [
      GateModule,
      { act: () => {}, seed: 1.5 },
      'simulate.seed must be a whole number from 0 to 4294967295, not 1.5',
    ],
    [
      GateModule,
      { act: () => {}, faults: { crash: -1 } },
      'simulate.faults.crash must be a number from 0, not -1',
    ],
    [GateModule, { act: () => {}, step: 5 }, 'simulate: there is no option "step"; did you mean "steps"?'],
    [class {}, { act: () => {} }, 'simulate: the application imports no DiscoBusModule.forRoot()'],
  ])('nothing that it cannot run: %#', async (module: any, options: any, message) => {
    const thrown = await simulate(module, options).catch((error) => error);
    expect(thrown).toBeInstanceOf(ConfigurationError);
    expect(thrown.message).toBe(message);
  });
});
