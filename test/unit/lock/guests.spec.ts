import { bench, settled } from './support.js';

/** What a user's listener of a lock's signal may do that it should not. */
const listeners: [string, () => () => unknown][] = [
  [
    'throws',
    () => () => {
      throw new Error('a listener that throws');
    },
  ],
  ['rejects', () => () => Promise.reject(new Error('a listener that rejects'))],
];

describe.each(listeners)('A listener of a lock signal that %s', (_name, listener) => {
  let world: ReturnType<typeof bench>;
  let emit: jest.SpyInstance;
  beforeEach(() => {
    world = bench();
    emit = jest.spyOn(process, 'emitWarning').mockImplementation(() => {});
  });
  afterEach(async () => {
    await world.close();
    expect(emit.mock.calls).toEqual([
      [
        expect.stringMatching(/^A listener of a signal threw/),
        expect.objectContaining({ code: 'DISCO_GUEST' }),
      ],
    ]);
    emit.mockRestore();
  });

  it('is told when the time of the lock is over, and the other listeners are called', async () => {
    const locks = await world.manager();
    const lock = await locks.acquire('key', { ttl: 300 });
    lock.signal.addEventListener('abort', listener());
    const lost = new Promise((resolve) => lock.signal.addEventListener('abort', () => resolve('told')));
    expect(await settled(world.clock, lost)).toBe('told');
    expect(lock.signal.reason).toMatchObject({ code: 'DISCO_LOCK_LOST' });
    expect(await settled(world.clock, locks.acquire('key'))).toMatchObject({ keys: ['key'] });
  });

  it('is told when the caller cancels work that is extended, and the lock is given back', async () => {
    const locks = await world.manager();
    const abort = new AbortController();
    const work = locks.using('key', { ttl: 300, signal: abort.signal }, async (_lock, signal) => {
      signal.addEventListener('abort', listener());
      abort.abort(new Error('cancelled'));
      return signal.aborted;
    });
    expect(await settled(world.clock, work)).toBe(true);
    expect(await locks.tryAcquire('key')).not.toBeNull();
  });

  it('is told when the manager closes', async () => {
    const locks = await world.manager();
    const lock = await locks.acquire('key', { ttl: 300 });
    lock.signal.addEventListener('abort', listener());
    await locks.close();
    expect(lock.signal.reason).toMatchObject({ code: 'DISCO_CLOSED' });
  });
});
