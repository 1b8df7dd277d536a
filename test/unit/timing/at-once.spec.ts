import { atOnce } from '../../../lib/timing/at-once.js';

describe('atOnce', () => {
  it('works on all, no more at a time than it may, and answers in their order', async () => {
    const ends: (() => void)[] = [];
    let started = 0;
    const done = atOnce([3, 1, 2], 2, async (n) => {
      started++;
      await new Promise<void>((resolve) => ends.push(resolve));
      return n * 10;
    });
    expect(started).toBe(2);
    ends[1]();
    await new Promise(setImmediate);
    expect(started).toBe(3);
    ends[2]();
    ends[0]();
    expect(await done).toEqual([30, 10, 20]);
    expect(await atOnce([], 2, async () => 1)).toEqual([]);
  });

  it('rejects as the first that fails', async () => {
    const failing = atOnce([1, 2], 1, async (n) => Promise.reject(new Error(`no ${n}`)));
    await expect(failing).rejects.toThrow('no 1');
  });
});
