import { Controller, Inject, Injectable, type OnModuleDestroy } from '@nestjs/common';
import {
  Client,
  ClientProxy,
  ClientProxyFactory,
  ClientsModule,
  Ctx,
  EventPattern,
  MessagePattern,
  Payload,
  RpcException,
} from '@nestjs/microservices';
import fc from 'fast-check';
import { from, lastValueFrom, throwError, toArray } from 'rxjs';
import { DiscoBus } from '../../lib/bus/disco-bus.js';
import { transportAccess } from '../../lib/bus/transport-access.js';
import { memoryDriver } from '../../lib/drivers/memory/index.js';
import { memoryBroker } from '../../lib/drivers/memory/memory-broker.js';
import { assertTopic } from '../../lib/message/topic.js';
import { DiscoBusModule } from '../../lib/nest/disco-bus.module.js';
import { DiscoBusService } from '../../lib/nest/disco-bus.service.js';
import { DiscoSubscribe } from '../../lib/nest/handlers/disco-subscribe.decorator.js';
import { DiscoBusClient } from '../../lib/transport/disco-bus.client.js';
import { DiscoBusContext } from '../../lib/transport/disco-bus.context.js';
import { DISCO_BUS, DiscoBusServer } from '../../lib/transport/disco-bus.server.js';
import { routeOfTopic, topicOfRoute } from '../../lib/transport/pattern-topic.js';
import { Collector } from '../support/collector.js';
import { pause } from '../support/waiting.js';
import { closeAll, createApp, engines, redisUrl, silent, stage, useEngines } from './support.js';

useEngines();

/** Packets in bytes: a line of JSON, then the body. */
const bytesOf = ({ response, data, ...head }: any): Buffer =>
  Buffer.concat([Buffer.from(`${JSON.stringify(head)}\n`), Buffer.from(response ?? data ?? [])]);
const packetOf = (bytes: Buffer): any => {
  const end = bytes.indexOf('\n');
  const body = bytes.subarray(end + 1);
  return { ...JSON.parse(bytes.subarray(0, end).toString()), response: body, data: body };
};

@Controller()
class Binary {
  @MessagePattern('reverse')
  reverse(@Payload() data: Buffer): Buffer {
    return Buffer.from([...data].reverse());
  }

  @MessagePattern('split')
  split(@Payload() data: Buffer) {
    return from([...data].map((byte) => Buffer.from([byte])));
  }

  @MessagePattern('refuse')
  refuse() {
    return throwError(() => new RpcException('no'));
  }
}

describe.each(engines)('Packets over $name', (engine) => {
  const { client, serve } = stage(engine);
  const binary = { serializer: { serialize: bytesOf }, deserializer: { deserialize: packetOf } };

  it('are bytes of the application’s own', async () => {
    await serve(Binary, { servers: [binary as never] });
    const one = client(binary as never);
    expect(await lastValueFrom(one.send('reverse', Buffer.from([1, 2, 0, 255])))).toEqual(
      Buffer.from([255, 0, 2, 1]),
    );
    const parts = await lastValueFrom(one.send('split', Buffer.from([7, 8])).pipe(toArray()));
    expect(parts).toEqual([Buffer.from([7]), Buffer.from([8])]);
    await expect(lastValueFrom(one.send('refuse', Buffer.from([])))).rejects.toEqual({
      status: 'error',
      message: 'no',
    });
  });

  it('are read by a deserializer that takes its time, in order', async () => {
    let delayMs = 20;
    const slow = {
      deserialize: async (packet: unknown) => {
        delayMs = Math.max(0, delayMs - 10);
        await pause(delayMs);
        return packet;
      },
    };
    await serve(Binary);
    const one = client({ deserializer: slow as never });
    const parts = await lastValueFrom(one.send('split', Buffer.from([1, 2, 3])).pipe(toArray()));
    expect(parts).toEqual([1, 2, 3].map((byte) => Buffer.from([byte])));
  });

  it('that cannot be read fail their request alone', async () => {
    const refusing = {
      deserialize: () => {
        throw new Error('secret');
      },
    };
    await serve(Binary, { servers: [{ deserializer: refusing }] });
    await expect(lastValueFrom(client().send('reverse', Buffer.from([1])))).rejects.toEqual({
      status: 'error',
      message: 'Internal server error',
    });
  });

  it('of another bus, plain requests and replies, are understood', async () => {
    await serve(Binary);
    const one = client();
    await one.connect();
    const bus = one.unwrap<DiscoBus>();
    const ask = (topic: string, payload: unknown) =>
      new Promise((next, error) => {
        transportAccess(bus).request(
          topic,
          payload,
          { timeoutMs: 5_000 },
          { next, error, complete: () => {} },
        );
      });
    expect(await ask('nest:all.reverse', Buffer.from([1, 2]))).toEqual(Buffer.from([2, 1]));
    await expect(ask('nest:all.refuse', 1)).rejects.toMatchObject({ code: 'DISCO_REMOTE', message: 'no' });
  });

  it('that are no requests are dropped where requests are answered', async () => {
    await serve(Binary);
    const one = client();
    await one.connect();
    const bus = one.unwrap<DiscoBus>();
    const payloads = [null, 'x', 7, [], { pattern: {} }, { id: {}, data: 1 }, Buffer.from('{"id":')];
    for (const payload of payloads) await transportAccess(bus).publish('nest:all.reverse', payload, 1_000);
    expect(await lastValueFrom(one.send('reverse', Buffer.from([1, 2])))).toEqual(Buffer.from([2, 1]));
  });
});

