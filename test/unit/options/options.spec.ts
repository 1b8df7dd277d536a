import { ConfigurationError } from '../../../lib/errors/bus.errors.js';
import { type EntryPoint, entryPoints, refusal } from './entry-points.js';

const deduplicateAlone = () => {};

/** Where, what is given, and what is said of it. */
const misspelt: [EntryPoint, unknown, string][] = [
  ['forRoot', { serivce: 'billing' }, `forRoot: there is no option "serivce"; did you mean "service"?`],
  ['forRoot', { ur1: 'memory:' }, `forRoot: there is no option "ur1"; did you mean "url"?`],
  ['forRoot', { isglobal: true }, `forRoot: there is no option "isglobal"; did you mean "isGlobal"?`],
  [
    'forRoot',
    { retires: 3 },
    `forRoot: there is no option "retires"; there are driver, service, prefix, defaults, topics, codec, contract, validation, compression, maxMessageSize, publishTimeout, publishLimit, requestTimeout, maxPendingRequests, shutdownTimeout, connection, middleware, bundling, metrics, metricsInterval, tracing, logger, clock, url, registerHandlers, enhancers, transport, lock, name, isGlobal`,
  ],
  ['forRoot', { topic: {} }, `forRoot: there is no option "topic"; did you mean "topics"?`],
  [
    'forRoot',
    { registerhandlers: false },
    `forRoot: there is no option "registerhandlers"; did you mean "registerHandlers"?`,
  ],
  [
    'forRoot',
    { retry: { attempts: 3 } },
    `forRoot: there is no option "retry": it belongs into "defaults" or "topics"`,
  ],
  [
    'forRoot',
    { topics: { orders: { retires: false } } },
    `topics["orders"]: there is no option "retires"; did you mean "retry"?`,
  ],
  [
    'forRoot',
    { topics: { orders: { retry: { atempts: 3 } } } },
    `topics["orders"].retry: there is no option "atempts"; did you mean "attempts"?`,
  ],
  [
    'forRoot',
    { topics: { 'orders.*': { backlog: { max: 3 } } } },
    `topics["orders.*"].backlog: there is no option "max"; there are limit, maxBytes, overflow`,
  ],
  [
    'forRoot',
    { topics: { orders: { retry: { backoff: { delayMs: 3 } } } } },
    `topics["orders"].retry.backoff: there is no option "delayMs"; did you mean "delay"?`,
  ],
  [
    'forRoot',
    { defaults: { concurency: 3 } },
    `defaults: there is no option "concurency"; did you mean "concurrency"?`,
  ],
  [
    'forRoot',
    { connection: { timeuot: '5s' } },
    `connection: there is no option "timeuot"; did you mean "timeout"?`,
  ],
  [
    'forRoot',
    { compression: { levle: 3 } },
    `compression: there is no option "levle"; did you mean "level"?`,
  ],
  [
    'forRoot',
    { bundling: { 'at-most-one': {} } },
    `bundling: there is no option "at-most-one"; did you mean "at-most-once"?`,
  ],
  [
    'forRoot',
    { bundling: { 'at-most-once': { maxMessage: 3 } } },
    `bundling.at-most-once: there is no option "maxMessage"; did you mean "maxMessages"?`,
  ],
  [
    'forRoot',
    { publishLimit: { message: 3 } },
    `publishLimit: there is no option "message"; did you mean "messages"?`,
  ],
  ['forRoot', { lock: { tll: '5m' } }, `lock: there is no option "tll"; did you mean "ttl"?`],
  [
    'forRoot',
    { transport: { request: 'every' } },
    `transport: there is no option "request"; did you mean "requests"?`,
  ],
  [
    'forRoot',
    { transport: { host: 'redis' } },
    `transport: there is no option "host"; there are events, requests, serializer, deserializer, eventOptions, concurrency`,
  ],
  [
    'forRoot',
    { transport: { eventOptions: { atempts: 3 } } },
    `transport.eventOptions: there is no option "atempts"; there are wire, group, concurrency, prefetch, retry, deadLetter, timeout, startFrom, orderBy, backlog`,
  ],
  [
    'forRootAsync',
    { useFactroy: () => ({}) },
    `forRootAsync: there is no option "useFactroy"; did you mean "useFactory"?`,
  ],
  [
    'forRootAsync',
    { useFactory: () => ({}), injects: [] },
    `forRootAsync: there is no option "injects"; did you mean "inject"?`,
  ],
  [
    'forRootAsync',
    { useFactory: () => ({}), url: 'memory:' },
    `forRootAsync: there is no option "url": return it from the factory`,
  ],
  [
    'the factory of forRootAsync',
    { sevice: 'billing' },
    `forRootAsync: there is no option "sevice"; did you mean "service"?`,
  ],
  [
    'the factory of forRootAsync',
    { isGlobal: false },
    `forRootAsync: there is no option "isGlobal": give it beside useFactory`,
  ],
  ['DiscoBus', { prefx: 'shop' }, `DiscoBus: there is no option "prefx"; did you mean "prefix"?`],
  [
    'DiscoBus',
    { maxMessagesize: 3 },
    `DiscoBus: there is no option "maxMessagesize"; did you mean "maxMessageSize"?`,
  ],
  ['DiscoBus', { loger: console }, `DiscoBus: there is no option "loger"; did you mean "logger"?`],
  [
    'DiscoBus',
    { url: 'memory:' },
    `DiscoBus: there is no option "url": give it a driver: redisDriver({ url })`,
  ],
  [
    'DiscoBus',
    { defaults: { timeot: '5s' } },
    `defaults: there is no option "timeot"; did you mean "timeout"?`,
  ],
  ['publish', { header: {} }, `publish: there is no option "header"; did you mean "headers"?`],
  ['publish', { dealy: '5s' }, `publish: there is no option "dealy"; did you mean "delay"?`],
  [
    'publish',
    { constructor: 1 },
    `publish: there is no option "constructor"; there are headers, id, delivery, timeout, signal, delay, at, key, ttl`,
  ],
  ['publishBatch', { tll: '5s' }, `publishBatch: there is no option "tll"; did you mean "ttl"?`],
  ['request', { timout: '5s' }, `request: there is no option "timout"; did you mean "timeout"?`],
  ['requestStream', { grup: 'billing' }, `request: there is no option "grup"; did you mean "group"?`],
  [
    'subscribe',
    { concurency: 3 },
    `subscribe("orders"): there is no option "concurency"; did you mean "concurrency"?`,
  ],
  ['subscribe', { batch: { sise: 10 } }, `"orders".batch: there is no option "sise"; did you mean "size"?`],
  [
    'subscribe',
    { retry: { attempt: 3 } },
    `"orders".retry: there is no option "attempt"; did you mean "attempts"?`,
  ],
  ['declare', { scheme: {} }, `subscribe("orders"): there is no option "scheme"; did you mean "schema"?`],
  ['peek', { limits: 3 }, `peek: there is no option "limits"; did you mean "limit"?`],
  ['replayAll', { maxReplay: 3 }, `replayAll: there is no option "maxReplay"; did you mean "maxReplays"?`],
  [
    '@DiscoSubscribe',
    { enhancer: 'own' },
    `@DiscoSubscribe("orders"): there is no option "enhancer"; did you mean "enhancers"?`,
  ],
  [
    '@DiscoSubscribe',
    { retry: { backof: {} } },
    `@DiscoSubscribe("orders").retry: there is no option "backof"; did you mean "backoff"?`,
  ],
  [
    '@DiscoSubscribe',
    { startfrom: 'new' },
    `@DiscoSubscribe("orders"): there is no option "startfrom"; did you mean "startFrom"?`,
  ],
  ['@DiscoPayload', { shema: {} }, `@DiscoPayload: there is no option "shema"; did you mean "schema"?`],
  ['@WithLock', { onbusy: 'skip' }, `@WithLock: there is no option "onbusy"; did you mean "onBusy"?`],
  [
    '@WithLock',
    { signal: undefined },
    `@WithLock: there is no option "signal"; there are ttl, wait, autoExtend, fair, minReplicas, replicaTimeout, minHold, onBusy, bus`,
  ],
  ['LockManager', { tt1: '5m' }, `LockManager: there is no option "tt1"; did you mean "ttl"?`],
  ['acquire', { waits: '5s' }, `a lock: there is no option "waits"; did you mean "wait"?`],
  [
    'tryAcquire',
    { autoExtends: true },
    `a lock: there is no option "autoExtends"; did you mean "autoExtend"?`,
  ],
  ['using', { fare: true }, `a lock: there is no option "fare"; did you mean "fair"?`],
  ['semaphore', { minReplica: 1 }, `a lock: there is no option "minReplica"; did you mean "minReplicas"?`],
  ['readWrite().read', { minhold: '1s' }, `a lock: there is no option "minhold"; did you mean "minHold"?`],
  [
    'readWrite().write',
    { replicaTimeouts: '1s' },
    `a lock: there is no option "replicaTimeouts"; did you mean "replicaTimeout"?`,
  ],
  ['redisDriver', { hots: 'redis' }, `redisDriver: there is no option "hots"; did you mean "host"?`],
  [
    'redisDriver',
    { streams: { maxLenght: 10 } },
    `redisDriver.streams: there is no option "maxLenght"; did you mean "maxLength"?`,
  ],
  [
    'redisDriver',
    { streams: { unread: { maxAges: '1d' } } },
    `redisDriver.streams.unread: there is no option "maxAges"; did you mean "maxAge"?`,
  ],
  [
    'redisDriver',
    { streams: { durability: { replica: 1 } } },
    `redisDriver.streams.durability: there is no option "replica"; did you mean "replicas"?`,
  ],
  [
    'redisDriver',
    { bufferLimit: { message: 10 } },
    `redisDriver.bufferLimit: there is no option "message"; did you mean "messages"?`,
  ],
  [
    'redisDriver',
    { reconnect: { delays: '1s' } },
    `redisDriver.reconnect: there is no option "delays"; did you mean "delay"?`,
  ],
  [
    'redisDriver',
    { reader: { prot: 6380 } },
    `redisDriver.reader: there is no option "prot"; did you mean "port"?`,
  ],
  [
    'redisDriver',
    { cluster: { node: [] } },
    `redisDriver.cluster: there is no option "node"; did you mean "nodes"?`,
  ],
  [
    'memoryDriver',
    { visibiltyTimeout: '30s' },
    `memoryDriver: there is no option "visibiltyTimeout"; did you mean "visibilityTimeout"?`,
  ],
  [
    'memoryDriver',
    { maxLegth: 10 },
    `memoryDriver: there is no option "maxLegth"; did you mean "maxLength"?`,
  ],
  [
    'MemoryBroker',
    { unread: { maxbytes: 10 } },
    `MemoryBroker.unread: there is no option "maxbytes"; did you mean "maxBytes"?`,
  ],
  ['retry', { atempts: 3 }, `retry: there is no option "atempts"; did you mean "attempts"?`],
  ['deduplicate', { sizes: 10 }, `deduplicate: there is no option "sizes"; did you mean "size"?`],
  ['GzipCodec', { treshold: 10 }, `GzipCodec: there is no option "treshold"; did you mean "threshold"?`],
  [
    'BundlingDriver',
    { 'at-least-one': {} },
    `bundling: there is no option "at-least-one"; did you mean "at-least-once"?`,
  ],
  ['ChaosDriver', { fails: 0.5 }, `ChaosDriver: there is no option "fails"; did you mean "fail"?`],
  ['DiscoBusServer', { hst: 'redis' }, `DiscoBusServer: there is no option "hst"; did you mean "host"?`],
  [
    'DiscoBusServer',
    { concurrence: 8 },
    `DiscoBusServer: there is no option "concurrence"; did you mean "concurrency"?`,
  ],
  [
    'DiscoBusServer',
    { retryAttempts: 5 },
    `DiscoBusServer: there is no option "retryAttempts": reconnection never ends; driver: redisDriver({ reconnect }) sets the waits`,
  ],
  [
    'DiscoBusServer',
    { wildcards: true },
    `DiscoBusServer: there is no option "wildcards": patterns with wildcards always work`,
  ],
  [
    'DiscoBusServer',
    { eventOptions: { delivery: 'at-most-once' } },
    `DiscoBusServer.eventOptions: there is no option "delivery"; there are wire, group, concurrency, prefetch, retry, deadLetter, timeout, startFrom, orderBy, backlog`,
  ],
  [
    'DiscoBusClient',
    { timeuot: '5s' },
    `DiscoBusClient: there is no option "timeuot"; did you mean "timeout"?`,
  ],
  [
    'DiscoBusClient',
    { retryDelay: 100 },
    `DiscoBusClient: there is no option "retryDelay": reconnection never ends; driver: redisDriver({ reconnect }) sets the waits`,
  ],
  ['DiscoBusClient', { keyPrefix: 'a' }, `DiscoBusClient: there is no option "keyPrefix": use prefix`],
  [
    'DiscoBusClient',
    { family: 6 },
    `DiscoBusClient: there is no option "family": give driver: redisDriver({ client }) with an ioredis client of your own`,
  ],
  [
    'DiscoBusClient',
    { sentinels: [] },
    `DiscoBusClient: there is no option "sentinels": give driver: redisDriver({ sentinel })`,
  ],
  ['DiscoRecord', { dely: '5s' }, `DiscoRecord: there is no option "dely"; did you mean "delay"?`],
];

