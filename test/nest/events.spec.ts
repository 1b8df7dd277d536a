import { ConsoleLogger, Injectable, Logger, Scope } from '@nestjs/common';
import {
  ConfigurationError,
  DiscoBusModule,
  DiscoBusService,
  type DiscoEvent,
  DiscoSubscribe,
  getDiscoBusToken,
  OnDiscoEvent,
  UnrecoverableError,
} from 'nestjs-disco-bus';
import { redisDriver } from 'nestjs-disco-bus/redis';
import { RedisServer } from '../support/redis-server.js';
import { until } from '../support/waiting.js';
import { closeApps, startApp } from './support.js';

afterEach(closeApps);

let redis: RedisServer;
beforeAll(async () => {
  redis = await RedisServer.start();
});
afterAll(() => redis.stop());

const oncePerHandler = { attempts: 2, backoff: { delay: 5 } };

@Injectable()
class Orders {
  @DiscoSubscribe('orders.created', { retry: oncePerHandler })
  onCreated(what: string) {
    if (what === 'fails') throw new Error('db down');
    if (what === 'refused') throw new UnrecoverableError('no such customer');
  }
}

@Injectable()
class Watcher {
  readonly seen: DiscoEvent[] = [];

  @OnDiscoEvent(['retry', 'dead-letter'])
  onTrouble(event: DiscoEvent<'retry' | 'dead-letter'>) {
    this.seen.push(event);
  }

  @OnDiscoEvent('connected')
  @OnDiscoEvent(['subscribed', 'unsubscribed', 'state', 'lock-lost'])
  onLife(event: DiscoEvent) {
    this.seen.push(event);
  }
}

const drivers = {
  memory: () => ({ url: 'memory:' }),
  redis: () => ({ driver: redisDriver({ url: redis.url }) }),
};

describe.each(Object.entries(drivers))('@OnDiscoEvent over %s', (_name, driver) => {
  it('tells of retries and dead letters, once they are recorded', async () => {
    const app = await startApp({
      imports: [DiscoBusModule.forRoot({ ...driver(), service: 'billing' })],
      providers: [Orders, Watcher],
    });
    const { seen } = app.get(Watcher);
    const bus = app.get(DiscoBusService);
    const headers = { 'x-correlation-id': 'cart-7' };
    const { id } = await bus.publish('orders.created', 'fails', { headers });
    await until('it is given up', () => seen.some(({ type }) => type === 'dead-letter'));
    const [letter] = await bus.deadLetters('orders.created').peek();
    expect(letter.message?.id).toBe(id);
    const trouble = seen.filter(({ type }) => type === 'retry' || type === 'dead-letter');
    expect(trouble).toEqual([
      {
        type: 'retry',
        topic: 'orders.created',
        group: 'billing',
        messageId: id,
        headers: expect.objectContaining(headers),
        handler: 'Orders.onCreated',
        attempt: 1,
        attempts: 2,
        delayMs: expect.any(Number),
        error: expect.objectContaining({ message: 'db down' }),
      },
      {
        type: 'dead-letter',
        topic: 'orders.created',
        group: 'billing',
        reason: 'attempts',
        letters: 1,
        messageId: id,
        headers: expect.objectContaining(headers),
        handler: 'Orders.onCreated',
        attempt: 2,
        error: expect.objectContaining({ message: 'db down' }),
      },
    ]);
    await bus.publish('orders.created', 'refused');
    await until('it is given up', () => seen.filter(({ type }) => type === 'dead-letter').length === 2);
    expect(seen.at(-1)).toMatchObject({ reason: 'unrecoverable', attempt: 1 });
  });

  it('tells of the life of the bus, from before it connects until it is closed', async () => {
    const app = await startApp({
      imports: [DiscoBusModule.forRoot({ ...driver(), service: 'billing' })],
      providers: [Orders, Watcher],
    });
    const { seen } = app.get(Watcher);
    await app.close();
    const story = seen.map((event) => (event.type === 'state' ? event.state : event.type));
    expect(story.filter((each) => each !== 'connected')).toEqual([
      'connecting',
      'ready',
      'subscribed',
      'draining',
      'unsubscribed',
      'closed',
    ]);
    expect(story.indexOf('connected')).toBeLessThan(story.indexOf('subscribed'));
    expect(seen.find(({ type }) => type === 'subscribed')).toEqual({
      type: 'subscribed',
      topic: 'orders.created',
      delivery: 'at-least-once',
      group: 'billing',
      handler: 'Orders.onCreated',
    });
  });

  it('tells of a lock that was lost, with its keys', async () => {
    const app = await startApp({
      imports: [DiscoBusModule.forRoot({ ...driver(), service: 'billing' })],
      providers: [Watcher],
    });
    const { seen } = app.get(Watcher);
    const { locks } = app.get(DiscoBusService);
    const lock = await locks.acquire('stock', { ttl: 100, autoExtend: false });
    void lock.signal;
    await until('it is told', () => seen.some(({ type }) => type === 'lock-lost'));
    expect(seen.at(-1)).toEqual({
      type: 'lock-lost',
      keys: ['stock'],
      fencingToken: lock.fencingToken,
    });
  });
});

