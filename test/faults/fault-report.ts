import { appendFileSync } from 'node:fs';

/** FULL=1: the full sizes; otherwise a tenth or so. */
export const full = process.env.FULL === '1';

/** What a fault test tells of itself. */
export interface FaultReport {
  readonly faults: number;
  readonly worstRecoveryMs?: number;
  readonly pass: boolean;
  readonly [figure: string]: unknown;
}

/** Prints one line of JSON under the title of the test, and appends it to the file named by DISCO_FAULTS_REPORT. */
export function report(figures: FaultReport): void {
  const { currentTestName } = expect.getState();
  const base = {
    case: currentTestName,
    engine: 'redis',
    sent: 0,
    faults: 0,
    lost: 0,
    duplicated: 0,
    unknown: 0,
  };
  const worstRecoveryMs = Math.round(figures.worstRecoveryMs ?? 0);
  const line = `${JSON.stringify({ ...base, ...figures, worstRecoveryMs })}\n`;
  process.stdout.write(line);
  const file = process.env.DISCO_FAULTS_REPORT;
  if (file) appendFileSync(file, line);
}
