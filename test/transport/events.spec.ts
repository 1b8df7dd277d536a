import { Controller, Injectable, type OnModuleDestroy, Scope } from '@nestjs/common';
import { Ctx, EventPattern, MessagePattern, Payload, RpcException } from '@nestjs/microservices';
import { lastValueFrom, Observable, of, throwError } from 'rxjs';
import type { DiscoBus } from '../../lib/bus/disco-bus.js';
import { UnrecoverableError } from '../../lib/errors/handler.errors.js';
import { KEY_HEADER } from '../../lib/message/headers.js';
import { DiscoBusContext } from '../../lib/transport/disco-bus.context.js';
import { DiscoRecordBuilder } from '../../lib/transport/disco-record.js';
import { gate } from '../nest/support.js';
import { Collector } from '../support/collector.js';
import { engines, stage, useEngines } from './support.js';

useEngines();

interface Seen {
  readonly by: string;
  readonly data: any;
  readonly context: DiscoBusContext;
}

let seen = new Collector<Seen>();
let failuresLeft = 0;

@Controller()
class Listening {
  @EventPattern<string>('user.created')
  first(@Payload() data: any, @Ctx() context: DiscoBusContext): void {
    seen.add({ by: 'first', data, context });
  }

  @EventPattern<string>('user.created', { group: 'second' })
  second(@Payload() data: any, @Ctx() context: DiscoBusContext): Observable<number> {
    seen.add({ by: 'second', data, context });
    return of(1, 2);
  }

  @EventPattern({ event: 'paid', currency: 'EUR' })
  paid(@Payload() data: any, @Ctx() context: DiscoBusContext): void {
    seen.add({ by: 'paid', data, context });
  }

  @EventPattern<string>('audit.>')
  audit(@Payload() data: any, @Ctx() context: DiscoBusContext): void {
    seen.add({ by: 'audit', data, context });
  }

  @MessagePattern('both')
  answer(@Payload() data: unknown): string {
    return `answered ${data as string}`;
  }

  @EventPattern<string>('both')
  notice(@Payload() data: any, @Ctx() context: DiscoBusContext): void {
    seen.add({ by: 'notice', data, context });
  }
}

@Controller({ scope: Scope.REQUEST })
class Scoped {
  private calls = 0;

  @EventPattern<string>('scoped')
  scoped(@Ctx() context: DiscoBusContext): void {
    seen.add({ by: 'scoped', data: ++this.calls, context });
  }
}

