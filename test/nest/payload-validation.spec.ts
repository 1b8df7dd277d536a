import {
  BadRequestException,
  type CanActivate,
  Catch,
  Controller,
  Injectable,
  ParseIntPipe,
  type PipeTransform,
  type RpcExceptionFilter,
  Scope,
  ServiceUnavailableException,
  StandardSchemaValidationPipe,
  type Type,
  UseFilters,
  UseGuards,
  UsePipes,
  ValidationPipe,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventPattern, MessagePattern, Payload, RpcException } from '@nestjs/microservices';
import { Type as TypeOf } from 'class-transformer';
import { IsInt, ValidateNested } from 'class-validator';
import { lastValueFrom, type Observable, throwError } from 'rxjs';
import { z } from 'zod';
import type { DeadLetteredMessage } from '../../lib/bus/operate/dead-letter-options.js';
import { DiscoBusModule } from '../../lib/nest/disco-bus.module.js';
import { DiscoBusService } from '../../lib/nest/disco-bus.service.js';
import { DiscoPayload } from '../../lib/nest/handlers/disco-params.decorator.js';
import { DiscoSubscribe } from '../../lib/nest/handlers/disco-subscribe.decorator.js';
import { DiscoBusClient } from '../../lib/transport/disco-bus.client.js';
import { DiscoBusServer } from '../../lib/transport/disco-bus.server.js';
import { Collector } from '../support/collector.js';
import { RedisServer } from '../support/redis-server.js';

class Item {
  @IsInt()
  count!: number;
}

class Order {
  @ValidateNested({ each: true })
  @TypeOf(() => Item)
  items!: Item[];
}

const schema = z.object({ items: z.array(z.object({ count: z.number() })) });
const wrong = { items: [{ count: 'secret-4711' }] };

@Injectable()
class ZodPipe implements PipeTransform {
  transform = (value: unknown) => schema.parse(value);
}

@Injectable()
class DatabaseIsDown implements PipeTransform {
  transform(): never {
    throw new RangeError('database is down');
  }
}

@Injectable()
class Overloaded implements PipeTransform {
  transform(): never {
    throw new ServiceUnavailableException('later');
  }
}

class Deferred implements PipeTransform {
  async transform(): Promise<never> {
    throw new BadRequestException('not this one');
  }
}

const broken = ['items.0.count', 'integer'];
const named = ['items.0.count', 'isInt'];
/** Pipes that refuse a payload, and what is to be read of the field and its rule. */
const refusing: { name: string; pipe: PipeTransform; told: string[] }[] = [
  { name: 'ValidationPipe', pipe: new ValidationPipe({ transform: true }), told: broken },
  {
    name: 'grouped',
    pipe: new ValidationPipe({ transform: true, errorFormat: 'grouped' } as object),
    told: broken,
  },
  { name: '422', pipe: new ValidationPipe({ transform: true, errorHttpStatusCode: 422 }), told: broken },
  {
    name: 'BadRequestException of ValidationErrors',
    pipe: new ValidationPipe({
      transform: true,
      exceptionFactory: (errors) => new BadRequestException(errors),
    }),
    told: named,
  },
  {
    name: 'RpcException of ValidationErrors',
    pipe: new ValidationPipe({ transform: true, exceptionFactory: (errors) => new RpcException(errors) }),
    told: named,
  },
  {
    name: 'without messages',
    pipe: new ValidationPipe({ disableErrorMessages: true }),
    told: ['Bad Request'],
  },
  { name: 'zod, thrown as it is', pipe: new ZodPipe(), told: ['items.0.count', 'invalid_type'] },
  { name: 'later', pipe: new Deferred(), told: ['not this one'] },
];

const retry = { retry: { attempts: 2, backoff: { delay: 1 } } } as const;
const runs = { handler: 0 };

/** One class for each decorator, with that pipe around its method. */
function subscribed(pipe: PipeTransform, scope = Scope.DEFAULT): Type {
  @Injectable({ scope })
  class Subscribed {
    @UsePipes(pipe)
    @DiscoSubscribe('orders', retry)
    handle(_order: Order): void {
      runs.handler++;
    }
  }
  return Subscribed;
}

