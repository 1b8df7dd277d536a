import { setImmediate as turn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { transportAccess } from '../../../lib/bus/transport-access.js';
import type { DiscoBusError } from '../../../lib/errors/disco-bus-error.js';
import { buses } from '../bus/support.js';
import { cases, useEngines } from './two-engines.js';

const REQUESTS = process.env.FULL === '1' ? 10_000 : 1_000;
const BODY_BYTES = 100_000;
/** So many are made before those before them have arrived: `publishLimit` refuses more. */
const AT_A_TIME = 50;

setFlagsFromString('--expose_gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** The bytes in use, once what is free is collected. */
async function usedBytes(): Promise<number> {
  for (let round = 0; round < 5; round++) {
    await turn();
    collectGarbage();
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

const { started } = buses();
const driverOf = useEngines();

describe.each(cases)('requests that wait, on %s, %s,', (engine, delivery) => {
  it.each([
    ['bytes', (n: number) => Buffer.alloc(BODY_BYTES, n)],
    ['text', (n: number) => Buffer.alloc(BODY_BYTES, 97 + (n % 26)).toString('latin1')],
  ])(
    `keep nothing of their payload of ${BODY_BYTES} bytes: %s`,
    async (_, payload) => {
      const bus = await started({ driver: driverOf(engine), maxPendingRequests: REQUESTS });
      let came = 0;
      let arrived = () => {};
      await bus.subscribe('t', () => void (++came % AT_A_TIME === 0 && arrived()), { delivery });
      const before = await usedBytes();
      const settled: Promise<unknown>[] = [];
      for (let n = 0; n < REQUESTS; n += AT_A_TIME) {
        const all = new Promise<void>((resolve) => (arrived = resolve));
        for (let each = n; each < n + AT_A_TIME; each++)
          settled.push(bus.request('t', payload(each), { delivery, timeout: '10m' }).catch((error) => error));
        await all;
      }
      const kept = (await usedBytes()) - before;
      expect([came, transportAccess(bus).pendingRequests]).toEqual([REQUESTS, REQUESTS]);
      expect(kept / (REQUESTS * BODY_BYTES)).toBeLessThan(0.3);
      await bus.stop();
      expect(new Set((await Promise.all(settled)).map((error) => (error as DiscoBusError).code))).toEqual(
        new Set(['DISCO_CLOSED']),
      );
    },
    120_000,
  );
});
