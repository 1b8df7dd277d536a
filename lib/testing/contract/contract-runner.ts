/** What a contract suite needs of a test runner: jest, vitest, mocha and node:test all have it. */
export interface ContractRunner {
  describe(name: string, body: () => void): unknown;
  readonly it: ContractIt;
}

/** Registers one test. Runners that know no third argument ignore it. */
export interface ContractIt {
  (name: string, body: () => Promise<void>, timeoutMs?: number): unknown;
  skip(name: string, body: () => Promise<void>): unknown;
}

/** One test of a contract, ready to run. */
export interface ContractTest {
  /** Starts with the id of its case. */
  readonly title: string;
  /** What the subject lacks for it; such a test is skipped. */
  readonly lacks?: string;
  readonly timeoutMs?: number;
  run(): Promise<void>;
}

/** The `describe` and `it` of the runner that has put them into the global scope; throws where there are none. */
export function globalRunner(): ContractRunner {
  const { describe, it } = globalThis as unknown as Partial<ContractRunner>;
  if (describe && it) return { describe, it };
  throw new Error(
    'There is no global describe and it; hand those of your test runner in as { describe, it }',
  );
}

/** Registers `tests` as one group. A skipped one says in its title what is lacking. */
export function registerTests(runner: ContractRunner, group: string, tests: readonly ContractTest[]): void {
  runner.describe(group, () => {
    for (const { title, lacks, timeoutMs, run } of tests) {
      if (lacks === undefined) runner.it(title, run, timeoutMs);
      else runner.it.skip(`${title} (skipped: ${lacks})`, run);
    }
  });
}
