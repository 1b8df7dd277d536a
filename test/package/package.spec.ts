import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { RedisServer } from '../support/redis-server.js';
import { codeBlocksOf, linksOf, userPages } from '../unit/docs/markdown.js';
import { ConsumerApp, type ConsumerManifest } from './consumer-app.js';
import { type CommandResult, mustRun, runCommand } from './run-command.js';
import { root, StagedPackage } from './staged-package.js';

const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  exports: Record<string, unknown>;
};
const entries = Object.keys(manifest.exports)
  .filter((entry) => entry !== './package.json')
  .map((entry) => join('nestjs-disco-bus', entry));
const bin = (name: string) => join(root, 'node_modules/.bin', name);
const peerTrouble = /ERESOLVE|peer dep|conflicting|unmet peer|incorrect peer/i;

const everything = {
  '@opentelemetry/api': '^1.9.0',
  '@willsoto/nestjs-prometheus': '^6.1.0',
  'prom-client': '^15.0.0',
  'reflect-metadata': '^0.2.0',
  rxjs: '^7.8.0',
};
const consumers: Record<'esm' | 'commonjs' | 'bare' | 'bundled', ConsumerManifest> = {
  esm: {
    type: 'module',
    dependencies: {
      '@nestjs/common': '^12',
      '@nestjs/core': '^12',
      '@nestjs/terminus': '^12',
      ioredis: '^6',
      ...everything,
    },
  },
  commonjs: {
    type: 'commonjs',
    dependencies: {
      '@nestjs/common': '^11',
      '@nestjs/core': '^11',
      '@nestjs/terminus': '^11',
      ioredis: '^5',
      ...everything,
    },
  },
  bare: {
    type: 'module',
    dependencies: {
      '@nestjs/common': '^12',
      '@nestjs/core': '^12',
      '@nestjs/microservices': '^12',
      'reflect-metadata': '^0.2.0',
      rxjs: '^7.8.0',
    },
    installWith: ['--legacy-peer-deps'],
  },
  bundled: {
    type: 'module',
    dependencies: {
      '@nestjs/common': '^12',
      '@nestjs/core': '^12',
      '@nestjs/microservices': '^12',
      ioredis: '^6',
      'reflect-metadata': '^0.2.0',
      rxjs: '^7.8.0',
    },
    installWith: ['--legacy-peer-deps'],
  },
};

/** An application that is installed, and what its compiler said. */
interface Prepared {
  readonly app: ConsumerApp;
  readonly compiled: CommandResult;
}

let staged: StagedPackage;
/** They are made one after the other, while the tarball is looked at: side by side they would take the cores from other specs. */
const preparing = new Map<string, Promise<Prepared>>();

beforeAll(async () => {
  staged = await StagedPackage.make();
  let before: Promise<unknown> = Promise.resolve();
  for (const [name, consumer] of Object.entries(consumers)) {
    const prepared = before.then(() => prepare(consumer, name === 'bundled' ? ['--noCheck'] : []));
    before = prepared.catch(() => {}); // told by the tests that need it
    preparing.set(name, prepared);
  }
}, 120_000);

afterAll(async () => {
  for (const prepared of preparing.values()) await (await prepared.catch(() => undefined))?.app.remove();
  await staged?.remove();
}, 300_000);

async function prepare(consumer: ConsumerManifest, compilerArgs: readonly string[]): Promise<Prepared> {
  const app = await ConsumerApp.install(staged.tarball, consumer);
  try {
    return { app, compiled: await app.compile(...compilerArgs) };
  } catch (error) {
    await app.remove();
    throw error;
  }
}

