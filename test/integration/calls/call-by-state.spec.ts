import { setImmediate } from 'node:timers/promises';
import { MemoryBroker, MemoryDriver, memoryDriver } from '../../../lib/drivers/memory/index.js';
import { redisDriver } from '../../../lib/drivers/redis/index.js';
import { NotConnectedError } from '../../../lib/errors/bus.errors.js';
import { freePort, RedisServer } from '../../support/redis-server.js';
import { pause } from '../../support/waiting.js';
import { Scene } from './scene.js';
import { outcomeOf, printed, readTable, type Seen } from './table.js';

/** How much later than due a call may settle on a machine that is busy. */
const SLACK_MS = 700;
const PATIENCE_MS = 12_000;

/**
 * With what is due in milliseconds where it is not at once. idle: not started, which a client of the transport does with
 * its first message; unconnected: there never was a connection; given-up: `drain` came before one.
 */
const redisTable = readTable(`
call               idle            unconnected           ready                lost                      frozen                                      draining           given-up  closed
publish            NOT_CONNECTED   PUBLISH_TIMEOUT@500   ok                   PUBLISH_TIMEOUT@500       PUBLISH_OUTCOME_UNKNOWN|PUBLISH_TIMEOUT@500 ok                 CLOSED    CLOSED
publish-stored     NOT_CONNECTED   PUBLISH_TIMEOUT@500   ok                   PUBLISH_TIMEOUT@500       PUBLISH_OUTCOME_UNKNOWN|PUBLISH_TIMEOUT@500 ok                 CLOSED    CLOSED
publish-signal     NOT_CONNECTED   ABORTED@250           ok                   ABORTED@250               PUBLISH_OUTCOME_UNKNOWN|ABORTED@250         ok                 CLOSED    CLOSED
publish-aborted    ABORTED         ABORTED               ABORTED              ABORTED                   ABORTED                                     ABORTED            ABORTED   ABORTED
publish-invalid    TOPIC_INVALID   TOPIC_INVALID         TOPIC_INVALID        TOPIC_INVALID             TOPIC_INVALID                               TOPIC_INVALID      TOPIC_INVALID TOPIC_INVALID
publishBatch       NOT_CONNECTED   PUBLISH_TIMEOUT@500   ok                   PUBLISH_TIMEOUT@500       PUBLISH_OUTCOME_UNKNOWN|PUBLISH_TIMEOUT@500 ok                 CLOSED    CLOSED
request            NOT_CONNECTED   REQUEST_TIMEOUT@500   ok                   REQUEST_TIMEOUT@500       REQUEST_TIMEOUT@500                         NO_RESPONDERS      CLOSED    CLOSED
request-invalid    MESSAGE_UNDEFINED|NOT_CONNECTED MESSAGE_UNDEFINED MESSAGE_UNDEFINED MESSAGE_UNDEFINED MESSAGE_UNDEFINED                           MESSAGE_UNDEFINED  MESSAGE_UNDEFINED|CLOSED CLOSED
requestStream      NOT_CONNECTED   REQUEST_TIMEOUT@500   ok                   REQUEST_TIMEOUT@500       REQUEST_TIMEOUT@500                         NO_RESPONDERS      CLOSED    CLOSED
subscribe          NOT_CONNECTED   NOT_CONNECTED@5000    ok                   NOT_CONNECTED@1000        NOT_CONNECTED|DRIVER@2000                   CLOSED             CLOSED    CLOSED
subscribe-stored   NOT_CONNECTED   NOT_CONNECTED@5000    ok                   NOT_CONNECTED@1000        NOT_CONNECTED|DRIVER@2000                   CLOSED             CLOSED    CLOSED
subscribe-invalid  TOPIC_INVALID   TOPIC_INVALID         TOPIC_INVALID        TOPIC_INVALID             TOPIC_INVALID                               TOPIC_INVALID      TOPIC_INVALID TOPIC_INVALID
ping               NOT_CONNECTED   NOT_CONNECTED         ok                   NOT_CONNECTED             NOT_CONNECTED|DRIVER@1000                   ok                 CLOSED    CLOSED
count              NOT_CONNECTED   NOT_CONNECTED@5000    ok                   NOT_CONNECTED@5000        NOT_CONNECTED|DRIVER@5000                   ok                 CLOSED    CLOSED
peek               NOT_CONNECTED   NOT_CONNECTED@5000    ok                   NOT_CONNECTED@5000        NOT_CONNECTED|DRIVER@5000                   ok                 CLOSED    CLOSED
removeGroup        NOT_CONNECTED   NOT_CONNECTED@5000    ok                   NOT_CONNECTED@5000        NOT_CONNECTED|DRIVER@5000                   ok                 CLOSED             CLOSED
send               NO_RESPONDERS   REQUEST_TIMEOUT@500   NO_RESPONDERS        REQUEST_TIMEOUT@500       REQUEST_TIMEOUT@500                         NO_RESPONDERS      CLOSED    CLOSED
emit               ok              PUBLISH_TIMEOUT@500   ok                   PUBLISH_TIMEOUT@500       PUBLISH_OUTCOME_UNKNOWN|PUBLISH_TIMEOUT@500 ok                 CLOSED    CLOSED
tryAcquire         NOT_CONNECTED   LOCK_UNAVAILABLE@2000 ok                   LOCK_UNAVAILABLE          LOCK_UNAVAILABLE@1000                       ok                 LOCK_UNAVAILABLE@2000 CLOSED
acquire            NOT_CONNECTED   LOCK_NOT_ACQUIRED|LOCK_UNAVAILABLE@500 ok  LOCK_NOT_ACQUIRED|LOCK_UNAVAILABLE@500 LOCK_NOT_ACQUIRED|LOCK_UNAVAILABLE@600 ok        LOCK_NOT_ACQUIRED|LOCK_UNAVAILABLE@500 CLOSED
acquire-aborted    ABORTED|NOT_CONNECTED ABORTED         ABORTED              ABORTED                   ABORTED                                     ABORTED            ABORTED   ABORTED|CLOSED
drain              ok              ok                    ok                   ok@500                    ok@500                                      ok@500             ok        ok
client.close       ok              ok                    ok                   ok@500                    ok@500                                      ok@500             ok        ok
stop               ok              ok                    ok                   ok@1000                   ok@1000                                     ok@1000            ok        ok
`);

