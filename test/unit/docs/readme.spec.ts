import { codeBlocksOf, readDocument } from './markdown.js';

describe('the README', () => {
  it('is read in a minute: 180 lines at most', () => {
    expect(readDocument('README.md').trimEnd().split('\n').length).toBeLessThanOrEqual(180);
  });

  it('begins with an example that loses no order, and runs', () => {
    const [example] = codeBlocksOf('README.md').filter(({ marks }) => marks.includes('run'));
    expect(example.code).toContain("delivery: 'at-least-once'");
    expect(example.code).toMatch(/retry: \{/);
  });
});
