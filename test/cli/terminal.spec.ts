import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { RedisServer } from '../support/redis-server.js';
import { CommandLine, Services } from './support.js';

const hasScript = spawnSync('script', ['--version']).status === 0;
const inTerminal = hasScript ? it : it.skip;
const why = hasScript ? '' : ' (skipped: there is no "script" to make a terminal with)';

describe('disco-bus at a terminal and in a pipe', () => {
  let server: RedisServer;
  const cli = new CommandLine(() => ({ DISCO_BUS_URL: server.url }));
  const services = new Services(() => server.url);

  beforeAll(async () => {
    server = await RedisServer.start('--user', 'weak', 'on', '>s3cret', '+ping', '+info');
  });
  afterEach(() => Promise.all([cli.stop(), services.stop()]));
  afterAll(() => server.stop());

  it.each([
    [['topisc'], 'There is no command "topisc"; did you mean "topic"?'],
    [['topics', '--jsn'], 'There is no flag --jsn; did you mean --json?'],
    [['topics', '--no-json'], 'There is no flag --no-json'],
    [['topics', '-x'], 'There is no flag -x'],
    [['topics', '--url'], '--url needs a value'],
    [['topics', '--url', '--json'], '--url needs a value'],
    [['topics', '--json', '--json'], '--json is given twice'],
    [['topics', '--json=yes'], '--json takes no value'],
    [['topics', 'a', 'b'], 'There is no place for "b"'],
    [['topic'], 'Missing required positional argument: TOPIC'],
    [['topic', 'a b'], 'is not a topic'],
    [['topics', '--timeout', 'soon'], 'soon is not a duration'],
    [['lag', '--fail-above', '-1'], 'must be a whole number'],
    [['topics', '--url', 'http://me:s3cret@here'], 'is not a redis:// or rediss:// URL'],
    [['topics', '--url', 'memory:'], 'within one process'],
    [['topics', '--prefix', 'a b'], 'prefix must be'],
    [[], 'Say which command'],
  ])('%j is a wrong use: 2', async (args, told) => {
    const { exitCode, stdout, stderr } = await cli.run(args);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toContain(told);
    expect(stderr.trim().split('\n')).toHaveLength(1);
    expect(stderr).not.toContain('s3cret');
  });

  it('--help of each command names what it takes, and --version the version', async () => {
    const help = await cli.run(['groups', 'seek', '--help']);
    expect(help).toMatchObject({ exitCode: 0, stderr: '' });
    for (const part of ['<topic> <group>', '--skip', '--timeout', 'Examples'])
      expect(help.stdout).toContain(part);
    expect((await cli.run(['--help'])).stdout).toContain('Exit codes: 0 ok, 1 failed');
    const { version } = JSON.parse(readFileSync(join(__dirname, '../../package.json'), 'utf8'));
    expect((await cli.run(['--version'])).stdout).toBe(`${version}\n`);
  });

  it('a server that is away, silent, or refuses: 5, 5, 4, within the time limit and without a secret', async () => {
    const silent: Server = createServer(() => undefined);
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const { port } = silent.address() as { port: number };
    const ask = async (url: string) => {
      const { exitCode, stdout, stderr } = await cli.run(['topics', '--timeout', '800ms', '--url', url]);
      expect({ url, stdout }).toEqual({ url, stdout: '' });
      expect(stderr).not.toContain('s3cret');
      expect(stderr).not.toMatch(/^\s+at /m);
      return { exitCode, stderr };
    };
    const [away, quiet, wrong, weak] = await Promise.all([
      ask('redis://me:s3cret@127.0.0.1:1'),
      ask(`redis://127.0.0.1:${port}`),
      ask(`redis://weak:s3cretx@127.0.0.1:${server.port}`),
      ask(`redis://weak:s3cret@127.0.0.1:${server.port}`),
    ]);
    silent.close();
    expect([away, quiet, wrong, weak].map(({ exitCode }) => exitCode)).toEqual([5, 5, 4, 4]);
    expect(away.stderr).toContain('ECONNREFUSED');
    expect(weak.stderr).toMatch(/NOPERM|\+eval/);
  });

  it('colours are for terminals: NO_COLOR wins, then FORCE_COLOR, then whether it is one', async () => {
    const coloured = async (env: Record<string, string>) =>
      (await cli.run(['topics'], { env })).stdout.includes('\u001b[');
    expect(await coloured({})).toBe(false);
    expect(await coloured({ FORCE_COLOR: '1' })).toBe(true);
    expect(await coloured({ FORCE_COLOR: '1', NO_COLOR: '1' })).toBe(false);
    expect(await coloured({ FORCE_COLOR: '1', NO_COLOR: '' })).toBe(true);
    expect(await coloured({ FORCE_COLOR: '0' })).toBe(false);
  });

  it('writing without a terminal needs --yes, and nothing is done without', async () => {
    await services.group('orders', 'old');
    const { exitCode, stderr } = await cli.run(['groups', 'rm', 'orders', 'old'], { input: 'y\n' });
    expect(exitCode).toBe(2);
    expect(stderr).toContain('say --yes');
    expect(await cli.ask('groups', 'orders')).toHaveLength(1);
    expect(await cli.ask('groups', 'rm', 'orders', 'old', '--yes')).toMatchObject({ removed: true });
  });

  it('a reader that closes the pipe ends it quietly with 0', async () => {
    const words = [...CommandLine.words, 'lag', '--watch', '--every', '50ms'].map((word) => `'${word}'`);
    const line = `(${words.join(' ')}; echo "code $?" >&2) | head -n 1 > /dev/null`;
    const { stderr } = spawnSync('sh', ['-c', line], {
      env: { PATH: process.env.PATH, DISCO_BUS_URL: server.url },
      encoding: 'utf8',
      timeout: 20_000,
    });
    expect(stderr).toBe('code 0\n');
  });

  inTerminal(`in a terminal it is coloured, and asks before it writes${why}`, async () => {
    await services.group('orders', 'asked');
    const typed = (answer: string, ...args: string[]) => {
      const words = [...CommandLine.words, ...args].map((word) => `'${word}'`).join(' ');
      return spawnSync('script', ['-qec', words, '/dev/null'], {
        env: { PATH: process.env.PATH, DISCO_BUS_URL: server.url, TERM: 'xterm' },
        input: answer,
        encoding: 'utf8',
        timeout: 20_000,
      });
    };
    expect(typed('', 'topics').stdout).toContain('\u001b[');
    const no = typed('n\n', 'groups', 'rm', 'orders', 'asked');
    expect(no.stdout).toContain('Removes the group "asked" of "orders" with 0 messages. Go on? [y/N]');
    expect({ status: no.status, told: no.stdout.includes('Nothing was done') }).toEqual({
      status: 1,
      told: true,
    });
    const yes = typed('y\n', 'groups', 'rm', 'orders', 'asked');
    expect({ status: yes.status, told: yes.stdout.includes('is removed') }).toEqual({
      status: 0,
      told: true,
    });
  });

  it('the build has an executable of that name', () => {
    const root = join(__dirname, '../..');
    const { bin } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    expect(bin).toEqual({ 'disco-bus': 'dist/cli/main.js' });
    expect(readFileSync(join(root, 'lib/cli/main.ts'), 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/);
  });
});
