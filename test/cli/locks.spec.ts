import { hostname } from 'node:os';
import type { LockStore } from '../../lib/driver/lock-store.js';
import { redisDriver } from '../../lib/drivers/redis/index.js';
import type { Lock } from '../../lib/lock/lock.js';
import { LockManager } from '../../lib/lock/lock-manager.js';
import { documentedRules } from '../support/acl-rules.js';
import { FaultProxy } from '../support/fault-proxy.js';
import { until } from '../support/waiting.js';
import { cliStage } from './support.js';

describe('disco-bus locks', () => {
  const stage = cliStage();
  const { cli } = stage;
  const managers: LockManager[] = [];
  const proxies: FaultProxy[] = [];
  afterEach(async () => {
    await Promise.all(proxies.splice(0).map((proxy) => proxy.stop()));
    await Promise.all(managers.splice(0).map((manager) => manager.close()));
  });

  /** Locks of a service, as its bus has them. */
  async function locksOf(service: string, prefix = 'disco'): Promise<LockManager> {
    const store: LockStore = redisDriver({ url: stage.server.url }).lockStore({ prefix, service });
    const manager = new LockManager(store, { onForcedRelease: () => undefined });
    managers.push(manager);
    await manager.connect();
    return manager;
  }

  const owner = (service: string) => ({ service, host: hostname(), pid: process.pid });

  it('list shows every lock that is held, by whom, in what way, and for how long', async () => {
    const shop = await locksOf('shop');
    const billing = await locksOf('billing');
    const order = await shop.acquire('order:1', { ttl: '1m' });
    await shop.semaphore('upload', 3).acquire({ ttl: '2m' });
    await billing.semaphore('upload', 3).acquire({ ttl: '2m' });
    await billing.readWrite('stock').read.acquire({ ttl: '3m' });
    const waiting = billing.acquire('order:1', { wait: '1m', fair: true });
    await until('it waits', async () => (await shop.inspect('order:1')).waiting === 1);
    const rows = await cli.ask('locks', 'list');
    expect(rows.map(({ key, mode }: any) => [key, mode])).toEqual([
      ['order:1', 'exclusive'],
      ['stock', 'read'],
      ['upload', 'semaphore'],
    ]);
    const [first, , third] = rows;
    expect(first).toMatchObject({ waiting: 1, fencingToken: String(order.fencingToken) });
    expect(first.holders).toMatchObject([
      { owner: owner('shop'), since: expect.stringMatching(/Z$/), until: expect.stringMatching(/Z$/) },
    ]);
    expect(first.remainingMs).toBeGreaterThan(30_000);
    expect(first.remainingMs).toBeLessThanOrEqual(60_000);
    expect(third.permits).toBe(3);
    expect(third.holders.map((holder: any) => holder.owner.service).sort()).toEqual(['billing', 'shop']);
    const { stdout } = await cli.run(['locks', 'list']);
    expect(stdout).toMatch(/^key +mode +holders +held by +waiting +remaining\n/);
    expect(stdout).toMatch(/^order:1 +exclusive +1 +shop \(.*, \d+\) +1 +(5\ds|1m)$/m);
    expect(stdout).toMatch(/^upload +semaphore +2 of 3 +/m);
    expect((await cli.ask('locks', 'list', 'order:*')).map(({ key }: any) => key)).toEqual(['order:1']);
    await order.release();
    await (await waiting).release();
  });

  it('list follows the pages to the end, and tells each lock once', async () => {
    const shop = await locksOf('shop');
    const keys = Array.from({ length: 2_500 }, (_, n) => `k${n}`).sort();
    await Promise.all(keys.map((key) => shop.acquire(key, { ttl: '5m' })));
    const { cursor } = await shop.list({ limit: 1_000 });
    expect(cursor).toBeDefined();
    expect((await cli.ask('locks', 'list')).map(({ key }: any) => key)).toEqual(keys);
  });

  it('locks under another prefix, and with bare keys, are found where that is said', async () => {
    await (await locksOf('shop', 'other')).acquire('a', { ttl: '1m' });
    await (await locksOf('shop', '')).acquire('b', { ttl: '1m' });
    const keys = async (...args: string[]) =>
      (await cli.ask('locks', 'list', ...args)).map(({ key }: any) => key);
    expect(await keys()).toEqual([]);
    expect(await keys('--lock-prefix', 'other')).toEqual(['a']);
    expect(await keys('--prefix', 'other')).toEqual(['a']);
    expect(await keys('--bare')).toEqual(['b']);
    const release = ['locks', 'release', '--bare', 'b', '--yes', '--by', 'ann'];
    expect(await cli.ask(...release)).toMatchObject({ key: 'b', holders: 1 });
    expect(await cli.ask('audit')).toMatchObject([{ action: 'force release', lock: 'b' }]);
  });

  it('show tells one lock, and looking writes nothing down', async () => {
    const shop = await locksOf('shop');
    await shop.acquire('order:1', { ttl: '1m' });
    const keys = async () => (await stage.admin.keys('*')).sort();
    const before = await keys();
    const lock = await cli.ask('locks', 'show', 'order:1');
    expect(lock).toMatchObject({ key: 'order:1', mode: 'exclusive', holders: [{ owner: owner('shop') }] });
    const { stdout } = await cli.run(['locks', 'show', 'order:1']);
    expect(stdout).toMatch(/^fencing token +\d+$/m);
    expect(stdout).toMatch(/^shop \(.*\) +20.*Z +20.*Z$/m);
    await cli.ask('locks', 'list');
    expect(await keys()).toEqual(before);
  });

  it('release takes a lock from its holder, says who that was, gives it to the next, and is written down', async () => {
    const [shop, billing] = [await locksOf('shop'), await locksOf('billing')];
    const held: Lock = await shop.acquire('order:1', { ttl: '1m' });
    await held.extend();
    const next = billing.acquire('order:1', { wait: '1m' });
    await until('it waits', async () => (await shop.inspect('order:1')).waiting === 1);
    const lost = new Promise((resolve) => held.signal.addEventListener('abort', resolve, { once: true }));
    const done = await cli.ask('locks', 'release', 'order:1', '--yes', '--by', 'ann');
    expect(done).toMatchObject({
      key: 'order:1',
      holders: 1,
      heldBy: [{ owner: owner('shop') }],
      waiting: 1,
    });
    await lost;
    const got = await next;
    expect(got.fencingToken).toBeGreaterThan(held.fencingToken);
    const [deed] = await cli.ask('audit');
    expect(deed).toMatchObject({ by: 'ann', action: 'force release', lock: 'order:1', messages: 1 });
    const { stdout } = await cli.run(['audit']);
    expect(stdout).toMatch(
      /^at +by +action +topic +group +lock +messages\n.* force release +- +- +order:1 +1$/m,
    );
    const again = await cli.run(['locks', 'release', 'order:1', '--yes']);
    expect(again.stdout).toBe(`Taken from 1 holder: billing (${hostname()}, ${process.pid})\n`);
    const none = await cli.run(['locks', 'release', 'order:1', '--yes']);
    expect(none).toMatchObject({ exitCode: 3, stdout: '' });
    expect(none.stderr).toBe('disco-bus: Nobody holds the lock "order:1"\n');
    expect(await cli.ask('audit')).toHaveLength(2);
  });

  it('release without --yes and without a terminal takes nothing, and says from whom it would have', async () => {
    await (await locksOf('shop')).acquire('order:1', { ttl: '1m' });
    const { exitCode, stderr } = await cli.run(['locks', 'release', 'order:1'], { input: 'y\n' });
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/Takes the lock "order:1" from shop \(.*\); nobody waits\..*say --yes/);
    expect(await cli.ask('locks', 'list')).toHaveLength(1);
  });

  it('what is not there, or not meant so: a line and an exit code each', async () => {
    const told = async (args: string[]) => {
      const { exitCode, stdout, stderr } = await cli.run(args);
      expect({ args, stdout, lines: stderr.trim().split('\n').length }).toEqual({
        args,
        stdout: '',
        lines: 1,
      });
      return `${exitCode} ${stderr}`;
    };
    expect(await told(['locks', 'show', 'nothing'])).toMatch(/^3 .*Nobody holds the lock "nothing"/);
    expect(await told(['locks', 'release', 'nothing', '--yes'])).toMatch(/^3 .*Nobody holds the lock/);
    expect(await told(['locks', 'lsit'])).toMatch(/^2 .*did you mean "list"\?/);
    expect(await told(['locks', 'show'])).toMatch(/^2 .*KEY/);
    expect(await told(['locks', 'show', 'x'.repeat(1_001)])).toMatch(/^2 .*at most 1000/);
    expect(await told(['locks', 'list', '--lock-prefx', 'a'])).toMatch(/^2 .*did you mean --lock-prefix\?/);
    expect(await told(['locks', 'list', '--lock-prefix', 'a b'])).toMatch(/^2 .*prefix must be/);
    expect(await told(['locks', 'list', '--lock-prefix', ''])).toMatch(/^2 .*lock-prefix is empty/);
    expect(await told(['locks', 'list', '--bare', '--lock-prefix', 'a'])).toMatch(/^2 .*only one of/);
    expect(await told(['locks', 'list', '--url', 'redis://127.0.0.1:1', '--timeout', '500ms'])).toMatch(
      /^5 /,
    );
  });

  it('a connection that goes in the middle of it is an outage: 5; another program’s key is a failure: 1', async () => {
    const shop = await locksOf('shop');
    await Promise.all(Array.from({ length: 1_000 }, (_, n) => shop.acquire(`k${n}`, { ttl: '5m' })));
    const proxy = await FaultProxy.start(stage.server.port);
    proxies.push(proxy);
    proxy.cutAfter(100_000);
    const cut = await cli.run(['locks', 'list', '--url', proxy.url]);
    expect({ cuts: proxy.counts.cuts > 0, exitCode: cut.exitCode, stdout: cut.stdout }).toEqual({
      ...{ cuts: true, exitCode: 5, stdout: '' },
    });
    expect(cut.stderr).toMatch(/^disco-bus: Redis could not be asked for a lock: .*\n$/);
    await stage.admin.lpush('disco:fence:{taken}', 'x');
    const foreign = await cli.run(['locks', 'show', 'taken']);
    expect(foreign).toMatchObject({ exitCode: 1, stdout: '', stderr: expect.stringContaining('WRONGTYPE') });
  });

  it('rights that lack are named, with exit code 4; a deed that cannot be written down is done, and that is said', async () => {
    await (await locksOf('shop')).acquire('order:1', { ttl: '1m' });
    const as = (...rules: string[]) =>
      stage.admin.call('ACL', 'SETUSER', 'look', 'reset', 'on', '>pw', ...rules);
    const url = ['--url', `redis://look:pw@127.0.0.1:${stage.server.port}`];
    await as('+ping');
    const none = await cli.run(['locks', 'show', 'order:1', ...url]);
    expect(none).toMatchObject({ exitCode: 4, stdout: '' });
    expect(none.stderr).toMatch(/lacks rights \(NOPERM\) for locks: .*\+eval/);
    const documented = [...documentedRules('Every user'), ...documentedRules('Locks')];
    await as(...documented);
    const scan = await cli.run(['locks', 'list', ...url]);
    expect(scan).toMatchObject({ exitCode: 4, stdout: '', stderr: expect.stringMatching(/'scan'/) });
    expect((await cli.run(['locks', 'show', 'order:1', ...url])).exitCode).toBe(0);
    await as(...documented, '+scan');
    expect((await cli.run(['locks', 'list', ...url])).exitCode).toBe(0);
    const taken = await cli.run(['locks', 'release', 'order:1', '--yes', ...url]);
    expect(taken).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('Taken from 1 holder') });
    expect(taken.stderr).toMatch(/could not be written down: .*NOPERM/);
    await stage.admin.call('ACL', 'DELUSER', 'look');
  });
});
