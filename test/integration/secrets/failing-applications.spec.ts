import { inspect } from 'node:util';
import { ConsoleLogger, Injectable, Module, UsePipes, ValidationPipe } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { TerminusModule } from '@nestjs/terminus';
import { IsInt } from 'class-validator';
import { Redis } from 'ioredis';
import {
  DiscoBusModule,
  type DiscoBusModuleOptions,
  DiscoBusService,
  type DiscoEvent,
  DiscoHealth,
  DiscoPayload,
  DiscoSubscribe,
  OnDiscoEvent,
} from 'nestjs-disco-bus';
import { DiscoBusHealthIndicator } from 'nestjs-disco-bus/terminus';
import { CommandLine } from '../../cli/support.js';
import { RedisServer } from '../../support/redis-server.js';
import { until } from '../../support/waiting.js';
import { hits, PASSWORD, PAYLOAD, shown } from './witness.js';

let server: RedisServer;
let admin: Redis;
beforeAll(async () => {
  server = await RedisServer.start();
  admin = new Redis(server.url);
  await admin.config('SET', 'requirepass', 'right');
});
afterAll(async () => {
  admin.disconnect();
  await server.stop();
});

class Patient {
  @IsInt()
  patient!: number;
}

@Injectable()
class Handlers {
  @DiscoSubscribe('validated', { retry: false })
  @UsePipes(new ValidationPipe())
  validated(@DiscoPayload() _: Patient) {}

  @DiscoSubscribe('failing', { retry: { attempts: 2, backoff: { delay: 1 } } })
  failing() {
    throw new Error('db down');
  }
}

@Injectable()
class Watcher {
  readonly seen: DiscoEvent[] = [];

  @OnDiscoEvent(['state', 'connected', 'disconnected', 'error', 'retry', 'dead-letter', 'dropped'])
  see(event: DiscoEvent) {
    this.seen.push(event);
  }
}

/** Starts an application, has `fail` fail, and returns all that was to be seen of it. */
async function application(
  options: DiscoBusModuleOptions,
  fail: (bus: DiscoBusService, seen: () => string) => Promise<unknown>,
): Promise<string> {
  const written: string[] = [];
  const streams = [process.stdout, process.stderr];
  const writes = streams.map((stream) => stream.write.bind(stream));
  for (const stream of streams)
    stream.write = ((chunk: string | Uint8Array) =>
      written.push(Buffer.from(chunk as string).toString()) > 0) as never;
  const all: string[] = [];
  try {
    for (const json of [true, false]) {
      @Module({
        imports: [
          DiscoBusModule.forRoot({ service: 'clinic', shutdownTimeout: 300, ...options }),
          TerminusModule,
        ],
        providers: [Handlers, Watcher, DiscoBusHealthIndicator],
      })
      class AppModule {}
      const app = await NestFactory.createApplicationContext(AppModule, {
        logger: new ConsoleLogger({ json, colors: false }),
        abortOnError: false,
      });
      const { seen } = app.get(Watcher);
      const outcome = await fail(app.get(DiscoBusService), () => `${shown(seen)}${written.join('')}`);
      const health = await app.get(DiscoHealth).check({ timeout: 300 });
      const indicator = app.get(DiscoBusHealthIndicator);
      const indicated = [await indicator.ready('bus'), await indicator.check('bus', { timeout: 300 })];
      const service = app.get(DiscoBusService);
      all.push(inspect(service), String(service), inspect(service.locks, { depth: 5 }));
      all.push(shown(outcome), shown(seen), shown(health), shown(indicated));
      await app.close();
    }
  } finally {
    for (const [index, stream] of streams.entries()) stream.write = writes[index] as never;
  }
  expect(written.length).toBeGreaterThan(0);
  return [...written, ...all].join('\n');
}

const wrong = () => `redis://clinic:${PASSWORD}@127.0.0.1:${server.port}`;

it.each<[string, RegExp, () => DiscoBusModuleOptions]>([
  ['a wrong password', /WRONGPASS/, () => ({ url: wrong() })],
  ['an unreachable host', /ECONNREFUSED/, () => ({ url: `redis://:${PASSWORD}@127.0.0.1:1` })],
])('an application with %s tells it to nobody', async (_, fails, options) => {
  const connection = { wait: false };
  const text = await application({ ...options(), connection }, (_bus, seen) =>
    until('it has failed', () => fails.test(seen()), 8_000),
  );
  expect(text).toMatch(fails);
  expect(text).toMatch(/"status":"(down|degraded)"/);
  expect(hits(text)).toEqual([]);
});

it.each([
  ['validated', /PayloadInvalidError/],
  ['failing', /db down/],
])('nor what a handler of "%s" was given', async (topic, fails) => {
  const text = await application({ url: 'memory:' }, async (bus, seen) => {
    await bus.publish(topic, { patient: PAYLOAD });
    await until('it is given up', () => seen().includes('given-up') && seen().includes('dead-letter'));
  });
  expect(text).toMatch(fails);
  expect(hits(text)).toEqual([]);
});

describe('the command line', () => {
  const cli = new CommandLine(() => ({}));
  afterEach(() => cli.stop());

  it.each<[string, () => string]>([
    ['a wrong password', wrong],
    ['an unreachable host', () => `redis://:${PASSWORD}@127.0.0.1:1`],
    ['no URL', () => `redis//clinic:${PASSWORD}@host`],
    ['another scheme', () => `http://clinic:${PASSWORD}@host`],
    ['a bad port', () => `redis://:${PASSWORD}@host:99999`],
    ['TLS that is refused', () => `rediss://:${PASSWORD}@127.0.0.1:${server.port}`],
  ])(
    'says nothing of %s',
    async (_, url) => {
      for (const args of [
        ['topics'],
        ['topics', '--json'],
        ['doctor', '--verbose'],
        ['topics', '--verbose'],
      ]) {
        const { exitCode, stdout, stderr } = await cli.run([...args, '--url', url(), '--timeout', '1s']);
        expect(exitCode).not.toBe(0);
        expect(stdout + stderr).not.toBe('');
        expect(hits(stdout + stderr)).toEqual([]);
      }
    },
    60_000,
  );
});
