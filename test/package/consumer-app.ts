import { existsSync } from 'node:fs';
import { copyFile, cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type CommandResult, mustRun, runCommand } from './run-command.js';
import { root } from './staged-package.js';

/** What a consuming application is: its module system and what it asks npm for. */
export interface ConsumerManifest {
  readonly type: 'module' | 'commonjs';
  readonly dependencies: Readonly<Record<string, string>>;
  /** Further arguments of `npm install`. */
  readonly installWith?: readonly string[];
}

const compilerOptions = {
  target: 'ES2022',
  module: 'nodenext',
  types: ['node'],
  strict: true,
  skipLibCheck: false,
  experimentalDecorators: true,
  emitDecoratorMetadata: true,
  outDir: 'out',
};

/** What `npm` is told wherever a test installs something. */
export const install = [
  'install',
  '--prefer-offline',
  '--no-audit',
  '--no-fund',
  '--ignore-scripts',
  '--fetch-retries=1',
];

/** An application outside the repository that has the packed tarball installed from the npm registry's packages. */
export class ConsumerApp {
  private constructor(
    readonly directory: string,
    /** What `npm install` printed. */
    readonly installOutput: string,
  ) {}

  /** Writes and installs it. Throws, and says why, when the registry cannot be reached: nothing is skipped. */
  static async install(tarball: string, manifest: ConsumerManifest): Promise<ConsumerApp> {
    const directory = await mkdtemp(join(lonelyFolder(), 'disco-consumer-'));
    try {
      await writeSources(directory, tarball, manifest);
      const { output } = await mustRun('npm', [...install, ...(manifest.installWith ?? [])], {
        cwd: directory,
        timeoutMs: 120_000,
        failure:
          'The package test needs the npm registry (or a filled npm cache) and could not install from it',
      });
      return new ConsumerApp(directory, output);
    } catch (error) {
      await rm(directory, { recursive: true, force: true });
      throw error;
    }
  }

  /** Checks the application's types, the library's declarations included, unless told otherwise, and compiles it. */
  async compile(...args: string[]): Promise<CommandResult> {
    const tsc = join(root, 'node_modules/typescript/bin/tsc');
    return runCommand(process.execPath, [tsc, '-p', '.', ...args], {
      cwd: this.directory,
      timeoutMs: 120_000,
    });
  }

  /** Runs the compiled application, or another `program`, against `url`. */
  async run(url: string, program = join(this.directory, 'out/app.js')): Promise<CommandResult> {
    const env = { ...process.env, DISCO_BUS_URL: url, NODE_ENV: 'production' };
    return runCommand(process.execPath, [program], { cwd: dirname(program), timeoutMs: 30_000, env });
  }

  /** Whether all that was installed fits together, peers included. */
  async dependencyTree(): Promise<CommandResult> {
    return runCommand('npm', ['ls', '--all'], { cwd: this.directory });
  }

  /** A copy of one of its folders, in a place from which no packages can be reached. */
  async alone(folder: string): Promise<string> {
    const copy = `${this.directory}-alone`;
    await rm(copy, { recursive: true, force: true });
    await cp(join(this.directory, folder), copy, { recursive: true });
    return copy;
  }

  async remove(): Promise<void> {
    await rm(`${this.directory}-alone`, { recursive: true, force: true });
    await rm(this.directory, { recursive: true, force: true });
  }
}

async function writeSources(
  directory: string,
  tarball: string,
  { type, dependencies }: ConsumerManifest,
): Promise<void> {
  const asked = { 'nestjs-disco-bus': `file:${tarball}`, '@types/node': '^20', ...dependencies };
  const packageJson = { name: 'consumer', version: '1.0.0', private: true, type, dependencies: asked };
  await writeFile(join(directory, 'package.json'), JSON.stringify(packageJson));
  await writeFile(join(directory, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['app.ts'] }));
  await copyFile(join(root, 'test/package/consumer/app.ts'), join(directory, 'app.ts'));
}

/** A folder from which no node_modules but the application's own can be reached. */
export function lonelyFolder(): string {
  const folder = [tmpdir(), '/var/tmp', homedir()].find(
    (candidate) => existsSync(candidate) && !seesPackages(candidate),
  );
  if (folder === undefined) throw new Error('Every temporary folder lies below a node_modules; set TMPDIR');
  return folder;
}

function seesPackages(folder: string): boolean {
  if (existsSync(join(folder, 'node_modules'))) return true;
  return dirname(folder) !== folder && seesPackages(dirname(folder));
}
