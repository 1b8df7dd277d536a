import { Redis } from 'ioredis';
import type { DriverSubscribeOptions } from '../../../lib/driver/driver.js';
import { RedisLockStore } from '../../../lib/drivers/redis/locks/redis-lock-store.js';
import type { RedisDriver } from '../../../lib/drivers/redis/redis.driver.js';
import { documentedRules } from '../../support/acl-rules.js';
import { bytes, Drivers, fanOut, Inbox, once, rejection, StatusLog } from '../../support/redis-harness.js';
import { RedisServer } from '../../support/redis-server.js';

const reading: DriverSubscribeOptions = {
  delivery: 'at-least-once',
  group: 'g',
  maxInFlight: 1,
  startFrom: 'beginning',
};
const least = () => once({ delivery: 'at-least-once' });
const token = 'a'.repeat(32);
const claim = (letter: string) =>
  ({ keys: ['k'], token: letter.repeat(32), ttlMs: 5_000, permits: -1 }) as never;

let server: RedisServer;
let admin: Redis;
const drivers = new Drivers();
const stores: RedisLockStore[] = [];

beforeAll(async () => {
  server = await RedisServer.start();
  admin = new Redis({ port: server.port });
});
afterEach(async () => {
  await drivers.close();
  await Promise.all(stores.splice(0).map((store) => store.close()));
  await admin.call('ACL', 'DELUSER', 'app');
  await admin.flushall();
});
afterAll(async () => {
  admin.disconnect();
  await server.stop();
});

async function user(...rules: string[]): Promise<string> {
  await admin.call('ACL', 'SETUSER', 'app', 'reset', 'on', '>pw', 'resetchannels', ...rules);
  return `redis://app:pw@127.0.0.1:${server.port}`;
}

async function store(...rules: string[]): Promise<RedisLockStore> {
  const made = new RedisLockStore({ url: await user(...rules) });
  stores.push(made);
  await made.connect();
  return made;
}

const everything = documentedRules('Everything');
const every = documentedRules('Every user');
/** Adds up what the features say, and takes away one right, granted for whichever of them. */
const rulesOf = (...headings: string[]) => [...every, ...headings.flatMap(documentedRules)];

/** What a feature does, as far as it is needed to meet each right of it. */
const uses: Record<string, { with?: string[]; run(driver: RedisDriver): Promise<unknown> }> = {
  'Publishing at least once': { run: (driver) => driver.publish('t', bytes('x'), least()) },
  'Subscribing at least once': { run: (driver) => driver.subscribe('t', reading, () => undefined) },
  'Patterns at least once': {
    with: ['Subscribing at least once'],
    run: (driver) => driver.subscribe('p.*', reading, () => undefined),
  },
  'Dead letters': {
    async run(driver) {
      const opened = await driver.deadLetters('t', 'g').catch((error: Error) => error);
      // Nobody has made the group: that much the rights suffice to find out.
      if (opened instanceof Error && !opened.message.includes('has no group')) throw opened;
    },
  },
  'Removing and counting groups': { run: (driver) => driver.removeGroup('t', 'g') },
  'How topics are used': {
    run: (driver) => driver.agreeOn('t', { delivery: 'at-least-once' } as never, 'me', 1_000),
  },
  'Inspecting topics': { run: (driver) => driver.inspectTopic('t') },
  'Steering groups and topics': { run: (driver) => driver.steering().purgeTopic('t') },
};

describe.each(Object.entries(uses))('%s', (heading, { with: others = [], run }) => {
  const commands = documentedRules(heading).filter(
    (rule) => rule.startsWith('+') && !/^\+(publish|subscribe)$/.test(rule),
  );

  it('works with the documented rights', async () => {
    const driver = await drivers.connected({ url: await user(...rulesOf(...others, heading)) });
    await run(driver);
  });

  it.each(commands)('names %s where it is missing', async (right) => {
    const url = await user(...rulesOf(...others, heading), right.replace('+', '-'));
    const driver = await drivers.connected({ url });
    const error = await rejection(run(driver));
    expect(error).toMatchObject({
      code: 'DISCO_DRIVER',
      retryable: false,
      message: expect.stringContaining(`${right} `),
    });
  });

  it('names keys that may not be used', async () => {
    const rules = rulesOf(...others, heading).filter((rule) => rule !== '~disco:*');
    const driver = await drivers.connected({ url: await user(...rules, '~other:*') });
    expect((await rejection(run(driver))).message).toContain('~disco:');
  });
});

