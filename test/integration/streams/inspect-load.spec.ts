import type { DiscoBus } from '../../../lib/bus/disco-bus.js';
import type { GroupInspection } from '../../../lib/driver/inspection.js';
import { cliStage } from '../../cli/support.js';
import { type ConsumerConfig, ConsumerProcess, Journal } from '../../faults/streams-processes.js';
import { until } from '../../support/waiting.js';
import { countByHand, type HandCount } from './hand-count.js';
import { FIRST_RUNS, HOUR_MS, putUnderLoad, SECOND_RUNS } from './load-state.js';

/** What can be counted by hand, as an inspection says it. */
const countsOf = ({ waiting, held, retries, deadLetters }: GroupInspection): HandCount => ({
  waiting,
  held,
  retries,
  deadLetters,
});

/** The same as a row of `lag --json` says it, and what else that row says of the group. */
const rowOf = ({ waiting, held, retries, deadLetters, running, exact, group }: GroupInspection) => ({
  topic: 'load',
  ...{ group, waiting, held, running, retries, exact },
  lag: waiting + held + retries,
  deadLetters: deadLetters.messages,
});

describe('bus.inspect and disco-bus lag under load, beside a count by hand', () => {
  const stage = cliStage();
  const journal = new Journal();
  const consumers: ConsumerProcess[] = [];
  afterEach(() => Promise.all(consumers.splice(0).map((each) => each.kill())));
  let bus: DiscoBus;

  async function consumer(changes: Partial<ConsumerConfig> = {}): Promise<ConsumerProcess> {
    const config = {
      topic: 'load',
      group: 'billing',
      claimAfterMs: 2_000,
      prefetch: 0,
      concurrency: FIRST_RUNS,
    };
    const times = { workMs: HOUR_MS, retryDelayMs: HOUR_MS };
    const started = ConsumerProcess.start(
      { url: stage.server.url, ...config, ...times, ...changes },
      journal,
    );
    consumers.push(started);
    await started.ready;
    return started;
  }

  async function inspected(group: string): Promise<GroupInspection> {
    const found = await bus.inspect.group('load', group);
    if (found === undefined) throw new Error(`there is no group ${group}`);
    return found;
  }

  /** What all three say of a group while nothing moves in it. */
  async function look(group: string) {
    for (let tries = 0; tries < 40; tries++) {
      const before = await countByHand(stage.admin, 'load', group);
      const found = await inspected(group);
      const [row] = await stage.cli.ask('lag', 'load', '--group', group);
      const [after, again] = [await countByHand(stage.admin, 'load', group), await inspected(group)];
      const moved = JSON.stringify([before, rowOf(found)]) !== JSON.stringify([after, rowOf(again)]);
      if (!moved) return { found, row, byHand: before };
    }
    throw new Error(`"${group}" does not come to rest`);
  }

  /** All three say the same, and vouch for it. */
  async function isExact(group: string): Promise<GroupInspection> {
    const { found, row, byHand } = await look(group);
    expect({ group, ...countsOf(found) }).toEqual({ group, ...byHand });
    expect(row).toMatchObject({ ...rowOf(found), exact: true });
    return found;
  }

  /** Both say the same, and vouch for none of it; what does not depend on the lost keys is right all the same. */
  async function isEstimate(group: string): Promise<GroupInspection> {
    const { found, row, byHand } = await look(group);
    expect(row).toMatchObject({ ...rowOf(found), exact: false });
    expect(found).toMatchObject({ held: byHand.held, retries: byHand.retries, handled: undefined });
    expect(found.deadLetters.entries).toBe(byHand.deadLetters.entries);
    return found;
  }

  it('agree: bundles, retries, dead letters, two groups and processes, a seek, a kill, a trim, an eviction', async () => {
    const { admin, services } = stage;
    await services.group('load', 'shipping');
    bus = await services.start('shop');

    const first = await consumer();
    let second = first;
    await putUnderLoad(bus, async () => {
      second = await consumer({ concurrency: SECOND_RUNS });
    });

    const billing = await isExact('billing');
    expect(billing.waiting + billing.held).toBe(10_000);
    expect(billing.retries).toBe(5);
    expect(billing.nextRetryAt).toBeGreaterThan(Date.now() + HOUR_MS / 2);
    expect(billing.deadLetters).toEqual({ entries: 3, messages: 3, byReason: { unrecoverable: 3 } });
    expect(billing.members.map(({ running }) => running).sort()).toEqual([17, 20]);
    for (const { pid, service, version, aliveUntil, runningSince, reportedAt } of billing.members) {
      expect({ service, pid }).toEqual({ service: 'billing', pid: expect.any(Number) });
      expect(version).toMatch(/^\d/);
      const times = [aliveUntil, runningSince, reportedAt];
      expect(times.every((at) => Math.abs(at! - Date.now()) < 60_000)).toBe(true);
    }
    expect(await isExact('shipping')).toMatchObject({ waiting: 10_008, held: 0, retries: 0 });
    const { messages, published, entries, bytes } = (await bus.inspect.topic('load', { bytes: true }))!;
    expect({ messages, published }).toEqual({ messages: 10_008, published: 10_008 });
    expect(entries).toBe(await admin.xlen('disco:{load}'));
    expect(bytes).toBeGreaterThan(100_000);

    // A group is moved: to an entry in the middle.
    const ids = (await admin.xrange('disco:{load}', '-', '+')).map(([id]) => id);
    const to = { to: 'position', position: ids[Math.floor(ids.length / 2)] } as const;
    const { skipped } = await bus.admin.seekGroup('load', 'shipping', to, { skip: true });
    expect(await isExact('shipping')).toMatchObject({ waiting: 10_008 - skipped, held: 0 });
    expect(skipped).toBeGreaterThan(1_000);

    // Whoever holds the oldest entry is killed: it holds its messages until they are taken back.
    const [[, holder]] = (await admin.xpending('disco:{load}', 'billing', '-', '+', 1)) as [string, string][];
    const ofFirst = billing.members.find(({ id }) => id === holder)?.running === 20;
    await (ofFirst ? first : second).kill('SIGKILL');
    await until('what it held is back', async () => (await inspected('billing')).members.length === 1);
    const left = await isExact('billing');
    expect(left.waiting + left.held).toBe(10_000);
    expect(left.running).toBeLessThanOrEqual(20);

    // A member that begins trims what all groups are done with.
    await consumer({ concurrency: ofFirst ? 20 : 17 });
    await until('it is trimmed', async () => (await admin.xlen('disco:{load}')) < ids.length);
    const trimmed = await isExact('billing');
    expect(trimmed.waiting + trimmed.held).toBe(10_000);
    await isExact('shipping');
    const back = await bus.admin.seekGroup('load', 'shipping', { to: 'beginning' });
    expect(back.repeated).toBeGreaterThan(0);
    expect((await isExact('shipping')).waiting).toBe(10_008 - skipped + back.repeated);
    await until('37 run again', async () => (await inspected('billing')).running === 37);

    // The server evicts what counts: the total of the topic, and all that is known of a group.
    expect(await admin.del('disco:{load}:counts', 'disco:{load}:state:billing')).toBe(2);
    await isEstimate('shipping');
    expect((await isEstimate('billing')).deadLetters).toEqual({ entries: 3, messages: 3, byReason: {} });
    expect((await bus.inspect.topic('load'))!.exact).toBe(false);

    // Totals go on behind the last entry there was: who has read up to it can be counted again.
    await bus.publish('load', { n: 50_000 });
    await isEstimate('shipping');
    await bus.admin.seekGroup('load', 'shipping', { to: 'end' }, { skip: true });
    expect(await isExact('shipping')).toMatchObject({ waiting: 0 });
    await bus.publishBatch('load', [{ n: 50_001 }, { n: 50_002 }, { n: 50_003 }]);
    expect(await isExact('shipping')).toMatchObject({ waiting: 3 });
    await isEstimate('billing');

    // All is handled: then only dead letters of before are not counted by reason, until they are gone.
    for (const each of consumers) each.signalWith('SIGTERM');
    await Promise.all(consumers.splice(0).map((each) => each.exited));
    await consumer({ workMs: 0, concurrency: 200 });
    await until('all is handled', async () => {
      const { waiting, held } = await countByHand(admin, 'load', 'billing');
      return waiting + held === 0;
    });
    await bus.publish('load', { n: 60_000, does: 'refuse' });
    await until('one more is given up', async () => (await inspected('billing')).deadLetters.entries === 4);
    const some = await isEstimate('billing');
    expect(some).toMatchObject({ waiting: 0, held: 0, deadLetters: { messages: 4 } });
    const letters = bus.deadLetters('load', 'billing');
    for (const { position } of (await letters.peek()).slice(0, 3)) await letters.remove(position);
    expect(await isExact('billing')).toMatchObject({
      ...{ waiting: 0, held: 0, running: 0, retries: 5 },
      deadLetters: { entries: 1, messages: 1, byReason: { unrecoverable: 1 } },
    });
  }, 120_000);
});
