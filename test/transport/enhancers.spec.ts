import {
  type CallHandler,
  type CanActivate,
  Catch,
  Controller,
  type ExecutionContext,
  type INestMicroservice,
  Inject,
  Injectable,
  type NestInterceptor,
  ParseIntPipe,
  type PipeTransform,
  type RpcExceptionFilter,
  Scope,
  UseFilters,
  UsePipes,
  ValidationPipe,
} from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_INTERCEPTOR, REQUEST } from '@nestjs/core';
import {
  Ctx,
  EventPattern,
  MessagePattern,
  NestMicroservice,
  Payload,
  type RequestContext,
  RpcException,
} from '@nestjs/microservices';
import { Test } from '@nestjs/testing';
import { IsInt } from 'class-validator';
import { EMPTY, from, lastValueFrom, map, Observable, takeUntil, tap, throwError, toArray } from 'rxjs';
import type { DiscoBus } from '../../lib/bus/disco-bus.js';
import { transportAccess } from '../../lib/bus/transport-access.js';
import { DiscoBusContext } from '../../lib/transport/disco-bus.context.js';
import { DiscoBusServer } from '../../lib/transport/disco-bus.server.js';
import { gate } from '../nest/support.js';
import { Collector } from '../support/collector.js';
import { engines, stage, useEngines } from './support.js';

useEngines();

let told = new Collector<string>();
const subscribed = { current: gate() };
const unsubscribed = { current: gate() };

class Order {
  @IsInt()
  amount!: number;
}

@Catch(RangeError)
class RangeFilter implements RpcExceptionFilter {
  catch(error: RangeError): Observable<never> {
    told.add(`filtered ${error.message}`);
    return throwError(() => ({ status: 'error', message: error.message }));
  }
}

@Catch(RangeError)
class SwallowingFilter implements RpcExceptionFilter {
  catch(error: RangeError): Observable<never> {
    told.add(`swallowed ${error.message}`);
    return EMPTY;
  }
}

@Injectable()
class Counting implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const pattern = context.switchToRpc().getContext<DiscoBusContext>().getPattern();
    return next.handle().pipe(
      map((value) => (typeof value === 'number' ? value + 100 : value)),
      tap({ complete: () => told.add(`intercepted ${pattern}`) }),
    );
  }
}

@Injectable()
class Guarding implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    told.add(`guarded ${context.getType()}`);
    return context.switchToRpc().getData() !== 'forbidden';
  }
}

@Injectable()
class Trimming implements PipeTransform {
  transform(value: unknown): unknown {
    return typeof value === 'string' ? value.trim() : value;
  }
}

@Controller()
class Shop {
  @MessagePattern('amount')
  amount(@Payload('amount', ParseIntPipe) amount: number): number {
    return amount;
  }

  @UsePipes(new ValidationPipe({ exceptionFactory: (errors) => new RpcException(errors[0].property) }))
  @MessagePattern('order')
  order(@Payload() order: Order): number {
    return order.amount;
  }

  @MessagePattern(['one name', 'another name'])
  named(@Ctx() context: DiscoBusContext): string {
    return context.getPattern();
  }

  @MessagePattern('range')
  range(): never {
    throw new RangeError('too far');
  }

  @MessagePattern('count')
  count(@Payload() upTo: number): Observable<number> {
    return from(Array.from({ length: upTo }, (_, n) => n + 1));
  }

  @MessagePattern('text')
  text(@Payload() text: string): string {
    return text;
  }

  @MessagePattern('silent')
  silent(): Observable<never> {
    return new Observable(() => {
      subscribed.current.open();
      return () => unsubscribed.current.open();
    });
  }

  @UseFilters(SwallowingFilter)
  @EventPattern<string>('broken')
  broken(): never {
    throw new RangeError('event');
  }

  @EventPattern<string>('metadata')
  metadata(@Ctx() context: DiscoBusContext): void {
    told.add(`metadata ${JSON.stringify(context.getMetadata() ?? null)}`);
  }
}

@Injectable({ scope: Scope.REQUEST })
class Tenant {
  constructor(@Inject(REQUEST) private readonly request: RequestContext<string, DiscoBusContext>) {}

  get name(): string {
    return `${this.request.getData()} of ${this.request.getContext().getPattern()}`;
  }
}

@Controller()
class Scoped {
  constructor(private readonly tenant: Tenant) {}

  @MessagePattern('tenant')
  tenantName(): string {
    return this.tenant.name;
  }
}

/** What only Nest 12 has. */
const onNest12 = 'registerPreRequestHook' in NestMicroservice.prototype ? it : it.skip;

