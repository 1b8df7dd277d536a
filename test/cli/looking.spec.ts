import { redisDriver } from '../../lib/drivers/redis/index.js';
import { until } from '../support/waiting.js';
import { cliStage } from './support.js';

describe('disco-bus topics, topic, groups, lag', () => {
  const stage = cliStage();
  const { cli, services } = stage;

  /** Three messages, one of them delayed, that the group "old" has not read. */
  async function orders() {
    await services.group('orders', 'old');
    const bus = await services.start('shop');
    await bus.publishBatch('orders', [1, 2]);
    await bus.publish('orders', 3, { delay: '1h' });
    return bus;
  }

  it('list topics and groups, and print as JSON every field that the table has', async () => {
    await orders();
    const { exitCode, stdout, stderr } = await cli.run(['topics']);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toMatch(/^topic +messages +oldest +delayed/);
    expect(stdout).toMatch(/^orders +2 .* 1 +0 +2 +1 +0 +2 +0\n/m);
    const [row] = await cli.ask('topics');
    expect(row).toMatchObject({
      ...{ topic: 'orders', messages: 2, exact: true, delayed: 1, overdue: 0, published: 2 },
      ...{ groups: 1, members: 0, lag: 2, deadLetters: 0 },
    });
    expect(new Date(row.oldestAt).toISOString()).toBe(row.oldestAt);
    expect(await cli.ask('topic', 'orders')).toMatchObject({
      topic: 'orders',
      bytes: expect.any(Number),
      nextDueAt: expect.stringMatching(/Z$/),
      groups: [{ group: 'old', waiting: 2 }],
    });
    const [group] = await cli.ask('groups', 'orders');
    expect(group).toMatchObject({ topic: 'orders', group: 'old', lag: 2, waiting: 2, held: 0, members: 0 });
    expect((await cli.run(['topic', 'orders'])).stdout).toMatch(/^old +2 +2 +0/m);
  });

  it('list topics that a pattern matches, under the prefix that is given', async () => {
    const bus = await services.start('shop');
    await bus.publish('orders.eu', 1);
    await bus.publish('users', 1);
    const other = await services.start('shop', { prefix: 'other' });
    await other.publish('elsewhere', 1);
    expect((await cli.ask('topics', 'orders.*')).map(({ topic }: any) => topic)).toEqual(['orders.eu']);
    const there = await cli.ask('--prefix', 'other', 'topics');
    expect(there.map(({ topic }: any) => topic)).toEqual(['elsewhere']);
  });

  it('list topics at most once, and who uses them, until the last of them has ended', async () => {
    await orders();
    const ticker = await services.start('ticker', { topics: { bare: { wire: 'go' } } });
    await ticker.subscribe('ticks', () => undefined, { delivery: 'at-most-once' });
    await ticker.subscribe('bare', () => undefined);
    const watcher = await services.start('watcher');
    await watcher.publish('ticks', 1, { delivery: 'at-most-once' });
    const listed = async (...args: string[]) =>
      (await cli.ask('topics', ...args)).map(({ topic, delivery, bare, usedBy }: any) => {
        return [topic, delivery, bare, usedBy?.map((by: string) => by.replace(/ \(\w{8}\)$/, ''))];
      });
    const ticks = ['ticks', 'at-most-once', false, ['service "ticker"', 'service "watcher"']];
    await until('both are listed', async () => (await listed()).length === 3);
    expect(await listed()).toEqual([
      ['orders', 'at-least-once', undefined, undefined],
      ['bare', 'at-most-once', true, ['service "ticker"']],
      ticks,
    ]);
    expect(await listed('ticks')).toEqual([ticks]);
    const { stdout } = await cli.run(['topics']);
    expect(stdout).toMatch(
      /^topic +messages[\s\S]*\n\nat most once +by its bare name +used by\nbare +yes +service/,
    );
    expect(stdout).toMatch(/^ticks +no +service "ticker" \(\w+\), service "watcher" \(\w+\)$/m);
    await Promise.all([ticker.stop(), watcher.stop()]);
    expect(await listed()).toEqual([['orders', 'at-least-once', undefined, undefined]]);
  });

  it('the list of topics at most once expires, and is struck off as others go on', async () => {
    const driver = redisDriver({ url: stage.server.url });
    await driver.connect();
    const use = (topic: string, holdMs: number) =>
      driver.agreeOn(topic, { delivery: 'at-most-once' }, 'service "ticker" (1)', holdMs);
    const listed = () => stage.admin.zrange('disco:channel-topics', '0', '-1');
    await use('brief', 200);
    await until('it is listed', async () => (await listed()).includes('brief'));
    expect(await stage.admin.pttl('disco:channel-topics')).toBeLessThanOrEqual(200);
    await use('lasting', 60_000);
    await until('both are listed', async () => (await listed()).length === 2);
    await until('its use is over', async () => (await stage.admin.exists('disco:{brief}:uses')) === 0);
    expect((await cli.ask('topics')).map(({ topic }: any) => topic)).toEqual(['lasting']);
    await use('lasting', 60_000);
    await until('it is struck off', async () => (await listed()).join() === 'lasting');
    expect(await stage.admin.pttl('disco:channel-topics')).toBeGreaterThan(200);
    await driver.close();
  });

  it('lag ends with 6 when a group is further behind than that', async () => {
    await orders();
    const fine = await cli.run(['lag', '--fail-above', '2']);
    expect(fine.exitCode).toBe(0);
    const { exitCode, stdout, stderr } = await cli.run(['lag', '--fail-above', '1', '--json']);
    expect({ exitCode, rows: JSON.parse(stdout).length }).toEqual({ exitCode: 6, rows: 1 });
    expect(stderr).toContain('1 group with more than 1 messages');
    expect((await cli.run(['lag', '--group', 'other', '--fail-above', '1'])).exitCode).toBe(0);
  });

  it('--watch prints a line per tick, marks an outage, goes on, and ends with 130 at Ctrl-C', async () => {
    await orders();
    const run = cli.start(['lag', '--watch', '--every', '100ms', '--timeout', '1s', '--json']);
    await until('two ticks', () => run.lines.length >= 2);
    await stage.server.kill();
    await until('a gap', () => run.lines.some(({ outage }) => outage !== undefined));
    await stage.server.boot();
    await until('it goes on', () => Array.isArray(run.lines.at(-1)));
    await until('that is said', () => run.stderr.includes('there is a connection again'));
    run.process.kill('SIGINT');
    expect(await run.ended).toBe(130);
  });

  it('tells a topic whose key is another program’s, shows the others, and ends with 1', async () => {
    await orders();
    await stage.admin.set('disco:{taken}', 'x');
    await stage.admin.zadd('disco:stream-topics', 1, 'taken');
    const { exitCode, stdout, stderr } = await cli.run(['topics', '--json']);
    expect(exitCode).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject([{ topic: 'orders' }, { topic: 'taken', error: /./ }].map(like));
    expect(stderr).toMatch(/^disco-bus: "taken" cannot be read: .*WRONGTYPE/);
    expect(stderr).not.toMatch(/^\s+at /m);
  });

  it('shows a foreign stream under the prefix as what it is', async () => {
    await stage.admin.xadd('disco:{foreign}', '*', 'a', 'b');
    expect(await cli.ask('topic', 'foreign')).toMatchObject({ entries: 1, exact: false, groups: [] });
  });

  it('a topic or a group that is not there ends with 3', async () => {
    await orders();
    const topic = await cli.run(['groups', 'nothing']);
    expect(topic).toMatchObject({ exitCode: 3, stdout: '' });
    expect(topic.stderr).toContain('There is no topic "nothing"');
    const group = await cli.run(['groups', 'pause', 'orders', 'odl', '--yes']);
    expect(group.exitCode).toBe(3);
    expect(group.stderr).toContain('has no group "odl"; it has "old"');
  });

  it('registers nowhere and changes nothing', async () => {
    await services.group('orders', 'old');
    const all = async () => (await stage.admin.keys('*')).sort();
    const before = await all();
    for (const args of [['topics'], ['topic', 'orders'], ['groups', 'orders'], ['lag']]) {
      await cli.ask(...args);
    }
    expect(await all()).toEqual(before);
  });
});

function like(row: Record<string, unknown>): Record<string, unknown> {
  return 'error' in row ? { ...row, error: expect.any(String) } : row;
}