describe('Locks', () => {
  const rules = rulesOf('Locks');
  const commands = documentedRules('Locks').filter(
    (rule) => rule.startsWith('+') && !/^\+(publish|subscribe)$/.test(rule),
  );

  it.each(commands)('names %s when the store connects', async (right) => {
    const error = await rejection(store(...rules, right.replace('+', '-')));
    expect(error).toMatchObject({ code: 'DISCO_DRIVER', message: expect.stringContaining(`${right} `) });
  });

  it.each([
    ['with the documented rights', rules],
    ['without any channel', [...rules, 'resetchannels']],
    ['without PUBLISH', [...rules, '-publish']],
    ['without SUBSCRIBE', [...rules, '-subscribe']],
  ])('a contended one goes round %s, in order', async (_, given) => {
    const one = await store(...given);
    expect(await one.acquire(claim('a'))).toMatchObject({ granted: true });
    expect(await one.acquire(claim('b'), { wait: true })).toMatchObject({ granted: false });
    const neighbour = { ...(claim('c') as object), keys: ['other'] } as never;
    const both = await Promise.all([one.release(claim('a')), one.acquire(neighbour)]);
    expect(both).toEqual([true, expect.objectContaining({ granted: true })]);
    expect(await one.acquire(claim('d'))).toMatchObject({ granted: false });
    expect(await one.acquire(claim('b'), { wait: true })).toMatchObject({ granted: true });
    expect(await one.release(claim('b'))).toBe(true);
  });
});

describe('Without an optional right', () => {
  it.each([
    ['CLIENT UNBLOCK', ['+@all', '~*', '&*', '-client|unblock']],
    ['CLIENT', ['+@all', '~*', '&*', '-client']],
    ['all that is dangerous', ['+@all', '~*', '&*', '-@dangerous']],
    ['more than is documented', everything],
  ])('%s reading is as quick', async (_, rules) => {
    const driver = await drivers.connected({ url: await user(...rules) });
    const inboxes = [new Inbox(), new Inbox()];
    for (const [index, topic] of ['a', 'b'].entries()) {
      await driver.subscribe(topic, reading, (delivery) => {
        inboxes[index].take(delivery);
        setTimeout(() => void delivery.ack(), 5);
      });
    }
    await driver.publish('a', bytes('0'), least());
    await inboxes[0].received(1);
    const sinceMs = performance.now();
    for (let n = 1; n < 6; n++) {
      await driver.publish('a', bytes('x'), least());
      await inboxes[0].received(n + 1);
    }
    const late = await driver.subscribe('c', reading, inboxes[1].take);
    await late.close();
    // A read blocks for 5 s: one of them not ended is too many.
    expect(performance.now() - sinceMs).toBeLessThan(3_000);
    await driver.close();
    expect(performance.now() - sinceMs).toBeLessThan(4_000);
    expect(await admin.keys('disco:wake:*')).toEqual([]);
  });

  it('reading starts where the server has no memory left', async () => {
    const url = await user(...everything);
    const [first, again] = [await drivers.connected({ url }), await drivers.connected({ url })];
    const inbox = new Inbox();
    const subscription = await first.subscribe('t', reading, () => undefined);
    await subscription.close();
    await first.publish('t', bytes('x'), least());
    await admin.config('SET', 'maxmemory', '1');
    try {
      await again.subscribe('t', reading, inbox.take);
      await inbox.gets('x');
      await again.close();
    } finally {
      await admin.config('SET', 'maxmemory', '0');
    }
  });

  it('what is fanned out needs no more than its rules, and says what it may not', async () => {
    const rules = rulesOf('At most once');
    const driver = await drivers.connected({ url: await user(...rules, '-unsubscribe') });
    const log = new StatusLog(driver);
    const inbox = new Inbox();
    const subscription = await driver.subscribe('t', fanOut, inbox.take);
    await driver.publish('t', bytes('x'), once());
    await inbox.received(1);
    await subscription.close();
    expect(log.of('error')[0].error.message).toContain('unsubscribe');
  });

  it('patterns find a new topic later, and that is told', async () => {
    const driver = await drivers.connected({
      url: await user(...rulesOf('Publishing at least once'), 'resetchannels'),
    });
    const log = new StatusLog(driver);
    await driver.publish('t', bytes('x'), least());
    expect(log.of('error')[0].error.message).toContain('&disco:disco:stream-topics');
  });
});

describe('A server without INFO', () => {
  let bare: RedisServer;
  beforeAll(async () => {
    bare = await RedisServer.start('--rename-command', 'INFO', '');
  });
  afterAll(() => bare.stop());

  it('has locks, streams and channels', async () => {
    const made = new RedisLockStore({ url: bare.url });
    stores.push(made);
    await made.connect();
    expect(await made.acquire({ ...(claim('a') as object), token } as never)).toMatchObject({
      granted: true,
    });
    const driver = await drivers.connected({ url: bare.url });
    await driver.publish('t', bytes('x'), least());
    await driver.publish('t', bytes('x'), once());
  });
});
