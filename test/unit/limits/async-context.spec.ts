import { AsyncLocalStorage } from 'node:async_hooks';
import { buses, Inbox } from '../bus/support.js';
import { cases, useEngines } from './two-engines.js';

const { make: makeOn } = buses();
const tenant = new AsyncLocalStorage<string>();
const who = () => tenant.getStore() ?? 'nobody';

const driverOf = useEngines();

describe.each(cases)('the async context on %s, %s,', (engine, delivery) => {
  const make = () => makeOn({ driver: driverOf(engine) });
  const started = async () => {
    const bus = make();
    await bus.start();
    return bus;
  };

  it("of a handler is nobody's: neither the starter's nor the subscriber's nor the publisher's", async () => {
    const bus = make();
    const inbox = new Inbox<string>();
    await tenant.run('first', async () => {
      await bus.start();
      await bus.subscribe('t', () => inbox.push(who()), { delivery });
      await bus.subscribe('b', () => inbox.push(who()), { delivery, batch: { size: 2 } });
    });
    await tenant.run('second', () => bus.publish('t', 1, { delivery }));
    await Promise.all(['a', 'b'].map((name) => tenant.run(name, () => bus.publish('t', 1, { delivery }))));
    await tenant.run('third', () => bus.publish('b', 1, { delivery }));
    expect(await inbox.until(4)).toEqual(Array(4).fill('nobody'));
  });

  it.each([{}, { orderBy: 'key' as const }])("of a retry is nobody's (%j)", async (order) => {
    const bus = await started();
    const inbox = new Inbox<string>();
    const retry = { attempts: 2, backoff: { delay: 5 } };
    const handler = () => {
      inbox.push(who());
      if (inbox.items.length === 1) throw new Error('once');
    };
    await tenant.run('first', () => bus.subscribe('t', handler, { delivery, retry, ...order }));
    await tenant.run('second', () => bus.publish('t', 1, { delivery }));
    expect(await inbox.until(2)).toEqual(['nobody', 'nobody']);
  });

  it('does not pass from one handler to the next, nor from who resumes', async () => {
    const bus = await started();
    const inbox = new Inbox<string>();
    const handler = async () => {
      inbox.push(who());
      await Promise.resolve();
      tenant.enterWith('a handler');
    };
    const subscription = await bus.subscribe('t', handler, { delivery, concurrency: 1 });
    await bus.publish('t', 1, { delivery });
    for (let n = 0; n < 3; n++) await bus.publish('t', n, { delivery });
    await inbox.until(4);
    tenant.run('pauses', () => subscription.pause());
    if (delivery === 'at-least-once') await bus.publish('t', 1, { delivery });
    tenant.run('resumes', () => subscription.resume());
    if (delivery === 'at-most-once') await bus.publish('t', 1, { delivery });
    expect(await inbox.until(5)).toEqual(Array(5).fill('nobody'));
  });

  it("of a reply is its caller's own, also of one whose time is up", async () => {
    const bus = await started();
    await bus.subscribe('sum', () => 3, { delivery });
    await bus.subscribe('never', () => new Promise(() => {}), { delivery, timeout: 60_000 });
    const ask = (topic: string, name: string) =>
      tenant.run(
        name,
        () =>
          new Promise<string>((resolve) => {
            const tell = () => resolve(`${name}: ${who()}`);
            bus.requestStream(
              topic,
              1,
              { delivery, timeout: 200 },
              { next: tell, complete: tell, error: tell },
            );
          }),
      );
    const told = await Promise.all([ask('sum', 'a'), ask('sum', 'b'), ask('never', 'c'), ask('never', 'd')]);
    expect(told).toEqual(['a: a', 'b: b', 'c: c', 'd: d']);
  });
});

it("of a status listener is nobody's", async () => {
  const bus = makeOn();
  const inbox = new Inbox<string>();
  tenant.run('listens', () => bus.onStatus(() => inbox.push(who())));
  await tenant.run('starts', () => bus.start());
  expect(new Set(await inbox.until(2))).toEqual(new Set(['nobody']));
});
