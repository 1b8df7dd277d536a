import fc from 'fast-check';
import { Agenda } from '../../../lib/drivers/memory/agenda.js';
import { DeduplicationIds } from '../../../lib/drivers/memory/deduplication-ids.js';
import { Queue } from '../../../lib/drivers/memory/queue.js';
import { Turn } from '../../../lib/drivers/memory/turn.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';

describe('Agenda', () => {
  it('does everything in order of time, then of adding, except what was cancelled; on at most one timer', async () => {
    const appointments = fc.array(fc.record({ delayMs: fc.nat(20), cancelled: fc.boolean() }), {
      maxLength: 40,
    });
    await fc.assert(
      fc.asyncProperty(appointments, async (given) => {
        const clock = new ManualClock();
        const agenda = new Agenda(clock);
        agenda.open();
        const ran: number[] = [];
        const made = given.map(({ delayMs }, index) => agenda.in(delayMs, () => ran.push(index)));
        made.forEach((appointment, index) => {
          if (given[index].cancelled) appointment.cancel();
        });
        expect(clock.pending).toBe(given.some(({ cancelled }) => !cancelled) ? 1 : 0);
        await clock.advance(20);
        const kept = given.map((_, index) => index).filter((index) => !given[index].cancelled);
        expect(ran).toEqual(kept.sort((a, b) => given[a].delayMs - given[b].delayMs || a - b));
        expect(clock.pending).toBe(0);
      }),
      { numRuns: 100 },
    );
  });

  it('runs no timer while it is closed, and catches up when it is opened', async () => {
    const clock = new ManualClock();
    const agenda = new Agenda(clock);
    const ran: string[] = [];
    agenda.in(10, () => ran.push('before opening'));
    expect(clock.pending).toBe(0);
    agenda.open();
    agenda.close();
    await clock.advance(50);
    agenda.in(5, () => ran.push('while closed'));
    expect([clock.pending, ran]).toEqual([0, []]);
    agenda.open();
    await clock.advance(0);
    expect(ran).toEqual(['before opening']);
    await clock.advance(5);
    expect(ran).toEqual(['before opening', 'while closed']);
  });

  it('waits longer than a timer can', async () => {
    const clock = new ManualClock();
    const longest = jest.spyOn(clock, 'setTimeout');
    const agenda = new Agenda(clock);
    agenda.open();
    const ran: string[] = [];
    agenda.in(2 ** 32, () => ran.push('at last'));
    await clock.advance(2 ** 32 - 1);
    expect(ran).toEqual([]);
    await clock.advance(1);
    expect(ran).toEqual(['at last']);
    expect(Math.max(...longest.mock.calls.map(([, delayMs]) => delayMs))).toBe(2 ** 31 - 1);
  });
});

it('Queue: first in, first out, for any mixture of pushes and shifts', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -2_500, max: 3_000 }), { maxLength: 30 }), (steps) => {
      const queue = new Queue<number>();
      const taken: (number | undefined)[] = [];
      let pushed = 0;
      for (const step of steps) {
        for (let count = step; count > 0; count--) queue.push(pushed++);
        for (let count = Math.min(-step, queue.size); count > 0; count--) taken.push(queue.shift());
      }
      expect(queue.size).toBe(pushed - taken.length);
      while (queue.size > 0) taken.push(queue.shift());
      expect(taken).toEqual(Array.from({ length: pushed }, (_, index) => index));
      expect(queue.shift()).toBeUndefined();
    }),
    { numRuns: 30 },
  );
});

it('DeduplicationIds: knows the newest ids of all topics for a window, and tells once in it what it forgot early', () => {
  const steps = fc.array(fc.record({ id: fc.nat(9), topic: fc.nat(1), waitMs: fc.nat(60) }), {
    maxLength: 100,
  });
  fc.assert(
    fc.property(steps, fc.integer({ min: 1, max: 6 }), (given, maxIds) => {
      const ids = new DeduplicationIds(100, maxIds);
      const topics = [ids.topic(), ids.topic()];
      let model: { name: string; position: string; atMs: number }[] = [];
      let [nowMs, toldMs] = [0, Number.NEGATIVE_INFINITY];
      for (const [index, { id, topic, waitMs }] of given.entries()) {
        nowMs += waitMs;
        model = model.filter(({ atMs }) => nowMs - atMs < 100);
        const name = `${topic} ${id}`;
        const seen = model.find((each) => each.name === name)?.position;
        expect(topics[topic].find(`${id}`, nowMs)).toBe(seen);
        if (seen !== undefined) continue;
        const tells = model.length === maxIds && nowMs - toldMs >= 100;
        expect(topics[topic].add(`${id}`, `${index}`, nowMs)).toBe(tells);
        if (tells) toldMs = nowMs;
        model = [...model, { name, position: `${index}`, atMs: nowMs }].slice(-maxIds);
        expect(ids.size).toBe(model.length);
      }
    }),
  );
});

it('Turn: a task that adds itself again for ever lets the event loop go on', async () => {
  const turn = new Turn();
  let runs = 0;
  let ended = false;
  const task = {
    run: () => {
      runs++;
      if (!ended) turn.add(task);
    },
  };
  turn.add(task);
  expect(runs).toBe(0);
  await new Promise(setImmediate);
  await new Promise(setImmediate);
  ended = true;
  expect(runs).toBeGreaterThan(200);
});
