import type { Redis } from 'ioredis';
import { UnrecoverableError } from '../../lib/errors/handler.errors.js';
import { until } from '../support/waiting.js';
import { cliStage } from './support.js';

/** Some pages of dead letters, of some megabytes: so that paging takes longer than the server needs to be stopped. */
const LETTERS = 400;
const LETTER_BYTES = 50_000;
const TIMEOUT_MS = 1_500;
/** What starting a process, and closing, may take beside the time limit. */
const SPARE_MS = 6_000;

describe('disco-bus while the server stays away', () => {
  const stage = cliStage();
  const { cli, services } = stage;
  let monitor: Redis | undefined;

  beforeEach(async () => {
    const bus = await services.start('shop', { bundling: false });
    await bus.subscribe('orders', () => {
      throw new UnrecoverableError('no price');
    });
    const text = 'x'.repeat(LETTER_BYTES);
    await bus.publishBatch(
      'orders',
      Array.from({ length: LETTERS }, (_, n) => ({ n, text })),
    );
    await until('all are given up', async () => (await bus.deadLetters('orders').count()) === LETTERS);
    await services.stop();
  });
  afterEach(() => monitor?.disconnect());

  /** Calls `stop` when the first page of the dead letters is read; resolves with how many pages were read. */
  async function atFirstPage(stop: () => void): Promise<() => number> {
    let pages = 0;
    monitor = await stage.admin.monitor();
    monitor.on('error', () => undefined);
    monitor.on('monitor', (_at: string, [command, key]: string[]) => {
      if (!/^xrange$/i.test(command) || key !== 'disco:{orders}:dead:shop') return;
      if (++pages === 1) stop();
    });
    return () => pages;
  }

  it.each([
    ['is killed', () => void stage.server.kill(), () => stage.server.boot()],
    ['answers nothing any more', () => stage.server.freeze(), async () => stage.server.thaw()],
  ])(
    'dead list --reason ends with 5 within its time limit when the server %s while it pages',
    async (_, stop, restore) => {
      const pages = await atFirstPage(stop);
      const beganMs = performance.now();
      const list = ['dead', 'list', 'orders', 'shop', '--reason', 'crashes', '--limit', '1000'];
      const { exitCode, stdout, stderr } = await cli.run([...list, '--timeout', `${TIMEOUT_MS}ms`]);
      const tookMs = performance.now() - beganMs;
      await restore();
      expect({ exitCode, stdout }).toEqual({ exitCode: 5, stdout: '' });
      expect(stderr).toMatch(/^disco-bus: [^\n]+\n$/);
      expect(stderr).not.toMatch(/^\s+at /m);
      expect(pages()).toBeGreaterThanOrEqual(1);
      expect(pages()).toBeLessThan(LETTERS / 100);
      expect(tookMs).toBeLessThan(TIMEOUT_MS + SPARE_MS);
    },
  );
});