describe('the tarball', () => {
  it('holds the build and its documents, and nothing else', () => {
    const documents =
      /^((CHANGELOG|CONTRIBUTING|README|bench\/README)\.md|LICENSE|package\.json|bench\/results\/\w+\.svg)$/;
    const outside = staged.files.filter((path) => !/^(dist|docs)\//.test(path));
    expect(outside.filter((path) => !documents.test(path))).toEqual([]);
    expect(staged.files.filter((path) => path.startsWith('docs/api/'))).toEqual([]);
    const built = staged.files.filter((path) => path.startsWith('dist/'));
    expect(built.length).toBeGreaterThan(100);
    expect(built.filter((path) => !/\.(js|js\.map|d\.ts)$/.test(path))).toEqual([]);
    expect(built.filter((path) => /(^|[./])(spec|test|sample|bench)[./]/.test(path))).toEqual([]);
  });

  it('holds what the README and the map of the documents link to', () => {
    const linked = [...linksOf('README.md'), ...linksOf('docs/README.md')].map(({ file }) => file);
    expect(linked.length).toBeGreaterThan(40);
    expect(linked.filter((file) => !staged.files.includes(file))).toEqual([]);
  });

  it('passes publint, strictly', async () => {
    const { exitCode, output } = await runCommand(bin('publint'), ['--strict', staged.tarball], {
      cwd: root,
    });
    expect({ exitCode, output }).toEqual({ exitCode: 0, output: expect.stringContaining('All good!') });
  });

  it('has types for every way of resolving (attw)', async () => {
    const args = [staged.tarball, '--ignore-rules', 'cjs-resolves-to-esm', '--no-color', '--no-emoji'];
    const { exitCode, output } = await runCommand(bin('attw'), args, { cwd: root, timeoutMs: 120_000 });
    expect({ exitCode, output }).toEqual({ exitCode: 0, output: expect.stringContaining('node10') });
  }, 120_000);
});

describe('the entries by their own names', () => {
  const listed = JSON.stringify(entries);

  it('can be imported and required, and are one and the same', async () => {
    const script = `
      const { createRequire } = await import('node:module');
      const require = createRequire(process.cwd() + '/x.js');
      for (const entry of ${listed}) {
        const imported = await import(entry);
        const required = require(entry);
        const names = Object.keys(imported);
        console.log(entry, names.length > 0 && names.every((name) => imported[name] === required[name]));
      }`;
    const esm = ['--input-type=module', '--eval', script];
    const { stdout } = await mustRun(process.execPath, esm, { cwd: staged.directory });
    expect(stdout.trim().split('\n')).toEqual(entries.map((entry) => `${entry} true`));
  });

  it('can be required by CommonJS', async () => {
    const script = `for (const entry of ${listed}) console.log(entry, typeof require(entry));`;
    const cjs = ['--input-type=commonjs', '--eval', script];
    const { stdout } = await mustRun(process.execPath, cjs, { cwd: staged.directory });
    expect(stdout.trim().split('\n')).toEqual(entries.map((entry) => `${entry} object`));
  });
});

describe('the examples of the documents', () => {
  const examples = userPages.flatMap(codeBlocksOf).filter(({ marks }) => marks.includes('run'));

  it.each(examples.map((example) => [`${example.page}:${example.line}`, example] as const))(
    '%s runs as it stands on the built package, and prints what it says',
    async (_place, { code }) => {
      const { outputText } = ts.transpileModule(code, {
        compilerOptions: {
          target: ts.ScriptTarget.ES2022,
          module: ts.ModuleKind.ESNext,
          experimentalDecorators: true,
          emitDecoratorMetadata: true,
        },
      });
      writeFileSync(join(staged.directory, 'example.mjs'), outputText);
      const { stdout } = await mustRun(process.execPath, ['example.mjs'], { cwd: staged.directory });
      const promised = [...code.matchAll(/\/\/ prints: (.+)$/gm)].map(([, line]) => line);
      expect(promised).not.toEqual([]);
      expect(stdout.split('\n')).toEqual(expect.arrayContaining(promised));
    },
  );
});

describe('the bench, on the built package', () => {
  const bench = (...args: string[]) =>
    runCommand(process.execPath, ['tools/bench.mjs', ...args], {
      cwd: root,
      timeoutMs: 120_000,
      env: { ...process.env, BENCH_LIBRARY: staged.directory },
    });

  it('measures, and prints a line for each row', async () => {
    const { exitCode, stdout, output } = await bench('start', '--quick', '--json');
    expect({ exitCode, output }).toMatchObject({ exitCode: 0 });
    const rows = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(rows.map(({ target }) => target !== null)).toEqual([false, true, false]);
    const keys = ['suite', 'case', 'ours', 'peer', 'peerName', 'ratio', 'target', 'met', 'cpuRatio'];
    for (const row of rows) {
      expect(Object.keys(row)).toEqual(keys);
      expect(row.suite).toBe('start');
      expect(typeof row.met).toBe(row.target === null ? 'object' : 'boolean');
      for (const figure of [row.ours, row.peer, row.ratio]) expect(figure).toBeGreaterThan(0);
    }
  }, 150_000);

  it.each([
    [['nonsense'], 'There is no suite "nonsense"'],
    [['all', '--quick', '--compare'], 'A quick run is too noisy to be compared'],
    [['pubsub', '--svg'], '--svg and --baseline measure nothing'],
  ])('refuses %j', async (args, reason) => {
    const { exitCode, output } = await bench(...args);
    expect({ exitCode, output }).toEqual({ exitCode: 1, output: expect.stringContaining(reason) });
  });
});

describe.each([
  ['an ESM application on Nest 12 with ioredis 6', 'esm'],
  ['a CommonJS application on Nest 11 with ioredis 5', 'commonjs'],
])('installed into %s', (_title, name) => {
  let consumer: Prepared;

  beforeAll(async () => {
    consumer = await preparing.get(name)!;
  }, 240_000);

  it('brings no conflict of peers', async () => {
    expect(consumer.app.installOutput).not.toMatch(peerTrouble);
    expect(await consumer.app.dependencyTree()).toMatchObject({ exitCode: 0 });
  });

  it('has types that hold, those of its dependencies included', () => {
    expect(consumer.compiled).toMatchObject({ exitCode: 0, output: '' });
  });

  it('handles what is published: embedded, and on Redis', async () => {
    await expectHandled(consumer.app, 'memory:');
    const redis = await RedisServer.start();
    try {
      await expectHandled(consumer.app, redis.url);
    } finally {
      await redis.stop();
    }
  }, 90_000);
});

describe('installed without ioredis, prom-client, @willsoto/nestjs-prometheus and @opentelemetry/api', () => {
  let consumer: Prepared;

  beforeAll(async () => {
    consumer = await preparing.get('bare')!;
  }, 240_000);

  it('is really without them', async () => {
    for (const name of ['ioredis', 'prom-client', '@willsoto/nestjs-prometheus', '@opentelemetry/api']) {
      const args = ['--input-type=module', '--eval', `await import(${JSON.stringify(name)})`];
      const { exitCode, output } = await runCommand(process.execPath, args, { cwd: consumer.app.directory });
      expect(exitCode).not.toBe(0);
      expect(output).toContain('ERR_MODULE_NOT_FOUND');
    }
  });

  it('has types that need none of them', () => {
    expect(consumer.compiled).toMatchObject({ exitCode: 0, output: '' });
  });

  it('works embedded, and names ioredis when asked for Redis', async () => {
    await expectHandled(consumer.app, 'memory:');
    const onRedis = await consumer.app.run('redis://127.0.0.1:1');
    expect(onRedis).toMatchObject({
      exitCode: 1,
      output: expect.stringMatching(/DISCO_CONFIGURATION: .*npm install ioredis/),
    });
  }, 90_000);
});

describe.each(['esbuild', 'webpack', 'rspack'])('without the optional packages, bundled by %s', (bundler) => {
  // Webpack takes five times as long as the others: its second format is for the full run.
  const formats = bundler === 'webpack' && process.env.FULL !== '1' ? ['esm'] : ['esm', 'cjs'];

  it.each(formats)(
    'as %s runs from a folder without packages, embedded and on Redis',
    async (format) => {
      const { app } = await preparing.get('bundled')!;
      const bundle = [join(root, 'test/package/bundle.mjs'), bundler, format];
      const made = await mustRun(process.execPath, bundle, { cwd: app.directory });
      // What is left out is said by the bundler, if by anybody.
      const ours = made.output.split('\n').filter((line) => line.includes('disco-bus'));
      expect(ours.filter((line) => !line.includes("'@willsoto/nestjs-prometheus'"))).toEqual([]);
      const alone = join(await app.alone('bundled'), format === 'esm' ? 'app.mjs' : 'app.cjs');
      await expectHandled(app, 'memory:', alone);
      const redis = await RedisServer.start();
      try {
        await expectHandled(app, redis.url, alone);
      } finally {
        await redis.stop();
      }
    },
    240_000,
  );
});

const everyOrder = [
  ...Array(3).fill('published orders'),
  ...[1, 2, 3].map((number) => `handled order ${number} from shop`),
  'closed',
].sort();

async function expectHandled(app: ConsumerApp, url: string, program?: string): Promise<void> {
  const { exitCode, stdout, output } = await app.run(url, program);
  const printed = stdout.trim().split('\n').sort();
  expect({ exitCode, printed, output }).toEqual({
    exitCode: 0,
    printed: everyOrder,
    output: expect.anything(),
  });
}
