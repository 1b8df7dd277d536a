import type { BusStatus } from '../../../lib/bus/bus-status.js';
import { MemoryBroker, MemoryDriver, memoryDriver } from '../../../lib/drivers/memory/index.js';
import { NotConnectedError } from '../../../lib/errors/bus.errors.js';
import { DriverError } from '../../../lib/errors/driver.errors.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import { buses, gate, Inbox, KeepingLogger } from './support.js';

const { make, started } = buses();
const code = (expected: string) => expect.objectContaining({ code: expected });

/** Cannot connect until told that it can. */
class AbsentServer extends MemoryDriver {
  present = false;
  readonly attempts = new Inbox<number>();
  error: Error = new NotConnectedError('nobody there');

  override async connect(): Promise<void> {
    this.attempts.push(1);
    if (!this.present) throw this.error;
    return super.connect();
  }
}

describe('lifecycle', () => {
  it('goes from idle through connecting and ready to closed, and tells', async () => {
    const bus = make();
    const told: BusStatus[] = [];
    bus.onStatus((status) => told.push(status));
    expect(bus.state).toBe('idle');
    await Promise.all([bus.start(), bus.start()]);
    expect([bus.state, bus.connected]).toEqual(['ready', true]);
    await bus.ping();
    await Promise.all([bus.stop(), bus.stop()]);
    expect([bus.state, bus.connected]).toEqual(['closed', false]);
    const states = told.flatMap((status) => (status.type === 'state' ? [status.state] : []));
    expect(states).toEqual(['connecting', 'ready', 'draining', 'closed']);
  });

  it('is not harmed by a listener that throws', async () => {
    const bus = make();
    const second = jest.fn();
    bus.onStatus(() => {
      throw new Error('mine');
    });
    bus.onStatus(second);
    await bus.start();
    expect(second).toHaveBeenCalled();
  });

  it('can be stopped before it was started', async () => {
    const bus = make();
    await bus.stop();
    expect(bus.state).toBe('closed');
  });

  it('waits for its server, then fails if that is critical, and may be started again', async () => {
    const driver = new AbsentServer();
    const bus = make({ driver, connection: { timeout: 30, critical: true } });
    await expect(bus.start()).rejects.toThrow(code('DISCO_NOT_CONNECTED'));
    expect(bus.state).toBe('idle');
    driver.present = true;
    await bus.start();
    expect(bus.state).toBe('ready');
  });

  it('goes on connecting in the background otherwise', async () => {
    const driver = new AbsentServer();
    const logger = new KeepingLogger();
    const bus = make({ driver, logger, connection: { timeout: 10 } });
    await bus.start();
    expect([bus.state, bus.connected]).toEqual(['connecting', false]);
    expect(logger.lines).toEqual([expect.stringContaining('background')]);
    const subscribing = bus.subscribe('orders', () => {});
    driver.present = true;
    await subscribing;
    expect(bus.state).toBe('ready');
  });

  it('does not try again what cannot be mended', async () => {
    const driver = new AbsentServer();
    driver.error = new DriverError('wrong password', { retryable: false });
    const bus = make({ driver });
    await expect(bus.start()).rejects.toThrow('wrong password');
    expect(driver.attempts.items).toHaveLength(1);
  });

  it('can be stopped while it is connecting, and fails the calls that waited', async () => {
    const driver = new AbsentServer();
    const bus = make({ driver, connection: { wait: false } });
    await bus.start();
    const publishing = bus.publish('orders', 1);
    await driver.attempts.until(1);
    await bus.stop();
    await expect(publishing).rejects.toThrow(code('DISCO_CLOSED'));
  });
});

describe('stop', () => {
  it('lets running handlers finish, and they may still publish', async () => {
    const broker = new MemoryBroker();
    const bus = await started({ driver: memoryDriver({ broker }) });
    const other = await started({ driver: memoryDriver({ broker }) });
    const inbox = new Inbox<string>();
    await other.subscribe('done', (payload) => inbox.push(payload));
    const [running, mayEnd] = [gate(), gate()];
    await bus.subscribe('orders', async () => {
      running.open();
      await mayEnd.promise;
      await bus.publish('done', 'finished');
    });
    await bus.publish('orders', 1);
    await running.promise;
    const stopping = bus.stop();
    expect(bus.state).toBe('draining');
    await expect(bus.subscribe('orders', () => {})).rejects.toThrow(code('DISCO_CLOSED'));
    mayEnd.open();
    await stopping;
    expect(await inbox.until(1)).toEqual(['finished']);
  });

  it('handles what it had already taken, at most once', async () => {
    const bus = await started();
    const inbox = new Inbox<number>();
    const [running, mayEnd] = [gate(), gate()];
    await bus.subscribe(
      'orders',
      async (n) => {
        running.open();
        await mayEnd.promise;
        inbox.push(n);
      },
      { concurrency: 1 },
    );
    await bus.publishBatch('orders', [1, 2, 3]);
    await running.promise;
    const stopping = bus.stop();
    mayEnd.open();
    await stopping;
    expect(inbox.items).toEqual([1, 2, 3]);
  });

  it('gives what it had not begun back to the group, at least once', async () => {
    const broker = new MemoryBroker();
    const bus = await started({ driver: memoryDriver({ broker }) });
    const [running, mayEnd] = [gate(), gate()];
    const handled: number[] = [];
    const options = { delivery: 'at-least-once', group: 'g', concurrency: 1 } as const;
    await bus.subscribe(
      'orders',
      async (n) => {
        running.open();
        await mayEnd.promise;
        handled.push(n);
      },
      options,
    );
    await bus.publishBatch('orders', [1, 2, 3], { delivery: 'at-least-once' });
    await running.promise;
    const stopping = bus.stop();
    mayEnd.open();
    await stopping;
    expect(handled).toEqual([1]);
    const successor = await started({ driver: memoryDriver({ broker }) });
    const inbox = new Inbox<number>();
    await successor.subscribe('orders', (n) => inbox.push(n), options);
    expect((await inbox.until(2)).sort()).toEqual([2, 3]);
  });

  it('closes when the grace time is over, and aborts the signal of what still runs', async () => {
    const bus = await started({ shutdownTimeout: 20 });
    const [running, aborted] = [gate(), gate<unknown>()];
    await bus.subscribe('orders', (_, ctx) => {
      ctx.signal.addEventListener('abort', () => aborted.open(ctx.signal.reason));
      running.open();
      return new Promise(() => {});
    });
    await bus.publish('orders', 1);
    await running.promise;
    await bus.stop();
    expect(await aborted.promise).toEqual(code('DISCO_CLOSED'));
  });

  it('drops and counts retries that were still waiting, at most once', async () => {
    const clock = new ManualClock();
    const bus = await started({ clock });
    const failed = gate();
    const dropped: BusStatus[] = [];
    bus.onStatus((status) => status.type === 'dropped' && dropped.push(status));
    await bus.subscribe(
      'orders',
      () => {
        failed.open();
        throw new Error('no');
      },
      { retry: { attempts: 2, backoff: { delay: '1h', max: '1h' } } },
    );
    await bus.publish('orders', 1);
    await failed.promise;
    await bus.stop();
    expect(dropped).toEqual([{ type: 'dropped', topic: 'orders', reason: 'failed' }]);
  });
});
