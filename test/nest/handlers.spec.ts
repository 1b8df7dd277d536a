import * as nestCommon from '@nestjs/common';
import {
  type ArgumentsHost,
  type CallHandler,
  Catch,
  Controller,
  createParamDecorator,
  type ExceptionFilter,
  type ExecutionContext,
  Injectable,
  Module,
  type NestInterceptor,
  ParseIntPipe,
  type PipeTransform,
  Scope,
  UseFilters,
  UseGuards,
  UseInterceptors,
  UsePipes,
  ValidationPipe,
} from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_INTERCEPTOR, APP_PIPE, type ModuleRef } from '@nestjs/core';
import { IsInt } from 'class-validator';
import {
  ConfigurationError,
  DiscoBusModule,
  DiscoBusService,
  DiscoContext,
  type DiscoMessageContext,
  DiscoPayload,
  DiscoSubscribe,
  UnrecoverableError,
} from 'nestjs-disco-bus';
import { EMPTY, map, Observable, of, tap, timer } from 'rxjs';
import { z } from 'zod';
import { Collector } from '../support/collector.js';
import { closeApps, startApp } from './support.js';

/** What the handlers of a test got, and what became of messages. */
let got: Collector<any>;
beforeEach(() => {
  got = new Collector();
});
afterEach(closeApps);

const stored = { delivery: 'at-least-once', retry: { attempts: 2, backoff: { delay: 1 } } } as const;

async function app(providers: any[], options: object = {}, others: object = {}) {
  const bus = DiscoBusModule.forRoot({
    url: 'memory:',
    service: 'default',
    defaults: { delivery: 'at-most-once' },
    topics: { 'stored.>': stored },
    ...options,
  });
  const started = await startApp({ imports: [bus], providers, ...others });
  const service = started.get(DiscoBusService);
  return {
    started,
    bus: service,
    publish: (payload: unknown, topic = 'orders') => service.publish(topic, payload),
  };
}

