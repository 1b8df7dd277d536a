import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describeDriver } from '../../lib/testing/contract/driver-contract.js';
import { BroadcastDriver } from '../../sample/07-own-driver/broadcast.driver.js';
import { runSample } from './run-sample.js';

describeDriver('broadcast, the sample own-driver', { createDriver: () => new BroadcastDriver() });

describe('sample own-driver', () => {
  it('runs: threads reach each other, and the contract is kept', async () => {
    const { output, code } = await runSample('own-driver');
    expect(output).toMatch(/thread \d measured 19 °C/);
    expect(output).toMatch(/thread \d measured 21 °C/);
    const [, passed] = /(\d+) cases passed, 0 failed/.exec(output) ?? [];
    expect(Number(passed)).toBeGreaterThan(35);
    // The contract's own listener throws; Node says that once.
    const told = /^.*DISCO_GUEST.*thrown by the contract suite\n.*--trace-warnings.*\n/m;
    expect(output.replace(told, '')).not.toMatch(/warn|ERROR/);
    expect(code).toBe(0);
  }, 90_000);

  it('is a driver in under 80 lines', () => {
    const source = readFileSync(join(__dirname, '../../sample/07-own-driver/broadcast.driver.ts'), 'utf8');
    expect(source.trimEnd().split('\n').length).toBeLessThan(80);
  });
});
