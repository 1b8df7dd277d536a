import { type ContractRunner, globalRunner, registerTests } from './contract/contract-runner.js';
import { type LockStoreCase } from './lock-store-case.js';
import { lockClaimCases } from './lock-store-claim-cases.js';
import { type LockStoreHarness } from './lock-store-harness.js';
import { lockLifeCases } from './lock-store-life-cases.js';
import { lockQueueCases } from './lock-store-queue-cases.js';
import { LockStoreStage } from './lock-store-stage.js';
import { lockStewardCases } from './lock-store-steward-cases.js';

/** Every case of the contract, in the order in which they are run. */
export const lockStoreCases: readonly LockStoreCase[] = [
  ...lockClaimCases,
  ...lockQueueCases,
  ...lockLifeCases,
  ...lockStewardCases,
];

/** Runs one case on stores of its own; rejects when the store breaks the contract. */
export async function runLockStoreCase(lockCase: LockStoreCase, harness: LockStoreHarness): Promise<void> {
  const stage = new LockStoreStage(harness);
  try {
    await lockCase.run(stage);
  } finally {
    await stage.clear();
  }
}

/**
 * Registers the contract of lock stores with the test runner. A store that passes can carry a LockManager.
 *
 * @example
 * describeLockStore('mine', { createStore: () => new MyLockStore() });
 */
export function describeLockStore(
  name: string,
  harness: LockStoreHarness,
  runner: ContractRunner = globalRunner(),
): void {
  const tests = lockStoreCases.map((lockCase) => {
    const lacking = lockCase.needs?.find((need) => harness[need] === undefined);
    return {
      title: `${lockCase.id} ${lockCase.name}`,
      ...(lacking && { lacks: `no ${lacking}` }),
      run: () => runLockStoreCase(lockCase, harness),
    };
  });
  registerTests(runner, `Lock store contract: ${name}`, tests);
}
