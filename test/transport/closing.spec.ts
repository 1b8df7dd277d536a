import { setTimeout as delay } from 'node:timers/promises';
import { Controller, type INestApplication, Module } from '@nestjs/common';
import { EventPattern, MessagePattern } from '@nestjs/microservices';
import { lastValueFrom } from 'rxjs';
import type { DiscoDriver } from '../../lib/driver/driver.js';
import { DiscoBusModule } from '../../lib/nest/disco-bus.module.js';
import { DriverDecorator } from '../../lib/testing/driver-decorator.js';
import type { DiscoBusClient } from '../../lib/transport/disco-bus.client.js';
import { DiscoBusServer } from '../../lib/transport/disco-bus.server.js';
import { createApp, engines, silent, stage, useEngines } from './support.js';

const ROUNDS = process.env.FULL === '1' ? 40 : 8;
const events = new Map<number, number>();

@Controller()
class Work {
  @MessagePattern('work')
  async work(n: number) {
    await delay(1);
    return n;
  }

  @EventPattern('happened', { delivery: 'at-least-once' })
  happened(n: number) {
    events.set(n, (events.get(n) ?? 0) + 1);
  }

  @EventPattern('noticed', { delivery: 'at-most-once' })
  noticed(_n: number) {}
}

/** An application whose server shares the bus of its module. */
async function sharing(driver: DiscoDriver, prefix: string): Promise<INestApplication> {
  @Module({
    imports: [DiscoBusModule.forRoot({ driver, prefix, service: 'work', logger: silent })],
    controllers: [Work],
  })
  class App {}
  const app = await createApp({ imports: [App] });
  app.connectMicroservice({ strategy: app.get(DiscoBusServer) });
  await app.startAllMicroservices();
  await app.init();
  return app;
}

let prefixes = 0;

function nextPrefix(): string {
  return `closing${process.pid}-${++prefixes}`;
}

/** Tells in which order news are published and fan-out subscriptions closed. */
class Watched extends DriverDecorator {
  constructor(
    inner: DiscoDriver,
    private readonly told: string[],
  ) {
    super(inner);
  }

  override publish(...args: Parameters<DiscoDriver['publish']>): ReturnType<DiscoDriver['publish']> {
    this.told.push(`publish ${args[0]}`);
    return this.inner.publish(...args);
  }

  override async subscribe(
    ...args: Parameters<DiscoDriver['subscribe']>
  ): ReturnType<DiscoDriver['subscribe']> {
    const subscription = await this.inner.subscribe(...args);
    const close = () => {
      this.told.push(`close ${args[0].split('.')[0]}`);
      return subscription.close();
    };
    if (args[1].delivery === 'at-least-once') return subscription;
    return { pause: () => subscription.pause(), resume: () => subscription.resume(), close };
  }
}

/** What became of requests that are sent until `end`. */
function load(client: DiscoBusClient, askers: number) {
  const failures: unknown[] = [];
  let running = true;
  let asked = 0;
  let emitted = 0;
  const asking = async () => {
    while (running) {
      const n = asked++;
      const answer = await lastValueFrom(client.send<number>('work', n)).catch((error) => error);
      if (answer !== n) failures.push(answer);
    }
  };
  const emitting = async () => {
    while (running) {
      await lastValueFrom(client.emit('happened', emitted++), { defaultValue: undefined });
      await delay(1);
    }
  };
  const all = [emitting(), ...Array.from({ length: askers }, asking)];
  return {
    failures,
    end: async () => {
      running = false;
      await Promise.all(all);
      return { asked, emitted };
    },
  };
}

useEngines();

describe.each(engines.filter(({ options }) => options.requests !== 'every'))(
  'Servers that share a bus, on $name',
  (engine) => {
    const { client, strategy } = stage(engine);

    it(`are restarted in turn ${ROUNDS} times, and no request and no event is lost`, async () => {
      events.clear();
      const prefix = nextPrefix();
      const asking = client({ prefix, timeout: '3s' });
      const apps = [await sharing(engine.driver(), prefix), await sharing(engine.driver(), prefix)];
      await asking.connect();
      const { failures, end } = load(asking, 16);
      for (let round = 0; round < ROUNDS; round++) {
        await delay(20);
        await apps[round % 2].close();
        apps[round % 2] = await sharing(engine.driver(), prefix);
      }
      const { asked, emitted } = await end();
      for (let look = 0; look < 500 && events.size < emitted; look++) await delay(10);
      expect(failures).toEqual([]);
      expect(emitted - events.size).toBe(0);
      expect(asked).toBeGreaterThan(ROUNDS * 10);
    }, 60_000);

    it('say goodbye before they stop reading', async () => {
      const order: string[] = [];
      const app = await sharing(new Watched(engine.driver(), order), nextPrefix());
      order.length = 0;
      await app.close();
      expect(order[0]).toBe('publish nest:news');
      expect(order).toContain('close nest:one');
    });

    it('tell those whose request was not begun in time to ask another one', async () => {
      const never = new Promise<void>(() => {});
      const begun: number[] = [];
      const busy = strategy({ concurrency: 1, shutdownTimeout: 200 });
      busy.addHandler('work', (n: number) => {
        begun.push(n);
        return never as never;
      });
      await new Promise<void>((resolve) => busy.listen(() => resolve()));
      const asking = client({ timeout: '10s' });
      const answers = [1, 2, 3].map((n) =>
        lastValueFrom(asking.send<number>('work', n)).catch((error: { code?: string }) => error.code),
      );
      for (let look = 0; look < 200 && begun.length < 1; look++) await delay(10);
      const other = strategy();
      other.addHandler('work', async (n: number) => n);
      await new Promise<void>((resolve) => other.listen(() => resolve()));
      await busy.close();
      expect(begun).toEqual([1]);
      expect(await Promise.all(answers)).toEqual(['DISCO_CLOSED', 2, 3]);
      await other.close();
    });
  },
);
