import { UnrecoverableError } from '../../lib/errors/handler.errors.js';
import { until } from '../support/waiting.js';
import { cliStage } from './support.js';

describe('disco-bus groups, pending, delayed, dead, audit', () => {
  const stage = cliStage();
  const { cli, services } = stage;

  it('pause, limit and resume a group that is read, and write down who did it', async () => {
    const bus = await services.start('shop');
    await bus.subscribe('orders', () => undefined);
    const by = ['--yes', '--by', 'ann'];
    expect(await cli.ask('groups', 'pause', 'orders', 'shop', ...by)).toEqual({
      ...{ topic: 'orders', group: 'shop', changed: true, members: 1, confirmed: 1 },
    });
    expect(await cli.ask('groups', 'limit', 'orders', 'shop', '2', ...by)).toMatchObject({ confirmed: 1 });
    expect(await cli.ask('groups', 'orders')).toMatchObject([{ paused: true, limit: 2, members: 1 }]);
    expect((await cli.run(['groups', 'resume', 'orders', 'shop', '--yes'])).stdout).toContain(
      'all 1 member go',
    );
    expect(await cli.ask('groups', 'limit', 'orders', 'shop', 'none', ...by)).toMatchObject({
      changed: true,
    });
    const [row] = await cli.ask('groups', 'orders');
    expect({ paused: row.paused, limit: row.limit }).toEqual({ paused: false, limit: undefined });
    const deeds = await cli.ask('audit');
    expect(deeds.map(({ action }: any) => action)).toEqual(['unlimit', 'resume', 'limit 2', 'pause']);
    expect(deeds[3]).toMatchObject({
      by: 'ann',
      topic: 'orders',
      group: 'shop',
      at: expect.stringMatching(/Z$/),
    });
    expect(deeds[1].by).toContain('@');
    for (const wrong of ['0', '-1', 'two']) {
      expect((await cli.run(['groups', 'limit', 'orders', 'shop', '--yes', '--', wrong])).exitCode).toBe(2);
    }
  });

  it('seek, purge and remove a group, and lose nothing that is not named', async () => {
    await services.group('orders', 'old');
    const bus = await services.start('shop');
    await bus.publishBatch('orders', [1, 2, 3]);
    const seek = ['groups', 'seek', 'orders', 'old', '--yes'];
    const refused = await cli.run([...seek, '--to', 'end']);
    expect(refused).toMatchObject({ exitCode: 1, stdout: '' });
    expect(refused.stderr).toMatch(/has not handled 3 messages.*--skip/);
    expect(await cli.ask(...seek, '--to', 'end', '--skip')).toMatchObject({ skipped: 3, repeated: 0 });
    expect(await cli.ask(...seek, '--to', 'beginning')).toMatchObject({ skipped: 0, repeated: 3 });
    for (const target of [
      [],
      ['--to', 'end', '--at', '1'],
      ['--to', 'middle'],
      ['--at', 'noon'],
      ['--position', 'x'],
    ]) {
      expect((await cli.run([...seek, ...target])).exitCode).toBe(2);
    }
    const kept = await cli.run(['groups', 'rm', 'orders', 'old', '--yes']);
    expect(kept.exitCode).toBe(1);
    expect(kept.stderr).toMatch(/has 3 messages \(3 waiting, 0 held, 0 retries, 0 dead\).*--discard/);
    expect(await cli.ask('groups', 'purge', 'orders', 'old', '--yes')).toMatchObject({ messages: 3 });
    await bus.publish('orders', 4);
    const removed = await cli.ask('groups', 'rm', 'orders', 'old', '--discard', '--yes');
    expect(removed).toMatchObject({ removed: true, messages: 1 });
    expect((await cli.run(['groups', 'rm', 'orders', 'old', '--yes'])).exitCode).toBe(3);
  });

  it('a group that is read is neither moved nor removed', async () => {
    const bus = await services.start('shop');
    await bus.subscribe('orders', () => undefined);
    for (const args of [
      ['rm', 'orders', 'shop', '--discard'],
      ['seek', 'orders', 'shop', '--to', 'beginning'],
    ]) {
      const { exitCode, stderr } = await cli.run(['groups', ...args, '--yes']);
      expect(exitCode).toBe(1);
      expect(stderr).toMatch(/member/);
    }
  });

  it('pending shows what members hold, and since when', async () => {
    const bus = await services.start('shop');
    let end: (() => void) | undefined;
    await bus.subscribe('orders', () => new Promise<void>((resolve) => (end = resolve)), { concurrency: 1 });
    await bus.publish('orders', 1);
    await until('it runs', () => end !== undefined);
    await until('that is reported', async () => (await bus.inspect.group('orders', 'shop'))?.running === 1);
    const { members, entries } = await cli.ask('pending', 'orders', 'shop');
    expect(members).toMatchObject([{ service: 'shop', pid: process.pid, held: 1, running: 1 }]);
    expect(entries).toMatchObject([{ member: members[0].id, messages: 1, failures: 0, crashes: 0 }]);
    expect(Date.now() - Date.parse(entries[0].heldSince)).toBeLessThan(30_000);
    expect(Date.parse(entries[0].publishedAt)).toBeLessThanOrEqual(Date.parse(entries[0].heldSince));
    const { stdout } = await cli.run(['pending', 'orders', 'shop']);
    expect(stdout).toMatch(/^shop@.* yes\n/m);
    end?.();
  });

  it('delayed messages are listed, published now and removed', async () => {
    const bus = await services.start('shop');
    await bus.publish('orders', { n: 1 }, { delay: '1h' });
    await bus.publish('orders', { n: 2 }, { delay: '2h' });
    const [first, second] = await cli.ask('delayed', 'orders');
    expect([first, second].map(({ message }) => message.payload)).toEqual([{ n: 1 }, { n: 2 }]);
    expect(Date.parse(first.dueAt)).toBeGreaterThan(Date.now() + 3_000_000);
    expect(await cli.ask('delayed', 'run', 'orders', first.id, '--yes')).toMatchObject({ published: true });
    expect(await cli.ask('delayed', 'rm', 'orders', second.id, '--yes')).toMatchObject({ removed: true });
    expect(await cli.ask('topic', 'orders')).toMatchObject({ messages: 1, delayed: 0 });
    const { exitCode, stderr } = await cli.run(['delayed', 'rm', 'orders', second.id, '--yes']);
    expect({ exitCode, stderr }).toEqual({
      exitCode: 3,
      stderr: expect.stringContaining('has no delayed message'),
    });
  });

  it('dead letters are listed, shown, replayed, removed and purged', async () => {
    const bus = await services.start('shop');
    let broken = true;
    const handled: number[] = [];
    await bus.subscribe('orders', (n: number) => {
      if (broken) throw new UnrecoverableError('bad \u001b[31m order');
      handled.push(n);
    });
    for (const n of [1, 2, 3, 4]) await bus.publish('orders', n);
    await until('all are dead', async () => (await bus.deadLetters('orders').count()) === 4);
    broken = false;
    const letters = await cli.ask('dead', 'list', 'orders', 'shop');
    expect(letters).toHaveLength(4);
    const { position, message } = letters[0];
    expect(letters[0]).toMatchObject({
      reason: 'unrecoverable',
      attempts: 1,
      replays: 0,
      message: { readable: true },
    });
    const shown = await cli.run(['dead', 'show', 'orders', 'shop', position]);
    expect(shown.stdout).toMatch(new RegExp(`^payload +${message.payload}$`, 'm'));
    expect(shown.stdout).not.toContain('\u001b');
    const after = await cli.ask('dead', 'list', 'orders', 'shop', '--after', position, '--limit', '1');
    expect(after).toMatchObject([{ position: letters[1].position }]);

    expect(await cli.ask('dead', 'replay', 'orders', 'shop', position, '--yes')).toMatchObject({
      replayed: 1,
    });
    await until('it is handled', () => handled.length === 1);
    const rm = ['dead', 'rm', 'orders', 'shop', letters[1].position, '--yes', '--by', 'ann'];
    expect(await cli.ask(...rm)).toEqual({ removed: 1 });
    expect((await cli.run(rm)).exitCode).toBe(3);
    expect((await cli.run(['dead', 'show', 'orders', 'shop', 'nonsense'])).exitCode).toBe(3);
    expect(await cli.ask('dead', 'replay', 'orders', 'shop', '--yes')).toEqual({ replayed: 2, capped: 0 });
    await until('they are handled', () => handled.length === 3);
    expect(await cli.ask('dead', 'purge', 'orders', 'shop', '--yes')).toEqual({ removed: 0 });
    const [all, removed, one] = await cli.ask('audit');
    expect(removed).toMatchObject({ by: 'ann', action: 'remove dead letter', topic: 'orders', messages: 1 });
    expect(all).toMatchObject({
      by: expect.stringContaining('@'),
      action: 'replay dead letters',
      messages: 2,
    });
    expect(one).toMatchObject({ by: all.by, action: 'replay dead letter', group: 'shop' });
  });

  it('a dead letter that cannot be read is shown as such', async () => {
    await services.group('orders', 'old');
    await stage.admin.xadd('disco:{orders}:dead:old', '1-1', 'f', 'garbage', 'reason', 'attempts');
    const { message } = (await cli.ask('dead', 'list', 'orders', 'old'))[0];
    expect(message).toEqual({ readable: false });
    expect((await cli.run(['dead', 'show', 'orders', 'old', '1-1'])).stdout).toContain('(cannot be read)');
  });
});