describe.each(engines)('Events over $name', (engine) => {
  const { client, serve } = stage(engine);
  beforeEach(() => {
    seen = new Collector();
  });

  it('reach every handler of their pattern', async () => {
    await serve(Listening);
    await lastValueFrom(client().emit('user.created', { id: 1 }), { defaultValue: undefined });
    const both = await seen.has(2);
    expect(both.map(({ by }) => by).toSorted()).toEqual(['first', 'second']);
    expect(both.map(({ data }) => data)).toEqual([{ id: 1 }, { id: 1 }]);
    const { context } = both[0];
    expect([context.getPattern(), context.getTopic(), context.getAttempt()]).toEqual([
      'user.created',
      'user.created',
      1,
    ]);
    expect(context.getMessage().payload).toEqual({ id: 1 });
    expect(context.getTimestamp()).toBeGreaterThan(Date.now() - 60_000);
  });

  it('reach handlers of object patterns, whatever the order of the keys', async () => {
    await serve(Listening);
    client().emit({ currency: 'EUR', event: 'paid' }, 5);
    expect((await seen.has(1))[0]).toMatchObject({ by: 'paid', data: 5 });
  });

  it('reach handlers of patterns with wildcards, which see no requests', async () => {
    await serve(Listening);
    const one = client();
    expect(await lastValueFrom(one.send('both', 'x'))).toBe('answered x');
    one.emit('audit.login.failed', 1);
    const [{ by, context }] = await seen.has(1);
    expect([by, context.getPattern()]).toEqual(['audit', 'audit.login.failed']);
    expect(seen.values).toHaveLength(1);
  });

  it('and requests of the same pattern are kept apart', async () => {
    await serve(Listening);
    const one = client();
    expect(await lastValueFrom(one.send('both', 'x'))).toBe('answered x');
    expect(seen.values).toEqual([]);
    one.emit('both', 'y');
    expect((await seen.has(1))[0]).toMatchObject({ by: 'notice', data: 'y' });
  });

  it('are hot: sent without a subscriber, and once with several', async () => {
    await serve(Listening);
    const emitted$ = client().emit({ event: 'paid', currency: 'EUR' }, 1);
    await Promise.all([
      lastValueFrom(emitted$, { defaultValue: undefined }),
      lastValueFrom(emitted$, { defaultValue: undefined }),
    ]);
    client().emit({ event: 'paid', currency: 'EUR' }, 2);
    expect((await seen.has(2)).map(({ data }) => data)).toEqual([1, 2]);
  });

  it('carry headers and an id', async () => {
    await serve(Listening);
    const record = new DiscoRecordBuilder({ id: 2 }).setHeaders({ tenant: 'a' }).setId('order-2').build();
    client().emit({ event: 'paid', currency: 'EUR' }, record);
    const [{ data, context }] = await seen.has(1);
    expect([data, context.getHeaders().tenant, context.getId()]).toEqual([{ id: 2 }, 'a', 'order-2']);
  });

  it('carry a key, and go no more once their signal has aborted', async () => {
    await serve(Listening);
    const one = client();
    const event = { event: 'paid', currency: 'EUR' };
    const withdrawn = new DiscoRecordBuilder(1).setSignal(AbortSignal.abort('changed my mind')).build();
    await expect(lastValueFrom(one.emit(event, withdrawn))).rejects.toMatchObject({ code: 'DISCO_ABORTED' });
    one.emit(event, new DiscoRecordBuilder(2).setKey('customer-1').build());
    const [{ data, context }] = await seen.has(1);
    expect([data, context.getHeaders()[KEY_HEADER]]).toEqual([2, 'customer-1']);
  });

  it.each(['id', 'delay', 'at', 'ttl', 'key', 'signal'] as const)(
    'have a word of their own: %s',
    async (word) => {
      const record = new DiscoRecordBuilder(1);
      const values = { id: 'x', delay: 1, at: 1, ttl: 1, key: 'x', signal: AbortSignal.abort() };
      const options = { [word]: values[word] };
      const asked = client().send('both', Object.assign(record.build(), { options }));
      await expect(lastValueFrom(asked)).rejects.toMatchObject({
        code: 'DISCO_CONFIGURATION',
        message: `A request takes headers and a timeout; ${word} is for events`,
      });
    },
  );

  it('arrive when sent the moment the server listens', async () => {
    for (let round = 0; round < 5; round++) {
      const one = client();
      await one.connect();
      const app = await serve(Listening);
      one.emit({ event: 'paid', currency: 'EUR' }, round);
      await seen.has(round + 1);
      await app.close();
    }
    expect(seen.values.map(({ data }) => data)).toEqual([0, 1, 2, 3, 4]);
  });

  it('get an instance of a request-scoped controller each', async () => {
    await serve(Scoped);
    const one = client();
    one.emit('scoped', 1);
    one.emit('scoped', 2);
    expect((await seen.has(2)).map(({ data }) => data)).toEqual([1, 1]);
  });

  it('that are being handled are finished before the server closes', async () => {
    const begun = gate();
    const release = gate();
    const order: string[] = [];

    @Injectable()
    class Database implements OnModuleDestroy {
      onModuleDestroy(): void {
        order.push('destroyed');
      }
    }

    @Controller()
    class Slow {
      @EventPattern<string>('slow')
      async slow(): Promise<void> {
        begun.open();
        await release.opened;
        order.push('handled');
      }
    }
    const app = await serve({ controllers: [Slow], providers: [Database] });
    client().emit('slow', 1);
    await begun.opened;
    const closing = app.close();
    setImmediate(release.open);
    await closing;
    expect(order).toContain('handled');
  });

  it('refuse data that is nothing', async () => {
    await expect(lastValueFrom(client().emit('user.created', undefined))).rejects.toThrow();
  });
});

