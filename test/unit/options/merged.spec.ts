import { inspect } from 'node:util';
import { driverOfUrl } from '../../../lib/drivers/driver-of-url.js';
import { ResolvedRedisOptions } from '../../../lib/drivers/redis/redis-options.js';
import { DiscoBusClient } from '../../../lib/transport/disco-bus.client.js';
import { DiscoBusServer } from '../../../lib/transport/disco-bus.server.js';
import { entryPoints } from './entry-points.js';

const standalone = (options: object) =>
  (new ResolvedRedisOptions(options).endpoint as { options: object }).options;

describe('A URL and options', () => {
  it.each<[string, object, object]>([
    ['the port of the options', { url: 'redis://h', port: 6380 }, { host: 'h', port: 6380 }],
    ['a port in digits', { host: 'h', port: '6380', db: '2' }, { host: 'h', port: 6380, db: 2 }],
    ['what both say', { url: 'redis://h:6380/2', port: 6380, db: 2 }, { host: 'h', port: 6380, db: 2 }],
    [
      'the password of the options',
      { url: 'redis://bob@h', password: 'secret' },
      { host: 'h', username: 'bob', password: 'secret' },
    ],
    ['TLS of the URL', { url: 'rediss://h' }, { host: 'h', tls: { servername: 'h' } }],
    ['TLS of the options', { url: 'redis://h', tls: true }, { host: 'h', tls: { servername: 'h' } }],
    [
      'TLS of both',
      { url: 'rediss://h', tls: { minVersion: 'TLSv1.3' } },
      { host: 'h', tls: { servername: 'h', minVersion: 'TLSv1.3' } },
    ],
    [
      'a name that the certificate is for',
      { url: 'rediss://h', tls: { servername: 'redis' } },
      { host: 'h', tls: { servername: 'redis' } },
    ],
    ['TLS to an address', { url: 'rediss://[::1]:7000' }, { host: '::1', port: 7000, tls: {} }],
    ['an address of IPv6', { host: '::1' }, { host: '::1', port: 6379 }],
    ['a socket', { url: '/run/redis.sock', db: 3 }, { path: '/run/redis.sock', db: 3 }],
  ])('are merged: %s', (_name, options, expected) => {
    expect(standalone(options)).toEqual(expected);
  });

  it('tell where they lead, and whether that is the fallback', () => {
    const told = (options: object) => {
      const { target, isFallback } = new ResolvedRedisOptions(options);
      return [target, isFallback];
    };
    expect(told({})).toEqual(['Redis at 127.0.0.1:6379', true]);
    expect(told({ port: 6380 })).toEqual(['Redis at 127.0.0.1:6380', true]);
    expect(told({ host: '127.0.0.1' })).toEqual(['Redis at 127.0.0.1:6379', false]);
    expect(told({ url: 'rediss://bob:secret@h/3' })).toEqual(['Redis at h:6379 over TLS, database 3', false]);
  });
});

describe('The environment', () => {
  const usual = process.env.DISCO_BUS_URL;
  afterEach(() => {
    if (usual === undefined) delete process.env.DISCO_BUS_URL;
    else process.env.DISCO_BUS_URL = usual;
  });

  it('names the server where the options do not', async () => {
    process.env.DISCO_BUS_URL = 'redis://elsewhere:7000';
    expect(`${inspect(await driverOfUrl(undefined))}`).toContain('elsewhere:7000');
    expect(`${inspect(await driverOfUrl(undefined, { host: 'here' }))}`).toContain('here:6379');
    expect(`${inspect(await driverOfUrl('redis://there', { db: 2 }))}`).toContain('there:6379, database 2');
  });

  it('is refused where it is empty, or of another scheme', async () => {
    process.env.DISCO_BUS_URL = '';
    await expect(driverOfUrl(undefined)).rejects.toThrow('DISCO_BUS_URL is empty');
    process.env.DISCO_BUS_URL = 'nats://h';
    await expect(driverOfUrl(undefined)).rejects.toThrow(
      'DISCO_BUS_URL must begin with redis://, rediss:// or memory:',
    );
    await expect(driverOfUrl('memory:a', { port: 1 })).rejects.toThrow(
      '"port" has no meaning beside a url with memory:',
    );
  });
});

describe('Options that are right', () => {
  it('may be undefined', () => {
    entryPoints.forRoot({
      service: undefined,
      topics: { orders: { retry: undefined } },
      lock: { ttl: undefined },
    });
    entryPoints.redisDriver({ host: undefined, streams: { unread: undefined } });
    entryPoints.DiscoBus({ logger: undefined, compression: undefined });
    entryPoints['@DiscoSubscribe']({ batch: undefined, schema: undefined });
  });

  it('are taken as Transport.REDIS takes them', () => {
    const options = { host: 'redis', port: '6379', db: 1, username: 'bob', password: 'secret', tls: {} };
    expect(new DiscoBusServer(options)).toBeDefined();
    expect(new DiscoBusClient({ ...options, serializer: { serialize: (value) => value } })).toBeDefined();
  });
});