const wrong: [EntryPoint, unknown, string][] = [
  ['forRoot', { topics: ['orders'] }, `topics must be an object, not an array`],
  [
    'forRoot',
    { topics: { orders: { retry: 3 } } },
    `topics["orders"].retry must be an object or false, not 3`,
  ],
  [
    'forRoot',
    { topics: { orders: 'at-most-once' } },
    `topics["orders"] must be an object, not 'at-most-once'`,
  ],
  ['forRoot', { compression: true }, `compression must be an object or false, not true`],
  ['forRoot', { logger: false }, `logger must be a logger with log, warn and error, not false`],
  ['forRoot', { middleware: deduplicateAlone }, `middleware must be an array of functions, not a function`],
  ['forRoot', { connection: '5s' }, `connection must be an object, not '5s'`],
  ['forRoot', { isGlobal: 'yes' }, `isGlobal must be true or false, not 'yes'`],
  ['forRoot', { lock: '5m' }, `lock must be an object, not '5m'`],
  ['forRoot', { driver: 'redis://user:secret@h' }, `driver must be a driver, not a URL`],
  ['forRoot', { transport: [] }, `transport must be an object, not an array`],
  ['forRootAsync', { useFactory: {} }, `useFactory must be a function, not an object`],
  ['DiscoBus', { bundling: true }, `bundling must be an object or false, not true`],
  ['DiscoBus', { service: 7 }, `service must be a string, not 7`],
  ['DiscoBus', { metrics: true }, `metrics must be a sink of metrics, not true`],
  ['DiscoBus', { clock: Date }, `clock must be a clock, not a function`],
  ['DiscoBus', { defaults: { deadLetter: 'yes' } }, `defaults.deadLetter must be true or false, not 'yes'`],
  ['DiscoBus', { publishLimit: 100 }, `publishLimit must be an object, not 100`],
  [
    'publish',
    { delay: null },
    `publish.delay must be a duration (milliseconds, or '250ms', '30s', '5m'), not null`,
  ],
  [
    'publish',
    { at: '2030-01-01' },
    `publish.at must be a Date or milliseconds since the epoch, not '2030-01-01'`,
  ],
  [
    'publish',
    { at: new Date(Number.NaN) },
    `publish.at must be a Date or milliseconds since the epoch, not an object`,
  ],
  ['request', { group: 7 }, `request.group must be a string, not 7`],
  [
    'request',
    { timeout: true },
    `request.timeout must be a duration (milliseconds, or '250ms', '30s', '5m'), not true`,
  ],
  [
    'publishBatch',
    { delivery: 'once' },
    `publishBatch.delivery must be 'at-most-once' or 'at-least-once', not 'once'`,
  ],
  ['subscribe', { concurrency: '8' }, `"orders".concurrency must be a number, not '8'`],
  [
    'DiscoBusClient',
    { password: null },
    `DiscoBusClient.password must be a string or a function, not object`,
  ],
  ['publish', '5s', `The options of publish must be an object, not '5s'`],
  ['publish', null, `The options of publish must be an object, not null`],
  ['publish', { signal: new AbortController() }, `publish.signal must be an AbortSignal, not an object`],
  ['request', { signal: '5s' }, `request.signal must be an AbortSignal, not '5s'`],
  ['subscribe', { batch: 10 }, `"orders".batch must be an object, not 10`],
  ['subscribe', { schema: {} }, `"orders".schema must be a Standard Schema, not an object`],
  ['subscribe', { retry: true }, `"orders".retry must be an object or false, not true`],
  ['subscribe', { backlog: 100 }, `"orders".backlog must be an object, not 100`],
  ['peek', 10, `The options of peek must be an object, not 10`],
  ['replayAll', { filter: 'all' }, `replayAll.filter must be a function, not 'all'`],
  ['@DiscoSubscribe', { retry: 3 }, `@DiscoSubscribe("orders").retry must be an object or false, not 3`],
  ['@DiscoSubscribe', 'billing', `The options of @DiscoSubscribe("orders") must be an object, not 'billing'`],
  ['@DiscoPayload', { schema: () => true }, `@DiscoPayload.schema must be a Standard Schema, not a function`],
  ['@WithLock', { autoExtend: 'yes' }, `@WithLock.autoExtend must be true or false, not 'yes'`],
  ['@WithLock', '5m', `The options of @WithLock must be an object, not '5m'`],
  [
    'LockManager',
    { observer: () => {} },
    `LockManager.observer must be an observer of locks, not a function`,
  ],
  ['acquire', { fair: 1 }, `fair must be true or false, not 1`],
  ['acquire', 5000, `The options of a lock must be an object, not 5000`],
  ['redisDriver', 'redis://user:secret@h', `The options of redisDriver must be an object, not a URL`],
  ['redisDriver', { streams: true }, `redisDriver.streams must be an object, not true`],
  ['redisDriver', { bufferLimit: 1000 }, `redisDriver.bufferLimit must be an object, not 1000`],
  ['redisDriver', { password: 12345 }, `redisDriver.password must be a string or a function, not number`],
  ['redisDriver', { tls: 'yes' }, `redisDriver.tls must be true or false or an object, not string`],
  ['redisDriver', { sentinel: [] }, `redisDriver.sentinel must be an object, not an array`],
  ['memoryDriver', { broker: 'shared' }, `memoryDriver.broker must be a MemoryBroker, not 'shared'`],
  ['MemoryBroker', { unread: 10 }, `MemoryBroker.unread must be an object, not 10`],
  ['retry', 3, `The options of retry must be an object, not 3`],
  ['retry', { attempts: 3 }, `retry.backoff is missing`],
  ['deduplicate', { stroe: {} }, `deduplicate: there is no option "stroe"; did you mean "store"?`],
  ['DiscoOutboxModule', { realy: false }, `an outbox: there is no option "realy"; did you mean "relay"?`],
  [
    'DiscoOutboxModule',
    { relay: { sweeps: 3 } },
    `relay: there is no option "sweeps"; did you mean "sweep"?`,
  ],
  ['deduplicate', 1000, `The options of deduplicate must be an object, not 1000`],
  ['validate', {}, `validate needs a Standard Schema`],
  ['GzipCodec', { maxBytes: '1MB' }, `compression.maxBytes must be a number, not '1MB'`],
  ['BundlingDriver', { 'at-most-once': 10 }, `bundling.at-most-once must be an object, not 10`],
  ['ChaosDriver', { fail: 'often' }, `ChaosDriver.fail must be a number, not 'often'`],
  [
    'DiscoBusServer',
    { serializer: () => {} },
    `DiscoBusServer.serializer must be a serializer, not a function`,
  ],
  [
    'DiscoBusClient',
    { logger: false },
    `DiscoBusClient.logger must be a logger with log, warn and error, not false`,
  ],
  ['DiscoRecord', { headers: ['tenant'] }, `DiscoRecord.headers must be an object, not an array`],
];

describe('An option that there is not', () => {
  it.each(misspelt)('%s %j', async (entryPoint, options, message) => {
    const error = await refusal(() => entryPoints[entryPoint](options));
    expect(error).toBeInstanceOf(ConfigurationError);
    expect((error as Error).message).toBe(message);
  });
});

describe('An option of a wrong kind', () => {
  it.each(wrong)('%s %j', async (entryPoint, options, message) => {
    const error = await refusal(() => entryPoints[entryPoint](options));
    expect(error).toBeInstanceOf(ConfigurationError);
    expect((error as Error).message).toBe(message);
  });
});
