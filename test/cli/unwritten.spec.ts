import { redisDriver } from '../../lib/drivers/redis/index.js';
import { UnrecoverableError } from '../../lib/errors/handler.errors.js';
import { LockManager } from '../../lib/lock/lock-manager.js';
import { until } from '../support/waiting.js';
import { cliStage } from './support.js';

describe('disco-bus, where the audit cannot be written', () => {
  const stage = cliStage();
  const { cli, services } = stage;

  /** Runs it while another program's key is in the place of the audit: done, and told in one line. */
  async function isTold(...args: string[]): Promise<void> {
    await stage.admin.set('disco:audit', 'taken');
    const { exitCode, stdout, stderr } = await cli.run([...args, '--yes']);
    expect({ args, exitCode, done: stdout !== '' }).toEqual({ args, exitCode: 0, done: true });
    expect(stderr).toMatch(/^disco-bus: What was done could not be written down: .*WRONGTYPE.*\n$/);
  }

  it('says so for what is done to groups, topics and delayed messages', async () => {
    await services.group('orders', 'shop');
    const bus = await services.start('publisher');
    await bus.publishBatch('orders', [1, 2, 3]);
    await isTold('groups', 'pause', 'orders', 'shop');
    expect((await bus.inspect.group('orders', 'shop'))?.paused).toBe(true);
    await isTold('groups', 'resume', 'orders', 'shop');
    await isTold('groups', 'limit', 'orders', 'shop', '2');
    await isTold('groups', 'seek', 'orders', 'shop', '--to', 'end', '--skip');
    await isTold('groups', 'purge', 'orders', 'shop');
    for (const n of [1, 2]) await bus.publish('orders', n, { delay: '1h' });
    const [first, second] = await cli.ask('delayed', 'orders');
    await isTold('delayed', 'rm', 'orders', first.id);
    await isTold('delayed', 'run', 'orders', second.id);
    await isTold('groups', 'rm', 'orders', 'shop', '--discard');
    await isTold('topics', 'purge', 'orders');
  });

  it('says so for what is done to dead letters, and to locks', async () => {
    const bus = await services.start('shop');
    await bus.subscribe('orders', () => {
      throw new UnrecoverableError('never');
    });
    const letters = bus.deadLetters('orders');
    await bus.publishBatch('orders', [1, 2, 3, 4]);
    const given = () => until('all are given up', async () => (await letters.count()) === 4);
    await given();
    const first = async () => (await letters.peek())[0].position;
    await isTold('dead', 'replay', 'orders', 'shop', await first());
    await given();
    await isTold('dead', 'edit', 'orders', 'shop', await first(), '--payload', '5');
    await given();
    await isTold('dead', 'rm', 'orders', 'shop', await first());
    await isTold('dead', 'purge', 'orders', 'shop');
    expect(await letters.count()).toBe(0);

    const locks = new LockManager(redisDriver({ url: stage.server.url }).lockStore({ service: 'shop' }));
    await locks.connect();
    await locks.acquire('order:1', { ttl: '1m' });
    await isTold('locks', 'release', 'order:1');
    await locks.close();
  });

  it('and nothing where it can', async () => {
    await services.group('orders', 'shop');
    const { exitCode, stderr } = await cli.run(['groups', 'pause', 'orders', 'shop', '--yes']);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(await cli.ask('audit')).toHaveLength(1);
  });
});
