import { describeSample } from './describe-sample.js';
import type { SampleResult } from './run-sample.js';

function expectBothSides({ output, code }: SampleResult): void {
  const told = [
    'POST /orders answers 201',
    'order 1 placed: a mirror ball, a dance floor',
    'GET /orders/1/total answers 200: 20',
    'GET /orders/2/total answers 404: {"message":"there is no order 2"',
  ];
  for (const line of told) expect(output).toContain(line);
  expect(output).not.toMatch(/warn|ERROR/);
  expect(code).toBe(0);
}

describeSample('hybrid-app', expectBothSides);