describe('a handler', () => {
  it('gets the payload and the context', async () => {
    @Injectable()
    class Plain {
      @DiscoSubscribe('orders')
      handle(payload: unknown, context: DiscoMessageContext) {
        got.add([this instanceof Plain, payload, context.topic, context.attempt]);
      }
    }
    const { publish } = await app([Plain]);
    await publish({ number: 1 });
    expect(await got.has(1)).toEqual([[true, { number: 1 }, 'orders', 1]]);
  });

  it('gets what its parameter decorators say, in any order', async () => {
    @Injectable()
    class Decorated {
      @DiscoSubscribe('payload')
      payload(@DiscoPayload() payload: unknown, ...rest: unknown[]) {
        got.add([payload, rest.length]);
      }

      @DiscoSubscribe('both')
      both(@DiscoPayload() payload: unknown, @DiscoContext() context: DiscoMessageContext) {
        got.add([payload, context.id]);
      }

      @DiscoSubscribe('mixed')
      mixed(
        @DiscoContext() context: DiscoMessageContext,
        @DiscoPayload('customer.id') id: unknown,
        nothing: unknown,
        @DiscoPayload('constructor.name') hostile: unknown,
      ) {
        got.add([context.topic, id, nothing, hostile]);
      }

      @DiscoSubscribe('piped')
      piped(@DiscoPayload('count', ParseIntPipe) count: unknown) {
        got.add(count);
      }
    }
    const { bus } = await app([Decorated]);
    await bus.publish('payload', 1);
    await bus.publish('both', 2, { id: 'mine' });
    await bus.publish('mixed', { customer: { id: 7 } });
    await bus.publish('piped', { count: '12' });
    expect(await got.has(4)).toEqual([[1, 0], [2, 'mine'], ['mixed', 7, undefined, undefined], 12]);
  });

  it('works with decorators of the user’s own', async () => {
    const TopicName = createParamDecorator((data: string, context: ExecutionContext) => {
      const message = context.getArgByIndex<DiscoMessageContext>(1);
      return `${data}${message.topic}:${context.getType()}:${context.getClass().name}:${context.getHandler().name}`;
    });
    @Injectable()
    class Own {
      @DiscoSubscribe('orders')
      handle(@TopicName('on ') name: string, @DiscoPayload() payload: unknown) {
        got.add([name, payload]);
      }
    }
    const { publish } = await app([Own]);
    await publish(1);
    expect(await got.has(1)).toEqual([['on orders:disco:Own:handle', 1]]);
  });

  it('may be on a controller, have several subscriptions, and patterns', async () => {
    @Controller()
    class Several {
      @DiscoSubscribe('orders.*')
      @DiscoSubscribe('refunds')
      handle(payload: unknown, { topic }: DiscoMessageContext) {
        got.add([topic, payload]);
      }
    }
    const { publish } = await app([], {}, { controllers: [Several] });
    await publish(1, 'orders.eu');
    await publish(2, 'refunds');
    expect(await got.has(2)).toEqual([
      ['orders.eu', 1],
      ['refunds', 2],
    ]);
  });

  it('is inherited, and overriding it without the decorator takes it away', async () => {
    abstract class Base {
      @DiscoSubscribe('orders')
      handle() {
        got.add(this.constructor.name);
      }
    }
    @Injectable()
    class Heir extends Base {}
    @Injectable()
    class Rebel extends Base {
      override handle() {
        got.add('rebel');
      }
    }
    const { publish, bus } = await app([Heir, Rebel]);
    await bus.subscribe('orders', () => got.add('last'));
    await publish(1);
    expect(await got.has(2)).toEqual(['Heir', 'last']);
  });

  it('takes its options from a factory, that sees the module of the handler', async () => {
    const CONFIG = 'CONFIG';
    @Injectable()
    class Configured {
      @DiscoSubscribe('stored.orders', async (moduleRef: ModuleRef) => ({
        group: moduleRef.get(CONFIG, { strict: true }),
      }))
      handle(_payload: unknown, { group }: DiscoMessageContext) {
        got.add(group);
      }
    }
    @Module({ providers: [Configured, { provide: CONFIG, useValue: 'from-config' }] })
    class FeatureModule {}
    const { publish } = await app(
      [],
      {},
      {
        imports: [DiscoBusModule.forRoot({ url: 'memory:', topics: { 'stored.>': stored } }), FeatureModule],
      },
    );
    await publish(1, 'stored.orders');
    expect(await got.has(1)).toEqual(['from-config']);
  });

  it('is awaited to its end, be it a Promise or an Observable, and fails as they do', async () => {
    @Injectable()
    class Slow {
      @DiscoSubscribe('stored.observable', { concurrency: 1 })
      observable(n: number): Observable<unknown> {
        return timer(5).pipe(tap(() => got.add(`${n} done`)));
      }

      @DiscoSubscribe('stored.empty')
      empty() {
        got.add('empty');
        return EMPTY;
      }

      @DiscoSubscribe('stored.failing')
      failing(_payload: unknown, { attempt }: DiscoMessageContext) {
        got.add(`attempt ${attempt}`);
        return of(1).pipe(
          map(() => {
            throw new Error('no');
          }),
        );
      }
    }
    const { bus } = await app([Slow]);
    await bus.publishBatch('stored.observable', [1, 2]);
    expect(await got.has(2)).toEqual(['1 done', '2 done']);
    await bus.publish('stored.failing', 1);
    expect(await got.has(4)).toEqual(expect.arrayContaining(['attempt 1', 'attempt 2']));
    await bus.publish('stored.empty', 1);
    await got.has(5);
  });

  it('is registered once, however its provider is shared', async () => {
    @Injectable()
    class Shared {
      @DiscoSubscribe('orders')
      handle() {
        got.add('handled');
      }
    }
    @Module({ providers: [Shared], exports: [Shared] })
    class SharedModule {}
    @Module({
      imports: [SharedModule],
      providers: [{ provide: 'ALIAS', useExisting: Shared }],
      exports: ['ALIAS'],
    })
    class OtherModule {}
    const { publish, bus } = await app(
      [{ provide: 'AGAIN', useFactory: (shared: Shared) => shared, inject: [Shared] }],
      {},
      {
        imports: [
          DiscoBusModule.forRoot({ url: 'memory:', defaults: { delivery: 'at-most-once' } }),
          SharedModule,
          OtherModule,
        ],
      },
    );
    await bus.subscribe('orders', () => got.add('last'));
    await publish(1);
    expect(await got.has(2)).toEqual(['handled', 'last']);
  });

  it('goes on the bus it names, if that bus wants handlers', async () => {
    @Injectable()
    class Named {
      @DiscoSubscribe('orders', { bus: 'audit' })
      audit(payload: unknown) {
        got.add(['audit', payload]);
      }

      @DiscoSubscribe('orders')
      main(payload: unknown) {
        got.add(['main', payload]);
      }
    }
    const url = 'memory:named-in-handlers-spec';
    const { publish } = await app(
      [Named],
      {},
      {
        imports: [
          DiscoBusModule.forRoot({ url, registerHandlers: false }),
          DiscoBusModule.forRoot({ url, name: 'audit' }),
        ],
      },
    );
    await publish(1);
    expect(await got.has(1)).toEqual([['audit', 1]]);
  });

  it('is seen by spies that come later', async () => {
    @Injectable()
    class Spied {
      @DiscoSubscribe('orders')
      handle(_payload: unknown) {}
    }
    const { started, publish } = await app([Spied]);
    jest.spyOn(started.get(Spied), 'handle').mockImplementation((payload) => got.add(payload));
    await publish('spied');
    expect(await got.has(1)).toEqual(['spied']);
  });
});

