import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';
import { VERSION } from '../../lib/driver/package-version.js';
import { FaultProxy } from '../support/fault-proxy.js';
import { cliStage } from './support.js';

const root = join(__dirname, '../..');

/** A program that reads the topic "orders" as the service "old", made from the sources as another version of the package. */
async function memberOf(version: string): Promise<string> {
  const outfile = join(
    root,
    `node_modules/.cache/disco-bus-cli/member-${process.env.JEST_WORKER_ID ?? 1}.mjs`,
  );
  const contents = `
    import { DiscoBus } from './lib/bus/disco-bus.js';
    import { redisDriver } from './lib/drivers/redis/index.js';
    const bus = new DiscoBus({ driver: redisDriver({ url: process.argv[2] }), service: 'old' });
    await bus.start();
    await bus.subscribe('orders', () => undefined);
    console.log('reads');
  `;
  const other = {
    name: 'another-version',
    setup: ({ onLoad }: { onLoad: (options: { filter: RegExp }, load: any) => void }) =>
      onLoad({ filter: /package-version\.ts$/ }, async ({ path }: { path: string }) => {
        return { contents: (await readFile(path, 'utf8')).replace(VERSION, version), loader: 'ts' };
      }),
  };
  await build({
    ...{ stdin: { contents, resolveDir: root, loader: 'ts' }, outfile, plugins: [other] },
    ...{ bundle: true, packages: 'external', platform: 'node', format: 'esm', target: 'node20' },
  });
  return outfile;
}

describe('disco-bus doctor, of what is far, late or old', () => {
  const stage = cliStage('--appendonly', 'yes');
  const { cli, services } = stage;
  let proxy: FaultProxy;
  const children: ChildProcess[] = [];
  beforeEach(async () => {
    proxy = await FaultProxy.start(stage.server.port);
  });
  afterEach(async () => {
    for (const child of children.splice(0)) {
      child.kill('SIGKILL');
      await once(child, 'close');
    }
    await proxy.stop();
  });

  async function finding(check: string, ...args: string[]): Promise<any> {
    const { exitCode, stdout, stderr } = await cli.run(['doctor', '--json', '--url', proxy.url, ...args]);
    if (exitCode !== 0) throw new Error(`${exitCode} ${stderr}`);
    return JSON.parse(stdout).find((each: any) => each.check === check);
  }
  const redisCli = () => `redis-cli -h 127.0.0.1 -p ${proxy.port}`;

  it('a server that is far away: the round trip, and the command that measures it on', async () => {
    expect(await finding('round-trip')).toMatchObject({ level: 'ok' });
    proxy.delay(20);
    const far = await finding('round-trip');
    expect(far).toMatchObject({ level: 'warning', commands: [`${redisCli()} --latency`] });
    expect(far.meaning).toMatch(/waits so long/);
    const [, ms] = /^A question takes ([\d.]+) ms$/.exec(far.text) ?? [];
    expect(Number(ms)).toBeGreaterThanOrEqual(40);
    expect(await finding('clock')).toMatchObject({ level: 'ok' });
  });

  it.each([
    ['behind', -90],
    ['ahead', 90],
  ])('a server whose clock is %s: by how much, and the commands that tell', async (_, seconds) => {
    expect(await finding('clock')).toMatchObject({ level: 'ok' });
    proxy.rewriteReplies((reply) =>
      reply.replace(/\*2\r\n\$10\r\n(\d{10})\r\n/g, (all, time) =>
        all.replace(time, String(Number(time) + seconds)),
      ),
    );
    const wrong = await finding('clock');
    expect(proxy.counts.rewritten).toBeGreaterThan(0);
    expect(wrong.text).toMatch(/differ by 1m (29|30)s$/);
    expect(wrong).toMatchObject({ level: 'warning', commands: [`${redisCli()} TIME`, 'chronyc tracking'] });
    const { exitCode } = await cli.run(['doctor', '--fail-on', 'warning', '--url', proxy.url]);
    expect(exitCode).toBe(6);
  });

  it('a server of a version that does not tell which rights are missing', async () => {
    expect(await finding('server')).toMatchObject({ level: 'ok' });
    proxy.rewriteReplies((reply) => reply.replace(/^((?:redis|valkey)_version:)\d/gm, '$16'));
    const old = await finding('server');
    expect(proxy.counts.rewritten).toBeGreaterThan(0);
    expect(old).toMatchObject({
      level: 'warning',
      text: expect.stringMatching(/^(Redis|Valkey) 6\.\d+\.\d+ at /),
    });
    expect(old.meaning).toMatch(/^Before 7\.0 a server does not tell/);
  });

  it('members of different versions, each a process of its own, and the command that tells which', async () => {
    const bus = await services.start('shop');
    await bus.subscribe('orders', () => undefined);
    await bus.subscribe('users', () => undefined);
    expect(await finding('versions')).toMatchObject({
      level: 'ok',
      text: `All members run version ${VERSION}`,
    });
    const child = spawn(process.execPath, [await memberOf('0.0.9'), stage.server.url], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    children.push(child);
    await once(child.stdout, 'data');
    const mixed = await finding('versions');
    expect(mixed).toMatchObject({ level: 'warning', commands: ['disco-bus pending orders old'] });
    expect(mixed.text).toContain(`0.0.9: old (`);
    expect(mixed.text).toContain(`, ${child.pid}); ${VERSION}: shop (`);
    const { members } = await cli.ask(...mixed.commands[0].split(' ').slice(1));
    expect(members).toMatchObject([{ service: 'old', pid: child.pid, version: '0.0.9' }]);
  });
});