describe('@OnDiscoEvent', () => {
  it('logs what a method throws or rejects with, and goes on', async () => {
    class Faulty {
      readonly calls: string[] = [];
      @OnDiscoEvent('subscribed')
      throws() {
        this.calls.push('throws');
        throw new Error('no mail server');
      }
      @OnDiscoEvent('subscribed')
      async rejects() {
        this.calls.push('rejects');
        throw new Error('no chat server');
      }
      @OnDiscoEvent('subscribed')
      goesOn() {
        this.calls.push('goes on');
      }
    }
    const errors: unknown[] = [];
    const logger = new ConsoleLogger({ logLevels: ['error'] });
    logger.error = (text: unknown) => void errors.push(text);
    const app = await startApp({
      imports: [DiscoBusModule.forRoot({ url: 'memory:', service: 'billing' })],
      providers: [Orders, Faulty],
    });
    Logger.overrideLogger(logger);
    try {
      await app.get(DiscoBusService).subscribe('more', () => {});
      await until('both are logged', () => errors.length === 2);
    } finally {
      Logger.overrideLogger(false);
    }
    expect(app.get(Faulty).calls.slice(-3)).toEqual(['throws', 'rejects', 'goes on']);
    expect(errors).toEqual([
      expect.stringContaining('Faulty.throws failed on the event "subscribed": Error: no mail server'),
      expect.stringContaining('Faulty.rejects failed on the event "subscribed": Error: no chat server'),
    ]);
  });

  it.each(['code', 'stack', 'message'])('logs also an error with a %s that cannot be read', async (field) => {
    class Faulty {
      @OnDiscoEvent('subscribed')
      async rejects() {
        throw Object.defineProperty(new Error('hostile'), field, {
          get: () => {
            throw new Error('not to be read');
          },
        });
      }
    }
    const errors: string[] = [];
    const logger = { log() {}, warn() {}, error: (text: string) => void errors.push(text) };
    const app = await startApp({
      imports: [DiscoBusModule.forRoot({ url: 'memory:', service: 'billing', logger })],
      providers: [Faulty],
    });
    await app.get(DiscoBusService).subscribe('more', () => {});
    await until('it is logged', () => errors.length === 1);
    expect(errors[0]).toContain('Faulty.rejects failed on the event "subscribed"');
  });

  it('listens to the bus that it names', async () => {
    class Named {
      readonly seen: DiscoEvent[] = [];
      @OnDiscoEvent('subscribed', { bus: 'audit' })
      onSubscribed(event: DiscoEvent) {
        this.seen.push(event);
      }
    }
    const app = await startApp({
      imports: [
        DiscoBusModule.forRoot({ url: 'memory:', service: 'billing' }),
        DiscoBusModule.forRoot({ name: 'audit', url: 'memory:', service: 'audit', registerHandlers: false }),
      ],
      providers: [Orders, Named],
    });
    expect(app.get(Named).seen).toEqual([]);
    await app.get<DiscoBusService>(getDiscoBusToken('audit')).subscribe('log', () => {});
    expect(app.get(Named).seen).toEqual([expect.objectContaining({ topic: 'log', group: 'audit' })]);
  });

  it('refuses an event that there is not, with the nearest one', () => {
    expect(() => OnDiscoEvent('dead-leter' as never)).toThrow(
      '@OnDiscoEvent knows no event "dead-leter": did you mean "dead-letter"?',
    );
    expect(() => OnDiscoEvent(7 as never)).toThrow(/knows no event 7: there are state, connected/);
    expect(() => OnDiscoEvent([])).toThrow(ConfigurationError);
    expect(() => OnDiscoEvent('retry', { buss: 'a' } as never)).toThrow(/buss/);
  });

  it('refuses what is no method of instances', () => {
    expect(() => {
      class Wrong {
        @OnDiscoEvent('retry')
        static onRetry() {}
      }
      return Wrong;
    }).toThrow('@OnDiscoEvent("retry") is for methods of instances; onRetry is none');
  });

  it.each([
    [
      'a bus that there is not',
      () => {
        class Lost {
          @OnDiscoEvent('retry', { bus: 'adit' })
          onRetry() {}
        }
        return Lost;
      },
      'Lost.onRetry listens to events of the bus "adit", but the application has "default"',
    ],
    [
      'a provider per request',
      () => {
        @Injectable({ scope: Scope.REQUEST })
        class PerRequest {
          @OnDiscoEvent('retry')
          onRetry() {}
        }
        return PerRequest;
      },
      'PerRequest.onRetry has @OnDiscoEvent, but its class is made for each request',
    ],
  ])('does not start with %s', async (_what, provider, text) => {
    const starting = startApp({
      imports: [DiscoBusModule.forRoot({ url: 'memory:', service: 'billing' })],
      providers: [provider()],
    });
    await expect(starting).rejects.toThrow(text);
  });
});
