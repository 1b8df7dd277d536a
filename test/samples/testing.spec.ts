import { runSample } from './run-sample.js';

describe('sample testing', () => {
  it('passes its tests, and tells the story of a planted fault', async () => {
    const { output, code } = await runSample('testing');
    expect(output).toMatch(/300 steps in \d+ minutes of virtual time/);
    expect(output).toContain('The invariant does not hold: more records are gone than were ordered');
    expect(output).toMatch(/1\. instance \d+ takes order 1/);
    expect(output).toMatch(/pass 5/);
    expect(output).toMatch(/fail 0/);
    expect(code).toBe(0);
  }, 90_000);
});
