import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Test } from '@nestjs/testing';
import { type SimulateOptions, SimulationError, simulate } from 'nestjs-disco-bus/testing';
import { AppModule } from './app.module.js';
import { Shelf } from './shelf.js';
import { Shop } from './shop.service.js';

/** The database outlives every instance of the shop. */
interface World {
  orders: number;
  readonly shelf: Shelf;
}

/** A shelf that forgets for whom it was asked. */
class CarelessShelf extends Shelf {
  private asked = 0;

  override takeFor(): Promise<void> {
    return super.takeFor(++this.asked);
  }
}

function shopWith(makeShelf: () => Shelf): SimulateOptions<World> {
  return {
    seed: 42,
    steps: 300,
    world: () => ({ orders: 0, shelf: Object.assign(makeShelf(), { records: 1_000 }) }),
    start: async ({ world }) => {
      const builder = Test.createTestingModule({ imports: [AppModule] });
      const module = await builder.overrideProvider(Shelf).useValue(world.shelf).compile();
      module.useLogger(false);
      return module;
    },
    act: async ({ world, instance, say }) => {
      const order = ++world.orders;
      say(`takes order ${order}`);
      await instance.get(Shop).order(order);
    },
    invariant: ({ shelf, orders }) =>
      assert.ok(shelf.orders <= orders, 'more records are gone than were ordered'),
  };
}

void it('simulation: no record is taken twice', async () => {
  const { steps, virtualMs } = await simulate(
    AppModule,
    shopWith(() => new Shelf()),
  );
  console.log(`${steps} steps in ${Math.round(virtualMs / 60_000)} minutes of virtual time`);
});

void it('simulation: a careless shelf is found out', async () => {
  const found = await simulate(
    AppModule,
    shopWith(() => new CarelessShelf()),
  ).catch((error) => error);
  assert.ok(found instanceof SimulationError);
  console.log(found.message);
});
