import { randomBytes } from 'node:crypto';
import type { DiscoBus } from '../../lib/bus/disco-bus.js';
import { redisDriver } from '../../lib/drivers/redis/index.js';
import { UnrecoverableError } from '../../lib/errors/handler.errors.js';
import { LockManager } from '../../lib/lock/lock-manager.js';
import { documentedRules } from '../support/acl-rules.js';
import { FaultProxy } from '../support/fault-proxy.js';
import { until } from '../support/waiting.js';
import { cliStage } from './support.js';

const looking = ['Every user', 'Inspecting topics'];
const steering = 'Steering groups and topics';

describe('disco-bus under exactly the documented rights', () => {
  const stage = cliStage();
  const { cli, services } = stage;
  let bus: DiscoBus;
  let position: string;
  afterEach(() => stage.admin.call('ACL', 'DELUSER', 'app'));

  /** Runs a command as a user with the rights under these headings, less one that is taken away. */
  async function as(headings: readonly string[], without: string | undefined, ...args: string[]) {
    const rules = headings.flatMap(documentedRules).filter((rule) => rule !== without);
    await stage.admin.call('ACL', 'SETUSER', 'app', 'reset', 'on', '>pw', ...rules);
    return cli.run([...args, '--url', `redis://app:pw@127.0.0.1:${stage.server.port}`]);
  }

  /** One line on stderr that names what lacks, exit code 4, and nothing on stdout. */
  const lacks = (named: RegExp) => ({
    ...{
      exitCode: 4,
      stdout: '',
      stderr: expect.stringMatching(new RegExp(`^[^\\n]*${named.source}.*\\n$`)),
    },
  });

  describe('dead letters', () => {
    beforeEach(async () => {
      bus = await services.start('shop');
      await bus.subscribe('orders', () => {
        throw new UnrecoverableError('no price');
      });
      await bus.publish('orders', { id: 1 });
      const letters = bus.deadLetters('orders');
      await until('it is given up', async () => (await letters.count()) === 1);
      [{ position }] = await letters.peek();
    });
    const edited = () => ['dead', 'edit', 'orders', 'shop', position, '--payload', '{"price":1}', '--yes'];
    const list = ['dead', 'list', 'orders', 'shop', '--reason', 'unrecoverable'];

    it('edit takes those for looking, for dead letters and for steering, and no more', async () => {
      const done = await as([...looking, 'Dead letters', steering], undefined, ...edited());
      expect(done).toMatchObject({ exitCode: 0, stdout: '1 dead letter handed back, edited\n', stderr: '' });
      expect(await cli.ask('audit')).toMatchObject([{ action: 'replay edited dead letter' }]);
    });

    it('edit without those for steering is done, not written down, and says so', async () => {
      const done = await as([...looking, 'Dead letters'], undefined, ...edited());
      expect(done).toMatchObject({ exitCode: 0, stdout: '1 dead letter handed back, edited\n' });
      expect(done.stderr).toMatch(
        /^disco-bus: What was done could not be written down: .*\+xgroup\|setid.*\n$/,
      );
      expect(await cli.ask('audit')).toEqual([]);
    });

    it('edit without one of those for dead letters names it, and the letter stays', async () => {
      expect(await as(looking, undefined, ...edited())).toMatchObject(lacks(/\+xdel/));
      const all = [...looking, 'Dead letters'];
      expect(await as(all, '+xdel', ...edited())).toMatchObject(lacks(/\+xdel/));
      expect(await as(all, '+hkeys', ...edited())).toMatchObject(lacks(/\+hkeys/));
      expect(await bus.deadLetters('orders').find(position)).toBeDefined();
    });

    it('list --reason takes those for looking and for dead letters, and names what lacks', async () => {
      const done = await as([...looking, 'Dead letters'], undefined, ...list, '--json');
      expect(done).toMatchObject({ exitCode: 0, stderr: '' });
      expect(done.json).toMatchObject([{ position, reason: 'unrecoverable' }]);
      expect(await as(looking, undefined, ...list)).toMatchObject(lacks(/\+xdel/));
      expect(await as(['Every user', 'Dead letters'], undefined, ...list)).toMatchObject(lacks(/\+zscan/));
      expect(await as(['Every user'], undefined, ...list)).toMatchObject(lacks(/NOPERM|\+eval/));
    });

    it('list --reason with the server away ends with 5; cut off in the middle of it, it goes on where the server is back', async () => {
      const away = await cli.run([...list, '--url', 'redis://127.0.0.1:1', '--timeout', '500ms']);
      expect(away).toMatchObject({
        exitCode: 5,
        stdout: '',
        stderr: expect.stringMatching(/^disco-bus: .*\n$/),
      });
      const large = randomBytes(200_000).toString('hex');
      await bus.publish('orders', { large });
      await until('it is given up', async () => (await bus.deadLetters('orders').count()) === 2);
      const proxy = await FaultProxy.start(stage.server.port);
      proxy.cutAfter(100_000);
      const cut = await cli.run([...list, '--url', proxy.url, '--json']);
      const { cuts } = proxy.counts;
      await proxy.stop();
      expect({ cuts: cuts > 0, exitCode: cut.exitCode }).toEqual({ cuts: true, exitCode: 0 });
      expect(cut.json).toHaveLength(2);
    });
  });

  describe('locks release', () => {
    let locks: LockManager;
    beforeEach(async () => {
      locks = new LockManager(redisDriver({ url: stage.server.url }).lockStore({ service: 'shop' }));
      await locks.connect();
      await locks.acquire('order:1', { ttl: '1m' });
    });
    afterEach(() => locks.close());
    const release = ['locks', 'release', 'order:1', '--yes', '--by', 'ann'];

    it('takes those for locks and for steering, and no more', async () => {
      const done = await as(['Every user', 'Locks', steering], undefined, ...release);
      expect(done).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^Taken from 1/), stderr: '' });
      expect(await cli.ask('audit')).toMatchObject([{ by: 'ann', action: 'force release', lock: 'order:1' }]);
    });

    it('without one of those for locks names it, and takes nothing', async () => {
      for (const right of ['+eval', '+hgetall', '+zadd'])
        expect(await as(['Every user', 'Locks', steering], right, ...release)).toMatchObject(
          lacks(/NOPERM.*/),
        );
      expect((await locks.inspect('order:1')).holders).toHaveLength(1);
      expect(await cli.ask('audit')).toEqual([]);
    });
  });
});
