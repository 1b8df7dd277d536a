import {
  type ArgumentsHost,
  type CallHandler,
  type CanActivate,
  Catch,
  Controller,
  type ExecutionContext,
  Injectable,
  type NestInterceptor,
  ParseIntPipe,
  type RpcExceptionFilter,
  Scope,
  UseFilters,
  UseGuards,
  UseInterceptors,
} from '@nestjs/common';
import { BaseRpcExceptionFilter, Ctx, MessagePattern, Payload, RpcException } from '@nestjs/microservices';
import { from, lastValueFrom, Observable, of, throwError, toArray } from 'rxjs';
import { map, scan, take } from 'rxjs/operators';
import type { DiscoBus } from '../../lib/bus/disco-bus.js';
import { transportAccess } from '../../lib/bus/transport-access.js';
import { DiscoBusContext } from '../../lib/transport/disco-bus.context.js';
import { DiscoRecordBuilder } from '../../lib/transport/disco-record.js';
import { gate } from '../nest/support.js';
import { Collector } from '../support/collector.js';
import { engines, stage, useEngines } from './support.js';

useEngines();

const stopped = { current: gate() };
const contexts = new Collector<DiscoBusContext>();

@Injectable()
class Refusing implements CanActivate {
  canActivate(): boolean {
    return false;
  }
}

@Injectable()
class Doubling implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(map((value: number) => value * 2));
  }
}

@Catch(RangeError)
class RangeFilter implements RpcExceptionFilter {
  catch(error: RangeError): Observable<never> {
    return throwError(() => ({ status: 'error', message: `range: ${error.message}` }));
  }
}

@Catch()
class HostFilter extends BaseRpcExceptionFilter {
  override catch(_error: unknown, host: ArgumentsHost): Observable<never> {
    const context = host.switchToRpc().getContext<DiscoBusContext>();
    return throwError(() => `${host.getType()} ${context.getPattern()}`);
  }
}

@Controller()
class Arithmetic {
  @MessagePattern({ cmd: 'sum' })
  sum(data: number[]): number {
    return (data || []).reduce((a, b) => a + b);
  }

  @MessagePattern('asyncSum')
  async asyncSum(data: number[]): Promise<number> {
    return this.sum(data);
  }

  @MessagePattern(7)
  streamSum(data: number[]): Observable<number> {
    return of(this.sum(data));
  }

  @MessagePattern('streaming')
  streaming(data: number[]): Observable<number> {
    return from(data);
  }

  @MessagePattern('promised-stream')
  async promisedStream(data: number[]): Promise<Observable<number>> {
    return from(data);
  }

  @MessagePattern('nothing')
  nothing(): void {}

  @MessagePattern('null')
  null(): null {
    return null;
  }

  @MessagePattern('bytes')
  bytes(data: Buffer): Buffer {
    return Buffer.concat([data, Buffer.from([255])]);
  }

  @MessagePattern('never')
  never(@Ctx() context: DiscoBusContext): Promise<never> {
    context.getSignal().addEventListener('abort', () => stopped.current.open());
    contexts.add(context);
    return new Promise(() => {});
  }

  @MessagePattern('ticks')
  ticks(): Observable<string> {
    return new Observable((observer) => {
      observer.next('tick');
      return () => stopped.current.open();
    });
  }

  @MessagePattern('orders.*.created')
  created(@Ctx() context: DiscoBusContext): string {
    return context.getPattern();
  }

  @MessagePattern('audit.>')
  audit(@Ctx() context: DiscoBusContext): string {
    return context.getChannel();
  }

  @MessagePattern('context')
  context(@Payload() data: string, @Ctx() context: DiscoBusContext) {
    return {
      data,
      pattern: context.getPattern(),
      tenant: context.getHeaders().tenant,
      request: context.getHeaders()['x-request-id'],
      trace: context.getMetadata()?.trace,
      attempt: context.getAttempt(),
      isContext: context instanceof DiscoBusContext,
      args: context.getArgs().length,
    };
  }
}

@Controller()
class Failing {
  @MessagePattern('rpc')
  rpc(): never {
    throw new RpcException('known');
  }

  @MessagePattern('rpc-object')
  rpcObject(): never {
    throw new RpcException({ code: 17, message: 'known' });
  }

  @MessagePattern('unknown')
  unknown(): never {
    throw new Error('secret of the house');
  }

  @MessagePattern('rejecting')
  async rejecting(): Promise<never> {
    throw new Error('secret of the house');
  }

  @MessagePattern('no-error')
  noError(): Promise<never> {
    return Promise.reject('a string');
  }

  @MessagePattern('stream')
  stream(): Observable<number> {
    return new Observable((observer) => {
      observer.next(1);
      observer.error(new RpcException('half way'));
    });
  }

