import { Redis } from 'ioredis';
import { DiscoBus } from '../../lib/bus/disco-bus.js';
import { redisDriver } from '../../lib/drivers/redis/index.js';
import { SelfSigned } from '../support/certificate.js';
import { RedisCluster } from '../support/redis-cluster.js';
import { RedisSentinel } from '../support/redis-sentinel.js';
import { freePort, RedisServer } from '../support/redis-server.js';
import { until } from '../support/waiting.js';
import { CommandLine } from './support.js';

const cli = new CommandLine(() => ({}));
afterEach(() => cli.stop());

/** Writes, and looks at what was written. */
async function writesAndLooks(...where: string[]): Promise<void> {
  for (const topic of ['orders', 'users', 'ticks']) {
    const receipt = await cli.ask('publish', topic, '{"n":1}', '--yes', ...where);
    expect(receipt).toMatchObject({ position: expect.stringMatching(/^\d+-\d+$/) });
  }
  const topics = await cli.ask('topics', ...where);
  expect(topics.map(({ topic, messages }: any) => [topic, messages])).toEqual([
    ['orders', 1],
    ['ticks', 1],
    ['users', 1],
  ]);
  expect(await cli.ask('topics', 'purge', 'orders', '--yes', ...where)).toMatchObject({ messages: 1 });
  expect(await cli.ask('locks', 'list', ...where)).toEqual([]);
}

async function told(args: string[], env: Record<string, string> = {}): Promise<string> {
  const { exitCode, stdout, stderr } = await cli.run([...args, '--timeout', '2s'], { env });
  expect({ args, stdout, lines: stderr.trim().split('\n').length }).toEqual({ args, stdout: '', lines: 1 });
  expect(stderr).not.toContain('s3cret');
  return `${exitCode} ${stderr}`;
}

describe('disco-bus over TLS', () => {
  let certificate: SelfSigned;
  let server: RedisServer;
  let url: string;
  const file = (name: string) => certificate.file(name);

  beforeAll(async () => {
    certificate = SelfSigned.make();
    const port = await freePort();
    server = await RedisServer.start(...certificate.args(port), '--tls-auth-clients', 'yes');
    url = `rediss://127.0.0.1:${port}`;
  });
  afterAll(async () => {
    await server.stop();
    certificate.remove();
  });

  it('looks and writes, with the certificates that the flags name', async () => {
    const ca = ['--tls-ca', file('cert.pem')];
    const own = ['--tls-cert', file('cert.pem'), '--tls-key', file('key.pem')];
    await writesAndLooks('--url', url, ...ca, ...own);
  });

  it('a certificate that nobody signed, one of its own that lacks, wrong flags: a line and an exit code each', async () => {
    expect(await told(['topics', '--url', url])).toMatch(/^5 .*self-signed certificate/);
    expect(await told(['topics', '--url', url, '--tls-ca', file('cert.pem')])).toMatch(/^5 /);
    expect(await told(['topics', '--url', url, '--tls-ca', file('none.pem')])).toMatch(
      /^2 .*--tls-ca cannot be read: ENOENT/,
    );
    expect(await told(['topics', '--url', url, '--tls-cert', file('cert.pem')])).toMatch(/^2 .*go together/);
    expect(await told(['topics', '--url', server.url, '--tls-ca', file('cert.pem')])).toMatch(
      /^2 .*need a rediss:/,
    );
  });
});

