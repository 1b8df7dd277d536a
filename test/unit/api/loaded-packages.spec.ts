import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { sourceFlags } from '../../support/source-process.js';
import { root } from '../docs/markdown.js';

/** The npm packages that a new process has loaded once it has imported `entry`. */
async function loadedBy(entry: string): Promise<string[]> {
  const program = [...sourceFlags, join(__dirname, 'loaded-packages.mjs'), entry];
  const { stdout } = await promisify(execFile)(process.execPath, program, { cwd: root });
  return JSON.parse(stdout) as string[];
}

describe('importing', () => {
  it('nestjs-disco-bus loads Nest, and neither a driver, a metrics sink nor a tracer', async () => {
    const loaded = await loadedBy('nestjs-disco-bus');
    expect(loaded).toEqual(expect.arrayContaining(['@nestjs/common', '@nestjs/core']));
    for (const optional of ['ioredis', 'prom-client', '@willsoto/nestjs-prometheus', '@nestjs/terminus']) {
      expect(loaded).not.toContain(optional);
    }
    expect(loaded.filter((name) => name.startsWith('@opentelemetry/'))).toEqual([]);
  });

  it('nestjs-disco-bus/driver or /memory loads no framework', async () => {
    for (const entry of ['nestjs-disco-bus/driver', 'nestjs-disco-bus/memory']) {
      expect(await loadedBy(entry)).toEqual(['fastest-levenshtein']);
    }
  });

  it('nestjs-disco-bus/asyncapi loads no framework, no driver and no schema library', async () => {
    expect(await loadedBy('nestjs-disco-bus/asyncapi')).toEqual(['fastest-levenshtein']);
  });

  it('nestjs-disco-bus/opentelemetry loads its API, and no framework and no SDK', async () => {
    expect((await loadedBy('nestjs-disco-bus/opentelemetry')).sort()).toEqual([
      '@opentelemetry/api',
      'fastest-levenshtein',
    ]);
  });

  it('nestjs-disco-bus/redis loads ioredis, and /prometheus what it reports to', async () => {
    expect(await loadedBy('nestjs-disco-bus/redis')).toContain('ioredis');
    const sink = await loadedBy('nestjs-disco-bus/prometheus');
    expect(sink).toEqual(expect.arrayContaining(['prom-client', '@willsoto/nestjs-prometheus']));
  });
});
