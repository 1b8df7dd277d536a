import { Controller } from '@nestjs/common';
import { MessagePattern } from '@nestjs/microservices';
import { Redis } from 'ioredis';
import { lastValueFrom } from 'rxjs';
import { DiscoBusClient } from '../../lib/transport/disco-bus.client.js';
import { DiscoBusServer } from '../../lib/transport/disco-bus.server.js';
import { RedisServer } from '../support/redis-server.js';
import { createApp, silent } from './support.js';

@Controller()
class Doubler {
  @MessagePattern('double')
  double(n: number) {
    return 2 * n;
  }
}

/** A source of one password that counts how often it is asked. */
function countedSource(answer: () => string | Promise<string>) {
  const source = {
    times: 0,
    password: () => {
      source.times++;
      return answer();
    },
  };
  return source;
}

/** `host` and `port`, or a `url`: both are an address that a password belongs to. */
const addresses: [string, (server: RedisServer) => object][] = [
  ['host and port', ({ port }) => ({ host: '127.0.0.1', port })],
  ['a url', ({ url }) => ({ url })],
];

describe('A password that the transport asks a function for', () => {
  const prefix = `password${process.pid}`;
  let server: RedisServer;
  const closing: { close(): Promise<unknown> }[] = [];

  beforeAll(async () => {
    server = await RedisServer.start();
    const admin = new Redis(server.url);
    await admin.config('SET', 'requirepass', 'first');
    admin.disconnect();
  });
  afterEach(async () => {
    for (const each of closing.splice(0).toReversed()) await each.close();
  });
  afterAll(() => server.stop());

  async function serve(options: object): Promise<void> {
    const app = await createApp({ controllers: [Doubler] });
    closing.push(app);
    app.connectMicroservice({ strategy: new DiscoBusServer({ prefix, logger: silent, ...options }) });
    await app.startAllMicroservices();
  }

  function client(options: object): DiscoBusClient {
    const made = new DiscoBusClient({ prefix, logger: silent, timeout: '5s', ...options });
    closing.push(made);
    return made;
  }

  it.each(addresses)('is asked for by server and client with %s', async (_, address) => {
    const atServer = countedSource(() => 'first');
    const atClient = countedSource(async () => 'first');
    await serve({ ...address(server), password: atServer.password });
    const sent = client({ ...address(server), password: atClient.password }).send('double', 21);
    expect(await lastValueFrom(sent)).toBe(42);
    expect(atServer.times).toBeGreaterThan(0);
    expect(atClient.times).toBeGreaterThan(0);
  });

  it('is what the server is told: a wrong one is refused', async () => {
    const wrong = countedSource(() => 'wrong-and-secret');
    const refused = await client({ port: server.port, password: wrong.password })
      .connect()
      .then(String, (error: Error) => error);
    expect(refused).toMatchObject({ code: 'DISCO_DRIVER', message: expect.stringContaining('WRONGPASS') });
    expect((refused as Error).stack).not.toContain('wrong-and-secret');
    expect(wrong.times).toBeGreaterThan(0);
  });
});
