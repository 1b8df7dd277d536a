import { publishMessageKinds } from '../../../lib/bus/options/bus-option-kinds.js';
import { assertMessageOptions } from '../../../lib/errors/assert-options.js';
import { isDiscoBusError } from '../../../lib/errors/disco-bus-error.js';
import { DiscoRecordBuilder } from '../../../lib/transport/disco-record.js';
import { type EntryPoint, entryPoints, refusal } from './entry-points.js';

/** Where options are given, and the object that stands around them there. */
type Place = readonly [EntryPoint, path: string, around: (options: unknown) => unknown];

const itself = (options: unknown) => options;
const topic = (options: unknown) => ({ topics: { orders: options } });
const stream = (name: string) => (options: unknown) => ({ streams: { [name]: options } });
const places: Place[] = [
  ['forRoot', '', itself],
  ['forRoot', 'defaults', (defaults) => ({ defaults })],
  ['forRoot', 'topics', topic],
  ['forRoot', 'topics.retry', (retry) => topic({ retry })],
  ['forRoot', 'topics.retry.backoff', (backoff) => topic({ retry: { backoff } })],
  ['forRoot', 'topics.backlog', (backlog) => topic({ backlog })],
  ['forRoot', 'connection', (connection) => ({ connection })],
  ['forRoot', 'compression', (compression) => ({ compression })],
  ['forRoot', 'publishLimit', (publishLimit) => ({ publishLimit })],
  ['forRoot', 'bundling', (bundling) => ({ bundling })],
  ['forRoot', 'bundling.at-least-once', (limits) => ({ bundling: { 'at-least-once': limits } })],
  ['forRoot', 'lock', (lock) => ({ lock })],
  ['forRoot', 'transport', (transport) => ({ transport })],
  ['forRoot', 'transport.eventOptions', (eventOptions) => ({ transport: { eventOptions } })],
  ['forRootAsync', '', itself],
  ['the factory of forRootAsync', '', itself],
  ['DiscoBus', '', itself],
  ['publish', '', itself],
  ['publishBatch', '', itself],
  ['request', '', itself],
  ['requestStream', '', itself],
  ['subscribe', '', itself],
  ['subscribe', 'batch', (batch) => ({ batch })],
  ['declare', '', itself],
  ['peek', '', itself],
  ['replayAll', '', itself],
  ['@DiscoSubscribe', '', itself],
  ['@DiscoSubscribe', 'backlog', (backlog) => ({ backlog })],
  ['@DiscoPayload', '', itself],
  ['@WithLock', '', itself],
  ['LockManager', '', itself],
  ['acquire', '', itself],
  ['tryAcquire', '', itself],
  ['using', '', itself],
  ['semaphore', '', itself],
  ['readWrite().read', '', itself],
  ['readWrite().write', '', itself],
  ['redisDriver', '', itself],
  ['redisDriver', 'reader', (reader) => ({ reader })],
  ['redisDriver', 'cluster', (cluster) => ({ cluster })],
  ['redisDriver', 'reconnect', (reconnect) => ({ reconnect })],
  ['redisDriver', 'bufferLimit', (bufferLimit) => ({ bufferLimit })],
  ['redisDriver', 'streams', (streams) => ({ streams })],
  ['redisDriver', 'streams.unread', stream('unread')],
  ['redisDriver', 'streams.abandoned', stream('abandoned')],
  ['redisDriver', 'streams.durability', stream('durability')],
  ['memoryDriver', '', itself],
  ['MemoryBroker', '', itself],
  ['MemoryBroker', 'unread', (unread) => ({ unread })],
  ['MemoryBroker', 'abandoned', (abandoned) => ({ abandoned })],
  ['retry', '', itself],
  ['retry', 'backoff', (backoff) => ({ attempts: 2, backoff })],
  ['deduplicate', '', itself],
  ['GzipCodec', '', itself],
  ['BundlingDriver', '', itself],
  ['ChaosDriver', '', itself],
  ['simulate', '', itself],
  ['simulate', 'faults', (faults) => ({ faults })],
  ['DiscoBusServer', '', itself],
  ['DiscoBusServer', 'eventOptions', (eventOptions) => ({ eventOptions })],
  ['DiscoBusClient', '', itself],
  ['DiscoDashboardModule.forRoot', '', itself],
  ['DiscoDashboardModule.forRoot', 'audit', (audit) => ({ audit })],
  ['DiscoRecord', '', itself],
];

/** What nothing may be: null for "nothing", and a value within an array. */
const wrong: [told: string, value: unknown][] = [
  ['null', null],
  ['[7]', [7]],
];
/** What takes a value within an array after all: a list of anything, and a port alone as the address of a node. */
const lists = ['imports', 'inject', 'nodes'];
const unknown = 'qqqqqqqqqqqqqqqqqqqqqqqq';

describe.each(places)('Of %s %s', (entryPoint, _path, around) => {
  const refused = (options: unknown) => refusal(() => entryPoints[entryPoint](around(options)));

  it('every option has a kind, and says which', async () => {
    const { message } = (await refused({ [unknown]: 1 })) as Error;
    const names = message.split('; there are ')[1]!.split(', ');
    const accepted: string[] = [];
    for (const name of names) {
      for (const [told, value] of lists.includes(name) ? wrong.slice(0, 1) : wrong) {
        const error = (await refused({ [name]: value })) as Error | undefined;
        const typed = ['DISCO_CONFIGURATION', 'DISCO_MESSAGE_INVALID', 'DISCO_DRIVER_MISSING'].some((code) =>
          isDiscoBusError(error, code as never),
        );
        const says = error?.message.toLowerCase().includes(name.replace(/^use/, '').toLowerCase());
        if (!typed || !says) accepted.push(`${name}: ${told} → ${error?.name}: ${error?.message}`);
      }
    }
    expect(accepted).toEqual([]);
  });
});

describe('A DiscoRecordBuilder', () => {
  it.each([
    ['setDelay', 'delay', null],
    ['setAt', 'at', 'tomorrow'],
    ['setKey', 'key', 7],
    ['setSignal', 'signal', {}],
    ['setTtl', 'ttl', []],
    ['setTimeout', 'timeout', true],
    ['setId', 'id', 7],
    ['setHeaders', 'headers', 'a'],
  ] as const)('refuses a wrong kind where it is set: %s', (method, name, value) => {
    const builder = new DiscoRecordBuilder(1);
    expect(() => builder[method](value as never)).toThrow(`DiscoRecordBuilder.${name} must be`);
  });
});

describe('What is told of each message', () => {
  it('costs nothing on the heap where it is right', () => {
    const given = { delay: '5s', key: 'a', headers: { a: 'b' }, timeout: 100, delivery: 'at-least-once' };
    const check = (times: number) => {
      for (let n = 0; n < times; n++) assertMessageOptions('publish', given, publishMessageKinds);
    };
    check(50_000);
    const grown = Array.from({ length: 20 }, () => {
      const before = process.memoryUsage().heapUsed;
      check(2_000);
      return process.memoryUsage().heapUsed - before;
    });
    // One object for each would be 32,000 bytes at least; where the collector ran it grew by less than nothing.
    const usual = grown.filter((bytes) => bytes >= 0).sort((a, b) => a - b)[5];
    expect(usual).toBeLessThan(16_000);
  });
});
