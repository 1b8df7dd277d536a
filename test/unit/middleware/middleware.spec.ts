import { UnrecoverableError } from '../../../lib/errors/handler.errors.js';
import { noHeaders } from '../../../lib/message/headers.js';
import { deduplicate } from '../../../lib/middleware/deduplicate.js';
import type { DiscoMessageContext } from '../../../lib/middleware/message-context.js';
import { compose, type Handler, type Middleware } from '../../../lib/middleware/middleware.js';
import { isPanic, recover } from '../../../lib/middleware/recover.js';
import { retry } from '../../../lib/middleware/retry.js';
import { resolveBackoff } from '../../../lib/timing/backoff.js';

function contextOf(id = 'm-1'): DiscoMessageContext {
  const message = { id, topic: 'orders', headers: noHeaders, payload: 1, timestamp: 1 };
  const { signal } = new AbortController();
  return { ...message, message, attempt: 1, group: 'g', signal, retry() {}, terminate() {}, abort() {} };
}

describe('compose', () => {
  it('runs the first outermost, each built once', async () => {
    const trail: string[] = [];
    let built = 0;
    const named =
      (name: string): Middleware =>
      (next) => {
        built++;
        return async (context) => {
          trail.push(`${name} in`);
          await next(context);
          trail.push(`${name} out`);
        };
      };
    const handler = compose([named('a'), named('b')], () => void trail.push('handler'));
    await handler(contextOf());
    await handler(contextOf());
    expect(trail.slice(0, 5)).toEqual(['a in', 'b in', 'handler', 'b out', 'a out']);
    expect(built).toBe(2);
  });
});

describe('recover', () => {
  it.each([
    ['a string', 'no'],
    ['null', null],
    ['undefined', undefined],
    ['an object', { code: 1 }],
  ])('makes an Error of %s', async (_, thrown) => {
    const fail = (): never => {
      throw thrown as unknown as Error;
    };
    expect(() => recover(fail)(contextOf())).toThrow(
      expect.objectContaining({ code: 'DISCO_HANDLER_PANIC', cause: thrown }),
    );
    await expect(recover(() => Promise.reject(thrown))(contextOf())).rejects.toThrow(
      expect.objectContaining({ cause: thrown }),
    );
  });

  it('leaves Errors and results as they are', async () => {
    const error = new Error('mine');
    expect(() =>
      recover(() => {
        throw error;
      })(contextOf()),
    ).toThrow(error);
    expect(recover(() => 7)(contextOf())).toBe(7);
    await expect(recover(() => Promise.resolve(8))(contextOf())).resolves.toBe(8);
  });

  it('tells mistakes from failures', () => {
    expect([new TypeError('x'), new RangeError('x'), new Error('x'), 'x'].map(isPanic)).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });
});

describe('retry', () => {
  const backoff = resolveBackoff({ type: 'fixed', delay: 1 });
  const failing = (times: number, error: Error = new Error('no')): Handler & { calls: number } => {
    const handler = Object.assign(
      () => {
        if (++handler.calls <= times) throw error;
        return 'done';
      },
      { calls: 0 },
    );
    return handler;
  };

  it('repeats until it succeeds or the attempts are used up', async () => {
    const twice = failing(2);
    await expect(retry({ attempts: 3, backoff })(twice)(contextOf())).resolves.toBe('done');
    expect(twice.calls).toBe(3);
    const always = failing(9);
    await expect(retry({ attempts: 3, backoff })(always)(contextOf())).rejects.toThrow('no');
    expect(always.calls).toBe(3);
  });

  it('does not repeat what is unrecoverable', async () => {
    const hopeless = failing(9, new UnrecoverableError('hopeless'));
    await expect(retry({ attempts: 3, backoff })(hopeless)(contextOf())).rejects.toThrow('hopeless');
    expect(hopeless.calls).toBe(1);
  });

  it('refuses a delay above the longest wait', () => {
    const policy = { attempts: 2, backoff: { ...backoff, delayMs: 60_000, maxMs: 30_000 } };
    expect(() => retry(policy)).toThrow('retry.backoff.delayMs is longer than retry.backoff.maxMs');
  });
});

describe('deduplicate', () => {
  it('skips an id that was handled, forgets one that failed, and is bounded', async () => {
    const handled: string[] = [];
    let fail = true;
    const handler = deduplicate({ size: 2 })(async (context) => {
      if (context.id === 'flaky' && fail) throw new Error('no');
      handled.push(context.id);
    });
    await handler(contextOf('a'));
    await handler(contextOf('a'));
    await expect(handler(contextOf('flaky'))).rejects.toThrow('no');
    fail = false;
    await handler(contextOf('flaky'));
    expect(handled).toEqual(['a', 'flaky']);
    await handler(contextOf('b'));
    await handler(contextOf('a'));
    expect(handled).toEqual(['a', 'flaky', 'b', 'a']);
  });

  it('refuses a size that is none', () => {
    expect(() => deduplicate({ size: 0 })).toThrow(expect.objectContaining({ code: 'DISCO_CONFIGURATION' }));
  });
});