@Injectable()
class Gateway {
  constructor(@Inject('MATH') readonly client: ClientProxy) {}
}

const contexts = new Collector<DiscoBusContext>();

@Controller()
class Local {
  @Client({ customClass: DiscoBusClient, options: { url: 'memory:packets', logger: silent } } as never)
  client!: ClientProxy;

  @MessagePattern('double', DISCO_BUS)
  double(data: number): number {
    return data * 2;
  }

  @MessagePattern('foreign', Symbol('OTHER'))
  foreign(): string {
    return 'never';
  }

  @EventPattern<string>('happened')
  happened(@Ctx() context: DiscoBusContext): void {
    contexts.add(context);
  }
}

describe('Wiring', () => {
  afterEach(closeAll);
  const url = 'memory:packets';

  const serving = async (metadata: object) => {
    const app = await createApp({ controllers: [Local], ...metadata });
    app.connectMicroservice({ strategy: new DiscoBusServer({ url, logger: silent }) });
    await app.startAllMicroservices();
    return app.init();
  };

  it.each([
    [
      'register',
      ClientsModule.register([
        { name: 'MATH', customClass: DiscoBusClient, options: { url, logger: silent } },
      ]),
    ],
    [
      'registerAsync',
      ClientsModule.registerAsync([
        {
          name: 'MATH',
          useFactory: () => ({ customClass: DiscoBusClient, options: { url, logger: silent } }),
        },
      ]),
    ],
  ])('ClientsModule.%s', async (_way, clients) => {
    const app = await serving({ imports: [clients], providers: [Gateway] });
    expect(await lastValueFrom(app.get(Gateway).client.send('double', 4))).toBe(8);
  });

  it('@Client and ClientProxyFactory', async () => {
    const app = await serving({});
    expect(await lastValueFrom(app.get(Local).client.send('double', 4))).toBe(8);
    const made = ClientProxyFactory.create({ customClass: DiscoBusClient, options: { url, logger: silent } });
    try {
      expect(await lastValueFrom(made.send('double', 5))).toBe(10);
      await expect(lastValueFrom(made.send('foreign', 5))).rejects.toMatchObject({
        code: 'DISCO_NO_RESPONDERS',
      });
    } finally {
      await made.close();
    }
  });

  it('shares a bus, which stays open when server and client close', async () => {
    const bus = new DiscoBus({ driver: memoryDriver({ broker: memoryBroker('shared') }), logger: silent });
    await bus.start();
    try {
      const server = new DiscoBusServer({ bus });
      server.addHandler('echo', async (data: unknown) => data);
      server.addHandler('other', async (data: unknown) => data);
      server.addHandler('heard', async () => {}, true);
      await new Promise<void>((resolve, reject) =>
        server.listen((error) => (error ? reject(error) : resolve())),
      );
      const client = new DiscoBusClient({ bus });
      expect(await lastValueFrom(client.send('echo', 'x'))).toBe('x');
      expect([server.unwrap(), client.unwrap()]).toEqual([bus, bus]);
      await client.close();
      await server.close();
      expect(bus.state).toBe('ready');
      await expect(lastValueFrom(client.send('other', 'x'))).rejects.toMatchObject({
        code: 'DISCO_NO_RESPONDERS',
      });
    } finally {
      await bus.stop();
    }
  });

  it('takes a Redis by its address, and one memory for all who name none', async () => {
    const { hostname: host, port } = new URL(redisUrl());
    for (const options of [{ host, port: Number(port) }, { url: 'memory:' }]) {
      const server = new DiscoBusServer({ ...options, logger: silent });
      server.addHandler('echo', async (data: unknown) => data);
      await new Promise<void>((resolve, reject) =>
        server.listen((error) => (error ? reject(error) : resolve())),
      );
      const client = new DiscoBusClient({ ...options, logger: silent });
      expect(await lastValueFrom(client.send('echo', 'x'))).toBe('x');
      await client.close();
      await server.close();
    }
    expect(() => new DiscoBusServer({ url: redisUrl(), host })).toThrow(/exclude each other/);
  });

  it('refuses options that exclude each other', () => {
    expect(() => new DiscoBusServer({ url, driver: memoryDriver() })).toThrow(/exclude each other/);
    expect(() => new DiscoBusClient({ requests: 'some' as never })).toThrow(/'one' or 'every'/);
  });

  it('tells that it cannot connect, and connects when it can', async () => {
    const client = new DiscoBusClient({
      url: 'redis://:secret@127.0.0.1:1',
      connection: { timeout: 300 },
      logger: silent,
    });
    const error = await client.connect().catch((each) => each);
    expect(error).toMatchObject({ code: 'DISCO_NOT_CONNECTED' });
    expect(JSON.stringify(error) + error.message).not.toContain('secret');
    await client.close();
    const server = new DiscoBusServer({ url: redisUrl(), logger: silent });
    const statuses: string[] = [];
    server.status.subscribe((status) => statuses.push(status));
    server.on('connected', () => statuses.push('on'));
    await new Promise<void>((resolve, reject) =>
      server.listen((failed) => (failed ? reject(failed) : resolve())),
    );
    expect(statuses).toContain('connected');
    await server.close();
    await server.close();
  });

  it('tells the callback of listen what went wrong', async () => {
    const server = new DiscoBusServer({ url: 'ftp://x', logger: silent });
    const error = await new Promise((resolve) => server.listen(resolve));
    expect(error).toMatchObject({ code: 'DISCO_CONFIGURATION' });
  });
});

