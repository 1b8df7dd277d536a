import { DiscoBus } from '../../../lib/bus/disco-bus.js';
import type { PublishOptions } from '../../../lib/bus/options/bus-options.js';
import type { DeliveryGuarantee } from '../../../lib/driver/capabilities.js';
import { redisDriver } from '../../../lib/drivers/redis/index.js';
import { FaultProxy } from '../../support/fault-proxy.js';
import { RedisServer } from '../../support/redis-server.js';

const silent = { log() {}, warn() {}, error() {} };
const code = (expected: string) => expect.objectContaining({ code: `DISCO_${expected}` });

let server: RedisServer;
beforeAll(async () => {
  server = await RedisServer.start();
});
afterAll(() => server.stop());

describe.each(['at-most-once', 'at-least-once'] as const)(
  'a publish %s to a server that does not answer',
  (delivery: DeliveryGuarantee) => {
    let proxy: FaultProxy;
    let bus: DiscoBus;
    beforeEach(async () => {
      proxy = await FaultProxy.start(server.port);
      const driver = redisDriver({ url: proxy.url, heartbeat: '20s' });
      const prefix = `t${Math.random().toString(36).slice(2)}`;
      bus = new DiscoBus({ driver, prefix, logger: silent, shutdownTimeout: 1 });
      await bus.start();
      await publish('before');
      proxy.blackHole();
    });
    afterEach(async () => {
      await bus.stop();
      await proxy.stop();
    });
    const publish = (payload: unknown, options: PublishOptions = {}) =>
      bus.publish('t', payload, { delivery, ...options });

    /** How long it takes to be rejected with an unknown outcome or, where it waits behind another, as not sent. */
    async function rejected(publishing: Promise<unknown>): Promise<{ code: string; afterMs: number }> {
      const startedMs = performance.now();
      const error = await publishing.then(
        () => ({ code: 'accepted' }),
        (reason) => reason,
      );
      return { code: error.code, afterMs: performance.now() - startedMs };
    }

    it('settles by its timeout, whatever travels in front of it and behind it', async () => {
      const patient = publish('patient', { timeout: '10s' });
      patient.catch(() => {});
      const hurried = [100, 200, 300].map((timeout) => rejected(publish(timeout, { timeout })));
      for (const [index, outcome] of (await Promise.all(hurried)).entries()) {
        expect(outcome).toEqual({ code: 'DISCO_PUBLISH_OUTCOME_UNKNOWN', afterMs: expect.any(Number) });
        expect(outcome.afterMs).toBeGreaterThan(95 * (index + 1));
        expect(outcome.afterMs).toBeLessThan(100 * (index + 1) + 150);
      }
      proxy.pass();
      await expect(patient).resolves.toMatchObject({ topic: 't' });
    });

    it('settles messages that wait in the lane of their topic by their own time', async () => {
      const first = rejected(publish(1, { timeout: 200 }));
      await new Promise((resolve) => setTimeout(resolve, 100));
      const behind = [2, 3].map((n) => rejected(publish(n, { timeout: 200 })));
      expect((await first).code).toBe('DISCO_PUBLISH_OUTCOME_UNKNOWN');
      for (const outcome of await Promise.all(behind)) {
        expect(outcome.code).toMatch(/PUBLISH_(TIMEOUT|OUTCOME_UNKNOWN)/);
        expect(outcome.afterMs).toBeLessThan(350);
      }
    });

    it('ends by its signal with an unknown outcome, once it is sent', async () => {
      const caller = new AbortController();
      const sent = publish('sent', { signal: caller.signal });
      await new Promise((resolve) => setTimeout(resolve, 50));
      caller.abort('enough');
      await expect(sent).rejects.toEqual(code('PUBLISH_OUTCOME_UNKNOWN'));
      await expect(sent).rejects.toMatchObject({ cause: 'enough' });
    });
  },
);