  @MessagePattern('unwritable')
  unwritable(): unknown {
    const circle: Record<string, unknown> = {};
    circle.self = circle;
    return circle;
  }

  @UseGuards(Refusing)
  @MessagePattern('guarded')
  guarded(): string {
    return 'in';
  }

  @UseInterceptors(Doubling)
  @MessagePattern('doubled')
  doubled(data: number): number {
    return data;
  }

  @MessagePattern('piped')
  piped(@Payload('id', ParseIntPipe) id: number): number {
    return id + 1;
  }

  @UseFilters(RangeFilter)
  @MessagePattern('filtered')
  filtered(): never {
    throw new RangeError('too far');
  }

  @UseFilters(HostFilter)
  @MessagePattern({ cmd: 'hosted' })
  hosted(): never {
    throw new Error('x');
  }
}

@Controller({ scope: Scope.REQUEST })
class Scoped {
  private calls = 0;

  @MessagePattern('scoped')
  scoped(): number {
    return ++this.calls;
  }
}

describe.each(engines)('Requests over $name', (engine) => {
  const { client, serve, strategy } = stage(engine);
  beforeEach(() => {
    stopped.current = gate();
    contexts.values.length = 0;
  });
  const ask = (pattern: unknown, data: unknown = {}) => lastValueFrom(client().send<any>(pattern, data));
  const failure = async (pattern: unknown, data: unknown = {}): Promise<any> =>
    ask(pattern, data).then(
      (value) => Promise.reject(new Error(`it answered ${JSON.stringify(value)}`)),
      (error) => error,
    );

  it('answers values, promises and Observables, for object, string and number patterns', async () => {
    await serve(Arithmetic);
    expect(await ask({ cmd: 'sum' }, [1, 2, 3])).toBe(6);
    expect(await ask('asyncSum', [1, 2, 3])).toBe(6);
    expect(await ask(7, [1, 2, 3])).toBe(6);
    expect(await ask('7', [1, 2])).toBe(3);
    expect(await ask('null')).toBeNull();
    expect(await ask('bytes', Buffer.from([1, 0]))).toEqual(Buffer.from([1, 0, 255]));
    expect(await lastValueFrom(client().send('nothing', {}), { defaultValue: 'empty' })).toBe('empty');
  });

  it('streams', async () => {
    await serve(Arithmetic);
    const sums$ = client()
      .send<number>('streaming', [1, 2, 3, 4, 5])
      .pipe(scan((a, b) => a + b));
    expect(await lastValueFrom(sums$.pipe(toArray()))).toEqual([1, 3, 6, 10, 15]);
    expect(await lastValueFrom(client().send('promised-stream', [1, 2]).pipe(toArray()))).toEqual([1, 2]);
  });

  it('crosses nothing when many are under way', async () => {
    await serve(Arithmetic);
    const one = client();
    const sums = await Promise.all(
      Array.from({ length: 300 }, (_, n) => lastValueFrom(one.send<number>({ cmd: 'sum' }, [n, n]))),
    );
    expect(sums).toEqual(sums.map((_, n) => 2 * n));
    expect(transportAccess(one.unwrap<DiscoBus>()).pendingRequests).toBe(0);
  });

  it('is cold: each subscription sends', async () => {
    await serve(Arithmetic);
    const sum$ = client().send<number>({ cmd: 'sum' }, [1, 1]);
    expect(await lastValueFrom(sum$)).toBe(2);
    expect(await lastValueFrom(sum$)).toBe(2);
  });

  it('calls the work off when its client unsubscribes', async () => {
    await serve(Arithmetic);
    const one = client();
    expect(await lastValueFrom(one.send('ticks', {}).pipe(take(1)))).toBe('tick');
    await stopped.current.opened;
    stopped.current = gate();
    const subscription = one.send('never', {}).subscribe();
    await contexts.has(1);
    subscription.unsubscribe();
    await stopped.current.opened;
    expect(transportAccess(one.unwrap<DiscoBus>()).pendingRequests).toBe(0);
  });

  it('gives up a request that nobody answers in time, and stops the handler', async () => {
    await serve(Arithmetic);
    const one = client();
    await one.connect();
    // On a busy machine the time may be over before the handler has begun: the next request is given more.
    for (let timeoutMs = 150; contexts.values.length === 0; timeoutMs *= 2) {
      const data = new DiscoRecordBuilder({}).setTimeout(timeoutMs).build();
      const answered = lastValueFrom(one.send('never', data));
      await expect(answered).rejects.toMatchObject({ code: 'DISCO_REQUEST_TIMEOUT', timeoutMs });
    }
    await stopped.current.opened;
    const hasty = client({ timeout: 120 });
    await expect(lastValueFrom(hasty.send('never', {}))).rejects.toMatchObject({ timeoutMs: 120 });
  });

  it('tells quickly that nobody is there', async () => {
    const one = client();
    await one.connect();
    for (const pattern of ['nobody', { cmd: 'nobody' }]) {
      const startedMs = performance.now();
      await expect(lastValueFrom(one.send(pattern, 1))).rejects.toMatchObject({
        code: 'DISCO_NO_RESPONDERS',
      });
      expect(performance.now() - startedMs).toBeLessThan(100);
    }
  });

  it('answers patterns with wildcards', async () => {
    await serve(Arithmetic);
    expect(await ask('orders.eu.created')).toBe('orders.eu.created');
    expect(await ask('audit.a.b')).toBe('audit.a.b');
    expect(await failure('orders.created')).toMatchObject({ code: 'DISCO_NO_RESPONDERS' });
  });

  it('hands over headers, metadata and the context', async () => {
    await serve(Arithmetic);
    const one = client();
    one.setOnDispatchHook?.((packet) => {
      packet.metadata = { trace: 'abc' };
    });
    const record = new DiscoRecordBuilder('x').setHeader('Tenant', 'a').build();
    expect(await lastValueFrom(one.send('context', record))).toEqual({
      data: 'x',
      pattern: 'context',
      tenant: 'a',
      // Nest 11 has no dispatch hook.
      ...('setOnDispatchHook' in one && { trace: 'abc' }),
      attempt: 1,
      isContext: true,
      args: 3,
    });
  });

  it('leaves headers that look like its own to the application', async () => {
    await serve(Arithmetic);
    const headers = { 'x-request-id': 'abc', tenant: 'b', 'x-reply-to': 'elsewhere', 'x-reply-id': 'mine' };
    const record = new DiscoRecordBuilder('x').setHeaders(headers).build();
    expect(await lastValueFrom(client().send('context', record))).toMatchObject({
      tenant: 'b',
      request: 'abc',
    });
  });

  it('tells of errors as Nest maps them, and never a stack', async () => {
    await serve(Failing);
    const internal = { status: 'error', message: 'Internal server error' };
    expect(await failure('rpc')).toEqual({ status: 'error', message: 'known' });
    expect(await failure('rpc-object')).toEqual({ code: 17, message: 'known' });
    expect(await failure('unknown')).toEqual(internal);
    expect(await failure('rejecting')).toEqual(internal);
    expect(await failure('no-error')).toEqual(internal);
    expect(await failure('guarded')).toEqual({ status: 'error', message: 'Forbidden resource' });
    expect(await failure('piped', { id: 'x' })).toEqual({
      status: 'error',
      message: 'The payload is not valid: id: Validation failed (numeric string is expected)',
      name: 'PayloadInvalidError',
      code: 'DISCO_UNRECOVERABLE',
    });
    expect(await failure('filtered')).toEqual({ status: 'error', message: 'range: too far' });
    expect(await failure({ cmd: 'hosted' })).toBe('rpc {"cmd":"hosted"}');
    const unwritable = await failure('unwritable');
    expect(unwritable).toMatchObject({ message: expect.any(String), code: 'DISCO_CODEC' });
    expect(JSON.stringify(unwritable)).not.toMatch(/stack|\.ts/);
  });

  it('runs interceptors and pipes, and makes request-scoped controllers for each', async () => {
    await serve({ controllers: [Failing, Scoped] });
    expect(await ask('doubled', 21)).toBe(42);
    expect(await ask('piped', { id: '1' })).toBe(2);
    expect([await ask('scoped'), await ask('scoped')]).toEqual([1, 1]);
  });

  it('ends a stream with its error', async () => {
    await serve(Failing);
    const seen: unknown[] = [];
    await new Promise<void>((resolve) => {
      client()
        .send('stream', {})
        .subscribe({
          next: (value) => seen.push(value),
          error: (error) => {
            seen.push(error);
            resolve();
          },
        });
    });
    expect(seen).toEqual([1, { status: 'error', message: 'half way' }]);
  });

  it('inherits the global enhancers of a hybrid application', async () => {
    const patterns: string[] = [];
    const guard: CanActivate = {
      canActivate: (context) => {
        patterns.push(context.switchToRpc().getContext<DiscoBusContext>().getPattern());
        return true;
      },
    };
    await serve(Failing, {
      prepare: (app) => void app.useGlobalGuards(guard).useGlobalInterceptors(new Doubling()),
    });
    expect(await ask('doubled', 10)).toBe(40);
    expect(patterns).toEqual(['doubled']);
  });

  it('runs the processing hooks once for each request', async () => {
    const server = strategy();
    const hooks: string[] = [];
    server.setOnProcessingStartHook((_id, _context, done) => {
      hooks.push('start');
      void done();
    });
    server.setOnProcessingEndHook(() => void hooks.push('end'));
    server.addHandler('one', async () => of(1, 2));
    server.addHandler('bad', async () => throwError(() => 'bad'));
    await new Promise<void>((resolve, reject) =>
      server.listen((error) => (error ? reject(error) : resolve())),
    );
    try {
      expect(await lastValueFrom(client().send('one', 1).pipe(toArray()))).toEqual([1, 2]);
      expect(await failure('bad', 1)).toBe('bad');
      expect(hooks).toEqual(['start', 'end', 'start', 'end']);
    } finally {
      await server.close();
    }
  });

  it.each<[string, () => unknown]>([
    [
      'throws',
      () => {
        throw new Error('an end hook that throws');
      },
    ],
    ['rejects', () => Promise.reject(new Error('an end hook that rejects'))],
  ])('answers as usual when the end hook %s, and tells it once', async (_, hook) => {
    const emit = jest.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const server = strategy();
    server.setOnProcessingStartHook((_id, _context, done) => void done());
    server.setOnProcessingEndHook(hook as () => void);
    server.addHandler('one', async () => of(1, 2));
    await new Promise<void>((resolve, reject) =>
      server.listen((error) => (error ? reject(error) : resolve())),
    );
    try {
      for (let n = 0; n < 2; n++) {
        expect(await lastValueFrom(client().send('one', 1).pipe(toArray()))).toEqual([1, 2]);
      }
      expect(emit.mock.calls).toEqual([
        [expect.stringMatching(/^The end hook threw, .*an end hook that/), expect.anything()],
      ]);
    } finally {
      emit.mockRestore();
      await server.close();
    }
  });

  it('closes a client with its requests, and connects it again', async () => {
    await serve(Arithmetic);
    const one = client(engine.name.startsWith('memory') ? {} : { driver: engine.driver() });
    const answer = lastValueFrom(one.send('never', {})).catch((error) => error);
    await contexts.has(1);
    await one.close();
    expect(await answer).toMatchObject({ code: 'DISCO_CLOSED' });
    await stopped.current.opened;
  });

  it('tells its status', async () => {
    const one = client();
    const statuses: string[] = [];
    one.status.subscribe((status) => statuses.push(status));
    expect(() => one.unwrap()).toThrow(expect.objectContaining({ code: 'DISCO_NOT_CONNECTED' }));
    await one.connect();
    await one.connect();
    expect(statuses).toEqual(['connected']);
    expect(one.unwrap<DiscoBus>().state).toBe('ready');
  });

  it('ends nothing of the handler that never settles but its place', async () => {
    const app = await serve(Arithmetic);
    const data = new DiscoRecordBuilder({}).setTimeout(50).build();
    expect(await failure('never', data)).toMatchObject({ code: 'DISCO_REQUEST_TIMEOUT' });
    await app.close();
  });
});

