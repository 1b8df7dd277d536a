import { describeSample } from './describe-sample.js';

function expectTheStory({ output, code }: { output: string; code: number | null }): void {
  expect(output).toMatch(/Dashboard at http:\/\/localhost:\d+\/disco\/, may change things/);
  expect(output).toContain('dishes: kitchen has messages that wait, no dead letter');
  expect(output).toMatch(/meals: kitchen has .* waits?, dead letters/);
  expect(code).toBe(0);
}

describeSample('dashboard', expectTheStory, { SECONDS: '2' });
