import { Readable } from 'node:stream';
import { Injectable } from '@nestjs/common';
import { currentLock, DiscoBusModule, DiscoBusService, WithLock } from 'nestjs-disco-bus';
import { closeApps, startApp } from './support.js';

afterEach(closeApps);

/** How a method gives its three readings; each is whether it held the lock when it was made. */
@Injectable()
class Rows {
  left = false;

  private async *source(): AsyncGenerator<string | undefined> {
    try {
      for (let row = 0; row < 3; row++) yield currentLock()?.keys[0];
    } finally {
      this.left = true;
    }
  }

  @WithLock('rows', { ttl: 200, wait: 0 })
  async *generator(): AsyncGenerator<string | undefined> {
    yield* this.source();
  }

  @WithLock('rows', { ttl: 200, wait: 0 })
  async iterable(): Promise<AsyncIterable<string | undefined>> {
    return this.source();
  }

  @WithLock('rows', { ttl: 200, wait: 0 })
  async readable(): Promise<Readable> {
    return Readable.from(['rows', 'rows', 'rows']);
  }

  @WithLock('rows', { ttl: 200, wait: 0 })
  async web(): Promise<AsyncIterable<unknown>> {
    return ReadableStream.from(this.source()) as never;
  }

  @WithLock('rows', { ttl: 200, wait: 0 })
  *plain(): Generator<string | undefined> {
    for (let row = 0; row < 3; row++) yield currentLock()?.keys[0];
  }

  @WithLock('rows', { onBusy: 'skip' })
  async *skipping(): AsyncGenerator<string | undefined> {
    yield* this.source();
  }
}

@Injectable()
class Attempts {
  runs = 0;

  @WithLock('attempt', { wait: '20s' })
  async run(_context: { signal: AbortSignal }): Promise<void> {
    this.runs++;
  }
}

it('@WithLock does not wait for an attempt that is over, and does not run it', async () => {
  const app = await startApp({
    imports: [DiscoBusModule.forRoot({ url: 'memory:' })],
    providers: [Attempts],
  });
  const { locks } = app.get(DiscoBusService);
  const lock = await locks.acquire('attempt');
  const attempt = new AbortController();
  const outcome = app.get(Attempts).run(attempt);
  attempt.abort();
  await expect(outcome).rejects.toMatchObject({ code: 'DISCO_ABORTED' });
  await lock.release();
  await (await locks.acquire('attempt', { wait: 0 })).release();
  expect(app.get(Attempts).runs).toBe(0);
});

describe('@WithLock on what works when it is read', () => {
  const start = async () => {
    const app = await startApp({ imports: [DiscoBusModule.forRoot({ url: 'memory:' })], providers: [Rows] });
    return { rows: app.get(Rows), locks: app.get(DiscoBusService).locks };
  };
  const methods = ['generator', 'iterable', 'readable', 'web'] as const;

  it.each(methods)('%s: holds the lock until it is read to its end', async (method) => {
    const { rows, locks } = await start();
    const got: unknown[] = [];
    for await (const row of await rows[method]()) {
      got.push(row);
      if (got.length === 1) expect(await locks.tryAcquire('rows')).toBeNull();
    }
    expect(got).toEqual(['rows', 'rows', 'rows']);
    await (await locks.acquire('rows', { wait: '5s' })).release();
  });

  it.each(methods)('%s: gives the lock back when its reader leaves', async (method) => {
    const { rows, locks } = await start();
    for await (const row of await rows[method]()) {
      expect(row).toBe('rows');
      break;
    }
    await (await locks.acquire('rows', { wait: '5s', ttl: '1s' })).release();
  });

  it('a generator is read at once, without await, and under its lock', async () => {
    const { rows, locks } = await start();
    for await (const row of rows.generator()) expect(row).toBe('rows');
    expect(rows.left).toBe(true);
    const lock = await locks.acquire('rows', { wait: 0 });
    await expect(rows.generator().next()).rejects.toMatchObject({ code: 'DISCO_LOCK_NOT_ACQUIRED' });
    expect(await rows.skipping().next()).toEqual({ done: true, value: undefined });
    await lock.release();
    const plain: unknown[] = [...(await Promise.resolve(rows.plain()))];
    expect(plain).toEqual(['rows', 'rows', 'rows']);
    await (await locks.acquire('rows', { wait: '5s' })).release();
  });

  it('a generator method that is not awaited says so, and takes no lock', async () => {
    const { rows, locks } = await start();
    expect(() => [...rows.plain()]).toThrow('Rows.plain waits for its lock: await what it returns');
    await (await locks.acquire('rows', { wait: 0 })).release();
  });

  it.each(['iterable', 'readable'] as const)('%s: that nobody reads is over with its ttl', async (method) => {
    const { rows, locks } = await start();
    const unread = await rows[method]();
    await (await locks.acquire('rows', { wait: '5s' })).release();
    const reading = (async () => {
      for await (const _ of unread);
    })();
    await expect(reading).rejects.toMatchObject({ code: 'DISCO_LOCK_LOST' });
  });
});