describe.each(engines)('Enhancers over $name', (engine) => {
  const { client, serve, byUrl } = stage(engine);
  const alone: INestMicroservice[] = [];
  beforeEach(() => {
    told = new Collector();
    subscribed.current = gate();
    unsubscribed.current = gate();
  });
  afterEach(() => Promise.all(alone.splice(0).map((service) => service.close())));

  const ask = (pattern: unknown, data: unknown = {}) => lastValueFrom(client().send<any>(pattern, data));
  const failure = (pattern: unknown, data: unknown = {}) => ask(pattern, data).catch((error) => error);
  const service = async (prepare: (service: INestMicroservice) => void = () => {}) => {
    const module = await Test.createTestingModule({ controllers: [Shop, Scoped], providers: [Tenant] })
      .setLogger(false as never)
      .compile();
    const made = module.createNestMicroservice({ strategy: new DiscoBusServer(byUrl()) });
    alone.push(made);
    prepare(made);
    await made.listen();
    return made;
  };

  // A client that is reached by URL as well, for a microservice that is no part of an HTTP application.
  const reach = () => client({ ...byUrl(), driver: undefined });
  const askAlone = (pattern: unknown, data: unknown = {}) => lastValueFrom(reach().send<any>(pattern, data));

  it('bind a part of the payload to a pipe', async () => {
    await serve(Shop);
    expect(await ask('amount', { amount: '7' })).toBe(7);
    expect(await failure('amount', { amount: 'x' })).toMatchObject({
      status: 'error',
      message: 'The payload is not valid: amount: Validation failed (numeric string is expected)',
    });
  });

  it('validate, and tell what is wrong by an RpcException', async () => {
    await serve(Shop);
    expect(await ask('order', { amount: 3 })).toBe(3);
    expect(await failure('order', { amount: 'much' })).toEqual({ status: 'error', message: 'amount' });
  });

  it('serve every pattern of a list', async () => {
    await serve(Shop);
    expect([await ask('one name'), await ask('another name')]).toEqual(['one name', 'another name']);
  });

  it('see events, and a filter is shown what they fail on', async () => {
    await serve(Shop);
    const one = client();
    await lastValueFrom(one.emit('broken', {}), { defaultValue: undefined });
    await lastValueFrom(one.emit('metadata', {}), { defaultValue: undefined });
    expect((await told.has(2)).toSorted()).toEqual(['metadata null', 'swallowed event']);
  });

  it('of the whole application reach its microservices when they inherit', async () => {
    await serve({
      controllers: [Shop],
      providers: [
        { provide: APP_GUARD, useClass: Guarding },
        { provide: APP_INTERCEPTOR, useClass: Counting },
        { provide: APP_FILTER, useClass: RangeFilter },
      ],
    });
    expect(await lastValueFrom(client().send('count', 2).pipe(toArray()))).toEqual([101, 102]);
    expect(await failure('range')).toEqual({ status: 'error', message: 'too far' });
    expect(await failure('text', 'forbidden')).toEqual({ status: 'error', message: 'Forbidden resource' });
    const guarded = Array(3).fill('guarded rpc');
    expect(told.values.toSorted()).toEqual(['filtered too far', ...guarded, 'intercepted count']);
  });

  it('of a microservice are its own', async () => {
    await service((made) => {
      made.useGlobalGuards(new Guarding());
      made.useGlobalInterceptors(new Counting());
      made.useGlobalFilters(new RangeFilter());
      made.useGlobalPipes(new Trimming());
    });
    expect(await askAlone('text', ' padded ')).toBe('padded');
    expect(await askAlone('range').catch((error) => error)).toEqual({ status: 'error', message: 'too far' });
    const guarded = Array(2).fill('guarded rpc');
    expect(told.values.toSorted()).toEqual(['filtered too far', ...guarded, 'intercepted text']);
  });

  onNest12('run after the hooks of registerPreRequestHook', async () => {
    await service((made) => {
      made.registerPreRequestHook((context, next) => {
        told.add(`before ${context.switchToRpc().getContext<DiscoBusContext>().getPattern()}`);
        return next();
      });
      made.useGlobalGuards(new Guarding());
    });
    expect(await askAlone('text', 'x')).toBe('x');
    expect(told.values).toEqual(['before text', 'guarded rpc']);
  });

  onNest12('see what a dispatch hook attached to an event', async () => {
    await serve(Shop);
    const one = client();
    one.setOnDispatchHook((packet) => {
      packet.metadata = { trace: 'abc' };
    });
    one.emit('metadata', {});
    expect(await told.has(1)).toEqual(['metadata {"trace":"abc"}']);
  });

  it('may be request-scoped, and know the request', async () => {
    await service();
    expect(await askAlone('tenant', 'acme')).toBe('acme of tenant');
  });

  it('work is called off when an operator of the caller gives up', async () => {
    await serve(Shop);
    const one = client();
    const waiting = lastValueFrom(one.send('silent', {}).pipe(takeUntil(subscribed.current.opened)));
    await expect(waiting).rejects.toMatchObject({ name: 'EmptyError' });
    await unsubscribed.current.opened;
    expect(transportAccess(one.unwrap<DiscoBus>()).pendingRequests).toBe(0);
  });

  it('leave no listener of signals behind', async () => {
    const before = process.listenerCount('SIGTERM');
    const made = await service((each) => void each.enableShutdownHooks(['SIGTERM']));
    expect(process.listenerCount('SIGTERM')).toBe(before + 1);
    await made.close();
    expect(process.listenerCount('SIGTERM')).toBe(before);
  });
});
