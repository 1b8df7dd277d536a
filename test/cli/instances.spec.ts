import { hostname } from 'node:os';
import { VERSION } from '../../lib/driver/package-version.js';
import { redisDriver } from '../../lib/drivers/redis/index.js';
import { DiscoBusServer } from '../../lib/transport/disco-bus.server.js';
import { documentedRules } from '../support/acl-rules.js';
import { cliStage } from './support.js';

const silent = { log() {}, warn() {}, error() {} };

describe('disco-bus instances', () => {
  const stage = cliStage();
  const { cli } = stage;
  const servers: DiscoBusServer[] = [];
  afterEach(async () => {
    await Promise.all(servers.splice(0).map((server) => server.close()));
  });

  async function serve(service: string, ...patterns: string[]): Promise<void> {
    const server = new DiscoBusServer({
      driver: redisDriver({ url: stage.server.url }),
      service,
      logger: silent,
    });
    servers.push(server);
    for (const pattern of patterns) server.addHandler(pattern, async () => 1);
    await new Promise<void>((resolve, reject) => {
      server.listen((error) => (error === undefined ? resolve() : reject(error as Error)));
    });
  }

  it('lists who answers requests, where it runs, and what it answers; of one service where that is said', async () => {
    await serve('sums', 'sum');
    await serve('both', 'sum', 'product');
    const keys = async () => (await stage.admin.keys('*')).sort();
    const before = await keys();
    const found = await cli.ask('instances');
    expect(found).toMatchObject([
      { service: 'both', patterns: ['product', 'sum'] },
      { service: 'sums', patterns: ['sum'] },
    ]);
    for (const { id, host, pid, version, since } of found) {
      expect({ host, pid, version }).toEqual({ host: hostname(), pid: process.pid, version: VERSION });
      expect(id).toMatch(/^[0-9a-f]{32}$/);
      expect(since).toMatch(/^20.*Z$/);
    }
    const { exitCode, stdout } = await cli.run(['instances', 'both']);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^service +host +pid +version +since +answers\nboth +.* +20.*Z +product, sum\n$/);
    expect(await keys()).toEqual(before);
  });

  it('nobody is an empty list; nobody of a service that was asked for is not there: 3', async () => {
    expect(await cli.ask('instances', '--within', '200ms')).toEqual([]);
    const none = await cli.run(['instances', 'sums', '--within', '200ms']);
    expect(none).toMatchObject({ exitCode: 3, stdout: '', stderr: expect.stringContaining('nobody does') });
    await serve('both', 'sum');
    const other = await cli.run(['instances', 'sums']);
    expect(other.exitCode).toBe(3);
    expect(other.stderr).toBe('disco-bus: No instance of "sums" answers; those of "both" do\n');
  });

  it('wrong use, a server that is away, rights that lack: a line and an exit code each', async () => {
    await stage.admin.call('ACL', 'SETUSER', 'look', 'reset', 'on', '>pw', '+ping');
    const url = ['--url', `redis://look:pw@127.0.0.1:${stage.server.port}`];
    const told = async (...args: string[]) => {
      const { exitCode, stdout, stderr } = await cli.run(['instances', ...args]);
      expect({ args, stdout, lines: stderr.trim().split('\n').length }).toEqual({
        args,
        stdout: '',
        lines: 1,
      });
      return `${exitCode} ${stderr}`;
    };
    expect(await told('--with', '1s')).toMatch(/^2 .*did you mean --within\?/);
    expect(await told('--within', 'soon')).toMatch(/^2 .*not a duration/);
    expect(await told('--url', 'redis://127.0.0.1:1', '--timeout', '500ms')).toMatch(/^5 /);
    expect(await told(...url)).toMatch(/^4 .*NOPERM/);
    const rules = [...documentedRules('Every user'), ...documentedRules('At most once')];
    await stage.admin.call('ACL', 'SETUSER', 'look', ...rules);
    await serve('sums', 'sum');
    expect((await cli.run(['instances', 'sums', ...url])).exitCode).toBe(0);
    await stage.admin.call('ACL', 'DELUSER', 'look');
  });
});