function patterned(pipe: PipeTransform): Type {
  @Controller()
  class Patterned {
    @UsePipes(pipe)
    @EventPattern<string>('orders', retry)
    handle(@Payload() _order: Order): void {
      runs.handler++;
    }
  }
  return Patterned;
}

function answering(pipe: PipeTransform): Type {
  @Controller()
  class Answering {
    @UsePipes(pipe)
    @MessagePattern('ask')
    handle(@Payload() _order: Order): number {
      return ++runs.handler;
    }
  }
  return Answering;
}

let redis: RedisServer;
const closing: (() => Promise<unknown>)[] = [];
beforeAll(async () => {
  redis = await RedisServer.start();
});
beforeEach(() => {
  runs.handler = 0;
});
afterEach(() => Promise.all(closing.splice(0).map((close) => close())));
afterAll(() => redis.stop());

let unique = 0;
const drivers = [
  { driver: 'memory', url: () => `memory:validation-${++unique}` },
  { driver: 'redis', url: () => redis.url },
];

async function start(url: string, classes: { providers?: Type[]; controllers?: Type[] }) {
  const log = new Collector<string>();
  const tell = (line: unknown) => log.add(String(line));
  const logger = { log: tell, warn: tell, error: tell };
  const prefix = `v${process.pid}-${++unique}`;
  const options = { url, prefix, service: 'shop', logger };
  const app = await NestFactory.create(
    { module: class App {}, imports: [DiscoBusModule.forRoot(options)], ...classes },
    { logger, abortOnError: false },
  );
  closing.push(() => app.close());
  app.connectMicroservice({ strategy: app.get(DiscoBusServer) }, { inheritAppConfig: true });
  await app.startAllMicroservices();
  await app.init();
  const client = new DiscoBusClient({ url, prefix, logger });
  closing.unshift(() => client.close());
  return { bus: app.get(DiscoBusService), client, log };
}

async function deadLetter(bus: DiscoBusService, payload: unknown): Promise<DeadLetteredMessage> {
  await bus.publish('orders', payload as object);
  while ((await bus.deadLetters('orders').count()) === 0) await new Promise(setImmediate);
  return (await bus.deadLetters('orders').peek())[0]!;
}

const events = [
  { kind: '@DiscoSubscribe', classes: (pipe: PipeTransform) => ({ providers: [subscribed(pipe)] }) },
  {
    kind: '@DiscoSubscribe of a request-scoped provider',
    classes: (pipe: PipeTransform) => ({ providers: [subscribed(pipe, Scope.REQUEST)] }),
  },
  { kind: '@EventPattern', classes: (pipe: PipeTransform) => ({ controllers: [patterned(pipe)] }) },
];

describe.each(drivers)('A payload that a pipe refuses, on $driver', ({ url }) => {
  describe.each(events)('to $kind', ({ classes }) => {
    it.each(refusing)('is a dead letter at once that tells field and rule: $name', async ({ pipe, told }) => {
      const { bus, log } = await start(url(), classes(pipe));
      const { reason, attempts, error } = await deadLetter(bus, wrong);
      expect({ reason, attempts, name: error?.name }).toEqual({
        reason: 'unrecoverable',
        attempts: 1,
        name: 'PayloadInvalidError',
      });
      const line = log.values.find((each) => each.includes('The payload is not valid'));
      for (const part of told) {
        expect(error?.message).toContain(part);
        expect(line).toContain(part);
      }
      expect(error?.message).not.toContain('4711');
      expect(runs.handler).toBe(0);
    });

    it.each([
      { name: 'an error of its own', pipe: new DatabaseIsDown(), told: 'database is down' },
      { name: 'a 503', pipe: new Overloaded(), told: 'later' },
    ])('is tried again where a pipe fails otherwise: $name', async ({ pipe, told }) => {
      const { bus } = await start(url(), classes(pipe));
      expect(await deadLetter(bus, wrong)).toMatchObject({
        reason: 'attempts',
        attempts: 2,
        error: { message: told },
      });
    });
  });

  it.each(refusing)('of a request is told to who asked: $name', async ({ pipe, told }) => {
    const { client, log } = await start(url(), { controllers: [answering(pipe)] });
    const failure: any = await lastValueFrom(client.send('ask', wrong)).catch((error: unknown) => error);
    const line = log.values.find((each) => each.includes('to "ask" was refused: PayloadInvalidError'));
    for (const part of told) expect(line).toContain(part);
    // What the application throws as an RpcException goes as it is.
    if (pipe === refusing[4]!.pipe) expect(JSON.stringify(failure)).toContain('isInt');
    else {
      expect(failure).toMatchObject({
        status: 'error',
        name: 'PayloadInvalidError',
        code: 'DISCO_UNRECOVERABLE',
      });
      for (const part of told) expect(failure.message).toContain(part);
    }
    expect(runs.handler).toBe(0);
  });
});

