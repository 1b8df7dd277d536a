import { readFileSync } from 'node:fs';
import { RedisServer } from '../support/redis-server.js';
import { Tree, type TreeTotals, writeGoFiles } from './go-tree.js';
import { RunningSample, runSample, type SampleResult } from './run-sample.js';

let tree: Tree;
let totals: TreeTotals;

beforeAll(() => {
  tree = new Tree();
  totals = writeGoFiles(tree, 5_000);
});

afterAll(() => tree.remove());

function expectTotals({ output, code }: SampleResult, out: string): void {
  const { files, packages, functions, lines } = totals;
  expect(output).toContain(
    `${files} files, ${packages} packages, ${functions} functions, ${lines} lines, 0 binary, 0 vendored, 0 problems`,
  );
  expect(output).toContain('5000 of 5000 files processed');
  const context = readFileSync(out, 'utf8');
  expect(context.match(/^### /gm)).toHaveLength(files);
  expect(context.match(/^- lines: \d+$/gm)).toHaveLength(files + 1);
  expect(context).toMatch(new RegExp(`^- functions: ${functions}$`, 'm'));
  expect(code).toBe(0);
}

describe('sample contexter, on a tree of 5,000 Go files', () => {
  it('runs embedded, in one process', async () => {
    const out = tree.path('embedded.md');
    const result = await runSample('contexter', {}, [tree.root, '--out', out]);
    expectTotals(result, out);
    expect(result.output).not.toMatch(/warn|error/i);
  }, 120_000);

  it('runs on Redis with 4 worker processes, of which one is killed midway', async () => {
    const server = await RedisServer.start();
    try {
      const out = tree.path('workers.md');
      const args = [tree.root, '--workers', '4', '--out', out];
      const sample = new RunningSample('contexter', { DISCO_BUS_URL: server.url }, args);
      const [, victim] = await sample.prints(/worker 2 is process (\d+)/);
      const [, done] = await sample.prints(/\b(\d+) of 5000 files processed/);
      process.kill(Number(victim), 'SIGKILL');
      const result = await sample.ended;
      expect(Number(done)).toBeLessThan(5_000);
      expect(result.output).toContain('worker 2 ended by SIGKILL; the others go on');
      expectTotals(result, out);
    } finally {
      await server.stop();
    }
  }, 120_000);

  it('needs a Redis for worker processes, and a directory that is there', async () => {
    const alone = await runSample('contexter', {}, [tree.root, '--workers', '4']);
    expect(alone.output).toContain('--workers needs DISCO_BUS_URL');
    expect(alone.code).toBe(1);
    const missing = await runSample('contexter', {}, [tree.path('missing')]);
    expect(missing.output).toContain('ENOENT');
    expect(missing.code).toBe(1);
  }, 120_000);
});
