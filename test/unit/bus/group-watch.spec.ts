import type { DiscoDriver } from '../../../lib/driver/driver.js';
import { MemoryBroker, memoryDriver } from '../../../lib/drivers/memory/index.js';
import type { Metrics } from '../../../lib/metrics/metrics.js';
import { noopMetrics } from '../../../lib/metrics/noop-metrics.js';
import { DriverDecorator } from '../../../lib/testing/driver-decorator.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import { buses, gate } from './support.js';

/** One whose readings of topics wait until they are let go. */
class HeldReadings extends DriverDecorator {
  readonly held = gate();

  override readonly inspectTopic = async (
    ...given: Parameters<NonNullable<DriverDecorator['inspectTopic']>>
  ) => {
    await this.held.promise;
    return (this.inner as ReturnType<typeof memoryDriver>).inspectTopic(...given);
  };
}

describe('the numbers of groups', () => {
  const { started } = buses();
  const clock = new ManualClock();
  const broker = new MemoryBroker({ clock });

  /** A process that reads `orders`, and whether it tells its numbers now. */
  async function processOf(driver: DiscoDriver) {
    const process = { tells: false };
    const set = (numbers: unknown) => {
      process.tells = numbers !== undefined;
    };
    const metrics: Metrics = { ...noopMetrics, group: () => ({ set }) };
    const bus = await started({ driver, metrics, metricsInterval: '1s', clock });
    await bus.subscribe('orders', () => undefined, { delivery: 'at-least-once' });
    return process;
  }

  it('are told by one process also after a reading so long that the next one is put off beyond the turn', async () => {
    const slow = new HeldReadings(memoryDriver({ broker }));
    const one = await processOf(slow);
    await clock.advance(1_000);
    await clock.advance(400);
    slow.held.open();
    await clock.advance(1);
    expect(one.tells).toBe(true);
    const two = await processOf(memoryDriver({ broker }));
    const tellers = new Set<number>();
    for (let passed = 0; passed < 30_000; passed += 250) {
      await clock.advance(250);
      tellers.add([one, two].filter(({ tells }) => tells).length);
    }
    expect([...tellers]).toEqual([1]);
  });
});
