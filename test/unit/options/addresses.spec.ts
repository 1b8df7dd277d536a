import { ConfigurationError } from '../../../lib/errors/bus.errors.js';
import { type EntryPoint, entryPoints, refusal } from './entry-points.js';

const misaddressed: [EntryPoint, unknown, string][] = [
  ['redisDriver', { url: '' }, `redisDriver.url is empty`],
  [
    'redisDriver',
    { url: undefined },
    `redisDriver.url is undefined; without the option it is redis://127.0.0.1:6379`,
  ],
  ['redisDriver', { url: 'localhost:6379' }, `redisDriver.url is not a redis:// or rediss:// URL`],
  ['redisDriver', { url: 'redis:localhost' }, `redisDriver.url is not a redis:// or rediss:// URL`],
  ['redisDriver', { url: 'http://redis:6379' }, `redisDriver.url is not a redis:// or rediss:// URL`],
  ['redisDriver', { url: 'redis:///3' }, `redisDriver.url names no host`],
  [
    'redisDriver',
    { url: 'redis://undefined:6379' },
    `redisDriver.url names the host "undefined", which a value that was absent has become`,
  ],
  ['redisDriver', { url: 'redis://h:0' }, `redisDriver.url: the port is not a port number`],
  ['redisDriver', { url: 'redis://h:70000' }, `redisDriver.url is not a redis:// or rediss:// URL`],
  ['redisDriver', { url: 'redis://h/orders' }, `redisDriver.url: the database is not a whole number`],
  ['redisDriver', { url: 'redis://h/-1' }, `redisDriver.url: the database is not a whole number`],
  ['redisDriver', { url: 'redis://h/1/2' }, `redisDriver.url: the database is not a whole number`],
  ['redisDriver', { url: 'redis://h/1?db=2' }, `redisDriver.url names two databases`],
  ['redisDriver', { url: 'redis://h?db=1&db=2' }, `redisDriver.url has a parameter twice`],
  ['redisDriver', { url: 'redis://h?family=5' }, `redisDriver.url: the address family is not 0, 4 or 6`],
  [
    'redisDriver',
    { url: 'redis://h?tls=true' },
    `redisDriver.url has an unknown parameter; only "db" and "family" are read`,
  ],
  [
    'redisDriver',
    { url: 'redis://h/1#2' },
    `redisDriver.url has a "#"; within credentials it is written %23`,
  ],
  [
    'redisDriver',
    { url: 'redis://bob:%ZZ@h' },
    `redisDriver.url has credentials that are not percent-encoded`,
  ],
  ['redisDriver', { url: 'redis://bob@h' }, `redisDriver: a "username" needs a "password"`],
  ['redisDriver', { url: 'redis://h', host: 'h' }, `redisDriver: give only one of "url" and "host"`],
  [
    'redisDriver',
    { url: 'redis://h:6379', port: 6380 },
    `redisDriver: the url and "port" contradict each other: 6379 and 6380`,
  ],
  [
    'redisDriver',
    { url: 'redis://h/3', db: 4 },
    `redisDriver: the url and "db" contradict each other: 3 and 4`,
  ],
  [
    'redisDriver',
    { url: 'redis://bob:secret@h', username: 'eve' },
    `redisDriver: the url and "username" contradict each other`,
  ],
  [
    'redisDriver',
    { url: 'redis://:secret@h', password: 'other' },
    `redisDriver: the url and "password" contradict each other`,
  ],
  ['redisDriver', { url: 'rediss://h', tls: false }, `redisDriver: the url says TLS and "tls" says false`],
  [
    'redisDriver',
    { url: '/run/redis.sock', port: 6379 },
    `redisDriver: "port" has no meaning beside a socket's path`,
  ],
  [
    'redisDriver',
    { url: '/run/redis.sock', tls: true },
    `redisDriver: "tls" has no meaning beside a socket's path`,
  ],
  ['redisDriver', { host: '' }, `redisDriver.host is not a name`],
  [
    'redisDriver',
    { host: 'redis://h' },
    `redisDriver.host is not a name or an address alone; a URL is given as "url"`,
  ],
  [
    'redisDriver',
    { host: 'h:6379' },
    `redisDriver.host is not a name or an address alone; a URL is given as "url"`,
  ],
  ['redisDriver', { host: 'h', port: '' }, `redisDriver.port is not a port number`],
  ['redisDriver', { host: 'h', port: '6379x' }, `redisDriver.port is not a port number`],
  ['redisDriver', { host: 'h', db: '1.5' }, `redisDriver.db is not a database number`],
  ['redisDriver', { host: 'h', username: 'bob' }, `redisDriver: a "username" needs a "password"`],
  [
    'redisDriver',
    { cluster: { nodes: ['redis://h'] }, db: 1 },
    `redisDriver: "db" has no meaning beside "cluster"`,
  ],
  [
    'redisDriver',
    { sentinel: { sentinels: [{ host: 'h' }], name: 'm' }, port: 6379 },
    `redisDriver: "port" has no meaning beside "sentinel"`,
  ],
  ['redisDriver', { reader: { url: '' } }, `redisDriver.reader.url is empty`],
  [
    'forRoot',
    { url: '' },
    `forRoot: url is empty; without the option it is DISCO_BUS_URL of the environment, else redis://127.0.0.1:6379`,
  ],
  [
    'forRoot',
    { url: undefined },
    `forRoot: url is undefined; without the option it is DISCO_BUS_URL of the environment, else redis://127.0.0.1:6379`,
  ],
  ['forRoot', { url: 6379 }, `url must be a string`],
  [
    'the factory of forRootAsync',
    { url: undefined },
    `forRootAsync: url is undefined; without the option it is DISCO_BUS_URL of the environment, else redis://127.0.0.1:6379`,
  ],
  [
    'DiscoBusServer',
    { url: '' },
    `DiscoBusServer: url is empty; without the option it is DISCO_BUS_URL of the environment, else redis://127.0.0.1:6379`,
  ],
  [
    'DiscoBusClient',
    { url: undefined },
    `DiscoBusClient: url is undefined; without the option it is DISCO_BUS_URL of the environment, else redis://127.0.0.1:6379`,
  ],
  [
    'DiscoBusClient',
    { url: 'redis://h', host: 'h' },
    `DiscoBusClient: bus, driver, url and host exclude each other; port, db, username, password and tls are for url or host`,
  ],
];

describe('A misaddressed server', () => {
  it.each(misaddressed)('%s %j', async (entryPoint, options, message) => {
    const error = await refusal(() => entryPoints[entryPoint](options));
    expect(error).toBeInstanceOf(ConfigurationError);
    expect((error as Error).message).toBe(message);
  });
});
