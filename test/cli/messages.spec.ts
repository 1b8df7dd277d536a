import { spawnSync } from 'node:child_process';
import { until } from '../support/waiting.js';
import { type CommandRun, cliStage } from './support.js';

describe('disco-bus tail, publish, completion', () => {
  const stage = cliStage();
  const { cli, services } = stage;

  async function tailing(...args: string[]): Promise<CommandRun> {
    const run = cli.start(['tail', ...args, '--json']);
    await until(`it listens: ${run.stderr}`, () => run.stderr.includes('Listening to'));
    return run;
  }

  it('tail shows stored and fanned-out messages, bundles too, and topics that turn up later', async () => {
    const bus = await services.start('shop');
    await bus.subscribe('orders.eu', () => undefined);
    await bus.publish('orders.eu', 'before');
    const run = await tailing('orders.*');
    await bus.publish('orders.eu', { n: 1 }, { headers: { 'x-a': 'b' } });
    await Promise.all([2, 3].map((n) => bus.publish('orders.eu', { n })));
    await bus.publish('orders.tick', { n: 4 }, { delivery: 'at-most-once' });
    await bus.publish('orders.new', { n: 5 });
    await bus.publish('users', { n: 6 });
    await until(`all five: ${run.stdout}`, () => run.lines.length === 5);
    const of = (n: number) => run.lines.find(({ payload }) => payload.n === n);
    expect(of(1)).toMatchObject({
      ...{ topic: 'orders.eu', delivery: 'at-least-once', headers: { 'x-a': 'b' }, readable: true },
      ...{ position: expect.stringMatching(/^\d+-\d+$/), publishedAt: expect.stringMatching(/Z$/) },
    });
    expect(of(3).position).toBe(`${of(2).position}#1`);
    expect(of(4)).toMatchObject({ topic: 'orders.tick', delivery: 'at-most-once' });
    expect(of(5)).toMatchObject({ topic: 'orders.new', delivery: 'at-least-once' });
    run.process.kill('SIGINT');
    expect(await run.ended).toBe(130);
  });

  it('tail leaves nothing behind, and no group waits for it, killed or not', async () => {
    const bus = await services.start('shop');
    const handled: unknown[] = [];
    await bus.subscribe('orders', (n) => void handled.push(n));
    await bus.publish('orders', 0);
    await until('it is handled', () => handled.length === 1);
    const keys = async () => (await stage.admin.keys('*')).filter((key) => !key.includes(':sent:')).sort();
    const before = await keys();
    const run = await tailing('orders', '--only', 'at-least-once');
    await bus.publish('orders', 1);
    await until('it is shown', () => run.lines.length === 1);
    run.process.kill('SIGKILL');
    await run.ended;
    expect(await keys()).toEqual(before);
    expect(await cli.ask('groups', 'orders')).toHaveLength(1);
    await until('nothing is kept', async () => (await stage.admin.xlen('disco:{orders}')) === 0);
  });

  it('tail tells how many it could not see, marks an outage, and goes on', async () => {
    await services.group('orders', 'keeper');
    const bus = await services.start('shop', { bundling: false });
    const run = await tailing('orders', '--only', 'at-least-once');
    await bus.publish('orders', 1);
    await until('one is shown', () => run.lines.length === 1);
    run.process.kill('SIGSTOP');
    for (const n of [2, 3, 4]) await bus.publish('orders', n);
    // What a read of the stopped process may have been answered with already is the first of them.
    const [, , ...stored] = await stage.admin.xrange('disco:{orders}', '-', '+');
    await stage.admin.xdel('disco:{orders}', stored[0][0]);
    run.process.kill('SIGCONT');
    await until(`the last is shown: ${run.stdout}`, () => run.lines.some(({ payload }) => payload === 4));
    expect(run.lines.filter(({ gap }) => gap)).toMatchObject(
      [{ topic: 'orders', gap: /^1 messages/ }].map(anyGap),
    );
    await stage.server.kill();
    await until('the outage is marked', () => run.lines.at(-1).gap !== undefined);
    await stage.server.boot();
    await until('it goes on', () => run.stderr.includes('There is a connection again'));
    await bus.publish('orders', 5);
    await until(`the next is shown: ${run.stdout}`, () => run.lines.some(({ payload }) => payload === 5));
  });

  it('tail shows what cannot be read as such, ends after --count, and keeps a terminal from being steered', async () => {
    await stage.admin.xadd('disco:{orders}', '*', 'a', 'b');
    await stage.admin.zadd('disco:stream-topics', 1, 'orders');
    const run = cli.start(['tail', 'orders', '--count', '3']);
    await until('it listens', () => run.stderr.includes('Listening'));
    await stage.admin.xadd('disco:{orders}', '*', 'a', 'b');
    await stage.admin.xadd('disco:{orders}', '*', 'f', 'garbage');
    const bus = await services.start('shop');
    await bus.publish('orders', 'red \u009b31m text');
    expect(await run.ended).toBe(0);
    expect(run.stdout.match(/\(cannot be read\)/g)).toHaveLength(2);
    expect(run.stdout).toContain('red \\u009b31m text');
    expect((await cli.run(['tail', 'a..b>'])).exitCode).toBe(2);
  });

  it('publish sends one message, stored or fanned out, with what it is given', async () => {
    const bus = await services.start('shop');
    const seen: unknown[] = [];
    await bus.subscribe('orders', (order, context) => void seen.push([order, context.headers['x-a']]));
    await bus.subscribe('ticks', (tick) => void seen.push(tick), { delivery: 'at-most-once' });
    const receipt = await cli.ask('publish', 'orders', '{"id":1}', '--headers', '{"x-a":"b"}', '--yes');
    expect(receipt).toMatchObject({ topic: 'orders', position: expect.stringMatching(/^\d+-/) });
    await until('it came', () => seen.length === 1);
    expect(seen).toEqual([[{ id: 1 }, 'b']]);
    const fanned = await cli.ask('publish', 'ticks', '7', '--delivery', 'at-most-once', '--yes');
    expect(fanned).toMatchObject({ topic: 'ticks', receivers: 1 });
    const piped = await cli.run(['publish', 'orders', '-', '--yes'], { input: '"piped"' });
    expect(piped.exitCode).toBe(0);
    await cli.ask('publish', 'orders', '--raw', 'bytes', '--yes');
    await until('all came', () => seen.length === 4);
    expect(seen.slice(1)).toEqual([7, ['piped', undefined], [Buffer.from('bytes'), undefined]]);
    await cli.ask('publish', 'orders', '1', '--delay', '1h', '--yes');
    expect(await cli.ask('topic', 'orders')).toMatchObject({ delayed: 1 });
  });

  it('publish refuses what cannot be, and tells of a topic that is new', async () => {
    const bus = await services.start('shop');
    await bus.subscribe('ticks', () => undefined, { delivery: 'at-most-once' });
    const yes = ['--yes'];
    const [text, conflict, both, fresh, asked] = [
      await cli.run(['publish', 'orders', '{s3cret', ...yes]),
      await cli.run(['publish', 'ticks', '1', ...yes]),
      await cli.run(['publish', 'orders', '1', '--delay', '1s', '--at', '1', ...yes]),
      await cli.run(['publish', 'ordesr', '1', ...yes]),
      await cli.run(['publish', 'orders', '1']),
    ];
    expect([text, conflict, both, fresh, asked].map(({ exitCode }) => exitCode)).toEqual([2, 1, 2, 0, 2]);
    expect(text.stderr).not.toContain('s3cret');
    expect(conflict.stderr).toContain('--delivery says how to publish');
    expect(fresh.stderr).toContain('Nothing is stored of "ordesr" yet, and no group reads it');
    expect((await cli.run(['topic', 'orders'])).exitCode).toBe(3);
  });

  it('completion for bash completes commands, commands of a family, and their flags', async () => {
    const { stdout, exitCode } = await cli.run(['completion', 'bash'], {
      env: { DISCO_BUS_URL: 'nonsense' },
    });
    expect(exitCode).toBe(0);
    const complete = (...words: string[]) => {
      const list = words.map((word) => `'${word}'`).join(' ');
      const script = `${stdout}\nCOMP_WORDS=(disco-bus ${list})\nCOMP_CWORD=${words.length}\n_disco_bus\necho "\${COMPREPLY[@]}"`;
      const { stdout: found, stderr } = spawnSync('bash', ['-c', script], { encoding: 'utf8' });
      expect(stderr).toBe('');
      return found.trim().split(' ');
    };
    expect(complete('gr')).toEqual(['groups']);
    expect(complete('groups', 's')).toEqual(['seek']);
    expect(complete('groups', 'seek', 'orders', '--sk')).toEqual(['--skip']);
    expect(complete('lag', '--w')).toEqual(['--watch']);
    const [zsh, fish, none] = await Promise.all(
      ['zsh', 'fish', 'csh'].map((shell) => cli.run(['completion', shell])),
    );
    expect([zsh, fish, none].map(({ exitCode: code }) => code)).toEqual([0, 0, 2]);
    expect(fish.stdout).toContain("complete -c disco-bus -n '__fish_seen_subcommand_from groups' -f -a seek");
  });
});

function anyGap(row: { topic: string; gap: RegExp }) {
  return { ...row, gap: expect.stringMatching(row.gap) };
}
