import { Redis } from 'ioredis';
import { VERSION } from '../../lib/driver/package-version.js';
import { documentedRules } from '../support/acl-rules.js';
import { rejection } from '../support/redis-harness.js';
import { RedisServer } from '../support/redis-server.js';
import { until } from '../support/waiting.js';
import { cliStage } from './support.js';

describe('disco-bus doctor', () => {
  const stage = cliStage('--appendonly', 'yes');
  const { cli, services } = stage;

  async function findings(...args: string[]): Promise<any[]> {
    const { exitCode, stdout, stderr } = await cli.run(['doctor', '--json', ...args]);
    if (exitCode !== 0 && exitCode !== 6) throw new Error(stderr);
    return JSON.parse(stdout);
  }
  const of = (all: any[], check: string) => all.filter((finding) => finding.check === check);

  /** Runs a command that a finding names, as it stands, with --yes. */
  async function mend(command: string) {
    const [program, ...words] = command.split(' ');
    expect(program).toBe('disco-bus');
    const ended = await cli.run([...words, ...(words[0] === 'explain' ? [] : ['--yes'])]);
    expect(ended).toMatchObject({ exitCode: 0 });
  }

  it('finds nothing wrong where nothing is', async () => {
    const all = await findings('--fail-on', 'warning');
    expect(all.filter(({ level }) => level !== 'ok')).toEqual([]);
    const checks = ['server', 'persistence', 'eviction', 'output-buffers', 'rights', 'round-trip', 'clock'];
    expect(all.map(({ check }) => check).sort()).toEqual(checks.sort());
    const { exitCode, stdout } = await cli.run(['doctor']);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(
      /^ok +server: (Redis|Valkey) \d+\.\d+\.\d+ at 127\.0\.0\.1:\d+, standalone, master/m,
    );
  });

  it('a forgotten group that blocks publishing is found, and removed with the two commands that are named', async () => {
    await services.group('orders', 'old');
    const bus = await services.start('shop', { bundling: false }, { streams: { maxLength: 3 } });
    for (const n of [1, 2, 3]) await bus.publish('orders', n);
    expect(await rejection(bus.publish('orders', 4))).toMatchObject({ code: 'DISCO_STREAM_FULL' });

    const { exitCode, stdout } = await cli.run([
      'doctor',
      '--abandoned-after',
      '0',
      '--max-length',
      '3',
      '--json',
    ]);
    expect(exitCode).toBe(6);
    const [abandoned] = of(JSON.parse(stdout), 'abandoned');
    expect(abandoned).toMatchObject({ level: 'problem', topic: 'orders', group: 'old' });
    expect(abandoned.text).toContain('it has 3 messages');
    expect(abandoned.commands).toEqual([
      'disco-bus explain orders old',
      'disco-bus groups rm orders old --discard',
    ]);
    expect(of(JSON.parse(stdout), 'full')).toMatchObject([{ level: 'problem', topic: 'orders' }]);
    for (const command of abandoned.commands) await mend(command);

    await until('publishing goes on', () =>
      bus.publish('orders', 4).then(
        () => true,
        () => false,
      ),
    );
    expect(of(await findings('--abandoned-after', '0'), 'abandoned')).toEqual([]);
  });

  it('topics that nobody reads, paused groups, members of different versions, forgotten delays', async () => {
    const bus = await services.start('shop');
    await bus.publish('lonely', 1);
    await bus.subscribe('orders', () => undefined);
    await bus.admin.pauseGroup('orders', 'shop');
    const other = await services.start('shop');
    await other.subscribe('orders', () => undefined);
    // A member of another version, as it would have written itself down.
    const state = 'disco:{orders}:state:shop';
    const infos = async () =>
      Object.keys(await stage.admin.hgetall(state)).filter((name) => name.startsWith('info:'));
    await until('both tell of themselves', async () => (await infos()).length === 2);
    const [name] = await infos();
    const info = JSON.parse((await stage.admin.hget(state, name)) ?? '');
    const old = `${name}0`;
    await stage.admin.hset(state, old, JSON.stringify({ ...info, version: '0.0.9' }));
    await stage.admin.zadd('disco:{orders}:members:shop', Date.now() + 60_000, old.slice('info:'.length));
    await stage.admin.zadd('disco:{lonely}:later', Date.now() - 120_000, 'x');
    const all = await findings();
    expect(of(all, 'unread')).toMatchObject([{ level: 'warning', topic: 'lonely' }]);
    expect(of(all, 'paused')).toMatchObject([{ level: 'note', topic: 'orders', group: 'shop' }]);
    expect(of(all, 'overdue')).toMatchObject([{ level: 'warning', topic: 'lonely' }]);
    const [versions] = of(all, 'versions');
    expect(versions.level).toBe('warning');
    for (const version of ['0.0.9', VERSION]) expect(versions.text).toContain(`${version}: shop`);
    await mend(of(all, 'unread')[0].commands[0]);
    await mend(of(all, 'paused')[0].commands[0]);
    const after = await findings();
    expect([...of(after, 'unread'), ...of(after, 'paused')]).toEqual([]);
  });

  it('a server that is set up badly: each finding, and the command that mends it', async () => {
    const bad = await RedisServer.start(
      ...['--maxmemory', '100mb', '--maxmemory-policy', 'allkeys-lru'],
      ...[
        '--client-output-buffer-limit',
        'pubsub 1mb 512kb 5',
        '--client-output-buffer-limit',
        'normal 1mb 0 0',
      ],
    );
    const client = new Redis(bad.url);
    try {
      const all = await findings('--url', bad.url);
      expect(of(all, 'eviction')).toMatchObject([{ level: 'problem' }]);
      expect(of(all, 'persistence')).toMatchObject([
        { level: 'warning', text: 'Nothing is written to disk' },
      ]);
      expect(of(all, 'output-buffers').map(({ level }) => level)).toEqual(['warning', 'warning']);
      for (const { check, commands } of all.filter(({ commands = [] }) => commands.length > 0)) {
        for (const command of commands) {
          const [, address, words] = /^redis-cli (-h 127\.0\.0\.1 -p \d+) (.+)$/.exec(command) ?? [];
          expect({ check, address }).toEqual({ check, address: `-h 127.0.0.1 -p ${bad.port}` });
          if (words === 'CONFIG REWRITE') continue;
          const [name, ...args] = words.match(/"[^"]+"|\S+/g)?.map((word) => word.replace(/"/g, '')) ?? [];
          expect(await client.call(name, ...args)).toBe('OK');
        }
      }
      await client.config('SET', 'maxmemory', '1mb');
      const after = await findings('--url', bad.url);
      expect(after.filter(({ level }) => level !== 'ok').map(({ check }) => check)).toEqual(['memory']);
      await client.config('SET', 'maxmemory', '0');
      await client.call('REPLICAOF', '127.0.0.1', String(stage.server.port));
      await until('it is a replica', async () => (await client.info()).includes('master_link_status:up'));
      expect(of(await findings('--url', bad.url), 'server')).toMatchObject([{ level: 'problem' }]);
    } finally {
      client.disconnect();
      await bad.stop();
    }
  });

  it('rights that the user lacks, by feature, and the rules that grant them', async () => {
    const rules = documentedRules('Inspecting topics');
    await stage.admin.call('ACL', 'SETUSER', 'look', 'on', '>pw', ...rules, '+ping');
    const url = `redis://look:pw@127.0.0.1:${stage.server.port}`;
    const all = await findings('--url', url);
    const rights = of(all, 'rights');
    const lacking = rights.map(({ text }) => /for "([^"]+)"/.exec(text)?.[1]);
    expect(lacking).not.toContain('Inspecting topics');
    expect(lacking).toEqual(expect.arrayContaining(['Publishing at least once', 'Locks', 'At most once']));
    expect(of(all, 'server').map(({ level }) => level)).toEqual(['note']);
    expect(JSON.stringify(all)).not.toContain('pw@');
    const full = documentedRules('Everything');
    await stage.admin.call('ACL', 'SETUSER', 'look', ...full);
    expect(of(await findings('--url', url), 'rights')).toMatchObject([{ level: 'ok' }]);
    await stage.admin.call('ACL', 'DELUSER', 'look');
  });
});
