import { spawnSync } from 'node:child_process';
import { chmod, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DiscoBus } from '../../lib/bus/disco-bus.js';
import { UnrecoverableError } from '../../lib/errors/handler.errors.js';
import { until } from '../support/waiting.js';
import { CommandLine, cliStage } from './support.js';

const hasScript = spawnSync('script', ['--version']).status === 0;
const inTerminal = hasScript ? it : it.skip;
const why = hasScript ? '' : ' (skipped: there is no "script" to make a terminal with)';

describe('disco-bus dead edit, dead list --reason', () => {
  const stage = cliStage();
  const { cli, services } = stage;
  const handled: { payload: unknown; headers: Readonly<Record<string, string>> }[] = [];
  let directory: string;
  let bus: DiscoBus;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'disco-cli-'));
    handled.length = 0;
    bus = await services.start('shop');
    await bus.subscribe('orders', (payload: any, { headers }) => {
      if (payload.price === undefined) throw new UnrecoverableError('no price');
      handled.push({ payload, headers: { ...headers } });
    });
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  /** The position of a dead letter that has just come. */
  async function letter(payload: unknown = { id: 1 }): Promise<string> {
    const before = await bus.deadLetters('orders').count();
    await bus.publish('orders', payload, { headers: { 'x-tenant': 'a' } });
    await until('it is dead', async () => (await bus.deadLetters('orders').count()) > before);
    return (await bus.deadLetters('orders').peek()).at(-1)?.position ?? '';
  }
  const words = (position: string, ...more: string[]) => [
    'dead',
    'edit',
    'orders',
    'shop',
    position,
    ...more,
  ];
  const comes = (count: number) => until('it is handled', () => handled.length === count);

  it('hands it back with the payload of --payload, --file or stdin, and with other headers; who did it is written down', async () => {
    const file = join(directory, 'order.json');
    await writeFile(file, '{"id":2,"price":2}');
    const by = ['--yes', '--by', 'ann'];
    const first = await letter();
    expect(await cli.ask(...words(first, '--payload', '{"price":1}', ...by))).toEqual({
      replayed: 1,
      position: first,
    });
    await comes(1);
    await cli.ask(...words(await letter(), '--file', file, '--headers', '{"x-tenant":"b"}', ...by));
    await comes(2);
    const piped = await cli.run(words(await letter(), ...by), { input: '{"price":3}\n' });
    expect(piped).toMatchObject({ exitCode: 0, stdout: '1 dead letter handed back, edited\n', stderr: '' });
    await comes(3);
    const dashed = await cli.run(words(await letter(), '--payload', '-', ...by), { input: '{"price":4}' });
    expect(dashed.exitCode).toBe(0);
    await comes(4);
    expect(handled.map(({ payload }) => payload)).toEqual([
      { price: 1 },
      { id: 2, price: 2 },
      { price: 3 },
      { price: 4 },
    ]);
    expect(handled.map(({ headers }) => headers['x-tenant'])).toEqual(['a', 'b', 'a', 'a']);
    expect(handled[0].headers).toMatchObject({
      'x-edited-by': 'ann',
      'x-edited-at': expect.stringMatching(/Z$/),
    });
    const deed = {
      by: 'ann',
      action: 'replay edited dead letter',
      topic: 'orders',
      group: 'shop',
      messages: 1,
    };
    expect(await cli.ask('audit')).toMatchObject([deed, deed, deed, deed]);
    expect(await bus.deadLetters('orders').count()).toBe(0);
  });

  it('with --headers alone the payload stays as it is, and nothing is read from stdin', async () => {
    const position = await letter();
    await cli.ask(...words(position, '--headers', '{"x-tenant":"c"}', '--yes'));
    await until('it is dead again', async () => (await bus.deadLetters('orders').peek())[0]?.replays === 1);
    const [again] = await bus.deadLetters('orders').peek();
    expect(again.message).toMatchObject({ payload: { id: 1 }, headers: { 'x-tenant': 'c' } });
  });

  it('list --reason shows those that were given up for it, and says which reasons there are where none was', async () => {
    const position = await letter();
    const list = ['dead', 'list', 'orders', 'shop', '--reason'];
    expect(await cli.ask(...list, 'unrecoverable')).toMatchObject([{ position, reason: 'unrecoverable' }]);
    const none = await cli.run([...list, 'crashes', '--json']);
    expect(none).toMatchObject({ exitCode: 0, stdout: '[]\n' });
    expect(none.stderr).toBe('None was given up for "crashes"; there are unrecoverable 1\n');
  });

  it('what cannot be is refused, with a line and an exit code each, and the letter stays', async () => {
    const position = await letter();
    const told = async (args: string[], input = '') => {
      const { exitCode, stdout, stderr } = await cli.run(args, { input });
      expect({ args, stdout, lines: stderr.trim().split('\n').length }).toEqual({
        args,
        stdout: '',
        lines: 1,
      });
      expect(stderr).not.toContain('s3cret');
      return `${exitCode} ${stderr}`;
    };
    const some = ['--payload', '1', '--yes'];
    expect(await told(words(position, '--payload', 's3cret', '--yes'))).toMatch(
      /^2 .*The payload is not JSON/,
    );
    expect(await told(words(position, '--yes'))).toMatch(/^2 .*There is no payload/);
    expect(await told(words(position, '--yes'), 's3cret')).toMatch(/^2 .*not JSON/);
    expect(await told(words(position, ...some, '--file', 'x'))).toMatch(/^2 .*only one of/);
    expect(await told(words(position, '--file', join(directory, 'none')))).toMatch(
      /^2 .*cannot be read: ENOENT/,
    );
    expect(await told(words(position, '--headers', '[1]', '--yes'))).toMatch(/^2 .*--headers must be/);
    expect(await told(words(position, '--headers', '{"a":1}', '--yes'))).toMatch(/^2 .*--headers must be/);
    expect(await told(words(position, '--paylaod', '1'))).toMatch(/^2 .*did you mean --payload\?/);
    expect(await told(words(position, '--payload', '1'))).toMatch(/^2 .*say --yes/);
    expect(await told(words('1-1', ...some))).toMatch(/^3 .*There is no dead letter 1-1/);
    expect(await told(words('first', ...some))).toMatch(/^3 .*no position/);
    expect(await told(['dead', 'edit', 'orders', 'shpo', position, ...some])).toMatch(
      /^3 .*has no group "shpo"/,
    );
    const away = ['--url', 'redis://127.0.0.1:1', '--timeout', '500ms'];
    expect(await told(words(position, ...some, ...away))).toMatch(/^5 /);
    await stage.admin.call('ACL', 'SETUSER', 'look', 'reset', 'on', '>pw', '+ping');
    const url = ['--url', `redis://look:pw@127.0.0.1:${stage.server.port}`];
    expect(await told(words(position, ...some, ...url))).toMatch(/^4 .*NOPERM/);
    await stage.admin.call('ACL', 'DELUSER', 'look');
    expect(await bus.deadLetters('orders').find(position)).toBeDefined();
  });

  inTerminal(`on a terminal it opens the editor on the present payload${why}`, async () => {
    const editor = join(directory, 'my editor');
    const temporary = join(directory, 'tmp');
    const typed = async (script: string, answer: string, position: string) => {
      await writeFile(editor, `#!/bin/sh\n${script}\n`);
      await chmod(editor, 0o755);
      await rm(temporary, { recursive: true, force: true });
      spawnSync('mkdir', [temporary]);
      const line = [...CommandLine.words, ...words(position)].map((word) => `'${word}'`).join(' ');
      const env = { PATH: process.env.PATH, DISCO_BUS_URL: stage.server.url, TERM: 'xterm' };
      const { status, stdout } = spawnSync('script', ['-qec', line, '/dev/null'], {
        env: { ...env, EDITOR: `'${editor}' --wait`, TMPDIR: temporary },
        ...{ input: answer, encoding: 'utf8', timeout: 20_000 },
      });
      expect(await readdir(temporary)).toEqual([]);
      return `${status} ${stdout}`;
    };
    const position = await letter({ id: 7 });
    expect(await typed('exit 3', '', position)).toMatch(/^1 .*The editor ended with 3: nothing was done/s);
    expect(await typed('true', '', position)).toMatch(/^1 .*Nothing was changed, nothing was done/s);
    expect(await typed('echo "{" > "$2"', 'n\n', position)).toMatch(
      /^1 .*is not JSON: the editor opens again.*Nothing was done/s,
    );
    expect(handled).toEqual([]);
    const priced = `sed 's/"id": 7/"id": 7, "price": 1/' "$2" > "$2.new" && mv "$2.new" "$2"`;
    expect(await typed(priced, 'y\n', position)).toMatch(
      /^0 .*with another payload\. Go on\?.*handed back, edited/s,
    );
    await comes(1);
    expect(handled[0].payload).toEqual({ id: 7, price: 1 });
  });
});
