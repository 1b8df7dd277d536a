import { type DeliveryGuarantee, type DriverCapabilities } from '../../driver/capabilities.js';
import { agreementCases } from './cases/agreement.cases.js';
import { bareCases } from './cases/bare.cases.js';
import { byteCases } from './cases/bytes.cases.js';
import { deadLetterCases } from './cases/dead-letter.cases.js';
import { givenUpCases } from './cases/given-up.cases.js';
import { inspectionCases } from './cases/inspection.cases.js';
import { lifecycleCases } from './cases/lifecycle.cases.js';
import { publishTimeCases } from './cases/publish-time.cases.js';
import { redeliveryCases } from './cases/redelivery.cases.js';
import { settlementCases } from './cases/settlement.cases.js';
import { steeringCases } from './cases/steering.cases.js';
import { storageCases } from './cases/storage.cases.js';
import { subscriptionCases } from './cases/subscription.cases.js';
import { watchTurnCases } from './cases/watch-turn.cases.js';
import { watermillCases } from './cases/watermill.cases.js';
import { watermillLifetimeCases } from './cases/watermill-lifetime.cases.js';
import { type ContractRunner, type ContractTest, globalRunner, registerTests } from './contract-runner.js';
import { type DriverCase, lacking } from './driver-case.js';
import { type DriverHarness } from './driver-harness.js';
import { DriverStage } from './driver-stage.js';

/** Everything a driver must do. */
export const driverCases: readonly DriverCase[] = [
  ...watermillCases,
  ...watermillLifetimeCases,
  ...byteCases,
  ...subscriptionCases,
  ...bareCases,
  ...lifecycleCases,
  ...publishTimeCases,
  ...storageCases,
  ...givenUpCases,
  ...settlementCases,
  ...redeliveryCases,
  ...agreementCases,
  ...inspectionCases,
  ...watchTurnCases,
  ...deadLetterCases,
  ...steeringCases,
];

/** What became of one case. */
export interface DriverCaseResult {
  readonly id: string;
  readonly name: string;
  readonly guarantee: DeliveryGuarantee;
  readonly outcome: 'passed' | 'failed' | 'skipped';
  /** Why it was skipped or has failed. */
  readonly reason?: string;
}

/**
 * Registers the driver contract with a test runner: a test for each case and each delivery guarantee the driver has. A
 * case that needs what the driver or the harness does not have is registered as skipped, with that in its title.
 *
 * ```ts
 * describeDriver('mine', { createDriver: () => new MyDriver() });
 * ```
 */
export function describeDriver(
  name: string,
  harness: DriverHarness,
  runner: ContractRunner = globalRunner(),
): void {
  runner.describe(`Driver contract: ${name}`, () => {
    for (const [guarantee, tests] of contractTests(harness)) registerTests(runner, guarantee, tests);
  });
}

/** Runs the driver contract without a test runner, one case after the other; `only` names the cases wanted. */
export async function checkDriver(
  harness: DriverHarness,
  only: (id: string) => boolean = () => true,
): Promise<DriverCaseResult[]> {
  const results: DriverCaseResult[] = [];
  for (const [guarantee, tests] of contractTests(harness)) {
    for (const { id, name, lacks, run } of tests.filter((test) => only(test.id))) {
      const failure = lacks ?? (await run().then(() => undefined, describeError));
      const outcome = lacks !== undefined ? 'skipped' : failure === undefined ? 'passed' : 'failed';
      results.push({ id, name, guarantee, outcome, reason: failure });
    }
  }
  return results;
}

interface DriverTest extends ContractTest {
  readonly id: string;
  readonly name: string;
}

function contractTests(harness: DriverHarness): Map<DeliveryGuarantee, DriverTest[]> {
  const capabilities = harness.capabilities ?? askDriver(harness);
  const offered = Object.keys(capabilities) as DeliveryGuarantee[];
  const tests = new Map<DeliveryGuarantee, DriverTest[]>();
  for (const guarantee of harness.guarantees ?? offered) {
    const can = capabilities[guarantee];
    if (!can) throw new Error(`The driver does not offer ${guarantee}`);
    tests.set(
      guarantee,
      driverCases.map(({ id, name, needs = [], run }) => ({
        id,
        name,
        title: `${id} ${name}`,
        lacks: lacking(needs, guarantee, can, harness),
        timeoutMs: 3 * (harness.deadlineMs ?? 10_000),
        run: () => play(run, new DriverStage(harness, guarantee, can)),
      })),
    );
  }
  return tests;
}

async function play(run: DriverCase['run'], stage: DriverStage): Promise<void> {
  try {
    await run(stage);
  } finally {
    await stage.clear();
  }
}

/** A driver that was never connected has nothing open, so it may be made while tests are registered. */
function askDriver(harness: DriverHarness): DriverCapabilities {
  const driver = harness.createDriver();
  if (driver instanceof Promise) throw new Error('Give the harness `capabilities`: createDriver takes time');
  driver.close().catch(() => undefined);
  return driver.capabilities;
}

function describeError(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