describe('Patterns and topics', () => {
  it('correspond one to one', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 100 }), fc.string({ maxLength: 100 }), (one, other) => {
        const topic = topicOfRoute(one);
        expect(assertTopic(topic)).toBe(topic);
        expect(routeOfTopic(topic)).toBe(one);
        expect(topicOfRoute(other) === topic).toBe(other === one);
      }),
      { numRuns: 2000 },
    );
    const long = 'x'.repeat(500);
    expect(topicOfRoute(long)).toHaveLength(45);
    expect(topicOfRoute('p:eA')).not.toBe('p:eA');
  });
});

describe('DiscoBusModule', () => {
  afterEach(closeAll);

  it('provides a server that shares its bus, and drains it before anything is torn down', async () => {
    const order: string[] = [];
    let begin = () => {};
    const begun = new Promise<void>((resolve) => {
      begin = resolve;
    });

    @Injectable()
    class Database implements OnModuleDestroy {
      onModuleDestroy(): void {
        order.push('destroyed');
      }
    }

    @Controller()
    class Working {
      @MessagePattern('work')
      async work(): Promise<string> {
        begin();
        await pause(30);
        order.push('handled');
        return 'done';
      }
    }
    const app = await createApp({
      imports: [
        DiscoBusModule.forRoot({ url: 'memory:module', metrics: false, transport: { concurrency: 8 } }),
        ClientsModule.registerAsync([
          {
            name: 'MATH',
            inject: [DiscoBusService],
            useFactory: (bus: DiscoBusService) => ({ customClass: DiscoBusClient, options: { bus } }),
          },
        ]),
      ],
      controllers: [Working],
      providers: [Gateway, Database],
    });
    app.connectMicroservice({ strategy: app.get(DiscoBusServer) });
    await app.startAllMicroservices();
    await app.init();
    const bus = app.get(DiscoBusService);
    expect(app.get(DiscoBusServer).unwrap()).toBe(bus.bus);
    const answer = lastValueFrom(app.get(Gateway).client.send('work', 1));
    await begun;
    await app.close();
    expect(await answer).toBe('done');
    expect(order).toEqual(['handled', 'destroyed']);
    expect(bus.state).toBe('closed');
  });

  it('answers requests from handlers with @DiscoSubscribe', async () => {
    @Injectable()
    class Answering {
      @DiscoSubscribe('greet')
      greet(name: string): string {
        return `hello ${name}`;
      }
    }
    const app = await createApp({
      imports: [DiscoBusModule.forRoot({ url: 'memory:', metrics: false })],
      providers: [Answering],
    });
    await app.init();
    expect(await app.get(DiscoBusService).request('greet', 'you')).toBe('hello you');
  });
});
