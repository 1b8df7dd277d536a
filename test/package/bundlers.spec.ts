import { join } from 'node:path';
import { RedisServer } from '../support/redis-server.js';
import { ConsumerApp } from './consumer-app.js';
import { mustRun, runCommand } from './run-command.js';
import { root, StagedPackage } from './staged-package.js';

const dependencies = {
  '@nestjs/common': '^12',
  '@nestjs/core': '^12',
  '@nestjs/microservices': '^12',
  ioredis: '^6',
  'reflect-metadata': '^0.2.0',
  rxjs: '^7.8.0',
};

let app: ConsumerApp;
let redis: RedisServer;

beforeAll(async () => {
  redis = await RedisServer.start();
  const staged = await StagedPackage.make();
  try {
    // npm would install the optional packages that others of them ask for.
    app = await ConsumerApp.install(staged.tarball, {
      type: 'module',
      dependencies,
      installWith: ['--legacy-peer-deps'],
    });
  } finally {
    await staged.remove();
  }
  await app.compile();
}, 240_000);

afterAll(async () => {
  await app?.remove();
  await redis?.stop();
});

const output = [
  ...Array(3).fill('published orders'),
  ...[1, 2, 3].map((number) => `handled order ${number} from shop`),
  'closed',
].sort();

describe.each(['esbuild', 'webpack', 'rspack'])(
  'an application without the optional packages, bundled by %s',
  (bundler) => {
    it.each([
      ['esm', 'app.mjs'],
      ['cjs', 'app.cjs'],
    ])(
      'as %s runs from a folder without packages',
      async (format, file) => {
        const cwd = app.directory;
        const made = await mustRun(
          process.execPath,
          [join(root, 'test/package/bundle.mjs'), bundler, format],
          { cwd },
        );
        const ours = made.output.split('\n').filter((line) => line.includes('disco-bus'));
        // What is left out is said by the bundler, if by anybody.
        expect(ours.filter((line) => !line.includes("'@willsoto/nestjs-prometheus'"))).toEqual([]);
        for (const url of ['memory:', redis.url]) {
          // Nothing is found from there but what is in the bundle.
          const alone = join(await app.alone('bundled'), file);
          const env = { ...process.env, DISCO_BUS_URL: url, NODE_ENV: 'production' };
          const ran = await runCommand(process.execPath, [alone], { cwd: '/', env, timeoutMs: 30_000 });
          expect({ ...ran, printed: ran.stdout.trim().split('\n').sort() }).toEqual({
            exitCode: 0,
            printed: output,
            stdout: expect.any(String),
            output: expect.stringContaining('closed'),
          });
        }
      },
      120_000,
    );
  },
);
