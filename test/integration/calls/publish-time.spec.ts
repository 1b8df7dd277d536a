import { DiscoBus } from '../../../lib/bus/disco-bus.js';
import type { PublishOptions } from '../../../lib/bus/options/bus-options.js';
import type { DeliveryGuarantee } from '../../../lib/driver/capabilities.js';
import { redisDriver } from '../../../lib/drivers/redis/index.js';
import { FaultProxy } from '../../support/fault-proxy.js';
import { RedisServer } from '../../support/redis-server.js';
import { pause } from '../../support/waiting.js';

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

    /**
     * How long it takes to be rejected with an unknown outcome or, where it waits behind another, as not sent. `lateMs`: how
     * much longer than a timer that was set beside it, which is as late as the machine is.
     */
    async function rejected(payload: unknown, timeout: number) {
      // Before the call: its time begins within it.
      const startedMs = performance.now();
      const timer = pause(timeout).then(() => performance.now());
      const error = await publish(payload, { timeout }).then(
        () => ({ code: 'accepted' }),
        (reason) => reason,
      );
      const endedMs = performance.now();
      return { code: error.code, afterMs: endedMs - startedMs, lateMs: endedMs - (await timer) };
    }

    it('settles by its timeout, whatever travels in front of it and behind it', async () => {
      const patient = publish('patient', { timeout: '10s' });
      patient.catch(() => {});
      const hurried = [100, 200, 300].map((timeout) => rejected(timeout, timeout));
      for (const [index, outcome] of (await Promise.all(hurried)).entries()) {
        expect(outcome.code).toBe('DISCO_PUBLISH_OUTCOME_UNKNOWN');
        // Timers count in whole milliseconds.
        expect(outcome.afterMs).toBeGreaterThan(100 * (index + 1) - 1);
        expect(outcome.lateMs).toBeLessThan(100);
      }
      proxy.pass();
      await expect(patient).resolves.toMatchObject({ topic: 't' });
    });

    it('settles messages that wait in the lane of their topic by their own time', async () => {
      const first = rejected(1, 200);
      await pause(100);
      const behind = [2, 3].map((n) => rejected(n, 200));
      expect((await first).code).toBe('DISCO_PUBLISH_OUTCOME_UNKNOWN');
      for (const outcome of await Promise.all(behind)) {
        expect(outcome.code).toMatch(/PUBLISH_(TIMEOUT|OUTCOME_UNKNOWN)/);
        expect(outcome.lateMs).toBeLessThan(150);
      }
    });

    it('ends by its signal with an unknown outcome, once it is sent', async () => {
      const caller = new AbortController();
      const sent = publish('sent', { signal: caller.signal });
      await pause(50);
      caller.abort('enough');
      await expect(sent).rejects.toEqual(code('PUBLISH_OUTCOME_UNKNOWN'));
      await expect(sent).rejects.toMatchObject({ cause: 'enough' });
    });
  },
);
