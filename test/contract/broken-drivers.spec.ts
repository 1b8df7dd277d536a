import { type DriverCapabilities } from '../../lib/driver/capabilities.js';
import { type DiscoDriver, type DriverReceipt } from '../../lib/driver/driver.js';
import { MemoryBroker, memoryCapabilities, memoryDriver } from '../../lib/drivers/memory/index.js';
import { DriverError } from '../../lib/errors/driver.errors.js';
import { PublishOutcomeUnknownError } from '../../lib/errors/publish.errors.js';
import {
  checkDriver,
  type DriverCaseResult,
  driverCases,
} from '../../lib/testing/contract/driver-contract.js';
import { type DriverHarness } from '../../lib/testing/contract/driver-harness.js';
import { DriverDecorator } from '../../lib/testing/driver-decorator.js';
import { ManualClock } from '../../lib/testing/manual-clock.js';
import { BrokenDriver, type Defect } from './broken-driver.js';
import { defects } from './defects.js';

const MAX_DEAD_LETTERS = 5;

/** Stands for a broker that keeps its messages over a restart; meanwhile it takes nothing. */
class RestartingDriver extends DriverDecorator {
  constructor(
    inner: DiscoDriver,
    private readonly restarting: () => boolean,
  ) {
    super(inner);
  }

  override get capabilities() {
    const { capabilities } = this.inner;
    return capabilities === memoryCapabilities ? persistentCapabilities : capabilities;
  }

  override publish(...given: Parameters<DiscoDriver['publish']>): ReturnType<DiscoDriver['publish']> {
    return this.restarting()
      ? Promise.reject(new DriverError('The server restarts'))
      : this.inner.publish(...given);
  }
}

/** Stands for a broker that takes everything and answers nothing while `stall` is not over. */
class StallingDriver extends DriverDecorator {
  constructor(
    inner: DiscoDriver,
    private readonly clock: ManualClock,
    private readonly stall: () => Promise<void> | undefined,
  ) {
    super(inner);
  }

  override async publish(...given: Parameters<DiscoDriver['publish']>): Promise<DriverReceipt> {
    const [topic, , { timeoutMs, signal }] = given;
    const stall = this.stall();
    if (stall === undefined || signal?.aborted) return this.inner.publish(...given);
    const stored = stall.then(() => this.inner.publish(...given));
    return new Promise((resolve, reject) => {
      const unknown = (cause?: unknown) => reject(new PublishOutcomeUnknownError(topic, { cause }));
      const timer = this.clock.setTimeout(unknown, timeoutMs);
      signal?.addEventListener('abort', () => unknown(signal.reason));
      stored.then(resolve, reject).finally(() => this.clock.clearTimeout(timer));
    });
  }
}

const persistentCapabilities: DriverCapabilities = {
  ...memoryCapabilities,
  'at-least-once': { ...memoryCapabilities['at-least-once']!, persistent: true },
};

/** All that the memory driver and its surroundings can do, and restarts, crashes and absence played for it. */
function harness(makeDefect: (clock: ManualClock) => Defect): DriverHarness {
  const clock = new ManualClock();
  const broker = new MemoryBroker({ clock, maxDeadLetters: MAX_DEAD_LETTERS });
  const defect = makeDefect(clock);
  let restarting = false;
  let stall: Promise<void> | undefined;
  return {
    createDriver: () => {
      const stalling = new StallingDriver(memoryDriver({ broker }), clock, () => stall);
      return new RestartingDriver(new BrokenDriver(stalling, defect), () => restarting);
    },
    stallBroker: async () => {
      let goOn!: () => void;
      stall = new Promise((resolve) => {
        goOn = resolve;
      });
      return async () => {
        stall = undefined;
        goOn();
      };
    },
    capabilities: persistentCapabilities,
    topicAgreements: true,
    inspection: true,
    watchTurns: true,
    steering: true,
    restartBroker: async () => {
      restarting = true;
      await clock.advance(100);
      defect.restart?.();
      restarting = false;
    },
    kill: (driver) => defect.kill?.() ?? driver.close(),
    unreachable: async () => {
      let there = false;
      const heal = async () => {
        there = true;
      };
      const connecting: Defect = {
        connect: (inner, context) => {
          if (there) return inner.connect(context);
          return defect.attempt?.() ?? Promise.reject(new DriverError('The server is not there'));
        },
      };
      const driver = new BrokenDriver(memoryDriver({ broker }), connecting);
      return { driver, heal: defect.heal ?? heal };
    },
    visibilityMs: 30_000,
    maxDeadLetters: MAX_DEAD_LETTERS,
    clock,
    openHandles: () => clock.pending,
    deadlineMs: 1_500,
  };
}

const failedIds = (results: readonly DriverCaseResult[]) =>
  new Set(results.flatMap(({ id, outcome }) => (outcome === 'failed' ? [id] : [])));

describe('the driver contract notices a driver that', () => {
  for (const [name, { noticedBy, make }] of Object.entries(defects)) {
    it(name, async () => {
      const results = await checkDriver(harness(make), (id) => noticedBy.includes(id));
      expect([...failedIds(results)].sort()).toEqual([...noticedBy].sort());
    });
  }

  it('has no defect: it passes', async () => {
    const results = await checkDriver(harness(() => ({})));
    expect(results.filter(({ outcome }) => outcome === 'failed')).toEqual([]);
    expect(results.filter(({ outcome }) => outcome === 'passed').length).toBeGreaterThan(90);
  });
});

it('every case of the contract notices some defect', () => {
  const proven = new Set(Object.values(defects).flatMap(({ noticedBy }) => noticedBy));
  expect([...new Set(driverCases.map(({ id }) => id))].filter((id) => !proven.has(id))).toEqual([]);
});
