import { setTimeout as sleep } from 'node:timers/promises';
import type { DeliveryGuarantee } from '../../../lib/driver/capabilities.js';
import { buses, gate, Inbox, KeepingLogger } from '../bus/support.js';
import { cases, useEngines } from './two-engines.js';

const { started } = buses();
const driverOf = useEngines();
const all = cases.flatMap(([engine, delivery]) =>
  ([undefined, 'key'] as const).map((orderBy) => [engine, delivery, orderBy] as const),
);
const TIMEOUT_MS = 100;
const retry = { attempts: 3, backoff: { delay: 1, jitter: false } };

describe.each(all)(
  'a handler slower than its timeout on %s, %s, orderBy %s,',
  (engine, delivery, orderBy) => {
    const options = { delivery, orderBy, timeout: TIMEOUT_MS, concurrency: 4, retry };
    const begin = async () => {
      const logger = new KeepingLogger();
      const bus = await started({ driver: driverOf(engine), logger });
      const publish = (payload: unknown, key = 'k') => bus.publish('t', payload, { delivery, key });
      return { bus, logger, publish };
    };

    it('never runs beside its next attempt, and a late success counts', async () => {
      const { bus, logger, publish } = await begin();
      const attempts = new Inbox<number>();
      const ends = gate();
      await bus.subscribe(
        't',
        async (_: unknown, { attempt, signal }) => {
          attempts.push(attempt);
          await ends.promise;
          attempts.push(signal.aborted ? -attempt : 0);
        },
        options,
      );
      await publish(1);
      await attempts.until(1);
      await sleep(4 * TIMEOUT_MS);
      ends.open();
      await attempts.until(2);
      await sleep(50);
      expect(attempts.items).toEqual([1, -1]);
      const lines = logger.lines.filter((line) => line.startsWith('"t"'));
      expect(lines).toEqual([
        expect.stringMatching(
          /, attempt 1, runs for longer than its timeout of 100 ms.*for 5000 ms at most$/,
        ),
        expect.stringMatching(/, attempt 1, succeeded \d+ ms after its timeout, and counts as handled$/),
      ]);
    });

    it('is tried again once it has failed late, and not before', async () => {
      const { bus, publish } = await begin();
      const steps = new Inbox<string>();
      await bus.subscribe(
        't',
        async (_: unknown, { attempt }) => {
          steps.push(`${attempt} begins`);
          if (attempt === 1) await sleep(3 * TIMEOUT_MS);
          steps.push(`${attempt} ends`);
          if (attempt === 1) throw new Error('too late');
        },
        options,
      );
      await publish(1);
      expect(await steps.until(4)).toEqual(['1 begins', '1 ends', '2 begins', '2 ends']);
    });

    it('keeps its place: others wait for it', async () => {
      const { bus, publish } = await begin();
      const steps = new Inbox<string>();
      await bus.subscribe(
        't',
        async (name: string) => {
          steps.push(`${name} begins`);
          await sleep(name === 'slow' ? 3 * TIMEOUT_MS : 0);
          steps.push(`${name} ends`);
        },
        { ...options, concurrency: 1 },
      );
      await publish('slow', 'a');
      await publish('next', orderBy ? 'a' : 'b');
      expect(await steps.until(4)).toEqual(['slow begins', 'slow ends', 'next begins', 'next ends']);
    });
  },
);

describe.each<['memory' | 'redis', DeliveryGuarantee]>([
  ['memory', 'at-most-once'],
  ['redis', 'at-most-once'],
])('a request whose handler is slower than its timeout on %s', (engine, delivery) => {
  it('fails at its timeout, and the handler keeps its place', async () => {
    const bus = await started({ driver: driverOf(engine) });
    const steps = new Inbox<string>();
    const ends = gate();
    const handler = async (name: string) => {
      steps.push(name);
      if (name === 'slow') await ends.promise;
      return name;
    };
    await bus.subscribe('t', handler, {
      delivery,
      timeout: TIMEOUT_MS,
      concurrency: 1,
      retry: { attempts: 1 },
    });
    const slow = bus.request('t', 'slow', { timeout: '5s' });
    await expect(slow).rejects.toMatchObject({ remoteCode: 'DISCO_HANDLER_TIMEOUT' });
    const next = bus.request('t', 'next', { timeout: '5s' });
    await sleep(100);
    expect(steps.items).toEqual(['slow']);
    ends.open();
    expect(await next).toBe('next');
  });
});