@Catch()
class ToRpc implements RpcExceptionFilter {
  catch(error: Error): Observable<never> {
    return throwError(() => new RpcException(`filtered ${error.name}`));
  }
}

@Injectable()
class Refuses implements CanActivate {
  canActivate(): boolean {
    throw new BadRequestException('guarded');
  }
}

describe('A refusal', () => {
  it.each(['subscribed', 'patterned'])('is final whatever a filter makes of it: %s', async (kind) => {
    const pipe = refusing[0]!.pipe;
    const type = kind === 'subscribed' ? subscribed(pipe) : patterned(pipe);
    UseFilters(ToRpc)(type);
    const classes = kind === 'subscribed' ? { providers: [type] } : { controllers: [type] };
    const { bus } = await start('memory:', classes);
    expect(await deadLetter(bus, wrong)).toMatchObject({
      reason: 'unrecoverable',
      attempts: 1,
      error: { message: 'filtered BadRequestException' },
    });
  });

  it('of a single parameter counts', async () => {
    @Injectable()
    class Handler {
      @DiscoSubscribe('orders', retry)
      handle(@DiscoPayload('number', ParseIntPipe) _number: number): void {}
    }
    const { bus } = await start('memory:', { providers: [Handler] });
    expect(await deadLetter(bus, { number: 'x' })).toMatchObject({
      reason: 'unrecoverable',
      error: { message: 'The payload is not valid: number: Validation failed (numeric string is expected)' },
    });
  });

  it('of StandardSchemaValidationPipe counts', async () => {
    @Injectable()
    class Handler {
      @UsePipes(new StandardSchemaValidationPipe())
      @DiscoSubscribe('orders', retry)
      handle(@DiscoPayload({ schema }) _order: unknown): void {}
    }
    const { bus } = await start('memory:', { providers: [Handler] });
    expect(await deadLetter(bus, wrong)).toMatchObject({
      reason: 'unrecoverable',
      error: { message: expect.stringContaining('items.0.count') },
    });
  });

  it('by the option `schema` names the rule as well', async () => {
    @Injectable()
    class Handler {
      @DiscoSubscribe('orders', { ...retry, schema })
      handle(): void {}
    }
    const { bus } = await start('memory:', { providers: [Handler] });
    const { error } = await deadLetter(bus, wrong);
    expect(error?.message).toBe('The payload is not valid: items.0.count: invalid_type');
    await expect(bus.request('orders', wrong)).rejects.toMatchObject({
      remoteName: 'PayloadInvalidError',
      message: 'The payload is not valid: items.0.count: invalid_type',
    });
  });

  it.each<[string, () => Type]>([
    [
      'of the handler itself',
      () => {
        @Injectable()
        class Handler {
          @DiscoSubscribe('orders', retry)
          handle(): never {
            throw new BadRequestException('from the carrier');
          }
        }
        return Handler;
      },
    ],
    [
      'of a guard',
      () => {
        @Injectable()
        class Handler {
          @UseGuards(Refuses)
          @DiscoSubscribe('orders', retry)
          handle(): void {}
        }
        return Handler;
      },
    ],
    [
      'of a schema that the handler asks',
      () => {
        @Injectable()
        class Handler {
          @DiscoSubscribe('orders', retry)
          handle(): void {
            schema.parse({ items: 1 });
          }
        }
        return Handler;
      },
    ],
  ])('is tried again where it is not of a pipe: %s', async (_, make) => {
    const { bus } = await start('memory:', { providers: [make()] });
    expect(await deadLetter(bus, wrong)).toMatchObject({ reason: 'attempts', attempts: 2 });
  });
});
