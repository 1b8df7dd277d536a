import type { DiscoBus } from '../../../lib/bus/disco-bus.js';
import type {
  DiscoBusOptions,
  MessageHandler,
  SubscribeOptions,
} from '../../../lib/bus/options/bus-options.js';
import { memoryDriver } from '../../../lib/drivers/memory/index.js';
import { MemoryLockStore } from '../../../lib/drivers/memory/locks/memory-lock-store.js';
import { UnrecoverableError } from '../../../lib/errors/handler.errors.js';
import { LockManager } from '../../../lib/lock/lock-manager.js';
import { until } from '../../support/waiting.js';
import { type FailingPath, failure, PAYLOAD, type Witness } from './witness.js';

const patients = { patient: PAYLOAD };
const headers = { note: 'of no interest' };

async function started(witness: Witness, options: Partial<DiscoBusOptions> = {}): Promise<DiscoBus> {
  const bus = witness.bus({ driver: memoryDriver(), defaults: { delivery: 'at-least-once' }, ...options });
  await bus.start();
  return bus;
}

/** A handler that fails at each of two attempts. */
const handled = (fails: RegExp, handler: MessageHandler, options: SubscribeOptions = {}): FailingPath => ({
  fails,
  run: async (witness) => {
    const bus = await started(witness);
    await bus.subscribe('t', handler, {
      timeout: 100,
      retry: { attempts: 2, backoff: { delay: 1 } },
      ...options,
    });
    await bus.publish('t', patients, { headers });
    return witness.heard(fails);
  },
});

/** A publish that is refused before it is sent. */
const refused = (
  fails: RegExp,
  payload: () => unknown,
  options: Partial<DiscoBusOptions> = {},
): FailingPath => ({
  fails,
  run: async (witness) => {
    const bus = await started(witness, options);
    return failure(() => bus.publish('t', payload()));
  },
});

/** What arrives and cannot be read. */
const arriving = (
  fails: RegExp,
  frame: () => Uint8Array,
  options: Partial<DiscoBusOptions> = {},
): FailingPath => ({
  fails,
  run: async (witness) => {
    const driver = memoryDriver();
    const bus = await started(witness, { driver, ...options });
    await bus.subscribe('t', () => {});
    await driver.publish('t', frame(), { delivery: 'at-least-once', id: 'x', timeoutMs: 1_000 });
    return witness.heard(fails);
  },
});

/** A request that fails, where `handler` answers. */
const asked = (fails: RegExp, handler?: MessageHandler): FailingPath => ({
  fails,
  run: async (witness) => {
    const bus = await started(witness, { defaults: { delivery: 'at-most-once' } });
    if (handler) await bus.subscribe('t', handler, { timeout: 300 });
    return failure(() => bus.request('t', patients, { timeout: 200, headers }));
  },
});

/** What operators do to a dead letter that cannot be done. */
const dead = (
  fails: RegExp,
  act: (letters: ReturnType<DiscoBus['deadLetters']>, position: string) => Promise<unknown>,
): FailingPath => ({
  fails,
  run: async (witness) => {
    const bus = await started(witness);
    await bus.subscribe('t', () => Promise.reject(new UnrecoverableError('no')));
    await bus.publish('t', patients);
    const letters = bus.deadLetters('t');
    await until('it is given up', async () => (await letters.count()) === 1);
    const [{ position }] = await letters.peek();
    return failure(() => act(letters, position));
  },
});

/** A lock of `k` that another one holds. */
const locked = (fails: RegExp, act: (locks: LockManager, held: any) => Promise<unknown>): FailingPath => ({
  fails,
  run: async (witness) => {
    const locks = witness.show(new LockManager(new MemoryLockStore(), { ttl: '1s' }));
    await locks.connect();
    witness.after(() => locks.close().catch(() => undefined));
    const held = witness.show(await locks.acquire('k'));
    return failure(() => act(locks, held));
  },
});

