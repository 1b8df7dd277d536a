import { setImmediate } from 'node:timers/promises';
import {
  type ArgumentsHost,
  type CallHandler,
  type CanActivate,
  Catch,
  Controller,
  type ExceptionFilter,
  type ExecutionContext,
  Injectable,
  type NestInterceptor,
  type PipeTransform,
  type Type,
  UseGuards,
} from '@nestjs/common';
import {
  APP_FILTER,
  APP_GUARD,
  APP_INTERCEPTOR,
  APP_PIPE,
  BaseExceptionFilter,
  HttpAdapterHost,
  NestFactory,
} from '@nestjs/core';
import { BaseRpcExceptionFilter, EventPattern, RpcException } from '@nestjs/microservices';
import { EMPTY, of, throwError } from 'rxjs';
import type { DeadLetteredMessage } from '../../lib/bus/operate/dead-letter-queue.js';
import { UnrecoverableError } from '../../lib/errors/handler.errors.js';
import { DiscoBusModule } from '../../lib/nest/disco-bus.module.js';
import { DiscoBusService } from '../../lib/nest/disco-bus.service.js';
import { DiscoSubscribe } from '../../lib/nest/handlers/disco-subscribe.decorator.js';
import type { DiscoBusModuleOptions } from '../../lib/nest/module-options.js';
import { DiscoBusServer } from '../../lib/transport/disco-bus.server.js';
import { Collector } from '../support/collector.js';

const closing: (() => Promise<unknown>)[] = [];
afterEach(() => Promise.all(closing.splice(0).map((close) => close())));

/** Nest's own, for HTTP. */
@Catch()
class Base extends BaseExceptionFilter {}

/** As Nest's documentation shows it. */
@Catch()
class Everything implements ExceptionFilter {
  constructor(private readonly host: HttpAdapterHost) {}

  catch(_: unknown, host: ArgumentsHost): void {
    const { httpAdapter } = this.host;
    const http = host.switchToHttp();
    const path = httpAdapter.getRequestUrl(http.getRequest());
    httpAdapter.reply(http.getResponse(), { path }, 500);
  }
}

@Catch()
class OnlyReports implements ExceptionFilter {
  catch(): void {}
}

@Catch()
class ReturnsEmpty implements ExceptionFilter {
  catch = () => EMPTY;
}

@Catch()
class ReturnsValue implements ExceptionFilter {
  catch = () => of('fine');
}

@Catch()
class BaseRpc extends BaseRpcExceptionFilter {}

@Catch()
class TellsTheClient implements ExceptionFilter {
  catch = () => throwError(() => ({ status: 'error', message: 'something went wrong' }));
}

@Catch()
class Rethrows implements ExceptionFilter {
  catch(error: unknown): never {
    throw error;
  }
}

@Catch()
class ThrowsAnother implements ExceptionFilter {
  catch(): never {
    throw new UnrecoverableError('on purpose');
  }
}

const filters: readonly (Type<ExceptionFilter> | undefined)[] = [
  undefined,
  Base,
  Everything,
  OnlyReports,
  ReturnsEmpty,
  ReturnsValue,
  BaseRpc,
  TellsTheClient,
  Rethrows,
];

/** What a handler throws, and what is to be seen of it. */
const failures: { name: string; make(): unknown; runs: number; dead: object }[] = [
  {
    name: 'an error',
    make: () => new RangeError('database is down'),
    runs: 2,
    dead: { reason: 'attempts', error: { name: 'RangeError', message: 'database is down' } },
  },
  {
    name: 'an error that is not worth trying again',
    make: () => new UnrecoverableError('bad order'),
    runs: 1,
    dead: { reason: 'unrecoverable', error: { name: 'UnrecoverableError', message: 'bad order' } },
  },
  {
    name: 'a TypeError of its own',
    make: () => new TypeError('order is undefined'),
    runs: 2,
    dead: { reason: 'attempts', error: { name: 'TypeError', message: 'order is undefined' } },
  },
  {
    name: 'an RpcException',
    make: () => new RpcException('no paper'),
    runs: 2,
    dead: { reason: 'attempts', error: { message: 'no paper' } },
  },
];

let fail: () => unknown;
let runs = 0;
const options = { retry: { attempts: 2, backoff: { delay: 1 } } } as const;

@Injectable()
class Subscribed {
  @DiscoSubscribe('orders', options)
  handle(): never {
    runs++;
    throw fail();
  }
}

@Controller()
class Patterned {
  @EventPattern<string>('orders', options)
  handle(): never {
    runs++;
    throw fail();
  }
}

interface Scene {
  readonly providers?: unknown[];
  readonly controllers?: Type[];
  readonly module?: DiscoBusModuleOptions;
}

/** A hybrid application over HTTP with those providers; what it writes to the log, and its bus. */
async function start({ providers = [], controllers = [], module = {} }: Scene) {
  const log = new Collector<string>();
  const logger = { log: log.add, warn: log.add, error: log.add };
  const dynamic = {
    module: class App {},
    imports: [DiscoBusModule.forRoot({ url: 'memory:', service: 'shop', logger, ...module })],
    providers: providers as Type[],
    controllers,
  };
  const app = await NestFactory.create(dynamic, { logger, abortOnError: false });
  closing.push(() => app.close());
  app.connectMicroservice({ strategy: app.get(DiscoBusServer) }, { inheritAppConfig: true });
  await app.startAllMicroservices();
  await app.init();
  return { bus: app.get(DiscoBusService), log };
}

