import { MemoryDriver } from '../../../lib/drivers/memory/index.js';
import { buses, gate, KeepingLogger } from './support.js';

const { started } = buses();
const once = { delivery: 'at-most-once' } as const;

async function hanging(shutdownTimeout: number) {
  const logger = new KeepingLogger();
  const bus = await started({ shutdownTimeout, logger });
  const [running, aborted] = [gate(), gate()];
  const subscription = await bus.subscribe(
    'orders',
    (_, { signal }) => {
      signal.addEventListener('abort', () => aborted.open());
      running.open();
      return new Promise(() => {});
    },
    once,
  );
  await bus.publish('orders', 1, once);
  await running.promise;
  return { bus, subscription, aborted, logger };
}

describe('closing takes the shutdown time and no more', () => {
  it('of a subscription, whose handler is told by its signal', async () => {
    const { subscription, aborted, logger } = await hanging(30);
    await subscription.close();
    await aborted.promise;
    expect(logger.lines).toContainEqual(expect.stringContaining('still run'));
  });

  it('of a subscription that was being closed when the bus was', async () => {
    const { bus, subscription } = await hanging(30);
    const closing = subscription.close();
    await bus.drain();
    await closing;
  });

  it('of a driver that does not end', async () => {
    class Endless extends MemoryDriver {
      override close(): Promise<void> {
        void super.close();
        return new Promise(() => {});
      }
    }
    const logger = new KeepingLogger();
    const bus = await started({ driver: new Endless(), shutdownTimeout: 30, logger });
    await bus.stop();
    expect(bus.state).toBe('closed');
    expect(logger.lines).toContainEqual(expect.stringContaining('still busy'));
  });
});