const pending = () => new Promise<void>(() => undefined);
const cyclic = () => {
  const value: Record<string, unknown> = { ...patients };
  value.itself = value;
  return value;
};
const schema = {
  '~standard': {
    version: 1,
    vendor: 'spec',
    validate: () => ({ issues: [{ message: 'is no number', path: ['patient'] }] }),
  },
} as const;
/** Ways in which a message, a request, a dead letter or a lock fails. */
export const messagePaths: Record<string, FailingPath> = {
  'a handler that throws': handled(/given-up/, () => Promise.reject(new Error('db down'))),
  'a handler that panics': handled(/given-up/, () => (undefined as never as { x: { y: 1 } }).x.y),
  'a handler that throws no error': handled(/given-up/, () => Promise.reject('in vain')),
  'a handler that times out': handled(/handler-timeout/, pending),
  'a handler that terminates': handled(/given-up/, (_, context) => context.terminate('no use')),
  'a handler that asks again': handled(/given-up/, (_, context) => context.retry({ delay: 1 })),
  'a handler that cannot go on': handled(/unrecoverable/, () => Promise.reject(new UnrecoverableError('no'))),
  'a payload that the schema refuses': handled(/PayloadInvalidError/, () => {}, {
    schema: schema as never,
  }),
  'a batch that fails': {
    fails: /given-up/,
    run: async (witness) => {
      const bus = await started(witness);
      const options = { batch: { size: 2, linger: 1 }, retry: false } as const;
      await bus.subscribe('t', () => Promise.reject(new Error('db down')), options);
      await bus.publish('t', patients);
      return witness.heard(/given-up/);
    },
  },
  'bytes that are no frame': arriving(/undecodable/, () => Buffer.from(JSON.stringify(patients))),
  'a frame of another version': arriving(/undecodable/, () => Buffer.from(`\u0001\u0002\u0003${PAYLOAD}`)),
  'an oversized publish': refused(/DISCO_MESSAGE_TOO_LARGE/, () => PAYLOAD.repeat(100), {
    maxMessageSize: 1_000,
  }),
  'a cyclic payload': refused(/DISCO_(CODEC|MESSAGE_INVALID)/, cyclic),
  'a payload with a bigint': refused(/DISCO_(CODEC|MESSAGE_INVALID)/, () => ({ ...patients, count: 1n })),
  'a payload whose toJSON throws': refused(/DISCO_(CODEC|MESSAGE_INVALID)/, () => ({
    toJSON: () => {
      throw new Error('no JSON');
    },
    ...patients,
  })),
  'a header that is none': {
    fails: /DISCO_/,
    run: async (witness) => {
      const bus = await started(witness);
      return failure(() => bus.publish('t', 1, { headers: { 'bad name\n': PAYLOAD } }));
    },
  },
  'nobody to answer': asked(/DISCO_NO_RESPONDERS/),
  'a request without an answer': asked(/DISCO_REQUEST_TIMEOUT|DISCO_REMOTE/, pending),
  'a remote error': asked(/DISCO_REMOTE/, () => Promise.reject(new Error('db down'))),
  'an answer that cannot be encoded': asked(/DISCO_/, () => ({ ...patients, count: 1n })),
  'a replay with a misspelt option': dead(/DISCO_CONFIGURATION/, (letters, position) =>
    letters.replay(position, { byy: PAYLOAD } as never),
  ),
  'an edit of a dead letter that cannot be encoded': dead(/DISCO_/, (letters, position) =>
    letters.replayEdited(position, { payload: { ...patients, count: 1n }, by: 'spec' } as never),
  ),
  'a filter of dead letters that throws': dead(/no filter/, (letters) =>
    letters.replayAll({
      filter: () => {
        throw new Error('no filter');
      },
    }),
  ),
  'a misspelt option of peek': dead(/DISCO_CONFIGURATION/, (letters) =>
    letters.peek({ limitt: PAYLOAD } as never),
  ),
  'a lock that is held': locked(/DISCO_LOCK_NOT_ACQUIRED/, (locks) => locks.acquire('k', { wait: 50 })),
  'a lock that was lost': locked(/DISCO_LOCK_LOST/, async (_, held) => {
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    await held.extend();
  }),
  'a lock after closing': locked(/DISCO_CLOSED/, async (locks) => {
    await locks.close();
    await locks.acquire('k');
  }),
};
