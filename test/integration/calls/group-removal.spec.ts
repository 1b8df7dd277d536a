import { Redis } from 'ioredis';
import { DiscoBus } from '../../../lib/bus/disco-bus.js';
import type { DiscoDriver } from '../../../lib/driver/driver.js';
import { until } from '../../support/waiting.js';
import { Inbox } from '../../unit/bus/support.js';
import { engines, useEngines } from './engines.js';

const silent = { log: () => {}, warn: () => {}, error: () => {} };
const running: DiscoBus[] = [];
const { broker } = useEngines();

afterEach(() => Promise.all(running.splice(0).map((bus) => bus.stop())));

async function started(driver: DiscoDriver, service: string): Promise<DiscoBus> {
  const retry = { attempts: 2, backoff: { delay: 1 } };
  const bus = new DiscoBus({ driver, service, logger: silent, defaults: { retry } });
  running.push(bus);
  await bus.start();
  return bus;
}

describe.each(engines)('Removing a group on $name', ({ name, driver, ports }) => {
  it('ends what is kept for it, and nothing of another group', async () => {
    const [old, other] = await Promise.all([started(driver(), 'old'), started(driver(), 'other')]);
    const failing = await old.subscribe('ledger', () => Promise.reject(new Error('no')));
    await old.publish('ledger', 0);
    await until('it is a dead letter', async () => (await old.deadLetters('ledger').count()) === 1);
    await failing.close();
    await other.publishBatch('ledger', [1, 2, 3]);
    await old.stop();

    expect(await other.removeGroup('ledger', 'old')).toBe(true);
    expect(await other.removeGroup('ledger', 'old')).toBe(false);
    await expect(other.deadLetters('ledger', 'old').count()).rejects.toMatchObject({
      code: 'DISCO_CONFIGURATION',
    });
    // Nobody has read what is left, so the next group begins with it.
    const inbox = new Inbox<number>();
    await other.subscribe('ledger', (payload: number) => inbox.push(payload));
    await other.publish('ledger', 4);
    await until('the last has come', () => inbox.items.includes(4));
    expect(inbox.items).not.toContain(0);
  });

  it('is refused while a member is alive', async () => {
    const [old, other] = await Promise.all([started(driver(), 'old'), started(driver(), 'other')]);
    const inbox = new Inbox<number>();
    await old.subscribe('busy', (payload: number) => inbox.push(payload));
    await expect(other.removeGroup('busy', 'old')).rejects.toMatchObject({
      code: 'DISCO_CONFIGURATION',
      message: 'The group "old" of "busy" has live members',
    });
    await other.publish('busy', 1);
    expect(await inbox.until(1)).toEqual([1]);
  });

  it('lets a topic go that was full for it alone', async () => {
    const [old, other] = await Promise.all([started(driver(), 'old'), started(driver(), 'other')]);
    await old.subscribe('piled', () => {});
    await old.stop();
    const inbox = new Inbox<number>();
    await other.subscribe('piled', (payload: number) => inbox.push(payload));
    await other.publishBatch('piled', [1, 2, 3]);
    await inbox.until(3);
    await other.removeGroup('piled', 'old');
    const kept = async () => (name === 'memory' ? broker().length('piled') : await lengthOf('disco:{piled}'));
    await until('nothing is kept', async () => (await kept()) <= 1);
  });

  it('takes a topic of one group with it', async () => {
    const old = await started(driver(), 'old');
    const inbox = new Inbox<number>();
    const subscription = await old.subscribe('once', (payload: number) => inbox.push(payload));
    await old.publish('once', 1);
    await inbox.until(1);
    await subscription.close();
    await old.removeGroup('once', 'old');
    expect(await keysOf('once')).toEqual([]);
  });

  async function each<Answer>(ask: (client: Redis) => Promise<Answer>): Promise<(Answer | undefined)[]> {
    return Promise.all(
      ports().map(async (port) => {
        const client = new Redis({ port });
        // A node of a Cluster refuses what is not its own.
        const answer = await ask(client).catch(() => undefined);
        client.disconnect();
        return answer;
      }),
    );
  }

  async function lengthOf(stream: string): Promise<number> {
    const lengths = await each((client) => client.xlen(stream));
    return Math.max(...lengths.filter((length) => length !== undefined));
  }

  /** What is left of a topic: save who uses it and what a publisher sent last, where those expire. */
  async function keysOf(topic: string): Promise<string[]> {
    const keys = await each(async (client) => {
      const found = await client.keys(`disco:{${topic}}*`);
      const ttls = await Promise.all(found.map((key) => client.pttl(key).catch(() => 0)));
      return found.filter((key, at) => ttls[at] === -1 || !/:(uses|sent:[^:]+)$/.test(key));
    });
    return keys.flatMap((some) => some ?? []);
  }
});
