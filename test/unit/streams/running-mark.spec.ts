import { RunningMark } from '../../../lib/drivers/redis/streams/consume/suspects.js';

/** A mark over entries that the test begins and ends by hand, and all that Redis was told. */
function setUp(unbegun = 1) {
  const running = new Set<string>();
  const told: string[] = [];
  let fails = false;
  const entries = { begun: () => [...running], hasUnbegun: unbegun > 0 };
  const mark = new RunningMark(entries, async (text) => {
    told.push(text);
    if (fails) throw new Error('no connection');
  });
  const begin = (name: string) => {
    mark.begins(name);
    running.add(name);
  };
  return { mark, running, told, begin, fail: (yes: boolean) => (fails = yes) };
}

describe('RunningMark', () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  it('tells nothing of a busy consumer, and what runs once nothing has begun for a while', async () => {
    const { told, begin } = setUp();
    for (let n = 0; n < 20; n++) {
      begin(`S${n}-0`);
      await jest.advanceTimersByTimeAsync(10);
    }
    expect(told).toEqual([]);
    await jest.advanceTimersByTimeAsync(100);
    expect(told).toEqual([Array.from({ length: 20 }, (_, n) => `S${n}-0`).join(',')]);
  });

  it('tells nothing where all that is held has begun', async () => {
    const { told, begin } = setUp(0);
    begin('S1-0');
    await jest.advanceTimersByTimeAsync(1_000);
    expect(told).toEqual([]);
  });

  it('tells of a further beginning before the handler starts', async () => {
    const { told, begin } = setUp();
    begin('S1-0');
    await jest.advanceTimersByTimeAsync(200);
    begin('S2-0');
    expect(told).toEqual(['S1-0', 'S1-0,S2-0']);
    begin('S3-0');
    expect(told.at(-1)).toBe('*');
    await jest.advanceTimersByTimeAsync(200);
    expect(told.at(-1)).toBe('S1-0,S2-0,S3-0');
  });

  it('names a suspect alone while it is tried, and what begins after that as well', async () => {
    const { mark, told, begin } = setUp();
    await mark.tries('R1-0');
    begin('R1-0');
    mark.endTrial();
    await jest.advanceTimersByTimeAsync(200);
    begin('S2-0');
    expect(told).toEqual(['R1-0', 'R1-0,S2-0']);
  });

  it('says that what runs is spared while a suspect is tried elsewhere', async () => {
    const { mark, told, begin } = setUp();
    begin('S1-0');
    await mark.spare(true);
    await mark.spare(true);
    await mark.spare(false);
    expect(told).toEqual(['-*', '*']);
  });

  it('lets a trial go on where Redis cannot be told', async () => {
    const { mark, told, fail } = setUp();
    fail(true);
    await mark.tries('R1-0');
    await mark.spare(true);
    expect(told).toEqual(['R1-0', '-']);
  });

  it('tells again what could not be told', async () => {
    const { told, begin, fail } = setUp();
    begin('S1-0');
    fail(true);
    await jest.advanceTimersByTimeAsync(200);
    fail(false);
    begin('S2-0');
    expect(told).toEqual(['S1-0', 'S1-0,S2-0']);
  });
});