/** How a handler can fail, and what it fails with. */
const failures: readonly [string, () => unknown][] = [
  ['throws', () => raise(new RpcException('no'))],
  ['rejects', () => Promise.reject(new Error('no'))],
  ['throws what is no Error', () => raise('no')],
  ['returns an Observable that fails', () => throwError(() => new Error('no'))],
  ['resolves with an Observable that fails', async () => throwError(() => new RpcException('no'))],
];

function raise(error: unknown): never {
  throw error;
}

let fail: () => unknown = () => {};

@Controller()
class Failing {
  @EventPattern<string>('flaky', {
    retry: { attempts: 3, backoff: { type: 'fixed', delay: 5 } },
    group: 'billing',
  })
  flaky(@Payload() data: any, @Ctx() context: DiscoBusContext): unknown {
    seen.add({ by: 'flaky', data, context });
    return failuresLeft-- > 0 ? fail() : undefined;
  }
}

describe.each(engines.filter(({ options }) => options.events !== 'at-most-once'))(
  'Events at least once over $name',
  (engine) => {
    const { client, serve } = stage(engine);
    beforeEach(() => {
      seen = new Collector();
    });
    const deadLetters = (one: { unwrap<T>(): T }) => one.unwrap<DiscoBus>().deadLetters('flaky', 'billing');

    it.each(failures)('are tried again when the handler %s', async (_name, how) => {
      failuresLeft = 1;
      fail = how;
      await serve(Failing);
      client().emit('flaky', 1);
      const attempts = await seen.has(2);
      expect(attempts.map(({ context }) => context.getAttempt())).toEqual([1, 2]);
      expect(attempts[0].context.getGroup()).toBe('billing');
    });

    it('become dead letters when they keep failing', async () => {
      failuresLeft = 99;
      fail = () => raise(new RpcException('out of paper'));
      const app = await serve(Failing);
      const one = client();
      one.emit('flaky', { id: 1 });
      await seen.has(3);
      await app.close();
      const found = await deadLetters(one).peek();
      expect(found).toHaveLength(1);
      expect(found[0]).toMatchObject({ attempts: 3, reason: 'attempts' });
      expect(found[0].error?.message).toBe('out of paper');
    });

    it('become dead letters at once when trying again is useless', async () => {
      failuresLeft = 99;
      fail = () => raise(new RpcException(new UnrecoverableError('never')));
      const app = await serve(Failing);
      const one = client();
      one.emit('flaky', 1);
      await seen.has(1);
      await app.close();
      expect(await deadLetters(one).peek()).toMatchObject([{ reason: 'unrecoverable', attempts: 1 }]);
    });

    it('are handled by one of a service', async () => {
      const servers = [{}, { driver: engine.driver() }];
      await serve(Listening, { servers });
      const one = client();
      const emitted = Array.from({ length: 50 }, (_, n) =>
        lastValueFrom(one.emit({ event: 'paid', currency: 'EUR' }, n), { defaultValue: undefined }),
      );
      await Promise.all(emitted);
      const handled = await seen.has(50);
      expect(handled.map(({ data }) => data).toSorted((a, b) => a - b)).toEqual(emitted.map((_, n) => n));
    });

    it('wait for a service that comes later', async () => {
      const one = client();
      await lastValueFrom(one.emit({ event: 'paid', currency: 'EUR' }, 'early'), { defaultValue: undefined });
      await serve(Listening);
      expect((await seen.has(1))[0].data).toBe('early');
    });

    it('can be delayed', async () => {
      await serve(Listening);
      const one = client();
      await one.connect();
      const sentMs = performance.now();
      one.emit(
        { event: 'paid', currency: 'EUR' },
        new DiscoRecordBuilder('later').setAt(Date.now() + 150).build(),
      );
      await seen.has(1);
      expect(performance.now() - sentMs).toBeGreaterThanOrEqual(140);
    });
  },
);
