import { MemoryBroker, memoryCapabilities, memoryDriver } from '../../lib/drivers/memory/index.js';
import {
  checkDriver,
  type DriverCaseResult,
  driverCases,
} from '../../lib/testing/contract/driver-contract.js';
import { type DriverHarness } from '../../lib/testing/contract/driver-harness.js';
import { ManualClock } from '../../lib/testing/manual-clock.js';
import { BrokenDriver, type Defect } from './broken-driver.js';
import { defects } from './defects.js';

function harness(makeDefect: (clock: ManualClock) => Defect): DriverHarness {
  const clock = new ManualClock();
  const broker = new MemoryBroker({ clock });
  const defect = makeDefect(clock);
  return {
    createDriver: () => new BrokenDriver(memoryDriver({ broker }), defect),
    capabilities: memoryCapabilities,
    visibilityMs: 30_000,
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

it('every case of the contract notices some defect, or cannot run on the memory driver', () => {
  const notRun = ['W15', 'restart', 'reconnect', 'dead-member', 'connect-retry'];
  const proven = new Set([...Object.values(defects).flatMap(({ noticedBy }) => noticedBy), ...notRun]);
  expect([...new Set(driverCases.map(({ id }) => id))].filter((id) => !proven.has(id))).toEqual([]);
});
