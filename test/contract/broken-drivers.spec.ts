import { type DriverCapabilities } from '../../lib/driver/capabilities.js';
import { type DiscoDriver, type DriverReceipt } from '../../lib/driver/driver.js';
import { type DriverStatusListener, DriverStatusListeners } from '../../lib/driver/driver-status.js';
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
const MAX_CRASHES = 2;

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

/** Stands for a broker that counts of which messages processes died, and gives them up. */
class CrashCountingDriver extends DriverDecorator {
  private readonly listeners = new DriverStatusListeners();
  private readonly held = new Set<string>();

  constructor(
    inner: DiscoDriver,
    private readonly deaths: Map<string, number>,
  ) {
    super(inner);
  }

  /** The process dies of all that it was handed. */
  die(): void {
    for (const position of this.held) this.deaths.set(position, (this.deaths.get(position) ?? 0) + 1);
  }

  override subscribe(...given: Parameters<DiscoDriver['subscribe']>): ReturnType<DiscoDriver['subscribe']> {
    const [topic, options, onDelivery] = given;
    return this.inner.subscribe(topic, options, (delivery) => {
      const { position = '', topic: name } = delivery;
      this.held.add(position);
      if ((this.deaths.get(position) ?? 0) < MAX_CRASHES) return onDelivery(delivery);
      void delivery.deadLetter({ reason: 'crashes' }).then(() => {
        const { group = '' } = options;
        this.listeners.emit({ type: 'dead-letter', topic: name, group, reason: 'crashes', letters: 1 });
      });
    });
  }

  override onStatus(listener: DriverStatusListener): () => void {
    return this.listeners.addAround(this.inner, listener);
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
  const deaths = new Map<string, number>();
  const counting = new Map<DiscoDriver, CrashCountingDriver>();
  let restarting = false;
  let stall: Promise<void> | undefined;
  return {
    createDriver: () => {
      const counts = new CrashCountingDriver(memoryDriver({ broker }), deaths);
      const stalling = new StallingDriver(counts, clock, () => stall);
      const driver = new RestartingDriver(new BrokenDriver(stalling, defect), () => restarting);
      counting.set(driver, counts);
      return driver;
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
    release: true,
    steering: true,
    restartBroker: async () => {
      restarting = true;
      await clock.advance(100);
      defect.restart?.();
      restarting = false;
    },
    kill: (driver) => {
      counting.get(driver)?.die();
      return defect.kill?.() ?? driver.close();
    },
    maxCrashes: MAX_CRASHES,
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