/** The dead letter that a message ends as. */
async function ended(bus: DiscoBusService): Promise<DeadLetteredMessage> {
  await bus.publish('orders', 1);
  while ((await bus.deadLetters('orders').count()) === 0) await setImmediate();
  return (await bus.deadLetters('orders').peek())[0];
}

const handlers = [
  { kind: '@DiscoSubscribe', scene: { providers: [Subscribed] } },
  { kind: '@EventPattern', scene: { controllers: [Patterned] } },
];

describe.each(handlers)('What a method with $kind throws', ({ scene }) => {
  beforeEach(() => {
    runs = 0;
  });

  describe.each(filters.map((filter) => ({ filter, name: filter?.name ?? 'none' })))(
    'under the global filter $name',
    ({ filter }) => {
      it.each(failures)('is kept and decides: $name', async ({ make, runs: expected, dead }) => {
        fail = make;
        const global = filter ? [{ provide: APP_FILTER, useClass: filter }] : [];
        const { bus } = await start({ ...scene, providers: [...(scene.providers ?? []), ...global] });
        expect(await ended(bus)).toMatchObject(dead);
        expect(runs).toBe(expected);
      });
    },
  );

  it('gives way to another Error that a filter throws on purpose', async () => {
    fail = () => new RangeError('database is down');
    const global = { provide: APP_FILTER, useClass: ThrowsAnother };
    const { bus } = await start({ ...scene, providers: [...(scene.providers ?? []), global] });
    expect(await ended(bus)).toMatchObject({ reason: 'unrecoverable', error: { message: 'on purpose' } });
    expect(runs).toBe(1);
  });
});

@Injectable()
class Jwt implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    return context.switchToHttp().getRequest().headers.authorization !== undefined;
  }
}

@Injectable()
class Denies implements CanActivate {
  canActivate = () => false;
}

const around: string[] = [];
@Injectable()
class Around implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler) {
    around.push(`${context.getClass().name}.${context.getHandler().name}`);
    return next.handle();
  }
}

@Injectable()
class PlusOne implements PipeTransform {
  transform = (value: unknown) => (typeof value === 'number' ? value + 1 : value);
}

const handled = new Collector<string>();

@Injectable()
class Orders {
  @DiscoSubscribe('orders', { retry: false })
  handle(payload: number): void {
    handled.add(`handled ${payload}`);
  }

  @UseGuards(Denies)
  @DiscoSubscribe('guarded', { retry: false, enhancers: 'own' })
  guarded(): void {
    handled.add('guarded');
  }

  @UseGuards(Denies)
  @DiscoSubscribe('open', { retry: false, enhancers: false })
  open(payload: number): void {
    handled.add(`open ${payload}`);
  }
}

describe('Enhancers that are made for HTTP', () => {
  const globals = [
    { provide: APP_GUARD, useClass: Jwt },
    { provide: APP_INTERCEPTOR, useClass: Around },
    { provide: APP_PIPE, useClass: PlusOne },
    { provide: APP_FILTER, useClass: OnlyReports },
  ];
  beforeEach(() => {
    handled.values.length = 0;
    around.length = 0;
  });

  it('are told by name at boot, and what they ask for wrongly is said in the dead letter', async () => {
    const { bus, log } = await start({ providers: [Orders, ...globals] });
    const lines = log.values.filter((line) => String(line).startsWith('Global enhancers'));
    expect(lines).toEqual([
      "Global enhancers in effect on message handlers: guard Jwt, pipe PlusOne, interceptor Around, filter OnlyReports; enhancers: 'own' leaves them out",
    ]);
    const { error } = await ended(bus);
    expect(error?.message).toContain('switchToHttp().getRequest() was asked of a message handler');
    expect(handled.values).toEqual([]);
  });

  it("are left out by the module's enhancers: 'own'", async () => {
    const { bus, log } = await start({ providers: [Orders, ...globals], module: { enhancers: 'own' } });
    expect(log.values.join()).not.toContain('Global enhancers');
    await bus.publish('orders', 1);
    expect(await handled.has(1)).toEqual(['handled 1']);
    expect(around).toEqual([]);
  });

  it("are left out by a handler's own word, which may keep or leave out those of its class", async () => {
    const { bus } = await start({ providers: [Orders, ...globals.slice(1)] });
    await bus.publish('guarded', 1);
    await bus.publish('open', 1);
    expect(await handled.has(1)).toEqual(['open 1']);
    await bus.publish('orders', 1);
    expect(await handled.has(2)).toEqual(['open 1', 'handled 2']);
    expect(around).toEqual(['Orders.handle']);
    expect(await bus.deadLetters('guarded').count()).toBe(1);
  });

  it('are not chosen by any other word', () => {
    expect(() => DiscoBusModule.forRoot({ enhancers: 'none' as never })).toThrow(
      "enhancers must be 'all', 'own' or false, not \"none\"",
    );
    expect(() => DiscoSubscribe('orders', { enhancers: true as never })).toThrow(
      `@DiscoSubscribe("orders").enhancers must be 'all', 'own' or false, not true`,
    );
  });
});