describe('what is refused at boot', () => {
  it('two handlers that would share a group, by name', async () => {
    @Injectable()
    class First {
      @DiscoSubscribe('stored.orders')
      one() {}
    }
    @Injectable()
    class Second {
      @DiscoSubscribe('stored.orders')
      two() {}
    }
    const starting = app([First, Second]);
    await expect(starting).rejects.toThrow(ConfigurationError);
    await expect(starting).rejects.toThrow(/First\.one and Second\.two .*"stored\.orders".*"default"/);
  });

  it('but not two with groups of their own, nor two on a fanned-out topic', async () => {
    @Injectable()
    class Fine {
      @DiscoSubscribe('stored.orders', { group: 'one' })
      @DiscoSubscribe('stored.orders', { group: 'two' })
      stored() {
        got.add('stored');
      }

      @DiscoSubscribe('orders')
      one() {
        got.add('one');
      }

      @DiscoSubscribe('orders')
      two() {
        got.add('two');
      }
    }
    const { publish } = await app([Fine]);
    await publish(1);
    await publish(1, 'stored.orders');
    expect((await got.has(4)).sort()).toEqual(['one', 'stored', 'stored', 'two']);
  });

  it('a bus that does not exist, a bad topic, a bad option', async () => {
    @Injectable()
    class Lost {
      @DiscoSubscribe('orders', { bus: 'nowhere' })
      handle() {}
    }
    await expect(app([Lost])).rejects.toThrow(/Lost\.handle .*"nowhere".*"default"/);
    expect(() => DiscoSubscribe('not a topic')).toThrow(/not a topic/);
    @Injectable()
    class Wrong {
      @DiscoSubscribe('orders', { concurrency: -1 })
      handle() {}
    }
    await expect(app([Wrong])).rejects.toThrow(/concurrency/);
  });
});

@Injectable()
class Words {
  say(word: string) {
    got.add(word);
  }
}

@Injectable()
class OnlyEven {
  constructor(private readonly words: Words) {}

  canActivate(context: ExecutionContext): boolean {
    const [payload, message] = context.getArgs<[number, DiscoMessageContext]>();
    this.words.say(`guard ${context.getType()} ${message.topic} ${context.switchToRpc().getData()}`);
    return payload % 2 === 0;
  }
}

@Injectable()
class Around implements NestInterceptor {
  constructor(private readonly words: Words) {}

  intercept(context: ExecutionContext, next: CallHandler) {
    this.words.say(`before ${context.getHandler().name}`);
    return next.handle().pipe(tap(() => this.words.say('after')));
  }
}

@Injectable()
class PlusOne implements PipeTransform {
  constructor(private readonly words: Words) {}

  transform(value: unknown, { type }: { type: string }) {
    if (type !== 'body') return value;
    this.words.say('pipe');
    return (value as number) + 1;
  }
}

@Catch(RangeError)
@Injectable()
class RangeFilter implements ExceptionFilter {
  constructor(private readonly words: Words) {}

  catch(error: RangeError, host: ArgumentsHost) {
    const [payload, context] = host.getArgs();
    this.words.say(`filter ${host.getType()} ${error.message} ${payload} ${context.attempt}`);
  }
}

