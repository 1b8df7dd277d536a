import { appendFileSync } from 'node:fs';

/** FULL=1: the figures of the fault plan; otherwise a tenth or so. */
export const full = process.env.FULL === '1';

/** What a fault test tells of itself. */
export interface FaultReport {
  readonly id: string;
  readonly faults: number;
  readonly worstRecoveryMs?: number;
  readonly pass: boolean;
  readonly [figure: string]: unknown;
}

/** One line of JSON, to the file named by DISCO_FAULTS_REPORT or to the console. */
export function report(figures: FaultReport): void {
  const base = { id: figures.id, engine: 'redis', sent: 0, faults: 0, lost: 0, duplicated: 0, unknown: 0 };
  const line = JSON.stringify({ ...base, worstRecoveryMs: 0, ...figures });
  const file = process.env.DISCO_FAULTS_REPORT;
  if (file) appendFileSync(file, `${line}\n`);
  else console.info(line);
}