describe.each(engines.filter(({ options }) => options.requests === 'every'))(
  'Requests to every instance over $name',
  (engine) => {
    const { client, serve } = stage(engine);

    @Controller()
    class Broadcast {
      @MessagePattern({ cmd: 'broadcast' })
      reply(): Observable<number> {
        return new Observable((observer) => observer.next(1));
      }
    }

    it('merges the replies of two microservices', async () => {
      await serve(Broadcast, { servers: [{}, { driver: engine.driver() }] });
      const sum$ = client()
        .send<number>({ cmd: 'broadcast' }, {})
        .pipe(
          scan((a, b) => a + b),
          take(2),
        );
      expect(await lastValueFrom(sum$)).toBe(2);
    });
  },
);

describe.each(engines.filter(({ options }) => options.requests !== 'every'))(
  'Requests to one instance over $name',
  (engine) => {
    const { client, serve } = stage(engine);
    const handled = new Collector<number>();

    @Controller()
    class Worker {
      @MessagePattern('work')
      work(data: number): number {
        handled.add(data);
        return data;
      }
    }

    it('shares them out: each is handled once', async () => {
      await serve(Worker, { servers: [{}, { driver: engine.driver() }] });
      const one = client();
      const answers = await Promise.all(
        Array.from({ length: 200 }, (_, n) => lastValueFrom(one.send('work', n))),
      );
      expect(answers).toEqual(answers.map((_, n) => n));
      expect(handled.values.toSorted((a, b) => a - b)).toEqual(answers);
    });

    it('answers a client that asks every instance, too', async () => {
      await serve(Worker);
      expect(await lastValueFrom(client({ requests: 'every' }).send('work', 1))).toBe(1);
    });
  },
);