describe('enhancers', () => {
  const word = ['guard disco orders 2', 'before handle', 'pipe', 'handled 3', 'after'];

  it('of a method', async () => {
    @Injectable()
    class Enhanced {
      @UseGuards(OnlyEven)
      @UseInterceptors(Around)
      @UsePipes(PlusOne)
      @DiscoSubscribe('orders')
      handle(payload: number) {
        got.add(`handled ${payload}`);
      }
    }
    const { publish } = await app([Words, Enhanced]);
    await publish(2);
    expect(await got.has(5)).toEqual(word);
  });

  it('of a class', async () => {
    @UseGuards(OnlyEven)
    @UseInterceptors(Around)
    @UsePipes(PlusOne)
    @Injectable()
    class Enhanced {
      @DiscoSubscribe('orders')
      handle(@DiscoPayload() payload: number) {
        got.add(`handled ${payload}`);
      }
    }
    const { publish } = await app([Words, Enhanced]);
    await publish(2);
    expect(await got.has(5)).toEqual(word);
  });

  it('of a controller', async () => {
    @UseGuards(OnlyEven)
    @UseInterceptors(Around)
    @Controller()
    class Enhanced {
      @UsePipes(PlusOne)
      @UseFilters(RangeFilter)
      @DiscoSubscribe('orders')
      handle(payload: number) {
        got.add(`handled ${payload}`);
        if (payload === 5) throw new RangeError('five');
      }
    }
    const { publish } = await app([Words], {}, { controllers: [Enhanced] });
    await publish(2);
    expect(await got.has(5)).toEqual(word);
    await publish(4);
    expect((await got.has(10)).slice(8)).toEqual(['handled 5', 'filter disco five 4 1']);
  });

  it('of the application', async () => {
    @Injectable()
    class Enhanced {
      @DiscoSubscribe('orders')
      handle(payload: number) {
        got.add(`handled ${payload}`);
      }
    }
    const { publish } = await app([
      Words,
      Enhanced,
      { provide: APP_GUARD, useClass: OnlyEven },
      { provide: APP_INTERCEPTOR, useClass: Around },
      { provide: APP_PIPE, useClass: PlusOne },
    ]);
    await publish(2);
    expect(await got.has(5)).toEqual(word);
  });

  it('of the application, one for each message', async () => {
    let made = 0;
    @Injectable({ scope: Scope.REQUEST })
    class Fresh extends OnlyEven {
      constructor(words: Words) {
        super(words);
        made++;
      }
    }
    @Catch()
    @Injectable({ scope: Scope.REQUEST })
    class FreshFilter extends RangeFilter {
      constructor(words: Words) {
        super(words);
      }
    }
    @Injectable()
    class Enhanced {
      @DiscoSubscribe('orders')
      handle(payload: number) {
        got.add(`handled ${payload}`);
        if (payload === 4) throw new RangeError('four');
      }
    }
    const { publish, started } = await app([
      Words,
      Enhanced,
      { provide: APP_GUARD, useClass: Fresh },
      { provide: APP_FILTER, useClass: FreshFilter },
    ]);
    expect(started.get(Enhanced)).toBeInstanceOf(Enhanced);
    await publish(2);
    await got.has(2);
    await publish(4);
    expect(await got.has(5)).toEqual([
      'guard disco orders 2',
      'handled 2',
      'guard disco orders 4',
      'handled 4',
      'filter disco four 4 1',
    ]);
    expect(made).toBe(2);
  });

  it('a guard that refuses fails the message, which is tried again and given up', async () => {
    @Injectable()
    class Guarded {
      @UseGuards(OnlyEven)
      @DiscoSubscribe('stored.guarded')
      handle() {
        got.add('handled');
      }
    }
    const { publish } = await app([Words, Guarded]);
    await publish(1, 'stored.guarded');
    await got.has(2);
    await publish(2, 'stored.guarded');
    expect(await got.has(4)).toEqual([
      'guard disco stored.guarded 1',
      'guard disco stored.guarded 1',
      'guard disco stored.guarded 2',
      'handled',
    ]);
  });

  it('a filter is shown the error, and one that throws another decides what it becomes', async () => {
    @Catch(TypeError)
    class Rethrows implements ExceptionFilter {
      catch(error: Error) {
        got.add(`rethrown ${error.message}`);
        throw error;
      }
    }
    @Catch(SyntaxError)
    class GivesUp implements ExceptionFilter {
      async catch(error: Error) {
        got.add(`given up ${error.message}`);
        throw new UnrecoverableError('useless');
      }
    }
    const errors: Record<string, Error> = {
      handled: new RangeError('handled'),
      rethrown: new TypeError('rethrown'),
      useless: new SyntaxError('useless'),
      foreign: new Error('foreign'),
    };
    @UseFilters(new Rethrows(), GivesUp)
    @Injectable()
    class Failing {
      @UseFilters(RangeFilter)
      @DiscoSubscribe('stored.failing', { concurrency: 1 })
      handle(payload: string, { attempt }: DiscoMessageContext) {
        got.add(`${payload} ${attempt}`);
        throw errors[payload];
      }
    }
    const { publish } = await app([Words, Failing]);
    const ended = async (payload: string, count: number) => {
      got = new Collector();
      await publish(payload, 'stored.failing');
      return got.has(count);
    };
    expect(await ended('handled', 4)).toEqual([
      'handled 1',
      'filter disco handled handled 1',
      'handled 2',
      'filter disco handled handled 2',
    ]);
    expect(await ended('useless', 2)).toEqual(['useless 1', 'given up useless']);
    expect(await ended('rethrown', 4)).toEqual([
      'rethrown 1',
      'rethrown rethrown',
      'rethrown 2',
      'rethrown rethrown',
    ]);
    expect(await ended('foreign', 2)).toEqual(['foreign 1', 'foreign 2']);
  });

  it('ValidationPipe checks the payload by its type, decorated or not', async () => {
    class Order {
      @IsInt()
      number!: number;
    }
    @UsePipes(new ValidationPipe({ transform: true }))
    @Injectable()
    class Validated {
      @DiscoSubscribe('plain')
      plain(order: Order, { topic }: DiscoMessageContext) {
        got.add([topic, order instanceof Order, order.number]);
      }

      @DiscoSubscribe('decorated')
      decorated(@DiscoContext() { topic }: DiscoMessageContext, @DiscoPayload() order: Order) {
        got.add([topic, order instanceof Order, order.number]);
      }
    }
    const { publish } = await app([Validated]);
    for (const topic of ['plain', 'decorated']) {
      await publish({ number: 'no number' }, topic);
      await publish({ number: 1 }, topic);
    }
    expect((await got.has(2)).sort()).toEqual([
      ['decorated', true, 1],
      ['plain', true, 1],
    ]);
  });

  it('StandardSchemaValidationPipe checks it by a schema, as the option `schema` does without a pipe', async () => {
    const schema = z.object({ number: z.coerce.number() });
    const { StandardSchemaValidationPipe } = nestCommon as any;
    expect(StandardSchemaValidationPipe).toBeDefined();
    @Injectable()
    class Checked {
      @UsePipes(new StandardSchemaValidationPipe())
      @DiscoSubscribe('piped')
      piped(@DiscoPayload({ schema }) order: unknown) {
        got.add(['piped', order]);
      }

      @DiscoSubscribe('option', { schema })
      option(order: unknown) {
        got.add(['option', order]);
      }
    }
    const { publish } = await app([Checked]);
    for (const topic of ['piped', 'option']) {
      await publish({ number: 'x' }, topic);
      await publish({ number: '5' }, topic);
    }
    expect((await got.has(2)).sort()).toEqual([
      ['option', { number: 5 }],
      ['piped', { number: 5 }],
    ]);
  });
});

describe('what is no method of instances', () => {
  it('is refused where it is decorated', () => {
    const refused = expect.objectContaining({ code: 'DISCO_CONFIGURATION' });
    expect(() => {
      class Static {
        @DiscoSubscribe('orders')
        static handle(): void {}
      }
      return Static;
    }).toThrow(refused);
    expect(() => {
      class Arrow {
        @(DiscoSubscribe('orders') as PropertyDecorator)
        handle = () => {};
      }
      return Arrow;
    }).toThrow('@DiscoSubscribe("orders") is for methods of instances; handle is none');
  });
});
