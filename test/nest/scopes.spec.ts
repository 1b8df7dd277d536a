import { Controller, Inject, Injectable, Scope, UseGuards } from '@nestjs/common';
import {
  type ContextId,
  ContextIdFactory,
  type ContextIdStrategy,
  type HostComponentInfo,
  REQUEST,
} from '@nestjs/core';
import {
  DiscoBusModule,
  DiscoBusService,
  DiscoContext,
  type DiscoMessageContext,
  DiscoPayload,
  DiscoSubscribe,
} from 'nestjs-disco-bus';
import { Collector } from '../support/collector.js';
import { closeApps, startApp } from './support.js';

let got: Collector<any>;
let made = 0;
beforeEach(() => {
  got = new Collector();
  made = 0;
});
afterEach(closeApps);

async function app(providers: any[], controllers: any[] = []) {
  const started = await startApp({
    imports: [DiscoBusModule.forRoot({ url: 'memory:' })],
    providers,
    controllers,
  });
  return started.get(DiscoBusService);
}

/** Known to whoever works on the same message. */
@Injectable({ scope: Scope.REQUEST })
class Unit {
  readonly number = ++made;

  constructor(@Inject(REQUEST) readonly request: DiscoMessageContext) {}
}

describe('request scope', () => {
  it('makes an instance for each message, with its context as the request', async () => {
    @Injectable()
    class Handling {
      constructor(private readonly unit: Unit) {}

      @DiscoSubscribe('orders')
      handle(payload: unknown, context: DiscoMessageContext) {
        got.add([payload, this.unit.number, this.unit.request === context]);
      }
    }
    const bus = await app([Unit, Handling]);
    await bus.publish('orders', 'a');
    await got.has(1);
    await bus.publish('orders', 'b');
    expect(await got.has(2)).toEqual([
      ['a', 1, true],
      ['b', 2, true],
    ]);
  });

  it('of a controller, and shared with its guards', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class UnitGuard {
      constructor(private readonly unit: Unit) {}

      canActivate() {
        got.add(['guard', this.unit.number]);
        return true;
      }
    }
    @Controller()
    class Handling {
      constructor(private readonly unit: Unit) {}

      @UseGuards(UnitGuard)
      @DiscoSubscribe('orders')
      handle(@DiscoContext() { id }: DiscoMessageContext, @DiscoPayload() payload: unknown) {
        got.add([payload, this.unit.number, this.unit.request.id === id]);
      }
    }
    const bus = await app([Unit], [Handling]);
    await bus.publish('orders', 'a');
    expect(await got.has(2)).toEqual([
      ['guard', 1],
      ['a', 1, true],
    ]);
  });

  it('keeps concurrent messages apart', async () => {
    @Injectable()
    class Handling {
      constructor(private readonly unit: Unit) {}

      @DiscoSubscribe('orders')
      async handle(payload: number) {
        await new Promise((resolve) => setImmediate(resolve));
        got.add([payload, this.unit.request.message.payload, this.unit.number]);
      }
    }
    const bus = await app([Unit, Handling]);
    await bus.publishBatch(
      'orders',
      Array.from({ length: 20 }, (_, index) => index),
    );
    const all: [number, number, number][] = await got.has(20);
    expect(all.every(([mine, request]) => mine === request)).toBe(true);
    expect(new Set(all.map(([, , unit]) => unit)).size).toBe(20);
  });

  it('fails the message when the instance cannot be made', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class Broken {
      constructor(@Inject(REQUEST) { attempt }: DiscoMessageContext) {
        got.add(`made in attempt ${attempt}`);
        if (attempt === 1) throw new Error('not yet');
      }

      @DiscoSubscribe('orders', { delivery: 'at-least-once', retry: { attempts: 2, backoff: { delay: 1 } } })
      handle() {
        got.add('handled');
      }
    }
    const started = await startApp({
      imports: [DiscoBusModule.forRoot({ url: 'memory:', defaults: { delivery: 'at-least-once' } })],
      providers: [Broken],
    });
    await started.get(DiscoBusService).publish('orders', 1);
    expect(await got.has(3)).toEqual(['made in attempt 1', 'made in attempt 2', 'handled']);
  });
});

describe('transient scope', () => {
  it('makes an instance for each message', async () => {
    @Injectable({ scope: Scope.TRANSIENT })
    class Handling {
      private readonly number = ++made;

      @DiscoSubscribe('orders')
      handle(payload: unknown) {
        got.add([payload, this.number]);
      }
    }
    const bus = await app([Handling]);
    made = 0;
    await bus.publish('orders', 'a');
    await got.has(1);
    await bus.publish('orders', 'b');
    expect(await got.has(2)).toEqual([
      ['a', 1],
      ['b', 2],
    ]);
  });
});

describe('durable providers', () => {
  it('are made once for each context that the strategy tells apart', async () => {
    const tenants = new Map<string, ContextId>();
    const strategy: ContextIdStrategy<DiscoMessageContext> = {
      attach(contextId, { headers }) {
        const tenant = headers.tenant ?? 'none';
        const parent = tenants.get(tenant) ?? { id: tenants.size + 1 };
        tenants.set(tenant, parent);
        return {
          resolve: (info: HostComponentInfo) => (info.isTreeDurable ? parent : contextId),
          payload: { tenant },
        };
      },
    };
    ContextIdFactory.apply(strategy as ContextIdStrategy);
    try {
      @Injectable({ scope: Scope.REQUEST, durable: true })
      class Tenant {
        readonly number = ++made;

        constructor(@Inject(REQUEST) readonly request: { tenant: string }) {}
      }
      @Injectable({ scope: Scope.REQUEST, durable: true })
      class Handling {
        constructor(private readonly tenant: Tenant) {}

        @DiscoSubscribe('orders')
        handle(payload: unknown) {
          got.add([payload, this.tenant.request.tenant, this.tenant.number]);
        }
      }
      const bus = await app([Tenant, Handling]);
      for (const [payload, tenant] of [
        [1, 'a'],
        [2, 'b'],
        [3, 'a'],
      ] as const) {
        await bus.publish('orders', payload, { headers: { tenant } });
        await got.has(payload);
      }
      expect(got.values).toEqual([
        [1, 'a', 1],
        [2, 'b', 2],
        [3, 'a', 1],
      ]);
    } finally {
      ContextIdFactory.apply(undefined as never);
    }
  });
});