/** The states that an engine within the process can be in. */
const memoryStates = ['idle', 'unconnected', 'ready', 'draining', 'given-up', 'closed'];

const timing = { connectTimeout: '1s', commandTimeout: '1s', heartbeat: '300ms' } as const;
const servers: RedisServer[] = [];

async function ownServer(): Promise<RedisServer> {
  const started = await RedisServer.start();
  servers.push(started);
  return started;
}

afterAll(() => Promise.all(servers.map((each) => each.stop())));

class AbsentEngine extends MemoryDriver {
  override connect(): Promise<void> {
    return Promise.reject(new NotConnectedError('nobody there'));
  }
}

/** The locks of an engine within the process work before the bus is connected. */
function needsNoServer(engine: string, state: string, call: string): boolean {
  const locking = call === 'acquire' || call === 'tryAcquire';
  return engine === 'memory' && locking && ['unconnected', 'given-up'].includes(state);
}

type Place = (state: string) => Promise<Scene>;

/** How a scene comes into a state, whatever engine it has. */
async function placed(state: string, present: () => Scene, absent: () => Scene): Promise<Scene> {
  if (state === 'idle') return present();
  const scene = ['unconnected', 'given-up'].includes(state) ? absent() : await present().ready();
  if (scene.bus.state === 'idle') await scene.service.start();
  if (state === 'given-up') await scene.bus.drain();
  if (state === 'closed') await scene.service.stop();
  if (state === 'draining') {
    await scene.busy();
    void scene.bus.drain();
  }
  return scene;
}

const onMemory: Place = (state) => {
  const broker = new MemoryBroker();
  return placed(
    state,
    () => new Scene(memoryDriver({ broker })),
    () => new Scene(new AbsentEngine()),
  );
};

const onRedis: Place = async (state) => {
  const own = await ownServer();
  const port = await freePort();
  const scene = await placed(
    state,
    () => new Scene(redisDriver({ url: own.url, ...timing })),
    () => new Scene(redisDriver({ port, ...timing })),
  );
  if (!['lost', 'frozen'].includes(state)) return scene;
  await (await scene.service.locks.acquire('first')).release();
  if (state === 'frozen') own.freeze();
  else {
    const lost = new Promise<void>((resolve) =>
      scene.bus.onStatus(({ type }) => type === 'disconnected' && resolve()),
    );
    await own.kill();
    await lost;
    // The ends of all its sockets have come by now: these turns hand them over.
    for (let turn = 0; turn < 3; turn++) await setImmediate();
  }
  return scene;
};

/** All calls at the same time, then those that end it, one after the other. */
async function play(scene: Scene): Promise<Map<string, Seen>> {
  const seen = new Map<string, Seen>();
  const calls = Object.entries(scene.calls());
  await Promise.all(calls.map(async ([name, call]) => seen.set(name, await outcomeOf(call, PATIENCE_MS))));
  for (const [name, call] of Object.entries(scene.endings())) {
    seen.set(name, await outcomeOf(call, PATIENCE_MS));
  }
  return seen;
}

const sockets = () => process.getActiveResourcesInfo().filter((kind) => kind === 'TCPSocketWrap').length;

async function noMoreSockets(before: number): Promise<void> {
  for (let look = 0; look < 50 && sockets() > before; look++) {
    await pause(20);
  }
  expect(sockets()).toBeLessThanOrEqual(before);
}

describe.each([
  ['redis', onRedis, [...redisTable.get('publish')!.keys()]],
  ['memory', onMemory, memoryStates],
] as const)('Call contract: %s', (engine, place, states) => {
  const seen = new Map<string, Map<string, Seen>>();
  let before = 0;
  // All states at the same time: most calls wait for a time of their own.
  beforeAll(async () => {
    before = sockets();
    const played = await Promise.all(states.map(async (state) => play(await place(state))));
    for (const [index, state] of states.entries()) seen.set(state, played[index]);
  }, 60_000);
  // The table itself, with what was measured in milliseconds.
  afterAll(() => void process.stderr.write(`\n${engine}: what each call came to\n${printed(seen)}\n`));

  describe.each(states)('%s', (state) => {
    for (const [call, cells] of redisTable) {
      it(`${call} settles within its time`, () => {
        const { outcome, ms } = seen.get(state)!.get(call)!;
        const { outcomes, dueMs } = cells.get(state)!;
        expect(needsNoServer(engine, state, call) ? ['ok'] : outcomes).toContain(outcome);
        expect(ms).toBeLessThan(dueMs + SLACK_MS);
      });
    }

    it('sockets are all closed after stop', () => noMoreSockets(before));
  });
});