describe('disco-bus on a Cluster', () => {
  let cluster: RedisCluster;
  beforeAll(async () => {
    cluster = await RedisCluster.start();
  }, 60_000);
  afterAll(() => cluster.stop());

  it('looks and writes from any node on; without --cluster that is said', async () => {
    const { url } = cluster.nodes[1];
    await writesAndLooks('--url', url, '--cluster');
    expect(await told(['topics', '--url', url])).toMatch(/^2 .*say --cluster/);
    expect(await told(['topics', '--url', `${url}/1`, '--cluster'])).toMatch(
      /^2 .*"db" has no meaning beside "cluster"/,
    );
    expect(await told(['topics', '--url', url, '--cluster', '--sentinel', 'x'])).toMatch(/^2 .*only one of/);
    expect(await told(['topics', '--url', '/tmp/redis.sock', '--cluster'])).toMatch(/^2 .*one server/);
  });

  it('lists topics at most once of all nodes, and who uses them', async () => {
    const nodes = cluster.nodes.map(({ port }) => ({ host: '127.0.0.1', port }));
    const bus = new DiscoBus({
      driver: redisDriver({ cluster: { nodes } }),
      service: 'ticker',
      logger: { log() {}, warn() {}, error() {} },
    });
    await bus.start();
    const names = ['ticks.a', 'ticks.b', 'ticks.c', 'ticks.d'];
    const admin = new Redis(cluster.nodes[0].url);
    const slots = await Promise.all(names.map((name) => admin.cluster('KEYSLOT', `disco:{${name}}:uses`)));
    admin.disconnect();
    // Each of three primaries has a third of the slots.
    expect(new Set(slots.map((slot) => Math.floor(slot / 5_462))).size).toBeGreaterThan(1);
    for (const name of names) await bus.subscribe(name, () => undefined, { delivery: 'at-most-once' });
    const listed = () => cli.ask('topics', 'ticks.*', '--url', cluster.nodes[0].url, '--cluster');
    await until('all are listed', async () => (await listed()).length === names.length);
    const found = await listed();
    await bus.stop();
    expect(found.map(({ topic }: any) => topic)).toEqual(names);
    for (const { usedBy } of found) expect(usedBy).toEqual([expect.stringMatching(/^service "ticker" \(/)]);
    expect(await listed()).toEqual([]);
  });
});

describe('disco-bus behind Sentinels', () => {
  let group: RedisSentinel;
  let url: string;
  beforeAll(async () => {
    group = await RedisSentinel.start();
    url = `redis://127.0.0.1:${group.sentinels[0].port}`;
  }, 60_000);
  afterAll(() => group.stop());

  it('looks and writes on the primary that a Sentinel names; a name that it does not know is away', async () => {
    await writesAndLooks('--url', url, '--sentinel', group.name);
    const primary = new Redis(group.primary.url);
    expect(await primary.exists('disco:{users}')).toBe(1);
    primary.disconnect();
    expect(await told(['topics', '--url', url, '--sentinel', 'other'])).toMatch(/^5 /);
  });

  it('rediss:// speaks to no Sentinel without TLS', async () => {
    const secure = url.replace('redis:', 'rediss:');
    expect(await told(['topics', '--url', secure, '--sentinel', group.name])).toMatch(/^5 /);
  });

  it('a Sentinel with a password is given the one of the environment', async () => {
    const sentinel = new Redis(url);
    await sentinel.call('ACL', 'SETUSER', 'default', 'resetpass', '>s3cret');
    const where = ['topics', '--url', url, '--sentinel', group.name];
    expect(await told(where)).toMatch(/^[45] /);
    const { exitCode } = await cli.run(where, { env: { DISCO_BUS_SENTINEL_PASSWORD: 's3cret' } });
    expect(exitCode).toBe(0);
    sentinel.disconnect();
  });
});

describe('disco-bus behind Sentinels over TLS', () => {
  let certificate: SelfSigned;
  let group: RedisSentinel;
  beforeAll(async () => {
    certificate = SelfSigned.make();
    group = await RedisSentinel.start(certificate);
  }, 60_000);
  afterAll(async () => {
    await group.stop();
    certificate.remove();
  });

  it('looks and writes by rediss://, to a Sentinel and to the primary that it names', async () => {
    const url = `rediss://127.0.0.1:${group.secured[0].port}`;
    const where = ['--url', url, '--sentinel', group.name];
    await writesAndLooks(...where, '--tls-ca', certificate.cert);
    expect(await told(['topics', ...where])).toMatch(/^5 .*behind Sentinels over TLS: .*unreachable/);
  });
});
