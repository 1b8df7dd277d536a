import { Writable } from 'node:stream';
import { ConsoleLogger, Injectable, Logger, type LoggerService, type ModuleMetadata } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { DiscoBusModule, DiscoBusService, DiscoSubscribe } from 'nestjs-disco-bus';
import { LoggerModule, NativeLogger, Logger as PinoLogger } from 'nestjs-pino';
import { until } from '../support/waiting.js';

const trace = '0af7651916cd43dd8448eb211c80319c';
const headers = { 'x-correlation-id': 'cart\n7', traceparent: `00-${trace}-b7ad6b7169203331-01` };

@Injectable()
class Orders {
  @DiscoSubscribe('orders.created', { retry: { attempts: 1 } })
  onCreated() {
    throw new Error('db down');
  }
}

/** What a run of one failing message writes, from the start of the application to its end. */
async function linesOf(
  written: () => string,
  logger: LoggerService | ((app: any) => LoggerService),
  more: ModuleMetadata = {},
) {
  class AppModule {}
  const module = {
    module: AppModule,
    imports: [
      DiscoBusModule.forRoot({ url: 'memory:', service: 'billing', metrics: false }),
      ...(more.imports ?? []),
    ],
    providers: [Orders],
  };
  const late = typeof logger === 'function';
  const app = await NestFactory.createApplicationContext(module, {
    ...(late ? { bufferLogs: true } : { logger }),
    abortOnError: false,
  });
  if (late) app.useLogger(logger(app));
  try {
    const bus = app.get(DiscoBusService);
    const { id } = await bus.publish('orders.created', { secret: 'payload' }, { headers });
    await until('it is given up', async () => (await bus.deadLetters('orders.created').peek()).length === 1);
    await until('it is logged', () => written().includes('given up'));
    await app.close();
    return { id, lines: written().split('\n') };
  } finally {
    await app.close();
    Logger.overrideLogger(false);
  }
}

/** What is written to both streams of the process while `run` runs. */
async function capturing<T>(run: (written: () => string) => Promise<T>): Promise<T> {
  let text = '';
  const write = (chunk: unknown) => {
    text += String(chunk);
    return true;
  };
  const spies = [process.stdout, process.stderr].map((stream) =>
    jest.spyOn(stream, 'write').mockImplementation(write as never),
  );
  try {
    return await run(() => text);
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}

/** nestjs-pino keeps the first stream that it was given. */
class Memory extends Writable {
  text = '';
  override _write(chunk: Buffer, _encoding: string, done: () => void) {
    this.text += String(chunk);
    done();
  }
}

const out = new Memory();

const fieldsOf = (id: string) => ({
  event: 'given-up',
  topic: 'orders.created',
  group: 'billing',
  handler: 'Orders.onCreated',
  messageId: id,
  attempt: 1,
  attempts: 1,
  correlationId: 'cart 7',
  traceId: trace,
  reason: 'attempts',
  kept: true,
  error: 'Error: db down',
});

describe('what a bus logs', () => {
  it('is text in words, where the logger writes text', async () => {
    const { id, lines } = await capturing((written) =>
      linesOf(written, new ConsoleLogger({ colors: false })),
    );
    const line = lines.find((each) => each.includes('given up'));
    expect(line).toContain(
      `[DiscoBus] "orders.created": Orders.onCreated (group "billing") failed on message ${id} (correlation cart 7, trace ${trace}), attempt 1 of 1, given up and kept as a dead letter (disco-bus dead replay orders.created billing): Error: db down`,
    );
    expect(lines.some((each) => each.includes('event:') || each.includes('payload'))).toBe(false);
    expect(lines.some((each) => each.includes('drained in'))).toBe(true);
  });

  it('has fields beside the text, where the logger of Nest writes JSON', async () => {
    const { id, lines } = await capturing((written) =>
      linesOf(written, new ConsoleLogger({ json: true, colors: false })),
    );
    const records = lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line));
    const record = records.find(({ params }) => params?.event === 'given-up');
    expect(record).toMatchObject({ level: 'error', context: 'DiscoBus', params: fieldsOf(id) });
    expect(record.message).toContain('failed on message');
    const events = records.map(({ params }) => params?.event).filter(Boolean);
    expect(events).toEqual(expect.arrayContaining(['connected', 'given-up', 'drained']));
  });

  it.each([
    ['Logger', PinoLogger, (record: any) => record],
    ['NativeLogger', NativeLogger, (record: any) => record.params],
  ] as const)('has fields, where the logger is the %s of nestjs-pino', async (_name, type, read) => {
    out.text = '';
    const { id, lines } = await linesOf(
      () => out.text,
      (app) => app.get(type),
      {
        imports: [LoggerModule.forRoot({ pinoHttp: [{}, out] })],
      },
    );
    const records = lines.filter(Boolean).map((line) => JSON.parse(line));
    const record = records.find((each) => read(each)?.event === 'given-up');
    expect(record).toMatchObject({ level: 50, context: 'DiscoBus' });
    expect(read(record)).toMatchObject(fieldsOf(id));
    expect(record.msg).toContain('failed on message');
  });

  it('has fields, where a logger of the application is handed in', async () => {
    const told: unknown[][] = [];
    const write = (...args: unknown[]) => void told.push(args);
    const app = await NestFactory.createApplicationContext(
      {
        module: class {},
        imports: [
          DiscoBusModule.forRoot({
            url: 'memory:',
            service: 'billing',
            logger: { log: write, warn: write, error: write },
          }),
        ],
      },
      { logger: false, abortOnError: false },
    );
    await app.close();
    expect(told).toContainEqual([
      expect.stringMatching(/^Connected to the memory/),
      { event: 'connected', target: expect.any(String) },
    ]);
  });
});
