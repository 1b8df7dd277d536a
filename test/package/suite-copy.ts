import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { install, lonelyFolder } from './consumer-app.js';
import { type CommandResult, mustRun, runCommand } from './run-command.js';
import { root } from './staged-package.js';

/** What the suite needs of the repository. */
const sources = [
  'lib',
  'test/transport',
  'test/support',
  'test/nest/support.ts',
  'test/nest/enhancers.spec.ts',
];

/** What of the suite is the same with any version of Nest: storms, cuts and looking others up. FULL=1 runs it as well. */
const sameEverywhere = ['request-storm', 'closing', 'instance-directory', 'instances', 'password'];

/**
 * The library's sources and a suite of its tests in a folder of their own, beside other versions of what they import.
 * What is not installed there, as jest itself, comes from the repository.
 */
export class SuiteCopy {
  private constructor(readonly directory: string) {}

  /** Throws, and says why, when the registry cannot be reached: nothing is skipped. */
  static async install(dependencies: Readonly<Record<string, string>>): Promise<SuiteCopy> {
    const directory = await mkdtemp(join(lonelyFolder(), 'disco-suite-'));
    const copy = new SuiteCopy(directory);
    try {
      for (const source of sources)
        await cp(join(root, source), join(directory, source), { recursive: true });
      const manifest = { name: 'suite', version: '1.0.0', private: true, type: 'module', dependencies };
      await writeFile(join(directory, 'package.json'), JSON.stringify(manifest));
      await writeFile(join(directory, 'jest.config.mjs'), configuration());
      await mustRun('npm', install, {
        cwd: directory,
        timeoutMs: 120_000,
        failure: 'The suite on other versions needs the npm registry (or a filled npm cache)',
      });
      return copy;
    } catch (error) {
      await copy.remove();
      throw error;
    }
  }

  /** The version of a package as the suite sees it. */
  async versionOf(name: string): Promise<string> {
    const { stdout } = await mustRun('npm', ['ls', name, '--json', '--depth=0'], { cwd: this.directory });
    return (JSON.parse(stdout) as { dependencies: Record<string, { version: string }> }).dependencies[name]
      .version;
  }

  /** Runs the suite; without FULL=1 only what may differ from one version to another. */
  run(): Promise<CommandResult> {
    const jest = join(root, 'node_modules/jest/bin/jest.js');
    const args = [jest, '--config', join(this.directory, 'jest.config.mjs'), '--runInBand', '--silent'];
    if (process.env.FULL !== '1') args.push('--testPathIgnorePatterns', ...sameEverywhere);
    return runCommand(process.execPath, args, { cwd: this.directory, timeoutMs: 150_000 });
  }

  async remove(): Promise<void> {
    await rm(this.directory, { recursive: true, force: true });
  }
}

/** The repository's own configuration; only where things are found differs, and that Nest 11 is CommonJS as it comes. */
function configuration(): string {
  const base = pathToFileURL(join(root, 'jest.config.mjs')).href;
  const modules = JSON.stringify(join(root, 'node_modules'));
  return `import base from ${JSON.stringify(base)};
const swc = ${JSON.stringify(join(root, 'node_modules/@swc/jest/index.js'))};
const transform = Object.fromEntries(Object.entries(base.transform).map(([files, [, options]]) => [files, [swc, options]]));
const transformIgnorePatterns = ['<rootDir>/node_modules/', ...base.transformIgnorePatterns];
export default { ...base, transform, transformIgnorePatterns, modulePaths: [${modules}], reporters: ['default'], globalSetup: undefined, testSequencer: undefined };
`;
}
